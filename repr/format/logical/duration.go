package logical

import (
	"fmt"
	"math"

	"millrace/repr"
)

// Duration makes an interval of an ISO 8601 duration as Debezium writes intervals: P1Y2M3DT4H5M6.789S, parts may be
// negative, and a part that is zero is written or left out.
func Duration(b []byte) (repr.Datum, *repr.Error) {
	d, ok := parseISODuration(b)
	if !ok {
		return d, repr.NewError(repr.CodeInvalidDatetime, fmt.Sprintf("invalid input syntax for type interval: %q", Short(b)))
	}
	return d, nil
}

func parseISODuration(b []byte) (repr.Datum, bool) {
	if len(b) < 3 || b[0] != 'P' {
		return repr.Null, false
	}
	b = b[1:]
	inTime := false
	var months, days, micros int64
	for len(b) > 0 {
		if b[0] == 'T' && !inTime {
			inTime = true
			b = b[1:]
			continue
		}
		p, rest, ok := isoPart(b)
		if !ok {
			return repr.Null, false
		}
		b = rest
		switch {
		case p.unit == 'Y' && !inTime:
			months += 12 * p.whole
		case p.unit == 'M' && !inTime:
			months += p.whole
		case p.unit == 'W' && !inTime:
			days += 7 * p.whole
		case p.unit == 'D' && !inTime:
			days += p.whole
		case p.unit == 'H' && inTime:
			micros += p.whole * 3600e6
		case p.unit == 'M' && inTime:
			micros += p.whole * 60e6
		case p.unit == 'S' && inTime:
			micros += p.whole*1e6 + p.frac
		default:
			return repr.Null, false
		}
	}
	if months != int64(int32(months)) || days != int64(int32(days)) {
		return repr.Null, false
	}
	return repr.Interval(int32(months), int32(days), micros), true
}

type isoNumber struct {
	whole int64
	frac  int64 // microseconds, of seconds only
	unit  byte
}

// isoPart reads one number and its unit. A whole part is bounded so that no sum of parts overflows.
func isoPart(b []byte) (p isoNumber, rest []byte, ok bool) {
	neg := b[0] == '-'
	if neg || b[0] == '+' {
		b = b[1:]
	}
	i := 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		p.whole = p.whole*10 + int64(b[i]-'0')
		if p.whole > math.MaxInt32 {
			return p, nil, false
		}
	}
	digits := i
	if i < len(b) && b[i] == '.' {
		scale := int64(100000)
		for i++; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
			p.frac += int64(b[i]-'0') * scale
			scale /= 10
		}
	}
	if digits == 0 || i >= len(b) {
		return p, nil, false
	}
	p.unit = b[i]
	if neg {
		p.whole, p.frac = -p.whole, -p.frac
	}
	return p, b[i+1:], p.frac == 0 || p.unit == 'S'
}
