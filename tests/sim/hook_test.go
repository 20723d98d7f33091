package sim

import (
	"fmt"
	"strings"

	"millrace/coord"
	"millrace/repr"
)

// passWord is what requests have to bring.
const passWord = "open"

// createHook makes a source that takes requests.
func (r *run) createHook() {
	if len(r.some(func(o *object) bool { return o.hook })) >= 2 {
		return
	}
	o := object{kind: aSource, schema: r.anySchema(), name: r.name("h"), hook: true}
	r.define("CREATE SOURCE "+o.full()+" FROM WEBHOOK BODY FORMAT JSON CHECK (WITH (HEADERS) headers->>'x-pass' = '"+passWord+"')", r.made(o))
}

// post sends a request, and does not wait for the answer. It is taken whole or not at all: one that does not pass, or has a line that is no
// JSON, leaves nothing.
func (r *run) post() {
	cl, o := r.idle(), r.one(func(o *object) bool { return o.hook })
	if cl == nil || o == nil || r.sizeOf(o) > largest {
		return
	}
	var rows []pair
	var lines []string
	for range 1 + r.rng.IntN(3) {
		p := r.row()
		rows, lines = append(rows, p), append(lines, fmt.Sprintf(`{"k": %d, "v": %d}`, p.k, p.v))
	}
	word, must := passWord, ""
	switch r.rng.IntN(8) {
	case 0:
		word, must = "guessed", repr.CodeInsufficientPrivilege
	case 1:
		lines, must = append(lines, "{"), repr.CodeInvalidText
	}
	body := strings.Join(lines, "\n")
	c := &change{text: "POST " + o.full() + " " + body, apply: changed(o, func(old, now bag) {
		for p, n := range old {
			now.add(p, n)
		}
		for _, p := range rows {
			now.add(p, 1)
		}
	})}
	r.say("ask: %s", c.text)
	r.counts.add("requests", 1)
	r.model.begin(c)
	call := cl.begin(c.text, c)
	call.must, call.unsure = must, repr.CodeObjectNotReady
	server := r.coord
	go func() {
		defer close(call.done)
		w, err := server.Webhook(cl.ctx, coord.DefaultDatabase, o.schema, o.name)
		if err == nil {
			_, err = w.Take(cl.ctx, map[string]string{"x-pass": word}, []byte(body))
		}
		call.err = err
	}()
}
