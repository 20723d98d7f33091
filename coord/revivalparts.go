package coord

import (
	"context"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sql/opt"
)

// sharedPart is a part that is to be kept after a restart.
type sharedPart struct {
	of   *catalog.Item // whose content it is; nil: it has no name
	from repr.Time     // those that read it have to be readable from this time on
}

// findShared finds the parts that the views of the catalog share, as if these were made one after the other: the same catalog
// has the same parts. A view that cannot be planned fails when it is filled.
func (v *revival) findShared() map[string]*sharedPart {
	shared := map[string]*sharedPart{}
	if v.c.opts.KeepApart {
		return shared
	}
	b, next := &book{}, ^uint64(0)
	plans := map[*catalog.Item]*planned{}
	for _, it := range v.r.items {
		if it.Kind != catalog.MaterializedView {
			continue
		}
		compiled, _, err := v.c.maker(it.Path).optimized(it)
		if err != nil {
			continue
		}
		for r := b.read(compiled.Optimized, it.ID, wantsRepeated); r.want != nil; r = b.read(compiled.Optimized, it.ID, wantsRepeated) {
			shared[r.want.Text] = &sharedPart{from: never}
			b = b.with(next, "", plannedOf(r.want.Plan))
			next--
		}
		p := plannedOf(compiled.Optimized)
		b, plans[it] = b.with(it.ID, it.Name, p), p
		if p.whole != "" && (shared[p.whole] == nil || shared[p.whole].of == nil) {
			shared[p.whole] = &sharedPart{of: it, from: never}
		}
	}
	v.reachBack(shared, plans)
	return shared
}

// reachBack has each part readable as far back as the views that may read it.
func (v *revival) reachBack(shared map[string]*sharedPart, plans map[*catalog.Item]*planned) {
	for it, p := range plans {
		for text, s := range shared {
			if p.parts[text] {
				s.from = min(s.from, v.r.from[it.ID])
			}
		}
	}
	for _, s := range shared {
		if s.of != nil {
			v.r.from[s.of.ID] = min(v.r.from[s.of.ID], s.from)
		}
	}
}

// sharer has the parts kept that were found. A view that is one is filled before those that read it.
func (v *revival) sharer(s *Session, filling *catalog.Item) *sharer {
	sh := &sharer{s: s, promised: v.promised}
	sh.want = func(_ *book, p *opt.Part) bool {
		part, ok := v.shared[p.Text]
		return ok && part.of != filling
	}
	sh.keep = func(ctx context.Context, p *opt.Part) *repr.Error {
		part := v.shared[p.Text]
		delete(v.shared, p.Text) // once: when it fails the view goes on by itself
		if part.of != nil {
			v.view(ctx, part.of)
			if w := v.begun[part.of.ID]; w != nil && !v.filling.inTurn() {
				awaitViews(ctx, []*waitingView{w})
			}
			return nil
		}
		return sh.make(ctx, p, &hold{at: part.from})
	}
	return sh
}
