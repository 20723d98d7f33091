package journal

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/internal/sim"
)

// moment is what was there at a time.
type moment struct {
	at uint64
	m  *model
}

// tale appends records, and keeps what was there at each time.
type tale struct {
	t    *testing.T
	j    *Journal
	r    *rand.Rand
	m    *model
	then []moment
}

func (l *tale) tell(n int) {
	for range n {
		l.m = fill(l.t, l.j, l.m, 1, l.r)
		l.then = append(l.then, moment{l.m.last, l.m.clone()})
	}
}

// at is what a collection held at a time.
func (l *tale) at(id, t uint64) map[string]int64 {
	i, found := slices.BinarySearchFunc(l.then, t, func(m moment, t uint64) int { return int(m.at) - int(t) })
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	return l.then[i].m.rows[id]
}

// check reads each collection as of its since, and then through every record behind it.
func (l *tale) check(what string, each map[uint64]uint64, general uint64) {
	l.t.Helper()
	for id := range uint64(4) {
		since := l.j.Since(id)
		if want, held := each[id]; since > general || held && since > want {
			l.t.Fatalf("%s: collection %d can be read from %d on, held is %d, in general %d", what, id, since, want, general)
		}
		got := newModel()
		add := func(row []byte, diff int64) error { got.add(id, row, diff); return nil }
		if err := l.j.Read(id, add); err != nil {
			l.t.Fatal(err)
		}
		based := false
		same := func(at uint64) {
			if want := l.at(id, at); !maps.Equal(got.rows[id], want) && len(got.rows[id])+len(want) > 0 {
				l.t.Fatalf("%s: collection %d, since %d, at %d: %d rows, want %d", what, id, since, at, len(got.rows[id]), len(want))
			}
		}
		if err := l.j.Ticks(func(r *Record) error {
			if r.Time > since && !based {
				based = true
				same(since)
			}
			got.apply(r)
			if r.Time >= since {
				same(r.Time)
			}
			return nil
		}); err != nil {
			l.t.Fatal(err)
		}
	}
}

// thinFiles are the thin segments in a folder.
func thinFiles(t *testing.T, d *sim.Disk) int {
	t.Helper()
	names, err := d.List("data")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range names {
		if strings.HasPrefix(name, thinPrefix) {
			n++
		}
	}
	return n
}

// TestThinSegments: while one collection is held for long the log of the others is folded, and each can be read at every time from
// its since on; also when it is opened again, when it is held no longer, and in a copy.
func TestThinSegments(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			d := sim.NewDisk(seed)
			l := &tale{t: t, j: open(t, d), r: rand.New(rand.NewPCG(seed, 5)), m: newModel()}
			each := map[uint64]uint64{}
			for round := range 6 {
				l.tell(60)
				general := l.m.last - 100
				each = maps.Clone(each)
				each[1] = 50
				if round == 2 {
					each[2] = general
				}
				if round == 4 {
					delete(each, 2)
				}
				l.j.HoldEach(general, each)
				if err := l.j.Fold(); err != nil {
					t.Fatal(err)
				}
				l.check(fmt.Sprint("round ", round), each, general)
				if s := l.j.Since(0); round > 1 && s+2000 < general {
					t.Errorf("round %d: of what is not held long only %d of %d is folded", round, s, general)
				}
				if round%2 == 1 {
					if err := l.j.Settle(t.Context()); err != nil {
						t.Fatal(err)
					}
					l.check(fmt.Sprint("settled, round ", round), each, general)
					if err := l.j.Close(); err != nil {
						t.Fatal(err)
					}
					l.j = open(t, d)
					l.check(fmt.Sprint("opened, round ", round), each, general)
				}
			}
			if thinFiles(t, d) < 3 {
				t.Fatalf("%d thin segments", thinFiles(t, d))
			}
			if _, err := l.j.Backup("copy"); err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{"data", "copy"} {
				if rep, err := Check(d, dir, nil); err != nil || rep.Bad() > 0 {
					t.Errorf("a check of %s: %+v, %v", dir, rep, err)
				}
			}
			l.j.Hold(l.m.last)
			if err := l.j.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.check("held no longer", nil, l.m.last)
			if thinFiles(t, d) > 0 || l.j.Since(1) != l.m.last {
				t.Errorf("%d thin segments are left, folded up to %d of %d", thinFiles(t, d), l.j.Since(1), l.m.last)
			}
			if err := l.j.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestLostThinSegment: a thin segment that is missing is said to be.
func TestLostThinSegment(t *testing.T) {
	t.Parallel()
	d := sim.NewDisk(3)
	l := &tale{t: t, j: open(t, d), r: rand.New(rand.NewPCG(3, 5)), m: newModel()}
	l.tell(100)
	l.j.HoldEach(l.m.last, map[uint64]uint64{1: 10})
	if err := l.j.Fold(); err != nil {
		t.Fatal(err)
	}
	file := l.j.manifest.Thin[1].File
	if err := l.j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Rename("data/"+file, "away"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{FS: d, Dir: "data"}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("it opens: %v", err)
	}
}

// TestCrashesWhileItThins: a crash at any step of making segments thin loses nothing, and what could be told apart still can.
func TestCrashesWhileItThins(t *testing.T) {
	t.Parallel()
	for steps := range 24 {
		t.Run(fmt.Sprint("step ", steps), func(t *testing.T) {
			t.Parallel()
			d := sim.NewDisk(uint64(steps))
			l := &tale{t: t, j: open(t, d), r: rand.New(rand.NewPCG(uint64(steps), 11)), m: newModel()}
			for range 2 {
				l.tell(30)
				each := map[uint64]uint64{1: 50}
				d.CrashAfter(steps)
				l.j.HoldEach(l.m.last, each)
				_ = l.j.Fold() // it fails where the crash comes
				d.Crash()
				_ = l.j.Close() // its files are dead
				d.Restart()
				l.j = open(t, d)
				l.check("after the crash", each, l.m.last)
			}
			if err := l.j.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestThinnedTwice: what a segment does not have any more it does not have again when it is made thin anew, though the collection is held
// as far back by then.
func TestThinnedTwice(t *testing.T) {
	t.Parallel()
	l := &tale{t: t, j: open(t, sim.NewDisk(1)), r: rand.New(rand.NewPCG(1, 5)), m: newModel()}
	l.tell(240)
	general := l.m.last - 100
	for i, each := range []map[uint64]uint64{{1: 50, 3: 50}, {1: 50, 2: 50}} {
		l.j.HoldEach(general, each)
		if err := l.j.Fold(); err != nil {
			t.Fatal(err)
		}
		l.check(fmt.Sprint("round ", i), map[uint64]uint64{1: 50}, general)
	}
	if since := l.j.Since(2); since < general/2 {
		t.Errorf("what was folded of a collection up to about %d can be told apart from %d on", general, since)
	}
}
