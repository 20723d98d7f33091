package coord

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"millrace/arrangement"
	"millrace/coord/catalog"
	"millrace/dataflow"
	"millrace/internal/budget"
	"millrace/repr"
	"millrace/sql/lower"
)

// reading is the content of several collections at one time.
type reading struct {
	at     repr.Time
	hold   *hold
	ok     map[uint64]*arrangement.Snapshot
	errs   map[uint64]*arrangement.Snapshot
	names  map[uint64]string
	large  map[uint64]*arrangement.Snapshot // collections that are read in chunks
	by     map[uint64]*lookup               // how collections are read of which only some rows are needed; nil: whole
	index  map[uint64]*indexed              // of collections that are read by an index
	memory *budget.Budget                   // of the statement that reads; nil: any
	has    []*dataflow.Content              // of the plan's arrangements; nil: that one is not kept
}

// newReading is a reading to be filled.
func newReading(by map[uint64]*lookup, h *hold) *reading {
	return &reading{ok: map[uint64]*arrangement.Snapshot{}, errs: map[uint64]*arrangement.Snapshot{}, names: map[uint64]string{},
		large: map[uint64]*arrangement.Snapshot{}, index: map[uint64]*indexed{}, by: by, hold: h}
}

// noticeEvery is how often a statement that waits says what for.
const noticeEvery = time.Second

// read takes snapshots of the collections at one time: at the hold's when there is one, else at the newest
// complete. It waits, saying what for, while a collection is not filled yet.
func (s *Session) read(ctx context.Context, p *queryPlan, h *hold) (*reading, *repr.Error) {
	ids := p.live
	if err := s.awaitReady(ctx, ids); err != nil {
		return nil, err
	}
	r := newReading(p.lookups, h)
	var failure *repr.Error
	err := s.c.do(ctx, func() {
		r.at = s.c.oracle.complete
		if h != nil {
			r.at = h.at
		}
		failure = s.c.snapshots(r, ids)
		r.has = s.c.sharedContents(r.at, p.compiled.Arranged)
	})
	if err == nil {
		err = failure
	}
	return r, err
}

// snapshots fills the reading at its time. It runs in the loop.
func (c *Coordinator) snapshots(r *reading, ids []uint64) *repr.Error {
	for _, id := range ids {
		col := c.collections[id]
		if w := c.waitingView(id); w != nil && w.failed != nil {
			return w.failed
		}
		if col == nil {
			return repr.NewError(repr.CodeUndefinedTable, "a relation of the query was dropped while it was planned").
				WithHint("run the statement again")
		}
		if v := c.viewOf(id); v != nil && v.failed != nil {
			return v.failed
		}
		ok, errs, err := col.at(r.at)
		if err != nil {
			return err
		}
		r.ok[id], r.errs[id], r.names[id] = ok, errs, col.name
		if l := r.by[id]; l != nil && l.index != nil {
			c.readIndex(r, col, l.index.ID)
		}
	}
	return nil
}

// readIndex adds an index to a reading. What it holds is of the newest time; where the collection has changed much since the
// reading's, it is done without. It runs in the loop.
func (c *Coordinator) readIndex(r *reading, col *collection, id uint64) {
	v := c.viewOf(id)
	if v == nil || v.failed != nil || v.imports[0].shared.failed != nil {
		return
	}
	x := &indexed{index: v.index, cols: v.indexCols, now: v.imports[0].shared.arr.Content()}
	r.index[col.id] = x
	if r.at == c.oracle.complete {
		return
	}
	left := max(int(col.ok.Rows()), hydrateChunk)
	for _, b := range col.ok.Deltas(r.at, c.oracle.complete) {
		if left -= b.Len(); left < 0 {
			delete(r.index, col.id)
			return
		}
		x.since = append(x.since, b)
	}
}

func (c *Coordinator) viewOf(id uint64) *view {
	for _, v := range c.views {
		if v.out.id == id {
			return v
		}
	}
	return nil
}

// deltas gives the reading to the dataflow of a graph as its first input.
func (r *reading) deltas(p *queryPlan, g *lower.Graph) (map[uint64]dataflow.Delta, *repr.Error) {
	in := make(map[uint64]dataflow.Delta, len(p.live))
	for _, id := range p.live {
		errs, err := copied(r.memory, r.errs[id], r.names[id])
		d := dataflow.Delta{Err: errs}
		switch {
		case err != nil || !g.Reads(id):
		case r.by[id] == nil && r.isLarge(r.ok[id]):
			r.large[id] = r.ok[id]
		default:
			d.OK, err = r.rows(id)
		}
		if err != nil {
			return nil, err
		}
		in[id] = d
	}
	return in, nil
}

// largeShare is which part of what a statement may hold a collection that it copies may take: a larger one is read in chunks.
const largeShare = 8

func (r *reading) isLarge(s *arrangement.Snapshot) bool {
	most := r.memory.Most()
	return most > 0 && s.Bytes() > most/largeShare
}

// rows are the rows of a collection that are needed.
func (r *reading) rows(id uint64) (arrangement.Batch, *repr.Error) {
	l := r.by[id]
	if l == nil {
		return copied(r.memory, r.ok[id], r.names[id])
	}
	var batch arrangement.Batch
	switch x := r.index[id]; {
	case l.index == nil:
		batch = l.rows(r.ok[id])
	case x != nil:
		batch = x.rows(l)
	default: // it is not filled yet, or was dropped
		return copied(r.memory, r.ok[id], r.names[id])
	}
	return batch, takeRoom(r.memory, int64(batch.Bytes()), "the rows of "+r.names[id])
}

// patience spaces the notices of a statement that waits: what is new is told at once, and the same again after twice as long, but once a minute.
type patience struct {
	told      string
	gap, left int // of what would have been told
}

// mostGap is a minute of noticeEvery.
const mostGap = 60

// due says whether a text is to be told.
func (p *patience) due(text string) bool {
	if p.left--; text == p.told && p.left > 0 {
		return false
	}
	p.gap = min(2*p.gap, mostGap)
	if text != p.told {
		p.told, p.gap = text, 1
	}
	p.left = p.gap
	return true
}

// awaitReady waits until the sources behind the collections have read what their topics held at first.
func (s *Session) awaitReady(ctx context.Context, ids []uint64) *repr.Error {
	said := false
	var told patience
	for {
		var waits []string
		var wake <-chan struct{}
		var broken error
		var failed *repr.Error
		if err := s.c.do(ctx, func() { waits, wake = s.c.unready(ids); broken = s.c.broken; failed = s.c.failedTable(ids) }); err != nil {
			return err
		}
		switch {
		case len(waits) == 0:
			return nil
		case broken != nil:
			return asError(broken) // what is waited for will not come
		case failed != nil:
			return failed
		}
		if said && told.due(strings.Join(waits, "\n")) {
			for _, w := range waits {
				s.notice(Notice{Severity: "NOTICE", Code: "MR001", Message: "waiting for " + w})
			}
		}
		select {
		case <-wake:
			s.c.turn(ctx)
			said = false
		case <-s.c.opts.Clock.After(noticeEvery):
			said = true
		case <-ctx.Done():
			return ctxError(ctx)
		}
	}
}

// stopped are the states of sources that are not waited for.
var stopped = []string{"stalled", "failed"}

// unready says of which sources behind the collections the first reading has not ended, and gives a channel that is
// closed when the first of them has. A source that has stopped is not waited for. It runs in the loop.
func (c *Coordinator) unready(ids []uint64) (waits []string, wake <-chan struct{}) {
	for _, id := range ids {
		if w := c.waitingView(id); w != nil && w.failed == nil {
			what := w.name + " (filled again after the start"
			if w.progress != "" {
				what += ": " + w.progress
			}
			waits, wake = append(waits, what+")"), w.ready
		}
	}
	for _, id := range c.readBy(c.sourcesBehind(ids)) {
		if what, w := c.unreadyTable(id); what != "" {
			waits, wake = append(waits, what), w
			continue
		}
		run := c.sources[id]
		if run == nil || run.caughtUp {
			continue
		}
		if slices.Contains(stopped, run.current().Status) {
			run.unseen = false
			continue
		}
		read, high := run.position()
		percent := 0
		if high > 0 {
			percent = int(read * 100 / high)
		}
		waits = append(waits, fmt.Sprintf("%s (%s: %d of %d records, %d %%)", run.col.name, run.place, read, high, percent))
		wake = run.ready
	}
	return waits, wake
}

// readBy are the collections with those sources in place of the relations of their errors, which are filled by the same reading.
func (c *Coordinator) readBy(ids []uint64) []uint64 {
	var out []uint64
	for _, id := range ids {
		if it := c.Catalog().Item(id); it != nil && it.Hidden {
			id = it.On
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// sourcesBehind are the collections that the given ones are computed from, themselves included.
func (c *Coordinator) sourcesBehind(ids []uint64) []uint64 {
	seen := map[uint64]bool{}
	var out []uint64
	var visit func(id uint64)
	visit = func(id uint64) {
		if seen[id] {
			return
		}
		seen[id] = true
		out = append(out, id)
		if v := c.viewOf(id); v != nil {
			for _, in := range v.inputs {
				visit(in)
			}
		} else if it := c.Catalog().Item(id); it != nil && it.Kind == catalog.View {
			for _, in := range it.Depends {
				visit(in)
			}
		}
	}
	for _, id := range ids {
		visit(id)
	}
	return out
}
