package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/internal/counts"
	"millrace/internal/disk"
	"millrace/internal/sim"
)

// TestDamagedTails does something to the end of the log, of which the valid prefix is used: all records before the first byte that
// is not as it was written are there, and none that is not whole. Where a later record shows that one is missing, the start is
// refused with the file and the place.
func TestDamagedTails(t *testing.T) {
	t.Parallel()
	cut, refused := 0, 0
	for seed := range uint64(counts.Of(100, 1000)) {
		r := rand.New(rand.NewPCG(seed, 11))
		d := sim.NewDisk(seed)
		j := open(t, d)
		records := 20 + r.IntN(40)
		states, ends := []*model{newModel()}, []int64{0} // after each record, and where it ends in which segment
		segments := []string{""}
		for range records {
			states = append(states, fill(t, j, states[len(states)-1].clone(), 1, r))
			ends, segments = append(ends, j.newest.end), append(segments, j.newest.name)
		}
		name := j.newest.name
		if r.IntN(2) == 0 {
			j.Hold(states[records].last / 2)
			if err := j.Fold(); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		what, from := mutate(t, d, name, ends[records], r)
		whole := 0 // records before the damage
		for i := range ends {
			if segments[i] != name || ends[i] <= from {
				whole = i
			}
		}
		err := readAll(d)
		if err != nil {
			var damaged *DamageError
			if !errors.As(err, &damaged) || !strings.Contains(err.Error(), name) {
				t.Errorf("seed %d: %s: %v", seed, what, err)
			}
			refused++
			continue
		}
		got := contentOf(t, open(t, d)).String()
		if got != states[whole].String() {
			t.Fatalf("seed %d: %s, %d of %d records are before it, and the content is another:\n%s", seed, what, whole, records, got)
		}
		cut++
	}
	t.Logf("%d tails were cut off, %d refused", cut, refused)
	if cut < refused/4 || refused == 0 {
		t.Errorf("%d tails were cut off, %d refused", cut, refused)
	}
}

// mutate does something to the end of a segment, of which the records end there, and says what and from where on.
func mutate(t *testing.T, d *sim.Disk, name string, end int64, r *rand.Rand) (what string, from int64) {
	t.Helper()
	f, err := d.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	from = segmentHeader + r.Int64N(end-segmentHeader)
	if r.IntN(2) == 0 { // near the end, where crashes are
		from = max(segmentHeader, end-1-r.Int64N(100))
	}
	switch r.IntN(4) {
	case 0:
		what, err = "cut short", f.Truncate(from)
	case 1:
		what = "a bit turned around"
		d.Flip(name, from, uint(r.IntN(8)))
	case 2:
		old := make([]byte, end-from)
		if _, err := f.ReadAt(old, from); err != nil {
			t.Fatal(err)
		}
		what, err = "zeros", overwrite(f, from, make([]byte, end-from))
		from = end - int64(len(bytes.TrimLeft(old, "\x00"))) // what was zero is as it was
	default:
		garbage := make([]byte, 1+r.IntN(600))
		for i := range garbage {
			garbage[i] = byte(1 + r.IntN(255))
		}
		what, from, err = "garbage behind the end", end, overwrite(f, end, garbage)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s at %d of %d in %s", what, from, end, name), from
}

func overwrite(f disk.File, at int64, b []byte) error {
	_, err := f.WriteAt(b, at)
	return err
}
