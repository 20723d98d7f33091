package coord

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"runtime"
	"slices"
	"time"

	"millrace/arrangement"
	"millrace/internal/budget"
	"millrace/repr"
	"millrace/sources"
)

// whole is what a source hands over piece by piece: a transaction that is large, or a content that is read anew. It is packed as it
// comes, beside the loop, and its tick takes it sealed. It belongs to the goroutine of the connector until it is pushed.
type whole struct {
	parts  map[uint64]*wholePart
	memory *budget.Budget
	rows   int64

	collected int64 // what was gathered when it was last found out what is in use
}

// wholePart is what a whole changes in one table.
type wholePart struct {
	replace bool // what was there before goes
	rows    *arrangement.Builder
	bytes   int64
	taken   int   // retractions since it was last looked at
	next    int64 // bytes at which it is looked at next
	batch   arrangement.Batch
}

// Bounds of what lands in one tick. On its way there it is in memory as it was gathered, as it is sealed, and as the log has it.
const (
	wholeCopies = 3
	mostWhole   = 3 << 29 // a record of the log holds 2 GiB
)

// Gather takes a piece of what the next Push hands over. It runs in the goroutine of the connector.
func (r *sourceRun) Gather(ctx context.Context, what string, parts []sources.Part) error {
	if r.whole == nil {
		r.whole = &whole{parts: map[uint64]*wholePart{}, memory: r.c.memory.queued.Part("a batch in pieces", 0, 0)}
	}
	for i := range parts {
		r.whole.add(&parts[i])
	}
	for waited := time.Duration(0); ; waited += wholeEvery {
		e := r.c.memory.roomFor(r.whole, what)
		if e == nil {
			if waited > 0 {
				r.Report(sources.State{Status: "running"})
			}
			return nil
		}
		if waited >= wholePatience || r.whole.tooLarge(r.c.memory) {
			return e
		}
		if waited == 0 {
			r.Report(sources.State{Status: "stalled", Error: e.Message, Hint: "it goes on when there is room, for which it waits a little"})
		}
		if err := r.c.opts.Clock.Sleep(ctx, wholeEvery); err != nil {
			return err
		}
		r.whole.collected = 0
	}
}

// How long it is waited for room, such as that of history which is forgotten meanwhile, and how often it is looked. The other side
// hears nothing of its reader so long.
const (
	wholePatience = 20 * time.Second
	wholeEvery    = time.Second
)

// tooLarge says whether there would be no room even in a server that holds nothing else.
func (w *whole) tooLarge(m *memory) bool {
	return w.bytes() > mostWhole || wholeCopies*w.bytes() > m.share(shareReaders)
}

func (w *whole) add(p *sources.Part) {
	into := w.parts[p.Table]
	if into == nil {
		into = &wholePart{rows: arrangement.NewBuilderOn(w.memory)}
		w.parts[p.Table] = into
	}
	if p.Replace {
		into.replace = true
		into.rows.Reset()
		into.bytes = 0
	}
	for _, u := range p.Updates {
		into.take(u.Row, u.Diff)
		if u.Diff < 0 {
			into.taken++
		}
	}
	w.rows += int64(len(p.Updates))
	into.consolidate()
}

// wholeUpdate is what an update takes beside its row.
const wholeUpdate = 12

func (p *wholePart) take(row []byte, diff repr.Diff) {
	p.rows.Add(row, diff)
	p.bytes += wholeUpdate + int64(len(row))
}

// consolidateFrom is how many bytes are gathered before it is looked whether updates cancel each other.
const consolidateFrom = 8 << 20

// consolidate makes one of updates that cancel each other, when there may be many: a row that is changed often is there once.
func (p *wholePart) consolidate() {
	if p.bytes < max(p.next, consolidateFrom) {
		return
	}
	if p.taken >= p.rows.Len()/8 {
		sum := p.rows.Seal()
		p.rows.Reset()
		p.bytes = 0
		for i := range sum.Len() {
			p.take(sum.Row(i), sum.Diff(i))
		}
	}
	p.taken, p.next = 0, 2*p.bytes
}

// bytes is what was gathered, without what the buffers have room for.
func (w *whole) bytes() (n int64) {
	for _, p := range w.parts {
		n += p.bytes
	}
	return n
}

// seal makes batches of what was gathered.
func (w *whole) seal() {
	held := int64(0)
	for _, p := range w.parts {
		p.batch = p.rows.Seal()
		p.rows.Free()
		held += int64(p.batch.Bytes())
	}
	w.memory.Set(held)
}

// roomFor refuses what does not fit.
func (m *memory) roomFor(w *whole, what string) *repr.Error {
	gathered := w.bytes()
	most := m.share(shareReaders)
	held, live := m.lasting()
	if m.limit > 0 && held+wholeCopies*gathered <= most && live+wholeCopies*gathered > most && gathered > w.collected+w.collected/8 {
		w.collected = gathered // what was in use at the last collection may be so no longer
		runtime.GC()
		_, live = m.lasting()
	}
	needed := max(held, live) + wholeCopies*gathered
	if gathered <= mostWhole && (m.limit == 0 || needed <= most) {
		return nil
	}
	e := repr.NewError(repr.CodeProgramLimit, what+" does not fit in memory: its first "+counted(w.rows, "change")+" take "+sizeText(gathered))
	const hint = "ALTER SOURCE … RESNAPSHOT reads what is there now instead"
	if gathered > mostWhole {
		return e.WithDetail("All of it lands in one tick, which may take " + sizeText(mostWhole) + ".").WithHint(hint)
	}
	return e.WithDetail("All of it lands in one tick, which needs " + itoa(wholeCopies) + " times as much beside what the server holds: " +
		sizeText(needed) + " of " + sizeText(m.limit) + ".").
		WithHint("start the server with a larger --memory-limit, or drop what is not needed and begin the source again; " + hint)
}

// Abandon forgets what was gathered. It runs in the goroutine of the connector.
func (r *sourceRun) Abandon() {
	if r.whole != nil {
		r.whole.memory.Close()
		r.whole = nil
	}
}

// contentEvery is how often it is looked whether all that was pushed is in a tick.
const contentEvery = 10 * time.Millisecond

// Content gives what a table holds by all that was pushed. It runs in the goroutine of the connector.
func (r *sourceRun) Content(ctx context.Context, table uint64) (iter.Seq2[[]byte, repr.Diff], error) {
	for {
		var now *arrangement.Snapshot
		var failure error
		gone := false
		err := r.c.do(ctx, func() {
			f := r.c.fed[table]
			if gone = f == nil || f.run != r; gone || r.taken != r.pushed.Load() || f.col.waits() {
				return
			}
			now, failure = f.col.ok.At(f.col.ok.Upper() - 1)
		})
		switch {
		case err != nil:
			return nil, err
		case failure != nil:
			return nil, failure
		case gone:
			return func(func([]byte, repr.Diff) bool) {}, nil
		case now != nil:
			return rowsOf(now), nil
		}
		if err := r.c.opts.Clock.Sleep(ctx, contentEvery); err != nil {
			return nil, err
		}
	}
}

// rowsOf are the rows of a content with their counts.
func rowsOf(now *arrangement.Snapshot) iter.Seq2[[]byte, repr.Diff] {
	return func(yield func(row []byte, diff repr.Diff) bool) {
		for b := range now.Chunks(hydrateChunk) {
			for i := range b.Len() {
				if !yield(b.Row(i), b.Diff(i)) {
					return
				}
			}
		}
	}
}

// queueWhole takes what was gathered into the next tick.
func (c *Coordinator) queueWhole(r *sourceRun, w *whole) {
	for _, id := range slices.Sorted(maps.Keys(w.parts)) {
		f, p := c.fed[id], w.parts[id]
		if f == nil || f.run != r {
			continue // it was dropped
		}
		if p.replace {
			c.replace(f.col, p.batch)
			f.filled = 0
		} else {
			f.col.queueAll(p.batch)
		}
		f.count(p.batch.Len(), 0)
		c.queuedRows += p.batch.Len()
	}
	w.memory.Close()
	c.wholes.Add(-1)
}

// replace puts a content in the place of what there is and what waits: only what is different in the two changes.
func (c *Coordinator) replace(col *collection, with arrangement.Batch) {
	col.unqueue()
	now, err := col.ok.At(col.ok.Upper() - 1)
	if err != nil { // nothing was ever there
		col.queueAll(with)
		return
	}
	i := 0
	for b := range now.Chunks(hydrateChunk) {
		for k := range b.Len() {
			row, diff := b.Row(k), -b.Diff(k)
			for ; i < with.Len() && bytes.Compare(with.Row(i), row) < 0; i++ {
				col.queue(with.Row(i), with.Diff(i))
			}
			if i < with.Len() && bytes.Equal(with.Row(i), row) {
				diff += with.Diff(i)
				i++
			}
			if diff != 0 {
				col.queue(row, diff)
			}
		}
	}
	if i == 0 {
		col.queueAll(with)
		return
	}
	for ; i < with.Len(); i++ {
		col.queue(with.Row(i), with.Diff(i))
	}
}
