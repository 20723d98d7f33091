package coord

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/repr"
)

// lifeOf runs a test on a machine whose time passes when everyone waits.
func lifeOf(t *testing.T, opts Options, f func(t *testing.T, m *machine)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, newMachine(t, opts)) })
}

// at is the newest complete time.
func (m *machine) at() int64 {
	var at repr.Time
	_ = m.c.do(m.t.Context(), func() { at = m.c.oracle.complete })
	return int64(at)
}

// TestRetainedHistory: an object keeps the history that it was told to, over crashes too, and others what the server keeps; what
// was shown at a time is what is shown at it later.
func TestRetainedHistory(t *testing.T) {
	opts := Options{TickInterval: 500 * time.Millisecond, RetainHistory: 2 * time.Second}
	lifeOf(t, opts, func(t *testing.T, m *machine) {
		cl := connect(t, m.c)
		cl.must("CREATE TABLE t (a int, pad text)")
		cl.must("CREATE TABLE kept (a int) WITH (RETAIN HISTORY FOR '1 hour')")
		cl.must("CREATE VIEW plain AS SELECT a FROM t")
		cl.must("CREATE MATERIALIZED VIEW below AS SELECT a % 5 AS k, count(*) AS n FROM plain GROUP BY a % 5")
		cl.must("CREATE MATERIALIZED VIEW v WITH (RETAIN HISTORY FOR '1 minute') AS SELECT max(n) AS most, count(*) AS groups FROM below")
		cl.must("CREATE INDEX by_most ON v (most)")
		shown := map[int64][]string{}
		ask := func(cl *client, at int64) []string {
			return append(cl.must(fmt.Sprintf("SELECT most, groups FROM v AS OF %d", at)), cl.must(fmt.Sprintf("SELECT a FROM kept ORDER BY a AS OF %d", at))...)
		}
		var times []int64
		for i := range 40 {
			cl.must(fmt.Sprintf("INSERT INTO t SELECT %d + g, repeat('x', 300) FROM generate_series(1, %d) g", i, i%7+1))
			if i%3 == 0 {
				cl.must(fmt.Sprintf("INSERT INTO kept VALUES (%d)", i))
				cl.must(fmt.Sprintf("DELETE FROM t WHERE a = %d", i))
			}
			at := m.at()
			times = append(times, at)
			shown[at] = ask(cl, at)
			time.Sleep(time.Second)
			if i%13 == 12 {
				m.crash()
				cl = connect(t, m.c)
				cl.must("SELECT count(*) FROM v")
			}
			for _, at := range times {
				same(t, "what was shown at a time", ask(cl, at), shown[at]...)
			}
		}
		for _, q := range []string{"SELECT * FROM t AS OF %d", "SELECT * FROM below AS OF %d", "SUBSCRIBE (SELECT * FROM v, t) AS OF %d"} {
			err := cl.fails(repr.CodeInvalidParameter, fmt.Sprintf(q, times[0]))
			if !strings.Contains(err.Hint, "RETAIN HISTORY") || !strings.Contains(err.Detail, "since ") {
				t.Errorf("%+v", err)
			}
		}
		stream := connect(t, m.c).must(fmt.Sprintf("SUBSCRIBE v AS OF %d UP TO %d", times[3], times[30]+1))
		m.crash()
		cl = connect(t, m.c)
		cl.must("SELECT count(*) FROM v")
		same(t, "the difference of two times", cl.must(fmt.Sprintf("SUBSCRIBE v AS OF %d UP TO %d", times[3], times[30]+1)), stream...)
		if len(stream) < 20 {
			t.Errorf("a stream of %d rows", len(stream))
		}
		time.Sleep(time.Minute)
		cl.must("INSERT INTO kept VALUES (1000)")
		_ = cl.fails(repr.CodeInvalidParameter, fmt.Sprintf("SELECT * FROM v AS OF %d", times[30]))
		cl.must(fmt.Sprintf("SELECT * FROM kept AS OF %d", times[1]))
	})
}

// TestAlterRetention: the option is part of the statement, and can be changed and taken back.
func TestAlterRetention(t *testing.T) {
	lifeOf(t, Options{TickInterval: 500 * time.Millisecond, RetainHistory: time.Second}, func(t *testing.T, m *machine) {
		cl := connect(t, m.c)
		cl.must("CREATE TABLE t (a int)")
		cl.must("CREATE MATERIALIZED VIEW v AS SELECT a FROM t")
		cl.must("CREATE INDEX i ON v (a)")
		cl.must("CREATE VIEW w AS SELECT a FROM t")
		retained := func() []string {
			return cl.must("SELECT name, retained, upper > since, since_time < now() + interval '1 second' FROM mz_internal.mz_object_history ORDER BY 1")
		}
		same(t, "at first", retained(), "i|∅|t|t", "t|∅|t|t", "v|∅|t|t")
		for _, q := range []string{"ALTER TABLE t SET (RETAIN HISTORY FOR '1 day')", "ALTER MATERIALIZED VIEW v SET (RETAIN HISTORY = FOR '90 min')"} {
			cl.must(q)
		}
		want := []string{"i|∅|t|t", "t|24:00:00|t|t", "v|01:30:00|t|t"}
		same(t, "altered", retained(), want...)
		at := m.at()
		cl.must("INSERT INTO t VALUES (1)")
		time.Sleep(time.Hour)
		cl.must("INSERT INTO t VALUES (2)")
		for range 2 {
			m.crash()
			cl = connect(t, m.c)
			cl.must("SELECT * FROM v")
			time.Sleep(time.Second) // the index is filled as well
			same(t, "after a crash", retained(), want...)
			same(t, "then", cl.must(fmt.Sprintf("SELECT count(*) FROM v AS OF %d", at)), "0")
			same(t, "an hour later", cl.must(fmt.Sprintf("SELECT count(*) FROM t AS OF %d", m.at()-10_000)), "1")
		}
		same(t, "SHOW CREATE", cl.must("SHOW CREATE MATERIALIZED VIEW v"),
			"public.v|CREATE MATERIALIZED VIEW v WITH (RETAIN HISTORY FOR '90 min') AS SELECT a FROM t")
		same(t, "ticks", cl.must("SELECT ticks, bytes > 0 FROM mz_internal.mz_object_history WHERE name = 'v'"), "2|t")
		cl.must("ALTER MATERIALIZED VIEW v RESET (RETAIN HISTORY)")
		same(t, "SHOW CREATE", cl.must("SHOW CREATE MATERIALIZED VIEW v"), "public.v|CREATE MATERIALIZED VIEW v AS SELECT a FROM t")
		cl.must("INSERT INTO t VALUES (3)")
		_ = cl.fails(repr.CodeInvalidParameter, fmt.Sprintf("SELECT * FROM v AS OF %d", at))
		for q, code := range map[string]string{
			"ALTER TABLE t SET (RETAIN HISTORY FOR 'soon')":                "22007",
			"ALTER TABLE t SET (RETAIN HISTORY FOR '-1 hour')":             repr.CodeInvalidParameter,
			"ALTER TABLE t SET (RETAIN HISTORY FOR 5)":                     repr.CodeInvalidParameter,
			"ALTER TABLE t SET (fillfactor = 70)":                          repr.CodeFeatureNotSupported,
			"ALTER VIEW w SET (RETAIN HISTORY FOR '1 hour')":               repr.CodeWrongObjectType,
			"ALTER TABLE none SET (RETAIN HISTORY FOR '1 hour')":           repr.CodeUndefinedTable,
			"CREATE TABLE x (a int) WITH (color = 'red')":                  repr.CodeInvalidParameter,
			"CREATE VIEW x WITH (RETAIN HISTORY FOR '1 s') AS SELECT 1":    repr.CodeFeatureNotSupported,
			"CREATE INDEX x ON v (a) WITH (RETAIN HISTORY FOR '1 minute')": repr.CodeFeatureNotSupported,
			"CREATE INDEX x ON v (a) WITH (fillfactor = 70)":               repr.CodeInvalidParameter,
			"ALTER INDEX i SET (RETAIN HISTORY FOR '5s')":                  repr.CodeFeatureNotSupported,
			"ALTER INDEX i RESET (RETAIN HISTORY)":                         repr.CodeFeatureNotSupported,
			"CREATE DEFAULT INDEX ON v WITH (RETAIN HISTORY FOR '1 hour')": repr.CodeFeatureNotSupported,
		} {
			_ = cl.fails(code, q)
		}
		if err := cl.fails(repr.CodeFeatureNotSupported, "ALTER INDEX i SET (RETAIN HISTORY FOR '5s')"); !strings.Contains(err.Hint, "ALTER MATERIALIZED VIEW v SET (") {
			t.Errorf("%+v", err)
		}
	})
}

// TestTemporalHistory: what a view of rows that go by themselves showed at a time it shows at it after a crash, whenever the
// ticks were.
func TestTemporalHistory(t *testing.T) {
	opts := Options{TickInterval: 700 * time.Millisecond, RetainHistory: time.Minute}
	lifeOf(t, opts, func(t *testing.T, m *machine) {
		cl := connect(t, m.c)
		cl.must("CREATE TABLE t (a int, until timestamptz)")
		cl.must("CREATE MATERIALIZED VIEW v AS SELECT a FROM t WHERE until > now()")
		began := m.at()
		for i := range 20 {
			cl.must(fmt.Sprintf("INSERT INTO t SELECT %d, now() + interval '1 ms' * g * %d FROM generate_series(1, 3) g", i, 311*(i+1)))
			time.Sleep(time.Duration(100+37*i) * time.Millisecond)
		}
		ask := func() (out []string) {
			cl := connect(t, m.c)
			for at := began; at < began+9000; at += 13 {
				out = append(out, cl.must(fmt.Sprintf("SELECT %d, count(*), sum(a) FROM v AS OF %d", at, at))...)
			}
			return out
		}
		before := ask()
		m.crash()
		connect(t, m.c).must("SELECT * FROM v")
		same(t, "history", ask(), before...)
	})
}

// TestSubscribeQueryAsOf: a query that is subscribed to as of a time begins with what it gave then, and goes on with each change
// since, up to now and beyond.
func TestSubscribeQueryAsOf(t *testing.T) {
	bubble(t, Options{TickInterval: 500 * time.Millisecond, RetainHistory: time.Minute}, func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (k int, a int)")
		cl.must("CREATE TABLE u (k int, name text)")
		cl.must("CREATE MATERIALIZED VIEW kept AS SELECT u.name, sum(t.a) AS total FROM t JOIN u ON u.k = t.k GROUP BY u.name")
		cl.must("CREATE VIEW plain AS SELECT u.name, sum(t.a) AS total FROM t JOIN u ON u.k = t.k GROUP BY u.name")
		reference := connect(t, c).open("SUBSCRIBE kept")
		cl.must("INSERT INTO u VALUES (1, 'one'), (2, 'two')")
		for i := range 30 {
			cl.must(fmt.Sprintf("INSERT INTO t VALUES (%d, %d)", i%3, i))
			if i%4 == 3 {
				cl.must(fmt.Sprintf("DELETE FROM t WHERE a = %d", i-2))
			}
			time.Sleep(20 * time.Millisecond)
		}
		all, err := reference.there()
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range []int{0, 7, len(all) - 1} {
			at := timeOf(t, all[from])
			for _, q := range []string{"SUBSCRIBE (SELECT u.name, sum(t.a) AS total FROM t JOIN u ON u.k = t.k GROUP BY u.name) AS OF %d", "SUBSCRIBE plain AS OF %d",
				"TAIL (SELECT * FROM plain) AS OF %d"} {
				got, err := connect(t, c).open(fmt.Sprintf(q, at)).there()
				if err != nil {
					t.Fatal(err)
				}
				want, _ := connect(t, c).open(fmt.Sprintf("SUBSCRIBE kept AS OF %d", at)).there()
				same(t, q, got, want...)
			}
		}
		live := connect(t, c).open(fmt.Sprintf("SUBSCRIBE (SELECT count(*) FROM t) WITH (SNAPSHOT = false) AS OF %d", timeOf(t, all[len(all)-1])))
		cl.must("INSERT INTO t VALUES (1, 100)")
		if rows, err := live.there(); err != nil || len(rows) != 2 {
			t.Errorf("it does not go on: %v, %v", rows, err)
		}
		_ = cl.fails(repr.CodeInvalidParameter, "SUBSCRIBE (SELECT count(*) FROM t) AS OF 5")
		if n := len(c.Catalog().Items()); n == 0 {
			t.Error("no catalog")
		}
		live.rows.Close()
		time.Sleep(time.Second)
		_ = c.do(t.Context(), func() {
			if len(c.holds) > 0 {
				t.Errorf("%d holds are left", len(c.holds))
			}
		})
	})
}

// TestSubscribeTemporalQueryAsOf: rows that left by themselves leave at the time at which they did.
func TestSubscribeTemporalQueryAsOf(t *testing.T) {
	bubble(t, Options{TickInterval: 500 * time.Millisecond, RetainHistory: time.Minute}, func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int, until timestamptz)")
		cl.must("CREATE MATERIALIZED VIEW v AS SELECT a FROM t WHERE until > now()")
		follow := connect(t, c).open("SUBSCRIBE v")
		for i := range 10 {
			cl.must(fmt.Sprintf("INSERT INTO t VALUES (%d, now() + interval '%d ms')", i, 130*i+55))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		want, _ := follow.there()
		got, err := connect(t, c).open(fmt.Sprintf("SUBSCRIBE (SELECT a FROM t WHERE until > now()) AS OF %d", timeOf(t, want[0]))).there()
		if err != nil {
			t.Fatal(err)
		}
		same(t, "rows that come and go", got, want...)
		if len(want) < 19 {
			t.Errorf("only %d changes", len(want))
		}
	})
}
