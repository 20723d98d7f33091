package coord

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/budget"
	"millrace/repr"
)

// Of the statements that need much memory one runs at a time. Thirty of them side by side would each have a little, each grow it
// by copying it to a larger buffer, and all be refused; and what a buffer takes for a moment would be taken thirty times.
// A statement that needs little does not wait.
const (
	shareLittle   = 2         // percent of the memory limit that a statement may hold without its turn
	shareLittles  = 10        // all of them together: beyond it a statement waits for its turn with
	leastLittle   = 256 << 10 // so much
	turnTimeout   = time.Minute
	turnsInReason = "other statements that need much memory have not ended"
)

// turns is a queue of statements: the first has its turn.
type turns struct {
	mu     sync.Mutex            // guards all below
	taken  bool                  // somebody has it
	queue  []chan struct{}       // who waits; it is closed when it is theirs
	holder atomic.Pointer[gated] // what has the turn, once that is known
}

// join is told, by the channel's end, when it is its turn.
func (q *turns) join() chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	mine := make(chan struct{})
	if q.taken {
		q.queue = append(q.queue, mine)
		return mine
	}
	q.taken = true
	close(mine)
	return mine
}

// leave gives up the turn, or waiting for it.
func (q *turns) leave(mine chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.queue, mine); i >= 0 {
		q.queue = slices.Delete(q.queue, i, i+1)
		return
	}
	q.holder.Store(nil)
	if q.taken = len(q.queue) > 0; q.taken {
		close(q.queue[0])
		q.queue = q.queue[1:]
	}
}

// turn is that of one statement, or one step of a view that is being filled. Its methods are called by whoever works for it, one
// at a time.
type turn struct {
	ctx     context.Context // of the statement, whose workers ask
	c       *Coordinator
	say     func(what string) // nil: to nobody
	most    time.Duration     // that it waits; 0: any
	memory  gated
	base    int64         // what it held before, which is not asked for
	mine    chan struct{} // nil: it has not asked for it
	refused string
}

// gated is a budget, or what has one.
type gated interface {
	Gate(least int64, ask budget.Ask)
	Held() int64
}

// turn is one that a statement asks for when it needs it. Who asks for it ends it.
func (s *Session) turn(ctx context.Context) *turn {
	return &turn{ctx: ctx, c: s.c, say: s.noticef, most: turnTimeout, memory: (*budget.Budget)(nil)}
}

// of has a budget wait for the turn before it holds much more.
func (t *turn) of(memory gated) {
	if t.c.memory.limit == 0 {
		return
	}
	t.memory, t.base = memory, memory.Held()
	memory.Gate(t.base+leastLittle, t.ask)
	if t.mine != nil {
		t.c.memory.turns.holder.Store(&t.memory)
	}
}

// end lets the next statement go on.
func (t *turn) end() {
	t.memory.Gate(0, nil)
	if t.mine != nil {
		t.c.memory.turns.leave(t.mine)
		t.mine = nil
	}
}

// ask is the budget's question whether it may hold so much.
func (t *turn) ask(held int64) (upTo int64, why string) {
	grown := held - t.base
	if t.mine == nil && t.refused == "" {
		if t.c.memory.isLittle(grown) {
			return t.base + min(2*grown, t.c.memory.share(shareLittle)), ""
		}
		t.refused = t.take()
	}
	if t.refused != "" {
		return 0, t.refused
	}
	return math.MaxInt64, ""
}

// isLittle says whether a statement may take so much without its turn.
func (m *memory) isLittle(grown int64) bool {
	littles := m.statements.Held()
	if x := m.turns.holder.Load(); x != nil {
		littles -= (*x).Held()
	}
	return grown < m.share(shareLittle) && littles+grown < m.share(shareLittles)
}

// take waits for the turn; why says why it has not come.
func (t *turn) take() (why string) {
	m, clock := t.c.memory, t.c.opts.Clock
	mine := m.turns.join()
	for waited := time.Duration(0); ; waited += noticeEvery {
		select {
		case <-mine:
			t.mine = mine
			m.turns.holder.Store(&t.memory)
			m.clear()
			return ""
		default:
		}
		if t.most > 0 && waited >= t.most {
			m.turns.leave(mine)
			return turnsInReason
		}
		if waited == noticeEvery && t.say != nil {
			t.say("waiting for other statements that need much memory")
		}
		select {
		case <-mine:
		case <-clock.After(noticeEvery):
		case <-t.ctx.Done():
			m.turns.leave(mine)
			return "the statement has ended"
		}
	}
}

// cause is the error of the statement: that it was canceled, when that has ended its waiting.
func (t *turn) cause(err *repr.Error) *repr.Error {
	if t.refused != "" && t.ctx.Err() != nil {
		return ctxError(t.ctx)
	}
	return err
}

// clear frees what ended statements have left, when a large one might not fit beside it.
func (m *memory) clear() {
	if m.limit > 0 && m.inUse()+m.share(shareStatement) > m.limit {
		runtime.GC()
	}
}

// takeTurn waits for the turn of a statement that runs where it cannot wait.
func (t *turn) takeTurn() *repr.Error {
	if t.c.memory.limit == 0 || t.mine != nil {
		return nil
	}
	why := t.take()
	if t.ctx.Err() != nil {
		return ctxError(t.ctx)
	}
	if why != "" {
		return repr.NewError(repr.CodeOutOfMemory, "out of memory: "+why).WithHint("Try again when they have ended.")
	}
	return nil
}
