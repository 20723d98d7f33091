package avro

import (
	"bytes"
	"math"
	"math/big"
	"unicode/utf8"

	"millrace/repr"
	"millrace/repr/jsonb"
)

// Microseconds and days from 1970-01-01, Avro's epoch, to 2000-01-01, ours.
const (
	epochMicros = 946684800 * 1000000
	epochDays   = 10957
)

// What Debezium's PostgreSQL connector sends for an infinite timestamp or date: the driver's marks in milliseconds,
// taken for microseconds; for a date the same as days, cut to 32 bits.
const (
	debeziumPosInfinity = 9223372036825200000
	debeziumNegInfinity = -9223372036832400000
	debeziumPosInfDate  = -622191234
	debeziumNegInfDate  = 622191233
)

// PostgreSQL's bounds.
const (
	minStamp = -211813488000000000
	maxStamp = 9223371331200000000
	minDate  = -2451545
	maxDate  = 2145031948
)

// leaf compiles a scalar to a column of its natural type.
func (c *compiler) leaf(n *node, t repr.Type) decode {
	switch n.form {
	case formBool:
		return func(r *reader, dst []byte) []byte { return repr.Append(dst, repr.Bool(r.boolean())) }
	case formInt:
		return func(r *reader, dst []byte) []byte { return repr.Append(dst, repr.Int4(int32(r.int32()))) }
	case formLong:
		return func(r *reader, dst []byte) []byte { return repr.AppendFixed8(dst, repr.KindInt8, r.long()) }
	case formFloat:
		return func(r *reader, dst []byte) []byte {
			return repr.Append(dst, repr.Float4(math.Float32frombits(r.uint32())))
		}
	case formDouble:
		return func(r *reader, dst []byte) []byte {
			return repr.Append(dst, repr.Float8(math.Float64frombits(r.uint64())))
		}
	case formString:
		return func(r *reader, dst []byte) []byte { return appendText(r, dst, r.bytes()) }
	case formEnum:
		return func(r *reader, dst []byte) []byte {
			if i := r.branch(len(n.symbols)); r.err == nil {
				return repr.Append(dst, repr.Text(n.symbols[i]))
			}
			return dst
		}
	case formDate:
		return func(r *reader, dst []byte) []byte { return repr.Append(dst, dateOf(r, r.int32())) }
	case formStampMillis, formStampMicros, formStampNanos:
		per := stampUnits[n.form]
		return func(r *reader, dst []byte) []byte {
			return repr.AppendFixed8(dst, repr.KindTimestamp, stampOf(r, r.long(), per))
		}
	case formTimeMillis, formTimeMicros, formTimeNanos:
		return leafTime(n, t)
	case formDecimal:
		return leafDecimal(n)
	default:
		return leafRare(n)
	}
}

// unit is how a count becomes microseconds: times mul, divided by div.
type unit struct{ mul, div int64 }

var stampUnits = map[form]unit{
	formStampMillis: {1000, 1}, formStampMicros: {1, 1}, formStampNanos: {1, 1000},
	formTimeMillis: {1000, 1}, formTimeMicros: {1, 1}, formTimeNanos: {1, 1000},
}

// micros scales a count to microseconds, rounding nanoseconds down; ok is false when it overflows.
func (u unit) micros(v int64) (int64, bool) {
	if u.div != 1 {
		q := v / u.div
		if v%u.div < 0 {
			q--
		}
		return q, true
	}
	m := v * u.mul
	return m, m/u.mul == v
}

func stampOf(r *reader, v int64, per unit) int64 {
	switch v {
	case debeziumPosInfinity, debeziumPosInfinity / 1000:
		return repr.PosInfinity64
	case debeziumNegInfinity, debeziumNegInfinity / 1000:
		return repr.NegInfinity64
	}
	m, ok := per.micros(v)
	if !ok || m < minStamp+epochMicros || m-epochMicros >= maxStamp {
		r.fail(repr.CodeDatetimeOverflow, "timestamp out of range: %d", v)
		return 0
	}
	return m - epochMicros
}

func dateOf(r *reader, v int64) repr.Datum {
	switch v {
	case debeziumPosInfDate:
		return repr.Date(repr.PosInfinity32)
	case debeziumNegInfDate, debeziumNegInfDate - 1:
		return repr.Date(repr.NegInfinity32)
	}
	days := v - epochDays
	if days < minDate || days > maxDate {
		r.fail(repr.CodeDatetimeOverflow, "date out of range: %d", v)
		return repr.Null
	}
	return repr.Date(int32(days))
}

func leafTime(n *node, t repr.Type) decode {
	per := stampUnits[n.form]
	if t.Kind == repr.KindInterval {
		return func(r *reader, dst []byte) []byte {
			v := r.long()
			m, ok := per.micros(v)
			if !ok {
				r.fail(repr.CodeDatetimeOverflow, "interval out of range: %d", v)
			}
			return repr.Append(dst, repr.Interval(0, 0, m))
		}
	}
	return func(r *reader, dst []byte) []byte {
		v := r.long()
		m, ok := per.micros(v)
		if !ok || m < 0 || m > repr.MicrosPerDay {
			r.fail(repr.CodeDatetimeOverflow, "time out of range: %d", v)
			return dst
		}
		return repr.AppendFixed8(dst, repr.KindTime, m)
	}
}

func leafDecimal(n *node) decode {
	if n.kind == kindFixed {
		return func(r *reader, dst []byte) []byte { return appendDecimal(r, dst, r.take(n.size), n.scale) }
	}
	return func(r *reader, dst []byte) []byte { return appendDecimal(r, dst, r.bytes(), n.scale) }
}

// leafRare are the forms that no hot path has.
func leafRare(n *node) decode {
	switch n.form {
	case formFixed:
		return func(r *reader, dst []byte) []byte { return repr.Append(dst, repr.Bytea(r.take(n.size))) }
	case formVarDecimal:
		return func(r *reader, dst []byte) []byte {
			scale := r.int32()
			return appendDecimal(r, dst, r.bytes(), int32(scale))
		}
	case formUUID:
		return func(r *reader, dst []byte) []byte { return appendUUID(r, dst, r.bytes()) }
	case formUUIDFixed:
		return func(r *reader, dst []byte) []byte {
			if b := r.take(16); b != nil {
				return repr.Append(dst, repr.UUID([16]byte(b)))
			}
			return dst
		}
	case formDuration:
		return func(r *reader, dst []byte) []byte {
			months, days, millis := r.uint32(), r.uint32(), r.uint32()
			if months > math.MaxInt32 || days > math.MaxInt32 {
				r.fail(repr.CodeDatetimeOverflow, "interval out of range")
			}
			return repr.Append(dst, repr.Interval(int32(months), int32(days), int64(millis)*1000))
		}
	case formMicroDuration:
		return func(r *reader, dst []byte) []byte { return repr.Append(dst, repr.Interval(0, 0, r.long())) }
	case formISODuration:
		return func(r *reader, dst []byte) []byte { return appendISODuration(r, dst, r.bytes()) }
	case formJSON:
		return func(r *reader, dst []byte) []byte { return appendJSON(r, dst, r.bytes()) }
	case formBits:
		return func(r *reader, dst []byte) []byte { return appendBits(dst, r.bytes(), n.bits) }
	default: // formBytes
		return func(r *reader, dst []byte) []byte { return repr.Append(dst, repr.Bytea(r.bytes())) }
	}
}

// appendText packs a text, which must be UTF-8 without NUL as everywhere in SQL.
func appendText(r *reader, dst, b []byte) []byte {
	if !checkText(r, b) {
		return dst
	}
	return repr.Append(dst, repr.TextBytes(b))
}

func checkText(r *reader, b []byte) bool {
	if bytes.IndexByte(b, 0) >= 0 {
		r.fail(repr.CodeInvalidEncoding, `invalid byte sequence for encoding "UTF8": 0x00`)
		return false
	}
	if !utf8.Valid(b) {
		for len(b) > 0 {
			c, n := utf8.DecodeRune(b)
			if c == utf8.RuneError && n == 1 {
				break
			}
			b = b[n:]
		}
		r.fail(repr.CodeInvalidEncoding, `invalid byte sequence for encoding "UTF8": 0x%02x`, b[0])
		return false
	}
	return r.err == nil
}

// appendDecimal packs a big-endian two's complement number of 10^-scale.
func appendDecimal(r *reader, dst, b []byte, scale int32) []byte {
	if r.err != nil {
		return dst
	}
	if len(b) > maxDecimal || scale > maxScale || scale < -1000 {
		r.fail(repr.CodeNumericOutOfRange, "a decimal of %d bytes and scale %d is out of range", len(b), scale)
		return dst
	}
	if len(b) <= 8 && scale >= 0 {
		var v int64
		for i, x := range b {
			if i == 0 {
				v = int64(int8(x))
				continue
			}
			v = v<<8 | int64(x)
		}
		if v != math.MinInt64 {
			return repr.Append(dst, repr.Numeric(v, scale))
		}
	}
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	if scale < 0 {
		v.Mul(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-scale)), nil))
		scale = 0
	}
	return repr.Append(dst, repr.NumericFromBig(v, scale))
}

// appendUUID packs the text form of a UUID, 8-4-4-4-12 hexadecimal digits.
func appendUUID(r *reader, dst, b []byte) []byte {
	var id [16]byte
	digits := 0
	ok := len(b) == 36
	for i := 0; ok && i < len(b); i++ {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			ok = b[i] == '-'
			continue
		}
		v, isHex := unhex(b[i])
		ok = isHex
		id[digits/2] = id[digits/2]<<4 | v
		digits++
	}
	if !ok {
		if r.err == nil {
			r.fail(repr.CodeInvalidText, "invalid input syntax for type uuid: %q", short(b))
		}
		return dst
	}
	return repr.Append(dst, repr.UUID(id))
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// Unavailable is what Debezium writes for a large value that an update did not touch, and that PostgreSQL did not
// log. A text column holds it as it is; a jsonb column holds it bare, which is no JSON, so that the envelope can tell.
const Unavailable = "__debezium_unavailable_value"

func appendJSON(r *reader, dst, b []byte) []byte {
	if r.err != nil {
		return dst
	}
	if string(b) == Unavailable {
		return repr.Append(dst, repr.JSONB(b))
	}
	return appendNormal(r, dst, b)
}

func appendNormal(r *reader, dst, b []byte) []byte {
	norm, err := jsonb.Normalize(r.norm[:0], b)
	if err != nil {
		r.fail(repr.CodeInvalidText, "invalid input syntax for type json: %v", err)
		return dst
	}
	r.norm = norm
	return repr.Append(dst, repr.JSONB(norm))
}

// appendBits packs a bit string as text of 0 and 1. Debezium sends it as little-endian bytes.
func appendBits(dst, b []byte, n int) []byte {
	if n <= 0 || n > 8*len(b) {
		n = 8 * len(b)
	}
	text := make([]byte, n)
	for i := range n {
		text[n-1-i] = '0' + b[i/8]>>(i%8)&1
	}
	return repr.Append(dst, repr.TextBytes(text))
}

func short(b []byte) []byte {
	if len(b) > 100 {
		return b[:100]
	}
	return b
}
