package fn

import (
	"math"

	"millrace/repr"
	"millrace/sql/expr"
)

func floatOverflow() *repr.Error {
	return repr.NewError(repr.CodeNumericOutOfRange, "value out of range: overflow")
}

func floatUnderflow() *repr.Error {
	return repr.NewError(repr.CodeNumericOutOfRange, "value out of range: underflow")
}

// floatOp computes an operator; zeroOK says that a result of 0 is right although no operand is 0.
type floatOp struct {
	compute func(a, b float64) float64
	zeroOK  func(a, b float64) bool
	divides bool
}

var (
	floatAdd = floatOp{compute: func(a, b float64) float64 { return a + b }, zeroOK: always}
	floatSub = floatOp{compute: func(a, b float64) float64 { return a - b }, zeroOK: always}
	floatMul = floatOp{compute: func(a, b float64) float64 { return a * b }, zeroOK: func(a, b float64) bool { return a == 0 || b == 0 }}
	floatDiv = floatOp{compute: func(a, b float64) float64 { return a / b }, zeroOK: func(a, b float64) bool { return a == 0 || math.IsInf(b, 0) }, divides: true}
)

func always(float64, float64) bool { return true }

func makeFloat(k repr.Kind, f float64) repr.Datum {
	if k == repr.KindFloat4 {
		return repr.Float4(float32(f))
	}
	return repr.Float8(f)
}

// evalFloat is the operator with a result of the kind.
func evalFloat(k repr.Kind, op floatOp) evalFunc {
	return func(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
		a, b := args[0].Float(), args[1].Float()
		if op.divides && b == 0 && !math.IsNaN(a) {
			return repr.Null, divisionByZero()
		}
		d := makeFloat(k, op.compute(a, b))
		switch f := d.Float(); {
		case math.IsInf(f, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0):
			return repr.Null, floatOverflow()
		case f == 0 && !op.zeroOK(a, b):
			return repr.Null, floatUnderflow()
		}
		return d, nil
	}
}

// floatOperators are the operators of reals and double precisions; mixed ones give the wider.
var floatOperators = makeFloatOperators()

func makeFloatOperators() []row {
	var out []row
	kinds := []repr.Kind{repr.KindFloat4, repr.KindFloat8}
	for _, l := range kinds {
		for _, r := range kinds {
			wide := max(l, r)
			args := "(" + l.String() + ", " + r.String() + ") " + wide.String()
			out = append(out,
				row{sig: "+" + args, eval: evalFloat(wide, floatAdd)},
				row{sig: "-" + args, eval: evalFloat(wide, floatSub)},
				row{sig: "*" + args, eval: evalFloat(wide, floatMul)},
				row{sig: "/" + args, eval: evalFloat(wide, floatDiv)})
		}
	}
	for _, k := range kinds {
		one := "(" + k.String() + ") " + k.String()
		out = append(out,
			row{sig: "-" + one, eval: float1(k, func(f float64) float64 { return -f })},
			row{sig: "+" + one, eval: same},
			row{sig: "@" + one, eval: float1(k, math.Abs)})
	}
	return append(out,
		row{sig: "^(double precision, double precision) double precision", eval: powerFloat},
		row{sig: "|/(double precision) double precision", eval: sqrtFloat},
		row{sig: "||/(double precision) double precision", eval: float1(repr.KindFloat8, math.Cbrt)})
}

// float1 is a function that is defined for every value.
func float1(k repr.Kind, f func(float64) float64) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return makeFloat(k, f(a[0].Float())), nil }
}

// floatChecked is float1 that refuses to overflow.
func floatChecked(f func(float64) float64) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		x := a[0].Float()
		y := f(x)
		if math.IsInf(y, 0) && !math.IsInf(x, 0) {
			return repr.Null, floatOverflow()
		}
		if y == 0 && x != 0 && !math.IsInf(x, 0) {
			return repr.Null, floatUnderflow()
		}
		return repr.Float8(y), nil
	}
}

// floatDomain is float1 for the operands that ok accepts.
func floatDomain(f func(float64) float64, ok func(float64) bool) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		x := a[0].Float()
		if !math.IsNaN(x) && !ok(x) {
			return repr.Null, repr.NewError(repr.CodeNumericOutOfRange, "input is out of range")
		}
		return repr.Float8(f(x)), nil
	}
}

const (
	codeInvalidPower = "2201F"
	codeInvalidLog   = "2201E"
)

func sqrtFloat(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if a[0].Float() < 0 {
		return repr.Null, repr.NewError(codeInvalidPower, "cannot take square root of a negative number")
	}
	return repr.Float8(math.Sqrt(a[0].Float())), nil
}

func powerFloat(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	x, y := a[0].Float(), a[1].Float()
	switch {
	case math.IsNaN(x) && y != 0, math.IsNaN(y) && x != 1:
		return repr.Float8(math.NaN()), nil
	case x == 0 && y < 0:
		return repr.Null, repr.NewError(codeInvalidPower, "zero raised to a negative power is undefined")
	case x < 0 && !math.IsInf(x, 0) && y != math.Floor(y):
		return repr.Null, repr.NewError(codeInvalidPower, "a negative number raised to a non-integer power yields a complex result")
	}
	z := math.Pow(x, y)
	switch {
	case math.IsInf(x, 0) || math.IsInf(y, 0):
	case math.IsInf(z, 0):
		return repr.Null, floatOverflow()
	case z == 0 && x != 0:
		return repr.Null, floatUnderflow()
	}
	return repr.Float8(z), nil
}

// logFloat is a logarithm with PostgreSQL's errors.
func logFloat(f func(float64) float64) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		switch x := a[0].Float(); {
		case x == 0:
			return repr.Null, repr.NewError(codeInvalidLog, "cannot take logarithm of zero")
		case x < 0:
			return repr.Null, repr.NewError(codeInvalidLog, "cannot take logarithm of a negative number")
		default:
			return repr.Float8(f(x)), nil
		}
	}
}

func finite(x float64) bool { return !math.IsInf(x, 0) }

func inUnit(x float64) bool { return x >= -1 && x <= 1 }

func sign(f float64) float64 {
	switch {
	case f > 0:
		return 1
	case f < 0:
		return -1
	default:
		return f
	}
}

// floatFunctions are the functions of reals and double precisions.
var floatFunctions = []row{
	{sig: "abs(real) real", eval: float1(repr.KindFloat4, math.Abs)},
	{sig: "abs(double precision) double precision", eval: float1(repr.KindFloat8, math.Abs)},
	{sig: "ceil(double precision) double precision", eval: float1(repr.KindFloat8, math.Ceil)},
	{sig: "ceiling(double precision) double precision", eval: float1(repr.KindFloat8, math.Ceil)},
	{sig: "floor(double precision) double precision", eval: float1(repr.KindFloat8, math.Floor)},
	{sig: "round(double precision) double precision", eval: float1(repr.KindFloat8, math.RoundToEven)},
	{sig: "trunc(double precision) double precision", eval: float1(repr.KindFloat8, math.Trunc)},
	{sig: "sign(double precision) double precision", eval: float1(repr.KindFloat8, sign)},
	{sig: "sqrt(double precision) double precision", eval: sqrtFloat},
	{sig: "cbrt(double precision) double precision", eval: float1(repr.KindFloat8, math.Cbrt)},
	{sig: "power(double precision, double precision) double precision", eval: powerFloat},
	{sig: "pow(double precision, double precision) double precision", eval: powerFloat},
	{sig: "exp(double precision) double precision", eval: floatChecked(math.Exp)},
	{sig: "ln(double precision) double precision", eval: logFloat(math.Log)},
	{sig: "log(double precision) double precision", eval: logFloat(math.Log10)},
	{sig: "log10(double precision) double precision", eval: logFloat(math.Log10)},
	{sig: "sin(double precision) double precision", eval: floatDomain(math.Sin, finite)},
	{sig: "cos(double precision) double precision", eval: floatDomain(math.Cos, finite)},
	{sig: "tan(double precision) double precision", eval: floatDomain(math.Tan, finite)},
	{sig: "cot(double precision) double precision", eval: floatDomain(func(x float64) float64 { return 1 / math.Tan(x) }, finite)},
	{sig: "asin(double precision) double precision", eval: floatDomain(math.Asin, inUnit)},
	{sig: "acos(double precision) double precision", eval: floatDomain(math.Acos, inUnit)},
	{sig: "atan(double precision) double precision", eval: float1(repr.KindFloat8, math.Atan)},
	{sig: "atan2(double precision, double precision) double precision", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Float8(math.Atan2(a[0].Float(), a[1].Float())), nil
	}},
	{sig: "sinh(double precision) double precision", eval: float1(repr.KindFloat8, math.Sinh)},
	{sig: "cosh(double precision) double precision", eval: float1(repr.KindFloat8, math.Cosh)},
	{sig: "tanh(double precision) double precision", eval: float1(repr.KindFloat8, math.Tanh)},
	{sig: "asinh(double precision) double precision", eval: float1(repr.KindFloat8, math.Asinh)},
	{sig: "degrees(double precision) double precision", eval: float1(repr.KindFloat8, func(x float64) float64 { return x / (math.Pi / 180) })},
	{sig: "radians(double precision) double precision", eval: float1(repr.KindFloat8, func(x float64) float64 { return x * (math.Pi / 180) })},
	{sig: "pi() double precision", eval: func(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) { return repr.Float8(math.Pi), nil }},
}
