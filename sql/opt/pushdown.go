package opt

import (
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// pushPredicates moves conditions as far down as they can go, and into the conditions of inner joins.
//
//	Filter l.a = r.b, l.c = 1 (Join L R)  =>  Join l.a = r.b (Filter c = 1 (L)) R
//
// A condition that can fail never passes a join, a grouping or another condition that stays behind, for it would
// then see rows that are left out now. A condition passes a grouping only by columns whose equal values print
// alike, for it may tell apart what the grouping does not.
func pushPredicates(_ *Context, r rel.Rel) rel.Rel { return push(r, nil) }

// push rewrites the plan under conditions over its columns.
func push(r rel.Rel, preds []expr.Scalar) rel.Rel {
	switch n := r.(type) {
	case *rel.Filter:
		return push(n.Input, append(conjuncts(n.Preds), preds...))
	case *rel.Project:
		return rel.WithChildren(n, []rel.Rel{push(n.Input, mapAll(preds, func(c *expr.Column) expr.Scalar {
			return &expr.Column{Index: n.Cols[c.Index], Typ: c.Typ, Name: c.Name}
		}))})
	case *rel.Map:
		return pushMap(n, preds)
	case *rel.Join:
		return pushJoin(n, preds)
	case *rel.Reduce:
		return pushReduce(n, preds)
	case *rel.Distinct:
		return pushGrouped(n, n.Input, nil, preds)
	case *rel.Threshold:
		return pushGrouped(n, n.Input, nil, preds)
	case *rel.TopK:
		group := rel.ColsOf(n.Group...)
		return pushGrouped(n, n.Input, &group, preds)
	case *rel.Window:
		partition := rel.ColsOf(n.Partition...)
		return pushGrouped(n, n.Input, &partition, preds)
	case *rel.Negate:
		return &rel.Negate{Input: push(n.Input, preds)}
	case *rel.Union:
		return rel.MapChildren(n, func(c rel.Rel) rel.Rel { return push(c, preds) })
	case *rel.FlatMap:
		width := len(n.Input.Columns())
		down, stay := split(preds, func(e expr.Scalar) bool {
			return !rel.CanFail(e) && rel.ColumnsOf(e, rel.ColSet{}).Within(0, width)
		})
		return under(rel.WithChildren(n, []rel.Rel{push(n.Input, down)}), stay)
	case *rel.Let:
		return &rel.Let{ID: n.ID, Value: push(n.Value, nil), Body: push(n.Body, preds)}
	case *rel.LetRec:
		return pushLetRec(n, preds)
	}
	return under(r, preds)
}

// pushLetRec passes conditions to the body alone: a row that they would drop may be what a recursion grows from.
func pushLetRec(n *rel.LetRec, preds []expr.Scalar) rel.Rel {
	in := rel.Children(n)
	out := make([]rel.Rel, len(in))
	for i, c := range in[:len(in)-1] {
		out[i] = push(c, nil)
	}
	out[len(in)-1] = push(n.Body, preds)
	return rel.WithChildren(n, out)
}

// under puts the conditions that stay on top of a plan.
func under(r rel.Rel, preds []expr.Scalar) rel.Rel {
	if len(preds) == 0 {
		return r
	}
	return &rel.Filter{Input: r, Preds: preds}
}

// split parts conditions into those that move down and those that stay. One that can fail stays when one before
// it does, for that one may be what keeps it from failing.
func split(preds []expr.Scalar, can func(expr.Scalar) bool) (down, stay []expr.Scalar) {
	for _, e := range preds {
		if can(e) && (len(stay) == 0 || !rel.CanFail(e)) {
			down = append(down, e)
		} else {
			stay = append(stay, e)
		}
	}
	return down, stay
}

func mapAll(list []expr.Scalar, to func(*expr.Column) expr.Scalar) []expr.Scalar {
	out := make([]expr.Scalar, len(list))
	for i, e := range list {
		out[i] = rel.MapColumns(e, to)
	}
	return out
}

// pushMap moves conditions on computed columns below only where there is something to gain below: over a leaf the
// map and the filter are one function anyway.
func pushMap(n *rel.Map, preds []expr.Scalar) rel.Rel {
	width := len(n.Input.Columns())
	leaf := overLeaf(n.Input)
	down, stay := split(preds, func(e expr.Scalar) bool {
		return !leaf || rel.ColumnsOf(e, rel.ColSet{}).Within(0, width)
	})
	down = mapAll(down, func(c *expr.Column) expr.Scalar {
		if c.Index >= width {
			return n.Exprs[c.Index-width]
		}
		return c
	})
	return under(rel.WithChildren(n, []rel.Rel{push(n.Input, down)}), stay)
}

func overLeaf(r rel.Rel) bool {
	switch n := r.(type) {
	case *rel.Get, *rel.Ref, *rel.Values, *rel.FlatMap:
		return true
	case *rel.Filter:
		return overLeaf(n.Input)
	case *rel.Map:
		return overLeaf(n.Input)
	case *rel.Project:
		return overLeaf(n.Input)
	}
	return false
}

// pushGrouped passes conditions on the columns given (nil: all) through a node that tells rows apart by value.
func pushGrouped(r, input rel.Rel, group *rel.ColSet, preds []expr.Scalar) rel.Rel {
	cols := input.Columns()
	down, stay := split(preds, func(e expr.Scalar) bool {
		if rel.CanFail(e) {
			return false
		}
		ok := true
		rel.ColumnsOf(e, rel.ColSet{}).All(func(i int) {
			ok = ok && (group == nil || group.Has(i)) && cols[i].Type.Kind.KeyIsValue()
		})
		return ok
	})
	return under(rel.WithChildren(r, []rel.Rel{push(input, down)}), stay)
}

func pushReduce(n *rel.Reduce, preds []expr.Scalar) rel.Rel {
	down, stay := split(preds, func(e expr.Scalar) bool {
		if len(n.Keys) == 0 || rel.CanFail(e) {
			return false
		}
		ok := true
		rel.ColumnsOf(e, rel.ColSet{}).All(func(i int) {
			ok = ok && i < len(n.Keys) && n.Keys[i].Type().Kind.KeyIsValue() && !rel.CanFail(n.Keys[i])
		})
		return ok
	})
	down = mapAll(down, func(c *expr.Column) expr.Scalar { return n.Keys[c.Index] })
	return under(rel.WithChildren(n, []rel.Rel{push(n.Input, down)}), stay)
}

// joinSides collects the conditions that go into the sides of a join.
type joinSides struct {
	nl          int
	left, right []expr.Scalar
}

// take moves a condition that sees one side alone and cannot fail into that side.
func (s *joinSides) take(e expr.Scalar, intoLeft, intoRight bool) bool {
	cols := rel.ColumnsOf(e, rel.ColSet{})
	if rel.CanFail(e) || cols.Empty() {
		return false
	}
	const all = 1 << 30
	switch {
	case intoLeft && cols.Within(0, s.nl):
		s.left = append(s.left, e)
	case intoRight && cols.Within(s.nl, all):
		s.right = append(s.right, rel.ShiftColumns(e, 0, -s.nl))
	default:
		return false
	}
	return true
}

// pushJoin: conditions above go into the side whose rows all are kept, those of the join into the side whose rows
// are dropped without a match; an inner join takes all.
func pushJoin(n *rel.Join, preds []expr.Scalar) rel.Rel {
	s := &joinSides{nl: len(n.Left.Columns())}
	var on, stay []expr.Scalar
	inner := n.Kind == rel.JoinInner
	semi := n.Kind == rel.JoinSemi
	half := semi || n.Kind == rel.JoinAnti
	for _, e := range conjuncts(n.On) {
		intoLeft := inner || semi || n.Kind == rel.JoinRight
		intoRight := inner || half || n.Kind == rel.JoinLeft
		if !s.take(e, intoLeft, intoRight) {
			on = append(on, e)
		}
	}
	for _, e := range preds {
		intoLeft := inner || half || n.Kind == rel.JoinLeft
		intoRight := inner || n.Kind == rel.JoinRight
		switch {
		case s.take(e, intoLeft, intoRight):
		case inner:
			on = append(on, e)
		default:
			stay = append(stay, e)
		}
	}
	out := &rel.Join{Kind: n.Kind, Left: push(n.Left, s.left), Right: push(n.Right, s.right), On: on}
	return under(out, stay)
}
