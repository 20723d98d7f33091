package main

import (
	"testing"

	"millrace/bench/tpch"
)

// Every query of TPC-H comes to the same answer whether its input comes in small steps or large ones, with one worker or
// three, with keys known or not.
func TestTPCHDoesNotDependOnTheWay(t *testing.T) {
	t.Parallel()
	const scale = 0.001
	ways := []*tpchBench{
		{workers: 1, batch: 1 << 20, keys: true}, {workers: 1, batch: 700}, {workers: 3, batch: 2500, keys: true},
	}
	for _, w := range ways {
		w.refreshes = 3
		if err := w.history(scale, 5); err != nil {
			t.Fatal(err)
		}
	}
	some := 0
	for _, q := range tpch.Queries(scale) {
		var once *tpchRun
		for _, w := range ways {
			r, err := w.run(t.Context(), q)
			if err != nil {
				t.Fatalf("%s: %v", q.Name, err)
			}
			if once == nil {
				once = r
			}
			if r.check.Rows != once.check.Rows || r.check.Sum != once.check.Sum {
				t.Errorf("%s: batches of %d with %d workers: %s, at once: %s", q.Name, w.batch, w.workers, r.check.String(), once.check.String())
			}
		}
		if once.check.Rows > 0 {
			some++
		}
	}
	if some < 18 {
		t.Errorf("%d queries give rows, want 18 at least", some)
	}
}

// The queries can be views of one server, too, and all of them are reported.
func TestTPCHInServer(t *testing.T) {
	t.Parallel()
	b := &tpchBench{workers: 2, batch: 4000, refreshes: 2}
	if err := b.runServer(t.Context(), 0.001, 1, tpch.Queries(0.001)); err != nil {
		t.Fatal(err)
	}
}
