package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"millrace/coord"
	"millrace/repr"
	"millrace/sinks"
)

// target is what a sink writes to: a topic that takes transactions, each of which ends at a time and holds all that changed up to it.
// It is not on the server's machine, so that it outlives what happens to that.
type target struct {
	of    *object // what is written
	kind  kind
	party int
	count *tally

	mu     sync.Mutex // guards what is below
	rng    *rand.Rand
	held   bag   // what the committed records add up to
	upTo   int64 // the time of the last transaction
	wrote  int   // how many there were
	wrong  string
	shown  []span            // committed, and not yet held against what was shown
	writer *connection       // the newest that has asked how far it is; others are fenced off
	table  table             // of that kind
	files  map[string][]byte // of that kind, by name
}

// kind is what a target is.
type kind int

const (
	aTopic  kind = iota
	inTable      // a table of a database: what is kept of a key, and the progress, in one transaction
	inFiles      // a store of files: of a commit several are written, and then that they are there
)

func newTarget(of *object, kind kind, party int, seed uint64, count *tally) *target {
	return &target{of: of, kind: kind, party: party, rng: rand.New(rand.NewPCG(seed, uint64(party))), held: bag{}, count: count,
		table: table{rows: map[int64]pair{}}, files: map[string][]byte{}}
}

// connect makes the connector.
func (g *target) connect(t *turns, run sinks.Options) coord.SinkConnector {
	switch g.kind {
	case inTable:
		return newKeeper(g, t, run)
	case inFiles:
		return newArchive(g, t, run)
	default:
		return &connection{g: g, turns: t}
	}
}

// step is a word to the target and its answer, which may fail.
func (g *target) step(ctx context.Context, t *turns, mayFail bool) error {
	t.wait(time.Duration(1+g.draw(int64(2*time.Millisecond))), g.party)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if mayFail && g.draw(20) == 0 {
		g.count.add("broken words to a target", 1)
		return errors.New("the target does not answer")
	}
	return nil
}

// answer is the end of a commit, which is lost now and then: it is done, and the other side does not know.
func (g *target) answer(ctx context.Context, t *turns) error {
	err := g.step(ctx, t, true)
	if err != nil {
		g.count.add("lost answers of a target", 1)
	}
	return err
}

// draw is a random number below n.
func (g *target) draw(n int64) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rng.Int64N(n)
}

// admit makes a connection the only writer, which was at sure or at sent, or, when it is not known, wherever the target is.
func (g *target) admit(c *connection, known bool, sure, sent int64) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writer = c
	if known && g.upTo != sure && g.upTo != sent {
		g.wrong = fmt.Sprintf("%s has got to %d without us, who were at %d", g.of.full(), g.upTo, sure)
	}
	return g.upTo
}

// snapshot takes note that a sink is given all there is, at a time; the server keeps what a sink has not written.
func (g *target) snapshot(at int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wrote > 0 {
		g.wrong = fmt.Sprintf("the sink of %s has written up to %d, and is given a snapshot at %d", g.of.full(), g.upTo, at)
	}
}

// commit takes a transaction: the changes since the one before.
func (g *target) commit(c *connection, upTo int64, changes bag) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.writer != c:
		return errors.New("another writer has come")
	case upTo <= g.upTo:
		g.wrong = fmt.Sprintf("%s is written at %d, and was at %d", g.of.full(), upTo, g.upTo)
	}
	for p, n := range changes {
		g.held.add(p, n)
	}
	for p, n := range g.held {
		if n < 0 {
			g.wrong = fmt.Sprintf("the topic of %s at %d has %v %d times", g.of.full(), upTo, p, n)
		}
	}
	g.upTo = upTo
	g.wrote++
	g.shown = append(g.shown, span{upTo, upTo + 1, g.held.text()})
	return nil
}

// blame keeps what is wrong.
func (g *target) blame(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wrong = fmt.Sprintf(format, args...)
}

// news takes what was committed since the last time, and says what is wrong.
func (g *target) news() (shown []span, wrong string) {
	if g.kind == inFiles {
		g.readFiles()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	shown, g.shown = g.shown, nil
	return shown, g.wrong
}

// content is what the committed records add up to, and the time of the last transaction.
func (g *target) content() (string, int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held.text(), g.upTo
}

// connection is the connector of a target: what Run does is what the one of Kafka does, with the network left out.
type connection struct {
	g      *target
	turns  *turns
	report func(sinks.State)
	state  sinks.State
	sure   int64 // committed, as far as is known here; it is known when fresh is not set
	fresh  bool  // the next tick is the snapshot, and what is committed is asked for first
	sent   int64 // what a transaction would commit whose answer never came
}

// Check tries the target.
func (c *connection) Check(context.Context) *repr.Error { return nil }

// Run writes the ticks that come.
func (c *connection) Run(ctx context.Context, ticks <-chan sinks.Tick, report func(sinks.State)) error {
	c.report = report
	known := false
	for {
		group, err := c.gather(ctx, ticks)
		if err != nil {
			return err
		}
		for again := false; ; again = true {
			if again || !known {
				known, err = c.take(ctx, known)
			}
			if err == nil {
				err = c.write(ctx, group)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil {
				break
			}
			c.tell("stalled", err)
			c.turns.wait(time.Duration(1+c.g.draw(int64(300*time.Millisecond))), c.g.party)
		}
	}
}

// gather takes the ticks that are there, and waits for the first.
func (c *connection) gather(ctx context.Context, ticks <-chan sinks.Tick) (group []sinks.Tick, err error) {
	select {
	case t, ok := <-ticks:
		if !ok {
			return nil, errors.New("no more ticks")
		}
		group = append(group, t)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := c.step(ctx, false); err != nil {
		return nil, err
	}
	for n := c.g.draw(4); n > 0; n-- {
		select {
		case t, ok := <-ticks:
			if !ok {
				return group, nil
			}
			group = append(group, t)
		default:
			return group, nil
		}
	}
	return group, nil
}

func (c *connection) step(ctx context.Context, mayFail bool) error {
	return c.g.step(ctx, c.turns, mayFail)
}

// take makes this the only writer, and asks how far the target is.
func (c *connection) take(ctx context.Context, known bool) (bool, error) {
	if err := c.step(ctx, true); err != nil {
		return known, err
	}
	c.fresh = c.fresh || !known
	c.reached(c.g.admit(c, known, c.sure, c.sent))
	return true, nil
}

// write commits ticks, without those that are committed.
func (c *connection) write(ctx context.Context, group []sinks.Tick) error {
	for len(group) > 0 && c.sure > 0 && int64(group[0].Time) <= c.sure {
		group, c.fresh = group[1:], false
	}
	if len(group) == 0 {
		c.tell("running", nil)
		return nil
	}
	changes := bag{}
	for _, t := range group {
		for _, ch := range t.Changes {
			d := repr.DecodeRow(nil, ch.Row)
			changes.add(pair{d[0].Int(), d[1].Int()}, ch.Diff)
		}
	}
	if c.fresh {
		c.g.snapshot(int64(group[0].Time))
	}
	upTo := int64(group[len(group)-1].Time)
	for range 2 { // the records, the progress
		if err := c.step(ctx, true); err != nil {
			return err
		}
	}
	c.sent = upTo
	if err := c.g.commit(c, upTo, changes); err != nil {
		return err
	}
	if err := c.g.answer(ctx, c.turns); err != nil {
		return err
	}
	c.fresh = false
	c.reached(upTo)
	return nil
}

func (c *connection) reached(upTo int64) {
	c.sure, c.sent = upTo, 0
	c.state.Written, c.state.Recorded = repr.Time(upTo), repr.Time(upTo)
	c.tell("running", nil)
}

func (c *connection) tell(status string, err error) {
	c.state.Status, c.state.Error = status, ""
	if err != nil {
		c.state.Error = err.Error()
	}
	c.report(c.state)
}

// createSink makes a sink of a relation.
func (r *run) createSink() {
	if len(r.some(func(o *object) bool { return o.kind == aSink })) >= 3 {
		return
	}
	kind, of := kind(r.rng.IntN(3)), (*object)(nil)
	if kind == inTable {
		of = r.one(func(o *object) bool { return o.isKept() && o.shape != nil && o.shape.keyed })
	} else {
		of = r.one((*object).isPlainKept)
	}
	if of == nil {
		return
	}
	o := object{kind: aSink, schema: r.anySchema(), name: r.name("k"), in: []int{of.id}}
	into := r.name("out")
	text := "CREATE SINK " + o.full() + " FROM " + of.full() + " INTO "
	switch kind {
	case inTable:
		to := r.connection()
		if to == nil {
			return
		}
		o.in = append(o.in, to.id)
		text += "POSTGRES CONNECTION " + to.full() + " (TABLE '" + into + "') KEY (k) NOT ENFORCED"
	case inFiles:
		text += fmt.Sprintf("FILE '%s' (RUN INTERVAL '%d milliseconds')", into, 1+r.rng.IntN(2000))
	default:
		text += "KAFKA BROKER 'nowhere:9092' TOPIC '" + into + "' FORMAT JSON"
	}
	o.target = newTarget(of, kind, targets+len(r.targets.all())%(ledgers-targets), r.seed, r.counts)
	r.targets.put(into, o.target)
	r.define(text, r.made(o))
}

// pollTargets holds what sinks have written against what was shown.
func (r *run) pollTargets() {
	if r.failed != nil {
		return // the model may know no state any more
	}
	for _, o := range r.model.state().sorted() {
		if o.kind != aSink {
			continue
		}
		shown, wrong := o.target.news()
		if wrong != "" {
			r.fail("%s", wrong)
		}
		r.counts.add([]string{"transactions of sinks", "transactions into tables", "commits of files"}[o.target.kind], len(shown))
		for _, s := range shown {
			if err := r.note(o.target.of, s); err != nil {
				r.fail("where %s writes %v", o.full(), err)
			}
		}
	}
}

// catchUp waits until the sinks have written what is there.
func (r *run) catchUp() {
	r.turns.wait(30*time.Second, driver)
	r.poll()
	for _, o := range r.model.state().sorted() {
		if o.kind != aSink || r.failed != nil || r.disk.Down() {
			continue
		}
		c := r.ask("SELECT k, v FROM " + o.target.of.full())
		held, upTo := o.target.content()
		if c.err == nil && bagOf(c.sets[0], 0).text() != held {
			st := r.ask("SELECT status, error FROM mz_internal.mz_sink_statuses WHERE name = '" + o.name + "'")
			r.fail("%s holds\n  %s\nand where %s writes it, up to %d,\n  %s\n%v", o.target.of.full(), bagOf(c.sets[0], 0).text(), o.full(), upTo, held, st.sets)
		}
	}
}
