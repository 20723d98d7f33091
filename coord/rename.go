package coord

import (
	"context"
	"slices"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/parse"
)

// rename runs ALTER … RENAME TO.
func (s *Session) rename(ctx context.Context, st *ast.AlterRename) (*Result, *repr.Error) {
	if st.Column != "" {
		return nil, unsupported("ALTER … RENAME COLUMN", st.Pos)
	}
	it, err := s.findFor(st.Kind, st.Name, st.IfExists)
	if err != nil || it == nil {
		return &Result{Tag: "ALTER " + st.Kind.String()}, err
	}
	if it.Failed != nil {
		return nil, errFailed(it).At(st.Name.Pos)
	}
	deps := slices.DeleteFunc(s.c.Catalog().Dependents(it.ID), func(d *catalog.Item) bool { return !namesWhatItNeeds(d) })
	if len(deps) > 0 {
		return nil, repr.NewError(repr.CodeDependentObjects, "cannot rename "+it.Name+" because others name it").WithDetail(dependsText(deps, it))
	}
	var named []*catalog.Item // it, and what bears its name
	err = s.changeCatalog(ctx, func(snap *catalog.Snapshot) (*catalog.Snapshot, *repr.Error) {
		now := snap.Item(it.ID)
		if now == nil {
			return nil, repr.NewError(repr.CodeUndefinedTable, "\""+it.Name+"\" was dropped meanwhile")
		}
		named = []*catalog.Item{now}
		if part := s.c.errorsOf(now); part != nil {
			named = append(named, part)
		}
		for _, n := range named {
			if old := snap.Taken(n.Schema, calledThen(n, st.NewName), n.Kind); old != nil {
				return nil, errExists(old)
			}
		}
		for _, n := range named {
			if snap, err = renamed(snap, n, calledThen(n, st.NewName)); err != nil {
				return nil, err
			}
		}
		return snap, nil
	})
	if err == nil {
		s.c.later(func() { s.c.rename(named, st.NewName) })
	}
	return &Result{Tag: "ALTER " + st.Kind.String()}, err
}

// calledThen is what an object is called when it, or the source that it belongs to, is given a name.
func calledThen(it *catalog.Item, name string) string {
	if it.Hidden {
		return errorsName(name)
	}
	return name
}

// rename has what runs for objects call them by another name. It runs in the loop.
func (c *Coordinator) rename(named []*catalog.Item, name string) {
	for _, n := range named {
		if col := c.collections[n.ID]; col != nil {
			col.name = calledThen(n, name)
		}
		if r := c.sources[n.ID]; r != nil {
			r.tellPolicy()
		}
	}
}

// namesWhatItNeeds says whether the statement of an object is only understood while what it needs has the name it had.
func namesWhatItNeeds(it *catalog.Item) bool {
	return it.Query != nil || it.Failed != nil || it.Kind == catalog.Source && !it.Hidden || it.Kind == catalog.Sink ||
		it.Kind == catalog.Subscription || it.Kind == catalog.Connection || it.From != 0
}

// renamed is the catalog with another name of an object, also in the statement that makes it and in those of its indexes.
func renamed(snap *catalog.Snapshot, it *catalog.Item, name string) (*catalog.Snapshot, *repr.Error) {
	as := *it
	as.Name = name
	err := rewrite(&as, func(st ast.Statement) { rename(st, name) })
	snap = snap.With(&as)
	for _, d := range snap.Dependents(it.ID) {
		if err != nil || d.Kind != catalog.Index || d.On != it.ID || d.Failed != nil {
			continue
		}
		index := *d
		err = rewrite(&index, func(st ast.Statement) { last(&st.(*ast.CreateIndex).On, name) })
		snap = snap.With(&index)
	}
	return snap, err
}

// rewrite changes the statement that makes an object, and what is shown of it.
func rewrite(it *catalog.Item, change func(ast.Statement)) *repr.Error {
	for _, text := range []*string{&it.Statement, &it.CreateSQL} {
		parsed, err := parse.Parse(*text)
		if err != nil {
			return asError(err)
		}
		if len(parsed) == 0 {
			continue
		}
		change(parsed[0].Stmt)
		*text = ast.Format(parsed[0].Stmt)
	}
	return nil
}

// rename gives what a statement makes another name; its schema stays.
func rename(stmt ast.Statement, name string) {
	if st, ok := stmt.(*ast.CreateIndex); ok {
		st.Name = name
		return
	}
	if made := ast.Made(stmt); made != nil {
		last(made, name)
	}
}

// last puts another name behind the qualifiers.
func last(n *ast.Name, name string) {
	n.Parts = append(slices.Clone(n.Qualifiers()), name)
}
