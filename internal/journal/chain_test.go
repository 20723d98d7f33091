package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/internal/sim"
)

// segmentsOf are the names of the segments in a folder.
func segmentsOf(t *testing.T, d *sim.Disk) []string {
	t.Helper()
	names, err := d.List("data")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(n string) bool { _, ok := numbered(n, segmentPrefix); return !ok })
}

// TestLostSegment: of several segments none can be missing, nor empty, without a start and a check saying so; the newest neither,
// whether those before it are folded or not.
func TestLostSegment(t *testing.T) {
	t.Parallel()
	for held := range 3 {
		d := sim.NewDisk(uint64(held))
		j := open(t, d)
		m := fill(t, j, newModel(), 40, rand.New(rand.NewPCG(8, 8)))
		if j.Hold(m.last * uint64(held) / 2); held > 0 {
			if err := j.Fold(); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		segments := segmentsOf(t, d)
		if held < 2 && len(segments) < 3 {
			t.Fatalf("there are only %v", segments)
		}
		for _, name := range segments {
			for _, emptied := range []bool{false, true} {
				what := fmt.Sprintf("held %d, %s, emptied %v", held, name, emptied)
				if err := d.Rename("data/"+name, "away"); err != nil {
					t.Fatal(err)
				}
				if emptied {
					if _, err := d.Create("data/" + name); err != nil {
						t.Fatal(err)
					}
				}
				var damaged *DamageError
				if err := readAll(d); !errors.As(err, &damaged) || !strings.Contains(err.Error(), name) && (emptied || name != segments[0]) {
					t.Errorf("%s: %v", what, err)
				}
				if rep, err := Check(d, "data", nil); err == nil && rep.Bad() == 0 {
					t.Errorf("%s: a check finds nothing", what)
				}
				if emptied {
					if err := d.Remove("data/" + name); err != nil {
						t.Fatal(err)
					}
				}
				if err := d.Rename("away", "data/"+name); err != nil {
					t.Fatal(err)
				}
			}
		}
		if rep, err := Check(d, "data", nil); err != nil || rep.Bad() > 0 {
			t.Errorf("all is there, and a check finds %v, %v", rep, err)
		}
		if got := contentOf(t, open(t, d)); got.String() != m.String() {
			t.Errorf("held %d: with all files there the content is another", held)
		}
	}
}

// TestHalfAHeader: a new segment whose header was written in part, before power went, holds no records and is begun anew. It is damage
// where anything stands behind it.
func TestHalfAHeader(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(1)
	j := open(t, d)
	m := fill(t, j, newModel(), 20, rand.New(rand.NewPCG(8, 8)))
	next := j.newest.next
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	name := "data/" + segmentName(next)
	for written := range segmentHeader {
		for _, format := range []uint32{1, Format} {
			b := append(appendHeaderOf(nil, format, next)[:written], make([]byte, 4096-written)...)
			b[4000] = 1
			putFile(t, d, name, b)
			var damaged *DamageError
			if err := readAll(d); !errors.As(err, &damaged) || !strings.Contains(err.Error(), name) {
				t.Errorf("%d bytes of the header, and something behind them: %v", written, err)
			}
			b[4000] = 0
			putFile(t, d, name, b)
			if rep, err := Check(d, "data", nil); err != nil || rep.Bad() > 0 {
				t.Errorf("%d bytes of the header: a check finds %v, %v", written, rep, err)
			}
			j = open(t, d)
			if got := contentOf(t, j); got.String() != m.String() || j.newest.next != next {
				t.Errorf("%d bytes of the header: record %d is next, want %d", written, j.newest.next, next)
			}
			m = fill(t, j, m, 1, rand.New(rand.NewPCG(uint64(written), 8)))
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if err := readAll(d); err != nil {
				t.Errorf("%d bytes of the header, gone on with: %v", written, err)
			}
			next = next + 1
			name = "data/" + segmentName(next)
		}
	}
}

// TestHalfAHeaderThatWasSealed: a part of a header, where a seal says that it was durable, is damage.
func TestHalfAHeaderThatWasSealed(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(1)
	j := open(t, d)
	fill(t, j, newModel(), 40, rand.New(rand.NewPCG(8, 8)))
	first := j.newest.first
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	name := "data/" + segmentName(first)
	putFile(t, d, name, append(appendSegmentHeader(nil, first)[:7], make([]byte, 4089)...))
	var damaged *DamageError
	if err := readAll(d); !errors.As(err, &damaged) || !strings.Contains(err.Error(), name) {
		t.Errorf("a part of a header that was durable: %v", err)
	}
}

// putFile makes a file that holds b, or replaces it.
func putFile(t *testing.T, d *sim.Disk, name string, b []byte) {
	t.Helper()
	_ = d.Remove(name) // it may not be there
	f, err := d.Create(name)
	if err == nil {
		_, err = f.WriteAt(b, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestHalfASeal: a crash in the middle of a seal, or before it, loses nothing and is no damage.
func TestHalfASeal(t *testing.T) {
	t.Parallel()
	for left := range int64(sealSize) {
		d := sim.NewDisk(1)
		j := open(t, d)
		m := fill(t, j, newModel(), 20, rand.New(rand.NewPCG(8, 8)))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		segments := segmentsOf(t, d)
		f, err := d.Open("data/" + segments[len(segments)-2])
		if err != nil {
			t.Fatal(err)
		}
		size, _ := f.Size()
		if err := f.Truncate(size - sealSize + left); err != nil {
			t.Fatal(err)
		}
		if got := contentOf(t, open(t, d)); got.String() != m.String() {
			t.Errorf("with %d bytes of a seal the content is another", left)
		}
	}
}

// TestSealWithoutSpace: a segment that ends on a disk that has become full has no seal, and all goes on.
func TestSealWithoutSpace(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(1)
	f, err := d.Create("data/x")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(100); err != nil {
		t.Fatal(err)
	}
	d.SetLimit(d.Bytes() + sealSize/2)
	if sealed, err := seal(f, &segment{end: 100, next: 7}); sealed || err != nil {
		t.Errorf("sealed %v, %v", sealed, err)
	}
	if size, _ := f.Size(); size != 100 {
		t.Errorf("half a seal is left: %d bytes", size)
	}
}
