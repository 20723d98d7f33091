package rel

import (
	"math"

	"millrace/repr"
	"millrace/sql/expr"
)

// Temporal lets rows in and out as time goes by: a row is there at t while every From is at most t and every Until is
// more than t. The bounds are times of the logical clock, bigints over the row; where one is NULL the row is never there.
type Temporal struct {
	Input Rel
	From  []expr.Scalar
	Until []expr.Scalar
}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Temporal) IsRelation() {}

func (*Temporal) isRel() {}

// Columns are those of the input.
func (r *Temporal) Columns() repr.RowDesc { return r.Input.Columns() }

// Since is the condition that the logical time has reached a bound. Until the optimiser splits them off, conditions on
// time are moved about in this form as any other.
func Since(bound expr.Scalar, pos int) expr.Scalar { return timeBound(sinceFunc, bound, pos) }

// Before is the condition that the logical time has not reached a bound.
func Before(bound expr.Scalar, pos int) expr.Scalar { return timeBound(beforeFunc, bound, pos) }

func timeBound(f *expr.Func, bound expr.Scalar, pos int) expr.Scalar {
	return &expr.Call{Fn: f, Args: []expr.Scalar{bound}, Typ: f.Ret, Pos: pos}
}

// IsTimeBound says whether a call is one that Since or Before makes.
func IsTimeBound(c *expr.Call) bool { return c.Fn == sinceFunc || c.Fn == beforeFunc }

// AsTimeBound reads a condition made by Since (since is true) or Before.
func AsTimeBound(e expr.Scalar) (bound expr.Scalar, since, ok bool) {
	c, is := e.(*expr.Call)
	if !is || !IsTimeBound(c) {
		return nil, false, false
	}
	return c.Args[0], c.Fn == sinceFunc, true
}

var sinceFunc = timeFunc("mz_since", func(now, bound int64) bool { return now >= bound })

var beforeFunc = timeFunc("mz_before", func(now, bound int64) bool { return now < bound })

func timeFunc(name string, holds func(now, bound int64) bool) *expr.Func {
	return &expr.Func{
		Name: name, Args: []repr.Type{repr.TypeOf(repr.KindInt8)}, Ret: repr.TypeOf(repr.KindBool), Volatility: expr.Stable,
		Eval: func(env *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
			return repr.Bool(holds(int64(env.LogicalNow), args[0].Int())), nil
		},
	}
}

// The logical times that bounds may be. What lies beyond the last is never reached.
const (
	LastTime = 253402300799999 // the end of the year 9999
	Never    = math.MaxInt64
)

// Instant is the first logical time at or (after) behind what e says: a date, a timestamp in UTC, or a number of
// milliseconds since 1970. A date or timestamp is moved by offsetMicros first.
func Instant(e expr.Scalar, offsetMicros int64, after bool) expr.Scalar {
	f := &expr.Func{
		Name: "instant_at", Args: []repr.Type{e.Type(), repr.TypeOf(repr.KindInterval)}, Ret: repr.TypeOf(repr.KindInt8),
		Eval: instantAt,
	}
	if after {
		f.Name, f.Eval = "instant_after", instantAfter
	}
	args := []expr.Scalar{e}
	if offsetMicros != 0 {
		args = append(args, &expr.Const{Val: repr.Interval(0, 0, offsetMicros), Typ: repr.TypeOf(repr.KindInterval)})
	}
	f.Args = f.Args[:len(args)]
	return &expr.Call{Fn: f, Args: args, Typ: f.Ret}
}

func instantAt(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Int8(instant(args, false)), nil
}

func instantAfter(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Int8(instant(args, true)), nil
}

func instant(args []repr.Datum, after bool) int64 {
	d, by := args[0], int64(0)
	if len(args) > 1 {
		_, _, by = args[1].IntervalParts()
	}
	switch d.Kind() {
	case repr.KindDate, repr.KindTimestamp, repr.KindTimestampTZ:
		return instantOfMicros(microsOf(d), by, after)
	case repr.KindInt2, repr.KindInt4, repr.KindInt8:
		return nthMilli(d.Int(), after)
	case repr.KindFloat4, repr.KindFloat8:
		return instantOfFloat(d.Float(), after)
	default:
		return instantOfNumeric(d, after)
	}
}

// nthMilli is a whole number of milliseconds, or the next, as a bound.
func nthMilli(n int64, after bool) int64 {
	switch {
	case n < 0:
		return 0
	case n > LastTime:
		return Never
	case after:
		return n + 1
	}
	return n
}

// unixMicros is 2000-01-01, from which dates and timestamps count, in microseconds since 1970.
const unixMicros = 946684800 * 1000000

// microsOf is a date or timestamp in microseconds since 2000. Dates that no timestamp reaches are infinite.
func microsOf(d repr.Datum) int64 {
	n := d.Int()
	if d.Kind() != repr.KindDate {
		return n
	}
	switch {
	case n == repr.NegInfinity32, n < math.MinInt64/repr.MicrosPerDay:
		return repr.NegInfinity64
	case n == repr.PosInfinity32, n > math.MaxInt64/repr.MicrosPerDay:
		return repr.PosInfinity64
	}
	return n * repr.MicrosPerDay
}

func instantOfMicros(n, by int64, after bool) int64 {
	switch n {
	case repr.NegInfinity64:
		return 0
	case repr.PosInfinity64:
		return Never
	}
	for _, more := range [2]int64{by, unixMicros} {
		sum := n + more
		if more > 0 && sum < n {
			return Never
		}
		if more < 0 && sum > n {
			return 0
		}
		n = sum
	}
	ms := n / 1000
	if rest := n % 1000; rest < 0 {
		ms--
	}
	if ms*1000 == n {
		return nthMilli(ms, after)
	}
	return nthMilli(ms, true)
}

// instantOfFloat treats what is not a number as PostgreSQL does: as more than any number.
func instantOfFloat(f float64, after bool) int64 {
	switch {
	case math.IsNaN(f), f > LastTime:
		return Never
	case f < 0:
		return 0
	}
	n := math.Ceil(f)
	return nthMilli(int64(n), after && n == f)
}

// instantOfNumeric finds the first millisecond that compares as asked, whatever the digits.
func instantOfNumeric(d repr.Datum, after bool) int64 {
	if n, scale, ok := d.NumericSmall(); ok && scale == 0 {
		return nthMilli(n, after)
	}
	least := 0
	if after {
		least = 1
	}
	return FirstTime(func(t int64) bool { return repr.Compare(repr.Numeric(t, 0), d) >= least })
}

// FirstTime is the first time for which a condition holds that, once true, stays true; Never when there is none.
func FirstTime(holds func(t int64) bool) int64 {
	lo, hi := int64(0), int64(LastTime)+1
	for lo < hi {
		mid := lo + (hi-lo)/2
		if holds(mid) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if lo > LastTime {
		return Never
	}
	return lo
}
