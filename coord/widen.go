package coord

import (
	"context"
	"slices"
	"strings"

	"millrace/arrangement"
	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sources/infer"
	"millrace/sql/ast"
)

// allOf is the query of all rows of a relation.
func allOf(it *catalog.Item) *ast.Query {
	name := ast.Name{Parts: []string{it.Schema, it.Name}}
	return &ast.Query{Body: &ast.Select{Targets: []ast.Target{{Expr: &ast.Star{}}}, From: []ast.TableExpr{&ast.TableRef{Name: name}}}}
}

// fixedColumns refuses a relation that may get more columns, for what needs to know them all.
func fixedColumns(it *catalog.Item) *repr.Error {
	if it.Stored == nil {
		return nil
	}
	return repr.NewError(repr.CodeFeatureNotSupported, "\""+it.Name+"\" finds out its columns and may get more, and this needs columns that stay").
		WithHint("make it a materialized view first: CREATE MATERIALIZED VIEW … AS SELECT … FROM " + ast.QuoteIdent(it.Name))
}

// widener is a connector that can be told while it runs of members that are columns from now on.
type widener interface{ Widen(cols repr.RowDesc) }

// addMissing runs ALTER SOURCE … ADD MISSING COLUMNS: members of records that no column has become columns, also of the records that were
// read before. Views that there are keep the columns that they have.
func (s *Session) addMissing(ctx context.Context, st *ast.AlterAddMissing) (*Result, *repr.Error) {
	res := &Result{Tag: "ALTER SOURCE"}
	it, err := s.findFor(ast.KindSource, st.Name, st.IfExists)
	if err != nil || it == nil {
		return res, err
	}
	if it.Failed != nil {
		return nil, errFailed(it).At(st.Name.Pos)
	}
	if it.Stored == nil {
		return nil, repr.NewError(repr.CodeWrongObjectType, "source \""+it.Name+"\" does not find out its columns").
			WithHint("one that is made with FORMAT JSON (INFER) does").At(st.Name.Pos)
	}
	if err := s.awaitReady(ctx, []uint64{it.ID}); err != nil { // the fields of what there is, also of a source that was just made
		return nil, err
	}
	found, err := s.missing(ctx, it)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		s.notice(Notice{Severity: "NOTICE", Code: "MR008", Message: "no record of source \"" + it.Name + "\" has a field that is not a column"})
		return res, nil
	}
	err = s.changeCatalog(ctx, func(snap *catalog.Snapshot) (*catalog.Snapshot, *repr.Error) { return widened(snap, it, found) })
	if err != nil {
		return nil, err
	}
	s.notice(Notice{Severity: "NOTICE", Code: "MR007", Message: "columns added: " + columnsText(found),
		Hint: "the records read before have their values too; views that there are keep the columns that they have"})
	return res, s.c.do(ctx, func() {
		if r := s.c.sources[it.ID]; r != nil {
			if w, ok := r.connector.(widener); ok {
				w.Widen(found)
			}
		}
	})
}

// widened is the catalog with more columns of a source.
func widened(snap *catalog.Snapshot, it *catalog.Item, found repr.RowDesc) (*catalog.Snapshot, *repr.Error) {
	now := snap.Item(it.ID)
	if now == nil || len(now.Desc) != len(it.Desc) {
		return nil, repr.NewError(repr.CodeUndefinedTable, "\""+it.Name+"\" was changed meanwhile").WithHint("run the statement again")
	}
	altered := *now
	var err error
	if altered.Def, err = widenedSpec(now.Def, found); err != nil {
		return nil, asError(err)
	}
	altered.Desc = append(now.Desc[:len(now.Desc):len(now.Desc)], found...)
	snap, last, _ := snap.NextIDs() // what was bound before knows of no number behind it
	altered.Added = append([]uint64(nil), now.Added...)
	for range found {
		altered.Added = append(altered.Added, last+1)
	}
	return snap.With(&altered), nil
}

// widenedSpec is what the catalog keeps of a source that finds out its columns, with more of them.
func widenedSpec(def any, found repr.RowDesc) (_ any, err error) {
	switch spec := def.(type) {
	case *kafkaSource:
		more := *spec
		more.foundSchemas.value, err = infer.Widened(spec.foundSchemas.value, found)
		return &more, err
	case *fileSource:
		more := *spec
		more.foundSchemas.value, err = infer.Widened(spec.foundSchemas.value, found)
		return &more, err
	}
	return nil, repr.NewError(repr.CodeInternal, "a source that does not find out its columns has what no column has")
}

// missing are the members of what no column has of the rows of a source, with types that take all their values, by name.
func (s *Session) missing(ctx context.Context, it *catalog.Item) (repr.RowDesc, *repr.Error) {
	var rows *arrangement.Snapshot
	var failure *repr.Error
	err := s.c.do(ctx, func() {
		if col := s.c.collections[it.ID]; col != nil {
			rows, _, failure = col.at(s.c.oracle.complete)
		} else {
			failure = repr.NewError(repr.CodeObjectNotReady, "source \""+it.Name+"\" is not there yet")
		}
	})
	if err == nil {
		err = failure
	}
	if err != nil {
		return nil, err
	}
	rest := len(it.Stored) - 1
	var found infer.Fields
	cur := rows.Cursor()
	for cur.Seek(nil); cur.Valid(); cur.Next() {
		if d, _ := repr.Decode(repr.SkipN(cur.Row(), rest)); !d.IsNull() {
			found.Add(d.Bytes())
		}
	}
	var out repr.RowDesc
	for _, c := range found.Columns() {
		if it.Desc.Index(c.Name) < 0 {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b repr.Column) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}
