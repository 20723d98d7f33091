package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"millrace/tests/inside"
	"millrace/tests/oracle/sqlgen"
)

// limit is how long one statement may take on either side before it is cancelled, and patience how long until the
// server is taken for hung.
const (
	limit    = "SET statement_timeout = '5s'"
	patience = time.Minute
)

// Options say what is asked.
type Options struct {
	PostgreSQL string // URL of a database that may be written to
	Schema     string // in it, dropped and made anew for each world; empty: random
	Queries    int    // of a world; 0: 30
	Batches    int    // of its history; 0: 5
	Keep       string // folder for what is found; empty: it is not kept
	// Without are features that are not asked for.
	Without map[sqlgen.Feature]bool
}

// Oracle asks both sides. It belongs to one goroutine.
type Oracle struct {
	Report *Report

	opts Options
	pg   *inside.Conn
}

// New makes an oracle. Close must be called in the end.
func New(opts Options) *Oracle {
	if opts.Schema == "" {
		opts.Schema = "random"
	}
	if opts.Queries == 0 {
		opts.Queries = 30
	}
	if opts.Batches == 0 {
		opts.Batches = 5
	}
	return &Oracle{opts: opts, Report: newReport()}
}

// Fault is a wrong answer, made small.
type Fault struct {
	Seed  uint64
	Query int    // its number in the world; -1: a change of the history
	What  string // the difference
	SQL   string // what shows it
	File  string // where it is kept, if it is
}

// Check asks all queries of the world of a seed.
func (o *Oracle) Check(ctx context.Context, seed uint64) ([]Fault, error) {
	w := o.world(seed)
	all, err := o.run(ctx, w)
	var d *diverged
	if errors.As(err, &d) {
		return []Fault{o.changeFault(ctx, seed, d)}, nil
	}
	if err != nil {
		o.pg = nil // it may be in the middle of something
		return nil, fmt.Errorf("seed %d: %w", seed, err)
	}
	var faults []Fault
	for i, a := range all {
		o.Report.add(a)
		if a.verdict.kind != wrong {
			continue
		}
		f, err := o.queryFault(ctx, seed, i, a.verdict)
		if err != nil {
			return faults, err
		}
		faults = append(faults, f)
	}
	return faults, nil
}

// world is a schema, its history, and queries over it.
type world struct {
	history *sqlgen.History
	queries []*sqlgen.Node
	late    []bool // the view of the query is made in the middle of the history, from what is there
	workers int
}

// world makes the world of a seed.
func (o *Oracle) world(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 0))
	g := &sqlgen.Generator{R: r, Without: o.opts.Without}
	w := &world{history: g.Schema(o.opts.Batches), workers: 1 + r.IntN(3)}
	for range o.opts.Queries {
		g.Fallible = r.IntN(10) == 0
		w.queries = append(w.queries, g.Query())
		w.late = append(w.late, r.IntN(4) == 0)
	}
	return w
}

// asked is one query in progress.
type asked struct {
	text string
	view string // its name
	late bool
	// refused is why the view could not be made.
	refused *inside.Error
	over    bool // it was judged and needs no more questions
	// compared is how many answers of ours were held against PostgreSQL's.
	compared int
	verdict  verdict
}

// run asks all queries of a world after every batch and gives a verdict for each.
func (o *Oracle) run(ctx context.Context, w *world) ([]*asked, error) {
	ours, err := serve(ctx, w.workers)
	if err != nil {
		return nil, err
	}
	defer ours.close()
	if err := o.fresh(ctx); err != nil {
		return nil, err
	}
	if err := both(ctx, o.pg, ours, w.history.Schema.String()); err != nil {
		return nil, err
	}
	var all []*asked
	for i, q := range w.queries {
		all = append(all, &asked{text: q.String(), view: fmt.Sprintf("view%d", i), late: w.late[i]})
	}
	if err := makeViews(ctx, ours, all, false); err != nil {
		return nil, err
	}
	return all, o.replay(ctx, ours, w, all)
}

// makeViews makes the views of the late queries, or of the others.
func makeViews(ctx context.Context, ours *millrace, all []*asked, late bool) error {
	for _, a := range all {
		if a.late != late {
			continue
		}
		made, err := ours.ask(ctx, "CREATE MATERIALIZED VIEW "+a.view+" AS "+a.text)
		if err != nil {
			return err
		}
		a.refused = made.Err
	}
	return nil
}

// replay does the batches on both sides, and compares after each.
func (o *Oracle) replay(ctx context.Context, ours *millrace, w *world, all []*asked) error {
	for number, batch := range w.history.Batches.Kids {
		if err := o.change(ctx, ours, batch); err != nil {
			return err
		}
		if number == len(w.history.Batches.Kids)/2 {
			if err := makeViews(ctx, ours, all, true); err != nil {
				return err
			}
			for _, a := range all {
				a.late = false
			}
		}
		if err := o.compareAll(ctx, ours, all, number); err != nil {
			return err
		}
	}
	return nil
}

// change does the statements of a batch on both sides.
func (o *Oracle) change(ctx context.Context, ours *millrace, batch *sqlgen.Node) error {
	if batch == nil {
		return nil
	}
	for _, statement := range batch.Kids {
		if statement == nil {
			continue
		}
		if err := both(ctx, o.pg, ours, statement.String()); err != nil {
			return err
		}
	}
	return nil
}

// compareAll asks the queries that were right so far.
func (o *Oracle) compareAll(ctx context.Context, ours *millrace, all []*asked, batch int) error {
	for _, a := range all {
		if a.over {
			continue
		}
		if err := o.compare(ctx, ours, a); err != nil {
			return err
		}
		a.verdict.batch = batch
	}
	return nil
}

// compare asks one query three ways, or two while its view is not made.
func (o *Oracle) compare(ctx context.Context, ours *millrace, a *asked) error {
	theirs, err := ask(ctx, o.pg, a.text)
	if err != nil {
		return err
	}
	once, err := ours.ask(ctx, a.text)
	if err != nil {
		return err
	}
	kept, answers := &inside.Answer{Err: a.refused}, 2
	switch {
	case a.late:
		kept, answers = once, 1
	case a.refused == nil:
		if kept, err = ours.ask(ctx, "SELECT * FROM "+a.view); err != nil {
			return err
		}
	}
	a.verdict = judge(a.text, theirs, once, kept)
	if a.over = a.verdict.kind != right; !a.over || a.verdict.kind == wrong {
		a.compared += answers
	}
	return nil
}

// fresh gives PostgreSQL an empty schema.
func (o *Oracle) fresh(ctx context.Context) error {
	if o.pg == nil {
		pg, err := inside.Connect(ctx, o.opts.PostgreSQL)
		if err != nil {
			return err
		}
		o.pg = pg
	}
	a, err := ask(ctx, o.pg, fmt.Sprintf(`SET client_min_messages = error; DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %[1]s;
SET search_path = %[1]s; SET timezone = 'UTC'; SET jit = off; %s`, o.opts.Schema, limit))
	if err == nil && a.Err != nil {
		err = a.Err
	}
	return err
}

// Close ends the connection to PostgreSQL.
func (o *Oracle) Close() error {
	if o.pg == nil {
		return nil
	}
	return o.pg.Close()
}

// diverged is what ends a world: the sides do not agree on a change, so that nothing after it can be compared.
type diverged struct {
	statement string
	pg, ours  string
}

func (d *diverged) Error() string {
	return fmt.Sprintf("a change went differently:\n%s\nPostgreSQL: %s\nmillrace:   %s", d.statement, d.pg, d.ours)
}

// both runs a change on both sides, which must agree on how it went.
func both(ctx context.Context, pg *inside.Conn, ours *millrace, sql string) error {
	a, err := ask(ctx, pg, sql)
	if err != nil {
		return err
	}
	b, err := ours.ask(ctx, sql)
	if err != nil {
		return err
	}
	if x, y := outcome(a), outcome(b); x != y && !nothingDone(a, b) && !nothingDone(b, a) {
		return &diverged{sql, x, y}
	}
	return nil
}

// nothingDone says that one side found no row to change, and the other an error from data before it looked, as
// PostgreSQL does when it computes what is constant.
func nothingDone(a, b *inside.Answer) bool {
	return a.Err == nil && strings.HasSuffix(a.Tag, " 0") && b.Err != nil && fromData(b.Err)
}

// outcome is how a change went: its tag, which counts rows, or the code of its error.
func outcome(a *inside.Answer) string {
	if a.Err != nil {
		return a.Err.Error()[:5]
	}
	return a.Tag
}

// ask asks one side.
func ask(ctx context.Context, c *inside.Conn, sql string) (*inside.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, err := c.Ask(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, sql)
	}
	return a, nil
}
