package coord

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker/brokertest"
	"millrace/repr"
	"millrace/sinks"
)

// latest is the last committed record of each key of a topic.
type latest struct {
	mu   sync.Mutex // guards all below
	rows map[string]string
	n    int
}

func (l *latest) take(rec *kgo.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	if l.rows[string(rec.Key)] = string(rec.Value); rec.Value == nil {
		delete(l.rows, string(rec.Key))
	}
}

// followKeys keeps the last records of a topic for the time of a test.
func followKeys(t *testing.T, broker, topic string) *latest {
	t.Helper()
	l := &latest{rows: map[string]string{}}
	brokertest.Follow(t, broker, topic, l.take)
	return l
}

// is says whether the rows are those of id|q lines.
func (l *latest) is(want []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, row := range want {
		id, q, _ := strings.Cut(row, "|")
		if got := l.rows[`{"id":`+id+`}`]; got != `{"id":`+id+`,"q":`+q+`}` {
			return fmt.Errorf("key %s is %q, want %s", id, got, q)
		}
	}
	if len(l.rows) != len(want) {
		return fmt.Errorf("there are %d keys, want %d", len(l.rows), len(want))
	}
	return nil
}

// TestSinkSwitches: sinks go over from one view to another and back while both change, and are altered otherwise; each topic then holds
// the view of the moment, also when the server is killed right behind the statement, before the sinks have written anything.
func TestSinkSwitches(t *testing.T) {
	t.Parallel()
	fake := brokertest.New(t)
	broker := fake.ListenAddrs()[0]
	m := newMachine(t, Options{TickInterval: 5 * time.Millisecond, RetainHistory: 50 * time.Millisecond})
	cl := connect(t, m.c)
	cl.must("CREATE TABLE t (id int, d int)")
	cl.must("CREATE MATERIALIZED VIEW v0 AS SELECT id, max(d) AS q FROM t GROUP BY id")
	cl.must("CREATE MATERIALIZED VIEW v1 AS SELECT id, max(d) AS q FROM t WHERE d % 3 > 0 GROUP BY id")
	cl.must("CREATE MATERIALIZED VIEW v2 AS SELECT id, max(-d) AS q FROM t WHERE id > 20 GROUP BY id")
	cl.must("INSERT INTO t SELECT g, g FROM generate_series(1, 30) g")
	cl.must("CREATE CONNECTION k TO KAFKA (BROKER '" + broker + "')")
	cl.must("CREATE SINK d FROM v0 INTO KAFKA CONNECTION k (TOPIC 'changes') FORMAT JSON")
	cl.must("CREATE SINK u FROM v0 INTO KAFKA CONNECTION k (TOPIC 'newest') KEY (id) FORMAT JSON ENVELOPE UPSERT")
	changes, newest := brokertest.FollowChanges(t, broker, "changes"), followKeys(t, broker, "newest")
	rng := rand.New(rand.NewPCG(7, 7))
	reads := map[string]string{"d": "v0", "u": "v0"}
	for round := range 14 {
		for range rng.IntN(4) {
			cl.must(fmt.Sprintf("INSERT INTO t SELECT %d + g, %d FROM generate_series(1, %d) g", rng.IntN(40), rng.IntN(50), 1+rng.IntN(20)))
			cl.must(fmt.Sprintf("DELETE FROM t WHERE d %% 7 = %d", rng.IntN(7)))
		}
		for _, sink := range []string{"d", "u"} {
			to := fmt.Sprintf("v%d", rng.IntN(3))
			cl.must("ALTER SINK " + sink + " SET FROM " + to)
			reads[sink] = to
			if rng.IntN(3) == 0 {
				cl.must(fmt.Sprintf("ALTER SINK %s SET (COMMIT INTERVAL '%d ms', COMPRESSION TYPE gzip)", sink, 1+rng.IntN(50)))
			}
			if rng.IntN(3) == 0 {
				cl.must("ALTER SINK " + sink + " RESET (COMMIT INTERVAL)")
			}
		}
		if round%3 == 1 {
			m.crash()
			cl = connect(t, m.c)
		}
		if rng.IntN(2) == 0 {
			cl.must(fmt.Sprintf("UPDATE t SET d = d + 1 WHERE id %% 5 = %d", rng.IntN(5)))
		}
		wantChanges := cl.rowsOf(reads["d"])
		wantNewest := cl.must("SELECT id, q FROM " + reads["u"])
		awaits(t, fmt.Sprintf("the changes of round %d", round), func() error { return changes.Is(wantChanges) })
		awaits(t, fmt.Sprintf("the keys of round %d", round), func() error { return newest.is(wantNewest) })
	}
	before := newest.n
	cl.must("ALTER SINK u SET FROM " + reads["u"])
	cl.must("ALTER SINK u SET (COMPRESSION TYPE none)")
	cl.must("INSERT INTO t VALUES (900, 1)")
	cl.must("ALTER SINK u SET FROM v0")
	awaits(t, "the last row", func() error { return newest.is(cl.must("SELECT id, q FROM v0")) })
	if reads["u"] == "v0" && newest.n != before+1 {
		t.Errorf("%d records were written for one row", newest.n-before)
	}
	if got := cl.one("SHOW CREATE SINK u"); !strings.Contains(got, "FROM public.v0 INTO") || !strings.Contains(got, "COMPRESSION TYPE = none") {
		t.Errorf("the statement is %s", got)
	}
	cl.must("DROP MATERIALIZED VIEW v2") // nothing names it any more, unless the other sink does
}

// TestSinkKeepsWhatItMust: what would put the content elsewhere, or make another of it that the sink cannot write, is refused with the
// reason, and the sink stays as it is.
func TestSinkKeepsWhatItMust(t *testing.T) {
	t.Parallel()
	opts := quiet()
	opts.Sink = func(string, sinks.Options) SinkConnector { return taker{} }
	opts.FileSinks = "/srv/lake"
	opts.ObjectSink = func(ObjectSink) (SinkConnector, error) { return taker{}, nil }
	m := newMachine(t, opts)
	cl := connect(t, m.c)
	cl.must(`CREATE TABLE t (a int NOT NULL, b text);
		CREATE MATERIALIZED VIEW v AS SELECT a, max(b) AS b FROM t GROUP BY a;
		CREATE MATERIALIZED VIEW twice AS SELECT a, b FROM t;
		CREATE MATERIALIZED VIEW types AS SELECT a::bigint AS a, max(b) AS b FROM t GROUP BY 1;
		CREATE MATERIALIZED VIEW names AS SELECT a, max(b) AS c FROM t GROUP BY a;
		CREATE MATERIALIZED VIEW nulls AS SELECT nullif(a, 1) AS a, max(b) AS b FROM t GROUP BY 1;
		CREATE VIEW plain AS SELECT a, b FROM t;
		CREATE CONNECTION k TO KAFKA (BROKER 'localhost:1') WITH (VALIDATE = false);
		CREATE CONNECTION p TO POSTGRES (HOST 'localhost', USER 'u') WITH (VALIDATE = false);
		CREATE SINK u FROM v INTO KAFKA CONNECTION k (TOPIC 'u') KEY (a) FORMAT JSON ENVELOPE UPSERT;
		CREATE SINK n FROM t INTO KAFKA CONNECTION k (TOPIC 'n') FORMAT JSON ENVELOPE NONE (FORCE);
		CREATE SINK late FROM v INTO KAFKA CONNECTION k (TOPIC 'late') KEY (a) FORMAT JSON ENVELOPE UPSERT WITH (SNAPSHOT = false);
		CREATE SINK pg FROM t INTO POSTGRES CONNECTION p (TABLE 't') KEY (a) NOT ENFORCED;
		CREATE SINK f FROM t INTO FILE 'f' (RUN INTERVAL '1 minute')`)
	for _, c := range []struct{ statement, code, want string }{
		{"ALTER SINK u SET (TOPIC = 'x')", "0A000", "what the sink has written would stay"},
		{"ALTER SINK u SET (TOPIC PARTITION COUNT = 3)", "0A000", "of a topic that is made"},
		{"ALTER SINK u RESET (SNAPSHOT)", "0A000", "written already"},
		{"ALTER SINK u SET CONNECTION k", "0A000", "ALTER CONNECTION"},
		{"ALTER SINK u SET (PARTITION BY = (a))", "0A000", "two partitions"},
		{"ALTER SINK u SET (COMPRESSION TYPE = best, COMMIT INTERVAL = 'x')", "22007", "interval"},
		{"ALTER SINK u SET (NOTHING = 1)", "0A000", "COMMIT INTERVAL and COMPRESSION TYPE"},
		{"ALTER SINK pg SET (TABLE = 'x')", "0A000", "stay where it is"},
		{"ALTER SINK f SET (PARTITION BY = (a))", "0A000", "two kinds of folders"},
		{"ALTER SINK nobody SET (COMMIT INTERVAL = '1 s')", "42704", "nobody"},
		{"ALTER SINK u SET FROM nobody", "42P01", "nobody"},
		{"ALTER SINK u SET FROM plain", "42809", "materialized view first"},
		{"ALTER SINK u SET FROM twice", "42P10", "cannot be proven to be unique"},
		{"ALTER SINK u SET FROM types", "42804", `"a" is of type bigint, not integer`},
		{"ALTER SINK u SET FROM names", "42804", `"c" stands where "b" did`},
		{"ALTER SINK pg SET FROM nulls", "42804", `"a" may be NULL`},
		{"ALTER SINK n SET FROM types", "42804", "of type bigint"},
		{"ALTER SINK late SET FROM types", "0A000", "without a snapshot"},
		{"ALTER SINK f SET FROM types", "42804", "of type bigint"},
		{"BEGIN; ALTER SINK u SET FROM v", "25001", "transaction block"},
	} {
		_, err := cl.run(t.Context(), c.statement)
		if err == nil || err.Code != c.code || !strings.Contains(strings.Join([]string{err.Message, err.Detail, err.Hint}, " "), c.want) {
			t.Errorf("%s says %+v, want %s %q", c.statement, err, c.code, c.want)
		}
		_, _ = cl.run(t.Context(), "ROLLBACK")
	}
	cl.must("ALTER SINK IF EXISTS nobody SET FROM v")
	cl.must("ALTER SINK n SET (PARTITION BY = (b), COMMIT INTERVAL = '1 second')")
	cl.must("ALTER SINK pg SET (COMMIT INTERVAL '2 s')")
	cl.must("ALTER SINK f SET (RUN INTERVAL = '5 seconds')")
	cl.must("ALTER SINK u SET FROM nulls") // JSON does not mind
	cl.must("ALTER SINK n SET FROM v")
	cl.must("ALTER SINK f SET FROM v")
	m.crash()
	cl = connect(t, m.c)
	for sink, want := range map[string]string{
		"u": "FROM public.\"nulls\" INTO", "n": "PARTITION BY = (b), COMMIT INTERVAL = '1 second'", "pg": "COMMIT INTERVAL = '2 s'",
		"f": "RUN INTERVAL = '5 seconds'",
	} {
		if got := cl.one("SHOW CREATE SINK " + sink); !strings.Contains(got, want) {
			t.Errorf("%s is %s", sink, got)
		}
		if it := m.c.Catalog().Find([]string{sink}, []string{"public"}); it != nil {
			if spec, ok := it.Def.(*objectSink); ok && spec.interval != 5*time.Second {
				t.Errorf("the files come every %s", spec.interval)
			}
		}
	}
	if _, err := cl.run(t.Context(), "DROP MATERIALIZED VIEW nulls"); err == nil || err.Code != repr.CodeDependentObjects {
		t.Errorf("what the sink reads now can be dropped: %v", err)
	}
	cl.must("ALTER SINK u SET FROM v")
	cl.must("DROP MATERIALIZED VIEW nulls")
}
