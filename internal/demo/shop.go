package demo

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// user is a row of the table shop.users.
type user struct {
	id      int64
	email   string
	vip     bool
	created time.Time
	updated time.Time
}

// change is one event of the table: op is Debezium's, before and after are nil where it has none.
type change struct {
	op       string
	before   *user
	after    *user
	at       time.Time
	snapshot string // Debezium's mark of a snapshot record, "false" in the stream
	position int64  // in the binary log
}

// Operations as Debezium writes them.
const (
	opRead   = "r"
	opCreate = "c"
	opUpdate = "u"
	opDelete = "d"
)

// pageview is a message of the topic pageviews.
type pageview struct {
	UserID     int64  `json:"user_id"`
	URL        string `json:"url"`
	Channel    string `json:"channel"`
	ReceivedAt int64  `json:"received_at"`
}

// event is one thing that happens in the shop: either of the two.
type event struct {
	view   *pageview
	change *change
}

const (
	products = 1000
	// loadSpan is how far back the page views reach that are there at the start.
	loadSpan = 24 * time.Hour
	// oldest is how long ago the first customer came.
	oldest = 365 * 24 * time.Hour
	// changePercent of what happens are changes of users, the rest are page views.
	changePercent = 5
	// eventSize is how far a row event moves the position in the binary log.
	eventSize     = 358
	firstPosition = 157
)

var channels = []struct {
	name   string
	weight int
}{{"organic search", 40}, {"social", 25}, {"direct", 18}, {"paid search", 9}, {"email", 5}, {"referral", 3}}

// shop makes traffic up. It belongs to one goroutine.
type shop struct {
	chance   *rand.Rand
	users    []user // who is there
	nextID   int64
	position int64
}

func newShop(seed uint64) *shop {
	return &shop{chance: rand.New(rand.NewPCG(seed, 0x5ca1ab1e)), nextID: 1, position: firstPosition}
}

// snapshot fills the table with n users and returns the records that Debezium would read them as.
func (s *shop) snapshot(now time.Time, n int) []change {
	now = now.UTC().Truncate(time.Second)
	out := make([]change, n)
	for i := range out {
		u := s.newUser(now.Add(-time.Duration(s.chance.Int64N(int64(oldest)))))
		s.users = append(s.users, u)
		out[i] = change{op: opRead, after: &u, at: now, snapshot: snapshotMark(i, n), position: s.position}
	}
	return out
}

func snapshotMark(i, n int) string {
	switch i {
	case n - 1:
		return "last"
	case 0:
		return "first_in_data_collection"
	default:
		return "true"
	}
}

func (s *shop) newUser(created time.Time) user {
	id := s.nextID
	s.nextID++
	created = created.Truncate(time.Second)
	return user{id: id, email: address(id, 0), vip: s.chance.IntN(5) == 0, created: created, updated: created}
}

// address is the n-th e-mail address of a user.
func address(id int64, n int) string {
	if n == 0 {
		return "user" + strconv.FormatInt(id, 10) + "@example.com"
	}
	return fmt.Sprintf("user%d.%d@example.com", id, n)
}

// earlierView is a page view of the time before the start.
func (s *shop) earlierView(now time.Time) pageview {
	return s.view(now.Add(-time.Duration(s.chance.Int64N(int64(loadSpan)))))
}

func (s *shop) view(at time.Time) pageview {
	return pageview{
		UserID:     s.users[s.chance.IntN(len(s.users))].id,
		URL:        "/products/" + strconv.Itoa(1+s.chance.IntN(products)),
		Channel:    s.channel(),
		ReceivedAt: at.Unix(),
	}
}

func (s *shop) channel() string {
	n := s.chance.IntN(100)
	for _, c := range channels {
		if n < c.weight {
			return c.name
		}
		n -= c.weight
	}
	return channels[0].name
}

// next is what happens next.
func (s *shop) next(now time.Time) event {
	if s.chance.IntN(100) >= changePercent {
		v := s.view(now)
		return event{view: &v}
	}
	c := s.change(now)
	return event{change: &c}
}

// change changes the table: of ten changes six turn a user into a VIP or back, two write an address, one is a new
// user and one a user who leaves; the last user stays.
func (s *shop) change(now time.Time) change {
	now = now.UTC()
	s.position += eventSize
	c := change{op: opUpdate, at: now, snapshot: "false", position: s.position}
	dice := s.chance.IntN(10)
	if dice == 9 || dice == 8 && len(s.users) == 1 {
		u := s.newUser(now)
		s.users = append(s.users, u)
		c.op, c.after = opCreate, &u
		return c
	}
	at := s.chance.IntN(len(s.users))
	before := s.users[at]
	c.before = &before
	if dice == 8 {
		last := len(s.users) - 1
		s.users[at] = s.users[last]
		s.users = s.users[:last]
		c.op = opDelete
		return c
	}
	after := before
	after.updated = now.Truncate(time.Second)
	if dice < 6 {
		after.vip = !before.vip
	} else {
		after.email = address(before.id, 1+s.chance.IntN(99))
	}
	s.users[at] = after
	c.after = &after
	return c
}
