package sim

import (
	"fmt"
	"slices"
	"strings"

	"millrace/repr"
)

// read reads relations at one time and holds the answers against the model and the chronicle. With them are read the sources
// that they are computed from, for a model does not know how far those have come.
func (r *run) read(relations []*object) {
	s := r.model.state()
	all := slices.Clone(relations)
	for _, o := range relations {
		for id := range s.behind(o.id) {
			if b := s.objects[id]; b.feed() != nil && !slices.Contains(all, b) {
				all = append(all, b)
			}
		}
	}
	all = r.withSides(all)
	slices.SortFunc(all[len(relations):], func(a, b *object) int { return a.id - b.id })
	texts := []string{"BEGIN"}
	for _, o := range all {
		texts = append(texts, o.rows())
	}
	c := r.ask(strings.Join(append(texts, "SELECT mz_now()", "COMMIT"), "; "))
	if c.err != nil {
		if !unknown[c.err.Code] {
			r.fail("%s: %v", c.text, c.err)
		}
		return
	}
	r.counts.add("reads", 1)
	at := millis(c.sets[len(all)][0][0])
	if at < r.chronicle.newest {
		r.fail("a read is at %d, and %d was shown before", at, r.chronicle.newest)
	}
	got := map[int]bag{}
	for i, o := range all {
		got[o.id] = bagOf(c.sets[i], 0)
		if err := r.note(o, span{at, at + 1, got[o.id].text()}); err != nil {
			r.fail("%v", err)
		}
	}
	r.judgeLedgers(all, got)
	r.judge(all, got, at)
}

// millis is the time that mz_now gives.
func millis(d repr.Datum) int64 {
	const y2k = 946684800_000
	return d.Int()/1000 + y2k
}

// judge holds what was read at one time against the model.
func (r *run) judge(all []*object, got map[int]bag, at int64) {
	sources := map[int]bag{}
	for _, o := range all {
		if o.feed() != nil {
			r.judgeSource(o, got[o.id])
			sources[o.id] = got[o.id]
		}
	}
	r.model.spread()
	before := r.model.worlds
	ok := r.model.keep(func(w *world) bool {
		return !slices.ContainsFunc(all, func(o *object) bool {
			return w.state.objects[o.id] == nil || w.state.content(o.id, sources, at).text() != got[o.id].text()
		})
	})
	if ok {
		return
	}
	var b strings.Builder
	for _, o := range all {
		fmt.Fprintf(&b, "\n%s gives\n  %s\nand could be", o.full(), got[o.id].text())
		for _, w := range before {
			if w.state.objects[o.id] != nil {
				fmt.Fprintf(&b, "\n  %s", w.state.content(o.id, sources, at).text())
			}
		}
	}
	r.fail("no state is possible in which%s", b.String())
}

// judgeSource holds what a source is said to hold against its topic.
func (r *run) judgeSource(o *object, got bag) {
	next := o.feed().read(got)
	if want := o.feed().content(next); want.text() != got.text() {
		r.fail("%s has read up to %v and holds\n  %s\nnot\n  %s", o.full(), next, got.text(), want.text())
	}
	high := o.feed().most()
	for p, n := range next {
		if n < r.seen[o.id][p] || n > high[p] {
			r.fail("%s has read up to %v, of %v, and had up to %v", o.full(), next, high, r.seen[o.id])
		}
	}
	r.seen[o.id] = next
}

// readPast reads a relation as of a time at which it was shown.
func (r *run) readPast(o *object, known span, at int64) {
	c := r.ask(fmt.Sprintf("%s AS OF %d", o.rows(), at))
	switch {
	case c.err == nil:
		r.counts.add("as of", 1)
		if got := bagOf(c.sets[0], 0).text(); got != known.text {
			r.fail("%s was shown at %d to hold\n  %s\nand now held\n  %s", o.full(), at, known.text, got)
		}
	case c.err.Code == repr.CodeInvalidParameter:
		if now := r.complete(); at >= r.since(o.id, now) {
			r.fail("%s cannot be read as of %d, at %d: %v", o.full(), at, now, c.err)
		}
	case !unknown[c.err.Code]:
		r.fail("%s: %v", c.text, c.err)
	}
}

// since is from when on a relation can be read at a time.
func (r *run) since(id int, now int64) int64 {
	o := r.model.state().objects[id]
	switch {
	case o == nil:
		return now
	case o.isKept():
		return max(now-r.retained(o), r.floors[id])
	}
	first := int64(0)
	for _, in := range o.in {
		first = max(first, r.since(in, now))
	}
	return first
}

// retained is how many milliseconds of history are kept of a relation.
func (r *run) retained(o *object) int64 {
	if o.retain > 0 {
		return o.retain
	}
	return r.opts.RetainHistory.Milliseconds()
}

// complete is the newest complete time.
func (r *run) complete() int64 {
	for _, o := range r.model.state().sorted() {
		if !o.isKept() {
			continue
		}
		if c := r.ask("BEGIN; SELECT count(*) FROM " + o.full() + "; SELECT mz_now(); COMMIT"); c.err == nil {
			return millis(c.sets[1][0][0])
		}
	}
	return 0
}

// lookBack reads a relation at some of the newest times at which it was shown.
func (r *run) lookBack(o *object, times int) {
	spans := r.chronicle.spans[o.id]
	for i := len(spans) - 1; i >= max(0, len(spans)-times) && r.failed == nil; i-- {
		s := spans[i]
		r.readPast(o, s, s.to-1)
		if s.from < s.to-1 && r.failed == nil {
			r.readPast(o, s, s.from)
		}
	}
}

// lookAtCatalog holds the catalog against the model.
func (r *run) lookAtCatalog() {
	c := r.ask("SELECT schema_id || '.' || name || ' ' || type || ' ' || coalesce(obj_description(oid), '') FROM mz_objects WHERE id LIKE 'u%'; " +
		"SELECT 'schema ' || schema_name FROM information_schema.schemata")
	if c.err != nil {
		if !unknown[c.err.Code] {
			r.fail("%s: %v", c.text, c.err)
		}
		return
	}
	var lines []string
	for _, row := range c.sets[0] {
		lines = append(lines, row[0].Str())
	}
	for _, row := range c.sets[1] {
		if name := row[0].Str(); name == "schema public" || strings.HasPrefix(name, "schema s") {
			lines = append(lines, name)
		}
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n")
	want := ""
	ok := r.model.keep(func(w *world) bool {
		want += "\n--\n" + w.state.catalog()
		return w.state.catalog() == got
	})
	if !ok {
		r.fail("the catalog is\n%s\nand could be%s", got, want)
	}
}

// look compares all that a server holds with what is known, after a restart.
func (r *run) look() {
	if r.lookAtCatalog(); r.failed != nil || r.disk.Down() {
		return
	}
	var relations []*object
	for _, o := range r.model.state().sorted() {
		if o.isRelation() {
			relations = append(relations, o)
		}
	}
	if len(relations) == 0 {
		return
	}
	for _, o := range relations {
		r.lookBack(o, 2)
	}
	if r.failed == nil {
		r.read(relations)
	}
}
