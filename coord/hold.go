package coord

import (
	"millrace/coord/catalog"
	"millrace/repr"
)

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

// advance lets history be forgotten that nothing holds, of each collection as much as it does not keep, and of those whose first
// content was coming all of it. It gives the time that holds keep of all, and the one from which on those are kept that say nothing of
// it. It runs in the loop.
func (c *Coordinator) advance(coming map[*collection]bool) (held, general repr.Time) {
	held = c.oracle.complete
	for h := range c.holds {
		held = min(held, h.at)
	}
	general = min(held, reachBack(c.oracle.complete, c.opts.RetainHistory))
	needed := c.neededByNamed()
	for _, r := range c.sinks { // one that starts again goes on behind what it has written
		need := r.needs()
		if known, ok := needed[r.from]; !ok || need < known {
			needed[r.from] = need
		}
	}
	for id, col := range c.collections {
		since := general
		if keep, own := c.retained[id]; own {
			since = min(held, reachBack(c.oracle.complete, keep))
		}
		if coming[col] {
			since = held
		}
		if need, ok := needed[id]; ok {
			since = min(since, need)
		}
		col.advance(since)
	}
	return held, general
}

// coming are the collections of which the first content is being read: nobody is shown any of it before it is complete, so that
// its history, which would be all of it once more, begins then. Of a source that stopped meanwhile, or the server did, something
// may have been shown. It runs in the loop.
func (c *Coordinator) coming() map[*collection]bool {
	var out map[*collection]bool
	add := func(col *collection) {
		if out == nil {
			out = map[*collection]bool{}
		}
		out[col] = true
	}
	for _, r := range c.sources {
		if r.unseen && !r.caughtUp {
			add(r.col)
		}
	}
	for _, f := range c.fed {
		if f.run.unseen && !f.ready {
			add(f.col)
		}
	}
	return out
}

// holdLog tells the journal from which times on changes must still be told apart after a restart: those that an object keeps of its
// history, and those that a sink has not written or a subscription not acknowledged, are held of the collections that they come from. It runs in the loop.
func (c *Coordinator) holdLog(held, general repr.Time) {
	if c.opts.Journal == nil {
		return
	}
	var each map[uint64]uint64
	keep := func(id uint64, t repr.Time) {
		if each == nil {
			each = map[uint64]uint64{}
		}
		for _, base := range c.basesOf(id) {
			if known, ok := each[base]; !ok || uint64(t) < known {
				each[base] = uint64(t)
			}
		}
	}
	for id, span := range c.retained {
		keep(id, min(held, reachBack(c.oracle.complete, span)))
	}
	for _, r := range c.sinks {
		keep(r.from, min(held, r.needs()))
	}
	for id, need := range c.neededByNamed() {
		keep(id, min(held, need))
	}
	c.opts.Journal.HoldEach(uint64(general), each)
}

// basesOf are the tables and sources that an object is computed from. It runs in the loop.
func (c *Coordinator) basesOf(id uint64) []uint64 {
	if out, known := c.bases[id]; known {
		return out
	}
	out := basesIn(c.Catalog().Item, id)
	c.bases[id] = out
	return out
}

// basesIn are the tables and sources that an object is computed from, itself if it is one.
func basesIn(item func(id uint64) *catalog.Item, id uint64) []uint64 {
	seen := map[uint64]bool{}
	var out []uint64
	var visit func(id uint64)
	visit = func(id uint64) {
		it := item(id)
		if it == nil || seen[id] {
			return
		}
		seen[id] = true
		if it.Kind == catalog.Table || it.Kind == catalog.Source {
			out = append(out, id)
		}
		for _, d := range it.Needs() {
			visit(d)
		}
	}
	visit(id)
	return out
}
