package txn

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Bounds of what is known and waited for.
const (
	maxDone    = 1 << 16          // transactions that are remembered when they are over
	unknown    = 5 * time.Second  // that a transaction may not be known to the topic, which was read to its end
	passed     = 10 * time.Minute // of a source's records behind the end of a transaction: nothing more of it comes
	noticeable = 10 * time.Second // that a source may wait before its state says so
)

// Gate holds batches of type B back. One goroutine owns it.
type Gate[B any] struct {
	members map[uint64]*member[B]
	open    map[string]*transaction // those that are not over, by id
	order   []*transaction          // the same, in the order in which they began
	done    map[string]struct{}     // those that were over last
	ring    []string
	oldest  int
	last    *transaction // that began last
	next    int64        // the offset behind the last record
}

type member[B any] struct {
	topic, collection string
	queue             []part[B]
	newest            int64 // of its records, milliseconds since 1970
	over              int64 // transactions that begin before this offset are over, as far as it has changes of them
}

// part is a batch of one transaction, or of none.
type part[B any] struct {
	id      string
	batch   B
	arrived time.Time
}

type transaction struct {
	id     string
	offset int64
	millis int64
	ended  bool
	counts map[string]int64              // by table; nil when not known
	seen   map[uint64]map[int64]struct{} // by member: the changes, by their place in the transaction
}

// NewGate makes a gate without members.
func NewGate[B any]() *Gate[B] {
	return &Gate[B]{members: map[uint64]*member[B]{}, open: map[string]*transaction{}, done: map[string]struct{}{}}
}

// Join adds a source. Its changes are of the table with this name, or when that is empty of the one that its topic ends with.
func (g *Gate[B]) Join(source uint64, topic, collection string) {
	g.members[source] = &member[B]{topic: topic, collection: collection}
}

// Leave takes a source out, and gives the batches that it still had.
func (g *Gate[B]) Leave(source uint64) []B {
	m := g.members[source]
	if m == nil {
		return nil
	}
	delete(g.members, source)
	out := make([]B, len(m.queue))
	for i := range m.queue {
		out[i] = m.queue[i].batch
	}
	return out
}

// Members is how many sources there are.
func (g *Gate[B]) Members() int { return len(g.members) }

func (m *member[B]) is(collection string) bool {
	if m.collection != "" {
		return m.collection == collection
	}
	return strings.HasSuffix(m.topic, "."+collection)
}

// Batch is what a source has to say beside the batch itself.
type Batch struct {
	Transaction string  // empty: of none
	Orders      []int64 // the places of its changes in the transaction's table
	NewestMS    int64
}

// Add takes a batch of a source.
func (g *Gate[B]) Add(source uint64, of Batch, batch B, now time.Time) {
	m := g.members[source]
	m.newest = max(m.newest, of.NewestMS)
	id := of.Transaction
	if _, over := g.done[id]; over {
		id = ""
	}
	m.queue = append(m.queue, part[B]{id: id, batch: batch, arrived: now})
	if id == "" {
		return
	}
	t := g.transaction(id)
	if t.seen[source] == nil {
		t.seen[source] = map[int64]struct{}{}
	}
	for _, o := range of.Orders {
		t.seen[source][o] = struct{}{}
	}
}

// transaction finds what is known of a transaction, if only that it is named. One that is merely named has no offset yet.
func (g *Gate[B]) transaction(id string) *transaction {
	t := g.open[id]
	if t == nil {
		t = &transaction{id: id, offset: -1, seen: map[uint64]map[int64]struct{}{}}
		g.open[id] = t
	}
	return t
}

// Take takes a record of the transaction topic.
func (g *Gate[B]) Take(r *Record) {
	g.next = max(g.next, r.Offset+1)
	if _, over := g.done[r.ID]; over {
		return
	}
	t := g.transaction(r.ID)
	if t.offset < 0 {
		t.offset = r.Offset
		g.order = append(g.order, t)
	}
	t.millis = max(t.millis, r.Millis)
	if r.End {
		t.ended, t.counts = true, r.Counts
		return
	}
	if l := g.last; l != nil && l != t && !l.ended {
		l.ended = true
	}
	g.last = t
}

// isThere says whether all of a transaction has come.
func (g *Gate[B]) isThere(t *transaction) bool {
	if !t.ended {
		return false
	}
	for collection, n := range t.counts {
		for source, m := range g.members {
			if m.is(collection) && int64(len(t.seen[source])) < n && !m.isPast(t) {
				return false
			}
		}
	}
	return true
}

// isPast says whether nothing more of a transaction comes from the source: it was over before the source was taken up again, or the
// source has long read what came after it.
func (m *member[B]) isPast(t *transaction) bool {
	return t.offset >= 0 && t.offset < m.over || m.newest > t.millis+passed.Milliseconds()
}

// Over is the offset of the first record of the transaction topic that may be about changes of a source which have not gone. It never
// goes back. A gate of a later run is told by Resume.
func (g *Gate[B]) Over(source uint64) int64 {
	m := g.members[source]
	if m == nil {
		return 0
	}
	over := g.next
	for _, t := range g.order {
		if !t.ended || t.has(m.is) {
			over = t.offset
			break
		}
	}
	m.over = max(m.over, over)
	return m.over
}

// Resume says what Over has said of a source before.
func (g *Gate[B]) Resume(source uint64, over int64) { g.members[source].over = over }

// has says whether a transaction has changes of a table that is so.
func (t *transaction) has(so func(collection string) bool) bool {
	for collection := range t.counts {
		if so(collection) {
			return true
		}
	}
	return false
}

// Released is a batch that may go.
type Released[B any] struct {
	Source uint64
	Batch  B
}

// Release lets go what can go together. readFor is how long the transaction topic has been read to its end; 0 when it is not.
func (g *Gate[B]) Release(now time.Time, readFor time.Duration) []Released[B] {
	sources := slices.Sorted(maps.Keys(g.members))
	cut := map[uint64]int{}
	for _, s := range sources {
		cut[s] = len(g.members[s].queue)
	}
	torn := map[string]bool{} // transactions of which a part stays
	for again := true; again; {
		again = false
		for _, s := range sources {
			queue := g.members[s].queue[:cut[s]]
			at := slices.IndexFunc(queue, func(p part[B]) bool { return torn[p.id] || !g.mayGo(&p, now, readFor) })
			if at < 0 {
				continue
			}
			for _, p := range queue[at:] {
				torn[p.id] = p.id != ""
			}
			cut[s], again = at, true
		}
	}
	var out []Released[B]
	for _, s := range sources {
		m := g.members[s]
		for _, p := range m.queue[:cut[s]] {
			out = append(out, Released[B]{s, p.batch})
			g.finish(p.id)
		}
		m.queue = slices.Delete(m.queue, 0, cut[s])
	}
	g.prune()
	return out
}

// mayGo says whether the transaction of a part is whole, as far as the part itself goes.
func (g *Gate[B]) mayGo(p *part[B], now time.Time, readFor time.Duration) bool {
	t := g.open[p.id]
	if p.id == "" || t == nil {
		return true
	}
	if t.offset < 0 && !t.ended {
		return readFor > unknown && now.Sub(p.arrived) > unknown
	}
	return g.isThere(t)
}

// finish notes that a transaction is over.
func (g *Gate[B]) finish(id string) {
	if id == "" || g.open[id] == nil {
		return
	}
	delete(g.open, id)
	g.done[id] = struct{}{}
	if len(g.ring) < maxDone {
		g.ring = append(g.ring, id)
		return
	}
	delete(g.done, g.ring[g.oldest])
	g.ring[g.oldest] = id
	g.oldest = (g.oldest + 1) % maxDone
}

// prune drops transactions that are over or of which nothing comes.
func (g *Gate[B]) prune() {
	g.order = slices.DeleteFunc(g.order, func(t *transaction) bool {
		if g.open[t.id] == t && t.ended && len(t.seen) == 0 && g.isNobodys(t) {
			g.finish(t.id)
		}
		return g.open[t.id] != t
	})
}

// isNobodys says whether no source has, or is still to have, a change of a transaction.
func (g *Gate[B]) isNobodys(t *transaction) bool {
	for collection := range t.counts {
		for _, m := range g.members {
			if m.is(collection) && !m.isPast(t) {
				return false
			}
		}
	}
	return true
}

// Low is the offset of the first record of the transaction topic that is needed still.
func (g *Gate[B]) Low() int64 {
	if len(g.order) > 0 {
		return g.order[0].offset
	}
	return g.next
}

// Waits says what a source has been waiting for that long that it should be known; empty for nothing.
func (g *Gate[B]) Waits(source uint64, now time.Time) string {
	m := g.members[source]
	if m == nil || len(m.queue) == 0 || now.Sub(m.queue[0].arrived) < noticeable {
		return ""
	}
	for _, p := range m.queue {
		if t := g.open[p.id]; t != nil && !g.isThere(t) {
			return g.missing(t)
		}
	}
	return "a transaction of another source is not complete"
}

// missing says what a transaction lacks.
func (g *Gate[B]) missing(t *transaction) string {
	if !t.ended {
		return fmt.Sprintf("the end of transaction %q is not there", t.id)
	}
	for _, collection := range slices.Sorted(maps.Keys(t.counts)) {
		for source, m := range g.members {
			if has := int64(len(t.seen[source])); m.is(collection) && has < t.counts[collection] {
				return fmt.Sprintf("of transaction %q %d of %d changes of %s are there", t.id, has, t.counts[collection], collection)
			}
		}
	}
	return fmt.Sprintf("transaction %q is not complete", t.id)
}
