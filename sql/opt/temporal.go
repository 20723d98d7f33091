package opt

import (
	"slices"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// splitTemporal takes conditions on time off filters and joins.
//
//	Filter p, mz_before(b) (R)   =>  Temporal until b (Filter p (R))
//	Join on p, mz_since(b) L R   =>  Temporal from b (Join on p L R)
//
// It runs once, when other rules have moved the conditions to where they belong. Conditions that can fail and stand
// behind one on time are tried above it, so that a row that has gone with time does not fail any more.
func splitTemporal(_ *Context, r rel.Rel) rel.Rel {
	return rel.Transform(r, func(r rel.Rel) rel.Rel {
		switch n := r.(type) {
		case *rel.Filter:
			return splitFilter(n)
		case *rel.Join:
			return splitJoin(n)
		}
		return r
	})
}

func splitFilter(n *rel.Filter) rel.Rel {
	var below, times, above []expr.Scalar
	for _, e := range conjuncts(n.Preds) {
		switch {
		case isTemporal(e):
			times = append(times, e)
		case len(times) > 0 && rel.CanFail(e):
			above = append(above, e)
		default:
			below = append(below, e)
		}
	}
	if len(times) == 0 {
		return n
	}
	return under(temporal(under(n.Input, below), times), above)
}

func isTemporal(e expr.Scalar) bool {
	_, _, ok := rel.AsTimeBound(e)
	return ok
}

// temporal lets the rows of a plan in and out by conditions on time.
func temporal(r rel.Rel, times []expr.Scalar) rel.Rel {
	if len(times) == 0 {
		return r
	}
	out := &rel.Temporal{Input: r}
	for _, e := range times {
		if bound, since, _ := rel.AsTimeBound(e); since {
			out.From = append(out.From, bound)
		} else {
			out.Until = append(out.Until, bound)
		}
	}
	return out
}

// splitJoin takes conditions on time above a join that keeps no row without them, or into the side that they alone see.
func splitJoin(n *rel.Join) rel.Rel {
	if !slices.ContainsFunc(n.On, isTemporal) {
		return n
	}
	nl := len(n.Left.Columns())
	var on, above, right []expr.Scalar
	for _, e := range conjuncts(n.On) {
		cols := rel.ColumnsOf(e, rel.ColSet{})
		semi := n.Kind == rel.JoinSemi && cols.Within(0, nl)
		switch {
		case !isTemporal(e):
			on = append(on, e)
		case n.Kind == rel.JoinInner, semi:
			above = append(above, e)
		case cols.Within(nl, 1<<30) && (n.Kind == rel.JoinLeft || n.Kind == rel.JoinSemi || n.Kind == rel.JoinAnti):
			right = append(right, rel.ShiftColumns(e, nl, -nl))
		default:
			on = append(on, e)
		}
	}
	out := &rel.Join{Kind: n.Kind, Left: n.Left, Right: temporal(n.Right, right), On: on}
	return temporal(out, above)
}

// CheckTemporal refuses a plan in which a condition on time is left that the dataflow can't keep up by letting rows in
// and out: one over both sides of an outer join, or one whose truth value is used as a value.
func CheckTemporal(r rel.Rel) *repr.Error {
	var err *repr.Error
	rel.Walk(r, func(r rel.Rel) bool {
		for _, e := range rel.Scalars(r) {
			expr.Walk(e, func(e expr.Scalar) bool {
				if c, ok := e.(*expr.Call); ok && rel.IsTimeBound(c) && err == nil {
					err = repr.NewError(repr.CodeFeatureNotSupported,
						"this condition on time is not supported here in a maintained view").At(c.Pos).
						WithHint("Conditions on time of an outer join or of NOT EXISTS may name columns of its inner side only.")
				}
				return true
			})
		}
		return true
	})
	return err
}
