package clock

import (
	"testing"
	"time"
)

// TestFine: no wait ends early, short or long, and each ends once.
func TestFine(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{-time.Second, 0, 1, 50 * time.Microsecond, 999 * time.Microsecond, fineBelow - 1, fineBelow, 5 * time.Millisecond} {
		began := time.Now()
		ch := Fine{}.After(d)
		at := <-ch
		if took := time.Since(began); took < d || at.Before(began) {
			t.Errorf("a wait of %s took %s, and ended at %s, which began at %s", d, took, at, began)
		}
		select {
		case <-ch:
			t.Errorf("a wait of %s ended twice", d)
		case <-time.After(time.Millisecond):
		}
	}
}

// BenchmarkShortWait says how long half a millisecond is.
func BenchmarkShortWait(b *testing.B) {
	for _, c := range []struct {
		name  string
		clock Clock
	}{{"runtime", System{}}, {"fine", Fine{}}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				<-c.clock.After(500 * time.Microsecond)
			}
		})
	}
}
