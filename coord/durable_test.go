package coord

import (
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/internal/journal"
	"millrace/internal/sim"
)

// machine is a server on a simulated disk, which can crash and start again.
type machine struct {
	t    *testing.T
	disk *sim.Disk
	opts Options
	c    *Coordinator
}

func newMachine(t *testing.T, opts Options) *machine {
	t.Helper()
	return newMachineOn(t, sim.NewDisk(1), opts)
}

func newMachineOn(t *testing.T, d *sim.Disk, opts Options) *machine {
	t.Helper()
	m := &machine{t: t, disk: d, opts: opts}
	m.start()
	t.Cleanup(func() {
		if m.c != nil {
			j := m.c.opts.Journal
			m.c.Close()
			_ = j.Close()
		}
	})
	return m
}

func (m *machine) start() {
	m.t.Helper()
	j, err := journal.Open(journal.Options{FS: m.disk, Dir: "data", SegmentBytes: 64 << 10})
	if err != nil {
		m.t.Fatal(err)
	}
	opts := m.opts
	opts.Journal = j
	if m.c, err = Open(opts); err != nil {
		m.t.Fatal(err)
	}
}

// crash ends the server as a loss of power does, and starts it again.
func (m *machine) crash() {
	m.t.Helper()
	m.disk.Crash()
	j := m.c.opts.Journal
	m.c.Close()
	_ = j.Close()
	m.disk.Restart()
	m.start()
}

// TestRestartBeforeTheFirstFold: views are filled from the first tick on when nothing is folded and nothing forgotten.
func TestRestartBeforeTheFirstFold(t *testing.T) {
	t.Parallel()
	opts := quiet()
	opts.RetainHistory = 100 * 365 * 24 * time.Hour
	m := newMachine(t, opts)
	cl := connect(t, m.c)
	cl.must("CREATE TABLE a (x int)")
	cl.must("CREATE TABLE b (x int)")
	cl.must("CREATE MATERIALIZED VIEW both_of AS SELECT a.x FROM a, b WHERE a.x = b.x")
	cl.must("INSERT INTO a VALUES (1), (2)")
	cl.must("INSERT INTO b VALUES (2), (3)")
	for range 2 {
		m.crash()
		same(t, "both_of", connect(t, m.c).must("SELECT * FROM both_of"), "2")
	}
}

// TestPlansAfterRestart: what is known of a view is known after a crash, so that a query over it has the plan that it had.
func TestPlansAfterRestart(t *testing.T) {
	t.Parallel()
	m := newMachine(t, quiet())
	cl := connect(t, m.c)
	cl.must("CREATE TABLE a (k int, x int)")
	cl.must("CREATE MATERIALIZED VIEW sums AS SELECT k, sum(x) AS n FROM a GROUP BY k")
	const query = "EXPLAIN SELECT DISTINCT k, n FROM sums"
	before := cl.must(query)
	if slices.ContainsFunc(before, func(l string) bool { return strings.Contains(l, "Distinct") }) {
		t.Fatalf("the key of the view is not made use of: %v", before)
	}
	m.crash()
	same(t, "the plan", connect(t, m.c).must(query), before...)
}

// TestRestart: tables, views, indexes and the rest of the catalog are there after a crash, with their content.
func TestRestart(t *testing.T) {
	t.Parallel()
	m := newMachine(t, quiet())
	cl := connect(t, m.c)
	cl.must("CREATE SCHEMA shop")
	cl.must("CREATE TABLE shop.orders (id int NOT NULL, customer text DEFAULT 'nobody', amount numeric(10,2))")
	cl.must("CREATE VIEW big AS SELECT * FROM shop.orders WHERE amount > 10")
	cl.must("SET search_path = shop, public")
	cl.must("CREATE MATERIALIZED VIEW per_customer AS SELECT customer, count(*) AS n, sum(amount) AS total FROM orders GROUP BY customer")
	cl.must("CREATE MATERIALIZED VIEW top AS SELECT * FROM per_customer ORDER BY total DESC NULLS LAST LIMIT 1")
	cl.must("CREATE INDEX orders_by_customer ON orders (customer)")
	cl.must("CREATE MATERIALIZED VIEW pairs AS SELECT a.id, b.id AS other FROM orders AS a JOIN orders AS b ON a.customer = b.customer")
	cl.must("CREATE MATERIALIZED VIEW shares AS SELECT o.id, o.amount / c.total AS part FROM orders AS o JOIN per_customer AS c ON c.customer = o.customer")
	cl.must("COMMENT ON TABLE orders IS 'what was bought'")
	cl.must("INSERT INTO orders VALUES (1, 'ada', 12.50), (2, 'bob', 3), (3, 'ada', 1)")
	cl.must("INSERT INTO orders (id) VALUES (4)")
	cl.must("DELETE FROM orders WHERE id = 2")
	cl.must("CREATE TABLE gone (a int)")
	cl.must("INSERT INTO gone VALUES (1)")
	cl.must("DROP TABLE gone")
	ask := func() [][]string {
		cl := connect(t, m.c)
		// Reads wait for what they read, not for the index, whose arrangement another view may have made before it is back.
		eventually(t, "all is hydrated", func() bool {
			return slices.Equal(cl.must("SELECT count(*) FROM mz_internal.mz_hydration_statuses WHERE NOT hydrated"), []string{"0"})
		})
		var out [][]string
		for _, q := range []string{
			"SELECT * FROM shop.orders ORDER BY id", "SELECT * FROM shop.per_customer ORDER BY 1", "SELECT * FROM shop.top", "SELECT * FROM shop.pairs ORDER BY 1, 2", "SELECT * FROM shop.shares ORDER BY 1",
			"SELECT name, rows FROM mz_internal.mz_object_memory WHERE name LIKE '%(arrange%' ORDER BY 1",
			"SELECT id FROM public.big",
			"SELECT id FROM shop.orders WHERE customer = 'ada' ORDER BY 1", "SELECT schema_name FROM information_schema.schemata ORDER BY 1",
			"SELECT name, create_sql FROM mz_objects WHERE id LIKE 'u%' ORDER BY 1", "SELECT obj_description('shop.orders'::regclass)",
			"SELECT relname, oid FROM pg_class WHERE oid > 16000 ORDER BY 1",
		} {
			out = append(out, append([]string{q}, cl.must(q)...))
		}
		return out
	}
	before := ask()
	for range 3 {
		m.crash()
		for i, after := range ask() {
			same(t, before[i][0], after, before[i]...)
		}
	}
	cl = connect(t, m.c)
	cl.must("INSERT INTO shop.orders VALUES (5, 'cy', 100)")
	if got := cl.one("SELECT customer FROM shop.top"); got != "cy" {
		t.Errorf("after a restart the view says %s", got)
	}
}

// TestReplacedViewAfterCrash: a view that was replaced comes back though it needs what is younger than it.
func TestReplacedViewAfterCrash(t *testing.T) {
	t.Parallel()
	m := newMachine(t, quiet())
	cl := connect(t, m.c)
	cl.must("CREATE TABLE a (x int)")
	cl.must("CREATE VIEW w AS SELECT x FROM a")
	cl.must("CREATE TABLE b (x int)")
	cl.must("CREATE MATERIALIZED VIEW c AS SELECT x + 1 AS x FROM b")
	cl.must("INSERT INTO b VALUES (7)")
	cl.must("CREATE OR REPLACE VIEW w AS SELECT b.x, c.x AS y FROM b, c")
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT x, y FROM w")
	for range 2 {
		m.crash()
		same(t, "v", connect(t, m.c).must("SELECT x, y FROM v"), "7|8")
	}
}
