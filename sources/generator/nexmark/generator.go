package nexmark

import (
	"fmt"
	"strconv"

	"millrace/sources/generator"
)

// Numbers that readers of the events may rely on.
const (
	FirstPerson   = 1000
	FirstAuction  = 1000
	FirstCategory = 10
	StartMillis   = 1_700_000_000_000
)

// The shape of the auction site.
const (
	epochEvents   = 50
	epochAuctions = 3
	categories    = 5
	activePeople  = 1000
	openAuctions  = 100
	hotStride     = 100 // one auction and one person in a hundred is hot
	channelFactor = 214748
	urlHead       = "https://www.nexmark.com/"
	urlTail       = "/item.htm?query=1"
)

var (
	firstNames  = []string{"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"}
	lastNames   = []string{"Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"}
	usStates    = []string{"AZ", "CA", "ID", "OR", "WA", "WY"}
	usCities    = []string{"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"}
	hotChannels = []string{"Google", "Facebook", "Baidu", "Apple"}
)

// Event is a person, an auction or a bid: the one of Table. Times are milliseconds since 1970.
type Event struct {
	Table   int
	Person  PersonEvent
	Auction AuctionEvent
	Bid     BidEvent
}

// PersonEvent is somebody who registers.
type PersonEvent struct {
	ID, At                                 int64
	Name, Email, Card, City, State, Filler string
}

// AuctionEvent is an auction that opens.
type AuctionEvent struct {
	ID                                                int64
	Item, Description                                 string
	Initial, Reserve, At, Expires, Seller, InCategory int64
	Filler                                            string
}

// BidEvent is a bid.
type BidEvent struct {
	Auction, Bidder, Price int64
	Channel, URL           string
	At                     int64
	Filler                 string
}

// Generator makes up one event after the other.
type Generator struct {
	chance generator.Chance
	micros int64 // between two events
	n      int64 // events so far
}

// New starts a site whose events are so many microseconds apart. An auction lasts at most for the time in which two hundred
// are opened.
func New(seed uint64, micros int64) *Generator {
	return &Generator{chance: generator.Chance{State: seed}, micros: micros}
}

// Next makes up the next event.
func (g *Generator) Next() Event {
	e := g.event(StartMillis + g.n*g.micros/1000)
	g.n++
	return e
}

// At makes up the n-th event of a site of another kind, in which an event depends on its number alone, at a time in milliseconds.
func At(seed uint64, n, micros, millis int64) Event {
	g := Generator{chance: *generator.ChanceOf(int64(seed), n), micros: micros, n: n}
	return g.event(millis)
}

func (g *Generator) event(at int64) Event {
	epoch, place := g.n/epochEvents, g.n%epochEvents
	// The newest person and auction so far, counted from zero; before the first auction there is none.
	person, auction := epoch, epoch*epochAuctions-1+min(place, epochAuctions)
	switch {
	case place == 0:
		return g.person(person, at)
	case place <= epochAuctions:
		return g.auction(auction, person, at)
	default:
		return g.bid(auction, person, at)
	}
}

func (g *Generator) person(id, at int64) Event {
	c := &g.chance
	p := PersonEvent{ID: FirstPerson + id, At: at}
	first, last := c.Pick(firstNames), c.Pick(lastNames)
	p.Name = first + " " + last
	user, host := c.Letters(7), c.Letters(5)
	p.Email = user + "@" + host + ".com"
	var card [4]int64
	for i := range card {
		card[i] = c.Below(10000)
	}
	p.Card = fmt.Sprintf("%04d %04d %04d %04d", card[0], card[1], card[2], card[3])
	p.City = c.Pick(usCities)
	p.State = c.Pick(usStates)
	p.Filler = c.Letters(20)
	return Event{Table: Person, Person: p}
}

// auction draws seller, price and end before the texts, the reserve between the texts and the category.
func (g *Generator) auction(id, newestPerson, at int64) Event {
	c := &g.chance
	a := AuctionEvent{ID: FirstAuction + id, At: at}
	a.Seller = FirstPerson + newestPerson/hotStride*hotStride
	if c.OneIn(4) {
		a.Seller = FirstPerson + g.activePerson(newestPerson)
	}
	a.Initial = g.price()
	longest := 2 * (openAuctions * epochEvents / epochAuctions * g.micros / 1000)
	a.Expires = at + 1 + c.Below(max(longest, 1))
	a.Item, a.Description = c.Letters(20), c.Letters(100)
	a.Reserve = a.Initial + g.price()
	a.InCategory = FirstCategory + c.Below(categories)
	a.Filler = c.Letters(20)
	return Event{Table: Auction, Auction: a}
}

// bid draws auction, bidder, channel and url before the price.
func (g *Generator) bid(newestAuction, newestPerson, at int64) Event {
	c := &g.chance
	b := BidEvent{At: at}
	b.Auction = FirstAuction + newestAuction/hotStride*hotStride
	if c.OneIn(2) {
		oldest := max(newestAuction-openAuctions, 0)
		b.Auction = FirstAuction + oldest + c.Below(newestAuction-oldest+1)
	}
	b.Bidder = FirstPerson + min(newestPerson/hotStride*hotStride+1, newestPerson)
	if c.OneIn(4) {
		b.Bidder = FirstPerson + g.activePerson(newestPerson)
	}
	b.Channel, b.URL = g.channel()
	b.Price = g.price()
	b.Filler = c.Letters(20)
	return Event{Table: Bid, Bid: b}
}

// activePerson draws one of the newest thousand people.
func (g *Generator) activePerson(newest int64) int64 {
	active := min(newest+1, activePeople)
	return newest + 1 - active + g.chance.Below(active)
}

func (g *Generator) channel() (name, url string) {
	c := &g.chance
	if !c.OneIn(2) {
		name = c.Pick(hotChannels)
		return name, urlHead + name + urlTail
	}
	id := c.Below(10000)
	a, b := c.Letters(5), c.Letters(5)
	name = "channel-" + strconv.FormatInt(id, 10)
	return name, urlHead + a + "/" + b + urlTail + "&channel_id=" + strconv.FormatInt(id*channelFactor, 10)
}

// price draws a decade, then three digits: spread evenly over the logarithm, without floating point.
func (g *Generator) price() int64 {
	decade := g.chance.Below(6)
	price := 100 + g.chance.Below(900)
	for range decade {
		price *= 10
	}
	return price
}
