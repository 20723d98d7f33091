package plan

import (
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// leafFunc rewrites one node of an expression, whose operands are done. depth counts the rows between the node and
// the place where the rewriting began: a column of the row out there is an Outer of that level, or, at depth 0,
// a Column.
type leafFunc func(s expr.Scalar, depth int) expr.Scalar

// rewriteScalar rewrites an expression and the queries within.
func rewriteScalar(s expr.Scalar, depth int, f leafFunc) expr.Scalar {
	return expr.Transform(s, func(n expr.Scalar) expr.Scalar {
		if sub, ok := n.(*expr.Subquery); ok {
			if query := rewriteRel(sub.Query.(rel.Rel), depth+1, f); query != sub.Query {
				c := *sub
				c.Query = query
				n = &c
			}
		}
		return f(n, depth)
	})
}

func rewriteScalars(list []expr.Scalar, depth int, f leafFunc) []expr.Scalar {
	out := make([]expr.Scalar, len(list))
	for i, s := range list {
		out[i] = rewriteScalar(s, depth, f)
	}
	return out
}

// rewriteRel rewrites every expression of a plan.
func rewriteRel(r rel.Rel, depth int, f leafFunc) rel.Rel {
	r = rel.MapScalars(r, func(s expr.Scalar) expr.Scalar { return rewriteScalar(s, depth, f) })
	if a, ok := r.(*rel.Apply); ok {
		return rel.WithChildren(a, []rel.Rel{rewriteRel(a.Left, depth, f), rewriteRel(a.Right, depth+1, f)})
	}
	return rel.MapChildren(r, func(in rel.Rel) rel.Rel { return rewriteRel(in, depth, f) })
}

// mapAgg replaces the expressions of an aggregate.
func mapAgg(a rel.Agg, f func(expr.Scalar) expr.Scalar) rel.Agg {
	args := make([]expr.Scalar, len(a.Args))
	for i, s := range a.Args {
		args[i] = f(s)
	}
	order := make([]rel.Order, len(a.Order))
	for i, o := range a.Order {
		order[i] = o
		order[i].Expr = f(o.Expr)
	}
	a.Args, a.Order = args, order
	if a.Filter != nil {
		a.Filter = f(a.Filter)
	}
	return a
}

// visitRel calls f for every node of every expression of a plan.
func visitRel(r rel.Rel, f func(s expr.Scalar, depth int)) {
	rewriteRel(r, 0, func(s expr.Scalar, depth int) expr.Scalar {
		f(s, depth)
		return s
	})
}

// refersOut says whether a plan that stands below one row refers to that row, the nearest around it.
func refersOut(r rel.Rel) bool {
	found := false
	visitRel(r, func(s expr.Scalar, depth int) {
		if o, ok := s.(*expr.Outer); ok && o.Level == depth+1 {
			found = true
		}
	})
	return found
}

// dropLevel takes one row away that stood around a plan or expression: what referred to it becomes a reference to
// the row that is now at hand, what went beyond comes one level closer.
func dropLevel(s expr.Scalar, depth int) expr.Scalar {
	o, ok := s.(*expr.Outer)
	if !ok || o.Level <= depth {
		return s
	}
	if o.Level == depth+1 && depth == 0 {
		return &expr.Column{Index: o.Index, Typ: o.Typ, Name: o.Name}
	}
	c := *o
	c.Level--
	return &c
}

// isUnit recognises the collection of one row without columns.
func isUnit(r rel.Rel) bool {
	v, ok := r.(*rel.Values)
	return ok && len(v.Rows) == 1 && len(v.Cols) == 0
}

// unit is the collection of one row without columns.
func unit() rel.Rel { return &rel.Values{Rows: [][]expr.Scalar{{}}} }
