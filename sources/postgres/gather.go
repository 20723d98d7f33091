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

// gather hands over a piece when there is enough for one. It may be called wherever a batch could grow without end. What cannot be handed
// over in pieces has to fit in memory: rows of errors, and all rows where nobody gathers.
func (r *reader) gather(ctx context.Context) error {
	g, gathers := r.out.(sources.Gatherer)
	if most := r.cfg.MostBytes; most > 0 && (r.bad > most || !gathers && r.size > most) {
		return r.tooLarge()
	}
	if !gathers || r.size < batchBytes {
		return nil
	}
	return r.gatherTo(ctx, g)
}

// gatherRest hands over what is left of a batch of which there were pieces, and leaves one of which there were none.
func (r *reader) gatherRest(ctx context.Context) error {
	g, gathers := r.out.(sources.Gatherer)
	for _, p := range r.parts {
		if gathers && p.begun {
			return r.gatherTo(ctx, g)
		}
	}
	return nil
}

// gatherTo hands over all updates that the batch has now.
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

// tooLarge refuses a transaction of which more must be held than there may be.
func (r *reader) tooLarge() error {
	return repr.NewError(repr.CodeProgramLimit, "a transaction of PostgreSQL at "+r.address().String()+" has more rows that cannot be held than fit in memory").
		WithHint("give the server more by --memory-limit; or ALTER SOURCE … RESNAPSHOT, which reads what is there now instead")
}

// recall has tables remember the rows of their collections anew, by key: those of which something was gathered that came to no tick have
// remembered what is not there. A table that is read anew, or has no content yet, starts from nothing instead.
func (r *reader) recall(ctx context.Context) error {
	g, gathers := r.out.(sources.Gatherer)
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
		if gathers && !anew && t.joined != 0 {
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
