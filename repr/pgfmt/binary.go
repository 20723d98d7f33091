package pgfmt

import (
	"encoding/binary"
	"math"
	"math/big"

	"millrace/repr"
)

// AppendBinary appends the binary form of a value. NULL appends nothing.
func AppendBinary(dst []byte, t repr.Type, d repr.Datum) []byte {
	switch d.Kind() {
	case repr.KindNull, repr.KindVoid:
		return dst
	case repr.KindBool:
		return append(dst, byte(d.Int()))
	case repr.KindInt2:
		return binary.BigEndian.AppendUint16(dst, uint16(d.Int()))
	case repr.KindInt4, repr.KindDate, repr.KindOID, repr.KindRegClass, repr.KindRegType, repr.KindRegProc, repr.KindRegNamespace:
		return binary.BigEndian.AppendUint32(dst, uint32(d.Int()))
	case repr.KindFloat8:
		if f := d.Float(); f != f {
			return binary.BigEndian.AppendUint64(dst, 0x7ff8<<48) // one NaN, whatever made it
		}
		return binary.BigEndian.AppendUint64(dst, uint64(d.Int()))
	case repr.KindInt8, repr.KindTime, repr.KindTimestamp, repr.KindTimestampTZ:
		return binary.BigEndian.AppendUint64(dst, uint64(d.Int()))
	case repr.KindFloat4:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(d.Float())))
	case repr.KindNumeric:
		return appendNumericBinary(dst, d)
	case repr.KindChar:
		return append(dst, charByte(d.Str()))
	case repr.KindText, repr.KindVarchar, repr.KindBpchar, repr.KindName, repr.KindJSON, repr.KindBytea, repr.KindUUID:
		return append(dst, d.Bytes()...)
	case repr.KindJSONB:
		return append(append(dst, 1), d.Bytes()...)
	case repr.KindInterval:
		months, days, micros := d.IntervalParts()
		dst = binary.BigEndian.AppendUint64(dst, uint64(micros))
		dst = binary.BigEndian.AppendUint32(dst, uint32(days))
		return binary.BigEndian.AppendUint32(dst, uint32(months))
	case repr.KindArray:
		return appendArrayBinary(dst, t, d)
	case repr.KindRecord:
		return appendRecordBinary(dst, d)
	}
	return dst
}

// charByte is the byte that a "char" is.
func charByte(s string) byte {
	switch {
	case s == "":
		return 0
	case len(s) == 4:
		return (s[1]-'0')<<6 | (s[2]-'0')<<3 | (s[3] - '0')
	default:
		return s[0]
	}
}

func appendArrayBinary(dst []byte, t repr.Type, d repr.Datum) []byte {
	elems := d.Elems(nil)
	flags := uint32(0)
	for _, e := range elems {
		if e.IsNull() {
			flags = 1
		}
	}
	ndim := uint32(1)
	if len(elems) == 0 {
		ndim = 0
	}
	dst = binary.BigEndian.AppendUint32(dst, ndim)
	dst = binary.BigEndian.AppendUint32(dst, flags)
	dst = binary.BigEndian.AppendUint32(dst, repr.TypeOf(t.Elem).OID())
	if ndim == 0 {
		return dst
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(elems)))
	dst = binary.BigEndian.AppendUint32(dst, 1)
	for _, e := range elems {
		dst = appendSized(dst, repr.TypeOf(t.Elem), e)
	}
	return dst
}

func appendRecordBinary(dst []byte, d repr.Datum) []byte {
	elems := d.Elems(nil)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(elems)))
	for _, e := range elems {
		t := typeOf(e)
		dst = binary.BigEndian.AppendUint32(dst, t.OID())
		dst = appendSized(dst, t, e)
	}
	return dst
}

// appendSized appends the length of a value, -1 for NULL, and the value.
func appendSized(dst []byte, t repr.Type, d repr.Datum) []byte {
	if d.IsNull() {
		return binary.BigEndian.AppendUint32(dst, math.MaxUint32)
	}
	at := len(dst)
	dst = AppendBinary(append(dst, 0, 0, 0, 0), t, d)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// Signs of a binary numeric.
const (
	numericPositive = 0x0000
	numericNegative = 0x4000
	numericNaN      = 0xc000
	numericPosInf   = 0xd000
	numericNegInf   = 0xf000
)

// appendNumericBinary appends digit count, weight, sign, scale, and digits to the base of 10000.
func appendNumericBinary(dst []byte, d repr.Datum) []byte {
	put := func(v uint16) { dst = binary.BigEndian.AppendUint16(dst, v) }
	if !d.NumericFinite() {
		sign, scale := uint16(numericPosInf), uint16(0x20)
		switch {
		case d.NumericIsNaN():
			sign, scale = numericNaN, 0
		case repr.Compare(d, repr.NumericNegInf) == 0:
			sign = numericNegInf
		}
		for _, v := range [4]uint16{0, 0, sign, scale} {
			put(v)
		}
		return dst
	}
	coef, scale := NumericBig(d)
	sign := uint16(numericPositive)
	if coef.Sign() < 0 {
		sign = numericNegative
	}
	digits := new(big.Int).Abs(coef).Append(nil, 10)
	if coef.Sign() == 0 {
		digits = nil
	}
	for range (4 - scale%4) % 4 {
		digits = append(digits, '0')
	}
	for len(digits)%4 != 0 {
		digits = append([]byte{'0'}, digits...)
	}
	weight := len(digits)/4 - (scale+3)/4 - 1
	groups := groupsOf(digits)
	for len(groups) > 0 && groups[0] == 0 {
		groups, weight = groups[1:], weight-1
	}
	for len(groups) > 0 && groups[len(groups)-1] == 0 {
		groups = groups[:len(groups)-1]
	}
	if len(groups) == 0 {
		weight, sign = 0, numericPositive
	}
	put(uint16(len(groups)))
	put(uint16(int16(weight)))
	put(sign)
	put(uint16(scale))
	for _, g := range groups {
		put(g)
	}
	return dst
}

// groupsOf reads digits four at a time.
func groupsOf(digits []byte) []uint16 {
	out := make([]uint16, 0, len(digits)/4)
	for i := 0; i+4 <= len(digits); i += 4 {
		out = append(out, uint16(digits[i]-'0')*1000+uint16(digits[i+1]-'0')*100+
			uint16(digits[i+2]-'0')*10+uint16(digits[i+3]-'0'))
	}
	return out
}
