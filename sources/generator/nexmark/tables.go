package nexmark

import (
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sources/generator"
)

// The tables, as indexes of Tables.
const (
	Person = iota
	Auction
	Bid
)

// Tables are the three tables. Bids have no key.
var Tables = []generator.Table{
	Person: {Name: "person", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("id", generator.Int8), generator.Column("name", generator.Text),
		generator.Column("email_address", generator.Text), generator.Column("credit_card", generator.Text),
		generator.Column("city", generator.Text), generator.Column("state", generator.Text),
		generator.Column("date_time", generator.Timestamp), generator.Column("extra", generator.Text),
	}},
	Auction: {Name: "auction", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("id", generator.Int8), generator.Column("item_name", generator.Text),
		generator.Column("description", generator.Text), generator.Column("initial_bid", generator.Int8),
		generator.Column("reserve", generator.Int8), generator.Column("date_time", generator.Timestamp),
		generator.Column("expires", generator.Timestamp), generator.Column("seller", generator.Int8),
		generator.Column("category", generator.Int8), generator.Column("extra", generator.Text),
	}},
	Bid: {Name: "bid", Columns: repr.RowDesc{
		generator.Column("auction", generator.Int8), generator.Column("bidder", generator.Int8),
		generator.Column("price", generator.Int8), generator.Column("channel", generator.Text),
		generator.Column("url", generator.Text), generator.Column("date_time", generator.Timestamp),
		generator.Column("extra", generator.Text),
	}},
}

// Change is the event as a row that comes into its table.
func (e *Event) Change() generator.Change {
	var row []repr.Datum
	switch e.Table {
	case Person:
		p := &e.Person
		row = []repr.Datum{repr.Int8(p.ID), repr.Text(p.Name), repr.Text(p.Email), repr.Text(p.Card), repr.Text(p.City),
			repr.Text(p.State), moment(p.At), repr.Text(p.Filler)}
	case Auction:
		a := &e.Auction
		row = []repr.Datum{repr.Int8(a.ID), repr.Text(a.Item), repr.Text(a.Description), repr.Int8(a.Initial), repr.Int8(a.Reserve),
			moment(a.At), moment(a.Expires), repr.Int8(a.Seller), repr.Int8(a.InCategory), repr.Text(a.Filler)}
	default:
		b := &e.Bid
		row = []repr.Datum{repr.Int8(b.Auction), repr.Int8(b.Bidder), repr.Int8(b.Price), repr.Text(b.Channel), repr.Text(b.URL),
			moment(b.At), repr.Text(b.Filler)}
	}
	return generator.Change{Table: e.Table, New: row}
}

// moment is a timestamp, which counts from 2000.
func moment(millis int64) repr.Datum {
	return repr.Timestamp(millis*1000 + pgfmt.DaysFromCivil(1970, 1, 1)*86_400_000_000)
}
