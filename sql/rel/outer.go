package rel

import (
	"slices"

	"millrace/sql/expr"
)

// OuterRef is a reference out of a plan: Level 1 is the row directly around the plan.
type OuterRef struct {
	Level int
	Index int
}

// MapOuter replaces each reference that leaves the plan r; level counts from r: 1 is the row directly around it.
// The level of what f returns is that of the place where the reference stood, o.Level if it stays.
func MapOuter(r Rel, f func(o *expr.Outer, level int) expr.Scalar) Rel {
	return mapOuter(r, 0, f)
}

// mapOuter rewrites references in r, which stands depth query levels below the plan that MapOuter began with.
func mapOuter(r Rel, depth int, f func(o *expr.Outer, level int) expr.Scalar) Rel {
	scalar := func(e expr.Scalar) expr.Scalar { return mapOuterScalar(e, depth, f) }
	r = MapScalars(r, scalar)
	if a, ok := r.(*Apply); ok {
		left, right := mapOuter(a.Left, depth, f), mapOuter(a.Right, depth+1, f)
		if left == a.Left && right == a.Right {
			return a
		}
		return WithChildren(a, []Rel{left, right})
	}
	return MapChildren(r, func(c Rel) Rel { return mapOuter(c, depth, f) })
}

func mapOuterScalar(e expr.Scalar, depth int, f func(o *expr.Outer, level int) expr.Scalar) expr.Scalar {
	return expr.Transform(e, func(e expr.Scalar) expr.Scalar {
		switch e := e.(type) {
		case *expr.Outer:
			if e.Level > depth {
				return f(e, e.Level-depth)
			}
		case *expr.Subquery:
			query := mapOuter(e.Query.(Rel), depth+1, f)
			if query == e.Query.(Rel) {
				return e
			}
			c := *e
			c.Query = query
			return &c
		}
		return e
	})
}

// FreeOuter are the references that leave the plan, each once, sorted by level and index.
func FreeOuter(r Rel) []OuterRef {
	var out []OuterRef
	MapOuter(r, func(o *expr.Outer, level int) expr.Scalar {
		out = append(out, OuterRef{Level: level, Index: o.Index})
		return o
	})
	return sortOuter(out)
}

// FreeOuterScalar are the references that leave an expression, those of its subqueries that go beyond the row
// that the expression is over included.
func FreeOuterScalar(e expr.Scalar) []OuterRef {
	var out []OuterRef
	mapOuterScalar(e, 0, func(o *expr.Outer, level int) expr.Scalar {
		out = append(out, OuterRef{Level: level, Index: o.Index})
		return o
	})
	return sortOuter(out)
}

func sortOuter(refs []OuterRef) []OuterRef {
	slices.SortFunc(refs, func(a, b OuterRef) int {
		if a.Level != b.Level {
			return a.Level - b.Level
		}
		return a.Index - b.Index
	})
	return slices.Compact(refs)
}

// MapOuterScalar replaces each reference that leaves an expression; level 1 is the row directly around the plan
// in which the expression stands.
func MapOuterScalar(e expr.Scalar, f func(o *expr.Outer, level int) expr.Scalar) expr.Scalar {
	return mapOuterScalar(e, 0, f)
}
