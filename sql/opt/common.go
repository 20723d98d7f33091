package opt

import (
	"slices"

	"millrace/sql/expr"
	"millrace/sql/rel"
)

// shareExpressions computes once, in a Map below, what the expressions of a grouping or a Map compute more than once.
//
//	Reduce sum(a * b), sum(a * b * c) (R)  =>  Reduce sum(x), sum(x * c) (Map x := a * b (R))
//
// It is safe for an expression that is evaluated on every row anyway: one that stands only in branches of a CASE, behind
// an AND or an OR, or under a FILTER is left, and so is one that is another with every call. It runs when no
// condition moves any more.
func shareExpressions(_ *Context, r rel.Rel) rel.Rel {
	return rel.Transform(r, func(r rel.Rel) rel.Rel {
		switch n := r.(type) {
		case *rel.Reduce:
			list, shared := commonOf(rel.Scalars(n), always(n), len(n.Input.Columns()))
			if len(shared) > 0 {
				return rel.WithChildren(rel.WithScalars(n, list), []rel.Rel{&rel.Map{Input: n.Input, Exprs: shared}})
			}
		case *rel.Map:
			width := len(n.Input.Columns())
			list, shared := commonOf(n.Exprs, n.Exprs, width)
			if len(shared) > 0 {
				in := &rel.Map{Input: n.Input, Exprs: shared}
				out := &rel.Map{Input: in, Exprs: list, Names: columnNames(n.Columns()[width:])}
				return keep(out, width, width+len(shared))
			}
		}
		return r
	})
}

// always are the expressions of a grouping that are evaluated for each row.
func always(n *rel.Reduce) []expr.Scalar {
	out := slices.Clone(n.Keys)
	for _, a := range n.Aggs {
		if a.Filter == nil {
			out = append(out, a.Args...)
		}
	}
	return out
}

// commonOf replaces calls that stand in a list more than once by columns behind the width of the input; sure are those of
// the list that are evaluated for each row.
func commonOf(list, sure []expr.Scalar, width int) (out, shared []expr.Scalar) {
	for {
		count, evaluated := map[string]int{}, map[string]bool{}
		for _, e := range list {
			expr.Walk(e, func(e expr.Scalar) bool {
				if worthSharing(e) {
					count[rel.FingerprintScalar(e)]++
				}
				return true
			})
		}
		for _, e := range sure {
			walkSure(e, func(e expr.Scalar) {
				if worthSharing(e) {
					evaluated[rel.FingerprintScalar(e)] = true
				}
			})
		}
		found := firstCommon(list, func(key string) bool { return count[key] > 1 && evaluated[key] })
		if found == nil {
			return list, shared
		}
		col := &expr.Column{Index: width + len(shared), Typ: found.Type()}
		list, sure = replaced(list, found, col), replaced(sure, found, col)
		shared = append(shared, found)
	}
}

// firstCommon is the first call, the largest first, that the test holds for.
func firstCommon(list []expr.Scalar, test func(key string) bool) expr.Scalar {
	var found expr.Scalar
	for _, e := range list {
		expr.Walk(e, func(e expr.Scalar) bool {
			if found == nil && worthSharing(e) && test(rel.FingerprintScalar(e)) {
				found = e
			}
			return found == nil
		})
	}
	return found
}

// worthSharing says whether an expression is a call that costs more than looking at a column, and is the same each time.
func worthSharing(e expr.Scalar) bool {
	c, ok := e.(*expr.Call)
	return ok && len(c.Args) > 1 && expr.VolatilityOf(c) < expr.Volatile &&
		!rel.ColumnsOf(c, rel.ColSet{}).Empty()
}

// walkSure visits what is evaluated whenever the expression is.
func walkSure(e expr.Scalar, visit func(expr.Scalar)) {
	visit(e)
	children := expr.Children(e)
	switch e := e.(type) {
	case *expr.And, *expr.Or, *expr.Coalesce, *expr.Case:
		children = children[:1]
	case *expr.Call:
		if !e.Fn.NullCalled {
			children = children[:min(1, len(children))] // a NULL before them may make the others needless
		}
	}
	for _, c := range children {
		walkSure(c, visit)
	}
}

func replaced(list []expr.Scalar, old, by expr.Scalar) []expr.Scalar {
	key := rel.FingerprintScalar(old)
	out := make([]expr.Scalar, len(list))
	for i, e := range list {
		out[i] = replaceIn(e, key, by)
	}
	return out
}

func replaceIn(e expr.Scalar, key string, by expr.Scalar) expr.Scalar {
	if worthSharing(e) && rel.FingerprintScalar(e) == key {
		return by
	}
	return expr.MapChildren(e, func(c expr.Scalar) expr.Scalar { return replaceIn(c, key, by) })
}
