package lower

import (
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// side is one input of a join.
type side struct {
	s    stream
	cols repr.RowDesc
}

// joining is a join being built: both sides settled, the conditions parted.
type joining struct {
	b           *builder
	left, right side
	keys        []joinKey
	span        *span         // what bounds the pairs; nil: only keys do
	rest        []expr.Scalar // over the columns of both sides
	label       string
	once        [2]bool          // of left and right: no row of the other side has more than one match there
	paired      *dataflow.NodeID // the inner join with all columns, where it is made anyway
}

// join makes the nodes of a join and of the function that follows it.
func (b *builder) join(n *rel.Join, f linear) stream {
	if s, ok := b.deltaJoin(n, f); ok {
		return s
	}
	j := &joining{
		b:     b,
		left:  b.side(n.Left),
		right: b.side(n.Right),
	}
	j.keys, j.rest = splitOn(n.On, len(j.left.cols))
	if b.loop == nil && !b.opts.NoRanges {
		j.span, j.rest = splitSpan(j.rest, len(j.left.cols))
	}
	j.label = keysLabel(j.keys, j.left.cols, false)
	if n.Kind == rel.JoinInner {
		return j.inner(f, n.Columns())
	}
	if b.facts != nil {
		left, right := n.Matched()
		j.once = [2]bool{b.facts.UniqueBy(n.Left, left), b.facts.UniqueBy(n.Right, right)}
	}
	return then(j.outer(n.Kind, n.Columns()), f)
}

// deltaJoin makes a join of three inputs or more a delta join, where that is wanted.
func (b *builder) deltaJoin(n *rel.Join, f linear) (stream, bool) {
	if n.Kind != rel.JoinInner || b.opts.Joins == BinaryJoins {
		return stream{}, false
	}
	m := b.multi(n, f)
	if m == nil || !m.plan() || b.opts.Joins == AutoJoins && !m.pays() {
		return stream{}, false
	}
	return m.lower(), true
}

// side lowers an input of a join, once for all the ways that are tried to make the join. It is read more than once only
// by outer joins, whose inputs are settled first.
func (b *builder) side(r rel.Rel) side {
	s, ok := b.sides[r]
	if !ok {
		s = b.lower(r)
		b.sides[r] = s
	}
	return side{s: s, cols: r.Columns()}
}

// inner fuses the conditions that are not keys and the function that follows into the join's output.
func (j *joining) inner(f linear, cols repr.RowDesc) stream {
	nl := len(j.left.cols)
	g := identity(len(cols)).filter(j.rest)
	g = compose(g, f)
	node, out := j.node(g, nl)
	return plain(node, out)
}

// node makes the arrangements of both sides and the join whose output is that of g, a function over the columns of
// both sides; it also gives the number of output columns.
func (j *joining) node(g linear, nl int) (dataflow.NodeID, int) {
	need, all := g.used(), g.used()
	for _, x := range j.span.bounds() {
		all = rel.ColumnsOf(rel.ShiftColumns(x.right, 0, nl), rel.ColumnsOf(x.left, all))
	}
	l := place(j.keys, false, j.left.cols, all)
	r := place(j.keys, true, j.right.cols, all.Shift(-nl))
	leftKeys, rightKeys := sideKeys(j.keys, false), sideKeys(j.keys, true)
	j.b.widen(j.left, leftKeys, &l)
	j.b.widen(j.right, rightKeys, &r)
	switch {
	case j.span != nil && (len(j.keys) == 0 || l.kept == nil && r.kept == nil):
		return j.rangeNode(g, nl, need)
	case j.span != nil:
		g = g.before(j.span.conds)
	}
	m := newMatched(g, [2]layout{l, r}, [2]repr.RowDesc{j.left.cols, j.right.cols}, len(j.keys))
	left := j.b.arrangeAs(j.left, leftKeys, l, keysLabel(j.keys, j.left.cols, false))
	right := j.b.arrangeAs(j.right, rightKeys, r, keysLabel(j.keys, j.right.cols, true))
	op := dataflow.Join{New: joinFunc(m.f, m.fields, j.b.env)}
	return j.b.add(op, m.f.key(), "join"+j.label, left, right), len(g.out)
}

// matched is a function over the columns of two sides, made one over key, first and second values as they are laid out.
type matched struct {
	f      linear
	fields []field
}

func newMatched(g linear, sides [2]layout, cols [2]repr.RowDesc, keys int) matched {
	first := len(sides[0].values)
	to := make([]int, 0, g.in)
	types := make([]repr.Type, keys+first+len(sides[1].values))
	for s, l := range sides {
		for c, at := range l.at {
			if at >= keys && s == 1 {
				at += first
			}
			if at >= 0 {
				types[at] = cols[s][c].Type
			}
			to = append(to, at)
		}
	}
	m := matched{f: g.rebase(len(types), to)}
	for _, c := range m.f.out {
		var typ repr.Type
		if c < len(types) {
			typ = types[c]
		} else {
			typ = m.f.exprs[c-len(types)].Type()
		}
		m.fields = append(m.fields, field{expr: &expr.Column{Index: len(m.fields), Typ: typ}})
	}
	return m
}
