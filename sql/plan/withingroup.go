package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
	"millrace/sql/rel"
)

// directArg is a direct argument of an ordered-set aggregate: one value for the whole group.
type directArg struct {
	value expr.Scalar
	pos   int
}

// withinGroup binds an aggregate with WITHIN GROUP: its operands are the direct arguments, then the values of the order.
func (x *scalars) withinGroup(n *ast.FuncCall) (expr.Scalar, *repr.Error) {
	name := n.Name.Last()
	switch {
	case fn.IsHypotheticalSet(name):
		return x.hypothetical(n)
	case !fn.IsOrderedSet(name) && fn.IsAggregate(name):
		return nil, errAt(repr.CodeWrongObjectType, name+" is not an ordered-set aggregate, so it cannot have WITHIN GROUP", n.Pos)
	case n.Distinct:
		return nil, errAt(repr.CodeSyntax, "cannot use DISTINCT with WITHIN GROUP", n.Pos)
	}
	inner := x.insideAggregate()
	direct, pos, err := inner.plainArgs(n)
	if err != nil {
		return nil, err
	}
	agg := rel.Agg{Name: name}
	if agg.Order, err = inner.orderItems(n.OrderBy); err != nil {
		return nil, err
	}
	agg.Args = direct
	for i, o := range agg.Order {
		agg.Args = append(slices.Clip(agg.Args), o.Expr)
		pos = append(pos, place(n.OrderBy[i].Expr))
	}
	types := make([]repr.Type, len(agg.Args))
	for i, a := range agg.Args {
		types[i] = a.Type()
	}
	res, err := fn.ResolveOrderedSet(name, types)
	if err != nil {
		return nil, err.At(n.Pos)
	}
	agg.Fn, agg.Typ = res.Fn, res.Ret
	for i := range agg.Args {
		if agg.Args[i], err = x.b.coerce(agg.Args[i], res.Args[i], implicitly, pos[i]); err != nil {
			return nil, err
		}
	}
	for i := range agg.Order {
		agg.Order[i].Expr = agg.Args[len(direct)+i]
	}
	if agg.Filter, err = inner.filter(n); err != nil {
		return nil, err
	}
	for i := range direct {
		x.aggs.direct = append(x.aggs.direct, directArg{agg.Args[i], pos[i]})
	}
	return x.placeAggregate(agg, n.Pos)
}

// orderItems binds the ORDER BY of an aggregate.
func (x *scalars) orderItems(items []ast.OrderItem) ([]rel.Order, *repr.Error) {
	var out []rel.Order
	for _, item := range items {
		o, err := x.orderItem(item)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// filter binds FILTER; nil where there is none.
func (x *scalars) filter(n *ast.FuncCall) (expr.Scalar, *repr.Error) {
	if n.Filter == nil {
		return nil, nil
	}
	f := *x
	f.clause = "FILTER"
	return f.condition(n.Filter)
}

// checkDirect wants direct arguments to be over the keys.
func (g *grouping) checkDirect() *repr.Error {
	for _, d := range g.s.aggs.direct {
		if g.replace(d.value); g.err != nil {
			return g.err.WithDetail("Direct arguments of an ordered-set aggregate must use only grouped columns.")
		}
	}
	return nil
}

// hypothetical binds rank, dense_rank, percent_rank and cume_dist of a row that is not there, as counts of the rows that
// stand before it, or level with it:
//
//	rank         = 1 + count(*) FILTER (before)
//	dense_rank   = 1 + count(DISTINCT order) FILTER (before)
//	percent_rank = count(*) FILTER (before) / count(*), 0 over no rows
//	cume_dist    = (1 + count(*) FILTER (before or level)) / (1 + count(*))
func (x *scalars) hypothetical(n *ast.FuncCall) (expr.Scalar, *repr.Error) {
	name := n.Name.Last()
	if n.Distinct {
		return nil, errAt(repr.CodeSyntax, "cannot use DISTINCT with WITHIN GROUP", n.Pos)
	}
	inner := x.insideAggregate()
	h := &hypotheticalRow{x: inner, pos: n.Pos}
	if err := h.bind(n); err != nil {
		return nil, err
	}
	for _, d := range h.direct {
		x.aggs.direct = append(x.aggs.direct, directArg{d, n.Pos})
	}
	filter, err := inner.filter(n)
	if err != nil {
		return nil, err
	}
	cond, err := h.before(name == "cume_dist")
	if err != nil {
		return nil, err
	}
	before, err := x.countWhere(nil, n.Pos, filter, cond)
	if err != nil {
		return nil, err
	}
	switch name {
	case "rank":
		return x.operator("+", before, int8Const(1), n.Pos)
	case "dense_rank":
		if before, err = x.countWhere(h.values(), n.Pos, filter, cond); err != nil {
			return nil, err
		}
		return x.operator("+", before, int8Const(1), n.Pos)
	}
	all, err := x.countWhere(nil, n.Pos, filter, nil)
	if err != nil {
		return nil, err
	}
	return x.share(before, all, name == "cume_dist", n.Pos)
}

// share is the part of the rows: the row itself counts among them for cume_dist.
func (x *scalars) share(before, all expr.Scalar, itself bool, pos int) (expr.Scalar, *repr.Error) {
	var err *repr.Error
	if itself {
		if before, err = x.operator("+", before, int8Const(1), pos); err != nil {
			return nil, err
		}
		if all, err = x.operator("+", all, int8Const(1), pos); err != nil {
			return nil, err
		}
	}
	float := repr.TypeOf(repr.KindFloat8)
	if before, err = x.b.coerce(before, float, implicitly, pos); err != nil {
		return nil, err
	}
	if all, err = x.b.coerce(all, float, implicitly, pos); err != nil {
		return nil, err
	}
	zero := &expr.Const{Val: repr.Float8(0), Typ: float}
	none, err := x.operator("=", all, zero, pos)
	if err != nil {
		return nil, err
	}
	quotient, err := x.operator("/", before, all, pos)
	if err != nil {
		return nil, err
	}
	return &expr.Case{Whens: []expr.When{{Cond: none, Then: zero}}, Else: quotient, Typ: float}, nil
}

func int8Const(n int64) expr.Scalar {
	return &expr.Const{Val: repr.Int8(n), Typ: repr.TypeOf(repr.KindInt8)}
}

// countWhere is count(*), or count(DISTINCT values), over the rows for which the conditions hold.
func (x *scalars) countWhere(values []expr.Scalar, pos int, conds ...expr.Scalar) (expr.Scalar, *repr.Error) {
	conds = slices.DeleteFunc(slices.Clone(conds), func(e expr.Scalar) bool { return e == nil })
	agg := rel.Agg{Name: "count", Distinct: len(values) > 0}
	var types []repr.Type
	if len(values) > 0 {
		row := recordOf(values, pos)
		agg.Args, types = []expr.Scalar{row}, []repr.Type{row.Type()}
	}
	res, err := fn.ResolveAggregate("count", types, len(values) == 0)
	if err != nil {
		return nil, err.At(pos)
	}
	agg.Fn, agg.Typ = res.Fn, res.Ret
	switch len(conds) {
	case 0:
	case 1:
		agg.Filter = conds[0]
	default:
		agg.Filter = &expr.And{Args: conds}
	}
	return x.placeAggregate(agg, pos)
}

// hypotheticalRow is the row that a hypothetical-set aggregate ranks among the rows of its group.
type hypotheticalRow struct {
	x      *scalars
	direct []expr.Scalar
	order  []rel.Order
	pos    int
}

func (h *hypotheticalRow) bind(n *ast.FuncCall) *repr.Error {
	var err *repr.Error
	var pos []int
	if h.direct, pos, err = h.x.plainArgs(n); err != nil {
		return err
	}
	if h.order, err = h.x.orderItems(n.OrderBy); err != nil {
		return err
	}
	if len(h.direct) != len(h.order) {
		return h.mismatch(n)
	}
	for i := range h.direct {
		pair := []expr.Scalar{h.direct[i], h.order[i].Expr}
		at := []int{pos[i], place(n.OrderBy[i].Expr)}
		if _, err := h.x.unify(pair, "WITHIN GROUP", at); err != nil {
			return err
		}
		h.direct[i], h.order[i].Expr = pair[0], pair[1]
	}
	return nil
}

// mismatch is the error of a row with more or fewer values than the order has.
func (h *hypotheticalRow) mismatch(n *ast.FuncCall) *repr.Error {
	var types []repr.Type
	for _, v := range append(slices.Clone(h.direct), h.values()...) {
		types = append(types, v.Type())
	}
	name := n.Name.Last()
	_, err := fn.ResolveOrderedSet(name, types)
	return err.At(n.Pos).WithHint("To use the hypothetical-set aggregate " + name + ", the number of hypothetical direct arguments (here " +
		itoa(len(h.direct)) + ") must match the number of ordering columns (here " + itoa(len(h.order)) + ").")
}

func (h *hypotheticalRow) values() []expr.Scalar {
	out := make([]expr.Scalar, len(h.order))
	for i, o := range h.order {
		out[i] = o.Expr
	}
	return out
}

// before is true of the rows that stand before the hypothetical one, or level with it where that is wanted. It is never
// NULL: the first column that differs decides.
func (h *hypotheticalRow) before(level bool) (expr.Scalar, *repr.Error) {
	result := rel.Bool(level)
	for i := len(h.order) - 1; i >= 0; i-- {
		o, v := h.order[i], h.direct[i]
		op := "<"
		if o.Desc {
			op = ">"
		}
		less, err := h.x.operator(op, o.Expr, v, h.pos)
		if err != nil {
			return nil, err
		}
		result = &expr.Case{Typ: repr.TypeOf(repr.KindBool), Else: rel.Bool(false), Whens: []expr.When{
			{Cond: rel.Same(o.Expr, v), Then: result},
			{Cond: &expr.IsNull{Arg: o.Expr}, Then: rel.Bool(o.NullsFirst)},
			{Cond: &expr.IsNull{Arg: v}, Then: rel.Bool(!o.NullsFirst)},
			{Cond: less, Then: rel.Bool(true)},
		}}
	}
	return result, nil
}
