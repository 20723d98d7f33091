package sim

import (
	"fmt"
	"math"
)

// connection is a connection to a database, made when there is none; nil when that fails.
func (r *run) connection() *object {
	known := func() *object { return r.one(func(o *object) bool { return o.kind == aConnection }) }
	if o := known(); o != nil {
		return o
	}
	o := object{kind: aConnection, schema: r.anySchema(), name: r.name("c")}
	r.define("CREATE CONNECTION "+o.full()+" TO POSTGRES (HOST 'nowhere', DATABASE 'd', USER 'u') WITH (VALIDATE = false)", r.made(o))
	if r.failed != nil {
		return nil
	}
	return known()
}

// alterConnection has a connection lead elsewhere: sinks connect by it anew, and write nothing twice.
func (r *run) alterConnection() {
	o := r.one(func(o *object) bool { return o.kind == aConnection })
	if o == nil {
		return
	}
	r.counts.add("altered connections", 1)
	r.define(fmt.Sprintf("ALTER CONNECTION %s SET (HOST = 'nowhere%d', VALIDATE = false)", o.full(), r.rng.IntN(100)),
		altered(o.id, func(*object) {}))
}

// alterSource has a source stop in front of records that cannot be decoded, or no longer.
func (r *run) alterSource() {
	o := r.one(func(o *object) bool { return o.topic != nil && o.topic.ledger == nil })
	if o == nil {
		return
	}
	r.counts.add("altered sources", 1)
	r.onError(o, !o.fails)
}

func (r *run) onError(o *object, fails bool) {
	text := " RESET (ON ERROR)"
	if fails {
		text = " SET (ON ERROR = fail)"
	}
	r.define("ALTER SOURCE "+o.full()+text, altered(o.id, func(o *object) { o.fails = fails }))
}

// relent has no source stop any more, also of those that may have been told to when the machine went.
func (r *run) relent() {
	for _, o := range r.some(func(o *object) bool { return o.topic != nil && o.topic.ledger == nil }) {
		if r.failed == nil && !r.disk.Down() {
			r.onError(o, false)
		}
	}
}

// alterHistory keeps another history of a relation. What is not kept when it begins to be longer is not there.
func (r *run) alterHistory() {
	o := r.one((*object).isKept)
	if o == nil {
		return
	}
	before, keep := r.complete()-r.retained(o), 1000+r.rng.Int64N(40_000)
	r.counts.add("altered histories", 1)
	r.define(fmt.Sprintf("ALTER %s %s SET (RETAIN HISTORY FOR '%d milliseconds')", words[o.kind], o.full(), keep), altered(o.id, func(o *object) { o.retain = keep }))
	if r.sick || r.disk.Down() { // it is not known which of the two holds
		r.floors[o.id] = math.MaxInt64
		return
	}
	if after := r.complete() - r.retained(o); after > before { // the tick of the change is between
		before = after
	}
	r.floors[o.id] = max(r.floors[o.id], before)
}

// readErrors reads a source and what it could not decode at one time: of each partition all bad records in front of what was read, and
// none behind the next good one.
func (r *run) readErrors() {
	o := r.one(func(o *object) bool { return o.topic != nil && o.topic.ledger == nil })
	if o == nil {
		return
	}
	c := r.ask("BEGIN; " + o.rows() + "; SELECT partition, \"offset\" FROM " + o.full() + "_errors; COMMIT")
	if c.err != nil {
		if !unknown[c.err.Code] {
			r.fail("%s: %v", c.text, c.err)
		}
		return
	}
	r.counts.add("reads of errors", 1)
	next, kept := o.topic.read(bagOf(c.sets[0], 0)), bagOf(c.sets[1], 0)
	for p := range int64(partitions) {
		at := int64(0)
		for ; at < next[p] || o.topic.isBad(p, at) && kept[pair{p, at}] == 1; at++ {
			if n := kept[pair{p, at}]; (n == 1) != o.topic.isBad(p, at) || n > 1 {
				r.fail("%s has read up to %v, and keeps record %d of %d %d times as bad", o.full(), next, at, p, n)
			}
			delete(kept, pair{p, at})
		}
	}
	if len(kept) > 0 {
		r.fail("%s has read up to %v, and keeps as bad %s besides", o.full(), next, kept.text())
	}
}

// readUp holds that sources have come to the end of their topics.
func (r *run) readUp() {
	for _, o := range r.some(func(o *object) bool { return o.topic != nil && o.topic.ledger == nil }) {
		if r.failed != nil || r.disk.Down() {
			return
		}
		high, _ := o.topic.now()
		if c := r.ask(o.rows()); c.err == nil && bagOf(c.sets[0], 0).text() != o.topic.content(high).text() {
			st := r.ask("SELECT status, error FROM mz_internal.mz_source_statuses WHERE name = '" + o.name + "'")
			r.fail("%s has not read up to %v: it holds\n  %s\n%v", o.full(), high, bagOf(c.sets[0], 0).text(), st.sets)
		}
	}
}
