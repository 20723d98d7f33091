package fn

import (
	"math"
	"math/bits"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// intOp computes on 64 bits; ok is false when those do not suffice.
type intOp func(a, b int64) (n int64, ok bool)

func addInt(a, b int64) (int64, bool) {
	n := a + b
	return n, (n > a) == (b > 0)
}

func subInt(a, b int64) (int64, bool) {
	n := a - b
	return n, (n < a) == (b > 0)
}

func mulInt(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if a < 0 {
		hi -= uint64(b)
	}
	if b < 0 {
		hi -= uint64(a)
	}
	return int64(lo), hi == uint64(int64(lo)>>63)
}

func divInt(a, b int64) (int64, bool) {
	if b == -1 {
		return -a, a != math.MinInt64
	}
	return a / b, true
}

func modInt(a, b int64) (int64, bool) {
	if b == -1 {
		return 0, true
	}
	return a % b, true
}

func andInt(a, b int64) (int64, bool) { return a & b, true }
func orInt(a, b int64) (int64, bool)  { return a | b, true }
func xorInt(a, b int64) (int64, bool) { return a ^ b, true }

// evalInt is the operator with a result of the kind.
func evalInt(k repr.Kind, op intOp) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		n, ok := op(a[0].Int(), a[1].Int())
		if !ok || !pgfmt.FitsInt(k, n) {
			return repr.Null, outOfRange(k)
		}
		return repr.IntOf(k, n), nil
	}
}

// evalIntDiv is the operator when its right operand may be 0.
func evalIntDiv(k repr.Kind, op intOp) evalFunc {
	eval := evalInt(k, op)
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[1].Int() == 0 {
			return repr.Null, divisionByZero()
		}
		return eval(env, a)
	}
}

var intKinds = []repr.Kind{repr.KindInt2, repr.KindInt4, repr.KindInt8}

// intOperators are the operators of integers; those of two widths give the wider.
var intOperators = makeIntOperators()

func makeIntOperators() []row {
	var out []row
	for _, l := range intKinds {
		for _, r := range intKinds {
			wide := max(l, r)
			args := "(" + l.String() + ", " + r.String() + ") " + wide.String()
			out = append(out,
				row{sig: "+" + args, eval: evalInt(wide, addInt)},
				row{sig: "-" + args, eval: evalInt(wide, subInt)},
				row{sig: "*" + args, eval: evalInt(wide, mulInt)},
				row{sig: "/" + args, eval: evalIntDiv(wide, divInt)})
		}
	}
	for _, k := range intKinds {
		args := "(" + k.String() + ", " + k.String() + ") " + k.String()
		one := "(" + k.String() + ") " + k.String()
		shift := "(" + k.String() + ", integer) " + k.String()
		out = append(out,
			row{sig: "%" + args, eval: evalIntDiv(k, modInt)},
			row{sig: "&" + args, eval: evalInt(k, andInt)},
			row{sig: "|" + args, eval: evalInt(k, orInt)},
			row{sig: "#" + args, eval: evalInt(k, xorInt)},
			row{sig: "<<" + shift, eval: shiftLeft(k)},
			row{sig: ">>" + shift, eval: shiftRight(k)},
			row{sig: "-" + one, eval: negateInt(k)},
			row{sig: "+" + one, eval: same},
			row{sig: "~" + one, eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
				return repr.IntOf(k, ^a[0].Int()), nil
			}},
			row{sig: "@" + one, eval: absInt(k)})
	}
	return out
}

func same(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return a[0], nil }

func negateInt(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		n := -a[0].Int()
		if a[0].Int() == math.MinInt64 || !pgfmt.FitsInt(k, n) {
			return repr.Null, outOfRange(k)
		}
		return repr.IntOf(k, n), nil
	}
}

func absInt(k repr.Kind) evalFunc {
	negate := negateInt(k)
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[0].Int() >= 0 {
			return a[0], nil
		}
		return negate(env, a)
	}
}

// intBits is the width of a kind.
func intBits(k repr.Kind) uint {
	switch k {
	case repr.KindInt2:
		return 32 // a smallint is shifted as an integer and cut
	case repr.KindInt4:
		return 32
	default:
		return 64
	}
}

// cut keeps the low bits of the kind.
func cut(k repr.Kind, n int64) int64 {
	switch k {
	case repr.KindInt2:
		return int64(int16(n))
	case repr.KindInt4:
		return int64(int32(n))
	default:
		return n
	}
}

func shiftLeft(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.IntOf(k, cut(k, a[0].Int()<<(uint(a[1].Int())%intBits(k)))), nil
	}
}

func shiftRight(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.IntOf(k, a[0].Int()>>(uint(a[1].Int())%intBits(k))), nil
	}
}

// intFunctions are the functions of integers.
var intFunctions = makeIntFunctions()

func makeIntFunctions() []row {
	var out []row
	for _, k := range intKinds {
		one := "(" + k.String() + ") " + k.String()
		two := "(" + k.String() + ", " + k.String() + ") " + k.String()
		out = append(out,
			row{sig: "abs" + one, eval: absInt(k)},
			row{sig: "mod" + two, eval: evalIntDiv(k, modInt)})
		if k == repr.KindInt2 {
			continue
		}
		out = append(out,
			row{sig: "gcd" + two, eval: gcd(k)},
			row{sig: "lcm" + two, eval: lcm(k)})
	}
	return append(out,
		row{sig: "div(numeric, numeric) numeric", eval: numericDivTrunc},
		row{sig: "to_hex(integer) text", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			return toHex(uint64(uint32(a[0].Int()))), nil
		}},
		row{sig: "to_hex(bigint) text", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			return toHex(uint64(a[0].Int())), nil
		}})
}

func gcdOf(a, b int64) int64 {
	for b != 0 {
		if b == -1 {
			return 1
		}
		a, b = b, a%b
	}
	if a < 0 {
		return -a
	}
	return a
}

func gcd(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		n := gcdOf(a[0].Int(), a[1].Int())
		if n < 0 || !pgfmt.FitsInt(k, n) {
			return repr.Null, outOfRange(k)
		}
		return repr.IntOf(k, n), nil
	}
}

func lcm(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		x, y := a[0].Int(), a[1].Int()
		if x == 0 || y == 0 {
			return repr.IntOf(k, 0), nil
		}
		n, ok := mulInt(x/gcdOf(x, y), y)
		if n < 0 {
			n = -n
		}
		if !ok || n < 0 || !pgfmt.FitsInt(k, n) {
			return repr.Null, outOfRange(k)
		}
		return repr.IntOf(k, n), nil
	}
}
