package coord

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"millrace/coord/catalog"
	"millrace/internal/journal"
	"millrace/repr"
	"millrace/sql/ast"
)

// kindsOf are the catalog kinds that a word of DROP or ALTER may mean. DROP VIEW also takes a materialized
// view, as it did in the dialect of 2021.
var kindsOf = map[ast.ObjectKind][]catalog.Kind{
	ast.KindTable:            {catalog.Table},
	ast.KindView:             {catalog.View, catalog.MaterializedView},
	ast.KindMaterializedView: {catalog.MaterializedView},
	ast.KindSource:           {catalog.Source},
	ast.KindSink:             {catalog.Sink},
	ast.KindIndex:            {catalog.Index},
	ast.KindConnection:       {catalog.Connection},
	ast.KindSecret:           {catalog.Secret},
	ast.KindSubscription:     {catalog.Subscription},
}

// findFor finds the object that a DROP, ALTER or SHOW CREATE names; nil when there is none and that is allowed.
func (s *Session) findFor(kind ast.ObjectKind, name ast.Name, ifExists bool) (*catalog.Item, *repr.Error) {
	kinds, ok := kindsOf[kind]
	if !ok {
		return nil, unsupported("this statement for a "+strings.ToLower(kind.String()), name.Pos)
	}
	snap := s.c.Catalog()
	it := snap.Find(name.Parts, s.path())
	if kind == ast.KindConnection || kind == ast.KindSecret {
		it = snap.FindOther(name.Parts, s.path())
	}
	word := strings.ToLower(kind.String())
	if it == nil {
		if ifExists {
			s.notice(Notice{Severity: "NOTICE", Code: repr.CodeSuccess, Message: word + " \"" + name.String() + "\" does not exist, skipping"})
			return nil, nil
		}
		code := repr.CodeUndefinedTable
		if !slices.ContainsFunc(kinds, catalog.Kind.IsRelation) {
			code = repr.CodeUndefinedObject
		}
		return nil, repr.NewError(code, word+" \""+name.String()+"\" does not exist").At(name.Pos)
	}
	if it.Kind == catalog.System {
		return nil, repr.NewError(repr.CodeInsufficientPrivilege, "permission denied: \""+it.Name+"\" is a system table").At(name.Pos)
	}
	if it.Hidden {
		return nil, repr.NewError(repr.CodeDependentObjects, "\""+it.Name+"\" belongs to a source and goes with it").At(name.Pos)
	}
	fed := it.From != 0 && (kind == ast.KindView || kind == ast.KindMaterializedView || kind == ast.KindSource) // as it was called in 2021
	if !slices.Contains(kinds, it.Kind) && !fed {
		return nil, repr.NewError(repr.CodeWrongObjectType, "\""+it.Name+"\" is not a "+word).
			WithHint("it is " + a(it.Kind)).At(name.Pos)
	}
	return it, nil
}

func (s *Session) drop(ctx context.Context, st *ast.Drop) (*Result, *repr.Error) {
	tag := "DROP " + st.Kind.String()
	if st.Kind == ast.KindSchema {
		return &Result{Tag: tag}, s.dropSchemas(ctx, st)
	}
	var items []*catalog.Item
	for _, name := range st.Names {
		it, err := s.findFor(st.Kind, name, st.IfExists)
		if err != nil {
			return nil, err
		}
		if it != nil && !slices.Contains(items, it) {
			items = append(items, it)
		}
	}
	if len(items) == 0 {
		return &Result{Tag: tag}, nil
	}
	return &Result{Tag: tag}, atName(s.dropItems(ctx, items, st.Cascade, false), st.Names)
}

// atName gives an error the position of the name that it is about, where there is no doubt.
func atName(err *repr.Error, names []ast.Name) *repr.Error {
	if err == nil || len(names) != 1 {
		return err
	}
	return err.At(names[0].Pos)
}

// removal is what is dropped at one moment.
type removal struct {
	items   []*catalog.Item
	schemas []string
	cascade bool // and with them what depends on them
	undo    bool // they were made by a transaction block that is not committed, and go whatever the log says
}

// dropItems drops objects at one moment, and with cascade what depends on them.
func (s *Session) dropItems(ctx context.Context, items []*catalog.Item, cascade, undo bool) *repr.Error {
	gone, err := s.removeBy(ctx, s.c.dropItems, removal{items: items, cascade: cascade, undo: undo})
	if err == nil {
		s.noticeCascade(gone)
	}
	return err
}

// removeBy has the loop drop things, and takes away what they leave on the other side.
func (s *Session) removeBy(ctx context.Context, drop func(removal) ([]*catalog.Item, *repr.Error), r removal) (gone []*catalog.Item, err *repr.Error) {
	var failure *repr.Error
	var left []*sourceRun
	err = s.c.do(ctx, func() {
		gone, failure = drop(r)
		left = s.c.takeLeaving()
	})
	s.leave(ctx, left)
	if err == nil {
		err = failure
	}
	return gone, err
}

// dropItems is the part that runs in the loop. It gives the objects that went because others did, without those that are parts
// of others.
func (c *Coordinator) dropItems(r removal) (gone []*catalog.Item, err *repr.Error) {
	snap := c.catalog.Load()
	chosen := map[uint64]bool{}
	for _, it := range r.items {
		chosen[it.ID] = true
	}
	all := slices.Clone(r.items)
	for _, it := range r.items {
		for _, d := range snap.Dependents(it.ID) {
			if chosen[d.ID] {
				continue
			}
			if d.Hidden || d.Kind == catalog.Index {
				all = append(all, d)
				continue
			}
			if !r.cascade {
				return nil, errDependents(snap, it, chosen)
			}
			chosen[d.ID] = true
			all, gone = append(all, d), append(gone, d)
		}
	}
	slices.SortFunc(all, func(a, b *catalog.Item) int { return cmp.Compare(b.ID, a.ID) })
	all = slices.Compact(all)
	next := snap
	for _, it := range all {
		next = next.Without(it.ID)
	}
	var notes []journal.Note
	for _, schema := range r.schemas {
		next = next.WithoutSchema(schema)
		notes = append(notes, journal.Note{Key: openSchemaNote(schema)})
	}
	if r.undo {
		c.takeBack(next, notes...)
	} else if err := c.commitCatalog(next, notes...); err != nil {
		return nil, err
	}
	for _, it := range all {
		c.end(it)
	}
	return gone, nil
}

// errDependents refuses to drop what others need.
func errDependents(snap *catalog.Snapshot, it *catalog.Item, chosen map[uint64]bool) *repr.Error {
	deps := slices.DeleteFunc(snap.Dependents(it.ID), func(d *catalog.Item) bool {
		return d.Hidden || d.Kind == catalog.Index || chosen[d.ID]
	})
	return repr.NewError(repr.CodeDependentObjects, "cannot drop "+it.Kind.String()+" "+it.FullName()+
		" because other objects depend on it").WithDetail(dependsText(deps, it)).
		WithHint("use DROP … CASCADE to drop the dependent objects too")
}

// noticeCascade says what a DROP … CASCADE took along.
func (s *Session) noticeCascade(gone []*catalog.Item) {
	names := make([]string, len(gone))
	for i, g := range gone {
		names[i] = g.Kind.String() + " " + g.FullName()
	}
	switch len(names) {
	case 0:
	case 1:
		s.noticef("drop cascades to " + names[0])
	default:
		s.notice(Notice{Severity: "NOTICE", Code: repr.CodeSuccess, Message: "drop cascades to " + itoa(int64(len(gone))) + " other objects",
			Detail: "drop cascades to " + strings.Join(names, "\ndrop cascades to ")})
	}
}

// remove drops an object by number, with what depends on it; undo says that its block is undone.
func (s *Session) remove(ctx context.Context, id uint64, undo bool) *repr.Error {
	it := s.c.Catalog().Item(id)
	if it == nil {
		return nil
	}
	return s.dropItems(ctx, []*catalog.Item{it}, true, undo)
}

// end ends what runs for an object that is not in the catalog any more. It runs in the loop.
func (c *Coordinator) end(it *catalog.Item) {
	if c.revival != nil {
		delete(c.revival.waiting, it.ID)
	}
	switch it.Kind {
	case catalog.MaterializedView, catalog.Index:
		c.uninstall(it.ID)
	case catalog.Table:
		c.starve(it)
		c.dropBase(it.ID)
	case catalog.Source:
		c.stopSource(it.ID)
		c.dropBase(it.ID)
	case catalog.Sink:
		c.stopSink(it.ID)
	case catalog.Subscription:
		c.endNamed(it.ID)
	default: // nothing runs for the others
	}
}

func (c *Coordinator) dropBase(id uint64) {
	if col := c.collections[id]; col != nil {
		c.dropCollection(col)
	}
}

// dropSchemas drops schemas at one moment, and with CASCADE what is in them.
func (s *Session) dropSchemas(ctx context.Context, st *ast.Drop) *repr.Error {
	var schemas []string
	for _, name := range st.Names {
		schema := name.Last()
		if slices.Contains(catalog.SystemSchemas, schema) {
			return repr.NewError(repr.CodeInsufficientPrivilege, "permission denied for schema "+schema).At(name.Pos)
		}
		if s.c.Catalog().HasSchema(schema) {
			schemas = append(schemas, schema)
			continue
		}
		if !st.IfExists {
			return repr.NewError(repr.CodeInvalidSchemaName, "schema \""+schema+"\" does not exist").At(name.Pos)
		}
		s.noticef("schema \"" + schema + "\" does not exist, skipping")
	}
	gone, err := s.removeBy(ctx, s.c.dropSchemas, removal{schemas: schemas, cascade: st.Cascade})
	if err == nil {
		s.noticeCascade(gone)
	}
	return atName(err, st.Names)
}

// dropSchemas is the part that runs in the loop.
func (c *Coordinator) dropSchemas(r removal) (gone []*catalog.Item, err *repr.Error) {
	snap := c.catalog.Load()
	for _, it := range snap.Items() {
		if !slices.Contains(r.schemas, it.Schema) || it.Hidden || it.Kind == catalog.Index {
			continue
		}
		if !r.cascade {
			return nil, repr.NewError(repr.CodeDependentObjects, "cannot drop schema "+it.Schema+" because other objects depend on it").
				WithDetail(it.Kind.String() + " " + it.FullName() + " depends on schema " + it.Schema).
				WithHint("use DROP … CASCADE to drop the dependent objects too")
		}
		gone = append(gone, it)
	}
	others, err := c.dropItems(removal{items: gone, schemas: r.schemas, cascade: true, undo: r.undo})
	if err != nil {
		return nil, err
	}
	return append(gone, others...), nil
}

// a is the word for a kind with its article.
func a(k catalog.Kind) string {
	if k == catalog.Index {
		return "an " + k.String()
	}
	return "a " + k.String()
}

func dependsText(deps []*catalog.Item, on *catalog.Item) string {
	lines := make([]string, len(deps))
	for i, d := range deps {
		lines[i] = d.Kind.String() + " " + d.FullName() + " depends on " + on.Kind.String() + " " + on.FullName()
	}
	return strings.Join(lines, "\n")
}
