package coord

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/repr"
)

// sums is what most views of these tests compute.
const sums = "SELECT a.k, sum(b.w) AS s, max(a.v) AS m FROM a JOIN b ON a.k = b.k GROUP BY a.k"

// partsOf are queries over the tables a (k, v), b (k, w) and c (k, x) with parts in common.
var partsOf = []string{
	sums,
	"SELECT m, s, k FROM (" + sums + ") AS t",
	"SELECT max(a.v) AS m, a.k, sum(b.w) AS s FROM a JOIN b ON a.k = b.k GROUP BY a.k",
	"SELECT k, s FROM (" + sums + ") AS t WHERE s > m",
	"SELECT s, m FROM (" + sums + ") AS t ORDER BY s DESC NULLS LAST, k, m LIMIT 2",
	"SELECT t.m, t.s, c.x FROM (" + sums + ") AS t JOIN c ON c.k = t.k",
	"SELECT t.m, u.s FROM (" + sums + ") AS t JOIN (" + sums + ") AS u ON u.k = t.m",
	"SELECT 12 / s AS q, m FROM (" + sums + ") AS t",
	"SELECT t.k, t.s, t.m, a.v FROM (" + sums + ") AS t JOIN a ON a.v = t.s",
	"SELECT sum(12 / x) AS y FROM c",
	"SELECT y + 1 AS z, a.k FROM (SELECT sum(12 / x) AS y FROM c) AS t, a",
	"SELECT a.k, a.v, b.w FROM a JOIN b ON a.k = b.k",
	"SELECT DISTINCT k FROM a",
	"SELECT count(*) FROM (SELECT DISTINCT k FROM a) AS t",
	"SELECT k FROM (SELECT DISTINCT k FROM a) AS t EXCEPT SELECT k FROM c",
	"SELECT k, v, row_number() OVER (PARTITION BY k ORDER BY v) AS r FROM a",
	"SELECT sum(r) AS n FROM (SELECT k, v, row_number() OVER (PARTITION BY k ORDER BY v) AS r FROM a) AS t",
	"WITH RECURSIVE r (p, q) AS (SELECT k, v FROM a UNION SELECT r.p, a.v FROM r JOIN a ON a.k = r.q) SELECT p, q FROM r",
	"SELECT p, count(*) FROM (WITH RECURSIVE r (p, q) AS (SELECT k, v FROM a UNION SELECT r.p, a.v FROM r JOIN a ON a.k = r.q) SELECT p, q FROM r) AS t GROUP BY p",
	"SELECT avg(s) AS o FROM (SELECT k, count(*) AS s FROM (" + sums + ") AS t GROUP BY k) AS u",
	"SELECT s + 1 AS o FROM (SELECT k, count(*) AS s FROM (" + sums + ") AS t GROUP BY k) AS u",
}

// content is what a query gives, sorted, or its error.
func (cl *client) content(query string) []string {
	rows, err := cl.run(context.Background(), query)
	if err != nil {
		return []string{err.Code + " " + err.Message}
	}
	slices.Sort(rows)
	return rows
}

// TestEqualPartsAreKeptOnce makes and drops views with parts in common while the tables change and the server crashes: each holds
// what it holds on a server where nothing is shared, and when all are dropped nothing is left.
func TestEqualPartsAreKeptOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			opts := quiet()
			opts.Workers = 1 + int(seed%2)
			opts.OnBug = func(what string, value any, _ []byte) { t.Errorf("%s: %v", what, value) }
			m := newMachine(t, opts)
			opts.KeepApart = true
			partsLives(t, m, connect(t, start(t, opts)), seed)
		})
	}
}

func partsLives(t *testing.T, m *machine, apart *client, seed uint64) {
	t.Helper()
	cl, rng := connect(t, m.c), rand.New(rand.NewPCG(seed, 59))
	both := func(text string) {
		cl.must(text)
		apart.must(text)
	}
	both("CREATE TABLE a (k int, v int)")
	both("CREATE TABLE b (k int, w int)")
	both("CREATE TABLE c (k int, x int)")
	live := map[string]bool{}
	read := 0
	for i := range 45 {
		switch n := rng.IntN(10); {
		case n < 4:
			name := fmt.Sprintf("v%d", i)
			both("CREATE MATERIALIZED VIEW " + name + " AS " + partsOf[rng.IntN(len(partsOf))])
			live[name] = true
		case n < 6:
			for name := range live {
				both("DROP MATERIALIZED VIEW " + name)
				delete(live, name)
				break
			}
		case n == 6 && i%3 == 0:
			m.crash()
			cl = connect(t, m.c)
		default:
			both(someChange(rng))
		}
		for name := range live {
			same(t, fmt.Sprintf("%s at %d", name, i), cl.content("SELECT * FROM "+name), apart.content("SELECT * FROM "+name)...)
		}
		read = max(read, parts(cl))
	}
	if read == 0 {
		t.Error("no view read a part")
	}
	for name := range live {
		both("DROP MATERIALIZED VIEW " + name)
	}
	nothingLeft(t, m.c)
}

// someChange is a statement that changes a table.
func someChange(rng *rand.Rand) string {
	value := func() string {
		if rng.IntN(9) == 0 {
			return "NULL"
		}
		return fmt.Sprint(rng.IntN(5))
	}
	table := []string{"a", "b", "c"}[rng.IntN(3)]
	if rng.IntN(3) == 0 {
		return "DELETE FROM " + table + " WHERE k = " + fmt.Sprint(rng.IntN(5))
	}
	var rows []string
	for range 1 + rng.IntN(5) {
		rows = append(rows, "("+value()+", "+value()+")")
	}
	return "INSERT INTO " + table + " VALUES " + strings.Join(rows, ", ")
}

// parts is how many views read a part.
func parts(cl *client) int {
	n := 0
	_ = cl.s.c.do(context.Background(), func() {
		for _, v := range cl.s.c.views {
			n += min(len(v.parts), 1)
		}
	})
	return n
}

// nothingLeft sees that no view is there, and nothing that views share.
func nothingLeft(t *testing.T, c *Coordinator) {
	t.Helper()
	_ = c.do(context.Background(), func() {
		if b := c.book.Load(); len(c.views) > 0 || len(c.sharing.byName) > 0 || len(b.plans) > 0 || len(b.kept) > 0 {
			t.Errorf("%d views, %d arrangements and %d plans are left", len(c.views), len(c.sharing.byName), len(b.plans))
		}
	})
}

// TestDropInEveryOrder drops three views with one part in every order.
func TestDropInEveryOrder(t *testing.T) {
	t.Parallel()
	queries := map[string]string{"x": partsOf[3], "y": partsOf[5], "z": partsOf[0]}
	for i, made := range [][]string{{"x", "y", "z"}, {"z", "y", "x"}, {"y", "z", "x"}} {
		for _, dropped := range [][]string{{"x", "y", "z"}, {"x", "z", "y"}, {"y", "x", "z"}, {"y", "z", "x"}, {"z", "x", "y"}, {"z", "y", "x"}} {
			m := newMachine(t, quiet())
			cl := connect(t, m.c)
			cl.must("CREATE TABLE a (k int, v int); CREATE TABLE b (k int, w int); CREATE TABLE c (k int, x int)")
			cl.must("INSERT INTO a VALUES (1, 1), (2, 2); INSERT INTO b VALUES (1, 3), (2, 7); INSERT INTO c VALUES (1, 1), (2, 5)")
			for _, name := range made {
				cl.must("CREATE MATERIALIZED VIEW " + name + " AS " + queries[name])
			}
			if n := parts(cl); n < 2 {
				t.Errorf("made %v: %d views read parts", made, n)
			}
			if i == 1 {
				m.crash()
				cl = connect(t, m.c)
			}
			for i, name := range dropped {
				cl.must("INSERT INTO a VALUES (1, 5); DELETE FROM b WHERE w = 3; INSERT INTO b VALUES (1, 4)")
				for _, name := range dropped[i:] {
					same(t, name, cl.content("SELECT * FROM "+name), cl.content(strings.ReplaceAll(queries[name], "FROM a ", "FROM (SELECT * FROM a LIMIT 99) AS a "))...)
				}
				cl.must("DROP MATERIALIZED VIEW " + name)
			}
			nothingLeft(t, m.c)
		}
	}
}

// TestSubscriptionsReadParts has a subscription to a query read what a view keeps: it goes on when the view is dropped, and ends
// with a table that it names.
func TestSubscriptionsReadParts(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, quiet()))
	cl.must("CREATE TABLE a (k int, v int); CREATE TABLE b (k int, w int)")
	cl.must("CREATE MATERIALIZED VIEW m AS " + sums)
	cl.must("INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 3)")
	cl.must("BEGIN; DECLARE c CURSOR FOR SUBSCRIBE (SELECT s FROM (" + sums + ") AS t WHERE s > m)")
	if n := parts(cl); n != 1 {
		t.Errorf("%d views read a part", n)
	}
	other := connect(t, cl.s.c)
	other.must("DROP MATERIALIZED VIEW m")
	other.must("INSERT INTO b VALUES (1, 4)")
	var got []string
	for _, row := range cl.must("FETCH 3 c") {
		got = append(got, row[strings.Index(row, "|")+1:])
	}
	slices.Sort(got)
	same(t, "the subscription", got, "-1|3", "1|3", "1|7")
	other.must("DROP TABLE a")
	if _, err := cl.run(context.Background(), "FETCH 1 c"); err == nil || !strings.Contains(err.Message, `"a" was dropped`) {
		t.Errorf("after the table was dropped: %v", err)
	}
	cl.must("ROLLBACK")
	nothingLeft(t, cl.s.c)
}

// TestPartsAreShown explains views that read a part, and lists it.
func TestPartsAreShown(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, quiet()))
	cl.must("CREATE TABLE a (k int, v int); CREATE TABLE b (k int, w int)")
	cl.must("CREATE MATERIALIZED VIEW x AS " + partsOf[3])
	const explain = "EXPLAIN PHYSICAL PLAN FOR MATERIALIZED VIEW "
	if got := strings.Join(cl.must(explain+"x"), "\n"); !strings.Contains(got, "Reduce") || strings.Contains(got, "Kept once") {
		t.Errorf("alone:\n%s", got)
	}
	cl.must("CREATE MATERIALIZED VIEW y AS SELECT s, m FROM (" + sums + ") AS t ORDER BY s DESC NULLS LAST, k, m LIMIT 2")
	part := cl.one("SELECT DISTINCT name FROM mz_internal.mz_shared_parts")
	number := strings.TrimPrefix(part, "part ")
	same(t, "x", cl.must(explain+"x"), "Map [output]", "  Input "+number+" ["+part+"]", "Kept once: "+part+", also for y")
	same(t, "users", cl.must("SELECT id, user_name FROM mz_internal.mz_shared_parts ORDER BY 2"), "u"+number+"|x", "u"+number+"|y")
	cl.must("INSERT INTO a VALUES (1, 1), (2, 2); INSERT INTO b VALUES (1, 5), (2, 7)")
	same(t, "memory", cl.must("SELECT rows, bytes > 0, operator_bytes > 0 FROM mz_internal.mz_object_memory WHERE name = '"+part+"'"), "2|t|t")
	same(t, "what users see", cl.must("SELECT relname FROM pg_class WHERE oid >= 16384 AND relkind <> 'S' ORDER BY 1"), "a", "b", "x", "y")
	cl.must("DROP MATERIALIZED VIEW x; DROP MATERIALIZED VIEW y")
	cl.must("CREATE MATERIALIZED VIEW z AS " + sums)
	cl.must("CREATE MATERIALIZED VIEW w AS " + sums)
	got := cl.must(explain + "w")
	same(t, "w", got[len(got)-1:], "Kept once: z")
	cl.must("DROP MATERIALIZED VIEW z")
	same(t, "w", cl.must("SELECT * FROM w ORDER BY 1"), "1|5|1", "2|7|2")
	same(t, "users", cl.must("SELECT user_name FROM mz_internal.mz_shared_parts"), "w")
}

// TestPartsWhileWriting makes and drops views with parts in common from several sessions while another one writes: each view is
// what its query gives at one time, and nothing is left of them.
func TestPartsWhileWriting(t *testing.T) {
	t.Parallel()
	opts := quiet()
	opts.Workers = 2
	opts.OnBug = func(what string, value any, _ []byte) { t.Errorf("%s: %v", what, value) }
	c := start(t, opts)
	cl := connect(t, c)
	cl.must("CREATE TABLE a (k int, v int); CREATE TABLE b (k int, w int); CREATE TABLE c (k int, x int)")
	stop := make(chan struct{})
	var writer, makers sync.WaitGroup
	writer.Add(1)
	go func() {
		defer writer.Done()
		changeTables(connect(t, c), rand.New(rand.NewPCG(1, 61)), stop)
	}()
	for m := range 3 {
		makers.Add(1)
		go func() {
			defer makers.Done()
			makeViews(connect(t, c), rand.New(rand.NewPCG(uint64(m), 62)), fmt.Sprint("m", m))
		}()
	}
	makers.Wait()
	close(stop)
	writer.Wait()
	nothingLeft(t, c)
}

// makeViews makes views, looks at each several times, and drops it.
func makeViews(cl *client, rng *rand.Rand, prefix string) {
	var live, queries []string
	drop := func() {
		i := rng.IntN(len(live))
		cl.must("DROP MATERIALIZED VIEW " + live[i])
		live, queries = slices.Delete(live, i, i+1), slices.Delete(queries, i, i+1)
	}
	for i := range 20 {
		name, query := fmt.Sprintf("%s_%d", prefix, i), partsOf[rng.IntN(len(partsOf))]
		if strings.Contains(query, "/") {
			continue // an error is an answer too, and cannot be compared with EXCEPT
		}
		cl.must("CREATE MATERIALIZED VIEW " + name + " AS " + query)
		live, queries = append(live, name), append(queries, query)
		for i, name := range live {
			q := queries[i]
			if got := cl.must("(SELECT * FROM " + name + " EXCEPT ALL (" + q + ")) UNION ALL ((" + q + ") EXCEPT ALL SELECT * FROM " + name + ")"); len(got) > 0 {
				cl.t.Errorf("%s differs from %s by %d rows", name, q, len(got))
			}
		}
		if rng.IntN(3) == 0 {
			drop()
		}
	}
	for len(live) > 0 {
		drop()
	}
}

// TestSharedPartsFreeMemory has two views over one reduction: with the second they take little more than the first alone, and
// with the last of them all is freed. It is not parallel: it looks at the heap of the process.
func TestSharedPartsFreeMemory(t *testing.T) {
	held := func(apart bool) (empty, one, two, none int64) {
		c := start(t, Options{TickInterval: time.Hour, RetainHistory: time.Millisecond, KeepApart: apart})
		cl := connect(t, c)
		fillTable(cl, "t", 200_000)
		cl.must("CREATE TABLE other (a int)")
		const part = "(SELECT id % 1000 AS g, min(word) AS least, max(kind) AS most FROM t GROUP BY 1) AS p"
		empty = settled(cl)
		cl.must("CREATE MATERIALIZED VIEW x AS SELECT g, least, most FROM " + part + " WHERE most > 1")
		one = settled(cl) - empty
		cl.must("CREATE MATERIALIZED VIEW y AS SELECT least, most, g FROM " + part + " ORDER BY most DESC, g, least LIMIT 10")
		two = settled(cl) - empty
		cl.must("DROP MATERIALIZED VIEW x")
		cl.must("INSERT INTO t VALUES (0, 1000, 'zz')")
		same(t, "the other", cl.must("SELECT g, most FROM y ORDER BY most DESC LIMIT 1"), "0|1000")
		cl.must("DROP MATERIALIZED VIEW y")
		none = settled(cl) - empty
		runtime.KeepAlive(c)
		return empty, one, two, none
	}
	_, _, apart, _ := held(true)
	empty, one, two, none := held(false)
	if one < 200_000*8 {
		t.Errorf("the first view takes %d bytes", one)
	}
	if two > one+one/4 || two > apart*2/3 {
		t.Errorf("one view takes %d bytes, both %d; without sharing %d", one, two, apart)
	}
	if none > one/10 {
		t.Errorf("heap was %d, with a view %d more, after DROP %d", empty, one, none)
	}
}

// TestTakeOverOfAnother: a view does not take over for one that holds other rows; that one goes on, and the difference is reported.
func TestTakeOverOfAnother(t *testing.T) {
	t.Parallel()
	opts := quiet()
	reported := 0
	opts.OnBug = func(string, any, []byte) { reported++ }
	c := start(t, opts)
	cl := connect(t, c)
	cl.must("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)")
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT a FROM t")
	id := c.Catalog().Find([]string{"v"}, []string{"public"}).ID
	var err *repr.Error
	_ = c.do(t.Context(), func() {
		old := c.viewOf(id)
		err = c.install(&view{out: newCollection(id, "v", c.oracle.complete), replaces: &replacement{old: old, flow: old.flow}})
	})
	if err != errDiffers || reported != 1 {
		t.Errorf("%v, %d reports", err, reported)
	}
	cl.must("INSERT INTO t VALUES (3)")
	same(t, "the old one", cl.must("SELECT a FROM v ORDER BY 1"), "1", "2", "3")
}
