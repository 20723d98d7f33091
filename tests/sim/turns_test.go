package sim

import (
	"maps"
	"sync"
	"time"
)

// parties is how many different parties may wait for a turn.
const parties = 1 << 12

// The parties. Each is one goroutine at a time.
const (
	driver     = 0    // the goroutine of the test
	timers     = 1    // of the server's clock
	nobody     = 2    // what brings the server back after a start
	operations = 16   // of the disk: one for each kind
	clients    = 128  // one for each client
	topics     = 1024 // one for each topic
	targets    = 1536 // one for each target
	ledgers    = 2016 // one for each topic of transactions, and behind them one for what comes later to it
	feeds      = 2048 // one for each object
)

// turns gives everyone who waits a nanosecond of its own to go on at, in a bubble of testing/synctest: then at each moment
// one goroutine goes on, and what it does to others they see at moments of theirs. A party has the nanoseconds that leave its
// number when divided by parties, so that it does not matter in which order several ask at one moment.
type turns struct {
	mu    sync.Mutex // guards taken
	taken map[int64]bool
}

// newTurns makes turns of which none is taken.
func newTurns() *turns { return &turns{taken: map[int64]bool{}} }

// wait returns after d, or a little later.
func (t *turns) wait(d time.Duration, party int) { time.Sleep(t.book(d, party)) }

// after returns a channel that receives after d, or a little later.
func (t *turns) after(d time.Duration, party int) <-chan time.Time {
	return time.After(t.book(d, party))
}

// book takes the first moment of a party that is no sooner than after d and not taken, and says how far ahead it is.
func (t *turns) book(d time.Duration, party int) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now().UnixNano()
	if len(t.taken) >= parties {
		maps.DeleteFunc(t.taken, func(at int64, _ bool) bool { return at <= now })
	}
	at := now + int64(max(d, 1))
	at += (int64(party) - at%parties + parties) % parties
	for t.taken[at] {
		at += parties
	}
	t.taken[at] = true
	return time.Duration(at - now)
}
