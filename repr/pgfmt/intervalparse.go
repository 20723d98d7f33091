package pgfmt

import (
	"math"
	"strconv"
	"strings"

	"millrace/repr"
)

// Unit is a unit of time by which intervals are written and timestamps truncated.
type Unit uint8

// The units, the shortest first.
const (
	UnitNone Unit = iota
	UnitMicrosecond
	UnitMillisecond
	UnitSecond
	UnitMinute
	UnitHour
	UnitDay
	UnitWeek
	UnitMonth
	UnitQuarter
	UnitYear
	UnitDecade
	UnitCentury
	UnitMillennium
)

var unitWords = map[string]Unit{
	"us": UnitMicrosecond, "usec": UnitMicrosecond, "usecs": UnitMicrosecond, "usecond": UnitMicrosecond, "useconds": UnitMicrosecond,
	"ms": UnitMillisecond, "msec": UnitMillisecond, "msecs": UnitMillisecond, "msecond": UnitMillisecond, "mseconds": UnitMillisecond,
	"s": UnitSecond, "sec": UnitSecond, "secs": UnitSecond, "second": UnitSecond, "seconds": UnitSecond,
	"m": UnitMinute, "min": UnitMinute, "mins": UnitMinute, "minute": UnitMinute, "minutes": UnitMinute,
	"h": UnitHour, "hr": UnitHour, "hrs": UnitHour, "hour": UnitHour, "hours": UnitHour,
	"d": UnitDay, "day": UnitDay, "days": UnitDay,
	"w": UnitWeek, "week": UnitWeek, "weeks": UnitWeek,
	"mon": UnitMonth, "mons": UnitMonth, "month": UnitMonth, "months": UnitMonth,
	"qtr": UnitQuarter, "quarter": UnitQuarter,
	"y": UnitYear, "yr": UnitYear, "yrs": UnitYear, "year": UnitYear, "years": UnitYear,
	"dec": UnitDecade, "decs": UnitDecade, "decade": UnitDecade, "decades": UnitDecade,
	"c": UnitCentury, "cent": UnitCentury, "century": UnitCentury, "centuries": UnitCentury,
	"mil": UnitMillennium, "mils": UnitMillennium, "millennium": UnitMillennium, "millennia": UnitMillennium,
}

// UnitNamed finds a unit by its name or abbreviation in lower case.
func UnitNamed(word string) (Unit, bool) {
	switch {
	case strings.HasPrefix(word, "microsecon"):
		return UnitMicrosecond, true
	case strings.HasPrefix(word, "millisecon"):
		return UnitMillisecond, true
	}
	u, ok := unitWords[word]
	return u, ok
}

// Bits of the fields that an interval type can be restricted to, as they stand in a typmod.
const (
	FieldMonth  = 1 << 1
	FieldYear   = 1 << 2
	FieldDay    = 1 << 3
	FieldHour   = 1 << 10
	FieldMinute = 1 << 11
	FieldSecond = 1 << 12
	FieldsAll   = 0x7fff

	// IntervalFullPrecision is the precision of an interval type that has none.
	IntervalFullPrecision = 0xffff
)

// intervalRange is the restriction to fields that a type bears.
func intervalRange(t repr.Type) int32 {
	if !t.HasMod() {
		return FieldsAll
	}
	return t.Mod >> 16 & FieldsAll
}

// unitOfRange is what a number without unit counts.
func unitOfRange(fields int32) Unit {
	switch fields {
	case FieldYear:
		return UnitYear
	case FieldMonth, FieldYear | FieldMonth:
		return UnitMonth
	case FieldDay:
		return UnitDay
	case FieldHour, FieldDay | FieldHour:
		return UnitHour
	case FieldMinute, FieldHour | FieldMinute, FieldDay | FieldHour | FieldMinute:
		return UnitMinute
	default:
		return UnitSecond
	}
}

// span64 sums up an interval; any overflow sticks.
type span64 struct {
	months, days, micros int64
	overflow             bool
}

func (s *span64) add(to *int64, n, times int64) {
	p := n * times
	if n != 0 && (p/n != times || n == -1 && times == math.MinInt64) {
		s.overflow = true
		return
	}
	sum := *to + p
	if (sum > *to) != (p > 0) && p != 0 {
		s.overflow = true
		return
	}
	*to = sum
}

// addFraction adds a fraction of so many microseconds, to the nearest.
func (s *span64) addFraction(f float64, micros int64) {
	f *= float64(micros)
	whole := int64(f)
	switch rest := f - float64(whole); {
	case rest > 0.5:
		whole++
	case rest < -0.5:
		whole--
	}
	s.add(&s.micros, whole, 1)
}

// addDays adds a fraction of so many days.
func (s *span64) addDays(f float64, days int64) {
	f *= float64(days)
	whole := int64(f)
	s.add(&s.days, whole, 1)
	s.addFraction(f-float64(whole), repr.MicrosPerDay)
}

// addUnit adds n and a fraction of a unit.
func (s *span64) addUnit(u Unit, n int64, fraction float64) bool {
	switch u {
	case UnitMicrosecond:
		s.add(&s.micros, n, 1)
		s.addFraction(fraction, 1)
	case UnitMillisecond:
		s.add(&s.micros, n, 1000)
		s.addFraction(fraction, 1000)
	case UnitSecond:
		s.add(&s.micros, n, microsPerSecond)
		s.addFraction(fraction, microsPerSecond)
	case UnitMinute:
		s.add(&s.micros, n, microsPerMinute)
		s.addFraction(fraction, microsPerMinute)
	case UnitHour:
		s.add(&s.micros, n, microsPerHour)
		s.addFraction(fraction, microsPerHour)
	case UnitDay:
		s.add(&s.days, n, 1)
		s.addFraction(fraction, repr.MicrosPerDay)
	case UnitWeek:
		s.add(&s.days, n, 7)
		s.addDays(fraction, 7)
	case UnitMonth:
		s.add(&s.months, n, 1)
		s.addDays(fraction, 30)
	case UnitYear:
		s.addYears(n, fraction, 1)
	case UnitDecade:
		s.addYears(n, fraction, 10)
	case UnitCentury:
		s.addYears(n, fraction, 100)
	case UnitMillennium:
		s.addYears(n, fraction, 1000)
	default:
		return false
	}
	return true
}

func (s *span64) addYears(n int64, fraction float64, years int64) {
	s.add(&s.months, n, 12*years)
	s.add(&s.months, int64(math.RoundToEven(fraction*float64(12*years))), 1)
}

func (s *span64) negate() {
	s.months, s.days, s.micros = -s.months, -s.days, -s.micros
}

func fits32(n int64) bool { return n >= math.MinInt32 && n <= math.MaxInt32 }

func intervalOverflow(text string) *repr.Error {
	return repr.NewError("22015", `interval field value out of range: "`+text+`"`)
}

func parseInterval(text string, t repr.Type) (repr.Datum, *repr.Error) {
	p := intervalParser{fields: intervalRange(t)}
	ok := p.parse(text)
	if !ok && !p.overflow {
		p = intervalParser{}
		ok = p.parseISO(trim(text))
	}
	switch {
	case p.overflow || ok && (!fits32(p.months) || !fits32(p.days)):
		return repr.Null, intervalOverflow(text)
	case !ok:
		return repr.Null, repr.NewError(repr.CodeInvalidDatetime, `invalid input syntax for type interval: "`+text+`"`)
	}
	return repr.Interval(int32(p.months), int32(p.days), p.micros), nil
}

// intervalParser reads an interval from its last word to its first, so that a unit is known before its number.
type intervalParser struct {
	span64
	fields int32
	unit   Unit
	seen   map[Unit]bool
	ago    bool
}

func (p *intervalParser) parse(text string) bool {
	tokens, ok := dateTokens(text)
	if !ok || len(tokens) == 0 || len(tokens) > 25 {
		return false
	}
	p.seen = map[Unit]bool{}
	for i := len(tokens) - 1; i >= 0; i-- {
		if !p.take(tokens[i]) {
			return false
		}
	}
	if p.ago {
		p.negate()
	}
	return len(p.seen) > 0 && !p.overflow
}

func (p *intervalParser) take(tok dateToken) bool {
	switch tok.kind {
	case tokenTime:
		return p.clock(tok.text, 1)
	case tokenZone:
		if strings.Contains(tok.text, ":") {
			sign := int64(1)
			if tok.text[0] == '-' {
				sign = -1
			}
			return p.clock(tok.text[1:], sign)
		}
		return p.quantity(tok.text)
	case tokenNumber, tokenDate:
		return p.quantity(tok.text)
	case tokenWord:
		if tok.text == "ago" {
			p.ago = true
			return true
		}
		u, ok := UnitNamed(tok.text)
		p.unit = u
		return ok
	default:
		return false
	}
}

// clock reads hh:mm[:ss[.ff]] and mm:ss.ff, and makes days what a bare number before it counts.
func (p *intervalParser) clock(text string, sign int64) bool {
	main, fraction, hasFraction := strings.Cut(text, ".")
	parts := strings.Split(main, ":")
	if len(parts) > 3 || len(parts) < 2 || !allDigits(fraction) {
		return false
	}
	var n [3]int64
	for i, s := range parts {
		v, err := strconv.ParseInt(s, 10, 64)
		if s == "" && i == len(parts)-1 {
			v, err = 0, nil
		}
		if err != nil {
			p.overflow = s != "" && allDigits(s)
			return false
		}
		n[i] = v
	}
	if len(parts) == 2 && (hasFraction || p.fields == FieldMinute|FieldSecond) {
		n[0], n[1], n[2] = 0, n[0], n[1]
	}
	if n[1] > 59 || n[2] > 60 {
		p.overflow = true
		return false
	}
	f, _ := strconv.ParseFloat("0."+fraction+"0", 64)
	p.add(&p.micros, n[0], sign*microsPerHour)
	p.add(&p.micros, n[1], sign*microsPerMinute)
	p.add(&p.micros, n[2], sign*microsPerSecond)
	p.add(&p.micros, int64(math.RoundToEven(f*microsPerSecond)), sign)
	p.unit = UnitDay
	return p.mark(UnitSecond) && p.mark(UnitMinute) && p.mark(UnitHour)
}

func (p *intervalParser) mark(u Unit) bool {
	if p.seen[u] {
		return false
	}
	p.seen[u] = true
	return true
}

// quantity reads a number of the unit behind it, or years-months.
func (p *intervalParser) quantity(text string) bool {
	if p.unit == UnitNone {
		p.unit = unitOfRange(p.fields)
	}
	n := 0
	if text[0] == '-' || text[0] == '+' {
		n = 1
	}
	n += span(text[n:], isDigit)
	var whole int64
	if digits := text[:n]; digits != "" && digits != "-" && digits != "+" {
		var err error
		if whole, err = strconv.ParseInt(digits, 10, 64); err != nil {
			p.overflow = true
			return false
		}
	} else if n == len(text) || text[n] != '.' {
		return false
	}
	rest := text[n:]
	switch {
	case rest == "":
		return p.addUnit(p.unit, whole, 0) && p.mark(p.unit)
	case rest[0] == '-':
		return p.yearMonth(text, whole, rest[1:])
	case rest[0] == '.':
		if !allDigits(rest[1:]) {
			return false
		}
		f, _ := strconv.ParseFloat("0"+rest+"0", 64)
		if text[0] == '-' {
			f = -f
		}
		return p.addUnit(p.unit, whole, f) && p.mark(p.unit)
	default:
		return false
	}
}

func (p *intervalParser) yearMonth(text string, years int64, monthText string) bool {
	months, ok := smallInt(monthText)
	if !ok {
		return false
	}
	if months >= 12 {
		p.overflow = true
		return false
	}
	m := int64(months)
	if text[0] == '-' {
		m = -m
	}
	p.addUnit(UnitYear, years, 0)
	p.addUnit(UnitMonth, m, 0)
	return p.mark(UnitMonth)
}

// parseISO reads P1Y2M3DT4H5M6S and P0001-02-03T04:05:06.
func (p *intervalParser) parseISO(text string) bool {
	if len(text) < 2 || text[0] != 'P' {
		return false
	}
	text = text[1:]
	date, clock, hasClock := strings.Cut(text, "T")
	if hasClock && clock == "" {
		return false
	}
	if !strings.ContainsAny(date, "YMWD") && strings.Contains(date, "-") || strings.Contains(clock, ":") {
		return p.alternativeISO(date, clock)
	}
	return p.designators(date, "YMWD", []Unit{UnitYear, UnitMonth, UnitWeek, UnitDay}) &&
		p.designators(clock, "HMS", []Unit{UnitHour, UnitMinute, UnitSecond})
}

func (p *intervalParser) designators(text, letters string, units []Unit) bool {
	for text != "" {
		n := strings.IndexAny(text, letters)
		if n <= 0 {
			return false
		}
		whole, fraction, ok := isoNumber(text[:n])
		if !ok {
			return false
		}
		p.addUnit(units[strings.IndexByte(letters, text[n])], whole, fraction)
		text = text[n+1:]
	}
	return !p.overflow
}

func isoNumber(s string) (whole int64, fraction float64, ok bool) {
	w, f, _ := strings.Cut(s, ".")
	neg := strings.HasPrefix(w, "-")
	if w != "" && w != "-" && w != "+" {
		var err error
		if whole, err = strconv.ParseInt(w, 10, 64); err != nil {
			return 0, 0, false
		}
	}
	if !allDigits(f) || len(strings.Trim(s, "+-.")) == 0 {
		return 0, 0, false
	}
	fraction, _ = strconv.ParseFloat("0."+f+"0", 64)
	if neg {
		fraction = -fraction
	}
	return whole, fraction, true
}

func (p *intervalParser) alternativeISO(date, clock string) bool {
	if date != "" {
		for i, part := range strings.Split(date, "-") {
			n, ok := smallInt(part)
			if !ok || i > 2 {
				return false
			}
			p.addUnit([]Unit{UnitYear, UnitMonth, UnitDay}[i], int64(n), 0)
		}
	}
	if clock != "" {
		for i, part := range strings.Split(clock, ":") {
			whole, fraction, ok := isoNumber(part)
			if !ok || i > 2 {
				return false
			}
			p.addUnit([]Unit{UnitHour, UnitMinute, UnitSecond}[i], whole, fraction)
		}
	}
	return !p.overflow
}
