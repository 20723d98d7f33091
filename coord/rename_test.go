package coord

import (
	"testing"
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
