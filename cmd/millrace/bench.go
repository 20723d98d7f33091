package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"millrace/bench"
	"millrace/bench/events"
	"millrace/dataflow"
	"millrace/internal/clock"
	"millrace/repr"
	"millrace/sql"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/parse"
	"millrace/sql/plan"
)

// benchRun is one run of a query over an event file.
type benchRun struct {
	query  bench.Query
	file   *events.File
	flow   *dataflow.Dataflow
	inputs map[uint64]bool
	check  events.Check
	batch  int
	limit  int64
	step   repr.Time
	worst  time.Duration // of a step
	done   int64         // records read
	load   string        // what the load of the tables took, once it is over
	grows  bool          // the planner is told that the tables only grow
}

// runBench runs one query from its SQL text over an event file and prints what it took. The clock starts before the
// first record is decoded.
func runBench(ctx context.Context, args []string) (err error) {
	fs := flag.NewFlagSet("millrace bench QUERY", flag.ContinueOnError)
	input := fs.String("input", "", "event `file`; its name begins with nexmark, kv, join2 or q3")
	profile := fs.String("cpuprofile", "", "`file` to write a profile of the run to")
	batch := fs.Int("batch", 10_000, "records of one tick")
	workers := fs.Int("workers", 1, "workers of the dataflow")
	retract := fs.Bool("may-retract", false, "do not let the planner know that the records of a file only add rows")
	limit := fs.Int64("limit", 0, "records to read; 0 is all")
	heap := fs.String("memprofile", "", "`file` to write a profile of the memory held at the end to")
	other := map[string]func(context.Context, []string) error{"tpch": runTPCH, "curve": runCurve, "latency": runLatency}
	if len(args) > 0 && other[args[0]] != nil {
		return other[args[0]](ctx, args[1:])
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("name a query: %s", queryNames())
	}
	if err := fs.Parse(args[1:]); err != nil {
		return errUsage
	}
	q, ok := bench.Find(args[0])
	if !ok {
		return fmt.Errorf("there is no query %q; there are %s", args[0], queryNames())
	}
	f, err := events.Open(*input)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := &benchRun{query: q, file: f, batch: *batch, limit: *limit, grows: f.Grows() && !*retract}
	if err := r.plan(*workers); err != nil {
		return err
	}
	defer r.flow.Close()
	stop, err := startProfile(*profile)
	if err != nil {
		return err
	}
	err = r.measure(ctx, *workers)
	return errors.Join(err, stop(), writeHeap(*heap))
}

// measure runs the query and prints what it took, with the garbage collector set as the server sets it.
func (r *benchRun) measure(ctx context.Context, workers int) error {
	debug.SetGCPercent(gcPercent)
	wall, cpu := clock.System{}.Now(), cpuSeconds()
	if err := r.run(ctx, cpu); err != nil {
		return err
	}
	sec := clock.System{}.Now().Sub(wall).Seconds()
	fmt.Printf("MILLRACE %s workers=%d sec=%.3f cpu_s=%.3f %s worst_ms=%.1f held_mb=%d rss_mb=%d%s\n", r.query.Name, workers, sec,
		cpuSeconds()-cpu, r.check.String(), 1e3*r.worst.Seconds(), r.flow.Bytes()>>20, residentMB(), r.load)
	return nil
}

// startProfile writes a profile of the processor to a file until it is stopped; no path is no profile.
func startProfile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	out, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return out.Close()
	}, nil
}

// writeHeap writes a profile of the memory that is held; no path is no profile.
func writeHeap(path string) error {
	if path == "" {
		return nil
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("heap").WriteTo(out, 0), out.Close())
}

func queryNames() string {
	var names []string
	for _, q := range bench.Queries {
		names = append(names, q.Name)
	}
	return strings.Join(append(names, "tpch (all queries of TPC-H)"), ", ")
}

// benchCatalog is a catalog that holds the tables of one file.
type benchCatalog struct {
	tables []events.Table
	grow   bool
}

// Resolve finds a table of the file.
func (c benchCatalog) Resolve(parts, _ []string) (*plan.Item, *repr.Error) {
	for i, t := range c.tables {
		if t.Name == parts[len(parts)-1] {
			return &plan.Item{ID: uint64(i + 1), Schema: "public", Name: t.Name, Desc: t.Columns, Grows: c.grow}, nil
		}
	}
	return nil, repr.NewError(repr.CodeUndefinedTable, "relation \""+strings.Join(parts, ".")+"\" does not exist").
		WithHint("the event file has no such table")
}

// plan takes the query from its text to a dataflow.
func (r *benchRun) plan(workers int) error { return r.planOver(r.file.Tables(), workers) }

// planOver takes the query to a dataflow over tables.
func (r *benchRun) planOver(tables []events.Table, workers int) error {
	stmts, err := parse.Parse(r.query.SQL)
	if err != nil {
		return err
	}
	env := &plan.Env{Catalog: benchCatalog{tables: tables, grow: r.grows}, Path: []string{"public"}, Eval: &expr.Env{}}
	bound, perr := plan.QueryAsView(env, stmts[0].Stmt.(*ast.Query), nil, true)
	if perr != nil {
		return perr
	}
	compiled, perr := sql.Compile(env.Eval, bound.Rel)
	if perr != nil {
		return perr
	}
	r.inputs = map[uint64]bool{}
	for _, id := range compiled.Inputs {
		r.inputs[id] = true
	}
	r.check.Width = events.Counted(bound.Rel.Columns())
	r.flow = dataflow.New(compiled.Graph, dataflow.Options{Workers: workers, Unsorted: true, Clock: clock.System{}})
	return nil
}

// run feeds the file, a tick for each batch, and adds up what comes out. cpu is the processor time at the start.
func (r *benchRun) run(ctx context.Context, cpu float64) error {
	var b events.Batch
	r.file.Want(func(i int) bool { return r.inputs[uint64(i)+1] })
	for n := r.next(); n > 0; n = r.next() {
		err := r.file.Read(&b, n)
		if err != nil && err != io.EOF {
			return err
		}
		if b.Len() == 0 {
			return nil
		}
		if err := r.tick(ctx, &b); err != nil {
			return err
		}
		if r.done += int64(b.Len()); r.done == r.file.LoadLen() {
			r.load = fmt.Sprintf(" load_cpu_s=%.3f", cpuSeconds()-cpu)
		}
	}
	return nil
}

// next is how many records the next tick takes: none of it goes over the end of the load or the limit.
func (r *benchRun) next() int {
	n := int64(r.batch)
	if r.limit > 0 {
		n = min(n, r.limit-r.done)
	}
	if load := r.file.LoadLen(); r.done < load {
		n = min(n, load-r.done)
	}
	return int(n)
}

func (r *benchRun) tick(ctx context.Context, b *events.Batch) error {
	in := map[uint64]dataflow.Delta{}
	for t, rows := range b.Tables {
		if rows.Len() > 0 {
			in[uint64(t)+1] = dataflow.Delta{OK: rows.View()}
		}
	}
	r.step++
	start := clock.System{}.Now()
	out, err := r.flow.Step(ctx, r.step, in)
	if err != nil {
		return err
	}
	r.worst = max(r.worst, clock.System{}.Now().Sub(start))
	if out.Err.Len() > 0 {
		e, _ := dataflow.DecodeErr(out.Err.Row(0))
		return e
	}
	for i := range out.OK.Len() {
		r.check.Add(out.OK.Row(i), out.OK.Diff(i))
	}
	return nil
}

// cpuSeconds is the processor time of the whole process.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}

// residentMB is the resident memory in MiB.
func residentMB() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize()) >> 20
}
