package pgfmt

import (
	"math/big"
	"strconv"
	"strings"

	"millrace/repr"
)

// Limits of a numeric: digits before and after the point.
const (
	MaxNumericWhole = 131072
	MaxNumericScale = 16383
)

// NumericOverflow is the error of a numeric with too many digits.
func NumericOverflow() *repr.Error {
	return repr.NewError(repr.CodeNumericOutOfRange, "value overflows numeric format")
}

// ParseNumeric reads a numeric.
func ParseNumeric(s string) (repr.Datum, *repr.Error) {
	text := trim(s)
	switch strings.ToLower(text) {
	case "nan":
		return repr.NumericNaN, nil
	case "inf", "infinity", "+inf", "+infinity":
		return repr.NumericPosInf, nil
	case "-inf", "-infinity":
		return repr.NumericNegInf, nil
	}
	neg := strings.HasPrefix(text, "-")
	if neg || strings.HasPrefix(text, "+") {
		text = text[1:]
	}
	mantissa, expText, hasExp := cutExponent(text)
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || !allDigits(whole) || !allDigits(fraction) {
		return repr.Null, invalidSyntax(repr.KindNumeric, s)
	}
	exp := 0
	if hasExp {
		n, err := strconv.ParseInt(decimalDigits(expText), 10, 64)
		if err != nil && strings.Trim(expText, "+-0123456789") != "" || err != nil && strings.TrimLeft(expText, "+-") == "" {
			return repr.Null, invalidSyntax(repr.KindNumeric, s)
		}
		if err != nil || n > 1<<29 || n < -(1<<29) {
			return repr.Null, NumericOverflow()
		}
		exp = int(n)
	}
	return numericOf(neg, whole+fraction, len(fraction)-exp)
}

func cutExponent(s string) (mantissa, exp string, found bool) {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// numericOf is the number with these digits and its point so many digits from the right.
func numericOf(neg bool, digits string, scale int) (repr.Datum, *repr.Error) {
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		if scale > MaxNumericScale {
			return repr.Null, NumericOverflow()
		}
		return repr.Numeric(0, int32(max(0, scale))), nil
	}
	if scale > MaxNumericScale || len(digits)-scale > MaxNumericWhole {
		return repr.Null, NumericOverflow()
	}
	if scale < 0 {
		digits += strings.Repeat("0", -scale)
		scale = 0
	}
	if len(digits) <= 18 {
		n, _ := strconv.ParseInt(digits, 10, 64)
		if neg {
			n = -n
		}
		return repr.Numeric(n, int32(scale)), nil
	}
	coef, _ := new(big.Int).SetString(digits, 10)
	if neg {
		coef.Neg(coef)
	}
	return repr.NumericFromBig(coef, int32(scale)), nil
}
