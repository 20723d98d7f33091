package coord

import (
	"context"
	"math"
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

// stepTo steps the view that is being filled to t, and before it to the times at which much falls due, so that no step
// is too large.
func (h *hydration) stepTo(ctx context.Context, t repr.Time, in map[uint64]dataflow.Delta) *repr.Error {
	for {
		due, ok := h.view.flow.DueWithin(hydrateChunk)
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
