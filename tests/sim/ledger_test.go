package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/sources"
	"millrace/sources/txn"
)

// ledger is a database whose transactions change two tables, each captured in a topic, and are told of in a third: BEGIN and END of
// each, with how many changes of each table it has. The topics get their records at different times.
type ledger struct {
	name  string
	sides [2]*topic
	party int
	whole bool // both tables were once read as the same transactions left them; it belongs to the driver

	mu    sync.Mutex // guards what is below
	txns  [][2]int64 // how many changes each has, by table
	told  int64      // records of the third topic that are there
	moved chan struct{}
}

// mostLedgers is how many there are in a life.
const mostLedgers = 16

// total is how many records the topics of the tables have when all have come.
func (l *ledger) total() (out [2]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.txns {
		out[0] += t[0]
		out[1] += t[1]
	}
	return out
}

// commit adds transactions, of which each topic has got some records, or none, or all.
func (l *ledger) commit(rng *rand.Rand) {
	before := l.total()
	l.mu.Lock()
	for range 1 + rng.IntN(3) {
		t := [2]int64{rng.Int64N(4), rng.Int64N(4)}
		if t == [2]int64{} {
			t[rng.IntN(2)] = 1
		}
		l.txns = append(l.txns, t)
	}
	events := int64(2 * len(l.txns))
	l.mu.Unlock()
	after := l.total()
	for i, t := range l.sides {
		t.reach(before[i] + rng.Int64N(after[i]-before[i]+1))
	}
	l.tell(events - rng.Int64N(5))
}

// publish gives all topics what they do not have yet.
func (l *ledger) publish() {
	all := l.total()
	for i, t := range l.sides {
		t.reach(all[i])
	}
	l.mu.Lock()
	events := int64(2 * len(l.txns))
	l.mu.Unlock()
	l.tell(events)
}

// tell lets the third topic have so many records, unless it has more.
func (l *ledger) tell(events int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if events > l.told {
		l.told = events
		close(l.moved)
		l.moved = make(chan struct{})
	}
}

// bind gives the transaction of a record of a table, and its place among the transaction's changes of that.
func (l *ledger) bind(side int, offset int64) (id string, order int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, t := range l.txns {
		if offset < t[side] {
			return fmt.Sprint("tx", i), offset + 1
		}
		offset -= t[side]
	}
	return "", 0
}

// isWhole says whether each transaction is in what was read of the tables with all of its changes, or with none. Of two that have no
// table in common the later may be there alone.
func (l *ledger) isWhole(read [2]int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	var at [2]int64
	for _, t := range l.txns {
		there, missing := false, false
		for i, n := range t {
			there = there || n > 0 && at[i] < read[i]
			missing = missing || n > 0 && at[i]+n > read[i]
			at[i] += n
		}
		if there && missing {
			return false
		}
	}
	return true
}

// events is the connector of the third topic.
type events struct {
	l     *ledger
	turns *turns
}

// Describe gives the columns.
func (e *events) Describe(context.Context) (repr.RowDesc, [][]int, error) {
	text, big := repr.TypeOf(repr.KindText), repr.TypeOf(repr.KindInt8)
	return repr.RowDesc{{Name: "id", Type: text}, {Name: "status", Type: text}, {Name: "ts_ms", Type: big},
		{Name: "data_collections", Type: repr.TypeOf(repr.KindJSONB)}, {Name: "offset", Type: big}}, nil, nil
}

// Grows is so of every topic.
func (e *events) Grows() bool { return true }

// Schemas are none.
func (e *events) Schemas() (value, key string) { return "", "" }

// Run gives the records from the offset on, and what comes.
func (e *events) Run(ctx context.Context, from map[int32]int64, out sources.Events) error {
	next := from[0]
	out.Report(sources.State{Status: "running"})
	for first := true; ; first = false {
		if e.turns.wait(1, e.l.party); ctx.Err() != nil {
			return ctx.Err()
		}
		e.l.mu.Lock()
		high, moved := e.l.told, e.l.moved
		e.l.mu.Unlock()
		b := &sources.Batch{}
		for n := 0; n < 3 && next < high; n++ {
			b.Updates = append(b.Updates, sources.Update{Row: e.record(next), Diff: 1})
			b.Records++
			next++
		}
		if first || b.Records > 0 {
			b.Progress = []sources.Progress{{Next: next, High: high}}
			if err := out.Push(ctx, b); err != nil {
				return err
			}
			continue
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// record is the record at an offset: BEGIN and END in turn.
func (e *events) record(offset int64) []byte {
	row := []repr.Datum{repr.Text(fmt.Sprint("tx", offset/2)), repr.Text("BEGIN"), repr.Int8(offset), repr.Null, repr.Int8(offset)}
	if offset%2 == 1 {
		e.l.mu.Lock()
		t := e.l.txns[offset/2]
		e.l.mu.Unlock()
		var list []string
		for side, n := range t {
			if n > 0 {
				list = append(list, fmt.Sprintf(`{"data_collection": "%s_%d", "event_count": %d}`, e.l.name, side, n))
			}
		}
		if normal, err := jsonb.Normalize(nil, []byte("["+strings.Join(list, ",")+"]")); err == nil {
			row[1], row[3] = repr.Text("END"), repr.JSONB(normal)
		}
	}
	return repr.AppendRow(nil, row)
}

// bound takes a few records of one transaction.
func (r *reader) bound(next *[partitions]int64, high int64) *sources.Batch {
	b := &sources.Batch{}
	for n := 0; n < 3 && next[0] < high; n++ {
		id, order := r.t.ledger.bind(r.t.side, next[0])
		if b.Transaction != "" && txn.ID(id) != b.Transaction {
			break
		}
		b.Transaction, b.Orders = txn.ID(id), append(b.Orders, order)
		r.take(b, r.t.record(0, next[0]))
		next[0]++
	}
	b.Progress = []sources.Progress{{Next: next[0], High: high}}
	return b
}

// createLedger makes a database with some transactions, and sources of both its tables.
func (r *run) createLedger() {
	if len(r.some(func(o *object) bool { return o.topic != nil })) >= 2 || len(r.ledgers.all()) >= mostLedgers {
		return
	}
	l := &ledger{name: r.name("led"), party: ledgers + len(r.ledgers.all()), moved: make(chan struct{})}
	for i := range l.sides {
		t := newTopic(fmt.Sprintf("x.%s_%d", l.name, i), false, topics+len(r.topics.all())%(targets-topics))
		t.ledger, t.side = l, i
		l.sides[i] = t
		r.topics.put(t.name, t)
	}
	l.commit(r.rng)
	l.publish()
	r.ledgers.put(l.name, l)
	for _, t := range l.sides {
		if r.failed != nil || r.disk.Down() {
			return
		}
		o := object{kind: aSource, schema: r.anySchema(), name: r.name("f"), topic: t}
		r.define("CREATE SOURCE "+o.full()+" FROM KAFKA BROKER 'nowhere:9092' TOPIC '"+t.name+
			"' FORMAT JSON ENVELOPE DEBEZIUM (TRANSACTION METADATA (TOPIC '"+l.name+"'))", r.made(o))
	}
}

// commit adds transactions to a database; what topics do not get at once comes later.
func (r *run) commit() {
	o := r.one(func(o *object) bool { return o.ledger() != nil })
	if o == nil {
		return
	}
	l := o.ledger()
	if all := l.total(); all[0]+all[1] > 60 {
		return
	}
	l.commit(r.rng)
	late := time.Duration(r.rng.Int64N(int64(2 * time.Second)))
	r.say("commit: %d transactions of %s, all told of after %s", len(l.txns), l.name, late)
	r.counts.add("transactions over two topics", 1)
	r.late.Go(func() {
		r.turns.wait(late, l.party+mostLedgers)
		l.publish()
	})
}

// published waits until all topics have what was committed, for time is about to be set: a source waits for the third topic only so long.
func (r *run) published() {
	for _, l := range r.ledgers.all() {
		l.publish()
	}
	r.turns.wait(time.Second, driver)
}

// withSides adds to objects to be read the sources of the other table of their database.
func (r *run) withSides(all []*object) []*object {
	for _, o := range r.some(func(o *object) bool { return o.ledger() != nil && !slices.Contains(all, o) }) {
		if slices.ContainsFunc(all, func(of *object) bool { return of.ledger() == o.ledger() }) {
			all = append(all, o)
		}
	}
	return all
}

// judgeLedgers holds that of each transaction all was read or nothing, once that was so.
func (r *run) judgeLedgers(all []*object, got map[int]bag) {
	read := map[*ledger]map[int]int64{}
	for _, o := range all {
		if l := o.ledger(); l != nil {
			if read[l] == nil {
				read[l] = map[int]int64{}
			}
			read[l][o.topic.side] = o.topic.read(got[o.id])[0]
		}
	}
	for l, sides := range read {
		if len(sides) < 2 {
			continue
		}
		at := [2]int64{sides[0], sides[1]}
		switch {
		case l.isWhole(at):
			l.whole = true
			r.counts.add("reads of whole transactions", 1)
		case l.whole:
			r.fail("of %s %v changes are shown, which no transaction leaves: %v", l.name, at, l.txns)
		}
	}
}

// drained holds that sources bound by transactions have come to the end.
func (r *run) drained() {
	for _, o := range r.model.state().sorted() {
		if o.ledger() == nil || r.failed != nil || r.disk.Down() {
			continue
		}
		if want := o.topic.ledger.total()[o.topic.side]; r.seen[o.id][0] != want {
			c := r.ask("SELECT name, status, error FROM mz_internal.mz_source_statuses")
			r.fail("%s has come to %d of %d, of %v: %v", o.full(), r.seen[o.id][0], want, o.topic.ledger.txns, c.sets)
		}
	}
}
