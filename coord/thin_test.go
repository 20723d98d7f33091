package coord

import (
	"fmt"
	"testing"
	"time"
)

// TestHistoryHoldsItsOwnLog: the history that one object keeps does not hold back the log of others, and after a crash is what it was.
func TestHistoryHoldsItsOwnLog(t *testing.T) {
	lifeOf(t, Options{TickInterval: 500 * time.Millisecond, RetainHistory: time.Second}, func(t *testing.T, m *machine) {
		cl := connect(t, m.c)
		cl.must("CREATE TABLE busy (k int, pad text)")
		cl.must("CREATE TABLE few (k int, a int)")
		cl.must("CREATE MATERIALIZED VIEW kept WITH (RETAIN HISTORY FOR '1 hour') AS SELECT k, count(*) AS n, sum(a) AS total FROM few GROUP BY k")
		cl.must("CREATE MATERIALIZED VIEW both_of AS SELECT few.a, count(*) AS n FROM few JOIN busy ON busy.k = few.k GROUP BY few.a")
		shown := map[int64][]string{}
		written := int64(0)
		for i := range 60 {
			cl.must(fmt.Sprintf("INSERT INTO busy SELECT g %% 50, md5(g::text || '%d') || md5(g::text) FROM generate_series(1, 400) g", i))
			cl.must(fmt.Sprintf("INSERT INTO few VALUES (%d, %d)", i%7, i))
			if i%5 == 4 {
				cl.must(fmt.Sprintf("DELETE FROM few WHERE a = %d", i-3))
				cl.must(fmt.Sprintf("DELETE FROM busy WHERE k = %d", i%50))
			}
			at := m.at()
			shown[at] = cl.must(fmt.Sprintf("SELECT * FROM kept ORDER BY k AS OF %d", at))
			time.Sleep(time.Second)
			written += 400 * 64
			if i%20 != 19 {
				continue
			}
			if err := m.c.opts.Journal.Fold(); err != nil {
				t.Fatal(err)
			}
			if held := m.c.opts.Journal.Stats().LogBytes; held > max(written/3, 256<<10) {
				t.Errorf("of %d bytes that were written %d are held", written, held)
			}
			busy, both := cl.must("SELECT k, count(*) FROM busy GROUP BY k ORDER BY k"), cl.must("SELECT * FROM both_of ORDER BY a")
			m.crash()
			cl = connect(t, m.c)
			same(t, "what is not kept", cl.must("SELECT k, count(*) FROM busy GROUP BY k ORDER BY k"), busy...)
			same(t, "a view over both", cl.must("SELECT * FROM both_of ORDER BY a"), both...)
			for at, want := range shown {
				same(t, "what was kept", cl.must(fmt.Sprintf("SELECT * FROM kept ORDER BY k AS OF %d", at)), want...)
			}
		}
	})
}
