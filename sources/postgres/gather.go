package postgres

import (
	"context"
	"maps"
	"slices"

	"millrace/repr"
	"millrace/sources"
)

// What is large is handed over piece by piece as it is read, and lands in one tick all the same: a transaction, and the tables that
// are read anew. When it does not come to its end, the rows that are remembered by key are those of the collection again.

// gather hands over a piece when there is enough for one. It may be called wherever a batch could grow without end.
func (r *reader) gather(ctx context.Context) error {
	g, ok := r.out.(sources.Gatherer)
	if r.cfg.MostBytes > 0 && (r.bad > r.cfg.MostBytes || !ok && r.size > r.cfg.MostBytes) {
		return r.tooLarge()
	}
	if !ok || r.size < batchBytes {
		return nil
	}
	return r.gatherTo(ctx, g)
}

// gatherRest hands over what is left of a batch of which there were pieces.
func (r *reader) gatherRest(ctx context.Context) error {
	g, ok := r.out.(sources.Gatherer)
	for _, p := range r.parts {
		if ok && p.begun {
			return r.gatherTo(ctx, g)
		}
	}
	return nil
}

func (r *reader) gatherTo(ctx context.Context, g sources.Gatherer) error {
	what := "a transaction of PostgreSQL at "
	r.mu.Lock()
	if r.renew {
		what = "the content of the tables of PostgreSQL at "
	}
	r.mu.Unlock()
	var pieces []sources.Part
	for _, id := range slices.Sorted(maps.Keys(r.parts)) {
		if p := r.parts[id]; p.Replace || len(p.Updates) > 0 {
			pieces = append(pieces, sources.Part{Table: id, Replace: p.Replace, Updates: p.Updates})
		}
	}
	err := g.Gather(ctx, what+r.address().String(), pieces)
	for _, p := range r.parts {
		p.gathered()
	}
	r.size = 0
	r.fetched.Store(0)
	return err
}

// tooLarge refuses a transaction with more rows that cannot be had than can be remembered.
func (r *reader) tooLarge() error {
	return repr.NewError(repr.CodeProgramLimit, "a transaction of PostgreSQL at "+r.address().String()+" has more rows that cannot be had than fit in memory").
		WithHint("give the server more by --memory-limit; or ALTER SOURCE … RESNAPSHOT, which reads what is there now instead")
}

// recall remembers the rows of tables by key anew, after something that was gathered did not come to a tick.
func (r *reader) recall(ctx context.Context) error {
	g, ok := r.out.(sources.Gatherer)
	r.mu.Lock()
	var stale []*table
	for _, t := range r.tables {
		if t.stale {
			stale = append(stale, t)
		}
	}
	anew := r.renew
	r.mu.Unlock()
	for _, t := range stale {
		if ok && !anew && t.joined != 0 {
			rows, err := g.Content(ctx, t.id)
			if err != nil {
				return err
			}
			t.forget()
			if err := t.recall(rows); err != nil {
				return err
			}
		}
		t.stale = false
	}
	return nil
}
