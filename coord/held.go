package coord

import (
	"cmp"
	"maps"
	"slices"

	"millrace/coord/catalog"
	"millrace/internal/budget"
	"millrace/repr"
	"millrace/sources"
)

// held is what is in memory beside the objects of the catalog, the operators of views and what they share. It runs in the loop.
func (c *Coordinator) held() []catalog.HeldStatus {
	m := c.memory
	out := []catalog.HeldStatus{
		{Name: "statements", Bytes: m.statements.Held()},
		{Name: "sessions", Rows: c.stats.Sessions.Load(), Bytes: m.sessions.Held()},
		{Name: "rows on their way", Rows: int64(c.queuedRows), Bytes: m.queued.Held() + m.arriving.Held()},
		{Name: "views being filled", Bytes: m.filling.Held() + m.filled.Held()},
	}
	if c.opts.Journal != nil {
		out = append(out, catalog.HeldStatus{Name: "journal", Bytes: c.opts.Journal.Stats().BufferBytes})
	}
	for _, id := range slices.Sorted(maps.Keys(c.sources)) {
		r := c.sources[id]
		if h, ok := r.connector.(sources.Holder); ok {
			remembered, fetched := h.Held()
			out = append(out, catalog.HeldStatus{Object: id, Name: "envelope", Bytes: remembered},
				catalog.HeldStatus{Object: id, Name: "fetched", Bytes: fetched})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.collections)) {
		out = append(out, c.collections[id].heldBeside()...)
	}
	return out
}

// heldBeside is what is held for the readers of a collection: its history, what waits for subscribers, and the whole of it when it
// is there for one of them alone.
func (c *collection) heldBeside() []catalog.HeldStatus {
	var out []catalog.HeldStatus
	okTicks, okBytes := c.ok.History()
	errTicks, errBytes := c.errs.History()
	if okTicks+errTicks > 0 {
		out = append(out, catalog.HeldStatus{Object: c.id, Name: "history", Rows: int64(okTicks + errTicks), Bytes: okBytes + errBytes})
	}
	subs := slices.SortedFunc(maps.Keys(c.readers), func(a, b *subscription) int { return cmp.Compare(a.heldBytes(), b.heldBytes()) })
	for _, sub := range subs {
		out = append(out, catalog.HeldStatus{Object: c.id, Name: "subscription", Bytes: sub.heldBytes()})
	}
	return out
}

// What the sessions hold, about: one that does nothing, and what is prepared in one.
const (
	sessionBytes  = 32 << 10
	preparedBytes = 2 << 10
	tokenBytes    = 160
)

// hold counts memory that is kept with the session, until the budget is closed; the error says that all together may not have so much.
func (s *Session) hold(n int64, what string) (*budget.Budget, *repr.Error) {
	b := s.c.memory.sessions.Part("the session", 0, 0)
	b.Take(n)
	if e := b.Excess(); e != nil {
		b.Close()
		return nil, repr.NewError(repr.CodeOutOfMemory, "out of memory: "+e.Name+" would hold more than "+sizeText(e.Most)).
			WithDetail("There is no room for " + what + ", which takes " + sizeText(n) + ".").
			WithHint("Deallocate prepared statements and close portals that are not used, and connections; the limit follows from --memory-limit.")
	}
	return b, nil
}

// Hold counts memory that a client keeps with the session, until it is released.
func (s *Session) Hold(n int64, what string) (release func(), err *repr.Error) {
	b, err := s.hold(n, what)
	return b.Close, err
}

// sizeOfPrepared is about what a prepared statement takes: its text, and a tree that grows with its words.
func sizeOfPrepared(text string) int64 {
	tokens, quoted, word := int64(0), false, false
	for i := range len(text) {
		b := text[i]
		isWord := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '.' || b >= 0x80
		switch {
		case b == '\'':
			quoted = !quoted
		case quoted || b == ' ' || b == '\n' || b == '\t':
		case !isWord || !word:
			tokens++
		}
		word = isWord && !quoted
	}
	return preparedBytes + int64(len(text)) + tokens*tokenBytes
}
