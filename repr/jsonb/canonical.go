package jsonb

import "encoding/binary"

// Canonical is the one form that all values equal to b share: numbers lose the zeros that change nothing.
// It is b itself when there are none.
func Canonical(b []byte) []byte {
	var out []byte
	from := 0
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c == '"':
			i += skipString(b[i:])
		case c == '-' || c >= '0' && c <= '9':
			n := skip(b[i:])
			if short := trimNumber(b[i : i+n]); len(short) < n {
				out = append(append(out, b[from:i]...), short...)
				from = i + n
			}
			i += n
		default:
			i++
		}
	}
	if from == 0 {
		return b
	}
	return append(out, b[from:]...)
}

// Tags of values in sort form, in PostgreSQL's order. An empty array at the top sorts before all else there.
const (
	sortEmptyTop = 0x01
	sortNull     = 0x02
	sortString   = 0x03
	sortNumber   = 0x04
	sortFalse    = 0x05
	sortTrue     = 0x06
	sortArray    = 0x07
	sortObject   = 0x08
)

// AppendSort appends bytes whose order is the order of jsonb, equal for equal values, and none a prefix of another.
func AppendSort(dst, b []byte) []byte {
	if len(b) == 2 && b[0] == '[' {
		return append(dst, sortEmptyTop)
	}
	return appendSort(dst, b)
}

func appendSort(dst, b []byte) []byte {
	switch b[0] {
	case 'n':
		return append(dst, sortNull)
	case 'f':
		return append(dst, sortFalse)
	case 't':
		return append(dst, sortTrue)
	case '"':
		return appendSortString(append(dst, sortString), b)
	case '[':
		dst, at := appendCount(append(dst, sortArray))
		n := uint32(0)
		for e := range Elems(b) {
			dst = appendSort(dst, e)
			n++
		}
		binary.BigEndian.PutUint32(dst[at:], n)
		return dst
	case '{':
		dst, at := appendCount(append(dst, sortObject))
		n := uint32(0)
		for k, v := range Members(b) {
			dst = appendSortString(dst, k)
			dst = appendSort(dst, v)
			n++
		}
		binary.BigEndian.PutUint32(dst[at:], n)
		return dst
	default:
		return appendSortNumber(append(dst, sortNumber), b)
	}
}

func appendSortString(dst, quoted []byte) []byte {
	return append(append(dst, Unquote(quoted)...), 0)
}

// appendCount leaves room for a count, to be filled in at the offset.
func appendCount(dst []byte) (grown []byte, at int) {
	return append(dst, 0, 0, 0, 0), len(dst)
}
