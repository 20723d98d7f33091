package expr

import (
	"millrace/internal/check"
	"millrace/repr"
)

// Eval gives the value of an expression for a row. It keeps its scratch space in the Row, so one Eval may serve
// several goroutines that have a Row each.
type Eval func(r *Row) (repr.Datum, *repr.Error)

// Compile turns an expression into a closure. Parameters, outer columns and subqueries must be gone by then.
// Operands are evaluated from left to right; an operand that cannot change the result any more is not evaluated.
func Compile(s Scalar, env *Env) Eval {
	switch e := s.(type) {
	case *Column:
		i := e.Index
		return func(r *Row) (repr.Datum, *repr.Error) { return r.Column(i), nil }
	case *Const:
		val := e.Val
		return func(*Row) (repr.Datum, *repr.Error) { return val, nil }
	case *Call:
		return compileCall(e, env)
	case *And, *Or, *Not:
		return boxBool(compileBool(s, env))
	case *IsNull:
		arg := Compile(e.Arg, env)
		return func(r *Row) (repr.Datum, *repr.Error) {
			d, err := arg(r)
			return repr.Bool(d.IsNull()), err
		}
	case *Case:
		return compileCase(e, env)
	case *Coalesce:
		return compileCoalesce(CompileAll(e.Args, env))
	}
	check.Never("cannot evaluate %T", s)
	return nil
}

// CompileAll compiles several expressions.
func CompileAll(list []Scalar, env *Env) []Eval {
	out := make([]Eval, len(list))
	for i, s := range list {
		out[i] = Compile(s, env)
	}
	return out
}

// Predicate says whether a condition is true for a row.
type Predicate func(r *Row) (bool, *repr.Error)

// CompilePredicate compiles conditions into the one that all of them are true. They are evaluated in order up to
// the first that is not true, NULL included, so an error behind that one is not raised.
func CompilePredicate(preds []Scalar, env *Env) Predicate {
	tests := compileBools(preds, env)
	return func(r *Row) (bool, *repr.Error) {
		for _, test := range tests {
			yes, null, err := test(r)
			if err != nil || null || !yes {
				return false, err
			}
		}
		return true, nil
	}
}

// compileLogic is AND (stop false) or OR (stop true).
func compileLogic(args []boolEval, stop bool) boolEval {
	return func(r *Row) (bool, bool, *repr.Error) {
		unknown := false
		for _, arg := range args {
			yes, null, err := arg(r)
			switch {
			case err != nil:
				return false, true, err
			case null:
				unknown = true
			case yes == stop:
				return stop, false, nil
			}
		}
		return !stop, unknown, nil
	}
}

func compileCase(e *Case, env *Env) Eval {
	type branch struct{ cond, then Eval }
	branches := make([]branch, len(e.Whens))
	for i, w := range e.Whens {
		branches[i] = branch{Compile(w.Cond, env), Compile(w.Then, env)}
	}
	var otherwise Eval
	if e.Else != nil {
		otherwise = Compile(e.Else, env)
	}
	return func(r *Row) (repr.Datum, *repr.Error) {
		for i := range branches {
			d, err := branches[i].cond(r)
			if err != nil {
				return repr.Null, err
			}
			if d.Bool() {
				return branches[i].then(r)
			}
		}
		if otherwise == nil {
			return repr.Null, nil
		}
		return otherwise(r)
	}
}

func compileCoalesce(args []Eval) Eval {
	return func(r *Row) (repr.Datum, *repr.Error) {
		for _, arg := range args {
			d, err := arg(r)
			if err != nil || !d.IsNull() {
				return d, err
			}
		}
		return repr.Null, nil
	}
}

// compileCall evaluates the operands onto the row's stack and calls the function with them. A NULL operand ends
// the evaluation of a function that is not called with NULLs, as its result is then known.
func compileCall(e *Call, env *Env) Eval {
	if fast := compileFast(e, env); fast != nil {
		return fast
	}
	args := CompileAll(e.Args, env)
	fn, nullCalled := e.Fn.Eval, e.Fn.NullCalled
	return func(r *Row) (repr.Datum, *repr.Error) {
		base := len(r.stack)
		for _, arg := range args {
			d, err := arg(r)
			if err != nil || (d.IsNull() && !nullCalled) {
				r.stack = r.stack[:base]
				return repr.Null, err
			}
			r.stack = append(r.stack, d)
		}
		d, err := fn(env, r.stack[base:])
		r.stack = r.stack[:base]
		return d, err
	}
}
