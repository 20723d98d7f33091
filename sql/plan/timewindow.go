package plan

import (
	"slices"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
	"millrace/sql/rel"
)

// timeWindow is a call in FROM that puts rows of a relation into windows of time.
type timeWindow struct {
	args  string // for errors
	least int    // arguments, the relation included
	most  int
}

// timeWindows are the functions of that kind.
var timeWindows = map[string]timeWindow{
	"tumble":  {"relation, time, size [, offset]", 3, 4},
	"hop":     {"relation, time, slide, size [, offset]", 4, 5},
	"session": {"relation, time, gap [, partition …]", 3, 35},
}

// windowing is the call of such a function being bound: the rows of the relation that have a time, and that time.
type windowing struct {
	b    *binder
	call *ast.FuncCall
	rel  rel.Rel
	time expr.Scalar
	rest []ast.Expr // the arguments behind the time
	fr   frame      // of a query within
}

// timeWindow binds a call in FROM that puts rows into windows of time; false when the item is none.
func (b *binder) timeWindow(n *ast.TableFunc, fr frame) (f *from, is bool, err *repr.Error) {
	call, ok := n.Funcs[0].(*ast.FuncCall)
	if !ok || len(call.Name.Qualifiers()) > 0 {
		return nil, false, nil
	}
	kind, ok := timeWindows[call.Name.Last()]
	if !ok {
		return nil, false, nil
	}
	f, err = b.windowed(n, call, &kind, fr)
	return f, true, err
}

func (b *binder) windowed(n *ast.TableFunc, call *ast.FuncCall, kind *timeWindow, fr frame) (*from, *repr.Error) {
	name := call.Name.Last()
	if len(n.Funcs) > 1 || n.RowsFrom || n.Ordinality {
		return nil, unsupported(name+"() in ROWS FROM or WITH ORDINALITY", call.Pos)
	}
	if err := refuseAggregateSyntax(call); err != nil {
		return nil, err
	}
	if len(call.Args) < kind.least || len(call.Args) > kind.most {
		return nil, wrongWindow(name, kind, call.Pos)
	}
	ref, ok := call.Args[0].(*ast.ColumnRef)
	if !ok {
		return nil, wrongWindow(name, kind, place(call.Args[0]))
	}
	in, err := b.tableRef(&ast.TableRef{At: ref.At, Name: ast.Name{At: ref.At, Parts: ref.Parts}}, fr)
	if err != nil {
		return nil, err
	}
	w := &windowing{b: b, call: call, rel: in.rel, rest: call.Args[2:], fr: fr}
	w.fr.owner, w.fr.hides = 0, append(slices.Clone(fr.hides), fr.owner)
	if err := w.bindTime(in, fr); err != nil {
		return nil, err
	}
	build := map[string]func() *repr.Error{"tumble": w.tumble, "hop": w.hop, "session": w.session}[name]
	if err := build(); err != nil {
		return nil, err
	}
	return named(w.rel, w.rel.Columns(), &table{alias: name}, n.Alias)
}

func wrongWindow(name string, kind *timeWindow, pos int) *repr.Error {
	return errAt(repr.CodeUndefinedFunction, "function "+name+" is not called that way", pos).
		WithHint("Call it as " + name + "(" + kind.args + "), with the name of a relation and a timestamp over its columns.")
}

// bindTime binds the time of a row and drops the rows that have none.
func (w *windowing) bindTime(in *from, fr frame) *repr.Error {
	arg := w.call.Args[1]
	x := w.b.scalars(in.scope(fr), fr, "FROM")
	at, err := x.bind(arg)
	if err != nil {
		return err
	}
	if at.Type().Kind == repr.KindDate || isUnknown(at) {
		if at, err = w.b.coerce(at, repr.TypeOf(repr.KindTimestamp), implicitly, place(arg)); err != nil {
			return err
		}
	}
	if !isMoment(at.Type().Kind) {
		return errAt(repr.CodeDatatypeMismatch, "the time of "+w.call.Name.Last()+"() must be a timestamp, not "+at.Type().String(), place(arg))
	}
	if refersOut(&rel.Filter{Input: w.rel, Preds: []expr.Scalar{at}}) || rel.HasSubquery(at) {
		return unsupported("a subquery or a column of another item of FROM in "+w.call.Name.Last()+"()", place(arg))
	}
	w.time = at
	w.rel = &rel.Filter{Input: w.rel, Preds: []expr.Scalar{&expr.Not{Arg: &expr.IsNull{Arg: at}}}}
	return nil
}

// length reads a constant interval as one of microseconds alone: a day of a window has 24 hours in every zone.
func (w *windowing) length(e ast.Expr, what string) (int64, *repr.Error) {
	name := w.call.Name.Last()
	s, err := w.b.constExpr("FROM").bindTo(e, repr.TypeOf(repr.KindInterval), explicitly)
	if err != nil {
		return 0, err
	}
	if dependent(s) || expr.VolatilityOf(s) != expr.Immutable {
		return 0, unsupported("a "+what+" of "+name+"() that is not constant", place(e))
	}
	var row expr.Row
	d, err := expr.Compile(s, w.b.env.Eval)(&row)
	if err != nil {
		return 0, err.At(place(e))
	}
	if d.IsNull() {
		return 0, errAt(repr.CodeInvalidParameter, "the "+what+" of "+name+"() must not be NULL", place(e))
	}
	if months, _, _ := d.IntervalParts(); months != 0 {
		return 0, unsupported("a "+what+" of "+name+"() with months or years", place(e))
	}
	micros, ok := constInterval(&expr.Const{Val: d, Typ: repr.TypeOf(repr.KindInterval)})
	if !ok {
		return 0, errAt(repr.CodeDatetimeOverflow, "interval out of range", place(e))
	}
	return micros, nil
}

// positive is a length that must be more than nothing.
func (w *windowing) positive(e ast.Expr, what string) (int64, *repr.Error) {
	n, err := w.length(e, what)
	if err == nil && n <= 0 {
		err = errAt(repr.CodeDatetimeOverflow, "the "+what+" of "+w.call.Name.Last()+"() must be greater than zero", place(e))
	}
	return n, err
}

// origin is where a window begins: 1970, moved by the offset.
func (w *windowing) origin(offset []ast.Expr) (expr.Scalar, *repr.Error) {
	by := int64(0)
	if len(offset) > 0 {
		var err *repr.Error
		if by, err = w.length(offset[0], "offset"); err != nil {
			return nil, err
		}
	}
	at := pgfmt.EpochSeconds // of 2000, since 1970
	return &expr.Const{Val: repr.IntOf(w.time.Type().Kind, by-int64(at)*1e6), Typ: w.time.Type()}, nil
}

func micros(n int64) expr.Scalar {
	return &expr.Const{Val: repr.Interval(0, 0, n), Typ: repr.TypeOf(repr.KindInterval)}
}

// tumble puts each row into the one window of its time.
func (w *windowing) tumble() *repr.Error {
	size, err := w.positive(w.rest[0], "size")
	if err != nil {
		return err
	}
	origin, err := w.origin(w.rest[1:])
	if err != nil {
		return err
	}
	x := w.b.constExpr("FROM")
	start, err := x.callNamed("date_bin", []expr.Scalar{micros(size), w.time, origin}, []int{0, 0, 0}, w.call.Pos)
	if err != nil {
		return err
	}
	w.rel = &rel.Map{Input: w.rel, Exprs: []expr.Scalar{start}, Names: []string{"window_start"}}
	return w.end(size)
}

// end adds the end of a window behind its start, the last column so far.
func (w *windowing) end(size int64) *repr.Error {
	cols := w.rel.Columns()
	end, err := w.b.constExpr("FROM").operator("+", rel.ColumnOf(cols, len(cols)-1), micros(size), w.call.Pos)
	if err != nil {
		return err
	}
	w.rel = &rel.Map{Input: w.rel, Exprs: []expr.Scalar{end}, Names: []string{"window_end"}}
	return nil
}

// hop puts each row into every window that its time falls into.
func (w *windowing) hop() *repr.Error {
	slide, err := w.positive(w.rest[0], "slide")
	if err != nil {
		return err
	}
	size, err := w.positive(w.rest[1], "size")
	if err != nil {
		return err
	}
	origin, err := w.origin(w.rest[2:])
	if err != nil {
		return err
	}
	args := []expr.Scalar{micros(slide), micros(size), w.time, origin}
	types := make([]repr.Type, len(args))
	for i, a := range args {
		types[i] = a.Type()
	}
	f, err := fn.ResolveTable("date_bin_hopping", types)
	if err != nil {
		return err.At(w.call.Pos)
	}
	w.rel = &rel.FlatMap{Input: w.rel, Fn: f, Args: args, Names: []string{"window_start"}}
	return w.end(size)
}
