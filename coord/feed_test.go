package coord

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"millrace/internal/broker/brokertest"
)

// awaits waits until something is so.
func awaits(t testing.TB, what string, is func() error) {
	t.Helper()
	var err error
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if err = is(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// soon waits until a query has these rows; that it fails until then does not matter.
func (cl *client) soon(query string, want ...string) {
	cl.t.Helper()
	awaits(cl.t, query, func() error {
		rows, err := cl.run(context.Background(), query)
		if err != nil {
			return err
		}
		if got, want := strings.Join(rows, "\n"), strings.Join(want, "\n"); got != want {
			return fmt.Errorf("it gives %s, wanted %s", got, want)
		}
		return nil
	})
}

// rowsOf are the rows of a view in JSON, one a line.
func (cl *client) rowsOf(view string) string {
	cl.t.Helper()
	return strings.Join(cl.must("SELECT to_jsonb(v) FROM "+view+" v"), "\n")
}

// TestSinkWaitsForErrorsToGo: a sink of a view that has an error writes nothing and says why; when the error goes it goes on by
// itself, with what has changed meanwhile, once. The same when the server is killed while it waits, and when more changes
// than may wait for it.
func TestSinkWaitsForErrorsToGo(t *testing.T) {
	t.Parallel()
	fake := brokertest.New(t)
	broker := fake.ListenAddrs()[0]
	m := newMachine(t, Options{TickInterval: 20 * time.Millisecond, RetainHistory: 50 * time.Millisecond, SubscriberBytes: 8 << 10})
	cl := connect(t, m.c)
	cl.must("CREATE TABLE t (id int, d int)")
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT id, 1000 / d AS q FROM t")
	cl.must("INSERT INTO t VALUES (1, 1), (2, 2), (3, 0)")
	cl.must("CREATE SINK s FROM v INTO KAFKA BROKER '" + broker + "' TOPIC 'healed' FORMAT JSON")
	topic := brokertest.FollowChanges(t, broker, "healed")
	state := func(want string) func() error {
		return func() error {
			if got := cl.one("SELECT status || ': ' || coalesce(error, '') FROM mz_internal.mz_sink_statuses WHERE name = 's'"); !strings.HasPrefix(got, want) {
				return fmt.Errorf("it is %s, want %s", got, want)
			}
			return nil
		}
	}
	const stalled = "stalled: the view has an error: division by zero"
	rng := rand.New(rand.NewPCG(4, 4))
	want := ""
	for round := range 8 {
		if round > 0 {
			cl.must("INSERT INTO t VALUES (3, 0), (4, 0)")
		}
		awaits(t, "it says that it is stalled", state(stalled))
		before := topic.Is(want)
		for range 1 + rng.IntN(5) { // in the last rounds more than may wait
			cl.must(fmt.Sprintf("INSERT INTO t SELECT %d + g, %d FROM generate_series(1, %d) g", rng.IntN(1000), 1+rng.IntN(50), 1+rng.IntN(10+round/6*1000)))
			cl.must(fmt.Sprintf("DELETE FROM t WHERE d = %d", 1+rng.IntN(50)))
		}
		if round%3 == 2 {
			m.crash()
			cl = connect(t, m.c)
			awaits(t, "it says that it is stalled after a crash", state(stalled))
		}
		if now := topic.Is(want); before == nil && now != nil {
			t.Errorf("it writes while the view has an error: %v", now)
		}
		cl.must("DELETE FROM t WHERE id = 3 AND d = 0")
		awaits(t, "it says that it is stalled by the other error", func() error {
			if round == 0 {
				return nil
			}
			return state(stalled)()
		})
		cl.must("DELETE FROM t WHERE d = 0")
		want = cl.rowsOf("v")
		awaits(t, fmt.Sprintf("what is there after round %d is written", round), func() error { return topic.Is(want) })
		awaits(t, "it runs again", state("running: "))
		if got := cl.one("SELECT error IS NULL FROM mz_internal.mz_sink_statuses WHERE name = 's'"); got != "t" {
			t.Error("it runs, and names an error")
		}
	}
}
