package pgfmt

import (
	"bytes"
	"math"
	"math/big"
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
	if exp >= wide {
		return appendInside(dst, f, bits, e)
	}
	if exp < -4 {
		return append(dst, e...)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, bits)
}

// appendInside appends the shortest text that lies strictly nearer to the value than to its neighbours: PostgreSQL does not
// take one half way between, although it would read back.
func appendInside(dst []byte, f float64, bits int, shortest []byte) []byte {
	digits := bytes.IndexByte(shortest, 'e') - 1
	for halfWay(f, bits, shortest) {
		shortest = strconv.AppendFloat(shortest[:0], f, 'e', digits-1, bits)
		digits++
	}
	return append(dst, shortest...)
}

// halfWay says whether a text is just between the value and the next away from it.
func halfWay(f float64, bits int, text []byte) bool {
	const precision = 1100 // bits of the largest double and more
	mantissa := math.Float64bits(f)
	if bits == 32 {
		mantissa = uint64(math.Float32bits(float32(f)))
	}
	if mantissa&1 != 0 {
		return false // such a text would be read as the neighbour
	}
	v, _, err := big.ParseFloat(string(text), 10, precision, big.ToNearestEven)
	if err != nil {
		return false
	}
	value := new(big.Float).SetPrec(precision).SetFloat64(f)
	off := v.Sub(v, value)
	if off.Sign() == 0 {
		return false
	}
	_, exp := math.Frexp(f)
	width := 53
	if bits == 32 {
		width = 24
	}
	half := new(big.Float).SetMantExp(big.NewFloat(1), exp-width-1)
	return off.Abs(off).Cmp(half) == 0
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
