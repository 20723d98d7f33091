package oracle

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/coord"
	"millrace/tests/inside"
	"millrace/tests/oracle/sqlgen"
)

// around are views over a query with columns c0, c1, …: each has the query for a part.
var around = []string{
	"SELECT * FROM (%s) AS t%s",
	"SELECT t.*, u.n FROM (%s) AS t%s CROSS JOIN (SELECT count(*) AS n FROM r0) AS u",
	"SELECT DISTINCT * FROM (%s) AS t%s",
	"SELECT * FROM (%s) AS t%s UNION ALL SELECT * FROM (%[1]s) AS t2",
}

// TestPartsOfRandomQueries makes random queries parts of several views, and changes the tables and drops one of the views. On a
// server that keeps equal parts once each view holds what it holds on one that does not.
func TestPartsOfRandomQueries(t *testing.T) {
	t.Parallel()
	shared := 0
	for seed := range uint64(8) {
		w := &partsWorld{t: t, ctx: context.Background(), seed: seed}
		w.connect()
		shared += w.run()
		for _, end := range w.ends {
			_ = end()
		}
	}
	if shared < 5 {
		t.Errorf("of all views %d shared a part", shared)
	}
}

// partsWorld are the two servers.
type partsWorld struct {
	t     *testing.T
	ctx   context.Context
	seed  uint64
	conns []*inside.Conn // to the one that shares, and to the other
	ends  []func() error
}

func (w *partsWorld) connect() {
	for _, apart := range []bool{false, true} {
		bug := func(what string, value any, _ []byte) { w.t.Errorf("seed %d: %s: %v", w.seed, what, value) }
		s, err := inside.Serve(coord.Options{TickInterval: time.Hour, Workers: 1 + int(w.seed%2), KeepApart: apart, OnBug: bug})
		if err != nil {
			w.t.Fatal(err)
		}
		w.ends = append(w.ends, s.Close)
		c, err := s.Connect(w.ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		w.conns = append(w.conns, c)
		w.ends = slices.Insert(w.ends, 0, c.Close)
	}
}

// both asks both servers, and sees that they answer alike; it gives the answer of the first.
func (w *partsWorld) both(sql string) *inside.Answer {
	w.t.Helper()
	var said [2]string
	var answers [2]*inside.Answer
	for i, c := range w.conns {
		a, err := c.Ask(w.ctx, sql)
		if err != nil {
			w.t.Fatal(err)
		}
		answers[i] = a
		if said[i] = "an error"; a.Err == nil {
			var rows []string
			for _, r := range a.Rows {
				rows = append(rows, strings.Join(r, "|"))
			}
			slices.Sort(rows)
			said[i] = strings.Join(rows, "\n")
		}
	}
	if said[0] != said[1] {
		w.t.Fatalf("seed %d: %s\nwith parts shared:\n%s\nwithout:\n%s", w.seed, sql, said[0], said[1])
	}
	return answers[0]
}

// run gives how many views read a part.
func (w *partsWorld) run() int {
	rng := rand.New(rand.NewPCG(w.seed, 60))
	g := &sqlgen.Generator{R: rng, Fallible: w.seed%4 == 0}
	h := g.Schema(4)
	w.both(h.Schema.String())
	var views []string
	for i := range 3 {
		query := g.Query().String()
		a := w.both("SELECT * FROM (" + query + ") AS t LIMIT 0")
		if a.Err != nil || len(a.Names) == 0 {
			continue
		}
		var cols []string
		for k := range a.Names {
			cols = append(cols, fmt.Sprintf("c%d", k))
		}
		for k, n := range rng.Perm(len(around))[:2+rng.IntN(2)] {
			name := fmt.Sprintf("v%d_%d", i, k)
			text := fmt.Sprintf(around[n], query, " ("+strings.Join(cols, ", ")+")")
			if w.both("CREATE MATERIALIZED VIEW "+name+" AS "+text).Err == nil {
				views = append(views, name)
			}
		}
	}
	shared := w.shared()
	for _, batch := range h.Batches.Kids {
		w.both(batch.String())
		for _, v := range views {
			w.both("SELECT * FROM " + v)
		}
		if n := len(views); n > 0 {
			i := rng.IntN(n)
			w.both("DROP MATERIALIZED VIEW " + views[i])
			views = slices.Delete(views, i, i+1)
		}
	}
	return shared
}

func (w *partsWorld) shared() int {
	a, err := w.conns[0].Ask(w.ctx, "SELECT user_id FROM mz_internal.mz_shared_parts")
	if err != nil || a.Err != nil {
		w.t.Fatal(err, a)
	}
	return len(a.Rows)
}
