package arrangement

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"testing"

	"millrace/repr"
)

// addRows adds some updates to a builder and the model, a part of which takes back what is there.
func addRows(rng *rand.Rand, b *Builder, want model, n, keys int) {
	for range n {
		r, d := row(rng, keys), repr.Diff(rng.IntN(4)-2)
		if rng.IntN(3) == 0 && len(want) > 0 {
			r = []byte(anyKey(want))
			d = -want[string(r)]
		}
		b.Add(r, d)
		want.add(string(r), d)
	}
}

// TestFillAgainstMap: what is filled as a whole holds what was put into it, whether it came in order or not, and goes on as any.
func TestFillAgainstMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 7))
		a, plain, want, b := New(), New(), model{}, NewBuilder()
		keys := []int{50, 3000, 100000}[seed%3]
		a.BeginFill()
		for i := range 40 {
			b.Reset()
			if i < 10 { // in order, as from a file
				for k := range rng.IntN(3000) {
					r := repr.AppendFixed8(nil, repr.KindInt8, int64(-1_000_000+i*3000+k))
					b.Add(r, 1)
					want.add(string(r), 1)
				}
			} else {
				addRows(rng, b, want, rng.IntN(1200), keys)
			}
			batch := b.Seal()
			a.Insert(batch)
			plain.Insert(batch)
			if rng.IntN(8) == 0 {
				a.mergeWaiting()
			}
			if a.Rows() != plain.Rows() {
				t.Fatalf("seed %d: %d rows while it is filled, not %d", seed, a.Rows(), plain.Rows())
			}
		}
		a.EndFill()
		if got := contents(a.Snapshot()); !maps.Equal(got, want) {
			t.Fatalf("seed %d: %d rows, want %d", seed, len(got), len(want))
		}
		if len(a.runs) > 0 || a.fold != nil {
			t.Errorf("seed %d: work is left", seed)
		}
		checkBytes(t, a)
		for range 20 {
			b.Reset()
			addRows(rng, b, want, rng.IntN(1200)+1, keys)
			a.Insert(b.Seal())
		}
		if got := contents(a.Snapshot()); !maps.Equal(got, want) {
			t.Fatalf("seed %d: afterwards %d rows, want %d", seed, len(got), len(want))
		}
	}
}

// checkBytes: the bytes of an arrangement are those of its blocks.
func checkBytes(t *testing.T, a *Arrangement) {
	t.Helper()
	bytes, rows := int64(0), 0
	a.base.Scan(func(b block) bool {
		bytes += int64(b.body.rows.Bytes())
		rows += b.body.rows.n
		return true
	})
	if bytes != a.bytes || rows != a.baseRows {
		t.Errorf("%d bytes and %d rows are counted, there are %d and %d", a.bytes, a.baseRows, bytes, rows)
	}
}

// TestFillLarge: rows so large that a piece of them holds few.
func TestFillLarge(t *testing.T) {
	t.Parallel()
	a, b := New(), NewBuilder()
	a.BeginFill()
	for i := range 40 {
		b.Reset()
		for k := range 3 {
			b.Add(append(repr.AppendFixed8(nil, repr.KindInt8, int64(k*100+i)), bytes.Repeat([]byte{'x'}, 1<<20+i)...), 1)
		}
		a.Insert(b.Seal())
	}
	a.EndFill()
	if a.Rows() != 120 || len(contents(a.Snapshot())) != 120 {
		t.Errorf("%d rows", a.Rows())
	}
	checkBytes(t, a)
	n := 0
	for part := range a.Snapshot().Chunks(1000) {
		if part.Len() > 70 {
			t.Errorf("%d rows at once", part.Len())
		}
		n += part.Len()
	}
	if n != 120 {
		t.Errorf("%d rows in chunks", n)
	}
}

// TestTake: rows taken many at a time are those that a walk finds, with runs in front of the base and below a limit too.
func TestTake(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 9))
		a, b, want := New(), NewBuilder(), model{}
		for i := range 60 {
			b.Reset()
			addRows(rng, b, want, rng.IntN(900)+1, []int{50, 3000, 100000}[seed%3])
			a.Insert(b.Seal())
			if i%20 > 0 {
				continue
			}
			snap := a.Snapshot()
			if i > 0 {
				snap = snap.Below([]byte(anyKey(want)))
			}
			compareTaken(t, snap, rng)
		}
	}
}

func compareTaken(t *testing.T, snap *Snapshot, rng *rand.Rand) {
	t.Helper()
	walk, take := snap.Cursor(), snap.Cursor()
	walk.Seek(nil)
	for take.Seek(nil); take.Valid(); {
		n := rng.IntN(400) + 1
		part := take.Take(n)
		if part.Len() == 0 || part.Len() > n {
			t.Fatalf("%d rows of at most %d", part.Len(), n)
		}
		for i := range part.Len() {
			if !walk.Valid() || !bytes.Equal(walk.Row(), part.Row(i)) || walk.Diff() != part.Diff(i) {
				t.Fatalf("row %d of a part is another than that of the walk", i)
			}
			walk.Next()
		}
	}
	if walk.Valid() {
		t.Fatal("rows are left out")
	}
	whole := model{}
	for b, i := snap.Batch(), 0; i < b.Len(); i++ {
		whole[string(b.Row(i))] = b.Diff(i)
	}
	if !maps.Equal(whole, contents(snap)) {
		t.Fatal("the whole is another")
	}
}

// TestFillTrace: a trace whose first content comes in pieces is readable from then on, and what comes after can be told apart.
func TestFillTrace(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 3))
	tr, b, want := NewTrace(), NewBuilder(), model{}
	tr.BeginFill()
	for at := range 30 {
		b.Reset()
		addRows(rng, b, want, 500, 1000)
		tr.Append(repr.Time(at+1), b.Seal())
	}
	tr.EndFill()
	tr.Append(100, Batch{})
	tr.Advance(100)
	shown := map[repr.Time]model{100: maps.Clone(want)}
	for at := repr.Time(101); at < 130; at++ {
		b.Reset()
		addRows(rng, b, want, 50, 1000)
		tr.Append(at, b.Seal())
		shown[at] = maps.Clone(want)
	}
	for at, want := range shown {
		snap, err := tr.At(at)
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(contents(snap), want) {
			t.Errorf("at %d: another content", at)
		}
	}
	if _, err := tr.At(99); err == nil {
		t.Error("it can be read before it was there")
	}
}

// BenchmarkFill fills an arrangement with a million rows of a random key in chunks, as a start does, step by step or as a whole.
func BenchmarkFill(b *testing.B) {
	const rows, chunk = 1_000_000, 1 << 16
	rng, builder := rand.New(rand.NewPCG(1, 2)), NewBuilder()
	var batches []Batch
	for i := range rows {
		r := repr.AppendFixed8(repr.AppendFixed8(nil, repr.KindInt8, rng.Int64N(10_000)), repr.KindInt8, int64(i))
		if builder.Add(append(r, "and some text that goes with it"...), 1); builder.Len() == chunk || i == rows-1 {
			batches = append(batches, builder.Seal())
			builder.Reset()
		}
	}
	for _, whole := range []bool{false, true} {
		b.Run(map[bool]string{false: "in steps", true: "as a whole"}[whole], func(b *testing.B) {
			for b.Loop() {
				a := New()
				if whole {
					a.BeginFill()
				}
				for _, batch := range batches {
					a.Insert(batch)
				}
				if whole {
					a.EndFill()
				}
				for !a.Work(1 << 20) {
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
