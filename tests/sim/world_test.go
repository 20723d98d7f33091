package sim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"millrace/coord"
	"millrace/internal/clock"
	"millrace/internal/journal"
	faults "millrace/internal/sim"
	"millrace/repr"
	"millrace/sinks"
	"millrace/sources"
)

// hands is how many clients write.
const hands = 3

// patience is how long an answer may take.
const patience = time.Minute

// run is the life of a server.
type run struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand
	disk   *faults.Disk
	turns  *turns
	clock  *wall
	slow   atomic.Int64 // how many times as long the disk takes
	opts   coord.Options
	roll   int64 // bytes of a segment
	log    hash.Hash
	tale   []string // the newest lines of the log
	failed error

	journal  *journal.Journal
	coord    *coord.Coordinator
	hands    []*client
	reader   *client
	watchers []*watcher
	full     bool
	sick     bool // the log has said that it broke

	model     *model
	chronicle chronicle
	topics    *shelf[*topic]
	targets   *shelf[*target]
	ledgers   *shelf[*ledger]
	late      sync.WaitGroup            // of those that publish later
	seen      map[int][partitions]int64 // how far sources had read when they were read
	taken     map[int]takenUp           // readers of subscriptions, by object
	floors    map[int]int64             // from when on objects can be read whose history was altered
	paces     int                       // how many clients there were
	number    int                       // of the next name
	counts    *tally
}

// shelf keeps things by name; what connectors are made of is asked for by the server.
type shelf[T any] struct {
	mu sync.Mutex // guards m
	m  map[string]T
}

func newShelf[T any]() *shelf[T] { return &shelf[T]{m: map[string]T{}} }

func (s *shelf[T]) put(name string, it T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[name] = it
}

func (s *shelf[T]) get(name string) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[name]
}

func (s *shelf[T]) all() map[string]T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.m)
}

// tally counts what happens.
type tally struct {
	mu sync.Mutex // guards n
	n  map[string]int
}

func newTally() *tally { return &tally{n: map[string]int{}} }

func (t *tally) add(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n[what] += n
}

func (t *tally) all() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.n)
}

// wall is the clock on the wall, which people set.
type wall struct {
	clock.System
	turns *turns
	shift atomic.Int64
}

// After returns a channel that receives after d.
func (c *wall) After(d time.Duration) <-chan time.Time { return c.turns.after(d, timers) }

// Sleep waits for d, or the end of ctx.
func (c *wall) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-c.turns.after(d, partyOf(ctx)):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// Now is the time it shows.
func (c *wall) Now() time.Time { return c.System.Now().Add(time.Duration(c.shift.Load())) }

// outcome is how a life went.
type outcome struct {
	hash   string
	tale   []string
	counts map[string]int
	err    error
}

// live runs a seed for some steps; the dataflows have as many workers as that, or, for 0, as chance has it: then views are filled side
// by side in some lives.
func live(t *testing.T, seed uint64, steps, workers int) (out outcome) {
	synctest.Test(t, func(t *testing.T) {
		r := newRun(t, seed)
		if workers > 0 {
			r.opts.Workers = workers
		} else if seed%4 == 3 { // then who of those that fill views comes first is not the seed's
			r.opts.AtOnce = 3
		}
		r.start()
		for n := range steps {
			if r.failed != nil {
				break
			}
			r.say("-- step %d at %d", n, time.Now().UnixNano())
			r.step()
			r.poll()
			r.survive()
		}
		if r.failed == nil {
			r.finish()
		}
		r.stop()
		r.late.Wait()
		if clash := r.turns.clashed(); clash != "" && r.opts.AtOnce == 1 {
			r.fail("%s", clash)
		}
		out = outcome{hash: hex.EncodeToString(r.log.Sum(nil))[:16], tale: r.tale, counts: r.counts.all(), err: r.failed}
	})
	return out
}

func newRun(t *testing.T, seed uint64) *run {
	rng := rand.New(rand.NewPCG(seed, 2026))
	r := &run{t: t, seed: seed, rng: rng, disk: faults.NewDisk(seed), turns: newTurns(), log: sha256.New(), model: newModel(),
		chronicle: chronicle{spans: map[int][]span{}}, topics: newShelf[*topic](), targets: newShelf[*target](), ledgers: newShelf[*ledger](), seen: map[int][partitions]int64{}, taken: map[int]takenUp{}, floors: map[int]int64{}, counts: newTally()}
	r.clock = &wall{turns: r.turns}
	r.slow.Store(1)
	r.roll = 1 << (10 + rng.IntN(5))
	r.opts = coord.Options{
		Workers: 1 + rng.IntN(2), AtOnce: 1, TickInterval: time.Duration(10+rng.IntN(1000)) * time.Millisecond, RetainHistory: time.Duration(1+rng.IntN(20)) * time.Second,
		Clock: r.clock, Turn: r.turn, Random: rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}), Source: r.connector,
		Sink: func(name string, run sinks.Options) coord.SinkConnector {
			return r.targets.get(name).connect(r.turns, run)
		},
	}
	var mu sync.Mutex
	count := map[string]uint64{}
	r.disk.Pause(func(op faults.Op, name string) {
		mu.Lock()
		count[name]++
		h := fnv.New64a()
		_, _ = fmt.Fprint(h, seed, op, name, count[name])
		mu.Unlock()
		r.turns.wait(time.Duration(h.Sum64()%100_000+1)*time.Duration(r.slow.Load()), operations+int(op))
	})
	return r
}

// connector reads a topic.
func (r *run) connector(name string) sources.Described {
	if l := r.ledgers.get(name); l != nil {
		return &events{l: l, turns: r.turns}
	}
	return &reader{t: r.topics.get(name), turns: r.turns}
}

// say writes a line of the log.
func (r *run) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	_, _ = fmt.Fprintln(r.log, line)
	if r.tale = append(r.tale, line); len(r.tale) > 4000 {
		r.tale = slices.Delete(r.tale, 0, 2000)
	}
}

// fail ends the run with what is wrong; the first counts.
func (r *run) fail(format string, args ...any) {
	if r.failed == nil {
		r.failed = fmt.Errorf(format, args...)
		r.say("WRONG: %v", r.failed)
	}
}

// start brings a server up.
func (r *run) start() {
	for {
		j, err := journal.Open(journal.Options{FS: r.disk, Dir: "data", SegmentBytes: r.roll})
		if err == nil {
			r.journal, r.opts.Journal = j, j
			r.coord, err = coord.Open(r.opts)
			if err != nil {
				_ = j.Close()
			}
		}
		if err == nil {
			break
		}
		r.say("start: %v", err)
		unread := strings.Contains(err.Error(), syscall.EIO.Error())
		if !r.disk.Down() && !r.full && !unread {
			r.fail("the server does not start: %v", err)
			return
		}
		if unread {
			r.counts.add("failed reads", 1)
			r.disk.FailRead(-1)
		}
		r.makeRoom() // a crash while it started, or no space to start in
		r.disk.Restart()
	}
	r.hands = nil
	for range hands {
		r.hands = append(r.hands, r.connect())
	}
	r.reader = r.connect()
	synctest.Wait()
}

func (r *run) connect() *client {
	s, err := r.coord.NewSession(coord.SessionOptions{User: coord.DefaultUser, Database: coord.DefaultDatabase})
	if err != nil {
		r.fail("connect: %v", err)
		return nil
	}
	r.paces++
	return &client{s: s, ctx: context.WithValue(context.Background(), number{}, clients+r.paces%(topics-clients))}
}

// stop ends the server and what speaks with it.
func (r *run) stop() {
	if r.coord == nil {
		return
	}
	r.poll()
	r.coord.Close()
	for _, cl := range append([]*client{r.reader}, r.hands...) {
		if cl == nil {
			continue
		}
		if cl.busy != nil {
			<-cl.busy.done
			r.answer(cl)
		}
		cl.s.Close()
	}
	for _, w := range r.watchers {
		w.rows.Close()
		w.cl.s.Close()
	}
	r.watchers = nil
	_ = r.journal.Close()
	r.coord = nil
	synctest.Wait()
}

// wait waits for an answer. A source whose first reading finds no space makes its readers wait until there is some.
func (r *run) wait(c *call) {
	for range 2 {
		select {
		case <-c.done:
			synctest.Wait() // others may have been answered with it
			return
		case <-time.After(patience):
		}
		if r.full {
			r.makeRoom()
		} else {
			r.fail("no answer to %s", c.text)
			return
		}
	}
}

// answer takes the answer of a client whose call is done.
func (r *run) answer(cl *client) {
	c := cl.busy
	if r.failed != nil {
		return // it may not be there
	}
	cl.busy = nil
	if c.err != nil {
		r.say("answer: %s: %v", c.text, c.err)
	} else {
		r.say("answer: %s", c.text)
	}
	r.sick = r.sick || c.err != nil && c.err.Code == logBroken
	if len(c.changes) == 0 {
		return
	}
	ok := true
	if c.must != "" && (c.err == nil || c.err.Code != c.must && !c.isUnknown() && !sure[c.err.Code]) {
		r.fail("%s had to end with %s, and ended with %v", c.text, c.must, c.err)
	}
	switch {
	case c.err == nil:
		r.counts.add("done", 1)
		ok = r.model.answered(c.changes, !c.undone)
	case sure[c.err.Code] || c.must == c.err.Code || c.undone && unknown[c.err.Code]:
		r.counts.add("refused", 1)
		ok = r.model.answered(c.changes, false)
	case c.isUnknown():
		r.counts.add("unknown", 1)
		r.model.lost(c.changes)
	default:
		r.fail("%s: %v", c.text, c.err)
	}
	if !ok {
		r.fail("the answer to %s contradicts what was seen", c.text)
	}
}

// poll takes all answers that are there, and what watchers were told.
func (r *run) poll() {
	if r.coord == nil {
		return
	}
	synctest.Wait()
	for _, t := range r.topics.all() {
		if wrong := t.blamed(); wrong != "" {
			r.fail("%s", wrong)
		}
	}
	r.pollTargets()
	for _, cl := range r.hands {
		if cl.busy == nil {
			continue
		}
		select {
		case <-cl.busy.done:
			r.answer(cl)
		default:
		}
	}
	r.watchers = slices.DeleteFunc(r.watchers, func(w *watcher) bool {
		err := w.poll(r.note)
		if err == nil {
			return false
		}
		r.endWatch(w, err)
		return true
	})
}

// endWatch ends a watcher whose stream has ended with an error: the relation may have been dropped.
func (r *run) endWatch(w *watcher, err error) {
	if !strings.Contains(err.Error(), "was dropped") {
		r.fail("%v", err)
	}
	r.say("%v", err)
	w.rows.Close()
	w.cl.s.Close()
}

// note takes what was shown.
func (r *run) note(o *object, s span) error {
	r.say("%s holds at %d to %d %s", o.full(), s.from, s.to-1, s.text)
	r.chronicle.newest = max(r.chronicle.newest, s.to-1)
	if r.model.state().computedAnew(o.id) { // who follows it learns what falls due with the next tick, who asks for a time before sees it
		s.to = min(s.to, s.from+1)
	}
	if wrong := r.chronicle.note(o, s); wrong != "" {
		return fmt.Errorf("%s", wrong)
	}
	return nil
}

// idle is a client that can be asked; nil when all are busy.
func (r *run) idle() *client {
	for _, cl := range r.hands {
		if cl.busy == nil {
			return cl
		}
	}
	return nil
}

// settle waits for all answers.
func (r *run) settle() {
	for _, cl := range r.hands {
		if cl.busy != nil {
			r.wait(cl.busy)
			r.answer(cl)
		}
	}
}

// ask asks the reader and waits.
func (r *run) ask(text string) *call {
	r.say("ask: %s", text)
	c := r.reader.start(text)
	if r.wait(c); r.failed != nil {
		return &call{text: text, err: repr.NewError(repr.CodeAdminShutdown, "no answer")}
	}
	r.reader.busy = nil
	r.sick = r.sick || c.err != nil && c.err.Code == logBroken
	if c.err != nil {
		r.say("  %v", c.err)
	}
	return c
}

// survive brings the server up again after a crash, or after its log broke, and looks at what is left.
func (r *run) survive() {
	if r.failed == nil && (r.disk.Down() || r.sick) {
		r.restart()
	}
}

// restart ends the server, whatever its state, and starts it again.
func (r *run) restart() {
	r.say("restart, down %v", r.disk.Down())
	r.counts.add("restarts", 1)
	r.sick = false
	r.stop()
	r.disk.Restart()
	r.disk.FailSync(-1)
	r.disk.FailWrite(-1)
	r.start()
	if r.failed == nil {
		r.look()
	}
}

// makeRoom ends a full disk.
func (r *run) makeRoom() {
	r.full = false
	r.disk.SetLimit(1 << 62)
}
