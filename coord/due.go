package coord

import (
	"context"
	"math"
	"slices"
	"time"

	"millrace/dataflow"
	"millrace/repr"
)

// never is the time of what does not happen.
const never repr.Time = math.MaxInt64

// exactFor is how late a tick may be and still get the very time at which its rows fell due. Ticks that are later
// than that take the time of the clock, so that rows that fall due in every millisecond don't hold time up.
const exactFor = 100 * time.Millisecond

// longestAlarm bounds how far ahead an alarm is set. When it goes off too early it is set again.
const longestAlarm = time.Hour

// settleDue notes when the view changes next without input.
func (v *view) settleDue() {
	v.due = never
	if t, ok := v.flow.NextDue(); ok && v.failed == nil {
		v.due = t
	}
}

// firstDue is when the first view changes without input; never when no tick will come.
func (c *Coordinator) firstDue() repr.Time {
	first := never
	if c.broken != nil {
		return first
	}
	for _, v := range c.views {
		first = min(first, v.due)
	}
	return first
}

// nextAlarm is when a tick is due for the sake of what falls due. While the disk is full there is none: rows that are overdue then would
// ask for the next tick as soon as one is refused, and keep a processor busy. The heartbeat looks whether there is space.
func (c *Coordinator) nextAlarm() repr.Time {
	if c.full {
		return never
	}
	return c.firstDue()
}

// setAlarm gives a channel that receives when the clock reaches a time; nil for never.
func (c *Coordinator) setAlarm(at repr.Time) <-chan time.Time {
	if at == never {
		return nil
	}
	wait := longestAlarm
	now := c.opts.Clock.Now()
	if ahead := int64(at) - now.UnixMilli(); ahead < longestAlarm.Milliseconds() {
		wait = max(time.UnixMilli(int64(at)).Sub(now), 0)
	}
	return c.opts.Clock.After(wait)
}

// isDue says whether rows have fallen due by the clock.
func (c *Coordinator) isDue() bool {
	due := c.firstDue()
	return due != never && int64(due) <= c.opts.Clock.Now().UnixMilli()
}

// tickTime is the time of the tick that the oracle would have at t. Where rows fall due before that, and nothing else
// is to be shown, it is the time at which they do; and never is it so late that more rows fall due than a tick
// should hold. What is left is due in the next tick.
func (c *Coordinator) tickTime(t repr.Time) repr.Time {
	due := c.firstDue()
	if due >= t || due <= c.oracle.complete {
		return t
	}
	busy := len(c.waiting) > 0 || c.queuedRows > 0
	if late := time.Duration(t-due) * time.Millisecond; !busy && late <= exactFor {
		return due
	}
	for _, v := range c.views {
		if v.due == never {
			continue
		}
		if last, ok := v.flow.DueWithin(c.opts.MaxTickRows); ok {
			t = min(t, last)
		}
	}
	return t
}

// ticksSince are the ticks after a time that changed a view of rows that come and go by themselves, or may have; nil when it
// is not known which they were. It runs in the loop.
func (c *Coordinator) ticksSince(done repr.Time, v *view) []repr.Time {
	if !c.knowsTicks() || !v.flow.Temporal() {
		return nil
	}
	ticks := c.revival.r.ticks
	i, _ := slices.BinarySearch(ticks, done+1)
	return ticks[i:]
}

// momentOf is the time that a view of rows that come and go by themselves saw last at a time: that of the newest tick up to it.
// Between two ticks it stays as it was, whatever falls due. It runs in the loop.
func (c *Coordinator) momentOf(at repr.Time) repr.Time {
	if !c.knowsTicks() {
		return at
	}
	r := c.revival.r
	if i, _ := slices.BinarySearch(r.ticks, at+1); i > 0 {
		return r.ticks[i-1]
	}
	if r.folded > 0 {
		return min(r.folded, at)
	}
	return at
}

// knowsTicks says whether it is known when ticks were: until all that was there before a restart is there again.
func (c *Coordinator) knowsTicks() bool { return c.revival != nil && !c.revival.over }

// isDue says whether the view that is being filled changes by itself up to t.
func (h *hydration) isDue(t repr.Time) bool {
	due, ok := h.view.flow.NextDue()
	return ok && due <= t
}

// stepTo steps the view that is being filled to t, and before it to the times at which much falls due, so that no step
// is too large. One that has no ticks to follow and has to be readable at every time goes from one such time to the next.
func (h *hydration) stepTo(ctx context.Context, t repr.Time, in map[uint64]dataflow.Delta) *repr.Error {
	next := func() (repr.Time, bool) { return h.view.flow.DueWithin(hydrateChunk) }
	if h.exact && !h.ticked {
		next = h.view.flow.NextDue
	}
	for {
		due, ok := next()
		if !ok || due >= t {
			return h.stepAt(ctx, t, in)
		}
		if err := h.stepAt(ctx, due, nil); err != nil {
			return err
		}
	}
}

func (h *hydration) stepAt(ctx context.Context, t repr.Time, in map[uint64]dataflow.Delta) *repr.Error {
	out, err := h.view.flow.Step(ctx, t, in)
	if err != nil {
		return asError(err)
	}
	h.view.out.ok.Append(t, out.OK)
	h.view.out.errs.Append(t, out.Err)
	return nil
}
