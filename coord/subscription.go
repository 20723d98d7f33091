package coord

import (
	"context"
	"slices"
	"sync"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/repr"
)

// change is what one tick did to a subscribed collection.
type change struct {
	time  repr.Time
	delta dataflow.Delta
}

func (c *change) bytes() int64 { return int64(c.delta.OK.Bytes() + c.delta.Err.Bytes()) }

// subscription is a reader that goes on: the loop delivers to it, a session takes from it. What it holds is
// bounded: a reader that falls too far behind is cut off with an error, and no one else waits for it.
type subscription struct {
	limit int64

	mu    sync.Mutex // guards all below
	queue []change
	held  int64
	upper repr.Time // every time before it has been delivered
	err   *repr.Error
	wake  chan struct{} // has room for one
}

func newSubscription(upper repr.Time, limit int64) *subscription {
	return &subscription{limit: limit, upper: upper, wake: make(chan struct{}, 1)}
}

// deliver is called by the loop for each tick.
func (s *subscription) deliver(t repr.Time, d dataflow.Delta) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.upper = t + 1
	if d.OK.Len() > 0 || d.Err.Len() > 0 {
		s.queue = append(s.queue, change{time: t, delta: d})
		s.held += s.queue[len(s.queue)-1].bytes()
	}
	if s.held > s.limit {
		s.queue = nil
		s.err = repr.NewError(repr.CodeOutOfMemory, "subscription fell too far behind").
			WithDetail("the updates that wait for this client exceed the limit for one subscription").
			WithHint("read faster, or subscribe to fewer rows; the limit is the setting subscription_memory")
		s.held = 0
	}
	s.notify()
}

// fail ends the subscription with an error.
func (s *subscription) fail(err *repr.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.notify()
}

func (s *subscription) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// takeBytes is about how much one take gives: what a reader has taken no longer counts as held, so it must be little.
const takeBytes = 1 << 20

// take returns what has been delivered next, and the upper up to which that is complete. It does not wait.
func (s *subscription) take() (changes []change, upper repr.Time, err *repr.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, taken := 0, int64(0)
	for n < len(s.queue) && taken < takeBytes {
		taken += s.queue[n].bytes()
		n++
	}
	changes = slices.Clone(s.queue[:n])
	clear(s.queue[:n])
	s.held -= taken
	if n < len(s.queue) {
		s.queue = s.queue[n:]
		return changes, s.queue[0].time, nil
	}
	s.queue = nil
	return changes, s.upper, s.err
}

// wait blocks until something has been delivered since the last wait, or ctx ends.
func (s *subscription) wait(ctx context.Context) *repr.Error {
	select {
	case <-s.wake:
		return nil
	case <-ctx.Done():
		return ctxError(ctx)
	}
}

// heldBytes is the memory of what waits.
func (s *subscription) heldBytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// subscribed is a started subscription: the content at the as-of, and then its changes.
type subscribed struct {
	sub      *subscription
	at       repr.Time
	snapshot *arrangement.Snapshot
	errs     *arrangement.Snapshot
	cancel   func()
}

// subscribe starts a subscription to a collection as of a time (0: the newest complete one). It runs in the loop.
func (c *Coordinator) subscribe(col *collection, at repr.Time) (*subscribed, *repr.Error) {
	newest := c.oracle.complete
	if at == 0 {
		at = newest
	}
	if at > newest {
		return nil, nil // the caller waits and asks again
	}
	snap, errs, err := col.at(at)
	if err != nil {
		return nil, err
	}
	sub := newSubscription(at+1, c.opts.SubscriberBytes)
	for t, d := range col.deltas(at, newest) {
		sub.deliver(t, d)
	}
	sub.upper = newest + 1
	col.readers[sub] = struct{}{}
	return &subscribed{sub: sub, at: at, snapshot: snap, errs: errs, cancel: func() {
		c.later(func() { delete(col.readers, sub) })
	}}, nil
}

// later runs f in the loop without waiting for it.
func (c *Coordinator) later(f func()) {
	select {
	case c.commands <- f:
	case <-c.ctx.Done():
	}
}

// at is the content of the collection at a time.
func (c *collection) at(t repr.Time) (ok, errs *arrangement.Snapshot, err *repr.Error) {
	ok, e := c.ok.At(t)
	if e == nil {
		errs, e = c.errs.At(t)
	}
	if e != nil {
		return nil, nil, errUnreadable(c.name, e)
	}
	return ok, errs, nil
}
