package arrangement

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"sync"

	"millrace/internal/check"
	"millrace/repr"
)

// Trace is an arrangement with its recent history: it can be read at every t with since ≤ t < upper. One goroutine
// writes (Append, Advance, Work); any may read.
//
// A snapshot is cheap when it is taken, and dear when it is kept: it holds every block that has been rewritten since. So each of
// the newest steps has one, and of those before them few have: between these the batches lead from one to the next.
type Trace struct {
	arr     *Arrangement
	filling bool // it belongs to who writes

	mu      sync.Mutex // guards all below; held for moments only
	since   repr.Time
	upper   repr.Time
	base    *Snapshot // the content before the first of the steps
	steps   []step    // in order of time; the first may lie before since, for a snapshot to start from
	settled int       // steps of which it is decided whether they keep their snapshot
	gap     int       // updates of the settled steps behind the last that has one
	held    int       // updates of all steps
	past    int64     // bytes of their batches
	made    []made    // contents that were asked for and put together, oldest first
	rows    int64
	bytes   int64
}

// step is a tick that changed the collection.
type step struct {
	time  repr.Time
	batch Batch
	after *Snapshot // nil: it is put together from one before and the batches since

	replaced int64 // rows that had been written anew when it was new
}

// made is the content at a step that keeps no snapshot.
type made struct {
	time repr.Time
	snap *Snapshot
}

// How many steps keep their snapshots, and how many updates lie between those that others keep: a part of all that is held, and
// of the rows, so that what the snapshots hold is not more than a few times what the batches do.
const (
	recentSteps = 64
	gapOfHeld   = 2
	gapOfRows   = 2
	gapLeast    = 4096
	gapMost     = 1 << 20
	mostMade    = 4
)

// NewTrace makes an empty trace: since 0, upper 0.
func NewTrace() *Trace {
	t := &Trace{arr: New()}
	t.base = t.arr.Snapshot()
	return t
}

// Append adds what happened at t and moves upper to t+1. Times only grow; an empty batch says that nothing happened.
func (t *Trace) Append(at repr.Time, b Batch) {
	check.That(at >= t.upper, "trace goes back from %d to %d", t.upper, at)
	if b.Len() > 0 {
		t.arr.Insert(b)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.upper = at + 1
	if b.Len() > 0 && !t.filling {
		t.steps = append(t.steps, step{time: at, batch: b, after: t.arr.Snapshot(), replaced: t.arr.replaced})
		t.held += b.Len()
		t.past += int64(b.Bytes())
		for t.isLong() {
			t.settle()
		}
	}
	t.rows, t.bytes = t.arr.Rows(), t.arr.Bytes()
}

// BeginFill begins a first content that comes in pieces, with an Append of each: nobody reads the trace until EndFill, and none of
// the times before that are told apart.
func (t *Trace) BeginFill() {
	t.arr.BeginFill()
	t.filling = true
}

// EndFill ends the first content.
func (t *Trace) EndFill() {
	t.arr.EndFill()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.filling = false
	t.base, t.since = t.arr.Snapshot(), max(t.since, t.upper)
	t.rows, t.bytes = t.arr.Rows(), t.arr.Bytes()
}

// isLong says whether the oldest of the recent steps has to be settled: they are many, or what their snapshots hold is, as when a
// first content comes in large ticks, of which each rewrites much of what is there.
func (t *Trace) isLong() bool {
	n := len(t.steps) - t.settled
	if n <= 1 {
		return false
	}
	return n > recentSteps || t.arr.replaced-t.steps[t.settled].replaced > max(t.arr.Rows()/gapOfRows, gapLeast)
}

// settle decides whether the oldest of the recent steps keeps its snapshot.
func (t *Trace) settle() {
	s := &t.steps[t.settled]
	t.settled++
	t.gap += s.batch.Len()
	most := min(t.held/gapOfHeld, int(t.arr.Rows())/gapOfRows, gapMost)
	if t.gap >= max(most, gapLeast) {
		t.gap = 0
	} else {
		s.after = nil
	}
}

// Upper is the first time that is not complete.
func (t *Trace) Upper() repr.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.upper
}

// Since is the first time that can be read.
func (t *Trace) Since() repr.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.since
}

// History is how many ticks that changed something can be told apart, and the memory of their batches.
func (t *Trace) History() (ticks int, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.steps), t.past
}

// Advance gives up the times before since.
func (t *Trace) Advance(since repr.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if since <= t.since {
		return
	}
	t.since = since
	n := t.stepAt(since)
	for n >= 0 && t.steps[n].after == nil {
		n--
	}
	if n < 0 {
		return
	}
	t.base = t.steps[n].after
	for i := range t.steps[:n+1] {
		t.held -= t.steps[i].batch.Len()
		t.past -= int64(t.steps[i].batch.Bytes())
	}
	if n >= t.settled {
		t.gap = 0
	}
	t.steps = append([]step(nil), t.steps[n+1:]...)
	t.settled = max(t.settled-n-1, 0)
	t.made = slices.DeleteFunc(t.made, func(m made) bool { return m.time < since && (len(t.steps) == 0 || m.time < t.steps[0].time) })
}

// stepAt is the last step at or before a time; -1 when there is none.
func (t *Trace) stepAt(at repr.Time) int {
	i, found := slices.BinarySearchFunc(t.steps, at, func(s step, at repr.Time) int { return cmp.Compare(s.time, at) })
	if found {
		return i
	}
	return i - 1
}

// At is the content at a time.
func (t *Trace) At(at repr.Time) (*Snapshot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at < t.since || at >= t.upper {
		return nil, fmt.Errorf("time %d is not readable: since %d, upper %d", at, t.since, t.upper)
	}
	i := t.stepAt(at)
	switch {
	case i < 0:
		return t.base, nil
	case t.steps[i].after != nil:
		return t.steps[i].after, nil
	}
	for _, m := range t.made {
		if m.time == t.steps[i].time {
			return m.snap, nil
		}
	}
	snap := t.putTogether(i)
	if t.made = append(t.made, made{time: t.steps[i].time, snap: snap}); len(t.made) > mostMade {
		t.made = slices.Delete(t.made, 0, 1)
	}
	return snap, nil
}

// putTogether is the content after a step that keeps no snapshot.
func (t *Trace) putTogether(i int) *Snapshot {
	from := i
	for from >= 0 && t.steps[from].after == nil {
		from--
	}
	snap := t.base
	if from >= 0 {
		snap = t.steps[from].after
	}
	sum := NewBuilder()
	for _, s := range t.steps[from+1 : i+1] {
		for k := range s.batch.Len() {
			sum.Add(s.batch.Row(k), s.batch.Diff(k))
		}
	}
	return snap.plus(sum.Seal())
}

// Deltas are the ticks after one time up to another, of those that changed something. after must not be less than since.
func (t *Trace) Deltas(after, upTo repr.Time) iter.Seq2[repr.Time, Batch] {
	t.mu.Lock()
	defer t.mu.Unlock()
	check.That(after >= t.since, "deltas after %d, since is %d", after, t.since)
	steps := t.steps
	return func(yield func(repr.Time, Batch) bool) {
		for _, s := range steps {
			if s.time > after && s.time <= upTo && !yield(s.time, s.batch) {
				return
			}
		}
	}
}

// Rows is the number of rows, each as often as it counts.
func (t *Trace) Rows() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rows
}

// Bytes is the memory of the arrangement, without that of its history.
func (t *Trace) Bytes() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bytes
}

// Work merges in the background, up to about fuel rows, and says whether nothing is left to do.
func (t *Trace) Work(fuel int) bool { return t.arr.Work(fuel) }
