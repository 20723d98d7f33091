package coord

import (
	"context"
	"time"

	"millrace/repr"
)

// lingering is history of a collection that is kept for readers which are nowhere known and may come back: while any of them is there,
// and for as long after the last has gone.
type lingering struct {
	keep    time.Duration
	readers int
	until   repr.Time // when there are no readers
}

// linger keeps history for a reader of a collection.
func (s *Session) linger(ctx context.Context, id uint64, started *subscribed, keep time.Duration) *repr.Error {
	err := s.c.do(ctx, func() {
		col := s.c.collections[id]
		if col == nil {
			return // it was dropped, which the stream says
		}
		if col.lingers == nil {
			col.lingers = &lingering{}
		}
		l := col.lingers
		l.readers++
		l.keep = max(l.keep, keep)
		end := started.cancel
		started.cancel = func() {
			s.c.later(func() {
				l.readers--
				l.until = max(l.until, s.c.oracle.complete+repr.Time(keep.Milliseconds()))
			})
			end()
		}
	})
	if err != nil {
		started.cancel()
	}
	return err
}

// needsLingering is from when on history is kept for readers that may come back. It runs in the loop.
func (c *collection) needsLingering(complete repr.Time) (repr.Time, bool) {
	l := c.lingers
	if l == nil {
		return 0, false
	}
	if l.readers == 0 && complete > l.until {
		c.lingers = nil
		return 0, false
	}
	return reachBack(complete, l.keep), true
}
