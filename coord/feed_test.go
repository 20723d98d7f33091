package coord

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// written adds up the committed records of a topic, and counts them.
type written struct {
	mu      sync.Mutex // guards all below
	rows    map[string]int
	records int
}

func (w *written) take(rec *kgo.Record) {
	var change struct{ Before, After map[string]any }
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records++
	if err := json.Unmarshal(rec.Value, &change); err != nil {
		w.rows[err.Error()]++
		return
	}
	for n, row := range map[int]map[string]any{-1: change.Before, 1: change.After} {
		if row == nil {
			continue
		}
		key := fmt.Sprint(row)
		if w.rows[key] += n; w.rows[key] == 0 {
			delete(w.rows, key)
		}
	}
}

func (w *written) is(want map[string]int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !maps.Equal(w.rows, want) {
		return fmt.Errorf("the topic adds up to %d different rows, want %d others", len(w.rows), len(want))
	}
	return nil
}

// eachCommitted takes the committed records of a topic for the time of a test.
func eachCommitted(t *testing.T, broker, topic string, take func(*kgo.Record)) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(take)
		}
	})
	t.Cleanup(func() { stop(); wait.Wait(); client.Close() })
}

// follow adds a topic up for the time of a test.
func follow(t *testing.T, broker, topic string) *written {
	t.Helper()
	w := &written{rows: map[string]int{}}
	eachCommitted(t, broker, topic, w.take)
	return w
}

// awaits waits until something is so.
func awaits(t *testing.T, what string, is func() error) {
	t.Helper()
	var err error
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if err = is(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// TestSinkWaitsForErrorsToGo: a sink of a view that has an error writes nothing and says why; when the error goes it goes on by
// itself, with what has changed meanwhile, once. The same when the server is killed while it waits, and when more changes
// than may wait for it.
func TestSinkWaitsForErrorsToGo(t *testing.T) {
	t.Parallel()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	broker := fake.ListenAddrs()[0]
	m := newMachine(t, Options{TickInterval: 20 * time.Millisecond, RetainHistory: 50 * time.Millisecond, SubscriberBytes: 8 << 10})
	cl := connect(t, m.c)
	cl.must("CREATE TABLE t (id int, d int)")
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT id, 1000 / d AS q FROM t")
	cl.must("INSERT INTO t VALUES (1, 1), (2, 2), (3, 0)")
	cl.must("CREATE SINK s FROM v INTO KAFKA BROKER '" + broker + "' TOPIC 'healed' FORMAT JSON")
	topic := follow(t, broker, "healed")
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
	want := map[string]int{}
	for round := range 8 {
		if round > 0 {
			cl.must("INSERT INTO t VALUES (3, 0), (4, 0)")
		}
		awaits(t, "it says that it is stalled", state(stalled))
		before := topic.is(want)
		for range 1 + rng.IntN(5) { // in the last rounds more than may wait
			cl.must(fmt.Sprintf("INSERT INTO t SELECT %d + g, %d FROM generate_series(1, %d) g", rng.IntN(1000), 1+rng.IntN(50), 1+rng.IntN(10+round/6*1000)))
			cl.must(fmt.Sprintf("DELETE FROM t WHERE d = %d", 1+rng.IntN(50)))
		}
		if round%3 == 2 {
			m.crash()
			cl = connect(t, m.c)
			awaits(t, "it says that it is stalled after a crash", state(stalled))
		}
		if now := topic.is(want); before == nil && now != nil {
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
		clear(want)
		for _, row := range cl.must("SELECT id, q FROM v") {
			var id, q int
			if _, err := fmt.Sscanf(row, "%d|%d", &id, &q); err != nil {
				t.Fatal(err)
			}
			want[fmt.Sprint(map[string]any{"id": float64(id), "q": float64(q)})]++
		}
		awaits(t, fmt.Sprintf("what is there after round %d is written", round), func() error { return topic.is(want) })
		awaits(t, "it runs again", state("running: "))
		if got := cl.one("SELECT error IS NULL FROM mz_internal.mz_sink_statuses WHERE name = 's'"); got != "t" {
			t.Error("it runs, and names an error")
		}
	}
}
