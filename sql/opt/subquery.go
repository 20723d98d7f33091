package opt

import (
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// subquery joins what a subquery needs to cur and returns its value as an expression over cur.
func (h *hoist) subquery(q *expr.Subquery, guards []expr.Scalar) expr.Scalar {
	query := q.Query.(rel.Rel)
	switch q.Kind {
	case expr.SubqueryScalar:
		return h.scalarQuery(query, guards)
	case expr.SubqueryExists:
		return h.exists(query, guards)
	case expr.SubqueryArray:
		return h.array(query, q.Typ, guards)
	default:
		return h.comparison(q, guards)
	}
}

// comparison is the value of ANY and ALL.
func (h *hoist) comparison(q *expr.Subquery, guards []expr.Scalar) expr.Scalar {
	left := make([]expr.Scalar, len(q.Left))
	for i, e := range q.Left {
		left[i] = h.scalar(e, guards)
	}
	if q.Kind == expr.SubqueryAny && len(left) == 1 && q.Ops[0].Name == "=" {
		return h.member(q.Query.(rel.Rel), left[0], q.Ops[0], guards)
	}
	return h.quantified(q, left, guards)
}

// scalarQuery is the one value of a query. A projection of constants or of an aggregate is computed on the outer row
// itself; what may have several rows is counted, and more than one is an error.
func (h *hoist) scalarQuery(query rel.Rel, guards []expr.Scalar) expr.Scalar {
	base, outs := peel(query)
	switch n := base.(type) {
	case *rel.Values:
		if len(n.Rows) == 1 && !anySubquery(n.Rows[0]) {
			return h.resolve(outs[0], func(c *expr.Column) expr.Scalar {
				return h.resolve(n.Rows[0][c.Index], func(c *expr.Column) expr.Scalar { return c })
			})
		}
	case *rel.Reduce:
		if len(n.Keys) == 0 {
			values := h.aggregates(n, guards)
			return h.resolve(outs[0], func(c *expr.Column) expr.Scalar { return values[c.Index] })
		}
	}
	b := h.domain(query, guards)
	nd := b.sc.width()
	in := h.u.bind(query, b.sc)
	if !rel.AtMostOne(query) {
		in = onlyOne(in, nd)
	}
	at := h.lookup(in, b)
	value := query.Columns()[0]
	return &expr.Column{Index: at + nd, Typ: value.Type, Name: value.Name}
}

// onlyOne groups by the first nd columns and takes the value of the next, of which there must not be two.
func onlyOne(in rel.Rel, nd int) rel.Rel {
	cols := in.Columns()
	r := &rel.Reduce{Input: in}
	for i := range nd {
		r.Keys = append(r.Keys, rel.ColumnOf(cols, i))
		r.Names = append(r.Names, cols[i].Name)
	}
	r.Names = append(r.Names, cols[nd].Name)
	r.Aggs = []rel.Agg{{Fn: onlyValue, Args: []expr.Scalar{rel.ColumnOf(cols, nd)}, Typ: cols[nd].Type, Name: cols[nd].Name}}
	return r
}

// aggregates joins a reduction without keys and gives its columns as expressions over cur.
func (h *hoist) aggregates(n *rel.Reduce, guards []expr.Scalar) []expr.Scalar {
	if p, ok := pullKeys(n.Input); ok && safeAggs(n) && rel.HasOuter(n.Input) {
		return h.aggregatesByKey(n, p)
	}
	b := h.domain(n, guards)
	nd := b.sc.width()
	r := h.u.grouped(n, b.sc)
	if nd == 0 {
		return columnsAt(n.Columns(), h.lookup(r, b))
	}
	r, has := marked(r)
	at := h.lookup(r, b)
	return defaults(n.Aggs, h.cur, at+nd, at+has)
}

// aggregatesByKey is aggregates where the outer row is only compared with the input: the input is grouped by what
// it is compared with, and no domain is needed.
func (h *hoist) aggregatesByKey(n *rel.Reduce, p pulled) []expr.Scalar {
	list := rel.Scalars(n)
	over := make([]expr.Scalar, len(list))
	for i, e := range list {
		over[i] = p.over(e)
	}
	r := rel.WithScalars(n, over).(*rel.Reduce)
	r.Input = h.u.bind(p.base, scope{})
	r.Names = nil
	var keyed []expr.Scalar
	for _, eq := range p.equal {
		keyed = append(keyed, eq.inner)
		r.Names = append(r.Names, "")
	}
	for _, a := range n.Aggs {
		r.Names = append(r.Names, a.Name)
	}
	r.Keys = keyed
	found, has := marked(r)
	on := make([]expr.Scalar, len(p.equal))
	for i, eq := range p.equal {
		key := &expr.Column{Index: h.width + i, Typ: eq.inner.Type()}
		on[i] = eq.with(h.resolve(eq.outer, func(c *expr.Column) expr.Scalar { return c }), key)
	}
	at := h.add(rel.JoinLeft, found, on)
	return defaults(n.Aggs, h.cur, at+len(keyed), at+has)
}

func safeAggs(n *rel.Reduce) bool {
	for _, e := range rel.Scalars(n) {
		if rel.CanFail(e) || len(rel.FreeOuterScalar(e)) > 0 {
			return false
		}
	}
	return true
}

func columnsAt(cols repr.RowDesc, at int) []expr.Scalar {
	out := make([]expr.Scalar, len(cols))
	for i := range cols {
		out[i] = shifted(rel.ColumnOf(cols, i), at)
	}
	return out
}

func anySubquery(list []expr.Scalar) bool {
	for _, e := range list {
		if rel.HasSubquery(e) {
			return true
		}
	}
	return false
}

// exists is whether a query has a row.
func (h *hoist) exists(query rel.Rel, guards []expr.Scalar) expr.Scalar {
	b := h.domain(query, guards)
	nd := b.sc.width()
	in := h.u.bind(query, b.sc)
	rows := &rel.Distinct{Input: &rel.Project{Input: in, Cols: upTo(nd)}}
	found, has := marked(rows)
	at := h.lookup(found, b)
	return &expr.Not{Arg: &expr.IsNull{Arg: rel.ColumnOf(h.cur.Columns(), at+has)}}
}

// array is the values of a query as an array.
func (h *hoist) array(query rel.Rel, typ repr.Type, guards []expr.Scalar) expr.Scalar {
	cols := query.Columns()
	agg := rel.Agg{Fn: arrayOf, Args: []expr.Scalar{rel.ColumnOf(cols, 0)}, Typ: typ, Name: "array"}
	reduce := &rel.Reduce{Input: query, Aggs: []rel.Agg{agg}, Names: []string{"array"}}
	return h.scalarQuery(reduce, guards)
}

// member is left = ANY (query): true when the value is among the query's, else NULL when it or one of them is NULL,
// else false; and false of no rows.
func (h *hoist) member(query rel.Rel, left expr.Scalar, op *expr.Func, guards []expr.Scalar) expr.Scalar {
	b := h.domain(query, guards)
	nd := b.sc.width()
	in := h.name(h.u.bind(query, b.sc))
	cols := in.Columns()
	value := rel.ColumnOf(cols, nd)

	found, has := marked(&rel.Distinct{Input: in})
	on := append(b.same(h, h.width), call(op, left, shifted(value, h.width)))
	at := h.add(rel.JoinLeft, found, on)
	match := &expr.Not{Arg: &expr.IsNull{Arg: &expr.Column{Index: at + has, Typ: boolType}}}

	group := &rel.Reduce{Input: in, Aggs: []rel.Agg{someOf(&expr.IsNull{Arg: value}, "nulls")}}
	for i := range nd {
		group.Keys = append(group.Keys, rel.ColumnOf(cols, i))
	}
	// Without a domain the reduction has its row also when the query has none: it is then neither true nor false.
	at = h.lookup(group, b)
	nulls := &expr.Column{Index: at + nd, Typ: boolType, Name: "nulls"}
	return &expr.Case{Typ: boolType, Whens: []expr.When{
		{Cond: match, Then: rel.Bool(true)},
		{Cond: &expr.IsNull{Arg: nulls}, Then: rel.Bool(false)},
		{Cond: &expr.Or{Args: []expr.Scalar{nulls, &expr.IsNull{Arg: left}}}, Then: rel.Null(boolType)},
	}, Else: rel.Bool(false)}
}

// quantified is ANY and ALL in general: the domain holds the left operands too, the comparison is made with every
// row of the query for them, and the group says whether one was true, false or NULL.
func (h *hoist) quantified(q *expr.Subquery, left []expr.Scalar, guards []expr.Scalar) expr.Scalar {
	query := q.Query.(rel.Rel)
	extra := make([]int, len(left))
	for i, e := range left {
		extra[i] = h.compute(e, "operand").Index
	}
	h.share()
	b := h.domain(query, guards, extra...)
	nd := b.sc.width()
	var in rel.Rel
	if rel.HasOuter(query) {
		in = h.u.bind(query, b.sc)
	} else {
		in = cross(b.sc.domain, h.u.bind(query, scope{}))
	}
	cols := in.Columns()
	tests := make([]expr.Scalar, len(left))
	for i := range left {
		for at, f := range b.from {
			if f == extra[i] {
				tests[i] = call(q.Ops[i], rel.ColumnOf(cols, at), rel.ColumnOf(cols, nd+i))
			}
		}
	}
	test := and(tests)
	group := &rel.Reduce{Input: in}
	for i := range nd {
		group.Keys = append(group.Keys, rel.ColumnOf(cols, i))
	}
	decides := test
	if q.Kind == expr.SubqueryAll {
		decides = &expr.Not{Arg: test}
	}
	group.Aggs = []rel.Agg{someOf(decides, "decided"), someOf(&expr.IsNull{Arg: test}, "nulls")}
	at := h.lookup(group, b)
	any := q.Kind == expr.SubqueryAny
	return &expr.Case{Typ: boolType, Whens: []expr.When{
		{Cond: &expr.Column{Index: at + nd, Typ: boolType}, Then: rel.Bool(any)},
		{Cond: &expr.Column{Index: at + nd + 1, Typ: boolType}, Then: rel.Null(boolType)},
	}, Else: rel.Bool(!any)}
}

func and(list []expr.Scalar) expr.Scalar {
	if len(list) == 1 {
		return list[0]
	}
	return &expr.And{Args: list}
}

func call(f *expr.Func, a, b expr.Scalar) expr.Scalar {
	return &expr.Call{Fn: f, Args: []expr.Scalar{a, b}, Typ: f.Ret}
}
