package coord

import (
	"context"
	"fmt"
	"strings"

	"millrace/arrangement"
	"millrace/coord/catalog"
	"millrace/internal/journal"
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/plan"
)

// changeCatalog changes the catalog: f makes the new snapshot from the present one; it runs in the loop.
func (s *Session) changeCatalog(ctx context.Context, f func(*catalog.Snapshot) (*catalog.Snapshot, *repr.Error)) *repr.Error {
	var failure *repr.Error
	err := s.c.do(ctx, func() {
		next, e := f(s.c.catalog.Load())
		if e == nil {
			e = s.c.commitCatalog(next)
		}
		failure = e
	})
	if err == nil {
		err = failure
	}
	return err
}

// newItem is a new object of a name: where it goes, without numbers. It is nil when the object exists already and
// IF NOT EXISTS was said.
func (s *Session) newItem(name ast.Name, kind catalog.Kind, ifNotExists bool) (*catalog.Item, *repr.Error) {
	snap := s.c.Catalog()
	schema, last, err := snap.Target(name.Parts, s.path())
	if err != nil {
		return nil, err.At(name.Pos)
	}
	old := snap.Taken(schema, last, kind)
	if old == nil {
		return &catalog.Item{Schema: schema, Name: last, Kind: kind, Path: s.path()}, nil
	}
	if !ifNotExists {
		return nil, errExists(old).At(name.Pos)
	}
	s.notice(Notice{Severity: "NOTICE", Code: repr.CodeDuplicateTable,
		Message: errExists(old).Message + ", skipping"})
	return nil, nil
}

func errExists(old *catalog.Item) *repr.Error {
	if !old.Kind.IsRelation() && old.Kind != catalog.Index {
		return repr.NewError(repr.CodeDuplicateObject, old.Kind.String()+" \""+old.Name+"\" already exists")
	}
	err := repr.NewError(repr.CodeDuplicateTable, "relation \""+old.Name+"\" already exists")
	return err.WithDetail("there is " + a(old.Kind) + " of that name")
}

// add puts a new item, with its parts, into the catalog, with whatever has to happen in the loop at the same moment, and
// remembers how to undo it when the transaction block is rolled back.
func (s *Session) add(ctx context.Context, it *catalog.Item, and func() *repr.Error, parts ...*catalog.Item) *repr.Error {
	begun := false
	err := s.changeMarked(ctx, func() journal.Note { return openMark(it) }, func(snap *catalog.Snapshot) (*catalog.Snapshot, *repr.Error) {
		for _, n := range append(parts, it) {
			if old := snap.Taken(n.Schema, n.Name, n.Kind); old != nil {
				return nil, errExists(old)
			}
		}
		if !snap.HasSchema(it.Schema) {
			return nil, repr.NewError(repr.CodeInvalidSchemaName, "schema \""+it.Schema+"\" does not exist")
		}
		for _, d := range it.Depends {
			if snap.Item(d) == nil {
				return nil, repr.NewError(repr.CodeUndefinedTable, "a relation that \""+it.Name+"\" needs was dropped meanwhile")
			}
		}
		snap = s.number(snap, it)
		for _, p := range parts {
			snap = s.number(snap, p)
		}
		if and != nil {
			if err := and(); err != nil {
				return nil, err
			}
			begun = true
		}
		for _, n := range append(parts, it) {
			if col := s.c.collections[n.ID]; col != nil {
				n.Since = col.ok.Since()
			}
		}
		for _, p := range parts {
			snap = snap.With(p)
		}
		return snap.With(it), nil
	})
	if err != nil && begun {
		_ = s.c.do(context.WithoutCancel(ctx), func() {
			for _, n := range append(parts, it) {
				s.c.end(n)
			}
		})
	}
	if err == nil && s.tx.open {
		s.tx.undo = append(s.tx.undo, func(ctx context.Context) *repr.Error { return s.remove(ctx, it.ID, true) })
	}
	return err
}

// number gives an item its numbers, unless it has them.
func (s *Session) number(snap *catalog.Snapshot, it *catalog.Item) *catalog.Snapshot {
	if it.ID != 0 {
		return snap
	}
	snap, it.ID, it.OID = snap.NextIDs()
	return snap
}

// reserve takes numbers for an item before it is in the catalog.
func (s *Session) reserve(ctx context.Context, it *catalog.Item) *repr.Error {
	return s.changeCatalog(ctx, func(snap *catalog.Snapshot) (*catalog.Snapshot, *repr.Error) {
		return s.number(snap, it), nil
	})
}

func (s *Session) createTable(ctx context.Context, st *ast.CreateTable) (*Result, *repr.Error) {
	switch {
	case st.As != nil:
		return nil, unsupported("CREATE TABLE … AS", st.Pos)
	case st.Temporary:
		return nil, unsupported("CREATE TEMPORARY TABLE", st.Pos)
	}
	it, err := s.newItem(st.Name, catalog.Table, st.IfNotExists)
	if err != nil || it == nil {
		return &Result{Tag: "CREATE TABLE"}, err
	}
	desc, _, err := plan.Columns(st.Columns, st.Constraints)
	if err != nil {
		return nil, err
	}
	if err := checkConstraints(st); err != nil {
		return nil, err
	}
	it.Desc, it.CreateSQL, it.Statement = desc, ast.Format(st), ast.Format(st)
	if it.Retain, err = ownRetention(&st.Options); err != nil {
		return nil, err
	}
	if it.Columns, err = s.columnDefs(st, desc); err != nil {
		return nil, err
	}
	err = s.add(ctx, it, func() *repr.Error {
		s.c.addBase(it.ID, it.Name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Result{Tag: "CREATE TABLE"}, nil
}

// checkConstraints refuses the constraints that a table would not keep.
func checkConstraints(st *ast.CreateTable) *repr.Error {
	for _, c := range st.Constraints {
		if what, ok := refusedConstraints[c.Kind]; ok {
			return unsupported(what, c.Pos)
		}
	}
	for _, col := range st.Columns {
		for _, c := range col.Constraints {
			if what, ok := refusedConstraints[c.Kind]; ok {
				return unsupported(what, c.Pos)
			}
		}
	}
	return nil
}

// refusedConstraints are the constraints of a table that are not supported, by name.
var refusedConstraints = map[ast.ConstraintKind]string{
	ast.ConstraintCheck: "a CHECK constraint", ast.ConstraintForeignKey: "a FOREIGN KEY constraint",
	ast.ConstraintGenerated: "a generated column", ast.ConstraintIdentity: "an identity column",
	ast.ConstraintPrimaryKey: "a PRIMARY KEY of a table", ast.ConstraintUnique: "a UNIQUE constraint of a table",
}

// columnDefs are the defaults of a table's columns.
func (s *Session) columnDefs(st *ast.CreateTable, desc repr.RowDesc) ([]catalog.ColumnDef, *repr.Error) {
	out := make([]catalog.ColumnDef, len(desc))
	env := s.env(s.c.Catalog())
	for i, col := range st.Columns {
		for _, c := range col.Constraints {
			if c.Kind != ast.ConstraintDefault {
				continue
			}
			if err := plan.Default(env, c.Expr, desc[i]); err != nil {
				return nil, err
			}
			out[i].Default = c.Expr
		}
	}
	return out, nil
}

// addBase makes an empty collection that inputs write to. It runs in the loop.
func (c *Coordinator) addBase(id uint64, name string) *collection {
	col := newCollection(id, name, c.oracle.complete)
	col.next = arrangement.NewBuilderOn(c.memory.queued)
	c.collections[id] = col
	c.order = append(c.order, col)
	return col
}

func (s *Session) createView(ctx context.Context, st *ast.CreateView) (*Result, *repr.Error) {
	if st.Temporary {
		return nil, unsupported("CREATE TEMPORARY VIEW", st.Pos)
	}
	if o, ok := ast.FindOption(st.Options, optionRetain); ok {
		return nil, unsupported("RETAIN HISTORY of a view, which keeps nothing of its own,", o.Pos)
	}
	it, err := s.viewItem(st.Name, catalog.View, st.Query, st.Columns)
	if err != nil {
		return nil, err
	}
	it.CreateSQL, it.Statement = ast.Format(st), ast.Format(st)
	if old := s.c.Catalog().Taken(it.Schema, it.Name, catalog.View); old != nil && st.OrReplace {
		return s.replaceView(ctx, old, it)
	}
	if free, err := s.newItem(st.Name, catalog.View, st.IfNotExists); err != nil || free == nil {
		return &Result{Tag: "CREATE VIEW"}, err
	}
	if err := s.add(ctx, it, nil); err != nil {
		return nil, err
	}
	s.warnBadRecords(ctx, it.Depends)
	return &Result{Tag: "CREATE VIEW"}, nil
}

// viewItem plans a view's query and makes its catalog item, without numbers.
func (s *Session) viewItem(name ast.Name, kind catalog.Kind, q *ast.Query, columns []ast.Ident) (*catalog.Item, *repr.Error) {
	if q.AsOf != nil {
		return nil, unsupported("AS OF in a view, which follows what it reads,", q.AsOf.Pos)
	}
	snap := s.c.Catalog()
	schema, last, err := snap.Target(name.Parts, s.path())
	if err != nil {
		return nil, err.At(name.Pos)
	}
	bound, err := plan.QueryAsView(s.env(snap), q, columns, kind == catalog.MaterializedView)
	if err != nil {
		return nil, err
	}
	return &catalog.Item{Schema: schema, Name: last, Kind: kind, Desc: bound.Cols, Query: q, QueryText: ast.Format(q),
		Path: s.path(), Depends: bound.Depends, Sees: snap.NextID()}, nil
}

// replaceView puts a new query in the place of a plain view that nothing maintained depends on.
func (s *Session) replaceView(ctx context.Context, old, it *catalog.Item) (*Result, *repr.Error) {
	if old.Kind != catalog.View {
		return nil, repr.NewError(repr.CodeWrongObjectType, "\""+old.Name+"\" is not a view")
	}
	if deps := s.c.Catalog().Dependents(old.ID); len(deps) > 0 {
		return nil, repr.NewError(repr.CodeDependentObjects, "cannot replace view "+old.Name+" because other objects depend on it").
			WithDetail(dependsText(deps, old)).WithHint("drop them first, or give the new view another name")
	}
	it.ID, it.OID = old.ID, old.OID
	err := s.changeCatalog(ctx, func(snap *catalog.Snapshot) (*catalog.Snapshot, *repr.Error) {
		if snap.Item(old.ID) == nil {
			return nil, repr.NewError(repr.CodeUndefinedTable, "view \""+old.Name+"\" was dropped meanwhile")
		}
		return snap.With(it), nil
	})
	if err != nil {
		return nil, err
	}
	return &Result{Tag: "CREATE VIEW"}, nil
}

func (s *Session) createMaterializedView(ctx context.Context, st *ast.CreateMaterializedView) (*Result, *repr.Error) {
	const tag = "CREATE MATERIALIZED VIEW"
	if st.OrReplace {
		return nil, unsupported("CREATE OR REPLACE MATERIALIZED VIEW", st.Pos)
	}
	if st.NoData {
		return nil, unsupported("WITH NO DATA", st.Pos)
	}
	it, err := s.viewItem(st.Name, catalog.MaterializedView, st.Query, st.Columns)
	if err != nil {
		return nil, err
	}
	it.CreateSQL, it.Statement = ast.Format(st), ast.Format(st)
	if err := viewOptions(it, st.Options); err != nil {
		return nil, err
	}
	if free, err := s.newItem(st.Name, catalog.MaterializedView, st.IfNotExists); err != nil || free == nil {
		return &Result{Tag: tag}, err
	}
	started := s.c.opts.Clock.Now()
	if err := s.reserve(ctx, it); err != nil {
		return nil, err
	}
	sh := s.sharer()
	defer sh.done()
	v, err := s.newView(ctx, sh, it)
	if err != nil {
		return nil, err
	}
	it.Keys, it.Grows = v.keys, v.grows
	if err := s.fillView(ctx, it, v); err != nil {
		return nil, err
	}
	s.warnBadRecords(ctx, v.inputs)
	s.reread(ctx, v)
	s.notice(Notice{Severity: "NOTICE", Code: "MR002", Message: fmt.Sprintf("view %q is up to date (%s in %s, %s)",
		it.Name, counted(v.out.ok.Rows(), "row"), took(s.c.opts.Clock.Now().Sub(started)), sizeText(v.out.bytes()+v.flow.Bytes()))})
	s.warnErrors(ctx, it)
	return &Result{Tag: tag}, nil
}

// fillView fills the dataflow of a materialized view or index and puts both into the catalog; on an error nothing of
// it is left.
func (s *Session) fillView(ctx context.Context, it *catalog.Item, v *view) *repr.Error {
	word := map[catalog.Kind]string{catalog.MaterializedView: "view", catalog.Index: "index"}[it.Kind]
	err := s.hydrate(ctx, v, nil, func(p string) {
		s.notice(Notice{Severity: "NOTICE", Code: "MR003", Message: "filling " + word + " \"" + it.Name + "\": " + p})
	})
	if err != nil {
		return err
	}
	if err := s.add(ctx, it, nil); err != nil {
		s.c.later(func() { s.c.uninstall(it.ID) })
		return err
	}
	return nil
}

func sizeText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f kB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
}

// createIndex arranges a relation by columns, so that a query that is run once and gives values of them reads no
// other rows.
func (s *Session) createIndex(ctx context.Context, st *ast.CreateIndex) (*Result, *repr.Error) {
	const tag = "CREATE INDEX"
	switch {
	case st.Unique:
		return nil, unsupported("CREATE UNIQUE INDEX", st.Pos)
	case st.Where != nil:
		return nil, unsupported("a partial index", st.Where.Position())
	}
	on := s.c.Catalog().Find(st.On.Parts, s.path())
	if on == nil {
		return nil, s.noRelation(s.c.Catalog(), st.On)
	}
	if on.Kind == catalog.View || on.Kind == catalog.System || !on.Kind.IsRelation() {
		return nil, unsupported("an index on a "+on.Kind.String(), st.On.Pos)
	}
	if on.Failed != nil {
		return nil, errFailed(on).At(st.On.Pos)
	}
	it := &catalog.Item{Schema: on.Schema, Kind: catalog.Index, On: on.ID, Path: s.path()}
	if len(st.Options) > 0 {
		o := st.Options[0]
		if o.Name == optionRetain {
			return nil, errIndexHistory(on, o.Pos)
		}
		return nil, repr.NewError(repr.CodeInvalidParameter, "unrecognized parameter \""+o.Name+"\"").At(o.Pos)
	}
	var names []string
	for _, k := range st.Keys {
		ref, ok := k.Expr.(*ast.ColumnRef)
		if !ok {
			return nil, unsupported("an index on an expression", k.Pos)
		}
		i := on.Desc.Index(ref.Column())
		if i < 0 {
			return nil, repr.NewError(repr.CodeUndefinedColumn, "column \""+ref.Column()+"\" does not exist").At(ref.Pos)
		}
		if i >= len(on.Desc)-len(on.Added) {
			return nil, unsupported("an index on a column that was added to its source", ref.Pos).WithHint("make a materialized view of the source, and the index on that")
		}
		it.IndexCols = append(it.IndexCols, i)
		names = append(names, ref.Column())
	}
	it.Name = st.Name
	if it.Name == "" {
		it.Name = s.freeName(on.Schema, strings.Join(append([]string{on.Name}, append(names, "idx")...), "_"))
	}
	if old := s.c.Catalog().Taken(it.Schema, it.Name, catalog.Index); old != nil {
		if !st.IfNotExists {
			return nil, errExists(old).At(st.Pos)
		}
		s.notice(Notice{Severity: "NOTICE", Code: repr.CodeDuplicateTable, Message: errExists(old).Message + ", skipping"})
		return &Result{Tag: tag}, nil
	}
	named := *st
	named.Name = it.Name
	it.CreateSQL, it.Statement = ast.Format(&named), ast.Format(&named)
	if len(it.IndexCols) == 0 {
		return &Result{Tag: tag}, s.add(ctx, it, nil) // a default index: the relation's own order
	}
	if err := s.reserve(ctx, it); err != nil {
		return nil, err
	}
	v, err := s.newIndex(it)
	if err != nil {
		return nil, err
	}
	return &Result{Tag: tag}, s.fillView(ctx, it, v)
}

// freeName is the name, with a number behind it when it is taken.
func (s *Session) freeName(schema, name string) string {
	snap := s.c.Catalog()
	for i := 0; ; i++ {
		try := name
		if i > 0 {
			try += itoa(int64(i))
		}
		if snap.Taken(schema, try, catalog.Table) == nil {
			return try
		}
	}
}

func (s *Session) createSchema(ctx context.Context, st *ast.CreateSchema) (*Result, *repr.Error) {
	name := st.Name.Last()
	exists := repr.NewError("42P06", "schema \""+name+"\" already exists")
	skipped := false
	err := s.changeMarked(ctx, func() journal.Note { return journal.Note{Key: openSchemaNote(name), Value: []byte{1}} }, func(snap *catalog.Snapshot) (*catalog.Snapshot, *repr.Error) {
		if !snap.HasSchema(name) {
			return snap.WithSchema(name), nil
		}
		if skipped = st.IfNotExists; !skipped {
			return nil, exists.At(st.Name.Pos)
		}
		return snap, nil
	})
	if err == nil && skipped {
		s.notice(Notice{Severity: "NOTICE", Code: exists.Code, Message: exists.Message + ", skipping"})
	}
	if err == nil && !skipped && s.tx.open {
		s.tx.undo = append(s.tx.undo, func(ctx context.Context) *repr.Error {
			_, err := s.removeBy(ctx, s.c.dropSchemas, removal{schemas: []string{name}, cascade: true, undo: true})
			return err
		})
	}
	return &Result{Tag: "CREATE SCHEMA"}, err
}

func (s *Session) comment(ctx context.Context, st *ast.Comment) (*Result, *repr.Error) {
	kind, name, column := st.Kind, st.Name, ""
	if kind == ast.KindColumn {
		column = name.Last()
		name = ast.Name{At: name.At, Parts: name.Qualifiers()}
		kind = ast.KindTable
	}
	snap := s.c.Catalog()
	it := snap.Find(name.Parts, s.path())
	if it == nil {
		it = snap.FindOther(name.Parts, s.path())
	}
	if it == nil {
		return nil, repr.NewError(repr.CodeUndefinedTable, strings.ToLower(kind.String())+" \""+name.String()+"\" does not exist").At(name.Pos)
	}
	if it.Failed != nil {
		return nil, errFailed(it).At(name.Pos)
	}
	at := 0
	if column != "" {
		if at = it.Desc.Index(column) + 1; at == 0 {
			return nil, repr.NewError(repr.CodeUndefinedColumn, "column \""+column+"\" of relation \""+it.Name+"\" does not exist").At(name.Pos)
		}
	}
	err := s.changeCatalog(ctx, func(snap *catalog.Snapshot) (*catalog.Snapshot, *repr.Error) {
		now := snap.Item(it.ID)
		if now == nil {
			return nil, repr.NewError(repr.CodeUndefinedTable, "\""+it.Name+"\" was dropped meanwhile")
		}
		noted := *now
		noted.Comments = map[int]string{}
		for k, v := range now.Comments {
			noted.Comments[k] = v
		}
		if st.Removed {
			delete(noted.Comments, at)
		} else {
			noted.Comments[at] = st.Text
		}
		return snap.With(&noted), nil
	})
	return &Result{Tag: "COMMENT"}, err
}
