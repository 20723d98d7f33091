package sim

import (
	"context"
	"fmt"
	"maps"

	"millrace/coord"
	"millrace/repr"
)

// place is what the reader of a subscription of the catalog has taken in, and remembers.
type place struct {
	at   int64
	held bag
}

// takenUp is what is known of such a reader.
type takenUp struct {
	known  *place // acknowledged; nil: nothing is
	trying *place // acknowledged without an answer: it counts or not
}

func (r *run) createSubscription() {
	on := r.one((*object).isPlainKept)
	if on == nil || len(r.some(func(o *object) bool { return o.kind == aSubscription })) >= 2 {
		return
	}
	o := object{kind: aSubscription, schema: on.schema, name: r.name("q"), in: []int{on.id}}
	r.define("CREATE SUBSCRIPTION "+o.full()+" ON "+on.full()+" WITH (RETAIN FOR '5 hours')", r.made(o))
}

// takeUp has the reader of a subscription come back, take what there is, and go again. What it is shown goes on behind what it has
// acknowledged, and every content that it comes to is one that was shown at that time.
func (r *run) takeUp() {
	o := r.one(func(o *object) bool { return o.kind == aSubscription })
	if o == nil {
		return
	}
	w := &watcher{o: r.model.state().objects[o.in[0]], text: "SUBSCRIBE " + o.full() + " WITH (PROGRESS)", held: bag{}}
	r.say("take up: %s", w.text)
	if w.cl = r.connect(); w.cl == nil {
		return
	}
	defer w.cl.s.Close()
	if !r.open(w) {
		return
	}
	defer w.rows.Close()
	known := r.taken[o.id]
	if err := r.begin(w, &known); err != nil {
		r.fail("%v", err)
		return
	}
	r.taken[o.id] = known
	r.counts.add("taken up", 1)
	if err := w.poll(r.note); err != nil {
		r.fail("%v", err)
		return
	}
	next := &place{at: max(w.told-1, w.at), held: maps.Clone(w.held)}
	if r.rng.IntN(3) == 0 || known.known != nil && next.at <= known.known.at {
		return
	}
	c := r.ask(fmt.Sprintf("ACKNOWLEDGE %s AT %d", o.full(), next.at))
	switch {
	case c.err == nil:
		known = takenUp{known: next}
		r.counts.add("acknowledged", 1)
	case unknown[c.err.Code]:
		known.trying = next
	case c.err.Code != diskFull:
		r.fail("%s: %v", c.text, c.err)
	}
	r.taken[o.id] = known
}

// open starts the stream of a subscription, and says whether there is one.
func (r *run) open(w *watcher) bool {
	ctx, cancel := context.WithTimeout(w.cl.ctx, patience)
	defer cancel()
	err := w.cl.each(ctx, w.text, func(res *coord.Result) *repr.Error {
		w.rows = res.Rows.(coord.Live)
		return nil
	})
	switch {
	case err == nil:
		return true
	case err.Code == repr.CodeQueryCanceled && r.full:
		r.makeRoom() // as in wait
	case !unknown[err.Code]:
		r.fail("%s: %v", w.text, err)
	}
	return false
}

// begin reads behind what the stream goes on, and gives the reader what it held there.
func (r *run) begin(w *watcher, known *takenUp) error {
	row, _, err := w.rows.Poll()
	if err != nil || row == nil {
		return fmt.Errorf("%s begins with %v, %v", w.text, row, err)
	}
	first := repr.DecodeRow(nil, row)
	at, _, _ := first[0].NumericSmall()
	if !first[1].Bool() {
		return fmt.Errorf("%s begins without saying where", w.text)
	}
	if known.trying != nil && known.trying.at == at {
		known.known = known.trying
	}
	known.trying = nil
	w.begun, w.at, w.told = true, at, at
	if known.known == nil {
		return nil // the content comes
	}
	if known.known.at != at {
		return fmt.Errorf("%s goes on behind %d, and %d was acknowledged", w.text, at, known.known.at)
	}
	w.held = maps.Clone(known.known.held)
	return nil
}
