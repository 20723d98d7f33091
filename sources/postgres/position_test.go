package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"millrace/internal/clock"
	"millrace/sources"
)

// TestBehind: since when a log is not read to its end is told from when that was seen first until it is read, whatever comes between.
func TestBehind(t *testing.T) {
	t.Parallel()
	fake := clock.NewFake(time.UnixMilli(1000))
	s, err := New(Config{Publication: "p", Slot: "slot", Clock: fake})
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{Source: s}
	for i, step := range []struct {
		read, end int64 // 0: not told
		want      sources.Position
	}{
		{100, 0, sources.Position{Slot: "slot", Read: 100}},
		{0, 100, sources.Position{Slot: "slot", Read: 100, End: 100}},
		{0, 150, sources.Position{Slot: "slot", Read: 100, End: 150, BehindMS: 4000}},
		{120, 0, sources.Position{Slot: "slot", Read: 120, End: 150, BehindMS: 4000}},
		{0, 200, sources.Position{Slot: "slot", Read: 120, End: 200, BehindMS: 4000}},
		{210, 0, sources.Position{Slot: "slot", Read: 210, End: 200}},
		{90, 0, sources.Position{Slot: "slot", Read: 90, End: 200, BehindMS: 8000}},
	} {
		fake.Advance(time.Second)
		if step.read != 0 {
			r.readTo(pglogrepl.LSN(step.read))
		}
		if step.end != 0 {
			r.endsAt(pglogrepl.LSN(step.end))
		}
		if got := s.Position(); got != step.want {
			t.Errorf("step %d: %+v, wanted %+v", i, got, step.want)
		}
	}
}
