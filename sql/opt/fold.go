package opt

import (
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// foldConstants evaluates what depends on no row, and drops conditions that are always true. A filter or inner join
// under a condition that never is true becomes the empty collection.
//
//	Filter false (R)  =>  Values empty
//
// It is always safe: what would fail is left to fail where it stands, if it is evaluated.
func foldConstants(c *Context, r rel.Rel) rel.Rel {
	return rel.Transform(r, func(r rel.Rel) rel.Rel {
		r = rel.MapScalars(r, func(e expr.Scalar) expr.Scalar {
			return expr.Fold(expr.Transform(e, nullOfNull), c.Env, c.Fold)
		})
		switch n := r.(type) {
		case *rel.Filter:
			preds, never := foldConditions(n.Preds)
			if never {
				return empty(r)
			}
			if len(preds) == 0 {
				return n.Input
			}
			return &rel.Filter{Input: n.Input, Preds: preds}
		case *rel.Join:
			on, never := foldConditions(n.On)
			if never && (n.Kind == rel.JoinInner || n.Kind == rel.JoinSemi) {
				return empty(r)
			}
			if never {
				on = []expr.Scalar{rel.Bool(false)}
			}
			return &rel.Join{Kind: n.Kind, Left: n.Left, Right: n.Right, On: on}
		}
		return r
	})
}

// nullOfNull is NULL for a call that has a NULL among its operands and gives NULL then.
func nullOfNull(e expr.Scalar) expr.Scalar {
	c, ok := e.(*expr.Call)
	if !ok || c.Fn.NullCalled || rel.CanFail(e) {
		return e
	}
	for _, a := range c.Args {
		if k, ok := a.(*expr.Const); ok && k.Val.IsNull() {
			return rel.Null(c.Typ)
		}
	}
	return e
}

// foldConditions are the conjuncts without those that are true and those that stand there already; never says that
// one is false or NULL.
func foldConditions(list []expr.Scalar) (out []expr.Scalar, never bool) {
	seen := map[string]bool{}
	for _, e := range conjuncts(list) {
		if k, ok := e.(*expr.Const); ok {
			if !k.Val.Bool() {
				return nil, true
			}
			continue
		}
		if key := rel.FingerprintScalar(e); !seen[key] {
			seen[key] = true
			out = append(out, e)
		}
	}
	return out, false
}

// empty is the empty collection with the columns of a plan.
func empty(r rel.Rel) rel.Rel { return &rel.Values{Cols: r.Columns()} }

func isEmpty(r rel.Rel) bool {
	v, ok := r.(*rel.Values)
	return ok && len(v.Rows) == 0
}
