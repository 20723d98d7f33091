package coord

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"millrace/coord/catalog"
	"millrace/internal/journal"
	"millrace/repr"
	"millrace/sql/ast"
)

// A subscription of the catalog is a reader that the server remembers: what it has acknowledged is durable, and of what comes behind
// that the history is kept, for as long as the subscription says. So its stream goes on where it was, whatever has crashed meanwhile.

// defaultRetainFor is how long a subscription that says nothing about it may leave changes unacknowledged.
const defaultRetainFor = time.Hour

// optionRetainFor is the option that says it.
const optionRetainFor = "retain for"

// subscriptionSpec is what a subscription was made with.
type subscriptionSpec struct {
	retain   time.Duration
	snapshot bool // it begins with the content
}

// subscriptionSpecOf reads the options of CREATE SUBSCRIPTION.
func subscriptionSpecOf(options []ast.Option) (*subscriptionSpec, *repr.Error) {
	spec := &subscriptionSpec{retain: defaultRetainFor, snapshot: true}
	for _, o := range options {
		switch o.Name {
		case optionRetainFor:
			d, err := retainInterval(o, "RETAIN FOR")
			if err != nil {
				return nil, err
			}
			spec.retain = d
		case "snapshot":
			v, ok := optionBool(o)
			if !ok {
				return nil, repr.NewError(repr.CodeInvalidParameter, "option snapshot must be true or false").At(o.Pos)
			}
			spec.snapshot = v
		default:
			return nil, repr.NewError(repr.CodeInvalidParameter, "unrecognized parameter \""+o.Name+"\"").
				WithHint("the options are RETAIN FOR '<interval>' and SNAPSHOT").At(o.Pos)
		}
	}
	return spec, nil
}

// place is how far the reader of a subscription has come: all up to a time was taken in, the content at it too unless it is still
// to be shown.
type place struct {
	at      repr.Time
	content bool // the content at the time is still to be shown
}

func (p place) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(p.at))
	if p.content {
		return append(b, 1)
	}
	return append(b, 0)
}

func parsePlace(b []byte) (place, bool) {
	at, n := binary.Uvarint(b)
	if n <= 0 || len(b) != n+1 || b[n] > 1 {
		return place{}, false
	}
	return place{at: repr.Time(at), content: b[n] == 1}, true
}

func placeNote(id uint64) string { return fmt.Sprintf("place/%0*x", noteIDDigits, id) }

// named is a subscription of the catalog, as the loop keeps it.
type named struct {
	id, on  uint64
	retain  time.Duration
	place   place
	streams map[*subscription]struct{}
}

// needs is the time behind which the changes of its relation are kept for it.
func (n *named) needs(complete repr.Time) repr.Time {
	return max(n.place.at, reachBack(complete, n.retain))
}

// neededByNamed is from when on history is kept for subscriptions, by relation. It runs in the loop.
func (c *Coordinator) neededByNamed() map[uint64]repr.Time {
	out := make(map[uint64]repr.Time, len(c.named))
	for id, col := range c.collections {
		if need, ok := col.needsLingering(c.oracle.complete); ok {
			out[id] = need
		}
	}
	for _, n := range c.named {
		need := n.needs(c.oracle.complete)
		if known, ok := out[n.on]; !ok || need < known {
			out[n.on] = need
		}
	}
	return out
}

// placeNotes make durable what was acknowledged.
func (c *Coordinator) placeNotes() []journal.Note {
	var notes []journal.Note
	for id, at := range c.acknowledged {
		if c.named[id] != nil {
			notes = append(notes, journal.Note{Key: placeNote(id), Value: place{at: at}.encode()})
		}
	}
	slices.SortFunc(notes, func(a, b journal.Note) int { return strings.Compare(a.Key, b.Key) })
	return notes
}

// settlePlaces takes over what is durable now. It runs in the loop.
func (c *Coordinator) settlePlaces() {
	for id, at := range c.acknowledged {
		if n := c.named[id]; n != nil {
			n.place = place{at: at}
		}
	}
	clear(c.acknowledged)
}

// endNamed forgets a subscription that was dropped, and ends its streams. It runs in the loop.
func (c *Coordinator) endNamed(id uint64) {
	n := c.named[id]
	if n == nil {
		return
	}
	for sub := range n.streams {
		sub.fail(repr.NewError(repr.CodeUndefinedObject, "the subscription was dropped"))
	}
	delete(c.named, id)
}

// named takes up a subscription after a restart.
func (r *restoring) named(it *catalog.Item) *repr.Error {
	key := placeNote(it.ID)
	p, ok := parsePlace(r.notes[key])
	if !ok {
		return damagedNote(key, fmt.Errorf("it is %x", r.notes[key]))
	}
	r.c.named[it.ID] = newNamed(it, p)
	return nil
}

func newNamed(it *catalog.Item, p place) *named {
	return &named{id: it.ID, on: it.On, retain: it.Def.(*subscriptionSpec).retain, place: p, streams: map[*subscription]struct{}{}}
}

func (s *Session) createSubscription(ctx context.Context, st *ast.CreateSubscription) (*Result, *repr.Error) {
	res := &Result{Tag: "CREATE SUBSCRIPTION"}
	it, err := s.newItem(st.Name, catalog.Subscription, st.IfNotExists)
	if err != nil || it == nil {
		return res, err
	}
	on := s.c.Catalog().Find(st.On.Parts, s.path())
	if on == nil {
		return nil, s.noRelation(s.c.Catalog(), st.On)
	}
	if on.Failed != nil {
		return nil, errFailed(on).At(st.On.Pos)
	}
	switch on.Kind {
	case catalog.MaterializedView, catalog.Source, catalog.Table:
	default:
		return nil, repr.NewError(repr.CodeWrongObjectType, "a subscription needs a materialized view, a source or a table; \""+
			on.Name+"\" is "+a(on.Kind)).WithHint(insteadOf(on)).At(st.On.Pos)
	}
	if err := fixedColumns(on); err != nil {
		return nil, err.At(st.On.Pos)
	}
	spec, err := subscriptionSpecOf(st.Options)
	if err != nil {
		return nil, err
	}
	it.On, it.Depends, it.Def = on.ID, []uint64{on.ID}, spec
	it.Statement = ast.Format(st)
	it.CreateSQL = it.Statement
	if err := s.awaitReady(ctx, []uint64{on.ID}); err != nil {
		return nil, err
	}
	return res, s.add(ctx, it, func() *repr.Error {
		s.c.named[it.ID] = newNamed(it, place{at: s.c.oracle.complete, content: spec.snapshot})
		return nil
	})
}

// acknowledge runs ACKNOWLEDGE: it answers when it is durable.
func (s *Session) acknowledge(ctx context.Context, st *ast.Acknowledge) (*Result, *repr.Error) {
	if s.tx.open && !s.tx.implicit {
		return nil, repr.NewError(repr.CodeActiveTransaction, "ACKNOWLEDGE cannot run inside a transaction block").At(st.Pos)
	}
	it, err := s.findFor(ast.KindSubscription, st.Name, false)
	if err != nil {
		return nil, err
	}
	if it.Failed != nil {
		return nil, errFailed(it).At(st.Name.Pos)
	}
	at, err := s.timeOf(st.Time)
	if err != nil {
		return nil, err
	}
	return &Result{Tag: "ACKNOWLEDGE"}, s.acknowledgeAt(ctx, it, at)
}

// acknowledgeAt notes that all up to a time was taken in. What was acknowledged before stays so.
func (s *Session) acknowledgeAt(ctx context.Context, it *catalog.Item, at repr.Time) *repr.Error {
	var failure *repr.Error
	var before repr.Time
	answer := make(chan error, 1)
	err := s.c.do(ctx, func() { before, failure = s.c.acknowledge(it, at, answer) })
	if err == nil {
		err = failure
	}
	if err != nil {
		return err
	}
	e := <-answer // it is on its way, whatever the client does
	if s.c.turn(ctx); e != nil {
		return asError(e)
	}
	if before > at {
		s.noticef("\"" + it.Name + "\" has acknowledged " + itoa(int64(before)) + " already")
	}
	return nil
}

// acknowledge is the part that runs in the loop. It gives the time that was acknowledged before.
func (c *Coordinator) acknowledge(it *catalog.Item, at repr.Time, answer chan<- error) (before repr.Time, err *repr.Error) {
	n := c.named[it.ID]
	switch {
	case n == nil:
		return 0, repr.NewError(repr.CodeUndefinedObject, "subscription \""+it.Name+"\" was dropped")
	case c.broken != nil:
		return 0, asError(c.broken)
	case at > c.oracle.complete:
		return 0, repr.NewError(repr.CodeInvalidParameter, "the time "+itoa(int64(at))+" has not come to its end and cannot be acknowledged").
			WithDetail("The newest time that is complete is " + itoa(int64(c.oracle.complete)) + ".")
	case at < n.place.at:
		answer <- nil
		return n.place.at, nil
	}
	c.acknowledged[it.ID] = max(c.acknowledged[it.ID], at)
	c.queued = true
	c.waiting = append(c.waiting, answer)
	return 0, nil
}

// subscribeNamed subscribes behind what a subscription has acknowledged. Asked for the content, it begins anew with that of now.
func (s *Session) subscribeNamed(ctx context.Context, it *catalog.Item, o *subscribeOptions) (*subscribed, *repr.Error) {
	if err := s.awaitReady(ctx, []uint64{it.On}); err != nil {
		return nil, err
	}
	var started *subscribed
	var failure *repr.Error
	err := s.c.do(ctx, func() { started, failure = s.c.subscribeNamed(it, o) })
	if err == nil {
		err = failure
	}
	return started, err
}

// subscribeNamed is the part that runs in the loop.
func (c *Coordinator) subscribeNamed(it *catalog.Item, o *subscribeOptions) (*subscribed, *repr.Error) {
	n, col := c.named[it.ID], c.collections[it.On]
	if n == nil || col == nil {
		return nil, repr.NewError(repr.CodeUndefinedObject, "subscription \""+it.Name+"\" was dropped")
	}
	at := n.place.at
	switch {
	case o.anew:
		at = 0
	case col.ok.Since() > at:
		return nil, errNotRetained(it, n, col.ok.Since())
	default:
		o.snapshot = o.snapshot && n.place.content
	}
	started, err := c.subscribe(col, at)
	if err != nil {
		return nil, err
	}
	n.streams[started.sub] = struct{}{}
	end := started.cancel
	started.cancel = func() {
		c.later(func() { delete(n.streams, started.sub) })
		end()
	}
	return started, nil
}

// errNotRetained says that what a subscription has not acknowledged is gone.
func errNotRetained(it *catalog.Item, n *named, since repr.Time) *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, "subscription \""+it.Name+"\" cannot go on behind the time "+itoa(int64(n.place.at))+
		": changes are kept from "+itoa(int64(since))+" on").
		WithDetail("It has acknowledged nothing since, and its RETAIN FOR is " + n.retain.String() + ".").
		WithHint("SUBSCRIBE " + ast.QuoteIdent(it.Name) + " WITH (SNAPSHOT) begins anew with the content of now; acknowledge sooner, or make the " +
			"subscription with a longer RETAIN FOR")
}

// namedStatus is how far the subscriptions of the catalog are. It runs in the loop.
func (c *Coordinator) namedStatus() map[uint64]catalog.NamedStatus {
	out := map[uint64]catalog.NamedStatus{}
	for id, n := range c.named {
		st := catalog.NamedStatus{NeededFrom: n.needs(c.oracle.complete), RetainFor: n.retain, Readers: len(n.streams), Status: "idle"}
		if !n.place.content {
			st.Acknowledged = n.place.at
		}
		col := c.collections[n.on]
		switch {
		case len(n.streams) > 0:
			st.Status = "reading"
		case col != nil && col.ok.Since() > n.place.at:
			st.Status = "lost"
		}
		out[id] = st
	}
	return out
}

// showSubscription is a row of SHOW SUBSCRIPTIONS.
func (s *Session) showSubscription(it *catalog.Item, status *catalog.Status) []string {
	row := []string{it.Name, "", "", "failed"}
	if on := s.c.Catalog().Item(it.On); on != nil {
		row[1] = on.FullName()
	}
	if n, ok := status.Named[it.ID]; ok {
		row[3] = n.Status
		if n.Acknowledged > 0 {
			row[2] = itoa(int64(n.Acknowledged))
		}
	}
	return row
}
