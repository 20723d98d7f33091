package coord

import (
	"context"
	"strings"

	"millrace/arrangement"
	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sql/ast"
)

// An expression of a view that fails on a row makes an error row in place of it. By itself a view with such rows cannot be read, as SQL
// has it; one that is lenient shows the rows that there are, and says what it leaves out.

// settingOnError has a session read all relations so.
const settingOnError = "on_error"

// What ON ERROR is for a view.
const (
	onErrorFail       = "fail"
	onErrorQuarantine = "quarantine"
)

// leniency reads ON ERROR from the options of a materialized view.
func leniency(options []ast.Option) (bool, *repr.Error) {
	o, ok := ast.FindOption(options, optionOnError)
	if !ok {
		return false, nil
	}
	switch strings.ToLower(o.Value.Text) {
	case onErrorFail:
		return false, nil
	case onErrorQuarantine:
		return true, nil
	}
	return false, repr.NewError(repr.CodeInvalidParameter, "ON ERROR of a view is fail or quarantine").
		WithHint("fail refuses to read the view while a row of it has an error, quarantine leaves such rows out and says how many").At(o.Pos)
}

// lenientIn reads it from the statement that makes an object.
func lenientIn(made ast.Statement) (bool, *repr.Error) {
	view, ok := made.(*ast.CreateMaterializedView)
	if !ok {
		return false, nil
	}
	return leniency(view.Options)
}

// viewOptions reads the options of a materialized view.
func viewOptions(it *catalog.Item, options []ast.Option) (err *repr.Error) {
	rest := dropOptions(options, func(name string) bool { return name == optionOnError })
	if it.Lenient, err = leniency(options); err == nil {
		it.Retain, err = ownRetention(&rest)
	}
	return err
}

// isLenient says whether reads of a relation in this session leave out what has an error.
func (s *Session) isLenient(id uint64) bool {
	if v, _ := s.settings.get(settingOnError); v == onErrorQuarantine {
		return true
	}
	return s.c.isLenient(id)
}

// isLenient says whether a relation is so for all.
func (c *Coordinator) isLenient(id uint64) bool {
	it := c.Catalog().Item(id)
	return it != nil && it.Lenient
}

// leaveOut takes the errors of lenient relations out of a reading, and says so.
func (s *Session) leaveOut(r *reading) {
	for id, errs := range r.errs {
		if errs.Rows() == 0 || !s.isLenient(id) {
			continue
		}
		s.noteLeftOut(s.nameOf(id), errs)
		r.errs[id] = arrangement.New().Snapshot()
	}
}

// nameOf is a relation in words; what is no object is a query.
func (s *Session) nameOf(id uint64) string {
	if it := s.c.Catalog().Item(id); it != nil {
		return "\"" + it.Name + "\""
	}
	return "the query"
}

// noteLeftOut says how many rows of a relation are not shown, and why the first of them is not.
func (s *Session) noteLeftOut(name string, errs *arrangement.Snapshot) {
	var n int64
	var first *repr.Error
	cur := errs.Cursor()
	for cur.Seek(nil); cur.Valid(); cur.Next() {
		if first == nil {
			first = errorOf(cur.Row())
		}
		n += cur.Diff()
	}
	if n != 0 {
		s.notice(Notice{Severity: "NOTICE", Code: "MR006", Message: name + " is read without " + counted(n, "row") + " that an expression fails on: " + first.Message,
			Hint: "SELECT * FROM mz_internal.mz_view_errors shows them"})
	}
}

// warnErrors tells who has made a view that rows of it have errors, for which it cannot be read.
func (s *Session) warnErrors(ctx context.Context, it *catalog.Item) {
	var errs []catalog.ViewError
	_ = s.c.do(ctx, func() {
		if col := s.c.collections[it.ID]; col != nil {
			errs = s.c.viewErrors(col)
		}
	})
	if len(errs) == 0 || it.Lenient {
		return
	}
	s.notice(Notice{Severity: "WARNING", Code: "MR009", Message: "view \"" + it.Name + "\" cannot be read while an expression fails on a row: " + errs[0].Message,
		Hint: "SELECT * FROM mz_internal.mz_view_errors shows these rows; ALTER MATERIALIZED VIEW … SET (ON ERROR = quarantine) leaves them out"})
}

// mostShownErrors is how many errors of a view the system table shows.
const mostShownErrors = 1000

// viewErrors are the errors in the content of a collection, for the system table. It runs in the loop.
func (c *Coordinator) viewErrors(col *collection) []catalog.ViewError {
	if col.errs.Rows() == 0 {
		return nil
	}
	_, errs, err := col.at(c.oracle.complete)
	if err != nil {
		return nil // it has just been made
	}
	var out []catalog.ViewError
	cur := errs.Cursor()
	for cur.Seek(nil); cur.Valid() && len(out) < mostShownErrors; cur.Next() {
		e := errorOf(cur.Row())
		out = append(out, catalog.ViewError{Code: e.Code, Message: e.Message, Detail: e.Detail, Rows: cur.Diff()})
	}
	return out
}
