package coord

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/counts"
	"millrace/internal/sim"
	"millrace/repr"
)

// TestFullDisks fills the disk again and again while rows are written, one by one and in transactions: writes are refused with 53100 and
// leave nothing, reads of tables and views go on, and when there is space all goes on without a restart; every other time the
// power goes while the disk is full. At the end all that was acknowledged is there, and nothing else.
func TestFullDisks(t *testing.T) {
	t.Parallel()
	m := newMachine(t, quiet())
	rng := rand.New(rand.NewPCG(4, 4))
	cl := connect(t, m.c)
	cl.must("CREATE TABLE t (n int, pad text)")
	cl.must("CREATE TABLE filler (a text)")
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(n) AS total FROM t")
	rows, sum := 0, 0
	check := func(when string) {
		t.Helper()
		want := fmt.Sprintf("%d|%d", rows, sum)
		same(t, when+": the view", cl.must("SELECT n, total FROM v"), want)
		same(t, when+": the table", cl.must("SELECT count(*), sum(n) FROM t"), want)
	}
	write := func() *repr.Error {
		n, pad := rng.IntN(1000), randomText(rng, 1<<rng.IntN(14))
		text, by := fmt.Sprintf("INSERT INTO t VALUES (%d, '%s')", n, pad), 1
		if rng.IntN(3) == 0 {
			text, by = "BEGIN; "+text+"; "+text+"; COMMIT", 2
		}
		if _, err := cl.run(t.Context(), text); err != nil {
			return err
		}
		rows, sum = rows+by, sum+by*n
		return nil
	}
	fills := counts.Of(5, 20)
	for fill := range fills {
		for range 5 {
			if err := write(); err != nil {
				t.Fatalf("with space: %v", err)
			}
		}
		m.disk.SetLimit(m.disk.Bytes() + rng.Int64N(40<<10))
		refused := 0
		for refused < 5 {
			if err := write(); err != nil && err.Code != errDiskFull {
				t.Fatalf("on a full disk: %v", err)
			} else if err != nil {
				refused++
			}
		}
		fillUp(t, m.disk, cl)
		if err := write(); err == nil || err.Code != errDiskFull {
			t.Fatal("a disk without any space takes a row")
		}
		check("fill " + strconv.Itoa(fill))
		m.disk.SetLimit(1 << 40)
		if fill%2 == 1 {
			m.crash()
			cl = connect(t, m.c)
		}
		check("with space again, fill " + strconv.Itoa(fill))
		if err := write(); err != nil {
			t.Fatalf("with space again: %v", err)
		}
	}
	m.crash()
	cl = connect(t, m.c)
	check("at the end")
}

// TestDueOnAFullDisk: rows that fall due while the disk is full wait for the heartbeat, which looks for space, and are gone when there is
// some. They do not ask for a tick as soon as one is refused.
func TestDueOnAFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := sim.NewDisk(1)
		var full atomic.Bool
		var tries atomic.Int64
		disk.Pause(func(op sim.Op, _ string) {
			if full.Load() && (op == sim.OpCreate || op == sim.OpAllocate) && tries.Add(1) > 1000 {
				disk.SetLimit(1 << 40) // or it would never end
			}
		})
		m := newMachineOn(t, disk, Options{TickInterval: 500 * time.Millisecond, RetainHistory: time.Second})
		cl := connect(t, m.c)
		cl.must("CREATE TABLE t (n int, until timestamptz)")
		cl.must("CREATE TABLE filler (a text)")
		cl.must("CREATE MATERIALIZED VIEW v AS SELECT n FROM t WHERE mz_now() < until")
		cl.must("INSERT INTO t SELECT n, now() + n * interval '1 second' FROM generate_series(1, 30) AS g (n)")
		fillUp(t, disk, cl)
		full.Store(true)
		time.Sleep(10 * time.Second)
		if n := tries.Load(); n < 10 || n > 50 {
			t.Errorf("it was tried %d times in 10 s to write a tick", n)
		}
		disk.SetLimit(1 << 40)
		time.Sleep(time.Second)
		late := cl.must("SELECT count(*) FROM t, v WHERE t.n = v.n AND t.until <= now()")
		same(t, "rows that are overdue", late, "0")
		time.Sleep(30 * time.Second)
		same(t, "rows at the end", cl.must("SELECT count(*) FROM v"), "0")
	})
}

// randomText is text that does not compress.
func randomText(rng *rand.Rand, size int) string {
	text := make([]byte, size)
	for i := range text {
		text[i] = byte('a' + rng.IntN(26))
	}
	return string(text)
}
