package coord

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/repr"
	"millrace/sources"
)

// limited are options of a server with a memory limit, which counts only what it holds itself: other tests run beside it.
func limited(limit int64) Options {
	return Options{TickInterval: 5 * time.Millisecond, RetainHistory: time.Millisecond, MemoryLimit: limit,
		LiveBytes: func() int64 { return 0 }}
}

// greedy are statements each of which would take all memory there is.
var greedy = []struct{ name, text string }{
	{"rows of a function", "SELECT * FROM generate_series(1, 1000000000000)"},
	{"rows without columns", "SELECT FROM generate_series(1, 1000000000000)"},
	{"counted", "SELECT count(*) FROM generate_series(1, 1000000000000)"},
	{"cross join", "SELECT * FROM m a, m b, m c"},
	{"one key", "SELECT a.n, b.n FROM m a JOIN m b ON a.n % 2 = b.n % 2 JOIN m c ON a.n % 2 = c.n % 2"},
	{"sort", "SELECT a.n + b.n FROM m a, m b ORDER BY 1 DESC"},
	{"copies in order", "SELECT 1 FROM m a, m b, m c ORDER BY 1"},
	{"groups", "SELECT a.n, b.n, max(a.n) FROM m a, m b GROUP BY 1, 2"},
	{"distinct", "SELECT DISTINCT a.n * 10000 + b.n FROM m a, m b"},
	{"array_agg", "SELECT array_agg(a.n + b.n) FROM m a, m b"},
	{"string_agg", "SELECT string_agg(repeat('x', 3000), ',') FROM m a, m b"},
	{"count distinct", "SELECT count(DISTINCT a.n * 10000 + b.n) FROM m a, m b"},
	{"wide rows", "SELECT repeat('x', 10000 + n::int) FROM m"},
	{"wide pairs", "SELECT repeat('x', 10000 + (a.n + b.n)::int) FROM m a JOIN m b ON a.n = b.n"},
	{"window", "SELECT string_agg(repeat('x', 100), ',') OVER (ORDER BY n) FROM m"},
	{"window without order", "SELECT sum(n) OVER () FROM generate_series(1, 600000) AS g (n)"},
	{"top", "SELECT count(x) FROM (SELECT a.n AS x, b.n AS y FROM m a, m b ORDER BY a.n + b.n, a.n LIMIT 100000) t"},
	{"union", "SELECT n FROM m UNION ALL SELECT a.n * 10000 + b.n FROM m a, m b UNION ALL SELECT a.n * 3 + b.n FROM m a, m b"},
	{"recursion", "WITH RECURSIVE r AS (SELECT 1::bigint AS n UNION ALL SELECT r.n + m.n FROM r, m) SELECT count(*) FROM r"},
	{"insert", "INSERT INTO w SELECT a.n * 10000 + b.n FROM m a, m b"},
	{"returning", "INSERT INTO w SELECT n FROM generate_series(1, 100000) AS g (n) RETURNING repeat('x', 1000)"},
}

// TestNoStatementTakesAllMemory runs each greedy statement with one, two and eight workers. It ends with the same error, the
// session goes on, and nothing is held after it.
func TestNoStatementTakesAllMemory(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			opts := limited(64 << 20)
			opts.Workers = workers
			c := start(t, opts)
			cl := connect(t, c)
			cl.must("CREATE TABLE m (n bigint)")
			cl.must("CREATE TABLE w (n bigint)")
			cl.must("INSERT INTO m SELECT generate_series(1, 4000)")
			for _, g := range greedy {
				_, err := cl.run(context.Background(), g.text)
				if err == nil || err.Code != repr.CodeOutOfMemory {
					t.Errorf("%s: %v", g.name, err)
					continue
				}
				if !strings.HasPrefix(err.Message, "out of memory: ") || err.Hint == "" || !strings.Contains(err.Detail, "MiB") {
					t.Errorf("%s: %q, %q, %q", g.name, err.Message, err.Detail, err.Hint)
				}
				if n := c.memory.statements.Held(); n != 0 {
					t.Errorf("%s: %d bytes are held after it", g.name, n)
				}
			}
			if got := cl.must("SELECT count(*), (SELECT count(*) FROM w) FROM m"); got[0] != "4000|0" {
				t.Errorf("after all: %v", got)
			}
		})
	}
}

func TestQueryMemory(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, limited(1<<30)))
	if got := cl.must("SHOW query_memory"); got[0] != memoryText((1<<30)/100*25) {
		t.Errorf("by default: %v", got)
	}
	cl.must("SET query_memory = '4MB'")
	if got := cl.must("SHOW query_memory"); got[0] != "4MB" {
		t.Errorf("after SET: %v", got)
	}
	const text = "SELECT count(*) FROM generate_series(1, 300000)"
	_, err := cl.run(context.Background(), text)
	if err == nil || err.Code != repr.CodeOutOfMemory || !strings.Contains(err.Message, "4.0 MiB") || !strings.Contains(err.Hint, "query_memory") {
		t.Errorf("with 4MB: %v", err)
	}
	cl.must("RESET query_memory")
	if got := cl.must(text); got[0] != "300000" {
		t.Errorf("with the default: %v", got)
	}
	for _, v := range []string{"2GB", "-1", "many"} {
		if _, err := cl.run(context.Background(), "SET query_memory = '"+v+"'"); err == nil || err.Code != repr.CodeInvalidParameter {
			t.Errorf("SET query_memory = %s: %v", v, err)
		}
	}
}

// TestStatementsTogether has results that nobody reads hold what there is for statements. Another statement waits, and is
// refused; when one is closed it runs.
func TestStatementsTogether(t *testing.T) {
	t.Parallel()
	c := start(t, limited(64<<20))
	cl := connect(t, c)
	ctx := context.Background()
	open := func() (*Result, *repr.Error) {
		parsed, err := cl.s.Split("SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) AS g (n) ORDER BY n")
		if err != nil {
			t.Fatal(err)
		}
		p, err := cl.s.Prepare(ctx, parsed[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		return cl.s.Execute(ctx, p, nil)
	}
	var held []*Result
	var err *repr.Error
	for range 6 {
		var res *Result
		if res, err = open(); err != nil {
			break
		}
		held = append(held, res)
	}
	if err == nil || err.Code != repr.CodeOutOfMemory || !strings.Contains(err.Message, "statements") {
		t.Fatalf("with %d results open: %v", len(held), err)
	}
	for _, res := range held {
		res.Rows.Close()
		res.Rows.Close() // a second time does nothing
	}
	if n := c.memory.statements.Held(); n != 0 {
		t.Errorf("%d bytes are held when all results are closed", n)
	}
	if _, err := open(); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

func TestCanceledWhileItWaitsForMemory(t *testing.T) {
	t.Parallel()
	c := start(t, limited(64<<20))
	cl := connect(t, c)
	hog := c.memory.statements.Part("a test", 0, 0)
	hog.Take(c.memory.statements.Most())
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := cl.run(ctx, "SELECT count(*) FROM generate_series(1, 10)"); err == nil || err.Code != repr.CodeQueryCanceled {
		t.Errorf("%v", err)
	}
	hog.Close()
	if got := cl.must("SELECT count(*) FROM generate_series(1, 10)"); got[0] != "10" {
		t.Errorf("%v", got)
	}
}

func TestMemorySizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"64": "64kB", "1024": "1MB", "3 GB": "3GB", "1536MB": "1536MB", "100B": "100B", "0": "0", "2TB": "2TB"} {
		n, ok := parseMemory(text)
		if got := memoryText(n); !ok || got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	for _, text := range []string{"", "MB", "1.5GB", "9223372036854775807GB", "-1kB"} {
		if n, ok := parseMemory(text); ok {
			t.Errorf("%s is %d", text, n)
		}
	}
}

// grow inserts rows of about 100 bytes until the table has n of them, or that is refused.
func (cl *client) grow(table string, n int) *repr.Error {
	for from := 0; from < n; from += 20000 {
		_, err := cl.run(context.Background(), fmt.Sprintf("INSERT INTO %s SELECT n, repeat('x', 80) FROM generate_series(%d, %d) AS g (n)",
			table, from+1, min(from+20000, n)))
		if err != nil {
			return err
		}
	}
	return nil
}

// TestHistoryCountsTowardsTheLimit: history that is kept brings a server near its limit as rows do, and giving it up brings it back.
func TestHistoryCountsTowardsTheLimit(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, limited(64<<20)))
	cl.must("CREATE TABLE t (n int, pad text) WITH (RETAIN HISTORY FOR '1 hour')")
	if err := cl.grow("t", 20_000); err != nil {
		t.Fatal(err)
	}
	const update = "UPDATE t SET n = n + 1"
	var refused *repr.Error
	for range 60 {
		if _, refused = cl.run(context.Background(), update); refused != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if refused == nil || refused.Code != repr.CodeOutOfMemory {
		t.Fatalf("%v after a history of %v", refused, cl.must("SELECT ticks, bytes FROM mz_internal.mz_object_history WHERE name = 't'"))
	}
	cl.must("ALTER TABLE t RESET (RETAIN HISTORY)")
	eventually(t, "rows are taken again", func() bool {
		_, err := cl.run(context.Background(), update)
		return err == nil
	})
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s: not within ten seconds", what)
}

// TestAViewThatDoesNotFit creates views and an index that are too large. Each is refused, nothing of it is left, and one that fits
// is made.
func TestAViewThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2} {
		opts := limited(64 << 20)
		opts.Workers = workers
		c := start(t, opts)
		cl := connect(t, c)
		cl.must("CREATE TABLE t (n int, x text)")
		if err := cl.grow("t", 250_000); err != nil {
			t.Fatal(err)
		}
		before := c.memory.flows.Held()
		for _, text := range []string{
			"CREATE MATERIALIZED VIEW big AS SELECT t.n * 10 + d AS n, x FROM t, generate_series(0, 9) AS g (d)",
			"CREATE MATERIALIZED VIEW big AS SELECT a.x, count(*) FROM t a JOIN t b ON a.x = b.x GROUP BY 1, b.n",
			"CREATE MATERIALIZED VIEW big AS SELECT n, max(x) AS x FROM t GROUP BY n",
			"CREATE INDEX big ON t (n, x)",
		} {
			_, err := cl.run(context.Background(), text)
			if err == nil || err.Code != repr.CodeOutOfMemory || err.Hint == "" {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if got := cl.one("SELECT count(*) FROM pg_class WHERE relname = 'big'"); got != "0" {
				t.Errorf("%s: it is in the catalog", text)
			}
			eventually(t, "all of "+text+" is given back", func() bool { return c.memory.flows.Held() == before })
		}
		cl.must("CREATE MATERIALIZED VIEW small AS SELECT count(*) AS n FROM t")
		if got := cl.one("SELECT n FROM small"); got != "250000" {
			t.Errorf("the view that fits: %s", got)
		}
	}
}

// TestNearTheLimit inserts until the server refuses rows. Then rows can be read and deleted, and after that inserted again.
func TestNearTheLimit(t *testing.T) {
	t.Parallel()
	c := start(t, limited(64<<20))
	cl := connect(t, c)
	cl.must("CREATE TABLE t (n int, x text)")
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM t")
	eventually(t, "the server is near its limit", func() bool { // one INSERT may lack room before that is known
		err := cl.grow("t", 10_000_000)
		if err == nil || err.Code != repr.CodeOutOfMemory || err.Hint == "" {
			t.Fatalf("after %s rows: %v", cl.one("SELECT n FROM v"), err)
		}
		return strings.Contains(err.Message, "near its limit")
	})
	n := cl.one("SELECT n FROM v")
	if got := cl.one("SELECT count(*) FROM t"); got != n || len(n) < 6 {
		t.Errorf("table and view have %s and %s rows", got, n)
	}
	for from := 0; from < 10_000_000 && cl.one("SELECT n FROM v") != "0"; from += 10000 {
		text := fmt.Sprintf("DELETE FROM t WHERE n > %d AND n <= %d", from, from+10000)
		eventually(t, text, func() bool { // what was deleted before is still there until it is merged
			_, err := cl.run(context.Background(), text)
			if err != nil && err.Code != repr.CodeOutOfMemory {
				t.Fatalf("%s: %v", text, err)
			}
			return err == nil
		})
	}
	eventually(t, "the server takes rows again", func() bool { return cl.grow("t", 1000) == nil })
	if got := cl.one("SELECT n > 0 FROM v"); got != "t" {
		t.Error("the view does not see the new rows")
	}
}

// TestSourcesAreHeldBack sees that near the limit sources are not read, and that their state says so, until there is room.
func TestSourcesAreHeldBack(t *testing.T) {
	t.Parallel()
	c := prepare(limited(64 << 20))
	r := &sourceRun{c: c, state: sources.State{Status: "running"}, ready: make(chan struct{}), col: emptyCollection(1, "s")}
	c.sources[1] = r
	if c.weigh(); c.takeBatches() == nil || r.current().Status != "running" {
		t.Fatal("held back with nothing in memory")
	}
	other := c.memory.server.Part("a test", 0, 0)
	other.Take(56 << 20)
	woken := r.ready
	c.weigh()
	st := r.current()
	if c.takeBatches() != nil || st.Status != "stalled" || !strings.HasPrefix(st.Error, "memory limit: ") {
		t.Errorf("near the limit: %+v", st)
	}
	select {
	case <-woken:
	default:
		t.Error("who waits for the source is not told")
	}
	other.Take(-6 << 20) // 50 MiB: below where it began, not below where it ends
	if c.weigh(); r.current().Status != "stalled" {
		t.Error("it goes on too soon")
	}
	other.Take(-8 << 20)
	if c.weigh(); c.takeBatches() == nil || r.current().Status != "running" {
		t.Errorf("with room again: %+v", r.current())
	}
}

// TestLargeInputsInChunks asks a server with little memory, which reads its tables in chunks, what one without a limit answers
// from whole ones.
func TestLargeInputsInChunks(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 8} {
		var clients []*client
		for _, limit := range []int64{0, 20 << 20} {
			opts := limited(limit)
			opts.Workers = workers
			cl := connect(t, start(t, opts))
			cl.must("CREATE TABLE t (n int, x text)")
			cl.must("INSERT INTO t SELECT n, repeat(chr(97 + n % 7), 100) FROM generate_series(1, 10000) AS g (n)")
			cl.must("INSERT INTO t SELECT n % 10, NULL FROM generate_series(1, 3000) AS g (n)")
			cl.must("DELETE FROM t WHERE n % 3 = 0")
			clients = append(clients, cl)
		}
		for _, text := range []string{
			"SELECT count(*), count(x), min(x), max(n), sum(n), array_length(array_agg(n), 1) FROM t",
			"SELECT count(*) FROM t WHERE n < 0",
			"SELECT n % 5, count(DISTINCT x), string_agg(DISTINCT left(x, 1), ',' ORDER BY left(x, 1)) FROM t GROUP BY 1 HAVING count(*) > 3 ORDER BY 1",
			"SELECT a.n, b.n FROM t a JOIN t b ON a.n = b.n + 1 AND a.x < b.x ORDER BY 1, 2 LIMIT 20 OFFSET 3",
			"SELECT a.n FROM t a LEFT JOIN t b ON a.n = b.n + 5000 WHERE b.n IS NULL ORDER BY 1 LIMIT 30",
			"SELECT DISTINCT left(x, 2) FROM t",
			"SELECT n, row_number() OVER (PARTITION BY n % 4 ORDER BY n) FROM t WHERE n % 50 = 1 ORDER BY 1, 2",
			"SELECT n, left(x, 3) FROM t ORDER BY n DESC, 2 LIMIT 7",
			"WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT t.n FROM r JOIN t ON t.n BETWEEN r.n + 1 AND r.n + 1) SELECT count(*) FROM r",
			"SELECT n FROM t EXCEPT SELECT n + 7 FROM t ORDER BY 1 LIMIT 9",
			"SELECT 10 / (n - 5) FROM t",
		} {
			want, wantErr := clients[0].run(context.Background(), text)
			got, err := clients[1].run(context.Background(), text)
			if !slices.Equal(got, want) || (err == nil) != (wantErr == nil) || err != nil && err.Code != wantErr.Code {
				t.Errorf("%d workers, %s:\n%v %v\nfrom whole tables:\n%v %v", workers, text, got, err, want, wantErr)
			}
		}
	}
}

// TestWhatAStatementReadsAtOnceIsCounted: the rows that a statement is given in one step are copies, which count while the step runs, and are few
// enough for many statements to have theirs at once.
func TestWhatAStatementReadsAtOnceIsCounted(t *testing.T) {
	t.Parallel()
	c := start(t, limited(64<<20))
	cl := connect(t, c)
	cl.must("CREATE TABLE t (n int, x text)")
	if err := cl.grow("t", 40_000); err != nil {
		t.Fatal(err)
	}
	var most int64 // the gate asks one at a time
	c.memory.statements.Gate(0, func(held int64) (int64, string) {
		most = max(most, held)
		return held, ""
	})
	if got := cl.one("SELECT count(*) FROM t"); got != "40000" {
		t.Errorf("%s rows", got)
	}
	c.memory.statements.Gate(0, nil)
	chunk := c.memory.share(shareStatement) / chunkShare
	if most < chunk || most > 8*chunk {
		t.Errorf("at most %d bytes are held, and a step is given about %d", most, chunk)
	}
	if n := c.memory.statements.Held(); n != 0 {
		t.Errorf("%d bytes are held at the end", n)
	}
}
