package slt

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// views are the materialized views that stand for the queries of a file.
type views struct {
	r *runner
	// states are by the text of the query.
	states map[string]*viewState
	order  []*viewState
	made   int
}

// viewState is one query and its view.
type viewState struct {
	sql     string
	columns int
	last    int    // the number of the last record that asks it
	name    string // of the view; empty: there is none
	why     string // there is none
}

// newViews learns the queries of a file.
func newViews(r *runner) *views {
	v := &views{r: r, states: map[string]*viewState{}}
	for i, rec := range r.file.records {
		if rec.kind == halt {
			break
		}
		if rec.kind != query || !rec.wanted(r.opts.Engine) {
			continue
		}
		s := v.states[rec.sql]
		if s == nil {
			s = &viewState{sql: rec.sql, columns: len(rec.types), why: "it needs no table that is created"}
			v.states[rec.sql] = s
			v.order = append(v.order, s)
		}
		s.last = i
	}
	return v
}

var (
	creates = regexp.MustCompile(`(?i)^\s*CREATE\s`)
	undoes  = regexp.MustCompile(`(?i)^\s*(DROP|ALTER)\s`)
	missing = regexp.MustCompile(`^42P01|^42704|^3F000`)
)

// before takes the views away when a statement is going to drop or alter what they need.
func (v *views) before(ctx context.Context, rec *record) error {
	if !undoes.MatchString(rec.sql) {
		return nil
	}
	for _, s := range v.order {
		if s.name == "" {
			continue
		}
		a, err := v.r.conn.Ask(ctx, "DROP MATERIALIZED VIEW "+s.name)
		if err != nil {
			return err
		}
		if a.Err != nil {
			v.r.failf(rec, "drop the view of a query: %v\n%s", a.Err, s.sql)
		}
		s.name = ""
	}
	return nil
}

// after makes the views that a statement has made possible, of the queries still to come.
func (v *views) after(ctx context.Context, i int, rec *record) error {
	if rec.fails || !creates.MatchString(rec.sql) && !undoes.MatchString(rec.sql) {
		return nil
	}
	for _, s := range v.order {
		if s.name != "" || s.last < i {
			continue
		}
		if err := v.make(ctx, rec, s); err != nil {
			return err
		}
	}
	return nil
}

func (v *views) make(ctx context.Context, rec *record, s *viewState) error {
	v.made++
	name := fmt.Sprintf("view_of_query_%d", v.made)
	cols := make([]string, s.columns)
	for i := range cols {
		cols[i] = fmt.Sprintf("c%d", i+1)
	}
	a, err := v.r.conn.Ask(ctx, "CREATE MATERIALIZED VIEW "+name+" ("+strings.Join(cols, ", ")+") AS\n"+s.sql)
	switch {
	case err != nil:
		return err
	case a.Err == nil:
		s.name, s.why = name, ""
	case a.Err.Code == "0A000":
		s.why = a.Err.Message
	case !missing.MatchString(a.Err.Code):
		v.r.failf(rec, "make a view of a query: %v\n%s", a.Err, s.sql)
		s.why = a.Err.Error()
	}
	return nil
}

// read is what to ask for a query, and whether that is its view.
func (v *views) read(rec *record) (string, bool) {
	s := v.states[rec.sql]
	if s.name == "" {
		v.r.result.Unkept[s.why]++
		return rec.sql, false
	}
	v.r.result.Kept++
	return "SELECT * FROM " + s.name, true
}
