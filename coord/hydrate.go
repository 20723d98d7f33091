package coord

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/repr"
)

// hydration fills a new view on a clock of its own: from snapshots of its inputs at an as-of, in chunks, then
// tick by tick through what it missed, until the loop takes it into the common tick.
type hydration struct {
	c     *Coordinator
	view  *view
	hold  *hold
	read  *reading
	cols  map[uint64]*collection
	chunk repr.Time // pseudo times of the chunks, all before the as-of
	fed   int64
	total int64
}

// hydrateChunk is how many rows of an input one step of a hydration takes.
const hydrateChunk = 64 << 10

// catchUpTicks is how many ticks the loop may run for a view when it takes it over.
const catchUpTicks = 8

// hydrate fills a view and hands it to the loop. When it returns an error nothing of the view is left.
func (s *Session) hydrate(ctx context.Context, v *view, progress func(string)) *repr.Error {
	return s.hydrateAt(ctx, v, nil, progress)
}

// hydrateAt fills a view as of a time that is held; nil: the newest.
func (s *Session) hydrateAt(ctx context.Context, v *view, at *hold, progress func(string)) *repr.Error {
	err := s.awaitReady(ctx, v.inputs)
	var h *hydration
	if err == nil {
		h, err = s.beginHydration(ctx, v, at)
	}
	if err == nil {
		err = h.run(ctx, progress)
	}
	if err != nil {
		v.flow.Close()
	}
	return err
}

// beginHydration claims the inputs at the newest complete time, or at one that is held.
func (s *Session) beginHydration(ctx context.Context, v *view, at *hold) (*hydration, *repr.Error) {
	h := &hydration{c: s.c, view: v, cols: map[uint64]*collection{}}
	var failure *repr.Error
	err := s.c.do(ctx, func() {
		h.hold = s.c.newHold()
		if at != nil {
			h.hold.at = at.at
		}
		h.read = newReading(nil, h.hold)
		h.read.at = h.hold.at
		if failure = s.c.snapshots(h.read, v.inputs); failure != nil {
			delete(s.c.holds, h.hold)
			return
		}
		for _, id := range v.inputs {
			h.cols[id] = s.c.collections[id]
			h.total += h.read.ok[id].Rows()
		}
	})
	if err == nil {
		err = failure
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// run fills the view; every second it says how far it is.
func (h *hydration) run(ctx context.Context, progress func(string)) *repr.Error {
	last := h.c.opts.Clock.Now()
	say := func() {
		if now := h.c.opts.Clock.Now(); now.Sub(last) >= noticeEvery {
			last = now
			progress(fmt.Sprintf("%d of %d rows read, %d rows in the view", h.fed, h.total, h.view.out.ok.Rows()))
		}
	}
	err := h.fill(ctx, say)
	if err == nil {
		err = h.catchUp(ctx, say)
	}
	h.c.release(h.hold)
	return err
}

// fill reads the inputs at the as-of in chunks.
func (h *hydration) fill(ctx context.Context, say func()) *repr.Error {
	h.view.flow.Postpone(true) // a recursion is computed once, not anew for every chunk
	for _, id := range h.view.inputs {
		if err := h.fillInput(ctx, id, say); err != nil {
			return err
		}
	}
	h.view.flow.Postpone(false)
	// A view without inputs, or over empty ones, still has to be stepped once for its constants.
	if err := h.step(ctx, map[uint64]dataflow.Delta{}); err != nil {
		return err
	}
	at := h.read.at
	h.view.out.ok.Append(at, arrangement.Batch{})
	h.view.out.errs.Append(at, arrangement.Batch{})
	h.view.out.advance(at)
	return nil
}

func (h *hydration) fillInput(ctx context.Context, id uint64, say func()) *repr.Error {
	if errs := h.read.errs[id].Batch(); errs.Len() > 0 {
		if err := h.step(ctx, map[uint64]dataflow.Delta{id: {Err: errs}}); err != nil {
			return err
		}
	}
	for b := range h.read.ok[id].Chunks(hydrateChunk) {
		if err := h.step(ctx, map[uint64]dataflow.Delta{id: {OK: b}}); err != nil {
			return err
		}
		h.fed += int64(b.Len())
		say()
	}
	return nil
}

func (h *hydration) step(ctx context.Context, in map[uint64]dataflow.Delta) *repr.Error {
	if ctx.Err() != nil {
		return ctxError(ctx)
	}
	out, err := h.view.flow.Step(ctx, h.read.at, in)
	if err != nil {
		return asError(err)
	}
	h.chunk++
	h.view.out.ok.Append(h.chunk, out.OK)
	h.view.out.errs.Append(h.chunk, out.Err)
	for range 4 {
		if h.view.out.ok.Work(hydrateChunk) {
			break
		}
	}
	return nil
}

// catchUp runs the ticks that passed meanwhile, and hands the view to the loop when few are left.
func (h *hydration) catchUp(ctx context.Context, say func()) *repr.Error {
	done := h.read.at
	for {
		var newest repr.Time
		var failure *repr.Error
		handed := false
		err := h.c.do(ctx, func() {
			newest = h.c.oracle.complete
			if h.pending(done, newest) <= catchUpTicks {
				failure = h.replay(ctx, done, newest)
				handed = failure == nil
			}
			if handed {
				h.c.install(h.view)
			}
		})
		if err == nil {
			err = failure
		}
		if err != nil || handed {
			return err
		}
		if err := h.replay(ctx, done, newest); err != nil {
			return err
		}
		done = newest
		say()
	}
}

// pending is how many ticks after done changed an input.
func (h *hydration) pending(done, newest repr.Time) int {
	n := 0
	for _, col := range h.cols {
		for range col.deltas(done, newest) {
			n++
		}
	}
	return n
}

// replay steps the view through the ticks after done up to newest.
func (h *hydration) replay(ctx context.Context, done, newest repr.Time) *repr.Error {
	byTime := map[repr.Time]map[uint64]dataflow.Delta{}
	for id, col := range h.cols {
		for t, d := range col.deltas(done, newest) {
			if byTime[t] == nil {
				byTime[t] = map[uint64]dataflow.Delta{}
			}
			byTime[t][id] = d
		}
	}
	for _, t := range slices.Sorted(maps.Keys(byTime)) {
		if err := h.stepTo(ctx, t, byTime[t]); err != nil {
			return err
		}
	}
	if h.view.out.ok.Upper() <= newest {
		return h.stepTo(ctx, newest, nil)
	}
	return nil
}

// install takes a filled view into the common tick. It runs in the loop.
func (c *Coordinator) install(v *view) {
	c.collections[v.out.id] = v.out
	v.settleDue()
	c.views = append(c.views, v)
}

// uninstall takes a view out of the tick and frees what it holds. It runs in the loop.
func (c *Coordinator) uninstall(id uint64) {
	i := slices.IndexFunc(c.views, func(v *view) bool { return v.out.id == id })
	if i < 0 {
		return
	}
	v := c.views[i]
	c.views = slices.Delete(c.views, i, i+1)
	v.flow.Close()
	c.dropCollection(v.out)
}

// dropCollection ends the readers of a collection and forgets it, and with it the hidden views of subscriptions to
// queries that read it. It runs in the loop.
func (c *Coordinator) dropCollection(col *collection) {
	cause := repr.NewError(repr.CodeUndefinedTable, "\""+col.name+"\" was dropped")
	for sub := range col.readers {
		sub.fail(cause)
	}
	for _, v := range slices.Clone(c.views) {
		if slices.Contains(v.inputs, col.id) {
			for sub := range v.out.readers {
				sub.fail(cause)
			}
			c.uninstall(v.out.id)
		}
	}
	delete(c.collections, col.id)
	c.order = slices.DeleteFunc(c.order, func(o *collection) bool { return o == col })
}

// took says how long something took, for people.
func took(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
