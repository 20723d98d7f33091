package fn

import (
	"math"
	"math/bits"
	"strconv"
	"time"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// dateFunctions are the functions of dates and times but for their parts.
var dateFunctions = []row{
	{sig: "now() timestamptz", vol: expr.Stable, eval: now},
	{sig: "transaction_timestamp() timestamptz", vol: expr.Stable, eval: now},
	{sig: "statement_timestamp() timestamptz", vol: expr.Stable, eval: now},
	{sig: "clock_timestamp() timestamptz", vol: expr.Stable, eval: now},
	{sig: "current_timestamp() timestamptz", vol: expr.Stable, eval: now},
	{sig: "localtimestamp() timestamp", vol: expr.Stable, eval: func(env *expr.Env, _ []repr.Datum) (repr.Datum, *repr.Error) {
		return localOf(env, nowOf(env)), nil
	}},
	{sig: "current_date() date", vol: expr.Stable, eval: func(env *expr.Env, _ []repr.Datum) (repr.Datum, *repr.Error) {
		return today(env), nil
	}},
	{sig: "localtime() time", vol: expr.Stable, eval: func(env *expr.Env, _ []repr.Datum) (repr.Datum, *repr.Error) {
		_, ofDay := pgfmt.SplitTimestamp(localOf(env, nowOf(env)).Int())
		return repr.TimeOfDay(ofDay), nil
	}},
	{sig: "mz_now() timestamptz", vol: expr.Stable, eval: func(env *expr.Env, _ []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.TimestampTZ(int64(env.LogicalNow)*1000 - pgfmt.EpochSeconds*microsPerSecond), nil
	}},
	{sig: "mz_logical_timestamp() numeric", vol: expr.Stable, eval: func(env *expr.Env, _ []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Numeric(int64(env.LogicalNow), 0), nil
	}},
	{sig: "to_timestamp(double precision) timestamptz", eval: fromEpoch},
	{sig: "age(timestamp, timestamp) interval", eval: age},
	{sig: "age(timestamptz, timestamptz) interval", eval: func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return age(env, []repr.Datum{localOf(env, a[0]), localOf(env, a[1])})
	}},
	{sig: "age(timestamp) interval", vol: expr.Stable, eval: func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return age(env, []repr.Datum{repr.Timestamp(today(env).Int() * repr.MicrosPerDay), a[0]})
	}},
	{sig: "age(timestamptz) interval", vol: expr.Stable, eval: func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return age(env, []repr.Datum{repr.Timestamp(today(env).Int() * repr.MicrosPerDay), localOf(env, a[0])})
	}},
	{sig: "date_bin(interval, timestamp, timestamp) timestamp", eval: dateBin, ofInt: binOfInt},
	{sig: "date_bin(interval, timestamptz, timestamptz) timestamptz", eval: dateBin, ofInt: binOfInt},
	{sig: "make_date(integer, integer, integer) date", eval: makeDate},
	{sig: "make_time(integer, integer, double precision) time", eval: makeTime},
	{sig: "make_timestamp(integer, integer, integer, integer, integer, double precision) timestamp", eval: makeTimestamp},
	{sig: "make_timestamptz(integer, integer, integer, integer, integer, double precision) timestamptz", eval: makeMoment},
	{sig: "make_timestamptz(integer, integer, integer, integer, integer, double precision, text) timestamptz", eval: makeMoment},
	{sig: "make_interval(integer) interval", eval: intervalOfParts},
	{sig: "make_interval(integer, integer) interval", eval: intervalOfParts},
	{sig: "make_interval(integer, integer, integer) interval", eval: intervalOfParts},
	{sig: "make_interval(integer, integer, integer, integer) interval", eval: intervalOfParts},
	{sig: "make_interval(integer, integer, integer, integer, integer) interval", eval: intervalOfParts},
	{sig: "make_interval(integer, integer, integer, integer, integer, integer) interval", eval: intervalOfParts},
	{sig: "make_interval(integer, integer, integer, integer, integer, integer, double precision) interval", eval: intervalOfParts},
	{sig: "isfinite(date) boolean", eval: isFinite},
	{sig: "isfinite(timestamp) boolean", eval: isFinite},
	{sig: "isfinite(timestamptz) boolean", eval: isFinite},
	{sig: "isfinite(interval) boolean", eval: func(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) { return repr.Bool(true), nil }},
	{sig: "justify_days(interval) interval", eval: justify(false, true)},
	{sig: "justify_hours(interval) interval", eval: justify(true, false)},
	{sig: "justify_interval(interval) interval", eval: justify(true, true)},
	{sig: "timezone(text, timestamp) timestamptz", eval: zoned(toMoment)},
	{sig: "timezone(text, timestamptz) timestamp", eval: zoned(toLocal)},
	{sig: "timezone(interval, timestamp) timestamptz", eval: zonedBy(toMoment)},
	{sig: "timezone(interval, timestamptz) timestamp", eval: zonedBy(toLocal)},
	{sig: "overlaps(timestamp, timestamp, timestamp, timestamp) boolean", nulls: true, eval: overlaps},
	{sig: "overlaps(timestamptz, timestamptz, timestamptz, timestamptz) boolean", nulls: true, eval: overlaps},
}

func nowOf(env *expr.Env) repr.Datum { return repr.TimestampTZ(pgfmt.FromTime(env.Now)) }

func now(env *expr.Env, _ []repr.Datum) (repr.Datum, *repr.Error) { return nowOf(env), nil }

func today(env *expr.Env) repr.Datum {
	days, _ := pgfmt.SplitTimestamp(localOf(env, nowOf(env)).Int())
	return repr.Date(int32(days))
}

func fromEpoch(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	f := a[0].Float()
	switch {
	case math.IsNaN(f):
		return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, "timestamp cannot be NaN")
	case math.IsInf(f, 1):
		return repr.TimestampTZ(repr.PosInfinity64), nil
	case math.IsInf(f, -1):
		return repr.TimestampTZ(repr.NegInfinity64), nil
	}
	micros := math.RoundToEven((f - pgfmt.EpochSeconds) * microsPerSecond)
	if micros < pgfmt.MinTimestamp || micros >= pgfmt.EndTimestamp {
		return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, `timestamp out of range: "`+strconv.FormatFloat(f, 'g', 6, 64)+`"`)
	}
	return repr.TimestampTZ(int64(micros)), nil
}

// calendar is a timestamp in the fields of its calendar.
type calendar struct{ year, month, day, hour, minute, second, micro int }

func calendarOf(micros int64) calendar {
	days, ofDay := pgfmt.SplitTimestamp(micros)
	y, m, d := pgfmt.CivilFromDays(days)
	return calendar{
		year: y, month: m, day: d, hour: int(ofDay / microsPerHour), minute: int(ofDay / microsPerMinute % 60),
		second: int(ofDay / microsPerSecond % 60), micro: int(ofDay % microsPerSecond),
	}
}

func (c calendar) ofDay() int64 {
	return int64(c.hour)*microsPerHour + int64(c.minute)*microsPerMinute + int64(c.second)*microsPerSecond + int64(c.micro)
}

// age is the difference in years, months and days of the calendar.
func age(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if isInfinite(a[0]) || isInfinite(a[1]) {
		return repr.Null, timestampRange()
	}
	x, y := calendarOf(a[0].Int()), calendarOf(a[1].Int())
	neg := a[0].Int() < a[1].Int()
	if neg {
		x, y = y, x
	}
	micros := x.ofDay() - y.ofDay()
	days, months := x.day-y.day, (x.year-y.year)*12+x.month-y.month
	if micros < 0 {
		micros += repr.MicrosPerDay
		days--
	}
	for days < 0 {
		days += pgfmt.DaysIn(y.year, y.month) // of the earlier one
		months--
	}
	if neg {
		return repr.Interval(int32(-months), int32(-days), -micros), nil
	}
	return repr.Interval(int32(months), int32(days), micros), nil
}

func dateBin(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	months, days, rest := a[0].IntervalParts()
	if isInfinite(a[1]) {
		return a[1], nil
	}
	if isInfinite(a[2]) {
		return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, "origin out of range")
	}
	if months != 0 {
		return repr.Null, repr.NewError(repr.CodeFeatureNotSupported, "timestamps cannot be binned into intervals containing months or years")
	}
	stride, ok := addInt(int64(days)*repr.MicrosPerDay, rest)
	if hi, _ := bits.Mul64(uint64(max(int64(days), -int64(days))), repr.MicrosPerDay); !ok || hi != 0 {
		return repr.Null, intervalRange()
	}
	if stride <= 0 {
		return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, "stride must be greater than zero")
	}
	since := a[1].Int() - a[2].Int()
	bin := since - since%stride
	if since < 0 && since%stride != 0 {
		bin -= stride
	}
	return inRange(a[1].Kind(), a[2].Int()+bin)
}

func fieldRange(what, value string) *repr.Error {
	return repr.NewError(repr.CodeDatetimeOverflow, what+" field value out of range: "+value)
}

func makeDate(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	y, m, d := int(a[0].Int()), int(a[1].Int()), int(a[2].Int())
	bad := fieldRange("date", strconv.Itoa(y)+"-"+twoDigits(m)+"-"+twoDigits(d))
	if y < 0 {
		y++
	} else if y == 0 {
		return repr.Null, bad
	}
	if m < 1 || m > 12 || d < 1 || d > pgfmt.DaysIn(y, m) {
		return repr.Null, bad
	}
	days := pgfmt.DaysFromCivil(y, m, d)
	if days < pgfmt.MinDate || days >= pgfmt.EndDate {
		return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, "date out of range: "+strconv.Itoa(y)+"-"+twoDigits(m)+"-"+twoDigits(d))
	}
	return repr.Date(int32(days)), nil
}

func twoDigits(n int) string {
	s := strconv.Itoa(n)
	if len(s) < 2 {
		return "0" + s
	}
	return s
}

func makeTime(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	h, m, s := a[0].Int(), a[1].Int(), a[2].Float()
	micros := h*microsPerHour + m*microsPerMinute + int64(math.RoundToEven(s*microsPerSecond))
	if h < 0 || m < 0 || m > 59 || !(s >= 0 && s <= 60) || h > 24 || micros > repr.MicrosPerDay {
		sec := strconv.FormatFloat(s, 'g', -1, 64)
		if s < 10 && s >= 0 {
			sec = "0" + sec
		}
		return repr.Null, fieldRange("time", twoDigits(int(h))+":"+twoDigits(int(m))+":"+sec)
	}
	return repr.TimeOfDay(micros), nil
}

func makeTimestamp(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	d, err := makeDate(env, a[:3])
	if err != nil {
		return repr.Null, err
	}
	t, err := makeTime(env, a[3:6])
	if err != nil {
		return repr.Null, err
	}
	return inRange(kTimestamp, d.Int()*repr.MicrosPerDay+t.Int())
}

func makeMoment(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	d, err := makeTimestamp(env, a)
	if err != nil {
		return repr.Null, err
	}
	loc := location(env)
	if len(a) > 6 {
		if loc, err = pgfmt.Zone(a[6].Str()); err != nil {
			return repr.Null, err
		}
	}
	return toMoment(d, loc)
}

// intervalOfParts takes years, months, weeks, days, hours, minutes and seconds.
func intervalOfParts(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	var n [6]int64
	for i := range min(len(a), 6) {
		n[i] = a[i].Int()
	}
	seconds := 0.0
	if len(a) > 6 {
		seconds = a[6].Float()
	}
	if math.IsNaN(seconds) || math.IsInf(seconds, 0) {
		return repr.Null, intervalRange()
	}
	return makeInterval(n[0]*12+n[1], n[2]*7+n[3],
		n[4]*microsPerHour+n[5]*microsPerMinute+int64(math.RoundToEven(seconds*microsPerSecond)))
}

func isFinite(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Bool(!isInfinite(a[0])), nil
}

// justify moves whole days out of the hours, and whole months out of the days, and gives the parts one sign.
func justify(hours, days bool) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		m, d, u := a[0].IntervalParts()
		months, day := int64(m), int64(d)
		if hours && days {
			day += u / repr.MicrosPerDay
			u %= repr.MicrosPerDay
			months += day / 30
			day %= 30
			if months > 0 && (day < 0 || day == 0 && u < 0) {
				day += 30
				months--
			} else if months < 0 && (day > 0 || day == 0 && u > 0) {
				day -= 30
				months++
			}
			day, u = sameSign(day, u, repr.MicrosPerDay)
			return makeInterval(months, day, u)
		}
		if hours {
			day += u / repr.MicrosPerDay
			u %= repr.MicrosPerDay
			day, u = sameSign(day, u, repr.MicrosPerDay)
		}
		if days {
			months += day / 30
			day %= 30
			months, day = sameSign(months, day, 30)
		}
		return makeInterval(months, day, u)
	}
}

// sameSign moves one unit between a larger and a smaller part that have different signs.
func sameSign(large, small, unit int64) (int64, int64) {
	switch {
	case large > 0 && small < 0:
		return large - 1, small + unit
	case large < 0 && small > 0:
		return large + 1, small - unit
	default:
		return large, small
	}
}

func toMoment(d repr.Datum, loc *time.Location) (repr.Datum, *repr.Error) {
	if isInfinite(d) {
		return d.As(kTimestampTZ), nil
	}
	return inRange(kTimestampTZ, pgfmt.FromLocal(d.Int(), loc))
}

func toLocal(d repr.Datum, loc *time.Location) (repr.Datum, *repr.Error) {
	if isInfinite(d) {
		return d.As(kTimestamp), nil
	}
	return inRange(kTimestamp, pgfmt.ToLocal(d.Int(), loc))
}

// zoned is AT TIME ZONE with the name of a zone.
func zoned(convert func(repr.Datum, *time.Location) (repr.Datum, *repr.Error)) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		loc, err := pgfmt.Zone(a[0].Str())
		if err != nil {
			return repr.Null, err
		}
		return convert(a[1], loc)
	}
}

// zonedBy is AT TIME ZONE with an offset.
func zonedBy(convert func(repr.Datum, *time.Location) (repr.Datum, *repr.Error)) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		months, days, micros := a[0].IntervalParts()
		if months != 0 || days != 0 {
			return repr.Null, invalidParameter(`interval time zone "` + string(pgfmt.AppendText(nil, repr.TypeOf(kInterval), a[0], nil)) +
				`" must not include months or days`)
		}
		return convert(a[1], pgfmt.FixedZone(int(micros/microsPerSecond)))
	}
}

// span is a period of time; its end is open when NULL was given for it.
type span struct {
	start, end int64
	ended      bool
}

// spanOf is the period between two times in either order, of which one may be NULL: that one is the end.
func spanOf(a, b repr.Datum) (s span, ok bool) {
	if a.IsNull() {
		a, b = b, a
	}
	if a.IsNull() {
		return s, false
	}
	if b.IsNull() {
		return span{start: a.Int()}, true
	}
	return span{start: min(a.Int(), b.Int()), end: max(a.Int(), b.Int()), ended: true}, true
}

func overlaps(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	x, okX := spanOf(a[0], a[1])
	y, okY := spanOf(a[2], a[3])
	if !okX || !okY {
		return repr.Null, nil
	}
	if x.start > y.start {
		x, y = y, x
	}
	switch {
	case !x.ended, x.start == y.start && !y.ended:
		return repr.Null, nil
	case x.start == y.start, y.start < x.end:
		return repr.Bool(true), nil
	case !y.ended:
		return repr.Null, nil
	default:
		return repr.Bool(false), nil
	}
}
