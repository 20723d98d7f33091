package deadletter

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
)

// How long things may take.
const (
	transactionTime = time.Minute      // the broker lets a transaction be open for so long
	patience        = 20 * time.Second // for the broker to take the letters of a batch, and a second more
	bytesPerSecond  = 4 << 20          // for this many bytes of them
)

// How large things are.
const (
	headRoom      = 64 << 10          // of a letter, for headers and what stands around the key and the value
	topicLeast    = 16<<20 + headRoom // what a topic that is made takes of a letter, at least
	clientMost    = 64 << 20          // what is sent of a letter at most: the client writes no more than 100 MiB at once
	brokerDefault = 1_000_000         // what a broker takes that does not say, nearly
	mostBuffered  = 20_000            // letters on their way at once
	progressTail  = 1000              // records at the end of the topic of progress that are looked at first
)

// headerPrefix begins the names of the headers that are added to those of the record.
const headerPrefix = "millrace."

// writer writes letters to a topic. They are written in a transaction with the positions up to which those of each place are there.
type writer struct {
	topic, progress string
	id              string // the transactional id
	reads, like     string
	opts            *broker.Options
	prune           func(map[string]int64)

	cl      *kgo.Client      // nil: to be made
	written map[string]int64 // by place: the letters of all positions before this one are committed
	most    int              // bytes that the topic takes of a letter
}

// progress is a record of the topic of progress, under the transactional id as its key: that topic is compacted, so the newest stays.
type progress struct {
	Source string           `json:"source"`
	Next   map[string]int64 `json:"next"`
}

func (w *writer) close() {
	if w.cl == nil {
		return
	}
	w.cl.Close() // what was not committed is aborted by the next that takes the transactional id
	w.cl = nil
}

// write commits the letters that are not there yet.
func (w *writer) write(ctx context.Context, letters []Letter) error {
	if w.cl == nil {
		if err := w.connect(ctx); err != nil {
			return err
		}
	}
	next := maps.Clone(w.written) // which counts once it is committed
	var records []*kgo.Record
	for i := range letters {
		l := &letters[i]
		if l.At < w.written[l.Place] {
			continue
		}
		next[l.Place] = l.At + 1
		records = append(records, w.record(l))
	}
	if len(records) == 0 {
		return nil
	}
	if w.prune != nil {
		w.prune(next)
	}
	value, err := json.Marshal(progress{Source: w.reads, Next: next})
	if err != nil {
		return err
	}
	records = append(records, &kgo.Record{Topic: w.progress, Key: []byte(w.id), Value: value})
	if err := w.transact(ctx, records); err != nil {
		return err
	}
	w.written = next
	return nil
}

// transact writes records in one transaction.
func (w *writer) transact(ctx context.Context, records []*kgo.Record) error {
	size := 0
	for _, rec := range records {
		size += len(rec.Key) + len(rec.Value)
	}
	ctx, cancel := context.WithTimeout(ctx, min(patience+time.Duration(size/bytesPerSecond)*time.Second, transactionTime))
	defer cancel()
	if err := w.cl.BeginTransaction(); err != nil {
		return err
	}
	var once sync.Once
	var failed error
	for _, rec := range records {
		w.cl.Produce(ctx, rec, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
	}
	if err := w.cl.Flush(ctx); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return w.cl.EndTransaction(ctx, kgo.TryCommit)
}

// record is a bad record as it was, with headers that say where it stood and what is wrong with it. A value that is larger than the
// topic takes is left out.
func (w *writer) record(l *Letter) *kgo.Record {
	rec := &kgo.Record{Topic: w.topic, Key: l.Key, Value: l.Value, Headers: slices.Clone(l.Headers)}
	say := func(name, value string) {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: headerPrefix + name, Value: []byte(value)})
	}
	for _, f := range l.Where {
		say(f.Name, f.Value)
	}
	say("error", l.Error)
	say("error_code", l.Code)
	say("time", Time(l.Met))
	size := headRoom / 2
	for _, h := range rec.Headers {
		size += len(h.Key) + len(h.Value)
	}
	if size+len(rec.Key)+len(rec.Value) > w.most {
		say("left_out", fmt.Sprintf("the key of %d bytes, the value of %d bytes and their headers: the topic takes records of %d bytes", len(rec.Key), len(rec.Value), w.most))
		rec.Key, rec.Value, rec.Headers = nil, nil, rec.Headers[len(l.Headers):]
	}
	return rec
}

// Time is how headers write a time, given in milliseconds since 1970.
func Time(millis int64) string { return time.UnixMilli(millis).UTC().Format(time.RFC3339Nano) }

// connect takes the transactional id, which ends what another run has left open, and finds out what is written.
func (w *writer) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := w.prepare(ctx); err != nil {
		return err
	}
	cl, err := w.opts.Client(kgo.TransactionalID(w.id), kgo.TransactionTimeout(transactionTime), kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(int32(w.most)), kgo.MaxBufferedRecords(mostBuffered))
	if err != nil {
		return err
	}
	w.cl = cl
	if _, _, err := cl.ProducerID(ctx); err != nil {
		return fmt.Errorf("take transactional id %s: %w", w.id, err)
	}
	return w.readProgress(ctx)
}

// prepare makes the topics that are missing, and asks how large a letter may be.
func (w *writer) prepare(ctx context.Context) error {
	cl, err := w.opts.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	most := topicLeast
	if w.like != "" {
		most = max(most, mostBytes(ctx, adm, w.like)+headRoom)
	}
	large := strconv.Itoa(most)
	if err := create(ctx, adm, w.topic, -1, map[string]*string{"max.message.bytes": &large}); err != nil {
		return err
	}
	compact := "compact"
	if err := create(ctx, adm, w.progress, 1, map[string]*string{"cleanup.policy": &compact}); err != nil {
		return err
	}
	if w.most = mostBytes(ctx, adm, w.topic); w.most == 0 {
		w.most = brokerDefault
	}
	w.most = min(w.most, clientMost)
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

// readProgress finds out what the last transaction has written. Its record is near the end of the topic nearly always; where many others
// write there, more and more of the topic is read.
func (w *writer) readProgress(ctx context.Context) error {
	w.written = map[string]int64{}
	r, err := broker.NewCommitted(ctx, w.cl, w.progress, 0)
	if err != nil {
		return err
	}
	for tail := int64(progressTail); ; tail *= 100 {
		from := max(r.End-tail, r.Start)
		var bad error
		var found *progress
		err := r.Each(ctx, from, func(rec *kgo.Record) {
			if string(rec.Key) == w.id {
				found = &progress{}
				bad = json.Unmarshal(rec.Value, found)
			}
		})
		switch {
		case err != nil:
			return err
		case bad != nil:
			return fmt.Errorf("topic %s holds progress of %s that cannot be read: %w", w.progress, w.id, bad)
		case found != nil && found.Next != nil:
			w.written = found.Next
			return nil
		case from == r.Start: // nothing was written under this id
			return nil
		}
	}
}
