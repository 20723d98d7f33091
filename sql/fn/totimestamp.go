package fn

import (
	"strconv"
	"strings"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// timeReader reads a date and time by a template.
type timeReader struct {
	calendar
	rest     string
	original string
	meridian string
	bc       bool
	dayOfYr  int
	julian   int64
	offset   int
	hasZone  bool
}

func readTimestamp(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	r := timeReader{rest: a[0].Str(), original: a[0].Str(), calendar: calendar{year: 0, month: 1, day: 1}}
	micros, err := r.read(a[1].Str())
	if err != nil {
		return repr.Null, err
	}
	if r.hasZone {
		return inRange(kTimestampTZ, micros-int64(r.offset)*microsPerSecond)
	}
	return toMoment(repr.Timestamp(micros), location(env))
}

func readDate(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	r := timeReader{rest: a[0].Str(), original: a[0].Str(), calendar: calendar{year: 0, month: 1, day: 1}}
	micros, err := r.read(a[1].Str())
	if err != nil {
		return repr.Null, err
	}
	days, _ := pgfmt.SplitTimestamp(micros)
	return repr.Date(int32(days)), nil
}

func (r *timeReader) overflow() *repr.Error {
	return repr.NewError(repr.CodeDatetimeOverflow, `date/time field value out of range: "`+r.original+`"`)
}

// read reads all of the text and gives a local timestamp.
func (r *timeReader) read(template string) (int64, *repr.Error) {
	items := timeTemplate(template).items
	for i, it := range items {
		if it.pattern == "" {
			r.literal(it.text)
			continue
		}
		if r.rest == "" {
			break
		}
		r.rest = strings.TrimLeft(r.rest, " ")
		followed := i+1 < len(items) && items[i+1].pattern != "" && strings.Trim(items[i+1].pattern, "YMDHISyTmdhis2410") == ""
		if err := r.item(it, followed); err != nil {
			return 0, err
		}
	}
	return r.finish()
}

// literal passes over one character for each of the template's, but never over digits or letters that the template lacks.
func (r *timeReader) literal(text string) {
	for range text {
		if r.rest == "" {
			return
		}
		c := r.rest[0]
		if c >= '0' && c <= '9' {
			return
		}
		r.rest = r.rest[1:]
	}
}

func (r *timeReader) finish() (int64, *repr.Error) {
	if r.meridian != "" {
		if r.hour < 1 || r.hour > 12 {
			return 0, repr.NewError(repr.CodeInvalidDatetime, `hour "`+strconv.Itoa(r.hour)+`" is invalid for the 12-hour clock`).
				WithHint("Use the 24-hour clock, or give an hour between 1 and 12.")
		}
		r.hour %= 12
		if r.meridian == "P" {
			r.hour += 12
		}
	}
	if r.bc && r.year > 0 {
		r.year = 1 - r.year
	}
	if r.hour > 23 || r.minute > 59 || r.second > 59 {
		return 0, r.overflow()
	}
	days := int64(0)
	switch {
	case r.julian != 0:
		days = r.julian + pgfmt.MinDate
	case r.dayOfYr > 0:
		days = pgfmt.DaysFromCivil(r.year, 1, r.dayOfYr)
	default:
		if r.month < 1 || r.month > 12 || r.day < 1 || r.day > pgfmt.DaysIn(r.year, r.month) {
			return 0, r.overflow()
		}
		days = pgfmt.DaysFromCivil(r.year, r.month, r.day)
	}
	return days*repr.MicrosPerDay + r.ofDay(), nil
}

// digits reads a number: up to width digits where digits of the next pattern follow at once, else all there are.
func (r *timeReader) digits(width int, followed bool, pattern string) (int, *repr.Error) {
	n := 0
	if r.rest != "" && (r.rest[0] == '-' || r.rest[0] == '+') {
		n = 1
	}
	for n < len(r.rest) && r.rest[n] >= '0' && r.rest[n] <= '9' && (!followed || n < width) {
		n++
	}
	v, err := strconv.ParseInt(r.rest[:n], 10, 32)
	if err != nil {
		return 0, repr.NewError(repr.CodeInvalidDatetime, `invalid value "`+firstOf(r.rest, width)+`" for "`+pattern+`"`).
			WithDetail("Value must be an integer.")
	}
	r.rest = r.rest[n:]
	return int(v), nil
}

func firstOf(s string, n int) string { return s[:min(n, len(s))] }

// word reads one of several words, by their first three letters when short; false when none stands here.
func (r *timeReader) word(list []string, short bool) (int, bool) {
	lower := strings.ToLower(r.rest)
	for i, w := range list {
		w = strings.ToLower(w)
		if short {
			w = w[:3]
		}
		if strings.HasPrefix(lower, w) {
			r.rest = r.rest[len(w):]
			return i, true
		}
	}
	return 0, false
}

func (r *timeReader) invalid(pattern string) *repr.Error {
	return repr.NewError(repr.CodeInvalidDatetime, `invalid value "`+firstOf(r.rest, len(pattern))+`" for "`+pattern+`"`).
		WithDetail("The given value did not match any of the allowed values for this field.")
}

func (r *timeReader) item(it templateItem, followed bool) *repr.Error {
	key := strings.ToUpper(it.pattern)
	widths := map[string]struct {
		width int
		to    *int
	}{
		"HH": {2, &r.hour}, "HH12": {2, &r.hour}, "HH24": {2, &r.hour}, "MI": {2, &r.minute}, "SS": {2, &r.second},
		"MM": {2, &r.month}, "DD": {2, &r.day}, "DDD": {3, &r.dayOfYr},
	}
	if f, ok := widths[key]; ok {
		n, err := r.digits(f.width, followed, it.pattern)
		*f.to = n
		if strings.HasPrefix(key, "HH") && key != "HH24" && r.meridian == "" && (n < 1 || n > 12) && err == nil {
			r.meridian = "A"
		}
		return err
	}
	switch key {
	case "YYYY", "YYY", "YY", "Y", "Y,YYY":
		return r.readYear(key, it, followed)
	case "MONTH", "MON":
		return r.readMonth(key, it)
	case "DAY", "DY":
		if _, ok := r.word(dayNames, key == "DY"); !ok {
			return r.invalid(it.pattern)
		}
	case "AM", "PM", "A.M.", "P.M.":
		i, ok := r.word([]string{"am", "pm", "a.m.", "p.m."}, false)
		if !ok {
			return r.invalid(it.pattern)
		}
		r.meridian = []string{"A", "P"}[i%2]
	case "AD", "BC", "A.D.", "B.C.":
		i, ok := r.word([]string{"ad", "bc", "a.d.", "b.c."}, false)
		if !ok {
			return r.invalid(it.pattern)
		}
		r.bc = i%2 == 1
	case "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		return r.readFraction(key, it)
	case "J":
		n, err := r.digits(10, false, it.pattern)
		r.julian = int64(n)
		return err
	case "SSSS", "SSSSS":
		n, err := r.digits(5, false, it.pattern)
		r.hour, r.minute, r.second = n/3600, n/60%60, n%60
		return err
	case "TZH", "TZM":
		return r.readZone(key, it)
	default:
		return unsupported(`"` + it.pattern + `" in to_timestamp and to_date`)
	}
	return nil
}

func (r *timeReader) readYear(key string, it templateItem, followed bool) *repr.Error {
	if key == "Y,YYY" {
		r.rest = strings.Replace(r.rest, ",", "", 1)
	}
	before := len(r.rest)
	n, err := r.digits(len(key), followed, it.pattern)
	if err != nil {
		return err
	}
	if before-len(r.rest) <= 3 && key != "YYYY" && key != "Y,YYY" {
		switch {
		case n < 70:
			n += 2000
		case n < 100:
			n += 1900
		case n < 520:
			n += 2000
		case n < 1000:
			n += 1000
		}
	}
	r.year = n
	return nil
}

func (r *timeReader) readMonth(key string, it templateItem) *repr.Error {
	i, ok := r.word(monthNames, key == "MON")
	if !ok {
		return r.invalid(it.pattern)
	}
	r.month = i + 1
	return nil
}

// readFraction reads digits behind the point of seconds.
func (r *timeReader) readFraction(key string, it templateItem) *repr.Error {
	width := map[string]int{"MS": 3, "US": 6}[key]
	if width == 0 {
		width = int(key[2] - '0')
	}
	before := len(r.rest)
	n, err := r.digits(width, true, it.pattern)
	if err != nil {
		return err
	}
	for i := before - len(r.rest); i < 6; i++ {
		n *= 10
	}
	r.micro = n
	return nil
}

func (r *timeReader) readZone(key string, it templateItem) *repr.Error {
	neg := strings.HasPrefix(r.rest, "-") || r.offset < 0
	n, err := r.digits(3, true, it.pattern)
	if err != nil {
		return err
	}
	r.hasZone = true
	if key == "TZH" {
		r.offset += n * 3600
		return nil
	}
	if neg {
		n = -n
	}
	r.offset += n * 60
	return nil
}
