package lower

import (
	"fmt"
	"slices"

	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// walk makes the nodes of one path of a delta join.
type walk struct {
	m     *multiway
	start int
	tail  linear
	have  rel.ColSet // the columns of the leaves so far
	used  []bool     // of preds: tried, or a key of a hop
}

// lower makes a half join for each hop. The stream begins as the changes of the start's index, which is by the key of the
// first hop already.
func (w *walk) lower() dataflow.NodeID {
	m := w.m
	path := m.paths[w.start]
	w.used = make([]bool, len(m.preds))
	first := m.indexOf(w.start, path[0].edges)
	node, at, values := m.node(w.start, first), first.at, len(first.place.values)
	w.see(w.start)
	for i, h := range path {
		step := w.meet(h, at, values)
		last := i == len(path)-1
		var next []field
		if last {
			step.finish(w.tail)
		} else {
			next = w.keysFor(path[i+1], step.at)
			at, values = step.carry(next, w.needed(path[i+1]))
		}
		index := m.node(h.leaf, m.indexOf(h.leaf, h.edges))
		op := dataflow.HalfJoin{Keys: len(h.edges), Before: h.leaf > w.start, New: joinFunc(step.f, step.fields, m.b.env)}
		what := fmt.Sprintf("%t %s ->%s", op.Before, step.f.key(), fieldsKey(step.fields))
		node = m.b.add(op, what, w.label(h), node, index)
	}
	return node
}

func (w *walk) label(h hop) string {
	when := "after"
	if h.leaf > w.start {
		when = "before"
	}
	x := w.m.indexOf(h.leaf, h.edges)
	return fmt.Sprintf("path %d, input %d%s, %s the step", w.start+1, h.leaf+1, x.label, when)
}

func (w *walk) see(leaf int) {
	l := w.m.leaves[leaf]
	w.have = w.have.Union(rel.ColRange(l.start, l.start+len(l.cols)))
}

// meeting is a half join being built: its function is over the key, the rest of the stream, and the rest of the index.
type meeting struct {
	cols   repr.RowDesc
	at     []int // of all columns: the place in the function's input; -1: not there
	in     int
	f      linear
	fields []field
}

// meet lays out the rows of a hop and tries the conditions whose columns are all there.
func (w *walk) meet(h hop, stream []int, values int) *meeting {
	m := w.m
	x := m.indexOf(h.leaf, h.edges)
	keys := len(h.edges)
	s := &meeting{cols: m.cols, in: keys + values + len(x.place.values), at: m.nowhere()}
	for c := range s.at {
		switch {
		case stream[c] >= 0:
			s.at[c] = stream[c]
		case x.at[c] >= keys:
			s.at[c] = x.at[c] + values
		default:
			s.at[c] = x.at[c]
		}
	}
	for _, p := range h.edges {
		w.used[p] = true
	}
	w.see(h.leaf)
	var ready []expr.Scalar
	for p, e := range m.preds {
		if set := rel.ColumnsOf(e, rel.ColSet{}); !w.used[p] && set.Intersect(w.have).Len() == set.Len() {
			w.used[p] = true
			ready = append(ready, s.over(e))
		}
	}
	s.f = identity(s.in).filter(ready)
	return s
}

// over rewrites an expression over the columns of all leaves into one over the function's input.
func (s *meeting) over(e expr.Scalar) expr.Scalar { return moved(e, s.at) }

// keysFor are the keys by which the stream meets the next index.
func (w *walk) keysFor(h hop, at []int) []field {
	out := make([]field, len(h.edges))
	for i, p := range h.edges {
		g := w.m.edges[p]
		key := g.key[0]
		if g.leaf[0] == h.leaf {
			key = g.key[1]
		}
		out[i] = g.field(moved(key, at))
	}
	return out
}

// needed are the columns that what follows the keys of the next hop reads.
func (w *walk) needed(next hop) rel.ColSet {
	need := w.tail.used()
	for p, e := range w.m.preds {
		if !w.used[p] && !slices.Contains(next.edges, p) {
			need = rel.ColumnsOf(e, need)
		}
	}
	return need.Intersect(w.have)
}

// carry writes the keys of the next hop and the columns that are needed behind them, and says where these stand then.
func (s *meeting) carry(keys []field, need rel.ColSet) (at []int, values int) {
	s.fields = keys
	at = make([]int, len(s.at))
	held := map[int]int{} // the input that a key holds as it prints
	for i, k := range keys {
		c, ok := k.expr.(*expr.Column)
		if ok && c.Typ.Kind.KeyIsValue() && c.Typ.Kind == k.as {
			held[c.Index] = i
		}
	}
	for c := range at {
		at[c] = -1
		if s.at[c] < 0 {
			continue
		}
		if i, ok := held[s.at[c]]; ok {
			at[c] = i
		} else if need.Has(c) {
			at[c] = len(keys) + values
			values++
			s.fields = append(s.fields, field{expr: s.over(rel.ColumnOf(s.cols, c))})
		}
	}
	return at, values
}

// finish writes what the function at the end of the path gives.
func (s *meeting) finish(tail linear) {
	types := make([]repr.Type, s.in)
	for c, i := range s.at {
		if i >= 0 {
			types[i] = s.cols[c].Type
		}
	}
	g := compose(s.f, tail.rebase(s.in, s.at))
	s.fields = make([]field, len(g.out))
	for i, c := range g.out {
		var typ repr.Type
		if c >= g.in {
			typ = g.exprs[c-g.in].Type()
		} else {
			typ = types[c]
		}
		s.fields[i] = field{expr: &expr.Column{Index: i, Typ: typ}}
	}
	s.f = g
}
