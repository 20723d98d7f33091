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

// meddling changes much at once where refreshes change little: names that queries look for, keys that they join on, values
// that they compare, and makes many rows equal in what answers are ordered by.
var meddling = []string{
	"UPDATE lineitem SET l_quantity = l_quantity + 7 WHERE l_orderkey % 50 = 1",
	"UPDATE nation SET n_name = CASE n_name WHEN 'FRANCE' THEN 'GERMANY' WHEN 'GERMANY' THEN 'FRANCE' WHEN 'BRAZIL' THEN 'SAUDI ARABIA' ELSE n_name END",
	"UPDATE orders SET o_custkey = (o_custkey + 17) % 100 + 1 WHERE o_orderkey % 97 = 3",
	"UPDATE part SET p_brand = 'Brand#23', p_container = 'MED BOX', p_name = 'forest green ' || p_size WHERE p_partkey % 13 = 0",
	"UPDATE partsupp SET ps_supplycost = 1.00 WHERE ps_partkey % 3 = 0",
	"UPDATE supplier SET s_comment = 'Customer Complaints', s_acctbal = round(s_acctbal, -3), s_nationkey = 3 WHERE s_suppkey % 5 = 0",
	"UPDATE customer SET c_acctbal = -c_acctbal, c_phone = '13' || substring(c_phone FROM 3) WHERE c_custkey % 2 = 0",
	"UPDATE orders SET o_totalprice = round(o_totalprice, -5), o_orderdate = date '1994-02-01'",
	"UPDATE lineitem SET l_discount = 0.06, l_extendedprice = 5000.00 WHERE l_linenumber < 4",
	"UPDATE lineitem SET l_receiptdate = l_commitdate - 1, l_returnflag = 'R' WHERE l_suppkey % 2 = 1",
	"DELETE FROM lineitem WHERE l_linenumber = 1",
	"DELETE FROM region WHERE r_name IN ('ASIA', 'EUROPE')",
	"INSERT INTO region VALUES (3, 'ASIA', 'was Europe'), (2, 'EUROPE', 'was Asia')",
}

// run is one database under change.
type run struct {
	*twin.Twin
	t       *testing.T
	queries []bench.Query
	late    bool           // the views that were created in the middle of the load are there
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
			for _, s := range meddling {
				r.commit(s, []string{s})
			}
			r.once()
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
		if i == loadBatches/2 {
			r.createLate()
		}
		r.batch(fmt.Sprintf("load %d", i), part)
	}
}

// createLate makes the views once more, over what is there, and takes half of the first ones away: nothing that they
// shared may go with them.
func (r *run) createLate() {
	r.t.Helper()
	for _, q := range r.queries {
		r.Ours("CREATE MATERIALIZED VIEW late_" + q.Name + " AS " + q.SQL())
	}
	r.late = true
	r.compare("late views")
	for i, q := range r.queries {
		if i%2 == 0 {
			r.Ours("DROP MATERIALIZED VIEW "+q.Name, "CREATE MATERIALIZED VIEW "+q.Name+" AS "+q.SQL())
		}
	}
}

// once runs the queries on both sides without a view.
func (r *run) once() {
	r.t.Helper()
	for _, q := range r.queries {
		r.compareOne("at once", q, q.SQL())
	}
}

// batch is one transaction on both sides, after which all is compared.
func (r *run) batch(name string, changes []generator.Change) {
	r.t.Helper()
	r.commit(fmt.Sprintf("%s, %d changes", name, len(changes)), generator.Statements(tpch.Tables, changes, rowsOfInsert))
}

func (r *run) commit(name string, statements []string) {
	r.t.Helper()
	ours, theirs := r.Commit(statements)
	r.Theirs("ANALYZE")
	began := time.Now()
	r.compare(name)
	r.t.Logf("%s: millrace %s, PostgreSQL %s, answers %s", name, ours.Round(time.Millisecond), theirs.Round(time.Millisecond),
		time.Since(began).Round(time.Millisecond))
}

// empty takes everything away, the tables one by one.
func (r *run) empty() {
	r.t.Helper()
	for _, table := range []int{tpch.Region, tpch.LineItem, tpch.Supplier, tpch.Customer, tpch.Orders, tpch.Part, tpch.PartSupp, tpch.Nation} {
		r.commit("without "+tpch.Tables[table].Name, []string{"DELETE FROM " + tpch.Tables[table].Name})
	}
}

// compare holds every view to its query.
func (r *run) compare(when string) {
	r.t.Helper()
	for _, q := range r.queries {
		r.compareOne(when, q, "SELECT * FROM "+q.Name)
		if r.late {
			r.compareOne(when+", late", q, "SELECT * FROM late_"+q.Name)
		}
	}
	if r.t.Failed() {
		r.t.FailNow()
	}
}

// compareOne holds what ours answers to the query in PostgreSQL.
func (r *run) compareOne(when string, q bench.Query, ours string) {
	r.t.Helper()
	got, want := r.Ask(ours, q.All())
	r.most[q.Name] = max(r.most[q.Name], got.Rows())
	err := twin.Same(got, want)
	if q.Limit > 0 {
		err = twin.SameFirst(got, want, q.Limit, q.Ordered)
	}
	if err != nil {
		r.t.Errorf("%s, %s: %v", when, q.Name, err)
	}
}
