package rel

import (
	"slices"

	"millrace/repr"
	"millrace/sql/expr"
)

// Grows says whether rows of a plan only ever come: while no collection takes back a row of which its Get says that it
// only grows, no change takes one away from the plan either. Then an operator over it need not keep what has lost already.
//
// It holds at every step, not only in the sum of several: no operator that is named here puts out a retraction of what it
// has put out itself. What is not named may do so.
func (f *Facts) Grows(r Rel) bool {
	if is, ok := f.grows[r]; ok {
		return is
	}
	f.grows[r] = false // what refers to itself says nothing
	is := f.growsOf(r)
	f.grows[r] = is
	return is
}

func (f *Facts) growsOf(r Rel) bool {
	switch r := r.(type) {
	case *Get:
		return r.Grows
	case *Values:
		return true
	case *Filter:
		return f.Grows(r.Input) && !slices.ContainsFunc(r.Preds, hasTimeBound)
	case *Map, *Project, *FlatMap:
		return f.Grows(Children(r)[0])
	case *Join:
		return (r.Kind == JoinInner || r.Kind == JoinSemi) && f.Grows(r.Left) && f.Grows(r.Right)
	case *Reduce:
		return len(r.Aggs) == 0 && keysPrintAlike(r.Columns()) && f.Grows(r.Input)
	case *Distinct:
		return keysPrintAlike(r.Columns()) && f.Grows(r.Input)
	case *TopK:
		return r.Limit == nil && r.Offset == nil && f.Grows(r.Input)
	case *Union:
		return !slices.ContainsFunc(r.Inputs, func(in Rel) bool { return !f.Grows(in) })
	case *Threshold:
		return f.Grows(r.Input)
	case *Let:
		return f.Grows(r.Body)
	case *Ref:
		value, ok := f.lets[r.ID]
		return ok && f.Grows(value)
	}
	return false
}

// reads says whether anything of a plan comes from a collection.
func (f *Facts) reads(r Rel) bool {
	found := false
	Walk(r, func(r Rel) bool {
		switch n := r.(type) {
		case *Get:
			found = true
		case *Ref:
			found = found || f.lets[n.ID] != nil && f.reads(f.lets[n.ID])
		}
		return !found
	})
	return found
}

// keysPrintAlike says whether equal values of all columns print alike. Where they don't, the printed form that stands for
// a group may change when another comes.
func keysPrintAlike(cols repr.RowDesc) bool {
	return !slices.ContainsFunc(cols, func(c repr.Column) bool { return !c.Type.Kind.KeyIsValue() })
}

func hasTimeBound(e expr.Scalar) bool {
	return expr.Any(e, func(e expr.Scalar) bool {
		c, ok := e.(*expr.Call)
		return ok && IsTimeBound(c)
	})
}

// KeepsWinners says whether a Reduce or TopK keeps no more of its groups than the rows that win, for its input only grows, and
// is more than constants.
func (f *Facts) KeepsWinners(r Rel) bool {
	switch r := r.(type) {
	case *Reduce:
		extreme := slices.ContainsFunc(r.Aggs, func(a Agg) bool { return a.Fn.Extreme != 0 })
		chosen := slices.ContainsFunc(r.Keys, func(k expr.Scalar) bool { return !k.Type().Kind.KeyIsValue() })
		return (extreme || chosen) && f.Grows(r.Input) && f.reads(r.Input)
	case *TopK:
		return r.Limit != nil && f.Grows(r.Input) && f.reads(r.Input)
	}
	return false
}
