package coord

import (
	"regexp"
	"strings"
	"testing"

	"millrace/repr"
)

// TestExplainAnalyze reads the figures of operators; what else EXPLAIN says is golden in testdata/sql/explain.
func TestExplainAnalyze(t *testing.T) {
	t.Parallel()
	opts := quiet()
	opts.Workers = 2
	cl := connect(t, start(t, opts))
	cl.must("CREATE TABLE t (a int, b int); CREATE TABLE u (a int, c text)")
	cl.must("CREATE MATERIALIZED VIEW m AS SELECT u.c, sum(t.b) AS total FROM t JOIN u ON t.a = u.a GROUP BY u.c")
	cl.must("INSERT INTO u SELECT g, 'c' || g % 3 FROM generate_series(1, 10) AS g")
	cl.must("INSERT INTO t SELECT g % 10 + 1, g FROM generate_series(1, 100) AS g")
	cl.must("DELETE FROM t WHERE b > 90")
	figures := func(line string) []string {
		return regexp.MustCompile(`\d+(\.\d+)? ?(ms|%|k?B)?`).FindAllString(line, -1)
	}
	find := func(lines []string, word string) string {
		for _, l := range lines {
			if strings.Contains(l, word) {
				return l
			}
		}
		t.Fatalf("no line holds %q:\n%s", word, strings.Join(lines, "\n"))
		return ""
	}
	lines := cl.must("EXPLAIN ANALYZE MATERIALIZED VIEW m")
	if l := find(lines, "operator"); strings.Join(strings.Fields(l), " ") != "operator rows in rows out rows held bytes time share" {
		t.Errorf("head: %s", l)
	}
	in := func(line string) string { return strings.Fields(line[strings.LastIndex(line, "]")+1:])[0] }
	if l := find(lines, "Join"); in(l) != "120" {
		t.Errorf("the join took %s rows: %s", in(l), l)
	}
	if got := find(lines, "Kept"); !strings.HasPrefix(got, "Kept: 3 rows, ") {
		t.Errorf("kept: %s", got)
	}
	width := len(lines[0])
	for _, l := range lines[:len(lines)-1] {
		if len(l) != width && !strings.Contains(l, "shared") {
			t.Errorf("not aligned: %q", l)
		}
	}
	if f := figures(find(lines, "total")); len(f) != 4 || f[3] != "100.0 %" {
		t.Errorf("total: %v", f)
	}
	same(t, "the same as a table", cl.must("SELECT rows_in FROM mz_internal.mz_operator_stats WHERE name = 'm' AND description LIKE '%Join%'"), "120")

	lines = cl.must("EXPLAIN ANALYZE SELECT c, count(*) FROM t JOIN u USING (a) WHERE a = 3 GROUP BY c")
	if got := find(lines, "Result"); got != "Result: 1 distinct rows" {
		t.Errorf("result: %s", got)
	}
	for _, word := range []string{"Read t by its own order: 1 value of (a)", "Planning Time: ", "Execution Time: "} {
		_ = find(lines, word)
	}
	_ = cl.fails(repr.CodeFeatureNotSupported, "EXPLAIN ANALYZE INSERT INTO t VALUES (1, 1)")
	_ = cl.fails(repr.CodeFeatureNotSupported, "EXPLAIN ANALYZE CREATE MATERIALIZED VIEW x AS SELECT 1")
	_ = cl.fails(repr.CodeDivisionByZero, "EXPLAIN ANALYZE SELECT 1 / (a - a) FROM t")
}
