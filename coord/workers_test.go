package coord

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/counts"
)

// What the story waits, and what the loop does, ends in parts of a millisecond of its own, and rows fall due at whole ones: of two things at
// one instant either might come first, whatever the workers do.
const (
	storyTick  = 300*time.Millisecond + 413_017
	storyPause = 137_003
)

// TestWorkersDoNotShow runs one history, of DDL, writes, rows that go by themselves and pauses, with 1, 2 and 8 workers: every
// byte of the subscriptions and of the answers is the same, times included.
func TestWorkersDoNotShow(t *testing.T) {
	t.Parallel()
	for seed := range uint64(counts.Of(10, 100)) {
		var first string
		for _, workers := range []int{1, 2, 8} {
			var got string
			synctest.Test(t, func(t *testing.T) {
				got = story(t, seed, start(t, Options{Workers: workers, TickInterval: storyTick}))
			})
			if workers == 1 {
				first = got
			} else if got != first {
				t.Fatalf("seed %d with %d workers:\n%s\nwith one:\n%s", seed, workers, got, first)
			}
		}
		if n := strings.Count(first, "\n"); n < 100 {
			t.Errorf("seed %d tells only %d lines", seed, n)
		}
	}
}

// story is what a server shows in a random life.
func story(t *testing.T, seed uint64, c *Coordinator) string {
	rng := rand.New(rand.NewPCG(seed, 8))
	cl := connect(t, c)
	cl.must("CREATE TABLE a (k int, v numeric, until timestamptz)")
	cl.must("CREATE TABLE b (k int, name text)")
	views := []string{
		"SELECT k, count(*) AS n, sum(v) AS total, array_agg(v ORDER BY v) AS list FROM a GROUP BY k",
		"SELECT a.v, b.name FROM a LEFT JOIN b ON a.k = b.k",
		"SELECT DISTINCT ON (k) k, v FROM a ORDER BY k, v DESC",
		"SELECT k, v, rank() OVER (PARTITION BY k ORDER BY v) AS r FROM a",
		"SELECT k, 12 / (v - 3) AS q FROM a WHERE until > now()",
	}
	var streams []*stream
	var out strings.Builder
	for n := range 60 {
		if n%12 == 3 {
			name := fmt.Sprintf("v%d", n)
			cl.must("CREATE MATERIALIZED VIEW " + name + " AS " + views[n/12])
			synctest.Wait() // a tick that is due comes before the subscription
			streams = append(streams, connect(t, c).open("SUBSCRIBE "+name+" WITH (PROGRESS)"))
		}
		switch rng.IntN(6) {
		case 0:
			cl.must(fmt.Sprintf("DELETE FROM a WHERE k = %d", rng.IntN(6)))
		case 1:
			cl.must(fmt.Sprintf("INSERT INTO b VALUES (%d, 'n%d')", rng.IntN(6), n))
		case 2:
			cl.must(fmt.Sprintf("UPDATE a SET v = v + 1 WHERE k = %d", rng.IntN(6)))
		default:
			cl.must(fmt.Sprintf("INSERT INTO a SELECT g %% 6, g * %d, now() + interval '1 ms' * g * 37 FROM generate_series(1, %d) g", rng.IntN(9), 1+rng.IntN(20)))
		}
		time.Sleep(time.Duration(rng.IntN(400))*time.Millisecond + storyPause)
		synctest.Wait()
		for i, s := range streams {
			rows, err := s.there()
			fmt.Fprintf(&out, "%d: %v\n%s\n", i, err, strings.Join(rows, "\n"))
		}
	}
	for n := range 5 {
		rows, err := cl.run(t.Context(), fmt.Sprintf("SELECT * FROM v%d", 12*n+3))
		fmt.Fprintf(&out, "%v\n%s\n", err, strings.Join(rows, "\n"))
	}
	return out.String()
}
