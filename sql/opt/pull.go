package opt

import (
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// pulled is a plan taken apart: base does not refer to the outer row, preds are the conditions that do, and outs
// are the plan's columns. Preds and outs are over base and may hold outer references, but no subquery.
//
//	plan  =  project outs (filter preds (base))
type pulled struct {
	base  rel.Rel
	outs  []expr.Scalar
	preds []expr.Scalar
	equal []equality // of pullKeys: all preds, read as equalities
}

// equality compares something of the outer row with something of the plan.
type equality struct {
	outer, inner expr.Scalar
	call         *expr.Call
	swapped      bool // outer is the right operand
}

// with is the comparison of other operands.
func (e equality) with(outer, inner expr.Scalar) expr.Scalar {
	c := *e.call
	c.Args = []expr.Scalar{outer, inner}
	if e.swapped {
		c.Args = []expr.Scalar{inner, outer}
	}
	return &c
}

// over rewrites an expression over the plan's columns into one over base. A subquery in it stays, as long as
// the columns that it refers to are columns of base.
func (p pulled) over(e expr.Scalar) expr.Scalar {
	return rel.MapColumns(e, func(c *expr.Column) expr.Scalar { return p.outs[c.Index] })
}

// movable says whether over can rewrite the expression.
func (p pulled) movable(e expr.Scalar) bool {
	return !expr.Any(e, func(e expr.Scalar) bool {
		q, ok := e.(*expr.Subquery)
		if !ok {
			return false
		}
		for _, o := range rel.FreeOuter(q.Query.(rel.Rel)) {
			if o.Level != 1 {
				continue
			}
			if _, plain := p.outs[o.Index].(*expr.Column); !plain {
				return true
			}
		}
		return false
	})
}

// whole is a plan that needs no taking apart.
func whole(r rel.Rel) pulled {
	cols := r.Columns()
	p := pulled{base: r, outs: make([]expr.Scalar, len(cols))}
	for i := range cols {
		p.outs[i] = rel.ColumnOf(cols, i)
	}
	return p
}

// pull takes a plan apart; ok is false when it refers to the outer row elsewhere than in conditions and computed
// columns above what stands for itself. With exists only whether there are rows matters, not how many.
func pull(r rel.Rel, exists bool) (p pulled, ok bool) {
	if !rel.HasOuter(r) {
		return whole(r), true
	}
	switch n := r.(type) {
	case *rel.Filter:
		return pullFilter(n, exists)
	case *rel.Map:
		if p, ok = pull(n.Input, exists); !ok || anySubquery(n.Exprs) {
			return p, false
		}
		outs := p.outs
		for _, e := range n.Exprs {
			outs = append(outs[:len(outs):len(outs)], p.over(e))
		}
		p.outs = outs
		return p, true
	case *rel.Project:
		if p, ok = pull(n.Input, exists); !ok {
			return p, false
		}
		outs := make([]expr.Scalar, len(n.Cols))
		for i, c := range n.Cols {
			outs[i] = p.outs[c]
		}
		p.outs = outs
		return p, true
	case *rel.Distinct:
		if !exists {
			return p, false
		}
		return pull(n.Input, exists)
	case *rel.Join:
		return pullJoin(n, exists)
	case *rel.Let:
		if rel.HasOuter(n.Value) {
			return p, false
		}
		if p, ok = pull(n.Body, exists); ok {
			p.base = &rel.Let{ID: n.ID, Value: n.Value, Body: p.base}
		}
		return p, ok
	}
	return p, false
}

func pullFilter(n *rel.Filter, exists bool) (pulled, bool) {
	p, ok := pull(n.Input, exists)
	if !ok {
		return p, false
	}
	var stay []expr.Scalar
	for _, e := range conjuncts(n.Preds) {
		if !p.movable(e) {
			return p, false
		}
		e = p.over(e)
		switch {
		case len(rel.FreeOuterScalar(e)) == 0:
			stay = append(stay, e)
		case rel.HasSubquery(e):
			return p, false
		default:
			p.preds = append(p.preds[:len(p.preds):len(p.preds)], e)
		}
	}
	if len(stay) > 0 {
		p.base = &rel.Filter{Input: p.base, Preds: stay}
	}
	return p, true
}

// pullJoin takes apart the sides of an inner join, or the left side of a semi or anti join.
func pullJoin(n *rel.Join, exists bool) (pulled, bool) {
	if n.Kind != rel.JoinInner && n.Kind != rel.JoinSemi && n.Kind != rel.JoinAnti {
		return pulled{}, false
	}
	if n.Kind != rel.JoinInner && rel.HasOuter(n.Right) || anySubquery(n.On) {
		return pulled{}, false
	}
	left, ok := pull(n.Left, exists)
	right, ok2 := pull(n.Right, exists)
	if !ok || !ok2 {
		return pulled{}, false
	}
	width := len(left.base.Columns())
	move := func(list []expr.Scalar) []expr.Scalar {
		out := make([]expr.Scalar, len(list))
		for i, e := range list {
			out[i] = rel.ShiftColumns(e, 0, width)
		}
		return out
	}
	both := pulled{outs: append(left.outs[:len(left.outs):len(left.outs)], move(right.outs)...)}
	out := pulled{preds: append(left.preds[:len(left.preds):len(left.preds)], move(right.preds)...), outs: both.outs}
	var on []expr.Scalar
	for _, e := range conjuncts(n.On) {
		e = both.over(e)
		if len(rel.FreeOuterScalar(e)) == 0 {
			on = append(on, e)
			continue
		}
		if n.Kind != rel.JoinInner {
			return pulled{}, false
		}
		out.preds = append(out.preds, e)
	}
	if n.Kind != rel.JoinInner {
		out.outs = left.outs
	}
	out.base = &rel.Join{Kind: n.Kind, Left: left.base, Right: right.base, On: on}
	return out, true
}

// pullKeys takes apart a plan whose conditions on the outer row all are equalities between an expression of the
// outer row and one of the plan, none of which can fail. Its columns do not refer to the outer row.
func pullKeys(r rel.Rel) (pulled, bool) {
	p, ok := pull(r, false)
	if !ok || len(p.preds) == 0 {
		return p, false
	}
	for _, e := range p.outs {
		if len(rel.FreeOuterScalar(e)) > 0 || rel.CanFail(e) {
			return p, false
		}
	}
	for _, e := range p.preds {
		eq, ok := asEquality(e)
		if !ok {
			return p, false
		}
		p.equal = append(p.equal, eq)
	}
	return p, true
}

func asEquality(e expr.Scalar) (equality, bool) {
	eq, ok := rel.AsEquality(e)
	a, b := eq.A, eq.B
	if !ok || eq.Nulls || rel.CanFail(e) || a.Type().Kind != b.Type().Kind {
		return equality{}, false
	}
	c := e.(*expr.Call)
	hasA, hasB := len(rel.FreeOuterScalar(a)) > 0, len(rel.FreeOuterScalar(b)) > 0
	colsA, colsB := rel.ColumnsOf(a, rel.ColSet{}), rel.ColumnsOf(b, rel.ColSet{})
	switch {
	case hasA && !hasB && colsA.Empty() && !colsB.Empty():
		return equality{outer: a, inner: b, call: c}, true
	case hasB && !hasA && colsB.Empty() && !colsA.Empty():
		return equality{outer: b, inner: a, call: c, swapped: true}, true
	}
	return equality{}, false
}

// peel takes maps and projections without subqueries off a plan: the plan is outs over base.
func peel(r rel.Rel) (base rel.Rel, outs []expr.Scalar) {
	switch n := r.(type) {
	case *rel.Map:
		if anySubquery(n.Exprs) {
			break
		}
		base, outs = peel(n.Input)
		p := pulled{outs: outs}
		for _, e := range n.Exprs {
			outs = append(outs[:len(outs):len(outs)], p.over(e))
		}
		return base, outs
	case *rel.Project:
		base, in := peel(n.Input)
		outs = make([]expr.Scalar, len(n.Cols))
		for i, c := range n.Cols {
			outs[i] = in[c]
		}
		return base, outs
	}
	return r, whole(r).outs
}

// conjuncts are the operands of the ANDs of a list of conditions.
func conjuncts(list []expr.Scalar) []expr.Scalar {
	var out []expr.Scalar
	for _, e := range list {
		if a, ok := e.(*expr.And); ok {
			out = append(out, conjuncts(a.Args)...)
		} else {
			out = append(out, e)
		}
	}
	return out
}
