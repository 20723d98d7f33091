package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// setOp binds UNION, INTERSECT and EXCEPT.
func (b *binder) setOp(n *ast.SetOp, fr frame) (body, *repr.Error) {
	leftFrame, rightFrame := fr, fr
	if n.Kind != ast.Union && n.All {
		leftFrame = fr.within(n.Kind.String())
	}
	if n.Kind == ast.Except || n.Kind == ast.Intersect && n.All {
		rightFrame = fr.within(n.Kind.String())
	}
	left, err := b.body(n.Left, leaf(leftFrame, n.Left), nil)
	if err != nil {
		return nil, err
	}
	right, err := b.body(n.Right, leaf(rightFrame, n.Right), nil)
	if err != nil {
		return nil, err
	}
	return b.setOpOf(n, left, right)
}

// leaf is the frame of an operand of a set operation: a query of its own, unless it is a set operation itself. One in
// parentheses is counted when it is bound.
func leaf(fr frame, q ast.QueryBody) frame {
	switch q.(type) {
	case *ast.SetOp, *ast.Query:
	default:
		fr.level++
	}
	return fr
}

// setOpOf gives two bodies one type for each column and puts them together.
func (b *binder) setOpOf(n *ast.SetOp, left, right body) (*done, *repr.Error) {
	l, r := left.columns(), right.columns()
	if len(l) != len(r) {
		return nil, errAt(repr.CodeSyntax, "each "+n.Kind.String()+" query must have the same number of columns", right.position(0))
	}
	for i := range l {
		t, bad := commonOf([]repr.Type{l[i].Type, r[i].Type})
		if bad >= 0 {
			return nil, errAt(repr.CodeDatatypeMismatch, n.Kind.String()+" types "+l[i].Type.String()+" and "+
				r[i].Type.String()+" cannot be matched", right.position(i))
		}
		if t.Kind == repr.KindNull {
			t = repr.TypeOf(repr.KindText)
		}
		if !(n.Kind == ast.Union && n.All) {
			if err := comparable(t, "equality", left.position(i)); err != nil {
				return nil, err
			}
		}
		if err := left.coerce(i, t, implicitly); err != nil {
			return nil, err
		}
		if err := right.coerce(i, t, implicitly); err != nil {
			return nil, err
		}
	}
	return b.combine(n, left, right)
}

// combine makes the plan of a set operation over two bodies of equal types.
func (b *binder) combine(n *ast.SetOp, left, right body) (*done, *repr.Error) {
	lout, err := left.build()
	if err != nil {
		return nil, err
	}
	rout, err := right.build()
	if err != nil {
		return nil, err
	}
	l, r := collapse(lout), collapse(rout)
	cols := slices.Clone(lout.cols)
	for i := range cols {
		cols[i].NotNull = cols[i].NotNull && rout.cols[i].NotNull
	}
	var out rel.Rel
	switch {
	case n.Kind == ast.Union && n.All:
		out = &rel.Union{Inputs: []rel.Rel{l, r}}
	case n.Kind == ast.Union:
		out = &rel.Distinct{Input: &rel.Union{Inputs: []rel.Rel{l, r}}}
	case n.All:
		out = b.minus(n.Kind, l, r, cols)
	default:
		out = matching(n.Kind, &rel.Distinct{Input: l}, r)
	}
	return &done{b: b, out: &output{rel: out, cols: cols}, pos: left.position(0)}, nil
}

// minus is EXCEPT ALL by counts, max(l-r, 0), and INTERSECT ALL, which is what that takes away from l. Where equal rows
// may print differently the counts are of canonical rows, and stand for the least printed form of the row in l.
func (b *binder) minus(kind ast.SetOpKind, l, r rel.Rel, cols repr.RowDesc) rel.Rel {
	one := printsOneWay(cols)
	except := func(l rel.Rel) rel.Rel {
		return &rel.Threshold{Input: &rel.Union{Inputs: []rel.Rel{l, &rel.Negate{Input: r}}}}
	}
	if kind == ast.Except && one {
		return except(l)
	}
	b.nextLet++
	ref := &rel.Ref{ID: b.nextLet, Cols: cols}
	let := func(body rel.Rel) rel.Rel { return &rel.Let{ID: ref.ID, Value: l, Body: body} }
	switch {
	case kind == ast.Except:
		return let(printed(ref, except(ref)))
	case one:
		return let(&rel.Union{Inputs: []rel.Rel{ref, &rel.Negate{Input: except(ref)}}})
	default:
		whole := &rel.Threshold{Input: ref}
		return let(printed(ref, &rel.Union{Inputs: []rel.Rel{whole, &rel.Negate{Input: except(ref)}}}))
	}
}

// printsOneWay says whether equal rows of these columns are identical.
func printsOneWay(cols repr.RowDesc) bool {
	return !slices.ContainsFunc(cols, func(c repr.Column) bool { return !c.Type.Kind.KeyIsValue() })
}

// printed puts for each row of counts the equal row of rows that prints least.
func printed(rows, counts rel.Rel) rel.Rel {
	n := len(rows.Columns())
	out := &rel.Project{Input: &rel.Join{Left: &rel.Distinct{Input: rows}, Right: counts, On: equalRows(rows, counts)}}
	for i := range n {
		out.Cols = append(out.Cols, i)
	}
	return out
}

// matching keeps the rows of l that have (INTERSECT) or have not (EXCEPT) an equal row in r, NULLs being equal.
func matching(kind ast.SetOpKind, l, r rel.Rel) rel.Rel {
	on := equalRows(l, r)
	if kind == ast.Except {
		return &rel.Join{Kind: rel.JoinAnti, Left: l, Right: r, On: on}
	}
	return &rel.Join{Kind: rel.JoinSemi, Left: l, Right: r, On: on}
}

// equalRows says that a row of l and one of r are equal, NULLs being equal.
func equalRows(l, r rel.Rel) []expr.Scalar {
	lcols, rcols := columnsOf(l), r.Columns()
	on := make([]expr.Scalar, len(lcols))
	for i, c := range lcols {
		on[i] = rel.Same(c, &expr.Column{Index: len(lcols) + i, Typ: rcols[i].Type, Name: rcols[i].Name})
	}
	return on
}

// orderedByOutput puts an ORDER BY over the output columns on a body.
func (b *binder) orderedByOutput(bd body, items []ast.OrderItem, what string) (body, *repr.Error) {
	if len(items) == 0 {
		return bd, nil
	}
	cols := bd.columns()
	out := &ordered{body: bd}
	for _, item := range items {
		item, err := usingOrder(item)
		if err != nil {
			return nil, err
		}
		i, err := outputOnly(item, cols, what)
		if err != nil {
			return nil, err
		}
		if err := comparable(cols[i].Type, "ordering", place(item.Expr)); err != nil {
			return nil, err
		}
		out.order = append(out.order, rel.ColOrder{Col: i, Desc: item.Desc, NullsFirst: item.NullsAreFirst()})
	}
	return out, nil
}

// outputOnly finds the output column that an item of ORDER BY must be.
func outputOnly(item ast.OrderItem, cols repr.RowDesc, what string) (int, *repr.Error) {
	i, ok, err := ordinal(item.Expr, len(cols), "ORDER BY")
	if ok || err != nil {
		return i, err
	}
	ref, ok := item.Expr.(*ast.ColumnRef)
	if !ok {
		return 0, errAt(repr.CodeFeatureNotSupported, "invalid "+what+" ORDER BY clause", place(item.Expr)).
			WithDetail("Only result column names can be used, not expressions or functions.").
			WithHint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
	}
	if i := cols.Index(ref.Column()); i >= 0 && len(ref.Parts) == 1 {
		return i, nil
	}
	return 0, errAt(repr.CodeUndefinedColumn, "column "+quote(ref.Column())+" does not exist", ref.Pos)
}

// ordered is a body with an ORDER BY over its output columns.
type ordered struct {
	body
	order []rel.ColOrder
}

func (o *ordered) build() (*output, *repr.Error) {
	out, err := o.body.build()
	if err != nil {
		return nil, err
	}
	c := *out
	c.order = o.order
	return &c, nil
}
