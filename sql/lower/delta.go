package lower

import (
	"fmt"
	"slices"

	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// multiway is a tree of inner joins taken apart, to be made a delta join: for each leaf a path that carries the
// leaf's changes through indexes of all others. Nothing is kept beside the indexes.
//
//	Δ(A ⋈ B ⋈ C)  =  ΔA ⋈ B ⋈ C  +  A' ⋈ ΔB ⋈ C  +  A' ⋈ B' ⋈ ΔC
//
// where X' is X after the step and X is X before it. Columns are those of all leaves, in written order.
type multiway struct {
	b      *builder
	leaves []leaf
	cols   repr.RowDesc
	preds  []expr.Scalar // conditions that cannot fail: tried as soon as their columns are there
	edges  map[int]edge  // of preds: those that are equalities between two leaves
	tail   linear        // what is done with a joined row, conditions that can fail included
	paths  [][]hop       // of a leaf
	index  map[string]*index
}

// leaf is an input of a multiway join; its columns begin at start.
type leaf struct {
	side
	start int
}

// edge is an equality between two leaves.
type edge struct {
	leaf  [2]int
	key   [2]expr.Scalar // over the columns of all leaves
	as    repr.Kind
	nulls bool
}

// hop is one look-up of a path: the rows so far meet the index of a leaf by the edges.
type hop struct {
	leaf  int
	edges []int // numbers of preds
}

// multi takes a tree of inner joins apart. It gives nil when it has fewer than three leaves, or when computing one can fail:
// a row is to fail once, and only if the keys of its first join are not NULL.
func (b *builder) multi(n *rel.Join, f linear) *multiway {
	m := &multiway{b: b, index: map[string]*index{}}
	at := m.inputs(n)
	if len(m.leaves) < 3 || slices.ContainsFunc(m.leaves, func(l leaf) bool { return l.s.f.canFail() }) {
		return nil
	}
	var late []expr.Scalar
	for _, e := range n.On {
		if e = moved(e, at); rel.CanFail(e) {
			late = append(late, e)
		} else {
			m.preds = append(m.preds, e)
		}
	}
	m.tail = compose(linear{in: len(m.cols), preds: late, out: at}, f)
	return m
}

func (m *multiway) inputs(n *rel.Join) []int {
	return append(m.take(n.Left), m.take(n.Right)...)
}

// take adds an input, or the inputs of an inner join that neither computes nor can fail, and says where its columns stand.
func (m *multiway) take(r rel.Rel) []int {
	base, f := extract(r)
	j, ok := base.(*rel.Join)
	if !ok || j.Kind != rel.JoinInner || len(f.exprs) > 0 || slices.ContainsFunc(f.preds, rel.CanFail) ||
		slices.ContainsFunc(j.On, rel.CanFail) {
		return m.leaf(r)
	}
	at := m.inputs(j)
	for _, e := range append(slices.Clone(j.On), f.preds...) {
		m.preds = append(m.preds, moved(e, at))
	}
	out := make([]int, len(f.out))
	for i, c := range f.out {
		out[i] = at[c]
	}
	return out
}

func (m *multiway) leaf(r rel.Rel) []int {
	l := leaf{side: m.b.side(r), start: len(m.cols)}
	m.leaves = append(m.leaves, l)
	m.cols = append(m.cols, l.cols...)
	at := make([]int, len(l.cols))
	for i := range at {
		at[i] = l.start + i
	}
	return at
}

// moved is an expression whose column i stands at at[i].
func moved(e expr.Scalar, at []int) expr.Scalar {
	return rel.MapColumns(e, func(c *expr.Column) expr.Scalar {
		return &expr.Column{Index: at[c.Index], Typ: c.Typ, Name: c.Name}
	})
}

// plan finds the edges and a path from each leaf; it says whether every leaf is reached from every other.
func (m *multiway) plan() bool {
	m.edges = map[int]edge{}
	for p, e := range m.preds {
		if g, ok := m.edgeOf(e); ok {
			m.edges[p] = g
		}
	}
	for i := range m.leaves {
		path := m.path(i)
		if path == nil {
			return false
		}
		m.paths = append(m.paths, path)
	}
	return true
}

// edgeOf reads a condition as an equality between two leaves.
func (m *multiway) edgeOf(e expr.Scalar) (edge, bool) {
	eq, ok := rel.AsEquality(e)
	if !ok {
		return edge{}, false
	}
	as, ok := commonKind(eq.A.Type(), eq.B.Type())
	if !ok {
		return edge{}, false
	}
	g := edge{key: [2]expr.Scalar{eq.A, eq.B}, as: as, nulls: eq.Nulls}
	for i, k := range g.key {
		if g.leaf[i], ok = m.leafOf(k); !ok {
			return edge{}, false
		}
	}
	return g, g.leaf[0] != g.leaf[1]
}

// leafOf is the leaf that all columns of an expression are of.
func (m *multiway) leafOf(e expr.Scalar) (int, bool) {
	set := rel.ColumnsOf(e, rel.ColSet{})
	for i, l := range m.leaves {
		if !set.Empty() && set.Within(l.start, l.start+len(l.cols)) {
			return i, true
		}
	}
	return 0, false
}

// of is the side of an edge at a leaf.
func (g edge) of(leaf int) (key expr.Scalar, ok bool) {
	for i, l := range g.leaf {
		if l == leaf {
			return g.key[i], true
		}
	}
	return nil, false
}

// path visits all other leaves from one, each by edges from those before. It prefers an index that there is already, then
// more edges, then the written order. It gives nil when some leaf is not reached.
func (m *multiway) path(start int) []hop {
	have := map[int]bool{start: true}
	var path []hop
	for len(have) < len(m.leaves) {
		best, score := hop{leaf: -1}, 0
		for i := range m.leaves {
			if have[i] {
				continue
			}
			h := hop{leaf: i, edges: m.between(have, i)}
			if s := m.score(h); s > score {
				best, score = h, s
			}
		}
		if best.leaf < 0 {
			return nil
		}
		have[best.leaf] = true
		path = append(path, best)
		m.indexOf(best.leaf, best.edges)
	}
	m.indexOf(start, path[0].edges)
	return path
}

// score is 0 for a hop without edges.
func (m *multiway) score(h hop) int {
	if len(h.edges) == 0 {
		return 0
	}
	s := len(h.edges)
	if m.known(h.leaf, h.edges) {
		s += len(m.preds)
	}
	return s
}

// between are the edges from some leaves to another, one for each of its keys.
func (m *multiway) between(have map[int]bool, to int) []int {
	var out []int
	seen := map[string]bool{}
	for p := range m.preds {
		g, ok := m.edges[p]
		if !ok {
			continue
		}
		key, at := g.of(to)
		if !at || !have[g.leaf[0]] && !have[g.leaf[1]] {
			continue
		}
		if what := fieldsKey([]field{g.field(key)}); !seen[what] {
			seen[what] = true
			out = append(out, p)
		}
	}
	return out
}

// field is a side of the edge as a key.
func (g edge) field(key expr.Scalar) field {
	return field{expr: key, canon: true, as: g.as, drop: !g.nulls}
}

// index is a leaf arranged by the edges of a hop.
type index struct {
	keys  []field // over the columns of the leaf
	place layout
	at    []int // of all columns: the place in key, then value; -1: not carried
	label string
	what  string
}

func indexName(leaf int, edges []int) string { return fmt.Sprint(leaf, edges) }

// indexOf lays out the arrangement of a leaf by edges: it carries what is read behind the join, and what conditions other
// than these edges read.
func (m *multiway) indexOf(leaf int, edges []int) *index {
	name := indexName(leaf, edges)
	if x, ok := m.index[name]; ok {
		return x
	}
	l := m.leaves[leaf]
	need := m.tail.used()
	for p, e := range m.preds {
		if !slices.Contains(edges, p) {
			need = rel.ColumnsOf(e, need)
		}
	}
	keys := make([]joinKey, len(edges))
	for i, p := range edges {
		key, _ := m.edges[p].of(leaf)
		keys[i] = joinKey{left: rel.ShiftColumns(key, 0, -l.start), as: m.edges[p].as, nulls: m.edges[p].nulls}
	}
	x := &index{keys: sideKeys(keys, false), place: place(keys, false, l.cols, need.Shift(-l.start)),
		label: keysLabel(keys, l.cols, false), at: m.nowhere()}
	m.b.widen(l.side, x.keys, &x.place)
	copy(x.at[l.start:], x.place.at)
	x.what = m.b.arrangementKey(l.side, x.keys, x.place)
	m.index[name] = x
	return x
}

// nowhere is a layout in which no column is carried.
func (m *multiway) nowhere() []int {
	at := make([]int, len(m.cols))
	for i := range at {
		at[i] = -1
	}
	return at
}

// known says whether the index of a hop is there: in the graph, or planned for another path.
func (m *multiway) known(leaf int, edges []int) bool {
	if _, ok := m.index[indexName(leaf, edges)]; ok {
		return true
	}
	return m.b.hasArrangement(m.leaves[leaf].side, m.indexText(leaf, edges))
}

// indexText says what the index of a hop computes, without planning it.
func (m *multiway) indexText(leaf int, edges []int) string {
	x := m.indexOf(leaf, edges)
	delete(m.index, indexName(leaf, edges))
	return x.what
}

// pays says whether the delta join adds fewer arrangements than the plan of binary joins: that arranges each leaf once and
// every join but the last. With as many, the binary plan looks up less for each change.
func (m *multiway) pays() bool {
	added, leaves := map[string]bool{}, map[string]bool{}
	binary := len(m.leaves) - 2
	for i, l := range m.leaves {
		there := false
		for _, x := range m.indexesOf(i) {
			what := fmt.Sprint(l.s.node, " ", x.what)
			if m.b.hasArrangement(l.side, x.what) {
				there = true
			} else {
				added[what] = true
			}
		}
		if own := fmt.Sprint(l.s.node, " ", l.s.f.key()); !there && !leaves[own] {
			leaves[own] = true
			binary++
		}
	}
	return len(added) < binary
}

// indexesOf are the indexes of a leaf that the paths use, in a fixed order.
func (m *multiway) indexesOf(leaf int) []*index {
	var names []string
	for i, path := range m.paths {
		if i == leaf {
			names = append(names, indexName(leaf, path[0].edges))
		}
		for _, h := range path {
			if h.leaf == leaf {
				names = append(names, indexName(leaf, h.edges))
			}
		}
	}
	slices.Sort(names)
	var out []*index
	for _, name := range slices.Compact(names) {
		out = append(out, m.index[name])
	}
	return out
}

// lower makes the nodes of all paths. A function that can fail is applied behind their union, so that a row fails with the
// same bytes on whichever path it came.
func (m *multiway) lower() stream {
	tail, rest := m.tail, identity(len(m.tail.out))
	if m.tail.canFail() {
		used := m.tail.used().List()
		to := m.nowhere()
		for i, c := range used {
			to[c] = i
		}
		tail, rest = linear{in: len(m.cols), out: used}, m.tail.rebase(len(used), to)
	}
	parts := make([]dataflow.NodeID, len(m.leaves))
	for i := range m.leaves {
		w := &walk{m: m, start: i, tail: tail}
		parts[i] = w.lower()
	}
	for i := range m.leaves {
		var nodes []dataflow.NodeID
		for _, x := range m.indexesOf(i) {
			nodes = append(nodes, m.node(i, x))
		}
		m.b.tie(nodes)
	}
	return stream{node: m.b.add(dataflow.Union{}, "", "delta join", parts...), f: rest}
}

// canFail says whether the function can raise an error.
func (f linear) canFail() bool {
	return slices.ContainsFunc(f.preds, rel.CanFail) || slices.ContainsFunc(f.exprs, rel.CanFail)
}

// node is the arrangement of an index.
func (m *multiway) node(leaf int, x *index) dataflow.NodeID {
	return m.b.arrangeAs(m.leaves[leaf].side, x.keys, x.place, x.label)
}
