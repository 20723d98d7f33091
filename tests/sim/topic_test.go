package sim

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"millrace/repr"
	"millrace/sources"
)

// partitions is how many a topic has.
const partitions = 2

// topic is what a source reads: records that are there for good, behind one another in two partitions. A record says which it
// is: its v is twice its offset plus its partition. One of upserts gives the newest record of each key, another one all.
type topic struct {
	name    string
	upserts bool
	party   int
	ledger  *ledger // whose transactions bind its records; nil: they are not bound
	side    int     // which of its tables this is

	mu    sync.Mutex // guards what is below
	high  [partitions]int64
	moved chan struct{} // closed and made anew when there is more
	wrong string        // what a connector was given back that is not what it gave
}

func newTopic(name string, upserts bool, party int) *topic {
	return &topic{name: name, upserts: upserts, party: party, moved: make(chan struct{})}
}

// record is the record at an offset.
func (t *topic) record(p, offset int64) pair {
	h := (uint64(offset)*0x9E3779B97F4A7C15 + uint64(p) + uint64(len(t.name))) >> 29
	return pair{k: int64(h%4)*partitions + p, v: offset*partitions + p}
}

// isBad says whether a record cannot be decoded. Those of a ledger can.
func (t *topic) isBad(p, offset int64) bool {
	return t.ledger == nil && (uint64(offset)*0xD6E8FEB86659FD93+uint64(p)+uint64(len(t.name)))>>40%8 == 0
}

// produce adds records.
func (t *topic) produce(p, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.high[p] += n
	close(t.moved)
	t.moved = make(chan struct{})
}

// reach adds records to the first partition until there are so many.
func (t *topic) reach(high int64) {
	if now, _ := t.now(); high > now[0] {
		t.produce(0, high-now[0])
	}
}

// now says how many records there are, and gives what is closed when there are more.
func (t *topic) now() ([partitions]int64, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.high, t.moved
}

// most is how far a source can have read.
func (t *topic) most() [partitions]int64 {
	high, _ := t.now()
	return high
}

// blame keeps what is wrong.
func (t *topic) blame(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wrong = fmt.Sprintf(format, args...)
}

// blamed says what is wrong; empty for nothing.
func (t *topic) blamed() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wrong
}

// content is what a source holds that has read so far.
func (t *topic) content(next [partitions]int64) bag {
	out := bag{}
	for p := range int64(partitions) {
		latest := map[int64]pair{}
		for o := range next[p] {
			if t.isBad(p, o) {
				continue
			}
			r := t.record(p, o)
			if old, ok := latest[r.k]; ok && t.upserts {
				out.add(old, -1)
			}
			latest[r.k] = r
			out.add(r, 1)
		}
	}
	return out
}

// read says how far a source has read that holds this.
func (t *topic) read(b bag) (next [partitions]int64) {
	for p := range b {
		part := p.v % partitions
		next[part] = max(next[part], p.v/partitions+1)
	}
	return next
}

// reader is the connector of a topic.
type reader struct {
	t      *topic
	turns  *turns
	latest map[int64]pair // by key, of upserts
}

// Describe gives the columns.
func (r *reader) Describe(context.Context) (repr.RowDesc, [][]int, error) {
	big := repr.TypeOf(repr.KindInt8)
	return repr.RowDesc{{Name: "k", Type: big, NotNull: true}, {Name: "v", Type: big, NotNull: true}}, nil, nil
}

// Grows says that no record takes the place of another.
func (r *reader) Grows() bool { return !r.t.upserts }

// Schemas are none.
func (r *reader) Schemas() (value, key string) { return "", "" }

func packed(p pair) []byte { return repr.AppendRow(nil, []repr.Datum{repr.Int8(p.k), repr.Int8(p.v)}) }

// Restore takes the newest record of each key back.
func (r *reader) Restore(rows iter.Seq2[[]byte, repr.Diff]) error {
	r.latest = map[int64]pair{}
	for row, diff := range rows {
		d := repr.DecodeRow(nil, row)
		p := pair{d[0].Int(), d[1].Int()}
		if _, twice := r.latest[p.k]; twice || diff != 1 {
			r.t.blame("%s remembers %v %d times", r.t.name, p, diff)
		}
		r.latest[p.k] = p
	}
	return nil
}

// Run gives everything from the offsets on, and what comes.
func (r *reader) Run(ctx context.Context, from map[int32]int64, out sources.Events) error {
	if r.latest == nil {
		r.latest = map[int64]pair{}
	}
	var next [partitions]int64
	for p, n := range from {
		next[p] = n
	}
	r.check(next)
	out.Report(sources.State{Status: "running"})
	for first := true; ; first = false {
		if r.turns.wait(1, r.t.party); ctx.Err() != nil {
			return ctx.Err()
		}
		high, moved := r.t.now()
		if b := r.batch(&next, high); first || b.Records > 0 {
			if err := out.Push(ctx, b); err != nil {
				return err
			}
			continue
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// check holds what is remembered against the offsets.
func (r *reader) check(next [partitions]int64) {
	if !r.t.upserts {
		return
	}
	held := bag{}
	for _, p := range r.latest {
		held[p] = 1
	}
	if want := r.t.content(next); held.text() != want.text() {
		r.t.blame("%s goes on at %v and remembers %s, not %s", r.t.name, next, held.text(), want.text())
	}
}

// batch takes a few records of each partition, of those below high.
func (r *reader) batch(next *[partitions]int64, high [partitions]int64) *sources.Batch {
	if r.t.ledger != nil {
		return r.bound(next, high[0])
	}
	b := &sources.Batch{}
	for p := range int64(partitions) {
		for n := 0; n < 3 && next[p] < high[p]; n++ {
			if r.t.isBad(p, next[p]) {
				r.refuse(b, p, next[p])
			} else {
				r.take(b, r.t.record(p, next[p]))
			}
			next[p]++
		}
		b.Progress = append(b.Progress, sources.Progress{Partition: int32(p), Next: next[p], High: high[p]})
	}
	return b
}

// refuse has a record be a row of the errors.
func (r *reader) refuse(b *sources.Batch, p, offset int64) {
	b.Records++
	b.Bad++
	row := []repr.Datum{repr.Null, repr.Text("no pair"), repr.Text(repr.CodeInvalidText), repr.Text(r.t.name), repr.Int4(int32(p)), repr.Int8(offset),
		repr.Null, repr.Null, repr.Null}
	b.Errors = append(b.Errors, sources.Update{Row: repr.AppendRow(nil, row), Diff: 1})
}

func (r *reader) take(b *sources.Batch, p pair) {
	b.Records++
	if r.t.upserts {
		if old, ok := r.latest[p.k]; ok {
			b.Updates = append(b.Updates, sources.Update{Row: packed(old), Diff: -1})
			b.State = append(b.State, sources.Update{Row: packed(old), Diff: -1})
		}
		b.State = append(b.State, sources.Update{Row: packed(p), Diff: 1})
		r.latest[p.k] = p
	}
	b.Updates = append(b.Updates, sources.Update{Row: packed(p), Diff: 1})
}
