package envelope

import (
	"bytes"
	"hash/maphash"
	"iter"
)

// entry is the row of a key, and the change that made it.
type entry struct {
	row []byte
	pos position
	op  byte

	note   []byte // of one that was found: how it was noted
	whole  bool   // it is noted with its row, even if its row begins with its key
	former bool   // it was noted as former releases did
}

// entries keeps an entry for each key: packed, one behind the other in chunks, and found by a hash of the key. So an entry costs
// its bytes and some thirty more, and the garbage collector has nothing to look at. A chunk of which a third is no longer used is
// left for a new one. The bytes of a record are never written again but for its mark, so whoever got a row or a note may keep it.
type entries struct {
	seed   maphash.Seed
	bits   uint64 // of a hash that count: all of them, outside of tests
	slots  slots
	chunks []chunk
	free   []uint32 // numbers of chunks that are not there
	now    int      // the chunk that is written
	size   int64    // of all chunks
	// bare: an entry whose row begins with its key is noted without the row.
	bare bool
	warm uint32 // what was read ahead; nobody needs it
}

// spot is where the entry of a key is, or that there is none. It holds until something is put or removed.
type spot struct {
	hash  uint32
	at    uint32
	g     *segment
	found bool
}

// chunk holds records.
type chunk struct {
	data []byte
	dead int // bytes of records that are not used any more
}

// entriesChunk is the size of a chunk; a record that is larger has one of its own.
const entriesChunk = 64 << 10

// leavePart: a chunk is left when one part in so many of it is no longer used. A smaller part would have more copied for what is won.
const leavePart = 3

func newEntries() *entries {
	return &entries{seed: maphash.MakeSeed(), bits: ^uint64(0), slots: newSlots(), now: -1}
}

// len is how many keys have an entry.
func (t *entries) len() int { return t.slots.live }

// bytes is the memory of them all.
func (t *entries) bytes() int64 { return t.size + int64(t.slots.room)*slotBytes }

func (t *entries) hash(key []byte) uint32 { return uint32(maphash.Bytes(t.seed, key) & t.bits) }

// seek finds where the entry of a key is.
func (t *entries) seek(key []byte) spot {
	hash := t.hash(key)
	g, at := t.slots.of(hash)
	for {
		s := g.slots[at]
		switch {
		case s.chunk == 0:
			return spot{hash: hash}
		case s.hash == hash && hasKey(t.chunks[s.chunk-1].data[s.at:], key):
			return spot{hash: hash, at: at, g: g, found: true}
		}
		at = g.next(at)
	}
}

// entry is what is at a spot where there is one.
func (t *entries) entry(at spot) entry { return t.record(at.g.slots[at.at]).entry() }

// find gives the entry of a key.
func (t *entries) find(key []byte) (entry, bool) {
	at := t.seek(key)
	if !at.found {
		return entry{}, false
	}
	return t.entry(at), true
}

// put sets the entry of a key, and gives its row as it is kept.
func (t *entries) put(key []byte, e entry) []byte { return t.set(t.seek(key), key, &e).row }

// set is put where the key was sought, and gives the record.
func (t *entries) set(at spot, key []byte, e *entry) record {
	s := t.write(key, e)
	s.hash = at.hash
	if !at.found {
		t.slots.add(s)
		return t.record(s)
	}
	old := at.g.slots[at.at] // not before: to write may move it
	at.g.slots[at.at] = s
	x := t.record(s)
	t.drop(old)
	return x
}

// remove forgets a key.
func (t *entries) remove(key []byte) { t.removeAt(t.seek(key)) }

// removeAt is remove where the key was sought.
func (t *entries) removeAt(at spot) {
	if !at.found {
		return
	}
	old := at.g.slots[at.at]
	t.slots.remove(at.g, at.at)
	t.drop(old)
	if t.slots.live == 0 { // segments do not shrink
		t.slots = newSlots()
	}
}

// all gives each key and its entry; what is given, and others, may be removed.
func (t *entries) all() iter.Seq2[[]byte, entry] {
	return func(yield func([]byte, entry) bool) {
		var keys [][]byte
		for i, g := range t.slots.dir {
			if i > 0 && g == t.slots.dir[i-1] {
				continue
			}
			keys = keys[:0]
			for _, s := range g.slots {
				if s.chunk != 0 {
					keys = append(keys, t.record(s).key)
				}
			}
			for _, key := range keys {
				if e, ok := t.find(key); ok && !yield(key, e) {
					return
				}
			}
		}
	}
}

func (t *entries) record(s slot) record { return recordAt(t.chunks[s.chunk-1].data[s.at:]) }

// write appends a record.
func (t *entries) write(key []byte, e *entry) slot {
	inRow := bytes.HasPrefix(e.row, key)
	kind := byte(noteWhole)
	if t.bare && inRow && !e.whole {
		kind = noteKey
	}
	var buf [recordHead]byte
	head := appendHead(buf[:0], key, e, kind, inRow)
	if inRow {
		key = nil
	}
	number := t.room(len(head) + len(key) + len(e.row))
	c := &t.chunks[number]
	at := len(c.data)
	c.data = append(append(append(c.data, head...), key...), e.row...)
	return slot{chunk: uint32(number) + 1, at: uint32(at)}
}

// copy appends a record that there is.
func (t *entries) copy(x record) slot {
	number := t.room(len(x.data))
	c := &t.chunks[number]
	at := len(c.data)
	c.data = append(c.data, x.data...)
	return slot{chunk: uint32(number) + 1, at: uint32(at)}
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
		number, t.free = int(t.free[n-1]), t.free[:n-1]
	} else {
		number, t.chunks = len(t.chunks), append(t.chunks, chunk{})
	}
	t.chunks[number].data = make([]byte, 0, size)
	t.size += int64(size)
	return number
}

// drop notes that a record is not used any more.
func (t *entries) drop(s slot) {
	x := t.record(s)
	x.data[0] |= markDead
	c := int(s.chunk - 1)
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
	var some [MostForeseen]slot // whose places are read before the first of them is written
	n := 0
	for at := 0; at < len(old.data) && old.dead < len(old.data); {
		x := recordAt(old.data[at:])
		if x.data[0]&markDead == 0 {
			some[n] = slot{hash: t.hash(x.key), chunk: uint32(c) + 1, at: uint32(at)}
			t.warm += t.slots.touch(some[n].hash)
			n++
		}
		if at += len(x.data); n == len(some) {
			t.moveAll(some[:n])
			n = 0
		}
	}
	t.moveAll(some[:n])
	t.size -= int64(cap(old.data))
	t.chunks[c] = chunk{}
	t.free = append(t.free, uint32(c))
}

// moveAll copies records, and has their keys lead to the copies.
func (t *entries) moveAll(from []slot) {
	for _, s := range from {
		to := t.copy(t.record(s))
		to.hash = s.hash
		t.slots.move(s, to)
	}
}
