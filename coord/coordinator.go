package coord

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"millrace/coord/catalog"
	"millrace/internal/check"
	"millrace/internal/clock"
	"millrace/internal/journal"
	"millrace/repr"
	"millrace/sinks"
	"millrace/sources"
	"millrace/sources/file"
)

// Options is how a coordinator runs. Zero values mean the default.
type Options struct {
	Workers         int               // of each dataflow; default 1
	TickInterval    time.Duration     // the longest time between ticks; default 1 s
	RetainHistory   time.Duration     // how far back AS OF reaches; default 10 s
	MaxTickRows     int               // a tick takes no more source updates than that; default 100,000
	SubscriberBytes int64             // what a slow subscription may hold; default 32 MiB, less with little memory
	MemoryLimit     int64             // what the process may hold; 0: any
	LiveBytes       func() int64      // what it holds, beside what is counted; default what the last garbage collection found
	HostAliases     map[string]string // host:port to dial instead of another
	Clock           clock.Clock
	Turn            func(ctx context.Context)                          // see Coordinator.turn; nil: nobody waits
	Source          func(topic string) sources.Described               // opens what stands in for Kafka; nil: nothing does
	Sink            func(name string, run sinks.Options) SinkConnector // the same of a sink, by what it writes into
	ObjectSink      func(ObjectSink) (SinkConnector, error)            // makes sinks into files; there are none when nil
	FileSinks       string                                             // the folder below which sinks may write files; empty: nowhere
	FileSources     []string                                           // folders whose files sources may read; none when empty
	ParquetFiles    file.OpenTable                                     // opens files of Parquet; they cannot be read when nil
	Random          io.Reader                                          // where names come from that nobody else makes; default the machine's
	Journal         *journal.Journal                                   // where ticks are made durable; nil: nowhere
	KeepApart       bool                                               // equal parts of views are not kept once
	AtOnce          int                                                // how many tables are read, and views filled, side by side after a restart; default the processors
	Dormant         bool                                               // what is kept can be read, but no view is filled, and no source or sink runs
	Log             *slog.Logger
	OnBug           func(what string, value any, stack []byte) // told of panics that were caught; nil: nobody
	Version         string

	heapBytes func() int64 // what LiveBytes is, with what the next garbage collection frees
}

func (o *Options) defaults() {
	if o.Workers == 0 {
		o.Workers = 1
	}
	if o.AtOnce == 0 {
		o.AtOnce = runtime.GOMAXPROCS(0)
	}
	if o.TickInterval == 0 {
		o.TickInterval = time.Second
	}
	if o.RetainHistory == 0 {
		o.RetainHistory = 10 * time.Second
	}
	if o.MaxTickRows == 0 {
		o.MaxTickRows = 100_000
	}
	if o.SubscriberBytes == 0 {
		o.SubscriberBytes = limitSubscription.of(o.MemoryLimit)
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	o.heapBytes = o.LiveBytes
	if o.LiveBytes == nil {
		o.LiveBytes, o.heapBytes = liveBytes, heapBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnBug == nil {
		o.OnBug = func(string, any, []byte) {}
	}
	if o.Version == "" {
		o.Version = "dev"
	}
}

// Coordinator is a running engine.
type Coordinator struct {
	opts     Options
	commands chan func()
	batches  chan sourceBatch
	catalog  atomic.Pointer[catalog.Snapshot]
	kept     atomic.Pointer[kept]
	book     atomic.Pointer[book]
	ctx      context.Context
	stop     context.CancelCauseFunc
	done     chan struct{}
	running  sync.WaitGroup // sources, sinks
	nextPID  atomic.Uint32
	stats    Counters
	memory   *memory
	wholes   atomic.Int64 // those that sources have gathered and the loop has not taken

	// The rest belongs to the loop.
	oracle       oracle
	collections  map[uint64]*collection
	order        []*collection // base collections: tables, sources
	views        []*view       // in an order in which each comes after its inputs
	sharing      sharing
	sources      map[uint64]*sourceRun
	fed          map[uint64]*fedTable // tables that sources feed
	leaving      []*sourceRun         // sources that were dropped, with something left on the other side
	gates        map[string]*gateRun  // of sources whose transactions are kept whole
	sinks        map[uint64]*sinkRun
	named        map[uint64]*named    // subscriptions of the catalog
	acknowledged map[uint64]repr.Time // to be durable with the next tick, by subscription
	holds        map[*hold]struct{}
	bases        map[uint64][]uint64      // what objects are computed from, as far as it was asked for
	retained     map[uint64]time.Duration // how much history is kept of collections of which that was said
	waiting      []chan<- error           // writers whose tick has not run
	writers      int                      // how many the last tick answered
	gathered     bool                     // the next tick has waited for them already
	queued       bool                     // something waits for a tick
	queuedRows   int
	someFailed   bool           // a view has failed
	queuedBytes  int64          // of what sources read
	broken       error          // the journal failed: nothing more is acknowledged
	full         bool           // the last tick was refused, for the disk is full
	notes        []journal.Note // of the next tick
	dropped      []uint64       // collections that end with the next tick
	revival      *revival       // what a restart brings back; nil without one
	identity     *identity
	unmerged     int // how many collections and arrangements have merging left to do
}

// Counters are totals since the start, for the metrics.
type Counters struct {
	Ticks    atomic.Int64
	Queries  atomic.Int64
	Sessions atomic.Int64

	WorstTick  atomic.Int64 // how long the longest took, in nanoseconds
	WorstMerge atomic.Int64 // how long the longest turn of merging took, in nanoseconds
}

// sourceBatch is a batch on its way from a source to a tick.
type sourceBatch struct {
	run   *sourceRun
	batch *sources.Batch
	size  int64
	whole *whole // what was gathered of it before; nil: nothing was
}

// New starts a coordinator that keeps nothing. Close ends it.
func New(opts Options) *Coordinator {
	check.That(opts.Journal == nil, "a coordinator with a journal is opened")
	c := prepare(opts)
	go c.loop()
	return c
}

// Open starts a coordinator that goes on where its journal ends: what is in the catalog is there when Open returns, and the
// content of tables and sources; views are filled, and sources and sinks started, behind it. Close ends it.
func Open(opts Options) (*Coordinator, error) {
	check.That(opts.Journal != nil, "a coordinator without a journal is made new")
	c := prepare(opts)
	c.clearSpill()
	r, err := c.restore()
	if err != nil {
		return nil, err
	}
	if err := c.identify(r.notes, r.last); err != nil {
		return nil, err
	}
	v := newRevival(c, r)
	v.begin()
	if err := c.announce(); err != nil {
		return nil, err
	}
	go c.loop()
	if opts.Dormant {
		return c, nil
	}
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		err := c.guarded("starting again", func() error { v.run(c.ctx); return nil })
		if err != nil {
			c.opts.Log.Error("not all is started", "err", err)
		}
	}()
	return c, nil
}

// prepare makes a coordinator whose loop does not run yet.
func prepare(opts Options) *Coordinator {
	opts.defaults()
	ctx, stop := context.WithCancelCause(context.Background())
	c := &Coordinator{
		opts: opts, ctx: ctx, stop: stop, done: make(chan struct{}),
		commands:     make(chan func(), 64),
		batches:      make(chan sourceBatch, batchesAhead(opts.MemoryLimit)),
		collections:  map[uint64]*collection{},
		sources:      map[uint64]*sourceRun{},
		fed:          map[uint64]*fedTable{},
		gates:        map[string]*gateRun{},
		sinks:        map[uint64]*sinkRun{},
		named:        map[uint64]*named{},
		acknowledged: map[uint64]repr.Time{},
		holds:        map[*hold]struct{}{},
		bases:        map[uint64][]uint64{},
		retained:     map[uint64]time.Duration{},
		identity:     &identity{},
		memory:       newMemory(opts.MemoryLimit, opts.LiveBytes, opts.heapBytes),
	}
	c.oracle = oracle{now: opts.Clock.Now}
	c.oracle.complete = repr.Time(max(opts.Clock.Now().UnixMilli(), 1))
	c.sharing = sharing{byName: map[string]*shared{}, byCollection: map[uint64][]*shared{}}
	c.publishKept()
	c.book.Store(&book{})
	c.catalog.Store(catalog.New(catalog.SystemItems()))
	return c
}

// Close stops sources, sinks and the loop, and waits for them.
func (c *Coordinator) Close() {
	c.stop(errShutdown)
	<-c.done // until then it may start more
	c.running.Wait()
}

// Counters are the totals; any goroutine may read them.
func (c *Coordinator) Counters() *Counters { return &c.stats }

// Catalog is the catalog as it is now.
func (c *Coordinator) Catalog() *catalog.Snapshot { return c.catalog.Load() }

var errShutdown = repr.NewError(repr.CodeAdminShutdown, "terminating connection due to administrator command")

// timers are what wakes the loop besides commands and batches.
type timers struct {
	heartbeat <-chan time.Time
	soon      <-chan time.Time // the clock has to reach the next millisecond first
	alarm     <-chan time.Time // rows fall due
	alarmAt   repr.Time
}

// loop is the coordinator's goroutine.
func (c *Coordinator) loop() {
	defer close(c.done)
	t := &timers{heartbeat: c.opts.Clock.After(c.opts.TickInterval), alarmAt: never}
	for c.ctx.Err() == nil {
		if due := c.nextAlarm(); due != t.alarmAt {
			t.alarm, t.alarmAt = c.setAlarm(due), due
		}
		if !c.wake(t) {
			continue
		}
		c.drain()
		c.openGates()
		if !c.queued || t.soon != nil {
			continue
		}
		at, wait := c.oracle.next()
		if wait == 0 && c.expectsWriters() {
			wait = gatherFor
		}
		if wait > 0 {
			t.soon = c.opts.Clock.After(wait)
			continue
		}
		c.tickSafely(c.tickTime(at))
		t.alarmAt = never
	}
	c.failWaiting(errShutdown)
	c.closeFlows()
}

// wake waits for something to happen and takes it; false: nothing came of it. Of several things that have happened timers come
// first, then commands, then batches, so that a run can be repeated.
func (c *Coordinator) wake(t *timers) bool {
	select {
	case <-t.heartbeat:
		return c.beat(t)
	default:
	}
	select {
	case <-t.soon:
		t.soon = nil
		return true
	default:
	}
	select {
	case <-t.alarm:
		c.alarmed(t)
		return true
	default:
	}
	if c.take() {
		return true
	}
	select {
	case <-c.ctx.Done():
		return false
	case f := <-c.commands:
		f()
	case b := <-c.takeBatches():
		c.queueBatch(b)
	case <-t.soon:
		t.soon = nil
	case <-t.alarm:
		c.alarmed(t)
	case <-t.heartbeat:
		return c.beat(t)
	case <-c.idleWork():
		c.work()
		return false
	}
	return true
}

// alarmed asks for a tick when rows have fallen due.
func (c *Coordinator) alarmed(t *timers) {
	if t.alarm = nil; c.isDue() {
		c.queued = true
	} else {
		t.alarmAt = never // it went off too early, and is set again
	}
}

// beat asks for a tick, for the last is long ago.
func (c *Coordinator) beat(t *timers) bool {
	t.heartbeat = c.opts.Clock.After(c.opts.TickInterval)
	c.queued = true
	return true
}

// How many rows of background merging one turn of the loop may do, in all and, when there is a lot to merge, in each collection.
// Commands wait meanwhile.
const (
	workFuel  = 20_000
	leastFuel = 500
)

// ready is a channel that is always ready.
var ready = func() chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}()

// idleWork is ready while there is merging left to do and nothing else.
func (c *Coordinator) idleWork() <-chan struct{} {
	if c.unmerged > 0 && len(c.commands) == 0 && len(c.batches) == 0 {
		return ready
	}
	return nil
}

// takeBatches is the channel of source batches, or nil while the next tick is full.
func (c *Coordinator) takeBatches() <-chan sourceBatch {
	if c.full || c.memory.pressed.Load() && c.wholes.Load() == 0 || c.queuedRows >= c.opts.MaxTickRows ||
		c.queuedBytes >= limitTick.of(c.opts.MemoryLimit) {
		return nil
	}
	return c.batches
}

// drain takes what else has come, so that one tick serves many: commands before batches.
func (c *Coordinator) drain() {
	for range 256 {
		if !c.take() {
			return
		}
	}
}

// take takes a command or a batch that is there.
func (c *Coordinator) take() bool {
	select {
	case f := <-c.commands:
		f()
		return true
	default:
	}
	select {
	case b := <-c.takeBatches():
		c.queueBatch(b)
		return true
	default:
		return false
	}
}

// turn lets a simulation decide when a goroutine goes on: it is called before one speaks to the loop, and when what it waited for
// has come, so that of several who are woken at one moment each goes on at a moment of its own. Whose the goroutine is, ctx tells.
func (c *Coordinator) turn(ctx context.Context) {
	if c.opts.Turn != nil {
		c.opts.Turn(ctx)
	}
}

// do runs f in the loop and waits for it.
func (c *Coordinator) do(ctx context.Context, f func()) *repr.Error {
	c.turn(ctx)
	if c.ctx.Err() != nil {
		return errShutdown
	}
	finished := make(chan struct{})
	var bug error
	command := func() {
		defer close(finished)
		bug = c.guarded("a command", func() error { f(); return nil })
	}
	select {
	case c.commands <- command:
	case <-ctx.Done():
		return ctxError(ctx)
	case <-c.ctx.Done():
		return errShutdown
	}
	defer c.turn(ctx)
	select {
	case <-finished:
		if bug != nil {
			return asError(bug)
		}
		return nil
	case <-c.done:
		return errShutdown
	}
}

// ctxError is why a context ended, as the user sees it.
func ctxError(ctx context.Context) *repr.Error {
	if e, ok := context.Cause(ctx).(*repr.Error); ok {
		return e
	}
	return repr.NewError(repr.CodeQueryCanceled, "canceling statement due to user request")
}

// work does a turn of background merging.
func (c *Coordinator) work() {
	began := c.opts.Clock.Now()
	fuel := max(workFuel/max(c.unmerged, 1), leastFuel)
	c.unmerged = 0
	for _, col := range c.collections {
		if !col.ok.Work(fuel) {
			c.unmerged++
		}
	}
	for _, s := range c.sharing.byName {
		if s.failed != nil {
			continue
		}
		if !s.arr.Work(fuel) {
			c.unmerged++
		}
		s.arr.Settle()
	}
	if took := int64(c.opts.Clock.Now().Sub(began)); took > c.stats.WorstMerge.Load() {
		c.stats.WorstMerge.Store(took)
	}
}

func (c *Coordinator) closeFlows() {
	for _, v := range c.views {
		v.flow.Close()
	}
	for _, s := range c.sharing.byName {
		s.arr.Close()
	}
}
