package coord

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/clock"
	"millrace/repr"
	"millrace/sinks"
)

// gauge is a sink that holds what it was given, and takes nothing while it is shut.
type gauge struct {
	shut  atomic.Bool
	began atomic.Int32 // how often it was begun
	ticks chan sinks.Tick
}

func (*gauge) Check(context.Context) *repr.Error { return nil }

func (g *gauge) Run(ctx context.Context, ticks <-chan sinks.Tick, report func(sinks.State)) error {
	g.began.Add(1)
	report(sinks.State{Status: "running"})
	for {
		if g.shut.Load() {
			if err := (clock.System{}).Sleep(ctx, time.Millisecond); err != nil {
				return nil
			}
			continue
		}
		select {
		case tick, ok := <-ticks:
			if !ok {
				return nil
			}
			g.ticks <- tick
		case <-(clock.System{}).After(time.Millisecond):
		case <-ctx.Done():
			return nil
		}
	}
}

// TestSinkFarBehind: a sink that takes nothing for a while, with more changes than may wait, is given what is different at once and is
// not started again; each of its ticks adds up to the view at that time, also where the view had errors meanwhile, which it is never
// shown. No history is kept for it while it is behind.
func TestSinkFarBehind(t *testing.T) {
	t.Parallel()
	g := &gauge{ticks: make(chan sinks.Tick, 100_000)}
	c := start(t, Options{TickInterval: time.Hour, RetainHistory: time.Hour, SubscriberBytes: 4 << 10,
		Sink: func(string, sinks.Options) SinkConnector { return g }})
	cl := connect(t, c)
	cl.must("CREATE TABLE t (id int, d int)")
	cl.must("INSERT INTO t SELECT g, 1 + g FROM generate_series(1, 60) g")
	cl.must("CREATE MATERIALIZED VIEW v AS SELECT id, 1000 / max(d) AS q FROM t GROUP BY id")
	cl.must("CREATE CONNECTION k TO KAFKA (BROKER 'localhost:1') WITH (VALIDATE = false)")
	cl.must("CREATE SINK s FROM v INTO KAFKA CONNECTION k (TOPIC 'x') FORMAT JSON")
	id := c.Catalog().Find([]string{"s"}, []string{"public"}).ID
	needs := func() (at repr.Time) {
		if err := c.do(t.Context(), func() { at = c.sinks[id].needs() }); err != nil {
			t.Fatal(err)
		}
		return at
	}
	rng := rand.New(rand.NewPCG(5, 5))
	held := map[string]int64{}
	updates, given, leaps := 0, 0, 0
	for round := range 6 {
		g.shut.Store(true)
		for range 60 {
			updates++
			cl.must(fmt.Sprintf("UPDATE t SET d = %d + (id * 7 + d) %% 50 WHERE id %% 3 <> %d", 1+rng.IntN(9), rng.IntN(3)))
			if rng.IntN(8) == 0 {
				cl.must(fmt.Sprintf("UPDATE t SET d = 0 WHERE id = %d", 1+rng.IntN(60)))
			}
			if rng.IntN(8) == 0 {
				cl.must("UPDATE t SET d = 5 WHERE d = 0")
			}
		}
		if round%2 == 0 {
			cl.must("UPDATE t SET d = 6 WHERE d = 0")
			if needs() == never {
				leaps++
			}
		}
		g.shut.Store(false)
		if round%2 == 1 {
			cl.must("UPDATE t SET d = 7 WHERE d = 0")
		}
		awaits(t, fmt.Sprintf("round %d: it has what the view has", round), func() error {
			for len(g.ticks) > 0 {
				given++
				tick := <-g.ticks
				addTick(held, tick)
				if want := contentAt(cl, fmt.Sprintf("SELECT id, q FROM v AS OF %d", tick.Time)); !maps.Equal(held, want) {
					t.Fatalf("at %d it holds %d rows, the view had %d", tick.Time, len(held), len(want))
				}
			}
			if want := contentAt(cl, "SELECT id, q FROM v"); !maps.Equal(held, want) {
				return fmt.Errorf("it holds %d rows, the view has %d", len(held), len(want))
			}
			return nil
		})
	}
	if g.began.Load() != 1 {
		t.Errorf("it was started %d times", g.began.Load())
	}
	if given >= updates || leaps == 0 {
		t.Errorf("it was given %d ticks for %d updates, and was behind %d times", given, updates, leaps)
	}
	awaits(t, "its history is kept again", func() error {
		if needs() == never {
			return fmt.Errorf("nothing is kept for it")
		}
		return nil
	})
}

// addTick adds the changes of a tick, by row in words.
func addTick(to map[string]int64, tick sinks.Tick) {
	for _, c := range tick.Changes {
		d := repr.DecodeRow(nil, c.Row)
		key := fmt.Sprintf("%d|%d", d[0].Int(), d[1].Int())
		if to[key] += c.Diff; to[key] == 0 {
			delete(to, key)
		}
	}
}

// contentAt are the rows of a query, each with how often it is there.
func contentAt(cl *client, query string) map[string]int64 {
	out := map[string]int64{}
	for _, row := range cl.must(query) {
		out[row]++
	}
	return out
}
