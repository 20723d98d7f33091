package plan

import (
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
	"millrace/sql/rel"
)

// subquery binds a query within an expression.
func (x *scalars) subquery(q *ast.Query) (*output, *repr.Error) {
	return x.b.query(q, x.fr.within("a subquery"))
}

// oneColumn binds a query that must have a single column.
func (x *scalars) oneColumn(q *ast.Query, pos int) (*output, *repr.Error) {
	out, err := x.subquery(q)
	if err != nil {
		return nil, err
	}
	if len(out.cols) != 1 {
		return nil, errAt(repr.CodeSyntax, "subquery must return only one column", pos)
	}
	return out, nil
}

func (x *scalars) scalarSubquery(n *ast.ScalarSubquery) (expr.Scalar, *repr.Error) {
	out, err := x.oneColumn(n.Query, n.Pos)
	if err != nil {
		return nil, err
	}
	return &expr.Subquery{Kind: expr.SubqueryScalar, Query: collapse(out), Typ: out.cols[0].Type, Pos: n.Pos}, nil
}

func (x *scalars) exists(n *ast.Exists) (expr.Scalar, *repr.Error) {
	out, err := x.subquery(n.Query)
	if err != nil {
		return nil, err
	}
	return &expr.Subquery{Kind: expr.SubqueryExists, Query: collapse(out), Typ: repr.TypeOf(repr.KindBool), Pos: n.Pos}, nil
}

// arraySubquery is ARRAY(query): array_agg over the query in its order, or the empty array.
func (x *scalars) arraySubquery(n *ast.ArraySubquery) (expr.Scalar, *repr.Error) {
	out, err := x.oneColumn(n.Query, n.Pos)
	if err != nil {
		return nil, err
	}
	elem := out.cols[0].Type
	res, err := fn.ResolveAggregate("array_agg", []repr.Type{elem}, false)
	if err != nil || !canBeElement(elem.Kind) {
		return nil, errAt(repr.CodeUndefinedObject, "could not find array type for data type "+elem.String(), n.Pos)
	}
	in := out.rel
	if out.limit != nil || out.offset != nil {
		in = &rel.TopK{Input: in, Order: out.order, Limit: out.limit, Offset: out.offset}
	}
	cols := columnsOf(in)
	agg := rel.Agg{Fn: res.Fn, Args: cols[:1], Typ: res.Ret, Name: "array_agg"}
	for _, o := range out.order {
		agg.Order = append(agg.Order, rel.Order{Expr: cols[o.Col], Desc: o.Desc, NullsFirst: o.NullsFirst})
	}
	reduce := &rel.Reduce{Input: in, Aggs: []rel.Agg{agg}, Names: []string{"array"}}
	empty := &expr.Const{Val: repr.Array(nil), Typ: res.Ret}
	sub := &expr.Subquery{Kind: expr.SubqueryScalar, Query: reduce, Typ: res.Ret, Pos: n.Pos}
	return &expr.Coalesce{Args: []expr.Scalar{sub, empty}, Typ: res.Ret}, nil
}

// anySubquery binds left op ANY (query) and ALL, and IN (query).
func (x *scalars) anySubquery(op string, left ast.Expr, q *ast.Quantified, pos int) (expr.Scalar, *repr.Error) {
	items := []ast.Expr{left}
	if row, ok := left.(*ast.Row); ok {
		items = row.Items
	}
	list, argPos, err := x.bindAll(items)
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
	sub := &expr.Subquery{Kind: expr.SubqueryAny, Typ: repr.TypeOf(repr.KindBool), Pos: pos}
	if q.All {
		sub.Kind = expr.SubqueryAll
	}
	negated := false
	if len(list) > 1 {
		// Rows differ when one item does: turned around, all items are compared by "=".
		switch op {
		case "=":
		case "<>":
			negated, op = true, "="
			sub.Kind = expr.SubqueryAny + expr.SubqueryAll - sub.Kind
		default:
			f, row, err := x.compareRow(op, list, argPos, out, pos)
			if err != nil {
				return nil, err
			}
			sub.Left, sub.Ops, sub.Query = []expr.Scalar{row}, []*expr.Func{f}, out.rel
			return sub, nil
		}
	}
	if err := x.compareSubquery(op, list, argPos, sub, out); err != nil {
		return nil, err
	}
	return negate(sub, negated, nil)
}

// compareSubquery fills in the comparison of the operands with the columns of a query.
func (x *scalars) compareSubquery(op string, list []expr.Scalar, pos []int, sub *expr.Subquery, out *output) *repr.Error {
	r := collapse(out)
	cols := columnsOf(r)
	for i, s := range list {
		lt, rt := s.Type(), cols[i].Type()
		f, err := fn.ResolveOperator(op, &lt, &rt)
		if err != nil {
			return err.At(sub.Pos)
		}
		if s, err = x.b.coerce(s, f.Args[0], implicitly, pos[i]); err != nil {
			return err
		}
		if cols[i], err = x.b.coerce(cols[i], f.Args[1], implicitly, sub.Pos); err != nil {
			return err
		}
		sub.Left = append(sub.Left, s)
		sub.Ops = append(sub.Ops, f)
	}
	sub.Query = projectTo(r, cols, namesOf(out.cols))
	return nil
}
