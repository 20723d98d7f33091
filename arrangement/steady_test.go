package arrangement

import (
	"math/rand/v2"
	"testing"
	"time"

	"millrace/repr"
)

// loaded is an arrangement of many rows with nothing left to merge.
func loaded(rng *rand.Rand, rows int) *Arrangement {
	a, b := New(), NewBuilder()
	for i := range rows {
		b.Add(pairRow(rng.Int64N(1<<20), int64(i)), 1)
		if b.Len() == 50_000 {
			a.Insert(b.Seal())
			b.Reset()
		}
	}
	a.Insert(b.Seal())
	for !a.Work(1 << 20) {
	}
	return a
}

func pairRow(k, v int64) []byte {
	return repr.AppendFixed8(repr.AppendFixed8(nil, repr.KindInt8, k), repr.KindInt8, v)
}

// TestSmallRunsAreMergedBesideLargeOnes inserts small batches while large runs are merged: they never pile up so far that an
// Insert has to end a large merge, and what is read then is right.
func TestSmallRunsAreMergedBesideLargeOnes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(2, 2))
	a, b := loaded(rng, 150_000), NewBuilder()
	want, beside := contents(a.Snapshot()), 0
	for i := range int64(1500) {
		for range 80 {
			r := pairRow(rng.Int64N(1<<20), i)
			b.Add(r, 1)
			want.add(string(r), 1)
		}
		a.Insert(b.Seal())
		b.Reset()
		if len(a.runs) >= limitRuns {
			t.Fatalf("%d runs wait after %d batches", len(a.runs), i)
		}
		if beside += len(a.merges) / 2; i%500 > 0 {
			continue
		}
		got := contents(a.Snapshot())
		for k, n := range want {
			if got[k] != n {
				t.Fatalf("after %d batches a row counts %d, want %d", i, got[k], n)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("after %d batches there are %d rows, want %d", i, len(got), len(want))
		}
	}
	if beside == 0 {
		t.Error("no merge was made beside another")
	}
}

// BenchmarkSteadyInsert inserts batches of 100 rows behind 5,000,000 and reports the longest Insert.
func BenchmarkSteadyInsert(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	a, builder := loaded(rng, 5_000_000), NewBuilder()
	var worst time.Duration
	for i := 0; b.Loop(); i++ {
		for range 100 {
			builder.Add(pairRow(rng.Int64N(1<<20), int64(i)), 1)
		}
		batch := builder.Seal()
		builder.Reset()
		began := time.Now()
		a.Insert(batch)
		worst = max(worst, time.Since(began))
		a.Snapshot()
	}
	b.ReportMetric(1e3*worst.Seconds(), "worst-ms")
}
