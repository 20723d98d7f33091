package coord

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/repr"
)

// TestNotBeforeItWasMade: a relation cannot be read at a time before it was made, neither then nor after a restart, and at that
// time it can, whatever is computed from it or kept of others.
func TestNotBeforeItWasMade(t *testing.T) {
	lifeOf(t, Options{TickInterval: 500 * time.Millisecond, RetainHistory: time.Hour}, func(t *testing.T, m *machine) {
		cl := connect(t, m.c)
		cl.must("CREATE TABLE old (a int)")
		made := map[string]int64{}
		for i, q := range []string{
			"CREATE TABLE young (a int)",
			"CREATE MATERIALIZED VIEW v1 AS SELECT count(*) AS n FROM old",
			"CREATE MATERIALIZED VIEW v2 WITH (RETAIN HISTORY FOR '50 years') AS SELECT n + 0 AS n FROM v1",
			"CREATE MATERIALIZED VIEW v3 AS SELECT old.a FROM old, young WHERE old.a = young.a",
			"CREATE INDEX by_n ON v1 (n)",
		} {
			cl.must(fmt.Sprintf("INSERT INTO old VALUES (%d)", i))
			time.Sleep(20 * time.Second)
			cl.must(q)
			time.Sleep(20 * time.Second)
		}
		ask := func(cl *client, name string, at int64) string {
			rows, err := cl.run(t.Context(), fmt.Sprintf("SELECT * FROM %s AS OF %d", name, at))
			if err != nil {
				return err.Code + " " + err.Message
			}
			return fmt.Sprint(rows)
		}
		for _, row := range cl.must("SELECT name, since FROM mz_internal.mz_object_history WHERE name <> 'by_n'") {
			name, since, _ := strings.Cut(row, "|")
			at, err := strconv.ParseInt(since, 10, 64)
			if err != nil {
				t.Fatal(row, err)
			}
			made[name] = at
		}
		var said []string
		all := func(cl *client) (out []string) {
			for _, name := range slices.Sorted(maps.Keys(made)) {
				for _, before := range []int64{60_000, 10_000, 1, 0, -10_000} {
					out = append(out, fmt.Sprint(name, " ", -before, ": ", ask(cl, name, made[name]-before)))
				}
			}
			return out
		}
		said = all(cl)
		refused := 0
		for _, s := range said {
			if strings.Contains(s, repr.CodeInvalidParameter) {
				refused++
			}
		}
		if len(made) != 5 || refused != 3*len(made) {
			t.Fatalf("%d of %d are refused, want three for each:\n%s", refused, len(said), strings.Join(said, "\n"))
		}
		for range 2 {
			m.crash()
			cl = connect(t, m.c)
			cl.must("SELECT * FROM v1, v2, v3")
			same(t, "after a crash", all(cl), said...)
			time.Sleep(time.Second)
			cl.must("INSERT INTO old VALUES (100)")
			same(t, "later", all(cl), said...)
		}
	})
}

// TestFilledSideBySide: with views filled one after the other and side by side, a restart brings back the same content, and the
// same arrangements and parts with as many who use them, over views of views, equal parts, indexes, and a view that fails.
func TestFilledSideBySide(t *testing.T) {
	t.Parallel()
	var first string
	for _, atOnce := range []int{1, 2, 8} {
		opts := quiet()
		opts.AtOnce = atOnce
		m := newMachine(t, opts)
		cl := connect(t, m.c)
		names := makeManyViews(cl)
		before := contentsOf(cl, names)
		for range 3 {
			m.crash()
			cl = connect(t, m.c)
			if got := contentsOf(cl, names); got != before {
				t.Fatalf("at once %d: after a restart\n%s\nbefore it\n%s", atOnce, got, before)
			}
			if got := sharesOf(t, m.c); first == "" {
				first = got
			} else if got != first {
				t.Fatalf("at once %d: shared is\n%s\nat first it was\n%s", atOnce, got, first)
			}
		}
		cl.must("INSERT INTO a SELECT i, i % 7 FROM generate_series(1000, 1100) i")
		cl.must("DELETE FROM b WHERE k % 3 = 0")
		for _, name := range names[:2] {
			if got, want := contentsOf(cl, []string{name}), contentsOf(cl, []string{"again_" + name}); got[strings.Index(got, ":"):] != want[strings.Index(want, ":"):] {
				t.Fatalf("at once %d: %s differs from a view of the same query", atOnce, name)
			}
		}
	}
}

// makeManyViews makes views that read each other, and what they share, and names them.
func makeManyViews(cl *client) []string {
	cl.must("CREATE TABLE a (x int, k int)")
	cl.must("CREATE TABLE b (k int, name text)")
	cl.must("INSERT INTO a SELECT i, i % 7 FROM generate_series(1, 500) i")
	cl.must("INSERT INTO b SELECT i, 'name ' || i FROM generate_series(0, 6) i")
	queries := []struct{ name, query string }{
		{"joined", "SELECT a.x, b.name FROM a, b WHERE a.k = b.k"},
		{"totals", "SELECT k, count(*) AS n, sum(x) AS s FROM a GROUP BY k"},
		{"again_joined", "SELECT a.x, b.name FROM a, b WHERE a.k = b.k"},
		{"again_totals", "SELECT k, count(*) AS n, sum(x) AS s FROM a GROUP BY k"},
		{"named", "SELECT b.name, t.n FROM totals t, b WHERE t.k = b.k"},
		{"large", "SELECT * FROM (SELECT k, count(*) AS n, sum(x) AS s FROM a GROUP BY k) t WHERE s > 10"},
		{"most", "SELECT max(n) AS n FROM named"},
		{"bad", "SELECT 1 / (x - 3) AS y FROM a"},
	}
	var names []string
	for _, q := range queries {
		cl.must("CREATE MATERIALIZED VIEW " + q.name + " AS " + q.query)
		names = append(names, q.name)
	}
	cl.must("CREATE INDEX by_name ON joined (name)")
	return names
}

// contentsOf are the contents of views, or the errors that reading them gives.
func contentsOf(cl *client, names []string) string {
	var out strings.Builder
	for _, name := range names {
		rows, err := cl.run(context.Background(), "SELECT * FROM "+name+" ORDER BY 1")
		fmt.Fprintln(&out, name+":", rows, err)
	}
	return out.String()
}

// sharesOf are the arrangements and parts that there are when all views and indexes are, and how many use each.
func sharesOf(t *testing.T, c *Coordinator) string {
	t.Helper()
	var waiting []*waitingView
	if err := c.do(t.Context(), func() { waiting = slices.Collect(maps.Values(c.revival.waiting)) }); err != nil {
		t.Fatal(err)
	}
	awaitViews(t.Context(), waiting)
	var out strings.Builder
	err := c.do(t.Context(), func() {
		for _, name := range slices.Sorted(maps.Keys(c.sharing.byName)) {
			s := c.sharing.byName[name]
			fmt.Fprintln(&out, name, s.users, s.named)
		}
		for _, p := range c.partStatus() {
			fmt.Fprintln(&out, p.Name, p.Unnamed, len(p.Users))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
