package plan

import (
	"slices"

	"millrace/internal/check"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/fn"
	"millrace/sql/rel"
)

// timeFuncs are the functions that give the time. In a maintained view it is the time of the tick; those of
// timestamps are in UTC.
var timeFuncs = map[string]bool{
	"now": true, "current_timestamp": true, "transaction_timestamp": true, "statement_timestamp": true,
	"localtimestamp": true, "current_date": true, "mz_now": true, "mz_logical_timestamp": true,
}

// isTimeCall says whether an expression is the call of a function that gives the time.
func isTimeCall(e expr.Scalar) bool {
	c, ok := e.(*expr.Call)
	return ok && len(c.Args) == 0 && timeFuncs[c.Fn.Name]
}

// readsTime says whether the time stands in an expression, subqueries not included.
func readsTime(e expr.Scalar) bool { return expr.Any(e, isTimeCall) }

func isCallOf(e expr.Scalar, name string) bool {
	c, ok := e.(*expr.Call)
	return ok && c.Fn.Name == name && len(c.Args) == 0
}

// logicalOperands lets mz_now() be a number of milliseconds where it meets a number.
func logicalOperands(list []expr.Scalar) []expr.Scalar {
	for i, e := range list {
		if isCallOf(e, "mz_now") && isNumber(list[1-i].Type().Kind) {
			list = slices.Clone(list)
			list[i] = logicalMillis(e)
		}
	}
	return list
}

// logicalMillis is mz_now() as a number.
func logicalMillis(now expr.Scalar) expr.Scalar {
	f, err := fn.Resolve("mz_logical_timestamp", nil)
	check.That(err == nil, "mz_logical_timestamp: %v", err)
	return &expr.Call{Fn: f, Typ: f.Ret, Pos: now.(*expr.Call).Pos}
}

// boundTimes finds the conditions of a plan that compare the time with an expression over the row, and puts in their
// place the bounds between which they hold: rel.Since and rel.Before.
//
//	ts > now() - interval '5 minutes'   =>   mz_before(first time for which it is not true)
//
// Conditions that it can't read so stay as they are.
func boundTimes(r rel.Rel) rel.Rel {
	switch n := r.(type) {
	case *rel.Filter:
		plain, ors := timeOrs(n.Preds)
		if r = n.Input; len(plain) > 0 {
			r = &rel.Filter{Input: n.Input, Preds: plain}
		}
		r = inRanges(r, ors)
	case *rel.Join:
		if n.Kind == rel.JoinInner {
			plain, ors := timeOrs(n.On)
			r = inRanges(&rel.Join{Left: n.Left, Right: n.Right, On: plain}, ors)
			break
		}
		r = &rel.Join{Kind: n.Kind, Left: n.Left, Right: n.Right, On: boundAll(n.On)}
	case *rel.Apply:
		r = &rel.Apply{Kind: n.Kind, Left: n.Left, Right: n.Right, On: boundAll(n.On)}
	}
	r = rel.MapScalars(r, func(e expr.Scalar) expr.Scalar { return expr.Transform(e, boundSubquery) })
	return rel.MapChildren(r, boundTimes)
}

func boundSubquery(e expr.Scalar) expr.Scalar {
	q, ok := e.(*expr.Subquery)
	if !ok {
		return e
	}
	c := *q
	c.Query = boundTimes(q.Query.(rel.Rel))
	return &c
}

// boundAll rewrites the conditions of a list that must all be true.
func boundAll(preds []expr.Scalar) []expr.Scalar {
	var out []expr.Scalar
	for _, e := range preds {
		if and, ok := e.(*expr.And); ok {
			out = append(out, boundAll(and.Args)...)
			continue
		}
		if bounds := timeBounds(e); bounds != nil {
			out = append(out, bounds...)
			continue
		}
		out = append(out, e)
	}
	return out
}

// mirrored are the comparisons with their operands changed over, negated those that are true when they are false.
var (
	mirrored = map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
	negated  = map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
)

// timeBounds reads one condition as bounds; nil when it is something else.
func timeBounds(e expr.Scalar) []expr.Scalar {
	op := ""
	if not, ok := e.(*expr.Not); ok {
		e, op = not.Arg, "not"
	}
	c, ok := e.(*expr.Call)
	if !ok || len(c.Args) != 2 || mirrored[c.Fn.Name] == "" || !readsTime(c) {
		return nil
	}
	if op == "not" {
		if op = negated[c.Fn.Name]; op == "" {
			return nil
		}
		if c = withOp(c, op); c == nil {
			return nil
		}
	}
	if bounds := exactBounds(c); bounds != nil {
		return bounds
	}
	return searchedBounds(c)
}

// withOp is the comparison of the same operands by another operator.
func withOp(c *expr.Call, op string) *expr.Call {
	l, r := c.Args[0].Type(), c.Args[1].Type()
	f, err := fn.ResolveOperator(op, &l, &r)
	if err != nil || len(f.Args) != 2 || f.Args[0] != c.Fn.Args[0] || f.Args[1] != c.Fn.Args[1] {
		return nil
	}
	return &expr.Call{Fn: f, Args: c.Args, Typ: c.Typ, Pos: c.Pos}
}

// exactBounds reads comparisons whose bound can be computed at once: of the time with a timestamp or a number of
// milliseconds, either side moved by constant intervals without months.
func exactBounds(c *expr.Call) []expr.Scalar {
	if bounds := elapsedBounds(c); bounds != nil {
		return bounds
	}
	op, left, right := c.Fn.Name, peel(c.Args[0]), peel(c.Args[1])
	if !isTimeCall(left.core) {
		op, left, right = mirrored[op], right, left
	}
	if !isTimeCall(left.core) || readsTime(right.core) {
		return nil
	}
	if left.core.(*expr.Call).Fn.Name == "mz_logical_timestamp" {
		if right.core = unwidened(right.core); !isNumber(right.core.Type().Kind) {
			return nil
		}
	} else if !isMoment(left.core.Type().Kind) || !isPlace(right.core.Type().Kind) {
		return nil
	}
	offset, ok := minus(right.offset, left.offset)
	if !ok {
		return nil
	}
	return compared(op, right.core, offset, c.Pos)
}

// unwidened is an integer before it was cast to numeric.
func unwidened(e expr.Scalar) expr.Scalar {
	c, ok := e.(*expr.Call)
	if !ok || c.Fn.Name != "numeric" || len(c.Args) != 1 || c.Typ.HasMod() {
		return e
	}
	switch c.Args[0].Type().Kind {
	case repr.KindInt2, repr.KindInt4, repr.KindInt8:
		return c.Args[0]
	default:
		return e
	}
}

// elapsedBounds reads now() - ts < interval '5 minutes' and the like.
func elapsedBounds(c *expr.Call) []expr.Scalar {
	op, side, limit := c.Fn.Name, c.Args[0], c.Args[1]
	if readsTime(limit) {
		op, side, limit = mirrored[op], limit, side
	}
	length, ok := constInterval(limit)
	diff, isCall := side.(*expr.Call)
	if !ok || !isCall || diff.Fn.Name != "-" || len(diff.Args) != 2 || diff.Typ.Kind != repr.KindInterval {
		return nil
	}
	a, b := peel(diff.Args[0]), peel(diff.Args[1])
	if !isPlace(a.core.Type().Kind) || !isPlace(b.core.Type().Kind) {
		return nil
	}
	offset, ok := minus(b.offset, a.offset)
	if !ok {
		return nil
	}
	switch {
	case isMoment(a.core.Type().Kind) && isTimeCall(a.core) && !readsTime(b.core):
		// time + a - (core + b) op length
		if offset, ok = minus(offset, -length); !ok {
			return nil
		}
		return compared(op, b.core, offset, c.Pos)
	case isMoment(b.core.Type().Kind) && isTimeCall(b.core) && !readsTime(a.core):
		// core + a - (time + b) op length
		if offset, ok = minus(-offset, length); !ok {
			return nil
		}
		return compared(mirrored[op], a.core, offset, c.Pos)
	}
	return nil
}

// compared are the bounds of "the time op what + offset".
func compared(op string, what expr.Scalar, offset int64, pos int) []expr.Scalar {
	at := rel.Instant(what, offset, false)
	after := rel.Instant(what, offset, true)
	switch op {
	case ">=":
		return []expr.Scalar{rel.Since(at, pos)}
	case ">":
		return []expr.Scalar{rel.Since(after, pos)}
	case "<":
		return []expr.Scalar{rel.Before(at, pos)}
	case "<=":
		return []expr.Scalar{rel.Before(after, pos)}
	}
	return []expr.Scalar{rel.Since(at, pos), rel.Before(after, pos)}
}

// peeled is an expression that was moved by constant intervals.
type peeled struct {
	core   expr.Scalar
	offset int64 // microseconds
}

// peel takes constant intervals without months off a timestamp, and casts between timestamps with and without zone,
// which in a maintained view are the same instants.
func peel(e expr.Scalar) peeled {
	offset := int64(0)
	for {
		c, ok := e.(*expr.Call)
		if !ok {
			return peeled{e, offset}
		}
		inner, by, ok := shiftOf(c)
		if !ok {
			return peeled{e, offset}
		}
		sum, fits := minus(offset, -by)
		if !fits {
			return peeled{e, offset}
		}
		e, offset = inner, sum
	}
}

// shiftOf reads a call as an operand moved by so many microseconds.
func shiftOf(c *expr.Call) (inner expr.Scalar, by int64, ok bool) {
	if !isMoment(c.Typ.Kind) || c.Typ.HasMod() {
		return nil, 0, false
	}
	switch {
	case len(c.Args) == 1 && isMoment(c.Args[0].Type().Kind) && c.Fn.Name == repr.Kinds[c.Typ.Kind].Name:
		return c.Args[0], 0, true
	case len(c.Args) != 2 || c.Fn.Name != "+" && c.Fn.Name != "-":
		return nil, 0, false
	}
	if by, ok = constInterval(c.Args[1]); ok && isPlace(c.Args[0].Type().Kind) {
		if c.Fn.Name == "-" {
			by = -by
		}
		return c.Args[0], by, true
	}
	if by, ok = constInterval(c.Args[0]); ok && isPlace(c.Args[1].Type().Kind) && c.Fn.Name == "+" {
		return c.Args[1], by, true
	}
	return nil, 0, false
}

// constInterval is a constant interval that always lasts the same time, in microseconds.
func constInterval(e expr.Scalar) (micros int64, ok bool) {
	if e.Type().Kind != repr.KindInterval || dependent(e) || expr.Any(e, isColumn) || expr.VolatilityOf(e) != expr.Immutable {
		return 0, false
	}
	d, err := expr.Compile(e, &expr.Env{})(&expr.Row{})
	if err != nil || d.IsNull() {
		return 0, false
	}
	months, days, rest := d.IntervalParts()
	const mostDays = 100_000_000 // what lies beyond, timestamps can't hold
	const most = mostDays * repr.MicrosPerDay
	if months != 0 || days > mostDays || days < -mostDays || rest > most || rest < -most {
		return 0, false
	}
	return int64(days)*repr.MicrosPerDay + rest, true
}

func isColumn(e expr.Scalar) bool {
	switch e.(type) {
	case *expr.Column, *expr.Outer:
		return true
	}
	return false
}

func isMoment(k repr.Kind) bool { return k == repr.KindTimestamp || k == repr.KindTimestampTZ }

// isPlace says whether values of a kind are a point on the line of time.
func isPlace(k repr.Kind) bool { return isMoment(k) || k == repr.KindDate }

func isNumber(k repr.Kind) bool {
	switch k {
	case repr.KindInt2, repr.KindInt4, repr.KindInt8, repr.KindNumeric, repr.KindFloat4, repr.KindFloat8:
		return true
	default:
		return false
	}
}

// minus is a - b, unless that is too large.
func minus(a, b int64) (int64, bool) {
	d := a - b
	return d, (d < a) == (b > 0)
}
