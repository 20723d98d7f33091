package generate

import (
	"io"

	"millrace/sources/generator/nexmark"
)

// eventMicros is how far events are apart: ten come in a millisecond.
const eventMicros = 100

// Nexmark writes events of an auction site: people, auctions and bids.
func Nexmark(w io.Writer, events int64) error {
	if err := positive("nexmark", events); err != nil {
		return err
	}
	out, site := newRecorder(w), nexmark.New(42, eventMicros)
	out.ints(events)
	for range events {
		e := site.Next()
		out.event(&e)
	}
	return out.flush("nexmark")
}

// event writes the number of the event's table, and the fields.
func (r *recorder) event(e *nexmark.Event) {
	r.kind(byte(e.Table))
	switch e.Table {
	case nexmark.Person:
		p := &e.Person
		r.ints(p.ID, p.At)
		r.texts(p.Name, p.Email, p.Card, p.City, p.State, p.Filler)
	case nexmark.Auction:
		a := &e.Auction
		r.ints(a.ID)
		r.texts(a.Item, a.Description)
		r.ints(a.Initial, a.Reserve, a.At, a.Expires, a.Seller, a.InCategory)
		r.texts(a.Filler)
	default:
		b := &e.Bid
		r.ints(b.Auction, b.Bidder, b.Price)
		r.texts(b.Channel, b.URL)
		r.ints(b.At)
		r.texts(b.Filler)
	}
}
