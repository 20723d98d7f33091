package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/repr"
	"millrace/sources"
	"millrace/sources/envelope"
)

// maxKept is how much of a bad record's key and value its row of errors keeps.
const maxKept = 64 << 10

// maxReason is how much of an error's text is kept, which may quote the record.
const maxReason = 2000

// againEvery is how often a record at which the source stops is tried again: its schema may come late.
const againEvery = 5 * time.Second

// Halts says that it stops in front of a bad record where the policy wants that.
func (*Source) Halts() bool { return true }

// Follow has bad records dealt with in this way from the next one on. Any goroutine may call it.
func (s *Source) Follow(p sources.ErrorPolicy) {
	s.policy.Store(&p)
	select {
	case s.altered <- struct{}{}:
	default:
	}
}

// following is the policy.
func (s *Source) following() sources.ErrorPolicy {
	if p := s.policy.Load(); p != nil {
		return *p
	}
	return sources.ErrorPolicy{}
}

// mend makes a row of errors of a bad record, unless the source stops at it, and waits where the registry is away.
func (r *reader) mend(ctx context.Context, rec *kgo.Record, err error) ([]sources.Update, error) {
	var bad *repr.Error
	if !errors.As(err, &bad) {
		if err := r.pushBefore(ctx, rec); err != nil {
			return nil, err
		}
		var updates []sources.Update
		err = r.insist(ctx, func() error {
			var err error
			updates, err = r.seen.env.Apply(ctx, r.batch.Updates, &r.msg)
			if errors.As(err, &bad) {
				return nil
			}
			return err
		})
		if err != nil {
			r.next[rec.Partition] = rec.Offset // it is read again
			return nil, err
		}
		r.report(sources.State{Status: statusRunning})
		if bad == nil {
			return updates, nil
		}
	}
	if r.following().OnError == sources.Fail {
		updates, good, err := r.halt(ctx, rec, bad)
		if err != nil || good {
			return updates, err
		}
	}
	return r.quarantine(rec, bad), nil
}

// quarantine makes a row of errors of a record.
func (r *reader) quarantine(rec *kgo.Record, bad *repr.Error) []sources.Update {
	row := r.errorOf(rec, bad)
	updates := r.batch.Updates
	if h, ok := r.seen.env.(envelope.Healing); ok {
		updates, r.batch.Errors = h.Fail(updates, r.batch.Errors, &r.msg, bad, row)
	} else {
		r.batch.Errors = append(r.batch.Errors, sources.Update{Row: row, Diff: 1})
	}
	return updates
}

// errorOf counts a bad record, and makes its row of errors.
func (r *reader) errorOf(rec *kgo.Record, bad *repr.Error) []byte {
	r.met = max(r.met, r.cfg.Clock.Now().UnixMilli()) // the order of their rows is that in which they came, also when the clock is set back
	r.batch.Bad++
	if r.following().DeadLetters != "" {
		r.dead = append(r.dead, letterOf(rec, bad, r.met))
	}
	return errorRow(rec, bad, r.met)
}

// pushBefore hands over what was read before a record that has to wait.
func (r *reader) pushBefore(ctx context.Context, rec *kgo.Record) error {
	r.next[rec.Partition] = rec.Offset
	r.note(rec.Partition)
	if err := r.push(ctx); err != nil {
		return err
	}
	r.next[rec.Partition] = rec.Offset + 1
	r.note(rec.Partition)
	return nil
}

// halt waits in front of a bad record until it can be decoded, which says that it is good, or until the policy takes it.
func (r *reader) halt(ctx context.Context, rec *kgo.Record, bad *repr.Error) (updates []sources.Update, good bool, err error) {
	if err := r.pushBefore(ctx, rec); err != nil {
		return nil, false, err
	}
	for {
		r.report(sources.State{Status: statusFailed, Error: fmt.Sprintf("the record at offset %d of partition %d of topic %q cannot be decoded: %s",
			rec.Offset, rec.Partition, rec.Topic, reasonOf(bad)),
			Hint: "ALTER SOURCE … SET (ON ERROR = quarantine) reads on, and keeps it in <source>_errors; it is tried again every " + againEvery.String()})
		if err := r.pause(ctx); err != nil {
			r.next[rec.Partition] = rec.Offset
			return nil, false, err
		}
		if r.following().OnError != sources.Fail {
			r.report(sources.State{Status: statusRunning})
			return nil, false, nil
		}
		updates, err = r.seen.env.Apply(ctx, r.batch.Updates, &r.msg)
		var still *repr.Error
		switch {
		case err == nil:
			r.report(sources.State{Status: statusRunning})
			return updates, true, nil
		case errors.As(err, &still):
			bad = still
		case ctx.Err() != nil:
			return nil, false, ctx.Err()
		}
	}
}

// pause waits until a record is worth another try.
func (r *reader) pause(ctx context.Context) error {
	select {
	case <-r.altered:
	case <-r.changed:
		return errReconnect
	case <-r.cfg.Clock.After(againEvery):
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// reasonOf is the text of an error as a row of errors has it.
func reasonOf(e *repr.Error) string {
	text := e.Message
	if e.Detail != "" {
		text += " (" + e.Detail + ")"
	}
	if len(text) > maxReason {
		text = text[:maxReason] + "…"
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", `\x00`), "\uFFFD")
}

// errorRow is a row of sources.ErrorColumns, of an error that was met at a time.
func errorRow(r *kgo.Record, e *repr.Error, met int64) []byte {
	row := []repr.Datum{
		repr.TimestampTZ((met - epochMillis) * 1000), repr.Text(reasonOf(e)), repr.Text(e.Code), repr.Text(r.Topic),
		repr.Int4(r.Partition), repr.Int8(r.Offset), repr.TimestampTZ((r.Timestamp.UnixMilli() - epochMillis) * 1000),
		kept(r.Key), kept(r.Value),
	}
	return repr.AppendRow(make([]byte, 0, 128+min(len(r.Key), maxKept)+min(len(r.Value), maxKept)), row[:len(sources.ErrorColumns)])
}

func kept(b []byte) repr.Datum {
	if b == nil {
		return repr.Null
	}
	return repr.Bytea(b[:min(len(b), maxKept)])
}
