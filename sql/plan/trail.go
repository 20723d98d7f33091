package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// trail is what SEARCH and CYCLE add to the rows of a recursive query, as PostgreSQL rewrites them: to each row how it was
// reached.
//
//	SEARCH DEPTH     path = ARRAY[ROW(by)]     then  path || ROW(by)
//	SEARCH BREADTH   seq  = ROW(0, by)         then  ROW(seq.1 + 1, by)
//	CYCLE            mark = default            then  to, if ROW(by) is in the path, else default
//	                 path as above; rows marked by to are not followed
type trail struct {
	b *binder
	c *cte
	// to and otherwise are the values of the mark.
	to, otherwise expr.Scalar
	names         *repr.Error // what is wrong with the names of columns
}

// trailed says whether the query has SEARCH or CYCLE.
func (c *cte) trailed() bool { return c.def.Search != nil || c.def.Cycle != nil }

func notRecursive(c *cte) *repr.Error {
	return errAt(repr.CodeSyntax, "WITH query is not recursive", c.def.Pos)
}

// trailOf reads the clauses of a query, as far as the types of what they add depend on it.
func (b *binder) trailOf(c *cte) (*trail, *repr.Error) {
	t := &trail{b: b, c: c}
	t.names = t.checkNames()
	cy := c.def.Cycle
	if cy == nil {
		return t, nil
	}
	boolean := repr.TypeOf(repr.KindBool)
	if cy.To == nil {
		t.to = &expr.Const{Val: repr.Bool(true), Typ: boolean}
		t.otherwise = &expr.Const{Val: repr.Bool(false), Typ: boolean}
		return t, nil
	}
	x := b.constExpr("CYCLE")
	list, pos, err := x.bindAll([]ast.Expr{cy.To, cy.Default})
	if err != nil {
		return nil, err
	}
	typ, bad := commonOf([]repr.Type{list[0].Type(), list[1].Type()})
	if bad >= 0 {
		return nil, errAt(repr.CodeDatatypeMismatch, "CYCLE types "+list[0].Type().String()+" and "+
			list[1].Type().String()+" cannot be matched", pos[bad])
	}
	if typ.Kind == repr.KindNull {
		typ = repr.TypeOf(repr.KindText)
	}
	if t.to, err = b.coerce(list[0], typ, implicitly, pos[0]); err != nil {
		return nil, err
	}
	if t.otherwise, err = b.coerce(list[1], typ, implicitly, pos[1]); err != nil {
		return nil, err
	}
	if comparable(typ, "equality", 0) != nil {
		return nil, errAt(repr.CodeUndefinedFunction, "could not identify an equality operator for type "+typ.String(), 0)
	}
	return t, nil
}

// extra are the columns that the clauses add.
func (t *trail) extra() repr.RowDesc {
	var out repr.RowDesc
	if s := t.c.def.Search; s != nil {
		typ := pathType
		if s.Breadth {
			typ = repr.TypeOf(repr.KindRecord)
		}
		out = append(out, repr.Column{Name: s.Set.Name, Type: typ})
	}
	if cy := t.c.def.Cycle; cy != nil {
		out = append(out, repr.Column{Name: cy.Set.Name, Type: t.to.Type()}, repr.Column{Name: cy.Using.Name, Type: pathType})
	}
	return out
}

var pathType = repr.ArrayOf(repr.KindRecord)

// step is the recursive term with what the clauses added to the row that it begins with as further columns. top says
// whether that row is named in its FROM, where it has to be.
func (t *trail) step(q ast.QueryBody) (step ast.QueryBody, top bool) {
	if !t.c.trailed() || t.names != nil {
		return q, false
	}
	switch n := q.(type) {
	case *ast.Query:
		c := *n
		c.Body, top = t.step(n.Body)
		return &c, top
	case *ast.Select:
		for _, item := range n.From {
			if name := selfIn(item, t.c.name); name != "" {
				return t.wider(n, name), true
			}
		}
	}
	return q, false
}

// wider is a SELECT with what the clauses added to the rows of an item of its FROM.
func (t *trail) wider(sel *ast.Select, item string) *ast.Select {
	c := *sel
	c.Targets = slices.Clone(sel.Targets)
	for _, col := range t.extra() {
		ref := &ast.ColumnRef{At: sel.At, Parts: []string{item, col.Name}}
		c.Targets = append(c.Targets, ast.Target{At: sel.At, Expr: ref})
	}
	return &c
}

// selfIn is the name under which a query stands in an item of FROM; "" when it does not.
func selfIn(item ast.TableExpr, query string) string {
	switch n := item.(type) {
	case *ast.TableRef:
		switch {
		case len(n.Name.Parts) != 1 || n.Name.Last() != query:
		case n.Alias != nil:
			return n.Alias.Name
		default:
			return query
		}
	case *ast.Join:
		name := selfIn(n.Left, query)
		if name == "" {
			name = selfIn(n.Right, query)
		}
		if name != "" && n.Alias != nil {
			return n.Alias.Name
		}
		return name
	}
	return ""
}

// check refuses clauses that PostgreSQL refuses, in its order.
func (t *trail) check(set *ast.SetOp, top bool) *repr.Error {
	if t.c.self == 0 {
		return notRecursive(t.c)
	}
	for _, side := range []struct {
		name string
		body ast.QueryBody
	}{{"left", set.Left}, {"right", set.Right}} {
		if _, is := side.body.(*ast.SetOp); is {
			return errAt(repr.CodeFeatureNotSupported, "with a SEARCH or CYCLE clause, the "+side.name+
				" side of the UNION must be a SELECT", 0)
		}
	}
	if t.names != nil {
		return t.names
	}
	if !top {
		return errAt(repr.CodeFeatureNotSupported, "with a SEARCH or CYCLE clause, the recursive reference to WITH query "+
			quote(t.c.name)+" must be at the top level of its right-hand SELECT", 0)
	}
	return nil
}

// checkNames refuses columns that are not there, and names that are.
func (t *trail) checkNames() *repr.Error {
	s, cy := t.c.def.Search, t.c.def.Cycle
	if s != nil {
		if err := t.columns(s.By, "search", s.Pos); err != nil {
			return err
		}
		if err := t.fresh(s.Set, "search sequence", s.Pos); err != nil {
			return err
		}
	}
	if cy == nil {
		return nil
	}
	if err := t.columns(cy.By, "cycle", cy.Pos); err != nil {
		return err
	}
	if err := t.fresh(cy.Set, "cycle mark", cy.Pos); err != nil {
		return err
	}
	if err := t.fresh(cy.Using, "cycle path", cy.Pos); err != nil {
		return err
	}
	same := func(a, b string, pos int) *repr.Error {
		return errAt(repr.CodeSyntax, a+" column name and cycle "+b+" column name are the same", pos)
	}
	switch {
	case cy.Set.Name == cy.Using.Name:
		return same("cycle mark", "path", cy.Pos)
	case s != nil && s.Set.Name == cy.Set.Name:
		return same("search sequence", "mark", s.Pos)
	case s != nil && s.Set.Name == cy.Using.Name:
		return same("search sequence", "path", s.Pos)
	}
	return nil
}

// columns checks that a list names columns of the query, each once.
func (t *trail) columns(list []ast.Ident, what string, pos int) *repr.Error {
	for i, id := range list {
		if t.c.cols.Index(id.Name) < 0 {
			return errAt(repr.CodeSyntax, what+" column "+quote(id.Name)+" not in WITH query column list", pos)
		}
		if slices.ContainsFunc(list[:i], func(o ast.Ident) bool { return o.Name == id.Name }) {
			return errAt(repr.CodeDuplicateColumn, what+" column "+quote(id.Name)+" specified more than once", pos)
		}
	}
	return nil
}

// fresh checks that a name is not that of a column of the query.
func (t *trail) fresh(id ast.Ident, what string, pos int) *repr.Error {
	if t.c.cols.Index(id.Name) < 0 {
		return nil
	}
	return errAt(repr.CodeSyntax, what+" column name "+quote(id.Name)+" already used in WITH query column list", pos)
}

// grow is a term with what the clauses add.
func (t *trail) grow(bd body, further bool) body { return &grown{body: bd, t: t, further: further} }

// grown is a term of a recursive query with what SEARCH and CYCLE add. That of the rows before stands behind the own
// columns of the recursive term, in the same order.
type grown struct {
	body
	t       *trail
	further bool // the recursive term
}

func (g *grown) columns() repr.RowDesc {
	own := g.body.columns()[:len(g.t.c.cols)]
	return append(own[:len(own):len(own)], g.t.extra()...)
}

func (g *grown) position(i int) int {
	if i < len(g.t.c.cols) {
		return g.body.position(i)
	}
	return 0
}

func (g *grown) coerce(i int, to repr.Type, ctx coercion) *repr.Error {
	if i < len(g.t.c.cols) {
		return g.body.coerce(i, to, ctx)
	}
	return nil // both terms have it in the same type
}

func (g *grown) build() (*output, *repr.Error) {
	out, err := g.body.build()
	if err != nil {
		return nil, err
	}
	cols := g.columns()
	in := collapse(out)
	list := columnsOf(in)[:len(g.t.c.cols)]
	if g.further {
		was := columnsOf(in)[len(list):]
		if in, err = g.t.followed(in, was); err != nil {
			return nil, err
		}
		list = append(list, g.t.next(list, was)...)
	} else {
		list = append(list, g.t.first(list)...)
	}
	return &output{rel: projectTo(in, list, namesOf(cols)), cols: cols}, nil
}

// first is what is added to rows of the first term.
func (t *trail) first(row []expr.Scalar) []expr.Scalar {
	var out []expr.Scalar
	if s := t.c.def.Search; s != nil && s.Breadth {
		zero := &expr.Const{Val: repr.Int8(0), Typ: repr.TypeOf(repr.KindInt8)}
		out = append(out, recordOf(append([]expr.Scalar{zero}, t.by(s.By, row)...), s.Pos))
	} else if s != nil {
		out = append(out, pathFrom(recordOf(t.by(s.By, row), s.Pos)))
	}
	if cy := t.c.def.Cycle; cy != nil {
		out = append(out, t.otherwise, pathFrom(recordOf(t.by(cy.By, row), cy.Pos)))
	}
	return out
}

// next is what is added to rows of the recursive term, from what was added to the rows before.
func (t *trail) next(row, was []expr.Scalar) []expr.Scalar {
	var out []expr.Scalar
	if s := t.c.def.Search; s != nil {
		if s.Breadth {
			out = append(out, rowBehind(was[0], t.by(s.By, row), s.Pos))
		} else {
			out = append(out, pathTo(was[0], recordOf(t.by(s.By, row), s.Pos)))
		}
		was = was[1:]
	}
	if cy := t.c.def.Cycle; cy != nil {
		at := recordOf(t.by(cy.By, row), cy.Pos)
		mark := &expr.Case{Whens: []expr.When{{Cond: pathHolds(was[1], at), Then: t.to}}, Else: t.otherwise, Typ: t.to.Type()}
		out = append(out, mark, pathTo(was[1], at))
	}
	return out
}

// followed leaves out the rows behind one that closed a cycle.
func (t *trail) followed(in rel.Rel, was []expr.Scalar) (rel.Rel, *repr.Error) {
	if t.c.def.Cycle == nil {
		return in, nil
	}
	mark := was[len(was)-2]
	cond, err := t.b.constExpr("CYCLE").operator("<>", mark, t.to, 0)
	if err != nil {
		return nil, err
	}
	return &rel.Filter{Input: in, Preds: []expr.Scalar{cond}}, nil
}

// by are the columns of a list.
func (t *trail) by(list []ast.Ident, row []expr.Scalar) []expr.Scalar {
	out := make([]expr.Scalar, len(list))
	for i, id := range list {
		out[i] = row[t.c.cols.Index(id.Name)]
	}
	return out
}

// pathFrom is a path of one row.
func pathFrom(row expr.Scalar) expr.Scalar {
	f := &expr.Func{Name: "path_from", Args: []repr.Type{row.Type()}, Ret: pathType,
		Eval: func(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) { return repr.Array(args), nil }}
	return &expr.Call{Fn: f, Args: []expr.Scalar{row}, Typ: pathType}
}

// pathTo is a path with one row more.
func pathTo(path, row expr.Scalar) expr.Scalar {
	f := &expr.Func{Name: "path_to", Args: []repr.Type{pathType, row.Type()}, Ret: pathType,
		Eval: func(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
			return repr.Array(append(args[0].Elems(nil), args[1])), nil
		}}
	return &expr.Call{Fn: f, Args: []expr.Scalar{path, row}, Typ: pathType}
}

// pathHolds says whether a row is in a path. Fields that are NULL are equal.
func pathHolds(path, row expr.Scalar) expr.Scalar {
	f := &expr.Func{Name: "path_holds", Args: []repr.Type{pathType, row.Type()}, Ret: repr.TypeOf(repr.KindBool),
		Eval: func(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
			in := slices.ContainsFunc(args[0].Elems(nil), func(d repr.Datum) bool { return repr.Compare(d, args[1]) == 0 })
			return repr.Bool(in), nil
		}}
	return &expr.Call{Fn: f, Args: []expr.Scalar{path, row}, Typ: f.Ret}
}

// rowBehind is a row of SEARCH BREADTH FIRST: its first field is one more than that of the row before.
func rowBehind(before expr.Scalar, row []expr.Scalar, pos int) expr.Scalar {
	record := recordOf(append([]expr.Scalar{before}, row...), pos)
	f := *record.Fn
	f.Name = "row_behind"
	f.Eval = func(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
		depth := args[0].Elems(nil)[0].Int() + 1
		return repr.Record(append([]repr.Datum{repr.Int8(depth)}, args[1:]...)), nil
	}
	record.Fn = &f
	return record
}
