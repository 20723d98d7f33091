package coord

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/repr"
)

// inMemory is what mz_object_memory sums up to.
func inMemory(cl *client) int64 {
	cl.t.Helper()
	n, err := strconv.ParseInt(cl.one("SELECT sum(bytes + operator_bytes)::bigint FROM mz_internal.mz_object_memory"), 10, 64)
	if err != nil {
		cl.t.Fatal(err)
	}
	return n
}

// TestMemoryIsTold loads a server with tables, views, an index, history, a subscriber that does not read, a result that is open and
// prepared statements, and holds the sum of mz_object_memory to what the heap has grown by. It is not parallel: it looks at the
// heap of the process.
func TestMemoryIsTold(t *testing.T) {
	c := start(t, Options{TickInterval: time.Hour, RetainHistory: time.Hour})
	cl := connect(t, c)
	cl.must("CREATE TABLE other (a int)")
	empty, emptyTold := settled(cl), inMemory(cl)
	fillTable(cl, "t", 150_000)
	cl.must("CREATE MATERIALIZED VIEW m AS SELECT a.id, a.word, b.n FROM t a JOIN (SELECT kind, count(*) AS n FROM t GROUP BY kind) b ON a.kind = b.kind")
	cl.must("CREATE INDEX t_word ON t (word)")
	reader := connect(t, c)
	open := reader.opened("SELECT id, word || '!' FROM t ORDER BY word")
	defer open.Rows.Close()
	deaf := connect(t, c).opened("SUBSCRIBE t")
	defer deaf.Rows.Close()
	if _, _, err := deaf.Rows.Next(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		cl.must(fmt.Sprintf("INSERT INTO t SELECT id + %d, kind, word FROM t WHERE id < 30000", (i+1)*1_000_000))
	}
	for i := range 50 {
		cl.must(fmt.Sprintf("PREPARE p%d AS SELECT '%s' || $1, ARRAY[%s1]", i, strings.Repeat("x", 50_000), strings.Repeat("1, ", 2000)))
	}
	grown, told := settled(cl)-empty, inMemory(cl)-emptyTold
	if told < grown*2/3 || told > grown*3/2 {
		t.Errorf("mz_object_memory says %d bytes, the heap has grown by %d\n%s", told, grown,
			strings.Join(cl.must("SELECT name, bytes, operator_bytes FROM mz_internal.mz_object_memory ORDER BY bytes + operator_bytes DESC"), "\n"))
	}
	for _, name := range []string{"(statements)", "(sessions)", "t (history)", "t (subscription)"} {
		if cl.one("SELECT sum(bytes)::bigint > 100000 FROM mz_internal.mz_object_memory WHERE name = '"+name+"'") != "t" {
			t.Errorf("%s holds next to nothing", name)
		}
	}
	runtime.KeepAlive(c)
}

// opened starts a statement and leaves its rows open.
func (cl *client) opened(text string) *Result {
	cl.t.Helper()
	parsed, err := cl.s.Split(text)
	if err != nil {
		cl.t.Fatal(err)
	}
	p, err := cl.s.Prepare(context.Background(), parsed[0], nil)
	if err != nil {
		cl.t.Fatal(err)
	}
	res, err := cl.s.Execute(context.Background(), p, nil)
	if err != nil {
		cl.t.Fatal(err)
	}
	return res
}

// TestPreparedStatementsHaveALimit prepares statements until that is refused; when some are forgotten there is room again, and
// nothing is held when the session has ended.
func TestPreparedStatementsHaveALimit(t *testing.T) {
	t.Parallel()
	c := start(t, limited(64<<20))
	idle := c.memory.sessions.Held()
	cl := connect(t, c)
	const wide = "PREPARE p%d AS SELECT '%s' || $1"
	var err *repr.Error
	n := 0
	for ; n < 1000 && err == nil; n++ {
		_, err = cl.run(context.Background(), fmt.Sprintf(wide, n, strings.Repeat("x", 100_000)))
	}
	if err == nil || err.Code != repr.CodeOutOfMemory || err.Hint == "" || n < 20 {
		t.Fatalf("after %d statements: %v", n, err)
	}
	cl.must("DEALLOCATE p0")
	cl.must(fmt.Sprintf(wide, 0, strings.Repeat("x", 100_000)))
	cl.must("DEALLOCATE ALL")
	cl.must(fmt.Sprintf(wide, 1, "x"))
	cl.s.Close()
	if held := c.memory.sessions.Held(); held != idle {
		t.Errorf("%d bytes are held when the session has ended, %d before", held, idle)
	}
}
