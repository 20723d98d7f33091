package repr

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"millrace/internal/check"
)

// Tags of packed columns. A tag names the storage form, not the kind, so that a row can be walked without its
// types; within one column the tag of all values is the same, and tagNull sorts after it.
const (
	tagEnd      = 0x00 // ends the elements of an array or record
	tag1        = 0x11
	tag2        = 0x12
	tag4        = 0x14
	tag8        = 0x18
	tag16       = 0x20
	tagInterval = 0x24
	tagString   = 0x30 // bytes without NUL, ended by 0x00
	tagBytes    = 0x31 // 0x00 escaped as 0x00 0xff, ended by 0x00 0x01
	tagNumeric  = 0x32
	tagArray    = 0x34
	tagRecord   = 0x35
	tagNull     = 0xf0
)

// Append packs a value as it prints, tag and kind included, so that Decode gives it back.
// After the tag comes one byte of kind for the forms that several kinds share.
func Append(dst []byte, d Datum) []byte {
	switch d.k {
	case KindNull:
		return append(dst, tagNull)
	case KindBool:
		return append(dst, tag1, byte(d.k), byte(d.n))
	case KindInt8, KindTimestamp, KindTimestampTZ, KindTime:
		return AppendFixed8(dst, d.k, d.n)
	case KindInt2:
		return binary.BigEndian.AppendUint16(append(dst, tag2, byte(d.k)), uint16(d.n)^0x8000)
	case KindInt4, KindDate:
		return binary.BigEndian.AppendUint32(append(dst, tag4, byte(d.k)), uint32(d.n)^0x80000000)
	case KindOID, KindRegClass, KindRegType, KindRegProc, KindRegNamespace:
		return binary.BigEndian.AppendUint32(append(dst, tag4, byte(d.k)), uint32(d.n))
	case KindFloat4, KindFloat8:
		return binary.BigEndian.AppendUint64(append(dst, tag8, byte(d.k)), orderedFloat(d.n))
	case KindText, KindVarchar, KindBpchar, KindName, KindChar, KindJSON, KindJSONB:
		dst = append(dst, tagString, byte(d.k))
		dst = append(dst, d.b...)
		return append(dst, 0)
	case KindBytea:
		return appendEscaped(append(dst, tagBytes, byte(d.k)), d.b)
	case KindUUID:
		return append(append(dst, tag16, byte(d.k)), d.b...)
	case KindNumeric:
		return appendNumeric(append(dst, tagNumeric, byte(d.k)), d)
	case KindInterval:
		return appendInterval(dst, d)
	case KindArray:
		dst = append(append(dst, tagArray, byte(d.k)), d.b...)
		return append(dst, tagEnd)
	case KindRecord:
		dst = append(append(dst, tagRecord, byte(d.k)), d.b...)
		return append(dst, tagEnd)
	default:
		check.Never("cannot pack a value of kind %d", d.k)
		return dst
	}
}

// AppendFixed8 packs a bigint, time or timestamp: the short form of Append for typed loops.
func AppendFixed8(dst []byte, k Kind, n int64) []byte {
	u := uint64(n) ^ (1 << 63)
	return append(dst, tag8, byte(k), byte(u>>56), byte(u>>48), byte(u>>40), byte(u>>32), byte(u>>24), byte(u>>16), byte(u>>8), byte(u))
}

// AppendText packs a text: the short form of Append for typed loops.
func AppendText(dst, text []byte) []byte {
	at := len(dst)
	dst = slices.Grow(dst, len(text)+3)[:at+len(text)+3]
	dst[at], dst[at+1] = tagString, byte(KindText)
	copy(dst[at+2:], text)
	dst[len(dst)-1] = 0
	return dst
}

// Fixed8 is the value of the first column of a packed row when it is of eight bytes and ordered as a number: a bigint, time or
// timestamp. The next column begins Fixed8Bytes further on.
func Fixed8(row []byte) (k Kind, n int64, ok bool) {
	if len(row) < Fixed8Bytes || row[0] != tag8 {
		return 0, 0, false
	}
	return Kind(row[1]), int64(binary.BigEndian.Uint64(row[2:]) ^ (1 << 63)), true
}

// Fixed8Bytes is the size of a column that Fixed8 reads.
const Fixed8Bytes = 10

// AppendBool packs a boolean: the short form of Append for typed loops.
func AppendBool(dst []byte, yes bool) []byte {
	n := byte(0)
	if yes {
		n = 1
	}
	return append(dst, tag1, byte(KindBool), n)
}

// AppendKey packs a value in canonical form: equal values have equal bytes.
func AppendKey(dst []byte, d Datum) []byte { return Append(dst, d.Canonical()) }

// AppendRow packs values one after the other, as they print.
func AppendRow(dst []byte, row []Datum) []byte {
	for i := range row {
		dst = Append(dst, row[i])
	}
	return dst
}

// Canonical is the value that stands for all values equal to it.
func (d Datum) Canonical() Datum {
	switch d.k {
	case KindFloat4, KindFloat8:
		if f := d.Float(); f == 0 {
			d.n = 0
		} else if f != f {
			d.n = int64(math.Float64bits(math.NaN()))
		}
	case KindNumeric:
		return canonicalNumeric(d)
	case KindInterval:
		return canonicalInterval(d)
	case KindBpchar:
		d.b = bytes.TrimRight(d.b, " ")
	case KindJSONB:
		d.b = canonicalJSON(d.b)
	case KindArray, KindRecord:
		elems := d.Elems(nil)
		for i := range elems {
			elems[i] = elems[i].Canonical()
		}
		c := Array(elems)
		c.k = d.k
		return c
	default: // no two values of the others are equal
	}
	return d
}

// KeyIsValue says whether every value of the kind is already canonical, so that its packed column can be
// copied into a key as it stands.
func (k Kind) KeyIsValue() bool {
	switch k {
	case KindFloat4, KindFloat8, KindNumeric, KindInterval, KindBpchar, KindJSONB, KindArray, KindRecord:
		return false
	default:
		return true
	}
}

// Decode unpacks the first column of a packed row and returns the rest. The value aliases the row.
func Decode(row []byte) (Datum, []byte) {
	switch row[0] {
	case tagNull:
		return Datum{}, row[1:]
	case tag8:
		k, u := Kind(row[1]), binary.BigEndian.Uint64(row[2:10])
		if k == KindFloat4 || k == KindFloat8 {
			return Datum{k: k, n: unorderedFloat(u)}, row[10:]
		}
		return Datum{k: k, n: int64(u ^ 1<<63)}, row[10:]
	case tagString:
		end := 2 + bytes.IndexByte(row[2:], 0)
		return Datum{k: Kind(row[1]), b: row[2:end:end]}, row[end+1:]
	case tag4:
		k, u := Kind(row[1]), binary.BigEndian.Uint32(row[2:6])
		if k == KindInt4 || k == KindDate {
			return Datum{k: k, n: int64(int32(u ^ 0x80000000))}, row[6:]
		}
		return Datum{k: k, n: int64(u)}, row[6:]
	case tag2:
		return Datum{k: Kind(row[1]), n: int64(int16(binary.BigEndian.Uint16(row[2:4]) ^ 0x8000))}, row[4:]
	case tag1:
		return Datum{k: Kind(row[1]), n: int64(row[2])}, row[3:]
	case tagNumeric:
		return decodeNumeric(row)
	case tagBytes:
		b, rest := decodeEscaped(row[2:])
		return Datum{k: Kind(row[1]), b: b}, rest
	case tag16:
		return Datum{k: Kind(row[1]), b: row[2:18:18]}, row[18:]
	case tagInterval:
		return decodeInterval(row)
	case tagArray, tagRecord:
		n, body := int32(0), row[2:]
		for body[0] != tagEnd {
			body = Skip(body)
			n++
		}
		end := len(row) - len(body)
		return Datum{k: Kind(row[1]), b: row[2:end:end], m: n}, body[1:]
	}
	check.Never("row has unknown tag %#x", row[0])
	return Datum{}, nil
}

// Skip steps over the first column of a packed row.
func Skip(row []byte) []byte {
	if row[0] == tag8 {
		return row[Fixed8Bytes:]
	}
	return skip(row)
}

// skip is Skip for the forms that are not as common.
func skip(row []byte) []byte {
	switch row[0] {
	case tagNull:
		return row[1:]
	case tagString:
		return row[3+bytes.IndexByte(row[2:], 0):]
	case tag4:
		return row[6:]
	case tag2:
		return row[4:]
	case tag1:
		return row[3:]
	case tag16:
		return row[18:]
	case tagInterval:
		return row[26:]
	case tagNumeric:
		return row[numericLen(row):]
	case tagBytes:
		i := 2
		for {
			i += bytes.IndexByte(row[i:], 0)
			if row[i+1] == 1 {
				return row[i+2:]
			}
			i += 2
		}
	case tagArray, tagRecord:
		row = row[2:]
		for row[0] != tagEnd {
			row = Skip(row)
		}
		return row[1:]
	}
	check.Never("row has unknown tag %#x", row[0])
	return nil
}

// SkipN steps over the first n columns of a packed row.
func SkipN(row []byte, n int) []byte {
	for range n {
		row = Skip(row)
	}
	return row
}

// PrefixLen is the length in bytes of the first n columns of a packed row.
func PrefixLen(row []byte, n int) int { return len(row) - len(SkipN(row, n)) }

// DecodeRow unpacks a whole row into dst.
func DecodeRow(dst []Datum, row []byte) []Datum {
	for len(row) > 0 {
		var d Datum
		d, row = Decode(row)
		dst = append(dst, d)
	}
	return dst
}

// AppendSort packs a value so that the order of bytes is the order of ORDER BY, NULLs last. It need not decode.
func AppendSort(dst []byte, d Datum) []byte {
	if d.k == KindJSONB {
		return appendSortJSON(append(dst, tagString), d.b)
	}
	return AppendKey(dst, d)
}

// AppendOrder packs a value for one item of an ORDER BY: descending inverts the bytes, and NULLs go first or last.
func AppendOrder(dst []byte, d Datum, desc, nullsFirst bool) []byte {
	if d.k == KindNull {
		if nullsFirst {
			return append(dst, 0x00)
		}
		return append(dst, 0xff)
	}
	dst = append(dst, 0x80)
	from := len(dst)
	dst = AppendSort(dst, d)
	if desc {
		for i := from; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

func orderedFloat(n int64) uint64 {
	if n < 0 {
		return ^uint64(n)
	}
	return uint64(n) ^ 1<<63
}

func unorderedFloat(u uint64) int64 {
	if u>>63 == 0 {
		return int64(^u)
	}
	return int64(u ^ 1<<63)
}

func appendEscaped(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return append(append(dst, b...), 0, 1)
		}
		dst = append(append(dst, b[:i]...), 0, 0xff)
		b = b[i+1:]
	}
}

// decodeEscaped aliases the row when nothing in it was escaped.
func decodeEscaped(b []byte) (val, rest []byte) {
	i := bytes.IndexByte(b, 0)
	if b[i+1] == 1 {
		return b[:i:i], b[i+2:]
	}
	var out []byte
	for {
		out = append(out, b[:i]...)
		if b[i+1] == 1 {
			return out, b[i+2:]
		}
		out = append(out, 0)
		b = b[i+2:]
		i = bytes.IndexByte(b, 0)
	}
}

// IsNull says whether the first column of a packed row is NULL.
func IsNull(row []byte) bool { return row[0] == tagNull }

// IsTrue says whether the first column of a packed row is the boolean true.
func IsTrue(row []byte) bool { return row[0] == tag1 && row[1] == byte(KindBool) && row[2] == 1 }
