package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/repr"
	"millrace/sources"
)

const (
	letterTimeout = time.Minute         // how long the broker lets a transaction be open
	letterRoom    = 64 << 10            // of a dead letter beside the key and the value that it is about
	letterBytes   = 16<<20 + letterRoom // the largest that a topic takes which is created, at least
	letterFlush   = 20 * time.Second    // how long the broker may take over the letters of a batch
	progressTail  = 1000                // records of the topic of progress that are read first
)

// letter is a bad record on its way to the topic of dead letters.
type letter struct {
	rec *kgo.Record
	bad *repr.Error
	met int64
}

// deadLetters writes bad records to a topic, each once. They are written before the batch that has their rows of errors is handed
// over, in a transaction with the offsets up to which those of each partition are written: what is read again after a crash, or after a
// commit whose answer was lost, is left out by its offset. It belongs to the goroutine of Run.
type deadLetters struct {
	topic, progress string
	writer          string // the transactional id
	source          string // the topic that is read
	opts            broker.Options

	cl      *kgo.Client     // nil: to be made
	written map[int32]int64 // offsets up to which those of each partition are committed
	most    int             // bytes of a letter that the topic takes
}

// letterProgress is what the topic of progress holds of a source.
type letterProgress struct {
	Source string          `json:"source"`
	Next   map[int32]int64 `json:"next"`
}

// bury writes the bad records of the batch to the topic of dead letters, however long that takes. The policy may become another
// meanwhile.
func (r *reader) bury(ctx context.Context) error {
	wait := retryWait
	for len(r.dead) > 0 {
		l := r.lettersTo(r.following())
		if l == nil {
			break
		}
		err := l.write(ctx, r.dead)
		if err == nil {
			r.batch.Letters += int64(len(r.dead)) // those that were there already count too: this batch was not handed over with them
			break
		}
		l.close()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e := r.explain(fmt.Errorf("write dead letters to topic %q: %w", l.topic, err))
		r.report(sources.State{Status: statusStalled, Error: e.Message, Hint: e.Hint})
		if err := r.cfg.Clock.Sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, maxRetryWait)
	}
	if len(r.dead) > 0 && r.state.Status == statusStalled {
		r.report(sources.State{Status: statusRunning})
	}
	r.dead = nil
	return nil
}

// lettersTo is the writer to the topic that a policy names; nil when it names none.
func (r *reader) lettersTo(p sources.ErrorPolicy) *deadLetters {
	l := r.letters
	if l != nil && (l.topic != p.DeadLetters || l.writer != p.Writer) {
		l.close()
		l, r.letters = nil, nil
	}
	if p.DeadLetters == "" {
		return nil
	}
	if l == nil {
		l = &deadLetters{topic: p.DeadLetters, progress: "millrace-progress-" + p.DeadLetters, writer: p.Writer, source: r.cfg.Topic}
		r.letters = l
	}
	if l.opts = r.cfg.Broker; r.to.Load() != nil {
		l.opts = *r.to.Load()
	}
	return l
}

func (l *deadLetters) close() {
	if l == nil || l.cl == nil {
		return
	}
	l.cl.Close() // what was not committed is aborted by the next that takes the transactional id
	l.cl = nil
}

// write commits the letters that are not there yet.
func (l *deadLetters) write(ctx context.Context, dead []letter) error {
	if l.cl == nil {
		if err := l.connect(ctx); err != nil {
			return err
		}
	}
	next := maps.Clone(l.written)
	var records []*kgo.Record
	for i := range dead {
		rec := dead[i].rec
		if rec.Offset < l.written[rec.Partition] {
			continue
		}
		next[rec.Partition] = rec.Offset + 1
		records = append(records, l.record(&dead[i]))
	}
	if len(records) == 0 {
		return nil
	}
	value, err := json.Marshal(letterProgress{Source: l.source, Next: next})
	if err != nil {
		return err
	}
	records = append(records, &kgo.Record{Topic: l.progress, Key: []byte(l.writer), Value: value})
	if err := l.transact(ctx, records); err != nil {
		return err
	}
	l.written = next
	return nil
}

// transact writes records in one transaction.
func (l *deadLetters) transact(ctx context.Context, records []*kgo.Record) error {
	ctx, cancel := context.WithTimeout(ctx, letterFlush)
	defer cancel()
	if err := l.cl.BeginTransaction(); err != nil {
		return err
	}
	var once sync.Once
	var failed error
	for _, rec := range records {
		l.cl.Produce(ctx, rec, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
	}
	if err := l.cl.Flush(ctx); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return l.cl.EndTransaction(ctx, kgo.TryCommit)
}

// record is a bad record as it was, with headers that say where it stood and what is wrong with it. A value that is larger than the
// topic takes is left out.
func (l *deadLetters) record(d *letter) *kgo.Record {
	rec := &kgo.Record{Topic: l.topic, Key: d.rec.Key, Value: d.rec.Value, Headers: slices.Clone(d.rec.Headers)}
	say := func(name, value string) {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: "millrace." + name, Value: []byte(value)})
	}
	say("topic", d.rec.Topic)
	say("partition", strconv.Itoa(int(d.rec.Partition)))
	say("offset", strconv.FormatInt(d.rec.Offset, 10))
	say("timestamp", d.rec.Timestamp.UTC().Format(time.RFC3339Nano))
	say("error", reasonOf(d.bad))
	say("error_code", d.bad.Code)
	say("time", time.UnixMilli(d.met).UTC().Format(time.RFC3339Nano))
	size := letterRoom / 2
	for _, h := range rec.Headers {
		size += len(h.Key) + len(h.Value)
	}
	if size+len(rec.Key)+len(rec.Value) > l.most {
		say("left_out", fmt.Sprintf("the key of %d bytes, the value of %d bytes and their headers: the topic takes records of %d bytes", len(rec.Key), len(rec.Value), l.most))
		rec.Key, rec.Value, rec.Headers = nil, nil, rec.Headers[len(d.rec.Headers):]
	}
	return rec
}

// connect takes the transactional id, which ends what another run has left open, and finds out what is written.
func (l *deadLetters) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, letterFlush)
	defer cancel()
	if err := l.prepare(ctx); err != nil {
		return err
	}
	cl, err := l.opts.Client(kgo.TransactionalID(l.writer), kgo.TransactionTimeout(letterTimeout), kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(int32(l.most)), kgo.MaxBufferedRecords(2*batchRows))
	if err != nil {
		return err
	}
	l.cl = cl
	if _, _, err := cl.ProducerID(ctx); err != nil {
		return fmt.Errorf("take transactional id %s: %w", l.writer, err)
	}
	return l.readProgress(ctx)
}

// prepare makes the topics that are missing, and asks how large a letter may be.
func (l *deadLetters) prepare(ctx context.Context) error {
	cl, err := l.opts.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	large := strconv.Itoa(max(letterBytes, mostBytes(ctx, adm, l.source)+letterRoom))
	if err := create(ctx, adm, l.topic, -1, map[string]*string{"max.message.bytes": &large}); err != nil {
		return err
	}
	compact := "compact"
	if err := create(ctx, adm, l.progress, 1, map[string]*string{"cleanup.policy": &compact}); err != nil {
		return err
	}
	if l.most = mostBytes(ctx, adm, l.topic); l.most == 0 {
		l.most = 1_000_000 // what brokers take by default, nearly
	}
	l.most = min(l.most, 64<<20) // the client writes no more than 100 MiB at once
	return nil
}

// create makes a topic that is missing, and waits until it is there.
func create(ctx context.Context, adm *kadm.Client, topic string, partitions int32, configs map[string]*string) error {
	answer, err := adm.CreateTopic(ctx, partitions, -1, configs, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		if answer.ErrMessage != "" {
			err = fmt.Errorf("%s: %w", answer.ErrMessage, err)
		}
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

// mostBytes is how large a batch of a topic may be; 0 when that cannot be found out.
func mostBytes(ctx context.Context, adm *kadm.Client, topic string) int {
	configs, err := adm.DescribeTopicConfigs(ctx, topic)
	if err != nil || len(configs) != 1 || configs[0].Err != nil {
		return 0
	}
	for _, c := range configs[0].Configs {
		if c.Key == "max.message.bytes" && c.Value != nil {
			n, _ := strconv.Atoi(*c.Value) // a broker that says something else has not said it
			return n
		}
	}
	return 0
}

// readProgress finds out what the last transaction has written.
func (l *deadLetters) readProgress(ctx context.Context) error {
	l.written = map[int32]int64{}
	r, err := broker.NewCommitted(ctx, l.cl, l.progress, 0)
	if err != nil {
		return err
	}
	for n := int64(progressTail); ; n *= 100 {
		from := max(r.End-n, r.Start)
		var bad error
		var found *letterProgress
		err := r.Each(ctx, from, func(rec *kgo.Record) {
			if string(rec.Key) == l.writer {
				found = &letterProgress{}
				bad = json.Unmarshal(rec.Value, found)
			}
		})
		switch {
		case err != nil:
			return err
		case bad != nil:
			return fmt.Errorf("topic %s holds progress of %s that cannot be read: %w", l.progress, l.writer, bad)
		case found != nil && found.Next != nil:
			l.written = found.Next
			return nil
		case from == r.Start:
			return nil
		}
	}
}
