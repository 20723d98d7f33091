package arrangement

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"millrace/repr"
)

// wide is an arrangement of even numbers, folded, with a run of some odd ones and retractions in front of it.
func wide(rows, every int) *Snapshot {
	a, b := New(), NewBuilder()
	for i := range rows {
		b.Add(number(2*i), 1)
	}
	a.Insert(b.Seal())
	for !a.Work(1 << 20) {
	}
	b.Reset()
	for i := 0; i < rows; i += every {
		b.Add(number(2*i), -1)
		b.Add(number(2*i+1), 1)
	}
	a.Insert(b.Seal())
	return a.Snapshot()
}

func number(i int) []byte { return repr.AppendFixed8(nil, repr.KindInt8, int64(i)) }

// A cursor that goes forward over keys near and far stands where a new one does that looks up the key alone.
func TestSeekNearAndFar(t *testing.T) {
	t.Parallel()
	const rows = 60_000
	s, rng := wide(rows, 7_000), rand.New(rand.NewPCG(3, 4))
	for _, strides := range [][]int{{1}, {300}, {700, 3_000}, {5_000, 1}, {20_000, 500}, {1, 30, 400, 3_000, 40_000}} {
		c, k := s.Cursor(), s.Cursor()
		for at := 0; at < 2*rows+1_000; at += 1 + rng.IntN(strides[rng.IntN(len(strides))]) {
			if strides[0] == 1 && len(strides) == 1 && at == 5_000 {
				break
			}
			key := number(at)
			c.Seek(key)
			k.SeekKey(key)
			fresh, one := s.Cursor(), s.Cursor()
			fresh.Seek(key)
			one.SeekKey(key)
			same(t, at, c, fresh)
			same(t, at, k, one)
		}
	}
}

func same(t *testing.T, at int, got, want *Cursor) {
	t.Helper()
	if got.Valid() != want.Valid() || got.Valid() && (!bytes.Equal(got.Row(), want.Row()) || got.Diff() != want.Diff()) {
		t.Fatalf("seek %d: got %x %d, valid %v, want %x %d, valid %v",
			at, got.Row(), got.Diff(), got.Valid(), want.Row(), want.Diff(), want.Valid())
	}
}

// Keys that are looked up many at once give the rows that each gives alone, however many at a time, and whatever was walked
// between: rows of one length or of many, in runs alone or in a base too, and in a part of the content.
func TestAheadGivesWhatSeekKeyGives(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 6))
		a, b := New(), NewBuilder()
		keys := []int{40, 5_000, 80_000}[seed%3]
		for range rng.IntN(60) {
			for range 1 + rng.IntN(2_500) {
				b.Add(row(rng, keys), repr.Diff(1-2*rng.IntN(2)))
			}
			a.Insert(b.Seal())
			b.Reset()
		}
		s := a.Snapshot()
		if seed%5 == 4 {
			s = s.Below(number(keys / 2))
		}
		sought := make([][]byte, 0, 500)
		for range cap(sought) {
			sought = append(sought, number(rng.IntN(keys+9)))
		}
		slices.SortFunc(sought, bytes.Compare)
		aheadIsSeekKey(t, rng, s, slices.CompactFunc(sought, bytes.Equal))
	}
}

func aheadIsSeekKey(t *testing.T, rng *rand.Rand, s *Snapshot, keys [][]byte) {
	t.Helper()
	c := s.Cursor()
	for len(keys) > 0 {
		group := keys[:min(1+rng.IntN(AheadKeys), len(keys))]
		keys = keys[len(group):]
		if rng.IntN(8) == 0 {
			one, alone := group[0], s.Cursor()
			c.Seek(one)
			alone.Seek(one)
			same(t, 0, c, alone)
			group = group[1:]
		}
		if len(group) > 0 {
			c.Ahead(group)
		}
		for k, key := range group {
			alone := s.Cursor()
			alone.SeekKey(key)
			c.SeekAhead(k)
			for steps := rng.IntN(12); steps >= 0; steps-- {
				same(t, k, c, alone)
				if !c.Valid() {
					break
				}
				c.Next()
				alone.Next()
			}
		}
	}
}

// A filter lets every key pass that has a row, and hardly any that has none.
func TestFilter(t *testing.T) {
	t.Parallel()
	const rows = 20_000
	b := NewBuilder()
	for i := range rows {
		b.Add(pairRow(int64(3*i), int64(i%7)), 1)
	}
	run := b.Seal()
	run.filter = filterOf(&run)
	passed := 0
	for i := range 3 * rows {
		lacks := run.lacks(number(i))
		if i%3 == 0 && lacks {
			t.Fatalf("the filter denies key %d, which has a row", i)
		}
		if i%3 != 0 && !lacks {
			passed++
		}
	}
	if passed > 2*rows/15 {
		t.Errorf("%d of %d keys pass that have no row", passed, 2*rows)
	}
	if short := number(1)[:9]; run.lacks(short) {
		t.Error("the filter denies a key that is too short for it")
	}
}

// BenchmarkSeek looks up keys so many rows apart, in order, in a base of five million, and says what one takes in time of the
// processor: on a busy machine others' time is not ours.
func BenchmarkSeek(b *testing.B) {
	s := wide(5_000_000, 1_000)
	for _, stride := range []int{50, 500, 50_000} {
		b.Run(fmt.Sprint(stride), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			seeks, start := 0, threadTime()
			for b.Loop() {
				c := s.Cursor()
				for at := 0; at < 10_000_000; at += 2 * stride {
					c.SeekKey(number(at))
					seeks++
				}
			}
			b.ReportMetric(float64((threadTime()-start).Nanoseconds())/float64(seeks), "cpu-ns/seek")
		})
		b.Run(fmt.Sprint(stride, " ahead"), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			seeks, start := 0, threadTime()
			keys := make([][]byte, 0, AheadKeys)
			for b.Loop() {
				c := s.Cursor()
				for at := 0; at < 10_000_000; {
					for keys = keys[:0]; len(keys) < AheadKeys && at < 10_000_000; at += 2 * stride {
						keys = append(keys, number(at))
					}
					c.Ahead(keys)
					for k := range keys {
						c.SeekAhead(k)
						seeks++
					}
				}
			}
			b.ReportMetric(float64((threadTime()-start).Nanoseconds())/float64(seeks), "cpu-ns/seek")
		})
	}
}
