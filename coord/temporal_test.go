package coord

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/clock"
	"millrace/repr"
)

// millis is a time of the test as SUBSCRIBE shows it.
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// literal is a moment as SQL text.
func literal(t time.Time) string { return "'" + t.UTC().Format("2006-01-02 15:04:05.999999") + "+00'" }

// TestRowsLeaveByThemselves has rows come and go with time, while nothing is written and no other tick is: a subscription
// shows each change once, at exactly its time.
func TestRowsLeaveByThemselves(t *testing.T) {
	bubble(t, quiet(), func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (id int, at timestamptz)")
		cl.must("CREATE MATERIALIZED VIEW m AS SELECT id FROM t WHERE at <= now() AND at > now() - interval '5 seconds'")
		cl.must("CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM m")
		start := time.Now().Add(time.Second).Truncate(time.Millisecond)
		time.Sleep(time.Until(start) - time.Millisecond)
		kept, query, counted := cl.open("SUBSCRIBE m"), connect(t, c), connect(t, c)
		asked := query.open("SUBSCRIBE (SELECT id FROM t WHERE mz_now() >= at AND mz_now() < at + interval '5 seconds')")
		counts := counted.open("SUBSCRIBE n WITH (SNAPSHOT = false)")
		w := connect(t, c)
		w.must("INSERT INTO t VALUES (1, " + literal(start.Add(100*time.Millisecond)) + "), (2, " + literal(start.Add(2*time.Second)) +
			"), (3, " + literal(start.Add(-6*time.Second)) + "), (4, NULL), (5, 'infinity'), (6, '-infinity'), (7, " +
			literal(start.Add(2*time.Second+500*time.Microsecond)) + ")")
		time.Sleep(3 * time.Second)
		w.must("DELETE FROM t WHERE id = 7")
		deleted := time.Now()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		at := func(d time.Duration) string { return millis(start.Add(d)) }
		want := []string{at(100*time.Millisecond) + "|1|1", at(2*time.Second) + "|1|2", at(2001*time.Millisecond) + "|1|7",
			millis(deleted) + "|-1|7", at(5100*time.Millisecond) + "|-1|1", at(7*time.Second) + "|-1|2"}
		for _, s := range []*stream{kept, asked} {
			rows, err := s.there()
			if err != nil || !slices.Equal(rows, want) {
				t.Errorf("shown (error %v)\n%s\nwant\n%s", err, strings.Join(rows, "\n"), strings.Join(want, "\n"))
			}
		}
		rows, err := counts.there()
		if err != nil || len(rows) != 2*len(want) || rows[len(rows)-1] != at(7*time.Second)+"|1|0" && rows[len(rows)-2] != at(7*time.Second)+"|1|0" {
			t.Errorf("counts (error %v)\n%s", err, strings.Join(rows, "\n"))
		}
	})
}

// TestBurstFallsDue has 100,000 rows leave at one moment, and others all along.
func TestBurstFallsDue(t *testing.T) {
	bubble(t, quiet(), func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (id int, at timestamptz)")
		cl.must("CREATE MATERIALIZED VIEW m AS SELECT id % 10 AS k, count(*) AS n FROM t WHERE at > now() GROUP BY id % 10")
		end := time.Now().Add(20 * time.Second).Truncate(time.Millisecond)
		cl.must("INSERT INTO t SELECT g, " + literal(end) + "::timestamptz FROM generate_series(1, 100000) AS g")
		cl.must("INSERT INTO t SELECT g, " + literal(end) + "::timestamptz + g * interval '1 millisecond' FROM generate_series(1, 1000) AS g")
		time.Sleep(time.Until(end) - time.Millisecond)
		if got := cl.one("SELECT sum(n) FROM m"); got != "101000" {
			t.Fatalf("%s rows are counted before", got)
		}
		time.Sleep(501 * time.Millisecond)
		synctest.Wait()
		if got := cl.one("SELECT sum(n) FROM m"); got != "500" {
			t.Fatalf("%s rows are counted after", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := cl.one("SELECT count(*) FROM m"); got != "0" {
			t.Fatalf("%s groups are left", got)
		}
	})
}

// TestTemporalViewsAgreeWithQueries changes a table at random while time goes on. At every moment views made before, in
// between and just now hold what the query gives that is run at the same time.
func TestTemporalViewsAgreeWithQueries(t *testing.T) {
	for _, workers := range []int{1, 2} {
		opts := quiet()
		opts.Workers = workers
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			bubble(t, opts, func(t *testing.T, c *Coordinator) { temporalWalk(t, c, uint64(workers)) })
		})
	}
}

const temporalQuery = `SELECT a.id, b.id AS other FROM t AS a LEFT JOIN t AS b ON a.k = b.k AND b.until > mz_now()
	WHERE mz_now() BETWEEN a.at AND a.until + interval '2 seconds' AND EXISTS (SELECT FROM t AS c WHERE c.k = a.k AND c.at <= mz_now())`

func temporalWalk(t *testing.T, c *Coordinator, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 4))
	cl := connect(t, c)
	cl.must("CREATE TABLE t (id int, k int, at timestamptz, until timestamptz)")
	views := []string{"first"}
	cl.must("CREATE MATERIALIZED VIEW first AS " + temporalQuery)
	for i := range 60 {
		now := time.Now()
		if rng.IntN(3) > 0 {
			from := now.Add(time.Duration(rng.IntN(8000)-3000) * time.Millisecond)
			cl.must(fmt.Sprintf("INSERT INTO t VALUES (%d, %d, %s, %s)", i, rng.IntN(4), literal(from),
				literal(from.Add(time.Duration(rng.IntN(5000))*time.Millisecond))))
		}
		if rng.IntN(4) == 0 {
			cl.must(fmt.Sprintf("DELETE FROM t WHERE id = %d", rng.IntN(i+1)))
		}
		if i%20 == 10 {
			views = append(views, fmt.Sprintf("view%d", i))
			cl.must(fmt.Sprintf("CREATE MATERIALIZED VIEW view%d AS %s", i, temporalQuery))
		}
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		cl.must("BEGIN")
		want := cl.must(temporalQuery + " ORDER BY 1, 2")
		for _, v := range views {
			if got := cl.must("SELECT * FROM " + v + " ORDER BY 1, 2"); !slices.Equal(got, want) {
				t.Fatalf("step %d: %s holds\n%s\nwant\n%s", i, v, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		cl.must("COMMIT")
	}
}

// TestClockStepsWhileRowsAreDue has the clock go back, and leap ahead, while rows are due: they leave when time reaches theirs,
// and what falls due during the leap leaves in ticks of bounded size.
func TestClockStepsWhileRowsAreDue(t *testing.T) {
	t.Parallel()
	clk := clock.NewFake(time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC))
	opts := Options{Clock: clk, MaxTickRows: 100}
	c := start(t, opts)
	cl := connect(t, c)
	run := func(text string) (rows []string) { // the clock goes on for as long as a statement needs it
		done := make(chan struct{})
		go func() {
			defer close(done)
			rows = cl.must(text)
		}()
		for {
			select {
			case <-done:
				return rows
			case <-time.After(time.Millisecond):
				clk.Advance(time.Millisecond)
			}
		}
	}
	run("CREATE TABLE t (id int, at timestamptz)")
	run("CREATE MATERIALIZED VIEW m AS SELECT id FROM t WHERE at > mz_now()")
	run("INSERT INTO t SELECT g, " + literal(clk.Now()) + "::timestamptz + g * interval '10 seconds' FROM generate_series(1, 1000) AS g")
	clk.Advance(-time.Minute)
	if got := run("SELECT count(*) FROM m")[0]; got != "1000" {
		t.Fatalf("%s rows are left when the clock has gone back", got)
	}
	ticks := c.stats.Ticks.Load()
	clk.Advance(time.Minute + 2000*time.Second)
	for deadline := time.Now().Add(10 * time.Second); ; {
		got := run("SELECT count(*) FROM m")[0]
		if got == "800" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s rows are left after the leap", got)
		}
	}
	if n := c.stats.Ticks.Load() - ticks; n < 2 {
		t.Errorf("200 rows left in %d ticks of at most 100", n)
	}
}

// TestQueryTime has mz_now() be the time at which a query reads.
func TestQueryTime(t *testing.T) {
	bubble(t, quiet(), func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (id int)")
		cl.must("INSERT INTO t VALUES (1)")
		written := time.Now()
		time.Sleep(5 * time.Second)
		if got, want := cl.one("SELECT mz_now()::bigint FROM t"), millis(written); got != want {
			t.Errorf("the time of a read is %s, want %s", got, want)
		}
		if got := cl.one("SELECT mz_now()::bigint FROM t AS OF " + millis(written)); got != millis(written) {
			t.Errorf("the time of a read in the past is %s", got)
		}
	})
}

// temporalShapes have conditions on time in every place of a query that may hold one.
var temporalShapes = []string{
	"SELECT id, n FROM (SELECT id, row_number() OVER (PARTITION BY k ORDER BY at DESC) AS n FROM t WHERE at > mz_now() - interval '5 s') AS x WHERE n <= 2",
	"SELECT id, n FROM (SELECT id, at, rank() OVER (PARTITION BY k ORDER BY at) AS n FROM t) AS x WHERE at > mz_now() - interval '5 s'",
	"SELECT k, (SELECT count(*) FROM t AS b WHERE b.k = a.k AND b.at > mz_now()) AS n FROM t AS a",
	"SELECT id FROM t WHERE id NOT IN (SELECT id FROM t WHERE at > mz_now())",
	"SELECT id FROM t AS a WHERE NOT EXISTS (SELECT FROM t AS b WHERE b.k = a.k AND b.at > mz_now() AND b.at < a.at)",
	"SELECT DISTINCT ON (k) k, id FROM t WHERE mz_now() < at + interval '3 s' ORDER BY k, at, id",
	"SELECT k, count(*), max(at) FROM t WHERE at <= mz_now() GROUP BY ROLLUP (k)",
	"SELECT k, max(at) FROM t GROUP BY k HAVING max(at) > mz_now() + interval '3 s'",
	"SELECT id FROM t WHERE at < mz_now() EXCEPT ALL SELECT id + 3 FROM t WHERE at < mz_now()",
	"SELECT id, window_end FROM hop(t, at, '1 s', '3 s') WHERE mz_now() < window_end",
	"SELECT id FROM t WHERE at > mz_now() OR k = 0",
	"SELECT id, at FROM t WHERE at < mz_now() OR at > mz_now() + interval '2 s'",
	"SELECT a.id, b.id AS other FROM t AS a JOIN t AS b ON a.k = b.k AND (a.at > mz_now() OR b.at < mz_now())",
	"SELECT k, count(*) FROM t WHERE at <> mz_now() AND (k = 1 OR NOT (at BETWEEN mz_now() - interval '1 s' AND mz_now())) GROUP BY k",
	"SELECT id FROM t AS a WHERE EXISTS (SELECT FROM t AS b WHERE b.k = a.k AND (b.at < mz_now() OR b.id < a.id))",
	"SELECT id FROM t WHERE 100 / (id - 5) > 0 AND at > mz_now()",
}

// TestTemporalShapes holds views with conditions on time to the queries that they are of, while time goes on alone. A view
// on a row of which a condition before that on time fails, fails, and heals when the row goes.
func TestTemporalShapes(t *testing.T) {
	bubble(t, quiet(), func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (id int, k int, at timestamptz)")
		for i, q := range temporalShapes {
			cl.must(fmt.Sprintf("CREATE MATERIALIZED VIEW m%d AS %s", i, q))
		}
		cl.must("INSERT INTO t SELECT g, g % 3, now() + (g - 5) * interval '1 second' FROM generate_series(1, 12) AS g WHERE g <> 5")
		for range 9 {
			time.Sleep(1300 * time.Millisecond)
			cl.must("BEGIN")
			for i, q := range temporalShapes {
				got, want := cl.must(fmt.Sprintf("SELECT * FROM m%d", i)), cl.must(q)
				slices.Sort(got)
				if slices.Sort(want); !slices.Equal(got, want) {
					t.Errorf("%s\nis\n%s\nwant\n%s", q, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
			cl.must("COMMIT")
		}
		cl.must("INSERT INTO t VALUES (5, 1, now() + interval '2 seconds')")
		last := fmt.Sprintf("SELECT * FROM m%d", len(temporalShapes)-1)
		if _, err := cl.run(t.Context(), last); err == nil || err.Code != repr.CodeDivisionByZero {
			t.Errorf("a row divides by zero: %v", err)
		}
		time.Sleep(20 * time.Second)
		cl.must("DELETE FROM t WHERE id = 5")
		cl.must(last)
	})
}
