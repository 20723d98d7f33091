package fn

import (
	"strings"
	"time"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// datePartFunctions take dates and times apart: EXTRACT gives a numeric, date_part a double precision.
var datePartFunctions = makeDateParts()

func makeDateParts() []row {
	var out []row
	for _, t := range []repr.Kind{kDate, kTime, kTimestamp, kTimestampTZ, kInterval} {
		part := datePart(t)
		out = append(out,
			row{sig: "extract(text, " + t.String() + ") numeric", eval: part},
			row{sig: "date_part(text, " + t.String() + ") double precision", eval: asFloat(part)})
	}
	return append(out,
		row{sig: "date_trunc(text, timestamp) timestamp", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			return truncTimestamp(a[0].Str(), a[1], time.UTC)
		}, ofInt: truncOfInt},
		row{sig: "date_trunc(text, timestamptz) timestamptz", eval: func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			return truncTimestamp(a[0].Str(), a[1], location(env))
		}},
		row{sig: "date_trunc(text, timestamptz, text) timestamptz", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			loc, err := pgfmt.Zone(a[2].Str())
			if err != nil {
				return repr.Null, err
			}
			return truncTimestamp(a[0].Str(), a[1], loc)
		}},
		row{sig: "date_trunc(text, interval) interval", eval: truncInterval})
}

// asFloat gives the number as a double precision.
func asFloat(part evalFunc) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		d, err := part(env, a)
		if err != nil || d.IsNull() {
			return d, err
		}
		return floatOfNumeric(d, kFloat8)
	}
}

func unitNotRecognized(unit string, t repr.Kind) *repr.Error {
	return invalidParameter(`unit "` + unit + `" not recognized for type ` + t.String())
}

func unitNotSupported(unit string, t repr.Kind) *repr.Error {
	return repr.NewError(repr.CodeFeatureNotSupported, `unit "`+unit+`" not supported for type `+t.String())
}

// partWords are the parts that are no units.
var partWords = map[string]string{
	"dow": "dow", "isodow": "isodow", "doy": "doy", "isoyear": "isoyear", "julian": "julian", "jd": "julian", "j": "julian",
	"epoch": "epoch", "timezone": "timezone", "tz": "timezone", "timezone_hour": "timezone_hour", "timezone_h": "timezone_hour",
	"timezone_minute": "timezone_minute", "timezone_m": "timezone_minute",
}

// datePart is EXTRACT from a type.
func datePart(t repr.Kind) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		word := strings.ToLower(a[0].Str())
		unit, isUnit := pgfmt.UnitNamed(word)
		word, isWord := partWords[word]
		if !isUnit && !isWord {
			return repr.Null, unitNotRecognized(strings.ToLower(a[0].Str()), t)
		}
		p := partOf{kind: t, unit: unit, word: word, name: strings.ToLower(a[0].Str()), loc: time.UTC}
		if t == kTimestampTZ {
			p.loc = location(env)
		}
		return p.extract(a[1])
	}
}

// partOf is one part of values of a kind.
type partOf struct {
	kind repr.Kind
	unit pgfmt.Unit
	word string
	name string
	loc  *time.Location
}

func (p partOf) extract(d repr.Datum) (repr.Datum, *repr.Error) {
	switch p.kind {
	case kInterval:
		return p.ofInterval(d)
	case kTime:
		return p.ofTime(d)
	default:
		return p.ofMoment(d)
	}
}

// ofMoment takes a part of a date or a timestamp.
func (p partOf) ofMoment(d repr.Datum) (repr.Datum, *repr.Error) {
	if isInfinite(d) {
		return p.ofInfinite(d)
	}
	local := d.Int()
	if p.kind == kDate {
		if p.unit != pgfmt.UnitNone && p.unit < pgfmt.UnitDay || strings.HasPrefix(p.word, "timezone") {
			return repr.Null, unitNotSupported(p.name, p.kind)
		}
		if local >= pgfmt.EndTimestamp/repr.MicrosPerDay {
			return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, "date out of range for timestamp")
		}
		local *= repr.MicrosPerDay
	}
	offset := pgfmt.ZoneOffset(local, p.loc)
	local += offset * microsPerSecond
	c := calendarOf(local)
	if p.unit != pgfmt.UnitNone {
		return p.ofCalendar(c)
	}
	return p.ofWord(d, c, offset)
}

func whole(n int64) (repr.Datum, *repr.Error) { return repr.Numeric(n, 0), nil }

func (p partOf) ofInfinite(d repr.Datum) (repr.Datum, *repr.Error) {
	grows := p.unit >= pgfmt.UnitYear || p.word == "julian" || p.word == "isoyear" || p.word == "epoch"
	if !grows {
		return repr.Null, nil
	}
	return infinite(int(max(min(d.Int(), 1), -1))), nil
}

// years that AD counts from 1 and BC from -1, in units of n.
func yearsBy(year, n int) int64 {
	if year > 0 {
		return int64((year + n - 1) / n)
	}
	return -int64((n - 1 - (year - 1)) / n)
}

func (p partOf) ofCalendar(c calendar) (repr.Datum, *repr.Error) {
	switch p.unit {
	case pgfmt.UnitMicrosecond:
		return whole(int64(c.second)*microsPerSecond + int64(c.micro))
	case pgfmt.UnitMillisecond:
		return repr.Numeric(int64(c.second)*microsPerSecond+int64(c.micro), 3), nil
	case pgfmt.UnitSecond:
		return repr.Numeric(int64(c.second)*microsPerSecond+int64(c.micro), 6), nil
	case pgfmt.UnitMinute:
		return whole(int64(c.minute))
	case pgfmt.UnitHour:
		return whole(int64(c.hour))
	case pgfmt.UnitDay:
		return whole(int64(c.day))
	case pgfmt.UnitWeek:
		_, week := isoWeek(c)
		return whole(int64(week))
	case pgfmt.UnitMonth:
		return whole(int64(c.month))
	case pgfmt.UnitQuarter:
		return whole(int64((c.month-1)/3 + 1))
	case pgfmt.UnitYear:
		return whole(yearNumber(c.year))
	case pgfmt.UnitDecade:
		return whole(int64(floorDiv(c.year, 10)))
	case pgfmt.UnitCentury:
		return whole(yearsBy(c.year, 100))
	default:
		return whole(yearsBy(c.year, 1000))
	}
}

// yearNumber counts years before 1 AD from -1.
func yearNumber(year int) int64 {
	if year <= 0 {
		return int64(year) - 1
	}
	return int64(year)
}

// dayOfWeek is 0 for Sunday.
func dayOfWeek(days int64) int { return int(((days+6)%7 + 7) % 7) }

// isoWeek is the year and week by ISO 8601.
func isoWeek(c calendar) (year, week int) {
	days := pgfmt.DaysFromCivil(c.year, c.month, c.day)
	thursday := days - int64((dayOfWeek(days)+6)%7) + 3
	year, _, _ = pgfmt.CivilFromDays(thursday)
	return year, int(thursday-pgfmt.DaysFromCivil(year, 1, 1))/7 + 1
}

func (p partOf) ofWord(d repr.Datum, c calendar, offset int64) (repr.Datum, *repr.Error) {
	days := pgfmt.DaysFromCivil(c.year, c.month, c.day)
	switch p.word {
	case "dow":
		return whole(int64(dayOfWeek(days)))
	case "isodow":
		return whole(int64((dayOfWeek(days)+6)%7 + 1))
	case "doy":
		return whole(days - pgfmt.DaysFromCivil(c.year, 1, 1) + 1)
	case "isoyear":
		year, _ := isoWeek(c)
		return whole(yearNumber(year))
	case "julian":
		if p.kind == kDate {
			return whole(days - pgfmt.MinDate)
		}
		fraction, err := divNumeric(repr.Numeric(c.ofDay(), 0), repr.Numeric(repr.MicrosPerDay, 0))
		if err != nil {
			return repr.Null, err
		}
		return addNumeric(repr.Numeric(days-pgfmt.MinDate, 0), fraction)
	case "epoch":
		if p.kind == kDate {
			return whole((d.Int() + pgfmt.EpochDays) * 24 * 60 * 60)
		}
		return addNumeric(repr.Numeric(d.Int(), 6), repr.Numeric(pgfmt.EpochSeconds*microsPerSecond, 6))
	}
	if p.kind != kTimestampTZ {
		return repr.Null, unitNotSupported(p.name, p.kind)
	}
	switch p.word {
	case "timezone":
		return whole(offset)
	case "timezone_hour":
		return whole(offset / 3600)
	default:
		return whole(offset % 3600 / 60)
	}
}

func (p partOf) ofTime(d repr.Datum) (repr.Datum, *repr.Error) {
	switch {
	case p.word == "epoch":
		return repr.Numeric(d.Int(), 6), nil
	case p.unit == pgfmt.UnitNone || p.unit > pgfmt.UnitHour:
		return repr.Null, unitNotSupported(p.name, p.kind)
	}
	micros := d.Int()
	return p.ofCalendar(calendar{
		hour: int(micros / microsPerHour), minute: int(micros / microsPerMinute % 60),
		second: int(micros / microsPerSecond % 60), micro: int(micros % microsPerSecond),
	})
}

func (p partOf) ofInterval(d repr.Datum) (repr.Datum, *repr.Error) {
	months, days, micros := d.IntervalParts()
	year := int64(months / 12)
	switch p.unit {
	case pgfmt.UnitHour:
		return whole(micros / microsPerHour)
	case pgfmt.UnitDay:
		return whole(int64(days))
	case pgfmt.UnitMonth:
		return whole(int64(months % 12))
	case pgfmt.UnitQuarter:
		return whole(int64(months%12/3 + 1))
	case pgfmt.UnitYear:
		return whole(year)
	case pgfmt.UnitDecade:
		return whole(year / 10)
	case pgfmt.UnitCentury:
		return whole(year / 100)
	case pgfmt.UnitMillennium:
		return whole(year / 1000)
	case pgfmt.UnitMicrosecond, pgfmt.UnitMillisecond, pgfmt.UnitSecond, pgfmt.UnitMinute:
		return p.ofCalendar(calendar{
			minute: int(micros / microsPerMinute % 60), second: int(micros / microsPerSecond % 60), micro: int(micros % microsPerSecond),
		})
	default:
		if p.word != "epoch" {
			return repr.Null, unitNotSupported(p.name, p.kind)
		}
		return intervalEpoch(d)
	}
}

// intervalEpoch is the length of an interval in seconds, a month taken as 30 days and a year as 365.25.
func intervalEpoch(d repr.Datum) (repr.Datum, *repr.Error) {
	months, days, micros := d.IntervalParts()
	year := int64(months / 12)
	quarters := (4*36525/100)*year + 4*30*int64(months%12) + 4*int64(days) // quarters of a day: a year has 365.25
	return addNumeric(repr.Numeric(quarters*(24*60*60/4), 0), repr.Numeric(micros, 6))
}

// truncTimestamp cuts to a unit by the calendar of a zone.
func truncTimestamp(word string, d repr.Datum, loc *time.Location) (repr.Datum, *repr.Error) {
	word = strings.ToLower(word)
	unit, ok := pgfmt.UnitNamed(word)
	if !ok {
		if strings.HasPrefix(word, "timezone") {
			return repr.Null, unitNotSupported(word, d.Kind())
		}
		return repr.Null, unitNotRecognized(word, d.Kind())
	}
	if isInfinite(d) {
		return d, nil
	}
	if unit <= pgfmt.UnitMinute || unit == pgfmt.UnitHour && loc == time.UTC {
		return repr.IntOf(d.Kind(), truncMicros(d.Int(), unit)), nil
	}
	local := pgfmt.ToLocal(d.Int(), loc)
	cut := truncLocal(local, unit)
	if unit == pgfmt.UnitHour {
		return inRange(d.Kind(), d.Int()-(local-cut)) // an hour may come twice where clocks fall back
	}
	return inRange(d.Kind(), pgfmt.FromLocal(cut, loc))
}

// truncMicros cuts to a unit that every day has a whole number of.
func truncMicros(micros int64, unit pgfmt.Unit) int64 {
	size := int64(1)
	switch unit {
	case pgfmt.UnitMillisecond:
		size = 1000
	case pgfmt.UnitSecond:
		size = microsPerSecond
	case pgfmt.UnitMinute:
		size = microsPerMinute
	case pgfmt.UnitHour:
		size = microsPerHour
	default: // a microsecond is as small as it gets
	}
	_, ofDay := pgfmt.SplitTimestamp(micros)
	return micros - ofDay%size
}

func truncLocal(local int64, unit pgfmt.Unit) int64 {
	days, _ := pgfmt.SplitTimestamp(local)
	c := calendarOf(local)
	first := func(year, month int) int64 { return pgfmt.DaysFromCivil(year, month, 1) * repr.MicrosPerDay }
	switch unit {
	case pgfmt.UnitHour:
		return truncMicros(local, unit)
	case pgfmt.UnitDay:
		return days * repr.MicrosPerDay
	case pgfmt.UnitWeek:
		return (days - int64((dayOfWeek(days)+6)%7)) * repr.MicrosPerDay
	case pgfmt.UnitMonth:
		return first(c.year, c.month)
	case pgfmt.UnitQuarter:
		return first(c.year, (c.month-1)/3*3+1)
	case pgfmt.UnitYear:
		return first(c.year, 1)
	case pgfmt.UnitDecade:
		return first(floorDiv(c.year, 10)*10, 1)
	case pgfmt.UnitCentury:
		return first(floorDiv(c.year-1, 100)*100+1, 1)
	default:
		return first(floorDiv(c.year-1, 1000)*1000+1, 1)
	}
}

func truncInterval(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	word := strings.ToLower(a[0].Str())
	unit, ok := pgfmt.UnitNamed(word)
	if !ok {
		return repr.Null, unitNotRecognized(word, kInterval)
	}
	months, days, micros := a[1].IntervalParts()
	byMonths := func(n int32) (repr.Datum, *repr.Error) { return repr.Interval(months/n*n, 0, 0), nil }
	switch unit {
	case pgfmt.UnitMillennium:
		return byMonths(12000)
	case pgfmt.UnitCentury:
		return byMonths(1200)
	case pgfmt.UnitDecade:
		return byMonths(120)
	case pgfmt.UnitYear:
		return byMonths(12)
	case pgfmt.UnitQuarter:
		return byMonths(3)
	case pgfmt.UnitMonth:
		return byMonths(1)
	case pgfmt.UnitWeek:
		return repr.Null, unitNotSupported(word, kInterval).WithDetail("Months usually have fractional weeks.")
	case pgfmt.UnitDay:
		return repr.Interval(months, days, 0), nil
	default:
		return repr.Interval(months, days, micros-micros%unitMicros[unit]), nil
	}
}

// unitMicros are the sizes of the units below a day.
var unitMicros = map[pgfmt.Unit]int64{
	pgfmt.UnitHour: microsPerHour, pgfmt.UnitMinute: microsPerMinute, pgfmt.UnitSecond: microsPerSecond,
	pgfmt.UnitMillisecond: 1000, pgfmt.UnitMicrosecond: 1,
}
