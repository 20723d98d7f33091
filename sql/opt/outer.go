package opt

import (
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// outerToInner drops the rows that an outer join pads with NULLs where a condition above would drop them anyway.
//
//	Filter r.x = 1 (LeftJoin L R)  =>  Filter r.x = 1 (Join L R)
//
// It is safe when the condition is neither true nor fails whenever a certain column of the padded side is NULL.
func outerToInner(_ *Context, r rel.Rel) rel.Rel { return rejecting(r, rel.ColSet{}) }

// rejecting rewrites a plan of whose rows those with a NULL in one of the columns are dropped later.
func rejecting(r rel.Rel, cols rel.ColSet) rel.Rel {
	switch n := r.(type) {
	case *rel.Filter:
		for _, e := range n.Preds {
			cols = cols.Union(rel.RejectsQuietly(e))
			if rel.CanFail(e) {
				break // on a padded row it may fail before a later condition drops it
			}
		}
		return rel.MapChildren(n, func(c rel.Rel) rel.Rel { return rejecting(c, cols) })
	case *rel.Map:
		width := len(n.Input.Columns())
		return rel.MapChildren(n, func(c rel.Rel) rel.Rel { return rejecting(c, cols.Intersect(rel.ColRange(0, width))) })
	case *rel.Project:
		var below rel.ColSet
		cols.All(func(i int) { below = below.Add(n.Cols[i]) })
		return rel.MapChildren(n, func(c rel.Rel) rel.Rel { return rejecting(c, below) })
	case *rel.Join:
		return rejectingJoin(n, cols)
	}
	return rel.MapChildren(r, func(c rel.Rel) rel.Rel { return rejecting(c, rel.ColSet{}) })
}

func rejectingJoin(n *rel.Join, cols rel.ColSet) rel.Rel {
	nl := len(n.Left.Columns())
	left, right := cols.Intersect(rel.ColRange(0, nl)), cols.Shift(-nl)
	kind := n.Kind
	if n.Kind == rel.JoinSemi || n.Kind == rel.JoinAnti {
		right = rel.ColSet{}
	}
	if kind == rel.JoinFull && !left.Empty() {
		kind = rel.JoinLeft
	}
	if kind == rel.JoinFull && !right.Empty() {
		kind = rel.JoinRight
	}
	if kind == rel.JoinLeft && !right.Empty() || kind == rel.JoinRight && !left.Empty() {
		kind = rel.JoinInner
	}
	on := rejectedBy(n.On)
	onLeft, onRight := on.Intersect(rel.ColRange(0, nl)), on.Shift(-nl)
	switch kind {
	case rel.JoinInner, rel.JoinSemi:
		left, right = left.Union(onLeft), right.Union(onRight)
	case rel.JoinLeft:
		right = onRight
	case rel.JoinRight:
		left = onLeft
	case rel.JoinAnti:
		right = onRight
	case rel.JoinFull:
		left, right = rel.ColSet{}, rel.ColSet{}
	}
	out := &rel.Join{Kind: kind, Left: rejecting(n.Left, left), Right: rejecting(n.Right, right), On: n.On}
	if out.Kind == n.Kind && out.Left == n.Left && out.Right == n.Right {
		return n
	}
	return out
}

// rejectedBy are the columns that must not be NULL for all conditions to be true without failing before.
func rejectedBy(on []expr.Scalar) rel.ColSet {
	var cols rel.ColSet
	for _, e := range on {
		cols = cols.Union(rel.RejectsQuietly(e))
		if rel.CanFail(e) {
			break
		}
	}
	return cols
}
