package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// Write is a bound INSERT, UPDATE or DELETE. The query gives, for INSERT, the new rows in the order of the
// table's columns; for DELETE the old rows; for UPDATE the old row and behind it the new one. A row stands in it as
// often as it is written. NOT NULL is for the caller to check, by Table.Desc.
type Write struct {
	Table     *Item
	Query     *Bound
	Returning *Returning // nil without RETURNING
}

// Returning is RETURNING: expressions over the new row (INSERT, UPDATE) or the old one (DELETE).
type Returning struct {
	Exprs []expr.Scalar
	Cols  repr.RowDesc
}

// Insert binds INSERT.
func Insert(env *Env, n *ast.Insert) (*Write, *repr.Error) {
	if n.OnConflict {
		return nil, unsupported("ON CONFLICT", n.Pos)
	}
	n = n.Plain()
	b := newBinder(env)
	item, err := b.writable(n.Table, "insert into")
	if err != nil {
		return nil, err
	}
	places, err := insertColumns(item, n.Columns)
	if err != nil {
		return nil, err
	}
	fr, lets, err := b.with(n.With, b.top())
	if err != nil {
		return nil, err
	}
	source, places, err := b.insertSource(n, fr, item, places)
	if err != nil {
		return nil, err
	}
	row, err := b.defaults(item)
	if err != nil {
		return nil, err
	}
	cols := columnsOf(source)
	for i, p := range places {
		row[p] = cols[i]
	}
	r := wrapLets(lets, projectTo(source, row, namesOf(item.Desc)))
	return b.write(item, &output{rel: r, cols: slices.Clone(item.Desc)}, n.Alias, n.Returning)
}

// writable finds the table of a statement that writes.
func (b *binder) writable(name ast.Name, verb string) (*Item, *repr.Error) {
	item, err := b.env.Catalog.Resolve(name.Parts, b.env.Path)
	if err != nil {
		return nil, err.At(name.Pos)
	}
	kinds := map[ItemKind]string{ItemView: "view", ItemMaterializedView: "materialized view", ItemSource: "source",
		ItemSystem: "system relation", ItemIndex: "index", ItemOther: "relation"}
	if kind, ok := kinds[item.Kind]; ok {
		return nil, errAt(repr.CodeWrongObjectType, "cannot "+verb+" "+kind+" "+quote(item.Name), name.Pos)
	}
	return item, nil
}

// insertColumns are the places of the columns that are listed; all of them without a list.
func insertColumns(item *Item, list []ast.Ident) ([]int, *repr.Error) {
	if list == nil {
		return upTo(len(item.Desc)), nil
	}
	var places []int
	for _, id := range list {
		i, err := tableColumn(item, id)
		if err != nil {
			return nil, err
		}
		if slices.Contains(places, i) {
			return nil, errAt(repr.CodeDuplicateColumn, "column "+quote(id.Name)+" specified more than once", id.Pos)
		}
		places = append(places, i)
	}
	return places, nil
}

func tableColumn(item *Item, id ast.Ident) (int, *repr.Error) {
	i := item.Desc.Index(id.Name)
	if i < 0 {
		return 0, errAt(repr.CodeUndefinedColumn, "column "+quote(id.Name)+" of relation "+quote(item.Name)+" does not exist", id.Pos)
	}
	return i, nil
}

// insertSource binds what is inserted and gives each column its type. The places come back shortened where fewer
// columns than the table has are given without a list.
func (b *binder) insertSource(n *ast.Insert, fr frame, item *Item, places []int) (rel.Rel, []int, *repr.Error) {
	if n.Query == nil {
		return unit(), nil, nil
	}
	settle := func(bd body) *repr.Error {
		cols := bd.columns()
		if len(cols) > len(places) {
			return errAt(repr.CodeSyntax, "INSERT has more expressions than target columns", bd.position(len(places)))
		}
		if len(cols) < len(places) && n.Columns != nil {
			return errAt(repr.CodeSyntax, "INSERT has more target columns than expressions", n.Columns[len(cols)].Pos)
		}
		places = places[:len(cols)]
		for i, p := range places {
			if err := bd.coerce(i, item.Desc[p].Type, toColumn(item.Desc[p].Name)); err != nil {
				return err
			}
		}
		return nil
	}
	q := n.Query
	if v, ok := q.Body.(*ast.Values); ok && len(q.OrderBy) == 0 && q.Limit == nil && q.Offset == nil {
		return b.insertValues(v, q.With, fr, insertTarget{item, places, settle, &places})
	}
	out, err := b.queryWith(q, fr, settle)
	if err != nil {
		return nil, nil, err
	}
	return collapse(out), places, nil
}

// insertTarget is where the rows of VALUES go.
type insertTarget struct {
	item   *Item
	places []int
	settle func(body) *repr.Error
	final  *[]int
}

// insertValues binds VALUES of an INSERT: each item is assigned on its own, and may be DEFAULT.
func (b *binder) insertValues(v *ast.Values, w *ast.With, fr frame, to insertTarget) (rel.Rel, []int, *repr.Error) {
	fr, lets, err := b.with(w, fr)
	if err != nil {
		return nil, nil, err
	}
	rows := make([][]ast.Expr, len(v.Rows))
	for i, row := range v.Rows {
		rows[i] = slices.Clone(row)
		for j, e := range row {
			if _, ok := e.(*ast.Default); ok && j < len(to.places) {
				rows[i][j] = defaultOf(to.item, to.places[j], place(e))
			}
		}
	}
	bd, err := b.values(&ast.Values{At: v.At, Rows: rows}, fr)
	if err != nil {
		return nil, nil, err
	}
	if err := to.settle(bd); err != nil {
		return nil, nil, err
	}
	out, err := bd.build()
	if err != nil {
		return nil, nil, err
	}
	return wrapLets(lets, out.rel), *to.final, nil
}

// defaultOf is the default of a column as it was written; NULL where there is none.
func defaultOf(item *Item, i, pos int) ast.Expr {
	if i < len(item.Defaults) && item.Defaults[i] != nil {
		return item.Defaults[i]
	}
	return &ast.NullLit{At: ast.At{Pos: pos}}
}

// defaults are the defaults of all columns.
func (b *binder) defaults(item *Item) ([]expr.Scalar, *repr.Error) {
	row := make([]expr.Scalar, len(item.Desc))
	for i, c := range item.Desc {
		s, err := b.constExpr("DEFAULT").bindTo(defaultOf(item, i, 0), c.Type, toColumn(c.Name))
		if err != nil {
			return nil, err
		}
		row[i] = s
	}
	return row, nil
}

// write makes the result of a statement that writes, with RETURNING over the last row of the query.
func (b *binder) write(item *Item, out *output, alias string, returning []ast.Target) (*Write, *repr.Error) {
	w := &Write{Table: item}
	if len(returning) > 0 {
		var err *repr.Error
		if w.Returning, err = b.returning(item, alias, returning); err != nil {
			return nil, err
		}
	}
	var err *repr.Error
	w.Query, err = b.finish(out)
	return w, err
}

// returning binds RETURNING as a SELECT list over the row.
func (b *binder) returning(item *Item, alias string, list []ast.Target) (*Returning, *repr.Error) {
	f, err := b.target(item, alias)
	if err != nil {
		return nil, err
	}
	s := &selectBody{b: b, fr: b.top(), from: f, scope: f.scope(b.top()), aggs: &aggregates{}, sets: &setCalls{}}
	if err := s.bindTargets(list); err != nil {
		return nil, err
	}
	if len(s.aggs.list) > 0 || len(s.sets.list) > 0 {
		return nil, errAt(repr.CodeGrouping, "aggregate functions are not allowed in RETURNING", list[0].Pos)
	}
	if err := resolveUnknown(s); err != nil {
		return nil, err
	}
	out := &Returning{Cols: s.columns()}
	for _, t := range s.targets {
		if dependent(t.value) {
			return nil, unsupported("a subquery in RETURNING", t.pos)
		}
		out.Exprs = append(out.Exprs, t.value)
	}
	return out, nil
}

// target is the table of a statement that writes, as an item of FROM.
func (b *binder) target(item *Item, alias string) (*from, *repr.Error) {
	t := &table{alias: item.Name, schema: item.Schema, item: item}
	if alias != "" {
		t.alias, t.schema = alias, ""
	}
	get := &rel.Get{ID: item.ID, Name: item.Name, Cols: item.Desc, Keys: item.uniqueKeys()}
	return named(get, item.Desc, t, nil)
}

// Copied is where the rows of a COPY … FROM go.
type Copied struct {
	Table    *Item
	Places   []int         // of the columns that are given, in the order in which they come
	Defaults []expr.Scalar // a constant expression for each column of the table
}

// CopyInto binds the table of a COPY … FROM and its list of columns.
func CopyInto(env *Env, table ast.Name, columns []ast.Ident) (*Copied, *repr.Error) {
	b := newBinder(env)
	item, err := b.writable(table, "copy to")
	if err != nil {
		return nil, err
	}
	c := &Copied{Table: item}
	if c.Places, err = insertColumns(item, columns); err != nil {
		return nil, err
	}
	c.Defaults, err = b.defaults(item)
	return c, err
}
