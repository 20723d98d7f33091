package dataflow

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/arrangement"
	"millrace/dataflow/op"
	"millrace/repr"
)

// graphOfTemporal lets in rows (from, until) of two bigints, NULL for never and for ever. Rows that would never be there
// are dropped, as lower does it; a row whose times are equal fails.
func graphOfTemporal() *Graph {
	g := &Graph{}
	g.Output = g.Add(Temporal{New: func() RowFunc {
		return func(dst, row []byte) ([]byte, bool, *repr.Error) {
			from, until, err := timesOf(repr.DecodeRow(nil, row))
			if err != nil || from >= until {
				return dst, false, err
			}
			dst = repr.AppendFixed8(dst, repr.KindInt8, from)
			dst = repr.AppendFixed8(dst, repr.KindInt8, until)
			return append(dst, row...), true, nil
		}
	}}, "temporal", g.Add(Input{1}, "a"))
	return g
}

func timesOf(row []repr.Datum) (from, until int64, err *repr.Error) {
	if row[0].IsNull() {
		return 1, 0, nil
	}
	from, until = row[0].Int(), op.Never
	if !row[1].IsNull() {
		until = row[1].Int()
	}
	if from == until {
		return 0, 0, repr.NewError(repr.CodeDivisionByZero, "division by zero")
	}
	return from, until, nil
}

func plainTemporal(a rows, t int64) (out, errs rows) {
	out, errs = rows{}, rows{}
	a.each(func(r []repr.Datum, d repr.Diff) {
		from, until, err := timesOf(r)
		switch {
		case err != nil:
			errs.add(r, d)
		case from <= t && t < until:
			out.add(r, d)
		}
	})
	return out, errs
}

// TestTemporalAgainstRecomputation drives the operator with random histories while time goes on in small and large
// steps, with and without input: its output is that of recomputation at every time, byte for byte the same with 1, 2
// and 8 workers, and nothing changes before NextDue.
func TestTemporalAgainstRecomputation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		temporalHistory(t, seed)
	}
}

func temporalHistory(t *testing.T, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 9))
	flows := flowsOf(graphOfTemporal)
	in, sum, errs := rows{}, rows{}, rows{}
	now := int64(0)
	for range 40 {
		due, some := flows[0].NextDue()
		now += []int64{0, 1, 1, 3, 20}[rng.IntN(5)]
		if some && rng.IntN(3) == 0 {
			now = max(now, int64(due)-int64(rng.IntN(2)))
		}
		var deltas map[uint64]Delta
		if rng.IntN(3) > 0 {
			deltas = map[uint64]Delta{1: timedDelta(rng, in, now)}
		}
		before := len(sum)
		var first Delta
		for i, f := range flows {
			if d, ok := f.NextDue(); d != due || ok != some {
				t.Fatalf("seed %d at %d: rows are due at %d with 1 worker, at %d with %d", seed, now, due, d, len(f.workers))
			}
			out, err := f.Step(context.Background(), repr.Time(now), deltas)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = out
				collect(sum, out.OK)
				collect(errs, out.Err)
			} else if !same(first.OK, out.OK) || !same(first.Err, out.Err) {
				t.Fatalf("seed %d at %d: outputs of 1 and %d workers differ", seed, now, len(f.workers))
			}
		}
		want, wantErrs := plainTemporal(in, now)
		if !maps.Equal(sum, want) {
			t.Fatalf("seed %d at %d: %d rows, want %d", seed, now, len(sum), len(want))
		}
		if count(errs) != count(wantErrs) {
			t.Fatalf("seed %d at %d: %d errors, want %d", seed, now, count(errs), count(wantErrs))
		}
		if deltas == nil && first.OK.Len() > 0 && (!some || int64(due) > now) {
			t.Fatalf("seed %d at %d: %d of %d rows changed, though the next are due at %d (%v)", seed, now, first.OK.Len(), before, due, some)
		}
	}
}

// timedDelta puts rows in with times around now, and takes some of those that are there.
func timedDelta(rng *rand.Rand, in rows, now int64) Delta {
	b := arrangement.NewBuilder()
	change := func(row []repr.Datum, d repr.Diff) {
		b.Add(repr.AppendRow(nil, row), d)
		in.add(row, d)
	}
	for _, k := range slices.Sorted(maps.Keys(in)) {
		if rng.IntN(4) == 0 {
			change(repr.DecodeRow(nil, []byte(k)), -in[k])
		}
	}
	for range rng.IntN(5) {
		row := []repr.Datum{repr.Int8(now + rng.Int64N(20) - 10), repr.Int8(now + rng.Int64N(30) - 5)}
		if rng.IntN(6) == 0 {
			row[rng.IntN(2)] = repr.Null
		}
		change(row, repr.Diff(1+rng.IntN(2)))
	}
	return Delta{OK: b.Seal()}
}

// TestTemporalBurst has 100,000 rows fall due at once, and as many one by one: each leaves at its time, those that are
// past are not held, and DueWithin cuts what is due into steps of bounded size.
func TestTemporalBurst(t *testing.T) {
	t.Parallel()
	const n, each = 100_000, 100
	f := New(graphOfTemporal(), Options{Workers: 2})
	b := arrangement.NewBuilder()
	for i := range int64(n) {
		b.Add(repr.AppendRow(nil, []repr.Datum{repr.Int8(i), repr.Int8(n + 10)}), 1)
		b.Add(repr.AppendRow(nil, []repr.Datum{repr.Int8(i), repr.Int8(2*n + i/each)}), 1)
		b.Add(repr.AppendRow(nil, []repr.Datum{repr.Int8(-2), repr.Int8(-1 - i%2)}), 1)
	}
	step := func(at repr.Time, in map[uint64]Delta) int {
		out, err := f.Step(context.Background(), at, in)
		if err != nil {
			t.Fatal(err)
		}
		return out.OK.Len()
	}
	if got := step(n, map[uint64]Delta{1: {OK: b.Seal()}}); got != 2*n {
		t.Fatalf("%d rows came in", got)
	}
	if due, _ := f.NextDue(); due != n+10 || step(n+9, nil) != 0 {
		t.Fatalf("rows are due at %d", due)
	}
	if got := step(n+10, nil); got != n {
		t.Fatalf("%d rows left at once", got)
	}
	left, steps := 0, 0
	for {
		at, ok := f.DueWithin(5 * each)
		if !ok {
			at = 3 * n
		}
		got := step(at, nil)
		if left, steps = left+got, steps+1; got > 2*2*5*each {
			t.Fatalf("%d rows left in a step of at most about %d", got, 2*5*each)
		}
		if !ok {
			break
		}
	}
	if left != n || steps < 50 {
		t.Fatalf("%d rows left in %d steps", left, steps)
	}
	if _, ok := f.NextDue(); ok || f.Stats()[1].ArrangedRows != 0 {
		t.Fatalf("%d rows are still held", f.Stats()[1].ArrangedRows)
	}
}

// BenchmarkTemporal has rows come in and leave again: one operation is a row.
func BenchmarkTemporal(b *testing.B) {
	const batch, life = 1000, 200
	f := New(graphOfTemporal(), Options{})
	build := arrangement.NewBuilder()
	at := int64(0)
	b.ReportAllocs()
	for n := 0; n < b.N; n += batch {
		at++
		build.Reset()
		for i := range int64(batch) {
			build.Add(repr.AppendRow(nil, []repr.Datum{repr.Int8(at - i%7), repr.Int8(at + life + i%100)}), 1)
		}
		if _, err := f.Step(context.Background(), repr.Time(at), map[uint64]Delta{1: {OK: build.Seal()}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTemporalBurst has 100,000 rows leave in one step; only that step is counted.
func BenchmarkTemporalBurst(b *testing.B) {
	const n = 100_000
	for at := int64(1); b.Loop(); at += 10 {
		b.StopTimer()
		f := New(graphOfTemporal(), Options{})
		build := arrangement.NewBuilder()
		for i := range int64(n) {
			build.Add(repr.AppendRow(nil, []repr.Datum{repr.Int8(-i), repr.Int8(at + 5)}), 1)
		}
		if _, err := f.Step(context.Background(), repr.Time(at), map[uint64]Delta{1: {OK: build.Seal()}}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		out, err := f.Step(context.Background(), repr.Time(at+5), nil)
		if err != nil || out.OK.Len() != n {
			b.Fatal(out.OK.Len(), err)
		}
	}
}
