package opt

import (
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// factorConditions takes what all branches of an OR ask for out of it, so that it can be pushed down and become the
// key of a join.
//
//	(a AND b) OR (a AND c)  =>  a AND (b OR c)
//
// It is safe for a common condition that cannot fail; the others are still tried only where it is true.
func factorConditions(_ *Context, r rel.Rel) rel.Rel {
	return rel.Transform(r, func(r rel.Rel) rel.Rel {
		switch n := r.(type) {
		case *rel.Filter:
			if preds, changed := factorAll(n.Preds); changed {
				return &rel.Filter{Input: n.Input, Preds: preds}
			}
		case *rel.Join:
			if on, changed := factorAll(n.On); changed {
				return &rel.Join{Kind: n.Kind, Left: n.Left, Right: n.Right, On: on}
			}
		}
		return r
	})
}

func factorAll(list []expr.Scalar) (out []expr.Scalar, changed bool) {
	for _, e := range list {
		common, rest := factor(e)
		changed = changed || len(common) > 0
		if out = append(out, common...); rest != nil {
			out = append(out, rest)
		}
	}
	return out, changed
}

// factor parts a condition into conjuncts that all branches of it hold, and what is left; nil: nothing.
func factor(e expr.Scalar) (common []expr.Scalar, rest expr.Scalar) {
	or, ok := e.(*expr.Or)
	if !ok {
		return nil, e
	}
	branches := make([][]expr.Scalar, len(or.Args))
	for i, a := range or.Args {
		branches[i] = conjuncts([]expr.Scalar{a})
	}
	taken := map[string]bool{}
	for _, c := range branches[0] {
		if key := rel.FingerprintScalar(c); !taken[key] && !rel.CanFail(c) && inAll(branches[1:], key) {
			taken[key] = true
			common = append(common, c)
		}
	}
	if len(common) == 0 {
		return nil, e
	}
	args := make([]expr.Scalar, len(branches))
	for i, b := range branches {
		var left []expr.Scalar
		for _, c := range b {
			if !taken[rel.FingerprintScalar(c)] {
				left = append(left, c)
			}
		}
		if len(left) == 0 {
			return common, nil // this branch asks for no more, so neither does the OR
		}
		args[i] = and(left)
	}
	return common, &expr.Or{Args: args}
}

// inAll says whether every branch holds the condition.
func inAll(branches [][]expr.Scalar, key string) bool {
	for _, b := range branches {
		found := false
		for _, c := range b {
			found = found || rel.FingerprintScalar(c) == key
		}
		if !found {
			return false
		}
	}
	return true
}
