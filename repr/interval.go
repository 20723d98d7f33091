package repr

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Microseconds in a day, and the 30 days that PostgreSQL takes a month for when it compares intervals.
const (
	MicrosPerDay = 24 * 60 * 60 * 1000000
	daysPerMonth = 30
)

// intervalSpan is the length that an interval is compared by, in microseconds, as a 128-bit number.
func intervalSpan(months, days int32, micros int64) (hi int64, lo uint64) {
	total := int64(months)*daysPerMonth + int64(days)
	neg := total < 0
	if neg {
		total = -total
	}
	h, l := bits.Mul64(uint64(total), MicrosPerDay)
	if neg {
		var borrow uint64
		l, borrow = bits.Sub64(0, l, 0)
		h, _ = bits.Sub64(0, h, borrow)
	}
	var carry uint64
	l, carry = bits.Add64(l, uint64(micros), 0)
	h, _ = bits.Add64(h, uint64(micros>>63), carry)
	return int64(h), l
}

// appendInterval packs the span (16 bytes, in order) and then the months and days that print.
func appendInterval(dst []byte, d Datum) []byte {
	hi, lo := intervalSpan(d.m, d.x, d.n)
	dst = append(dst, tagInterval, byte(d.k))
	dst = binary.BigEndian.AppendUint64(dst, uint64(hi)^1<<63)
	dst = binary.BigEndian.AppendUint64(dst, lo)
	dst = binary.BigEndian.AppendUint32(dst, uint32(d.m)^0x80000000)
	return binary.BigEndian.AppendUint32(dst, uint32(d.x)^0x80000000)
}

func decodeInterval(row []byte) (Datum, []byte) {
	lo := binary.BigEndian.Uint64(row[10:18])
	m := int32(binary.BigEndian.Uint32(row[18:22]) ^ 0x80000000)
	x := int32(binary.BigEndian.Uint32(row[22:26]) ^ 0x80000000)
	_, rest := intervalSpan(m, x, 0)
	return Datum{k: KindInterval, m: m, x: x, n: int64(lo - rest)}, row[26:]
}

// canonicalInterval keeps the span: as many months as there are, then days, then microseconds within the day. What a
// field cannot hold stays in the next one.
func canonicalInterval(d Datum) Datum {
	days := int64(d.m)*daysPerMonth + int64(d.x) + d.n/MicrosPerDay
	micros := d.n % MicrosPerDay
	if micros < 0 {
		micros += MicrosPerDay
		days--
	}
	months := clamp32(days / daysPerMonth)
	days -= months * daysPerMonth
	held := clamp32(days)
	return Datum{k: KindInterval, m: int32(months), x: int32(held), n: micros + (days-held)*MicrosPerDay}
}

func clamp32(n int64) int64 { return min(max(n, math.MinInt32), math.MaxInt32) }
