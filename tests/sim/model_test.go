package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// All relations have the columns k and v of type bigint, so that any of them can stand behind any view.
type pair struct{ k, v int64 }

// bag is the content of a relation.
type bag map[pair]int64

func (b bag) add(p pair, n int64) {
	if b[p] += n; b[p] == 0 {
		delete(b, p)
	}
}

// pairs are the distinct rows in order.
func (b bag) pairs() []pair {
	return slices.SortedFunc(maps.Keys(b), func(x, y pair) int { return cmp.Or(cmp.Compare(x.k, y.k), cmp.Compare(x.v, y.v)) })
}

func (b bag) text() string {
	var out strings.Builder
	for _, p := range b.pairs() {
		fmt.Fprintf(&out, "(%d,%d)", p.k, p.v)
		if b[p] != 1 {
			fmt.Fprintf(&out, "*%d", b[p])
		}
	}
	return out.String()
}

// The kinds of objects, in the words of mz_objects.
const (
	aTable        = "table"
	aSource       = "source"
	aView         = "view"
	aMaterialized = "materialized-view"
	anIndex       = "index"
	aSink         = "sink"
	aSubscription = "subscription"
	aConnection   = "connection"
)

// object is an object of the catalog. It does not change; a rename makes another.
type object struct {
	id      int // the model's own, never used again
	kind    string
	schema  string
	name    string
	comment string
	shape   *shape   // of a view
	in      []int    // what a view reads, or an index or a sink is on
	retain  int64    // milliseconds of history that are kept of it; 0: as much as of any
	topic   *topic   // of a source of a topic
	fails   bool     // it stops in front of records that cannot be decoded
	counter *counter // of a source that is a load generator
	hook    bool     // it is a source that takes requests
	target  *target  // of a sink
}

func (o *object) full() string { return o.schema + "." + o.name }

func (o *object) isRelation() bool {
	return o.kind != anIndex && o.kind != aSink && o.kind != aSubscription && o.kind != aConnection
}

// isKept says whether it is more than a name for a query.
func (o *object) isKept() bool { return o.isRelation() && o.kind != aView }

// isPlain says whether its columns are k and v.
func (o *object) isPlain() bool { return o.isRelation() && o.counter == nil && !o.hook }

// isPlainKept says both.
func (o *object) isPlainKept() bool { return o.isKept() && o.isPlain() }

// rows is the query of its rows as k and v.
func (o *object) rows() string {
	switch {
	case o.counter != nil:
		return "SELECT counter % 4 AS k, counter AS v FROM " + o.full()
	case o.hook:
		return "SELECT (body->>'k')::bigint AS k, (body->>'v')::bigint AS v FROM " + o.full()
	}
	return "SELECT k, v FROM " + o.full()
}

// from is what stands behind FROM, in front of another name for it.
func (o *object) from() string {
	if o.isPlain() {
		return o.full()
	}
	return "(" + o.rows() + ")"
}

// feed is what a source reads of which nobody but it knows how far it has come.
type feed interface {
	content(next [partitions]int64) bag  // what a source holds that has read so far
	read(b bag) (next [partitions]int64) // how far one has read that holds this
	most() [partitions]int64             // how far it can have read
}

// feed is that of a source; nil for all else.
func (o *object) feed() feed {
	switch {
	case o.topic != nil:
		return o.topic
	case o.counter != nil:
		return o.counter
	}
	return nil
}

// ledger is that whose transactions bind a source; nil: none do.
func (o *object) ledger() *ledger {
	if o.topic == nil {
		return nil
	}
	return o.topic.ledger
}

// state is all that a server holds. Its maps may be changed in a clone of it; what is in them is not.
type state struct {
	schemas []string
	objects map[int]*object
	rows    map[int]bag // of tables
}

func (s *state) clone() *state {
	return &state{schemas: s.schemas, objects: maps.Clone(s.objects), rows: maps.Clone(s.rows)}
}

// sorted are the objects in the order in which they were made.
func (s *state) sorted() []*object {
	var out []*object
	for _, id := range slices.Sorted(maps.Keys(s.objects)) {
		out = append(out, s.objects[id])
	}
	return out
}

// dependents are the objects that need one.
func (s *state) dependents(id int) []*object {
	var out []*object
	for _, o := range s.sorted() {
		if slices.Contains(o.in, id) {
			out = append(out, o)
		}
	}
	return out
}

// behind are the relations that one is computed from, itself included.
func (s *state) behind(id int) map[int]bool {
	out := map[int]bool{id: true}
	for _, in := range s.objects[id].in {
		maps.Copy(out, s.behind(in))
	}
	return out
}

// computedAnew says whether a relation is computed when it is read, and depends on the time of that.
func (s *state) computedAnew(id int) bool {
	o := s.objects[id]
	return o != nil && o.kind == aView && (o.shape.timed != nil || slices.ContainsFunc(o.in, s.computedAnew))
}

// depth is how many views stand above each other up to one.
func (s *state) depth(id int) int {
	d := 0
	for _, in := range s.objects[id].in {
		d = max(d, s.depth(in)+1)
	}
	return d
}

// without is the state after an object was dropped, and with it what needs it.
func (s *state) without(id int) {
	for _, d := range s.dependents(id) {
		s.without(d.id)
	}
	delete(s.objects, id)
	delete(s.rows, id)
}

// catalog is what the system tables have to say.
func (s *state) catalog() string {
	var lines []string
	for _, o := range s.objects {
		lines = append(lines, o.full()+" "+o.kind+" "+o.comment)
		if o.kind == aSource {
			lines = append(lines, o.full()+"_errors "+o.kind+" ")
		}
	}
	for _, n := range s.schemas {
		lines = append(lines, "schema "+n)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// content is what a relation holds at a time, given what the sources do.
func (s *state) content(id int, sources map[int]bag, at int64) bag {
	o := s.objects[id]
	switch {
	case o.kind == aTable || o.hook:
		return s.rows[id]
	case o.kind == aSource:
		return sources[id]
	}
	var in []bag
	for _, i := range o.in {
		in = append(in, s.content(i, sources, at))
	}
	if o.shape.timed != nil {
		return o.shape.timed(in[0], at)
	}
	return o.shape.eval(in)
}

// print is the state as text; equal texts mean equal states.
func (s *state) print() string {
	var out strings.Builder
	out.WriteString(s.catalog())
	for _, o := range s.sorted() {
		if o.kind == aTable || o.hook {
			out.WriteString("\n" + o.name + " " + s.rows[o.id].text())
		}
	}
	return out.String()
}

// change is a statement that changes the state. Until its answer is known it may have been done or not.
type change struct {
	text  string
	apply func(*state) bool // changes a clone; false: it could not have been done there
}

// world is a state that is possible, and which of the open changes have been done in it.
type world struct {
	state *state
	done  map[*change]bool
}

func (w *world) print(open []*change) string {
	out := w.state.print()
	for i, c := range open {
		if w.done[c] {
			out += fmt.Sprintf("\ndone %d", i)
		}
	}
	return out
}

// model is what is known of the state.
type model struct {
	worlds []*world
	open   []*change
}

func newModel() *model {
	s := &state{schemas: []string{"public"}, objects: map[int]*object{}, rows: map[int]bag{}}
	return &model{worlds: []*world{{state: s, done: map[*change]bool{}}}}
}

// begin notes that a change was asked for.
func (m *model) begin(c *change) { m.open = append(m.open, c) }

// spread adds the worlds in which more of the open changes have been done.
func (m *model) spread() {
	if len(m.open) == 0 {
		return
	}
	seen := map[string]bool{}
	var out []*world
	add := func(w *world) {
		if p := w.print(m.open); !seen[p] {
			seen[p] = true
			out = append(out, w)
		}
	}
	for _, w := range m.worlds {
		add(w)
	}
	for i := 0; i < len(out); i++ {
		for _, c := range m.open {
			if out[i].done[c] {
				continue
			}
			next := &world{state: out[i].state.clone(), done: maps.Clone(out[i].done)}
			next.done[c] = true
			if c.apply(next.state) {
				add(next)
			}
		}
	}
	m.worlds = out
}

// keep leaves the worlds that are so, and says whether there are any.
func (m *model) keep(so func(*world) bool) bool {
	m.spread()
	m.worlds = slices.DeleteFunc(m.worlds, func(w *world) bool { return !so(w) })
	return len(m.worlds) > 0
}

// answered notes that changes are known to have been done, or not to have been.
func (m *model) answered(changes []*change, done bool) bool {
	ok := m.keep(func(w *world) bool {
		return !slices.ContainsFunc(changes, func(c *change) bool { return w.done[c] != done })
	})
	m.forget(changes)
	return ok
}

// lost notes that nobody will know whether changes have been done, and that they will not be done any more.
func (m *model) lost(changes []*change) {
	m.spread()
	m.forget(changes)
}

func (m *model) forget(changes []*change) {
	m.open = slices.DeleteFunc(m.open, func(o *change) bool { return slices.Contains(changes, o) })
	seen := map[string]bool{}
	m.worlds = slices.DeleteFunc(m.worlds, func(w *world) bool {
		for _, c := range changes {
			delete(w.done, c)
		}
		p := w.print(m.open)
		was := seen[p]
		seen[p] = true
		return was
	})
}

// state is a state that is possible. Statements are made from it only when the catalog is the same in all.
func (m *model) state() *state { return m.worlds[0].state }
