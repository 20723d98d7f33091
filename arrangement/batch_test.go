package arrangement

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/repr"
)

// randomRow is of one of a few shapes: of one length or not, with many neighbours or few, down to no bytes at all.
func randomRow(rng *rand.Rand, shape int) []byte {
	switch shape {
	case 0:
		return repr.AppendFixed8(repr.AppendFixed8(nil, repr.KindInt8, rng.Int64N(2000)-1000), repr.KindInt8, rng.Int64N(3))
	case 1:
		out := make([]byte, rng.IntN(12))
		for i := range out {
			out[i] = []byte{0, 1, 0xff}[rng.IntN(3)]
		}
		return out
	case 2:
		return repr.Append(nil, repr.Text(string(bytes.Repeat([]byte{'x'}, rng.IntN(300)))))
	default:
		return []byte{byte(rng.IntN(256)), byte(rng.IntN(256))}
	}
}

// A builder gives the rows sorted and summed, whatever their shape and number, and a batch finds every key.
func TestSealAndSeek(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 9))
		shape, want, b := int(seed%4), model{}, NewBuilder()
		for range 1 + rng.IntN(4000) {
			r, d := randomRow(rng, shape), repr.Diff(1)
			if seed%3 == 0 {
				d = repr.Diff(rng.IntN(3) - 1)
			}
			b.Add(r, d)
			want.add(string(r), d)
		}
		got := b.Seal()
		rows := slices.Sorted(maps.Keys(want))
		if got.Len() != len(rows) {
			t.Fatalf("seed %d: %d rows, want %d", seed, got.Len(), len(rows))
		}
		for i, r := range rows {
			if string(got.Row(i)) != r || got.Diff(i) != want[r] {
				t.Fatalf("seed %d: row %d is %x × %d, want %x × %d", seed, i, got.Row(i), got.Diff(i), r, want[r])
			}
		}
		for range 300 {
			key := randomRow(rng, shape)
			key = key[:rng.IntN(len(key)+1)]
			lo := rng.IntN(len(rows) + 1)
			at, _ := slices.BinarySearch(rows, string(key))
			if i := got.seek(lo, key); i != max(lo, at) {
				t.Fatalf("seed %d: %x from %d is at %d, want %d of %d", seed, key, lo, i, max(lo, at), len(rows))
			}
		}
	}
}

// Merging with little fuel at a time gives what adding up gives.
func TestMergeInSteps(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 4))
		want, sides := model{}, [2]Batch{}
		for k := range sides {
			b := NewBuilder()
			for range rng.IntN(500) {
				r, d := randomRow(rng, int(seed%4)), repr.Diff(1-2*k)
				b.Add(r, d)
				want.add(string(r), d)
			}
			sides[k] = b.Seal()
		}
		m, out := newMerger(&sides[0], &sides[1]), mergedOutput(&sides[0], &sides[1], 0, 0)
		for m.i < m.x.n || m.j < m.y.n {
			m.step(out, m.y.n, 1+rng.IntN(40))
		}
		got := model{}
		merged := out.batch()
		for i := range merged.Len() {
			got[string(merged.Row(i))] = merged.Diff(i)
			if i > 0 && bytes.Compare(merged.Row(i-1), merged.Row(i)) >= 0 {
				t.Fatalf("seed %d: row %d is out of order", seed, i)
			}
		}
		if !maps.Equal(got, want) {
			t.Fatalf("seed %d: %d rows, want %d", seed, len(got), len(want))
		}
	}
}
