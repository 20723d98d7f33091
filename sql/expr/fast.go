package expr

import (
	"bytes"
	"math/bits"

	"millrace/repr"
)

// intEval is an Eval of an integer-like value without the box.
type intEval func(r *Row) (n int64, null bool, err *repr.Error)

// boolEval is an Eval of a boolean without the box.
type boolEval func(r *Row) (yes, null bool, err *repr.Error)

// compileFast gives the typed closure of a call whose operands have a plain machine form: comparisons of integers of any
// width, of integer-like values of one kind and of texts, lists of these, 64-bit arithmetic, and functions with code for one
// integer-like operand. It is nil for every other call, and for operators that were not named as SQL names them. The answers are those of the function itself;
// TestFastPathsAgree holds them together.
func compileFast(e *Call, env *Env) Eval {
	if in := compileIn(e, env); in != nil {
		return in
	}
	if test := fastBool(e, env); test != nil {
		return boxBool(test)
	}
	if n := fastInt(e, env); n != nil {
		kind := e.Fn.Ret.Kind
		return func(r *Row) (repr.Datum, *repr.Error) {
			n, null, err := n(r)
			if err != nil || null {
				return repr.Null, err
			}
			return repr.IntOf(kind, n), nil
		}
	}
	return nil
}

func boxBool(test boolEval) Eval {
	return func(r *Row) (repr.Datum, *repr.Error) {
		yes, null, err := test(r)
		if err != nil || null {
			return repr.Null, err
		}
		return repr.Bool(yes), nil
	}
}

// kindsOf are the kinds of the operands of a call of two.
func kindsOf(e *Call) (left, right repr.Kind, ok bool) {
	if len(e.Args) != 2 || len(e.Fn.Args) != 2 {
		return 0, 0, false
	}
	return e.Fn.Args[0].Kind, e.Fn.Args[1].Kind, true
}

func fastBool(e *Call, env *Env) boolEval {
	left, right, ok := kindsOf(e)
	test, known := outcomes[e.Fn.Name]
	switch {
	case !ok || !known || e.Fn.Ret.Kind != repr.KindBool:
		return nil
	case isInt(left) && isInt(right) || left == right && intLike(left):
		return compareInts(e, test, env)
	case left == repr.KindText && right == repr.KindText:
		return compareTexts(e, test, env, repr.Datum.Bytes)
	case left == repr.KindBpchar && right == repr.KindBpchar:
		return compareTexts(e, test, env, unpadded)
	default:
		return nil
	}
}

func fastInt(e *Call, env *Env) intEval {
	left, right, ok := kindsOf(e)
	if ok && e.Fn.Ret.Kind == repr.KindInt8 && isInt(left) && isInt(right) {
		if n := compileArith(e, env); n != nil {
			return n
		}
	}
	return intOfInt(e, env)
}

func isInt(k repr.Kind) bool {
	return k == repr.KindInt2 || k == repr.KindInt4 || k == repr.KindInt8
}

// intLike says whether values of a kind are ordered by their integer payload.
func intLike(k repr.Kind) bool {
	switch k {
	case repr.KindInt2, repr.KindInt4, repr.KindInt8, repr.KindDate, repr.KindTime, repr.KindTimestamp,
		repr.KindTimestampTZ, repr.KindOID:
		return true
	default:
		return false
	}
}

// compileInt compiles an integer-like expression.
func compileInt(s Scalar, env *Env) intEval {
	switch e := s.(type) {
	case *Column:
		i := e.Index
		return func(r *Row) (int64, bool, *repr.Error) {
			n, null := r.int(i)
			return n, null, nil
		}
	case *Const:
		n, null := e.Val.Int(), e.Val.IsNull()
		return func(*Row) (int64, bool, *repr.Error) { return n, null, nil }
	case *Call:
		if n := fastInt(e, env); n != nil {
			return n
		}
	}
	eval := Compile(s, env)
	return func(r *Row) (int64, bool, *repr.Error) {
		d, err := eval(r)
		return d.Int(), d.IsNull(), err
	}
}

// compileBool compiles a boolean expression.
func compileBool(s Scalar, env *Env) boolEval {
	switch e := s.(type) {
	case *Call:
		if test := fastBool(e, env); test != nil {
			return test
		}
	case *And:
		return compileLogic(compileBools(e.Args, env), false)
	case *Or:
		return compileLogic(compileBools(e.Args, env), true)
	case *Not:
		arg := compileBool(e.Arg, env)
		return func(r *Row) (bool, bool, *repr.Error) {
			yes, null, err := arg(r)
			return !yes, null, err
		}
	}
	eval := Compile(s, env)
	return func(r *Row) (bool, bool, *repr.Error) {
		d, err := eval(r)
		return d.Bool(), d.IsNull(), err
	}
}

func compileBools(list []Scalar, env *Env) []boolEval {
	out := make([]boolEval, len(list))
	for i, s := range list {
		out[i] = compileBool(s, env)
	}
	return out
}

// outcome says which results of a three-way comparison make an operator true.
type outcome struct{ less, equal, greater bool }

// outcomes are the comparisons by name.
var outcomes = map[string]outcome{
	"=": {equal: true}, "<>": {less: true, greater: true}, "<": {less: true}, "<=": {less: true, equal: true},
	">": {greater: true}, ">=": {equal: true, greater: true},
}

func compareInts(e *Call, test outcome, env *Env) boolEval {
	left, right := compileInt(e.Args[0], env), compileInt(e.Args[1], env)
	less, equal, greater := test.less, test.equal, test.greater
	if c, isConst := e.Args[1].(*Const); isConst && !c.Val.IsNull() {
		y := c.Val.Int()
		if col, isColumn := e.Args[0].(*Column); isColumn {
			i := col.Index
			return func(r *Row) (bool, bool, *repr.Error) {
				x, null := r.int(i)
				return (x < y && less) || (x == y && equal) || (x > y && greater), null, nil
			}
		}
		return func(r *Row) (bool, bool, *repr.Error) {
			x, null, err := left(r)
			return (x < y && less) || (x == y && equal) || (x > y && greater), null, err
		}
	}
	return func(r *Row) (bool, bool, *repr.Error) {
		x, null, err := left(r)
		if err != nil || null {
			return false, true, err
		}
		y, null, err := right(r)
		return (x < y && less) || (x == y && equal) || (x > y && greater), null, err
	}
}

// compareTexts compares the bytes of texts, in the form that counts.
func compareTexts(e *Call, test outcome, env *Env, form func(repr.Datum) []byte) boolEval {
	less, equal, greater := test.less, test.equal, test.greater
	left, right := Compile(e.Args[0], env), Compile(e.Args[1], env)
	return func(r *Row) (bool, bool, *repr.Error) {
		a, err := left(r)
		if err != nil || a.IsNull() {
			return false, true, err
		}
		b, err := right(r)
		if err != nil || b.IsNull() {
			return false, true, err
		}
		if less == greater {
			return bytes.Equal(form(a), form(b)) == equal, false, nil
		}
		c := bytes.Compare(form(a), form(b))
		return (c < 0 && less) || (c == 0 && equal) || (c > 0 && greater), false, nil
	}
}

// arithmetics are the operators of 64 bits by name.
var arithmetics = map[string]func(x, y int64) (int64, bool){
	"+": addInt64, "-": subInt64, "*": mulInt64, "/": divInt64, "%": modInt64, "mod": modInt64,
}

// compileArith does +, -, *, / and % of bigint; what overflows or fails is left to the function, which knows the error.
func compileArith(e *Call, env *Env) intEval {
	op := arithmetics[e.Fn.Name]
	if op == nil {
		return nil
	}
	left, right, fn := compileInt(e.Args[0], env), compileInt(e.Args[1], env), e.Fn.Eval
	lk, rk := e.Fn.Args[0].Kind, e.Fn.Args[1].Kind
	slow := func(x, y int64) (int64, bool, *repr.Error) {
		d, err := fn(env, []repr.Datum{repr.IntOf(lk, x), repr.IntOf(rk, y)})
		return d.Int(), d.IsNull(), err
	}
	if c, isConst := e.Args[1].(*Const); isConst && !c.Val.IsNull() {
		y := c.Val.Int()
		return func(r *Row) (int64, bool, *repr.Error) {
			x, null, err := left(r)
			if err != nil || null {
				return 0, true, err
			}
			if z, ok := op(x, y); ok {
				return z, false, nil
			}
			return slow(x, y)
		}
	}
	return func(r *Row) (int64, bool, *repr.Error) {
		x, null, err := left(r)
		if err != nil || null {
			return 0, true, err
		}
		y, null, err := right(r)
		if err != nil || null {
			return 0, true, err
		}
		if z, ok := op(x, y); ok {
			return z, false, nil
		}
		return slow(x, y)
	}
}

func addInt64(x, y int64) (int64, bool) {
	z := x + y
	return z, (z > x) == (y > 0)
}

func subInt64(x, y int64) (int64, bool) {
	z := x - y
	return z, (z < x) == (y > 0)
}

func mulInt64(x, y int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(x), uint64(y))
	high := int64(hi) - x>>63&y - y>>63&x // of the product with its sign
	return int64(lo), high == int64(lo)>>63
}

func divInt64(x, y int64) (int64, bool) {
	if y <= 0 {
		return 0, false
	}
	return x / y, true
}

func modInt64(x, y int64) (int64, bool) {
	if y <= 0 {
		return 0, false
	}
	return x % y, true
}
