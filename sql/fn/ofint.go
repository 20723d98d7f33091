package fn

import (
	"strings"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// Code for calls of functions of time in which one timestamp varies: no value but that is looked at for each row, and
// none is allocated. Infinite timestamps and results out of range are left to the functions themselves.

// isMoment says whether a timestamp is not infinite.
func isMoment(n int64) bool { return n != repr.NegInfinity64 && n != repr.PosInfinity64 }

// binOfInt is date_bin with a known stride and origin.
func binOfInt(a []repr.Datum, at int) expr.IntCode {
	if at != 1 {
		return expr.IntCode{}
	}
	months, days, rest := a[0].IntervalParts()
	origin := a[2].Int()
	stride, ok := fixedSpan(days, rest)
	if months != 0 || !ok || stride <= 0 || !isMoment(origin) {
		return expr.IntCode{}
	}
	return expr.IntCode{Int: func(n int64) (int64, bool) {
		since := n - origin
		rest := since % stride
		bin := since - rest
		if rest < 0 {
			bin -= stride
		}
		out := origin + bin
		return out, isMoment(n) && pgfmt.TimestampInRange(out)
	}}
}

// fixedSpan is the length of days and microseconds, for timestamps without zone; false where it overflows.
func fixedSpan(days int32, micros int64) (int64, bool) {
	const most = 1 << 20 // days; no more are needed for speed
	if days > most || days < -most {
		return 0, false
	}
	return addInt(int64(days)*repr.MicrosPerDay, micros)
}

// shiftOfInt is a timestamp moved by a known interval without months; without days too where days are not all alike. Days and
// the rest are added at once, so they must not point in different ways: on the way there could be an overflow.
func shiftOfInt(by int, sign int64, alike bool) func([]repr.Datum, int) expr.IntCode {
	return func(a []repr.Datum, at int) expr.IntCode {
		if at == by {
			return expr.IntCode{}
		}
		months, days, rest := a[by].IntervalParts()
		delta, ok := fixedSpan(days, rest)
		if months != 0 || !ok || days != 0 && (!alike || int64(days) > 0 != (rest >= 0)) || delta == repr.NegInfinity64 {
			return expr.IntCode{}
		}
		delta *= sign
		return expr.IntCode{Int: func(n int64) (int64, bool) {
			out, ok := addInt(n, delta)
			return out, ok && isMoment(n) && pgfmt.TimestampInRange(out)
		}}
	}
}

// truncOfInt is date_trunc of a timestamp to a known unit that every day has a whole number of.
func truncOfInt(a []repr.Datum, at int) expr.IntCode {
	unit, ok := pgfmt.UnitNamed(strings.ToLower(a[0].Str()))
	if at != 1 || !ok || unit > pgfmt.UnitHour {
		return expr.IntCode{}
	}
	return expr.IntCode{Int: func(n int64) (int64, bool) { return truncMicros(n, unit), isMoment(n) }}
}

// charOfInt is to_char of a timestamp by a known template. It packs the text that the template showed last as long as it holds.
func charOfInt(a []repr.Datum, at int) expr.IntCode {
	if at != 0 {
		return expr.IntCode{}
	}
	tpl := timeTemplate(a[1].Str())
	return expr.IntCode{Pack: func(dst []byte, n int64) ([]byte, bool) {
		if s := tpl.last.Load(); s != nil && n >= s.from && n < s.to && s.zone == "" && s.offset == 0 {
			return repr.Append(dst, s.text), true
		}
		d, err := formatTime(n, !isMoment(n), "", 0, a[1].Str())
		if err != nil {
			return dst, false
		}
		return repr.Append(dst, d), true
	}}
}
