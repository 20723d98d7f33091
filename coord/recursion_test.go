package coord

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/repr"
)

// TestRecursionInSubscriptions changes the edges of a graph at random, each transaction in a tick of its own, while the nodes
// that can be reached and their distances are subscribed to: at every time that is shown they are those of the edges
// that were there at that time, with 1, 2 and 8 workers.
func TestRecursionInSubscriptions(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 8} {
		t.Run(strconv.Itoa(workers), func(t *testing.T) {
			t.Parallel()
			opts := quiet()
			opts.Workers = workers
			c := start(t, opts)
			cl := connect(t, c)
			cl.must("CREATE TABLE edges (a int, b int)")
			cl.must("INSERT INTO edges VALUES (0, 1), (1, 2)")
			cl.must(`CREATE MATERIALIZED VIEW far AS WITH MUTUALLY RECURSIVE d (n int, steps int) AS (
				SELECT n, min(steps) FROM (SELECT 0 AS n, 0 AS steps UNION ALL SELECT b, steps + 1 FROM d JOIN edges ON n = a) AS x GROUP BY n
			) SELECT n, steps FROM d`)
			wants := reachHistory(cl, uint64(workers))
			end := c.opts.Clock.Now().UnixMilli() + 1
			for c.opts.Clock.Now().UnixMilli() <= end {
				cl.must("SELECT 1")
			}
			cl.must("INSERT INTO edges VALUES (99, 99)") // a tick behind the end
			got := fold(t, cl.must("SUBSCRIBE far AS OF timestamptz '"+wants[0].at+"' UP TO "+strconv.FormatInt(end, 10)))
			checkReach(t, got, wants)
		})
	}
}

// reached is what the view must hold from a time on.
type reached struct {
	at    string
	state map[string]int64
}

// reachHistory makes random changes and notes what the view must be after each.
func reachHistory(cl *client, seed uint64) []reached {
	rng := rand.New(rand.NewPCG(seed, 5))
	edges := map[[2]int]bool{{0, 1}: true, {1, 2}: true}
	wants := []reached{{cl.one("SELECT mz_now()"), distancesOf(edges)}}
	for range 40 {
		var values []string
		for range 1 + rng.IntN(3) {
			e := [2]int{rng.IntN(8), rng.IntN(8)}
			if !edges[e] {
				edges[e] = true
				values = append(values, fmt.Sprintf("(%d, %d)", e[0], e[1]))
			}
		}
		text := "BEGIN; "
		if len(values) > 0 {
			text += "INSERT INTO edges VALUES " + strings.Join(values, ", ") + "; "
		}
		cl.must(text + "COMMIT")
		wants = append(wants, reached{state: distancesOf(edges)})
		k := rng.IntN(5)
		maps.DeleteFunc(edges, func(e [2]int, _ bool) bool { return (e[0]*3+e[1])%5 == k })
		cl.must(fmt.Sprintf("DELETE FROM edges WHERE (a * 3 + b) %% 5 = %d", k))
		wants = append(wants, reached{state: distancesOf(edges)})
	}
	return wants
}

// distancesOf is the view over some edges, as rows.
func distancesOf(edges map[[2]int]bool) map[string]int64 {
	dist := map[int]int{0: 0}
	for queue := []int{0}; len(queue) > 0; queue = queue[1:] {
		for e := range edges {
			if _, seen := dist[e[1]]; e[0] == queue[0] && !seen {
				dist[e[1]] = dist[e[0]] + 1
				queue = append(queue, e[1])
			}
		}
	}
	out := map[string]int64{}
	for n, d := range dist {
		out[fmt.Sprintf("%d|%d", n, d)] = 1
	}
	return out
}

// checkReach holds the states that were shown to those that there were: every one in its order, and none between.
func checkReach(t *testing.T, got *history, wants []reached) {
	t.Helper()
	at := 0
	for i, state := range got.states {
		next := slices.IndexFunc(wants[at:], func(w reached) bool { return maps.Equal(w.state, state) })
		if next < 0 {
			t.Fatalf("at %s: %v is no state of the edges from change %d on", got.times[i], state, at)
		}
		at += next
	}
	if !maps.Equal(got.last(), wants[len(wants)-1].state) {
		t.Fatalf("ends in %v, want %v", got.last(), wants[len(wants)-1].state)
	}
	changes := 0
	for i := 1; i < len(wants); i++ {
		if !maps.Equal(wants[i].state, wants[i-1].state) {
			changes++
		}
	}
	if len(got.states) < changes {
		t.Fatalf("%d states were shown, the view changed %d times", len(got.states), changes)
	}
}

// TestEndlessRecursionIsStopped cancels a query and the making of a view that do not end.
func TestEndlessRecursionIsStopped(t *testing.T) {
	t.Parallel()
	cl := connect(t, start(t, quiet()))
	for _, text := range []string{
		"WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT -n FROM r), s AS (SELECT 1::bigint AS n UNION ALL SELECT n + 1 FROM s) SELECT count(*) FROM r, s",
		"CREATE MATERIALIZED VIEW v AS WITH MUTUALLY RECURSIVE (ERROR AT RECURSION LIMIT 1000000000) r (n bigint) AS (SELECT 1 UNION SELECT n + 1 FROM r) SELECT n FROM r",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		began := time.Now()
		_, err := cl.run(ctx, text)
		cancel()
		if took := time.Since(began); err == nil || err.Code != repr.CodeQueryCanceled || took > 2*time.Second {
			t.Errorf("%s: %v after %v", text, err, took)
		}
	}
}
