package fn

import (
	"math"
	"math/big"
	"strconv"

	"github.com/cockroachdb/apd/v3"
	"millrace/repr"
	"millrace/repr/pgfmt"
)

// apdOf is a finite numeric as a decimal.
func apdOf(d repr.Datum) *apd.Decimal {
	v := new(apd.Decimal)
	d.Apd(v)
	return v
}

// approx is a numeric as a double precision, for choosing scales.
func approx(d repr.Datum) float64 {
	f, _ := strconv.ParseFloat(string(repr.AppendNumericText(nil, d)), 64)
	return f
}

// clampDigits is a number of digits within the limits of scales.
func clampDigits(f float64) int {
	return int(min(max(f, -maxDisplayScale), maxDisplayScale))
}

// chooseScale is the scale of a result with so many digits before the point.
func chooseScale(digits int, scales ...repr.Datum) int {
	scale := minDigits - digits
	for _, d := range scales {
		scale = max(scale, int(d.NumericScale()))
	}
	return min(max(scale, 0), maxDisplayScale)
}

func sqrtNumeric(a repr.Datum) (repr.Datum, *repr.Error) {
	if a.NumericSign() < 0 {
		return repr.Null, repr.NewError(codeInvalidPower, "cannot take square root of a negative number")
	}
	if !a.NumericFinite() {
		return a, nil
	}
	place, _ := weight(a)
	return sqrtTo(a, chooseScale(2*place+1, a)), nil
}

// sqrtTo is the square root rounded to a scale.
func sqrtTo(a repr.Datum, scale int) repr.Datum {
	coef, have := pgfmt.NumericBig(a)
	shift := 2*(scale+1) - have // one digit more, to round by
	n := new(big.Int).Set(coef)
	if shift >= 0 {
		n.Mul(n, pgfmt.BigPow10(shift))
	} else {
		n.Quo(n, pgfmt.BigPow10(-shift))
	}
	n.Sqrt(n)
	return repr.NumericFromBig(pgfmt.RoundQuo(n, big.NewInt(10)), int32(scale))
}

// rounded computes with so many digits and rounds to a scale.
func rounded(digits, scale int, f func(c *apd.Context, out *apd.Decimal) error) (repr.Datum, *repr.Error) {
	c := apd.BaseContext.WithPrecision(uint32(max(digits, 4) + 12))
	c.Rounding = apd.RoundHalfUp
	out := new(apd.Decimal)
	if err := f(c, out); err != nil || out.Form != apd.Finite {
		return repr.Null, pgfmt.NumericOverflow()
	}
	if out.NumDigits()+int64(out.Exponent) > pgfmt.MaxNumericWhole {
		return repr.Null, pgfmt.NumericOverflow()
	}
	if -int(out.Exponent) > pgfmt.MaxNumericScale {
		q := apd.BaseContext.WithPrecision(uint32(max(digits, 4) + 12))
		if _, err := q.Quantize(out, out, int32(-scale)); err != nil {
			return repr.Numeric(0, int32(scale)), nil
		}
	}
	return pgfmt.RoundNumeric(repr.NumericFromApd(out), scale), nil
}

func expNumeric(a repr.Datum) (repr.Datum, *repr.Error) {
	if !a.NumericFinite() {
		if a.NumericSign() < 0 {
			return repr.Numeric(0, 0), nil
		}
		return a, nil
	}
	tens := approx(a) * 0.434294481903252
	if tens > pgfmt.MaxNumericWhole {
		return repr.Null, pgfmt.NumericOverflow()
	}
	digits := clampDigits(tens)
	scale := chooseScale(digits, a)
	if tens < float64(-scale-2) {
		return repr.Numeric(0, int32(scale)), nil
	}
	return rounded(int(tens)+scale, scale, func(c *apd.Context, out *apd.Decimal) error {
		_, err := c.Exp(out, apdOf(a))
		return err
	})
}

func logDomain(a repr.Datum) *repr.Error {
	switch {
	case a.NumericIsNaN():
		return nil
	case a.NumericSign() < 0:
		return repr.NewError(codeInvalidLog, "cannot take logarithm of a negative number")
	case a.NumericSign() == 0:
		return repr.NewError(codeInvalidLog, "cannot take logarithm of zero")
	default:
		return nil
	}
}

// lnWeight is about the exponent of ten of the natural logarithm, as PostgreSQL estimates it.
func lnWeight(a repr.Datum) int {
	ln := log10Of(a) * math.Ln10
	if math.Abs(ln) < 0.1 { // near 1 the logarithm is about the distance to 1
		distance, _ := subNumeric(a, repr.Numeric(1, 0))
		if distance.NumericSign() == 0 {
			return 0
		}
		place, first := weight(distance)
		return place*4 + int(math.Log10(float64(first)))
	}
	return int(math.Log10(math.Abs(ln)))
}

func lnNumeric(a repr.Datum) (repr.Datum, *repr.Error) {
	if err := logDomain(a); err != nil {
		return repr.Null, err
	}
	if !a.NumericFinite() {
		return a, nil
	}
	places := lnWeight(a)
	scale := chooseScale(places, a)
	return rounded(max(places, 0)+scale, scale, func(c *apd.Context, out *apd.Decimal) error {
		_, err := c.Ln(out, apdOf(a))
		return err
	})
}

// logNumeric is the logarithm of a to a base.
func logNumeric(base, a repr.Datum) (repr.Datum, *repr.Error) {
	for _, d := range []repr.Datum{base, a} {
		if err := logDomain(d); err != nil {
			return repr.Null, err
		}
	}
	switch {
	case base.NumericIsNaN() || a.NumericIsNaN():
		return repr.NumericNaN, nil
	case !base.NumericFinite() && !a.NumericFinite():
		return repr.NumericNaN, nil
	case !base.NumericFinite():
		return repr.Numeric(0, 0), nil
	case !a.NumericFinite():
		return a, nil
	case repr.Compare(base, repr.Numeric(1, 0)) == 0:
		return repr.Null, divisionByZero()
	}
	places := lnWeight(a) - lnWeight(base)
	scale := chooseScale(places, base, a)
	return rounded(max(places, 0)+scale+8, scale, func(c *apd.Context, out *apd.Decimal) error {
		x, y := new(apd.Decimal), new(apd.Decimal)
		if _, err := c.Ln(x, apdOf(a)); err != nil {
			return err
		}
		if _, err := c.Ln(y, apdOf(base)); err != nil {
			return err
		}
		_, err := c.Quo(out, x, y)
		return err
	})
}

func powerNumeric(a, b repr.Datum) (repr.Datum, *repr.Error) {
	if !bothFinite(a, b) {
		return powerSpecial(a, b)
	}
	whole := b.Canonical().NumericScale() == 0
	switch {
	case a.NumericSign() == 0 && b.NumericSign() < 0:
		return repr.Null, repr.NewError(codeInvalidPower, "zero raised to a negative power is undefined")
	case a.NumericSign() < 0 && !whole:
		return repr.Null, repr.NewError(codeInvalidPower, "a negative number raised to a non-integer power yields a complex result")
	}
	if b.NumericSign() == 0 {
		return repr.Numeric(pow10Table[16], 16), nil
	}
	if a.NumericSign() == 0 {
		return repr.Numeric(0, int32(chooseScale(0, a, b))), nil
	}
	abs := a
	if a.NumericSign() < 0 {
		abs = negNumeric(a)
	}
	tens := approx(b) * log10Of(abs)
	if tens > pgfmt.MaxNumericWhole || math.IsNaN(tens) {
		return repr.Null, pgfmt.NumericOverflow()
	}
	scale := chooseScale(clampDigits(tens), a, b)
	if whole {
		scale = min(max(minDigits, int(a.NumericScale())), maxDisplayScale)
	}
	if tens < float64(-scale-2) {
		return repr.Numeric(0, int32(scale)), nil
	}
	d, err := rounded(int(max(tens, 0))+scale, scale, func(c *apd.Context, out *apd.Decimal) error {
		_, err := c.Pow(out, apdOf(abs), apdOf(b))
		return err
	})
	if err == nil && a.NumericSign() < 0 && odd(b) {
		d = negNumeric(d)
	}
	return d, err
}

// log10Of is the decimal logarithm of a positive numeric of any size.
func log10Of(d repr.Datum) float64 {
	v := apdOf(d)
	digits := v.NumDigits()
	lead := new(apd.Decimal).Set(v)
	lead.Exponent = int32(1 - digits)
	f, _ := strconv.ParseFloat(lead.Text('e'), 64)
	return math.Log10(f) + float64(digits) - 1 + float64(v.Exponent)
}

func odd(d repr.Datum) bool {
	coef, _ := pgfmt.NumericBig(d.Canonical())
	return coef.Bit(0) == 1
}

// powerSpecial follows the rules of pow() for what is no number.
func powerSpecial(a, b repr.Datum) (repr.Datum, *repr.Error) {
	one := repr.Numeric(1, 0)
	switch {
	case b.NumericFinite() && b.NumericSign() == 0 && !b.NumericIsNaN(), a.NumericFinite() && repr.Compare(a, one) == 0:
		return one, nil
	case a.NumericIsNaN() || b.NumericIsNaN():
		return repr.NumericNaN, nil
	}
	x, y := floatOfSpecial(a), floatOfSpecial(b)
	if x == 0 && y < 0 {
		return repr.Null, repr.NewError(codeInvalidPower, "zero raised to a negative power is undefined")
	}
	if x < 0 && !math.IsInf(x, 0) && math.IsInf(y, 0) {
		x = -x
	}
	switch z := math.Pow(x, y); {
	case math.IsInf(z, 1):
		return repr.NumericPosInf, nil
	case math.IsInf(z, -1):
		return repr.NumericNegInf, nil
	default:
		return repr.Numeric(int64(z), 0), nil
	}
}

func floatOfSpecial(d repr.Datum) float64 {
	if d.NumericFinite() {
		return approx(d)
	}
	return math.Inf(d.NumericSign())
}
