package fn

import (
	"math"
	"strconv"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

const (
	kBool    = repr.KindBool
	kInt2    = repr.KindInt2
	kInt4    = repr.KindInt4
	kInt8    = repr.KindInt8
	kFloat4  = repr.KindFloat4
	kFloat8  = repr.KindFloat8
	kNumeric = repr.KindNumeric
)

// numberCasts are the casts among numbers.
var numberCasts = []castRow{
	{kInt2, kInt4, CastImplicit, intTo(kInt4)},
	{kInt2, kInt8, CastImplicit, intTo(kInt8)},
	{kInt2, kFloat4, CastImplicit, intToFloat(kFloat4)},
	{kInt2, kFloat8, CastImplicit, intToFloat(kFloat8)},
	{kInt2, kNumeric, CastImplicit, intToNumeric},
	{kInt4, kInt2, CastAssignment, intTo(kInt2)},
	{kInt4, kInt8, CastImplicit, intTo(kInt8)},
	{kInt4, kFloat4, CastImplicit, intToFloat(kFloat4)},
	{kInt4, kFloat8, CastImplicit, intToFloat(kFloat8)},
	{kInt4, kNumeric, CastImplicit, intToNumeric},
	{kInt4, kBool, CastExplicit, intToBool},
	{kBool, kInt4, CastExplicit, nil},
	{kInt8, kInt2, CastAssignment, intTo(kInt2)},
	{kInt8, kInt4, CastAssignment, intTo(kInt4)},
	{kInt8, kFloat4, CastImplicit, intToFloat(kFloat4)},
	{kInt8, kFloat8, CastImplicit, intToFloat(kFloat8)},
	{kInt8, kNumeric, CastImplicit, intToNumeric},
	{kFloat4, kInt2, CastAssignment, floatToInt(kInt2)},
	{kFloat4, kInt4, CastAssignment, floatToInt(kInt4)},
	{kFloat4, kInt8, CastAssignment, floatToInt(kInt8)},
	{kFloat4, kFloat8, CastImplicit, nil},
	{kFloat4, kNumeric, CastAssignment, floatToNumeric(6)},
	{kFloat8, kInt2, CastAssignment, floatToInt(kInt2)},
	{kFloat8, kInt4, CastAssignment, floatToInt(kInt4)},
	{kFloat8, kInt8, CastAssignment, floatToInt(kInt8)},
	{kFloat8, kFloat4, CastAssignment, narrowFloat},
	{kFloat8, kNumeric, CastAssignment, floatToNumeric(15)},
	{kNumeric, kInt2, CastAssignment, numericTo(kInt2)},
	{kNumeric, kInt4, CastAssignment, numericTo(kInt4)},
	{kNumeric, kInt8, CastAssignment, numericTo(kInt8)},
	{kNumeric, kFloat4, CastImplicit, numericToFloat(kFloat4)},
	{kNumeric, kFloat8, CastImplicit, numericToFloat(kFloat8)},
}

func intTo(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if !pgfmt.FitsInt(k, a[0].Int()) {
			return repr.Null, outOfRange(k)
		}
		return repr.IntOf(k, a[0].Int()), nil
	}
}

func intToFloat(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if k == kFloat4 {
			return repr.Float4(float32(a[0].Int())), nil
		}
		return repr.Float8(float64(a[0].Int())), nil
	}
}

func intToNumeric(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Numeric(a[0].Int(), 0), nil
}

func intToBool(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Bool(a[0].Int() != 0), nil
}

// floatToInt rounds to the nearest, halves to even.
func floatToInt(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		f := math.RoundToEven(a[0].Float())
		if !(f >= math.MinInt64 && f < -math.MinInt64) || !pgfmt.FitsInt(k, int64(f)) {
			return repr.Null, outOfRange(k)
		}
		return repr.IntOf(k, int64(f)), nil
	}
}

func narrowFloat(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	d := repr.Float4(float32(a[0].Float()))
	switch {
	case math.IsInf(d.Float(), 0) && !math.IsInf(a[0].Float(), 0):
		return repr.Null, floatOverflow()
	case d.Float() == 0 && a[0].Float() != 0:
		return repr.Null, floatUnderflow()
	}
	return d, nil
}

// floatToNumeric keeps so many digits.
func floatToNumeric(digits int) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return pgfmt.ParseNumeric(strconv.FormatFloat(a[0].Float(), 'g', digits, 64))
	}
}

func numericTo(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return numericToInt(a[0], k) }
}

// numericToInt rounds to the nearest, halves away from zero.
func numericToInt(d repr.Datum, k repr.Kind) (repr.Datum, *repr.Error) {
	if !d.NumericFinite() {
		what := "infinity"
		if d.NumericIsNaN() {
			what = "NaN"
		}
		return repr.Null, repr.NewError(repr.CodeFeatureNotSupported, "cannot convert "+what+" to "+k.String())
	}
	n, scale, ok := d.NumericSmall()
	if !ok || scale != 0 {
		coef, have := pgfmt.NumericBig(d)
		q := pgfmt.RoundQuo(coef, pgfmt.BigPow10(have))
		if !q.IsInt64() {
			return repr.Null, outOfRange(k)
		}
		n = q.Int64()
	}
	if !pgfmt.FitsInt(k, n) {
		return repr.Null, outOfRange(k)
	}
	return repr.IntOf(k, n), nil
}

func numericToFloat(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return floatOfNumeric(a[0], k) }
}

func floatOfNumeric(d repr.Datum, k repr.Kind) (repr.Datum, *repr.Error) {
	if n, scale, ok := d.NumericSmall(); ok && k == kFloat8 && n > -(1<<53) && n < 1<<53 && scale <= 15 {
		return repr.Float8(float64(n) / float64(pow10Table[scale])), nil // both exact, so the quotient is rounded once
	}
	return pgfmt.ParseText(repr.TypeOf(k), string(repr.AppendNumericText(nil, d)), nil)
}
