package arrangement

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
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
	}
}
