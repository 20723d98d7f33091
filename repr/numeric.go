package repr

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"strconv"

	"github.com/cockroachdb/apd/v3"
	"millrace/internal/check"
)

// A numeric Datum is coefficient × 10^-x with display scale x ≥ 0. The coefficient is n when b is nil; else b
// holds its decimal digits as text with an optional sign. m marks the values that are no number.
const (
	numFinite = 0
	numNegInf = 1
	numPosInf = 2
	numNaN    = 3
)

// The values of numeric that are no number.
var (
	NumericNaN    = Datum{k: KindNumeric, m: numNaN}
	NumericPosInf = Datum{k: KindNumeric, m: numPosInf}
	NumericNegInf = Datum{k: KindNumeric, m: numNegInf}
)

// Numeric makes the numeric coef × 10^-scale, 0 ≤ scale.
func Numeric(coef int64, scale int32) Datum {
	return Datum{k: KindNumeric, n: coef, x: scale}
}

// NumericFromApd makes a numeric from a decimal; a positive exponent becomes zeros, so the scale is never negative.
func NumericFromApd(v *apd.Decimal) Datum {
	switch v.Form {
	case apd.NaN, apd.NaNSignaling:
		return NumericNaN
	case apd.Infinite:
		if v.Negative {
			return NumericNegInf
		}
		return NumericPosInf
	default:
		return numericFromFinite(v)
	}
}

func numericFromFinite(v *apd.Decimal) Datum {
	coef := new(big.Int).Set(v.Coeff.MathBigInt())
	scale := -v.Exponent
	if scale < 0 {
		coef.Mul(coef, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-scale)), nil))
		scale = 0
	}
	if v.Negative {
		coef.Neg(coef)
	}
	return NumericFromBig(coef, scale)
}

// NumericFromBig makes the numeric coef × 10^-scale, 0 ≤ scale.
func NumericFromBig(coef *big.Int, scale int32) Datum {
	if coef.IsInt64() {
		return Numeric(coef.Int64(), scale)
	}
	return Datum{k: KindNumeric, b: coef.Append(nil, 10), x: scale}
}

// NumericFrom128 makes the numeric of a coefficient of 128 bits and a sign, 0 ≤ scale.
func NumericFrom128(hi, lo uint64, neg bool, scale int32) Datum {
	const places, cut = 19, 1e19
	if hi == 0 && lo <= math.MaxInt64 {
		if neg {
			return Numeric(-int64(lo), scale)
		}
		return Numeric(int64(lo), scale)
	}
	if hi >= cut {
		coef := new(big.Int).Lsh(new(big.Int).SetUint64(hi), 64)
		if coef.Add(coef, new(big.Int).SetUint64(lo)); neg {
			coef.Neg(coef)
		}
		return NumericFromBig(coef, scale)
	}
	if hi == 0 && neg && lo == 1<<63 {
		return Numeric(math.MinInt64, scale)
	}
	first, rest := bits.Div64(hi, lo, cut)
	b := make([]byte, 0, 1+20+places)
	if neg {
		b = append(b, '-')
	}
	if first > 0 {
		b = strconv.AppendUint(b, first, 10)
		for unit := uint64(cut / 10); unit > rest && unit > 1; unit /= 10 {
			b = append(b, '0')
		}
	}
	return Datum{k: KindNumeric, b: strconv.AppendUint(b, rest, 10), x: scale}
}

// NumericWhole gives the value without its digits behind the point when that fits an int64; false for what is no number.
func (d Datum) NumericWhole() (n int64, ok bool) {
	switch {
	case d.m != numFinite:
		return 0, false
	case d.b != nil:
		neg := d.b[0] == '-'
		whole := len(d.b) - int(d.x)
		if whole <= 0 || neg && whole == 1 {
			return 0, true
		}
		n, err := strconv.ParseInt(d.Str()[:whole], 10, 64)
		return n, err == nil
	}
	n = d.n
	for x := d.x; x > 0 && n != 0; x-- {
		n /= 10
	}
	return n, true
}

// NumericScale is the number of digits that print after the decimal point.
func (d Datum) NumericScale() int32 { return d.x }

// NumericSmall gives the coefficient when the value is finite and its coefficient fits an int64.
func (d Datum) NumericSmall() (coef int64, scale int32, ok bool) {
	return d.n, d.x, d.b == nil && d.m == numFinite
}

// NumericFinite says whether the value is a number, neither NaN nor infinite.
func (d Datum) NumericFinite() bool { return d.m == numFinite }

// NumericIsNaN says whether the value is NaN.
func (d Datum) NumericIsNaN() bool { return d.m == numNaN }

// NumericSign is the sign of the value, infinities included: -1, 0 or 1. NaN has none: 0.
func (d Datum) NumericSign() int {
	switch {
	case d.m == numNaN:
		return 0
	case d.m == numPosInf:
		return 1
	case d.m == numNegInf:
		return -1
	case d.b != nil:
		if d.b[0] == '-' {
			return -1
		}
		return 1
	default:
		return cmpInt(d.n, 0)
	}
}

// Apd writes the value into v.
func (d Datum) Apd(v *apd.Decimal) {
	switch d.m {
	case numNaN:
		v.Form, v.Negative = apd.NaN, false
		return
	case numPosInf, numNegInf:
		v.Form, v.Negative = apd.Infinite, d.m == numNegInf
		return
	}
	if d.b == nil {
		v.SetFinite(d.n, -d.x)
		return
	}
	coef, ok := new(big.Int).SetString(string(d.b), 10)
	check.That(ok, "numeric coefficient %q", d.b)
	v.Form, v.Exponent = apd.Finite, -d.x
	v.Negative = coef.Sign() < 0
	v.Coeff.SetMathBigInt(coef.Abs(coef))
}

// AppendNumericText appends the value as PostgreSQL prints it.
func AppendNumericText(dst []byte, d Datum) []byte {
	switch d.m {
	case numNaN:
		return append(dst, "NaN"...)
	case numPosInf:
		return append(dst, "Infinity"...)
	case numNegInf:
		return append(dst, "-Infinity"...)
	}
	var buf [24]byte
	digits, neg := numericDigits(buf[:0], d)
	if neg {
		dst = append(dst, '-')
	}
	whole := len(digits) - int(d.x)
	if whole <= 0 {
		dst = append(dst, '0')
	} else {
		dst = append(dst, digits[:whole]...)
		digits = digits[whole:]
		whole = 0
	}
	if d.x == 0 {
		return dst
	}
	dst = append(dst, '.')
	for ; whole < 0; whole++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// numericDigits are the digits of the coefficient without sign and leading zeros; zero has none.
func numericDigits(buf []byte, d Datum) (digits []byte, neg bool) {
	if d.b != nil {
		if d.b[0] == '-' {
			return d.b[1:], true
		}
		return d.b, false
	}
	if d.n == 0 {
		return buf, false
	}
	if d.n < 0 {
		return strconv.AppendUint(buf, uint64(-d.n), 10), true
	}
	return strconv.AppendUint(buf, uint64(d.n), 10), false
}

// Classes of a packed numeric, in the order PostgreSQL sorts them.
const (
	classNegInf = 0x01
	classNeg    = 0x02
	classZero   = 0x03
	classPos    = 0x04
	classPosInf = 0x05
	classNaN    = 0x06
)

// appendNumeric packs class; for a number other than zero the decimal exponent and the digits two to a byte,
// trailing zeros dropped and ended by 0, all inverted when negative; and last the display scale, so that
// the order of bytes is the order of numbers and equal numbers differ in the scale alone.
func appendNumeric(dst []byte, d Datum) []byte {
	switch d.m {
	case numNaN:
		return append(dst, classNaN, 0, 0)
	case numPosInf:
		return append(dst, classPosInf, 0, 0)
	case numNegInf:
		return append(dst, classNegInf, 0, 0)
	}
	var buf [24]byte
	digits, neg := numericDigits(buf[:0], d)
	if len(digits) == 0 {
		return binary.BigEndian.AppendUint16(append(dst, classZero), uint16(d.x))
	}
	exp := len(digits) - int(d.x)
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	check.That(exp > math.MinInt16 && exp <= math.MaxInt32, "numeric exponent %d", exp)
	class := byte(classPos)
	if neg {
		class = classNeg
	}
	dst = append(dst, class)
	from := len(dst)
	dst = appendExponent(dst, exp)
	for i := 0; i < len(digits); i += 2 {
		pair := 10 * (digits[i] - '0')
		if i+1 < len(digits) {
			pair += digits[i+1] - '0'
		}
		dst = append(dst, pair+1)
	}
	dst = append(dst, 0)
	if neg {
		for i := from; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return binary.BigEndian.AppendUint16(dst, uint16(d.x))
}

// wideExponent marks an exponent that two bytes cannot hold; it follows in four more.
const wideExponent = 0xffff

func appendExponent(dst []byte, exp int) []byte {
	if exp < math.MaxInt16 {
		return binary.BigEndian.AppendUint16(dst, uint16(exp)^0x8000)
	}
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(dst, wideExponent), uint32(exp))
}

// exponent reads what appendExponent wrote, inverted by flip, and the number of bytes it takes.
func exponent(row []byte, flip byte) (exp, size int) {
	short := binary.BigEndian.Uint16(row) ^ (uint16(flip)<<8 | uint16(flip))
	if short != wideExponent {
		return int(int16(short ^ 0x8000)), 2
	}
	long := binary.BigEndian.Uint32(row[2:])
	if flip != 0 {
		long = ^long
	}
	return int(long), 6
}

// numericLen is the length in bytes of the packed numeric at the head of row, tag and kind included.
func numericLen(row []byte) int {
	class := row[2]
	if class != classNeg && class != classPos {
		return 5
	}
	end := byte(0)
	if class == classNeg {
		end = 0xff
	}
	_, size := exponent(row[3:], end)
	i := 3 + size
	for row[i] != end {
		i++
	}
	return i + 3
}

func decodeNumeric(row []byte) (Datum, []byte) {
	n := numericLen(row)
	rest := row[n:]
	d := Datum{k: KindNumeric, x: int32(binary.BigEndian.Uint16(row[n-2 : n]))}
	class := row[2]
	switch class {
	case classNegInf:
		return NumericNegInf, rest
	case classPosInf:
		return NumericPosInf, rest
	case classNaN:
		return NumericNaN, rest
	case classZero:
		return d, rest
	}
	flip := byte(0)
	if class == classNeg {
		flip = 0xff
	}
	exp, size := exponent(row[3:], flip)
	var coef uint64
	pairs := row[3+size : n-3]
	want := exp + int(d.x) // digits of the coefficient
	if want <= 18 {
		have := 0
		for _, p := range pairs {
			coef = coef*100 + uint64((p^flip)-1)
			have += 2
		}
		for ; have < want; have++ {
			coef *= 10
		}
		if have > want {
			coef /= 10
		}
		d.n = int64(coef)
		if class == classNeg {
			d.n = -d.n
		}
		return d, rest
	}
	return decodeBigNumeric(d, pairs, flip, want), rest
}

func decodeBigNumeric(d Datum, pairs []byte, flip byte, want int) Datum {
	digits := make([]byte, 0, want+2)
	if flip != 0 {
		digits = append(digits, '-')
		want++
	}
	for _, p := range pairs {
		pair := (p ^ flip) - 1
		digits = append(digits, '0'+pair/10, '0'+pair%10)
	}
	for len(digits) < want {
		digits = append(digits, '0')
	}
	digits = digits[:want]
	if n, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
		d.n = n
		return d
	}
	d.b = digits
	return d
}

// canonicalNumeric drops the zeros after the decimal point that change nothing.
func canonicalNumeric(d Datum) Datum {
	if d.m != numFinite || d.x == 0 {
		return d
	}
	if d.b == nil {
		if d.n == 0 {
			d.x = 0
			return d
		}
		for d.x > 0 && d.n%10 == 0 {
			d.n /= 10
			d.x--
		}
		return d
	}
	b := d.b
	for d.x > 0 && b[len(b)-1] == '0' {
		b = b[:len(b)-1]
		d.x--
	}
	d.b = b
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		d.n, d.b = n, nil
	}
	return d
}
