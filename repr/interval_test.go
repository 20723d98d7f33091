package repr_test

import (
	"bytes"
	"math"
	"testing"

	"millrace/repr"
)

// TestIntervalOrder has intervals in ascending order, those on one line being equal: a month is 30 days, a day is 24
// hours, and the ends of all three fields are taken.
func TestIntervalOrder(t *testing.T) {
	t.Parallel()
	const day = int64(repr.MicrosPerDay)
	levels := [][]repr.Datum{
		{repr.Interval(math.MinInt32, math.MinInt32, math.MinInt64)},
		{repr.Interval(math.MinInt32, math.MinInt32, 0)},
		{repr.Interval(math.MinInt32, 0, 0)},
		{repr.Interval(-1, 0, 0), repr.Interval(0, -30, 0), repr.Interval(0, 0, -30*day), repr.Interval(-2, 30, 0)},
		{repr.Interval(0, -1, 0), repr.Interval(0, 0, -day), repr.Interval(-1, 29, 0)},
		{repr.Interval(0, 0, -1), repr.Interval(0, -1, day-1)},
		{repr.Interval(0, 0, 0), repr.Interval(1, -30, 0), repr.Interval(-1, 29, day)},
		{repr.Interval(0, 0, 1)},
		{repr.Interval(0, 1, 0), repr.Interval(0, 0, day)},
		{repr.Interval(1, 0, 0), repr.Interval(0, 30, 0), repr.Interval(0, 29, day)},
		{repr.Interval(math.MaxInt32, 0, 0)},
		{repr.Interval(math.MaxInt32, math.MaxInt32, 0)},
		{repr.Interval(math.MaxInt32, math.MaxInt32, math.MaxInt64)},
	}
	for i, level := range levels {
		for _, a := range level {
			if !bytes.Equal(repr.AppendKey(nil, a), repr.AppendKey(nil, level[0])) {
				t.Errorf("level %d: the keys of equal intervals differ", i)
			}
			for j, other := range levels {
				want := 0
				if i < j {
					want = -1
				} else if i > j {
					want = 1
				}
				for _, b := range other {
					if got := repr.Compare(a, b); got != want {
						t.Errorf("Compare of level %d and %d is %d, want %d", i, j, got, want)
					}
				}
			}
		}
	}
}
