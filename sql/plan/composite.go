package plan

import (
	"math"
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
)

// rowPair recognises the comparison of two row values.
func rowPair(left, right ast.Expr) (l, r []ast.Expr, ok bool) {
	a, ok := left.(*ast.Row)
	if !ok {
		return nil, nil, false
	}
	b, ok := right.(*ast.Row)
	if !ok {
		return nil, nil, false
	}
	return a.Items, b.Items, true
}

func unequalRows(pos int) *repr.Error {
	return errAt(repr.CodeSyntax, "unequal number of entries in row expressions", pos)
}

// compareRows compares rows item by item: the first pair that differs decides an ordering.
func (x *scalars) compareRows(op string, left, right []ast.Expr, pos int) (expr.Scalar, *repr.Error) {
	if len(left) != len(right) || len(left) == 0 {
		return nil, unequalRows(pos)
	}
	l, lpos, err := x.bindAll(left)
	if err != nil {
		return nil, err
	}
	r, rpos, err := x.bindAll(right)
	if err != nil {
		return nil, err
	}
	pair := func(op string, i int) (expr.Scalar, *repr.Error) {
		return x.operatorAt(op, []expr.Scalar{l[i], r[i]}, []int{lpos[i], rpos[i]}, pos)
	}
	switch op {
	case "=", "<>":
		return combineRows(op, len(l), pair)
	case "<", "<=", ">", ">=":
		return orderRows(op, len(l), pair)
	default:
		return nil, unsupported("operator "+op+" between rows", pos)
	}
}

type pairFunc func(op string, i int) (expr.Scalar, *repr.Error)

func combineRows(op string, n int, pair pairFunc) (expr.Scalar, *repr.Error) {
	args := make([]expr.Scalar, n)
	for i := range args {
		var err *repr.Error
		if args[i], err = pair(op, i); err != nil {
			return nil, err
		}
	}
	if op == "=" {
		return allOf(args), nil
	}
	return anyOf(args), nil
}

// orderRows is a1 < b1 OR (a1 = b1 AND (a2 < b2 OR …)), the last pair by the operator itself.
func orderRows(op string, n int, pair pairFunc) (expr.Scalar, *repr.Error) {
	out, err := pair(op, n-1)
	if err != nil {
		return nil, err
	}
	for i := n - 2; i >= 0; i-- {
		less, err := pair(op[:1], i)
		if err != nil {
			return nil, err
		}
		equal, err := pair("=", i)
		if err != nil {
			return nil, err
		}
		out = &expr.Or{Args: []expr.Scalar{less, &expr.And{Args: []expr.Scalar{equal, out}}}}
	}
	return out, nil
}

// row binds ROW(…) as a value.
func (x *scalars) row(n *ast.Row) (expr.Scalar, *repr.Error) {
	list, pos, err := x.bindItems(n.Items)
	if err != nil {
		return nil, err
	}
	for i, s := range list {
		if isUnknown(s) {
			if list[i], err = x.b.coerce(s, repr.TypeOf(repr.KindText), implicitly, pos[i]); err != nil {
				return nil, err
			}
		}
	}
	return recordOf(list, n.Pos), nil
}

// recordOf makes a record of values.
func recordOf(list []expr.Scalar, pos int) *expr.Call {
	t := repr.TypeOf(repr.KindRecord)
	f := &expr.Func{Name: "row", Ret: t, Variadic: true, NullCalled: true,
		Eval: func(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) { return repr.Record(args), nil }}
	for _, s := range list {
		f.Args = append(f.Args, s.Type())
	}
	return &expr.Call{Fn: f, Args: list, Typ: t, Pos: pos}
}

// setRecord is the row of a set-returning function of several columns as a value. Its fields keep their names.
func (x *scalars) setRecord(set *expr.TableFunc, first, pos int) expr.Scalar {
	list := make([]expr.Scalar, len(set.Cols))
	for i, c := range set.Cols {
		list[i] = &expr.Column{Index: first + i, Typ: c.Type, Name: c.Name}
	}
	call := recordOf(list, pos)
	x.b.records[call] = set.Cols
	return call
}

// field binds (x).name, where x is a column that holds a record with named fields, or a set-returning function.
func (x *scalars) field(n *ast.Field) (expr.Scalar, *repr.Error) {
	if n.Name == "" {
		return nil, unsupported("all fields of a composite value", n.Pos)
	}
	switch arg := n.Arg.(type) {
	case *ast.FuncCall:
		if !isSetFunc(arg) {
			break
		}
		set, first, err := x.setCall(arg)
		if err != nil {
			return nil, err
		}
		i, err := fieldIndex(set.Cols, n)
		if err != nil {
			return nil, err
		}
		return &expr.Column{Index: first + i, Typ: set.Cols[i].Type, Name: n.Name}, nil
	case *ast.ColumnRef:
		if x.scope == nil {
			break
		}
		m, err := x.scope.lookup(arg)
		if err != nil {
			return x.fieldOfRow(arg, n, err)
		}
		if m.fields == nil {
			if k := m.value().Type(); k.Kind != repr.KindRecord {
				return nil, errNoFields(n.Name, k, arg.Pos)
			}
			break
		}
		i, err := fieldIndex(m.fields, n)
		if err != nil {
			return nil, err
		}
		return &expr.Call{Fn: fieldFunc(i, m.fields[i]), Args: []expr.Scalar{x.noted(m.value(), arg)}, Typ: m.fields[i].Type, Pos: n.Pos}, nil
	}
	return nil, unsupported("a field of this composite value", n.Pos)
}

func errNoFields(name string, t repr.Type, pos int) *repr.Error {
	return errAt(repr.CodeWrongObjectType, "column notation ."+name+" applied to type "+t.String()+", which is not a composite type", pos)
}

func fieldIndex(fields repr.RowDesc, n *ast.Field) (int, *repr.Error) {
	i := fields.Index(n.Name)
	if i < 0 {
		return 0, errAt(repr.CodeUndefinedColumn, "column "+quote(n.Name)+" not found in data type record", n.Pos)
	}
	return i, nil
}

// fieldFunc takes field i out of a record.
func fieldFunc(i int, c repr.Column) *expr.Func {
	return &expr.Func{Name: "field_" + c.Name, Args: []repr.Type{repr.TypeOf(repr.KindRecord)}, Ret: c.Type,
		Eval: func(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) { return args[0].Elems(nil)[i], nil }}
}

// array binds ARRAY[…]. want is the type that a cast asks for; its zero value leaves it to the items.
func (x *scalars) array(n *ast.ArrayExpr, want repr.Type) (expr.Scalar, *repr.Error) {
	list, pos, err := x.bindAll(n.Items)
	if err != nil {
		return nil, err
	}
	for i, item := range n.Items {
		if _, nested := item.(*ast.ArrayExpr); nested || list[i].Type().Kind == repr.KindArray {
			return nil, unsupported("an array of more than one dimension", place(item))
		}
	}
	elem := repr.TypeOf(want.Elem)
	if want.Kind == repr.KindArray {
		for i := range list {
			if list[i], err = x.b.coerce(list[i], elem, explicitly, pos[i]); err != nil {
				return nil, err
			}
		}
	} else {
		if len(list) == 0 {
			return nil, errAt(repr.CodeIndeterminateType, "cannot determine type of empty array", n.Pos).
				WithHint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
		}
		if elem, err = x.unify(list, "ARRAY", pos); err != nil {
			return nil, err
		}
	}
	if !canBeElement(elem.Kind) {
		return nil, errAt(repr.CodeUndefinedObject, "could not find array type for data type "+elem.String(), n.Pos)
	}
	call := &expr.Call{Fn: arrayFunc(elem), Args: list, Typ: repr.ArrayOf(elem.Kind), Pos: n.Pos}
	for _, s := range list {
		if _, ok := s.(*expr.Const); !ok {
			return call, nil // what an element is made of counts still: for GROUP BY, and for whose aggregate it is
		}
	}
	return expr.Fold(call, x.b.env.Eval, expr.Immutable), nil
}

// arrayFunc makes an array of its operands.
func arrayFunc(elem repr.Type) *expr.Func {
	return &expr.Func{Name: "array", Args: []repr.Type{elem}, Ret: repr.ArrayOf(elem.Kind), Variadic: true, NullCalled: true,
		Eval: func(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) { return repr.Array(args), nil }}
}

func (x *scalars) subscript(n *ast.Subscript) (expr.Scalar, *repr.Error) {
	if n.Slice {
		return x.slice(n)
	}
	list, pos, err := x.bindAll([]ast.Expr{n.Arg, n.Index})
	if err != nil {
		return nil, err
	}
	switch list[0].Type().Kind {
	case repr.KindJSONB:
		return x.operatorAt("->", list, pos, n.Pos)
	case repr.KindArray:
		if list[1], err = x.b.coerce(list[1], repr.TypeOf(repr.KindInt4), assigning("array subscript"), pos[1]); err != nil {
			return nil, err
		}
		return x.callNamed("array_get", list, pos, n.Pos)
	default:
		return nil, errAt(repr.CodeDatatypeMismatch, "cannot subscript type "+list[0].Type().String()+
			" because it does not support subscripting", pos[0])
	}
}

// slice binds x[low:high]. A bound that is left out is that of the array.
func (x *scalars) slice(n *ast.Subscript) (expr.Scalar, *repr.Error) {
	arg, err := x.bind(n.Arg)
	if err != nil {
		return nil, err
	}
	if arg.Type().Kind != repr.KindArray {
		return nil, errAt(repr.CodeDatatypeMismatch, "cannot subscript type "+arg.Type().String()+
			" because it does not support subscripting", place(n.Arg))
	}
	list, pos := []expr.Scalar{arg}, []int{place(n.Arg)}
	int4 := repr.TypeOf(repr.KindInt4)
	for i, e := range []ast.Expr{n.Low, n.High} {
		if e == nil {
			list = append(list, &expr.Const{Val: repr.Int4([]int32{math.MinInt32, math.MaxInt32}[i]), Typ: int4})
			pos = append(pos, n.Pos)
			continue
		}
		bound, err := x.bindTo(e, int4, assigning("array subscript"))
		if err != nil {
			return nil, err
		}
		list, pos = append(list, bound), append(pos, place(e))
	}
	return x.callNamed("array_slice", list, pos, n.Pos)
}

// quantified binds op ANY (…) and op ALL (…).
func (x *scalars) quantified(op string, left ast.Expr, q *ast.Quantified, pos int) (expr.Scalar, *repr.Error) {
	if q.Query != nil {
		return x.anySubquery(op, left, q, pos)
	}
	list, argPos, err := x.bindAll([]ast.Expr{left, q.Array})
	if err != nil {
		return nil, err
	}
	elem := repr.TypeOf(list[1].Type().Elem)
	switch list[1].Type().Kind {
	case repr.KindArray:
	case repr.KindNull:
		// '{…}' is an array of what stands on the left.
		if elem = list[0].Type(); elem.Kind == repr.KindNull {
			elem = repr.TypeOf(repr.KindText)
		}
		elem.Mod = -1
	default:
		return nil, errAt(repr.CodeWrongObjectType, "op ANY/ALL (array) requires array on right side", pos)
	}
	l := list[0].Type()
	f, err := fn.ResolveOperator(op, &l, &elem)
	if err != nil {
		return nil, err.At(pos)
	}
	if f.Ret.Kind != repr.KindBool {
		return nil, errAt(repr.CodeWrongObjectType, "op ANY/ALL (array) requires operator to yield boolean", pos)
	}
	if list[0], err = x.b.coerce(list[0], f.Args[0], implicitly, argPos[0]); err != nil {
		return nil, err
	}
	if list[1], err = x.b.coerce(list[1], repr.ArrayOf(f.Args[1].Kind), implicitly, argPos[1]); err != nil {
		return nil, err
	}
	any := fn.ArrayAny(f, q.All)
	return &expr.Call{Fn: any, Args: list, Typ: any.Ret, Pos: pos}, nil
}
