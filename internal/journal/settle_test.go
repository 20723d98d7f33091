package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"millrace/internal/sim"
)

// TestSettle: what is not held is folded, also of a part of a segment; the rest is there one by one, records can be appended, and
// all of it is there when the journal is opened again.
func TestSettle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		more      int // records behind the hold
		cancelled bool
	}{{"all", 0, false}, {"part of the newest segment", 3, false}, {"part of an older one", 100, false}, {"broken off", 3, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := sim.NewDisk(1)
			r := rand.New(rand.NewPCG(1, 1))
			j := open(t, d)
			m := fill(t, j, newModel(), 100, r)
			held := m.last
			m = fill(t, j, m, tt.more, r)
			j.Hold(held)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.cancelled {
				cancel()
			}
			if err := j.Settle(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			for range 2 {
				records := 0
				if err := j.Ticks(func(r *Record) error {
					if records++; r.Time <= held && !tt.cancelled {
						t.Errorf("the record of %d is not folded, %d is held", r.Time, held)
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				if records < tt.more {
					t.Errorf("%d records are there, want %d", records, tt.more)
				}
				if got := contentOf(t, j); got.String() != m.String() {
					t.Errorf("settled:\n%s\nwant:\n%s", got, m)
				}
				held, tt.more = 0, 0
				m = fill(t, j, m, 20, r)
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				j = open(t, d)
			}
			if got := contentOf(t, j); got.String() != m.String() {
				t.Errorf("opened again:\n%s\nwant:\n%s", got, m)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestCrashesWhileItSettles: a crash at any step of Settle loses nothing and leaves a journal that opens.
func TestCrashesWhileItSettles(t *testing.T) {
	t.Parallel()
	for steps := range 40 {
		t.Run(fmt.Sprint("step ", steps), func(t *testing.T) {
			t.Parallel()
			l := &life{t: t, r: rand.New(rand.NewPCG(uint64(steps), 9)), d: sim.NewDisk(uint64(steps)), acked: newModel()}
			l.open()
			for range 2 {
				l.run(30)
				l.j.Hold(l.acked.last - min(l.acked.last, uint64(l.r.IntN(100))))
				l.d.CrashAfter(steps)
				if err := l.j.Settle(t.Context()); err == nil {
					l.run(1)
				} else if !l.d.Down() {
					t.Fatal(err)
				}
				l.d.Crash()
				_ = l.j.Close() // its files are dead
				l.d.Restart()
				l.open()
			}
			if err := l.j.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
