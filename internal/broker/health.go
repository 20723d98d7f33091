package broker

import (
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/clock"
)

// staleAfter is how long a failure counts that does not happen again: a client tries a broker it needs more often.
const staleAfter = 15 * time.Second

// Health watches a client's connections. It is a hook of the client, and safe for concurrent use.
type Health struct {
	clock clock.Clock

	mu  sync.Mutex // guards bad
	bad map[int32]failure
}

type failure struct {
	err  error
	at   time.Time
	seed bool
}

// NewHealth makes a watcher for a client that does not exist yet.
func NewHealth(c clock.Clock) *Health { return &Health{clock: c, bad: map[int32]failure{}} }

// OnBrokerConnect notes whether a broker could be reached.
func (h *Health) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		delete(h.bad, meta.NodeID)
		return
	}
	h.bad[meta.NodeID] = failure{err: err, at: h.clock.Now(), seed: meta.NodeID < 0}
}

// OnBrokerE2E notes an answer: the broker is well, and so is one of the addresses we began with.
func (h *Health) OnBrokerE2E(meta kgo.BrokerMetadata, _ int16, e2e kgo.BrokerE2E) {
	if e2e.Err() != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.bad, meta.NodeID)
	for id, f := range h.bad {
		if f.seed {
			delete(h.bad, id)
		}
	}
}

// Err is why a broker that is needed cannot be reached right now; nil when nothing is known to be wrong.
func (h *Health) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var latest failure
	for id, f := range h.bad {
		if h.clock.Now().Sub(f.at) > staleAfter {
			delete(h.bad, id)
			continue
		}
		if latest.err == nil || f.at.After(latest.at) {
			latest = f
		}
	}
	return latest.err
}
