package plan

import (
	"math"
	"strconv"
	"strings"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
	"millrace/sql/rel"
)

// scalars binds the expressions of one clause.
type scalars struct {
	b      *binder
	scope  *scope // nil where no column may be named
	fr     frame
	clause string      // for errors: "WHERE", "GROUP BY", …
	aggs   *aggregates // where aggregates go; nil where they are not allowed
	sets   *setCalls   // where set-returning functions go; nil where they are not allowed
	wins   *windows    // where window functions go; nil where they are not allowed
	inAgg  bool        // within the arguments of an aggregate
	inWin  bool        // within the arguments of a window function
	noSets string      // the form around, where it keeps set-returning functions out
}

// scalars makes the binder of a clause. The queries within see the scope from one row further in.
func (b *binder) scalars(s *scope, fr frame, clause string) *scalars {
	if s != nil && s.clause != clause {
		row := *s
		row.clause = clause
		s = &row
	}
	return &scalars{b: b, scope: s, fr: frame{outer: s, ctes: fr.ctes, path: fr.path, sees: fr.sees, inside: fr.inside}, clause: clause}
}

// constExpr makes the binder of an expression that names no columns.
func (b *binder) constExpr(clause string) *scalars {
	return b.scalars(nil, frame{path: b.env.Path}, clause)
}

// condition binds an expression that must be boolean.
func (x *scalars) condition(e ast.Expr) (expr.Scalar, *repr.Error) {
	how := coercion{fn.CastImplicit, func(from, _ repr.Type) *repr.Error {
		return errAt(repr.CodeDatatypeMismatch, "argument of "+x.clause+" must be type boolean, not type "+from.String(), 0)
	}}
	return x.bindTo(e, repr.TypeOf(repr.KindBool), how)
}

// boolean binds an operand of AND, OR, NOT and the like.
func (x *scalars) boolean(e ast.Expr, what string) (expr.Scalar, *repr.Error) {
	how := coercion{fn.CastImplicit, func(from, _ repr.Type) *repr.Error {
		return errAt(repr.CodeDatatypeMismatch, "argument of "+what+" must be type boolean, not type "+from.String(), 0)
	}}
	return x.bindTo(e, repr.TypeOf(repr.KindBool), how)
}

// bindTo binds an expression and gives it a type.
func (x *scalars) bindTo(e ast.Expr, to repr.Type, how coercion) (expr.Scalar, *repr.Error) {
	s, err := x.bind(e)
	if err != nil {
		return nil, err
	}
	return x.b.coerce(s, to, how, place(e))
}

// bindAll binds several expressions.
func (x *scalars) bindAll(list []ast.Expr) ([]expr.Scalar, []int, *repr.Error) {
	out := make([]expr.Scalar, len(list))
	pos := make([]int, len(list))
	for i, e := range list {
		s, err := x.bind(e)
		if err != nil {
			return nil, nil, err
		}
		out[i], pos[i] = s, place(e)
	}
	return out, pos, nil
}

// bind binds an expression. The type of a bare string, NULL or parameter may stay open (KindNull).
func (x *scalars) bind(e ast.Expr) (expr.Scalar, *repr.Error) {
	switch n := e.(type) {
	case *ast.ColumnRef:
		return x.column(n)
	case *ast.NumberLit:
		return number(n.Text, n.Pos)
	case *ast.StringLit:
		return &expr.Const{Val: repr.Text(n.Value), Typ: repr.TypeOf(repr.KindNull)}, nil
	case *ast.BoolLit:
		return &expr.Const{Val: repr.Bool(n.Value), Typ: repr.TypeOf(repr.KindBool)}, nil
	case *ast.NullLit:
		return &expr.Const{Typ: repr.TypeOf(repr.KindNull)}, nil
	case *ast.Param:
		return x.param(n)
	case *ast.Unary:
		return x.unary(n)
	case *ast.Binary:
		return x.binary(n)
	case *ast.Logic, *ast.Not, *ast.Is, *ast.IsDistinct, *ast.Between, *ast.In, *ast.Like:
		return x.predicate(e)
	case *ast.Case:
		return x.caseOf(n)
	case *ast.Conditional:
		return x.conditional(n)
	case *ast.Cast:
		return x.cast(n)
	case *ast.Collate:
		return x.collate(n)
	case *ast.FuncCall:
		return x.funcCall(n)
	case *ast.KeywordFunc:
		return x.keywordFunc(n)
	}
	return x.bindRest(e)
}

// bindRest binds arrays, rows and subqueries, and refuses what may not stand here.
func (x *scalars) bindRest(e ast.Expr) (expr.Scalar, *repr.Error) {
	switch n := e.(type) {
	case *ast.ArrayExpr:
		return x.array(n, repr.Type{})
	case *ast.Subscript:
		return x.subscript(n)
	case *ast.Row:
		return x.row(n)
	case *ast.Field:
		return x.field(n)
	case *ast.ScalarSubquery:
		return x.scalarSubquery(n)
	case *ast.Exists:
		return x.exists(n)
	case *ast.ArraySubquery:
		return x.arraySubquery(n)
	case *ast.Star:
		if len(n.Qualifier) > 0 {
			return x.rowNamed(n.Qualifier, n.Pos)
		}
		return nil, errAt(repr.CodeSyntax, "syntax error at or near \"*\"", n.Pos)
	case *ast.Default:
		return nil, errAt(repr.CodeSyntax, "DEFAULT is not allowed in this context", n.Pos)
	case *ast.BitStringLit:
		return nil, unsupported("a bit string", n.Pos)
	case *ast.GroupingSets:
		return nil, unsupported("GROUPING SETS", n.Pos)
	case *ast.NamedArg:
		return nil, unsupported("a named argument", n.Pos)
	default:
		return nil, unsupported("this expression", place(e))
	}
}

func (x *scalars) column(ref *ast.ColumnRef) (expr.Scalar, *repr.Error) {
	if x.scope == nil {
		if x.clause != "" && x.clause != "VALUES" {
			return nil, errAt(repr.CodeInvalidColumnReference, "argument of "+x.clause+" must not contain variables", ref.Pos)
		}
		return nil, errAt(repr.CodeUndefinedColumn, "column "+quote(ref.Column())+" does not exist", ref.Pos)
	}
	m, err := x.scope.lookup(ref)
	if err == nil {
		return x.noted(m.value(), ref), nil
	}
	if s, ok, rowErr := x.wholeRow(ref); ok {
		return s, rowErr
	}
	return nil, err
}

// noted remembers where a column was named.
func (x *scalars) noted(s expr.Scalar, ref *ast.ColumnRef) expr.Scalar {
	switch c := s.(type) {
	case *expr.Column:
		d := *c
		s = &d
	case *expr.Outer:
		d := *c
		s = &d
	}
	x.b.refs[s] = ref
	return s
}

// wholeRow binds the name of an item of FROM as a value: of a function that gives plain values it is the value.
func (x *scalars) wholeRow(ref *ast.ColumnRef) (expr.Scalar, bool, *repr.Error) {
	t, level, err := x.scope.lookupTable(ref.Parts, ref.Pos)
	if err != nil {
		return nil, false, nil
	}
	if !t.scalar {
		return x.rowOf(t, level, ref), true, nil
	}
	return x.noted(match{t.cols[0], level}.value(), ref), true, nil
}

// number types a numeric literal: integer where it fits, then bigint, then numeric.
func number(text string, pos int) (expr.Scalar, *repr.Error) {
	if !strings.ContainsAny(text, ".eE") {
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			if v >= math.MinInt32 && v <= math.MaxInt32 {
				return &expr.Const{Val: repr.Int4(int32(v)), Typ: repr.TypeOf(repr.KindInt4)}, nil
			}
			return &expr.Const{Val: repr.Int8(v), Typ: repr.TypeOf(repr.KindInt8)}, nil
		}
	}
	t := repr.TypeOf(repr.KindNumeric)
	d, err := pgfmt.ParseText(t, text, nil)
	if err != nil {
		return nil, err.At(pos)
	}
	return &expr.Const{Val: d, Typ: t}, nil
}

// maxParams is what the protocol can number.
const maxParams = 65535

func (x *scalars) param(n *ast.Param) (expr.Scalar, *repr.Error) {
	if n.Number < 1 || n.Number > maxParams {
		return nil, errAt(repr.CodeUndefinedParameter, "there is no parameter $"+itoa(n.Number), n.Pos)
	}
	for len(x.b.params) < n.Number {
		x.b.params = append(x.b.params, repr.TypeOf(repr.KindNull))
	}
	return &expr.Param{N: n.Number, Typ: x.b.params[n.Number-1]}, nil
}

func (x *scalars) unary(n *ast.Unary) (expr.Scalar, *repr.Error) {
	if lit, ok := n.Arg.(*ast.NumberLit); ok && n.Op == "-" {
		return number("-"+lit.Text, n.Pos)
	}
	s, err := x.bind(n.Arg)
	if err != nil {
		return nil, err
	}
	t := s.Type()
	f, err := fn.ResolveOperator(n.Op, nil, &t)
	if err != nil {
		return nil, err.At(n.Pos)
	}
	return x.call(f, []expr.Scalar{s}, []int{place(n.Arg)}, n.Pos)
}

func (x *scalars) binary(n *ast.Binary) (expr.Scalar, *repr.Error) {
	if q, ok := n.Right.(*ast.Quantified); ok {
		return x.quantified(n.Op, n.Left, q, n.Pos)
	}
	if row, ok := n.Left.(*ast.Row); ok {
		if q, ok := n.Right.(*ast.ScalarSubquery); ok {
			return x.rowSubquery(n.Op, row, q, n.Pos)
		}
	}
	if left, right, ok := rowPair(n.Left, n.Right); ok {
		return x.compareRows(n.Op, left, right, n.Pos)
	}
	list, _, err := x.bindAll([]ast.Expr{n.Left, n.Right})
	if err != nil {
		return nil, err
	}
	return x.operatorAt(n.Op, list, []int{place(n.Left), place(n.Right)}, n.Pos)
}

// operator applies an infix operator to bound operands.
func (x *scalars) operator(op string, left, right expr.Scalar, pos int) (expr.Scalar, *repr.Error) {
	return x.operatorAt(op, []expr.Scalar{left, right}, []int{pos, pos}, pos)
}

func (x *scalars) operatorAt(op string, list []expr.Scalar, argPos []int, pos int) (expr.Scalar, *repr.Error) {
	list = logicalOperands(list)
	l, r := list[0].Type(), list[1].Type()
	f, err := fn.ResolveOperator(op, &l, &r)
	if err != nil {
		return nil, err.At(pos)
	}
	return x.call(f, list, argPos, pos)
}

// call casts operands to what a function takes.
func (x *scalars) call(f *expr.Func, args []expr.Scalar, argPos []int, pos int) (expr.Scalar, *repr.Error) {
	out := make([]expr.Scalar, len(args))
	for i, s := range args {
		var err *repr.Error
		if out[i], err = x.b.coerce(s, f.Args[min(i, len(f.Args)-1)], implicitly, argPos[i]); err != nil {
			return nil, err
		}
	}
	return &expr.Call{Fn: f, Args: out, Typ: f.Ret, Pos: pos}, nil
}

func (x *scalars) caseOf(n *ast.Case) (expr.Scalar, *repr.Error) {
	x = x.without("CASE")
	var arg expr.Scalar
	if n.Arg != nil {
		var err *repr.Error
		if arg, err = x.bind(n.Arg); err != nil {
			return nil, err
		}
		if isUnknown(arg) {
			if arg, err = x.b.coerce(arg, repr.TypeOf(repr.KindText), implicitly, place(n.Arg)); err != nil {
				return nil, err
			}
		}
	}
	out := &expr.Case{}
	// As in PostgreSQL, the type of ELSE counts first.
	otherwise := n.Else
	if otherwise == nil {
		otherwise = &ast.NullLit{At: n.At}
	}
	results := []ast.Expr{otherwise}
	for _, w := range n.Whens {
		cond, err := x.when(w, arg)
		if err != nil {
			return nil, err
		}
		out.Whens = append(out.Whens, expr.When{Cond: cond})
		results = append(results, w.Then)
	}
	list, pos, err := x.bindAll(results)
	if err != nil {
		return nil, err
	}
	if out.Typ, err = x.unify(list, "CASE", pos); err != nil {
		return nil, err
	}
	for i := range out.Whens {
		out.Whens[i].Then = list[i+1]
	}
	if n.Else != nil {
		out.Else = list[0]
	}
	return out, nil
}

func (x *scalars) when(w ast.When, arg expr.Scalar) (expr.Scalar, *repr.Error) {
	if arg == nil {
		return x.boolean(w.Cond, "CASE/WHEN")
	}
	val, err := x.bind(w.Cond)
	if err != nil {
		return nil, err
	}
	return x.operatorAt("=", []expr.Scalar{arg, val}, []int{w.Pos, place(w.Cond)}, place(w.Cond))
}

func (x *scalars) conditional(n *ast.Conditional) (expr.Scalar, *repr.Error) {
	if n.Kind == ast.Coalesce {
		x = x.without("COALESCE")
	}
	list, pos, err := x.bindAll(n.Args)
	if err != nil {
		return nil, err
	}
	if n.Kind == ast.NullIf {
		return x.nullIf(list, pos, n.Pos)
	}
	t, err := x.unify(list, strings.ToUpper(n.Kind.String()), pos)
	if err != nil {
		return nil, err
	}
	if n.Kind == ast.Coalesce {
		return &expr.Coalesce{Args: list, Typ: t}, nil
	}
	return &expr.Call{Fn: extremeFunc(n.Kind == ast.Greatest, t), Args: list, Typ: t, Pos: n.Pos}, nil
}

// nullIf is the first operand unless the two are equal. It has the type that the comparison gave the first.
func (x *scalars) nullIf(list []expr.Scalar, pos []int, at int) (expr.Scalar, *repr.Error) {
	cond, err := x.operatorAt("=", list, pos, at)
	if err != nil {
		return nil, err
	}
	first := cond.(*expr.Call).Args[0]
	if !isUnknown(list[0]) {
		first = list[0]
	}
	null := &expr.Const{Typ: first.Type()}
	return &expr.Case{Whens: []expr.When{{Cond: cond, Then: null}}, Else: first, Typ: first.Type()}, nil
}

// extremeFunc is GREATEST or LEAST over values of a type; NULLs do not count.
func extremeFunc(greatest bool, t repr.Type) *expr.Func {
	name, sign := "least", -1
	if greatest {
		name, sign = "greatest", 1
	}
	eval := func(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
		best := repr.Null
		for _, a := range args {
			if !a.IsNull() && (best.IsNull() || repr.Compare(a, best)*sign > 0) {
				best = a
			}
		}
		return best, nil
	}
	return &expr.Func{Name: name, Args: []repr.Type{t}, Ret: t, Variadic: true, NullCalled: true, Eval: eval}
}

// aggregates are the aggregates of one SELECT. In its expressions they stand as columns from aggBase on, until the
// plan has a place for them.
type aggregates struct {
	list      []rel.Agg
	direct    []directArg    // direct arguments of ordered-set aggregates: over the keys alone
	groupings []groupingCall // calls of GROUPING; they stand as columns from groupingBase on
	recursive bool           // FROM names the query that is being defined: there must be none
}

// Where columns begin that stand for aggregates, for GROUPING, for window functions and for set-returning functions. No row is as wide as that.
const (
	aggBase      = 1 << 24
	groupingBase = 1 << 26
	winBase      = 1 << 27
	setBase      = 1 << 28
)
