package coord

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

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
