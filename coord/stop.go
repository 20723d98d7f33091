package coord

import (
	"context"
	"time"

	"millrace/repr"
)

// settlePause is how often Settle looks.
const settlePause = 20 * time.Millisecond

// Settle prepares for Close: it lets no source read on, and waits until the sinks that run have committed what was complete
// then, or until ctx ends. What a sink has not committed it writes after the next start.
func (c *Coordinator) Settle(ctx context.Context) {
	var until repr.Time
	if err := c.do(ctx, func() {
		for _, r := range c.sources {
			r.cancel()
		}
		until = c.oracle.complete
	}); err != nil {
		return
	}
	for {
		behind := 0
		if err := c.do(ctx, func() { behind = c.sinksBehind(until) }); err != nil || behind == 0 {
			return
		}
		select {
		case <-c.opts.Clock.After(settlePause):
		case <-ctx.Done():
			c.opts.Log.Warn("sinks go on with the rest after the next start", "sinks", behind)
			return
		}
	}
}

// sinksBehind is how many of the sinks that run have not committed the last change of their views up to a time. It runs in
// the loop.
func (c *Coordinator) sinksBehind(until repr.Time) int {
	n := 0
	for _, r := range c.sinks {
		st := r.current()
		if col := c.collections[r.from]; col != nil && st.Status == "running" && st.Written < min(col.changed, until) {
			n++
		}
	}
	return n
}
