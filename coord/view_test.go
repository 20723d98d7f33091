package coord

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/repr"
)

// racingClock runs ahead: every look at it is half a second later, so that work that is long is done in little time.
type racingClock struct{ leapClock }

func (c *racingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(500 * time.Millisecond)
	return c.now
}

// fillTable makes a table of n rows.
func fillTable(cl *client, name string, n int) {
	cl.t.Helper()
	cl.must("CREATE TABLE " + name + " (id int, kind int, word text)")
	cl.must("INSERT INTO " + name + " SELECT g, g % 1000, 'word ' || g FROM generate_series(1, " + strconv.Itoa(n) + ") AS g")
}

// TestFillingSaysHowFar has a view take longer than a second, by its clock: it says how far it is, and what it became.
func TestFillingSaysHowFar(t *testing.T) {
	t.Parallel()
	opts := quiet()
	clk := &racingClock{}
	clk.now = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	opts.Clock = clk
	cl := connect(t, start(t, opts))
	fillTable(cl, "t", 150_000)
	cl.notices = nil
	cl.must("CREATE MATERIALIZED VIEW m AS SELECT kind, count(*) AS n FROM t GROUP BY kind")
	if len(cl.notices) < 2 {
		t.Fatalf("notices: %v", cl.notices)
	}
	for _, n := range cl.notices[:len(cl.notices)-1] {
		if n.Severity != "NOTICE" || n.Code != "MR003" || !strings.HasPrefix(n.Message, `filling view "m": `) ||
			!strings.Contains(n.Message, " of 150000 rows read, ") {
			t.Errorf("progress: %+v", n)
		}
	}
	if n := cl.notices[len(cl.notices)-1]; n.Code != "MR002" || !strings.HasPrefix(n.Message, `view "m" is up to date (1000 rows in `) {
		t.Errorf("end: %+v", n)
	}
	if got := cl.one("SELECT sum(n) FROM m"); got != "150000" {
		t.Errorf("the view counts %s rows", got)
	}
}

// TestCancelLeavesNothing cancels the making of a view at many moments, and a query and a subscription too: nothing of
// them is left, and the session goes on.
func TestCancelLeavesNothing(t *testing.T) {
	t.Parallel()
	c := start(t, quiet())
	cl := connect(t, c)
	fillTable(cl, "t", 30_000)
	before, goroutines := left(t, c), runtime.NumGoroutine()
	const heavy = "SELECT a.kind, count(*) AS n FROM t AS a, t AS b WHERE a.id <> b.id GROUP BY a.kind"
	canceled := 0
	for i, text := range []string{"CREATE MATERIALIZED VIEW m AS " + heavy, heavy, "SUBSCRIBE (" + heavy + ")",
		"INSERT INTO t SELECT n, n, '' FROM (" + heavy + ") AS h"} {
		for _, after := range []time.Duration{time.Microsecond, 5 * time.Millisecond, 60 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(context.Background(), after)
			began := time.Now()
			_, err := cl.run(ctx, text)
			cancel()
			if took := time.Since(began) - after; took > time.Second {
				t.Errorf("statement %d took %v to end", i, took)
			}
			if err != nil && err.Code != repr.CodeQueryCanceled {
				t.Fatalf("%s: %v", text, err)
			}
			if err != nil {
				canceled++
			}
			if got := cl.one("SELECT count(*) FROM t"); got != "30000" {
				t.Fatalf("%s rows are in the table", got)
			}
		}
	}
	if canceled < 10 {
		t.Errorf("only %d of 12 statements were canceled", canceled)
	}
	if after := left(t, c); after != before {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if n := runtime.NumGoroutine(); n > goroutines+50 {
		t.Errorf("%d goroutines, were %d", n, goroutines)
	}
	_ = cl.fails(repr.CodeUndefinedTable, "SELECT * FROM m")
	cl.must("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t")
}

// TestGoroutinesEnd closes a server that does much: no goroutine of it stays.
func TestGoroutinesEnd(t *testing.T) {
	bubble(t, Options{Workers: 2, TickInterval: 50 * time.Millisecond}, func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		cl.must("CREATE MATERIALIZED VIEW m AS SELECT a, count(*) FROM t GROUP BY a")
		cl.must("INSERT INTO t SELECT g FROM generate_series(1, 1000) AS g")
		ended := make(chan *repr.Error)
		for range 3 {
			waiter := connect(t, c)
			go func() {
				_, err := waiter.run(context.Background(), "SUBSCRIBE m AS OF "+strconv.FormatInt(time.Now().Add(30*time.Second).UnixMilli(), 10))
				ended <- err
			}()
		}
		time.Sleep(time.Second)
		c.Close()
		for range 3 {
			if err := <-ended; err == nil || err.Code != repr.CodeAdminShutdown {
				t.Errorf("a statement that waits ends with %v", err)
			}
		}
		_ = cl.fails(repr.CodeAdminShutdown, "INSERT INTO t VALUES (1)")
		_ = cl.fails(repr.CodeAdminShutdown, "SELECT * FROM t")
	})
}

// heap is the memory in use when garbage is collected.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// settled is the memory in use when history is forgotten and merging is done.
func settled(cl *client) int64 {
	cl.must("INSERT INTO other VALUES (1)")
	for busy := true; busy; {
		cl.must("INSERT INTO other VALUES (1)")
		_ = cl.s.c.do(context.Background(), func() { busy = cl.s.c.unmerged > 0 })
	}
	return heap()
}

// TestSharedArrangementsFreeMemory has two views join by one arrangement: the second costs about nothing, and with both of
// them it goes. It is not parallel: it looks at the heap of the process.
func TestSharedArrangementsFreeMemory(t *testing.T) {
	c := start(t, Options{TickInterval: time.Hour, RetainHistory: time.Millisecond})
	cl := connect(t, c)
	fillTable(cl, "t", 200_000)
	cl.must("CREATE TABLE other (a int)")
	cl.must("CREATE TABLE few (id int, x int)")
	cl.must("INSERT INTO few VALUES (1, 2), (3, 4)")
	empty := settled(cl)
	const view = " AS SELECT few.x, t.word FROM few JOIN t ON t.id = few.id"
	cl.must("CREATE MATERIALIZED VIEW one" + view)
	first := settled(cl) - empty
	if first < 200_000*20 {
		t.Errorf("the first view takes %d bytes", first)
	}
	cl.must("CREATE MATERIALIZED VIEW two" + view + " WHERE few.x > 1")
	cl.must("INSERT INTO t VALUES (3, 3, 'three')")
	if second := settled(cl) - empty - first; second > first/4 {
		t.Errorf("the first view takes %d bytes, the second %d", first, second)
	}
	same(t, "arrangements of t", cl.must("SELECT count(*) FROM mz_internal.mz_object_memory WHERE name LIKE 't (arrange%'"), "1")
	cl.must("DROP MATERIALIZED VIEW one")
	same(t, "the second view", cl.must("SELECT * FROM two ORDER BY word"), "4|three", "2|word 1", "4|word 3")
	cl.must("DROP MATERIALIZED VIEW two")
	same(t, "arrangements of t", cl.must("SELECT count(*) FROM mz_internal.mz_object_memory WHERE name LIKE 't (arrange%'"), "0")
	if now := settled(cl); now > empty+first/10 {
		t.Errorf("heap was %d, with the views %d more, after DROP %d", empty, first, now)
	}
	runtime.KeepAlive(c)
}

// TestDropFreesMemory is not parallel: it looks at the heap of the process.
func TestDropFreesMemory(t *testing.T) {
	c := start(t, Options{TickInterval: time.Hour, RetainHistory: time.Millisecond})
	cl := connect(t, c)
	const rows = 200_000
	fillTable(cl, "t", rows)
	cl.must("CREATE TABLE other (a int)")
	few := func() { // work space of a large step goes with the next small ones
		for range 3 {
			cl.must("INSERT INTO t VALUES (0, 1, 'x')")
		}
	}
	few()
	empty := settled(cl)
	cl.must("CREATE MATERIALIZED VIEW m AS SELECT a.id, a.word, b.n FROM t AS a JOIN (SELECT kind, count(*) AS n FROM t GROUP BY kind) AS b ON a.kind = b.kind")
	few()
	full := settled(cl)
	memory := func(name string) int64 {
		n, err := strconv.ParseInt(cl.one("SELECT sum(bytes + operator_bytes)::bigint FROM mz_internal.mz_object_memory WHERE name LIKE '"+name+"'"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	told, grown := memory("m")+memory("t (arrange%"), full-empty
	if told < grown/2 || told > grown*2 {
		t.Errorf("mz_object_memory says %d bytes, the heap has grown by %d", told, grown)
	}
	if table := memory("t"); table < rows*10 {
		t.Errorf("mz_object_memory says %d bytes for %d rows of t", table, rows)
	}
	cl.must("DROP MATERIALIZED VIEW m")
	if now := settled(cl); now > empty+grown/10 {
		t.Errorf("heap was %d, with the view %d, after DROP %d", empty, full, now)
	}
	cl.must("DROP TABLE t")
	if now := settled(cl); now > empty/2 {
		t.Errorf("heap with the table was %d, after DROP %d", empty, now)
	}
	same(t, "what is left", cl.must("SELECT name FROM mz_internal.mz_object_memory WHERE name NOT LIKE '%(%'"), "other")
	runtime.KeepAlive(c)
}
