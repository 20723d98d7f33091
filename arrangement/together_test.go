package arrangement

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"millrace/repr"
)

// TestLargeRunsAreFoldedTogether: large runs that only add rows are not merged but folded at once, several of them, into a base with
// rows before, between and behind theirs; what is read is right at each moment of that, of snapshots that were taken before, too.
func TestLargeRunsAreFoldedTogether(t *testing.T) {
	t.Parallel()
	shapes := map[string]func(rng *rand.Rand, i int64) []byte{
		"of one length": func(rng *rand.Rand, i int64) []byte { return pairRow(rng.Int64N(1<<30), i) },
		"of many lengths": func(rng *rand.Rand, i int64) []byte {
			return append(pairRow(rng.Int64N(1<<30), i), bytes.Repeat([]byte{7}, int(i%30))...)
		},
		"often equal": func(rng *rand.Rand, _ int64) []byte { return pairRow(rng.Int64N(400_000), 0) },
		"in order":    func(rng *rand.Rand, i int64) []byte { return pairRow(i+rng.Int64N(20_000), i) },
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(3, 3))
			a, b, want, together := New(), NewBuilder(), model{}, 0
			next := int64(0)
			var earlier *Snapshot
			var then model
			for round := range 7 {
				b.Reset()
				seen := map[string]bool{}
				rows := 36_000
				if round == 0 {
					rows = 110_000
				}
				for range rows {
					next++
					if r := shape(rng, next); !seen[string(r)] { // a row that counts more than once is no plain addition
						seen[string(r)] = true
						b.Add(r, 1)
						want.add(string(r), 1)
					}
				}
				if round == 5 { // one that takes rows back
					for r := range want {
						b.Add([]byte(r), -1)
						if want.add(r, -1); rng.IntN(2000) == 0 {
							break
						}
					}
				}
				a.put(b.Seal())
				for range 1 + round%2 {
					if a.fold != nil {
						together = max(together, len(a.fold.parts))
					}
					a.Work(20_000 + rng.IntN(30_000))
					checkContent(t, fmt.Sprintf("round %d", round), a.Snapshot(), want)
				}
				if earlier != nil {
					checkContent(t, fmt.Sprintf("round %d, the snapshot before", round), earlier, then)
				}
				earlier, then = a.Snapshot(), maps.Clone(want)
			}
			for !a.Work(10_000) {
				if a.fold != nil {
					together = max(together, len(a.fold.parts))
				}
			}
			checkContent(t, "the end", a.Snapshot(), want)
			probe(t, rng, a.Snapshot(), want)
			if together < 2 {
				t.Error("no runs were folded together")
			}
			if held := a.held(); a.Bytes() != held {
				t.Errorf("it says that it takes %d bytes, and takes %d", a.Bytes(), held)
			}
		})
	}
}

// put is Insert without the work.
func (a *Arrangement) put(b Batch) {
	for i := range b.Len() {
		a.count += int64(b.Diff(i))
	}
	a.snapshot = nil
	a.bytes += int64(b.Bytes())
	a.runs = append(a.runs, b)
}

// held is the memory of the blocks and runs.
func (a *Arrangement) held() int64 {
	n := 0
	a.base.Scan(func(b block) bool {
		n += b.body.rows.Bytes()
		return true
	})
	for i := range a.runs {
		n += a.runs[i].Bytes()
	}
	return int64(n)
}

func checkContent(t *testing.T, when string, s *Snapshot, want model) {
	t.Helper()
	n := 0
	var last []byte
	c := s.Cursor()
	for c.Seek(nil); c.Valid(); c.Next() {
		if n++; last != nil && bytes.Compare(last, c.Row()) >= 0 {
			t.Fatalf("%s: row %d is not in order", when, n)
		}
		last = c.Row()
		if want[string(last)] != c.Diff() {
			t.Fatalf("%s: row %d is there %d times, want %d", when, n, c.Diff(), want[string(last)])
		}
	}
	var rows repr.Diff
	for _, d := range want {
		rows += d
	}
	if n != len(want) || s.Rows() != int64(rows) {
		t.Fatalf("%s: %d rows, %d with their counts; want %d and %d", when, n, s.Rows(), len(want), rows)
	}
}
