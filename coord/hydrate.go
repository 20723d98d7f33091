package coord

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/internal/budget"
	"millrace/repr"
)

// hydration fills a new view on a clock of its own: from snapshots of its inputs at an as-of, in chunks, then
// tick by tick through what it missed, until the loop takes it into the common tick.
type hydration struct {
	c      *Coordinator
	view   *view
	hold   *hold
	read   *reading  // of the as-of
	moment repr.Time // that conditions on time see at the as-of
	cols   map[uint64]*collection
	has    []*dataflow.Content // what the imports of the view hold, at the time that the view has reached
	own    []bool              // of the imports: not shared yet, filled with the view
	exact  bool                // the view has to be readable at every time from the as-of on
	ticked bool                // the ticks are known that it goes through
	chunk  repr.Time           // pseudo times of the chunks, all before the as-of
	fed    int64
	total  int64
	// memory is what the view holds beside its dataflow until the loop counts it.
	memory *budget.Budget
	before int64 // what the server held when it began
}

// hydrateChunk is how many rows of an input one step of a hydration takes.
const hydrateChunk = 64 << 10

// Limits of what the loop does for a view when it takes it over: rows that it has missed, or that the loop would take as long
// for in a tick; and how often the view runs after the loop before it is taken over with more.
const (
	catchUpRows   = 20_000
	catchUpRounds = 100
)

// hydrate fills a view as of a time that is held (nil: the newest), once its sources have read what their topics held, and
// hands it to the loop. When it returns an error nothing of the view is left.
func (s *Session) hydrate(ctx context.Context, v *view, at *hold, progress func(string)) *repr.Error {
	if err := s.awaitReady(ctx, v.inputs); err != nil {
		v.flow.Close()
		s.c.later(func() { s.c.releaseParts(v.parts) })
		return err
	}
	return s.hydrateAt(ctx, v, at, progress)
}

// hydrateAt is hydrate of a view whose inputs are not waited for.
func (s *Session) hydrateAt(ctx context.Context, v *view, at *hold, progress func(string)) *repr.Error {
	h, err := s.beginHydration(ctx, v, at)
	if err == nil {
		err = h.run(ctx, progress)
	}
	if err != nil {
		v.flow.Close()
		s.c.later(func() { s.c.releaseImports(v); s.c.releaseParts(v.parts) })
	}
	return err
}

// beginHydration claims the inputs at the newest complete time, or at one that is held.
func (s *Session) beginHydration(ctx context.Context, v *view, at *hold) (*hydration, *repr.Error) {
	h := &hydration{c: s.c, view: v, cols: map[uint64]*collection{}, exact: at != nil, before: s.c.memory.server.Held(),
		memory: s.c.memory.filled.Part("a new view", 0, 0)}
	var failure *repr.Error
	err := s.c.do(ctx, func() {
		h.hold = s.c.newHold()
		if at != nil {
			h.hold.at = at.at
		}
		h.moment = s.c.momentOf(h.hold.at)
		h.read = newReading(nil, h.hold)
		h.read.at = h.hold.at
		if failure = s.c.snapshots(h.read, v.inputs); failure == nil {
			failure = h.rememberOld()
		}
		if failure != nil {
			delete(s.c.holds, h.hold)
			return
		}
		for _, id := range v.inputs {
			h.cols[id] = s.c.collections[id]
		}
		s.c.claim(v, h.exact)
		h.has = v.contents()
		for _, x := range v.imports {
			h.own = append(h.own, !s.c.isShared(x.shared))
		}
		h.count()
	})
	if err == nil {
		err = failure
	}
	if err != nil {
		return nil, err
	}
	if !h.exact { // one that was there before a restart did fit
		v.flow.CountIn(s.c.memory.filling)
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
		err = h.sameAsOld()
	}
	if err == nil {
		err = h.catchUp(ctx, say)
	}
	h.c.release(h.hold)
	h.memory.Close()
	return err
}

// room refuses a view that does not fit beside what the server holds. One that was there before a restart is not refused: it did
// fit.
func (h *hydration) room() *repr.Error {
	m := h.c.memory
	h.memory.Set(h.view.out.bytes())
	if h.exact && h.view.named || m.limit == 0 || m.fits() {
		return nil
	}
	return m.refusal("and takes no new view", fmt.Sprintf("It would have taken %s so far, having read %d of %d rows; there were %s free. ",
		sizeText(max(m.server.Held()-h.before, 0)), h.fed, h.total, sizeText(max(m.share(sharePressed)-h.before, 0))))
}

// count finds out how many rows have to be read: those of each collection once for the view, and once for the
// arrangements of it that are new.
func (h *hydration) count() {
	for _, id := range h.view.inputs {
		if h.view.flow.Graph().Reads(id) {
			h.total += h.read.ok[id].Rows()
		}
		if len(h.newOf(id)) > 0 {
			h.total += h.read.ok[id].Rows()
		}
	}
}

// newOf are the new arrangements of a collection.
func (h *hydration) newOf(id uint64) []*shared {
	var out []*shared
	for i, x := range h.view.imports {
		if h.own[i] && x.what.Collection == id {
			out = append(out, x.shared)
		}
	}
	return out
}

// fill reads the inputs at the as-of in chunks: first into new arrangements, then what the view imports, then the rest.
func (h *hydration) fill(ctx context.Context, say func()) *repr.Error {
	h.view.out.ok.BeginFill()
	h.view.flow.Postpone(true) // a recursion is computed once, not anew for every chunk
	for _, id := range h.view.inputs {
		if err := h.fillNew(ctx, id, say); err != nil {
			return err
		}
	}
	if err := h.fillImports(ctx, say); err != nil {
		return err
	}
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
	h.view.out.ok.EndFill()
	at := h.read.at
	h.view.out.ok.Append(at, arrangement.Batch{})
	h.view.out.errs.Append(at, arrangement.Batch{})
	h.view.out.advance(at)
	return nil
}

// fillNew fills the new arrangements of a collection.
func (h *hydration) fillNew(ctx context.Context, id uint64, say func()) *repr.Error {
	own := h.newOf(id)
	if len(own) == 0 {
		return nil
	}
	for i, s := range own {
		err := s.arr.Fill(ctx, h.read.ok[id].Chunks(hydrateChunk), func(b arrangement.Batch) error {
			if i == 0 {
				h.fed += int64(b.Len())
			}
			say()
			if err := h.room(); err != nil {
				return err
			}
			return nil
		})
		if err != nil {
			return asError(err)
		}
	}
	for i, x := range h.view.imports {
		if x.what.Collection == id && h.own[i] {
			h.has[i] = x.shared.arr.Content()
		}
	}
	return nil
}

// fillImports gives the view what its arrangements hold.
func (h *hydration) fillImports(ctx context.Context, say func()) *repr.Error {
	units := inUnits(h.view.imports, h.has)
	for _, u := range units {
		for in := range h.view.flow.Fill(u.numbers, u.contents, chunkOf(u, units)) {
			if err := h.step(ctx, in); err != nil {
				return err
			}
			say()
		}
	}
	return nil
}

func (h *hydration) fillInput(ctx context.Context, id uint64, say func()) *repr.Error {
	if errs := h.read.errs[id].Batch(); errs.Len() > 0 {
		if err := h.step(ctx, map[uint64]dataflow.Delta{id: {Err: errs}}); err != nil {
			return err
		}
	}
	if !h.view.flow.Graph().Reads(id) {
		return nil
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
	t := &turn{ctx: ctx, c: h.c, memory: h.view.flow}
	if !h.exact { // a step that needs much does not take it beside a statement that does
		t.of(h.view.flow)
		defer t.end()
	}
	out, err := h.view.flow.Step(ctx, h.moment, in)
	if err != nil {
		return t.cause(asError(err))
	}
	h.chunk++
	h.view.out.ok.Append(h.chunk, out.OK)
	h.view.out.errs.Append(h.chunk, out.Err)
	return h.room()
}

// missed is what happened to the inputs between the time that a view has reached and a later one.
type missed struct {
	upTo  repr.Time
	in    map[uint64]dataflow.Delta
	now   []*dataflow.Content // what the imports hold at upTo
	rows  int
	ticks int
	each  []*missed // tick by tick, where that is wanted
}

// catchUp runs the view after the loop, and hands it over when little is left.
func (h *hydration) catchUp(ctx context.Context, say func()) *repr.Error {
	done := h.read.at
	for round := 0; ; round++ {
		var m *missed
		var failure *repr.Error
		handed := false
		err := h.c.do(ctx, func() {
			m = h.missed(done)
			if m.rows <= catchUpRows || m.ticks <= 1 || round >= catchUpRounds {
				failure = h.passAll(ctx, m)
				handed = failure == nil
			}
			if handed {
				failure = h.c.install(h.view)
			}
		})
		if err == nil {
			err = failure
		}
		if err != nil || handed {
			return err
		}
		if err := h.passAll(ctx, m); err != nil {
			return err
		}
		done = m.upTo
		say()
	}
}

// missed gathers what happened after done. It runs in the loop.
func (h *hydration) missed(done repr.Time) *missed {
	m := &missed{upTo: h.c.oracle.complete, in: map[uint64]dataflow.Delta{}, now: slices.Clone(h.has)}
	for id, col := range h.cols {
		ticks := 0
		d := dataflow.Sum(func(yield func(dataflow.Delta) bool) {
			for _, d := range col.deltas(done, m.upTo) {
				ticks++
				m.rows += d.OK.Len() + d.Err.Len()
				yield(d)
			}
		})
		m.ticks = max(m.ticks, ticks)
		if ticks > 0 {
			m.in[id] = d
		}
	}
	for i, x := range h.view.imports {
		if !h.own[i] {
			m.now[i] = x.shared.arr.Content()
		}
	}
	if h.exact {
		m.each = h.eachTick(done, m)
	}
	return m
}

// eachTick takes what was missed apart into ticks. Then all imports are the view's own.
func (h *hydration) eachTick(done repr.Time, all *missed) []*missed {
	byTime := map[repr.Time]map[uint64]dataflow.Delta{}
	for id, col := range h.cols {
		for t, d := range col.deltas(done, all.upTo) {
			if byTime[t] == nil {
				byTime[t] = map[uint64]dataflow.Delta{}
			}
			byTime[t][id] = d
		}
	}
	h.ticked = h.c.knowsTicks()
	for _, t := range h.c.ticksSince(done, h.view) {
		if byTime[t] == nil {
			byTime[t] = map[uint64]dataflow.Delta{}
		}
	}
	var out []*missed
	for _, t := range slices.Sorted(maps.Keys(byTime)) {
		out = append(out, &missed{upTo: t, in: byTime[t], now: all.now})
	}
	return append(out, &missed{upTo: all.upTo, now: all.now})
}

// passAll takes the view through what it missed: as one step, which is all that is known of it then, or tick by tick.
func (h *hydration) passAll(ctx context.Context, m *missed) *repr.Error {
	for _, tick := range m.each {
		if tick.upTo < m.upTo && len(tick.in) == 0 && !h.isDue(tick.upTo) {
			continue
		}
		if err := h.pass(ctx, tick); err != nil {
			return err
		}
	}
	if h.exact {
		return nil
	}
	if err := h.pass(ctx, m); err != nil {
		return err
	}
	h.view.out.advance(m.upTo)
	return nil
}

// pass takes the view through what it missed as one step.
func (h *hydration) pass(ctx context.Context, m *missed) *repr.Error {
	if h.view.out.ok.Upper() > m.upTo {
		return nil // no tick has passed
	}
	in := map[uint64]dataflow.Delta{}
	maps.Copy(in, m.in)
	for i, x := range h.view.imports {
		d, changed := m.in[x.what.Collection]
		if !changed {
			continue
		}
		step, err := h.passImport(ctx, i, m.now[i], d)
		if err != nil {
			return err
		}
		in[x.number] = step
	}
	return h.stepTo(ctx, m.upTo, in)
}

// passImport is what an import of the view does when its collection changes by delta.
func (h *hydration) passImport(ctx context.Context, i int, now *dataflow.Content, delta dataflow.Delta) (dataflow.Delta, *repr.Error) {
	x := h.view.imports[i]
	was := h.has[i]
	h.has[i] = now
	if !h.own[i] {
		return h.c.between(ctx, x, was, now, delta)
	}
	if err := x.shared.arr.Step(ctx, delta); err != nil {
		return dataflow.Delta{}, asError(err)
	}
	step := x.shared.arr.Delta()
	x.shared.arr.Settle()
	return step, nil
}

// install takes a filled view into the common tick. It runs in the loop.
func (c *Coordinator) install(v *view) *repr.Error {
	if v.replaces != nil {
		return c.takeOver(v)
	}
	c.collections[v.out.id] = v.out
	v.flow.CountIn(c.memory.flows)
	v.settleDue()
	c.views = append(c.views, v)
	c.share(v)
	v.installed = true
	c.enter(v)
	return nil
}

// uninstall takes a view out of the tick and frees what it holds. It runs in the loop.
func (c *Coordinator) uninstall(id uint64) {
	i := slices.IndexFunc(c.views, func(v *view) bool { return v.out.id == id })
	if i < 0 {
		return
	}
	v := c.views[i]
	if v.users > 0 {
		c.lives(v)
		return
	}
	c.views = slices.Delete(c.views, i, i+1)
	c.book.Store(c.book.Load().without(id))
	v.flow.Close()
	c.releaseImports(v)
	c.dropCollection(v.out)
	c.releaseParts(v.parts)
}

// dropCollection ends the readers of a collection and forgets it, and with it the hidden views of subscriptions to
// queries that read it. It runs in the loop.
func (c *Coordinator) dropCollection(col *collection) {
	c.endReaders(col, repr.NewError(repr.CodeUndefinedTable, "\""+col.name+"\" was dropped"))
	col.next.Free()
	col.sealed = arrangement.Batch{}
	delete(c.collections, col.id)
	c.order = slices.DeleteFunc(c.order, func(o *collection) bool { return o == col })
}

// endReaders ends the subscriptions to a collection, and to queries that name it.
func (c *Coordinator) endReaders(col *collection, cause *repr.Error) {
	for sub := range col.readers {
		sub.fail(cause)
	}
	for _, v := range slices.Clone(c.views) {
		if slices.Contains(v.asked, col.id) && !v.unnamed {
			for sub := range v.out.readers {
				sub.fail(cause)
			}
			c.uninstall(v.out.id)
		}
	}
}

// took says how long something took, for people.
func took(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
