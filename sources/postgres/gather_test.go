package postgres

import (
	"context"
	"errors"
	"iter"
	"maps"
	"math/rand/v2"
	"testing"

	"millrace/repr"
	"millrace/sources"
)

// gatherer keeps what a coordinator would: the rows of one table by ticks, and what was gathered for the next.
type gatherer struct {
	rows, next map[string]int64
	pieces     int
	full       bool // nothing more fits
}

func newGatherer() *gatherer { return &gatherer{rows: map[string]int64{}} }

var errFull = errors.New("full")

func (g *gatherer) Gather(_ context.Context, _ string, parts []sources.Part) error {
	if g.full {
		return errFull
	}
	if g.next == nil {
		g.next = maps.Clone(g.rows)
	}
	for i := range parts {
		g.pieces++
		add(g.next, &parts[i])
	}
	return nil
}

func add(rows map[string]int64, p *sources.Part) {
	if p.Replace {
		clear(rows)
	}
	for _, u := range p.Updates {
		if rows[string(u.Row)] += int64(u.Diff); rows[string(u.Row)] == 0 {
			delete(rows, string(u.Row))
		}
	}
}

func (g *gatherer) Abandon() { g.next = nil }

func (g *gatherer) Push(_ context.Context, b *sources.Batch) error {
	if g.next != nil {
		g.rows, g.next = g.next, nil
	}
	for i := range b.Parts {
		add(g.rows, &b.Parts[i])
	}
	return nil
}

func (g *gatherer) Content(context.Context, uint64) (iter.Seq2[[]byte, repr.Diff], error) {
	return func(yield func([]byte, repr.Diff) bool) {
		for row, n := range g.rows {
			if !yield([]byte(row), n) {
				return
			}
		}
	}, nil
}

func (*gatherer) Report(sources.State) {}

// TestGather holds random histories that are handed over piece by piece, with truncations, and transactions that are cut in the middle
// or do not fit and come again, to what the other side holds.
func TestGather(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		byKey := seed%2 == 0
		w := &world{rng: rand.New(rand.NewPCG(seed, 2)), rows: map[int][2]string{}, bad: map[int]bool{}, errs: map[string]int64{}}
		out := newGatherer()
		s, err := New(Config{Publication: "p"})
		if err != nil {
			t.Fatal(err)
		}
		tab := example(byKey)
		tab.joined = 1
		s.tables[tab.id] = tab
		r := &reader{Source: s, out: out}
		r.reset()
		for step := range 60 {
			var history []*change // nil: TRUNCATE
			for range w.rng.IntN(12) {
				if w.rng.IntN(15) == 0 {
					clear(w.rows)
					history = append(history, nil)
					continue
				}
				history = append(history, w.change(t, byKey))
			}
			for range w.rng.IntN(3) {
				cut := w.rng.IntN(len(history) + 1)
				r.pieces(t, w.rng, tab, history[:cut])
				out.full = w.rng.IntN(2) == 0
				if _, g := r.out.(sources.Gatherer); g && len(r.parts) > 0 {
					_ = r.gatherTo(t.Context(), out)
				}
				out.full = false
				r.undo()
				if tab.stale && tab.rows.Len() > 0 {
					t.Fatal("rows are held that are no use")
				}
				if err := r.recall(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			r.pieces(t, w.rng, tab, history)
			if err := r.push(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.here = out.rows
			w.compare(t, step)
		}
		if out.pieces == 0 {
			t.Error("nothing came in pieces")
		}
	}
}

// pieces plays a history, and hands over what there is now and then.
func (r *reader) pieces(t *testing.T, rng *rand.Rand, tab *table, history []*change) {
	t.Helper()
	for _, c := range history {
		play(t, tab, r.partOf(tab), []*change{c})
		if rng.IntN(3) == 0 {
			r.size = batchBytes
			if err := r.gather(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
