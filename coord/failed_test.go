package coord

import (
	"encoding/json"
	"strings"
	"testing"

	"millrace/internal/journal"
	"millrace/repr"
)

// spoil makes the statement of an object one that this release does not understand, as if another had written it.
func (m *machine) spoil(name, sql string) {
	m.t.Helper()
	m.c.Close()
	j := m.c.opts.Journal
	for key, value := range j.State().Notes {
		n := &objectNote{}
		if !strings.HasPrefix(key, itemNotes) || json.Unmarshal(value, n) != nil || n.Name != name {
			continue
		}
		n.SQL = sql
		c, err := j.Append(&journal.Record{Time: j.State().Last + 1, Notes: []journal.Note{{Key: key, Value: encode(n)}}})
		if err == nil {
			err = c.Wait()
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		m.t.Fatal(err)
	}
	m.disk.Restart()
	m.start()
}

// TestFailedObject: an object that cannot be made again at a start is in the catalog as failed, and so is what needs it.
// The rest is as it was, what failed can be dropped, and comes back when a release understands it again.
func TestFailedObject(t *testing.T) {
	t.Parallel()
	m := newMachine(t, quiet())
	cl := connect(t, m.c)
	cl.must("CREATE TABLE t (a int, b text)")
	cl.must("CREATE TABLE other (a int)")
	cl.must("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
	cl.must("INSERT INTO other VALUES (7)")
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT a + 1 AS c FROM t")
	cl.must("CREATE MATERIALIZED VIEW w AS SELECT c * 2 AS d FROM v")
	cl.must("CREATE INDEX v_c ON v (c)")
	cl.must("CREATE MATERIALIZED VIEW fine AS SELECT a FROM other")
	const original = "CREATE MATERIALIZED VIEW v AS SELECT a + 1 AS c FROM t"
	m.spoil("v", "CREATE MATERIALIZED VIEW v AS SELECT no_such_function(a) AS c FROM t")
	cl = connect(t, m.c)
	same(t, "what is left", cl.must("SELECT a FROM fine"), "7")
	same(t, "the table", cl.must("SELECT a, b FROM t ORDER BY a"), "1|x", "2|y")
	same(t, "failures", cl.must("SELECT name, type FROM mz_internal.mz_object_failures ORDER BY 1"), "v|materialized-view", "v_c|index", "w|materialized-view")
	same(t, "hydration", cl.must("SELECT name, hydrated, status FROM mz_internal.mz_hydration_statuses ORDER BY 1"),
		"fine|t|running", "v|f|failed", "v_c|f|failed", "w|f|failed")
	for _, q := range []string{"SELECT * FROM v", "SELECT * FROM w", "SUBSCRIBE w", "EXPLAIN MATERIALIZED VIEW v", "EXPLAIN ANALYZE MATERIALIZED VIEW w",
		"CREATE VIEW x AS SELECT * FROM v", "CREATE INDEX ON v (c)",
		"COMMENT ON MATERIALIZED VIEW v IS 'x'", "ALTER MATERIALIZED VIEW v RENAME TO z", "CREATE SINK s FROM v INTO KAFKA BROKER 'localhost:1' TOPIC 't' FORMAT JSON"} {
		if err := cl.fails(repr.CodeObjectNotReady, q); !strings.Contains(err.Message, "no_such_function") {
			t.Errorf("%s: %s", q, err.Message)
		}
	}
	for _, q := range []string{"SHOW CREATE MATERIALIZED VIEW v", "SHOW INDEXES", "SHOW CONNECTIONS", "SELECT * FROM pg_class", "SELECT * FROM pg_index", "SELECT * FROM pg_indexes",
		"SELECT * FROM mz_internal.mz_frontiers", "SELECT * FROM mz_columns", "SELECT pg_get_indexdef(oid, 1, true) FROM pg_class"} {
		cl.must(q)
	}
	m.spoil("v", original)
	cl = connect(t, m.c)
	same(t, "it is back", cl.must("SELECT d FROM w ORDER BY 1"), "4", "6")
	m.spoil("v", "CREATE MATERIALIZED VIEW v AS SELECT")
	cl = connect(t, m.c)
	_ = cl.fails(repr.CodeDependentObjects, "DROP MATERIALIZED VIEW v")
	cl.must("DROP MATERIALIZED VIEW v CASCADE")
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT a AS c FROM t")
	m.crash()
	same(t, "a new one", connect(t, m.c).must("SELECT c FROM v ORDER BY 1"), "1", "2")
}

// TestFailedTable: the rows of a table that cannot be made again are kept for the release that can.
func TestFailedTable(t *testing.T) {
	t.Parallel()
	m := newMachine(t, quiet())
	cl := connect(t, m.c)
	cl.must("CREATE TABLE t (a int)")
	cl.must("INSERT INTO t VALUES (1), (2)")
	m.spoil("t", "CREATE TABLE t (a no_such_type)")
	_ = connect(t, m.c).fails(repr.CodeObjectNotReady, "INSERT INTO t VALUES (3)")
	m.crash()
	m.spoil("t", "CREATE TABLE t (a int)")
	same(t, "the rows", connect(t, m.c).must("SELECT a FROM t ORDER BY 1"), "1", "2")
}
