package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// tableFunc binds a function in FROM.
func (b *binder) tableFunc(n *ast.TableFunc, fr frame) (*from, *repr.Error) {
	if n.ColumnTypes != nil {
		return nil, unsupported("a column definition list", n.Pos)
	}
	if f, is, err := b.timeWindow(n, fr); is {
		return f, err
	}
	// The function stands on a row of its own without columns; the items on its left are around it.
	x := b.scalars(&scope{parent: fr.outer, hides: fr.hides}, fr, "FROM")
	t := &table{alias: targetName(n.Funcs[0])}
	if call, ok := n.Funcs[0].(*ast.FuncCall); (!ok || !isSetFunc(call)) && len(n.Funcs) == 1 {
		return x.scalarInFrom(n, t)
	}
	var calls []setCall
	for _, e := range apart(n.Funcs) {
		call, ok := e.(*ast.FuncCall)
		if !ok || !isSetFunc(call) {
			return nil, unsupported("a function that gives no rows in ROWS FROM", e.Position())
		}
		if err := checkSchema(call.Name); err != nil {
			return nil, err
		}
		f, args, err := x.tableCall(call)
		if err != nil {
			return nil, err
		}
		calls = append(calls, setCall{fn: f, args: args})
	}
	all := sideBySide(calls)
	f, args := all.fn, all.args
	cols := slices.Clone(f.Cols)
	if len(cols) == 1 && !n.Ordinality {
		t.scalar = true
	}
	if len(cols) == 1 && cols[0].Name == f.Name && n.Alias != nil {
		cols[0].Name = n.Alias.Name
	}
	if n.Ordinality {
		cols = append(cols, repr.Column{Name: "ordinality", Type: repr.TypeOf(repr.KindInt8)})
	}
	return named(&rel.FlatMap{Input: unit(), Fn: f, Args: args, Ordinality: n.Ordinality, Names: namesOf(cols)}, cols, t, n.Alias)
}

// apart turns unnest of several arrays into as many calls, which advance together.
func apart(funcs []ast.Expr) []ast.Expr {
	var out []ast.Expr
	for _, e := range funcs {
		call, ok := e.(*ast.FuncCall)
		if !ok || call.Name.Last() != "unnest" || len(call.Args) < 2 {
			out = append(out, e)
			continue
		}
		for _, a := range call.Args {
			one := *call
			one.Args = []ast.Expr{a}
			out = append(out, &one)
		}
	}
	return out
}

// scalarInFrom binds a plain function in FROM: one row with its value.
func (x *scalars) scalarInFrom(n *ast.TableFunc, t *table) (*from, *repr.Error) {
	value, err := x.bind(n.Funcs[0])
	if err != nil {
		return nil, err
	}
	name := t.alias
	if n.Alias != nil {
		name = n.Alias.Name
	}
	t.scalar = !n.Ordinality
	exprs, names := []expr.Scalar{value}, []string{name}
	if n.Ordinality {
		exprs = append(exprs, &expr.Const{Val: repr.Int8(1), Typ: repr.TypeOf(repr.KindInt8)})
		names = append(names, "ordinality")
	}
	r := &rel.Map{Input: unit(), Exprs: exprs, Names: names}
	return named(r, r.Columns(), t, n.Alias)
}
