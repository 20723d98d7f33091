package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// counts are rows with how often each is there.
type counts map[string]int64

func (c counts) add(row string, n int64) {
	if c[row] += n; c[row] == 0 {
		delete(c, row)
	}
}

// follower follows a server through its lives until it is ended.
type follower struct {
	stop context.CancelFunc
	wait sync.WaitGroup
}

// run follows one stream after another, each until it breaks.
func (f *follower) run(t *testing.T, follow func(context.Context)) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	f.stop = stop
	t.Cleanup(f.end)
	f.wait.Go(func() {
		for ctx.Err() == nil {
			follow(ctx)
			idle(ctx, 20*time.Millisecond)
		}
	})
}

func (f *follower) end() { f.stop(); f.wait.Wait() }

// watch subscribes to a view, over and over: each subscription begins at the last time that the one before it showed as
// complete, so that its snapshot is what was there before the crash, and what was shown beyond that must come again.
type watch struct {
	follower
	view string

	mu       sync.Mutex // guards all below
	done     int64      // everything up to it was shown; 0: nothing was
	content  counts     // at done; nil: nothing was shown
	fresh    counts     // the snapshot that comes in
	inFresh  bool
	pending  map[int64]counts // shown behind done
	before   map[int64]counts // what the subscription before this one had shown behind done
	past     past             // beside equal and passed, which belong to who checks
	errs     []string
	times    int
	resumed  int
	repeated int
	late     int // subscriptions that came too late to take up the one before
}

func newWatch(view string) *watch {
	return &watch{view: view, pending: map[int64]counts{}, past: newPast()}
}

// subscribe follows one subscription until it breaks.
func (w *watch) subscribe(ctx context.Context, s *server) {
	c, err := pgconn.Connect(ctx, s.url())
	if err != nil {
		return
	}
	defer func() { _ = c.Close(context.Background()) }()
	w.mu.Lock()
	at := ""
	if w.done > 0 {
		at = fmt.Sprintf(" AS OF %d", w.done)
	}
	w.before, w.pending, w.fresh, w.inFresh = w.pending, map[int64]counts{}, counts{}, true
	w.mu.Unlock()
	_, err = c.CopyTo(ctx, w, `COPY (SUBSCRIBE `+w.view+` WITH (PROGRESS)`+at+`) TO STDOUT`)
	refused, ok := err.(*pgconn.PgError)
	w.mu.Lock()
	if ok && refused.Code != "57P01" {
		w.refused(refused)
	}
	for t, rows := range w.before { // what this one has not come to is still to be shown again
		if w.pending[t] == nil {
			w.pending[t] = rows
		}
	}
	w.mu.Unlock()
}

// refused notes that a subscription was not taken. When the server was away for longer than history is kept, that is right, and
// the next one begins anew.
func (w *watch) refused(err *pgconn.PgError) {
	if w.done == 0 || !strings.Contains(err.Message, "not readable at that time") || time.Now().UnixMilli()-w.done < killHistory.Milliseconds() {
		w.errs = append(w.errs, fmt.Sprintf("%s: %s, %s", w.view, err, err.Detail))
		return
	}
	w.done, w.content, w.before, w.pending = 0, nil, nil, map[int64]counts{}
	w.late++
}

// Write takes lines of the subscription.
func (w *watch) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range bytes.Lines(p) {
		if err := w.line(strings.TrimSuffix(string(line), "\n")); err != nil {
			w.errs = append(w.errs, fmt.Sprintf("%s: %q: %v", w.view, line, err))
		}
	}
	return len(p), nil
}

func (w *watch) line(line string) error {
	f := strings.SplitN(line, "\t", 4)
	if len(f) < 4 {
		return fmt.Errorf("no line of a subscription")
	}
	at, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return err
	}
	if f[1] == "t" {
		return w.progress(at)
	}
	diff, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return err
	}
	if w.done == 0 {
		w.done = at
	}
	if at < w.done || at == w.done && !w.inFresh {
		return fmt.Errorf("time %d was complete", w.done)
	}
	if at == w.done {
		w.fresh.add(f[3], diff)
		return nil
	}
	if w.pending[at] == nil {
		w.pending[at] = counts{}
	}
	w.pending[at].add(f[3], diff)
	return nil
}

// progress: every time before at is complete. The first such line of a subscription names its as-of.
func (w *watch) progress(at int64) error {
	if w.done == 0 {
		w.done = at
	}
	if at <= w.done {
		if at < w.done {
			return fmt.Errorf("the subscription begins at %d, not at %d", at, w.done)
		}
		return nil
	}
	if err := w.endSnapshot(); err != nil {
		return err
	}
	for _, t := range slices.Sorted(maps.Keys(w.pending)) {
		if t >= at {
			break
		}
		if err := w.complete(t); err != nil {
			return err
		}
	}
	for t := range w.before {
		if t < at {
			return fmt.Errorf("what was shown at %d is not shown again", t)
		}
	}
	w.done = at - 1
	return nil
}

// endSnapshot compares the snapshot with what was shown before.
func (w *watch) endSnapshot() error {
	if !w.inFresh {
		return nil
	}
	w.inFresh = false
	if w.content != nil {
		w.resumed++
		if !maps.Equal(w.fresh, w.content) {
			return fmt.Errorf("at %d the content was %v and is now %v", w.done, w.content, w.fresh)
		}
	}
	w.content = w.fresh
	w.times++
	w.past.note(w.done, w.content)
	return w.whole(w.done)
}

// complete adds what a time brought, which is what was shown of it before a crash, or more.
func (w *watch) complete(t int64) error {
	now := w.pending[t]
	delete(w.pending, t)
	if old := w.before[t]; old != nil {
		delete(w.before, t)
		w.repeated++
		for row, n := range old {
			if now[row] != n {
				return fmt.Errorf("at %d %q was shown %d times, and now %d times", t, row, n, now[row])
			}
		}
	}
	for row, n := range now {
		w.content.add(row, n)
		if w.content[row] < 0 {
			return fmt.Errorf("at %d there are %d of %q", t, w.content[row], row)
		}
	}
	w.times++
	w.past.note(t, w.content)
	return w.whole(t)
}

// whole: pairs are seen whole at every time.
func (w *watch) whole(t int64) error {
	if w.view != "balance" {
		return nil
	}
	for row := range w.content {
		f := strings.Split(row, "\t")
		n, err := strconv.ParseInt(f[0], 10, 64)
		ids, err2 := strconv.ParseInt(f[1], 10, 64)
		if len(w.content) != 1 || err != nil || err2 != nil || n != 2*ids || n > 0 && f[2] != "0" {
			return fmt.Errorf("at %d the balance is %v", t, w.content)
		}
	}
	return nil
}

// check: the subscription has come to what the view holds, and nothing was wrong on the way.
func (w *watch) check(t *testing.T, s *server) {
	t.Helper()
	agree(t, s, w.view, w.view+" as subscribed", func() (counts, []string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return maps.Clone(w.content), slices.Clone(w.errs)
	})
}

// agree waits until what somebody has followed of a view is what it holds, and reports what was wrong on the way.
func agree(t *testing.T, s *server, view, what string, followed func() (content counts, wrong []string)) {
	t.Helper()
	want := counts{}
	for line := range strings.Lines(s.must(t, `COPY `+view+` TO STDOUT`)) {
		want.add(strings.TrimSuffix(line, "\n"), 1)
	}
	eventually(t, 30*time.Second, what, func() error {
		if content, wrong := followed(); len(wrong) == 0 && !maps.Equal(content, want) {
			return fmt.Errorf("got %v, want %v", content, want)
		}
		return nil
	})
	_, wrong := followed()
	for _, e := range wrong {
		t.Error(e)
	}
}
