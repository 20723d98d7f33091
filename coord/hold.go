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

// advance lets history be forgotten that nothing holds, of each collection as much as it does not keep, and gives the
// earliest time that is still kept of any. It runs in the loop.
func (c *Coordinator) advance() (oldest repr.Time) {
	held := c.oracle.complete
	for h := range c.holds {
		held = min(held, h.at)
	}
	general := min(held, reachBack(c.oracle.complete, c.opts.RetainHistory))
	oldest = general
	needed := c.neededByNamed()
	for id, col := range c.collections {
		since := general
		if keep, own := c.retained[id]; own {
			since = min(held, reachBack(c.oracle.complete, keep))
			oldest = min(oldest, since)
		}
		if need, ok := needed[id]; ok && need < since {
			since = need
			oldest = min(oldest, since)
		}
		col.advance(since)
	}
	return oldest
}
