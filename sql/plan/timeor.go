package plan

import (
	"cmp"
	"fmt"
	"slices"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// timeArm is one way in which a condition with the time under OR can be true: all conds are, and the time is between the
// bounds.
type timeArm struct{ conds, from, until []expr.Scalar }

// mostArms is how many ways there may be: AND over ORs multiplies them.
const mostArms = 32

// timeArms reads a condition on time as ways in which it can be true; nil when it is something else.
func timeArms(e expr.Scalar) []timeArm {
	if !readsTime(e) || holdsSubquery(e) {
		return nil
	}
	return armsOf(e, false)
}

func armsOf(e expr.Scalar, not bool) []timeArm {
	switch n := e.(type) {
	case *expr.Not:
		return armsOf(n.Arg, !not)
	case *expr.And:
		if not {
			return eitherArm(n.Args, not)
		}
		return everyArm(n.Args, not)
	case *expr.Or:
		if not {
			return everyArm(n.Args, not)
		}
		return eitherArm(n.Args, not)
	}
	return leafArms(e, not)
}

func eitherArm(list []expr.Scalar, not bool) []timeArm {
	var out []timeArm
	for _, e := range list {
		arms := armsOf(e, not)
		if arms == nil || len(out)+len(arms) > mostArms {
			return nil
		}
		out = append(out, arms...)
	}
	return out
}

func everyArm(list []expr.Scalar, not bool) []timeArm {
	out := []timeArm{{}}
	for _, e := range list {
		arms := armsOf(e, not)
		if arms == nil || len(out)*len(arms) > mostArms {
			return nil
		}
		var next []timeArm
		for _, a := range out {
			for _, b := range arms {
				next = append(next, timeArm{slices.Concat(a.conds, b.conds), slices.Concat(a.from, b.from), slices.Concat(a.until, b.until)})
			}
		}
		out = next
	}
	return out
}

// leafArms reads a condition without AND and OR.
func leafArms(e expr.Scalar, not bool) []timeArm {
	if c, ok := e.(*expr.Call); ok && readsTime(c) && (c.Fn.Name == "<>" && !not || c.Fn.Name == "=" && not) {
		less, more := withOp(c, "<"), withOp(c, ">")
		if less == nil || more == nil {
			return nil
		}
		return eitherArm([]expr.Scalar{less, more}, false)
	}
	if not {
		e = &expr.Not{Arg: e}
	}
	if !readsTime(e) {
		return []timeArm{{conds: []expr.Scalar{e}}}
	}
	bounds := timeBounds(e)
	if bounds == nil {
		return nil
	}
	var arm timeArm
	for _, b := range bounds {
		if bound, since, _ := rel.AsTimeBound(b); since {
			arm.from = append(arm.from, bound)
		} else {
			arm.until = append(arm.until, bound)
		}
	}
	return []timeArm{arm}
}

// timeOrs takes the conditions with the time under OR out of a list, as ways in which they can be true, and bounds the others.
func timeOrs(preds []expr.Scalar) (plain []expr.Scalar, ors []timeOr) {
	for _, e := range boundAll(preds) {
		if arms := timeArms(e); arms != nil {
			ors = append(ors, timeOr{arms, timePlace(e)})
		} else {
			plain = append(plain, e)
		}
	}
	return plain, ors
}

// timeOr is a condition with the time under OR, and where it stands.
type timeOr struct {
	arms []timeArm
	pos  int
}

// timePlace is where the time first stands in a condition.
func timePlace(e expr.Scalar) (pos int) {
	expr.Walk(e, func(n expr.Scalar) bool {
		if isTimeCall(n) && pos == 0 {
			pos = n.(*expr.Call).Pos
		}
		return true
	})
	return pos
}

// inRanges lets the rows of a plan in and out where a condition on time can be true in several ways: each row stands once for
// every range of time in which it is.
//
//	Filter a OR ts > now() (R)   =>  Project (Filter mz_since(from), mz_before(until) (FlatMap time_ranges(…) (R)))
func inRanges(r rel.Rel, ors []timeOr) rel.Rel {
	for _, o := range ors {
		width := len(r.Columns())
		f, args := timeRanges(o.arms)
		bound := func(i int) expr.Scalar { return &expr.Column{Index: width + i, Typ: boundType, Name: f.Cols[i].Name} }
		r = &rel.FlatMap{Input: r, Fn: f, Args: args, Names: []string{"from", "until"}}
		r = &rel.Filter{Input: r, Preds: []expr.Scalar{rel.Since(bound(0), o.pos), rel.Before(bound(1), o.pos)}}
		r = &rel.Project{Input: r, Cols: upTo(width)}
	}
	return r
}

// timeRanges is a function that gives the ranges of a row, and its operands.
func timeRanges(arms []timeArm) (*expr.TableFunc, []expr.Scalar) {
	f := &expr.TableFunc{Name: "time_ranges"}
	var args []expr.Scalar
	var shape []armShape
	for _, a := range arms {
		if len(a.from)+len(a.until) == 0 {
			a.from = []expr.Scalar{&expr.Const{Val: repr.Int8(0), Typ: boundType}}
		}
		for _, bound := range slices.Concat(a.from, a.until) {
			args = append(args, where(a.conds, bound))
			f.Args = append(f.Args, boundType)
		}
		shape = append(shape, armShape{len(a.from), len(a.until)})
		f.Name += fmt.Sprintf("/%d-%d", len(a.from), len(a.until))
	}
	f.Cols = repr.RowDesc{{Name: "from", Type: boundType}, {Name: "until", Type: boundType}}
	f.Eval = func(_ *expr.Env, args []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
		for _, s := range rangesOf(shape, args) {
			if !emit([]repr.Datum{repr.Int8(s.from), repr.Int8(s.until)}) {
				break
			}
		}
		return nil
	}
	return f, args
}

var boundType = repr.TypeOf(repr.KindInt8)

// where is a bound, computed and not NULL only where conditions are true.
func where(conds []expr.Scalar, bound expr.Scalar) expr.Scalar {
	if len(conds) == 0 {
		return bound
	}
	return &expr.Case{Whens: []expr.When{{Cond: allOf(conds), Then: bound}}, Typ: boundType}
}

// armShape is how many bounds of either kind an arm has.
type armShape struct{ from, until int }

// timeRange is from one time up to another, left out.
type timeRange struct{ from, until int64 }

// rangesOf are the ranges of time in which some arm is true, apart from one another, in order. An arm of which a bound is NULL
// is never true.
func rangesOf(shape []armShape, args []repr.Datum) []timeRange {
	var all []timeRange
	for _, s := range shape {
		r, never := timeRange{0, rel.Never}, false
		for i, d := range args[:s.from+s.until] {
			switch {
			case d.IsNull():
				never = true
			case i < s.from:
				r.from = max(r.from, d.Int())
			default:
				r.until = min(r.until, d.Int())
			}
		}
		args = args[s.from+s.until:]
		if !never && r.from < r.until {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b timeRange) int { return cmp.Compare(a.from, b.from) })
	var out []timeRange
	for _, r := range all {
		if n := len(out); n > 0 && r.from <= out[n-1].until {
			out[n-1].until = max(out[n-1].until, r.until)
		} else {
			out = append(out, r)
		}
	}
	return out
}
