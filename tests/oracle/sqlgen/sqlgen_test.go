package sqlgen

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func generate(seed uint64) (*History, []*Node) {
	g := &Generator{R: rand.New(rand.NewPCG(seed, 0))}
	h := g.Schema(3)
	var queries []*Node
	for range 40 {
		queries = append(queries, g.Query())
	}
	return h, queries
}

// A seed makes the same text every time.
func TestSameSeed(t *testing.T) {
	t.Parallel()
	text := func() string {
		h, queries := generate(7)
		s := h.Schema.String() + h.Batches.String()
		for _, q := range queries {
			s += q.String() + "\n"
		}
		return s
	}
	if a, b := text(), text(); a != b {
		t.Errorf("two texts of one seed:\n%s\n%s", a, b)
	}
}

// The grammar is met in full: what is missing here would not be tested.
func TestGrammar(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for seed := range uint64(60) {
		h, queries := generate(seed)
		all.WriteString(h.Batches.String())
		for _, q := range queries {
			all.WriteString(q.String() + "\n")
		}
	}
	for _, word := range []string{
		"LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "NATURAL", "USING (", "LATERAL", "EXISTS (", "NOT EXISTS (",
		" IN (SELECT", " NOT IN (SELECT", "= ANY (SELECT", "ALL (SELECT", "GROUP BY", "HAVING", "FILTER (WHERE", "count(DISTINCT",
		"UNION ALL", "INTERSECT ALL", "EXCEPT ALL", "EXCEPT (", "UNION (", "INTERSECT (", "DISTINCT ON", "SELECT DISTINCT", "LIMIT",
		"OFFSET", "WITH TIES", "CASE WHEN", "coalesce(", "NOT MATERIALIZED", "WITH RECURSIVE", "VALUES", "generate_series", "unnest(",
		"WITH ORDINALITY", "ROLLUP", "CUBE", "GROUPING SETS", "OVER (", "GROUPS BETWEEN", "PARTITION BY", "WITHIN GROUP", "ARRAY(SELECT",
		"UPDATE", "DELETE FROM", "INSERT INTO", "SEARCH DEPTH", "SEARCH BREADTH", "CYCLE", "grouping(", "ROWS FROM", "rank(1) WITHIN",
		" AS o WHERE", "jsonb_set", "array_positions",
	} {
		if !strings.Contains(all.String(), word) {
			t.Errorf("nothing of 2400 queries has %s", word)
		}
	}
}

// Whatever a fault hangs on, the query that shows it is made small.
func TestShrink(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"FULL JOIN", "INTERSECT ALL", "count(DISTINCT", "LATERAL", "WITH ORDINALITY"} {
		for seed := range uint64(6) {
			_, queries := generate(seed)
			for _, q := range queries {
				if strings.Contains(q.String(), word) {
					shrinkTo(t, q, word)
				}
			}
		}
	}
}

func shrinkTo(t *testing.T, q *Node, word string) {
	t.Helper()
	was := q.String()
	root := &Node{Kids: []*Node{q}}
	fails := func() bool { return strings.Contains(root.Kids[0].String(), word) }
	Shrink(root, 2000, fails)
	got := root.Kids[0].String()
	if !fails() {
		t.Errorf("%s is gone: %s", word, got)
	}
	if len(got) > 260 {
		t.Errorf("%s: %d bytes are left of %d: %s", word, len(got), len(was), got)
	}
}

// A kid that stands in two holes is replaced in both.
func TestShrinkTwice(t *testing.T) {
	t.Parallel()
	inner := form("int", "abs($)", &Node{Sort: "int", Text: []string{"x"}})
	n := &Node{Sort: "text", Text: []string{"f(", " ORDER BY ", ")"}, Holes: []int{0, 0}, Kids: []*Node{inner}}
	root := &Node{Kids: []*Node{n}}
	Shrink(root, 100, func() bool { return strings.Contains(root.Kids[0].String(), "ORDER BY x") })
	if got := root.Kids[0].String(); got != "f(x ORDER BY x)" {
		t.Error(got)
	}
}
