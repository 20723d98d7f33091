package coord

import (
	"math/rand/v2"
	"testing"

	"millrace/internal/sim"
)

// TestRollbackWithoutSpace: a ROLLBACK takes back what the block made, and a COMMIT that fails does too, though the log has no space
// for it; so does a crash, and what waits is written when there is space.
func TestRollbackWithoutSpace(t *testing.T) {
	t.Parallel()
	m := newMachine(t, quiet())
	cl, other := connect(t, m.c), connect(t, m.c)
	cl.must("CREATE TABLE filler (a text)")
	for _, end := range []string{"ROLLBACK", "COMMIT"} {
		cl.must("BEGIN")
		cl.must("CREATE SCHEMA made_too")
		cl.must("CREATE TABLE made_too.made (a int)")
		other.must("CREATE VIEW others AS SELECT a FROM made_too.made")
		fillUp(t, m.disk, other)
		if end == "COMMIT" {
			_ = cl.fails(errDiskFull, end)
		} else {
			cl.must(end)
		}
		gone := func() {
			t.Helper()
			_ = cl.fails("42P01", "SELECT a FROM made_too.made")
			_ = cl.fails("42P01", "SELECT a FROM others")
			same(t, "the schemas", cl.must("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'made%'"))
		}
		gone()
		m.disk.SetLimit(1 << 40)
		if end == "ROLLBACK" {
			cl.must("INSERT INTO filler VALUES ('there is space')")
		}
		for range 2 {
			m.crash()
			cl = connect(t, m.c)
			gone()
		}
		other = connect(t, m.c)
	}
}

// TestCrashInABlock: what a block made counts after a crash when the block has committed, and only then; what others have put on
// top of it goes with it.
func TestCrashInABlock(t *testing.T) {
	t.Parallel()
	m := newMachine(t, quiet())
	cl := connect(t, m.c)
	cl.must("CREATE TABLE before (a int)")
	cl.must("BEGIN")
	cl.must("CREATE SCHEMA done")
	cl.must("CREATE TABLE done.t (a int)")
	cl.must("CREATE MATERIALIZED VIEW done.v AS SELECT count(*) AS n FROM done.t")
	cl.must("INSERT INTO done.t VALUES (1), (2)")
	cl.must("COMMIT")
	cl.must("BEGIN")
	cl.must("CREATE SCHEMA half")
	cl.must("CREATE TABLE half.t (a int)")
	cl.must("CREATE INDEX half_i ON before (a)")
	cl.must("CREATE MATERIALIZED VIEW half_v AS SELECT a FROM before")
	cl.must("CREATE SUBSCRIPTION half_s ON half_v")
	cl.must("INSERT INTO before VALUES (3)")
	other := connect(t, m.c)
	other.must("INSERT INTO before VALUES (4)")
	other.must("INSERT INTO half.t VALUES (5)")
	other.must("CREATE VIEW on_top AS SELECT * FROM half.t")
	other.must("CREATE TABLE half.others (a int)")
	other.must("CREATE TABLE others (a int)")
	for range 3 {
		m.crash()
		cl = connect(t, m.c)
		same(t, "the catalog", cl.must("SELECT name FROM mz_objects WHERE id LIKE 'u%' ORDER BY 1"), "before", "others", "t", "v")
		same(t, "the schemas", cl.must("SELECT schema_name FROM information_schema.schemata WHERE schema_name IN ('done', 'half')"), "done")
		same(t, "v", cl.must("SELECT n FROM done.v"), "2")
		same(t, "before", cl.must("SELECT a FROM before"), "4")
	}
	cl.must("CREATE SCHEMA half")
	cl.must("CREATE TABLE half.t (a int)")
	m.crash()
	same(t, "what is made anew", connect(t, m.c).must("SELECT a FROM half.t"))
}

// TestDroppedByOthers: a schema that somebody else drops and makes anew while the block that made it is open is theirs.
func TestDroppedByOthers(t *testing.T) {
	t.Parallel()
	m := newMachine(t, quiet())
	cl, other := connect(t, m.c), connect(t, m.c)
	cl.must("BEGIN")
	cl.must("CREATE SCHEMA s")
	cl.must("CREATE TABLE t (a int)")
	other.must("DROP TABLE t")
	other.must("DROP SCHEMA s")
	other.must("CREATE SCHEMA s")
	other.must("CREATE TABLE s.t (a int)")
	m.crash()
	same(t, "theirs", connect(t, m.c).must("SELECT a FROM s.t"))
}

// fillUp leaves no space for anything: what the log has reserved is used up too.
func fillUp(t *testing.T, d *sim.Disk, cl *client) {
	t.Helper()
	d.SetLimit(d.Bytes())
	rng := rand.New(rand.NewPCG(1, 1))
	for size := 1 << 14; size > 0; size /= 2 {
		for range 100 {
			if _, err := cl.run(t.Context(), "INSERT INTO filler VALUES ('"+randomText(rng, size)+"')"); err != nil {
				break
			}
		}
	}
}
