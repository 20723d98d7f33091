package lower

import (
	"fmt"
	"slices"
	"strings"

	"millrace/dataflow"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// Arranged is an arrangement in the graph of a plan that depends on one collection and on nothing else, so that dataflows may
// share it. Two with one name hold the same.
type Arranged struct {
	Node       dataflow.NodeID
	Collection uint64
	From       string // what EXPLAIN calls the collection
	Op         dataflow.Arrange
	Label      string
	Unit       int      // those of one unit are imported together or not at all, and always hold the same
	UnitSize   int      // how many are in it
	base       string   // the collection, the conditions and the keys
	values     []string // what the columns behind the keys are
}

// Name says what is arranged, and how.
func (a *Arranged) Name() string { return a.base + " ->" + strings.Join(a.values, " ") }

// holds says where the columns stand among the values of an arrangement with the same base; nil when one is missing.
func (a *Arranged) holds(values []string) []int {
	at := make([]int, len(values))
	for i, v := range values {
		at[i] = -1
		for k, have := range a.values {
			if have == v {
				at[i] = k
				break
			}
		}
		if at[i] < 0 {
			return nil
		}
	}
	return at
}

// shareable describes the arrangement of a stream, if it may be shared: the stream comes straight from a collection, through
// functions that depend on their arguments alone.
func (b *builder) shareable(s side, keys, values []field) (*Arranged, bool) {
	in, ok := b.g.Nodes[s.s.node].Op.(dataflow.Input)
	if !ok {
		return nil, false
	}
	a := &Arranged{Collection: in.Collection, base: fmt.Sprintf("%d by %d", in.Collection, len(keys))}
	for _, p := range s.s.f.preds {
		p = s.s.f.inlined(p)
		ok = ok && lasting(p)
		a.base += " ?" + rel.FingerprintScalar(p)
	}
	text := func(fd field) string {
		if fd.whole {
			return "whole"
		}
		e := s.s.f.inlined(s.s.f.over(fd.expr))
		ok = ok && lasting(e)
		return fmt.Sprintf("%s/%t/%d/%t", rel.FingerprintScalar(e), fd.canon, fd.as, fd.drop)
	}
	for _, k := range keys {
		a.base += " " + text(k)
	}
	for _, v := range values {
		a.values = append(a.values, text(v))
		if v.drop { // it decides which rows there are
			a.base += " !" + text(v)
		}
	}
	return a, ok
}

// lasting says whether an expression has the same value for the same columns in every statement.
func lasting(e expr.Scalar) bool {
	return !expr.Any(e, func(e expr.Scalar) bool {
		c, ok := e.(*expr.Call)
		return ok && c.Fn.Volatility != expr.Immutable
	})
}

// inlined is an expression over input and computed columns as one over the input alone.
func (f linear) inlined(e expr.Scalar) expr.Scalar {
	return rel.MapColumns(e, func(c *expr.Column) expr.Scalar {
		if c.Index < f.in {
			return c
		}
		return f.inlined(f.exprs[c.Index-f.in])
	})
}

// widen takes, for an arrangement to be made, one that is kept already, if one has the same rows and keys and all the columns;
// of several the one with the fewest columns.
func (b *builder) widen(s side, keys []field, l *layout) {
	if b.opts.Kept == nil {
		return
	}
	own, ok := b.shareable(s, keys, l.values)
	if !ok {
		return
	}
	var at []int
	for _, k := range b.opts.Kept(own.Collection) {
		if k.base != own.base || l.kept != nil && len(l.kept.values) <= len(k.values) {
			continue
		}
		if places := k.holds(own.values); places != nil {
			at, l.kept = places, k
		}
	}
	if l.kept == nil {
		return
	}
	for c, i := range l.at {
		if i >= len(keys) {
			l.at[c] = len(keys) + at[i-len(keys)]
		}
	}
	l.values = make([]field, len(l.kept.values))
}

// arrangeAs indexes a side by its keys as laid out.
func (b *builder) arrangeAs(s side, keys []field, l layout, label string) dataflow.NodeID {
	if l.kept == nil {
		return b.arrange(s, keys, l.values, label)
	}
	a := *l.kept
	return b.addArranged(s, &a, label)
}

// arrange indexes a side by its keys. Equal arrangements of one stream are one node.
func (b *builder) arrange(s side, keys, values []field, label string) dataflow.NodeID {
	if out, ok := b.outside(s.s); ok {
		return b.enter(b.loop.around.arrange(side{s: out, cols: s.cols}, keys, values, label))
	}
	fields := append(append([]field(nil), keys...), values...)
	op := dataflow.Arrange{Keys: len(keys), New: rowFunc(s.s.f, fields, b.env)}
	if a, ok := b.shareable(s, keys, values); ok {
		a.Op = op
		return b.addArranged(s, a, label)
	}
	return b.add(op, arrangeKey(s, keys, values), "arrange"+label, s.s.node)
}

// addArranged makes the node of an arrangement that may be shared, and notes it.
func (b *builder) addArranged(s side, a *Arranged, label string) dataflow.NodeID {
	a.Label, a.From = "arrange"+label, b.g.Nodes[s.s.node].Label
	a.Node = b.add(a.Op, a.Name(), a.Label, s.s.node)
	if !b.noted[a.Node] {
		b.noted[a.Node] = true
		b.arranged = append(b.arranged, a)
	}
	return a.Node
}

// arrangementKey says what an arrangement as laid out computes, over its stream.
func (b *builder) arrangementKey(s side, keys []field, l layout) string {
	if l.kept != nil {
		return l.kept.Name()
	}
	if a, ok := b.shareable(s, keys, l.values); ok {
		return a.Name()
	}
	return arrangeKey(s, keys, l.values)
}

// arrangeKey says what an arrangement of a stream computes that cannot be shared.
func arrangeKey(s side, keys, values []field) string {
	return fmt.Sprintf("%d %s ->%s%s", len(keys), s.s.f.key(), fieldsKey(keys), fieldsKey(values))
}

// hasArrangement says whether there is an arrangement of the stream that computes what the text says: in the graph, or kept.
func (b *builder) hasArrangement(s side, what string) bool {
	if _, ok := b.nodes[nodeKey(dataflow.Arrange{}, what, s.s.node)]; ok {
		return true
	}
	in, ok := b.g.Nodes[s.s.node].Op.(dataflow.Input)
	if !ok || b.opts.Kept == nil {
		return false
	}
	for _, k := range b.opts.Kept(in.Collection) {
		if k.Name() == what {
			return true
		}
	}
	return false
}

// tie says that arrangements are of one leaf of a delta join, whose paths take them for the same.
func (b *builder) tie(nodes []dataflow.NodeID) {
	for _, n := range nodes[1:] {
		b.tied[b.unitOf(n)] = b.unitOf(nodes[0])
	}
}

// unitOf is the node that stands for all that a node is tied to.
func (b *builder) unitOf(n dataflow.NodeID) dataflow.NodeID {
	for {
		to, ok := b.tied[n]
		if !ok || to == n {
			return n
		}
		n = to
	}
}

// shared are the arrangements that may be shared. A unit of several is left out when one of it may not be shared, or when what
// comes of one meets another: it could not be handed to a new dataflow in pieces.
func (b *builder) shared() []*Arranged {
	units := map[dataflow.NodeID][]dataflow.NodeID{}
	for i, n := range b.g.Nodes {
		switch n.Op.(type) {
		case dataflow.Arrange:
			u := b.unitOf(dataflow.NodeID(i))
			units[u] = append(units[u], dataflow.NodeID(i))
		case dataflow.Loop:
			for _, in := range n.Inputs {
				delete(b.noted, in) // a loop reads the graph's own arrangements
			}
		}
	}
	var out []*Arranged
	for _, a := range b.arranged {
		u := b.unitOf(a.Node)
		a.Unit, a.UnitSize = int(u), len(units[u])
		unshared := slices.ContainsFunc(units[u], func(n dataflow.NodeID) bool { return !b.noted[n] })
		if !unshared && (a.UnitSize == 1 || !b.g.Meets(units[u])) {
			out = append(out, a)
		}
	}
	return out
}

// Planned is a plan as a graph.
type Planned struct {
	Graph    *Graph
	Inputs   []uint64    // the collections that it reads, sorted
	Arranged []*Arranged // the arrangements that it may share with others
}

// Options are the choices of a plan. The zero value is a plan that knows of no other.
type Options struct {
	Joins JoinMode
	// NoRanges has comparisons between the sides of a join tried on every pair that has equal keys.
	NoRanges bool
	// NoWinners has min, max and top-k keep all candidates, also where their input only grows.
	NoWinners bool
	// Kept gives the arrangements of a collection that are kept for others, in a fixed order; nil: there are none.
	Kept func(collection uint64) []*Arranged
}

// JoinMode is how joins of three inputs or more are made.
type JoinMode uint8

// The modes.
const (
	AutoJoins   JoinMode = iota // a delta join where it adds fewer arrangements
	BinaryJoins                 // never a delta join
	DeltaJoins                  // a delta join wherever it can be
)
