package oracle

import (
	"math/rand/v2"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

var (
	int8Type = repr.TypeOf(repr.KindInt8)
	numType  = repr.TypeOf(repr.KindNumeric)
	boolType = repr.TypeOf(repr.KindBool)
)

func compare(name string, test func(int) bool) *expr.Func {
	return &expr.Func{Name: name, Args: []repr.Type{int8Type, int8Type}, Ret: boolType,
		Eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			return repr.Bool(test(repr.Compare(a[0], a[1]))), nil
		}}
}

var (
	eqFunc   = compare("=", func(c int) bool { return c == 0 })
	lessFunc = compare("<", func(c int) bool { return c < 0 })
	plusFunc = &expr.Func{Name: "plus", Args: []repr.Type{int8Type, int8Type}, Ret: int8Type,
		Eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			return repr.Int8((a[0].Int() + a[1].Int()) % 7), nil
		}}
	divFunc = &expr.Func{Name: "div", Args: []repr.Type{int8Type, int8Type}, Ret: int8Type,
		Eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			if a[1].Int() == 0 {
				return repr.Null, repr.NewError(repr.CodeDivisionByZero, "division by zero")
			}
			return repr.Int8(a[0].Int() / a[1].Int()), nil
		}}
	numEq = &expr.Func{Name: "=", Args: []repr.Type{numType, numType}, Ret: boolType,
		Eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return repr.Bool(a[0].Equal(a[1])), nil }}
	series = &expr.TableFunc{Name: "series", Args: []repr.Type{int8Type}, Cols: repr.RowDesc{{Name: "s", Type: int8Type}},
		Eval: func(_ *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
			for i := range a[0].Int() {
				emit([]repr.Datum{repr.Int8(i)})
			}
			return nil
		}}
	countAll = &repr.Aggregate{Name: "count", Words: 1, Empty: repr.Int8(0),
		Add:    func(s []int64, _ repr.Datum, d repr.Diff) { s[0] += d },
		Result: func(s []int64) (repr.Datum, *repr.Error) { return repr.Int8(s[0]), nil }}
	countOf = &repr.Aggregate{Name: "count", Words: 1, Empty: repr.Int8(0), SkipNulls: true, Add: countAll.Add,
		Result: countAll.Result}
	sumOf = &repr.Aggregate{Name: "sum", Words: 2, SkipNulls: true,
		Add: func(s []int64, a repr.Datum, d repr.Diff) { s[0] += d; s[1] += d * a.Int() },
		Result: func(s []int64) (repr.Datum, *repr.Error) {
			if s[0] == 0 {
				return repr.Null, nil
			}
			return repr.Int8(s[1]), nil
		}}
	minOf = &repr.Aggregate{Name: "min", Extreme: -1, SkipNulls: true}
	maxOf = &repr.Aggregate{Name: "max", Extreme: 1, SkipNulls: true}
)

func callOf(f *expr.Func, args ...expr.Scalar) expr.Scalar {
	return &expr.Call{Fn: f, Args: args, Typ: f.Ret}
}

func intConst(v int64) expr.Scalar { return &expr.Const{Val: repr.Int8(v), Typ: int8Type} }

// tables are the collections of the tests: t1 and t2 of nullable integers, t3 with a column that is never NULL and a
// numeric whose equal values print differently, t4 with a unique key.
var tables = []*rel.Get{
	{ID: 1, Name: "t1", Cols: repr.RowDesc{{Name: "a", Type: int8Type}, {Name: "b", Type: int8Type}}},
	{ID: 2, Name: "t2", Cols: repr.RowDesc{{Name: "c", Type: int8Type}, {Name: "d", Type: int8Type}, {Name: "e", Type: int8Type}}},
	{ID: 3, Name: "t3", Cols: repr.RowDesc{{Name: "k", Type: int8Type, NotNull: true}, {Name: "m", Type: numType}}},
	{ID: 4, Name: "t4", Cols: repr.RowDesc{{Name: "u", Type: int8Type, NotNull: true}, {Name: "w", Type: int8Type}}, Keys: [][]int{{0}}},
}

// generator makes random plans.
type generator struct {
	*rand.Rand
	calm   bool // join trees hold no expression that can fail
	lets   int
	inLet  []*rel.Ref
	inRec  bool // in the values of a recursion
	budget int
	timed  bool // with conditions on time
}

// shapes are the rows around the plan being made, the nearest first.
type shapes []repr.RowDesc

func (s shapes) with(cols repr.RowDesc) shapes { return append(shapes{cols}, s...) }

// plan makes a plan of some depth; with outer rows it sometimes refers to them.
func (g *generator) plan(depth int, o shapes) rel.Rel {
	g.budget--
	if depth <= 0 || g.budget <= 0 {
		return g.leaf(o)
	}
	if !g.inRec && depth > 1 && g.IntN(12) == 0 {
		return g.recursion(depth, o)
	}
	switch g.IntN(17) {
	case 15:
		return g.chain(depth, o)
	case 16:
		if !g.inRec {
			return g.window(depth, o)
		}
		return g.topK(depth, o)
	case 0, 1, 2:
		in := g.plan(depth-1, o)
		return &rel.Filter{Input: in, Preds: g.timedPreds(g.preds(1+g.IntN(2), in.Columns(), o, depth), in.Columns(), o)}
	case 3, 4:
		in := g.plan(depth-1, o)
		return &rel.Map{Input: in, Exprs: []expr.Scalar{g.intExpr(in.Columns(), o, depth)}, Names: []string{"x"}}
	case 5:
		in := g.plan(depth-1, o)
		return &rel.Project{Input: in, Cols: g.somePlaces(len(in.Columns()))}
	case 6, 7:
		return g.join(depth, o)
	case 8:
		left := g.plan(depth-1, o)
		kinds := []rel.JoinKind{rel.JoinInner, rel.JoinLeft, rel.JoinSemi, rel.JoinAnti}
		right := g.plan(depth-1, o.with(left.Columns()))
		n := &rel.Apply{Kind: kinds[g.IntN(4)], Left: left, Right: right}
		n.On = g.preds(g.IntN(2), both(left, right), o, 0)
		return n
	case 9, 10:
		return g.reduce(depth, o)
	case 11:
		return &rel.Distinct{Input: g.plan(depth-1, o)}
	case 12:
		return g.topK(depth, o)
	case 13:
		return g.union(depth, o)
	default:
		return g.other(depth, o)
	}
}

func both(a, b rel.Rel) repr.RowDesc {
	return append(append(repr.RowDesc{}, a.Columns()...), b.Columns()...)
}

func (g *generator) leaf(o shapes) rel.Rel {
	switch n := g.IntN(8); {
	case n == 0:
		v := &rel.Values{Cols: repr.RowDesc{{Name: "v", Type: int8Type}}}
		for range g.IntN(3) {
			v.Rows = append(v.Rows, []expr.Scalar{g.intExpr(nil, o, 0)})
		}
		return v
	case n == 1 && len(g.inLet) > 0:
		return g.inLet[g.IntN(len(g.inLet))]
	case n <= 4 && len(o) > 0:
		return g.matching(o)
	}
	return tables[g.IntN(len(tables))]
}

// matching is what most subqueries are: rows of a table that equal something of the outer row.
func (g *generator) matching(o shapes) rel.Rel {
	t := tables[g.IntN(len(tables))]
	outer := g.outer(o, g.IntN(len(o)), int8Type)
	if outer == nil {
		return t
	}
	inner := g.column(t.Cols, nil, int8Type)
	var r rel.Rel = &rel.Filter{Input: t, Preds: []expr.Scalar{callOf(eqFunc, inner, outer)}}
	switch g.IntN(4) {
	case 0:
		r = &rel.Distinct{Input: &rel.Project{Input: r, Cols: []int{0}}}
	case 1:
		r = &rel.Map{Input: r, Exprs: []expr.Scalar{callOf(plusFunc, inner, outer)}, Names: []string{"x"}}
	}
	return r
}

// outer is a column of a kind of one of the rows around; nil when that has none.
func (g *generator) outer(o shapes, level int, typ repr.Type) expr.Scalar {
	c, ok := g.column(o[level], nil, typ).(*expr.Column)
	if !ok {
		return nil
	}
	return &expr.Outer{Level: level + 1, Index: c.Index, Typ: typ, Name: c.Name}
}

func (g *generator) join(depth int, o shapes) rel.Rel {
	left, right := g.plan(depth-1, o), g.plan(depth-1, o)
	return &rel.Join{Kind: rel.JoinKind(g.IntN(6)), Left: left, Right: right,
		On: g.timedPreds(g.preds(1+g.IntN(2), both(left, right), o, depth-2), both(left, right), o)}
}

// timedPreds adds conditions on time to others, where the plan is to have such: that some column, or twice that, is past
// or still to come.
func (g *generator) timedPreds(preds []expr.Scalar, cols repr.RowDesc, o shapes) []expr.Scalar {
	if !g.timed || g.IntN(3) == 0 {
		return preds
	}
	if g.IntN(2) == 0 {
		preds = nil
	}
	for range 1 + g.IntN(2) {
		at := g.intExpr(cols, o, 0)
		if g.IntN(2) == 0 {
			at = callOf(plusFunc, at, at)
		}
		bound := rel.Instant(at, 0, g.IntN(2) == 0)
		if g.IntN(2) == 0 {
			preds = append(preds, rel.Since(bound, 1))
		} else {
			preds = append(preds, rel.Before(bound, 1))
		}
	}
	g.Shuffle(len(preds), func(i, j int) { preds[i], preds[j] = preds[j], preds[i] })
	return preds
}

// chain is what most queries are: several inner joins by equal columns, and a condition on them.
func (g *generator) chain(depth int, o shapes) rel.Rel {
	out := g.plan(depth-2, o)
	for range 1 + g.IntN(3) {
		right := g.plan(depth-2, o)
		cols := out.Columns()
		j := &rel.Join{Left: out, Right: right}
		a, b := g.column(cols, nil, int8Type), g.column(right.Columns(), nil, int8Type)
		if a != nil && b != nil {
			j.On = append(j.On, callOf(eqFunc, a, rel.ShiftColumns(b, 0, len(cols))))
		}
		out = j
	}
	return &rel.Filter{Input: out, Preds: g.preds(1+g.IntN(3), out.Columns(), o, 0)}
}

func (g *generator) somePlaces(n int) []int {
	var out []int
	for range 1 + g.IntN(3) {
		if n > 0 {
			out = append(out, g.IntN(n))
		}
	}
	return out
}

func (g *generator) reduce(depth int, o shapes) rel.Rel {
	in := g.plan(depth-1, o)
	cols := in.Columns()
	r := &rel.Reduce{Input: in}
	for range g.IntN(3) {
		if g.IntN(3) > 0 && len(cols) > 0 {
			r.Keys = append(r.Keys, rel.ColumnOf(cols, g.IntN(len(cols))))
		} else {
			r.Keys = append(r.Keys, g.intExpr(cols, o, 0))
		}
	}
	fns := []*repr.Aggregate{countAll, countOf, sumOf, minOf, maxOf}
	for range 1 + g.IntN(2) {
		a := rel.Agg{Fn: fns[g.IntN(len(fns))], Typ: int8Type, Name: "agg"}
		if a.Fn != countAll {
			a.Args = []expr.Scalar{g.intExpr(cols, o, depth-1)}
			a.Distinct = g.IntN(4) == 0
		}
		if g.IntN(4) == 0 {
			a.Filter = g.boolExpr(cols, o, 0)
		}
		r.Aggs = append(r.Aggs, a)
	}
	return r
}

func (g *generator) topK(depth int, o shapes) rel.Rel {
	in := g.plan(depth-1, o)
	n := len(in.Columns())
	k := &rel.TopK{Input: in, Limit: intConst(int64(g.IntN(4)))}
	if n == 0 {
		return k
	}
	k.Order = []rel.ColOrder{{Col: g.IntN(n), Desc: g.IntN(2) == 0, NullsFirst: g.IntN(2) == 0}}
	if g.IntN(2) == 0 {
		k.Group = []int{g.IntN(n)}
	}
	if g.IntN(3) == 0 {
		k.Offset = intConst(int64(g.IntN(3)))
	}
	return k
}

// ints is a plan of n integer columns.
func (g *generator) ints(n, depth int, o shapes) rel.Rel {
	in := g.plan(depth, o)
	cols := in.Columns()
	m := &rel.Map{Input: in}
	places := make([]int, n)
	for i := range n {
		m.Exprs = append(m.Exprs, g.intExpr(cols, o, 0))
		m.Names = append(m.Names, "i")
		places[i] = len(cols) + i
	}
	return &rel.Project{Input: m, Cols: places}
}

func (g *generator) union(depth int, o shapes) rel.Rel {
	a, b := g.ints(2, depth-1, o), g.ints(2, depth-1, o)
	if g.IntN(2) == 0 {
		return &rel.Union{Inputs: []rel.Rel{a, b}}
	}
	return &rel.Threshold{Input: &rel.Union{Inputs: []rel.Rel{a, &rel.Negate{Input: b}}}}
}

func (g *generator) other(depth int, o shapes) rel.Rel {
	if g.IntN(2) == 0 {
		in := g.plan(depth-1, o)
		arg := g.intExpr(in.Columns(), o, depth-1)
		return &rel.FlatMap{Input: in, Fn: series, Args: []expr.Scalar{arg}, Ordinality: g.IntN(2) == 0}
	}
	g.lets++
	id := g.lets
	value := g.plan(depth-1, o)
	if len(o) > 0 && rel.HasOuter(value) {
		// A reference below further subqueries would see other outer rows; the planner makes such Lets, for which
		// decorrelation moves the levels, but the interpreter keeps one value.
		return value
	}
	g.inLet = append(g.inLet, &rel.Ref{ID: id, Cols: value.Columns()})
	body := g.plan(depth-1, o)
	g.inLet = g.inLet[:len(g.inLet)-1]
	return &rel.Let{ID: id, Value: value, Body: body}
}

// recursion makes one or two plans of integers that refer to themselves and to one another. They are cut off after a few
// rounds, for most of them would not end.
func (g *generator) recursion(depth int, o shapes) rel.Rel {
	timed := g.timed
	g.inRec, g.timed = true, false // time lets no rows into or out of a recursion
	n := &rel.LetRec{Limit: 1 + g.IntN(4), KeepAtLimit: true}
	outer := len(g.inLet)
	for range 1 + g.IntN(2) {
		g.lets++
		n.Bindings = append(n.Bindings, rel.Binding{ID: g.lets, Name: "r"})
		g.inLet = append(g.inLet, &rel.Ref{ID: g.lets, Cols: repr.RowDesc{{Name: "i", Type: int8Type}, {Name: "i", Type: int8Type}}})
	}
	for i := range n.Bindings {
		n.Bindings[i].Value = g.recursive(depth, outer, o)
	}
	g.inRec, g.timed = false, timed
	n.Body = g.plan(depth-1, o)
	if g.IntN(2) == 0 {
		n.Body = g.inLet[outer]
	}
	g.inLet = g.inLet[:outer]
	return n
}

// recursive is a plan of two integers that may be in a recursion: most often something to begin with and a step from a
// binding, at outer or behind it in the list of names.
func (g *generator) recursive(depth, outer int, o shapes) rel.Rel {
	if g.IntN(4) == 0 {
		return g.ints(2, depth-1, o)
	}
	ref := g.inLet[outer+g.IntN(len(g.inLet)-outer)]
	var step rel.Rel = ref
	if g.IntN(4) > 0 {
		table := tables[g.IntN(len(tables))]
		step = &rel.Join{Kind: rel.JoinKind(g.IntN(6)), Left: ref, Right: table, On: g.preds(1, both(ref, table), nil, depth-2)}
	}
	cols := step.Columns()
	m := &rel.Map{Input: step, Exprs: []expr.Scalar{g.intExpr(cols, o, 0), g.intExpr(cols, o, 0)}, Names: []string{"i", "i"}}
	step = &rel.Project{Input: m, Cols: []int{len(cols), len(cols) + 1}}
	var out rel.Rel = &rel.Union{Inputs: []rel.Rel{g.ints(2, depth-2, o), step}}
	if g.IntN(3) > 0 {
		out = &rel.Distinct{Input: out}
	}
	return out
}

func (g *generator) preds(n int, cols repr.RowDesc, o shapes, depth int) []expr.Scalar {
	var out []expr.Scalar
	for range n {
		out = append(out, g.boolExpr(cols, o, depth))
	}
	return out
}

// column is a column of a kind, of the row or now and then of an outer row; nil when there is none.
func (g *generator) column(cols repr.RowDesc, o shapes, typ repr.Type) expr.Scalar {
	if len(o) > 0 && g.IntN(3) == 0 {
		return g.outer(o, g.IntN(len(o)), typ)
	}
	var fit []int
	for i, c := range cols {
		if c.Type == typ {
			fit = append(fit, i)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return rel.ColumnOf(cols, fit[g.IntN(len(fit))])
}

func (g *generator) intExpr(cols repr.RowDesc, o shapes, depth int) expr.Scalar {
	c := g.column(cols, o, int8Type)
	if c == nil || g.IntN(8) == 0 {
		c = intConst(int64(g.IntN(4)))
	}
	switch n := g.IntN(12); {
	case n == 0:
		return callOf(plusFunc, c, intConst(int64(g.IntN(3))))
	case n == 1:
		return &expr.Coalesce{Args: []expr.Scalar{c, intConst(1)}, Typ: int8Type}
	case n == 2:
		return g.guarded(cols, o, c, depth)
	case n <= 5 && depth > 0:
		return g.scalarQuery(cols, o, depth)
	}
	return c
}

// guarded fails unless the CASE keeps it from it.
func (g *generator) guarded(cols repr.RowDesc, o shapes, c expr.Scalar, depth int) expr.Scalar {
	zero := callOf(eqFunc, c, intConst(0))
	quotient := callOf(divFunc, intConst(6), c)
	if depth > 0 && g.IntN(2) == 0 {
		quotient = callOf(plusFunc, quotient, g.scalarQuery(cols, o, depth))
	}
	return &expr.Case{Whens: []expr.When{{Cond: &expr.Not{Arg: zero}, Then: quotient}}, Else: c, Typ: int8Type}
}

func (g *generator) scalarQuery(cols repr.RowDesc, o shapes, depth int) expr.Scalar {
	in := g.ints(1, depth-1, o.with(cols))
	query := in
	switch g.IntN(4) {
	case 0, 1:
		fns := []*repr.Aggregate{countAll, sumOf, minOf}
		agg := rel.Agg{Fn: fns[g.IntN(3)], Args: []expr.Scalar{rel.ColumnOf(in.Columns(), 0)}, Typ: int8Type, Name: "agg"}
		query = &rel.Reduce{Input: in, Aggs: []rel.Agg{agg}}
	case 2:
		query = &rel.TopK{Input: in, Order: []rel.ColOrder{{Col: 0}}, Limit: intConst(1)}
	}
	return &expr.Subquery{Kind: expr.SubqueryScalar, Query: query, Typ: int8Type}
}

func (g *generator) boolExpr(cols repr.RowDesc, o shapes, depth int) expr.Scalar {
	switch n := g.IntN(12); {
	case n == 0:
		return &expr.IsNull{Arg: g.intExpr(cols, o, depth)}
	case n == 1:
		return &expr.Not{Arg: g.boolExpr(cols, o, depth)}
	case n == 2:
		return &expr.Or{Args: []expr.Scalar{g.boolExpr(cols, o, depth-1), g.boolExpr(cols, o, depth-1)}}
	case n == 3:
		return &expr.And{Args: []expr.Scalar{g.boolExpr(cols, o, depth-1), g.boolExpr(cols, o, depth-1)}}
	case n <= 5 && depth > 0:
		return g.testQuery(cols, o, depth)
	case n == 6 && depth > 0:
		return &expr.Not{Arg: g.testQuery(cols, o, depth)}
	case n == 7:
		a, b := g.column(cols, o, numType), g.column(cols, o, numType)
		if a != nil && b != nil {
			return callOf(numEq, a, b)
		}
	case n == 8:
		return callOf(lessFunc, g.intExpr(cols, o, 0), g.intExpr(cols, o, 0))
	case n == 9:
		return rel.Same(g.intExpr(cols, o, 0), g.intExpr(cols, o, 0))
	}
	return callOf(eqFunc, g.intExpr(cols, o, 0), g.intExpr(cols, o, depth-1))
}

func (g *generator) testQuery(cols repr.RowDesc, o shapes, depth int) expr.Scalar {
	kind := []expr.SubqueryKind{expr.SubqueryExists, expr.SubqueryAny, expr.SubqueryAll}[g.IntN(3)]
	q := &expr.Subquery{Kind: kind, Typ: boolType}
	if kind == expr.SubqueryExists {
		q.Query = g.plan(depth-1, o.with(cols))
		return q
	}
	n := 1 + g.IntN(2)
	op := eqFunc
	if n == 1 && g.IntN(3) == 0 {
		op = lessFunc
	}
	for range n {
		q.Left = append(q.Left, g.intExpr(cols, o, depth-2))
		q.Ops = append(q.Ops, op)
	}
	q.Query = g.ints(n, depth-1, o.with(cols))
	return q
}
