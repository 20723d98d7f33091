package coord

import "millrace/repr"

// hold is a reader's claim on a time: while it stands, the since of every collection stays at or before it.
type hold struct{ at repr.Time }

// newHold claims the newest complete time. It runs in the loop.
func (c *Coordinator) newHold() *hold {
	h := &hold{at: c.oracle.complete}
	c.holds[h] = struct{}{}
	return h
}

// release ends a claim. It may be called from any goroutine, and more than once.
func (c *Coordinator) release(h *hold) {
	if h == nil {
		return
	}
	select {
	case c.commands <- func() { delete(c.holds, h) }:
	case <-c.ctx.Done():
	}
}

// since is the earliest time that must stay readable.
func (c *Coordinator) since() repr.Time {
	since := c.oracle.complete
	if keep := repr.Time(c.opts.RetainHistory.Milliseconds()); since > keep {
		since -= keep
	}
	for h := range c.holds {
		since = min(since, h.at)
	}
	return since
}
