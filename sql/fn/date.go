package fn

import (
	"math"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

const (
	microsPerSecond = 1000000
	microsPerMinute = 60 * microsPerSecond
	microsPerHour   = 60 * microsPerMinute
)

// dateOperators are the operators of dates, times and intervals.
var dateOperators = []row{
	{sig: "+(date, integer) date", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return addDays(a[0], a[1].Int()) }},
	{sig: "+(integer, date) date", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return addDays(a[1], a[0].Int()) }},
	{sig: "-(date, integer) date", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return addDays(a[0], -a[1].Int()) }},
	{sig: "-(date, date) integer", eval: dateDifference},
	{sig: "+(date, time) timestamp", eval: dateAndTime(0, 1)},
	{sig: "+(time, date) timestamp", eval: dateAndTime(1, 0)},
	{sig: "+(date, interval) timestamp", eval: shiftDate(0, 1, 1)},
	{sig: "+(interval, date) timestamp", eval: shiftDate(1, 0, 1)},
	{sig: "-(date, interval) timestamp", eval: shiftDate(0, 1, -1)},
	{sig: "+(time, interval) time", eval: shiftTime(0, 1, 1)},
	{sig: "+(interval, time) time", eval: shiftTime(1, 0, 1)},
	{sig: "-(time, interval) time", eval: shiftTime(0, 1, -1)},
	{sig: "-(time, time) interval", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Interval(0, 0, a[0].Int()-a[1].Int()), nil
	}},
	{sig: "+(timestamp, interval) timestamp", eval: shiftTimestamp(0, 1, 1), ofInt: shiftOfInt(1, 1, true)},
	{sig: "+(interval, timestamp) timestamp", eval: shiftTimestamp(1, 0, 1), ofInt: shiftOfInt(0, 1, true)},
	{sig: "-(timestamp, interval) timestamp", eval: shiftTimestamp(0, 1, -1), ofInt: shiftOfInt(1, -1, true)},
	{sig: "-(timestamp, timestamp) interval", eval: timestampDifference},
	{sig: "+(timestamptz, interval) timestamptz", eval: shiftMoment(0, 1, 1), ofInt: shiftOfInt(1, 1, false)},
	{sig: "+(interval, timestamptz) timestamptz", eval: shiftMoment(1, 0, 1), ofInt: shiftOfInt(0, 1, false)},
	{sig: "-(timestamptz, interval) timestamptz", eval: shiftMoment(0, 1, -1), ofInt: shiftOfInt(1, -1, false)},
	{sig: "-(timestamptz, timestamptz) interval", eval: timestampDifference},
	{sig: "+(interval, interval) interval", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return addIntervals(a[0], a[1], 1) }},
	{sig: "-(interval, interval) interval", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return addIntervals(a[0], a[1], -1) }},
	{sig: "-(interval) interval", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return addIntervals(repr.Interval(0, 0, 0), a[0], -1)
	}},
	{sig: "*(interval, double precision) interval", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		f := a[1].Float()
		return scaleInterval(a[0], func(x float64) float64 { return x * f })
	}},
	{sig: "*(double precision, interval) interval", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		f := a[0].Float()
		return scaleInterval(a[1], func(x float64) float64 { return x * f })
	}},
	{sig: "/(interval, double precision) interval", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		f := a[1].Float()
		if f == 0 {
			return repr.Null, divisionByZero()
		}
		return scaleInterval(a[0], func(x float64) float64 { return x / f })
	}},
}

func addDays(d repr.Datum, n int64) (repr.Datum, *repr.Error) {
	if isInfinite(d) {
		return d, nil
	}
	days := d.Int() + n
	if days < pgfmt.MinDate || days >= pgfmt.EndDate {
		return repr.Null, dateRange()
	}
	return repr.Date(int32(days)), nil
}

func dateDifference(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if isInfinite(a[0]) || isInfinite(a[1]) {
		return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, "cannot subtract infinite dates")
	}
	return repr.Int4(int32(a[0].Int() - a[1].Int())), nil
}

func dateAndTime(date, time int) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		d, err := timestampOf(a[date])
		if err != nil || isInfinite(d) {
			return d, err
		}
		return inRange(kTimestamp, d.Int()+a[time].Int())
	}
}

func inRange(k repr.Kind, micros int64) (repr.Datum, *repr.Error) {
	if !pgfmt.TimestampInRange(micros) {
		return repr.Null, timestampRange()
	}
	return repr.IntOf(k, micros), nil
}

// shift moves a local timestamp by months, then days, then microseconds; the day is the month's last where it has no such.
func shift(micros int64, by repr.Datum, sign int64) (int64, bool) {
	months, days, rest := by.IntervalParts()
	if months != 0 {
		day, ofDay := pgfmt.SplitTimestamp(micros)
		y, m, d := pgfmt.CivilFromDays(day)
		m += int(int64(months) * sign)
		first := pgfmt.DaysFromCivil(y, m, 1)
		y, m, _ = pgfmt.CivilFromDays(first)
		micros = (first+int64(min(d, pgfmt.DaysIn(y, m)))-1)*repr.MicrosPerDay + ofDay
	}
	n, ok := addInt(micros, int64(days)*sign*repr.MicrosPerDay)
	if !ok {
		return 0, false
	}
	return addInt(n, rest*sign)
}

func shiftTimestamp(at, by int, sign int64) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if isInfinite(a[at]) {
			return a[at], nil
		}
		n, ok := shift(a[at].Int(), a[by], sign)
		if !ok {
			return repr.Null, timestampRange()
		}
		return inRange(kTimestamp, n)
	}
}

func shiftDate(at, by int, sign int64) evalFunc {
	move := shiftTimestamp(0, 1, sign)
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		d, err := timestampOf(a[at])
		if err != nil {
			return repr.Null, err
		}
		return move(env, []repr.Datum{d, a[by]})
	}
}

// shiftMoment moves months and days by the calendar of the session's zone, and microseconds by the clock.
func shiftMoment(at, by int, sign int64) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if isInfinite(a[at]) {
			return a[at], nil
		}
		months, days, rest := a[by].IntervalParts()
		n := a[at].Int()
		var ok bool
		if months != 0 || days != 0 {
			loc := location(env)
			n, ok = shift(pgfmt.ToLocal(n, loc), repr.Interval(months, days, 0), sign)
			if !ok || !pgfmt.TimestampInRange(n) {
				return repr.Null, timestampRange()
			}
			n = pgfmt.FromLocal(n, loc)
		}
		if n, ok = addInt(n, rest*sign); !ok {
			return repr.Null, timestampRange()
		}
		return inRange(kTimestampTZ, n)
	}
}

func shiftTime(at, by int, sign int64) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		_, _, micros := a[by].IntervalParts()
		_, ofDay := pgfmt.SplitTimestamp(a[at].Int() + micros%repr.MicrosPerDay*sign)
		return repr.TimeOfDay(ofDay), nil
	}
}

func timestampDifference(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if isInfinite(a[0]) || isInfinite(a[1]) {
		return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, "cannot subtract infinite timestamps")
	}
	n, ok := subInt(a[0].Int(), a[1].Int())
	if !ok {
		return repr.Null, intervalRange()
	}
	return repr.Interval(0, int32(n/repr.MicrosPerDay), n%repr.MicrosPerDay), nil
}

func fits32(n int64) bool { return n >= math.MinInt32 && n <= math.MaxInt32 }

// makeInterval is the interval, unless a part is too large.
func makeInterval(months, days, micros int64) (repr.Datum, *repr.Error) {
	if !fits32(months) || !fits32(days) {
		return repr.Null, intervalRange()
	}
	return repr.Interval(int32(months), int32(days), micros), nil
}

func addIntervals(a, b repr.Datum, sign int64) (repr.Datum, *repr.Error) {
	am, ad, au := a.IntervalParts()
	bm, bd, bu := b.IntervalParts()
	if sign < 0 && bu == math.MinInt64 {
		return repr.Null, intervalRange()
	}
	micros, ok := addInt(au, bu*sign)
	if !ok {
		return repr.Null, intervalRange()
	}
	return makeInterval(int64(am)+int64(bm)*sign, int64(ad)+int64(bd)*sign, micros)
}

// toMicros rounds seconds or days to the microsecond of their unit.
func toMicros(x float64) float64 { return math.RoundToEven(x*microsPerSecond) / microsPerSecond }

// scaleInterval multiplies each part; what is left of months goes to days, and of days to seconds.
func scaleInterval(d repr.Datum, times func(float64) float64) (repr.Datum, *repr.Error) {
	months, days, micros := d.IntervalParts()
	fm, fd, fu := times(float64(months)), times(float64(days)), times(float64(micros))
	if math.IsNaN(fm+fd+fu) || math.Abs(fm) > math.MaxInt32 || math.Abs(fd) > math.MaxInt32 {
		return repr.Null, intervalRange()
	}
	const secondsPerDay = 24 * 60 * 60
	restDays := toMicros((fm - math.Trunc(fm)) * 30)
	restSeconds := toMicros((fd - math.Trunc(fd) + restDays - math.Trunc(restDays)) * secondsPerDay)
	whole := math.Trunc(fd)
	if math.Abs(restSeconds) >= secondsPerDay {
		whole += math.Trunc(restSeconds / secondsPerDay)
		restSeconds -= math.Trunc(restSeconds/secondsPerDay) * secondsPerDay
	}
	whole += math.Trunc(restDays)
	total := math.RoundToEven(fu + restSeconds*microsPerSecond)
	if total >= math.MaxInt64 || total <= math.MinInt64 {
		return repr.Null, intervalRange()
	}
	return makeInterval(int64(math.Trunc(fm)), int64(whole), int64(total))
}
