package sinks

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"millrace/internal/clock"
	"millrace/repr"
)

// Progress is how far a target is, as the target itself keeps it.
type Progress struct {
	Known   bool      // a writer has begun
	Time    repr.Time // all up to here is committed; 0 before the first commit
	Writer  string    // the run of the server that wrote it
	Records int64     // that were written in all, as far as the target keeps it
}

// Group is what one commit writes: whole ticks, in order.
type Group struct {
	Ticks []Tick
	// Whole says that the first tick is the whole content: the target is made equal to it, whatever it holds.
	Whole bool
	From  Progress // what was committed before
	To    repr.Time
}

// Target is where a Runner writes. Its methods are called by one goroutine.
type Target interface {
	// Open connects, makes what is missing, and says how far the target is.
	Open(ctx context.Context) (Progress, error)
	// Write commits a group together with its time, and returns how many records that took. After an error the target is
	// closed and opened again: what it then says it holds tells whether the commit took place.
	Write(ctx context.Context, g Group) (records int64, err error)
	// Explain puts an error into the words of a user, and says whether retrying is of no use.
	Explain(err error) (e *repr.Error, fatal bool)
	// Close gives the connection up.
	Close(ctx context.Context)
}

// Options say how a Runner runs.
type Options struct {
	Place    string        // what is written, as a message names it: table "t" of …
	Interval time.Duration // between the starts of two commits at least; 100 ms when 0
	MaxBytes int           // of rows that one commit gathers whatever the interval; 8 MiB when 0

	// Writer names this run of the server; Known tells the names of this run and of those before it on the same data.
	// What somebody else has written is refused. Nothing is checked when Writer is empty.
	Writer   string
	Known    func(writer string) bool
	Restored repr.Time // what the server's data held when this run began; more that another run wrote is refused; 0: not checked

	Log   *slog.Logger // none when nil
	Clock clock.Clock  // the machine's when nil
}

// Runner brings the ticks of a view to a target in commits of whole ticks, goes on after failures, and leaves out what is
// committed already. It is run once.
type Runner struct {
	target Target
	opts   Options

	loop     Loop
	open     bool
	progress Progress
	opened   bool      // progress is what the target said, once at least
	fresh    bool      // the next tick is the whole content
	sent     repr.Time // a commit whose outcome is open; 0 for none
	records  int64     // of that commit
}

// NewRunner makes a runner of a target.
func NewRunner(t Target, o Options) *Runner {
	return &Runner{target: t, opts: o, loop: Loop{Place: o.Place, Interval: o.Interval, MaxBytes: o.MaxBytes, Log: o.Log, Clock: o.Clock}}
}

// Run writes the ticks that come until ctx ends or the channel is closed.
func (r *Runner) Run(ctx context.Context, ticks <-chan Tick, report func(State)) error {
	r.fresh = true
	return r.loop.Run(ctx, Steps{Connect: r.connect, Commit: r.write, Explain: r.target.Explain, Disconnect: r.close}, ticks, report)
}

func (r *Runner) close(ctx context.Context) {
	if r.open {
		r.target.Close(ctx)
	}
	r.open = false
}

// connect opens the target and finds out what is committed.
func (r *Runner) connect(ctx context.Context) error {
	r.open = true
	found, err := r.target.Open(ctx)
	if err != nil {
		return err
	}
	sent := r.sent
	r.sent = 0
	switch {
	case found.Known && found.Writer != "" && r.opts.Writer != "" && !r.opts.Known(found.Writer):
		return r.Taken()
	case !r.opened:
		if r.opts.Restored > 0 && found.Time > r.opts.Restored && found.Writer != r.opts.Writer { // this run may know more by now
			return r.outrun(found)
		}
		r.progress, r.opened = found, true
		r.loop.State.Written, r.loop.State.Recorded, r.loop.State.Records = found.Time, found.Time, found.Records
	case found.Time == r.progress.Time: // what was sent did not arrive
	case sent > 0 && found.Time == sent:
		r.committed(sent)
		r.loop.State.Records = max(r.loop.State.Records, found.Records) // where the target keeps it, it knows better
	default:
		return r.Taken()
	}
	return nil
}

// write commits ticks, leaving out those that are committed already.
func (r *Runner) write(ctx context.Context, group []Tick) error {
	if !r.open {
		if err := r.connect(ctx); err != nil {
			return err
		}
	}
	rest := TicksAfter(group, r.progress.Time)
	r.fresh = r.fresh && len(rest) == len(group) // the whole content is the first tick
	if len(rest) == 0 {
		return nil
	}
	last, rows := rest[len(rest)-1].Time, CountChanges(rest)
	if rows == 0 && !r.fresh && last < r.loop.State.Recorded+IdleProgress {
		r.loop.State.Written = last
		return nil
	}
	r.loop.Began = r.loop.Clock.Now()
	r.sent, r.records = last, int64(rows)
	n, err := r.target.Write(ctx, Group{Ticks: rest, Whole: r.fresh, From: r.progress, To: last})
	if err != nil {
		return err
	}
	r.records = n
	r.committed(last)
	return nil
}

func (r *Runner) committed(upTo repr.Time) {
	r.fresh, r.sent = false, 0
	r.progress = Progress{Known: true, Time: upTo, Writer: r.opts.Writer}
	r.loop.State.Written, r.loop.State.Recorded = upTo, upTo
	r.loop.State.Records += r.records
	r.records = 0
}

// Taken is the end of a sink whose place another one has taken.
func (r *Runner) Taken() *repr.Error { return Taken(r.opts.Place) }

// Taken says that somebody else writes to a place.
func Taken(place string) *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, "another server has taken over "+place).
		WithDetail("It writes under the same name, so it runs on a copy of this server's data.").
		WithHint("Keep one of the two servers; on the other drop the sink, and create it anew into another place.")
}

func (r *Runner) outrun(found Progress) *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, fmt.Sprintf("%s holds changes up to time %d, and the data of this server end at %d",
		r.opts.Place, found.Time, r.opts.Restored)).WithDetail("The data are an older copy of those that wrote it.").
		WithHint("Drop the sink and create it anew into another place.")
}
