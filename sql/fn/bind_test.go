package fn_test

import (
	"slices"
	"strconv"
	"testing"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
)

// value is an evaluated expression and its type.
type value struct {
	d   repr.Datum
	typ repr.Type
}

// binder evaluates the expressions of golden tests, which have no columns: the least that a planner does.
type binder struct {
	t   *testing.T
	env *expr.Env
}

var unknownType = repr.TypeOf(repr.KindNull)

func (b *binder) bind(e ast.Expr) (value, *repr.Error) {
	switch n := e.(type) {
	case *ast.NumberLit:
		return b.number(n.Text)
	case *ast.StringLit:
		return value{repr.Text(n.Value), unknownType}, nil
	case *ast.BoolLit:
		return value{repr.Bool(n.Value), repr.TypeOf(repr.KindBool)}, nil
	case *ast.NullLit:
		return value{repr.Null, unknownType}, nil
	case *ast.Unary:
		if lit, ok := n.Arg.(*ast.NumberLit); ok && n.Op == "-" {
			return b.number("-" + lit.Text)
		}
		return b.operator(n.Op, n.Arg)
	case *ast.Binary:
		if q, ok := n.Right.(*ast.Quantified); ok {
			return b.quantified(n, q)
		}
		return b.operator(n.Op, n.Left, n.Right)
	case *ast.Cast:
		return b.cast(n)
	case *ast.FuncCall:
		return b.function(n.Name.Last(), n.Args...)
	case *ast.KeywordFunc:
		return b.function(n.Name)
	case *ast.ArrayExpr:
		return b.array(n)
	case *ast.Row:
		return b.row(n)
	case *ast.Conditional:
		return b.conditional(n)
	case *ast.Like:
		return b.like(n)
	case *ast.IsDistinct:
		v, err := b.function("is_distinct_from", n.Left, n.Right)
		v.d = repr.Bool(v.d.Bool() != n.Not)
		return v, err
	case *ast.Subscript:
		if n.Slice {
			return b.function("array_slice", n.Arg, n.Low, n.High)
		}
		return b.function("array_get", n.Arg, n.Index)
	}
	b.t.Fatalf("the tests evaluate no %T", e)
	return value{}, nil
}

func (b *binder) number(text string) (value, *repr.Error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if int64(int32(n)) == n {
			return value{repr.Int4(int32(n)), repr.TypeOf(repr.KindInt4)}, nil
		}
		return value{repr.Int8(n), repr.TypeOf(repr.KindInt8)}, nil
	}
	return b.coerce(value{repr.Text(text), unknownType}, repr.TypeOf(repr.KindNumeric), fn.CastExplicit)
}

func (b *binder) all(list []ast.Expr) ([]value, []repr.Type, *repr.Error) {
	vals, types := make([]value, len(list)), make([]repr.Type, len(list))
	for i, e := range list {
		v, err := b.bind(e)
		if err != nil {
			return nil, nil, err
		}
		vals[i], types[i] = v, v.typ
	}
	return vals, types, nil
}

// coerce casts a value.
func (b *binder) coerce(v value, to repr.Type, ctx fn.CastContext) (value, *repr.Error) {
	if v.typ.Kind == repr.KindNull && to.HasMod() && to.Kind != repr.KindInterval { // a literal is read first and then fitted
		plain := to
		plain.Mod = -1
		var err *repr.Error
		if v, err = b.coerce(v, plain, ctx); err != nil {
			return v, err
		}
	}
	f, ok := fn.Cast(v.typ, to, ctx)
	if !ok {
		return v, repr.NewError(repr.CodeCannotCoerce, "cannot cast type "+v.typ.String()+" to "+to.String())
	}
	if f == nil || v.d.IsNull() {
		return value{v.d, to}, nil
	}
	d, err := f.Eval(b.env, []repr.Datum{v.d})
	return value{d, to}, err
}

func (b *binder) call(f *expr.Func, vals []value) (value, *repr.Error) {
	args := make([]repr.Datum, len(vals))
	null := false
	for i, v := range vals {
		v, err := b.coerce(v, f.Args[i], fn.CastImplicit)
		if err != nil {
			return v, err
		}
		args[i], null = v.d, null || v.d.IsNull()
	}
	if null && !f.NullCalled {
		return value{repr.Null, f.Ret}, nil
	}
	d, err := f.Eval(b.env, args)
	if err == nil && !d.IsNull() && d.Kind() != f.Ret.Kind {
		b.t.Errorf("%s gives a value of kind %s, not %s", f.Name, d.Kind(), f.Ret)
	}
	return value{d, f.Ret}, err
}

func (b *binder) operator(op string, list ...ast.Expr) (value, *repr.Error) {
	vals, types, err := b.all(list)
	if err != nil {
		return value{}, err
	}
	var left *repr.Type
	if len(types) == 2 {
		left = &types[0]
	}
	f, err := fn.ResolveOperator(op, left, &types[len(types)-1])
	if err != nil {
		return value{}, err
	}
	return b.call(f, vals)
}

func (b *binder) function(name string, list ...ast.Expr) (value, *repr.Error) {
	vals, types, err := b.all(list)
	if err != nil {
		return value{}, err
	}
	f, err := fn.Resolve(name, types)
	if err == nil {
		return b.call(f, vals)
	}
	if t, e := fn.TypeByName("", name, nil); e == nil && len(vals) == 1 {
		return b.coerce(vals[0], t, fn.CastExplicit)
	}
	return value{}, err
}

func (b *binder) quantified(n *ast.Binary, q *ast.Quantified) (value, *repr.Error) {
	vals, types, err := b.all([]ast.Expr{n.Left, q.Array})
	if err != nil {
		return value{}, err
	}
	elem := repr.TypeOf(types[1].Elem)
	if types[1].Kind == repr.KindNull {
		elem = types[0]
	}
	f, err := fn.ResolveOperator(n.Op, &types[0], &elem)
	if err != nil {
		return value{}, err
	}
	return b.call(fn.ArrayAny(f, q.All), vals)
}

// typeNamed is the type that a name in SQL means.
func (b *binder) typeNamed(n *ast.TypeName) (repr.Type, *repr.Error) {
	var mods []int32
	if fields, ok := fn.IntervalFields(n.Fields); ok {
		mods = append(mods, fields)
	}
	for _, m := range n.Mods {
		v, _ := strconv.ParseInt(m, 10, 32)
		mods = append(mods, int32(v))
	}
	schema := ""
	if q := n.Name.Qualifiers(); len(q) > 0 {
		schema = q[0]
	}
	t, err := fn.TypeByName(schema, n.Name.Last(), mods)
	if err == nil && n.Dims > 0 {
		t = repr.ArrayOf(t.Kind)
	}
	return t, err
}

func (b *binder) cast(n *ast.Cast) (value, *repr.Error) {
	t, err := b.typeNamed(n.Type)
	if err != nil {
		return value{}, err
	}
	v, err := b.bind(n.Arg)
	if err != nil {
		return v, err
	}
	return b.coerce(v, t, fn.CastExplicit)
}

// unify brings values to their common type.
func (b *binder) unify(vals []value, types []repr.Type) (repr.Type, *repr.Error) {
	t, err := fn.CommonType(types)
	if err != nil {
		return t, err
	}
	for i := range vals {
		if vals[i], err = b.coerce(vals[i], t, fn.CastImplicit); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (b *binder) array(n *ast.ArrayExpr) (value, *repr.Error) {
	vals, types, err := b.all(n.Items)
	if err != nil {
		return value{}, err
	}
	t, err := b.unify(vals, types)
	if err != nil {
		return value{}, err
	}
	return value{repr.Array(datums(vals)), repr.ArrayOf(t.Kind)}, nil
}

func datums(vals []value) []repr.Datum {
	var out []repr.Datum
	for _, v := range vals {
		out = append(out, v.d)
	}
	return out
}

func (b *binder) row(n *ast.Row) (value, *repr.Error) {
	vals, _, err := b.all(n.Items)
	return value{repr.Record(datums(vals)), repr.TypeOf(repr.KindRecord)}, err
}

func (b *binder) conditional(n *ast.Conditional) (value, *repr.Error) {
	vals, types, err := b.all(n.Args)
	if err != nil {
		return value{}, err
	}
	if n.Kind == ast.NullIf {
		eq, err := b.operator("=", n.Args...)
		if eq.d.Bool() {
			return value{repr.Null, types[0]}, err
		}
		return vals[0], err
	}
	t, err := b.unify(vals, types)
	if err != nil {
		return value{}, err
	}
	if n.Kind == ast.Coalesce {
		i := slices.IndexFunc(vals, func(v value) bool { return !v.d.IsNull() })
		return vals[max(i, 0)], nil
	}
	f, err := fn.Resolve(n.Kind.String(), slices.Repeat([]repr.Type{t}, len(vals)))
	if err != nil {
		return value{}, err
	}
	return b.call(f, vals)
}

// like rewrites LIKE and its kin as the operators behind them.
func (b *binder) like(n *ast.Like) (value, *repr.Error) {
	pattern := n.Pattern
	op := map[ast.LikeKind]string{ast.LikeMatch: "~~", ast.ILikeMatch: "~~*", ast.SimilarMatch: "~"}[n.Kind]
	switch {
	case n.Kind == ast.SimilarMatch:
		pattern = &ast.FuncCall{Name: ast.NewName("similar_to_escape"), Args: []ast.Expr{pattern}}
	case n.Escape != nil:
		pattern = &ast.FuncCall{Name: ast.NewName("like_escape"), Args: []ast.Expr{pattern, n.Escape}}
	}
	if n.Not {
		op = "!" + op
	}
	if q, ok := pattern.(*ast.Quantified); ok {
		return b.quantified(&ast.Binary{Op: op, Left: n.Arg}, q)
	}
	return b.operator(op, n.Arg, pattern)
}
