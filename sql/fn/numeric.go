package fn

import (
	"math"
	"math/big"
	"math/bits"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// Limits of the scale that a division or a function chooses, and how many digits it should have at least.
const (
	maxDisplayScale = 1000
	minDigits       = 16
)

var pow10Table = [19]int64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
}

// checked is the numeric, unless it has too many digits.
func checked(coef *big.Int, scale int) (repr.Datum, *repr.Error) {
	if scale > pgfmt.MaxNumericScale {
		return pgfmt.RoundNumeric(repr.NumericFromBig(coef, int32(scale)), pgfmt.MaxNumericScale), nil
	}
	if coef.BitLen() > 3*(pgfmt.MaxNumericWhole+scale) && len(coef.Text(10))-scale > pgfmt.MaxNumericWhole {
		return repr.Null, pgfmt.NumericOverflow()
	}
	return repr.NumericFromBig(coef, int32(scale)), nil
}

// align brings two coefficients to the larger scale.
func align(a, b repr.Datum) (x, y *big.Int, scale int) {
	x, xs := pgfmt.NumericBig(a)
	y, ys := pgfmt.NumericBig(b)
	switch {
	case xs < ys:
		x = new(big.Int).Mul(x, pgfmt.BigPow10(ys-xs))
		xs = ys
	case ys < xs:
		y = new(big.Int).Mul(y, pgfmt.BigPow10(xs-ys))
	}
	return x, y, xs
}

// smallPair are two coefficients of one scale that fit 64 bits.
type smallPair struct {
	x, y  int64
	scale int32
}

// alignSmall is align on 64 bits; false when they do not suffice.
func alignSmall(a, b repr.Datum) (p smallPair, ok bool) {
	x, xs, ok1 := a.NumericSmall()
	y, ys, ok2 := b.NumericSmall()
	switch {
	case !ok1 || !ok2:
		return p, false
	case xs == ys:
		return smallPair{x, y, xs}, true
	case xs < ys && ys-xs <= 18:
		x, ok = mulInt(x, pow10Table[ys-xs])
		return smallPair{x, y, ys}, ok
	case ys < xs && xs-ys <= 18:
		y, ok = mulInt(y, pow10Table[xs-ys])
		return smallPair{x, y, xs}, ok
	default:
		return p, false
	}
}

func bothFinite(a, b repr.Datum) bool { return a.NumericFinite() && b.NumericFinite() }

func infinite(sign int) repr.Datum {
	if sign < 0 {
		return repr.NumericNegInf
	}
	return repr.NumericPosInf
}

func addNumeric(a, b repr.Datum) (repr.Datum, *repr.Error) {
	if p, ok := alignSmall(a, b); ok {
		if n, ok := addInt(p.x, p.y); ok {
			return repr.Numeric(n, p.scale), nil
		}
	}
	if !bothFinite(a, b) {
		switch {
		case a.NumericIsNaN() || b.NumericIsNaN():
			return repr.NumericNaN, nil
		case a.NumericFinite():
			return b, nil
		case b.NumericFinite() || a.NumericSign() == b.NumericSign():
			return a, nil
		default:
			return repr.NumericNaN, nil
		}
	}
	x, y, scale := align(a, b)
	return checked(new(big.Int).Add(x, y), scale)
}

func negNumeric(a repr.Datum) repr.Datum {
	if !a.NumericFinite() {
		if a.NumericIsNaN() {
			return a
		}
		return infinite(-a.NumericSign())
	}
	x, scale := pgfmt.NumericBig(a)
	return repr.NumericFromBig(new(big.Int).Neg(x), int32(scale))
}

func subNumeric(a, b repr.Datum) (repr.Datum, *repr.Error) {
	if p, ok := alignSmall(a, b); ok {
		if n, ok := subInt(p.x, p.y); ok {
			return repr.Numeric(n, p.scale), nil
		}
	}
	return addNumeric(a, negNumeric(b))
}

func mulNumeric(a, b repr.Datum) (repr.Datum, *repr.Error) {
	x, xs, ok1 := a.NumericSmall()
	y, ys, ok2 := b.NumericSmall()
	if ok1 && ok2 && xs+ys <= pgfmt.MaxNumericScale {
		if n, ok := mulInt(x, y); ok {
			return repr.Numeric(n, xs+ys), nil
		}
	}
	if !bothFinite(a, b) {
		sign := a.NumericSign() * b.NumericSign()
		if a.NumericIsNaN() || b.NumericIsNaN() || sign == 0 {
			return repr.NumericNaN, nil
		}
		return infinite(sign), nil
	}
	p, ps := pgfmt.NumericBig(a)
	q, qs := pgfmt.NumericBig(b)
	return checked(new(big.Int).Mul(p, q), ps+qs)
}

// weight is the place of the first digit to the base of 10000, and that digit, as PostgreSQL counts; 0 has neither.
func weight(d repr.Datum) (place, first int) {
	if n, scale, ok := d.NumericSmall(); ok && n > math.MinInt64 {
		return smallWeight(max(n, -n), int(scale))
	}
	coef, scale := pgfmt.NumericBig(d)
	if coef.Sign() == 0 {
		return 0, 0
	}
	digits := new(big.Int).Abs(coef).Text(10)
	whole := len(digits) - scale // digits before the point; negative: zeros behind it
	place = floorDiv(whole-1, 4)
	n := whole - 4*place
	for i := range n {
		first *= 10
		if i < len(digits) {
			first += int(digits[i] - '0')
		}
	}
	return place, first
}

// smallWeight is weight for a coefficient of 64 bits without sign.
func smallWeight(n int64, scale int) (place, first int) {
	if n == 0 {
		return 0, 0
	}
	digits := 0
	for rest := n; rest > 0; rest /= 10 {
		digits++
	}
	whole := digits - scale
	place = floorDiv(whole-1, 4)
	lead := whole - 4*place // digits of the first group
	if lead >= digits {
		return place, int(n * pow10Table[lead-digits])
	}
	return place, int(n / pow10Table[digits-lead])
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// divScale is the scale of a quotient.
func divScale(a, b repr.Datum) int {
	wa, fa := weight(a)
	wb, fb := weight(b)
	q := wa - wb
	if fa <= fb {
		q--
	}
	scale := max(minDigits-q*4, int(a.NumericScale()), int(b.NumericScale()), 0)
	return min(scale, maxDisplayScale)
}

// quotient is a / b rounded to a scale; b is not 0.
func quotient(a, b repr.Datum, scale int) (repr.Datum, *repr.Error) {
	if d, ok := smallQuotient(a, b, scale); ok {
		return d, nil
	}
	x, xs := pgfmt.NumericBig(a)
	y, ys := pgfmt.NumericBig(b)
	shift := scale + ys - xs
	num, den := new(big.Int).Set(x), new(big.Int).Set(y)
	if shift >= 0 {
		num.Mul(num, pgfmt.BigPow10(shift))
	} else {
		den.Mul(den, pgfmt.BigPow10(-shift))
	}
	if den.Sign() < 0 {
		num.Neg(num)
		den.Neg(den)
	}
	return checked(pgfmt.RoundQuo(num, den), scale)
}

// smallQuotient is quotient where 128 bits hold the dividend and 64 the divisor; false where they do not.
func smallQuotient(a, b repr.Datum, scale int) (repr.Datum, bool) {
	x, xs, ok1 := a.NumericSmall()
	y, ys, ok2 := b.NumericSmall()
	shift := scale + int(ys) - int(xs)
	if !ok1 || !ok2 || shift < 0 || shift > 18 || x == math.MinInt64 || y == math.MinInt64 {
		return repr.Null, false
	}
	den := uint64(max(y, -y))
	hi, lo := bits.Mul64(uint64(max(x, -x)), uint64(pow10Table[shift]))
	high, hi := hi/den, hi%den
	low, rest := bits.Div64(hi, lo, den)
	if rest >= den-rest {
		var carry uint64
		low, carry = bits.Add64(low, 1, 0)
		high += carry
	}
	return repr.NumericFrom128(high, low, (x < 0) != (y < 0), int32(scale)), true
}

func divNumeric(a, b repr.Datum) (repr.Datum, *repr.Error) {
	switch {
	case a.NumericIsNaN() || b.NumericIsNaN():
		return repr.NumericNaN, nil
	case b.NumericFinite() && b.NumericSign() == 0:
		return repr.Null, divisionByZero()
	case !a.NumericFinite() && !b.NumericFinite():
		return repr.NumericNaN, nil
	case !a.NumericFinite():
		return infinite(a.NumericSign() * b.NumericSign()), nil
	case !b.NumericFinite():
		return repr.Numeric(0, 0), nil
	}
	return quotient(a, b, divScale(a, b))
}

// numericDivTrunc is the whole part of a quotient.
func numericDivTrunc(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
	a, b := args[0], args[1]
	if !bothFinite(a, b) || b.NumericSign() == 0 {
		return divNumeric(a, b)
	}
	x, y, _ := align(a, b)
	return checked(new(big.Int).Quo(x, y), 0)
}

func modNumeric(a, b repr.Datum) (repr.Datum, *repr.Error) {
	switch {
	case a.NumericIsNaN() || b.NumericIsNaN():
		return repr.NumericNaN, nil
	case b.NumericFinite() && b.NumericSign() == 0:
		return repr.Null, divisionByZero()
	case !a.NumericFinite():
		return repr.NumericNaN, nil
	case !b.NumericFinite():
		return a, nil
	}
	if p, ok := alignSmall(a, b); ok {
		n, _ := modInt(p.x, p.y)
		return repr.Numeric(n, p.scale), nil
	}
	x, y, scale := align(a, b)
	return checked(new(big.Int).Rem(x, y), scale)
}

// numeric2 is the code of an operator of two numerics.
func numeric2(f func(a, b repr.Datum) (repr.Datum, *repr.Error)) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return f(a[0], a[1]) }
}

// roundTo rounds to a scale, which may be negative.
func roundTo(d repr.Datum, scale int) repr.Datum {
	if !d.NumericFinite() {
		return d
	}
	return pgfmt.RoundNumeric(d, clampScale(scale))
}

func clampScale(scale int) int { return min(max(scale, -2000), 2000) }

// truncTo cuts to a scale, which may be negative.
func truncTo(d repr.Datum, scale int) repr.Datum {
	if !d.NumericFinite() {
		return d
	}
	if scale == 0 {
		if n, ok := d.NumericWhole(); ok {
			return repr.Numeric(n, 0)
		}
	}
	scale = clampScale(scale)
	coef, have := pgfmt.NumericBig(d)
	if have > scale {
		coef = new(big.Int).Quo(coef, pgfmt.BigPow10(have-scale))
		have = scale
	}
	return pgfmt.RoundNumeric(repr.NumericFromBig(scaleUp(coef, have), int32(max(have, 0))), max(scale, 0))
}

// scaleUp makes a coefficient with a negative scale one with scale 0.
func scaleUp(coef *big.Int, scale int) *big.Int {
	if scale >= 0 {
		return coef
	}
	return new(big.Int).Mul(coef, pgfmt.BigPow10(-scale))
}

// toward rounds to a whole number, down (-1) or up (1).
func toward(direction int) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if !a[0].NumericFinite() {
			return a[0], nil
		}
		coef, scale := pgfmt.NumericBig(a[0])
		if scale == 0 {
			return a[0], nil
		}
		q, r := new(big.Int).QuoRem(coef, pgfmt.BigPow10(scale), new(big.Int))
		if r.Sign() == direction {
			q.Add(q, big.NewInt(int64(direction)))
		}
		return repr.NumericFromBig(q, 0), nil
	}
}

func absNumeric(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if a[0].NumericSign() < 0 {
		return negNumeric(a[0]), nil
	}
	return a[0], nil
}

// numericOperators are the operators of numeric.
var numericOperators = []row{
	{sig: "+(numeric, numeric) numeric", eval: numeric2(addNumeric)},
	{sig: "-(numeric, numeric) numeric", eval: numeric2(subNumeric)},
	{sig: "*(numeric, numeric) numeric", eval: numeric2(mulNumeric)},
	{sig: "/(numeric, numeric) numeric", eval: numeric2(divNumeric)},
	{sig: "%(numeric, numeric) numeric", eval: numeric2(modNumeric)},
	{sig: "^(numeric, numeric) numeric", eval: numeric2(powerNumeric)},
	{sig: "-(numeric) numeric", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return negNumeric(a[0]), nil }},
	{sig: "+(numeric) numeric", eval: same},
	{sig: "@(numeric) numeric", eval: absNumeric},
}

// numericFunctions are the functions of numeric.
var numericFunctions = []row{
	{sig: "abs(numeric) numeric", eval: absNumeric},
	{sig: "mod(numeric, numeric) numeric", eval: numeric2(modNumeric)},
	{sig: "ceil(numeric) numeric", eval: toward(1)},
	{sig: "ceiling(numeric) numeric", eval: toward(1)},
	{sig: "floor(numeric) numeric", eval: toward(-1)},
	{sig: "round(numeric) numeric", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return roundTo(a[0], 0), nil }},
	{sig: "round(numeric, integer) numeric", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return roundTo(a[0], int(a[1].Int())), nil
	}},
	{sig: "trunc(numeric) numeric", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return truncTo(a[0], 0), nil }},
	{sig: "trunc(numeric, integer) numeric", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return truncTo(a[0], int(a[1].Int())), nil
	}},
	{sig: "sign(numeric) numeric", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[0].NumericIsNaN() {
			return a[0], nil
		}
		return repr.Numeric(int64(a[0].NumericSign()), 0), nil
	}},
	{sig: "sqrt(numeric) numeric", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return sqrtNumeric(a[0]) }},
	{sig: "power(numeric, numeric) numeric", eval: numeric2(powerNumeric)},
	{sig: "pow(numeric, numeric) numeric", eval: numeric2(powerNumeric)},
	{sig: "exp(numeric) numeric", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return expNumeric(a[0]) }},
	{sig: "ln(numeric) numeric", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return lnNumeric(a[0]) }},
	{sig: "log(numeric) numeric", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return logNumeric(repr.Numeric(10, 0), a[0])
	}},
	{sig: "log10(numeric) numeric", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return logNumeric(repr.Numeric(10, 0), a[0])
	}},
	{sig: "log(numeric, numeric) numeric", eval: numeric2(logNumeric)},
	{sig: "scale(numeric) integer", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if !a[0].NumericFinite() {
			return repr.Null, nil
		}
		return repr.Int4(a[0].NumericScale()), nil
	}},
	{sig: "trim_scale(numeric) numeric", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return a[0].Canonical(), nil }},
	{sig: "min_scale(numeric) integer", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if !a[0].NumericFinite() {
			return repr.Null, nil
		}
		return repr.Int4(a[0].Canonical().NumericScale()), nil
	}},
	{sig: "width_bucket(numeric, numeric, numeric, integer) integer", eval: widthBucketNumeric},
	{sig: "width_bucket(double precision, double precision, double precision, integer) integer", eval: widthBucketFloat},
	{sig: "random() double precision", vol: expr.Volatile, eval: random},
}
