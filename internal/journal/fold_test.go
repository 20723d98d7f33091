package journal

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/internal/sim"
)

// gathering takes the rows of the bodies of records.
func gathering(t *testing.T, batches []*rows) *gathered {
	t.Helper()
	g := &gathered{}
	for _, b := range batches {
		body := appendRows(nil, b)
		r := &reader{b: body}
		g.rows(r, body)
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// sums is what batches come to.
func sums(batches []*rows) map[string]int64 {
	m := map[string]int64{}
	for _, b := range batches {
		for i := range b.Len() {
			if m[string(b.Row(i))] += b.Diff(i); m[string(b.Row(i))] == 0 {
				delete(m, string(b.Row(i)))
			}
		}
	}
	return m
}

// TestGathered: whatever rows look like, they come in order, each once with its sum.
func TestGathered(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]func(r *rand.Rand) []byte{
		"numbers":  func(r *rand.Rand) []byte { return fmt.Appendf(nil, "%020d", r.IntN(3000)) },
		"few":      func(r *rand.Rand) []byte { return []byte{byte(r.IntN(3))} },
		"alike":    func(r *rand.Rand) []byte { return fmt.Appendf(nil, "%070d|%040d", r.IntN(40), r.IntN(40)) },
		"zeros":    func(r *rand.Rand) []byte { return make([]byte, r.IntN(80)) },
		"any":      func(r *rand.Rand) []byte { return randomBytes(r, r.IntN(12)) },
		"prefixes": func(r *rand.Rand) []byte { return bytes.Repeat([]byte("ab\x00"), 40)[:r.IntN(110)] },
		"long":     func(r *rand.Rand) []byte { return append(randomBytes(r, 2), make([]byte, 200+r.IntN(3))...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(6) {
				r := rand.New(rand.NewPCG(seed, 1))
				var batches []*rows
				for range 1 + r.IntN(40) {
					batches = append(batches, randomRows(r, r.IntN(150), row))
				}
				g := gathering(t, batches)
				g.sort(nil)
				checkStreams(t, []stream{&gatheredStream{g: g}}, sums(batches))
			}
		})
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(4)) * 85
	}
	return b
}

// randomRows is a batch of up to n rows.
func randomRows(r *rand.Rand, n int, row func(r *rand.Rand) []byte) *rows {
	m := map[string]int64{}
	for range n {
		m[string(row(r))] = int64(1 + r.IntN(2)*-2)
	}
	b := &rows{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b.add([]byte(k), m[k])
	}
	return b
}

// checkStreams merges streams, and compares what comes out.
func checkStreams(t *testing.T, in []stream, want map[string]int64) {
	t.Helper()
	var before []byte
	n := 0
	err := merge(in, eachRow(func(row []byte, diff int64) error {
		if n > 0 && bytes.Compare(before, row) >= 0 {
			t.Fatalf("%q comes after %q", row, before)
		}
		before = append(before[:0], row...)
		if n++; want[string(row)] != diff {
			t.Fatalf("%q: %d, want %d", row, diff, want[string(row)])
		}
		return nil
	}))
	if err != nil || n != len(want) {
		t.Errorf("%d rows, want %d: %v", n, len(want), err)
	}
}

// TestMergeRuns merges runs that lie beside one another, within one another and all over one another, so that blocks go over as
// they are, joined and taken apart.
func TestMergeRuns(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 3))
		j, err := Open(Options{FS: sim.NewDisk(1), Dir: "d", Compress: seed%3 == 0})
		if err != nil {
			t.Fatal(err)
		}
		f := &fold{j: j, m: j.manifest.clone(), ctx: t.Context()}
		var batches []*rows
		var runs []run
		for range 2 + r.IntN(4) {
			b := ranges(r)
			f.j.opts.Compress = r.IntN(2) == 0
			made, err := f.write(1, []stream{&batchStream{b: b}})
			if err != nil {
				t.Fatal(err)
			}
			batches, runs = append(batches, b), append(runs, made)
		}
		in, done, err := j.openRuns(runs)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := f.write(1, in)
		done()
		if err != nil {
			t.Fatal(err)
		}
		want := sums(batches)
		if in, done, err = j.openRuns([]run{whole}); err != nil {
			t.Fatal(err)
		}
		checkStreams(t, in, want)
		done()
		live := int64(0)
		for row, diff := range want {
			live += liveBytes([]byte(row), diff)
		}
		if whole.Rows != int64(len(want)) || whole.Live != live {
			t.Errorf("%d rows, of them live %d, want %d, %d", whole.Rows, whole.Live, len(want), live)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// ranges is a batch of some ranges of long rows.
func ranges(r *rand.Rand) *rows {
	m := map[string]int64{}
	for range 1 + r.IntN(3) {
		from, step := r.IntN(4000), 1+r.IntN(4)*r.IntN(2)
		for i := range r.IntN(1500) {
			m[fmt.Sprintf("%06d%0500d", from+i*step, i%7)] = int64(1 + r.IntN(2)*-2)
		}
	}
	b := &rows{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b.add([]byte(k), m[k])
	}
	return b
}

// batchStream is the stream of a batch, a part of it in each block.
type batchStream struct {
	b  *rows
	at int
}

func (s *batchStream) next() (block, error) {
	var b block
	for ; s.at < s.b.Len() && len(b.body) < blockSize; s.at++ {
		b.body = appendRow(b.body, s.b.Row(s.at), s.b.Diff(s.at))
	}
	return b, nil
}

func (s *batchStream) weight() int64 { return int64(s.b.Len()) }

func (s *batchStream) damaged() error { return errBody }

// TestTiers: over long histories of folds there are few runs, a row is written few times again, and the disk holds no more than
// one and a half times what is there and what came since it did.
func TestTiers(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for name, tt := range map[string]struct {
		live func(size int64, r *rand.Rand) int64 // of new rows
		most float64                              // how often a byte is written
	}{
		"inserts": {func(size int64, _ *rand.Rand) int64 { return size }, 5},
		"updates": {func(size int64, r *rand.Rand) int64 { return size * int64(r.IntN(2)) }, 7},
		"small":   {func(int64, *rand.Rand) int64 { return 10 }, 40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 1))
			var runs []run
			var came, written int64
			for range 2000 {
				size := mib + r.Int64N(31*mib)
				if name == "small" {
					size = 100
				}
				live := tt.live(size, r)
				n := mergeFrom(runs, size, live)
				made := run{Rows: 1, Bytes: size, Size: size, Live: live}
				for _, x := range runs[n:] {
					made.Bytes += x.Bytes
					made.Live += x.Live
				}
				if n == 0 { // what was taken back is gone
					made.Bytes = made.Live
				}
				made.Size = made.Bytes
				runs = append(runs[:n:n], made)
				came, written = came+size, written+made.Bytes
				if len(runs) > 40 {
					t.Fatalf("%d runs", len(runs))
				}
			}
			var stored, live int64
			for _, x := range runs {
				stored, live = stored+x.Bytes, live+x.Live
			}
			if float64(stored) > 1.63*float64(live) {
				t.Errorf("%d bytes for %d", stored, live)
			}
			if f := float64(written) / float64(came); f > tt.most {
				t.Errorf("each byte was written %.1f times", f)
			}
		})
	}
}
