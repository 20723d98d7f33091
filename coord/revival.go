package coord

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"millrace/coord/catalog"
	"millrace/repr"
)

// revival starts what runs, after a restart: views are filled from the base collections as of the base time, each behind
// those that it reads and otherwise side by side, and then go through the ticks since, as a new view does; sources go on behind
// their offsets, and sinks where they stopped. Until then who reads a view waits for it.
//
// Views are planned one after the other, in the order in which they were made, and a plan counts on what the views before it keep,
// whether these are filled already or not: the same catalog has the same plans.
type revival struct {
	c       *Coordinator
	r       *restoring
	hold    *hold
	waiting map[uint64]*waitingView // views that are not there yet; it belongs to the loop
	over    bool                    // all is there, and ticks need not be remembered any more; it belongs to the loop

	// The rest belongs to the goroutine that starts everything.
	items    map[uint64]*catalog.Item
	begun    map[uint64]*waitingView // views that are planned and filled, or about to be
	shared   map[string]*sharedPart  // parts that are to be kept, by text
	promised kept                    // the arrangements of the views that are planned
	filling  *sideBySide
}

// newRevival is a revival of what was restored.
func newRevival(c *Coordinator, r *restoring) *revival {
	v := &revival{c: c, r: r, waiting: map[uint64]*waitingView{}, items: map[uint64]*catalog.Item{}, begun: map[uint64]*waitingView{},
		promised: kept{}, filling: newSideBySide(c.opts.AtOnce)}
	for _, it := range r.items {
		v.items[it.ID] = it
	}
	return v
}

// noteTick remembers a tick for the views that have to go through it. It runs in the loop.
func (v *revival) noteTick(t repr.Time) {
	if v != nil && !v.over {
		v.r.ticks = append(v.r.ticks, t)
	}
}

// waitingView is a view that is not filled yet.
type waitingView struct {
	name     string
	progress string
	failed   *repr.Error
	ready    chan struct{}
}

// begin notes what is to come, before the loop runs.
func (v *revival) begin() {
	v.hold = &hold{at: v.r.base}
	v.c.holds[v.hold] = struct{}{}
	v.c.revival = v
	for _, it := range v.r.items {
		if isFilled(it) {
			v.waiting[it.ID] = &waitingView{name: it.FullName(), ready: make(chan struct{})}
		}
		if it.Kind == catalog.Source && !it.Hidden && !v.c.opts.Dormant {
			v.c.expect(it)
		}
	}
}

// isFilled says whether an object is filled after a restart.
func isFilled(it *catalog.Item) bool {
	return it.Kind == catalog.MaterializedView || it.Kind == catalog.Index && len(it.IndexCols) > 0
}

// run starts everything, in the order in which it was made, and waits until views are filled.
func (v *revival) run(ctx context.Context) {
	began := v.c.opts.Clock.Now()
	slices.SortFunc(v.r.items, func(a, b *catalog.Item) int { return cmp.Compare(a.ID, b.ID) })
	v.shared = v.findShared()
	defer v.filling.wait()
	for _, it := range v.r.items {
		if ctx.Err() != nil {
			return
		}
		switch {
		case isFilled(it):
			v.view(ctx, it)
		case it.Kind == catalog.Source && !it.Hidden:
			v.source(ctx, it)
		}
	}
	v.filling.wait()
	for _, it := range v.r.items {
		if it.Kind == catalog.Sink && v.c.announced(ctx) {
			v.sink(ctx, it)
		}
	}
	v.c.release(v.hold)
	v.c.later(func() { v.over, v.r.ticks = true, nil })
	v.c.opts.Log.Info("what was there runs again", "objects", len(v.r.items), "took", took(v.c.opts.Clock.Now().Sub(began)))
	v.takeAway(ctx)
}

// view plans a view again, and has it filled beside others.
func (v *revival) view(ctx context.Context, it *catalog.Item) {
	var w *waitingView
	if v.begun[it.ID] != nil || v.c.do(ctx, func() { w = v.waiting[it.ID] }) != nil || w == nil {
		return // another that reads it has begun it, or the server stops, or the view was dropped
	}
	v.begun[it.ID] = w
	var made *view
	bug := v.c.guarded("planning "+it.Name, func() error {
		var err *repr.Error
		if made, err = v.plan(ctx, it); err != nil {
			return err
		}
		return nil
	})
	if bug != nil {
		v.filled(ctx, it, w, bug)
		return
	}
	var behind []*waitingView
	for _, id := range made.inputs {
		if in := v.items[id]; in != nil && isFilled(in) {
			v.view(ctx, in)
		}
		if in := v.begun[id]; in != nil {
			behind = append(behind, in)
		}
	}
	v.filling.runBehind(func() { awaitViews(ctx, behind) }, func() {
		v.filled(ctx, it, w, v.c.guarded("filling "+it.Name, func() error {
			if err := v.fill(ctx, it, w, made); err != nil {
				return err
			}
			return nil
		}))
	})
}

// awaitViews waits until views are filled, or cannot be.
func awaitViews(ctx context.Context, views []*waitingView) {
	for _, w := range views {
		select {
		case <-w.ready:
		case <-ctx.Done():
			return
		}
	}
}

// plan makes a view, not filled yet.
func (v *revival) plan(ctx context.Context, it *catalog.Item) (made *view, err *repr.Error) {
	s := v.c.maker(it.Path)
	if it.Kind == catalog.Index {
		if made, err = s.newIndex(it); err == nil {
			v.promised.promise(made)
		}
		return made, err
	}
	sh := v.sharer(s, it)
	defer sh.done()
	return s.newView(ctx, sh, it)
}

// fill fills a view.
func (v *revival) fill(ctx context.Context, it *catalog.Item, w *waitingView, made *view) *repr.Error {
	return v.c.maker(it.Path).hydrateAt(ctx, made, &hold{at: v.r.from[it.ID]}, func(p string) {
		v.c.opts.Log.Info("filling", "object", it.FullName(), "progress", p)
		v.c.later(func() { w.progress = p })
	})
}

// filled notes that a view is there, or what keeps it from being.
func (v *revival) filled(ctx context.Context, it *catalog.Item, w *waitingView, bug error) {
	if bug != nil && ctx.Err() == nil {
		v.c.opts.Log.Error("a view cannot be filled", "object", it.FullName(), "err", bug)
	}
	v.c.later(func() {
		if bug != nil {
			w.failed = asError(bug)
		} else {
			delete(v.waiting, it.ID)
		}
		if v.c.Catalog().Item(it.ID) == nil {
			v.c.uninstall(it.ID) // it was dropped meanwhile
		}
		close(w.ready)
	})
}

// status adds the views that are not filled yet. It runs in the loop.
func (v *revival) status(st *catalog.Status) {
	for id, w := range v.waiting {
		o := catalog.ObjectStatus{ID: id, Name: w.name, Status: "filling", Progress: w.progress}
		if w.failed != nil {
			o.Status, o.Error, o.Hint = "failed", w.failed.Error(), w.failed.Hint
		}
		st.Objects[id] = o
	}
}

// source lets a source go on.
func (v *revival) source(ctx context.Context, it *catalog.Item) {
	spec := it.Def.(sourceSpec)
	connector, err := spec.connector(v.c)
	if err == nil {
		if e := v.r.remembered(ctx, it.ID, connector); e != nil {
			err = asError(e)
		}
	}
	if err == nil {
		err = v.c.refeed(ctx, it, connector)
	}
	if err != nil {
		v.c.opts.Log.Error("a source cannot go on", "object", it.Name, "err", err)
	}
	from, ready := v.r.offsets(it.ID), v.r.notes[readyNote(it.ID)] != nil
	delete(v.r.states, stateOf(it.ID))
	_ = v.c.do(ctx, func() {
		errs := v.c.errorsOf(it)
		if v.c.Catalog().Item(it.ID) == nil || errs == nil {
			return
		}
		made := &openSource{connector: connector, desc: it.Desc, keys: it.Keys, place: spec.world().place, from: from, caughtUp: ready,
			counts: v.r.notes[errorsNote(it.ID)], failed: err}
		v.goOn(v.c.newRun(it, v.c.collections[it.ID], v.c.collections[errs.ID], made))
	})
}

// goOn lets a source run that feeds what it did before. It runs in the loop.
func (v *revival) goOn(r *sourceRun) {
	for _, t := range v.c.tablesFrom(r.id) {
		v.c.fed[t.ID] = &fedTable{run: r, col: v.c.collections[t.ID], ready: v.r.notes[readyNote(t.ID)] != nil}
	}
	r.start(maps.Clone(r.next))
}

// errorsOf is the relation that keeps the bad records of a source.
func (c *Coordinator) errorsOf(source *catalog.Item) *catalog.Item {
	for _, it := range c.Catalog().Items() {
		if it.Hidden && it.On == source.ID {
			return it
		}
	}
	return nil
}

// sink lets a sink go on: it is given the content at the earliest time there is and all changes since, and leaves out what it has written.
// One that writes another relation since a later time has nothing to do with what that was before; it may have been altered by now.
func (v *revival) sink(ctx context.Context, was *catalog.Item) {
	_ = v.c.do(ctx, func() {
		it := v.c.Catalog().Item(was.ID)
		if it == nil || v.c.collections[it.On] == nil {
			return
		}
		connector, err := it.Def.(sinkSpec).connector(v.c, it.ID)
		var started *subscribed
		if err == nil {
			from := v.r.from[it.On]
			if it.On != was.On {
				from = 0 // what was restored was for the other one
			}
			if from > 0 {
				from = max(from, it.Since)
			}
			started, err = v.c.subscribe(v.c.collections[it.On], from)
		}
		if err != nil {
			v.c.failSink(it, err)
			return
		}
		started.sub.limit = v.c.opts.SubscriberBytes * 4
		v.c.startSink(it, it.On, connector, started)
	})
}
