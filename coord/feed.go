package coord

import (
	"context"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sinks"
)

// idleFeed is after how many milliseconds without a change a sink is told the time.
const idleFeed = 5_000

// feeding hands the snapshot and then every tick of a subscription to a sink. While the view has an error the sink is given
// nothing, and says why; the tick in which the last error goes brings it all that has changed meanwhile, so that it never writes
// a content that could not be read. A sink that is far behind is given the difference of two contents as one tick.
type feeding struct {
	run      *sinkRun
	s        *subscribed
	out      chan<- sinks.Tick
	errors   int64                 // rows in the err stream
	snapshot *arrangement.Snapshot // not handed over yet; nil: it was
	missed   *arrangement.Builder  // what changed while there were errors
	sent     repr.Time
}

func newFeeding(r *sinkRun, s *subscribed, out chan<- sinks.Tick) *feeding {
	f := &feeding{run: r, s: s, out: out, snapshot: s.snapshot, missed: arrangement.NewBuilder(), sent: s.at}
	s.snapshot = nil
	return f
}

// feed goes on until the subscription or ctx ends.
func (f *feeding) feed(ctx context.Context) *repr.Error {
	if err := f.tick(ctx, f.s.at, dataflow.Delta{Err: f.s.errs.Batch()}); err != nil {
		return err
	}
	for {
		changes, upper, err := f.s.sub.take()
		for _, c := range changes {
			if err := f.tick(ctx, c.time, c.delta); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		if len(changes) > 0 {
			continue
		}
		if over := f.s.sub.takeLeap(); over != nil {
			if err := f.leap(ctx, over); err != nil {
				return err
			}
			continue
		}
		if f.errors == 0 && upper-1 >= f.sent+idleFeed { // history is kept for a sink from where it is
			if err := f.send(ctx, upper-1, arrangement.Batch{}); err != nil {
				return err
			}
		}
		if err := f.s.sub.wait(ctx); err != nil {
			return err
		}
		f.run.c.turn(ctx)
	}
}

// tick takes a tick: it is handed over, with what waits, unless the view has errors then.
func (f *feeding) tick(ctx context.Context, t repr.Time, d dataflow.Delta) *repr.Error {
	for i := range d.Err.Len() {
		f.errors += d.Err.Diff(i)
	}
	if f.errors > 0 && !f.run.c.isLenient(f.run.from) {
		if err := errorIn(d.Err); err != nil {
			f.run.block(err)
		}
		return f.keep(d.OK)
	}
	f.run.block(nil)
	waits := f.snapshot != nil || f.missed.Len() > 0
	if !waits && d.OK.Len() == 0 {
		return nil
	}
	if !waits {
		return f.send(ctx, t, d.OK)
	}
	return f.send(ctx, t, f.all(d.OK))
}

// leap goes to a later content at once.
func (f *feeding) leap(ctx context.Context, over *leap) *repr.Error {
	t := over.to.time
	f.run.c.opts.Log.Info("a sink is far behind and is given what is different", "object", f.run.name, "from", over.from.time, "to", t)
	return f.tick(ctx, t, dataflow.Delta{OK: differenceOf(t, over.from.ok, over.to.ok).batch(), Err: differenceOf(t, over.from.errs, over.to.errs).batch()})
}

// batch is all that is different.
func (d *difference) batch() arrangement.Batch {
	b := arrangement.NewBuilder()
	defer b.Free()
	for {
		row, diff := d.next()
		if row == nil {
			return b.Seal()
		}
		b.Add(row, diff)
	}
}

// keep puts off a change. A sink for which too much is put off starts again, and compares its topic with the view.
func (f *feeding) keep(b arrangement.Batch) *repr.Error {
	addTo(f.missed, b)
	if f.missed.Held() <= f.run.limit {
		return nil
	}
	sum := f.missed.Seal()
	f.missed.Reset()
	if int64(sum.Bytes()) > f.run.limit/2 {
		return repr.NewError(repr.CodeOutOfMemory, "too much has changed while the view had an error")
	}
	addTo(f.missed, sum)
	return nil
}

// all is everything that was not handed over yet, up to a change.
func (f *feeding) all(b arrangement.Batch) arrangement.Batch {
	if f.snapshot != nil {
		first := f.snapshot.Batch()
		f.snapshot = nil
		if f.missed.Len() == 0 && b.Len() == 0 {
			return first
		}
		addTo(f.missed, first)
	}
	addTo(f.missed, b)
	sum := f.missed.Seal()
	f.missed.Free()
	return sum
}

func addTo(to *arrangement.Builder, b arrangement.Batch) {
	for i := range b.Len() {
		to.Add(b.Row(i), b.Diff(i))
	}
}

func (f *feeding) send(ctx context.Context, t repr.Time, b arrangement.Batch) *repr.Error {
	select {
	case f.out <- sinks.Tick{Time: t, Changes: changesOf(b)}:
		f.sent = t
		return nil
	case <-ctx.Done():
		return ctxError(ctx)
	}
}

// errorIn is the first error that came; nil when none did.
func errorIn(b arrangement.Batch) *repr.Error {
	for i := range b.Len() {
		if b.Diff(i) > 0 {
			return errorOf(b.Row(i))
		}
	}
	return nil
}

func changesOf(b arrangement.Batch) []sinks.Change {
	out := make([]sinks.Change, b.Len())
	for i := range out {
		out[i] = sinks.Change{Row: b.Row(i), Diff: b.Diff(i)}
	}
	return out
}
