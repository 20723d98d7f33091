package tpch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	bench "millrace/bench/tpch"
	"millrace/sources/generator"
	"millrace/sources/generator/tpch"
	"millrace/tests/twin"
)

var postgres = twin.Postgres{BasePort: 24700}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := postgres.Down(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// The sizes of a run. A load in a few large batches and many small refreshes is what a view lives through.
const (
	loadBatches   = 4
	refreshes     = 8
	refreshOrders = 40
	refreshOthers = 15
	rowsOfInsert  = 500
)

// run is one database under change.
type run struct {
	*twin.Twin
	t       *testing.T
	queries []bench.Query
	most    map[string]int // by query: the most rows it ever had
}

// TestRefreshes is the whole life of the 22 views.
func TestRefreshes(t *testing.T) {
	for _, workers := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			scale, seed := parameter(t, "MILLRACE_TPCH_SCALE", 0.005), parameter(t, "MILLRACE_TPCH_SEED", float64(workers))
			g, err := tpch.New(scale, int64(seed))
			if err != nil {
				t.Fatal(err)
			}
			r := &run{Twin: twin.New(t, &postgres, "tpch"+strconv.Itoa(workers), workers), t: t, queries: bench.Queries(scale), most: map[string]int{}}
			r.create()
			r.load(g)
			for i := range refreshes {
				r.batch(fmt.Sprintf("refresh %d", i), g.Refresh(refreshOrders, refreshOthers))
			}
			r.empty()
			for _, q := range r.queries {
				if r.most[q.Name] == 0 {
					t.Errorf("%s: no batch gave it an answer, so it was not tested", q.Name)
				}
			}
		})
	}
}

func parameter(t *testing.T, name string, usual float64) float64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// create makes the tables on both sides, and the views on ours.
func (r *run) create() {
	r.t.Helper()
	for _, table := range tpch.Tables {
		r.Ours(generator.CreateTable(table, false))
		r.Theirs(generator.CreateTable(table, true))
	}
	r.Theirs("CREATE INDEX ON lineitem (l_partkey, l_suppkey)", "CREATE INDEX ON orders (o_custkey)")
	for _, q := range r.queries {
		began := time.Now()
		r.Ours("CREATE MATERIALIZED VIEW " + q.Name + " AS " + q.SQL())
		r.t.Logf("%s created in %s", q.Name, time.Since(began).Round(time.Millisecond))
	}
	r.compare("empty")
}

// load brings the content in a random order, so that rows come before and after those that they refer to.
func (r *run) load(g *tpch.Generator) {
	r.t.Helper()
	changes := slices.Collect(g.Load())
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
	size := (len(changes) + loadBatches - 1) / loadBatches
	for i, part := range slices.Collect(slices.Chunk(changes, size)) {
		slices.SortStableFunc(part, func(a, b generator.Change) int { return a.Table - b.Table })
		r.batch(fmt.Sprintf("load %d", i), part)
	}
	r.Theirs("ANALYZE")
}

// batch is one transaction on both sides.
func (r *run) batch(name string, changes []generator.Change) {
	r.t.Helper()
	ours, theirs := r.Commit(generator.Statements(tpch.Tables, changes, rowsOfInsert))
	began := time.Now()
	r.compare(name)
	r.t.Logf("%s: %d changes, millrace %s, PostgreSQL %s, answers %s", name, len(changes), ours.Round(time.Millisecond),
		theirs.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}

// empty takes everything away, the tables one by one.
func (r *run) empty() {
	r.t.Helper()
	for _, table := range []int{tpch.Region, tpch.LineItem, tpch.Supplier, tpch.Customer, tpch.Orders, tpch.Part, tpch.PartSupp, tpch.Nation} {
		r.Commit([]string{"DELETE FROM " + tpch.Tables[table].Name})
		r.compare("without " + tpch.Tables[table].Name)
	}
}

// compare holds every view to its query.
func (r *run) compare(when string) {
	r.t.Helper()
	for _, q := range r.queries {
		got, want := r.Ask("SELECT * FROM "+q.Name, q.All())
		r.most[q.Name] = max(r.most[q.Name], got.Rows())
		err := twin.Same(got, want)
		if q.Limit > 0 {
			err = twin.SameFirst(got, want, q.Limit, q.Ordered)
		}
		if err != nil {
			r.t.Errorf("%s, %s: %v", when, q.Name, err)
		}
	}
	if r.t.Failed() {
		r.t.FailNow()
	}
}
