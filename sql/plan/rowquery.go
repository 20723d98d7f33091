package plan

import (
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
)

// rowCompare names the functions that compare rows as values. They are not the operators of single values, which other
// rules know by their names: a row is compared item by item, and NULL in an item may leave the answer open.
var rowCompare = map[string]string{"=": "row_eq", "<>": "row_ne", "<": "row_lt", "<=": "row_le", ">": "row_gt", ">=": "row_ge"}

// rowItem compares one item of two rows: by less, which for the last item is the operator itself, and by equal.
type rowItem struct{ less, equal *expr.Func }

// rowSubquery binds a row compared with the one row of a query. Without a row the answer is NULL.
func (x *scalars) rowSubquery(op string, left *ast.Row, q *ast.ScalarSubquery, pos int) (expr.Scalar, *repr.Error) {
	list, argPos, err := x.bindItems(left.Items)
	if err != nil {
		return nil, err
	}
	out, err := x.subquery(q.Query)
	if err != nil {
		return nil, err
	}
	if err := sameWidth(len(list), len(out.cols), pos); err != nil {
		return nil, err
	}
	f, row, err := x.compareRow(op, list, argPos, out, pos)
	if err != nil {
		return nil, err
	}
	record := repr.TypeOf(repr.KindRecord)
	value := &expr.Subquery{Kind: expr.SubqueryScalar, Query: out.rel, Typ: record, Pos: q.Pos}
	return &expr.Call{Fn: f, Args: []expr.Scalar{row, value}, Typ: f.Ret, Pos: pos}, nil
}

// compareRow makes one function of the comparison of operands with the columns of a query, which becomes a query for rows
// as values. It gives the function and the operands as a row.
func (x *scalars) compareRow(op string, list []expr.Scalar, pos []int, out *output, at int) (*expr.Func, expr.Scalar, *repr.Error) {
	name, ok := rowCompare[op]
	if !ok {
		return nil, nil, unsupported("operator "+op+" between a row and a subquery", at)
	}
	r := collapse(out)
	cols := columnsOf(r)
	items := make([]rowItem, len(list))
	for i, s := range list {
		by := op
		if op != "=" && op != "<>" && i < len(list)-1 {
			by = op[:1]
		}
		lt, rt := s.Type(), cols[i].Type()
		less, err := fn.ResolveOperator(by, &lt, &rt)
		if err != nil {
			return nil, nil, err.At(at)
		}
		equal, err := fn.ResolveOperator("=", &less.Args[0], &less.Args[1])
		if err != nil {
			return nil, nil, err.At(at)
		}
		if list[i], err = x.b.coerce(s, less.Args[0], implicitly, pos[i]); err != nil {
			return nil, nil, err
		}
		if cols[i], err = x.b.coerce(cols[i], less.Args[1], implicitly, at); err != nil {
			return nil, nil, err
		}
		items[i] = rowItem{less, equal}
	}
	out.rel = projectTo(r, []expr.Scalar{recordOf(cols[:len(list)], at)}, []string{"row"})
	record := repr.TypeOf(repr.KindRecord)
	f := &expr.Func{Name: name, Args: []repr.Type{record, record}, Ret: repr.TypeOf(repr.KindBool)}
	ordered := op != "=" && op != "<>"
	f.Eval = func(env *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
		a, b := args[0].Elems(nil), args[1].Elems(nil)
		if ordered {
			return rowLess(env, items, a, b)
		}
		same, err := rowSame(env, items, a, b)
		if err != nil || op == "=" || same.IsNull() {
			return same, err
		}
		return repr.Bool(!same.Bool()), nil
	}
	return f, recordOf(list, at), nil
}

// rowLess lets the first items that differ decide, and the last; NULL before that leaves the answer open.
func rowLess(env *expr.Env, items []rowItem, a, b []repr.Datum) (repr.Datum, *repr.Error) {
	for i, it := range items {
		if a[i].IsNull() || b[i].IsNull() {
			return repr.Null, nil
		}
		pair := []repr.Datum{a[i], b[i]}
		if i < len(items)-1 {
			same, err := it.equal.Eval(env, pair)
			if err != nil {
				return repr.Null, err
			}
			if same.Bool() {
				continue
			}
		}
		return it.less.Eval(env, pair)
	}
	return repr.Null, nil
}

// rowSame is whether all items are equal: one that is not decides, else NULL in an item leaves it open.
func rowSame(env *expr.Env, items []rowItem, a, b []repr.Datum) (repr.Datum, *repr.Error) {
	out := repr.Bool(true)
	for i, it := range items {
		if a[i].IsNull() || b[i].IsNull() {
			out = repr.Null
			continue
		}
		same, err := it.equal.Eval(env, []repr.Datum{a[i], b[i]})
		if err != nil {
			return repr.Null, err
		}
		if !same.Bool() {
			return same, nil
		}
	}
	return out, nil
}

// sameWidth holds a query to the width of the row that it is compared with.
func sameWidth(row, query, pos int) *repr.Error {
	switch {
	case query > row:
		return errAt(repr.CodeSyntax, "subquery has too many columns", pos)
	case query < row:
		return errAt(repr.CodeSyntax, "subquery has too few columns", pos)
	default:
		return nil
	}
}
