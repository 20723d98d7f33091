package budget

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestGate has many take from one budget: who takes more than is open asks, the others wait for the answer.
func TestGate(t *testing.T) {
	t.Parallel()
	server := New("server", 0)
	b := server.Part("b", 0, 0)
	var asked, inside atomic.Int64
	b.Gate(100, func(held int64) (int64, string) {
		if inside.Add(1) > 1 {
			t.Error("two ask at once")
		}
		defer inside.Add(-1)
		asked.Add(1)
		return 2 * held, ""
	})
	part := b.Part("part", 0, 0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				part.Take(1)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n < 1 || n > 7 || part.Excess() != nil || b.Held() != 8000 {
		t.Errorf("asked %d times for %d bytes: %+v", n, b.Held(), part.Excess())
	}
	b.Gate(8000, func(int64) (int64, string) { return 0, "no" })
	if !part.Room(0) || part.Passing(1) || part.Room(1) {
		t.Error("room where it is refused, or none where nobody asks")
	}
	if e := part.Excess(); e == nil || e.Why != "no" || e.Held != 8001 {
		t.Errorf("refused with %+v", e)
	}
	other := b.Part("other", 0, 0)
	b.Gate(0, nil)
	if other.Take(1 << 20); other.Excess() != nil {
		t.Errorf("without the gate: %+v", other.Excess())
	}
	var none *Budget
	none.Gate(0, func(int64) (int64, string) { return 0, "" })
	if !none.Room(1) {
		t.Error("the nil budget has a gate")
	}
}
