package pgfmt

import (
	"math"
	"strconv"
	"strings"

	"millrace/repr"
)

// appendFloat prints the shortest text that reads back as the value; with digits below 0 only so many.
func appendFloat(dst []byte, f float64, bits, digits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	wide, precision := 15, 15
	if bits == 32 {
		wide, precision = 6, 6
	}
	if digits < 0 {
		return strconv.AppendFloat(dst, f, 'g', max(1, precision+digits+1), bits)
	}
	if f == 0 {
		if math.Signbit(f) {
			dst = append(dst, '-')
		}
		return append(dst, '0')
	}
	var buf [32]byte
	e := strconv.AppendFloat(buf[:0], f, 'e', -1, bits)
	at := len(e) - 1
	for e[at] != 'e' {
		at--
	}
	exp, _ := strconv.Atoi(string(e[at+1:]))
	if exp < -4 || exp >= wide {
		return append(dst, e...)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, bits)
}

func parseFloat(k repr.Kind, s string) (repr.Datum, *repr.Error) {
	text := trim(s)
	bits := 64
	if k == repr.KindFloat4 {
		bits = 32
	}
	f, ok := floatWord(text)
	if !ok {
		if strings.Trim(text, "0123456789.eE+-") != "" {
			return repr.Null, invalidSyntax(k, s)
		}
		var err error
		f, err = strconv.ParseFloat(text, bits)
		if err != nil && !math.IsInf(f, 0) {
			return repr.Null, invalidSyntax(k, s)
		}
		if err != nil || f == 0 && underflows(text) {
			return repr.Null, repr.NewError(repr.CodeNumericOutOfRange, `"`+text+`" is out of range for type `+k.String())
		}
	}
	if k == repr.KindFloat4 {
		return repr.Float4(float32(f)), nil
	}
	return repr.Float8(f), nil
}

func floatWord(s string) (float64, bool) {
	switch strings.ToLower(s) {
	case "nan":
		return math.NaN(), true
	case "inf", "infinity", "+inf", "+infinity":
		return math.Inf(1), true
	case "-inf", "-infinity":
		return math.Inf(-1), true
	default:
		return 0, false
	}
}

// underflows says whether a number that reads as 0 has a digit that is not.
func underflows(s string) bool {
	mantissa, _, _ := strings.Cut(strings.ToLower(s), "e")
	return strings.ContainsAny(mantissa, "123456789")
}
