package coord

import (
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/internal/sim"
)

// TestRollbackWithoutSpace: a ROLLBACK that cannot drop what the block made says so and ends the block; what is left can be dropped when
// there is space.
func TestRollbackWithoutSpace(t *testing.T) {
	t.Parallel()
	m := newMachine(t, quiet())
	cl := connect(t, m.c)
	cl.must("CREATE TABLE filler (a text)")
	cl.must("BEGIN")
	cl.must("CREATE TABLE made (a int)")
	fillUp(t, m.disk, connect(t, m.c))
	if err := cl.fails(errDiskFull, "ROLLBACK"); !strings.Contains(err.Message, "not all") {
		t.Errorf("ROLLBACK says %v", err)
	}
	m.disk.SetLimit(1 << 40)
	same(t, "what is left", cl.must("SELECT a FROM made"))
	cl.must("DROP TABLE made")
	cl.must("BEGIN")
	cl.must("CREATE TABLE made (a int)")
	cl.must("ROLLBACK")
	_ = cl.fails("42P01", "SELECT a FROM made")
}

// fillUp leaves no space for anything: what the log has reserved is used up too.
func fillUp(t *testing.T, d *sim.Disk, cl *client) {
	t.Helper()
	d.SetLimit(d.Bytes())
	rng := rand.New(rand.NewPCG(1, 1))
	for size := 1 << 14; size > 0; size /= 2 {
		for range 100 {
			text := make([]byte, size)
			for i := range text {
				text[i] = byte('a' + rng.IntN(26))
			}
			if _, err := cl.run(t.Context(), "INSERT INTO filler VALUES ('"+string(text)+"')"); err != nil {
				break
			}
		}
	}
}
