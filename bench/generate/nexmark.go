package generate

import (
	"fmt"
	"io"
	"strconv"
)

// The shape of the auction site. Events come in epochs of fifty: one person, three auctions, forty-six bids.
const (
	epochEvents    = 50
	epochAuctions  = 3
	firstPerson    = 1000
	firstAuction   = 1000
	firstCategory  = 10
	categories     = 5
	startMillis    = 1_700_000_000_000
	eventsPerMilli = 10
	activePeople   = 1000
	openAuctions   = 100
	hotStride      = 100 // one auction and one person in a hundred is hot
	longestMillis  = 332 // how long an auction lasts at most
	channelFactor  = 214748
	urlHead        = "https://www.nexmark.com/"
	urlTail        = "/item.htm?query=1"
)

// The kinds of event, as the byte before each says.
const (
	kindPerson = iota
	kindAuction
	kindBid
)

var (
	firstNames  = []string{"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"}
	lastNames   = []string{"Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"}
	usStates    = []string{"AZ", "CA", "ID", "OR", "WA", "WY"}
	usCities    = []string{"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"}
	hotChannels = []string{"Google", "Facebook", "Baidu", "Apple"}
)

// Nexmark writes events of an auction site: people, auctions and bids.
func Nexmark(w io.Writer, events int64) error {
	if err := positive("nexmark", events); err != nil {
		return err
	}
	s := site{chance: &chance{state: 42}, recorder: newRecorder(w)}
	s.ints(events)
	for n := range events {
		s.event(n)
	}
	return s.flush("nexmark")
}

type site struct {
	*chance
	*recorder
}

func (s site) event(n int64) {
	epoch, place := n/epochEvents, n%epochEvents
	at := startMillis + n/eventsPerMilli
	// The newest person and auction so far, counted from zero; before the first auction there is none.
	person, auction := epoch, epoch*epochAuctions-1+min(place, epochAuctions)
	switch {
	case place == 0:
		s.person(person, at)
	case place <= epochAuctions:
		s.auction(auction, person, at)
	default:
		s.bid(auction, person, at)
	}
}

func (s site) person(id, at int64) {
	s.kind(kindPerson)
	s.ints(firstPerson+id, at)
	first, last := s.pick(firstNames), s.pick(lastNames)
	s.text(first + " " + last)
	user, host := s.letters(7), s.letters(5)
	s.text(user + "@" + host + ".com")
	var card [4]int64
	for i := range card {
		card[i] = s.below(10000)
	}
	s.text(fmt.Sprintf("%04d %04d %04d %04d", card[0], card[1], card[2], card[3]))
	s.text(s.pick(usCities))
	s.text(s.pick(usStates))
	s.text(s.letters(20))
}

// auction draws seller, price and end before it writes, the reserve between the texts and the category.
func (s site) auction(id, newestPerson, at int64) {
	var seller int64
	if s.oneIn(4) {
		seller = s.activePerson(newestPerson)
	} else {
		seller = newestPerson / hotStride * hotStride
	}
	initial := s.price()
	expires := at + 1 + s.below(longestMillis)
	s.kind(kindAuction)
	s.ints(firstAuction + id)
	s.text(s.letters(20))
	s.text(s.letters(100))
	reserve := initial + s.price()
	category := firstCategory + s.below(categories)
	s.ints(initial, reserve, at, expires, firstPerson+seller, category)
	s.text(s.letters(20))
}

// bid draws auction, bidder, channel and url before it writes, the price after them.
func (s site) bid(newestAuction, newestPerson, at int64) {
	var auction, bidder int64
	if s.oneIn(2) {
		oldest := max(newestAuction-openAuctions, 0)
		auction = oldest + s.below(newestAuction-oldest+1)
	} else {
		auction = newestAuction / hotStride * hotStride
	}
	if s.oneIn(4) {
		bidder = s.activePerson(newestPerson)
	} else {
		bidder = min(newestPerson/hotStride*hotStride+1, newestPerson)
	}
	channel, url := s.channel()
	s.kind(kindBid)
	s.ints(firstAuction+auction, firstPerson+bidder, s.price())
	s.text(channel)
	s.text(url)
	s.ints(at)
	s.text(s.letters(20))
}

// activePerson draws one of the newest thousand people.
func (s site) activePerson(newest int64) int64 {
	active := min(newest+1, activePeople)
	return newest + 1 - active + s.below(active)
}

func (s site) channel() (name, url string) {
	if !s.oneIn(2) {
		name = s.pick(hotChannels)
		return name, urlHead + name + urlTail
	}
	id := s.below(10000)
	a, b := s.letters(5), s.letters(5)
	name = "channel-" + strconv.FormatInt(id, 10)
	return name, urlHead + a + "/" + b + urlTail + "&channel_id=" + strconv.FormatInt(id*channelFactor, 10)
}

// price draws a decade, then three digits: spread evenly over the logarithm, without floating point.
func (s site) price() int64 {
	decade := s.below(6)
	price := 100 + s.below(900)
	for range decade {
		price *= 10
	}
	return price
}
