package postgres

import (
	"math"
	"unicode/utf8"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// appendValue packs a value from its text. The common kinds have loops of their own.
func appendValue(dst []byte, t repr.Type, text []byte) ([]byte, *repr.Error) {
	switch t.Kind {
	case repr.KindInt2, repr.KindInt4, repr.KindInt8:
		if n, ok := integer(text); ok && n >= -mostOf[t.Kind]-1 && n <= mostOf[t.Kind] {
			return repr.Append(dst, repr.IntOf(t.Kind, n)), nil
		}
	case repr.KindText:
		if !utf8.Valid(text) {
			return dst, repr.NewError("22021", "invalid byte sequence for encoding \"UTF8\"")
		}
		return repr.AppendText(dst, text), nil
	case repr.KindBool:
		if len(text) == 1 && (text[0] == 't' || text[0] == 'f') {
			return repr.AppendBool(dst, text[0] == 't'), nil
		}
	case repr.KindTimestamp, repr.KindTimestampTZ:
		if n, ok := moment(text, t.Kind == repr.KindTimestampTZ); ok && !t.HasMod() {
			return repr.AppendFixed8(dst, t.Kind, n), nil
		}
	default: // it takes the long way
	}
	d, err := pgfmt.ParseText(t, string(text), nil)
	if err != nil {
		return dst, err
	}
	return repr.Append(dst, d), nil
}

// mostOf are the greatest values of the whole numbers.
var mostOf = [...]int64{repr.KindInt2: math.MaxInt16, repr.KindInt4: math.MaxInt32, repr.KindInt8: math.MaxInt64}

// integer reads a number of at most 18 digits.
func integer(b []byte) (int64, bool) {
	minus := len(b) > 0 && b[0] == '-'
	if minus {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if minus {
		n = -n
	}
	return n, true
}

// Lengths of 2006-01-02 15:04:05, and of the zone that follows where there is one.
const (
	momentLen   = 19
	zoneText    = "+00"
	microDigits = 6
)

// momentMost are the greatest year, month, day, hour, minute and second; the other side sends no day that does not exist.
var momentMost = [...]int64{9999, 12, 31, 23, 59, 59}

// moment reads a timestamp as our settings have the other side print it, as microseconds since 2000.
func moment(b []byte, zone bool) (int64, bool) {
	if zone {
		if len(b) < momentLen+len(zoneText) || string(b[len(b)-len(zoneText):]) != zoneText {
			return 0, false
		}
		b = b[:len(b)-len(zoneText)]
	}
	if len(b) < momentLen || b[4] != '-' || b[7] != '-' || b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	var f [6]int64
	for i, at := range [...][2]int{{0, 4}, {5, 7}, {8, 10}, {11, 13}, {14, 16}, {17, 19}} {
		n, ok := integer(b[at[0]:at[1]])
		if !ok || n < 0 || n > momentMost[i] {
			return 0, false
		}
		f[i] = n
	}
	micros := int64(0)
	if len(b) > momentLen {
		digits := b[momentLen+1:]
		n, ok := integer(digits)
		if b[momentLen] != '.' || !ok || n < 0 || len(digits) > microDigits {
			return 0, false
		}
		for range microDigits - len(digits) {
			n *= 10
		}
		micros = n
	}
	seconds := days(f[0], f[1], f[2])*86400 + f[3]*3600 + f[4]*60 + f[5]
	return seconds*1_000_000 + micros, true
}

// days is how many days a date of the Gregorian calendar lies after 2000-01-01.
func days(year, month, day int64) int64 {
	if month <= 2 {
		year, month = year-1, month+12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - 730425
}
