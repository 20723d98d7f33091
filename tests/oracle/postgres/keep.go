package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"millrace/tests/inside"
	"millrace/tests/oracle/sqlgen"
	"millrace/tests/slt"
)

// tries is how many questions making a fault smaller may ask.
const tries = 600

// queryFault makes a wrong answer small, and keeps it.
func (o *Oracle) queryFault(ctx context.Context, seed uint64, i int, v verdict) (Fault, error) {
	w := o.world(seed)
	w.queries, w.late = w.queries[i:i+1], w.late[i:i+1]
	v = o.smaller(ctx, w, v)
	f := Fault{Seed: seed, Query: i, What: "the " + v.way + ": " + v.why}
	script, err := o.script(ctx, seed, i, w)
	if err != nil {
		return f, err
	}
	f.SQL = script
	if o.opts.Keep != "" {
		f.File = filepath.Join(o.opts.Keep, fmt.Sprintf("seed-%d-%d.slt", seed, i))
		if err := os.MkdirAll(o.opts.Keep, 0o755); err != nil {
			return f, err
		}
		err = os.WriteFile(f.File, []byte(script), 0o644)
	}
	return f, err
}

// script is a world with one query as a script of tests/slt, with PostgreSQL's answers.
func (o *Oracle) script(ctx context.Context, seed uint64, i int, w *world) (string, error) {
	if err := o.fresh(ctx); err != nil {
		return "", err
	}
	s := &script{o: o}
	when := "before the data"
	if w.late[0] {
		when = "in the middle of the history"
	}
	fmt.Fprintf(&s.out, "# Query %d of the world of seed %d, its view made %s.\n", i, seed, when)
	for _, table := range w.history.Schema.Kids {
		s.statement(ctx, table)
	}
	for _, batch := range w.history.Batches.Kids {
		if batch == nil {
			continue
		}
		for _, change := range batch.Kids {
			s.statement(ctx, change)
		}
		s.query(ctx, w.queries[0])
	}
	if !s.asked { // no change is needed to show it
		s.query(ctx, w.queries[0])
	}
	return s.out.String(), s.err
}

// script is a script in the making. The first error stays.
type script struct {
	o     *Oracle
	out   strings.Builder
	asked bool
	err   error
}

func (s *script) ask(ctx context.Context, n *sqlgen.Node) *inside.Answer {
	if n == nil || s.err != nil {
		return nil
	}
	var a *inside.Answer
	a, s.err = ask(ctx, s.o.pg, n.String())
	return a
}

func (s *script) statement(ctx context.Context, n *sqlgen.Node) {
	if a := s.ask(ctx, n); a != nil && a.Err == nil {
		fmt.Fprintf(&s.out, "\nstatement ok\n%s\n", n)
	} else if a != nil {
		fmt.Fprintf(&s.out, "\nstatement error %s\n%s\n", a.Err.Code, n)
	}
}

func (s *script) query(ctx context.Context, n *sqlgen.Node) {
	a := s.ask(ctx, n)
	s.asked = true
	switch {
	case a == nil:
	case a.Err != nil:
		fmt.Fprintf(&s.out, "\nstatement error %s\n%s\n", a.Err.Code, n)
	default:
		fmt.Fprintf(&s.out, "\nquery %s rowsort\n%s\n----\n", strings.Repeat("T", len(a.Types)), n)
		for _, line := range slt.Lines(a) {
			s.out.WriteString(line + "\n")
		}
	}
}

// changeFault makes a change small that went differently on the two sides.
func (o *Oracle) changeFault(ctx context.Context, seed uint64, d *diverged) Fault {
	w := o.world(seed)
	if small := o.smallerChange(ctx, w, d); small != nil {
		d = small
	}
	return Fault{Seed: seed, Query: -1, What: d.Error(), SQL: w.history.Schema.String() + w.history.Batches.String()}
}

// smaller makes a world with one query smaller while its verdict stays of the same sort, and gives the last verdict.
func (o *Oracle) smaller(ctx context.Context, w *world, v verdict) verdict {
	last := v
	fails := func() bool {
		all, err := o.run(ctx, w)
		if err != nil || len(all) == 0 {
			return false
		}
		got := all[0].verdict
		if !alike(v, got) {
			return false
		}
		last = got
		return true
	}
	root := &sqlgen.Node{Kids: []*sqlgen.Node{w.queries[0]}}
	left := shrinkQuery(w, root, tries, fails)
	history := &sqlgen.Node{Kids: []*sqlgen.Node{w.history.Batches, w.history.Schema}}
	left = sqlgen.Shrink(history, left, fails)
	shrinkQuery(w, root, left, fails)
	return last
}

// shrinkQuery makes the query of a world smaller; it is the only kid of root, so that it may be replaced as a whole.
func shrinkQuery(w *world, root *sqlgen.Node, tries int, fails func() bool) int {
	return sqlgen.Shrink(root, tries, func() bool {
		was := w.queries[0]
		w.queries[0] = root.Kids[0]
		if fails() {
			return true
		}
		w.queries[0] = was
		return false
	})
}

// alike says whether two verdicts are of the same fault, as far as can be told: the same way was wrong, with rows or
// with an error of the same code.
func alike(a, b verdict) bool {
	return a.kind == b.kind && a.way == b.way && symptom(a) == symptom(b)
}

func symptom(v verdict) string {
	first, _, _ := strings.Cut(v.why, ":")
	return reason(first)
}

// smallerChange makes the history of a world smaller in which a change went differently on the two sides.
func (o *Oracle) smallerChange(ctx context.Context, w *world, first *diverged) *diverged {
	var last *diverged
	w.queries = nil
	root := &sqlgen.Node{Kids: []*sqlgen.Node{w.history.Batches, w.history.Schema}}
	sqlgen.Shrink(root, tries, func() bool {
		_, err := o.run(ctx, w)
		var d *diverged
		if !errors.As(err, &d) || d.pg != first.pg || d.ours != first.ours {
			return false
		}
		last = d
		return true
	})
	return last
}
