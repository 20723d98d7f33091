package dataflow

import (
	"slices"

	"millrace/dataflow/op"
	"millrace/internal/check"
	"millrace/repr"
)

// RowFunc appends to dst what becomes of row and says whether to keep it. A non-nil error sends an error row
// to the err stream instead; what was appended is then dropped. It may keep scratch space: each worker makes its
// own. Neither row nor the result may be kept by the function.
type RowFunc func(dst, row []byte) (out []byte, keep bool, err *repr.Error)

// FlatFunc calls emit for each row that comes of row, until emit says that it wants no more. The emitted bytes are only
// valid during the call.
type FlatFunc func(row []byte, emit func(out []byte) bool) *repr.Error

// JoinFunc appends to dst what becomes of a pair of rows with the same key: left and right are the values
// behind the packed key columns of the two arrangements.
type JoinFunc func(dst, key, left, right []byte) (out []byte, keep bool, err *repr.Error)

// NodeID is the place of a node in its graph.
type NodeID int

// Node is one operator of a graph over the outputs of earlier nodes.
type Node struct {
	Op     Op
	Inputs []NodeID
	Label  string // what EXPLAIN and the metrics call it
}

// Graph is a dataflow to be run: nodes in topological order, and the one whose output is wanted.
type Graph struct {
	Nodes  []Node
	Output NodeID
}

// Add appends a node and returns its place.
func (g *Graph) Add(op Op, label string, inputs ...NodeID) NodeID {
	g.Nodes = append(g.Nodes, Node{Op: op, Inputs: inputs, Label: label})
	return NodeID(len(g.Nodes) - 1)
}

// keysOf is the number of key columns of an arrangement.
func (g *Graph) keysOf(id NodeID) int {
	switch o := g.Nodes[id].Op.(type) {
	case Arrange:
		return o.Keys
	case Import:
		return o.Keys
	}
	check.Never("node %d is no arrangement", id)
	return 0
}

// WithImports is a graph with arrangements of its own replaced by imported ones, without what then has no use.
func (g *Graph) WithImports(imports map[NodeID]Import) *Graph {
	used := make([]bool, len(g.Nodes))
	used[g.Output] = true
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		if _, ok := imports[NodeID(i)]; ok || !used[i] {
			continue
		}
		for _, from := range g.Nodes[i].Inputs {
			used[from] = true
		}
	}
	out := &Graph{}
	at := make([]NodeID, len(g.Nodes))
	for i, n := range g.Nodes {
		if !used[i] {
			continue
		}
		if x, ok := imports[NodeID(i)]; ok {
			n = Node{Op: x, Label: n.Label}
		}
		inputs := make([]NodeID, len(n.Inputs))
		for k, from := range n.Inputs {
			inputs[k] = at[from]
		}
		at[i] = out.Add(n.Op, n.Label, inputs...)
	}
	out.Output = at[g.Output]
	return out
}

// Meets says whether what comes of some nodes is joined with one of them, by whatever way.
func (g *Graph) Meets(nodes []NodeID) bool {
	from := make([]bool, len(g.Nodes)) // is one of the nodes, or comes of one
	for i, n := range g.Nodes {
		from[i] = slices.Contains(nodes, NodeID(i)) || slices.ContainsFunc(n.Inputs, func(in NodeID) bool { return from[in] })
	}
	return slices.ContainsFunc(g.Nodes, func(n Node) bool {
		if len(n.Inputs) != 2 {
			return false
		}
		a, b := n.Inputs[0], n.Inputs[1]
		return from[a] && slices.Contains(nodes, b) || from[b] && slices.Contains(nodes, a)
	})
}

// Reads says whether the graph has an Input node of a collection.
func (g *Graph) Reads(collection uint64) bool {
	return slices.ContainsFunc(g.Nodes, func(n Node) bool {
		in, ok := n.Op.(Input)
		return ok && in.Collection == collection
	})
}

// Op is one kind of operator. The set is closed.
type Op interface{ isOp() }

// Input is the delta of a collection, passed to Step under its number.
type Input struct{ Collection uint64 }

// Constant is a collection that never changes: its rows come at the first step.
type Constant struct{ Rows [][]byte }

// Map is filter, map and project in one function.
type Map struct{ New func() RowFunc }

// FlatMap makes any number of rows of each row: table functions.
type FlatMap struct{ New func() FlatFunc }

// Union is the sum of its inputs.
type Union struct{}

// Negate turns each diff around.
type Negate struct{}

// Threshold keeps each row with a positive sum once for each count (Distinct false) or just once (Distinct true).
type Threshold struct{ Distinct bool }

// Arrange indexes its input by a key: New makes, of a row, the Keys packed key columns in canonical form followed by
// the value. Rows for which keep is false are dropped (a NULL in the key of an equi-join).
type Arrange struct {
	Keys int
	New  func() RowFunc
}

// Import is an arrangement that is kept outside of the graph and passed to Step under its number. It stands where an Arrange
// node with as many keys could stand.
type Import struct {
	Arrangement uint64
	Keys        int
	From        string // the collection, as EXPLAIN calls it
}

// Join pairs the rows of two Arrange nodes that have equal keys. Inputs: left, right. Both have the same Keys;
// Keys 0 is a cross join.
type Join struct{ New func() JoinFunc }

// RangeJoin pairs the rows of two Arrange nodes that have equal keys and lie within a range. Inputs: left, right. Both have the
// same Keys, and right behind them the columns that Range tells of.
type RangeJoin struct {
	Range op.Range
	New   func() JoinFunc
}

// HalfJoin pairs each row of a stream with the rows of an Arrange node that have its key, as they were before the step or
// as they are after it. It keeps nothing: one hop of a path of a delta join. Inputs: the stream, whose rows begin with the
// Keys packed key columns, and the Arrange node. The function's left is of the stream, its right of the arrangement.
type HalfJoin struct {
	Keys   int
	Before bool
	New    func() JoinFunc
}

// Reduce groups its input and keeps one row for each group: the Keys key columns and then one column for each
// aggregate. New makes, of a row, the key columns in canonical form followed by the columns that Aggs name.
// With Keys 0 there is one group; Default is then emitted while the input is empty (nil: no row).
type Reduce struct {
	Keys    int
	New     func() RowFunc
	Aggs    []AggSpec
	Default []byte
	Grows   bool // no row is ever retracted: min and max keep the winner of each group alone
}

// AggSpec is one aggregate of a Reduce. Columns count from 0 behind the key.
type AggSpec struct {
	Fn       *repr.Aggregate
	Args     []int
	Filter   int // a boolean column: only rows where it is true count; -1 for none
	Distinct bool
	Order    []OrderCol // for Fold: the order of rows before the order of their bytes
	Direct   bool       // there is no Order, and packed arguments are canonical and in the order of their values
}

// OrderCol is one item of an order over columns.
type OrderCol struct {
	Col        int
	Desc       bool
	NullsFirst bool
}

// TopK keeps, of each group of rows with equal columns Group, the rows number Offset to Offset+Limit in the order
// Order, then in the order of their bytes. Limit < 0 is no limit. Columns are those of the input row, which is
// emitted as it is.
type TopK struct {
	Group  []int
	Order  []OrderCol
	Limit  int64
	Offset int64
	Grows  bool // no row is ever retracted: rows behind Offset+Limit are forgotten
}

// Temporal lets rows in and out as time goes by. New makes, of a row, two bigints in front of it: the row is there
// from the first time up to but not at the second. A row that is never there is dropped by New.
type Temporal struct{ New func() RowFunc }

// Window appends to each row the values of functions over its partition: the rows with equal columns Partition, in the
// order Order, then in the order of their bytes. The first Width columns of a row are put out; those behind are only for
// the functions.
type Window struct {
	Width     int
	Partition []int
	Order     []OrderCol
	Funcs     []op.WindowFunc
}

func (Window) isOp()    {}
func (Input) isOp()     {}
func (Constant) isOp()  {}
func (Map) isOp()       {}
func (FlatMap) isOp()   {}
func (Union) isOp()     {}
func (Negate) isOp()    {}
func (Threshold) isOp() {}
func (Arrange) isOp()   {}
func (Import) isOp()    {}
func (Join) isOp()      {}
func (RangeJoin) isOp() {}
func (HalfJoin) isOp()  {}
func (Reduce) isOp()    {}
func (TopK) isOp()      {}
func (Temporal) isOp()  {}
