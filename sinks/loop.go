package sinks

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"millrace/internal/clock"
	"millrace/repr"
)

const (
	defaultInterval = 100 * time.Millisecond
	defaultGathered = 8 << 20
	minBackoff      = 100 * time.Millisecond
	maxBackoff      = 2 * time.Second
)

// Steps are what a Loop does, in one goroutine.
type Steps struct {
	// Connect makes ready for commits.
	Connect func(ctx context.Context) error
	// Commit commits whole ticks, in order, but for those that are committed already. It connects where nothing is connected.
	Commit func(ctx context.Context, group []Tick) error
	// Explain puts an error into the words of a user, and says whether retrying is of no use.
	Explain func(err error) (e *repr.Error, fatal bool)
	// Disconnect gives up what Connect made, if there is anything.
	Disconnect func(ctx context.Context)
}

// Loop is the life of a sink: ticks are gathered into groups, and each is committed, however often that has to be tried. Its zero
// fields have defaults.
type Loop struct {
	Place    string        // what is written, as a message names it: table "t" of …
	Interval time.Duration // between the starts of two commits at least; 100 ms when 0
	MaxBytes int           // of rows that one commit gathers whatever the interval; 8 MiB when 0
	Log      *slog.Logger  // none when nil
	Clock    clock.Clock   // the machine's when nil

	State State     // what is reported; Commit sets what is written
	Began time.Time // when the last commit began; Commit sets it

	steps  Steps
	report func(State)
}

// Run runs until ctx ends, the channel is closed and all that came is committed, or an error comes that no retry can mend.
func (l *Loop) Run(ctx context.Context, steps Steps, ticks <-chan Tick, report func(State)) error {
	l.defaults()
	l.steps, l.report = steps, report
	defer steps.Disconnect(ctx)
	l.tell("starting", nil)
	err := l.retry(ctx, func() error { return steps.Connect(ctx) })
	for more := true; err == nil && more; {
		var group []Tick
		if group, more = l.gather(ctx, ticks); len(group) > 0 {
			err = l.retry(ctx, func() error { return steps.Commit(ctx, group) })
		}
		if err == nil {
			err = ctx.Err()
		}
	}
	if err != nil && ctx.Err() == nil {
		l.tell("failed", err)
	}
	return err
}

func (l *Loop) defaults() {
	if l.Interval <= 0 {
		l.Interval = defaultInterval
	}
	if l.MaxBytes <= 0 {
		l.MaxBytes = defaultGathered
	}
	if l.Log == nil {
		l.Log = slog.New(slog.DiscardHandler)
	}
	if l.Clock == nil {
		l.Clock = clock.System{}
	}
}

// gather waits for a tick and takes those that come with it, until the interval since the last commit is over.
func (l *Loop) gather(ctx context.Context, ticks <-chan Tick) (group []Tick, more bool) {
	select {
	case t, ok := <-ticks:
		if !ok {
			return nil, false
		}
		group = append(group, t)
	case <-ctx.Done():
		return nil, false
	}
	var due <-chan time.Time
	if wait := l.Began.Add(l.Interval).Sub(l.Clock.Now()); wait > 0 {
		due = l.Clock.After(wait)
	}
	for size := group[0].size(l.MaxBytes); size < l.MaxBytes; {
		t, ok, open := next(ctx, ticks, due)
		if !ok {
			return group, open
		}
		group = append(group, t)
		size += t.size(l.MaxBytes)
	}
	return group, true
}

// next is the tick that comes before due, or the one that is there when due is nil.
func next(ctx context.Context, ticks <-chan Tick, due <-chan time.Time) (t Tick, ok, open bool) {
	if due == nil {
		select {
		case t, ok = <-ticks:
			return t, ok, ok
		default:
			return t, false, true
		}
	}
	select {
	case t, ok = <-ticks:
		return t, ok, ok
	case <-due:
		return t, false, true
	case <-ctx.Done():
		return t, false, false
	}
}

// IdleProgress is how many milliseconds the progress of a sink may lag behind the ticks when nothing changes.
const IdleProgress = 10_000

// TicksAfter are the ticks of a group that come after a time.
func TicksAfter(group []Tick, after repr.Time) []Tick {
	for len(group) > 0 && group[0].Time <= after {
		group = group[1:]
	}
	return group
}

// CountChanges is how many changes the ticks of a group have.
func CountChanges(group []Tick) int {
	n := 0
	for i := range group {
		n += len(group[i].Changes)
	}
	return n
}

// size is about how many bytes the rows of a tick take, each as often as it counts, as far as that matters.
func (t *Tick) size(most int) int {
	n := 0
	for i := range t.Changes {
		n += len(t.Changes[i].Row) * int(min(max(t.Changes[i].Diff, -t.Changes[i].Diff), int64(most)))
	}
	return n
}

// retry runs a step until it succeeds, until ctx ends, or until an error that no retry can mend.
func (l *Loop) retry(ctx context.Context, step func() error) error {
	backoff := minBackoff
	for {
		err := step()
		if err == nil {
			l.tell("running", nil)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e, fatal := l.steps.Explain(err)
		l.steps.Disconnect(ctx)
		if fatal {
			return e
		}
		l.tell("stalled", e)
		if err := l.Clock.Sleep(ctx, backoff); err != nil {
			return err
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// tell reports the state.
func (l *Loop) tell(status string, err error) {
	l.State.Status, l.State.Error, l.State.Hint = status, "", ""
	if err != nil {
		l.State.Error = err.Error()
		if e, ok := errors.AsType[*repr.Error](err); ok {
			l.State.Hint = e.Hint
		}
		l.Log.Warn("sink "+status, "place", l.Place, "err", err)
	}
	l.report(l.State)
}
