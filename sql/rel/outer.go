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

// TransformDeep rewrites a plan from the leaves up, plans inside expressions included; depth counts the query
// levels between r and the node.
func TransformDeep(r Rel, f func(r Rel, depth int) Rel) Rel { return transformDeep(r, 0, f) }

func transformDeep(r Rel, depth int, f func(r Rel, depth int) Rel) Rel {
	r = MapScalars(r, func(e expr.Scalar) expr.Scalar {
		return expr.Transform(e, func(e expr.Scalar) expr.Scalar {
			q, ok := e.(*expr.Subquery)
			if !ok {
				return e
			}
			query := transformDeep(q.Query.(Rel), depth+1, f)
			if query == q.Query.(Rel) {
				return q
			}
			c := *q
			c.Query = query
			return &c
		})
	})
	if a, ok := r.(*Apply); ok {
		left, right := transformDeep(a.Left, depth, f), transformDeep(a.Right, depth+1, f)
		if left != a.Left || right != a.Right {
			r = WithChildren(a, []Rel{left, right})
		}
		return f(r, depth)
	}
	return f(MapChildren(r, func(c Rel) Rel { return transformDeep(c, depth, f) }), depth)
}

// ShiftOuter adds by to the level of each reference that leaves the plan.
func ShiftOuter(r Rel, by int) Rel {
	if by == 0 {
		return r
	}
	return MapOuter(r, func(o *expr.Outer, _ int) expr.Scalar {
		return &expr.Outer{Level: o.Level + by, Index: o.Index, Typ: o.Typ, Name: o.Name}
	})
}

// HasOuter says whether a reference leaves the plan.
func HasOuter(r Rel) bool { return len(FreeOuter(r)) > 0 }
