package coord

import (
	"context"
	"slices"
	"strings"
	"testing"

	"millrace/sinks"
)

// TestLenientViews: a view with an error cannot be read, unless the view or the session leaves such rows out, which is said; that can be
// changed at any time, and is there after a crash.
func TestLenientViews(t *testing.T) {
	t.Parallel()
	m := newMachine(t, quiet())
	cl := connect(t, m.c)
	const left, all = "\"v\" is read without 2 rows that an expression fails on: division by zero", "SELECT * FROM v ORDER BY a"
	cl.must("CREATE TABLE t (a int, b int)")
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT a, 10 / b AS q FROM t")
	cl.must("CREATE MATERIALIZED VIEW over AS SELECT sum(q) FROM v")
	cl.must("INSERT INTO t VALUES (1, 1), (2, 0), (2, 0), (3, 5)")
	reads := func() {
		t.Helper()
		same(t, "the view", cl.must(all), "1|10", "3|2")
		if !slices.ContainsFunc(cl.notices, func(n Notice) bool { return strings.HasPrefix(n.Message, left) }) {
			t.Errorf("it is not said that rows are left out: %v", cl.notices)
		}
	}
	_ = cl.fails("22012", all)
	same(t, "its errors", cl.must("SELECT name, error_code, error, detail, rows FROM mz_internal.mz_view_errors WHERE name = 'v'"),
		"v|22012|division by zero|the row is (2, 0)|2")
	cl.must("SET on_error = quarantine")
	reads()
	same(t, "what reads it", cl.must("SELECT * FROM over"), "12")
	cl.must("SET on_error = fail")
	_ = cl.fails("22012", all)
	cl.must("ALTER MATERIALIZED VIEW v SET (ON ERROR = quarantine)")
	cl.must("EXPLAIN ANALYZE SELECT * FROM v")
	reads()
	same(t, "in part", cl.must("SELECT q FROM v WHERE a = 3"), "2")
	_ = cl.fails("22012", "SELECT 1 / (a - 1) FROM v")
	_ = cl.fails("22012", "SELECT * FROM over")
	if text := cl.one("SHOW CREATE MATERIALIZED VIEW v"); !strings.Contains(text, "ON ERROR = quarantine") {
		t.Errorf("the statement is %s", text)
	}
	const failing = `view "born" cannot be read while an expression fails on a row: division by zero`
	tells := func(n Notice) bool { return n.Severity == "WARNING" && n.Message == failing }
	cl.must("CREATE MATERIALIZED VIEW born WITH (ON ERROR = quarantine) AS SELECT 10 / b AS q FROM t")
	if slices.ContainsFunc(cl.notices, tells) {
		t.Errorf("a view that leaves rows out is said to fail")
	}
	cl.must("DROP MATERIALIZED VIEW born")
	if cl.must("CREATE MATERIALIZED VIEW born AS SELECT 10 / b AS q FROM t"); !slices.ContainsFunc(cl.notices, tells) {
		t.Errorf("who makes a view that cannot be read is not told: %v", cl.notices)
	}
	m.crash()
	cl = connect(t, m.c)
	reads()
	cl.must("ALTER MATERIALIZED VIEW v RESET (ON ERROR)")
	_ = cl.fails("22012", all)
	cl.must("DELETE FROM t WHERE b = 0")
	same(t, "the view without errors", cl.must(all), "1|10", "3|2")
	_ = cl.fails("22023", "ALTER MATERIALIZED VIEW v SET (ON ERROR = ignore)")
	_ = cl.fails("0A000", "ALTER TABLE t SET (ON ERROR = quarantine)")
}

// TestLenientStreams: a subscription and a sink of a lenient view go on while it has errors, and a stream of one that is not lenient ends.
func TestLenientStreams(t *testing.T) {
	t.Parallel()
	opts := quiet()
	opts.FileSinks = "/srv"
	written := make(chan sinks.Tick, 100)
	opts.ObjectSink = func(ObjectSink) (SinkConnector, error) { return taker{written}, nil }
	c := start(t, opts)
	cl := connect(t, c)
	cl.must("CREATE TABLE t (a int, b int)")
	cl.must("CREATE MATERIALIZED VIEW v WITH (ON ERROR = quarantine) AS SELECT a, 10 / b AS q FROM t")
	cl.must("INSERT INTO t VALUES (1, 1), (2, 0)")
	cl.must("CREATE SINK s FROM v INTO FILE 'v'")
	if tick := <-written; len(tick.Changes) != 1 {
		t.Errorf("the sink is given %v", tick)
	}
	s := cl.open("SUBSCRIBE v")
	strict := connect(t, c).open("SUBSCRIBE (SELECT * FROM v)")
	if _, _, err := strict.rows.Next(t.Context()); err == nil || err.Code != "22012" {
		t.Errorf("a query over it gives %v", err)
	}
	cl2 := connect(t, c)
	cl2.must("INSERT INTO t VALUES (3, 0), (4, 2)")
	var got []string
	for len(got) < 2 {
		row, _, err := s.rows.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(cl.text(s.cols, row), "|")
		got = append(got, rest)
	}
	same(t, "the stream", got, "1|1|10", "1|4|5")
	if tick := <-written; len(tick.Changes) != 1 {
		t.Errorf("the sink is given %v", tick)
	}
}
