package coord

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/internal/clock"
	"millrace/repr"
)

// change is what one tick did to a subscribed collection. It is kept once, and written once in each encoding, whether one or
// thousands read it.
type change struct {
	time  repr.Time
	delta dataflow.Delta
	sum   int64 // the bytes of all changes of the collection up to and with this one

	old     atomic.Bool // it is not kept in encodings any more
	mu      sync.Mutex  // guards encoded
	encoded map[string]encodedTick
}

func (c *change) bytes() int64 { return int64(c.delta.OK.Bytes() + c.delta.Err.Bytes()) }

// link is a change in the list that all who follow a collection walk: the loop adds to its end, each reader holds the place that it
// has come to, and what the slowest has passed is garbage.
type link struct {
	*change
	next *link // read only by those who were told of a later end
}

// subscription is a reader that goes on: the loop tells it of changes, a session takes them. What waits for it is bounded: one that
// falls behind is given, later, the difference of two contents in place of the changes between them, and one for which that would
// take too much is cut off with an error. No one else waits for it.
type subscription struct {
	clock clock.Clock
	crowd *atomic.Int64 // how many read the collection
	wake  chan struct{} // has room for one
	woken time.Time     // belongs to the reader

	mu     sync.Mutex // guards all below
	limit  int64
	exact  bool      // it must see every change: it is never given a difference
	always bool      // it is woken by ticks that change nothing too
	past   []*change // to be taken before what comes behind at: of history, or kept back when it was overtaken
	at     *link     // the last change taken
	end    *link     // the last there is
	upper  repr.Time // every time before it is complete
	base   *contents // of the time behind past, from which on changes are left out; nil: none are
	newest *contents // at the newest time, when changes are left out
	leap   *leap     // that the reader is at
	err    *repr.Error
}

// contents are both streams of a collection at a time.
type contents struct {
	time     repr.Time
	ok, errs *arrangement.Snapshot
}

func (c *contents) bytes() int64 { return c.ok.Bytes() + c.errs.Bytes() }

// leap is what a reader is given in place of changes that were left out: the difference of two contents.
type leap struct{ from, to *contents }

func newSubscription(upper repr.Time, end *link, limit int64) *subscription {
	return &subscription{limit: limit, exact: true, always: true, upper: upper, at: end, end: end, wake: make(chan struct{}, 1)}
}

// relax lets a reader be given differences, and be left in peace by ticks that change nothing.
func (s *subscription) relax(exact, always bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exact, s.always = exact, always
}

// deliver tells of a tick and says whether changes are left out from now on. It is called by the loop; now gives the contents.
func (s *subscription) deliver(t repr.Time, end *link, now func() *contents) (overtaken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	changed := end != s.end
	s.upper, s.end = t+1, end
	switch {
	case s.base != nil:
		s.at, s.newest = end, now()
	default:
		overtaken = s.press(s.end.sum-s.at.sum, now)
	}
	if changed || s.always || s.err != nil {
		s.notify()
	}
	return overtaken
}

// press looks at how many bytes of changes wait. From half the limit on they are left out, for a reader that may be given a
// difference when the contents for that are no more than the limit; beyond the limit the reader is cut off.
func (s *subscription) press(waiting int64, now func() *contents) (overtaken bool) {
	if waiting > s.limit/2 && !s.exact {
		if c := now(); c != nil && c.bytes() <= s.limit {
			s.overtake(c)
			return true
		}
	}
	if waiting > s.limit {
		s.cut()
	}
	return false
}

// overtake leaves out what comes from now on.
func (s *subscription) overtake(now *contents) {
	s.gather()
	s.base, s.newest = now, now
}

// gather takes what waits out of the list, for a place in it keeps all that comes behind.
func (s *subscription) gather() {
	for s.at != s.end {
		s.at = s.at.next
		s.past = append(s.past, s.at.change)
	}
}

// leave has the list go on without the subscription, which may be held for long by a session that waits for its client.
func (s *subscription) leave() {
	s.end = &link{change: &change{time: s.end.time, sum: s.end.sum}}
	s.at = s.end
}

// cut ends a reader that is too far behind.
func (s *subscription) cut() {
	s.past, s.base, s.newest = nil, nil, nil
	s.leave()
	s.err = repr.NewError(repr.CodeOutOfMemory, "subscription fell too far behind").
		WithDetail("the updates that wait for this client exceed the limit for one subscription").
		WithHint("read faster, or subscribe to fewer rows; the limit is the setting subscription_memory")
}

// fail ends the subscription with an error.
func (s *subscription) fail(err *repr.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		s.gather()
		s.leave()
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
func (s *subscription) take() (changes []*change, upper repr.Time, err *repr.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leap = nil
	for taken := int64(0); taken < takeBytes; {
		c := s.shift()
		if c == nil {
			break
		}
		taken += c.bytes()
		changes = append(changes, c)
	}
	switch {
	case len(s.past) > 0:
		return changes, s.past[0].time, nil
	case s.base != nil:
		return changes, s.base.time + 1, nil
	case s.at != s.end:
		return changes, s.at.next.time, nil
	default:
		return changes, s.upper, s.err
	}
}

// shift takes the next change; nil when there is none.
func (s *subscription) shift() *change {
	if len(s.past) > 0 {
		c := s.past[0]
		s.past = s.past[1:]
		return c
	}
	if s.at == s.end {
		return nil
	}
	s.at = s.at.next
	return s.at.change
}

// takeLeap returns what was left out, once all before it has been taken; nil when nothing was.
func (s *subscription) takeLeap() *leap {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.base == nil || len(s.past) > 0 {
		return nil
	}
	s.leap = &leap{from: s.base, to: s.newest}
	s.base, s.newest, s.past = nil, nil, nil
	return s.leap
}

// overtaken says whether the reader is given a difference next, for which nothing but contents is kept.
func (s *subscription) overtaken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base != nil || s.leap != nil
}

// holds are the contents that are kept for the reader.
func (s *subscription) holds() []*contents {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*contents
	if s.base != nil {
		out = append(out, s.base)
	}
	if s.leap != nil {
		out = append(out, s.leap.from, s.leap.to)
	}
	return out
}

// wait blocks until something has been delivered since the last wait, or ctx ends. Of many readers each is woken seldom, so that all
// together are woken no more often than wakes in a second: what one tick does not bring, the next does.
func (s *subscription) wait(ctx context.Context) *repr.Error {
	select {
	case <-s.wake:
	case <-ctx.Done():
		return ctxError(ctx)
	}
	pace := time.Duration(s.crowd.Load()) * time.Second / wakes
	if pace < leastPace {
		return nil
	}
	now := s.clock.Now()
	if rest := pace - now.Sub(s.woken); rest > 0 {
		if s.clock.Sleep(ctx, min(rest, pace)) != nil {
			return ctxError(ctx)
		}
		now = s.clock.Now()
	}
	s.woken = now
	return nil
}

// How often in a second the readers of a collection are woken, and which pause is not worth a timer.
const (
	wakes     = 25_000
	leastPace = time.Millisecond
)

// heldBytes is the memory of what waits.
func (s *subscription) heldBytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.end.sum - s.at.sum
	for _, c := range s.past {
		n += c.bytes()
	}
	return n
}

// publish hands the tick to the readers of the collection. It runs in the loop.
func (c *collection) publish(t repr.Time) {
	c.crowd.Store(int64(len(c.readers)))
	if len(c.readers) == 0 {
		return
	}
	if c.delta.OK.Len() > 0 || c.delta.Err.Len() > 0 {
		next := &change{time: t, delta: c.delta, sum: c.last.sum}
		next.sum += next.bytes()
		l := &link{change: next}
		c.last.next, c.last = l, l
		c.fresh.add(next)
	}
	var at *contents
	now := func() *contents {
		if at == nil {
			if ok, errs, err := c.at(t); err == nil {
				at = &contents{time: t, ok: ok, errs: errs}
			}
		}
		return at
	}
	overtaken := false
	for sub := range c.readers {
		overtaken = sub.deliver(t, c.last, now) || overtaken
	}
	if overtaken {
		c.boundContents()
	}
}

// mostContents is how many contents of a collection may be kept for readers that are behind. Those that fall behind at the same time
// share one.
const mostContents = 8

// boundContents cuts off those for whom the oldest contents are kept, when there are too many.
func (c *collection) boundContents() {
	users := map[*contents][]*subscription{}
	for sub := range c.readers {
		for _, held := range sub.holds() {
			users[held] = append(users[held], sub)
		}
	}
	for len(users) > mostContents {
		var oldest *contents
		for held := range users {
			if oldest == nil || held.time < oldest.time {
				oldest = held
			}
		}
		for _, sub := range users[oldest] {
			sub.mu.Lock()
			sub.cut()
			sub.notify()
			sub.mu.Unlock()
		}
		delete(users, oldest)
	}
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
	sub := newSubscription(newest+1, col.last, c.opts.SubscriberBytes)
	sub.clock, sub.crowd = c.opts.Clock, &col.crowd
	for t, d := range col.deltas(at, newest) { // history holds them, whether they wait here or not
		sub.past = append(sub.past, &change{time: t, delta: d})
	}
	if len(sub.past) > 0 {
		sub.notify()
	}
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

// Encoding writes all rows of a time at once, for many readers: those with equal keys see the same bytes, which are written once.
type Encoding struct {
	Key  string
	Tick func(dst []byte, t repr.Time, rows [][]byte) []byte
}

// encodedTick is a change in an encoding.
type encodedTick struct {
	bytes []byte
	rows  int
}

// in is the change in an encoding; rows makes its rows.
func (c *change) in(key string, e *Encoding, rows func() [][]byte) encodedTick {
	c.mu.Lock()
	defer c.mu.Unlock()
	if done, ok := c.encoded[key]; ok {
		return done
	}
	all := rows()
	done := encodedTick{rows: len(all), bytes: slices.Clip(e.Tick(nil, c.time, all))}
	if c.old.Load() {
		return done
	}
	if c.encoded == nil {
		c.encoded = map[string]encodedTick{}
	}
	c.encoded[key] = done
	return done
}

// age gives up the encodings: who still has to read the change is behind, and writes it for itself. It does not wait for one who
// writes it now.
func (c *change) age() {
	c.old.Store(true)
	if c.mu.TryLock() {
		c.encoded = nil
		c.mu.Unlock()
	}
}

// How many bytes of changes of a collection, and how many changes, are kept in encodings for those who read them at about the same
// time. What waits for one who is behind is counted, and its encodings, which can be several times as large, are not.
const (
	freshBytes   = 4 << 20
	freshChanges = 4096
)

// fresh are the newest changes of a collection. It keeps none: those that nobody has to read are garbage.
type fresh struct {
	changes []weak.Pointer[change]
	sums    []int64 // of each the bytes up to and with it
}

// add takes a new change and ages those that are not among the newest any more.
func (f *fresh) add(c *change) {
	n := 0
	for n < len(f.sums) && (c.sum-f.sums[n] > freshBytes || len(f.sums)-n >= freshChanges) {
		if old := f.changes[n].Value(); old != nil {
			old.age()
		}
		n++
	}
	f.changes = append(slices.Delete(f.changes, 0, n), weak.Make(c))
	f.sums = append(slices.Delete(f.sums, 0, n), c.sum)
}
