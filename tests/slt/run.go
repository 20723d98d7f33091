package slt

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"millrace/tests/inside"
)

// The engines that skipif and onlyif name.
const (
	Millrace   = "millrace"
	PostgreSQL = "postgresql"
)

// Options say how a file is run.
type Options struct {
	Engine string
	// Views makes a materialized view of each query as early as can be, and reads it back from there.
	Views bool
	// Accept takes what the engine answers for right: Result.Text has it.
	Accept bool
}

// Result is how a run went.
type Result struct {
	Queries int
	// Kept is how many of the queries were read from views; Unkept counts the others by the reason.
	Kept   int
	Unkept map[string]int
	// Failures are the records that went otherwise than the file says.
	Failures []string
	// Text is the file with the answers of the engine, if they were to be accepted.
	Text string
}

// runner runs one file.
type runner struct {
	file      *File
	conn      *inside.Conn
	opts      Options
	result    *Result
	threshold int
	labels    map[string][]string
	views     *views
}

// Run runs a file on a connection to an engine with nothing in it. An error is one of the connection; what the file
// finds wrong stands in the result.
func Run(ctx context.Context, conn *inside.Conn, f *File, opts Options) (*Result, error) {
	r := &runner{file: f, conn: conn, opts: opts, labels: map[string][]string{}, result: &Result{Unkept: map[string]int{}}}
	if opts.Views {
		r.views = newViews(r)
	}
	for i, rec := range f.records {
		if !rec.wanted(opts.Engine) {
			continue
		}
		if rec.kind == halt {
			break
		}
		if err := r.step(ctx, i, rec); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", f.Path, rec.line, err)
		}
	}
	if opts.Accept {
		r.result.Text = f.rewritten()
	}
	return r.result, nil
}

func (r *runner) step(ctx context.Context, i int, rec *record) error {
	switch rec.kind {
	case halt: // the caller ends
	case hashThreshold:
		r.threshold = rec.threshold
	case statement:
		return r.statement(ctx, i, rec)
	case query:
		return r.query(ctx, rec)
	}
	return nil
}

func (r *runner) failf(rec *record, format string, args ...any) {
	r.result.Failures = append(r.result.Failures, fmt.Sprintf("%s:%d: %s", r.file.Path, rec.line, fmt.Sprintf(format, args...)))
}

func (r *runner) statement(ctx context.Context, i int, rec *record) error {
	if r.views != nil {
		if err := r.views.before(ctx, rec); err != nil {
			return err
		}
	}
	a, err := r.conn.Ask(ctx, rec.sql)
	if err != nil {
		return err
	}
	switch {
	case a.Err != nil && !rec.fails:
		r.failf(rec, "%v\n%s", a.Err, rec.sql)
	case a.Err == nil && rec.fails:
		r.failf(rec, "no error, want %s\n%s", rec.match, rec.sql)
	case rec.fails && !matches(a.Err, rec.match):
		r.failf(rec, "%v, want %s\n%s", a.Err, rec.match, rec.sql)
	}
	if r.views != nil {
		return r.views.after(ctx, i, rec)
	}
	return nil
}

var sqlstate = regexp.MustCompile(`^[0-9A-Z]{5}$`)

// matches says whether an error is the one that was to come.
func matches(e *inside.Error, match string) bool {
	if match == "" || sqlstate.MatchString(match) && e.Code == match {
		return true
	}
	re, err := regexp.Compile(match)
	return err == nil && re.MatchString(e.Message)
}

func (r *runner) query(ctx context.Context, rec *record) error {
	r.result.Queries++
	sql, kept := rec.sql, false
	if r.views != nil {
		sql, kept = r.views.read(rec)
	}
	a, err := r.conn.Ask(ctx, sql)
	if err != nil {
		return err
	}
	if a.Err != nil {
		r.failf(rec, "%v\n%s", a.Err, rec.sql)
		return nil
	}
	if len(a.Types) != len(rec.types) {
		r.failf(rec, "%d columns, want %d\n%s", len(a.Types), len(rec.types), rec.sql)
		return nil
	}
	r.judge(rec, a, kept)
	return nil
}

// judge compares an answer with what the file says.
func (r *runner) judge(rec *record, a *inside.Answer, kept bool) {
	values := printed(a, rec.sort, kept)
	got := r.lines(values, len(rec.types))
	if r.opts.Accept {
		rec.want = got
		return
	}
	want := rec.want
	if kept && rec.sort == "nosort" { // a view has no order
		want = slices.Sorted(slices.Values(want))
	}
	if n := len(rec.types); n > 1 && len(want) == len(values)*n && n*len(values) > 0 && !slices.ContainsFunc(want, hasTab) {
		want = joined(want, n)
	}
	if !slices.Equal(got, want) {
		r.failf(rec, "%s\n---- got\n%s\n---- want\n%s", rec.sql, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if rec.label == "" {
		return
	}
	if earlier, ok := r.labels[rec.label]; ok && !slices.Equal(earlier, got) {
		r.failf(rec, "not the answer of the earlier query labelled %s\n%s", rec.label, rec.sql)
	}
	r.labels[rec.label] = got
}

func hasTab(s string) bool { return strings.Contains(s, "\t") }

// joined puts the values of rows, one a line, onto lines of rows.
func joined(values []string, n int) []string {
	var out []string
	for row := range slices.Chunk(values, n) {
		out = append(out, strings.Join(row, "\t"))
	}
	return out
}

// printed are the rows as text, in the order in which they are compared.
func printed(a *inside.Answer, order string, kept bool) []string {
	rows := make([]string, len(a.Rows))
	var all []string
	for i, row := range a.Rows {
		cells := make([]string, len(row))
		for j, c := range row {
			cells[j] = cell(c)
		}
		all = append(all, cells...)
		rows[i] = strings.Join(cells, "\t")
	}
	switch {
	case order == "valuesort":
		slices.Sort(all)
		return joined(all, max(1, len(a.Types)))
	case order == "rowsort" || kept:
		slices.Sort(rows)
	}
	return rows
}

// Lines are the rows of an answer as a query with rowsort has them below its ----.
func Lines(a *inside.Answer) []string { return printed(a, "rowsort", false) }

var escapes = strings.NewReplacer("\n", `\n`, "\t", `\t`)

func cell(s string) string {
	switch s {
	case inside.Null:
		return "NULL"
	case "":
		return "(empty)"
	}
	return escapes.Replace(s)
}

// lines are the rows, or the hash of their values when there are too many.
func (r *runner) lines(rows []string, columns int) []string {
	if n := len(rows) * columns; r.threshold > 0 && n > r.threshold {
		h := md5.New()
		for _, row := range rows {
			_, _ = h.Write([]byte(strings.ReplaceAll(row, "\t", "\n") + "\n")) // a hash does not fail
		}
		return []string{fmt.Sprintf("%d values hashing to %s", n, hex.EncodeToString(h.Sum(nil)))}
	}
	return rows
}

// String tells how many queries were kept as views, and why the others were not.
func (r *Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d queries, %d read from views", r.Queries, r.Kept)
	for _, why := range slices.Sorted(maps.Keys(r.Unkept)) {
		fmt.Fprintf(&b, "\n  %d: %s", r.Unkept[why], why)
	}
	return b.String()
}
