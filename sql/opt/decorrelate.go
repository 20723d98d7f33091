package opt

import (
	"slices"

	"millrace/internal/check"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// Decorrelate removes subqueries and Apply from a plan.
//
// It follows Neumann and Kemper, "Unnesting Arbitrary Queries" (2015): the distinct bindings that the outer rows
// give to an inner plan are a relation, the domain; the inner plan is rewritten to give, for every row of the
// domain, that row followed by the inner rows for it; and the result is joined back with the outer rows. Every
// operator says below how the domain moves through it, so no plan is run once per row. Where an inner
// plan refers to the outer row only in conditions that can be pulled up, the domain is not needed: the join's own
// conditions take its place (pull.go).
func Decorrelate(r rel.Rel) (rel.Rel, *repr.Error) {
	u := &unnester{nextLet: 1}
	rel.TransformDeep(r, func(r rel.Rel, _ int) rel.Rel {
		switch l := r.(type) {
		case *rel.Let:
			u.nextLet = max(u.nextLet, l.ID+1)
		case *rel.LetRec:
			u.nextLet = max(u.nextLet, slices.Max(l.IDs())+1)
		}
		return r
	})
	out := u.bind(r, scope{})
	return renumber(out), u.err
}

// unnester is the state of one decorrelation.
type unnester struct {
	nextLet int
	err     *repr.Error
}

// scope is what the outer rows give to a plan: the domain, and the place of each reference in it. The zero scope
// gives nothing.
type scope struct {
	domain rel.Rel
	cols   repr.RowDesc
	at     map[rel.OuterRef]int
}

func (s scope) width() int { return len(s.cols) }

// place is the column of the domain that a reference means.
func (s scope) place(level, index int) int {
	at, ok := s.at[rel.OuterRef{Level: level, Index: index}]
	check.That(ok, "reference to column %d of outer level %d is not in the domain", index, level)
	return at
}

// column is a reference as a column of a row that begins with the domain.
func (s scope) column(level, index int) expr.Scalar {
	return rel.ColumnOf(s.cols, s.place(level, index))
}

func (u *unnester) newLet() int {
	u.nextLet++
	return u.nextLet - 1
}

func (u *unnester) fail(err *repr.Error) {
	if u.err == nil {
		u.err = err
	}
}

// bind gives, for each row of the domain, that row followed by the rows of the plan for it.
func (u *unnester) bind(r rel.Rel, sc scope) rel.Rel {
	if sc.width() > 0 && !rel.HasOuter(r) {
		return cross(sc.domain, u.bind(r, scope{}))
	}
	nd := sc.width()
	switch n := r.(type) {
	case *rel.Get, *rel.Ref:
		return r
	case *rel.Values:
		return u.values(n, sc)
	case *rel.Filter:
		return u.filter(n, sc)
	case *rel.Map:
		return u.mapped(n, sc)
	case *rel.Project:
		return &rel.Project{Input: u.bind(n.Input, sc), Cols: behind(nd, n.Cols), Names: behindNames(sc, n.Names)}
	case *rel.Join:
		return u.join(n, sc)
	case *rel.Apply:
		return u.apply(n, sc)
	case *rel.Reduce:
		return u.reduce(n, sc)
	case *rel.Distinct:
		return &rel.Distinct{Input: u.bind(n.Input, sc)}
	case *rel.TopK:
		return u.topK(n, sc)
	case *rel.Window:
		return u.window(n, sc)
	case *rel.Union:
		inputs := make([]rel.Rel, len(n.Inputs))
		for i, in := range n.Inputs {
			inputs[i] = u.bind(in, sc)
		}
		return &rel.Union{Inputs: inputs}
	case *rel.Negate:
		return &rel.Negate{Input: u.bind(n.Input, sc)}
	case *rel.Threshold:
		return &rel.Threshold{Input: u.bind(n.Input, sc)}
	case *rel.FlatMap:
		return u.flatMap(n, sc)
	case *rel.Let:
		return u.let(n, sc)
	case *rel.LetRec:
		return u.letRec(n, sc)
	}
	check.Never("decorrelation of %T", r)
	return nil
}

func cross(a, b rel.Rel) rel.Rel { return &rel.Join{Kind: rel.JoinInner, Left: a, Right: b} }

// behind are the columns 0 to nd and then those of list, moved behind them.
func behind(nd int, list []int) []int {
	out := upTo(nd)
	for _, c := range list {
		out = append(out, nd+c)
	}
	return out
}

func behindNames(sc scope, names []string) []string {
	if names == nil {
		return nil
	}
	out := make([]string, 0, sc.width()+len(names))
	for _, c := range sc.cols {
		out = append(out, c.Name)
	}
	return append(out, names...)
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// keep is a plan cut down to its first n columns and those behind from.
func keep(r rel.Rel, n, from int) rel.Rel {
	width := len(r.Columns())
	if n == from {
		return r
	}
	cols := upTo(n)
	for i := from; i < width; i++ {
		cols = append(cols, i)
	}
	return &rel.Project{Input: r, Cols: cols}
}

// unit is one row without columns.
func unit() rel.Rel { return &rel.Values{Rows: [][]expr.Scalar{{}}} }

// values computes rows that refer to the outer row over the domain, one by one.
func (u *unnester) values(n *rel.Values, sc scope) rel.Rel {
	plain := sc.width() == 0
	for _, row := range n.Rows {
		for _, e := range row {
			plain = plain && !rel.HasSubquery(e)
		}
	}
	if plain {
		return n
	}
	inputs := make([]rel.Rel, len(n.Rows))
	for i, row := range n.Rows {
		in := unit()
		if sc.width() > 0 {
			in = sc.domain
		}
		inputs[i] = u.mapOver(in, row, sc, n.Cols)
	}
	if len(inputs) == 1 {
		return inputs[0]
	}
	return &rel.Union{Inputs: inputs}
}

// mapOver computes expressions over a plan that gives the domain, and then nothing but columns of its own.
func (u *unnester) mapOver(in rel.Rel, exprs []expr.Scalar, sc scope, names repr.RowDesc) rel.Rel {
	width := len(in.Columns())
	h := u.hoist(in, sc, exprs)
	out := &rel.Map{Exprs: h.scalars(exprs)}
	for _, c := range names {
		out.Names = append(out.Names, c.Name)
	}
	out.Input = h.cur
	return h.close(keep(out, width, len(h.cur.Columns())))
}

func (u *unnester) mapped(n *rel.Map, sc scope) rel.Rel {
	cols := n.Columns()
	return u.mapOver(u.bind(n.Input, sc), n.Exprs, sc, cols[len(cols)-len(n.Exprs):])
}

func (u *unnester) flatMap(n *rel.FlatMap, sc scope) rel.Rel {
	in := u.bind(n.Input, sc)
	width := len(in.Columns())
	h := u.hoist(in, sc, n.Args)
	c := *n
	c.Args = h.scalars(n.Args)
	c.Input = h.cur
	return h.close(keep(&c, width, len(h.cur.Columns())))
}

// topK keeps the rows for each row of the domain.
func (u *unnester) topK(n *rel.TopK, sc scope) rel.Rel {
	c := *n
	c.Input = u.bind(n.Input, sc)
	c.Group = behind(sc.width(), n.Group)
	c.Order = make([]rel.ColOrder, len(n.Order))
	for i, o := range n.Order {
		o.Col += sc.width()
		c.Order[i] = o
	}
	for _, e := range rel.Scalars(n) {
		if _, ok := e.(*expr.Const); !ok {
			u.fail(repr.NewError(repr.CodeFeatureNotSupported, "LIMIT or OFFSET that is not a constant is not supported"))
		}
	}
	return &c
}

// let keeps a plan that does not refer to the outer row shared, and puts any other where it is used.
func (u *unnester) let(n *rel.Let, sc scope) rel.Rel {
	if !rel.HasOuter(n.Value) {
		return &rel.Let{ID: n.ID, Value: u.bind(n.Value, scope{}), Body: u.bind(n.Body, sc)}
	}
	return u.bind(substitute(n.Body, n.ID, n.Value), sc)
}

// substitute puts a plan in the place of the references to it; references out of it keep their meaning.
func substitute(body rel.Rel, id int, value rel.Rel) rel.Rel {
	return rel.TransformDeep(body, func(r rel.Rel, depth int) rel.Rel {
		if ref, ok := r.(*rel.Ref); ok && ref.ID == id {
			return rel.ShiftOuter(value, depth)
		}
		return r
	})
}

// reduce groups by the domain too. Without keys a row of the domain without a group has the aggregates of no rows.
func (u *unnester) reduce(n *rel.Reduce, sc scope) rel.Rel {
	out := u.grouped(n, sc)
	nd := sc.width()
	if nd == 0 || len(n.Keys) > 0 {
		return out
	}
	out, has := marked(out)
	on := make([]expr.Scalar, nd)
	for i := range on {
		on[i] = rel.Same(rel.ColumnOf(sc.cols, i), shifted(rel.ColumnOf(sc.cols, i), nd))
	}
	joined := &rel.Join{Kind: rel.JoinLeft, Left: sc.domain, Right: out, On: on}
	m := &rel.Map{Input: joined, Exprs: defaults(n.Aggs, joined, 2*nd, nd+has)}
	for _, a := range n.Aggs {
		m.Names = append(m.Names, a.Name)
	}
	return keep(m, nd, len(joined.Columns()))
}

// grouped is a Reduce with the domain before its keys; no group, no row.
func (u *unnester) grouped(n *rel.Reduce, sc scope) rel.Rel {
	in := u.bind(n.Input, sc)
	list := rel.Scalars(n)
	h := u.hoist(in, sc, list)
	c := rel.WithScalars(n, h.scalars(list)).(*rel.Reduce)
	keys := make([]expr.Scalar, 0, sc.width()+len(n.Keys))
	for i := range sc.cols {
		keys = append(keys, rel.ColumnOf(sc.cols, i))
	}
	names := n.Names
	if names == nil {
		for _, col := range n.Columns() {
			names = append(names, col.Name)
		}
	}
	return h.close(&rel.Reduce{Input: h.cur, Keys: append(keys, c.Keys...), Aggs: c.Aggs, Names: behindNames(sc, names)})
}

// marked appends a column that is true in every row, to tell a row from the lack of one behind an outer join.
func marked(r rel.Rel) (rel.Rel, int) {
	return &rel.Map{Input: r, Exprs: []expr.Scalar{rel.Bool(true)}, Names: []string{"found"}}, len(r.Columns())
}

// defaults are aggregates that were joined with an outer join, at columns from at on: those of no rows where the
// marker is NULL.
func defaults(aggs []rel.Agg, joined rel.Rel, at, marker int) []expr.Scalar {
	cols := joined.Columns()
	out := make([]expr.Scalar, len(aggs))
	for i, a := range aggs {
		col := &expr.Column{Index: at + i, Typ: a.Typ, Name: a.Name}
		out[i] = col
		if a.Fn.Empty.IsNull() {
			continue
		}
		missing := &expr.IsNull{Arg: rel.ColumnOf(cols, marker)}
		empty := &expr.Const{Val: a.Fn.Empty, Typ: a.Typ}
		out[i] = &expr.Case{Whens: []expr.When{{Cond: missing, Then: empty}}, Else: col, Typ: a.Typ}
	}
	return out
}

// shifted is a column by places further on.
func shifted(c *expr.Column, by int) *expr.Column {
	return &expr.Column{Index: c.Index + by, Typ: c.Typ, Name: c.Name}
}
