package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"millrace/arrangement"
	"millrace/bench/events"
	benchtpch "millrace/bench/tpch"
	"millrace/dataflow"
	"millrace/internal/clock"
	"millrace/repr"
	"millrace/sources/generator"
	"millrace/sources/generator/tpch"
	"millrace/sql"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/parse"
	"millrace/sql/plan"
)

// tpchBench is the 22 queries over one history, which is made up once: each query is a dataflow of its own.
type tpchBench struct {
	workers, batch, refreshes int
	keys                      bool          // whether the planner knows the keys of the tables
	limit                     time.Duration // of one query
	operators                 bool          // whether every operator is printed
	ticks                     []map[uint64]dataflow.Delta
	loading                   int // how many ticks the load has
}

// tpchRun is what one query took.
type tpchRun struct {
	load, loadCPU float64 // seconds
	refresh       []time.Duration
	refreshCPU    float64 // seconds
	check         events.Check
	held          int64
}

// runTPCH loads the tables of TPC-H under each of its queries, refreshes them, and prints a line a query.
func runTPCH(ctx context.Context, args []string) error {
	b := &tpchBench{}
	fs := flag.NewFlagSet("millrace bench tpch", flag.ContinueOnError)
	scale := fs.Float64("scale", 0.1, "scale of the database; 1 has six million lines")
	seed := fs.Int64("seed", 1, "seed of the database")
	names := fs.String("queries", "", "queries to run, such as q3,q18; empty is all")
	fs.IntVar(&b.batch, "batch", 10_000, "rows of one tick of the load")
	fs.IntVar(&b.refreshes, "refreshes", 20, "how many refreshes follow; each replaces a thousandth of the orders and updates some rows of the other tables")
	fs.IntVar(&b.workers, "workers", 1, "workers of the dataflow")
	fs.BoolVar(&b.keys, "keys", true, "tell the planner the keys of the tables")
	fs.DurationVar(&b.limit, "limit", 2*time.Minute, "give a query up after that")
	fs.BoolVar(&b.operators, "operators", false, "print what each operator did and holds")
	profile := fs.String("cpuprofile", "", "`file` to write a profile of the run to")
	server := fs.Bool("server", false, "all queries at once, as views of one server that is driven by SQL")
	if err := fs.Parse(args); err != nil {
		return errUsage
	}
	debug.SetGCPercent(gcPercent)
	queries := chosen(*scale, *names)
	if !*server {
		if err := b.history(*scale, *seed); err != nil {
			return err
		}
	}
	stop, err := startProfile(*profile)
	if err != nil {
		return err
	}
	if *server {
		err = b.runServer(ctx, *scale, *seed, queries)
	} else {
		err = b.all(ctx, queries)
	}
	return errors.Join(err, stop())
}

// chosen are the queries of a list of names; an empty list is all.
func chosen(scale float64, names string) []benchtpch.Query {
	wanted := strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' })
	return slices.DeleteFunc(benchtpch.Queries(scale), func(q benchtpch.Query) bool {
		return len(wanted) > 0 && !slices.Contains(wanted, q.Name)
	})
}

// all runs the queries in turn. One that is given up says so and does not end the others.
func (b *tpchBench) all(ctx context.Context, queries []benchtpch.Query) error {
	for _, q := range queries {
		within, cancel := context.WithTimeout(ctx, b.limit)
		r, err := b.run(within, q)
		late := within.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case late:
			fmt.Printf("MILLRACE tpch %s workers=%d given up after %s\n", q.Name, b.workers, b.limit)
		case err != nil:
			return fmt.Errorf("%s: %w", q.Name, err)
		default:
			fmt.Printf("MILLRACE tpch %s workers=%d %s\n", q.Name, b.workers, r)
		}
	}
	return nil
}

func (r *tpchRun) String() string {
	slices.Sort(r.refresh)
	var typical, worst time.Duration
	if n := len(r.refresh); n > 0 {
		typical, worst = r.refresh[n/2], r.refresh[n-1]
	}
	return fmt.Sprintf("load_s=%.2f load_cpu_s=%.2f refresh_ms=%.2f refresh_worst_ms=%.2f refresh_cpu_ms=%.2f held_mb=%.1f rss_mb=%d %s",
		r.load, r.loadCPU, 1e3*typical.Seconds(), 1e3*worst.Seconds(), 1e3*r.refreshCPU/float64(max(len(r.refresh), 1)),
		float64(r.held)/(1<<20), residentMB(), r.check.String())
}

// history makes up the load and the refreshes, each tick sorted and consolidated, as a server hands it to its views.
func (b *tpchBench) history(scale float64, seed int64) error {
	g, err := tpch.New(scale, seed)
	if err != nil {
		return err
	}
	var part []generator.Change
	for c := range g.Load() {
		if part = append(part, c); len(part) == b.batch {
			b.ticks = append(b.ticks, tickOf(part))
			part = part[:0]
		}
	}
	if len(part) > 0 {
		b.ticks = append(b.ticks, tickOf(part))
	}
	b.loading = len(b.ticks)
	for range b.refreshes {
		b.ticks = append(b.ticks, tickOf(g.Refresh(int(1500*scale), int(10*scale)+1)))
	}
	return nil
}

// tickOf are the changes as what one tick brings to each table. Collections are numbered as the tables are, from 1.
func tickOf(changes []generator.Change) map[uint64]dataflow.Delta {
	builders := map[uint64]*arrangement.Builder{}
	for _, c := range changes {
		id := uint64(c.Table + 1)
		if builders[id] == nil {
			builders[id] = arrangement.NewBuilder()
		}
		if c.Old != nil {
			builders[id].Add(repr.AppendRow(nil, c.Old), -1)
		}
		if c.New != nil {
			builders[id].Add(repr.AppendRow(nil, c.New), 1)
		}
	}
	in := map[uint64]dataflow.Delta{}
	for id, builder := range builders {
		in[id] = dataflow.Delta{OK: builder.Seal()}
	}
	return in
}

// run is one query from its text to the end of the history.
func (b *tpchBench) run(ctx context.Context, q benchtpch.Query) (*tpchRun, error) {
	flow, inputs, err := b.plan(q)
	if err != nil {
		return nil, err
	}
	defer flow.Close()
	r := &tpchRun{}
	began, cpu := clock.System{}.Now(), cpuSeconds()
	for i, tick := range b.ticks {
		if i == b.loading {
			r.load, r.loadCPU = clock.System{}.Now().Sub(began).Seconds(), cpuSeconds()-cpu
			cpu = cpuSeconds()
		}
		in := map[uint64]dataflow.Delta{}
		for _, id := range inputs {
			in[id] = tick[id]
		}
		start := clock.System{}.Now()
		out, err := flow.Step(ctx, repr.Time(i), in)
		if err != nil {
			return nil, err
		}
		if i >= b.loading {
			r.refresh = append(r.refresh, clock.System{}.Now().Sub(start))
		}
		if err := r.take(out); err != nil {
			return nil, err
		}
	}
	if b.refreshes == 0 {
		r.load, r.loadCPU = clock.System{}.Now().Sub(began).Seconds(), cpuSeconds()-cpu
	} else {
		r.refreshCPU = cpuSeconds() - cpu
	}
	r.held = flow.Bytes()
	if b.operators {
		printOperators(flow)
	}
	return r, nil
}

func (r *tpchRun) take(out dataflow.Delta) error {
	if out.Err.Len() > 0 {
		e, _ := dataflow.DecodeErr(out.Err.Row(0))
		return e
	}
	for i := range out.OK.Len() {
		r.check.Add(out.OK.Row(i), out.OK.Diff(i))
	}
	return nil
}

func printOperators(flow *dataflow.Dataflow) {
	for _, s := range flow.Stats() {
		fmt.Printf("  %3d %8.3f s %9d in %9d out %9d rows %9.2f MB  %s\n", s.Node, s.Elapsed.Seconds(), s.RowsIn, s.RowsOut,
			s.ArrangedRows, float64(s.ArrangedBytes)/(1<<20), s.Label)
	}
}

// plan takes a query from its text to a dataflow, and says which collections it reads.
func (b *tpchBench) plan(q benchtpch.Query) (*dataflow.Dataflow, []uint64, error) {
	stmts, err := parse.Parse(q.SQL())
	if err != nil {
		return nil, nil, err
	}
	env := &plan.Env{Catalog: tpchCatalog{keys: b.keys}, Path: []string{"public"}, Eval: &expr.Env{}}
	bound, perr := plan.QueryAsView(env, stmts[0].Stmt.(*ast.Query), nil, true)
	if perr != nil {
		return nil, nil, perr
	}
	compiled, perr := sql.Compile(env.Eval, bound.Rel)
	if perr != nil {
		return nil, nil, perr
	}
	return dataflow.New(compiled.Graph, dataflow.Options{Workers: b.workers, Unsorted: true, Clock: clock.System{}}), compiled.Inputs, nil
}

// tpchCatalog holds the eight tables.
type tpchCatalog struct{ keys bool }

// Resolve finds a table.
func (c tpchCatalog) Resolve(parts, _ []string) (*plan.Item, *repr.Error) {
	for i, t := range tpch.Tables {
		if t.Name != parts[len(parts)-1] {
			continue
		}
		item := &plan.Item{ID: uint64(i + 1), Schema: "public", Name: t.Name, Desc: t.Columns}
		if c.keys {
			item.Keys = [][]int{t.Key}
		}
		return item, nil
	}
	return nil, repr.NewError(repr.CodeUndefinedTable, "relation \""+strings.Join(parts, ".")+"\" does not exist")
}
