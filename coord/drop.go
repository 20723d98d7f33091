package coord

import (
	"context"
	"slices"
	"strings"

	"millrace/coord/catalog"
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
			s.notice(Notice{Severity: "NOTICE", Code: "00000", Message: word + " \"" + name.String() + "\" does not exist, skipping"})
			return nil, nil
		}
		code := repr.CodeUndefinedTable
		if !slices.ContainsFunc(kinds, catalog.Kind.IsRelation) {
			code = repr.CodeUndefinedObject
		}
		return nil, repr.NewError(code, word+" \""+name.String()+"\" does not exist").At(name.Pos)
	}
	if it.Kind == catalog.System {
		return nil, repr.NewError("42501", "permission denied: \""+it.Name+"\" is a system table").At(name.Pos)
	}
	if it.Hidden {
		return nil, repr.NewError(repr.CodeDependentObjects, "\""+it.Name+"\" belongs to a source and goes with it").At(name.Pos)
	}
	if !slices.Contains(kinds, it.Kind) {
		return nil, repr.NewError(repr.CodeWrongObjectType, "\""+it.Name+"\" is not a "+word).
			WithHint("it is a " + it.Kind.String() + "; use DROP " + strings.ToUpper(it.Kind.String())).At(name.Pos)
	}
	return it, nil
}

func (s *Session) drop(ctx context.Context, st *ast.Drop) (*Result, *repr.Error) {
	tag := "DROP " + st.Kind.String()
	if st.Kind == ast.KindSchema {
		return &Result{Tag: tag}, s.dropSchemas(ctx, st)
	}
	for _, name := range st.Names {
		it, err := s.findFor(st.Kind, name, st.IfExists)
		if err != nil {
			return nil, err
		}
		if it == nil {
			continue
		}
		if err := s.dropItem(ctx, it, st.Cascade); err != nil {
			return nil, err.At(name.Pos)
		}
	}
	return &Result{Tag: tag}, nil
}

// dropItem drops one object, and with cascade what depends on it.
func (s *Session) dropItem(ctx context.Context, it *catalog.Item, cascade bool) *repr.Error {
	var failure *repr.Error
	var gone []*catalog.Item
	err := s.c.do(ctx, func() {
		snap := s.c.catalog.Load()
		deps := snap.Dependents(it.ID)
		visible := slices.DeleteFunc(slices.Clone(deps), func(d *catalog.Item) bool {
			return d.Hidden || d.Kind == catalog.Index && d.On == it.ID
		})
		if len(visible) > 0 && !cascade {
			failure = repr.NewError(repr.CodeDependentObjects, "cannot drop "+it.Kind.String()+" "+it.FullName()+
				" because other objects depend on it").WithDetail(dependsText(visible, it)).
				WithHint("use DROP … CASCADE to drop the dependent objects too")
			return
		}
		gone = visible
		for _, d := range slices.Backward(deps) {
			s.c.discard(d)
		}
		s.c.discard(it)
	})
	if err == nil {
		err = failure
	}
	if err == nil && len(gone) > 0 {
		names := make([]string, len(gone))
		for i, g := range gone {
			names[i] = g.Kind.String() + " " + g.FullName()
		}
		s.notice(Notice{Severity: "NOTICE", Code: "00000", Message: "drop cascades to " + itoa(int64(len(gone))) + " other objects",
			Detail: "drop cascades to " + strings.Join(names, "\ndrop cascades to ")})
	}
	return err
}

// remove drops an object by number, with what depends on it.
func (s *Session) remove(ctx context.Context, id uint64) *repr.Error {
	it := s.c.Catalog().Item(id)
	if it == nil {
		return nil
	}
	return s.dropItem(ctx, it, true)
}

// discard takes an object out of the catalog and ends what runs for it. It runs in the loop.
func (c *Coordinator) discard(it *catalog.Item) {
	switch it.Kind {
	case catalog.MaterializedView:
		c.uninstall(it.ID)
	case catalog.Table:
		c.dropBase(it.ID)
	case catalog.Source:
		c.stopSource(it.ID)
		c.dropBase(it.ID)
	case catalog.Sink:
		c.stopSink(it.ID)
	default: // nothing runs for the others
	}
	c.catalog.Store(c.catalog.Load().Without(it.ID))
}

func (c *Coordinator) dropBase(id uint64) {
	if col := c.collections[id]; col != nil {
		c.dropCollection(col)
	}
}

func (s *Session) dropSchemas(ctx context.Context, st *ast.Drop) *repr.Error {
	for _, name := range st.Names {
		schema := name.Last()
		snap := s.c.Catalog()
		if !snap.HasSchema(schema) {
			if st.IfExists {
				s.noticef("schema \"" + schema + "\" does not exist, skipping")
				continue
			}
			return repr.NewError("3F000", "schema \""+schema+"\" does not exist").At(name.Pos)
		}
		if slices.Contains(catalog.SystemSchemas, schema) {
			return repr.NewError("42501", "permission denied for schema "+schema).At(name.Pos)
		}
		for _, it := range snap.Items() {
			if it.Schema != schema || it.Hidden || s.c.Catalog().Item(it.ID) == nil {
				continue
			}
			if !st.Cascade {
				return repr.NewError(repr.CodeDependentObjects, "cannot drop schema "+schema+" because other objects depend on it").
					WithDetail(it.Kind.String() + " " + it.FullName() + " depends on schema " + schema).
					WithHint("use DROP … CASCADE to drop the dependent objects too").At(name.Pos)
			}
			if err := s.dropItem(ctx, it, true); err != nil {
				return err
			}
		}
		err := s.changeCatalog(ctx, func(now *catalog.Snapshot) (*catalog.Snapshot, *repr.Error) {
			return now.WithoutSchema(schema), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func dependsText(deps []*catalog.Item, on *catalog.Item) string {
	lines := make([]string, len(deps))
	for i, d := range deps {
		lines[i] = d.Kind.String() + " " + d.FullName() + " depends on " + on.Kind.String() + " " + on.FullName()
	}
	return strings.Join(lines, "\n")
}
