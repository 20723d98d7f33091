package coord

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// joinsOf are queries over the tables a (k, v), b (k, w) and c (k, x). A table is written as {a}, so that a test can put a
// subquery in its place that no arrangement of the table can serve.
var joinsOf = []string{
	"SELECT a.v, b.w FROM {a} AS a JOIN {b} AS b ON a.k = b.k",
	"SELECT a.v, a.k, b.w FROM {a} AS a JOIN {b} AS b ON a.k = b.k WHERE a.v > b.w",
	"SELECT a.v, b.w, c.x FROM {a} AS a JOIN {b} AS b ON a.k = b.k JOIN {c} AS c ON c.k = a.k",
	"SELECT a.v, b.w, c.x FROM {a} AS a JOIN {b} AS b ON a.v = b.w JOIN {c} AS c ON c.k = b.k",
	"SELECT p.v, q.v FROM {a} AS p JOIN {a} AS q ON p.k = q.k",
	"SELECT p.v, q.v, r.k FROM {a} AS p JOIN {a} AS q ON p.v = q.k JOIN {a} AS r ON r.k = p.v",
	"SELECT a.v, b.w FROM {a} AS a LEFT JOIN {b} AS b ON a.k = b.k",
	"SELECT a.v, b.w, c.x FROM {a} AS a FULL JOIN {b} AS b ON a.k = b.k LEFT JOIN {c} AS c ON b.k = c.k",
	"SELECT a.k, count(*), sum(c.x) FROM {a} AS a JOIN {c} AS c ON a.k = c.k GROUP BY a.k",
	"SELECT a.v FROM {a} AS a WHERE EXISTS (SELECT 1 FROM {b} AS b WHERE b.k = a.k AND b.w < a.v)",
	"SELECT c.x FROM {c} AS c WHERE c.k NOT IN (SELECT b.k FROM {b} AS b)",
	"SELECT a.v, c.x FROM {a} AS a, {c} AS c WHERE a.v < 2 AND c.x < 2",
	"SELECT sum(a.v) FROM {a} AS a JOIN (SELECT k, max(w) AS w FROM {b} AS b GROUP BY k) AS m ON m.k = a.k AND m.w = a.v",
}

// over puts something in the place of each table of a query.
func over(query string, put func(table string) string) string {
	for _, t := range []string{"a", "b", "c"} {
		query = strings.ReplaceAll(query, "{"+t+"}", put(t))
	}
	return query
}

// TestViewsShareArrangements makes and drops views over the same joins while the tables change: each view is what its query
// gives, also when the query can use no arrangement, and when all are dropped nothing is left.
func TestViewsShareArrangements(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			t.Parallel()
			opts := quiet()
			opts.Workers = workers
			c := start(t, opts)
			sharedViews(t, c, uint64(workers))
		})
	}
}

func sharedViews(t *testing.T, c *Coordinator, seed uint64) {
	t.Helper()
	cl, rng := connect(t, c), rand.New(rand.NewPCG(seed, 21))
	cl.must("CREATE TABLE a (k int, v int); CREATE TABLE b (k int, w int); CREATE TABLE c (k int, x int)")
	before := left(t, c)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Add(1)
	go func() {
		defer writer.Done()
		changeTables(connect(t, c), rand.New(rand.NewPCG(seed, 22)), stop)
	}()
	quit := sync.OnceFunc(func() {
		close(stop)
		writer.Wait()
	})
	defer quit()
	live := map[string]string{}
	for i := range 60 {
		name, query := fmt.Sprintf("v%d", i), joinsOf[rng.IntN(len(joinsOf))]
		columns := []string{"p", "q", "r"}[:1+strings.Count(strings.SplitN(strings.SplitN(query, "FROM", 2)[0], "(SELECT", 2)[0], ",")]
		cl.must("CREATE MATERIALIZED VIEW " + name + " (" + strings.Join(columns, ", ") + ") AS " + over(query, func(t string) string { return t }))
		live[name] = query
		for name, query := range live {
			switch rng.IntN(8) {
			case 0:
				cl.must("DROP MATERIALIZED VIEW " + name)
				delete(live, name)
			case 1:
				checkShared(cl, name, query)
			}
		}
	}
	quit()
	for name, query := range live {
		checkShared(cl, name, query)
		cl.must("DROP MATERIALIZED VIEW " + name)
	}
	cl.must("INSERT INTO a VALUES (1, 1)") // the session that wrote has ended
	if after := left(t, c); after != before {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// checkShared holds a view to its query, once as it is and once over subqueries in the place of tables.
func checkShared(cl *client, name, query string) {
	cl.t.Helper()
	for _, put := range []func(string) string{
		func(t string) string { return t },
		func(t string) string { return "(SELECT * FROM " + t + " LIMIT 1000000)" },
	} {
		q := over(query, put)
		differ := "(SELECT * FROM " + name + " EXCEPT ALL " + q + ") UNION ALL (" + q + " EXCEPT ALL SELECT * FROM " + name + ")"
		if got := cl.must(differ); len(got) > 0 {
			cl.t.Errorf("%s differs from %s by %d rows\nview %s query %s\n%s", name, q, len(got), cl.one("SELECT count(*) FROM "+name), cl.one("SELECT count(*) FROM ("+q+") AS q"), strings.Join(cl.must("EXPLAIN PHYSICAL PLAN FOR "+q), "\n"))
		}
	}
}

// changeTables changes the tables until it is told to stop.
func changeTables(cl *client, rng *rand.Rand, stop chan struct{}) {
	value := func() string {
		if rng.IntN(8) == 0 {
			return "NULL"
		}
		return fmt.Sprint(rng.IntN(6))
	}
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Millisecond):
		}
		table := []string{"a", "b", "c"}[rng.IntN(3)]
		if rng.IntN(3) == 0 {
			cl.must("DELETE FROM " + table + " WHERE k = " + fmt.Sprint(rng.IntN(6)))
			continue
		}
		var rows []string
		for range 1 + rng.IntN(4) {
			rows = append(rows, "("+value()+", "+value()+")")
		}
		cl.must("INSERT INTO " + table + " VALUES " + strings.Join(rows, ", "))
	}
}

// TestExplainShowsWhatIsShared shows a plan before and after a view keeps what it needs: then it reads that, also where
// that has more columns, and joins of three inputs find a delta join cheap.
func TestExplainShowsWhatIsShared(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, quiet()))
	cl.must("CREATE TABLE a (k int, v int, w int); CREATE TABLE b (k int, w int); CREATE TABLE c (k int, x int)")
	const explain = "EXPLAIN PHYSICAL PLAN FOR SELECT a.v, b.w FROM a JOIN b ON a.k = b.k"
	same(t, "before", cl.must(explain), "Join [join by #0 k]", "  Arrange keys=1 [arrange by #0 k]", "    Input "+tableID(cl, "a")+" [a]",
		"  Arrange keys=1 [arrange by #0 k]", "    Input "+tableID(cl, "b")+" [b]")
	cl.must("CREATE MATERIALIZED VIEW m AS SELECT a.w, a.v, c.x FROM a JOIN c ON a.k = c.k")
	same(t, "after", cl.must(explain), "Join [join by #0 k]", "  Import a keys=1 [arrange by #0 k]",
		"  Arrange keys=1 [arrange by #0 k]", "    Input "+tableID(cl, "b")+" [b]")
	cl.must("INSERT INTO a VALUES (1, 2, 3), (4, 5, 6); INSERT INTO b VALUES (1, 7), (4, 8)")
	cl.must("CREATE MATERIALIZED VIEW n AS SELECT a.v, b.w FROM a JOIN b ON a.k = b.k")
	same(t, "arrangements", cl.must("SELECT name, rows FROM mz_internal.mz_object_memory WHERE name LIKE '%(arrange%' ORDER BY 1"),
		"a (arrange by #0 k)|2", "b (arrange by #0 k)|2", "c (arrange by #0 k)|0")
	same(t, "the view", cl.must("SELECT * FROM n ORDER BY 1"), "2|7", "5|8")
	cl.must("DROP MATERIALIZED VIEW m")
	same(t, "the view without the other", cl.must("SELECT * FROM n ORDER BY 1"), "2|7", "5|8")
	cl.must("DELETE FROM a WHERE k = 1")
	same(t, "the view", cl.must("SELECT * FROM n ORDER BY 1"), "5|8")
}

func tableID(cl *client, name string) string {
	return strings.TrimPrefix(cl.one("SELECT id FROM mz_internal.mz_object_memory WHERE name = '"+name+"'"), "u")
}

// TestLoopsKeepTheirOwn has a recursion and a join read one table by the same key: only the join's arrangement is shared.
func TestLoopsKeepTheirOwn(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, quiet()))
	cl.must("CREATE TABLE e (a int, b int); INSERT INTO e VALUES (1, 2), (2, 3)")
	cl.must("CREATE MATERIALIZED VIEW two AS SELECT x.a, y.b FROM e AS x JOIN e AS y ON x.b = y.a")
	cl.must("CREATE MATERIALIZED VIEW reach AS WITH RECURSIVE r (a, b) AS (SELECT a, b FROM e UNION SELECT r.a, e.b FROM r JOIN e ON e.a = r.b) SELECT * FROM r")
	cl.must("INSERT INTO e VALUES (3, 4)")
	same(t, "reach", cl.must("SELECT * FROM reach ORDER BY 1, 2"), "1|2", "1|3", "1|4", "2|3", "2|4", "3|4")
	same(t, "the query", cl.must("WITH RECURSIVE r (a, b) AS (SELECT a, b FROM e UNION SELECT r.a, e.b FROM r JOIN e ON e.a = r.b) SELECT count(*) FROM r"), "6")
	same(t, "two", cl.must("SELECT * FROM two ORDER BY 1, 2"), "1|3", "2|4")
	cl.must("DELETE FROM e WHERE a = 2")
	same(t, "reach", cl.must("SELECT * FROM reach ORDER BY 1, 2"), "1|2", "3|4")
}
