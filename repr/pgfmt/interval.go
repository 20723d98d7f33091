package pgfmt

import (
	"strconv"

	"millrace/repr"
)

// intervalParts are the fields that print.
type intervalParts struct {
	year, mon, day, hour, min, sec, micro int64
}

func splitInterval(d repr.Datum) intervalParts {
	months, days, micros := d.IntervalParts()
	return intervalParts{
		year: int64(months) / 12, mon: int64(months) % 12, day: int64(days),
		hour: micros / microsPerHour, min: micros / microsPerMinute % 60,
		sec: micros / microsPerSecond % 60, micro: micros % microsPerSecond,
	}
}

func (p intervalParts) hasTime() bool { return p.hour != 0 || p.min != 0 || p.sec != 0 || p.micro != 0 }

func (p intervalParts) timeNegative() bool {
	return p.hour < 0 || p.min < 0 || p.sec < 0 || p.micro < 0
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

func appendInterval(dst []byte, d repr.Datum, style IntervalStyle) []byte {
	p := splitInterval(d)
	switch style {
	case IntervalISO8601:
		return appendIntervalISO(dst, p)
	case IntervalSQLStandard:
		return appendIntervalSQL(dst, p)
	case IntervalVerbose:
		return appendIntervalVerbose(dst, p)
	default:
		return appendIntervalPostgres(dst, p)
	}
}

// appendClock prints hours, minutes and seconds without sign.
func appendClock(dst []byte, p intervalParts, hourWidth int) []byte {
	dst = appendUintPadded(dst, magnitude(p.hour), hourWidth)
	dst = appendPadded(append(dst, ':'), int(abs(p.min)), 2)
	return appendSeconds(append(dst, ':'), int(abs(p.sec)), int(abs(p.micro)))
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return uint64(-n)
	}
	return uint64(n)
}

func appendUintPadded(dst []byte, n uint64, width int) []byte {
	var buf [20]byte
	s := strconv.AppendUint(buf[:0], n, 10)
	for i := len(s); i < width; i++ {
		dst = append(dst, '0')
	}
	return append(dst, s...)
}

func appendIntervalPostgres(dst []byte, p intervalParts) []byte {
	empty, before := true, false
	add := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if !empty {
			dst = append(dst, ' ')
		}
		if before && n > 0 {
			dst = append(dst, '+')
		}
		dst = append(append(appendInt(dst, n), ' '), unit...)
		if n != 1 {
			dst = append(dst, 's')
		}
		empty, before = false, n < 0
	}
	add(p.year, "year")
	add(p.mon, "mon")
	add(p.day, "day")
	if !empty && !p.hasTime() {
		return dst
	}
	if !empty {
		dst = append(dst, ' ')
	}
	if p.timeNegative() {
		dst = append(dst, '-')
	} else if before {
		dst = append(dst, '+')
	}
	return appendClock(dst, p, 2)
}

func appendIntervalISO(dst []byte, p intervalParts) []byte {
	if p == (intervalParts{}) {
		return append(dst, "PT0S"...)
	}
	add := func(n int64, unit byte) {
		if n != 0 {
			dst = append(appendInt(dst, n), unit)
		}
	}
	dst = append(dst, 'P')
	add(p.year, 'Y')
	add(p.mon, 'M')
	add(p.day, 'D')
	if !p.hasTime() {
		return dst
	}
	dst = append(dst, 'T')
	add(p.hour, 'H')
	add(p.min, 'M')
	if p.sec == 0 && p.micro == 0 {
		return dst
	}
	if p.sec < 0 || p.micro < 0 {
		dst = append(dst, '-')
	}
	return append(appendFraction(appendInt(dst, abs(p.sec)), int(abs(p.micro))), 'S')
}

func (p intervalParts) fields() [7]int64 {
	return [7]int64{p.year, p.mon, p.day, p.hour, p.min, p.sec, p.micro}
}

func appendIntervalSQL(dst []byte, p intervalParts) []byte {
	neg, pos := false, false
	for _, n := range p.fields() {
		neg, pos = neg || n < 0, pos || n > 0
	}
	yearMonth := p.year != 0 || p.mon != 0
	dayTime := p.day != 0 || p.hasTime()
	if !neg && !pos {
		return append(dst, '0')
	}
	if neg && pos || yearMonth && dayTime {
		dst = append(dst, signOf(p.year < 0 || p.mon < 0))
		dst = appendInt(append(appendInt(dst, abs(p.year)), '-'), abs(p.mon))
		dst = append(dst, ' ', signOf(p.day < 0))
		dst = append(appendInt(dst, abs(p.day)), ' ', signOf(p.timeNegative()))
		return appendClock(dst, p, 1)
	}
	if neg {
		dst = append(dst, '-')
	}
	if yearMonth {
		return appendInt(append(appendInt(dst, abs(p.year)), '-'), abs(p.mon))
	}
	if p.day != 0 {
		dst = append(appendInt(dst, abs(p.day)), ' ')
	}
	return appendClock(dst, p, 1)
}

func signOf(negative bool) byte {
	if negative {
		return '-'
	}
	return '+'
}

func appendIntervalVerbose(dst []byte, p intervalParts) []byte {
	empty, before := true, false
	add := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if empty {
			before = n < 0
			n = abs(n)
		} else if before {
			n = -n
		}
		dst = append(append(appendInt(append(dst, ' '), n), ' '), unit...)
		if n != 1 {
			dst = append(dst, 's')
		}
		empty = false
	}
	dst = append(dst, '@')
	add(p.year, "year")
	add(p.mon, "mon")
	add(p.day, "day")
	add(p.hour, "hour")
	add(p.min, "min")
	if p.sec != 0 || p.micro != 0 {
		dst = append(dst, ' ')
		negative := p.sec < 0 || p.micro < 0
		if empty {
			before = negative
		} else if negative != before {
			dst = append(dst, '-')
		}
		dst = append(appendFraction(appendInt(dst, abs(p.sec)), int(abs(p.micro))), " sec"...)
		if abs(p.sec) != 1 || p.micro != 0 {
			dst = append(dst, 's')
		}
		empty = false
	}
	if empty {
		dst = append(dst, " 0"...)
	}
	if before {
		dst = append(dst, " ago"...)
	}
	return dst
}
