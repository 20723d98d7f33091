package coord

import (
	"context"
	"maps"
	"slices"
	"strings"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sources"
	"millrace/sql/lower"
)

// status is what the system tables and metrics show of what runs. It runs in the loop.
func (c *Coordinator) status() *catalog.Status {
	st := &catalog.Status{Objects: map[uint64]catalog.ObjectStatus{}, Complete: c.oracle.complete, Ticks: c.stats.Ticks.Load()}
	for id, col := range c.collections {
		st.Objects[id] = catalog.ObjectStatus{ID: id, Name: col.name, Status: "running", Rows: col.ok.Rows(), Errors: col.errs.Rows(),
			Bytes: col.bytes(), Upper: col.ok.Upper(), Since: col.ok.Since()}
		o := st.Objects[id]
		o.Ticks, o.PastBytes = col.history()
		o.ViewErrors = c.viewErrors(col)
		st.Objects[id] = o
		for sub := range col.readers {
			st.Subscriptions = append(st.Subscriptions, catalog.SubscriptionStatus{Object: id, HeldBytes: sub.heldBytes()})
		}
	}
	told := map[*shared]bool{} // under the name of an index
	for _, v := range c.views {
		o := st.Objects[v.out.id]
		if v.index != nil {
			s := v.imports[0].shared
			if o.Rows = s.arr.Rows(); !told[s] {
				o.Bytes = s.arr.Bytes()
			}
			told[s] = true
		}
		o.FlowBytes = v.flow.Bytes()
		for _, op := range v.flow.Stats() {
			o.Operators = append(o.Operators, catalog.OperatorStatus{Number: int(op.Node),
				Label: lower.Describe(v.flow.Graph(), op.Node), RowsIn: op.RowsIn, RowsOut: op.RowsOut, RowsHeld: op.ArrangedRows,
				Bytes: op.ArrangedBytes, Elapsed: op.Elapsed})
		}
		if waits, _ := c.unready([]uint64{v.out.id}); len(waits) > 0 {
			o.Status, o.Progress = "waiting", "for "+strings.Join(waits, ", ")
		}
		if v.failed != nil {
			o.Status, o.Error = "failed", v.failed.Error()
		}
		st.Objects[v.out.id] = o
	}
	st.Parts = c.partStatus()
	for _, id := range slices.Sorted(maps.Keys(c.sharing.byCollection)) {
		for _, s := range c.sharing.byCollection[id] {
			if told[s] {
				continue
			}
			st.Shared = append(st.Shared, catalog.SharedStatus{Collection: id, Label: s.what.Label, Rows: s.arr.Rows(),
				Bytes: s.arr.Bytes(), Users: s.users})
		}
	}
	c.sourceStatus(st)
	st.Held = c.held()
	st.Named = c.namedStatus()
	if c.revival != nil {
		c.revival.status(st)
	}
	for id, r := range c.sinks {
		cur := r.current()
		o := catalog.ObjectStatus{ID: id, Name: r.name, Status: cur.Status, Error: cur.Error, Hint: cur.Hint, Good: cur.Records, Bad: cur.Dropped, Upper: cur.Written}
		if r.errCol != nil {
			o.ErrorsKept = r.errCol.ok.Rows()
		}
		st.Objects[id] = o
	}
	return st
}

// sourceStatus adds what sources do, and the tables that they feed. It runs in the loop.
func (c *Coordinator) sourceStatus(st *catalog.Status) {
	for id, r := range c.sources {
		o := st.Objects[id]
		now := r.current()
		o.Status, o.Error, o.Hint = now.Status, now.Error, now.Hint
		o.ErrorsKept, o.ErrorsDropped = r.errs.rows, r.errs.dropped
		o.Letters = r.lettered
		o.Good, o.Bad, o.ReadBytes, o.NewestMS, o.CaughtUp = r.good, r.bad, r.bytes, r.newestMS, r.caughtUp
		for p, next := range r.next {
			o.Partitions = append(o.Partitions, catalog.PartitionStatus{Partition: p, Next: next, High: max(r.high[p], next)})
		}
		o.Log = r.logStatus()
		if o.Log != nil && len(o.Partitions) == 1 {
			o.Partitions[0].High = max(o.Partitions[0].High, o.Log.End)
		}
		st.Objects[id] = o
	}
	for id, f := range c.fed {
		o := st.Objects[id]
		now := f.run.current()
		o.Status, o.Error, o.Hint, o.CaughtUp, o.Filled, o.FillTotal = now.Status, now.Error, now.Hint, f.ready, f.filled, f.total
		st.Objects[id] = o
	}
}

// logStatus is how far a source has read a log; nil: it reads none.
func (r *sourceRun) logStatus() *catalog.LogStatus {
	l, ok := r.connector.(sources.Positioned)
	if !ok {
		return nil
	}
	p := l.Position()
	return &catalog.LogStatus{Slot: p.Slot, Read: p.Read, Durable: p.Durable, Confirmed: p.Confirmed, Kept: p.Kept, End: p.End, AskedMS: p.AskedMS,
		BehindMS: p.BehindMS, Open: p.Open, OpenBytes: p.OpenBytes, SpilledBytes: p.SpilledBytes}
}

// Status is what runs and how far it is.
func (c *Coordinator) Status(ctx context.Context) (*catalog.Status, *repr.Error) {
	var st *catalog.Status
	err := c.do(ctx, func() { st = c.status() })
	return st, err
}
