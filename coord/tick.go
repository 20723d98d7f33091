package coord

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"millrace/dataflow"
	"millrace/repr"
)

// tick binds everything that waits to the time t and makes t complete.
func (c *Coordinator) tick(t repr.Time) {
	c.queued, c.queuedRows, c.queuedBytes = false, 0, 0
	commit, err := c.commitInputs(t)
	switch {
	case isFull(err):
		c.refuse()
		return
	case err != nil:
		c.breakDown(err)
		return
	}
	c.full, c.notes, c.dropped = false, nil, nil
	for _, col := range c.order {
		col.apply(t)
		c.stepShared(col)
	}
	for _, v := range c.views {
		c.stepView(v, t)
		c.stepShared(v.out)
	}
	if commit != nil { // what the tick made is not shown before it is durable
		if err := commit.Wait(); err != nil {
			c.breakDown(err)
			return
		}
		c.identity.durable = true
	}
	c.settlePlaces()
	c.oracle.finish(t)
	c.revival.noteTick(t)
	c.stats.Ticks.Add(1)
	c.publish(t)
	coming := c.coming()
	c.settleSources()
	c.settleErrors()
	c.settleTables()
	c.settleOffsets()
	for _, col := range c.collections {
		c.settleShared(col)
		col.settle()
	}
	c.holdLog(c.advance(coming))
	c.work()
	c.weigh()
	for _, w := range c.waiting {
		w <- nil
	}
	c.writers, c.gathered = len(c.waiting), false
	c.waiting = c.waiting[:0]
}

// gatherFor is how long a tick waits for writers that are expected.
const gatherFor = 300 * time.Microsecond

// expectsWriters says, once a tick, whether to wait for more writers. The last tick answered many who are likely to write
// again, and few of them have: a tick now would make these wait for its sync, and the others for that of another.
func (c *Coordinator) expectsWriters() bool {
	if c.opts.Journal == nil || c.gathered || len(c.waiting) == 0 || 2*len(c.waiting) > c.writers {
		return false
	}
	c.gathered = true
	return true
}

// tickSafely runs a tick. When a bug ends it half way, no tick follows: nothing more is acknowledged or shown, and what
// was complete stays readable.
func (c *Coordinator) tickSafely(t repr.Time) {
	if c.broken != nil {
		c.queued = false
		c.failWaiting(c.broken)
		return
	}
	began := c.opts.Clock.Now()
	err := c.guarded("a tick", func() error {
		c.tick(t)
		return nil
	})
	if took := int64(c.opts.Clock.Now().Sub(began)); took > c.stats.WorstTick.Load() {
		c.stats.WorstTick.Store(took)
	}
	if err != nil {
		c.failAll(err)
	}
}

// stepView brings one view to t.
func (c *Coordinator) stepView(v *view, t repr.Time) {
	if v.failed == nil {
		if err := c.failedInput(v); err != nil {
			v.failed = err
			c.book.Store(c.book.Load().without(v.out.id))
		} else if in := c.deltasOf(v.inputs); len(in) > 0 || v.due <= t {
			out, err := v.step(c.ctx, t, in)
			if err != nil {
				c.failView(v, err)
			} else {
				v.out.delta = out
				v.out.dirty = out.OK.Len() > 0 || out.Err.Len() > 0
			}
			v.settleDue()
		}
	}
	v.out.apply(t)
}

// step gives the dataflow of the view a tick.
func (v *view) step(ctx context.Context, t repr.Time, in map[uint64]dataflow.Delta) (dataflow.Delta, error) {
	if in == nil {
		in = map[uint64]dataflow.Delta{}
	}
	if err := v.addImports(in); err != nil {
		return dataflow.Delta{}, err
	}
	return v.flow.Step(ctx, t, in)
}

// deltasOf gathers what changed of the inputs in the tick that runs.
func (c *Coordinator) deltasOf(inputs []uint64) map[uint64]dataflow.Delta {
	var in map[uint64]dataflow.Delta
	for _, id := range inputs {
		col := c.collections[id]
		if col == nil || !col.dirty {
			continue
		}
		if in == nil {
			in = make(map[uint64]dataflow.Delta, len(inputs))
		}
		in[id] = col.delta
	}
	return in
}

// failedInput is the error of a view that another one reads and that no longer steps: the other one cannot go on either.
func (c *Coordinator) failedInput(v *view) *repr.Error {
	if !c.someFailed {
		return nil
	}
	for _, id := range v.inputs {
		if in := c.viewOf(id); in != nil && in.failed != nil {
			return in.failed
		}
	}
	return nil
}

func (c *Coordinator) failView(v *view, err error) {
	c.someFailed = true
	c.book.Store(c.book.Load().without(v.out.id))
	var limit *repr.Error
	if errors.As(err, &limit) && limit.Code != repr.CodeInternal {
		v.failed = limit.WithDetail("The view \"" + v.out.name + "\" is no longer maintained: drop it and create it again.")
		c.opts.Log.Warn("view is over a limit", slog.String("object", v.out.name), slog.Any("err", err))
		return
	}
	if limit != nil { // its detail is the stack of the panic
		c.opts.OnBug("the dataflow of a view", err, []byte(limit.Detail))
	}
	v.failed = repr.NewError(repr.CodeInternal, "the dataflow of \""+v.out.name+"\" has failed: "+err.Error()).
		WithHint("drop the view and create it again; please report this as a bug")
	c.opts.Log.Error("dataflow failed", slog.String("object", v.out.name), slog.Any("err", err))
}

// publish hands the tick to its subscribers, sinks among them.
func (c *Coordinator) publish(t repr.Time) {
	for _, col := range c.collections {
		col.publish(t)
	}
}

// failWaiting answers all writers whose tick will not come.
func (c *Coordinator) failWaiting(err error) {
	for _, w := range c.waiting {
		w <- err
	}
	c.waiting = nil
}
