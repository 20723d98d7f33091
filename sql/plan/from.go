package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// from is a bound item of FROM, or all of them joined: a plan and the names of its columns.
type from struct {
	rel    rel.Rel
	tables []*table
	names  []column
}

// scope is the row of the item as seen from an expression in query fr.
func (f *from) scope(fr frame) *scope {
	return &scope{parent: fr.outer, tables: f.tables, names: f.names, hides: fr.hides}
}

// recursive says whether a query that is being defined is among the tables.
func (f *from) recursive() bool {
	return slices.ContainsFunc(f.tables, func(t *table) bool { return t.recursive })
}

// beside is the frame of an item to the right of f in the same query: the row of f stands around it, for LATERAL
// items to see.
func (f *from) beside(fr frame, joinable bool) frame {
	fr.outer = &scope{parent: fr.outer, tables: f.tables, names: f.names, lateral: true, joinable: joinable, owner: fr.owner}
	return fr
}

// from binds a FROM list; an empty one is one row without columns.
func (b *binder) from(items []ast.TableExpr, fr frame) (*from, *repr.Error) {
	if len(items) == 0 {
		return &from{rel: unit()}, nil
	}
	acc, err := b.fromItem(items[0], fr)
	if err != nil {
		return nil, err
	}
	for _, item := range items[1:] {
		right, err := b.fromItem(item, acc.beside(fr, true))
		if err != nil {
			return nil, err
		}
		if err := checkAliases(acc, right, item.Position()); err != nil {
			return nil, err
		}
		acc = join(acc, right, rel.JoinInner, nil)
	}
	return acc, nil
}

func (b *binder) fromItem(item ast.TableExpr, fr frame) (*from, *repr.Error) {
	switch n := item.(type) {
	case *ast.TableRef:
		return b.tableRef(n, fr)
	case *ast.Subquery:
		return b.fromSubquery(n, fr)
	case *ast.TableFunc:
		return b.tableFunc(n, fr)
	case *ast.Join:
		return b.join(n, fr)
	default:
		return nil, unsupported("this item of FROM", item.Position())
	}
}

// tableRef binds a relation or CTE.
func (b *binder) tableRef(n *ast.TableRef, fr frame) (*from, *repr.Error) {
	if len(n.Name.Parts) == 1 {
		if c := fr.ctes.find(n.Name.Last()); c != nil {
			return b.cteRef(n, c, fr)
		}
	}
	item, err := b.resolve(n.Name, fr.path)
	if err != nil {
		return nil, err
	}
	b.depend(item.ID)
	item = item.seenBy(fr.sees)
	r, err := b.itemRel(item, n.Pos)
	if err != nil {
		return nil, err
	}
	t := &table{alias: item.Name, schema: item.Schema, item: item}
	return named(r, item.Desc, t, n.Alias)
}

// resolve asks the catalog for a relation that a query can read.
func (b *binder) resolve(name ast.Name, path []string) (*Item, *repr.Error) {
	item, err := b.env.Catalog.Resolve(name.Parts, path)
	if err != nil {
		return nil, err.At(name.Pos)
	}
	switch item.Kind {
	case ItemTable, ItemSource, ItemView, ItemMaterializedView, ItemSystem:
		return item, nil
	case ItemIndex:
		return nil, errAt(repr.CodeWrongObjectType, quote(item.Name)+" is an index", name.Pos)
	default:
		return nil, errAt(repr.CodeWrongObjectType, "cannot open relation "+quote(item.Name), name.Pos)
	}
}

// maxViewDepth is how many views may stand one within the other.
const maxViewDepth = 100

// itemRel is the plan that reads an item: a view stands for its query.
func (b *binder) itemRel(item *Item, pos int) (rel.Rel, *repr.Error) {
	if item.Stored != nil {
		return b.widened(item)
	}
	if item.View == nil {
		return &rel.Get{ID: item.ID, Name: item.Name, Cols: item.Desc, Keys: item.uniqueKeys(), Grows: item.Grows}, nil
	}
	if b.viewDepth >= maxViewDepth {
		return nil, errAt(repr.CodeProgramLimit, "views are nested more than "+itoa(maxViewDepth)+" deep", pos)
	}
	b.viewDepth++
	defer func() { b.viewDepth-- }()
	out, err := b.query(item.View, frame{path: item.ViewPath, sees: item.Sees})
	if err != nil {
		err = err.WithDetail("In the definition of view " + quote(item.Name) + ".")
		err.Position = pos
		return nil, err
	}
	r := collapse(out)
	return projectTo(r, columnsOf(r), namesOf(item.Desc)), nil
}

// widened is the plan that reads an item whose last columns are members of what no other column has.
func (b *binder) widened(item *Item) (rel.Rel, *repr.Error) {
	get := &rel.Get{ID: item.ID, Name: item.Name, Cols: item.Stored, Keys: item.uniqueKeys(), Grows: item.Grows}
	cols := columnsOf(get)
	last := len(cols) - 1
	x := b.constExpr("FROM")
	for _, c := range item.Desc[last:] {
		member, err := x.member(cols[last], c)
		if err != nil {
			return nil, err
		}
		cols = append(cols, member)
	}
	return projectTo(get, append(cols[:last:last], cols[last+1:]...), namesOf(item.Desc)), nil
}

// member reads a member of an object as jsonb_to_record does.
func (x *scalars) member(object expr.Scalar, c repr.Column) (expr.Scalar, *repr.Error) {
	op := "->>"
	if c.Type.Kind == repr.KindJSONB {
		op = "->"
	}
	text := repr.TypeOf(repr.KindText)
	s, err := x.operator(op, object, &expr.Const{Val: repr.Text(c.Name), Typ: text}, 0)
	if err != nil || s.Type() == c.Type {
		return s, err
	}
	return x.b.coerce(s, c.Type, explicitly, 0)
}

func (b *binder) cteRef(n *ast.TableRef, c *cte, fr frame) (*from, *repr.Error) {
	t := &table{alias: c.name, cte: c.name}
	switch {
	case c.with == nil || c.phase == phaseDone:
		c.uses++
	case c.phase == phaseNone:
		if err := c.with.bind(c); err != nil {
			return nil, err
		}
		c.uses++
	default:
		if err := c.with.selfRef(n, c, fr); err != nil {
			return nil, err
		}
		t.recursive = true
	}
	all := append(c.cols[:len(c.cols):len(c.cols)], c.extra...)
	f, err := named(&rel.Ref{ID: c.id, Cols: all}, all, t, n.Alias)
	if err != nil || fr.level <= c.level {
		return f, err
	}
	for i := len(c.cols); i < len(all); i++ {
		t.cols[i].unstarred = true // names of the item and of the table are one list
	}
	return f, nil
}

// fromSubquery binds a query in FROM. Without an alias its columns have no qualifier.
func (b *binder) fromSubquery(n *ast.Subquery, fr frame) (*from, *repr.Error) {
	inner := fr
	inner.owner = 0
	if !n.Lateral {
		inner.hides = append(slices.Clone(fr.hides), fr.owner)
	}
	out, err := b.query(n.Query, inner)
	if err != nil {
		return nil, err
	}
	f, err := named(collapse(out), out.cols, &table{}, n.Alias)
	if err != nil {
		return nil, err
	}
	for i, fields := range out.fields {
		f.names[i].fields = fields // names and the table's columns are one list
	}
	return f, nil
}

// named makes an item of FROM of a plan, with the names of an alias where there is one.
func named(r rel.Rel, cols repr.RowDesc, t *table, alias *ast.Alias) (*from, *repr.Error) {
	if alias != nil {
		t.alias, t.schema = alias.Name, ""
		var err *repr.Error
		if cols, err = renameColumns(cols, alias.Columns, "table "+quote(alias.Name), alias.Pos); err != nil {
			return nil, err
		}
	}
	t.cols = make([]column, len(cols))
	for i, c := range cols {
		t.cols[i] = column{name: c.Name, value: &expr.Column{Index: i, Typ: c.Type, Name: c.Name}, table: t}
	}
	return &from{rel: r, tables: []*table{t}, names: t.cols}, nil
}

// columnsOf are references to the columns of a plan.
func columnsOf(r rel.Rel) []expr.Scalar {
	cols := r.Columns()
	out := make([]expr.Scalar, len(cols))
	for i, c := range cols {
		out[i] = &expr.Column{Index: i, Typ: c.Type, Name: c.Name}
	}
	return out
}

// checkAliases refuses two items of one name.
func checkAliases(left, right *from, pos int) *repr.Error {
	for _, r := range right.tables {
		for _, l := range left.tables {
			if r.alias == l.alias && r.alias != "" && r.schema == l.schema {
				return errAt(repr.CodeDuplicateAlias, "table name "+quote(r.alias)+" specified more than once", pos)
			}
		}
	}
	return nil
}

// join pairs two items, the right one bound beside the left. Where the right one refers to the left, the join is an
// Apply, or a function is called on the rows of the left.
func join(left, right *from, kind rel.JoinKind, on []expr.Scalar) *from {
	out := merged(left, right)
	for i, t := range out.tables {
		isLeft := i < len(left.tables)
		t.nullable = t.nullable || kind == rel.JoinFull || kind == rel.JoinLeft && !isLeft || kind == rel.JoinRight && isLeft
	}
	switch {
	case isUnit(left.rel) && kind == rel.JoinInner && len(on) == 0:
		out.rel = rewriteRel(right.rel, 0, dropLevel)
	case kind == rel.JoinInner && isCall(right.rel):
		out.rel = callOn(left.rel, right.rel, on)
	case refersOut(right.rel):
		out.rel = &rel.Apply{Kind: kind, Left: left.rel, Right: right.rel, On: on}
	default:
		out.rel = &rel.Join{Kind: kind, Left: left.rel, Right: rewriteRel(right.rel, 0, dropLevel), On: on}
	}
	return out
}

// merged are the names of two items side by side.
func merged(left, right *from) *from {
	width := len(left.rel.Columns())
	out := &from{tables: slices.Clone(left.tables), names: slices.Clone(left.names)}
	for _, t := range right.tables {
		c := *t
		c.cols = nil
		for _, col := range t.cols {
			c.cols = append(c.cols, shifted(col, width, &c))
		}
		out.tables = append(out.tables, &c)
	}
	for _, col := range right.names {
		out.names = append(out.names, shifted(col, width, out.ownerOf(col, right, len(left.tables))))
	}
	return out
}

// ownerOf is the table in out that stands for the table of col in right, whose tables begin at place base.
func (f *from) ownerOf(col column, right *from, base int) *table {
	i := slices.Index(right.tables, col.table)
	if i < 0 {
		return nil
	}
	return f.tables[base+i]
}

// shifted is a column of the right side of a join whose left side has width columns.
func shifted(c column, width int, owner *table) column {
	c.table = owner
	c.value = expr.Transform(c.value, func(s expr.Scalar) expr.Scalar {
		if col, ok := s.(*expr.Column); ok {
			return &expr.Column{Index: col.Index + width, Typ: col.Typ, Name: col.Name}
		}
		return s
	})
	return c
}

// isCall recognises the plan of a single function in FROM.
func isCall(r rel.Rel) bool {
	switch n := r.(type) {
	case *rel.FlatMap:
		return isUnit(n.Input)
	case *rel.Map:
		return isUnit(n.Input)
	default:
		return false
	}
}

// callOn calls the function on the rows of left instead of for each row of an Apply.
func callOn(left, call rel.Rel, on []expr.Scalar) rel.Rel {
	var r rel.Rel
	switch n := call.(type) {
	case *rel.FlatMap:
		c := *n
		c.Input, c.Args = left, rewriteScalars(n.Args, 0, dropLevel)
		r = &c
	case *rel.Map:
		r = &rel.Map{Input: left, Exprs: rewriteScalars(n.Exprs, 0, dropLevel), Names: n.Names}
	}
	if len(on) > 0 {
		r = &rel.Filter{Input: r, Preds: on}
	}
	return r
}
