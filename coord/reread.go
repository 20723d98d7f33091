package coord

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"slices"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/repr"
)

// replacement is a view that is to take over for one that there is, which computes what is kept elsewhere by now.
type replacement struct {
	old  *view
	flow *dataflow.Dataflow // of the old one, when this was begun
	ok   *arrangement.Snapshot
	errs *arrangement.Snapshot // what the old one held at the time at which this one is filled
}

// errOvertaken says that a view was not replaced, for it has changed or was dropped.
var errOvertaken = repr.NewError(repr.CodeInternal, "the view has changed meanwhile")

// reread has the other views that compute what a new view reads or keeps read it too, so that it is kept once. Each goes on
// until what takes its place is filled beside the ticks. What cannot be replaced stays as it is, which is right.
func (s *Session) reread(ctx context.Context, v *view) {
	b := s.c.book.Load()
	kept := append([]uint64{v.out.id}, v.parts...)
	for _, id := range slices.Sorted(maps.Keys(b.plans)) {
		if id == v.out.id || !slices.ContainsFunc(kept, func(k uint64) bool { return b.repeats(id, k) }) {
			continue
		}
		if err := s.replace(ctx, id); err != nil {
			s.c.opts.Log.Info("a view goes on by itself", slog.Uint64("object", id), slog.Any("err", err))
		}
	}
}

// replace has a view read what is kept of its parts.
func (s *Session) replace(ctx context.Context, id uint64) *repr.Error {
	p := s.c.book.Load().plans[id]
	if p == nil {
		return nil
	}
	var r *replacement
	var reads []uint64
	name := ""
	err := s.c.do(ctx, func() {
		if old := s.c.viewOf(id); old != nil && old.failed == nil {
			r, reads, name = &replacement{old: old, flow: old.flow}, old.parts, old.out.name
		}
	})
	if err != nil || r == nil || slices.Equal(s.c.book.Load().read(p.plan, id, wantsNothing).from, reads) {
		return err
	}
	v, err := s.reader().view(ctx, p.plan, id, name)
	if err != nil {
		return err
	}
	v.replaces = r
	return s.hydrate(ctx, v, nil, func(string) {})
}

// old is what the replaced view holds at the time of the hydration. It runs in the loop.
func (h *hydration) rememberOld() *repr.Error {
	r := h.view.replaces
	if r == nil {
		return nil
	}
	var err *repr.Error
	r.ok, r.errs, err = r.old.out.at(h.read.at)
	return err
}

// sameAsOld sees that the view holds what the one that it replaces held at the same time.
func (h *hydration) sameAsOld() *repr.Error {
	r := h.view.replaces
	if r == nil {
		return nil
	}
	ok, errs, err := h.view.out.at(h.read.at)
	if err != nil {
		return err
	}
	if sameContent(ok, r.ok) && sameContent(errs, r.errs) {
		r.ok, r.errs = nil, nil
		return nil
	}
	if errs.Rows() > 0 || r.errs.Rows() > 0 {
		return errOvertaken // what comes by two ways counts twice in errors
	}
	h.c.opts.OnBug("a view that was to read a part", errDiffers, nil)
	return errDiffers
}

var errDiffers = repr.NewError(repr.CodeInternal, "with the part read from where it is kept the view would differ")

// sameContent says whether two snapshots hold the same.
func sameContent(a, b *arrangement.Snapshot) bool {
	x, y := a.Cursor(), b.Cursor()
	x.Seek(nil)
	y.Seek(nil)
	for ; x.Valid() && y.Valid(); x.Next() {
		if x.Diff() != y.Diff() || !bytes.Equal(x.Row(), y.Row()) {
			return false
		}
		y.Next()
	}
	return !x.Valid() && !y.Valid()
}

// takeOver gives a view the dataflow of the one that is to replace it: both are at the newest time. It runs in the loop.
func (c *Coordinator) takeOver(v *view) *repr.Error {
	r := v.replaces
	old := r.old
	if c.viewOf(v.out.id) != old || old.failed != nil || old.flow != r.flow {
		return errOvertaken
	}
	if old.out.ok.Rows() != v.out.ok.Rows() || old.out.errs.Rows() != v.out.errs.Rows() {
		c.opts.OnBug("a view that was to read a part", errDiffers, nil) // the old one is right, and goes on
		return errDiffers
	}
	old.flow.Close()
	imports, parts := old.imports, old.parts
	c.releaseImports(&view{imports: imports, named: old.named, installed: true})
	old.flow, old.inputs, old.imports, old.parts = v.flow, v.inputs, v.imports, v.parts
	old.flow.CountIn(c.memory.flows)
	old.settleDue()
	c.share(old)
	c.sortViews()
	c.releaseParts(parts)
	return nil
}
