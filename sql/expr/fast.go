package expr

import (
	"bytes"

	"millrace/repr"
)

// compileFast gives the typed closure of a call whose operands have a plain machine form: comparisons of
// integers of any width, of integer-like values of one kind and of texts, lists of these, and 64-bit arithmetic. It is nil
// for every other call, and for operators that were not named as SQL names them. The answers are those of the function
// itself; expr_test.go holds them together.
func compileFast(e *Call, env *Env) Eval {
	if len(e.Args) != 2 || len(e.Fn.Args) != 2 {
		return nil
	}
	if in := compileIn(e, env); in != nil {
		return in
	}
	left, right := e.Fn.Args[0].Kind, e.Fn.Args[1].Kind
	ints := isInt(left) && isInt(right)
	switch {
	case e.Fn.Ret.Kind == repr.KindBool && (ints || left == right && intLike(left)):
		return compileIntCompare(e, env)
	case e.Fn.Ret.Kind == repr.KindBool && left == repr.KindText && right == repr.KindText:
		return compileTextCompare(e, env, repr.Datum.Bytes)
	case e.Fn.Ret.Kind == repr.KindBool && left == repr.KindBpchar && right == repr.KindBpchar:
		return compileTextCompare(e, env, unpadded)
	case e.Fn.Ret.Kind == repr.KindInt8 && ints:
		return compileIntArith(e, env)
	default:
		return nil
	}
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

// outcome says which results of a three-way comparison make an operator true.
type outcome struct{ less, equal, greater bool }

// outcomes are the comparisons by name.
var outcomes = map[string]outcome{
	"=": {equal: true}, "<>": {less: true, greater: true}, "<": {less: true}, "<=": {less: true, equal: true},
	">": {greater: true}, ">=": {equal: true, greater: true},
}

func compileIntCompare(e *Call, env *Env) Eval {
	test, ok := outcomes[e.Fn.Name]
	if !ok {
		return nil
	}
	left := Compile(e.Args[0], env)
	if c, isConst := e.Args[1].(*Const); isConst && !c.Val.IsNull() {
		return intCompareConst(left, c.Val.Int(), test)
	}
	less, equal, greater := test.less, test.equal, test.greater
	right := Compile(e.Args[1], env)
	return func(r *Row) (repr.Datum, *repr.Error) {
		a, err := left(r)
		if err != nil || a.IsNull() {
			return repr.Null, err
		}
		b, err := right(r)
		if err != nil || b.IsNull() {
			return repr.Null, err
		}
		x, y := a.Int(), b.Int()
		return repr.Bool((x < y && less) || (x == y && equal) || (x > y && greater)), nil
	}
}

func intCompareConst(left Eval, y int64, test outcome) Eval {
	less, equal, greater := test.less, test.equal, test.greater
	return func(r *Row) (repr.Datum, *repr.Error) {
		a, err := left(r)
		if err != nil || a.IsNull() {
			return repr.Null, err
		}
		x := a.Int()
		return repr.Bool((x < y && less) || (x == y && equal) || (x > y && greater)), nil
	}
}

// compileTextCompare compares the bytes of texts, in the form that counts.
func compileTextCompare(e *Call, env *Env, form func(repr.Datum) []byte) Eval {
	test, ok := outcomes[e.Fn.Name]
	if !ok {
		return nil
	}
	less, equal, greater := test.less, test.equal, test.greater
	left, right := Compile(e.Args[0], env), Compile(e.Args[1], env)
	return func(r *Row) (repr.Datum, *repr.Error) {
		a, err := left(r)
		if err != nil || a.IsNull() {
			return repr.Null, err
		}
		b, err := right(r)
		if err != nil || b.IsNull() {
			return repr.Null, err
		}
		if less == greater {
			return repr.Bool(bytes.Equal(form(a), form(b)) == equal), nil
		}
		c := bytes.Compare(form(a), form(b))
		return repr.Bool((c < 0 && less) || (c == 0 && equal) || (c > 0 && greater)), nil
	}
}

// arithmetics are the operators of 64 bits by name.
var arithmetics = map[string]func(x, y int64) (int64, bool){
	"+": addInt64, "-": subInt64, "*": mulInt64, "/": divInt64, "%": modInt64, "mod": modInt64,
}

// compileIntArith does +, -, *, / and % of bigint; what overflows or fails is left to the function, which knows the error.
func compileIntArith(e *Call, env *Env) Eval {
	op := arithmetics[e.Fn.Name]
	if op == nil {
		return nil
	}
	left, right, fn := Compile(e.Args[0], env), Compile(e.Args[1], env), e.Fn.Eval
	if c, isConst := e.Args[1].(*Const); isConst && !c.Val.IsNull() {
		return intArithConst(left, c.Val, op, func(a, b repr.Datum) (repr.Datum, *repr.Error) { return fn(env, []repr.Datum{a, b}) })
	}
	return func(r *Row) (repr.Datum, *repr.Error) {
		a, err := left(r)
		if err != nil || a.IsNull() {
			return repr.Null, err
		}
		b, err := right(r)
		if err != nil || b.IsNull() {
			return repr.Null, err
		}
		if z, ok := op(a.Int(), b.Int()); ok {
			return repr.Int8(z), nil
		}
		return fn(env, []repr.Datum{a, b})
	}
}

func intArithConst(left Eval, b repr.Datum, op func(x, y int64) (int64, bool), slow func(a, b repr.Datum) (repr.Datum, *repr.Error)) Eval {
	y := b.Int()
	return func(r *Row) (repr.Datum, *repr.Error) {
		a, err := left(r)
		if err != nil || a.IsNull() {
			return repr.Null, err
		}
		if z, ok := op(a.Int(), y); ok {
			return repr.Int8(z), nil
		}
		return slow(a, b)
	}
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

func addInt64(x, y int64) (int64, bool) {
	z := x + y
	return z, (z > x) == (y > 0)
}

func subInt64(x, y int64) (int64, bool) {
	z := x - y
	return z, (z < x) == (y > 0)
}

func mulInt64(x, y int64) (int64, bool) {
	const small = 1 << 31
	if x > -small && x < small && y > -small && y < small {
		return x * y, true
	}
	return 0, false
}
