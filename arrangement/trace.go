package arrangement

import (
	"fmt"
	"iter"
	"sync"

	"millrace/internal/check"
	"millrace/repr"
)

// Trace is an arrangement with its recent history: it can be read at every t with since ≤ t < upper. One goroutine
// writes (Append, Advance, Work); any may read.
type Trace struct {
	arr *Arrangement

	mu    sync.Mutex // guards all below; held for moments only
	since repr.Time
	upper repr.Time
	base  *Snapshot // the content at since
	steps []step    // what came after since, in order of time
	rows  int64
	bytes int64
}

// step is a tick that changed the collection.
type step struct {
	time  repr.Time
	batch Batch
	after *Snapshot
}

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
	if b.Len() > 0 {
		t.steps = append(t.steps, step{time: at, batch: b, after: t.arr.Snapshot()})
	}
	t.rows, t.bytes = t.arr.Rows(), t.arr.Bytes()
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

// Advance gives up the times before since.
func (t *Trace) Advance(since repr.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if since <= t.since {
		return
	}
	t.since = since
	n := 0
	for n < len(t.steps) && t.steps[n].time <= since {
		n++
	}
	if n > 0 {
		t.base = t.steps[n-1].after
		t.steps = append([]step(nil), t.steps[n:]...)
	}
}

// At is the content at a time.
func (t *Trace) At(at repr.Time) (*Snapshot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at < t.since || at >= t.upper {
		return nil, fmt.Errorf("time %d is not readable: since %d, upper %d", at, t.since, t.upper)
	}
	snap := t.base
	for i := len(t.steps) - 1; i >= 0; i-- {
		if t.steps[i].time <= at {
			snap = t.steps[i].after
			break
		}
	}
	return snap, nil
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

// Bytes is the memory of the arrangement.
func (t *Trace) Bytes() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bytes
}

// Work merges in the background, up to about fuel rows, and says whether nothing is left to do.
func (t *Trace) Work(fuel int) bool { return t.arr.Work(fuel) }
