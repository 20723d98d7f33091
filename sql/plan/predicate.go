package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
	"millrace/sql/rel"
)

// predicate binds the forms whose value is a truth value.
func (x *scalars) predicate(e ast.Expr) (expr.Scalar, *repr.Error) {
	switch n := e.(type) {
	case *ast.Logic:
		return x.logic(n)
	case *ast.Not:
		s, err := x.boolean(n.Arg, "NOT")
		if err != nil {
			return nil, err
		}
		return &expr.Not{Arg: s}, nil
	case *ast.Is:
		return x.is(n)
	case *ast.IsDistinct:
		return x.isDistinct(n)
	case *ast.Between:
		return x.between(n)
	case *ast.In:
		return x.in(n)
	case *ast.Like:
		return x.like(n)
	default:
		return nil, unsupported("this condition", place(e))
	}
}

// negate turns a condition around if it is written with NOT.
func negate(s expr.Scalar, not bool, err *repr.Error) (expr.Scalar, *repr.Error) {
	if err != nil || !not {
		return s, err
	}
	return &expr.Not{Arg: s}, nil
}

func (x *scalars) logic(n *ast.Logic) (expr.Scalar, *repr.Error) {
	what := "AND"
	if n.Or {
		what = "OR"
	}
	args := make([]expr.Scalar, len(n.Args))
	for i, a := range n.Args {
		var err *repr.Error
		if args[i], err = x.boolean(a, what); err != nil {
			return nil, err
		}
	}
	if n.Or {
		return &expr.Or{Args: args}, nil
	}
	return &expr.And{Args: args}, nil
}

// truth is the IS form that never gives NULL: whether s is the truth value want.
func truth(s expr.Scalar, want bool) expr.Scalar {
	if !want {
		s = &expr.Not{Arg: s}
	}
	t := repr.TypeOf(repr.KindBool)
	return &expr.Coalesce{Args: []expr.Scalar{s, &expr.Const{Val: repr.Bool(false), Typ: t}}, Typ: t}
}

func (x *scalars) is(n *ast.Is) (expr.Scalar, *repr.Error) {
	if row, ok := n.Arg.(*ast.Row); ok && n.Kind == ast.IsNull {
		return x.isNullRow(row, n.Not)
	}
	if n.Kind == ast.IsNull {
		s, err := x.bind(n.Arg)
		if err != nil {
			return nil, err
		}
		if items := x.b.rows[s]; items != nil {
			return nullItems(items, n.Not), nil
		}
		return negate(&expr.IsNull{Arg: s}, n.Not, nil)
	}
	words := map[ast.IsKind]string{ast.IsTrue: "IS TRUE", ast.IsFalse: "IS FALSE", ast.IsUnknown: "IS UNKNOWN"}
	s, err := x.boolean(n.Arg, words[n.Kind])
	if err != nil {
		return nil, err
	}
	switch n.Kind {
	case ast.IsTrue:
		s = truth(s, true)
	case ast.IsFalse:
		s = truth(s, false)
	default:
		s = &expr.IsNull{Arg: s}
	}
	return negate(s, n.Not, nil)
}

// isNullRow asks whether all items are NULL, or, with not, whether none is.
func (x *scalars) isNullRow(row *ast.Row, not bool) (expr.Scalar, *repr.Error) {
	list, _, err := x.bindItems(row.Items)
	if err != nil {
		return nil, err
	}
	return nullItems(list, not), nil
}

func nullItems(list []expr.Scalar, not bool) expr.Scalar {
	args := make([]expr.Scalar, len(list))
	for i, s := range list {
		args[i], _ = negate(&expr.IsNull{Arg: s}, not, nil)
	}
	return allOf(args)
}

// allOf is the condition that all of a list are true.
func allOf(args []expr.Scalar) expr.Scalar {
	switch len(args) {
	case 0:
		return &expr.Const{Val: repr.Bool(true), Typ: repr.TypeOf(repr.KindBool)}
	case 1:
		return args[0]
	default:
		return &expr.And{Args: args}
	}
}

// anyOf is the condition that one of a list is true.
func anyOf(args []expr.Scalar) expr.Scalar {
	if len(args) == 1 {
		return args[0]
	}
	return &expr.Or{Args: args}
}

func (x *scalars) isDistinct(n *ast.IsDistinct) (expr.Scalar, *repr.Error) {
	left, right, ok := rowPair(n.Left, n.Right)
	if !ok {
		left, right = []ast.Expr{n.Left}, []ast.Expr{n.Right}
	}
	if len(left) != len(right) {
		return nil, unequalRows(n.Pos)
	}
	var args []expr.Scalar
	for i := range left {
		list, pos, err := x.bindAll([]ast.Expr{left[i], right[i]})
		if err != nil {
			return nil, err
		}
		s, err := x.same(list, pos, n.Pos)
		if err != nil {
			return nil, err
		}
		args = append(args, s)
	}
	return negate(allOf(args), !n.Not, nil)
}

// same is a IS NOT DISTINCT FROM b. There must be an "=" for the operands, which get one type.
func (x *scalars) same(list []expr.Scalar, pos []int, at int) (expr.Scalar, *repr.Error) {
	eq, err := x.operatorAt("=", list, pos, at)
	if err != nil {
		return nil, err
	}
	args := slices.Clone(eq.(*expr.Call).Args)
	if _, err := x.unify(args, "IS DISTINCT FROM", pos); err != nil {
		return nil, err
	}
	return rel.Same(args[0], args[1]), nil
}

func (x *scalars) between(n *ast.Between) (expr.Scalar, *repr.Error) {
	list, pos, err := x.bindAll([]ast.Expr{n.Arg, n.Low, n.High})
	if err != nil {
		return nil, err
	}
	within := func(low, high int) (expr.Scalar, *repr.Error) {
		ge, err := x.operatorAt(">=", []expr.Scalar{list[0], list[low]}, []int{pos[0], pos[low]}, n.Pos)
		if err != nil {
			return nil, err
		}
		le, err := x.operatorAt("<=", []expr.Scalar{list[0], list[high]}, []int{pos[0], pos[high]}, n.Pos)
		if err != nil {
			return nil, err
		}
		return &expr.And{Args: []expr.Scalar{ge, le}}, nil
	}
	s, err := within(1, 2)
	if err != nil {
		return nil, err
	}
	if n.Symmetric {
		other, err := within(2, 1)
		if err != nil {
			return nil, err
		}
		s = &expr.Or{Args: []expr.Scalar{s, other}}
	}
	return negate(s, n.Not, nil)
}

func (x *scalars) in(n *ast.In) (expr.Scalar, *repr.Error) {
	if n.Query != nil {
		s, err := x.anySubquery("=", n.Arg, &ast.Quantified{At: n.At, Query: n.Query}, n.Pos)
		return negate(s, n.Not, err)
	}
	if row, ok := n.Arg.(*ast.Row); ok {
		return x.inRows(n, row)
	}
	list, pos, err := x.bindAll(append([]ast.Expr{n.Arg}, n.List...))
	if err != nil {
		return nil, err
	}
	s, err := x.inArray(list, pos, n.Pos)
	if s != nil || err != nil {
		return negate(s, n.Not, err)
	}
	var args []expr.Scalar
	for i := range n.List {
		eq, err := x.operatorAt("=", []expr.Scalar{list[0], list[i+1]}, []int{pos[0], pos[i+1]}, n.Pos)
		if err != nil {
			return nil, err
		}
		args = append(args, eq)
	}
	return negate(anyOf(args), n.Not, nil)
}

// inArray makes of a list of constants of a common type one comparison with an array. It is nil for other lists.
func (x *scalars) inArray(list []expr.Scalar, pos []int, at int) (expr.Scalar, *repr.Error) {
	types := make([]repr.Type, len(list))
	for i, s := range list {
		if _, isConst := s.(*expr.Const); i > 0 && !isConst {
			return nil, nil
		}
		types[i] = s.Type()
	}
	common, bad := commonOf(types)
	if bad >= 0 || len(list) == 2 || !canBeElement(common.Kind) {
		return nil, nil
	}
	eq, err := fn.ResolveOperator("=", &common, &common)
	if err != nil {
		return nil, err.At(at)
	}
	var elems []repr.Datum
	for i, s := range list[1:] {
		c, err := x.b.coerce(s, eq.Args[1], implicitly, pos[i+1])
		if err != nil {
			return nil, err
		}
		val, ok := c.(*expr.Const)
		if !ok {
			return nil, nil
		}
		elems = append(elems, val.Val)
	}
	arg, err := x.b.coerce(list[0], eq.Args[0], implicitly, pos[0])
	if err != nil {
		return nil, err
	}
	array := &expr.Const{Val: repr.Array(elems), Typ: repr.ArrayOf(eq.Args[1].Kind)}
	f := fn.ArrayAny(eq, false)
	return &expr.Call{Fn: f, Args: []expr.Scalar{arg, array}, Typ: f.Ret, Pos: at}, nil
}

// canBeElement says whether there are arrays of a kind.
func canBeElement(k repr.Kind) bool { return repr.Kinds[k].ArrayOID != 0 && k != repr.KindRecord }

func (x *scalars) inRows(n *ast.In, row *ast.Row) (expr.Scalar, *repr.Error) {
	var args []expr.Scalar
	for _, item := range n.List {
		r, ok := item.(*ast.Row)
		if !ok {
			return nil, unequalRows(place(item))
		}
		eq, err := x.compareRows("=", row.Items, r.Items, n.Pos)
		if err != nil {
			return nil, err
		}
		args = append(args, eq)
	}
	return negate(anyOf(args), n.Not, nil)
}

// likeOps are the operators of LIKE and ILIKE.
var likeOps = map[ast.LikeKind][2]string{ast.LikeMatch: {"~~", "!~~"}, ast.ILikeMatch: {"~~*", "!~~*"}, ast.SimilarMatch: {"~", "!~"}}

func (x *scalars) like(n *ast.Like) (expr.Scalar, *repr.Error) {
	op := likeOps[n.Kind][0]
	if n.Not {
		op = likeOps[n.Kind][1]
	}
	if q, ok := n.Pattern.(*ast.Quantified); ok {
		if n.Escape != nil || n.Kind == ast.SimilarMatch {
			return nil, unsupported("ANY or ALL with ESCAPE or SIMILAR TO", n.Pos)
		}
		return x.quantified(op, n.Arg, q, n.Pos)
	}
	list, pos, err := x.bindAll([]ast.Expr{n.Arg, n.Pattern})
	if err != nil {
		return nil, err
	}
	escaper := "like_escape"
	if n.Kind == ast.SimilarMatch {
		escaper = "similar_to_escape"
	}
	if n.Escape != nil || n.Kind == ast.SimilarMatch {
		if list[1], err = x.escaped(escaper, list[1], n); err != nil {
			return nil, err
		}
	}
	return x.operatorAt(op, list, pos, n.Pos)
}

// escaped rewrites a pattern for the operator, with the escape character where one is given.
func (x *scalars) escaped(name string, pattern expr.Scalar, n *ast.Like) (expr.Scalar, *repr.Error) {
	args, pos := []expr.Scalar{pattern}, []int{place(n.Pattern)}
	if n.Escape != nil {
		s, err := x.bind(n.Escape)
		if err != nil {
			return nil, err
		}
		args, pos = append(args, s), append(pos, place(n.Escape))
	}
	return x.callNamed(name, args, pos, n.Pos)
}

// callNamed calls a function that the planner itself needs.
func (x *scalars) callNamed(name string, args []expr.Scalar, argPos []int, pos int) (expr.Scalar, *repr.Error) {
	f, err := fn.Resolve(name, typesOf(args))
	if err != nil {
		return nil, err.At(pos)
	}
	return x.call(f, args, argPos, pos)
}
