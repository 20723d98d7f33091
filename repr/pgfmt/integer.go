package pgfmt

import (
	"errors"
	"math"
	"strconv"

	"millrace/repr"
)

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

func parseInt(k repr.Kind, s string) (repr.Datum, *repr.Error) {
	n, err := strconv.ParseInt(decimalDigits(trim(s)), 10, 64)
	if errors.Is(err, strconv.ErrSyntax) {
		return repr.Null, invalidSyntax(k, s)
	}
	if err != nil || !FitsInt(k, n) {
		return repr.Null, repr.NewError(repr.CodeNumericOutOfRange, `value "`+s+`" is out of range for type `+k.String())
	}
	return repr.IntOf(k, n), nil
}

// decimalDigits is s, or nothing when it holds what strconv takes and PostgreSQL does not.
func decimalDigits(s string) string {
	for i := range len(s) {
		if s[i] == '_' {
			return ""
		}
	}
	return s
}

// FitsInt says whether n is in the range of an integer kind.
func FitsInt(k repr.Kind, n int64) bool {
	switch k {
	case repr.KindInt2:
		return n >= math.MinInt16 && n <= math.MaxInt16
	case repr.KindInt4:
		return n >= math.MinInt32 && n <= math.MaxInt32
	case repr.KindOID, repr.KindRegClass, repr.KindRegType, repr.KindRegProc, repr.KindRegNamespace:
		return n >= 0 && n <= math.MaxUint32
	default:
		return true
	}
}

// parseOID takes what strtoul does: a sign wraps around.
func parseOID(k repr.Kind, s string) (repr.Datum, *repr.Error) {
	n, err := strconv.ParseInt(decimalDigits(trim(s)), 10, 64)
	if errors.Is(err, strconv.ErrSyntax) {
		return repr.Null, invalidSyntax(repr.KindOID, s)
	}
	if err != nil || n > math.MaxUint32 || n < math.MinInt32 {
		return repr.Null, repr.NewError(repr.CodeNumericOutOfRange, `value "`+s+`" is out of range for type oid`)
	}
	return repr.IntOf(k, int64(uint32(n))), nil
}
