package dataflow

import (
	"errors"
	"math"

	"millrace/arrangement"
	"millrace/dataflow/op"
	"millrace/internal/check"
)

// errCanceled ends a step whose context has ended; Step gives the cause of the context in its place.
var errCanceled = errors.New("the step was canceled")

// worker runs every node of a graph on its shard of the data.
type worker struct {
	flow    *Dataflow
	index   int
	nodes   []node
	outputs []arrangement.Batch // of a node, in the step that runs
	errs    *op.Errors
	votes   int // how often it has agreed with the others on a number
}

// node is the instance of one operator in one worker.
type node struct {
	out      *arrangement.Builder
	keyed    *arrangement.Builder
	row      RowFunc
	flat     *op.FlatMap
	arranged *op.Arranged
	index    *op.Index // what joins read of an arrangement, the graph's own or an imported one
	join     *op.Join
	ranged   *op.RangeJoin
	half     *op.HalfJoin
	reduce   *op.Reduce
	topk     *op.TopK
	winners  *op.Winners
	place    *op.Placing // of a top-k
	window   *op.Window
	thresh   *op.Threshold
	temporal *op.Temporal
	loop     *loop
	keys     int // columns by which rows are exchanged before the operator
}

func newWorker(d *Dataflow, index int) *worker {
	w := &worker{flow: d, index: index, nodes: make([]node, len(d.graph.Nodes)), outputs: make([]arrangement.Batch, len(d.graph.Nodes)),
		errs: &op.Errors{Rows: arrangement.NewBuilderOn(d.memory), Pack: AppendErr, Stop: &d.canceled}}
	for i := range w.nodes {
		w.nodes[i] = w.instance(&d.graph.Nodes[i])
		w.watch(NodeID(i))
	}
	return w
}

// watch has the operators whose state may grow far in one step say meanwhile what they hold.
func (w *worker) watch(id NodeID) {
	if w.flow.memory == nil {
		return
	}
	if r := w.nodes[id].reduce; r != nil {
		r.Pulse, r.Room = func() { w.hold(id, r.Rows(), r.Bytes()) }, w.flow.memory.Room
	}
	if x := w.nodes[id].window; x != nil {
		x.Pulse = func() { w.hold(id, x.Rows(), x.Bytes()) }
	}
}

// instance makes an operator with an empty state.
func (w *worker) instance(n *Node) node {
	x := node{out: w.builder(), keyed: w.builder()}
	switch o := n.Op.(type) {
	case Map:
		x.row = o.New()
	case FlatMap:
		x.flat = &op.FlatMap{F: o.New(), Stop: &w.flow.canceled, Budget: w.flow.memory}
	case Arrange:
		x.row, x.keys, x.arranged = o.New(), o.Keys, op.NewArranged()
		x.index = &x.arranged.Index
	case Import:
		x.index = &op.NewArranged().Index
	case Join:
		x.join = w.newJoin(n, o.New())
	case RangeJoin:
		x.ranged = &op.RangeJoin{Join: *w.newJoin(n, o.New()), Range: o.Range}
	case HalfJoin:
		x.keys = o.Keys
		x.half = &op.HalfJoin{Join: op.Join{Keys: o.Keys, F: o.New(), Stop: &w.flow.canceled}, Before: o.Before}
	case Reduce:
		x.row, x.keys, x.reduce = o.New(), o.Keys, w.newReduce(&o)
	case TopK:
		x.keys = len(o.Group)
		if x.winners = newWinners(&o); x.winners != nil {
			x.place = &x.winners.Placing
		} else {
			x.topk = newTopK(&o)
			x.place = &x.topk.Placing
		}
	case Window:
		x.window, x.keys = newWindow(&o), len(o.Partition)
	case Threshold:
		x.thresh = op.NewThreshold(o.Distinct)
		x.keys = wholeRow
	case Temporal:
		x.row, x.keys, x.temporal = o.New(), wholeRow, op.NewTemporal()
	case Loop:
		x.loop = newLoop(w, n)
	}
	return x
}

// builder is an empty builder that counts towards the memory of the dataflow.
func (w *worker) builder() *arrangement.Builder { return arrangement.NewBuilderOn(w.flow.memory) }

func (w *worker) newJoin(n *Node, f JoinFunc) *op.Join {
	keys := w.flow.graph.keysOf(n.Inputs[0])
	check.That(keys == w.flow.graph.keysOf(n.Inputs[1]), "a join over different numbers of keys")
	return &op.Join{Keys: keys, F: op.JoinFunc(f), Stop: &w.flow.canceled}
}

func (w *worker) newReduce(o *Reduce) *op.Reduce {
	r := &op.Reduce{Keys: o.Keys, Default: o.Default, Grows: o.Grows}
	if w.index != 0 {
		r.Default = nil // a reduce without keys runs on the first worker alone
	}
	for _, a := range o.Aggs {
		r.Aggs = append(r.Aggs, op.Agg{Fn: a.Fn, Args: a.Args, Filter: a.Filter, Distinct: a.Distinct, Order: orders(a.Order), Direct: a.Direct})
	}
	r.Init()
	return r
}

func newWindow(o *Window) *op.Window {
	w := op.NewWindow()
	w.Width, w.Partition, w.Order, w.Funcs = o.Width, o.Partition, orders(o.Order), o.Funcs
	w.Init()
	return w
}

func newTopK(o *TopK) *op.TopK {
	k := op.NewTopK()
	k.Group, k.Order, k.Limit, k.Offset = o.Group, orders(o.Order), o.Limit, o.Offset
	k.Grows = o.Grows && o.Limit <= math.MaxInt64-o.Offset
	return k
}

// newWinners makes a top-k that keeps few rows of an input that only grows; nil when they may be many, or it does not.
func newWinners(o *TopK) *op.Winners {
	if !o.Grows || o.Limit > op.MostWinners || o.Offset > op.MostWinners-o.Limit {
		return nil
	}
	w := op.NewWinners()
	w.Group, w.Order, w.Limit, w.Offset = o.Group, orders(o.Order), o.Limit, o.Offset
	return w
}

func orders(cols []OrderCol) []op.Order {
	out := make([]op.Order, len(cols))
	for i, c := range cols {
		out[i] = op.Order{Col: c.Col, Desc: c.Desc, NullsFirst: c.NullsFirst}
	}
	return out
}

// step runs the nodes in order.
func (w *worker) step(in map[uint64]Delta) error {
	w.errs.Rows.Reset()
	for i := range w.nodes {
		n := &w.flow.graph.Nodes[i]
		c := &w.flow.counters[i]
		start := w.now()
		w.nodes[i].out.Reset()
		if w.flow.canceled.Load() {
			return errCanceled
		}
		if err := w.stepNode(NodeID(i), n, in); err != nil {
			return err
		}
		if w.flow.canceled.Load() {
			return errCanceled // a node may have given up half way
		}
		for _, from := range n.Inputs {
			c.in.Add(int64(w.outputs[from].Len()))
		}
		c.out.Add(int64(w.outputs[i].Len()))
		c.nanos.Add(w.now() - start)
	}
	return nil
}

func (w *worker) now() int64 {
	if w.flow.opts.Clock == nil {
		return 0
	}
	return w.flow.opts.Clock.Now().UnixNano()
}

func (w *worker) stepNode(id NodeID, n *Node, in map[uint64]Delta) error {
	x := &w.nodes[id]
	switch o := n.Op.(type) {
	case Input:
		w.outputs[id] = w.share(in[o.Collection].OK, x.out)
		return nil
	case Import:
		if d, ok := in[o.Arrangement]; ok {
			*x.index = d.Shards[w.index]
		} else {
			x.index.Settle()
		}
		w.outputs[id] = x.index.Delta
		return nil
	case Constant:
		if !w.flow.started && w.index == 0 {
			for _, row := range o.Rows {
				x.out.Add(row, 1)
			}
		}
	case Map:
		op.Map(x.row, w.outputs[n.Inputs[0]], x.out, w.errs)
	case FlatMap:
		if !x.flat.Step(w.outputs[n.Inputs[0]], x.out, w.errs) {
			return errCanceled
		}
	case Union:
		for _, from := range n.Inputs {
			if !w.room(w.outputs[from]) {
				return errCanceled
			}
			op.Copy(w.outputs[from], 1, x.out)
		}
	case Negate:
		op.Copy(w.outputs[n.Inputs[0]], -1, x.out)
	case HalfJoin:
		return w.stepHalf(id, n)
	case Join:
		if !x.join.Step(w.nodes[n.Inputs[0]].index, w.nodes[n.Inputs[1]].index, x.out, w.errs) {
			return errCanceled
		}
	case RangeJoin:
		if !x.ranged.Step(w.nodes[n.Inputs[0]].index, w.nodes[n.Inputs[1]].index, x.out, w.errs) {
			return errCanceled
		}
	case Loop:
		return w.stepLoop(id, n)
	case LoopResult:
		w.outputs[id] = w.nodes[n.Inputs[0]].loop.results[o.Index].View()
		return nil
	default:
		return w.stepKeyed(id, n)
	}
	w.outputs[id] = x.out.View()
	return nil
}

// stepKeyed runs the operators that need all rows of a key in one place: it packs the key, sends each row to the worker
// of its key, and steps the operator with what came.
func (w *worker) stepKeyed(id NodeID, n *Node) error {
	x := &w.nodes[id]
	input := w.outputs[n.Inputs[0]]
	x.keyed.Reset()
	switch {
	case x.row != nil:
		op.Map(x.row, input, x.keyed, w.errs)
		input = x.keyed.View()
	case x.place != nil:
		for i := range input.Len() {
			x.keyed.Keep(x.place.Key(x.keyed.Open(), input.Row(i)), input.Diff(i))
		}
		input = x.keyed.View()
	case x.window != nil:
		for i := range input.Len() {
			x.keyed.Keep(x.window.Key(x.keyed.Open(), input.Row(i)), input.Diff(i))
		}
		input = x.keyed.View()
	}
	if w.flow.exchange != nil {
		got, err := w.flow.exchange.route(w.index, input, x.keys, x.keyed)
		if err != nil {
			return err
		}
		input = got
	}
	if !w.room(input) {
		return errCanceled
	}
	if err := n.checkGrowth(input); err != nil {
		return err
	}
	var rows, bytes func() int64
	switch {
	case x.arranged != nil:
		x.arranged.Step(sealed(input, x.keyed))
		w.outputs[id] = x.arranged.Delta
		rows, bytes = x.arranged.Rows, x.arranged.Bytes
	case x.temporal != nil:
		x.temporal.Step(int64(w.flow.at), input, x.out)
		rows, bytes = x.temporal.Rows, x.temporal.Bytes
	case x.reduce != nil:
		x.reduce.Step(input, x.out, w.errs)
		rows, bytes = x.reduce.Rows, x.reduce.Bytes
	case x.topk != nil:
		x.topk.Step(sealed(input, x.keyed), x.out)
		rows, bytes = x.topk.Rows, x.topk.Bytes
	case x.winners != nil:
		x.winners.Step(input, x.out)
		rows, bytes = x.winners.Rows, x.winners.Bytes
	case x.window != nil:
		x.window.Step(sealed(input, x.keyed), x.out, w.errs)
		rows, bytes = x.window.Rows, x.window.Bytes
	default:
		x.thresh.Step(sealed(input, x.keyed), x.out)
		rows, bytes = x.thresh.Rows, x.thresh.Bytes
	}
	if x.arranged == nil {
		w.outputs[id] = x.out.View()
	}
	w.hold(id, rows(), bytes())
	return nil
}

// stepHalf runs one hop of a delta join. What comes from an arrangement is in its place and in order; any other stream is
// sent to the workers of its keys and sorted first.
func (w *worker) stepHalf(id NodeID, n *Node) error {
	x := &w.nodes[id]
	input := w.outputs[n.Inputs[0]]
	if w.nodes[n.Inputs[0]].index == nil {
		x.keyed.Reset()
		if w.flow.exchange != nil {
			got, err := w.flow.exchange.route(w.index, input, x.keys, x.keyed)
			if err != nil {
				return err
			}
			input = got
		}
		input = sealed(input, x.keyed)
	}
	if !x.half.Step(input, w.nodes[n.Inputs[1]].index, x.out, w.errs) {
		return errCanceled
	}
	w.outputs[id] = x.out.View()
	return nil
}

// sealed makes a sorted batch of what an operator is stepped with.
func sealed(b arrangement.Batch, buf *arrangement.Builder) arrangement.Batch {
	if buf.Len() == 0 && b.Len() > 0 {
		appendAll(buf, b)
	}
	return buf.Seal()
}

// share is this worker's part of an input.
func (w *worker) share(b arrangement.Batch, out *arrangement.Builder) arrangement.Batch {
	n := len(w.flow.workers)
	if n <= 1 {
		return b
	}
	for i := b.Len() * w.index / n; i < b.Len()*(w.index+1)/n; i++ {
		out.Add(b.Row(i), b.Diff(i))
	}
	return out.View()
}
