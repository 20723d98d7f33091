package coord

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/repr"
)

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
			opts := quiet()
			opts.Workers, opts.MemoryLimit = workers, 64<<20
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
	opts := quiet()
	opts.MemoryLimit = 1 << 30
	cl := connect(t, start(t, opts))
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
	opts := quiet()
	opts.MemoryLimit = 64 << 20
	c := start(t, opts)
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
	opts := quiet()
	opts.MemoryLimit = 64 << 20
	c := start(t, opts)
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
