package sim

import (
	"fmt"
	"strings"
)

// largest is how many rows a table may have before rows are only taken out.
const largest = 30

// write lets an idle client change tables, and does not wait for the answer. When all are busy it waits for them.
func (r *run) write() {
	cl := r.idle()
	t := r.one(isTable)
	if cl == nil {
		r.settle()
		return
	}
	if t == nil {
		r.createTable()
		return
	}
	c := r.anyWrite(t)
	r.say("ask: %s", c.text)
	if c.apply == nil {
		cl.start(c.text)
		return
	}
	r.model.begin(c)
	cl.start(c.text, c)
}

// anyWrite makes a statement, or a transaction of some.
func (r *run) anyWrite(t *object) *change {
	other := r.one(isTable)
	if r.sizeOf(t) > largest {
		return r.deleteFrom(t)
	}
	switch r.rng.IntN(9) {
	case 0:
		return r.deleteFrom(t)
	case 1, 2:
		return r.update(t)
	case 3:
		if other == t {
			return r.update(t)
		}
		a, b := r.insert(t), r.deleteFrom(other)
		return &change{text: "BEGIN; " + a.text + "; " + b.text + "; COMMIT",
			apply: func(s *state) bool { return a.apply(s) && b.apply(s) }}
	case 4:
		if other != t {
			return r.move(other, t)
		}
		fallthrough
	case 5:
		return &change{text: "BEGIN; " + r.insert(t).text + "; ROLLBACK"}
	default:
		return r.insert(t)
	}
}

func (r *run) sizeOf(t *object) int {
	most := 0
	for _, w := range r.model.worlds {
		n := 0
		for _, m := range w.state.rows[t.id] {
			n += int(m)
		}
		most = max(most, n)
	}
	return most
}

func (r *run) row() pair { return pair{r.rng.Int64N(8), r.rng.Int64N(100)} }

// changed makes a change of the rows of a table.
func changed(t *object, f func(old, now bag)) func(s *state) bool {
	return func(s *state) bool {
		old := s.rows[t.id]
		if old == nil {
			return false
		}
		now := bag{}
		f(old, now)
		s.rows[t.id] = now
		return true
	}
}

func (r *run) insert(t *object) *change {
	var rows []pair
	var texts []string
	for range 1 + r.rng.IntN(3) {
		p := r.row()
		rows, texts = append(rows, p), append(texts, fmt.Sprintf("(%d, %d)", p.k, p.v))
	}
	return &change{text: "INSERT INTO " + t.full() + " VALUES " + strings.Join(texts, ", "), apply: changed(t, func(old, now bag) {
		for p, n := range old {
			now.add(p, n)
		}
		for _, p := range rows {
			now.add(p, 1)
		}
	})}
}

func (r *run) deleteFrom(t *object) *change {
	k := r.rng.Int64N(8)
	return &change{text: fmt.Sprintf("DELETE FROM %s WHERE k = %d", t.full(), k), apply: changed(t, func(old, now bag) {
		for p, n := range old {
			if p.k != k {
				now.add(p, n)
			}
		}
	})}
}

func (r *run) update(t *object) *change {
	k, by := r.rng.Int64N(8), r.rng.Int64N(50)
	return &change{text: fmt.Sprintf("UPDATE %s SET v = (v + %d) %% 100 WHERE k = %d", t.full(), by, k), apply: changed(t, func(old, now bag) {
		for p, n := range old {
			if p.k == k {
				p.v = (p.v + by) % 100
			}
			now.add(p, n)
		}
	})}
}

// move takes rows from one table to another.
func (r *run) move(from, to *object) *change {
	k := r.rng.Int64N(8)
	text := fmt.Sprintf("BEGIN; INSERT INTO %s SELECT k, v FROM %s WHERE k = %d; DELETE FROM %s WHERE k = %d; COMMIT", to.full(), from.full(), k, from.full(), k)
	return &change{text: text, apply: func(s *state) bool {
		moved := bag{}
		out := changed(from, func(old, now bag) {
			for p, n := range old {
				if p.k == k {
					moved.add(p, n)
				} else {
					now.add(p, n)
				}
			}
		})
		return out(s) && changed(to, func(old, now bag) {
			for _, b := range []bag{old, moved} {
				for p, n := range b {
					now.add(p, n)
				}
			}
		})(s)
	}}
}

// writeFromSources reads sources in a transaction and writes to tables what it has read in them: it is done as a whole, at a time at
// which the sources held just that, or not at all.
func (r *run) writeFromSources() {
	cl, t := r.idle(), r.one(isTable)
	from := r.some(func(o *object) bool { return o.topic != nil })
	if cl == nil || t == nil || len(from) == 0 || r.sizeOf(t) > largest {
		return
	}
	k := r.rng.Int64N(8)
	texts, copies := []string{"BEGIN"}, []string{}
	for _, o := range from {
		some := fmt.Sprintf("SELECT k, v FROM %s WHERE k = %d", o.full(), k)
		texts, copies = append(texts, some), append(copies, "INSERT INTO "+t.full()+" "+some)
	}
	read := cl.start(strings.Join(texts, "; "))
	r.say("ask: %s", read.text)
	r.wait(read)
	if r.answer(cl); read.err != nil || r.failed != nil {
		return
	}
	change := &change{text: strings.Join(append(copies, "COMMIT"), "; "), apply: changed(t, func(old, now bag) {
		for p, n := range old {
			now.add(p, n)
		}
		for i := range from {
			for p, n := range bagOf(read.sets[i], 0) {
				now.add(p, n)
			}
		}
	})}
	r.counts.add("writes from sources", 1)
	r.say("ask: %s", change.text)
	r.model.begin(change)
	cl.start(change.text, change)
}
