package avro

import (
	"bytes"
	"math"
	"unicode/utf8"

	"millrace/repr"
	"millrace/repr/format/logical"
	"millrace/repr/jsonb"
	"millrace/repr/pgfmt"
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
		return func(r *reader, dst []byte) []byte {
			d, err := logical.Date(r.int32())
			return appendOr(r, dst, d, err)
		}
	case formStampMillis, formStampMicros, formStampNanos:
		per := stampUnits[n.form]
		return func(r *reader, dst []byte) []byte {
			m, err := logical.Timestamp(r.long(), per)
			if err != nil {
				r.failWith(err)
				return dst
			}
			return repr.AppendFixed8(dst, repr.KindTimestamp, m)
		}
	case formTimeMillis, formTimeMicros, formTimeNanos:
		return leafTime(n, t)
	case formDecimal:
		return leafDecimal(n)
	default:
		return leafRare(n)
	}
}

var stampUnits = map[form]logical.Unit{
	formStampMillis: logical.Millis, formStampMicros: logical.Micros, formStampNanos: logical.Nanos,
	formTimeMillis: logical.Millis, formTimeMicros: logical.Micros, formTimeNanos: logical.Nanos,
}

// appendOr packs a value, unless the record or the value is bad.
func appendOr(r *reader, dst []byte, d repr.Datum, err *repr.Error) []byte {
	if err != nil {
		r.failWith(err)
	}
	if r.err != nil {
		return dst
	}
	return repr.Append(dst, d)
}

func leafTime(n *node, t repr.Type) decode {
	per := stampUnits[n.form]
	if t.Kind == repr.KindInterval {
		return func(r *reader, dst []byte) []byte {
			d, err := logical.Span(r.long(), per)
			return appendOr(r, dst, d, err)
		}
	}
	return func(r *reader, dst []byte) []byte {
		m, err := logical.Time(r.long(), per)
		if err != nil {
			r.failWith(err)
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
	case formISODate, formISOTime, formISOStamp:
		return func(r *reader, dst []byte) []byte { return appendISO(r, dst, r.bytes(), formKinds[n.form]) }
	case formJSON:
		return func(r *reader, dst []byte) []byte { return appendJSON(r, dst, r.bytes()) }
	case formBits:
		return func(r *reader, dst []byte) []byte { return repr.Append(dst, logical.Bits(r.bytes(), n.bits)) }
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
	if bytes.IndexByte(b, 0) >= 0 || !utf8.Valid(b) { // both are quicker than to find out where
		r.failWith(pgfmt.CheckText(b))
		return false
	}
	return r.err == nil
}

// appendDecimal packs a big-endian two's complement number of 10^-scale.
func appendDecimal(r *reader, dst, b []byte, scale int32) []byte {
	d, err := logical.Decimal(b, scale)
	return appendOr(r, dst, d, err)
}

func appendUUID(r *reader, dst, b []byte) []byte {
	d, err := logical.UUID(b)
	return appendOr(r, dst, d, err)
}

func appendISODuration(r *reader, dst, b []byte) []byte {
	d, err := logical.Duration(b)
	return appendOr(r, dst, d, err)
}

func appendISO(r *reader, dst, b []byte, k repr.Kind) []byte {
	if !checkText(r, b) {
		return dst
	}
	d, err := logical.ISO(k, b)
	return appendOr(r, dst, d, err)
}

func appendJSON(r *reader, dst, b []byte) []byte {
	if r.err != nil {
		return dst
	}
	if string(b) == logical.Unavailable {
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
