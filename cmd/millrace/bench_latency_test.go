package main

import (
	"context"
	"testing"
	"time"

	"millrace/coord"
)

// TestLatencySeesEveryStatement sends a little: each statement is seen once.
func TestLatencySeesEveryStatement(t *testing.T) {
	t.Parallel()
	for _, copies := range []bool{false, true} {
		testLatency(t, copies)
	}
}

func testLatency(t *testing.T, copies bool) {
	t.Helper()
	b := &latencyBench{copies: copies, rows: 1000, keys: 10, rate: 2000, seconds: 1, writers: 4, sent: map[int64]time.Time{},
		coord: coord.New(coord.Options{TickInterval: time.Hour})}
	defer b.coord.Close()
	if err := b.load(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := b.measure(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(b.sent) != 1000 || len(b.waits) < 990 { // the last may be cut off
		t.Errorf("%d statements were sent, %d were seen", len(b.sent), len(b.waits))
	}
}

// TestCurveIsDrawn draws one with few rows.
func TestCurveIsDrawn(t *testing.T) {
	t.Parallel()
	if err := runCurve(context.Background(), []string{"--rows", "10,2000"}); err != nil {
		t.Fatal(err)
	}
}
