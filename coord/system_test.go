package coord

import (
	"fmt"
	"strings"
	"testing"

	"millrace/coord/catalog"
	"millrace/internal/golden"
)

// TestSystemTables has the columns of every system table in a golden file, and has each answer SELECT * with what
// exists in a small world.
func TestSystemTables(t *testing.T) {
	t.Parallel()
	c := start(t, quiet())
	cl := connect(t, c)
	cl.must("CREATE SCHEMA app; CREATE TABLE app.t (a int NOT NULL DEFAULT 1, b text[], c numeric(8,2)); CREATE VIEW v AS SELECT a FROM app.t")
	cl.must("CREATE MATERIALIZED VIEW m AS SELECT a, count(*) AS n FROM v GROUP BY a; CREATE INDEX ON m (a)")
	cl.must("COMMENT ON TABLE app.t IS 'a table'")
	var b strings.Builder
	for _, it := range catalog.SystemItems() {
		fmt.Fprintf(&b, "%s.%s\n", it.Schema, it.Name)
		for _, col := range it.Desc {
			null := ""
			if col.NotNull {
				null = " not null"
			}
			fmt.Fprintf(&b, "  %s %s%s\n", col.Name, col.Type, null)
		}
		rows := cl.must("SELECT * FROM " + it.Schema + "." + it.Name)
		n := cl.one("SELECT count(*) FROM " + it.Schema + "." + it.Name)
		if fmt.Sprint(len(rows)) != n {
			t.Errorf("%s has %d rows, counted are %s", it.Name, len(rows), n)
		}
	}
	golden.File(t, "testdata/system_tables", b.String())
}
