package opt

import (
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// filter gives conditions without subqueries first, EXISTS, IN and their opposites as semi and anti joins, and
// last the conditions on the values of other subqueries.
func (u *unnester) filter(n *rel.Filter, sc scope) rel.Rel {
	in := u.bind(n.Input, sc)
	width := len(in.Columns())
	first := &hoist{u: u, sc: sc}
	var plain, rest []expr.Scalar
	for _, e := range conjuncts(n.Preds) {
		if rel.HasSubquery(e) {
			rest = append(rest, e)
		} else {
			plain = append(plain, first.scalar(e, nil))
		}
	}
	if len(plain) > 0 {
		in = &rel.Filter{Input: in, Preds: plain}
	}
	if len(rest) == 0 {
		return in
	}
	h := u.hoist(in, sc, rest)
	var last []expr.Scalar
	for _, e := range rest {
		if !h.semi(e) {
			last = append(last, h.scalar(e, nil))
		}
	}
	out := h.cur
	if len(last) > 0 {
		out = &rel.Filter{Input: out, Preds: last}
	}
	return h.close(keep(out, width, h.width))
}

// semi takes a condition as a semi or anti join, if it is one.
func (h *hoist) semi(e expr.Scalar) bool {
	not := false
	if n, ok := e.(*expr.Not); ok {
		e, not = n.Arg, true
	}
	q, ok := e.(*expr.Subquery)
	if !ok || anySubquery(q.Left) {
		return false
	}
	left := make([]expr.Scalar, len(q.Left))
	for i, l := range q.Left {
		left[i] = h.scalar(l, nil)
	}
	switch {
	case q.Kind == expr.SubqueryExists && !not:
		h.match(rel.JoinSemi, q, nil)
	case q.Kind == expr.SubqueryExists:
		h.match(rel.JoinAnti, q, nil)
	case q.Kind == expr.SubqueryAny && !not:
		h.match(rel.JoinSemi, q, left)
	case q.Kind == expr.SubqueryAny && h.neverNull(q, left):
		h.match(rel.JoinAnti, q, left)
	default:
		return false
	}
	return true
}

// neverNull says whether comparing left with the query's columns is never NULL: then what is not true is false.
func (h *hoist) neverNull(q *expr.Subquery, left []expr.Scalar) bool {
	cur := rel.FactsOf(h.base)
	for _, e := range left {
		if !cur.IsNotNull(e, h.base) {
			return false
		}
	}
	query := q.Query.(rel.Rel)
	return rel.FactsOf(query).NotNull(query).Len() == len(query.Columns())
}

// match joins the query: rows of cur stay if (semi) or unless (anti) there is a row of it for which left compares
// true.
func (h *hoist) match(kind rel.JoinKind, q *expr.Subquery, left []expr.Scalar) {
	query := q.Query.(rel.Rel)
	if p, ok := pull(query, true); ok {
		inner := func(c *expr.Column) expr.Scalar { return shifted(c, h.width) }
		var on []expr.Scalar
		for _, e := range p.preds {
			on = append(on, h.resolve(e, inner))
		}
		for i, l := range left {
			on = append(on, call(q.Ops[i], l, h.resolve(p.outs[i], inner)))
		}
		h.add(kind, h.u.bind(p.base, scope{}), on)
		return
	}
	b := h.domain(query, nil)
	in := h.u.bind(query, b.sc)
	cols := in.Columns()
	on := b.same(h, h.width)
	for i, l := range left {
		on = append(on, call(q.Ops[i], l, shifted(rel.ColumnOf(cols, b.sc.width()+i), h.width)))
	}
	h.add(kind, in, on)
}
