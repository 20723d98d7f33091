package sim

import "fmt"

// counter is a load generator that counts: what it has come to is known by the newest of its rows, of which it keeps some.
type counter struct {
	keeps, upTo int64
}

// content is what it holds behind so many steps.
func (c *counter) content(next [partitions]int64) bag {
	out := bag{}
	for n := max(1, next[0]-c.keeps+1); n <= next[0]; n++ {
		out[pair{n % 4, n}] = 1
	}
	return out
}

// read says how many steps there were.
func (c *counter) read(b bag) (next [partitions]int64) {
	for p := range b {
		next[0] = max(next[0], p.v)
	}
	return next
}

// most is how far it can have come.
func (c *counter) most() [partitions]int64 { return [partitions]int64{c.upTo} }

// createCounter makes a load generator.
func (r *run) createCounter() {
	if len(r.some(func(o *object) bool { return o.counter != nil })) >= 2 {
		return
	}
	c := &counter{keeps: 1 + r.rng.Int64N(8), upTo: 20 + r.rng.Int64N(60)}
	o := object{kind: aSource, schema: r.anySchema(), name: r.name("g"), counter: c}
	every := 5 + r.rng.IntN(200)
	r.counts.add("load generators", 1)
	r.define(fmt.Sprintf("CREATE SOURCE %s FROM LOAD GENERATOR COUNTER (TICK INTERVAL '%d milliseconds', MAX CARDINALITY %d, UP TO %d)",
		o.full(), every, c.keeps, c.upTo), r.made(o))
}

// counted holds that load generators have come to their end, which they had the time for.
func (r *run) counted() {
	for _, o := range r.some(func(o *object) bool { return o.counter != nil }) {
		if n := r.seen[o.id][0]; r.failed == nil && !r.disk.Down() && n != o.counter.upTo {
			r.fail("%s has come to %d of %d", o.full(), n, o.counter.upTo)
		}
	}
}
