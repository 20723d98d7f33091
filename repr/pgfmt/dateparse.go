package pgfmt

import (
	"math"
	"strconv"
	"strings"
	"time"

	"millrace/repr"
)

// dateError is what can be wrong with a date or time.
type dateError uint8

const (
	dateOK dateError = iota
	dateBadFormat
	dateOverflow
	dateMonthDayOverflow
	dateZoneOverflow
	dateBadZone
)

type dateFailure struct {
	code dateError
	zone string
}

// of words the failure for a kind and the text that was read.
func (f *dateFailure) of(k repr.Kind, s string) *repr.Error {
	switch f.code {
	case dateOverflow:
		return repr.NewError(repr.CodeDatetimeOverflow, `date/time field value out of range: "`+s+`"`)
	case dateMonthDayOverflow:
		return repr.NewError(repr.CodeDatetimeOverflow, `date/time field value out of range: "`+s+`"`).
			WithHint(`Perhaps you need a different "datestyle" setting.`)
	case dateZoneOverflow:
		return repr.NewError("22009", `time zone displacement out of range: "`+s+`"`)
	case dateBadZone:
		return repr.NewError(repr.CodeInvalidParameter, `time zone "`+f.zone+`" not recognized`)
	default:
		name := k.String()
		if k == repr.KindTime || k == repr.KindTimestamp {
			name = repr.Kinds[k].Name
		}
		return repr.NewError(repr.CodeInvalidDatetime, "invalid input syntax for type "+name+`: "`+s+`"`)
	}
}

// Bits of what a text has given so far.
const (
	hasYear = 1 << iota
	hasMonth
	hasDay
	hasDayOfYear
	hasTime
	hasZone
	hasDate = hasYear | hasMonth | hasDay
)

type special uint8

const (
	specialNone special = iota
	specialEpoch
	specialInfinity
	specialNegInfinity
	specialNow
)

type meridian uint8

const (
	hours24 meridian = iota
	hoursAM
	hoursPM
)

// dateFields is what a text says, field by field.
type dateFields struct {
	opt       *Options
	timeOnly  bool
	have      int
	year      int
	month     int
	dayNum    int
	hour      int
	minute    int
	second    int
	micro     int
	meridian  meridian
	bc        bool
	twoDigits bool // the year was written with two digits
	textMonth bool
	julian    bool
	zone      *time.Location
	special   special
	now       int64
	prefix    string // "j" or "t" that stood before a number
}

type tokenKind uint8

const (
	tokenNumber tokenKind = iota
	tokenWord
	tokenDate
	tokenTime
	tokenZone
	tokenSigned // a sign and a word
)

type dateToken struct {
	kind tokenKind
	text string // lower case
}

// parseDateTime reads a date, a time or both, with or without a zone, in the forms that PostgreSQL takes.
func parseDateTime(s string, opt *Options, timeOnly bool) (*dateFields, *dateFailure) {
	tokens, ok := dateTokens(s)
	if !ok || len(tokens) == 0 || len(tokens) > 25 {
		return nil, &dateFailure{code: dateBadFormat}
	}
	f := &dateFields{opt: opt, timeOnly: timeOnly}
	for i, tok := range tokens {
		if err := f.take(tok, i+1 < len(tokens)); err != nil {
			return nil, err
		}
	}
	if f.special != specialNone {
		return f, nil
	}
	if err := f.validate(); err != dateOK {
		return nil, &dateFailure{code: err}
	}
	return f, nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// span is the length of the head of s whose bytes satisfy is.
func span(s string, is func(c byte) bool) int {
	n := 0
	for n < len(s) && is(s[n]) {
		n++
	}
	return n
}

func dateTokens(s string) ([]dateToken, bool) {
	var out []dateToken
	s = strings.ToLower(s)
	for {
		s = strings.TrimLeft(s, spaces)
		if s == "" {
			return out, true
		}
		c := s[0]
		tok := dateToken{}
		n := 0
		switch {
		case isDigit(c):
			tok.kind, n = digitToken(s)
		case c == '.':
			n = 1 + span(s[1:], isDigit)
		case isLetter(c):
			tok.kind, n = wordToken(s)
		case c == '+' || c == '-':
			rest := strings.TrimLeft(s[1:], spaces)
			s = s[:1] + rest
			switch {
			case rest != "" && isDigit(rest[0]):
				tok.kind = tokenZone
				n = 1 + span(rest, func(c byte) bool { return isDigit(c) || c == ':' || c == '.' || c == '-' })
			case rest != "" && isLetter(rest[0]):
				tok.kind = tokenSigned
				n = 1 + span(rest, isLetter)
			default:
				return nil, false
			}
		case c > ' ' && c < 0x7f:
			s = s[1:]
			continue
		default:
			return nil, false
		}
		tok.text = s[:n]
		out = append(out, tok)
		s = s[n:]
	}
}

func digitToken(s string) (tokenKind, int) {
	n := span(s, isDigit)
	if n == len(s) {
		return tokenNumber, n
	}
	switch delim := s[n]; delim {
	case ':':
		return tokenTime, n + span(s[n:], func(c byte) bool { return isDigit(c) || c == ':' || c == '.' })
	case '-', '/', '.':
		if n+1 < len(s) && isDigit(s[n+1]) {
			kind := tokenDate
			if delim == '.' {
				kind = tokenNumber
			}
			n++
			n += span(s[n:], isDigit)
			if n < len(s) && s[n] == delim {
				kind = tokenDate
				n += span(s[n:], func(c byte) bool { return isDigit(c) || c == delim })
			}
			return kind, n
		}
		if delim == '.' {
			return tokenNumber, n + 1
		}
		return tokenDate, n + span(s[n:], func(c byte) bool { return isDigit(c) || isLetter(c) || c == delim })
	default:
		return tokenNumber, n
	}
}

func wordToken(s string) (tokenKind, int) {
	n := span(s, isLetter)
	if n == len(s) {
		return tokenWord, n
	}
	isDate := false
	switch c := s[n]; {
	case c == '-' || c == '/' || c == '.':
		isDate = true
	case c == '+' || isDigit(c):
		isDate = !isDateWord(s[:n])
	}
	if !isDate {
		return tokenWord, n
	}
	return tokenDate, n + span(s[n:], func(c byte) bool {
		return isLetter(c) || isDigit(c) || strings.IndexByte("+-/_.:", c) >= 0
	})
}

var monthNames = [...]string{"january", "february", "march", "april", "may", "june", "july", "august",
	"september", "october", "november", "december"}

var dayNames = [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// monthNamed finds a month by its name or abbreviation.
func monthNamed(word string) (int, bool) {
	if word == "sept" {
		return 9, true
	}
	for i, name := range monthNames {
		if word == name || word == name[:3] {
			return i + 1, true
		}
	}
	return 0, false
}

func isDayName(word string) bool {
	switch word {
	case "tues", "wednes", "weds", "thur", "thurs":
		return true
	}
	for _, name := range dayNames {
		if word == name || word == name[:3] {
			return true
		}
	}
	return false
}

// isDateWord says whether the word has a meaning other than a zone.
func isDateWord(word string) bool {
	if _, ok := monthNamed(word); ok || isDayName(word) {
		return true
	}
	switch word {
	case "j", "jd", "julian", "t", "y", "m", "d", "h", "mm", "s", "am", "pm", "a", "p", "ad", "bc", "ce", "bce", "at", "on",
		"epoch", "infinity", "now", "today", "tomorrow", "yesterday", "allballs", "dst", "dow", "doy", "isodow", "isoyear":
		return true
	}
	return false
}

func fail(code dateError) *dateFailure {
	if code == dateOK {
		return nil
	}
	return &dateFailure{code: code}
}

func (f *dateFields) take(tok dateToken, more bool) *dateFailure {
	switch tok.kind {
	case tokenTime:
		return fail(f.timeField(tok.text))
	case tokenZone:
		return fail(f.offsetField(tok.text))
	case tokenDate:
		return f.dateOrZone(tok.text)
	case tokenNumber:
		return fail(f.number(tok.text))
	case tokenSigned:
		switch tok.text {
		case "+infinity":
			f.special = specialInfinity
		case "-infinity":
			f.special = specialNegInfinity
		default:
			return fail(dateBadFormat)
		}
		return nil
	default:
		return f.word(tok.text, more)
	}
}

// set notes fields as given; giving one twice is an error.
func (f *dateFields) set(bits int) dateError {
	if f.have&bits != 0 {
		return dateBadFormat
	}
	f.have |= bits
	return dateOK
}

func (f *dateFields) offsetField(text string) dateError {
	seconds, err := parseOffset(text)
	if err != dateOK {
		return err
	}
	f.zone = FixedZone(seconds)
	return f.set(hasZone)
}

// timeField reads hh:mm[:ss[.ffffff]].
func (f *dateFields) timeField(text string) dateError {
	if f.have&hasTime != 0 || f.prefix == "j" {
		return dateBadFormat
	}
	f.prefix = ""
	clock, fraction, hasFraction := strings.Cut(text, ".")
	parts := strings.Split(clock, ":")
	if len(parts) < 2 || len(parts) > 3 || hasFraction && len(parts) == 2 {
		return dateBadFormat
	}
	var n [3]int
	for i, p := range parts {
		v, ok := smallInt(p)
		if !ok {
			return dateBadFormat
		}
		n[i] = v
	}
	f.hour, f.minute, f.second = n[0], n[1], n[2]
	if !f.fraction(fraction) {
		return dateBadFormat
	}
	if f.minute > 59 || f.second > 60 {
		return dateOverflow
	}
	return f.set(hasTime)
}

// fraction reads the digits of a fraction of a second.
func (f *dateFields) fraction(digits string) bool {
	if !allDigits(digits) {
		return false
	}
	v, _ := strconv.ParseFloat("0."+digits+"0", 64)
	f.micro = int(math.RoundToEven(v * microsPerSecond))
	return true
}

func (f *dateFields) dateOrZone(text string) *dateFailure {
	if f.have&(hasMonth|hasDay) != hasMonth|hasDay && f.prefix == "" && !f.timeOnly {
		return fail(f.date(text))
	}
	if !isDigit(text[0]) {
		loc, ok := zoneNamed(text)
		if !ok {
			return &dateFailure{code: dateBadZone, zone: text}
		}
		f.zone = loc
		return fail(f.set(hasZone))
	}
	clock, zone, ok := strings.Cut(text, "-") // a run-together time with a zone
	if !ok {
		if f.timeOnly {
			return fail(f.date(text))
		}
		return fail(dateBadFormat)
	}
	if f.timeOnly && strings.Contains(zone, "-") {
		return fail(f.date(text))
	}
	if err := f.offsetField("-" + zone); err != dateOK {
		return fail(err)
	}
	f.prefix = ""
	return fail(f.runTogether(clock))
}

// date reads a date with separators: 1999-01-08, 1/8/1999, 08-Jan-1999.
func (f *dateFields) date(text string) dateError {
	var numbers []string
	for text != "" {
		n := span(text, isDigit)
		if n > 0 {
			numbers = append(numbers, text[:n])
			text = text[n:]
			continue
		}
		n = span(text, isLetter)
		if n == 0 {
			text = text[1:]
			continue
		}
		m, ok := monthNamed(text[:n])
		if !ok {
			return dateBadFormat
		}
		f.month, f.textMonth = m, true
		if err := f.set(hasMonth); err != dateOK {
			return err
		}
		text = text[n:]
	}
	for _, n := range numbers {
		if f.have&hasDate == hasDate {
			return dateBadFormat
		}
		if err := f.dateNumber(n); err != dateOK {
			return err
		}
	}
	if f.have&hasDate != hasDate && f.have&(hasYear|hasDayOfYear) != hasYear|hasDayOfYear {
		return dateBadFormat
	}
	return dateOK
}

func (f *dateFields) number(text string) dateError {
	prefix := f.prefix
	f.prefix = ""
	switch prefix {
	case "j":
		return f.julianDay(text)
	case "t":
		return f.runTogether(text)
	}
	whole, _, hasPoint := strings.Cut(text, ".")
	switch {
	case hasPoint && f.have&hasDate == 0 && !f.timeOnly:
		return f.date(text)
	case hasPoint && len(whole) > 2, len(text) > 4, f.timeOnly:
		return f.runTogether(text)
	case hasPoint:
		return dateBadFormat
	default:
		return f.dateNumber(text)
	}
}

func (f *dateFields) julianDay(text string) dateError {
	n, ok := smallInt(text)
	if !ok {
		return dateBadFormat
	}
	f.year, f.month, f.dayNum = CivilFromDays(int64(n) + MinDate)
	f.julian = true
	return f.set(hasDate)
}

// runTogether reads yyyymmdd, yymmdd, hhmmss[.ff] and hhmm.
func (f *dateFields) runTogether(text string) dateError {
	digits, fraction, hasPoint := strings.Cut(text, ".")
	if hasPoint && !f.fraction(fraction) || !allDigits(digits) {
		return dateBadFormat
	}
	n := len(digits)
	if !hasPoint && f.have&hasDate != hasDate && n >= 6 && !f.timeOnly {
		f.dayNum, _ = smallInt(digits[n-2:])
		f.month, _ = smallInt(digits[n-4 : n-2])
		year, ok := smallInt(digits[:n-4])
		if !ok {
			return dateOverflow
		}
		f.year, f.twoDigits = year, n == 6
		return f.set(hasDate)
	}
	if f.have&hasTime != 0 || n != 6 && n != 4 {
		return dateBadFormat
	}
	f.hour, _ = smallInt(digits[:2])
	f.minute, _ = smallInt(digits[2:4])
	if n == 6 {
		f.second, _ = smallInt(digits[4:])
	}
	return f.set(hasTime)
}

// dateNumber decides which part of a date a number is, by what is known already.
func (f *dateFields) dateNumber(text string) dateError {
	n, ok := smallInt(text)
	if !ok {
		return dateOverflow
	}
	width := len(text)
	if width == 3 && f.have&hasDate == hasYear && n >= 1 && n <= 366 {
		f.dayNum = n
		return f.set(hasDayOfYear | hasMonth | hasDay)
	}
	bit := hasDay
	switch f.have & hasDate {
	case 0:
		switch {
		case width >= 3 || f.opt.DateOrder == OrderYMD:
			bit = hasYear
		case f.opt.DateOrder == OrderMDY:
			bit = hasMonth
		}
	case hasYear, hasDay:
		bit = hasMonth
	case hasMonth:
		if f.textMonth && (width >= 3 || f.opt.DateOrder == OrderYMD) {
			bit = hasYear
		}
	case hasYear | hasMonth:
		if f.textMonth && width >= 3 && f.twoDigits {
			f.dayNum, f.year, f.twoDigits = f.year, n, false
			return f.set(hasDay)
		}
	case hasMonth | hasDay:
		bit = hasYear
	case hasYear | hasDay:
		bit = hasMonth
	default:
		return f.runTogether(text)
	}
	switch bit {
	case hasYear:
		f.year, f.twoDigits = n, width <= 2
	case hasMonth:
		f.month = n
	default:
		f.dayNum = n
	}
	return f.set(bit)
}

func (f *dateFields) word(text string, more bool) *dateFailure {
	if m, ok := monthNamed(text); ok {
		return fail(f.monthWord(m))
	}
	if isDayName(text) {
		return nil
	}
	switch text {
	case "at", "on":
		return nil
	case "am", "a":
		f.meridian = hoursAM
		return nil
	case "pm", "p":
		f.meridian = hoursPM
		return nil
	case "bc", "bce":
		f.bc = true
		return nil
	case "ad", "ce":
		return nil
	case "j", "jd", "julian":
		f.prefix = "j"
		return nil
	case "t":
		if !more || !f.timeOnly && f.have&hasDate == 0 {
			return fail(dateBadFormat)
		}
		f.prefix = "t"
		return nil
	case "epoch":
		f.special = specialEpoch
		return nil
	case "infinity":
		f.special = specialInfinity
		return nil
	case "allballs":
		f.zone = time.UTC
		return fail(f.set(hasTime | hasZone))
	case "now", "today", "tomorrow", "yesterday":
		return fail(f.relative(text))
	}
	loc, ok := zoneNamed(text)
	if !ok {
		return fail(dateBadFormat)
	}
	f.zone = loc
	return fail(f.set(hasZone))
}

// monthWord takes a month by name; a number read as the month before it was the day.
func (f *dateFields) monthWord(m int) dateError {
	if f.have&hasMonth != 0 && !f.textMonth && f.have&hasDay == 0 && f.month >= 1 && f.month <= 31 {
		f.dayNum = f.month
		f.have |= hasDay
		f.have &^= hasMonth
	}
	f.month, f.textMonth = m, true
	return f.set(hasMonth)
}

// relative takes now, today, tomorrow and yesterday.
func (f *dateFields) relative(word string) dateError {
	if f.opt.Now.IsZero() {
		return dateBadFormat
	}
	now := FromTime(f.opt.Now)
	if word == "now" {
		f.special, f.now = specialNow, now
		return dateOK
	}
	days, _ := SplitTimestamp(ToLocal(now, f.opt.location()))
	switch word {
	case "tomorrow":
		days++
	case "yesterday":
		days--
	}
	f.year, f.month, f.dayNum = CivilFromDays(days)
	f.julian = true
	return f.set(hasDate)
}

// validate checks the fields against one another, after the last.
func (f *dateFields) validate() dateError {
	if f.prefix != "" {
		return dateBadFormat
	}
	if err := f.validateTime(); err != dateOK {
		return err
	}
	if f.timeOnly && f.have&hasDate == 0 {
		return dateOK
	}
	if f.have&hasDate != hasDate {
		return dateBadFormat
	}
	return f.validateDate()
}

func (f *dateFields) validateTime() dateError {
	if f.meridian != hours24 {
		if f.hour > 12 {
			return dateOverflow
		}
		f.hour %= 12
		if f.meridian == hoursPM {
			f.hour += 12
		}
	}
	if f.minute > 59 || f.second > 60 || f.hour > 24 || f.hour == 24 && (f.minute > 0 || f.second > 0 || f.micro > 0) {
		return dateOverflow
	}
	return dateOK
}

func (f *dateFields) validateDate() dateError {
	switch {
	case f.julian:
		return dateOK
	case f.bc:
		if f.year <= 0 {
			return dateOverflow
		}
		f.year = 1 - f.year
	case f.twoDigits && f.year < 70:
		f.year += 2000
	case f.twoDigits && f.year < 100:
		f.year += 1900
	case f.year <= 0:
		return dateOverflow
	}
	if f.have&hasDayOfYear != 0 {
		f.year, f.month, f.dayNum = CivilFromDays(DaysFromCivil(f.year, 1, f.dayNum))
	}
	if f.month < 1 || f.month > 12 || f.dayNum < 1 || f.dayNum > 31 {
		return dateMonthDayOverflow
	}
	if f.dayNum > DaysIn(f.year, f.month) {
		return dateOverflow
	}
	return dateOK
}

func (f *dateFields) days() int64 { return DaysFromCivil(f.year, f.month, f.dayNum) }

func (f *dateFields) ofDay() int64 {
	return int64(f.hour)*microsPerHour + int64(f.minute)*microsPerMinute + int64(f.second)*microsPerSecond + int64(f.micro)
}
