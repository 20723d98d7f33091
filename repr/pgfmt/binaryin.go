package pgfmt

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"millrace/repr"
)

func badBinary(message string) *repr.Error { return repr.NewError(repr.CodeInvalidBinary, message) }

// ParseBinary reads the binary form of a value of type t and fits it to the type's modifier. The value does not alias b.
func ParseBinary(t repr.Type, b []byte) (repr.Datum, *repr.Error) {
	d, err := parseBinary(t, b)
	if err != nil || !t.HasMod() {
		return d, err
	}
	return Coerce(t, d, false)
}

func parseBinary(t repr.Type, b []byte) (repr.Datum, *repr.Error) {
	if n := binaryWidth(t.Kind); n > 0 && len(b) != n {
		if len(b) < n {
			return repr.Null, repr.NewError(repr.CodeProtocolViolation, "insufficient data left in message")
		}
		return repr.Null, badBinary("incorrect binary data format")
	}
	switch t.Kind {
	case repr.KindBool:
		return repr.Bool(b[0] != 0), nil
	case repr.KindInt2:
		return repr.Int2(int16(binary.BigEndian.Uint16(b))), nil
	case repr.KindInt4:
		return repr.Int4(int32(binary.BigEndian.Uint32(b))), nil
	case repr.KindOID, repr.KindRegClass, repr.KindRegType, repr.KindRegProc, repr.KindRegNamespace:
		return repr.IntOf(t.Kind, int64(binary.BigEndian.Uint32(b))), nil
	case repr.KindInt8:
		return repr.Int8(int64(binary.BigEndian.Uint64(b))), nil
	case repr.KindFloat4:
		return repr.Float4(math.Float32frombits(binary.BigEndian.Uint32(b))), nil
	case repr.KindFloat8:
		return repr.Float8(math.Float64frombits(binary.BigEndian.Uint64(b))), nil
	case repr.KindDate, repr.KindTime, repr.KindTimestamp, repr.KindTimestampTZ:
		return parseTimeBinary(t.Kind, b)
	case repr.KindInterval:
		return repr.Interval(int32(binary.BigEndian.Uint32(b[12:])), int32(binary.BigEndian.Uint32(b[8:])),
			int64(binary.BigEndian.Uint64(b))), nil
	case repr.KindUUID:
		return repr.UUID([16]byte(b)), nil
	case repr.KindBytea:
		return repr.Bytea(bytes.Clone(b)), nil
	case repr.KindNumeric:
		return parseNumericBinary(b)
	case repr.KindJSONB:
		if len(b) == 0 || b[0] != 1 {
			return repr.Null, repr.NewError(repr.CodeInternal, "unsupported jsonb version number "+strconv.Itoa(versionOf(b)))
		}
		return parseJSON(t.Kind, b[1:])
	case repr.KindArray:
		return parseArrayBinary(t, b)
	case repr.KindRecord, repr.KindVoid:
		return repr.Null, repr.NewError(repr.CodeFeatureNotSupported, "binary input of type "+t.String()+" is not supported")
	case repr.KindChar:
		return parseChar(string(b)), nil
	default:
		return parseStringBinary(t.Kind, b)
	}
}

// binaryWidth is the length of the binary form of a kind; 0 when it varies.
func binaryWidth(k repr.Kind) int {
	switch k {
	case repr.KindBool, repr.KindChar:
		return 1
	case repr.KindUUID, repr.KindInterval:
		return 16
	case repr.KindName, repr.KindVoid, repr.KindNull:
		return 0
	default:
		return max(0, int(repr.Kinds[k].Len))
	}
}

func versionOf(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	return int(b[0])
}

func parseStringBinary(k repr.Kind, b []byte) (repr.Datum, *repr.Error) {
	if err := CheckText(b); err != nil {
		return repr.Null, err
	}
	switch k {
	case repr.KindJSON:
		return parseJSON(k, bytes.Clone(b))
	case repr.KindName:
		return repr.Text(TruncateName(string(b))).As(k), nil
	default:
		return repr.StringOf(textKind(k), bytes.Clone(b)), nil
	}
}

func parseTimeBinary(k repr.Kind, b []byte) (repr.Datum, *repr.Error) {
	if k == repr.KindDate {
		days := int64(int32(binary.BigEndian.Uint32(b)))
		if days != repr.NegInfinity32 && days != repr.PosInfinity32 && (days < MinDate || days >= EndDate) {
			return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, "date out of range")
		}
		return repr.Date(int32(days)), nil
	}
	n := int64(binary.BigEndian.Uint64(b))
	if k == repr.KindTime {
		if n < 0 || n > repr.MicrosPerDay {
			return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, "time out of range")
		}
		return repr.TimeOfDay(n), nil
	}
	if n != repr.NegInfinity64 && n != repr.PosInfinity64 && !TimestampInRange(n) {
		return repr.Null, repr.NewError(repr.CodeDatetimeOverflow, "timestamp out of range")
	}
	return repr.IntOf(k, n), nil
}

func parseNumericBinary(b []byte) (repr.Datum, *repr.Error) {
	if len(b) < 8 {
		return repr.Null, repr.NewError(repr.CodeProtocolViolation, "insufficient data left in message")
	}
	word := func(i int) uint16 { return binary.BigEndian.Uint16(b[2*i:]) }
	n, weight, sign, scale := int(word(0)), int(int16(word(1))), word(2), int(word(3))
	switch sign {
	case numericPositive, numericNegative:
	case numericNaN:
		return repr.NumericNaN, nil
	case numericPosInf:
		return repr.NumericPosInf, nil
	case numericNegInf:
		return repr.NumericNegInf, nil
	default:
		return repr.Null, badBinary("invalid sign in external \"numeric\" value")
	}
	if scale > MaxNumericScale {
		return repr.Null, badBinary("invalid scale in external \"numeric\" value")
	}
	if len(b) != 8+2*n {
		return repr.Null, repr.NewError(repr.CodeProtocolViolation, "insufficient data left in message")
	}
	digits := make([]byte, 0, 4*n+4)
	for i := range n {
		g := word(4 + i)
		if g > 9999 {
			return repr.Null, badBinary("invalid digit in external \"numeric\" value")
		}
		digits = append(digits, '0'+byte(g/1000), '0'+byte(g/100%10), '0'+byte(g/10%10), '0'+byte(g%10))
	}
	return numericFromGroups(digits, 4*(n-1-weight), scale, sign == numericNegative)
}

// numericFromGroups moves digits whose point is have digits from the right to the display scale, cutting what is beyond it.
func numericFromGroups(digits []byte, have, scale int, neg bool) (repr.Datum, *repr.Error) {
	switch {
	case have > scale:
		digits = digits[:max(0, len(digits)-(have-scale))]
	case have < scale && len(digits) > 0:
		if scale-have > MaxNumericWhole+MaxNumericScale {
			return repr.Null, NumericOverflow()
		}
		digits = append(digits, bytes.Repeat([]byte{'0'}, scale-have)...)
	}
	return numericOf(neg, string(digits), scale)
}

func parseArrayBinary(t repr.Type, b []byte) (repr.Datum, *repr.Error) {
	short := repr.NewError(repr.CodeProtocolViolation, "insufficient data left in message")
	if len(b) < 12 {
		return repr.Null, short
	}
	ndim := binary.BigEndian.Uint32(b)
	elem := repr.TypeOf(t.Elem)
	if got := binary.BigEndian.Uint32(b[8:]); got != elem.OID() {
		return repr.Null, repr.NewError(repr.CodeDatatypeMismatch, "binary data has array element type "+
			strconv.FormatUint(uint64(got), 10)+" instead of expected "+strconv.FormatUint(uint64(elem.OID()), 10))
	}
	if ndim == 0 {
		return repr.Array(nil), nil
	}
	if ndim > 1 {
		return repr.Null, repr.NewError(repr.CodeFeatureNotSupported, "arrays of more than one dimension are not supported")
	}
	if len(b) < 20 {
		return repr.Null, short
	}
	n := binary.BigEndian.Uint32(b[12:])
	if lower := binary.BigEndian.Uint32(b[16:]); lower != 1 && n > 0 {
		return repr.Null, repr.NewError(repr.CodeFeatureNotSupported, "arrays with a lower bound other than 1 are not supported")
	}
	b = b[20:]
	if uint64(n)*4 > uint64(len(b)) {
		return repr.Null, short
	}
	elems := make([]repr.Datum, 0, n)
	for range n {
		var e repr.Datum
		var err *repr.Error
		if e, b, err = parseSized(elem, b); err != nil {
			return repr.Null, err
		}
		elems = append(elems, e)
	}
	if len(b) > 0 {
		return repr.Null, badBinary("incorrect binary data format")
	}
	return repr.Array(elems), nil
}

// parseSized reads a length and a value of that many bytes.
func parseSized(t repr.Type, b []byte) (repr.Datum, []byte, *repr.Error) {
	short := repr.NewError(repr.CodeProtocolViolation, "insufficient data left in message")
	if len(b) < 4 {
		return repr.Null, nil, short
	}
	n := int32(binary.BigEndian.Uint32(b))
	b = b[4:]
	if n == -1 {
		return repr.Null, b, nil
	}
	if n < 0 || int(n) > len(b) {
		return repr.Null, nil, short
	}
	d, err := ParseBinary(t, b[:n])
	return d, b[n:], err
}
