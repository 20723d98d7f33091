package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/internal/clock"
	"millrace/repr"
	"millrace/sources"
)

// Letter is a bad record on its way to the topic.
type Letter struct {
	Place string // what it was read from: a partition, a file
	At    int64  // where it stood there; several that came at once may have the same

	Key, Value []byte
	Headers    []kgo.RecordHeader // that it had
	Where      []Fact             // where it stood, in the words of the source
	Error      string
	Code       string // SQLSTATE
	Met        int64  // when, in milliseconds since 1970
}

// Fact is a header that is added.
type Fact struct{ Name, Value string }

// Config says whose letters are written.
type Config struct {
	Reads string // what the source reads, as the progress names it
	// Own are the brokers that the source reads from, for a policy that names none; nil: it reads from none. Like is the topic that it
	// reads there: a topic of letters that is made takes records as large as that one does.
	Own  func() *broker.Options
	Like string

	Policy func() sources.ErrorPolicy
	Report func(sources.State) // while letters cannot be written, and when they can again
	// Prune deletes the places that will never be read again from the positions up to which letters are written; nil: it keeps all.
	Prune func(written map[string]int64)
	Clock clock.Clock
}

// Outbox writes letters where the policy says. It belongs to one goroutine.
type Outbox struct {
	cfg     Config
	w       *writer // nil: there is none yet
	stalled bool
}

// New makes an outbox that connects when there is something to write.
func New(cfg Config) *Outbox { return &Outbox{cfg: cfg} }

// How long to wait before the next attempt, at first and at most.
const (
	retryWait    = 500 * time.Millisecond
	maxRetryWait = 2 * time.Second
)

// Write writes letters, however long that takes, unless the policy names no topic any more; it gives how many are in the topic, those
// that were there already with them.
func (o *Outbox) Write(ctx context.Context, letters []Letter) (int64, error) {
	wait := retryWait
	for len(letters) > 0 {
		w := o.writerTo(o.cfg.Policy())
		if w == nil {
			o.resume()
			return 0, nil
		}
		err := w.write(ctx, letters)
		if err == nil {
			o.resume()
			return int64(len(letters)), nil
		}
		w.close()
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		e := w.explain(err)
		o.stalled = true
		o.cfg.Report(sources.State{Status: "stalled", Error: e.Message, Hint: e.Hint})
		if err := o.cfg.Clock.Sleep(ctx, wait); err != nil {
			return 0, err
		}
		wait = min(2*wait, maxRetryWait)
	}
	return 0, nil
}

func (o *Outbox) resume() {
	if o.stalled {
		o.stalled = false
		o.cfg.Report(sources.State{Status: "running"})
	}
}

// writerTo is the writer to the topic that a policy names; nil when it names none.
func (o *Outbox) writerTo(p sources.ErrorPolicy) *writer {
	to, like := p.Broker, ""
	if to == nil && o.cfg.Own != nil {
		to, like = o.cfg.Own(), o.cfg.Like
	}
	if o.w != nil && (o.w.topic != p.DeadLetters || o.w.id != p.Writer || o.w.opts != to) {
		o.w.close()
		o.w = nil
	}
	if p.DeadLetters == "" || to == nil {
		return nil
	}
	if o.w == nil {
		o.w = &writer{topic: p.DeadLetters, progress: "millrace-progress-" + p.DeadLetters, id: p.Writer, reads: o.cfg.Reads, like: like,
			opts: to, prune: o.cfg.Prune}
	}
	return o.w
}

// Close leaves the brokers.
func (o *Outbox) Close() {
	if o.w != nil {
		o.w.close()
	}
}

// explain says why letters cannot be written.
func (w *writer) explain(err error) *repr.Error {
	err = fmt.Errorf("write dead letters to topic %q: %w", w.topic, err)
	if p := w.opts.Explain(err); p != nil {
		return &repr.Error{Code: p.Code, Message: p.Message, Hint: p.Hint}
	}
	var e *repr.Error
	if errors.As(err, &e) {
		return e
	}
	return repr.NewError(repr.CodeConnectionFailure, err.Error())
}
