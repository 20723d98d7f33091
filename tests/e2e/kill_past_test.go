package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// pastKept is how many of the newest times a watch remembers with what it was shown, and pastAsked how many of them it asks for
// again after each start.
const (
	pastKept  = 400
	pastAsked = 8
)

// past is what a watch was shown at earlier times.
type past struct {
	content map[int64]counts
	times   []int64
	before  []int64          // the times that were shown before the server was killed
	was     map[int64]counts // what was shown at those; content forgets them as the next server shows more
	equal   int              // how often a time was asked for again, and answered as it had been
	passed  int              // how often one could not be read any more
}

func newPast() past { return past{content: map[int64]counts{}} }

// note remembers what was shown at a time.
func (p *past) note(t int64, content counts) {
	if p.content[t] == nil {
		p.times = append(p.times, t)
	}
	p.content[t] = maps.Clone(content)
	for len(p.times) > pastKept {
		delete(p.content, p.times[0])
		p.times = p.times[1:]
	}
}

// killed notes which times were shown before the server was killed.
func (w *watch) killed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.past.before, w.past.was = slices.Clone(w.past.times), maps.Clone(w.past.content)
}

// checkPast asks for the content at times that were shown before the server was killed, and for what has happened from one of
// them to another: within the history that is kept both must be as they were.
func (w *watch) checkPast(t *testing.T, s *server) {
	t.Helper()
	w.mu.Lock()
	before := w.past.before
	if len(before) > pastAsked { // spread over the newest of them
		step := min(len(before)/pastAsked, 10)
		for i := range pastAsked {
			before[i] = before[len(before)-1-(pastAsked-1-i)*step]
		}
		before = before[:pastAsked]
	}
	want := map[int64]counts{}
	for _, at := range before {
		want[at] = w.past.was[at]
	}
	w.mu.Unlock()
	first, last := int64(0), int64(0)
	for _, at := range before {
		if w.asOf(t, s, fmt.Sprintf("SELECT * FROM %s AS OF %d", w.view, at), 0, want[at]) {
			if first == 0 {
				first = at
			}
			last = at
		}
	}
	if last > first {
		w.asOf(t, s, fmt.Sprintf("SUBSCRIBE %s AS OF %d UP TO %d", w.view, first, last+1), 2, want[last])
	}
}

// asOf asks for rows, which begin with a time and a count when skip is 2, and compares what they add up to. It is false when the
// time is too long ago.
func (w *watch) asOf(t *testing.T, s *server, query string, skip int, want counts) bool {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	c, err := pgconn.Connect(ctx, s.url())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	var out bytes.Buffer
	_, err = c.CopyTo(ctx, &out, "COPY ("+query+") TO STDOUT")
	var refused *pgconn.PgError
	if errors.As(err, &refused) && strings.Contains(refused.Message, "not readable at that time") {
		w.past.passed++
		return false
	}
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	got := counts{}
	for line := range strings.Lines(out.String()) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", skip+1)
		n := int64(1)
		if skip > 0 {
			if n, err = strconv.ParseInt(f[1], 10, 64); err != nil {
				t.Fatalf("%s: %q: %v", query, line, err)
			}
		}
		got.add(f[skip], n)
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s: it was %v and is now %v", query, want, got)
	}
	w.past.equal++
	return true
}
