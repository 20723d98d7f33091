package envelope

import (
	"encoding/binary"
	"hash/maphash"
	"iter"
)

// entry is the row of a key, and the change that made it.
type entry struct {
	row []byte
	pos position
	op  byte
}

// entries keeps an entry for each key: packed, one behind the other in chunks, and found by a hash of the key. So an entry costs
// its bytes and some thirty more, and the garbage collector has nothing to look at. A chunk of which a third is no longer used is
// left for a new one. The bytes of a row are never written again, so whoever got a row may keep it.
type entries struct {
	hash   func(key []byte) uint64
	refs   map[uint64]ref // by hash
	others map[string]ref // of keys whose hash another key has
	chunks []chunk
	free   []int // numbers of chunks that are not there
	now    int   // the chunk that is written
	size   int64 // of all chunks
}

// ref is where a record begins: the number of its chunk, and the place in it.
type ref uint64

const placeBits = 32

func (r ref) split() (chunk, at int) { return int(r >> placeBits), int(r & (1<<placeBits - 1)) }

// chunk holds records. Once it is full only positions in it change.
type chunk struct {
	data []byte
	dead int // bytes of records that are not used any more
}

// entriesChunk is the size of a chunk; a record that is larger has one of its own.
const entriesChunk = 64 << 10

// leavePart: a chunk is left when one part in so many of it is no longer used. A smaller part would have more copied for what is won.
const leavePart = 3

// refBytes is about what the place of an entry takes, with the room that a map leaves.
const refBytes = 26

func newEntries() *entries {
	seed := maphash.MakeSeed()
	return &entries{hash: func(key []byte) uint64 { return maphash.Bytes(seed, key) }, refs: map[uint64]ref{},
		others: map[string]ref{}, now: -1}
}

// len is how many keys have an entry.
func (t *entries) len() int { return len(t.refs) + len(t.others) }

// bytes is the memory of them all.
func (t *entries) bytes() int64 { return t.size + int64(t.len())*refBytes }

// find gives the entry of a key.
func (t *entries) find(key []byte) (entry, bool) {
	r, ok := t.refOf(key)
	if !ok {
		return entry{}, false
	}
	return t.record(r).entry(), true
}

func (t *entries) refOf(key []byte) (ref, bool) {
	r, _, ok := t.look(key, t.hash(key))
	return r, ok
}

// look finds the record of a key, and whether the hash leads to it.
func (t *entries) look(key []byte, hash uint64) (r ref, first, ok bool) {
	if r, ok := t.refs[hash]; ok && t.hasKey(r, key) {
		return r, true, true
	}
	if len(t.others) == 0 {
		return 0, false, false
	}
	r, ok = t.others[string(key)]
	return r, false, ok
}

// put sets the entry of a key, and gives its row as it is kept.
func (t *entries) put(key []byte, e entry) []byte {
	r := t.write(key, e)
	row := t.record(r).row
	hash := t.hash(key)
	old, first, had := t.look(key, hash) // not before: to write may move it
	if first {
		t.refs[hash] = r
	} else {
		t.point(key, r)
	}
	if had {
		t.drop(old)
	}
	return row
}

// move gives the entry of a key another position, if it has one.
func (t *entries) move(key []byte, pos position, op byte) {
	r, ok := t.refOf(key)
	if !ok {
		return
	}
	x := t.record(r)
	fresh := appendPosition(make([]byte, 0, 48), pos)
	if len(fresh) == len(x.pos) {
		copy(x.pos, fresh)
		x.data[0] = op
		return
	}
	t.put(key, entry{row: x.row, pos: pos, op: op})
}

// remove forgets a key.
func (t *entries) remove(key []byte) {
	h := t.hash(key)
	r, first, ok := t.look(key, h)
	if !ok {
		return
	}
	if first {
		delete(t.refs, h)
	} else {
		delete(t.others, string(key))
	}
	t.drop(r)
	if t.len() == 0 { // maps do not shrink
		t.refs, t.others = map[uint64]ref{}, map[string]ref{}
	}
}

// all gives each key and its entry; the one that is given may be removed.
func (t *entries) all() iter.Seq2[[]byte, entry] {
	return func(yield func([]byte, entry) bool) {
		for _, r := range t.refs {
			if x := t.record(r); !yield(x.key, x.entry()) {
				return
			}
		}
		for _, r := range t.others {
			if x := t.record(r); !yield(x.key, x.entry()) {
				return
			}
		}
	}
}

// record is an entry as it is kept: op, the length of the position, the position, twice the length of the key and one more when it is what the row begins with,
// the key unless it is that, the length of the row, the row.
type record struct {
	data []byte // all of it
	pos  []byte
	key  []byte
	row  []byte
}

func (x record) entry() entry {
	r := stateReader{b: x.pos}
	return entry{row: x.row, pos: r.position(), op: x.data[0]}
}

func (t *entries) record(r ref) record {
	c, at := r.split()
	return recordAt(t.chunks[c].data[at:])
}

// hasKey says whether a record is that of a key.
func (t *entries) hasKey(r ref, key []byte) bool {
	c, at := r.split()
	b := t.chunks[c].data[at:]
	x := stateReader{b: b[2+b[1]:]}
	n := x.uvarint()
	if n>>1 != uint64(len(key)) {
		return false
	}
	if n&1 != 0 {
		x.uvarint()
	}
	return string(x.b[:len(key)]) == string(key)
}

func recordAt(b []byte) record {
	r := stateReader{b: b[2:]}
	x := record{pos: r.bytes(uint64(b[1]))}
	n := r.uvarint()
	if n&1 == 0 {
		x.key = r.bytes(n / 2)
	}
	size := r.uvarint()
	x.row = r.bytes(size)[:size:size]
	if n&1 != 0 {
		x.key = x.row[: n/2 : n/2]
	}
	x.data = b[:len(b)-len(r.b)]
	return x
}

// write appends a record.
func (t *entries) write(key []byte, e entry) ref {
	head := appendPosition(append(make([]byte, 0, 80), e.op, 0), e.pos)
	head[1] = byte(len(head) - 2)
	if len(e.row) >= len(key) && string(e.row[:len(key)]) == string(key) {
		head = binary.AppendUvarint(head, uint64(len(key))<<1|1)
	} else {
		head = append(binary.AppendUvarint(head, uint64(len(key))<<1), key...)
	}
	head = binary.AppendUvarint(head, uint64(len(e.row)))
	number := t.room(len(head) + len(e.row))
	c := &t.chunks[number]
	at := len(c.data)
	c.data = append(append(c.data, head...), e.row...)
	return ref(number)<<placeBits | ref(at)
}

// copy appends a record that there is.
func (t *entries) copy(x record) ref {
	number := t.room(len(x.data))
	c := &t.chunks[number]
	at := len(c.data)
	c.data = append(c.data, x.data...)
	return ref(number)<<placeBits | ref(at)
}

// room is the number of the chunk that a record of n bytes is written to.
func (t *entries) room(n int) int {
	if n > entriesChunk/4 {
		return t.begin(n)
	}
	if full := t.now; full < 0 || len(t.chunks[full].data)+n > entriesChunk {
		t.now = t.begin(entriesChunk)
		if full >= 0 {
			t.leave(full) // which leaves a third of the new one at least
		}
	}
	return t.now
}

// begin makes a chunk.
func (t *entries) begin(size int) (number int) {
	if n := len(t.free); n > 0 {
		number, t.free = t.free[n-1], t.free[:n-1]
	} else {
		number, t.chunks = len(t.chunks), append(t.chunks, chunk{})
	}
	t.chunks[number].data = make([]byte, 0, size)
	t.size += int64(size)
	return number
}

// point makes a record that of a key.
func (t *entries) point(key []byte, r ref) {
	h := t.hash(key)
	if old, ok := t.refs[h]; ok && !t.hasKey(old, key) {
		t.others[string(key)] = r
		return
	}
	if _, ok := t.others[string(key)]; ok {
		t.others[string(key)] = r
		return
	}
	t.refs[h] = r
}

// isDead is set in the op of a record that is not used any more.
const isDead = 0x80

// drop notes that a record is not used any more.
func (t *entries) drop(r ref) {
	c, _ := r.split()
	x := t.record(r)
	x.data[0] |= isDead
	t.chunks[c].dead += len(x.data)
	if c != t.now {
		t.leave(c)
	}
}

// leave copies what is used of a chunk, when a part of it is not, and forgets the chunk.
func (t *entries) leave(c int) {
	old := t.chunks[c]
	if old.dead < cap(old.data)/leavePart {
		return
	}
	for at := 0; at < len(old.data) && old.dead < len(old.data); {
		x := recordAt(old.data[at:])
		if x.data[0]&isDead == 0 {
			t.point(x.key, t.copy(x))
		}
		at += len(x.data)
	}
	t.size -= int64(cap(old.data))
	t.chunks[c] = chunk{}
	t.free = append(t.free, c)
}
