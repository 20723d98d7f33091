package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// keeper follows a subscription of the catalog through all kills. It remembers nothing but what it has acknowledged: what comes
// behind that has to be all that was not acknowledged, once.
type keeper struct {
	follower
	name, view string
	random     *rand.Rand

	mu      sync.Mutex // guards all below
	known   kept       // acknowledged, and answered
	trying  *kept      // acknowledged, without an answer: it counts or not
	content counts     // all that the stream of now has shown as complete
	pending counts     // of the time behind
	at      int64      // of pending
	begun   bool       // the stream has said where it begins
	acks    int
	unsure  int
	streams int
	errs    []string
}

// kept is a content at a time.
type kept struct {
	at      int64
	content counts
}

func newKeeper(name, view string, seed uint64) *keeper {
	return &keeper{name: name, view: view, random: rand.New(rand.NewPCG(seed, 77)), known: kept{content: counts{}}}
}

// follow follows one stream until it breaks.
func (k *keeper) follow(ctx context.Context, s *server) {
	var conns [2]*pgconn.PgConn
	for i := range conns {
		c, err := pgconn.Connect(ctx, s.url())
		if err != nil {
			return
		}
		defer func() { _ = c.Close(context.Background()) }()
		conns[i] = c
	}
	k.mu.Lock()
	k.begun, k.pending = false, counts{}
	k.mu.Unlock()
	limit, cancel := context.WithTimeout(ctx, time.Duration(200+k.random.IntN(3000))*time.Millisecond) // the client goes too, now and then
	defer cancel()
	_, err := conns[0].CopyTo(limit, keeping{k, limit, conns[1]}, `COPY (SUBSCRIBE `+k.name+` WITH (PROGRESS)) TO STDOUT`)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code != "57P01" && refused.Code != "57014" {
		k.mu.Lock()
		k.errs = append(k.errs, err.Error())
		k.mu.Unlock()
	}
}

// keeping takes the lines of a stream, and acknowledges over another connection.
type keeping struct {
	k   *keeper
	ctx context.Context //nolint:containedctx // of the stream
	ack *pgconn.PgConn
}

// Write takes lines.
func (w keeping) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		at, err := w.k.line(strings.TrimSuffix(string(line), "\n"))
		if err == nil && at > 0 {
			err = w.acknowledge(at)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// line takes a line, and says which time is to be acknowledged.
func (k *keeper) line(line string) (acknowledge int64, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := strings.SplitN(line, "\t", 4)
	at, err := strconv.ParseInt(f[0], 10, 64)
	switch {
	case err != nil || len(f) < 4:
		return 0, k.wrong("no line of a subscription: %q", line)
	case f[1] == "t" && !k.begun:
		return 0, k.begin(at)
	case f[1] == "t":
		k.complete()
		k.at = at
		if at-1 > k.known.at && k.random.IntN(4) == 0 {
			return at - 1, nil
		}
		return 0, nil
	case at < k.at || at <= k.known.at && k.known.at > 0:
		return 0, k.wrong("%q comes behind %d, acknowledged is %d", line, k.at, k.known.at)
	}
	if at > k.at {
		k.complete()
		k.at = at
	}
	n, err := strconv.ParseInt(f[2], 10, 64)
	k.pending.add(f[3], n)
	return 0, err
}

func (k *keeper) wrong(format string, args ...any) error {
	k.errs = append(k.errs, fmt.Sprintf(format, args...))
	return errors.New(k.errs[len(k.errs)-1])
}

// begin finds out behind what the stream goes on: what was acknowledged, with an answer or without. A stream of which nothing was
// acknowledged begins with the content, at a time that it tells each time anew.
func (k *keeper) begin(at int64) error {
	k.begun, k.streams = true, k.streams+1
	if k.trying != nil && k.trying.at == at {
		k.known = *k.trying
		k.unsure++
	}
	k.trying = nil
	if k.known.at > 0 && at != k.known.at {
		return k.wrong("it goes on behind %d, and %d was acknowledged", at, k.known.at)
	}
	k.content, k.at = maps.Clone(k.known.content), at
	return nil
}

// complete: the time that comes in is whole.
func (k *keeper) complete() {
	for row, n := range k.pending {
		k.content.add(row, n)
	}
	clear(k.pending)
	for row, n := range k.content {
		if n < 0 {
			k.errs = append(k.errs, fmt.Sprintf("before %d there are %d of %q", k.at, n, row))
		}
	}
}

func (w keeping) acknowledge(at int64) error {
	k := w.k
	k.mu.Lock()
	next := kept{at: at, content: maps.Clone(k.content)}
	k.trying = &next
	k.mu.Unlock()
	_, err := w.ack.Exec(w.ctx, fmt.Sprintf("ACKNOWLEDGE %s AT %d", k.name, at)).ReadAll()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		return err
	}
	k.known, k.trying = next, nil
	k.acks++
	return nil
}

// check: the stream has come to what the view holds, and nothing was wrong on the way.
func (k *keeper) check(t *testing.T, s *server) {
	t.Helper()
	agree(t, s, k.view, k.name+" as followed", func() (counts, []string) {
		k.mu.Lock()
		defer k.mu.Unlock()
		return maps.Clone(k.content), slices.Clone(k.errs)
	})
}
