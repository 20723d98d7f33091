package pgfmt

import (
	"strconv"
	"time"

	"millrace/repr"
)

func appendPadded(dst []byte, n, width int) []byte {
	var buf [20]byte
	s := strconv.AppendInt(buf[:0], int64(n), 10)
	for i := len(s); i < width; i++ {
		dst = append(dst, '0')
	}
	return append(dst, s...)
}

// appendInfinity prints the dates and timestamps that are none; false for any other.
func appendInfinity(dst []byte, n, neg, pos int64) ([]byte, bool) {
	switch n {
	case neg:
		return append(dst, "-infinity"...), true
	case pos:
		return append(dst, "infinity"...), true
	default:
		return dst, false
	}
}

func appendDate(dst []byte, days int64) []byte {
	if out, ok := appendInfinity(dst, days, repr.NegInfinity32, repr.PosInfinity32); ok {
		return out
	}
	dst, bc := appendCivil(dst, days)
	return append(dst, bc...)
}

// appendCivil prints a date without its era, and gives the era.
func appendCivil(dst []byte, days int64) (out []byte, era string) {
	y, m, d := CivilFromDays(days)
	if y <= 0 {
		y, era = 1-y, " BC"
	}
	dst = append(appendPadded(dst, y, 4), '-')
	dst = append(appendPadded(dst, m, 2), '-')
	return appendPadded(dst, d, 2), era
}

// appendTime prints a time of day; a fraction loses its trailing zeros.
func appendTime(dst []byte, micros int64) []byte {
	dst = append(appendPadded(dst, int(micros/microsPerHour), 2), ':')
	dst = append(appendPadded(dst, int(micros/microsPerMinute%60), 2), ':')
	return appendSeconds(dst, int(micros/microsPerSecond%60), int(micros%microsPerSecond))
}

func appendSeconds(dst []byte, sec, micros int) []byte {
	return appendFraction(appendPadded(dst, sec, 2), micros)
}

func appendFraction(dst []byte, micros int) []byte {
	if micros == 0 {
		return dst
	}
	dst = appendPadded(append(dst, '.'), micros, 6)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

func appendTimestamp(dst []byte, micros int64) []byte {
	if out, ok := appendInfinity(dst, micros, repr.NegInfinity64, repr.PosInfinity64); ok {
		return out
	}
	days, ofDay := SplitTimestamp(micros)
	dst, bc := appendCivil(dst, days)
	return append(appendTime(append(dst, ' '), ofDay), bc...)
}

func appendTimestampTZ(dst []byte, micros int64, loc *time.Location) []byte {
	if out, ok := appendInfinity(dst, micros, repr.NegInfinity64, repr.PosInfinity64); ok {
		return out
	}
	offset := ZoneOffset(micros, loc)
	days, ofDay := SplitTimestamp(micros + offset*microsPerSecond)
	dst, bc := appendCivil(dst, days)
	dst = appendTime(append(dst, ' '), ofDay)
	return append(AppendOffset(dst, int(offset)), bc...)
}

// AppendOffset prints seconds ahead of UTC as +hh[:mm[:ss]].
func AppendOffset(dst []byte, offset int) []byte {
	if offset < 0 {
		dst = append(dst, '-')
		offset = -offset
	} else {
		dst = append(dst, '+')
	}
	dst = appendPadded(dst, offset/3600, 2)
	if offset%3600 == 0 {
		return dst
	}
	dst = appendPadded(append(dst, ':'), offset/60%60, 2)
	if offset%60 == 0 {
		return dst
	}
	return appendPadded(append(dst, ':'), offset%60, 2)
}

func parseDate(s string, opt *Options) (repr.Datum, *repr.Error) {
	f, err := parseDateTime(s, opt, false)
	if err != nil {
		return repr.Null, err.of(repr.KindDate, s)
	}
	switch f.special {
	case specialNone:
	case specialNegInfinity:
		return repr.Date(repr.NegInfinity32), nil
	case specialInfinity:
		return repr.Date(repr.PosInfinity32), nil
	case specialEpoch:
		return repr.Date(-EpochDays), nil
	case specialNow:
		days, _ := SplitTimestamp(ToLocal(f.now, opt.location()))
		return repr.Date(int32(days)), nil
	}
	days := f.days()
	if days < MinDate || days >= EndDate {
		return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, `date out of range: "`+s+`"`)
	}
	return repr.Date(int32(days)), nil
}

func parseTime(s string, opt *Options) (repr.Datum, *repr.Error) {
	f, err := parseDateTime(s, opt, true)
	if err == nil && f.special == specialNow {
		_, ofDay := SplitTimestamp(ToLocal(f.now, opt.location()))
		return repr.TimeOfDay(ofDay), nil
	}
	if err == nil && (f.special != specialNone || f.have&hasTime == 0) {
		err = &dateFailure{code: dateBadFormat}
	}
	if err != nil {
		return repr.Null, err.of(repr.KindTime, s)
	}
	return repr.TimeOfDay(f.ofDay()), nil
}

// daysOfSlack are days before the first on which clocks west of Greenwich may still show a moment in range.
const daysOfSlack = 2

func parseTimestamp(k repr.Kind, s string, opt *Options) (repr.Datum, *repr.Error) {
	if iso, ok := parseISO(s); ok {
		return finishTimestamp(k, s, iso.micros, func(local int64) int64 {
			if iso.zoned {
				return local - int64(iso.offset)*microsPerSecond
			}
			return FromLocal(local, opt.location())
		})
	}
	f, err := parseDateTime(s, opt, false)
	if err != nil {
		return repr.Null, err.of(k, s)
	}
	switch f.special {
	case specialNone:
	case specialNegInfinity:
		return repr.IntOf(k, repr.NegInfinity64), nil
	case specialInfinity:
		return repr.IntOf(k, repr.PosInfinity64), nil
	case specialEpoch:
		return repr.IntOf(k, -EpochSeconds*microsPerSecond), nil
	case specialNow:
		if k == repr.KindTimestamp {
			return repr.Timestamp(ToLocal(f.now, opt.location())), nil
		}
		return repr.TimestampTZ(f.now), nil
	}
	days := f.days()
	if days < MinDate-daysOfSlack || days > EndTimestamp/repr.MicrosPerDay {
		return repr.Null, timestampOutOfRange(s)
	}
	return finishTimestamp(k, s, days*repr.MicrosPerDay+f.ofDay(), func(local int64) int64 {
		switch {
		case f.zone != nil:
			return FromLocal(local, f.zone)
		default:
			return FromLocal(local, opt.location())
		}
	})
}

func finishTimestamp(k repr.Kind, s string, micros int64, toUTC func(int64) int64) (repr.Datum, *repr.Error) {
	if k == repr.KindTimestampTZ {
		micros = toUTC(micros)
	}
	if !TimestampInRange(micros) {
		return repr.Null, timestampOutOfRange(s)
	}
	return repr.IntOf(k, micros), nil
}

func timestampOutOfRange(s string) *repr.Error {
	return repr.NewError(repr.CodeDatetimeOverflow, `timestamp out of range: "`+s+`"`)
}

// isoTime is a timestamp with the offset that it was written with.
type isoTime struct {
	micros int64
	offset int
	zoned  bool
}

// parseISO is the short way for 2006-01-02[ T]15:04:05[.999999][Z|+hh[:mm]]; false when s is anything else.
func parseISO(s string) (t isoTime, ok bool) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || s[10] != ' ' && s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return t, false
	}
	var n [6]int
	for i, at := range [6][2]int{{0, 4}, {5, 7}, {8, 10}, {11, 13}, {14, 16}, {17, 19}} {
		if n[i], ok = smallInt(s[at[0]:at[1]]); !ok {
			return t, false
		}
	}
	if n[0] == 0 || n[1] < 1 || n[1] > 12 || n[2] < 1 || n[2] > DaysIn(n[0], n[1]) || n[3] > 23 || n[4] > 59 || n[5] > 59 {
		return t, false
	}
	t.micros = DaysFromCivil(n[0], n[1], n[2])*repr.MicrosPerDay +
		int64(n[3])*microsPerHour + int64(n[4])*microsPerMinute + int64(n[5])*microsPerSecond
	rest := s[19:]
	if rest != "" && rest[0] == '.' {
		end := 1 + span(rest[1:], isDigit)
		if end == 1 || end > 7 {
			return t, false
		}
		fraction, _ := smallInt(rest[1:end])
		for i := end; i < 7; i++ {
			fraction *= 10
		}
		t.micros += int64(fraction)
		rest = rest[end:]
	}
	switch {
	case rest == "":
		return t, true
	case rest == "Z":
		t.zoned = true
		return t, true
	case rest[0] == '+' || rest[0] == '-':
		seconds, err := parseOffset(rest)
		t.offset, t.zoned = seconds, true
		return t, err == dateOK
	default:
		return t, false
	}
}
