package dataflow

import (
	"math"

	"millrace/arrangement"
	"millrace/dataflow/op"
	"millrace/internal/check"
	"millrace/repr"
)

// Loop runs a graph again and again, each time over what the time before changed, until nothing changes: the least
// fixpoint from nothing. The inputs of the node enter the graph; what leaves is read by LoopResult nodes.
type Loop struct {
	Body *Graph
	// Names are those of the recursive collections, for errors. There is a Variable for each.
	Names []string
	// Feedback is, of each Variable, the node of the body whose output is its content at the next iteration.
	Feedback []NodeID
	// Results are the nodes of the body that leave the loop.
	Results []NodeID
	// Limit is how many iterations there may be; 0: what the options of the dataflow say.
	Limit int
	// KeepAtLimit has the loop give what it has at the limit; else it is an error that it did not end.
	KeepAtLimit bool
}

// LoopResult is one of the results of its input, which is a Loop.
type LoopResult struct{ Index int }

// Enter is, in the body of a loop, an input of the Loop node. When that is an Arrange, joins of the body read it as it is.
type Enter struct{ Input int }

// Variable is, in the body of a loop, the content of a recursive collection at the iteration before.
type Variable struct{ Index int }

func (Loop) isOp()       {}
func (LoopResult) isOp() {}
func (Enter) isOp()      {}
func (Variable) isOp()   {}

// loop is the instance of a Loop in one worker. Within it time has a second coordinate, the iteration: the nodes of the
// body are stepped in order at iteration 0 with what enters, then at each iteration at which something waits, until
// nothing does on any worker. What is kept of past times is summed over time but not over iterations, so that a change
// runs through the iterations that it touches and no others.
type loop struct {
	w       *worker
	id      NodeID
	op      *Loop
	nodes   []loopNode
	outputs []arrangement.Batch // of a node of the body, at the iteration that runs
	inputs  []loopInput
	results []*arrangement.Builder
	due     agenda
	limit   int
	bytes   int64 // of what it holds, as last counted
	over    *op.Arranged
	failed  int // the variable whose loop did not end, as the err stream has it
}

// loopNode is the instance of one operator of the body.
type loopNode struct {
	node            // its builders and functions; the operators that follow stand in place of its own
	fixed, arranged *op.Arranged
	join            *op.LoopJoin
	redo            *op.Redo
	thresh          *op.LoopThreshold
	waiting         map[int]*arrangement.Builder // by iteration: output of a join; rows or keys to be looked at again
	coming          arrangement.Batch            // of a variable: its change at comingAt
	comingAt        int
	later           op.LoopOutput
}

// loopInput is what has entered since the last run.
type loopInput struct {
	waiting *arrangement.Builder
	prev    *arrangement.Snapshot // of an arrangement: before what waits; nil: nothing waits
}

// noVariable says that the loop ended.
const noVariable = math.MaxInt

// never is the iteration of nothing.
const never = math.MaxInt

// mostIterations is how many there may be when nothing else limits them: they are packed in 32 bits.
const mostIterations = math.MaxUint32

func newLoop(w *worker, n *Node) *loop {
	o := n.Op.(Loop)
	l := &loop{w: w, op: &o, outputs: make([]arrangement.Batch, len(o.Body.Nodes)), over: op.NewArranged(),
		failed: noVariable, limit: mostIterations}
	switch {
	case o.Limit > 0:
		l.limit = min(o.Limit, mostIterations)
	case w.flow.opts.MaxIterations > 0:
		l.limit = w.flow.opts.MaxIterations
	}
	for range n.Inputs {
		l.inputs = append(l.inputs, loopInput{waiting: w.builder()})
	}
	for range o.Results {
		l.results = append(l.results, w.builder())
	}
	l.nodes = make([]loopNode, len(o.Body.Nodes))
	for i := range l.nodes {
		l.nodes[i] = l.instance(&o.Body.Nodes[i], n)
	}
	return l
}

// instance makes an operator of the body with an empty state.
func (l *loop) instance(n *Node, around *Node) loopNode {
	x := loopNode{node: node{out: l.w.builder(), keyed: l.w.builder()}, comingAt: never,
		waiting: map[int]*arrangement.Builder{}}
	x.later = func(i int) *arrangement.Builder { return l.later(x.waiting, i) }
	switch o := n.Op.(type) {
	case Enter:
		if _, ok := l.w.flow.graph.Nodes[around.Inputs[o.Input]].Op.(Arrange); ok {
			x.fixed = op.NewArranged()
		}
	case Map:
		x.row = o.New()
	case FlatMap:
		x.flat = &op.FlatMap{F: o.New(), Stop: &l.w.flow.canceled, Budget: l.w.flow.memory}
	case Arrange:
		x.row, x.keys, x.arranged = o.New(), o.Keys, op.NewArranged()
	case Join:
		x.join = l.newJoin(n, &o, around)
	case Reduce:
		x.row, x.keys, x.redo = o.New(), o.Keys, l.redoReduce(&o)
	case TopK:
		x.topk, x.keys = newTopK(&o), len(o.Group)
		x.redo = redoTopK(&o)
	case Window:
		x.window, x.keys = newWindow(&o), len(o.Partition)
		x.redo = redoWindow(&o)
	case Threshold:
		x.thresh, x.keys = op.NewLoopThreshold(o.Distinct), wholeRow
	case Union, Negate, Variable:
	default:
		check.Never("a loop cannot hold %T", o)
	}
	return x
}

// InLoop says whether an operator may stand in the body of a loop.
func InLoop(o Op) bool {
	switch o.(type) {
	case Enter, Map, FlatMap, Arrange, Join, Reduce, TopK, Window, Threshold, Union, Negate, Variable:
		return true
	}
	return false
}

func (l *loop) newJoin(n *Node, o *Join, around *Node) *op.LoopJoin {
	j := &op.LoopJoin{Join: op.Join{F: o.New(), Stop: &l.w.flow.canceled}, MaxBytes: int(min(l.mostBytes(), math.MaxUint32/2))}
	for side, id := range n.Inputs {
		switch in := l.op.Body.Nodes[id].Op.(type) {
		case Arrange:
			j.Keys = in.Keys
		case Enter:
			j.Fixed[side] = true
			j.Keys = l.w.flow.graph.Nodes[around.Inputs[in.Input]].Op.(Arrange).Keys
		default:
			check.Never("a join over %T", in)
		}
	}
	return j
}

func (l *loop) redoReduce(o *Reduce) *op.Redo {
	w := l.w
	r := &op.Redo{Keys: o.Keys, Pack: AppendErr, Always: o.Keys == 0 && o.Default != nil && w.index == 0,
		KeyOf: func(dst, row []byte) []byte { return append(dst, row[:repr.PrefixLen(row, o.Keys)]...) },
		Run: func(in arrangement.Batch, out *arrangement.Builder, errs *op.Errors) {
			w.newReduce(o).Step(in, out, errs)
		}}
	r.Init()
	return r
}

func redoTopK(o *TopK) *op.Redo {
	var datums []repr.Datum
	r := &op.Redo{Keys: len(o.Group), Pack: AppendErr,
		KeyOf: func(dst, row []byte) []byte {
			datums = repr.DecodeRow(datums[:0], row)
			for _, c := range o.Group {
				dst = repr.AppendKey(dst, datums[c])
			}
			return dst
		},
		Run: func(in arrangement.Batch, out *arrangement.Builder, _ *op.Errors) { newTopK(o).Step(in, out) }}
	r.Init()
	return r
}

func redoWindow(o *Window) *op.Redo {
	r := &op.Redo{Keys: len(o.Partition), Pack: AppendErr,
		Run: func(in arrangement.Batch, out *arrangement.Builder, errs *op.Errors) {
			newWindow(o).Step(in, out, errs)
		}}
	r.Init()
	return r
}

// mostBytes is what all workers' instances may hold together.
func (l *loop) mostBytes() int64 {
	if n := l.w.flow.opts.MaxLoopBytes; n > 0 {
		return n
	}
	return DefaultLoopBytes
}

// later is where updates of a later iteration wait.
func (l *loop) later(waiting map[int]*arrangement.Builder, i int) *arrangement.Builder {
	b := waiting[i]
	if b == nil {
		b = l.w.builder()
		waiting[i] = b
		l.due.add(i)
	}
	return b
}

// take gives what waited for an iteration, which may be nothing.
func (x *loopNode) take(i int) arrangement.Batch {
	b := x.waiting[i]
	if b == nil {
		return arrangement.Batch{}
	}
	delete(x.waiting, i)
	defer b.Free()
	return b.Seal()
}
