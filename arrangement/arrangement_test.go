package arrangement

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/repr"
)

// model is the plain version: a map from rows to counts.
type model map[string]repr.Diff

func (m model) add(row string, d repr.Diff) {
	if m[row] += d; m[row] == 0 {
		delete(m, row)
	}
}

func row(rng *rand.Rand, keys int) []byte {
	r := repr.AppendFixed8(nil, repr.KindInt8, int64(rng.IntN(keys)))
	if rng.IntN(3) == 0 {
		return repr.Append(r, repr.Text(string(bytes.Repeat([]byte{'x'}, rng.IntN(40)))))
	}
	return repr.AppendFixed8(r, repr.KindInt8, int64(rng.IntN(4)))
}

func contents(s *Snapshot) model {
	out := model{}
	var last []byte
	c := s.Cursor()
	for c.Seek(nil); c.Valid(); c.Next() {
		if last != nil && bytes.Compare(last, c.Row()) >= 0 {
			panic("cursor is not in order")
		}
		last = c.Row()
		out[string(c.Row())] = c.Diff()
	}
	return out
}

func TestArrangementAgainstMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 1))
		a, want, b := New(), model{}, NewBuilder()
		keys := []int{50, 3000, 100000}[seed%3]
		type held struct {
			s    *Snapshot
			want model
		}
		var held_ []held
		for range 120 {
			b.Reset()
			for range rng.IntN(1200) + 1 {
				r := row(rng, keys)
				d := repr.Diff(rng.IntN(4) - 2)
				if rng.IntN(2) == 0 && len(want) > 0 {
					r = []byte(anyKey(want))
					d = -want[string(r)]
				}
				b.Add(r, d)
				want.add(string(r), d)
			}
			a.Insert(b.Seal())
			if rng.IntN(4) == 0 {
				a.Work(rng.IntN(5000))
			}
			if rng.IntN(10) == 0 {
				held_ = append(held_, held{a.Snapshot(), maps.Clone(want)})
			}
		}
		held_ = append(held_, held{a.Snapshot(), want})
		for !a.Work(1000) {
		}
		held_ = append(held_, held{a.Snapshot(), want})
		for i, h := range held_ {
			if got := contents(h.s); !maps.Equal(got, h.want) {
				t.Fatalf("seed %d, snapshot %d: %d rows, want %d", seed, i, len(got), len(h.want))
			}
			probe(t, rng, h.s, h.want)
		}
	}
}

func anyKey(m model) string {
	for k := range m {
		return k
	}
	return ""
}

// probe holds Seek and Last to a sorted list.
func probe(t *testing.T, rng *rand.Rand, s *Snapshot, want model) {
	t.Helper()
	sorted := slices.Sorted(maps.Keys(want))
	var probes [][]byte
	for range 50 {
		probes = append(probes, row(rng, 3000)[:10])
	}
	slices.SortFunc(probes, bytes.Compare)
	probes = slices.CompactFunc(probes, bytes.Equal) // SeekKey goes forward only
	c, k := s.Cursor(), s.Cursor()
	for _, p := range probes {
		c.Seek(p)
		i, _ := slices.BinarySearch(sorted, string(p))
		if c.Valid() != (i < len(sorted)) || c.Valid() && string(c.Row()) != sorted[i] {
			t.Fatalf("seek %x: got %x", p, c.Row())
		}
		var last string
		for _, k := range sorted[i:] {
			if !bytes.HasPrefix([]byte(k), p) {
				break
			}
			last = k
		}
		walked := ""
		for k.SeekKey(p); k.Valid(); k.Next() {
			walked = string(k.Row())
			if k.Diff() != want[walked] {
				t.Fatalf("walk of %x: %x counts %d, want %d", p, walked, k.Diff(), want[walked])
			}
		}
		if walked != last {
			t.Fatalf("walk of %x ends with %x, want %x", p, walked, last)
		}
		got, _, ok := s.Last(p)
		if ok != (last != "") || ok && string(got) != last {
			t.Fatalf("last of %x: got %x, want %x", p, got, last)
		}
	}
}

// A cursor that has come to the end of the base stays there, though a run goes on.
func TestCursorDoesNotReopenBase(t *testing.T) {
	t.Parallel()
	row := func(i int) []byte { return repr.AppendFixed8(nil, repr.KindInt8, int64(i)) }
	a, b := New(), NewBuilder()
	const n = 5000
	for i := range n {
		b.Add(row(2*i), 1)
	}
	a.Insert(b.Seal())
	for !a.Work(1 << 20) {
	}
	b.Reset()
	b.Add(row(2*n-2), -1)
	a.Insert(b.Seal())
	c := a.Snapshot().Cursor()
	c.Seek(row(2*n - 3))
	if c.Valid() {
		t.Fatalf("a row whose counts cancel is shown")
	}
	if c.Seek(row(2*n - 2)); c.Valid() {
		t.Fatalf("a retracted row came back with count %d", c.Diff())
	}
}

func TestTraceHistory(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	tr, b, now := NewTrace(), NewBuilder(), model{}
	at := map[repr.Time]model{}
	for i := range repr.Time(200) {
		b.Reset()
		for range rng.IntN(20) {
			r := row(rng, 30)
			d := repr.Diff(rng.IntN(3) - 1)
			b.Add(r, d)
			now.add(string(r), d)
		}
		tr.Append(10*i, b.Seal())
		at[10*i] = maps.Clone(now)
		if i == 100 {
			tr.Advance(500)
		}
	}
	if _, err := tr.At(499); err == nil {
		t.Error("time before since is readable")
	}
	if _, err := tr.At(1991); err == nil {
		t.Error("time at upper is readable")
	}
	for i := repr.Time(50); i < 200; i++ {
		s, err := tr.At(10 * i)
		if err != nil {
			t.Fatal(err)
		}
		if got := contents(s); !maps.Equal(got, at[10*i]) {
			t.Fatalf("content at %d differs", 10*i)
		}
	}
	sum := maps.Clone(at[500])
	for _, d := range tr.Deltas(500, 1990) {
		for i := range d.Len() {
			sum.add(string(d.Row(i)), d.Diff(i))
		}
	}
	if !maps.Equal(sum, now) {
		t.Error("deltas do not lead from since to the end")
	}
}

// TestTraceKeepsFewSnapshots: however long the history, few of its steps hold a snapshot, and every time of it reads right, also
// while since moves on.
func TestTraceKeepsFewSnapshots(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(9, 9))
	tr, b, now := NewTrace(), NewBuilder(), model{}
	at := map[repr.Time]model{}
	const ticks, rows = 3000, 40
	for i := range repr.Time(ticks) {
		b.Reset()
		for range rows {
			r := pairRow(rng.Int64N(3000), 0)
			d := repr.Diff(rng.IntN(3) - 1)
			b.Add(r, d)
			now.add(string(r), d)
		}
		tr.Append(3*i+1, b.Seal())
		if i%97 == 0 {
			at[3*i+2] = maps.Clone(now)
		}
		if i%250 == 249 {
			tr.Advance(max(3*i, 3000) - 3000)
			for when, want := range at {
				s, err := tr.At(when)
				if (err == nil) != (when >= tr.Since()) {
					t.Fatalf("since is %d, and %d: %v", tr.Since(), when, err)
				}
				if err == nil && !maps.Equal(contents(s), want) {
					t.Fatalf("content at %d differs", when)
				}
			}
		}
	}
	kept := 0
	for _, s := range tr.steps {
		if s.after != nil {
			kept++
		}
	}
	if n := len(tr.steps); n < 1000 || n > 1000+2*gapLeast/rows || kept > recentSteps+gapOfHeld+2*n*rows/gapLeast {
		t.Errorf("%d steps, %d of them with a snapshot", n, kept)
	}
	held := 0
	for _, s := range tr.steps {
		held += s.batch.Len()
	}
	if held != tr.held {
		t.Errorf("%d updates are held, it says %d", held, tr.held)
	}
}

func BenchmarkInsert(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	a, builder := New(), NewBuilder()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		builder.Add(repr.AppendFixed8(repr.AppendFixed8(nil, repr.KindInt8, rng.Int64N(1<<20)), repr.KindInt8, int64(i)), 1)
		if builder.Len() == 10_000 {
			a.Insert(builder.Seal())
			a.Snapshot()
			builder.Reset()
		}
	}
	b.ReportMetric(float64(a.Bytes())/float64(max(a.Rows(), 1)), "bytes/row")
}
