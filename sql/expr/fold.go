package expr

import "millrace/repr"

// Fold evaluates what can be known before there is a row: calls over constants of functions that are no more
// volatile than upTo, and conditions that constants decide. What would raise an error stays as it is, so that the
// error is raised only if the expression is evaluated.
func Fold(s Scalar, env *Env, upTo Volatility) Scalar {
	return Transform(s, func(n Scalar) Scalar { return foldNode(n, env, upTo) })
}

func foldNode(s Scalar, env *Env, upTo Volatility) Scalar {
	switch e := s.(type) {
	case *Call:
		return foldCall(e, env, upTo)
	case *And:
		return foldLogic(e, e.Args, false)
	case *Or:
		return foldLogic(e, e.Args, true)
	case *Not:
		if c, ok := e.Arg.(*Const); ok {
			return constOrNull(c.Val, repr.Bool(!c.Val.Bool()))
		}
		if n, ok := e.Arg.(*Not); ok {
			return n.Arg
		}
	case *IsNull:
		if c, ok := e.Arg.(*Const); ok {
			return boolConst(c.Val.IsNull())
		}
	case *Case:
		return foldCase(e)
	case *Coalesce:
		return foldCoalesce(e)
	}
	return s
}

func foldCall(e *Call, env *Env, upTo Volatility) Scalar {
	if e.Fn.Volatility > upTo {
		return e
	}
	args := make([]repr.Datum, len(e.Args))
	for i, a := range e.Args {
		c, ok := a.(*Const)
		if !ok {
			return e
		}
		if c.Val.IsNull() && !e.Fn.NullCalled {
			return &Const{Typ: e.Typ}
		}
		args[i] = c.Val
	}
	d, err := e.Fn.Eval(env, args)
	if err != nil || isLong(d) {
		return e
	}
	return &Const{Val: d.Clone(), Typ: e.Typ}
}

// mostFolded is how long a text may be that stands in a plan in place of the call that makes it: plans are copied and printed.
const mostFolded = 1 << 16

func isLong(d repr.Datum) bool {
	k := d.Kind()
	return (k == repr.KindText || k == repr.KindBytea) && len(d.Bytes()) > mostFolded
}

// foldLogic drops operands that change nothing and stops at one that decides.
func foldLogic(e Scalar, args []Scalar, stop bool) Scalar {
	var keep []Scalar
	for _, a := range args {
		c, ok := a.(*Const)
		if !ok || c.Val.IsNull() {
			keep = append(keep, a)
			continue
		}
		if c.Val.Bool() == stop {
			return c
		}
	}
	switch len(keep) {
	case 0:
		return boolConst(!stop)
	case 1:
		return keep[0]
	case len(args):
		return e
	}
	if stop {
		return &Or{Args: keep}
	}
	return &And{Args: keep}
}

func foldCase(e *Case) Scalar {
	var whens []When
	otherwise := e.Else
	for _, w := range e.Whens {
		c, ok := w.Cond.(*Const)
		if !ok {
			whens = append(whens, w)
			continue
		}
		if c.Val.Bool() {
			otherwise = w.Then
			break
		}
	}
	if len(whens) == len(e.Whens) {
		return e
	}
	if len(whens) > 0 {
		return &Case{Whens: whens, Else: otherwise, Typ: e.Typ}
	}
	if otherwise == nil {
		return &Const{Typ: e.Typ}
	}
	return otherwise
}

func foldCoalesce(e *Coalesce) Scalar {
	var keep []Scalar
	for _, a := range e.Args {
		c, ok := a.(*Const)
		if ok && c.Val.IsNull() {
			continue
		}
		keep = append(keep, a)
		if ok {
			break
		}
	}
	switch len(keep) {
	case 0:
		return &Const{Typ: e.Typ}
	case 1:
		return keep[0]
	case len(e.Args):
		return e
	default:
		return &Coalesce{Args: keep, Typ: e.Typ}
	}
}

func boolConst(v bool) *Const { return &Const{Val: repr.Bool(v), Typ: repr.TypeOf(repr.KindBool)} }

// constOrNull is result, or NULL when the operand is.
func constOrNull(operand, result repr.Datum) *Const {
	if operand.IsNull() {
		result = repr.Null
	}
	return &Const{Val: result, Typ: repr.TypeOf(repr.KindBool)}
}
