package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// startRows is how many rows a server has that is killed, and mostStart how long the next one on its data directory may take until it is
// ready. It takes half a second on a machine that does nothing else.
const (
	startRows = 1_000_000
	mostStart = 5 * time.Second
)

// TestStartsSoon kills a server that has a million rows and a view over them. The next one is ready in time, with the same answers.
func TestStartsSoon(t *testing.T) {
	need(t)
	s := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cl := s.connect(ctx, t)
	mustExec(ctx, t, cl, "CREATE TABLE t (id bigint NOT NULL, v bigint NOT NULL, pad text NOT NULL)",
		"CREATE MATERIALIZED VIEW n AS SELECT v % 1000 AS k, count(*) AS n, max(id) AS newest FROM t GROUP BY v % 1000")
	for from := 0; from < startRows; from += startRows / 20 {
		mustExec(ctx, t, cl, fmt.Sprintf("INSERT INTO t SELECT n, n::bigint * 7919 %% 1000003, 'what else a row of some length has' FROM generate_series(%d, %d) AS g (n)",
			from+1, from+startRows/20))
	}
	const all = "SELECT count(*), sum(n), min(n), max(n), sum(newest) FROM n"
	want := s.must(t, all)
	s.kill(t)
	began := time.Now()
	s.begin(t)
	eventually(t, time.Minute, "the server is ready again", s.ready)
	took := time.Since(began)
	t.Logf("ready after %s", took.Round(time.Millisecond))
	if took > mostStart {
		t.Errorf("ready after %s with %d rows, want %s", took, startRows, mostStart)
	}
	if got := s.must(t, all); got != want {
		t.Errorf("the view has %s, and had %s", got, want)
	}
	if got := s.must(t, "SELECT count(*), sum(id) FROM t"); got != fmt.Sprintf("%d|%d", startRows, startRows*(startRows+1)/2) {
		t.Errorf("the table has %s", got)
	}
}
