package sources

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Rows of any length stay what they were until their batch is released, also those that are longer than was said, and those beside
// them; batches that are used again begin empty.
func TestRowsStayUntilTheRelease(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	var pool Pool
	for round := range 50 {
		b := pool.Get()
		if len(b.Updates)+len(b.Errors)+len(b.State)+len(b.Progress)+len(b.Orders) > 0 || b.Records != 0 {
			t.Fatalf("round %d begins with %+v", round, b)
		}
		var want [][]byte
		for i := range 2000 {
			n := rng.IntN(100)
			if rng.IntN(200) == 0 {
				n = rng.IntN(2 * arenaChunk)
			}
			row := bytes.Repeat([]byte{byte(rng.IntN(256))}, n)
			buf := b.Rows.Open(rng.IntN(n + 1))
			if rng.IntN(5) == 0 { // one that comes to nothing
				_ = append(buf, row...)
				continue
			}
			b.Updates = append(b.Updates, Update{Row: b.Rows.Close(append(buf, row...)), Diff: int64(i)})
			want = append(want, row)
		}
		b.Progress = append(b.Progress, Progress{Partition: 1})
		b.Records = int64(len(want))
		for i, u := range b.Updates {
			if !bytes.Equal(u.Row, want[i]) {
				t.Fatalf("round %d: row %d is %d bytes of %s, want %d of %s", round, i, len(u.Row), some(u.Row), len(want[i]), some(want[i]))
			}
		}
		b.Release()
	}
}

func some(row []byte) string { return fmt.Sprintf("%x", row[:min(len(row), 8)]) }

// A batch of one's own may be released too: it is left as it is.
func TestABatchOfNoPool(t *testing.T) {
	t.Parallel()
	b := &Batch{Records: 3}
	row := b.Rows.Close(append(b.Rows.Open(2), 7, 8))
	b.Release()
	if b.Records != 3 || !bytes.Equal(row, []byte{7, 8}) {
		t.Errorf("it is %+v with %v", b, row)
	}
}
