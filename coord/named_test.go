package coord

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/repr"
)

// TestSubscriptionGoesOn follows a subscription through acknowledgements, breaks and its end.
func TestSubscriptionGoesOn(t *testing.T) {
	bubble(t, Options{TickInterval: 5 * time.Millisecond}, func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		cl.must("INSERT INTO t VALUES (1)")
		cl.must("CREATE SUBSCRIPTION s ON t WITH (RETAIN FOR '1 minute')")
		same(t, "SHOW", cl.must("SHOW SUBSCRIPTIONS"), "s|t||idle")
		cl.must("INSERT INTO t VALUES (2)")
		first, _ := connect(t, c).open("SUBSCRIBE s").there()
		again, _ := connect(t, c).open("SUBSCRIBE s").there()
		same(t, "nothing was acknowledged", again, first...)
		if len(first) != 2 || !strings.HasSuffix(first[0], "|1|1") || !strings.HasSuffix(first[1], "|1|2") {
			t.Fatalf("it begins with %v", first)
		}
		cl.must(fmt.Sprintf("ACKNOWLEDGE s AT %d", timeOf(t, first[0])))
		rows, _ := connect(t, c).open("SUBSCRIBE s").there()
		same(t, "behind the content", rows, first[1])
		cl.must(fmt.Sprintf("ACKNOWLEDGE s AT %d", timeOf(t, first[1])))
		cl.must(fmt.Sprintf("ACKNOWLEDGE s AT %d", timeOf(t, first[0])))
		if n := len(cl.notices); n != 1 {
			t.Errorf("to acknowledge what was acknowledged gives %d notices", n)
		}
		same(t, "SHOW", cl.must("SHOW SUBSCRIPTIONS"), fmt.Sprintf("s|t|%d|reading", timeOf(t, first[1])))
		time.Sleep(50 * time.Second) // longer than others keep history
		cl.must("DELETE FROM t WHERE a = 1")
		rows, _ = connect(t, c).open("SUBSCRIBE s").there()
		if len(rows) != 1 || !strings.HasSuffix(rows[0], "|-1|1") {
			t.Errorf("behind the last acknowledged time there are %v", rows)
		}
		_ = cl.fails("22023", "ACKNOWLEDGE s AT 99999999999999")
		_ = cl.fails("25001", "BEGIN; ACKNOWLEDGE s AT 1")
		cl.must("ROLLBACK")
		_ = cl.fails("0A000", "SUBSCRIBE s AS OF 5")
		_ = cl.fails("2BP01", "DROP TABLE t")
		_ = cl.fails("42704", "DROP SUBSCRIPTION nope")
		follow := connect(t, c).open("SUBSCRIBE s")
		cl.must("DROP SUBSCRIPTION s")
		if _, err := follow.there(); err == nil || err.Code != repr.CodeUndefinedObject {
			t.Errorf("a stream of what was dropped ends with %v", err)
		}
	})
}

// TestSubscriptionPastRetention refuses to go on where changes are missing, and says how to.
func TestSubscriptionPastRetention(t *testing.T) {
	bubble(t, Options{TickInterval: 100 * time.Millisecond}, func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		cl.must("CREATE SUBSCRIPTION s ON t WITH (RETAIN FOR '30 seconds', SNAPSHOT = false)")
		cl.must("INSERT INTO t VALUES (1)")
		time.Sleep(20 * time.Second)
		rows, err := connect(t, c).open("SUBSCRIBE s").there()
		if err != nil || len(rows) != 1 {
			t.Fatalf("%v, %v", rows, err)
		}
		time.Sleep(20 * time.Second)
		e := cl.fails("55000", "SUBSCRIBE s")
		if !strings.Contains(e.Message, `subscription "s" cannot go on behind the time`) || !strings.Contains(e.Hint, "WITH (SNAPSHOT)") || !strings.Contains(e.Detail, "30s") {
			t.Errorf("%v, %s, %s", e, e.Detail, e.Hint)
		}
		same(t, "status", cl.must("SELECT status FROM mz_subscriptions"), "reading") // the first stream is still open
		rows, err = connect(t, c).open("SUBSCRIBE s WITH (SNAPSHOT)").there()
		if err != nil || len(rows) != 1 {
			t.Fatalf("anew: %v, %v", rows, err)
		}
		cl.must(fmt.Sprintf("ACKNOWLEDGE s AT %d", timeOf(t, rows[0])))
		if rows, err = connect(t, c).open("SUBSCRIBE s").there(); err != nil || len(rows) > 0 {
			t.Errorf("behind it: %v, %v", rows, err)
		}
	})
}

// TestSubscriptionHoldsHistoryBack keeps no more history than is not acknowledged.
func TestSubscriptionHoldsHistoryBack(t *testing.T) {
	bubble(t, Options{TickInterval: 100 * time.Millisecond, RetainHistory: time.Second}, func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		cl.must("CREATE TABLE other (a int)")
		cl.must("CREATE SUBSCRIPTION s ON t")
		behind := func(table string) int64 {
			var ms int64
			_, err := fmt.Sscan(cl.one("SELECT (upper - since)::bigint FROM mz_internal.mz_object_history AS h JOIN mz_objects AS o ON o.id = h.object_id WHERE o.name = '"+table+"'"), &ms)
			if err != nil {
				t.Fatal(err)
			}
			return ms
		}
		time.Sleep(time.Minute)
		if n := behind("t"); n < 60_000 {
			t.Errorf("%d ms are kept", n)
		}
		if n := behind("other"); n > 2_000 {
			t.Errorf("%d ms are kept of another table", n)
		}
		cl.must(fmt.Sprintf("ACKNOWLEDGE s AT %d", time.Now().UnixMilli()-200))
		time.Sleep(200 * time.Millisecond)
		if n := behind("t"); n > 2_000 {
			t.Errorf("after all was acknowledged %d ms are kept", n)
		}
	})
}

// reader is a client of a subscription that remembers only what it has acknowledged.
type reader struct {
	t       *testing.T
	stable  map[string]int64 // the sum of all up to at
	at      int64
	seen    int // changes that were shown behind it
	streams int
}

// read takes what there is, and acknowledges some of it; what it has not acknowledged it forgets.
func (r *reader) read(c *Coordinator, rng *rand.Rand) {
	cl := connect(r.t, c)
	s := cl.open("SUBSCRIBE s WITH (PROGRESS)")
	defer s.rows.Close()
	r.streams++
	sum, pending := maps.Clone(r.stable), map[string]int64{}
	last, complete := int64(0), int64(0)
	rows, err := s.there()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, row := range rows {
		f := strings.Split(row, "|")
		at := timeOf(r.t, row)
		if at < last {
			r.t.Fatalf("%s comes after %d", row, last)
		}
		if at > last {
			for k, n := range pending {
				sum[k] += n
			}
			clear(pending)
			complete, last = at-1, at
			if rng.IntN(3) == 0 && complete > r.at {
				r.acknowledge(cl, complete, sum)
			}
		}
		if f[1] == "t" {
			continue
		}
		if at <= r.at && r.at > 0 {
			r.t.Fatalf("%s was acknowledged: %d", row, r.at)
		}
		r.seen++
		var n int64
		if _, err := fmt.Sscan(f[2], &n); err != nil {
			r.t.Fatal(err)
		}
		pending[strings.Join(f[3:], "|")] += n
	}
}

func (r *reader) acknowledge(cl *client, at int64, sum map[string]int64) {
	cl.must(fmt.Sprintf("ACKNOWLEDGE s AT %d", at))
	r.at, r.stable = at, maps.Clone(sum)
	maps.DeleteFunc(r.stable, func(_ string, n int64) bool { return n == 0 })
}

// TestSubscriptionThroughCrashes: whatever ends, the client or the server, what was acknowledged never comes again, and what was not
// is never missed.
func TestSubscriptionThroughCrashes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) { throughCrashes(t, seed) })
	}
}

func throughCrashes(t *testing.T, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	m := newMachine(t, Options{TickInterval: 20 * time.Millisecond, RetainHistory: 50 * time.Millisecond, Workers: 1 + int(seed%2)})
	cl := connect(t, m.c)
	cl.must("CREATE TABLE t (k int, v int)")
	cl.must("INSERT INTO t SELECT g % 5, g FROM generate_series(1, 20) AS g")
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT k, sum(v) AS s FROM t GROUP BY k")
	cl.must("CREATE SUBSCRIPTION s ON v WITH (RETAIN FOR '10 minutes')")
	r := &reader{t: t, stable: map[string]int64{}}
	for range 120 {
		switch rng.IntN(8) {
		case 0:
			m.crash()
			cl = connect(t, m.c)
		case 1:
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
		case 2, 3:
			r.read(m.c, rng)
		case 4:
			cl.must(fmt.Sprintf("DELETE FROM t WHERE v %% 7 = %d", rng.IntN(7)))
		default:
			cl.must(fmt.Sprintf("INSERT INTO t VALUES (%d, %d)", rng.IntN(5), rng.IntN(100)))
		}
	}
	cl.must("INSERT INTO t VALUES (77, 1)")
	var at int64
	for at == 0 || r.at < at { // until the last change is acknowledged too
		time.Sleep(100 * time.Millisecond)
		r.read(m.c, rng)
		if r.stable["77|1"] > 0 {
			at = r.at
		}
	}
	want := map[string]int64{}
	for _, row := range cl.must("SELECT * FROM v") {
		want[row]++
	}
	if !maps.Equal(r.stable, want) {
		t.Errorf("seed %d: what was acknowledged adds up to %v, the view is %v", seed, r.stable, want)
	}
	if r.seen == 0 || r.streams < 5 {
		t.Errorf("seed %d: %d changes in %d streams", seed, r.seen, r.streams)
	}
	if _, err := cl.run(context.Background(), "DROP SUBSCRIPTION s; DROP TABLE t CASCADE"); err != nil {
		t.Error(err)
	}
	m.crash()
	same(t, "after it was dropped", connect(t, m.c).must("SHOW SUBSCRIPTIONS"))
}
