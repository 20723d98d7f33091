package opt

import (
	"slices"

	"millrace/sql/expr"
	"millrace/sql/rel"
)

// shareExpressions computes once, in Maps below, what the expressions of a grouping or a Map compute more than once.
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
			if list, in := commonOf(rel.Scalars(n), always(n), n.Input); in != n.Input {
				return rel.WithChildren(rel.WithScalars(n, list), []rel.Rel{in})
			}
		case *rel.Map:
			if list, in := commonOf(n.Exprs, n.Exprs, n.Input); in != n.Input {
				width := len(n.Input.Columns())
				out := &rel.Map{Input: in, Exprs: list, Names: columnNames(n.Columns()[width:])}
				return keep(out, width, len(in.Columns()))
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

// commonOf replaces calls that stand in a list more than once by columns that Maps over its input append; sure are those
// of the list that are evaluated for each row. The expressions of one Map do not see each other: a call of what is shared
// already goes into another Map above.
func commonOf(list, sure []expr.Scalar, in rel.Rel) ([]expr.Scalar, rel.Rel) {
	width := len(in.Columns())
	var shared []expr.Scalar
	for {
		found := firstCommon(list, sure)
		if found == nil {
			break
		}
		if slices.ContainsFunc(rel.ColumnsOf(found, rel.ColSet{}).List(), func(c int) bool { return c >= width }) {
			in, width, shared = &rel.Map{Input: in, Exprs: shared}, width+len(shared), nil
		}
		col := &expr.Column{Index: width + len(shared), Typ: found.Type()}
		list, sure = replaced(list, found, col), replaced(sure, found, col)
		shared = append(shared, found)
	}
	if len(shared) > 0 {
		in = &rel.Map{Input: in, Exprs: shared}
	}
	return list, in
}

// firstCommon is the first call that stands more than once and is evaluated for each row, one before those that are part of it.
func firstCommon(list, sure []expr.Scalar) expr.Scalar {
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
	var found expr.Scalar
	for _, e := range list {
		expr.Walk(e, func(e expr.Scalar) bool {
			if found == nil && worthSharing(e) {
				if key := rel.FingerprintScalar(e); count[key] > 1 && evaluated[key] {
					found = e
				}
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
