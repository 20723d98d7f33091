package coord

import (
	"iter"
	"maps"
	"slices"
	"sync/atomic"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/lower"
)

// collection is one maintained multiset with its history: a table, a source, a view that is kept.
// The loop writes it; traces may be read from anywhere.
type collection struct {
	id      uint64
	name    string
	ok      *arrangement.Trace
	errs    *arrangement.Trace
	changed repr.Time // the last tick that changed it
	delta   dataflow.Delta
	dirty   bool // delta holds something for the tick that runs
	next    *arrangement.Builder
	sealed  arrangement.Batch // waits with next
	readers map[*subscription]struct{}
	lingers *lingering   // of readers that may come back; nil: none may
	crowd   atomic.Int64 // how many they were at the last tick
	last    *link        // the newest change that any of them was told of
	fresh   fresh        // the changes that are kept in encodings
}

func newCollection(id uint64, name string, since repr.Time) *collection {
	c := emptyCollection(id, name)
	c.ok.Append(since, arrangement.Batch{})
	c.errs.Append(since, arrangement.Batch{})
	c.ok.Advance(since)
	c.errs.Advance(since)
	return c
}

// emptyCollection is one that cannot be read yet.
func emptyCollection(id uint64, name string) *collection {
	return &collection{id: id, name: name, ok: arrangement.NewTrace(), errs: arrangement.NewTrace(),
		next: arrangement.NewBuilder(), readers: map[*subscription]struct{}{}, last: &link{change: &change{}}}
}

// queue adds an update to what the next tick takes.
func (c *collection) queue(row []byte, diff repr.Diff) { c.next.Add(row, diff) }

// queueAll adds a batch to what the next tick takes; the first is not copied.
func (c *collection) queueAll(b arrangement.Batch) {
	if c.sealed.Len() == 0 {
		c.sealed = b
		return
	}
	for i := range b.Len() {
		c.next.Add(b.Row(i), b.Diff(i))
	}
}

// waits says whether anything is to go into the next tick.
func (c *collection) waits() bool { return c.next.Len()+c.sealed.Len() > 0 }

// unqueue forgets what waits.
func (c *collection) unqueue() {
	c.next.Reset()
	c.sealed = arrangement.Batch{}
}

// close seals what waits into the delta of the tick that starts.
func (c *collection) close() {
	if !c.waits() {
		return
	}
	if c.next.Len() > 0 {
		for i := range c.sealed.Len() {
			c.next.Add(c.sealed.Row(i), c.sealed.Diff(i))
		}
		c.sealed = c.next.Seal()
	}
	c.delta = dataflow.Delta{OK: c.sealed}
	c.unqueue()
	c.dirty = c.delta.OK.Len() > 0
}

// apply makes the delta part of the collection at t, also when there is none.
func (c *collection) apply(t repr.Time) {
	c.ok.Append(t, c.delta.OK)
	c.errs.Append(t, c.delta.Err)
	if c.dirty {
		c.changed = t
	}
}

// deltas are the ticks after one time up to another, of those that changed the collection.
func (c *collection) deltas(after, upTo repr.Time) iter.Seq2[repr.Time, dataflow.Delta] {
	byTime := map[repr.Time]dataflow.Delta{}
	for t, b := range c.ok.Deltas(after, upTo) {
		byTime[t] = dataflow.Delta{OK: b}
	}
	for t, b := range c.errs.Deltas(after, upTo) {
		byTime[t] = dataflow.Delta{OK: byTime[t].OK, Err: b}
	}
	return func(yield func(repr.Time, dataflow.Delta) bool) {
		for _, t := range slices.Sorted(maps.Keys(byTime)) {
			if !yield(t, byTime[t]) {
				return
			}
		}
	}
}

// settle forgets the delta of the tick that has ended.
func (c *collection) settle() {
	c.delta, c.dirty = dataflow.Delta{}, false
}

// advance lets history before since be forgotten.
func (c *collection) advance(since repr.Time) {
	c.ok.Advance(since)
	c.errs.Advance(since)
}

// history is how many ticks that changed the collection can be told apart, and what their batches take.
func (c *collection) history() (ticks int, bytes int64) {
	ticks, bytes = c.ok.History()
	failed, more := c.errs.History()
	return max(ticks, failed), bytes + more
}

// bytes is the memory that the collection holds.
func (c *collection) bytes() int64 { return c.ok.Bytes() + c.errs.Bytes() }

// view is a collection kept up to date by a dataflow.
type view struct {
	out       *collection
	flow      *dataflow.Dataflow
	inputs    []uint64 // all collections that it depends on directly, also by an import
	imports   []*imported
	named     bool         // it is in the catalog, not the hidden view of a subscription
	installed bool         // it is part of the tick
	failed    *repr.Error  // set when its dataflow broke; it no longer steps
	due       repr.Time    // when it changes next without input
	keys      [][]int      // sets of columns by which its rows are unique
	grows     bool         // rows are only added to it
	index     *lower.Index // of an index: what it imports; nil for a view
	indexCols []int
	plan      *planned     // what it keeps, as it is without any other view; nil of an index
	asked     []uint64     // the collections that the plan names
	parts     []uint64     // the views that keep what it reads of its parts
	users     int          // views that read this one as a part of theirs
	unnamed   bool         // it is there for its users alone
	replaces  *replacement // it is to take over for a view that there is
}

// kept is the size of what the view or index keeps for its readers.
func (v *view) kept() (rows, bytes int64) {
	if v.index != nil {
		a := v.imports[0].shared.arr
		return a.Rows(), a.Bytes()
	}
	return v.out.ok.Rows(), v.out.bytes()
}
