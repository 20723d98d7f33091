package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/internal/registry"
	"millrace/repr"
	"millrace/sources"
	"millrace/sources/deadletter"
	"millrace/sources/envelope"
	"millrace/sources/infer"
)

// Bounds of what is fetched and of what is handed over at once.
const (
	fetchBytes   = 16 << 20
	fetchParts   = 2 // of a fetch one partition may fill one
	pollRecords  = 20000
	batchRows    = 10000
	batchBytes   = 1 << 20
	pollWait     = time.Second
	lookEvery    = 3 * time.Second // at partitions and the topic's identity
	retryWait    = 500 * time.Millisecond
	maxRetryWait = 2 * time.Second
)

// The states that a source reports.
const (
	statusStarting = "starting"
	statusRunning  = "running"
	statusStalled  = "stalled"
	statusFailed   = "failed"
)

// reader is one Run.
type reader struct {
	*Source
	out     sources.Events
	cl      *kgo.Client
	health  *broker.Health
	topic   broker.Topic
	looked  time.Time // when the topic was looked at last
	next    map[int32]int64
	batch   *sources.Batch
	batches sources.Pool
	pools   pools
	coming  []*kgo.Record   // of the poll that is taken
	moved   map[int32]int64 // partition → high watermark, of the batch
	high    map[int32]int64 // partition → high watermark, when it was last fetched from
	msg     envelope.Message
	state   sources.State
	extra   []string // fields that no column has

	startMillis int64 // see startMillisOf

	own    *broker.Options     // where it reads
	dead   []deadletter.Letter // bad records of the batch
	outbox *deadletter.Outbox
}

// Run reads from the given offsets until ctx ends. It returns early only with what no retry can mend.
func (s *Source) Run(ctx context.Context, from map[int32]int64, out sources.Events) error {
	r := &reader{Source: s, out: out, health: broker.NewHealth(s.cfg.Clock), next: map[int32]int64{}, high: map[int32]int64{}}
	own := s.cfg.Broker
	r.own, r.outbox, r.startMillis = &own, r.newOutbox(), s.startMillisOf(from)
	r.reset()
	defer r.outbox.Close()
	for {
		r.report(sources.State{Status: statusStarting})
		err := r.run(ctx, from)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, errReconnect) {
			e := toError(err)
			r.report(sources.State{Status: statusFailed, Error: e.Message, Hint: e.Hint})
			if e.Code != repr.CodeInvalidAuthorization && e.Code != repr.CodeInsufficientPrivilege {
				return e
			}
			select { // another login may be let in
			case <-r.changed:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if to := r.to.Swap(nil); to != nil {
			r.cfg.Broker, r.own = *to, to
		}
		if len(r.next) > 0 {
			from = maps.Clone(r.next) // all before it was handed over
		}
	}
}

// startMillisOf is the time at which partitions begin that have no offset yet; 0 for their beginning.
func (s *Source) startMillisOf(from map[int32]int64) int64 {
	switch {
	case s.cfg.StartMillis >= 0:
		return s.cfg.StartMillis
	case len(from) > 0:
		return 0 // these came since the first Run, so none of their records is older than it allows
	default:
		return s.cfg.Clock.Now().UnixMilli() + s.cfg.StartMillis
	}
}

// errReconnect ends a connection for another to be made.
var errReconnect = errors.New("the connection was altered")

// Reconnect has Run connect in another way from now on. What was read is not read again. Any goroutine may call it.
func (s *Source) Reconnect(to broker.Options) {
	s.to.Store(&to)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (r *reader) run(ctx context.Context, from map[int32]int64) error {
	cl, err := r.cfg.Broker.Client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.cfg.Topic: {}}), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(int32(r.cfg.FetchBytes)), kgo.FetchMaxPartitionBytes(int32(r.cfg.FetchBytes/fetchParts)), kgo.MaxConcurrentFetches(3),
		kgo.FetchMaxWait(500*time.Millisecond), kgo.WithHooks(r.health), kgo.WithPools(&r.pools))
	if err != nil {
		return repr.NewError(repr.CodeInvalidParameter, err.Error())
	}
	defer cl.CloseAllowingRebalance()
	r.cl = cl
	r.client.Store(cl)
	defer r.client.Store(nil)
	if err := r.begin(ctx, from); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if r.to.Load() != nil {
			return errReconnect
		}
		if err := r.look(ctx); err != nil {
			return err
		}
		if err := r.poll(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// begin finds the topic, however long that takes, and says where to read from.
func (r *reader) begin(ctx context.Context, from map[int32]int64) error {
	err := r.insist(ctx, func() error {
		var err error
		if r.topic, err = r.cfg.Broker.Lookup(ctx, r.cl, r.cfg.Topic); err != nil {
			return err
		}
		if r.seen == nil {
			return r.build(ctx)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.looked = r.cfg.Clock.Now()
	starts := map[int32]kgo.Offset{}
	for _, p := range r.topic.Partitions {
		starts[p] = r.startOf(p)
		if n, ok := from[p]; ok {
			starts[p] = kgo.NewOffset().At(n)
			r.next[p] = n
		}
	}
	err = r.insist(ctx, func() error { return r.checkOffsets(ctx, from) })
	if err != nil {
		return err
	}
	if err := r.insist(ctx, func() error { return r.announce(ctx) }); err != nil {
		return err
	}
	if err := r.push(ctx); err != nil {
		return err
	}
	r.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.cfg.Topic: starts})
	r.report(sources.State{Status: statusRunning})
	return nil
}

// announce tells, before anything is read, where each partition begins and ends, so that whoever waits for the first
// reading knows of all partitions, also of those that are empty. The end is the last stable offset: what lies behind it
// belongs to transactions that are open.
func (r *reader) announce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, broker.PatienceOnce)
	defer cancel()
	adm := kadm.NewClient(r.cl)
	list := adm.ListStartOffsets
	if r.startMillis > 0 {
		list = func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return adm.ListOffsetsAfterMilli(ctx, r.startMillis, topics...)
		}
	}
	starts, err := list(ctx, r.cfg.Topic)
	if err != nil {
		return err
	}
	ends, err := adm.ListCommittedOffsets(ctx, r.cfg.Topic)
	if err != nil {
		return err
	}
	for _, p := range r.topic.Partitions {
		start, hasStart := starts.Lookup(r.cfg.Topic, p)
		end, hasEnd := ends.Lookup(r.cfg.Topic, p)
		if !hasStart || !hasEnd {
			return fmt.Errorf("partition %d of topic %q has no offsets yet", p, r.cfg.Topic)
		}
		if err := errors.Join(start.Err, end.Err); err != nil {
			return err
		}
		if _, resumed := r.next[p]; !resumed {
			r.next[p] = start.Offset
			if n := r.cfg.StartOffsets[p]; n > 0 {
				r.next[p] = n
			}
		}
		r.moved[p] = end.Offset
	}
	return nil
}

func (r *reader) startOf(p int32) kgo.Offset {
	if n := r.cfg.StartOffsets[p]; n > 0 {
		return kgo.NewOffset().At(n)
	}
	if r.startMillis > 0 {
		return kgo.NewOffset().AfterMilli(r.startMillis)
	}
	return kgo.NewOffset().AtStart()
}

// checkOffsets makes sure that the records to resume at are still there.
func (r *reader) checkOffsets(ctx context.Context, from map[int32]int64) error {
	if len(from) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, broker.PatienceOnce)
	defer cancel()
	adm := kadm.NewClient(r.cl)
	starts, err := adm.ListStartOffsets(ctx, r.cfg.Topic)
	if err != nil {
		return err
	}
	ends, err := adm.ListEndOffsets(ctx, r.cfg.Topic)
	if err != nil {
		return err
	}
	for p, n := range from {
		start, hasStart := starts.Lookup(r.cfg.Topic, p)
		end, hasEnd := ends.Lookup(r.cfg.Topic, p)
		if !hasStart || !hasEnd {
			return r.gone(fmt.Sprintf("partition %d of topic %q is not there any more", p, r.cfg.Topic))
		}
		if err := errors.Join(start.Err, end.Err); err != nil {
			return err
		}
		if n < start.Offset || n > end.Offset {
			return r.gone(fmt.Sprintf("offset %d of partition %d of topic %q is not there: the broker has %d to %d", n, p, r.cfg.Topic, start.Offset, end.Offset))
		}
	}
	return nil
}

// gone is the error for records that cannot be read any more.
func (r *reader) gone(message string) *repr.Error {
	return &repr.Error{Code: repr.CodeObjectNotReady, Message: message,
		Hint: "Records were deleted before they were read, or the topic was deleted and made anew. Drop the source and create it again to read what is there now."}
}

// insist tries until it succeeds, ctx ends, or the error is one that no retry can mend.
func (r *reader) insist(ctx context.Context, try func() error) error {
	wait := retryWait
	for {
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.to.Load() != nil {
			return errReconnect
		}
		if !canMend(err) {
			return err
		}
		e := r.explain(err)
		r.report(sources.State{Status: statusStalled, Error: e.Message, Hint: e.Hint})
		if err := r.cfg.Clock.Sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, maxRetryWait)
	}
}

// canMend says whether trying again may help.
func canMend(err error) bool {
	var p *broker.Problem
	if errors.As(err, &p) {
		return !p.Lasting
	}
	var e *repr.Error
	if errors.As(err, &e) {
		return e.Code == repr.CodeCannotConnect || e.Code == repr.CodeConnectionFailure
	}
	return !errors.Is(err, registry.ErrDenied)
}

func (r *reader) explain(err error) *repr.Error {
	var e *repr.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, registry.ErrUnreachable) || errors.Is(err, registry.ErrDenied) {
		return toError(r.registryError(err, "-value"))
	}
	if p := r.cfg.Broker.Explain(err); p != nil {
		return toError(asError(p))
	}
	return toError(err)
}

func toError(err error) *repr.Error {
	var e *repr.Error
	if errors.As(asError(err), &e) {
		return e
	}
	return repr.NewError(repr.CodeConnectionFailure, err.Error())
}

// report says what changed, once.
func (r *reader) report(s sources.State) {
	if s.Status == statusRunning && s.Hint == "" {
		s.Hint = infer.Hint(r.extra)
	}
	if s == r.state {
		return
	}
	r.state = s
	if s.Status == statusRunning || s.Status == statusStarting {
		r.cfg.Log.Info("source "+s.Status, "topic", r.cfg.Topic)
	} else {
		r.cfg.Log.Warn("source "+s.Status, "topic", r.cfg.Topic, "error", s.Error)
	}
	r.out.Report(s)
}

// look finds new partitions now and then, and a topic that is not the one it was.
func (r *reader) look(ctx context.Context) error {
	if r.cfg.Clock.Now().Sub(r.looked) < lookEvery {
		return nil
	}
	topic, err := r.cfg.Broker.Lookup(ctx, r.cl, r.cfg.Topic)
	r.looked = r.cfg.Clock.Now()
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !canMend(err) {
			return err
		}
		e := r.explain(err)
		r.report(sources.State{Status: statusStalled, Error: e.Message, Hint: e.Hint})
		return nil
	}
	if topic.ID != r.topic.ID {
		return r.gone(fmt.Sprintf("topic %q was deleted and made anew", r.cfg.Topic))
	}
	added := map[int32]kgo.Offset{}
	for _, p := range topic.Partitions[min(len(r.topic.Partitions), len(topic.Partitions)):] {
		added[p] = kgo.NewOffset().AtStart()
	}
	if len(added) > 0 {
		r.cfg.Log.Info("source has new partitions", "topic", r.cfg.Topic, "partitions", len(topic.Partitions))
		r.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.cfg.Topic: added})
		r.topic = topic
	}
	if r.state.Status == statusStalled && r.health.Err() == nil {
		r.report(sources.State{Status: statusRunning})
	}
	return nil
}

// poll takes what was fetched and hands it over.
func (r *reader) poll(ctx context.Context) error {
	pollCtx, cancel := context.WithTimeout(ctx, pollWait)
	fetches := r.cl.PollRecords(pollCtx, pollRecords)
	cancel()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.noteExtra() // what became a column while nothing came is to be seen in what has come
	var failed error
	fetches.EachError(func(_ string, p int32, err error) {
		if failed == nil {
			failed = r.fetchError(p, err)
		}
	})
	if failed != nil {
		return failed
	}
	r.pools.polled(fetches.NumRecords())
	if fetches.NumRecords() == 0 {
		if err := r.health.Err(); err != nil {
			e := r.explain(err)
			r.report(sources.State{Status: statusStalled, Error: e.Message, Hint: e.Hint})
		}
		return nil
	}
	r.report(sources.State{Status: statusRunning})
	fetches.EachPartition(func(p kgo.FetchTopicPartition) { r.high[p.Partition] = p.HighWatermark })
	r.coming = r.coming[:0]
	for it := fetches.RecordIter(); !it.Done(); {
		r.coming = append(r.coming, it.Next())
	}
	for i, rec := range r.coming {
		if i%envelope.MostForeseen == 0 {
			r.foresee(ctx, r.coming[i:min(i+envelope.MostForeseen, len(r.coming))])
		}
		if err := r.take(ctx, rec); err != nil {
			return err
		}
	}
	clear(r.coming)
	if err := r.push(ctx); err != nil {
		return err
	}
	recycle(fetches)
	return nil
}

// foresee tells the envelope which keys come next.
func (r *reader) foresee(ctx context.Context, records []*kgo.Record) {
	f, ok := r.seen.env.(envelope.Foreseeing)
	if !ok {
		return
	}
	var keys [envelope.MostForeseen][]byte
	for i, rec := range records {
		if !rec.Attrs.IsControl() {
			keys[i] = rec.Key
		}
	}
	f.Foresee(ctx, keys[:len(records)])
}

// fetchError is the error that a fetch ends the source with; nil when it may pass.
func (r *reader) fetchError(partition int32, err error) error {
	var lost *kgo.ErrDataLoss
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
		return nil
	case errors.As(err, &lost):
		return r.gone(fmt.Sprintf("partition %d of topic %q lost records that were read: it was read to offset %d, and the broker now goes on at %d",
			partition, r.cfg.Topic, lost.ConsumedTo, lost.ResetTo))
	case errors.Is(err, kerr.OffsetOutOfRange):
		return r.gone(fmt.Sprintf("offset %d of partition %d of topic %q is not there any more", r.next[partition], partition, r.cfg.Topic))
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		r.looked = time.Time{} // look at once whether it is another topic of that name
		return nil
	}
	p := r.cfg.Broker.Explain(fmt.Errorf("partition %d of topic %q: %w", partition, r.cfg.Topic, err))
	if p == nil {
		return nil
	}
	if p.Lasting {
		return p
	}
	r.report(sources.State{Status: statusStalled, Error: p.Message, Hint: p.Hint})
	return nil
}

// note has the batch tell how far a partition was read, and how far it goes.
func (r *reader) note(partition int32) {
	if _, ok := r.moved[partition]; ok {
		return
	}
	r.moved[partition] = -1
	if high, ok := r.high[partition]; ok {
		r.moved[partition] = high
	}
}

// take applies one record.
func (r *reader) take(ctx context.Context, rec *kgo.Record) error {
	b := r.batch
	r.next[rec.Partition] = rec.Offset + 1
	r.note(rec.Partition)
	if rec.Attrs.IsControl() {
		return nil
	}
	r.message(&r.msg, rec)
	var transaction string
	var order int64
	if r.cfg.Debezium.Transactions {
		var err error
		if transaction, order, err = r.separate(ctx, &r.msg); err != nil {
			return err
		}
		b = r.batch
	}
	if r.lenient != nil {
		r.lenient.Forgive(r.following().OnError == sources.NullField)
	}
	updates, err := r.seen.env.Apply(ctx, b.Updates, &r.msg)
	if err != nil {
		if updates, err = r.mend(ctx, rec, err); err != nil {
			return err
		}
		b = r.batch
	}
	b.Updates = updates
	if r.lenient != nil {
		if bad := r.lenient.Forgiven(); bad != nil {
			b.Errors = append(b.Errors, sources.Update{Row: r.errorOf(rec, bad), Diff: 1})
		}
	}
	if b.Transaction = transaction; transaction != "" {
		b.Orders = append(b.Orders, order)
	}
	b.Records++
	b.Bytes += int64(len(rec.Key) + len(rec.Value))
	b.NewestMS = max(b.NewestMS, rec.Timestamp.UnixMilli())
	if len(b.Updates)+len(b.Errors) >= batchRows || b.Bytes >= batchBytes {
		return r.push(ctx)
	}
	return nil
}

// push hands the batch over. It waits while the coordinator is busy, and the fetch buffers fill up to their bound.
func (r *reader) push(ctx context.Context) error {
	if len(r.moved) == 0 {
		return nil
	}
	for _, p := range r.topic.Partitions {
		if high, ok := r.moved[p]; ok {
			r.batch.Progress = append(r.batch.Progress, sources.Progress{Partition: p, Next: r.next[p], High: high})
		}
	}
	if h, ok := r.seen.env.(envelope.Healing); ok {
		r.batch.Errors = h.Healed(r.batch.Errors)
	}
	if e, ok := r.seen.env.(envelope.Remembering); ok && r.cfg.KeepState {
		r.batch.State = e.State(r.batch.State)
	}
	if h, ok := r.seen.env.(interface{ Held() int64 }); ok {
		r.remembered.Store(h.Held())
	}
	r.noteExtra()
	if err := r.bury(ctx); err != nil {
		return err
	}
	if err := r.out.Push(ctx, r.batch); err != nil {
		return fmt.Errorf("hand over records of topic %q: %w", r.cfg.Topic, err)
	}
	r.reset()
	return nil
}

func (r *reader) reset() {
	r.batch = r.batches.Get()
	r.msg.Rows = &r.batch.Rows
	r.moved = map[int32]int64{}
}
