package expr

import "millrace/repr"

// intCall is a call of which one operand varies and is integer-like, with the code that its function has for that.
type intCall struct {
	code IntCode
	arg  intEval
	slow func(n int64) (repr.Datum, *repr.Error) // what the function says
}

// ofInt finds the code of a call; false where it is not of this form, or its function has none.
func ofInt(e *Call, env *Env) (intCall, bool) {
	if e.Fn.OfInt == nil || len(e.Args) != len(e.Fn.Args) {
		return intCall{}, false
	}
	at := -1
	known := make([]repr.Datum, len(e.Args))
	for i, a := range e.Args {
		c, ok := a.(*Const)
		switch {
		case ok && !c.Val.IsNull():
			known[i] = c.Val
		case !ok && at < 0 && intLike(e.Fn.Args[i].Kind):
			at = i
		default:
			return intCall{}, false
		}
	}
	if at < 0 {
		return intCall{}, false
	}
	kind, eval := e.Fn.Args[at].Kind, e.Fn.Eval
	return intCall{code: e.Fn.OfInt(known, at), arg: compileInt(e.Args[at], env), slow: func(n int64) (repr.Datum, *repr.Error) {
		args := append([]repr.Datum(nil), known...)
		args[at] = repr.IntOf(kind, n)
		return eval(env, args)
	}}, true
}

// intOfInt is the typed closure of a call from an integer-like operand to an integer-like result; nil where there is none.
func intOfInt(e *Call, env *Env) intEval {
	c, ok := ofInt(e, env)
	if !ok || c.code.Int == nil || !intLike(e.Fn.Ret.Kind) {
		return nil
	}
	return func(r *Row) (int64, bool, *repr.Error) {
		n, null, err := c.arg(r)
		if err != nil || null {
			return 0, true, err
		}
		if out, ok := c.code.Int(n); ok {
			return out, false, nil
		}
		d, err := c.slow(n)
		return d.Int(), d.IsNull(), err
	}
}

// packOfInt is the same for a result that is only wanted packed.
func packOfInt(e *Call, env *Env) Pack {
	c, ok := ofInt(e, env)
	if !ok || c.code.Pack == nil {
		return nil
	}
	return func(dst []byte, r *Row) ([]byte, *repr.Error) {
		n, null, err := c.arg(r)
		if err != nil {
			return dst, err
		}
		if null {
			return repr.Append(dst, repr.Null), nil
		}
		if out, ok := c.code.Pack(dst, n); ok {
			return out, nil
		}
		d, err := c.slow(n)
		if err != nil {
			return dst, err
		}
		return repr.Append(dst, d), nil
	}
}
