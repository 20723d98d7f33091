package dataflow

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"millrace/arrangement"
	"millrace/dataflow/op"
	"millrace/internal/budget"
	"millrace/internal/clock"
	"millrace/repr"
)

// Options is how a dataflow runs.
type Options struct {
	Workers  int         // default 1
	InTurn   int         // a step of fewer rows has its workers run in turn, not side by side; 0: DefaultInTurn, less: none has
	Unsorted bool        // the output need not be sorted and consolidated
	Clock    clock.Clock // for the time that operators take; nil: not measured
	// MaxIterations is how many iterations a loop that has no limit of its own may take; 0: any number.
	MaxIterations int
	// MaxLoopBytes is what a loop may hold before it breaks the dataflow; 0: DefaultLoopBytes.
	MaxLoopBytes int64
	// Memory is what the dataflow holds it of: state, and buffers of a step. When that is exceeded the dataflow breaks. nil: any.
	Memory *budget.Budget
}

// DefaultInTurn is the number of rows from which on it pays to wake other processors: a step of fewer takes about a millisecond.
const DefaultInTurn = 4096

// DefaultLoopBytes is what a loop may hold: one that multiplies its rows at every iteration is stopped by it.
const DefaultLoopBytes = 1 << 30

// OpStats is what one node of a graph has done and holds, over all workers.
type OpStats struct {
	Node          NodeID
	Label         string
	RowsIn        int64
	RowsOut       int64
	ArrangedRows  int64
	ArrangedBytes int64
	Elapsed       time.Duration
}

// Dataflow is a graph in progress. One goroutine steps it; Stats and Bytes may be asked by any.
type Dataflow struct {
	graph    *Graph
	opts     Options
	workers  []*worker
	exchange *exchange // nil with one worker
	started  bool
	at       repr.Time // of the step that runs
	broken   error
	counters []counters  // of a node
	canceled atomic.Bool // the context of the step that runs has ended
	postpone bool        // loops only gather what enters them
	memory   *budget.Budget
	out      *arrangement.Builder
	errs     *arrangement.Builder
}

// counters are the totals of a node.
type counters struct {
	in, out, nanos atomic.Int64
	shards         []shard // of a worker
}

// shard is the size of what one worker's instance of an operator holds.
type shard struct{ rows, bytes atomic.Int64 }

// held is the size over all workers.
func (c *counters) held() (rows, bytes int64) {
	for i := range c.shards {
		rows += c.shards[i].rows.Load()
		bytes += c.shards[i].bytes.Load()
	}
	return rows, bytes
}

// New makes a dataflow of a graph, without input yet.
func New(g *Graph, opts Options) *Dataflow {
	opts.Workers = max(opts.Workers, 1)
	if opts.InTurn == 0 {
		opts.InTurn = DefaultInTurn
	}
	d := &Dataflow{graph: g, opts: opts, counters: make([]counters, len(g.Nodes))}
	if opts.Memory != nil {
		d.memory = opts.Memory.Part("the dataflow", 0, 0)
		d.memory.OnOver(func() { d.canceled.Store(true) })
	}
	d.out, d.errs = arrangement.NewBuilderOn(d.memory), arrangement.NewBuilderOn(d.memory)
	if opts.Workers > 1 {
		d.exchange = newExchange(opts.Workers, d.memory)
	}
	for i := range d.counters {
		d.counters[i].shards = make([]shard, opts.Workers)
	}
	for i := range opts.Workers {
		d.workers = append(d.workers, newWorker(d, i))
	}
	return d
}

// CountIn has what the dataflow holds count towards another budget from now on. No step runs meanwhile.
func (d *Dataflow) CountIn(memory *budget.Budget) { d.memory.Move(memory) }

// Gate has the dataflow ask before it holds more than least. No step runs meanwhile.
func (d *Dataflow) Gate(least int64, ask budget.Ask) { d.memory.Gate(least, ask) }

// Held is what the dataflow holds, its buffers among it, as far as that is counted.
func (d *Dataflow) Held() int64 { return d.memory.Held() }

// Close forgets all state.
func (d *Dataflow) Close() {
	d.workers, d.exchange, d.out, d.errs = nil, nil, nil, nil
	d.memory.Close()
}

// Step takes the deltas of inputs at t and gives the delta of the output. After an error the dataflow is broken.
func (d *Dataflow) Step(ctx context.Context, t repr.Time, in map[uint64]Delta) (Delta, error) {
	d.at = t
	if err := d.advance(ctx, in); err != nil {
		return Delta{}, err
	}
	d.errs.Reset()
	d.gatherErrors()
	for _, delta := range in {
		appendAll(d.errs, delta.Err)
	}
	out := Delta{OK: d.gather(), Err: d.errs.Seal()}
	if err := d.exceeded("its result"); err != nil {
		d.broken = err
		return Delta{}, err
	}
	return out, nil
}

// advance takes all workers through a step.
func (d *Dataflow) advance(ctx context.Context, in map[uint64]Delta) error {
	if d.broken != nil {
		return d.broken
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	d.canceled.Store(false)
	stop := context.AfterFunc(ctx, func() { d.canceled.Store(true) })
	defer stop()
	if err := d.run(in); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		} else if e := d.exceeded(d.largest()); e != nil {
			err = e
		}
		d.broken = err
		return err
	}
	d.started = true
	return nil
}

// Temporal says whether an operator changes its output as time goes by.
func (d *Dataflow) Temporal() bool {
	for _, w := range d.workers {
		for i := range w.nodes {
			if w.nodes[i].temporal != nil {
				return true
			}
		}
	}
	return false
}

// NextDue is the first time at which a temporal operator changes its output without input; ok is false when there is
// none. Whoever steps the dataflow asks, between two steps.
func (d *Dataflow) NextDue() (t repr.Time, ok bool) {
	return d.due(func(x *op.Temporal) int64 { return x.NextDue() })
}

// DueWithin is the last time up to which no temporal operator changes more than about limit rows, but not before
// NextDue: the rows of one time belong to one step.
func (d *Dataflow) DueWithin(limit int) (t repr.Time, ok bool) {
	return d.due(func(x *op.Temporal) int64 { return x.DueWithin(limit) })
}

func (d *Dataflow) due(of func(*op.Temporal) int64) (t repr.Time, ok bool) {
	least := int64(op.Never)
	for _, w := range d.workers {
		for i := range w.nodes {
			if x := w.nodes[i].temporal; x != nil {
				least = min(least, of(x))
			}
		}
	}
	return repr.Time(least), least != op.Never
}

// Postpone has loops only gather what enters them, for steps that are chunks of one large change: their output comes with
// the first step after Postpone(false).
func (d *Dataflow) Postpone(on bool) { d.postpone = on }

// run steps all workers and waits for them.
func (d *Dataflow) run(in map[uint64]Delta) error {
	if len(d.workers) == 1 {
		return d.workers[0].stepSafely(in)
	}
	errs := make([]error, len(d.workers))
	d.exchange.reset()
	if rowsOf(in) < d.opts.InTurn {
		d.stepInTurn(in, errs)
	} else {
		d.stepTogether(in, errs)
	}
	for _, err := range errs {
		if err != nil && err != errPeerFailed {
			return err
		}
	}
	return nil
}

// rowsOf is how many rows a step is given.
func rowsOf(in map[uint64]Delta) int {
	n := 0
	for _, d := range in {
		n += d.OK.Len()
		for i := range d.Shards {
			n += d.Shards[i].Delta.Len()
		}
	}
	return n
}

// stepTogether steps each worker on a goroutine of its own.
func (d *Dataflow) stepTogether(in map[uint64]Delta, errs []error) {
	var wg sync.WaitGroup
	for i, w := range d.workers {
		wg.Go(func() {
			if errs[i] = w.stepSafely(in); errs[i] != nil {
				d.exchange.fail()
			}
		})
	}
	wg.Wait()
}

// stepInTurn steps the workers on the caller's goroutine: one goes on up to where all meet, then the next. They do the same as side
// by side, and none is waited for that has to get a processor first.
func (d *Dataflow) stepInTurn(in map[uint64]Delta, errs []error) {
	x := d.exchange
	x.turns = make([]func(struct{}) bool, len(d.workers))
	defer func() { x.turns = nil }()
	turns := make([]func() (struct{}, bool), len(d.workers))
	for i, w := range d.workers {
		var stop func()
		turns[i], stop = iter.Pull(func(yield func(struct{}) bool) {
			x.turns[i] = yield
			if errs[i] = w.stepSafely(in); errs[i] != nil {
				x.failed = true
			}
		})
		defer stop()
	}
	for left := len(turns); left > 0; {
		left = 0
		for _, turn := range turns {
			if _, more := turn(); more {
				left++
			}
		}
	}
}

// gather makes one batch of what the workers put out.
func (d *Dataflow) gather() arrangement.Batch {
	if d.opts.Unsorted && len(d.workers) == 1 {
		return d.workers[0].outputs[d.graph.Output]
	}
	d.out.Reset()
	rows, bytes := 0, 0
	for _, w := range d.workers {
		out := w.outputs[d.graph.Output]
		rows, bytes = rows+out.Len(), bytes+out.Bytes()
	}
	if !d.memory.Room(sealing(rows, 2*bytes)) {
		return arrangement.Batch{}
	}
	if made := d.workers[0].nodes[d.graph.Output].out; len(d.workers) == 1 && !d.opts.Unsorted && made.Len() == rows {
		return made.Seal() // what the node gave is a view of this
	}
	for _, w := range d.workers {
		appendAll(d.out, w.outputs[d.graph.Output])
	}
	if d.opts.Unsorted {
		return d.out.View()
	}
	return d.out.Seal()
}

// gatherErrors adds the errors of the workers to those of the step.
func (d *Dataflow) gatherErrors() {
	for _, w := range d.workers {
		appendAll(d.errs, w.errs.Rows.View())
	}
}

func appendAll(dst *arrangement.Builder, b arrangement.Batch) {
	for i := range b.Len() {
		dst.Add(b.Row(i), b.Diff(i))
	}
}

// Graph is what the dataflow runs. Its nodes are not to be changed.
func (d *Dataflow) Graph() *Graph { return d.graph }

// Stats is what each node has done and holds.
func (d *Dataflow) Stats() []OpStats {
	out := make([]OpStats, len(d.graph.Nodes))
	for i := range out {
		c := &d.counters[i]
		rows, bytes := c.held()
		out[i] = OpStats{Node: NodeID(i), Label: d.graph.Nodes[i].Label, RowsIn: c.in.Load(), RowsOut: c.out.Load(),
			ArrangedRows: rows, ArrangedBytes: bytes, Elapsed: time.Duration(c.nanos.Load())}
	}
	return out
}

// Bytes is the memory of all operators.
func (d *Dataflow) Bytes() int64 {
	var n int64
	for i := range d.counters {
		_, bytes := d.counters[i].held()
		n += bytes
	}
	return n
}

// stepSafely turns a panic of an operator into an error, so that a bug breaks one dataflow and no more.
func (w *worker) stepSafely(in map[uint64]Delta) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = repr.NewError(repr.CodeInternal, fmt.Sprintf("an operator failed: %v", p)).WithDetail(string(debug.Stack()))
		}
	}()
	return w.step(in)
}
