package kafka

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/repr"
	"millrace/sources/deadletter"
)

// newOutbox is where the bad records go. A record is named by its partition and its offset.
func (r *reader) newOutbox() *deadletter.Outbox {
	return deadletter.New(deadletter.Config{Reads: r.cfg.Topic, Like: r.cfg.Topic, Policy: r.following, Report: r.report, Clock: r.cfg.Clock,
		Own: func() *broker.Options {
			if to := r.to.Load(); to != nil {
				return to
			}
			return r.own
		}})
}

// bury writes the bad records of the batch to the topic of dead letters, however long that takes. The policy may become another
// meanwhile.
func (r *reader) bury(ctx context.Context) error {
	n, err := r.outbox.Write(ctx, r.dead)
	if err != nil {
		return err
	}
	r.batch.Letters += n // those that were there already count too: this batch was not handed over with them
	clear(r.dead)
	r.dead = r.dead[:0]
	return nil
}

// letterOf is a bad record as it goes to the topic of dead letters.
func letterOf(rec *kgo.Record, bad *repr.Error, met int64) deadletter.Letter {
	partition := strconv.Itoa(int(rec.Partition))
	return deadletter.Letter{Place: partition, At: rec.Offset, Key: rec.Key, Value: rec.Value, Headers: rec.Headers, Where: []deadletter.Fact{
		{Name: "topic", Value: rec.Topic}, {Name: "partition", Value: partition}, {Name: "offset", Value: strconv.FormatInt(rec.Offset, 10)},
		{Name: "timestamp", Value: rec.Timestamp.UTC().Format(time.RFC3339Nano)},
	}, Error: reasonOf(bad), Code: bad.Code, Met: met}
}
