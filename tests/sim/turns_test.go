package sim

import (
	"bytes"
	"fmt"
	"maps"
	"runtime"
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
	served     = 2048 // one for each goroutine that serves an object
)

// turns gives everyone who waits a nanosecond of its own to go on at, in a bubble of testing/synctest: then at each moment
// one goroutine goes on, and what it does to others they see at moments of theirs. A party has the nanoseconds that leave its
// number when divided by parties, so that it does not matter in which order several ask at one moment. Two goroutines that ask as one
// party, at one moment, for the same nanosecond are a clash: then it does matter, and the seed is not one life.
type turns struct {
	mu    sync.Mutex // guards what is below
	taken map[int64]booking
	clash string // the first
}

// booking is who has a nanosecond, and when it was asked for.
type booking struct {
	by    string
	asked int64
}

// newTurns makes turns of which none is taken.
func newTurns() *turns { return &turns{taken: map[int64]booking{}} }

// clashed tells of the first clash; empty when there was none.
func (t *turns) clashed() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clash
}

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
		maps.DeleteFunc(t.taken, func(at int64, _ booking) bool { return at <= now })
	}
	at := now + int64(max(d, 1))
	at += (int64(party) - at%parties + parties) % parties
	me := booking{by: goroutine(), asked: now}
	for b, ok := t.taken[at]; ok; b, ok = t.taken[at] {
		if b.asked == now && b.by != me.by && t.clash == "" {
			t.clash = fmt.Sprintf("two goroutines are party %d, and ask at %d for %d: the second is\n%s", party, now, at, stack())
		}
		at += parties
	}
	t.taken[at] = me
	return time.Duration(at - now)
}

// goroutine names the one that calls.
func goroutine() string {
	var buf [64]byte
	name, _, _ := bytes.Cut(buf[:runtime.Stack(buf[:], false)], []byte(" ["))
	return string(name)
}

// stack is where the goroutine that calls is.
func stack() []byte {
	buf := make([]byte, 1<<12)
	return buf[:runtime.Stack(buf, false)]
}
