package loadgen

import (
	"strconv"

	"millrace/repr"
	"millrace/sources/generator"
)

// shop is the shop of the demo: customers that change, and pages that they look at. Of twenty steps nineteen are views of pages, and one
// changes a customer: most turn into VIPs or back or get another address, and now and then one leaves, in whose place another comes.
type shop struct {
	seed int64
	n    int64
}

const (
	shopUsers    = 1_000
	shopStride   = 601 // the customers change in the order of its multiples; it has no factor in common with their number
	shopChange   = 20  // one step in so many changes a customer
	shopLife     = 10  // changes of a place until another customer is in it; with the last of them it is empty
	shopProducts = 1_000
	shopDay      = 86_400_000_000
)

// The tables of the shop, as indexes of shopTables.
const (
	tableCustomers = iota
	tablePageviews
)

var shopTables = []generator.Table{
	tableCustomers: {Name: "users", Key: []int{0}, Columns: repr.RowDesc{
		generator.Column("id", generator.Int8), generator.Column("email", generator.Text), generator.Column("is_vip", repr.TypeOf(repr.KindBool)),
		generator.Column("created_at", momentType), generator.Column("updated_at", momentType)}},
	tablePageviews: {Name: "pageviews", Columns: repr.RowDesc{
		generator.Column("user_id", generator.Int8), generator.Column("url", generator.Text), generator.Column("channel", generator.Text),
		generator.Column("received_at", momentType)}},
}

var shopChannels = []string{"social", "social", "search", "search", "search", "email", "direct", "referral"}

func newShop(cfg *Config) (world, error) { return &shop{seed: int64(cfg.Seed)}, nil }

func (*shop) tables() []generator.Table { return shopTables }

func (*shop) first() int64 { return 1 }

func (s *shop) seek(step int64) { s.n = step }

func (s *shop) next(at func(int64) int64) []generator.Change {
	n := s.n
	s.n++
	if n == 0 {
		out := make([]generator.Change, shopUsers)
		for place := range int64(shopUsers) {
			out[place].New = s.customer(place, 0, at)
		}
		return out
	}
	if n%shopChange == 0 {
		nth := n/shopChange - 1
		place, version := nth%shopUsers*shopStride%shopUsers, nth/shopUsers+1
		return []generator.Change{{Table: tableCustomers, Old: s.customer(place, version-1, at), New: s.customer(place, version, at)}}
	}
	draw := generator.ChanceOf(s.seed, 1, n)
	place := draw.Below(shopUsers)
	id := s.id(place, n/shopChange/shopUsers) // one who has just left may still be looking
	return []generator.Change{{Table: tablePageviews, New: []repr.Datum{repr.Int8(id),
		repr.Text("/products/" + strconv.FormatInt(1+draw.Below(shopProducts), 10)), repr.Text(draw.Pick(shopChannels)), moment(at(n))}}}
}

// id is the number of the customer that is in a place at a version of it.
func (s *shop) id(place, version int64) int64 { return 1 + place + version/shopLife*shopUsers }

// changed is the step that made a version of a place: of every thousand changes each place has one.
func (s *shop) changed(place, version int64) int64 {
	if version == 0 {
		return 0
	}
	return ((version-1)*shopUsers + shopTurns[place] + 1) * shopChange
}

// shopTurns is, for each place, when its turn comes among the thousand.
var shopTurns = func() (turns [shopUsers]int64) {
	for i := range int64(shopUsers) {
		turns[i*shopStride%shopUsers] = i
	}
	return turns
}()

// customer is the row of a place at a version of it; nil when it is empty.
func (s *shop) customer(place, version int64, at func(int64) int64) []repr.Datum {
	if version%shopLife == shopLife-1 {
		return nil
	}
	id, begun := s.id(place, version), version/shopLife*shopLife
	name := "user" + strconv.FormatInt(id, 10)
	if moved := (version - begun) / 3; moved > 0 {
		name += "." + strconv.FormatInt(moved, 10)
	}
	created := at(s.changed(place, begun))
	if begun == 0 {
		created -= generator.ChanceOf(s.seed, 2, place).Below(365 * shopDay)
	}
	updated := max(created, at(s.changed(place, version)))
	if version == 0 {
		updated = created
	}
	vip := generator.ChanceOf(s.seed, 3, place, version).OneIn(4)
	return []repr.Datum{repr.Int8(id), repr.Text(name + "@example.com"), repr.Bool(vip), moment(created), moment(updated)}
}
