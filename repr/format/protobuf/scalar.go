package protobuf

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// wireTypes are how the values of a kind stand in a message.
var wireTypes = [...]protowire.Type{
	protoreflect.BoolKind: protowire.VarintType, protoreflect.EnumKind: protowire.VarintType,
	protoreflect.Int32Kind: protowire.VarintType, protoreflect.Sint32Kind: protowire.VarintType, protoreflect.Uint32Kind: protowire.VarintType,
	protoreflect.Int64Kind: protowire.VarintType, protoreflect.Sint64Kind: protowire.VarintType, protoreflect.Uint64Kind: protowire.VarintType,
	protoreflect.Sfixed32Kind: protowire.Fixed32Type, protoreflect.Fixed32Kind: protowire.Fixed32Type, protoreflect.FloatKind: protowire.Fixed32Type,
	protoreflect.Sfixed64Kind: protowire.Fixed64Type, protoreflect.Fixed64Kind: protowire.Fixed64Type, protoreflect.DoubleKind: protowire.Fixed64Type,
	protoreflect.StringKind: protowire.BytesType, protoreflect.BytesKind: protowire.BytesType, protoreflect.MessageKind: protowire.BytesType,
	protoreflect.GroupKind: protowire.StartGroupType,
}

// scalar reads a value of a field that is no message. raw is whole, as protowire has found.
func scalar(f protoreflect.FieldDescriptor, wire protowire.Type, raw []byte) (repr.Datum, *repr.Error) {
	k := f.Kind()
	if wire != wireTypes[k] {
		return repr.Null, repr.NewError(repr.CodeInvalidBinary, fmt.Sprintf("the schema has %s, the message has wire type %d", k, wire))
	}
	switch wire {
	case protowire.VarintType:
		n, _ := protowire.ConsumeVarint(raw)
		return varint(f, n), nil
	case protowire.Fixed32Type:
		n, _ := protowire.ConsumeFixed32(raw)
		switch {
		case k == protoreflect.FloatKind:
			return repr.Float4(math.Float32frombits(n)), nil
		case k == protoreflect.Sfixed32Kind:
			return repr.Int4(int32(n)), nil
		default:
			return repr.Int8(int64(n)), nil
		}
	case protowire.Fixed64Type:
		n, _ := protowire.ConsumeFixed64(raw)
		switch {
		case k == protoreflect.DoubleKind:
			return repr.Float8(math.Float64frombits(n)), nil
		case k == protoreflect.Sfixed64Kind:
			return repr.Int8(int64(n)), nil
		default:
			return unsigned(n), nil
		}
	default:
		b, _ := protowire.ConsumeBytes(raw)
		if k == protoreflect.BytesKind {
			return repr.Bytea(b), nil
		}
		if err := pgfmt.CheckText(b); err != nil {
			return repr.Null, err
		}
		return repr.TextBytes(b), nil
	}
}

func varint(f protoreflect.FieldDescriptor, n uint64) repr.Datum {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return repr.Bool(n != 0)
	case protoreflect.EnumKind:
		return repr.Text(enumName(f, protoreflect.EnumNumber(int32(n))))
	case protoreflect.Int32Kind:
		return repr.Int4(int32(n))
	case protoreflect.Sint32Kind:
		return repr.Int4(int32(protowire.DecodeZigZag(n & math.MaxUint32)))
	case protoreflect.Uint32Kind:
		return repr.Int8(int64(uint32(n)))
	case protoreflect.Int64Kind:
		return repr.Int8(int64(n))
	case protoreflect.Sint64Kind:
		return repr.Int8(protowire.DecodeZigZag(n))
	default:
		return unsigned(n)
	}
}

// wrapped reads one of Google's messages that have a type here. Two of them in one message are merged, so what is there stays.
func (d *Decoder) wrapped(i int, wire protowire.Type, raw []byte) *repr.Error {
	if wire != protowire.BytesType {
		return repr.NewError(repr.CodeInvalidBinary, fmt.Sprintf("the schema has a message, the message has wire type %d", wire))
	}
	inner, _ := protowire.ConsumeBytes(raw)
	m, v := d.plans[i].field.Message(), &d.values[i]
	kind := wellKnown[m.FullName()]
	if kind == repr.KindTimestampTZ || kind == repr.KindInterval {
		return v.instant(kind, inner)
	}
	f := m.Fields().ByNumber(1)
	if !v.has {
		v.datum, v.has = defaultOf(f), true
	}
	for len(inner) > 0 {
		number, wire, tag := protowire.ConsumeTag(inner)
		if tag < 0 {
			return damaged(tag)
		}
		size := protowire.ConsumeFieldValue(number, wire, inner[tag:])
		if size < 0 {
			return damaged(size)
		}
		if number == f.Number() {
			var err *repr.Error
			if v.datum, err = scalar(f, wire, inner[tag:tag+size]); err != nil {
				return err
			}
		}
		inner = inner[tag+size:]
	}
	return nil
}

// Seconds from 1970-01-01 to 2000-01-01, and what a Duration holds at most.
const (
	epochSeconds = 946684800
	maxSeconds   = 315576000000
)

// instant reads a Timestamp or a Duration: seconds and nanoseconds.
func (v *value) instant(kind repr.Kind, b []byte) *repr.Error {
	var parts [2]int64
	for len(b) > 0 {
		number, wire, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return damaged(tag)
		}
		size := protowire.ConsumeFieldValue(number, wire, b[tag:])
		if size < 0 {
			return damaged(size)
		}
		if number <= 2 && wire == protowire.VarintType {
			n, _ := protowire.ConsumeVarint(b[tag:])
			parts[number-1] = int64(n)
		}
		b = b[tag+size:]
	}
	seconds, nanos := parts[0], int64(int32(parts[1]))
	if seconds < -maxSeconds || seconds > maxSeconds {
		return repr.NewError(repr.CodeDatetimeOverflow, fmt.Sprintf("%s out of range: %d seconds", kind, seconds))
	}
	micros := seconds*1e6 + nanos/1e3
	if kind == repr.KindInterval {
		v.datum, v.has = repr.Interval(0, 0, micros), true
		return nil
	}
	v.datum, v.has = repr.TimestampTZ(micros-epochSeconds*1e6), true
	return nil
}
