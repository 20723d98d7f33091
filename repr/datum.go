package repr

import (
	"bytes"
	"math"
	"unsafe"
)

// Datum is one SQL value. The zero Datum is NULL. Which fields count depends on the kind:
//
//	bool, int2/4/8, oid, reg*   n
//	date                        n = days since 2000-01-01
//	time                        n = microseconds since midnight
//	timestamp, timestamptz      n = microseconds since 2000-01-01 00:00:00 (UTC)
//	float4, float8              n = the IEEE 754 bits of a float64
//	interval                    n = microseconds, x = days, m = months
//	numeric                     coefficient n (or b when it does not fit), scale x: see numeric.go
//	text, varchar, name, "char" b = UTF-8 without NUL
//	bpchar                      b = UTF-8, padded as it prints
//	json                        b = the text as given
//	jsonb                       b = the text in PostgreSQL's normal form (sorted keys, ", " and ": ")
//	bytea, uuid                 b
//	array, record               b = the packed elements, m of them; the element type is in the Type
//
// b is never written to: a Datum may alias the packed row it was decoded from.
type Datum struct {
	b []byte
	n int64
	x int32
	m int32
	k Kind
}

// Null is the SQL NULL.
var Null = Datum{}

// Infinite dates and timestamps, as PostgreSQL stores them.
const (
	NegInfinity64 = math.MinInt64
	PosInfinity64 = math.MaxInt64
	NegInfinity32 = math.MinInt32
	PosInfinity32 = math.MaxInt32
)

// Bool makes a boolean.
func Bool(v bool) Datum {
	if v {
		return Datum{k: KindBool, n: 1}
	}
	return Datum{k: KindBool}
}

// Int2 makes a smallint.
func Int2(v int16) Datum { return Datum{k: KindInt2, n: int64(v)} }

// Int4 makes an integer.
func Int4(v int32) Datum { return Datum{k: KindInt4, n: int64(v)} }

// Int8 makes a bigint.
func Int8(v int64) Datum { return Datum{k: KindInt8, n: v} }

// Float4 makes a real.
func Float4(v float32) Datum { return Datum{k: KindFloat4, n: int64(math.Float64bits(float64(v)))} }

// Float8 makes a double precision.
func Float8(v float64) Datum { return Datum{k: KindFloat8, n: int64(math.Float64bits(v))} }

// Text makes a text.
func Text(v string) Datum { return Datum{k: KindText, b: bytesOf(v)} }

// TextBytes makes a text that aliases b, which must not be changed afterwards.
func TextBytes(b []byte) Datum { return Datum{k: KindText, b: b} }

// StringOf makes a value of a kind whose payload is bytes: text and its kin, bytea, json, jsonb, uuid.
func StringOf(k Kind, b []byte) Datum { return Datum{k: k, b: b} }

// Bytea makes a bytea that aliases b.
func Bytea(b []byte) Datum { return Datum{k: KindBytea, b: b} }

// JSONB makes a jsonb from text in normal form, which it aliases.
func JSONB(normal []byte) Datum { return Datum{k: KindJSONB, b: normal} }

// UUID makes a uuid of 16 bytes.
func UUID(b [16]byte) Datum { return Datum{k: KindUUID, b: b[:]} }

// Date makes a date from days since 2000-01-01.
func Date(days int32) Datum { return Datum{k: KindDate, n: int64(days)} }

// TimeOfDay makes a time from microseconds since midnight.
func TimeOfDay(micros int64) Datum { return Datum{k: KindTime, n: micros} }

// Timestamp makes a timestamp from microseconds since 2000-01-01.
func Timestamp(micros int64) Datum { return Datum{k: KindTimestamp, n: micros} }

// TimestampTZ makes a timestamptz from microseconds since 2000-01-01 UTC.
func TimestampTZ(micros int64) Datum { return Datum{k: KindTimestampTZ, n: micros} }

// Interval makes an interval.
func Interval(months, days int32, micros int64) Datum {
	return Datum{k: KindInterval, n: micros, x: days, m: months}
}

// OID makes an oid.
func OID(v uint32) Datum { return Datum{k: KindOID, n: int64(v)} }

// IntOf makes a value of any kind whose payload is the integer n: the integers, oid and reg*, dates and times.
func IntOf(k Kind, n int64) Datum { return Datum{k: k, n: n} }

// mostFixed is about what an element takes in an array beside its bytes.
const mostFixed = 9

// Array makes an array of elements (one dimension, lower bound 1).
func Array(elems []Datum) Datum {
	size := 0
	for i := range elems {
		size += len(elems[i].b) + mostFixed
	}
	b := make([]byte, 0, size)
	for _, e := range elems {
		b = Append(b, e)
	}
	return Datum{k: KindArray, b: b, m: int32(len(elems))}
}

// Record makes an anonymous row value.
func Record(fields []Datum) Datum {
	d := Array(fields)
	d.k = KindRecord
	return d
}

// Kind is the kind of the value; KindNull for NULL.
func (d Datum) Kind() Kind { return d.k }

// IsNull says whether the value is NULL.
func (d Datum) IsNull() bool { return d.k == KindNull }

// Bool is the value of a boolean.
func (d Datum) Bool() bool { return d.n != 0 }

// Int is the payload of every integer-like kind.
func (d Datum) Int() int64 { return d.n }

// Float is the value of a real or double precision.
func (d Datum) Float() float64 { return math.Float64frombits(uint64(d.n)) }

// Bytes is the payload of every byte-like kind. It must not be changed.
func (d Datum) Bytes() []byte { return d.b }

// Str is the payload of a byte-like kind as a string that aliases it.
func (d Datum) Str() string { return unsafe.String(unsafe.SliceData(d.b), len(d.b)) }

// IntervalParts are the months, days and microseconds of an interval.
func (d Datum) IntervalParts() (months, days int32, micros int64) { return d.m, d.x, d.n }

// Len is the number of elements of an array or record.
func (d Datum) Len() int { return int(d.m) }

// Elems decodes the elements of an array or record into dst.
func (d Datum) Elems(dst []Datum) []Datum {
	rest := d.b
	for range d.m {
		var e Datum
		e, rest = Decode(rest)
		dst = append(dst, e)
	}
	return dst
}

// As returns the value under another kind of the same payload: text and varchar, oid and regclass, int4 and int8.
func (d Datum) As(k Kind) Datum {
	if d.k != KindNull {
		d.k = k
	}
	return d
}

// Clone copies the payload, so that the value outlives the row it was decoded from.
func (d Datum) Clone() Datum {
	if d.b != nil {
		d.b = bytes.Clone(d.b)
	}
	return d
}

// Equal says whether two values of one type are one key: NULL equals NULL, 1.1 equals 1.10.
func (d Datum) Equal(o Datum) bool { return Compare(d, o) == 0 }

// Compare orders two values of one type as ORDER BY does, NULLs last. Text is ordered by bytes (collation C).
func Compare(a, b Datum) int {
	if a.k == KindNull || b.k == KindNull {
		switch {
		case a.k == b.k:
			return 0
		case a.k == KindNull:
			return 1
		default:
			return -1
		}
	}
	switch a.k {
	case KindBool, KindInt2, KindInt4, KindInt8, KindDate, KindTime, KindTimestamp, KindTimestampTZ,
		KindOID, KindRegClass, KindRegType, KindRegProc, KindRegNamespace:
		return cmpInt(a.n, b.n)
	case KindFloat4, KindFloat8:
		return cmpFloat(a.Float(), b.Float())
	case KindText, KindVarchar, KindName, KindChar, KindBytea, KindUUID, KindJSON:
		return bytes.Compare(a.b, b.b)
	case KindBpchar:
		return bytes.Compare(bytes.TrimRight(a.b, " "), bytes.TrimRight(b.b, " "))
	default:
		var bufA, bufB [96]byte
		return bytes.Compare(AppendSort(bufA[:0], a), AppendSort(bufB[:0], b))
	}
}

func cmpInt(a, b int64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// cmpFloat orders NaN above everything, and -0 equal to 0.
func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	case a != a && b != b:
		return 0
	case a != a:
		return 1
	default:
		return -1
	}
}

func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
