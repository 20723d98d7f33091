package kafka

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/repr"
	"millrace/sinks"
)

const (
	// A client is flushed when this much is buffered; the client itself would block at more.
	flushRecords = 8 << 10
	flushBytes   = 8 << 20
	maxBuffered  = 2 * flushRecords

	// transactionTimeout is how long a broker lets a transaction be open. It bounds how long readers wait when this
	// process dies in the middle of one and does not come back.
	transactionTimeout    = 2 * time.Minute
	maxTransactionTimeout = 15 * time.Minute // what brokers allow by default
	commitTimeout         = 30 * time.Second
	// What is left for ending a transaction once ctx is over.
	farewell = 2 * time.Second
)

// connection is a client that holds the transactional id.
type connection struct {
	client     *kgo.Client
	admin      *kadm.Client
	trouble    *trouble
	partitions int32 // of the topic
	byKey      kgo.TopicPartitioner
	acks       acks
	records    int // produced since the last flush
	bytes      int
}

// acks are what the broker has answered to records.
type acks struct {
	count atomic.Int64
	err   atomic.Pointer[error] // the first
}

func (a *acks) done(_ *kgo.Record, err error) {
	if err != nil {
		a.err.CompareAndSwap(nil, &err)
	}
	a.count.Add(1)
}

// trouble remembers the last failure to connect, which says more than the timeout that follows from it.
type trouble struct{ last atomic.Pointer[error] }

// OnBrokerConnect is called by the client after each attempt.
func (t *trouble) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err == nil {
		t.last.Store(nil)
		return
	}
	addr := net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port)))
	err = &unreachableError{addr: addr, err: err}
	t.last.Store(&err)
}

func (t *trouble) err() error {
	if p := t.last.Load(); p != nil {
		return *p
	}
	return nil
}

// dial makes a client; it does not connect yet.
func (s *Sink) dial(more ...kgo.Opt) (*connection, error) {
	c := &connection{trouble: &trouble{}, byKey: kgo.StickyKeyPartitioner(nil).ForTopic(s.cfg.Topic)}
	secure := s.cfg.Secure
	secure.Dialer = s.cfg.Dialer
	opts, err := secure.Security()
	if err != nil {
		return nil, err
	}
	opts = append(append(opts,
		kgo.SeedBrokers(s.cfg.Brokers...), kgo.ClientID("millrace"),
		kgo.WithHooks(c.trouble), kgo.RetryTimeout(s.patience), kgo.RequestTimeoutOverhead(s.patience), kgo.RetryBackoffFn(broker.Backoff),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(maxBuffered),
		kgo.ProducerBatchCompression(codecs[s.cfg.Compression], kgo.NoCompression()),
		kgo.MetadataMinAge(250*time.Millisecond), kgo.ProducerLinger(0)), more...)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("set up client of Kafka broker %s: %w", s.brokers(), err)
	}
	c.client, c.admin = client, kadm.NewClient(client)
	return c, nil
}

// connect makes everything ready for transactions and finds out what is committed. Only one client at a time can
// have the transactional id: to take it ends the transaction that another may have left open.
func (s *Sink) connect(ctx context.Context) error {
	c, err := s.dial(kgo.TransactionalID(s.cfg.TransactionalID), kgo.TransactionTimeout(s.transactionTimeout()))
	if err != nil {
		return err
	}
	s.conn = c
	if err := s.register(ctx); err != nil {
		return err
	}
	_, created, err := s.ensureTopic(ctx, s.progressTopic(), true)
	if err != nil {
		return err
	}
	if !created { // whoever runs on a copy of our data is not to be fenced by us
		if _, err = s.readProgress(ctx, c); err != nil {
			return err
		}
	}
	if _, _, err := c.client.ProducerID(ctx); err != nil {
		return fmt.Errorf("take transactional id %s: %w", s.cfg.TransactionalID, err)
	}
	var found progress
	if !created {
		if found, err = s.readProgress(ctx, c); err != nil {
			return err
		}
	}
	if err := s.resolve(found); err != nil {
		return err
	}
	c.partitions, created, err = s.ensureTopic(ctx, s.topic(), !s.progress.known)
	if err == nil {
		err = s.sameTopic(ctx)
	}
	if err != nil || s.progress.known {
		return err
	}
	s.progress.Since, err = s.endOf(ctx, created)
	return err
}

// transactionTimeout doubles when it has proved too short, as it may for a large snapshot.
func (s *Sink) transactionTimeout() time.Duration {
	return min(transactionTimeout<<min(s.overdue, 8), maxTransactionTimeout)
}

// resolve compares the progress that was found with what this Run has sent: a commit whose answer was lost shows
// here, and so does another writer.
func (s *Sink) resolve(found progress) error {
	sent := s.sent
	s.sent = attempt{}
	switch {
	case !found.known:
		return nil
	case sent != (attempt{}) && found.Time == sent.upTo:
		s.committed(sent)
	case !s.progress.known && sent == (attempt{}):
		if s.cfg.Restored > 0 && found.Time > s.cfg.Restored && found.Writer != s.cfg.Writer { // this run may know more by now
			return s.outrun(found)
		}
		s.progress = found
		s.loop.State.Written, s.loop.State.Recorded = found.Time, found.Time
		s.loop.State.Records, s.loop.State.Dropped = found.Records, found.Dropped
	case !s.progress.known || found.Time > s.progress.Time:
		return s.fenced()
	}
	return nil
}

// disconnect throws the client away, and aborts what it has open if the broker still answers.
func (s *Sink) disconnect(ctx context.Context) {
	c := s.conn
	if c == nil {
		return
	}
	s.conn = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	err := c.client.AbortBufferedRecords(ctx)
	if err == nil {
		err = c.client.EndTransaction(ctx, kgo.TryAbort)
	}
	if err != nil {
		s.cfg.Log.Debug("transaction was not aborted", "topic", s.cfg.Topic, "err", err)
	}
	c.client.Close()
}

// transact writes ticks and the progress in one transaction.
func (s *Sink) transact(ctx context.Context, group []sinks.Tick) error {
	c := s.conn
	if err := c.client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction %s: %w", s.cfg.TransactionalID, err)
	}
	s.sent, s.dropping = attempt{}, 0
	var records int64
	how := manners[s.cfg.Envelope]
	for i := range group {
		write := how.write
		if i == 0 && s.fresh && s.progress.known {
			write = how.resume
		} else if i == 0 && s.fresh && !s.cfg.Snapshot {
			continue
		}
		n, err := write(s, ctx, group[i])
		if err != nil {
			return err
		}
		records += n
	}
	if s.cfg.Clock.Now().Sub(s.looked) >= lookEvery {
		if err := s.sameTopic(ctx); err != nil {
			return err
		}
	}
	next := progress{Time: group[len(group)-1].Time, Writer: s.cfg.Writer, Since: s.progress.Since, Topic: s.progress.Topic,
		Records: s.loop.State.Records + records, Dropped: s.loop.State.Dropped + s.dropping}
	value, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("write progress: %w", err)
	}
	rec := &kgo.Record{Topic: s.cfg.ProgressTopic, Key: []byte(s.cfg.TransactionalID), Value: value}
	if err := s.send(ctx, rec); err != nil {
		return err
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	s.sent = attempt{upTo: next.Time, records: records, dropped: s.dropping}
	return s.commit(ctx)
}

// commit ends the transaction. When ctx ends meanwhile, the broker gets a little time to answer.
func (s *Sink) commit(ctx context.Context) error {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		_ = s.cfg.Clock.Sleep(end, farewell) // either way the time is over
		cancel()
	})
	defer stop()
	if err := s.conn.client.EndTransaction(end, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit to topic %s: %w", s.cfg.Topic, err)
	}
	return nil
}

// writeChanges writes a tick in envelopes.
func (s *Sink) writeChanges(ctx context.Context, t sinks.Tick) (int64, error) {
	return s.produce(ctx, s.enc.changesOf(t))
}

// resumeChanges writes the difference between the topic and a snapshot, in envelopes.
func (s *Sink) resumeChanges(ctx context.Context, t sinks.Tick) (int64, error) {
	batch, err := s.difference(ctx, t)
	if err != nil {
		return 0, err
	}
	return s.produce(ctx, batch)
}

// codecs are the kinds of compression.
var codecs = map[string]kgo.CompressionCodec{
	"": kgo.SnappyCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// produce hands the messages of a tick to the client and returns their number.
func (s *Sink) produce(ctx context.Context, batch *changes) (int64, error) {
	var records int64
	for _, st := range batch.plan() {
		var rec kgo.Record
		var rows [2][]byte
		for i, at := range [2]int{st.before, st.after} {
			if at == none {
				continue
			}
			var err error
			if rec.Key, rows[i], err = batch.load(at); err != nil {
				return 0, cannotWrite(s.cfg.Topic, err)
			}
		}
		rec.Topic, rec.Value = s.cfg.Topic, s.enc.envelope(rows[0], rows[1])
		rec.Partition = s.partitionOf(batch, st, rec.Key, rows)
		for range st.n {
			again := rec
			if err := s.send(ctx, &again); err != nil {
				return 0, err
			}
		}
		records += st.n
	}
	return records, nil
}

// send hands a record to the client, and waits for the broker when much is on its way.
func (s *Sink) send(ctx context.Context, rec *kgo.Record) error {
	c := s.conn
	c.client.Produce(ctx, rec, c.acks.done)
	c.records++
	c.bytes += len(rec.Key) + len(rec.Value)
	if c.records < flushRecords && c.bytes < flushBytes {
		return nil
	}
	return s.flush(ctx)
}

// flush waits until the broker has everything, for as long as it goes on answering.
func (s *Sink) flush(ctx context.Context) error {
	c := s.conn
	c.records, c.bytes = 0, 0
	for {
		before := c.acks.count.Load()
		waiting, cancel := context.WithTimeout(ctx, s.patience)
		err := c.client.Flush(waiting)
		cancel()
		if failed := c.acks.err.Load(); failed != nil {
			return fmt.Errorf("write to topic %s: %w", s.cfg.Topic, *failed)
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case c.acks.count.Load() == before:
			return fmt.Errorf("write to topic %s: no answer in %s: %w", s.cfg.Topic, s.patience, context.DeadlineExceeded)
		}
	}
}

// progress is what the progress topic holds for a sink.
type progress struct {
	Time   repr.Time       `json:"time"`
	Writer string          `json:"writer,omitempty"` // the run that wrote it
	Since  map[int32]int64 `json:"since"`            // the offsets at which the sink's first records stand, by partition
	Topic  string          `json:"topic,omitempty"`  // the number of the topic: one that is made anew has another
	// What was written and what was left out in all. Progress of earlier servers does not have it.
	Records int64 `json:"records,omitempty"`
	Dropped int64 `json:"dropped,omitempty"`
	known   bool
}
