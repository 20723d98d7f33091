package op

import (
	"bytes"

	"millrace/arrangement"
	"millrace/repr"
)

// windowWalk goes through the rows of a partition in one snapshot and gives the values of the functions, row after row.
// It holds the rows that the functions may still look at. Rows are numbered from the start of the partition when the
// walk began there or at a mark, else from where it began.
type windowWalk struct {
	w       *Window
	marking bool // marks are made on the way
	snap    *arrangement.Snapshot
	part    []byte
	cur     *arrangement.Cursor
	ended   bool
	from    []byte // the mark that the walk began at; nil: none

	places   []windowPlace
	off      int64 // the number of places[0]
	at       int64 // the number of the next row to be taken
	low      int64 // the lowest number that is still needed
	total    int64 // rows of the partition, where a function depends on it
	groups   []int64
	groupOff int64  // the number of groups[0], which holds where the group begins
	head     []byte // of the last row read
	lead     []repr.Datum
	frames   []windowFrame
	sums     []windowSum // by function: of all rows read
	marked   int64       // rows before the last mark
	fresh    []mark
	buf      []byte
	chunk    []repr.Datum
}

// windowPlace is a row at hand; a row that is there n times stands in n places.
type windowPlace struct {
	key   []byte
	head  int // the bytes of key that peers share
	group int64
	vals  []repr.Datum // of the columns that functions read
}

// begin starts to read at a place: at a mark, at the start of the partition, or at any row when no function goes on from
// the rows before.
func (k *windowWalk) begin(snap *arrangement.Snapshot, part, from []byte, m *mark) {
	k.snap, k.part, k.ended = snap, part, false
	k.cur = snap.Cursor()
	k.cur.Seek(from)
	clear(k.places)
	k.places, k.groups, k.fresh = k.places[:0], k.groups[:0], nil
	k.off, k.groupOff, k.head, k.lead, k.from = 0, 0, nil, nil, nil
	k.frames = make([]windowFrame, len(k.w.funcs))
	k.sums = make([]windowSum, len(k.w.funcs))
	if m != nil {
		k.off, k.head, k.from = m.rows, m.head, m.key
		k.groups, k.groupOff = append(k.groups, m.groupStart), m.groups-1
	}
	k.at, k.low, k.marked = k.off, k.off, k.off
	for i := range k.w.funcs {
		f, fr := &k.w.funcs[i], &k.frames[i]
		*fr = windowFrame{start: k.off, end: k.off, lo: k.off, hi: k.off}
		if f.Kind != WindowAggregate {
			continue
		}
		fr.sum, k.sums[i] = newSum(f.Agg), newSum(f.Agg)
		if f.onward {
			fr.lo = 0
			if m != nil {
				fr.sum, k.sums[i] = m.sums[i].clone(), m.sums[i].clone()
			}
		}
	}
}

// forget lets go of what the walk holds.
func (k *windowWalk) forget() {
	clear(k.places)
	clear(k.chunk)
	k.snap, k.cur, k.part, k.head, k.lead, k.from = nil, nil, nil, nil, nil, nil
	k.places, k.frames, k.sums, k.fresh, k.chunk = k.places[:0], nil, nil, nil, nil
}

// bytes is about the memory of the rows at hand.
func (k *windowWalk) bytes() int64 { return int64(cap(k.places)*placeBytes + cap(k.chunk)*datumBytes) }

// Sizes of a row at hand, with a value, and of a value.
const (
	placeBytes = 64
	datumBytes = 40
)

// skip passes the rows before key without taking them.
func (k *windowWalk) skip(key []byte) {
	for p := k.place(k.at); p != nil && bytes.Compare(p.key, key) < 0; p = k.place(k.at) {
		k.at++
	}
}

// take gives the values of the rows with a key. They hold until the next call.
func (k *windowWalk) take(key []byte, dst []windowResult) []windowResult {
	k.buf = k.buf[:0]
	for p := k.place(k.at); p != nil && bytes.Equal(p.key, key); p = k.place(k.at) {
		n := len(k.buf)
		err := k.evaluate()
		dst = append(dst, windowResult{vals: k.buf[n:len(k.buf):len(k.buf)], err: err})
		k.at++
	}
	k.trim()
	return dst
}

// trim lets go of rows that are not needed any more.
func (k *windowWalk) trim() {
	drop := int(k.low - k.off)
	if int64(drop) < k.w.every || 2*drop < len(k.places) {
		return
	}
	n := copy(k.places, k.places[drop:])
	clear(k.places[n:])
	k.places, k.off = k.places[:n], k.low
	gone := 0
	for gone+1 < len(k.groups) && k.groups[gone+1] <= k.low {
		gone++
	}
	k.groups, k.groupOff = k.groups[gone:], k.groupOff+int64(gone)
}

// place is the row with a number; nil behind the end of the partition. It holds until the next row is read.
func (k *windowWalk) place(i int64) *windowPlace {
	for i >= k.read() {
		if !k.load() {
			return nil
		}
	}
	return &k.places[i-k.off]
}

// read is how many rows have been read.
func (k *windowWalk) read() int64 { return k.off + int64(len(k.places)) }

// load reads the next row; it says whether there was one.
func (k *windowWalk) load() bool {
	for !k.ended && k.cur.Valid() && bytes.HasPrefix(k.cur.Row(), k.part) {
		key, n := k.cur.Row(), k.cur.Diff()
		k.cur.Next()
		if n > 0 {
			k.put(key, n)
			return true
		}
	}
	k.ended = true
	return false
}

// put makes places of a row that is there n times.
func (k *windowWalk) put(key []byte, n repr.Diff) {
	head := k.w.head(key)
	if k.marking && k.read() >= k.marked+k.w.every {
		k.mark(key)
	}
	if k.head == nil || !bytes.Equal(k.head, head) {
		k.groups = append(k.groups, k.read())
	}
	k.head = head
	p := windowPlace{key: key, head: len(head), group: k.groupOff + int64(len(k.groups)) - 1}
	if need := len(k.w.reads); need > 0 {
		if cap(k.chunk)-len(k.chunk) < need {
			k.chunk = make([]repr.Datum, 0, 64*need)
		}
		k.chunk = k.w.pick(k.chunk, key[len(head):])
		p.vals = k.chunk[len(k.chunk)-need : len(k.chunk) : len(k.chunk)]
	}
	if k.marking {
		for i := range k.w.funcs {
			if f := &k.w.funcs[i]; f.onward && f.Kind == WindowAggregate {
				k.sums[i].add(f, p.vals, n)
			}
		}
	}
	for range n {
		if k.places = append(k.places, p); len(k.places)%pulseEvery == 0 && k.w.Pulse != nil {
			k.w.Pulse()
		}
	}
}

// groupStart is where a group of peers begins: the start of what was read for one before it, the end of the partition for
// one that is not there.
func (k *windowWalk) groupStart(g int64) int64 {
	if g < k.groupOff {
		return 0
	}
	for g >= k.groupOff+int64(len(k.groups)) {
		if !k.load() {
			return k.read()
		}
	}
	return k.groups[g-k.groupOff]
}

// first are the values of the first row of the partition.
func (k *windowWalk) first() []repr.Datum {
	if k.lead != nil {
		return k.lead
	}
	cur := k.snap.Cursor()
	for cur.Seek(k.part); cur.Valid() && bytes.HasPrefix(cur.Row(), k.part); cur.Next() {
		if cur.Diff() > 0 {
			k.lead = k.w.pick(nil, cur.Row()[len(k.w.head(cur.Row())):])
			break
		}
	}
	return k.lead
}
