package op

import (
	"bytes"
	"hash/maphash"
)

// table is a hash table from packed keys to small numbers, each with some words of state. Keys lie in an arena, all else
// about an entry in one record of some pages, so that millions of entries are few objects for the garbage collector, and
// finding one takes three steps into far memory: its slot, its record, its key.
//
// Nothing is ever moved at once: the slots lie in segments, which are chosen by the leading bits of a hash, and one that is
// full is split in two. A fill with millions of entries takes the same time, but none of them waits for the others.
type table struct {
	seed     maphash.Seed
	dir      []segment    // by the leading bits of a hash; a segment has as many places as its hashes leave bits open
	shift    uint         // how many bits of a hash are not leading
	recs     pages[int64] // of an entry: where its key begins below its length, its hash below its mark, its state
	keys     arena
	free     []uint32
	live     int
	segments int    // that there are
	warm     uint64 // what was read ahead; nobody needs it
}

// segment is a hash table by the trailing bits of a hash, with linear probing.
type segment struct {
	slots []uint64 // the hash of an entry above its number plus one; 0 is free
	fill  *fill    // shared by the places that the segment has
}

// fill is how many slots of a segment are taken, and how many leading bits its hashes have in common.
type fill struct{ live, depth int }

const (
	recHead      = 2 // words before the state of a record
	firstSlots   = 64
	segmentSlots = 4096
	mostDepth    = 20 // bits that segmentSlots leaves of a hash
)

func newTable(words int) table {
	return table{
		seed:     maphash.MakeSeed(),
		dir:      []segment{{slots: make([]uint64, firstSlots), fill: &fill{}}},
		shift:    32,
		segments: 1,
		recs:     pages[int64]{width: recHead + words},
	}
}

func (t *table) hash(key []byte) uint32 { return uint32(maphash.Bytes(t.seed, key)) }

// rec is the record of an entry.
func (t *table) rec(i uint32) []int64 { return t.recs.of(int(i)) }

func (t *table) stateOf(i uint32) []int64 { return t.rec(i)[recHead:] }

func (t *table) key(i uint32) []byte {
	place := uint64(t.rec(i)[0])
	return t.keys.get(uint32(place), uint32(place>>32))
}

// ahead is how many keys are looked up at once by find's callers: their memory fits into the nearest cache.
const ahead = 64

// warmUp gives the numbers, plus one, of entries that most likely have the keys with some hashes; 0 is none. It reads the
// slots, records and keys of all, one kind after the other: reads that do not wait for one another take the time of a few.
func (t *table) warmUp(hashes []uint32) (likely [ahead]uint32) {
	for k, h := range hashes {
		slots := t.dir[h>>t.shift].slots
		mask := uint32(len(slots) - 1)
		at := h & mask
		for slots[at] != 0 && uint32(slots[at]>>32) != h {
			at = (at + 1) & mask
		}
		likely[k] = uint32(slots[at])
	}
	var keys [ahead]uint64
	for k := range hashes {
		if s := likely[k]; s != 0 {
			keys[k] = uint64(t.rec(s - 1)[0])
		}
	}
	for k := range hashes {
		if key := t.keys.get(uint32(keys[k]), uint32(keys[k]>>32)); len(key) > 0 {
			t.warm += uint64(key[0])
		}
	}
	return likely
}

// findLikely is find where warmUp has named an entry.
func (t *table) findLikely(key []byte, h, likely uint32) (i uint32, fresh bool) {
	if likely != 0 && bytes.Equal(t.key(likely-1), key) {
		return likely - 1, false
	}
	return t.find(key, h)
}

// find gives the number of a key's entry, making one with an empty state when it is new.
func (t *table) find(key []byte, h uint32) (i uint32, fresh bool) {
	slots := t.dir[h>>t.shift].slots
	mask := uint32(len(slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		s := slots[at]
		if s == 0 {
			break
		}
		if uint32(s>>32) == h && bytes.Equal(t.key(uint32(s)-1), key) {
			return uint32(s) - 1, false
		}
	}
	for t.dir[h>>t.shift].full() {
		t.grow(h)
	}
	i = t.take(key, h)
	g := &t.dir[h>>t.shift]
	g.place(uint64(h)<<32 | uint64(i+1))
	g.fill.live++
	t.live++
	return i, true
}

// take makes an entry, with the number of one that is gone if there is such.
func (t *table) take(key []byte, h uint32) uint32 {
	i := uint32(t.recs.n)
	if n := len(t.free); n > 0 {
		i = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		t.recs.add()
	}
	r := t.rec(i)
	clear(r)
	r[0], r[1] = int64(t.keys.add(key))|int64(len(key))<<32, int64(h)
	return i
}

func (g *segment) full() bool { return 4*(g.fill.live+1) > 3*len(g.slots) }

// place puts an entry into the first free slot of its hash.
func (g *segment) place(s uint64) {
	mask := uint32(len(g.slots) - 1)
	at := uint32(s>>32) & mask
	for g.slots[at] != 0 {
		at = (at + 1) & mask
	}
	g.slots[at] = s
}

// grow makes room in the segment of a hash: a small one, which is alone, is doubled, another split.
func (t *table) grow(h uint32) {
	g := t.dir[h>>t.shift]
	if len(g.slots) >= segmentSlots && g.fill.depth < mostDepth {
		t.split(h)
		return
	}
	wide := segment{slots: make([]uint64, 2*len(g.slots)), fill: g.fill}
	for _, s := range g.slots {
		if s != 0 {
			wide.place(s)
		}
	}
	t.dir[h>>t.shift] = wide
}

// split puts two segments in the place of that of a hash, by the next bit of their hashes.
func (t *table) split(h uint32) {
	old := t.dir[h>>t.shift]
	depth := old.fill.depth + 1
	if 1<<depth > len(t.dir) {
		t.widen()
	}
	t.segments++
	var half [2]segment
	for k := range half {
		half[k] = segment{slots: make([]uint64, len(old.slots)), fill: &fill{depth: depth}}
	}
	bit := uint(64 - depth)
	for _, s := range old.slots {
		if s != 0 {
			g := &half[s>>bit&1]
			g.place(s)
			g.fill.live++
		}
	}
	each := len(t.dir) >> depth // places of a half
	first := int(h>>(33-depth)) * 2 * each
	for i := range each {
		t.dir[first+i], t.dir[first+each+i] = half[0], half[1]
	}
}

// widen tells segments by one bit more.
func (t *table) widen() {
	dir := make([]segment, 0, 2*len(t.dir))
	for _, g := range t.dir {
		dir = append(dir, g, g)
	}
	t.dir = dir
	t.shift--
}

// mark is a number that a user of the table keeps for an entry; 0 at first.
func (t *table) mark(i uint32) uint32 { return uint32(uint64(t.rec(i)[1]) >> 32) }

func (t *table) setMark(i, mark uint32) {
	r := t.rec(i)
	r[1] = int64(uint64(uint32(r[1])) | uint64(mark)<<32)
}

// drop forgets an entry; its number will be used again.
func (t *table) drop(i uint32) {
	r := t.rec(i)
	h := uint32(r[1])
	g := &t.dir[h>>t.shift]
	mask := uint32(len(g.slots) - 1)
	at := h & mask
	for uint32(g.slots[at]) != i+1 {
		at = (at + 1) & mask
	}
	g.slots[at] = 0
	// What follows in the same run of slots may have been pushed past the one now free.
	for next := (at + 1) & mask; g.slots[next] != 0; next = (next + 1) & mask {
		s := g.slots[next]
		g.slots[next] = 0
		g.place(s)
	}
	g.fill.live--
	t.live--
	t.free = append(t.free, i)
	place := uint64(r[0])
	r[0] = 0
	if t.keys.drop(uint32(place), uint32(place>>32)) {
		t.sweep()
	}
}

// sweep moves the keys of a few entries together.
func (t *table) sweep() {
	end := min(t.keys.swept+sweepStep, t.recs.n)
	for ; t.keys.swept < end; t.keys.swept++ {
		r := t.recs.of(t.keys.swept)
		n := uint64(r[0]) >> 32
		r[0] = int64(t.keys.moved(uint32(r[0]), uint32(n))) | int64(n)<<32
	}
	if end == t.recs.n {
		t.keys.end()
	}
}

// bytes is the memory of the table.
func (t *table) bytes() int64 {
	slots := segmentSlots
	if len(t.dir) == 1 {
		slots = len(t.dir[0].slots)
	}
	return int64(8*slots*t.segments) + t.recs.bytes() + t.keys.size + int64(4*cap(t.free))
}
