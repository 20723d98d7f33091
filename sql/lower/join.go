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
	need := g.used()
	l := place(j.keys, false, j.left.cols, need)
	r := place(j.keys, true, j.right.cols, need.Shift(-nl))
	leftKeys, rightKeys := sideKeys(j.keys, false), sideKeys(j.keys, true)
	j.b.widen(j.left, leftKeys, &l)
	j.b.widen(j.right, rightKeys, &r)
	to := make([]int, g.in)
	for i := range to {
		if i < nl {
			to[i] = l.at[i]
		} else if to[i] = r.at[i-nl]; to[i] >= len(j.keys) {
			to[i] += len(l.values)
		}
	}
	g = g.rebase(len(j.keys)+len(l.values)+len(r.values), to)
	left := j.b.arrangeAs(j.left, leftKeys, l, keysLabel(j.keys, j.left.cols, false))
	right := j.b.arrangeAs(j.right, rightKeys, r, keysLabel(j.keys, j.right.cols, true))
	fields := make([]field, len(g.out))
	for i, c := range g.out {
		fields[i] = field{expr: &expr.Column{Index: i, Typ: g.typeOf(c, j, l, r)}}
	}
	what := g.key()
	op := dataflow.Join{New: joinFunc(g, fields, j.b.env)}
	return j.b.add(op, what, "join"+j.label, left, right), len(g.out)
}

// typeOf is the type of input or computed column c of a function over key, left and right values.
func (f linear) typeOf(c int, j *joining, l, r layout) repr.Type {
	if c >= f.in {
		return f.exprs[c-f.in].Type()
	}
	for i, at := range l.at {
		if at == c {
			return j.left.cols[i].Type
		}
	}
	for i, at := range r.at {
		if at >= len(j.keys) {
			at += len(l.values)
		}
		if at == c {
			return j.right.cols[i].Type
		}
	}
	return repr.TypeOf(repr.KindNull)
}
