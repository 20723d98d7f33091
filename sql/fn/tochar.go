package fn

import (
	"bytes"
	"strconv"
	"strings"
	"sync/atomic"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// toCharFunctions format by a template, and read by one.
var toCharFunctions = []row{
	{sig: "to_char(timestamp, text) text", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return formatTime(a[0].Int(), isInfinite(a[0]), "", 0, a[1].Str())
	}, ofInt: charOfInt},
	{sig: "to_char(timestamptz, text) text", eval: func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if isInfinite(a[0]) {
			return repr.Null, nil
		}
		name, offset := pgfmt.ToTime(a[0].Int(), location(env)).Zone()
		return formatTime(localOf(env, a[0]).Int(), false, name, offset, a[1].Str())
	}},
	{sig: "to_char(interval, text) text", eval: formatInterval},
	{sig: "to_char(integer, text) text", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return formatNumber(repr.Numeric(a[0].Int(), 0), a[1].Str())
	}},
	{sig: "to_char(bigint, text) text", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return formatNumber(repr.Numeric(a[0].Int(), 0), a[1].Str())
	}},
	{sig: "to_char(numeric, text) text", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return formatNumber(a[0], a[1].Str())
	}},
	{sig: "to_char(real, text) text", eval: formatFloat(6)},
	{sig: "to_char(double precision, text) text", eval: formatFloat(15)},
	{sig: "to_timestamp(text, text) timestamptz", eval: readTimestamp},
	{sig: "to_date(text, text) date", eval: readDate},
	{sig: "to_number(text, text) numeric", eval: readNumber},
}

var monthNames = []string{"January", "February", "March", "April", "May", "June", "July", "August",
	"September", "October", "November", "December"}

var dayNames = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

// timePatterns are the patterns of a template; of two that match at a place, the one listed first counts.
var timePatterns = strings.Fields(`A.D. a.d. A.M. a.m. AD ad AM am B.C. b.c. BC bc CC cc DAY Day day DDD ddd DD dd DY Dy dy D
	FF1 FF2 FF3 FF4 FF5 FF6 ff1 ff2 ff3 ff4 ff5 ff6 HH24 hh24 HH12 hh12 HH hh IDDD iddd ID id IW iw IYYY iyyy IYY iyy IY iy I i
	J j MI mi MM mm MONTH Month month MON Mon mon MS ms OF of P.M. p.m. PM pm Q q RM rm SSSSS sssss SSSS ssss SS ss TZH tzh TZM tzm
	TZ tz US us WW ww W w Y,YYY y,yyy YYYY yyyy YYY yyy YY yy Y y d`)

// templateItem is a pattern, or text that stands for itself.
type templateItem struct {
	pattern string // "" for text
	key     string // the pattern in capitals
	text    string
	fill    bool   // not FM
	suffix  string // "th", "TH" or ""
}

// template is a template of times, cut into items, which are shared: nobody may change them.
type template struct {
	items []templateItem
	unit  int64                 // the microseconds, from midnight on, within which it shows one text
	last  atomic.Pointer[shown] // what it showed last: rows that come together are often of one day or minute
}

// shown is a text and the times that it stands for.
type shown struct {
	from   int64
	to     int64 // the first that it does not stand for
	zone   string
	offset int
	text   repr.Datum
}

// templates are the templates of times.
var templates cache[*template]

// timeTemplate cuts a template of times into items.
func timeTemplate(s string) *template {
	k := texts{first: s}
	if t, ok := templates.find(k); ok {
		return t
	}
	t := &template{items: parseTemplate(strings.Clone(s), timePatterns), unit: repr.MicrosPerDay}
	for _, it := range t.items {
		if unit, ok := clockUnits[it.key]; ok {
			t.unit = min(t.unit, unit)
		}
	}
	templates.keep(k, t)
	return t
}

// clockUnits are the patterns that change within a day, and the microseconds for which they do not.
var clockUnits = map[string]int64{
	"HH": microsPerHour, "HH12": microsPerHour, "HH24": microsPerHour, "AM": microsPerHour, "PM": microsPerHour,
	"A.M.": microsPerHour, "P.M.": microsPerHour, "MI": microsPerMinute,
	"SS": microsPerSecond, "SSSS": microsPerSecond, "SSSSS": microsPerSecond,
	"MS": 1, "US": 1, "FF1": 1, "FF2": 1, "FF3": 1, "FF4": 1, "FF5": 1, "FF6": 1,
}

// parseTemplate cuts a template into items.
func parseTemplate(s string, patterns []string) []templateItem {
	var out []templateItem
	literal := func(t string) {
		if n := len(out); n > 0 && out[n-1].pattern == "" {
			out[n-1].text += t
			return
		}
		out = append(out, templateItem{text: t})
	}
	fill := true
	for s != "" {
		switch {
		case strings.HasPrefix(s, "FM"), strings.HasPrefix(s, "fm"):
			fill, s = false, s[2:]
			continue
		case strings.HasPrefix(s, "FX"), strings.HasPrefix(s, "fx"), strings.HasPrefix(s, "TM"):
			s = s[2:]
			continue
		case s[0] == '"':
			end := strings.IndexByte(s[1:], '"')
			if end < 0 {
				literal(s[1:])
				return out
			}
			literal(s[1 : 1+end])
			s = s[end+2:]
			continue
		case s[0] == '\\' && len(s) > 1 && s[1] == '"':
			literal(`"`)
			s = s[2:]
			continue
		}
		p := patternAt(s, patterns)
		if p == "" {
			literal(s[:1])
			s = s[1:]
			continue
		}
		s = s[len(p):]
		it := templateItem{pattern: p, key: strings.ToUpper(p), fill: fill}
		if strings.HasPrefix(s, "th") || strings.HasPrefix(s, "TH") {
			it.suffix, s = s[:2], s[2:]
		}
		fill = true
		out = append(out, it)
	}
	return out
}

func patternAt(s string, patterns []string) string {
	for _, p := range patterns {
		if strings.HasPrefix(s, p) {
			return p
		}
	}
	return ""
}

func padded(n int64, width int, fill bool) string {
	s := strconv.FormatInt(n, 10)
	if !fill {
		return s
	}
	neg := ""
	if n < 0 {
		neg, s = "-", s[1:]
	}
	for len(s) < width {
		s = "0" + s
	}
	return neg + s
}

// ordinal is the English suffix of a number.
func ordinal(digits string) string {
	n := len(digits)
	if n > 1 && digits[n-2] == '1' {
		return "TH"
	}
	switch digits[n-1] {
	case '1':
		return "ST"
	case '2':
		return "ND"
	case '3':
		return "RD"
	default:
		return "TH"
	}
}

// timeText is what a template shows.
type timeText struct {
	calendar
	days     int64
	zone     string
	offset   int
	interval bool
}

func formatTime(micros int64, infinite bool, zone string, offset int, text string) (repr.Datum, *repr.Error) {
	if infinite {
		return repr.Null, nil
	}
	tpl := timeTemplate(text)
	days, ofDay := pgfmt.SplitTimestamp(micros)
	if s := tpl.last.Load(); s != nil && micros >= s.from && micros < s.to && s.zone == zone && s.offset == offset {
		return s.text, nil
	}
	t := timeText{calendar: calendarOf(micros), days: days, zone: zone, offset: offset}
	out := t.format(tpl)
	if tpl.unit > 1 {
		from := micros - ofDay%tpl.unit
		tpl.last.Store(&shown{from: from, to: from + tpl.unit, zone: zone, offset: offset, text: out})
	}
	return out, nil
}

func (t timeText) format(tpl *template) repr.Datum {
	var room [48]byte
	out := room[:0]
	for _, it := range tpl.items {
		if it.pattern == "" {
			out = append(out, it.text...)
			continue
		}
		if n, width := t.digits(it); width > 0 {
			out = appendDigits(out, n, width)
			continue
		}
		s := t.item(it)
		out = append(out, s...)
		if it.suffix != "" && s != "" && s[len(s)-1] >= '0' && s[len(s)-1] <= '9' {
			th := ordinal(s)
			if it.suffix == "th" {
				th = strings.ToLower(th)
			}
			out = append(out, th...)
		}
	}
	return repr.TextBytes(bytes.Clone(out))
}

// digits is the number that a common pattern shows with a fixed width; 0 is no width.
func (t timeText) digits(it templateItem) (n, width int) {
	if !it.fill || it.suffix != "" {
		return 0, 0
	}
	switch it.key {
	case "YYYY":
		if t.year > 0 && t.year <= 9999 && !t.interval {
			return t.year, 4
		}
	case "MM":
		n, width = t.month, 2
	case "DD":
		n, width = t.day, 2
	case "HH24":
		n, width = t.hour, 2
	case "MI":
		n, width = t.minute, 2
	case "SS":
		n, width = t.second, 2
	}
	if n < 0 || n > 99 {
		return 0, 0
	}
	return n, width
}

// appendDigits writes a number that is not negative with at most so many digits.
func appendDigits(dst []byte, n, width int) []byte {
	for range width {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; n > 0; i-- {
		dst[i] += byte(n % 10)
		n /= 10
	}
	return dst
}

// asPattern gives a word the case of its pattern: DAY, Day or day.
func asPattern(word, pattern string) string {
	switch {
	case pattern == strings.ToUpper(pattern):
		return strings.ToUpper(word)
	case pattern == strings.ToLower(pattern):
		return strings.ToLower(word)
	default:
		return word
	}
}

func named(word string, it templateItem, width int) string {
	word = asPattern(word, it.pattern)
	if it.fill && len(word) < width {
		word += strings.Repeat(" ", width-len(word))
	}
	return word
}

// item is what one pattern shows.
func (t timeText) item(it templateItem) string {
	key := it.key
	if s, ok := t.clockItem(key, it); ok {
		return s
	}
	if s, ok := t.yearItem(key, it); ok {
		return s
	}
	return t.dayItem(key, it)
}

func (t timeText) clockItem(key string, it templateItem) (string, bool) {
	switch key {
	case "HH", "HH12":
		h := t.hour % 12
		if h == 0 {
			h = 12
		}
		return padded(int64(h), 2, it.fill), true
	case "HH24":
		return padded(int64(t.hour), 2, it.fill), true
	case "MI":
		return padded(int64(t.minute), 2, it.fill), true
	case "SS":
		return padded(int64(t.second), 2, it.fill), true
	case "MS", "FF3":
		return padded(int64(t.micro/1000), 3, true), true
	case "US", "FF6":
		return padded(int64(t.micro), 6, true), true
	case "FF1", "FF2", "FF4", "FF5":
		return padded(int64(t.micro), 6, true)[:key[2]-'0'], true
	case "SSSS", "SSSSS":
		return padded(t.ofDay()/microsPerSecond, 1, it.fill), true
	case "AM", "PM", "A.M.", "P.M.":
		word := "AM"
		if t.hour >= 12 {
			word = "PM"
		}
		if len(key) > 2 {
			word = word[:1] + ".M."
		}
		return asPattern(word, it.pattern), true
	case "TZ":
		return asPattern(t.zone, it.pattern), true
	case "TZH":
		return string(pgfmt.AppendOffset(nil, t.offset/3600*3600)), true
	case "TZM":
		return padded(int64(max(t.offset, -t.offset)/60%60), 2, true), true
	case "OF":
		return string(pgfmt.AppendOffset(nil, t.offset)), true
	}
	return "", false
}

// shownYear is the year as people count it.
func (t timeText) shownYear() int64 {
	if t.year <= 0 && !t.interval {
		return int64(1 - t.year)
	}
	return int64(t.year)
}

func (t timeText) yearItem(key string, it templateItem) (string, bool) {
	year := t.shownYear()
	if key[0] == 'I' && strings.Contains(key, "Y") || key == "I" {
		iso, _ := isoWeek(t.calendar)
		year = int64(iso)
		key = strings.Repeat("Y", len(key))
	}
	switch key {
	case "Y,YYY":
		return strconv.FormatInt(year/1000, 10) + "," + padded(year%1000, 3, true), true
	case "YYYY":
		return padded(year, 4, it.fill), true
	case "YYY":
		return padded(year%1000, 3, it.fill), true
	case "YY":
		return padded(year%100, 2, it.fill), true
	case "Y":
		return strconv.FormatInt(year%10, 10), true
	case "CC":
		return padded(yearsBy(t.year, 100), 2, it.fill), true
	case "AD", "BC", "A.D.", "B.C.":
		word := "AD"
		if t.year <= 0 {
			word = "BC"
		}
		if len(key) > 2 {
			word = word[:1] + "." + word[1:] + "."
		}
		return asPattern(word, it.pattern), true
	}
	return "", false
}

var romanMonths = []string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}

func (t timeText) dayItem(key string, it templateItem) string {
	switch key {
	case "MONTH":
		return named(monthNames[t.month-1], it, 9)
	case "MON":
		return asPattern(monthNames[t.month-1][:3], it.pattern)
	case "MM":
		return padded(int64(t.month), 2, it.fill)
	case "RM":
		return named(romanMonths[t.month-1], it, 4)
	case "DAY":
		return named(dayNames[dayOfWeek(t.days)], it, 9)
	case "DY":
		return asPattern(dayNames[dayOfWeek(t.days)][:3], it.pattern)
	case "DDD":
		return padded(t.dayOfYear(), 3, it.fill)
	case "DD":
		return padded(int64(t.day), 2, it.fill)
	case "D":
		return strconv.Itoa(dayOfWeek(t.days) + 1)
	case "ID":
		return strconv.Itoa((dayOfWeek(t.days)+6)%7 + 1)
	case "IDDD":
		_, week := isoWeek(t.calendar)
		return padded(int64((week-1)*7+(dayOfWeek(t.days)+6)%7+1), 3, it.fill)
	case "IW":
		_, week := isoWeek(t.calendar)
		return padded(int64(week), 2, it.fill)
	case "WW":
		return padded((t.dayOfYear()-1)/7+1, 2, it.fill)
	case "W":
		return strconv.Itoa((t.day-1)/7 + 1)
	case "Q":
		return strconv.Itoa((t.month-1)/3 + 1)
	case "J":
		return strconv.FormatInt(t.days-pgfmt.MinDate, 10)
	default:
		return it.pattern
	}
}

func (t timeText) dayOfYear() int64 { return t.days - pgfmt.DaysFromCivil(t.year, 1, 1) + 1 }

func formatInterval(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	months, days, micros := a[0].IntervalParts()
	t := timeText{interval: true, calendar: calendar{
		year: int(months / 12), month: int(months % 12), day: int(days), hour: int(micros / microsPerHour),
		minute: int(micros / microsPerMinute % 60), second: int(micros / microsPerSecond % 60), micro: int(micros % microsPerSecond),
	}}
	for _, it := range timeTemplate(a[1].Str()).items {
		switch it.key {
		case "DAY", "DY", "MONTH", "MON", "D", "ID", "TZ", "TZH", "TZM", "OF", "RM", "WW", "IW", "IYYY", "IYY", "IY", "I", "IDDD", "J", "W":
			return repr.Null, repr.NewError(repr.CodeInvalidDatetime, "invalid format specification for an interval value").
				WithHint("Intervals are not tied to specific calendar dates.")
		}
	}
	return t.format(timeTemplate(a[1].Str())), nil
}
