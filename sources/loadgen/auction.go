package loadgen

import (
	"strconv"

	"millrace/repr"
	"millrace/sources/generator"
)

// auction is a house of auctions, with the tables that users of Materialize know. Organizations, users and accounts are there from the
// beginning; of eleven steps one opens an auction and ten are bids for it.
type auction struct {
	seed int64
	n    int64
}

const (
	auctionOrganizations = 10
	auctionUsers         = 100
	auctionAccounts      = 100
	auctionBids          = 10
	auctionMicros        = 10_000_000 // how long an auction lasts
)

// The tables of the house, as indexes of auctionTables.
const (
	tableOrganizations = iota
	tableUsers
	tableAccounts
	tableAuctions
	tableBids
)

var momentType = repr.TypeOf(repr.KindTimestampTZ)

var auctionTables = []generator.Table{
	tableOrganizations: {Name: "organizations", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("id", generator.Int8), generator.Column("name", generator.Text)}},
	tableUsers: {Name: "users", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("id", generator.Int8), generator.Column("org_id", generator.Int8), generator.Column("name", generator.Text)}},
	tableAccounts: {Name: "accounts", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("id", generator.Int8), generator.Column("org_id", generator.Int8), generator.Column("balance", generator.Int8)}},
	tableAuctions: {Name: "auctions", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("id", generator.Int8), generator.Column("seller", generator.Int8), generator.Column("item", generator.Text),
		generator.Column("end_time", momentType)}},
	tableBids: {Name: "bids", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("id", generator.Int8), generator.Column("buyer", generator.Int8), generator.Column("auction_id", generator.Int8),
		generator.Column("amount", generator.Int4), generator.Column("bid_time", momentType)}},
}

var (
	auctionGivenNames = []string{"Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gia", "Hugo", "Ida", "Jon"}
	auctionTrades     = []string{"Bakery", "Boats", "Books", "Bricks", "Cheese", "Clocks", "Garden", "Glass", "Paper", "Tools"}
	auctionItems      = []string{"Antique Clock", "Signed Guitar", "Gift Basket", "Bicycle", "Oil Painting", "Weekend at the Sea", "Fountain Pen", "Telescope"}
)

func newAuction(cfg *Config) (world, error) { return &auction{seed: int64(cfg.Seed)}, nil }

func (*auction) tables() []generator.Table { return auctionTables }

func (*auction) first() int64 { return 1 }

func (a *auction) seek(step int64) { a.n = step }

func (a *auction) next(at func(int64) int64) []generator.Change {
	n := a.n
	a.n++
	if n == 0 {
		return a.members()
	}
	draw := generator.ChanceOf(a.seed, 1, n)
	event := n - 1
	id := event/(auctionBids+1) + 1
	user := repr.Int8(1 + draw.Below(auctionUsers))
	if event%(auctionBids+1) == 0 {
		return []generator.Change{{Table: tableAuctions, New: []repr.Datum{repr.Int8(id), user, repr.Text(draw.Pick(auctionItems)), moment(at(n) + auctionMicros)}}}
	}
	bid := event - id + 1 // those that opened an auction left out
	return []generator.Change{{Table: tableBids, New: []repr.Datum{repr.Int8(bid), user, repr.Int8(id), repr.Int4(int32(draw.Between(1, 100))), moment(at(n))}}}
}

// members are the rows that are there from the beginning.
func (a *auction) members() []generator.Change {
	var out []generator.Change
	add := func(table int, row ...repr.Datum) { out = append(out, generator.Change{Table: table, New: row}) }
	for id := int64(1); id <= auctionOrganizations; id++ {
		add(tableOrganizations, repr.Int8(id), repr.Text(auctionTrades[id-1]+" of "+strconv.FormatInt(1900+generator.ChanceOf(a.seed, 2, id).Below(120), 10)))
	}
	for id := int64(1); id <= auctionUsers; id++ {
		draw := generator.ChanceOf(a.seed, 3, id)
		add(tableUsers, repr.Int8(id), repr.Int8(1+draw.Below(auctionOrganizations)), repr.Text(draw.Pick(auctionGivenNames)+" "+strconv.FormatInt(id, 10)))
	}
	for id := int64(1); id <= auctionAccounts; id++ {
		draw := generator.ChanceOf(a.seed, 4, id)
		add(tableAccounts, repr.Int8(id), repr.Int8(1+draw.Below(auctionOrganizations)), repr.Int8(draw.Between(100, 10_000)))
	}
	return out
}
