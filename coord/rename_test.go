package coord

import (
	"strings"
	"testing"

	"millrace/repr"
	"millrace/sources"
)

// TestRenamedIsShown: what makes an object is shown with the name that it has now, before and after a crash; so is what makes an
// index of it, and what psql shows.
func TestRenamedIsShown(t *testing.T) {
	lifeOf(t, Options{}, func(t *testing.T, m *machine) {
		cl := connect(t, m.c)
		cl.must("CREATE SCHEMA s")
		cl.must("CREATE TABLE s.old (a int); CREATE INDEX by_a ON s.old (a); CREATE TABLE u (a int)")
		cl.must("CREATE MATERIALIZED VIEW mv AS SELECT a FROM u; CREATE VIEW v AS SELECT a FROM mv")
		cl.must("CREATE CONNECTION k TO KAFKA (BROKER 'localhost:9092') WITH (VALIDATE = false)")
		cl.must("ALTER TABLE s.old RENAME TO \"New One\"; ALTER VIEW v RENAME TO w; ALTER INDEX s.by_a RENAME TO \"by\"; ALTER CONNECTION k RENAME TO kafka")
		cl.must("DROP VIEW w; ALTER MATERIALIZED VIEW mv RENAME TO kept; CREATE VIEW v AS SELECT a FROM kept; ALTER VIEW v RENAME TO w")
		for range 2 {
			same(t, "table", cl.must("SHOW CREATE TABLE s.\"New One\""), "s.New One|CREATE TABLE s.\"New One\" (a int4)")
			same(t, "index", cl.must("SHOW CREATE INDEX s.\"by\""), "s.by|CREATE INDEX \"by\" ON s.\"New One\" (a)")
			same(t, "view", cl.must("SHOW CREATE VIEW w"), "public.w|CREATE VIEW w AS SELECT a FROM kept")
			same(t, "materialized view", cl.must("SHOW CREATE MATERIALIZED VIEW kept"), "public.kept|CREATE MATERIALIZED VIEW kept AS SELECT a FROM u")
			same(t, "connection", cl.must("SHOW CREATE CONNECTION kafka"), "public.kafka|CREATE CONNECTION kafka TO KAFKA (BROKER = 'localhost:9092') WITH (VALIDATE = false)")
			cl.must("INSERT INTO s.\"New One\" VALUES (1); INSERT INTO u VALUES (1)")
			cl.must("SELECT * FROM w")
			m.crash()
			cl = connect(t, m.c)
			cl.must("SELECT * FROM kept")
		}
		same(t, "rows", cl.must("SELECT count(*) FROM s.\"New One\" WHERE a = 1"), "2")
	})
}

// TestRenamedSource: the relation of its bad records is called as the source is, also after a crash, and neither takes the name of another.
func TestRenamedSource(t *testing.T) {
	opts := Options{Source: func(string) sources.Described { return &echo{first: 5, mute: func() bool { return false }} }}
	lifeOf(t, opts, func(t *testing.T, m *machine) {
		cl := connect(t, m.c)
		cl.must("CREATE SOURCE old FROM KAFKA BROKER 'b:9092' TOPIC 't' FORMAT JSON")
		cl.must("CREATE INDEX i ON old_errors (topic)")
		cl.must("CREATE TABLE taken_errors (a int)")
		if err := cl.fails(repr.CodeDuplicateTable, "ALTER SOURCE old RENAME TO taken"); !strings.Contains(err.Message, "taken_errors") {
			t.Errorf("a name that is taken: %v", err)
		}
		same(t, "what is not renamed", cl.must("SELECT count(*) FROM old"), "5")
		cl.must("CREATE VIEW bad AS SELECT error FROM old_errors")
		_ = cl.fails(repr.CodeDependentObjects, "ALTER SOURCE old RENAME TO new")
		cl.must("DROP VIEW bad")
		cl.must("ALTER SOURCE old RENAME TO new")
		for range 2 {
			same(t, "the names", cl.must("SELECT name FROM mz_objects WHERE id LIKE 'u%' AND type = 'source' ORDER BY 1"), "new", "new_errors")
			same(t, "the rows", cl.must("SELECT count(*) FROM new"), "5")
			same(t, "bad records", cl.must("SELECT count(*) FROM new_errors WHERE topic = 't'"), "0")
			same(t, "the index", cl.must("SHOW CREATE INDEX i"), "public.i|CREATE INDEX i ON new_errors (topic)")
			_ = cl.fails("42P01", "SELECT * FROM old_errors")
			m.crash()
			cl = connect(t, m.c)
		}
	})
}
