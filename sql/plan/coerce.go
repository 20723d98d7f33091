package plan

import (
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
	"millrace/sql/fn"
)

// coercion says how a value may be given a type, and what the error says when it may not.
type coercion struct {
	ctx    fn.CastContext
	refuse func(from, to repr.Type) *repr.Error
}

// implicitly is the coercion of an operand. It fails only if the tables of functions promise a cast that is not there.
var implicitly = coercion{fn.CastImplicit, cannotCast}

// explicitly is the coercion that CAST asks for.
var explicitly = coercion{fn.CastExplicit, cannotCast}

func cannotCast(from, to repr.Type) *repr.Error {
	return errAt(repr.CodeCannotCoerce, "cannot cast type "+from.String()+" to "+to.String(), 0)
}

// assigning is the coercion of what a clause takes.
func assigning(clause string) coercion {
	return coercion{fn.CastAssignment, func(from, to repr.Type) *repr.Error {
		return errAt(repr.CodeDatatypeMismatch, "argument of "+clause+" must be type "+to.String()+", not type "+
			from.String(), 0)
	}}
}

// toColumn is the coercion of a value that is stored in a column.
func toColumn(name string) coercion {
	return coercion{fn.CastAssignment, func(from, to repr.Type) *repr.Error {
		return errAt(repr.CodeDatatypeMismatch, "column "+quote(name)+" is of type "+to.String()+
			" but expression is of type "+from.String(), 0).WithHint("You will need to rewrite or cast the expression.")
	}}
}

// isUnknown says whether an expression is a literal, NULL or parameter whose type is still open.
func isUnknown(s expr.Scalar) bool { return s.Type().Kind == repr.KindNull }

// coerce gives an expression a type. A literal of no type yet is read as one of that type, a parameter becomes one.
func (b *binder) coerce(s expr.Scalar, to repr.Type, how coercion, pos int) (expr.Scalar, *repr.Error) {
	from := s.Type()
	if from == to || to.Kind == repr.KindNull {
		return s, nil
	}
	if from.Kind == repr.KindNull {
		return b.coerceUnknown(s, to, how, pos)
	}
	if sameType(from, to) && !to.HasMod() {
		return s, nil
	}
	if isNumber(to.Kind) && isCallOf(s, "mz_now") {
		return b.coerce(logicalMillis(s), to, how, pos)
	}
	f, ok := fn.Cast(from, to, how.ctx)
	if !ok {
		return nil, how.refuse(from, to).At(pos)
	}
	if f == nil {
		return s, nil
	}
	return b.foldCast(&expr.Call{Fn: f, Args: []expr.Scalar{s}, Typ: to, Pos: pos}), nil
}

// sameType says whether two types are one but for their modifiers.
func sameType(a, b repr.Type) bool { return a.Kind == b.Kind && a.Elem == b.Elem }

func (b *binder) coerceUnknown(s expr.Scalar, to repr.Type, how coercion, pos int) (expr.Scalar, *repr.Error) {
	switch e := s.(type) {
	case *expr.Param:
		t := to
		t.Mod = -1
		b.params[e.N-1] = t
		return b.coerce(&expr.Param{N: e.N, Typ: t}, to, how, pos)
	case *expr.Const:
		if e.Val.IsNull() {
			return &expr.Const{Typ: to}, nil
		}
		return b.literal(e, to, how, pos)
	}
	// A column of type unknown is one of text.
	f, ok := fn.Cast(repr.TypeOf(repr.KindText), to, how.ctx)
	if !ok {
		return nil, how.refuse(s.Type(), to).At(pos)
	}
	if f == nil {
		return s, nil
	}
	return &expr.Call{Fn: f, Args: []expr.Scalar{s}, Typ: to, Pos: pos}, nil
}

// literal reads a string literal as a value of a type, at once, so that a wrong one is an error of the statement.
// A modifier applies afterwards, by the rules of the cast that is asked for; that of an interval says how to read it.
func (b *binder) literal(c *expr.Const, to repr.Type, how coercion, pos int) (expr.Scalar, *repr.Error) {
	if to.HasMod() && to.Kind == repr.KindInterval {
		d, err := pgfmt.ParseText(to, c.Val.Str(), nil)
		if err != nil {
			return nil, err.At(pos)
		}
		return &expr.Const{Val: d, Typ: to}, nil
	}
	if to.HasMod() {
		plain := to
		plain.Mod = -1
		s, err := b.literal(c, plain, how, pos)
		if err != nil {
			return nil, err
		}
		return b.coerce(s, to, how, pos)
	}
	f, ok := fn.Cast(repr.TypeOf(repr.KindNull), to, fn.CastImplicit)
	if !ok {
		return nil, how.refuse(c.Typ, to).At(pos)
	}
	if f == nil {
		return &expr.Const{Val: c.Val.As(to.Kind), Typ: to}, nil
	}
	d, err := f.Eval(b.env.Eval, []repr.Datum{c.Val})
	if err != nil {
		return nil, err.At(pos)
	}
	return &expr.Const{Val: d, Typ: to}, nil
}

// foldCast computes the cast of a constant that does not depend on the session and does not fail.
func (b *binder) foldCast(call *expr.Call) expr.Scalar {
	if _, ok := call.Args[0].(*expr.Const); !ok {
		return call
	}
	return expr.Fold(call, b.env.Eval, expr.Immutable)
}

// unify gives all expressions their common type, in place, and returns it. what is the construct, for errors.
func (x *scalars) unify(list []expr.Scalar, what string, pos []int) (repr.Type, *repr.Error) {
	t, err := commonType(list, what, pos)
	if err != nil {
		return t, err
	}
	for i, s := range list {
		if list[i], err = x.b.coerce(s, t, implicitly, pos[i]); err != nil {
			return t, err
		}
	}
	return t, nil
}

// commonType is the type that all expressions can be given; text where nothing has a type.
func commonType(list []expr.Scalar, what string, pos []int) (repr.Type, *repr.Error) {
	types := make([]repr.Type, len(list))
	for i, s := range list {
		types[i] = s.Type()
	}
	t, i := commonOf(types)
	if i >= 0 {
		return t, errAt(repr.CodeDatatypeMismatch, what+" types "+t.String()+" and "+types[i].String()+" cannot be matched", pos[i])
	}
	return t, nil
}

// commonOf is the common type, or, with the place of the type that does not fit, the common type of those before it.
func commonOf(types []repr.Type) (repr.Type, int) {
	same := true
	for _, t := range types[1:] {
		same = same && t == types[0]
	}
	if same && types[0].Kind != repr.KindNull {
		return types[0], -1
	}
	last, err := fn.CommonType(types)
	if err == nil {
		return last, -1
	}
	for i := range types { // which one is it
		t, err := fn.CommonType(types[:i+1])
		if err != nil {
			return last, i
		}
		last = t
	}
	return last, -1
}
