package coord

import (
	"context"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/internal/budget"
	"millrace/repr"
)

// Shares of the memory limit, in percent. As the server fills, first new rows and views give way, so that there is room left to
// read and to delete; then statements; and last the maintained views.
const (
	shareStatement  = 25 // one statement that runs once, or one transaction
	shareStatements = 35 // all of them together
	shareRelieved   = 75 // what is kept and maintained: below it a server that was pressed goes on as before
	sharePressed    = 80 // the same: beyond it sources are held back, and rows and new views refused
	shareReaders    = 94 // of all that is held, as counted and as found in use: beyond it a statement gets no more
	shareFlows      = 98 // the same for a maintained view, which then breaks
)

// memory are the budgets of a coordinator. They are parts of one, which is that of the server.
type memory struct {
	server     *budget.Budget
	kept       *budget.Budget // collections
	queued     *budget.Budget // what waits for their next tick
	arriving   *budget.Budget // batches of sources that wait for room in a tick
	flows      *budget.Budget // the operators of maintained views, and the arrangements that they share
	filling    *budget.Budget // the operators of views that are being filled for the first time
	filled     *budget.Budget // the rows of views that are being filled
	statements *budget.Budget
	sessions   *budget.Budget // what clients have prepared
	limit      int64          // 0: none
	turns      turns          // of the statements that need much
	live       func() int64   // what the process holds of memory that is in use, as far as it knows
	inUse      func() int64   // the same, with what the next collection frees
	pressed    atomic.Bool    // sources are held back and writes refused; the loop sets it
	collecting atomic.Bool
	confirmed  atomic.Bool // a collection has found that more is in use than is counted
	collected  time.Time   // when the last was begun; it belongs to the loop
}

func newMemory(limit int64, live, inUse func() int64) *memory {
	m := &memory{server: budget.New("the server", limit), limit: limit, live: live, inUse: inUse}
	m.server.Watch(func(n int64) bool { return m.inUseFits(n, inUse) })
	m.kept = m.server.Part("the collections", 0, 0)
	m.queued = m.server.Part("rows on their way", 0, 0)
	m.flows = m.server.Part("the views", 0, m.share(shareFlows))
	m.filling = m.server.Part("new views", 0, m.share(sharePressed))
	m.filled = m.server.Part("the rows of new views", 0, 0)
	m.arriving = m.server.Part("batches on their way", 0, 0)
	m.sessions = m.server.Part("all sessions together", limitSessions.of(limit), m.share(shareReaders))
	m.statements = m.server.Part("all statements together", m.share(shareStatements), m.share(shareReaders))
	for _, b := range []*budget.Budget{m.kept, m.queued, m.arriving, m.flows} {
		b.Lasts()
	}
	return m
}

// lasting is what is held but for statements that run once: as it is counted, and as the process last found it.
func (m *memory) lasting() (held, live int64) {
	passing := m.statements.Held()
	return m.server.Held() - passing, m.live() - passing
}

// share is some percent of the limit; 0 when there is none.
func (m *memory) share(percent int64) int64 { return m.limit / 100 * percent }

// mostValue is what one value, and one row, that an expression makes may take: on its way to a client it is copied some times.
func (m *memory) mostValue() int64 { return limitValue.of(m.limit) }

// inUseFits says whether there is room for n bytes more beside all that the process has in use: what the limit leaves is for the program,
// stacks, and what the allocator has free. When it seems that there is not, a collection finds out what of that is still needed.
func (m *memory) inUseFits(n int64, inUse func() int64) bool {
	most := m.share(shareReaders)
	if m.limit == 0 || inUse()+n <= most {
		return true
	}
	runtime.GC()
	return m.live()+n <= most
}

// liveBytes is what the last collection of the process found in use.
func liveBytes() int64 { return runtimeMetric("/gc/heap/live:bytes") }

// heapBytes is what the process has in use now, with what the next collection frees.
func heapBytes() int64 { return runtimeMetric("/memory/classes/heap/objects:bytes") }

// runtimeMetric is a figure of the runtime; 0 when it does not know it.
func runtimeMetric(name string) int64 {
	sample := []metrics.Sample{{Name: name}}
	if metrics.Read(sample); sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(sample[0].Value.Uint64())
}

// weigh counts what is kept, with the history of it, and sees whether the server nears its limit. Then sources are held back and writes refused, until
// it has room again. It runs in the loop.
func (c *Coordinator) weigh() {
	m := c.memory
	var kept int64
	for _, col := range c.collections {
		_, past := col.history()
		kept += col.bytes() + past
	}
	m.kept.Set(kept)
	if m.limit == 0 {
		return
	}
	was := m.pressed.Load()
	held, live := m.lasting()
	share := int64(sharePressed)
	if was {
		share = shareRelieved
	}
	is := held > m.share(share)
	if !is && live > m.share(share) {
		c.collect(m.share(share)) // what was in use at the last collection may be so no longer
		is = m.confirmed.Load()
	}
	if is == was {
		return
	}
	m.pressed.Store(is)
	c.opts.Log.Warn("memory", "near the limit", is, "held", held, "live", live, "limit", m.limit)
	for _, r := range c.sources {
		r.wake()
	}
}

// collectEvery is how much time there is between two collections that the loop asks for, at least.
const collectEvery = time.Second

// collect has the process find out anew, beside the loop, whether more than some bytes are in use.
func (c *Coordinator) collect(most int64) {
	m, now := c.memory, c.opts.Clock.Now()
	if now.Sub(m.collected) < collectEvery || !m.collecting.CompareAndSwap(false, true) {
		return
	}
	m.collected = now
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		defer m.collecting.Store(false)
		runtime.GC()
		_, live := m.lasting()
		m.confirmed.Store(live > most)
	}()
}

// fits says whether there is room for what is new, having looked anew at what is in use when that alone speaks against it.
func (m *memory) fits() bool {
	most := m.share(sharePressed)
	held, live := m.lasting()
	if held <= most && live > most {
		runtime.GC()
		held, live = m.lasting()
	}
	return max(held, live) <= most
}

// pressure is the error of what would add to the memory of a server that is near its limit; nil while there is room.
func (m *memory) pressure(what string) *repr.Error {
	if !m.pressed.Load() {
		return nil
	}
	if held, _ := m.lasting(); held <= m.share(shareRelieved) && m.fits() {
		return nil // what spoke against it was in use when it was last looked at
	}
	return m.refusal(what, "")
}

// refusal is the error of what a server near its limit does not do.
func (m *memory) refusal(what, needed string) *repr.Error {
	held := max(m.server.Held(), m.live())
	return repr.NewError(repr.CodeOutOfMemory, "out of memory: the server is near its limit, "+what).
		WithDetail(needed + "The server holds " + sizeText(held) + " of " + sizeText(m.limit) + "; rows can be read and deleted, and objects dropped.").
		WithHint("Delete rows, drop views or indexes, or start the server with a larger --memory-limit.")
}

// roomToWrite refuses a statement that adds rows when there is no room for them: they are held with the transaction, in the
// tick, and in the table.
func (m *memory) roomToWrite(tx *budget.Budget) *repr.Error {
	if err := m.pressure("and takes no more rows"); err != nil {
		return err
	}
	if held, _ := m.lasting(); m.limit > 0 && held+3*tx.Held() > m.share(shareReaders) {
		return m.refusal("and takes no more rows", "The rows take "+sizeText(tx.Held())+", and as much again twice on their way to the table. ")
	}
	return nil
}

// statementMemory is what one statement of the session may hold; 0: any.
func (s *Session) statementMemory() int64 {
	most := s.c.memory.share(shareStatement)
	v, _ := s.settings.get(settingQueryMemory)
	if n, ok := parseMemory(v); ok && n > 0 && (most == 0 || n < most) {
		return n
	}
	return most
}

// How long a statement waits for room beside others, and how often it looks.
const (
	roomTimeout = 5 * time.Second
	roomEvery   = 20 * time.Millisecond
)

// statementBudget is the memory of a statement that runs once. While others hold nearly all there is for them, it waits a little
// for them to end. Who asks closes it.
func (s *Session) statementBudget(ctx context.Context) (*budget.Budget, *repr.Error) {
	all := s.c.memory.statements
	for waited := time.Duration(0); all.Most() > 0 && all.Held() > all.Most()/4*3; waited += roomEvery {
		if waited >= roomTimeout {
			return nil, repr.NewError(repr.CodeOutOfMemory, "out of memory: other statements hold nearly all that statements may").
				WithDetail("They hold " + memoryText(all.Held()) + " of " + memoryText(all.Most()) + ".").
				WithHint("Try again when they have ended; the limit follows from --memory-limit.")
		}
		select {
		case <-s.c.opts.Clock.After(roomEvery):
		case <-ctx.Done():
			return nil, ctxError(ctx)
		}
	}
	return all.Part(dataflow.StatementMemory, s.statementMemory(), 0), nil
}

// transactionBudget is the memory of what the open transaction has read and is to write; the end of the transaction closes it.
func (s *Session) transactionBudget(ctx context.Context) (*budget.Budget, *repr.Error) {
	if s.tx.memory != nil {
		return s.tx.memory, nil
	}
	b, err := s.statementBudget(ctx)
	s.tx.memory = b
	return b, err
}

// dropWrites forgets what the transaction has read and was to write.
func (s *Session) dropWrites() {
	s.tx.hold, s.tx.reads, s.tx.writes = nil, nil, nil
	s.tx.memory.Close()
	s.tx.memory = nil
}

// takeRoom counts bytes towards a statement; it is an error when that is too much.
func takeRoom(b *budget.Budget, bytes int64, what string) *repr.Error {
	if b.Take(bytes); b.Excess() != nil {
		return dataflow.OutOfMemory(b, what)
	}
	return nil
}

// copied is the whole of a snapshot as a batch, which counts towards a statement.
func copied(b *budget.Budget, s *arrangement.Snapshot, of string) (arrangement.Batch, *repr.Error) {
	if !b.Room(s.Bytes()) {
		return arrangement.Batch{}, dataflow.OutOfMemory(b, "the rows of "+of+", which takes "+memoryText(s.Bytes()))
	}
	batch := s.Batch()
	b.Take(int64(batch.Bytes()))
	return batch, nil
}

// budgetRows are rows that a statement holds memory for.
type budgetRows struct {
	Rows
	memory *budget.Budget
}

// Close frees the rows.
func (r *budgetRows) Close() {
	r.Rows.Close()
	r.memory.Close()
}

// settingQueryMemory names the setting of what a statement may hold.
const settingQueryMemory = "query_memory"

// memoryUnits are those of PostgreSQL, largest first.
var memoryUnits = []struct {
	name string
	size int64
}{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}, {"B", 1}}

// parseMemory reads PostgreSQL's sizes: a plain number is kilobytes.
func parseMemory(v string) (int64, bool) {
	v = strings.TrimSpace(v)
	size := int64(1 << 10)
	for _, u := range memoryUnits {
		if rest, ok := strings.CutSuffix(v, u.name); ok {
			v, size = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseInt(v, 10, 64)
	return n * size, err == nil && n >= 0 && n <= (1<<62)/size
}

// memoryText writes a size as PostgreSQL does, in the largest unit that gives a whole number.
func memoryText(n int64) string {
	for _, u := range memoryUnits {
		if n >= u.size && n%u.size == 0 {
			return itoa(n/u.size) + u.name
		}
	}
	return "0"
}

func checkMemory(v string) (string, *repr.Error) {
	n, ok := parseMemory(v)
	if !ok {
		return "", (&repr.Error{}).WithHint("Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".")
	}
	return memoryText(n), nil
}

// checkQueryMemory lets a session have less than the server gives a statement, not more.
func (s *settings) checkQueryMemory(v string) *repr.Error {
	most := s.c.memory.share(shareStatement)
	if n, ok := parseMemory(v); !ok || most == 0 || n > 0 && n <= most {
		return nil
	}
	return repr.NewError(repr.CodeInvalidParameter, "invalid value for parameter \""+settingQueryMemory+"\": \""+v+"\"").
		WithHint("a statement may have up to " + memoryText(most) + " here, which follows from --memory-limit")
}
