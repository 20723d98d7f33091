package opt

import (
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// useKeys leaves out work that keys and columns without NULL make needless.
//
//	Distinct R, R unique                            =>  R
//	Reduce by k (R), no aggregate, R unique by k    =>  Project k (R)
//	SemiJoin l.a = r.k L R, R unique by k           =>  Project L (Join l.a = r.k L R)
//	Join l.k = r.k R R, R unique by k, k not NULL   =>  R twice side by side
//	r.a IS NULL, a never NULL                       =>  false
//
// It is safe because each row of what is unique stands once, so there is nothing to count or to choose.
func useKeys(_ *Context, r rel.Rel) rel.Rel {
	f := rel.FactsOf(r)
	return rel.Transform(r, func(r rel.Rel) rel.Rel {
		switch n := r.(type) {
		case *rel.Distinct:
			if len(f.Keys(n.Input)) > 0 {
				return n.Input
			}
		case *rel.Reduce:
			return reduceUnique(f, n)
		case *rel.Join:
			return joinUnique(f, n)
		case *rel.Filter, *rel.Map:
			return withoutNulls(f, r)
		}
		return r
	})
}

// withoutNulls folds the question whether something is NULL that never is.
func withoutNulls(f *rel.Facts, r rel.Rel) rel.Rel {
	in := rel.Children(r)[0]
	return rel.MapScalars(r, func(e expr.Scalar) expr.Scalar {
		return expr.Transform(e, func(e expr.Scalar) expr.Scalar {
			if n, ok := e.(*expr.IsNull); ok && f.IsNotNull(n.Arg, in) && !rel.CanFail(n.Arg) {
				return rel.Bool(false)
			}
			return e
		})
	})
}

// reduceUnique takes a grouping of single rows for what it is: the values are the row's own.
func reduceUnique(f *rel.Facts, n *rel.Reduce) rel.Rel {
	if len(n.Keys) == 0 {
		return n
	}
	var by rel.ColSet
	for _, k := range n.Keys {
		if c, ok := k.(*expr.Column); ok {
			by = by.Add(c.Index)
		}
	}
	if !f.UniqueBy(n.Input, by) {
		return n
	}
	exprs := append([]expr.Scalar(nil), n.Keys...)
	for _, a := range n.Aggs {
		if a.Fn != onlyValue && a.Fn.Extreme == 0 || a.Filter != nil || len(a.Args) != 1 || a.Args[0].Type() != a.Typ {
			return n
		}
		exprs = append(exprs, a.Args[0])
	}
	width := len(n.Input.Columns())
	cols := make([]int, len(exprs))
	for i := range cols {
		cols[i] = width + i
	}
	return &rel.Project{Input: &rel.Map{Input: n.Input, Exprs: exprs, Names: columnNames(n.Columns())}, Cols: cols}
}

func joinUnique(f *rel.Facts, n *rel.Join) rel.Rel {
	switch n.Kind {
	case rel.JoinSemi:
		if _, right := n.Matched(); !f.UniqueBy(n.Right, right) {
			break
		}
		inner := &rel.Join{Kind: rel.JoinInner, Left: n.Left, Right: n.Right, On: n.On}
		return &rel.Project{Input: inner, Cols: upTo(len(n.Left.Columns()))}
	case rel.JoinInner:
		if twice, ok := joinWithItself(f, n); ok {
			return twice
		}
	default:
	}
	return n
}

// joinWithItself takes a join of a plan with itself by a key for the plan with its columns twice.
func joinWithItself(f *rel.Facts, n *rel.Join) (rel.Rel, bool) {
	nl := len(n.Left.Columns())
	var by rel.ColSet
	var rest []expr.Scalar
	for _, e := range n.On {
		c, nulls, ok := sameColumn(e, nl)
		if ok && (nulls || f.NotNull(n.Left).Has(c) || f.NotNull(n.Right).Has(c)) {
			by = by.Add(c)
		} else {
			rest = append(rest, e)
		}
	}
	left, leftPreds := filtered(n.Left)
	right, rightPreds := filtered(n.Right)
	if by.Empty() || !f.UniqueBy(left, by) || !rel.Equal(left, right) {
		return nil, false
	}
	rest = append(mapAll(rightPreds, func(c *expr.Column) expr.Scalar { return shifted(c, nl) }), rest...)
	twice := &rel.Project{Input: left, Cols: append(upTo(nl), upTo(nl)...), Names: columnNames(n.Columns())}
	return under(twice, append(leftPreds, rest...)), true
}

// filtered takes conditions that cannot fail off a plan.
func filtered(r rel.Rel) (rel.Rel, []expr.Scalar) {
	n, ok := r.(*rel.Filter)
	if !ok {
		return r, nil
	}
	for _, e := range n.Preds {
		if rel.CanFail(e) {
			return r, nil
		}
	}
	in, preds := filtered(n.Input)
	return in, append(preds, n.Preds...)
}

// sameColumn reads a condition as the equality of a column of the left side with the one at the same place in the
// right side; nulls says that NULL equals NULL.
func sameColumn(e expr.Scalar, nl int) (col int, nulls, ok bool) {
	eq, ok := rel.AsEquality(e)
	if !ok {
		return 0, false, false
	}
	a, okA := eq.A.(*expr.Column)
	b, okB := eq.B.(*expr.Column)
	if !okA || !okB || min(a.Index, b.Index)+nl != max(a.Index, b.Index) {
		return 0, false, false
	}
	return min(a.Index, b.Index), eq.Nulls, true
}
