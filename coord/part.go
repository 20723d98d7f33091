package coord

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"millrace/coord/catalog"
	"millrace/internal/check"
	"millrace/repr"
	"millrace/sql/lower"
	"millrace/sql/opt"
	"millrace/sql/rel"
)

// book is what is known of the plans of views, so that equal parts of them are kept once: as the content of a view whose whole
// plan the part is, or of a view that nobody has named, the part's own. It never changes; the loop makes new ones.
type book struct {
	plans map[uint64]*planned  // of named views and of parts, by collection
	kept  map[string]*keptPart // by the text of the part
}

// planned is the plan of a view, as it is without any other view.
type planned struct {
	plan  rel.Rel
	parts map[string]bool // the texts of all parts in it
	whole string          // the text of the part that it is; empty when it is none
	at    []int           // where the columns of that part stand
	keys  [][]int
	grows bool
}

// plannedOf takes the plan of a view apart.
func plannedOf(plan rel.Rel) *planned {
	p := &planned{plan: plan, parts: map[string]bool{}}
	opt.ReplaceParts(plan, func(part *opt.Part) rel.Rel {
		p.parts[part.Text] = true
		return nil
	})
	if part, at := opt.Whole(plan); part != nil {
		p.whole, p.at = part.Text, at
	}
	facts := rel.FactsOf(plan)
	p.grows = facts.Grows(plan)
	for _, k := range facts.Keys(plan) {
		p.keys = append(p.keys, k.List())
	}
	return p
}

// keptPart is where a part is kept.
type keptPart struct {
	get *rel.Get
	at  []int // where the columns of the part stand there
}

// reads is a plan that reads parts of it from where they are kept.
type reads struct {
	plan rel.Rel
	from []uint64  // where, sorted
	want *opt.Part // the first part that should be kept, and is not
}

// wants says whether a part that is not kept should be.
type wants func(b *book, p *opt.Part) bool

// wantsNothing has plans read what is kept already.
func wantsNothing(*book, *opt.Part) bool { return false }

// wantsRepeated wants what another view computes too, when what comes of it is small beside what it takes to compute it.
func wantsRepeated(b *book, p *opt.Part) bool {
	if !p.Small {
		return false
	}
	for _, other := range b.plans {
		if other.parts[p.Text] {
			return true
		}
	}
	return false
}

// read finds out what the plan of a view reads, of which the content of the view itself is no part.
func (b *book) read(plan rel.Rel, self uint64, want wants) *reads {
	r := &reads{}
	r.plan = opt.ReplaceParts(plan, func(p *opt.Part) rel.Rel {
		if k := b.kept[p.Text]; k != nil {
			if k.get.ID == self {
				return nil
			}
			r.from = append(r.from, k.get.ID)
			return k.rel()
		}
		if r.want == nil && want(b, p) {
			r.want = p
		}
		return nil
	})
	slices.Sort(r.from)
	r.from = slices.Compact(r.from)
	return r
}

// rel reads the part.
func (k *keptPart) rel() rel.Rel { return &rel.Project{Input: k.get, Cols: k.at} }

// with is the book with a view that keeps what its plan gives.
func (b *book) with(id uint64, name string, p *planned) *book {
	next := b.copied()
	next.plans[id] = p
	if p.whole != "" && next.kept[p.whole] == nil {
		next.kept[p.whole] = &keptPart{get: &rel.Get{ID: id, Name: name, Cols: p.plan.Columns(), Keys: p.keys, Grows: p.grows}, at: p.at}
	}
	return next
}

// copied is a book that can be changed.
func (b *book) copied() *book {
	next := &book{plans: map[uint64]*planned{}, kept: map[string]*keptPart{}}
	maps.Copy(next.plans, b.plans)
	maps.Copy(next.kept, b.kept)
	return next
}

// renamed is the book after a view has another name.
func (b *book) renamed(id uint64, name string) *book {
	next := b.copied()
	for text, k := range next.kept {
		if k.get.ID == id {
			get := *k.get
			get.Name = name
			next.kept[text] = &keptPart{get: &get, at: k.at}
		}
	}
	return next
}

// without is the book without a view.
func (b *book) without(id uint64) *book {
	if b.plans[id] == nil {
		return b
	}
	next := b.copied()
	delete(next.plans, id)
	maps.DeleteFunc(next.kept, func(_ string, k *keptPart) bool { return k.get.ID == id })
	return next
}

// repeats says whether a view has in its plan what another one keeps.
func (b *book) repeats(id, other uint64) bool {
	if id == other {
		return false
	}
	for text, k := range b.kept {
		if k.get.ID == other && b.plans[id].parts[text] {
			return true
		}
	}
	return false
}

// sharer decides for a session which parts of the views that it makes are kept, and keeps them.
type sharer struct {
	s    *Session
	want wants
	keep func(ctx context.Context, p *opt.Part) *repr.Error
	// alone has views compute all by themselves.
	alone bool
	// promised are the arrangements that plans count on; nil: those that are kept.
	promised kept
	pins     []uint64 // parts that were made: they stay until the views that are to read them are there
}

// sharer is that of a view of the catalog, which others like it share parts with.
func (s *Session) sharer() *sharer {
	sh := &sharer{s: s, want: wantsRepeated}
	sh.keep = func(ctx context.Context, p *opt.Part) *repr.Error { return sh.make(ctx, p, nil) }
	return sh
}

// reader is a sharer that makes no parts.
func (s *Session) reader() *sharer { return &sharer{s: s, want: wantsNothing} }

// done gives up the parts that were made, but for what views read of them.
func (sh *sharer) done() {
	pins := sh.pins
	sh.pins = nil
	if len(pins) > 0 {
		sh.s.c.later(func() { sh.s.c.releaseParts(pins) })
	}
}

// view makes a view of a plan, not filled yet, that reads the parts of it that are kept, and has made those that should be.
func (sh *sharer) view(ctx context.Context, plan rel.Rel, id uint64, name string) (*view, *repr.Error) {
	c := sh.s.c
	for {
		r := &reads{plan: plan}
		if !sh.alone {
			r = c.book.Load().read(plan, id, sh.want)
		}
		if r.want != nil {
			if err := sh.keep(ctx, r.want); err != nil {
				return nil, err
			}
			continue
		}
		claimed := false
		if err := c.do(ctx, func() { claimed = c.claimParts(r.from) }); err != nil {
			return nil, err
		}
		if !claimed {
			continue // one has gone meanwhile
		}
		planned, err := lower.PlanWith(r.plan, c.keptEnv(), c.lowering(sh.promised))
		if err != nil {
			c.later(func() { c.releaseParts(r.from) })
			return nil, err
		}
		v := c.newView(planned.Graph, planned.Arranged, planned.Inputs, id, name)
		sh.promised.promise(v)
		v.plan, v.parts, v.asked = plannedOf(plan), r.from, collectionsOf(plan)
		return v, nil
	}
}

// collectionsOf are those that a plan names.
func collectionsOf(plan rel.Rel) []uint64 {
	var ids []uint64
	rel.Walk(plan, func(r rel.Rel) bool {
		if g, ok := r.(*rel.Get); ok {
			ids = append(ids, g.ID)
		}
		return true
	})
	slices.Sort(ids)
	return slices.Compact(ids)
}

// make keeps a part: as of a time that is held, or the newest.
func (sh *sharer) make(ctx context.Context, p *opt.Part, at *hold) *repr.Error {
	c := sh.s.c
	var id uint64
	if err := c.do(ctx, func() { id = c.reserveID() }); err != nil {
		return err
	}
	inner := &sharer{s: sh.s, keep: sh.keep, promised: sh.promised}
	inner.want = func(b *book, q *opt.Part) bool { return q.Text != p.Text && sh.want(b, q) }
	v, err := inner.view(ctx, p.Plan, id, partName(id))
	if err != nil {
		return err
	}
	v.users, v.unnamed = 1, true
	if err := sh.s.hydrateAt(ctx, v, at, func(p string) { sh.s.noticef("filling a part that views share: " + p) }); err != nil {
		return err
	}
	sh.pins = append(sh.pins, id)
	return nil
}

// partName is what a part is called where it has to have a name.
func partName(id uint64) string { return "part " + itoa(int64(id)) }

// claimParts notes one more view that reads some parts, unless one of them is not there. It runs in the loop.
func (c *Coordinator) claimParts(ids []uint64) bool {
	views := make([]*view, len(ids))
	for i, id := range ids {
		if views[i] = c.viewOf(id); views[i] == nil || views[i].failed != nil {
			return false
		}
	}
	for _, v := range views {
		v.users++
	}
	return true
}

// releaseParts notes one view less that reads some parts; a part that nobody reads is freed. It runs in the loop.
func (c *Coordinator) releaseParts(ids []uint64) {
	for _, id := range ids {
		v := c.viewOf(id)
		if v == nil {
			continue
		}
		check.That(v.users > 0, "part %d has no users", id)
		v.users--
		if v.unnamed && v.users == 0 {
			c.uninstall(id)
		}
	}
}

// enter notes the plan of a view, so that others may read what it keeps. It runs in the loop.
func (c *Coordinator) enter(v *view) {
	if v.plan != nil && v.named && !c.opts.KeepApart {
		c.book.Store(c.book.Load().with(v.out.id, v.out.name, v.plan))
	}
}

// lives turns a view that was dropped into a part, for others read it. It runs in the loop.
func (c *Coordinator) lives(v *view) {
	c.endReaders(v.out, repr.NewError(repr.CodeUndefinedTable, "\""+v.out.name+"\" was dropped"))
	v.out.readers = map[*subscription]struct{}{}
	v.unnamed, v.out.name = true, partName(v.out.id)
	c.book.Store(c.book.Load().renamed(v.out.id, v.out.name))
}

// sortViews puts each view behind those that it reads, and leaves the rest as it is. It runs in the loop.
func (c *Coordinator) sortViews() {
	out := make([]*view, 0, len(c.views))
	seen := map[uint64]bool{}
	byID := map[uint64]*view{}
	for _, v := range c.views {
		byID[v.out.id] = v
	}
	var put func(v *view)
	put = func(v *view) {
		if v == nil || seen[v.out.id] {
			return
		}
		seen[v.out.id] = true
		for _, in := range v.inputs {
			put(byID[in])
		}
		out = append(out, v)
	}
	for _, v := range c.views {
		put(v)
	}
	c.views = out
}

// partStatus are the parts that views read. It runs in the loop.
func (c *Coordinator) partStatus() []catalog.PartStatus {
	var out []catalog.PartStatus
	for _, v := range c.views {
		if v.users > 0 {
			out = append(out, catalog.PartStatus{ID: v.out.id, Name: v.out.name, Unnamed: v.unnamed, Users: c.usersOf(v.out.id)})
		}
	}
	slices.SortFunc(out, func(a, b catalog.PartStatus) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// usersOf are the views that read a part, by number. It runs in the loop.
func (c *Coordinator) usersOf(id uint64) []catalog.PartUser {
	var out []catalog.PartUser
	for _, v := range c.views {
		if slices.Contains(v.parts, id) {
			out = append(out, catalog.PartUser{ID: v.out.id, Name: v.out.name})
		}
	}
	slices.SortFunc(out, func(a, b catalog.PartUser) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// partLines say of each part that a plan reads who else does.
func (c *Coordinator) partLines(ctx context.Context, parts []uint64, self uint64) ([]string, *repr.Error) {
	var lines []string
	err := c.do(ctx, func() {
		for _, id := range parts {
			v := c.viewOf(id)
			if v == nil {
				continue
			}
			var names []string
			for _, u := range c.usersOf(id) {
				if u.ID != self {
					names = append(names, u.Name)
				}
			}
			line := "Kept once: " + v.out.name
			if len(names) > 0 {
				line += ", also for " + strings.Join(names, ", ")
			}
			lines = append(lines, line)
		}
	})
	return lines, err
}
