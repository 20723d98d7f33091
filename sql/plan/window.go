package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
	"millrace/sql/rel"
)

// codeWindowing is the SQLSTATE of windows that make no sense.
const codeWindowing = "42P20"

// windows are the window functions of one SELECT. In its expressions they stand as columns from winBase on, until the plan
// has a place for them: above the grouping, below set-returning functions.
type windows struct {
	defs  []ast.WindowDef
	bound map[string]*window // of defs, by name, when they have been bound
	list  []windowCall
}

// windowCall is a window function and the window it is over.
type windowCall struct {
	fn  rel.WindowFunc
	win *window
}

// window is a bound definition of a window: its expressions are over the row that the SELECT list is over.
type window struct {
	partition []expr.Scalar
	order     []rel.Order
	frame     *ast.Frame // nil without one
}

// windowCall binds a call with OVER and gives the column that stands for it.
func (x *scalars) windowCall(n *ast.FuncCall) (expr.Scalar, *repr.Error) {
	if err := checkSchema(n.Name); err != nil {
		return nil, err
	}
	inner, err := x.insideWindow(n)
	if err != nil {
		return nil, err
	}
	f, err := inner.windowFunc(n)
	if err != nil {
		return nil, err
	}
	switch {
	case x.inAgg && x.clause != "FILTER":
		return nil, errAt(repr.CodeGrouping, "aggregate function calls cannot contain window function calls", n.Pos)
	case x.inWin:
		return nil, errAt(codeWindowing, "window function calls cannot be nested", n.Pos)
	case x.wins == nil:
		return nil, errAt(codeWindowing, "window functions are not allowed in "+clauseName(x.clause), n.Pos)
	}
	def := *x
	def.wins, def.sets, def.clause = nil, nil, "window definitions"
	win, err := x.wins.over(&def, n.Over)
	if err != nil {
		return nil, err
	}
	if win, f.Frame, err = def.windowFrame(win); err != nil {
		return nil, err
	}
	if f.Agg == nil && !framed[f.Name] {
		f.Frame = rel.WindowFrame{}
	}
	i := x.wins.add(windowCall{fn: f, win: win})
	return &expr.Column{Index: winBase + i, Typ: f.Typ, Name: f.Name}, nil
}

// framed are the window functions that look at the frame.
var framed = map[string]bool{"first_value": true, "last_value": true, "nth_value": true}

// insideWindow is the binder of the operands of a window function, whose call is checked for what it may not have.
func (x *scalars) insideWindow(n *ast.FuncCall) (*scalars, *repr.Error) {
	name := n.Name.Last()
	isAgg, isWin := fn.IsAggregate(name), fn.IsWindow(name)
	switch {
	case n.WithinGroup, fn.IsOrderedSet(name):
		return nil, errAt(repr.CodeFeatureNotSupported, "OVER is not supported for ordered-set aggregate "+name, n.Pos)
	case !isAgg && !isWin && (fn.IsFunction(name) || isSetFunc(n)):
		return nil, errAt(repr.CodeWrongObjectType,
			"OVER specified, but "+name+" is not a window function nor an aggregate function", n.Pos)
	case n.Distinct:
		return nil, errAt(repr.CodeFeatureNotSupported, "DISTINCT is not implemented for window functions", n.Pos)
	case len(n.OrderBy) > 0:
		return nil, errAt(repr.CodeFeatureNotSupported, "aggregate ORDER BY is not implemented for window functions", n.Pos)
	case n.Filter != nil && isWin:
		return nil, errAt(repr.CodeFeatureNotSupported, "FILTER is not implemented for non-aggregate window functions", n.Pos)
	}
	inner := *x
	inner.wins, inner.sets, inner.inWin = nil, nil, true
	return &inner, nil
}

// windowFunc binds the function of a call, but for its window.
func (x *scalars) windowFunc(n *ast.FuncCall) (rel.WindowFunc, *repr.Error) {
	name := n.Name.Last()
	if !fn.IsWindow(name) {
		agg, err := x.aggregateCall(n)
		if err != nil {
			return rel.WindowFunc{}, err
		}
		f := rel.WindowFunc{Name: name, Agg: agg.Fn, Args: agg.Args, Typ: agg.Typ}
		if n.Filter != nil {
			filter := *x
			filter.clause, filter.aggs, filter.inWin = "FILTER", nil, false
			f.Filter, err = filter.condition(n.Filter)
		}
		return f, err
	}
	args, pos, err := x.plainArgs(n)
	if err != nil {
		return rel.WindowFunc{}, err
	}
	types := make([]repr.Type, len(args))
	for i, a := range args {
		types[i] = a.Type()
	}
	to, ret, err := fn.ResolveWindow(name, types)
	if err != nil {
		return rel.WindowFunc{}, err.At(n.Pos)
	}
	for i := range args {
		if args[i], err = x.b.coerce(args[i], to[i], implicitly, pos[i]); err != nil {
			return rel.WindowFunc{}, err
		}
	}
	return rel.WindowFunc{Name: name, Args: args, Typ: ret}, nil
}

// over finds or makes the window that OVER means.
func (w *windows) over(x *scalars, spec *ast.WindowSpec) (*window, *repr.Error) {
	if spec.Name == "" {
		return w.define(x, spec, len(w.defs))
	}
	return w.named(x, spec.Name, spec.Pos, len(w.defs))
}

// named finds one of the first n definitions of the WINDOW clause.
func (w *windows) named(x *scalars, name string, pos, n int) (*window, *repr.Error) {
	i := slices.IndexFunc(w.defs[:n], func(d ast.WindowDef) bool { return d.Name == name })
	if i < 0 {
		return nil, errAt(repr.CodeUndefinedObject, "window "+quote(name)+" does not exist", pos)
	}
	if win := w.bound[name]; win != nil {
		return win, nil
	}
	win, err := w.define(x, w.defs[i].Spec, i)
	if err != nil {
		return nil, err
	}
	if w.bound == nil {
		w.bound = map[string]*window{}
	}
	w.bound[name] = win
	return win, nil
}

// define binds a definition, which may extend one of the first n of the WINDOW clause.
func (w *windows) define(x *scalars, spec *ast.WindowSpec, n int) (*window, *repr.Error) {
	win := &window{frame: spec.Frame}
	if spec.Base != "" {
		base, err := w.named(x, spec.Base, spec.Pos, n)
		if err != nil {
			return nil, err
		}
		if err := extends(spec, base); err != nil {
			return nil, err
		}
		win.partition, win.order = base.partition, base.order
	}
	for _, e := range spec.PartitionBy {
		s, err := x.bind(e)
		if err != nil {
			return nil, err
		}
		if isUnknown(s) {
			if s, err = x.b.coerce(s, repr.TypeOf(repr.KindText), implicitly, place(e)); err != nil {
				return nil, err
			}
		}
		if err := comparable(s.Type(), "equality", place(e)); err != nil {
			return nil, err
		}
		win.partition = append(win.partition, s)
	}
	for _, item := range spec.OrderBy {
		o, err := x.orderItem(item)
		if err != nil {
			return nil, err
		}
		if err := comparable(o.Expr.Type(), "ordering", place(item.Expr)); err != nil {
			return nil, err
		}
		win.order = append(slices.Clip(win.order), o)
	}
	return win, nil
}

// extends says what a definition may not change of the one that it extends.
func extends(spec *ast.WindowSpec, base *window) *repr.Error {
	switch {
	case len(spec.PartitionBy) > 0:
		return errAt(codeWindowing, "cannot override PARTITION BY clause of window "+quote(spec.Base), spec.Pos)
	case len(spec.OrderBy) > 0 && len(base.order) > 0:
		return errAt(codeWindowing, "cannot override ORDER BY clause of window "+quote(spec.Base), spec.Pos)
	case base.frame != nil:
		err := errAt(codeWindowing, "cannot copy window "+quote(spec.Base)+" because it has a frame clause", spec.Pos)
		if len(spec.OrderBy) == 0 && spec.Frame == nil {
			err = err.WithHint("Omit the parentheses in this OVER clause.")
		}
		return err
	}
	return nil
}

// rest binds the definitions that no function is over, for their errors.
func (w *windows) rest(x *scalars) *repr.Error {
	for i, d := range w.defs {
		if slices.ContainsFunc(w.defs[:i], func(o ast.WindowDef) bool { return o.Name == d.Name }) {
			return errAt(codeWindowing, "window "+quote(d.Name)+" is already defined", d.Pos)
		}
		win, err := w.named(x, d.Name, d.Pos, len(w.defs))
		if err != nil {
			return err
		}
		if _, _, err := x.windowFrame(win); err != nil {
			return err
		}
	}
	return nil
}

// add gives the number of a call; equal ones are computed once.
func (w *windows) add(c windowCall) int {
	i := slices.IndexFunc(w.list, func(o windowCall) bool { return c.equal(&o) })
	if i < 0 {
		w.list = append(w.list, c)
		return len(w.list) - 1
	}
	return i
}

func (c *windowCall) equal(o *windowCall) bool {
	same := func(a, b expr.Scalar) bool { return a == b || a != nil && b != nil && expr.Equal(a, b) }
	f, g := &c.fn, &o.fn
	return f.Name == g.Name && f.Typ == g.Typ && slices.EqualFunc(f.Args, g.Args, expr.Equal) && same(f.Filter, g.Filter) &&
		f.Frame.Mode == g.Frame.Mode && f.Frame.Exclude == g.Frame.Exclude && f.Frame.Start.Kind == g.Frame.Start.Kind &&
		f.Frame.End.Kind == g.Frame.End.Kind && same(f.Frame.Start.Offset, g.Frame.Start.Offset) &&
		same(f.Frame.End.Offset, g.Frame.End.Offset) && c.win.equal(o.win)
}

func (w *window) equal(o *window) bool {
	return w == o || slices.EqualFunc(w.partition, o.partition, expr.Equal) &&
		slices.EqualFunc(w.order, o.order, func(a, b rel.Order) bool {
			return a.Desc == b.Desc && a.NullsFirst == b.NullsFirst && expr.Equal(a.Expr, b.Expr)
		})
}

// replaced are the calls with their expressions replaced.
func (w *windows) replaced(f func(expr.Scalar) expr.Scalar) []windowCall {
	out := make([]windowCall, len(w.list))
	done := map[*window]*window{}
	for i, c := range w.list {
		if done[c.win] == nil {
			win := &window{frame: c.win.frame}
			for _, e := range c.win.partition {
				win.partition = append(win.partition, f(e))
			}
			for _, o := range c.win.order {
				o.Expr = f(o.Expr)
				win.order = append(win.order, o)
			}
			done[c.win] = win
		}
		out[i] = windowCall{fn: c.fn.Map(f), win: done[c.win]}
	}
	return out
}

// callWindows puts the window functions on the plan, one node for each window, and rewrites the targets and the operands
// of set-returning functions over its row.
func (s *selectBody) callWindows(r rel.Rel, values []expr.Scalar) (rel.Rel, []expr.Scalar) {
	if len(s.wins.list) == 0 {
		return r, values
	}
	l := &windowLayout{width: len(r.Columns())}
	var nodes []*rel.Window
	at := make([]int, len(s.wins.list)) // of a call: its node
	for i, c := range s.wins.list {
		n := l.node(c.win)
		at[i] = slices.IndexFunc(nodes, func(o *rel.Window) bool {
			return slices.Equal(o.Partition, n.Partition) && slices.Equal(o.Order, n.Order)
		})
		if at[i] < 0 {
			at[i] = len(nodes)
			nodes = append(nodes, n)
		}
		nodes[at[i]].Funcs = append(nodes[at[i]].Funcs, c.fn)
	}
	if len(l.exprs) > 0 {
		r = &rel.Map{Input: r, Exprs: l.exprs, Names: make([]string, len(l.exprs))}
	}
	starts := make([]int, len(nodes))
	for i, n := range nodes {
		starts[i] = len(r.Columns())
		n.Input = r
		r = n
	}
	taken := make([]int, len(nodes))
	cols := make([]int, len(at))
	for i, node := range at {
		cols[i] = starts[node] + taken[node]
		taken[node]++
	}
	place := func(n expr.Scalar, depth int) expr.Scalar {
		c, ok := n.(*expr.Column)
		if !ok || depth > 0 || c.Index < winBase || c.Index >= setBase {
			return n
		}
		return &expr.Column{Index: cols[c.Index-winBase], Typ: c.Typ, Name: c.Name}
	}
	for i := range s.sets.list {
		s.sets.list[i].args = rewriteScalars(s.sets.list[i].args, 0, place)
	}
	return r, rewriteScalars(values, 0, place)
}

// windowLayout finds columns for the expressions that windows are made of.
type windowLayout struct {
	width int
	exprs []expr.Scalar
}

func (l *windowLayout) column(e expr.Scalar) int {
	if c, ok := e.(*expr.Column); ok {
		return c.Index
	}
	i := slices.IndexFunc(l.exprs, func(o expr.Scalar) bool { return expr.Equal(o, e) })
	if i < 0 {
		i = len(l.exprs)
		l.exprs = append(l.exprs, e)
	}
	return l.width + i
}

// node is a window without functions and input yet.
func (l *windowLayout) node(w *window) *rel.Window {
	n := &rel.Window{}
	for _, e := range w.partition {
		if c := l.column(e); !slices.Contains(n.Partition, c) {
			n.Partition = append(n.Partition, c)
		}
	}
	for _, o := range w.order {
		c := l.column(o.Expr)
		if !slices.ContainsFunc(n.Order, func(have rel.ColOrder) bool { return have.Col == c }) {
			n.Order = append(n.Order, rel.ColOrder{Col: c, Desc: o.Desc, NullsFirst: o.NullsFirst})
		}
	}
	return n
}
