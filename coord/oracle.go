package coord

import (
	"time"

	"millrace/repr"
)

// oracle is the timestamp oracle: it gives the times of ticks, which only grow and stay near the clock.
type oracle struct {
	now      func() time.Time
	complete repr.Time // the newest complete tick: what a read sees
}

// next is the time of the next tick, and how long to wait for it: at most one tick a millisecond, so that times do
// not run ahead of the clock. When the clock steps back, times go on from where they were, one by one.
func (o *oracle) next() (t repr.Time, wait time.Duration) {
	now := o.now()
	ms := repr.Time(max(now.UnixMilli(), 1))
	if ms > o.complete {
		return ms, 0
	}
	if ms == o.complete {
		return 0, now.Truncate(time.Millisecond).Add(time.Millisecond).Sub(now)
	}
	return o.complete + 1, 0
}

// after is the time of a tick that cannot wait: it may run ahead of the clock by a millisecond.
func (o *oracle) after() repr.Time { return max(repr.Time(o.now().UnixMilli()), o.complete+1) }

// finish says that everything at t is complete.
func (o *oracle) finish(t repr.Time) { o.complete = t }
