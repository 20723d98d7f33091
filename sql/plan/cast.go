package plan

import (
	"strconv"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
)

// Type finds the type that a type name means.
func Type(n *ast.TypeName) (repr.Type, *repr.Error) {
	if n.Setof {
		return repr.Type{}, unsupported("SETOF", n.Pos)
	}
	mods := make([]int32, len(n.Mods))
	for i, m := range n.Mods {
		v, err := strconv.ParseInt(m, 10, 32)
		if err != nil {
			return repr.Type{}, errAt(repr.CodeInvalidParameter, "type modifiers must be simple constants or identifiers", n.Pos)
		}
		mods[i] = int32(v)
	}
	if n.Fields != "" {
		bits, ok := fn.IntervalFields(n.Fields)
		if !ok {
			return repr.Type{}, errAt(repr.CodeSyntax, "invalid INTERVAL type modifier", n.Pos)
		}
		mods = append([]int32{bits}, mods...)
	}
	schema := ""
	if q := n.Name.Qualifiers(); len(q) > 0 {
		schema = q[len(q)-1]
	}
	t, err := fn.TypeByName(schema, n.Name.Last(), mods)
	if err != nil {
		return t, err.At(n.Pos)
	}
	if n.Dims == 0 {
		return t, nil
	}
	if !canBeElement(t.Kind) {
		return t, errAt(repr.CodeUndefinedObject, "could not find array type for data type "+t.String(), n.Pos)
	}
	array := repr.ArrayOf(t.Kind)
	array.Mod = t.Mod
	return array, nil
}

// cast binds CAST, ::, typed literals and try_cast.
func (x *scalars) cast(n *ast.Cast) (expr.Scalar, *repr.Error) {
	to, err := Type(n.Type)
	if err != nil {
		return nil, err
	}
	if list, ok := n.Arg.(*ast.ArrayExpr); ok && to.Kind == repr.KindArray {
		return x.array(list, to)
	}
	s, err := x.bind(n.Arg)
	if err != nil {
		return nil, err
	}
	if n.Try {
		return x.tryCast(s, to, n)
	}
	return x.b.coerce(s, to, explicitly, castPos(n))
}

// castPos is where an error of a cast points: at a literal itself, at the sign of a cast otherwise.
func castPos(n *ast.Cast) int {
	if _, ok := n.Arg.(*ast.StringLit); ok && n.Arg.Position() != 0 {
		return n.Arg.Position()
	}
	return n.Pos
}

// tryCast is the cast that gives NULL where the cast would fail. An error of the operand stays an error.
func (x *scalars) tryCast(s expr.Scalar, to repr.Type, n *ast.Cast) (expr.Scalar, *repr.Error) {
	var err *repr.Error
	if isUnknown(s) {
		if s, err = x.b.coerce(s, repr.TypeOf(repr.KindText), implicitly, n.Pos); err != nil {
			return nil, err
		}
	}
	if s.Type() == to {
		return s, nil
	}
	f, ok := fn.Cast(s.Type(), to, fn.CastExplicit)
	if !ok {
		return nil, cannotCast(s.Type(), to).At(n.Pos)
	}
	if f == nil {
		return s, nil
	}
	try := *f
	try.Name = "try_" + f.Name
	try.Eval = func(env *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
		if d, err := f.Eval(env, args); err == nil {
			return d, nil
		}
		return repr.Null, nil
	}
	return x.b.foldCast(&expr.Call{Fn: &try, Args: []expr.Scalar{s}, Typ: to, Pos: n.Pos}), nil
}

// collate accepts the collations that order by bytes, which is the only order there is.
func (x *scalars) collate(n *ast.Collate) (expr.Scalar, *repr.Error) {
	switch n.Collation.Last() {
	case "default", "C", "POSIX", "ucs_basic", "C.UTF-8", "C.utf8":
		return x.bind(n.Arg)
	default:
		return nil, unsupported("collation "+quote(n.Collation.Last()), n.Pos)
	}
}
