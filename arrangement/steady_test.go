package arrangement

import (
	"maps"
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

// What grows at one end is folded as it comes, a tick large or small, also when some of it goes again soon: no more rows wait in
// runs than a few ticks bring, and what is read then is right.
func TestDenseRunsAreFoldedAtOnce(t *testing.T) {
	t.Parallel()
	for _, perTick := range []int{7, 300, 5_000} {
		rng := rand.New(rand.NewPCG(uint64(perTick), 8))
		a, b, want := New(), NewBuilder(), model{}
		for now := int64(0); now < int64(40*perTick); now += int64(perTick) {
			for i := range int64(perTick) {
				r := pairRow(now+i, 1)
				b.Add(r, 1)
				want.add(string(r), 1)
				if gone := pairRow(now+i-rng.Int64N(50), 1); rng.IntN(4) == 0 && want[string(gone)] > 0 {
					b.Add(gone, -1)
					want.add(string(gone), -1)
				}
			}
			a.Insert(b.Seal())
			b.Reset()
			waiting := 0
			for _, run := range a.runs {
				waiting += run.Len()
			}
			if most := 4*perTick + 4*blockRows; waiting > most {
				t.Fatalf("%d rows a tick: %d wait at %d, want at most %d", perTick, waiting, now, most)
			}
		}
		if got := contents(a.Snapshot()); !maps.Equal(got, want) {
			t.Fatalf("%d rows a tick: %d rows, want %d", perTick, len(got), len(want))
		}
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
