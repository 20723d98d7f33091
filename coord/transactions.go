package coord

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/coord/catalog"
	"millrace/internal/journal"
	"millrace/repr"
	"millrace/sources"
	"millrace/sources/kafka"
	"millrace/sources/txn"
	"millrace/sql/ast"
)

// transactionTopic is what a source says of the topic of its database's transactions.
type transactionTopic struct {
	topic      string // empty: its changes are shown as they come
	collection string // the table as that topic names it; empty: the source's topic ends with it
}

// transactional is a source that may have its transactions kept whole.
type transactional interface {
	// transactionTopic is its topic; nil when they are not kept whole.
	transactionTopic() *transactionTopic
	// transactions are its topic, and the connector that reads it; nil when they are not kept whole.
	transactions(c *Coordinator) (*transactionTopic, sources.Described, *repr.Error)
	// changes is the topic of the changes themselves, and the brokers that have it.
	changes() (topic string, brokers []string)
}

// The options of ENVELOPE DEBEZIUM about transactions.
const (
	optionTransactionTopic      = "transaction metadata topic"
	optionTransactionCollection = "transaction metadata collection"
)

// take reads an option about transactions; false when it is another.
func (t *transactionTopic) take(o *ast.Option) (ok bool, err *repr.Error) {
	to := map[string]*string{optionTransactionTopic: &t.topic, optionTransactionCollection: &t.collection}[o.Name]
	if to == nil {
		return false, nil
	}
	if o.Value.Kind != ast.OptionString || o.Value.Text == "" {
		return true, repr.NewError(repr.CodeInvalidParameter, strings.ToUpper(o.Name)+" must be a name in quotes").At(o.Pos)
	}
	*to = o.Value.Text
	return true, nil
}

func (spec *kafkaSource) changes() (topic string, brokers []string) {
	return spec.topic, spec.broker.brokers
}

func (spec *kafkaSource) transactionTopic() *transactionTopic {
	if spec.txn.topic == "" {
		return nil
	}
	return &spec.txn
}

// transactions makes the connector that reads the topic of the transactions. Its records are in the format of the changes.
func (spec *kafkaSource) transactions(c *Coordinator) (*transactionTopic, sources.Described, *repr.Error) {
	switch {
	case spec.txn.topic == "":
		return nil, nil, nil
	case c.opts.Source != nil:
		return &spec.txn, c.opts.Source(spec.txn.topic), nil
	}
	value, _, err := shapeOf(spec.value, nil)
	if err != nil {
		return nil, nil, err
	}
	cfg := kafka.Config{Topic: spec.txn.topic, ValueFormat: value, Envelope: kafka.EnvelopeNone,
		Include: []kafka.Include{{What: kafka.IncludeOffset, As: "record offset"}}, Log: c.opts.Log, Clock: c.opts.Clock}
	if cfg.Broker, err = c.brokerOptions(spec.broker); err != nil {
		return nil, nil, err
	}
	if cfg.Registry, err = c.registryFor(spec.registry); err != nil {
		return nil, nil, err
	}
	src, e := kafka.New(cfg)
	if e != nil {
		return nil, nil, asError(e)
	}
	return &spec.txn, src, nil
}

// describeTransactions finds out whether the topic of the transactions of a source can be read.
func (c *Coordinator) describeTransactions(ctx context.Context, spec sourceSpec) *repr.Error {
	t, ok := spec.(transactional)
	if !ok {
		return nil
	}
	topic, src, err := t.transactions(c)
	if err != nil || topic == nil {
		return err
	}
	if _, _, e := src.Describe(ctx); e != nil {
		err := asError(e)
		if err.Code == repr.CodeUndefinedObject { // everything is there but this: nothing has changed yet
			err = err.WithHint("The connector makes the topic of TRANSACTION METADATA with the first transaction behind its first content, if it has provide.transaction.metadata=true. " + err.Hint)
		}
		return err
	}
	return nil
}

// maxGated is how much of a source waits for its transactions before it is held up.
const maxGated = 64 << 20

// gateRun keeps the transactions of one topic whole over the sources that name it. It belongs to the loop; the connector that reads
// the topic has a goroutine of its own and speaks through Push and Report.
type gateRun struct {
	c       *Coordinator
	key     string // of the note that says where to go on
	topic   string
	reader  sources.Described
	gate    *txn.Gate[sourceBatch]
	members map[uint64]*sourceRun
	coming  map[uint64]bool // sources that a start has not brought back yet, which are members of the gate already
	cancel  context.CancelFunc
	state   sources.State
	atEnd   time.Time // since when the topic is read to its end; zero when it is not
	ends    map[int32]bool
	noted   int64
	strange int64 // records that tell of no transaction, since the start
}

const transactionNotes = "transactions/"

// joinGate has the transactions of a source kept whole, with those of the other sources that name their topic. It runs in the loop.
func (c *Coordinator) joinGate(r *sourceRun, spec any) *repr.Error {
	t, ok := spec.(transactional)
	if !ok {
		return nil
	}
	topic, reader, err := t.transactions(c)
	if err != nil || topic == nil {
		return err
	}
	g := c.gateOf(t, topic, r.id)
	if g.reader == nil {
		g.reader = reader
		g.start(r.id)
	}
	g.admit(r)
	return nil
}

// gateOf is the gate of a topic of transactions, of which a source is a member from now on. It runs in the loop.
func (c *Coordinator) gateOf(t transactional, topic *transactionTopic, source uint64) *gateRun {
	from, at := t.changes()
	key := transactionNotes + topic.topic + " " + strings.Join(at, ",")
	g := c.gates[key]
	if g == nil {
		g = &gateRun{c: c, key: key, topic: topic.topic, gate: txn.NewGate[sourceBatch](), members: map[uint64]*sourceRun{},
			coming: map[uint64]bool{}, ends: map[int32]bool{}, noted: -1}
		c.gates[key] = g
	}
	g.gate.Join(source, from, topic.collection)
	g.gate.Resume(source, c.noted(overNote(source)))
	return g
}

// admit lets a source speak to the gate that it is a member of. It runs in the loop.
func (g *gateRun) admit(r *sourceRun) {
	delete(g.coming, r.id)
	g.members[r.id] = r
	r.gate, r.room, r.ahead = g, make(chan struct{}, 1), map[int32]int64{}
}

// expect has a source that a start is to bring back count as a member of its gate. The others run sooner, and would show their parts of
// transactions without its own. One that cannot go on stays a member, and the others wait and say for what. It runs before the loop.
func (c *Coordinator) expect(it *catalog.Item) {
	t, ok := it.Def.(transactional)
	if !ok {
		return
	}
	if topic := t.transactionTopic(); topic != nil {
		c.gateOf(t, topic, it.ID).coming[it.ID] = true
	}
}

// stayBehind has a source that cannot go on stay what a start has counted it as. It runs in the loop.
func (c *Coordinator) stayBehind(r *sourceRun) {
	for _, g := range c.gates {
		if g.coming[r.id] {
			g.admit(r)
		}
	}
}

// start reads the topic for a source and all that come to it, from the first transaction on that was not shown before the server stopped.
func (g *gateRun) start(source uint64) {
	var from map[int32]int64
	if n := g.c.noted(g.key); n > 0 {
		from = map[int32]int64{0: n}
	}
	ctx, cancel := context.WithCancel(serve(g.c.ctx, source, gateRole))
	g.cancel = cancel
	g.c.running.Add(1)
	go func() {
		defer g.c.running.Done()
		g.c.turn(ctx)
		err := g.c.guarded("transactions of topic "+g.topic, func() error { return g.reader.Run(ctx, from, g) })
		if err != nil && ctx.Err() == nil {
			e := asError(err)
			g.Report(sources.State{Status: "failed", Error: e.Error(), Hint: e.Hint})
		}
	}()
}

// Push takes records of the topic to the loop.
func (g *gateRun) Push(ctx context.Context, b *sources.Batch) error {
	cols, _, err := g.reader.Describe(ctx)
	if err != nil {
		return err
	}
	records := make([]*txn.Record, 0, len(b.Updates))
	for _, u := range b.Updates {
		if r, ok := txn.Decode(cols, u.Row); ok {
			records = append(records, r)
		}
	}
	strange := b.Bad + int64(len(b.Updates)-len(records))
	if err := g.c.do(ctx, func() { g.take(records, b.Progress); g.wonder(strange) }); err != nil {
		return err
	}
	return nil
}

// wonder counts records that tell of no transaction: the topic may be another one than was meant. It runs in the loop.
func (g *gateRun) wonder(strange int64) {
	if strange > 0 && g.strange == 0 {
		g.c.opts.Log.Warn("a topic of transactions holds other records", "topic", g.topic)
	}
	g.strange += strange
}

// take takes records of the topic. It runs in the loop.
func (g *gateRun) take(records []*txn.Record, progress []sources.Progress) {
	for _, r := range records {
		g.gate.Take(r)
	}
	for _, p := range progress {
		if p.High >= 0 {
			g.ends[p.Partition] = p.Next >= p.High
		}
	}
	all := true
	for _, end := range g.ends {
		all = all && end
	}
	switch {
	case !all:
		g.atEnd = time.Time{}
	case g.atEnd.IsZero():
		g.atEnd = g.c.opts.Clock.Now()
	}
}

// Report takes a change of state.
func (g *gateRun) Report(st sources.State) {
	g.c.later(func() {
		g.state = st
		for _, id := range slices.Sorted(maps.Keys(g.members)) {
			g.members[id].wake()
		}
	})
}

// hold takes a batch of a source, to be let go with its transaction. It runs in the loop.
func (g *gateRun) hold(b sourceBatch) {
	b.run.gated.Add(b.size)
	for _, p := range b.batch.Progress {
		b.run.ahead[p.Partition] = p.Next
	}
	of := txn.Batch{Transaction: b.batch.Transaction, Orders: b.batch.Orders, NewestMS: b.batch.NewestMS}
	g.gate.Add(b.run.id, of, b, g.c.opts.Clock.Now())
}

// openGates takes what is whole into the next tick. It runs in the loop.
func (c *Coordinator) openGates() {
	for _, key := range slices.Sorted(maps.Keys(c.gates)) {
		c.gates[key].open()
	}
}

func (g *gateRun) open() {
	now, readFor := g.c.opts.Clock.Now(), time.Duration(0)
	if !g.atEnd.IsZero() {
		readFor = now.Sub(g.atEnd)
	}
	gone := g.gate.Release(now, readFor)
	for _, rel := range gone {
		rel.Batch.run.leaveGate(rel.Batch)
		g.c.takeBatch(rel.Batch)
	}
	if len(gone) > 0 {
		g.note()
	}
}

// note has the next tick keep where the topic is to be read from after a restart, and which transactions are over for each source: what
// a source has shown does not come again, and another that came later must not wait for it.
func (g *gateRun) note() {
	keep := func(key string, at int64, noted *int64) {
		if at != *noted {
			*noted = at
			g.c.notes = append(g.c.notes, journal.Note{Key: key, Value: strconv.AppendInt(nil, at, 10)})
		}
	}
	keep(g.key, g.gate.Low(), &g.noted)
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		keep(overNote(id), g.gate.Over(id), &g.members[id].over)
	}
}

// overNotes begin the notes about the transactions that are over for a source.
const overNotes = "over/"

func overNote(source uint64) string { return fmt.Sprintf("%s%0*x", overNotes, noteIDDigits, source) }

// noted is the number in a note that a start has found; 0 without one.
func (c *Coordinator) noted(key string) int64 {
	if c.revival == nil {
		return 0
	}
	n, err := strconv.ParseInt(string(c.revival.r.notes[key]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// leave ends a source's part in the gate, and the gate with the last. It runs in the loop.
func (g *gateRun) leave(r *sourceRun) {
	for _, b := range g.gate.Leave(r.id) {
		g.c.memory.arriving.Take(-b.size)
	}
	delete(g.members, r.id)
	g.endIfLeft()
}

// notComing ends the wait for a source that was dropped before a start had brought it back. It runs in the loop.
func (c *Coordinator) notComing(source uint64) {
	for _, g := range c.gates {
		if g.coming[source] {
			delete(g.coming, source)
			g.gate.Leave(source)
			g.endIfLeft()
		}
	}
}

// endIfLeft ends a gate without members.
func (g *gateRun) endIfLeft() {
	if len(g.members)+len(g.coming) == 0 {
		if g.cancel != nil {
			g.cancel()
		}
		delete(g.c.gates, g.key)
		g.c.notes = append(g.c.notes, journal.Note{Key: g.key})
	}
}

// stateOf is what keeps a source waiting; false when nothing does for long.
func (g *gateRun) stateOf(r *sourceRun) (sources.State, bool) {
	if g.state.Status == "stalled" || g.state.Status == "failed" {
		return sources.State{Status: g.state.Status, Error: "transactions: " + g.state.Error, Hint: g.state.Hint}, true
	}
	why := g.gate.Waits(r.id, g.c.opts.Clock.Now())
	if why == "" && g.strange > 0 {
		return sources.State{Status: "running", Hint: "topic \"" + g.topic + "\" of TRANSACTION METADATA has " + counted(g.strange, "record") +
			" that tell of no transaction; is it the one that the connector writes? What it does not tell of is not kept whole."}, true
	}
	if why == "" {
		return sources.State{}, false
	}
	return sources.State{Status: "stalled", Error: why + " (topic \"" + g.topic + "\")",
		Hint: "The connector needs provide.transaction.metadata, and the sources of the transaction's other tables must be able to read."}, true
}

// awaitRoom waits while too much of a source is held back.
func (r *sourceRun) awaitRoom(ctx context.Context) error {
	for r.gate != nil && r.gated.Load() > maxGated {
		select {
		case <-r.room:
			r.c.turn(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// leaveGate notes that a batch is not held back any more.
func (r *sourceRun) leaveGate(b sourceBatch) {
	r.gated.Add(-b.size)
	select {
	case r.room <- struct{}{}:
	default: // it is to look already
	}
}
