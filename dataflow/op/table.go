package op

import (
	"bytes"
	"hash/maphash"
	"math"

	"millrace/internal/check"
)

// table is a hash table from packed keys to small numbers, each with some words of state: keys lie in one arena, all else
// about an entry in one record of another, so that millions of entries are a handful of objects for the garbage
// collector, and that finding one takes three steps into memory: its slot, its record, its key.
type table struct {
	seed  maphash.Seed
	words int      // of state an entry
	slots []uint64 // the hash of an entry above its number plus one; 0 is free
	recs  []int64  // of an entry: where its key begins below its length, its hash below its mark, its state
	keys  []byte
	free  []uint32
	dead  int // bytes of keys of entries that are gone
	live  int
	warm  uint64 // what was read ahead; nobody needs it
}

// recHead is the number of words before the state of a record.
const recHead = 2

func newTable(words int) table {
	return table{seed: maphash.MakeSeed(), words: words, slots: make([]uint64, 64)}
}

func (t *table) hash(key []byte) uint32 { return uint32(maphash.Bytes(t.seed, key)) }

// rec is the record of an entry.
func (t *table) rec(i uint32) []int64 {
	n := recHead + t.words
	at := int(i) * n
	return t.recs[at : at+n : at+n]
}

func (t *table) stateOf(i uint32) []int64 { return t.rec(i)[recHead:] }

func (t *table) key(i uint32) []byte {
	place := uint64(t.recs[int(i)*(recHead+t.words)])
	start, n := uint32(place), uint32(place>>32)
	return t.keys[start : start+n : start+n]
}

// entries is the number of numbers given, those of entries that are gone included.
func (t *table) entries() int { return len(t.recs) / (recHead + t.words) }

// ahead is how many keys are looked up at once by find's callers: their memory fits into the nearest cache.
const ahead = 64

// warmUp reads the slots, records and keys of some hashes, one kind after the other: reads that do not wait for one another
// take the time of a few. What it reads is where find will look for most keys.
func (t *table) warmUp(hashes []uint32) {
	mask := uint32(len(t.slots) - 1)
	var found [ahead]uint32
	for k, h := range hashes {
		found[k] = uint32(t.slots[h&mask])
	}
	n := recHead + t.words
	for k := range hashes {
		if s := found[k]; s != 0 {
			found[k] = uint32(t.recs[int(s-1)*n])
		}
	}
	for k := range hashes {
		if at := int(found[k]); at < len(t.keys) {
			t.warm += uint64(t.keys[at])
		}
	}
}

// find gives the number of a key's entry, making one with an empty state when it is new.
func (t *table) find(key []byte, h uint32) (i uint32, fresh bool) {
	mask := uint32(len(t.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		s := t.slots[at]
		if s == 0 {
			break
		}
		if uint32(s>>32) == h && bytes.Equal(t.key(uint32(s)-1), key) {
			return uint32(s) - 1, false
		}
	}
	if 4*(t.live+1) > 3*len(t.slots) {
		t.grow()
	}
	i = t.take(key, h)
	t.place(h, i)
	t.live++
	return i, true
}

// take makes an entry, with the number of one that is gone if there is such.
func (t *table) take(key []byte, h uint32) uint32 {
	start := len(t.keys)
	t.keys = append(t.keys, key...)
	if len(t.keys) > math.MaxUint32 {
		check.Never("the keys of a table together take %d bytes", len(t.keys))
	}
	i := uint32(t.entries())
	if n := len(t.free); n > 0 {
		i = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		for range recHead + t.words {
			t.recs = append(t.recs, 0)
		}
	}
	r := t.rec(i)
	clear(r)
	r[0], r[1] = int64(start)|int64(len(key))<<32, int64(h)
	return i
}

// place puts an entry into the first free slot of its hash.
func (t *table) place(h, i uint32) {
	mask := uint32(len(t.slots) - 1)
	at := h & mask
	for t.slots[at] != 0 {
		at = (at + 1) & mask
	}
	t.slots[at] = uint64(h)<<32 | uint64(i+1)
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]uint64, 2*len(old))
	for _, s := range old {
		if s != 0 {
			t.place(uint32(s>>32), uint32(s)-1)
		}
	}
}

// mark is a number that a user of the table keeps for an entry; 0 at first.
func (t *table) mark(i uint32) uint32 { return uint32(uint64(t.rec(i)[1]) >> 32) }

func (t *table) setMark(i, mark uint32) {
	r := t.rec(i)
	r[1] = int64(uint64(uint32(r[1])) | uint64(mark)<<32)
}

// drop forgets an entry; its number will be used again.
func (t *table) drop(i uint32) {
	mask := uint32(len(t.slots) - 1)
	r := t.rec(i)
	at := uint32(r[1]) & mask
	for uint32(t.slots[at]) != i+1 {
		at = (at + 1) & mask
	}
	t.slots[at] = 0
	// What follows in the same run of slots may have been pushed past the one now free.
	for next := (at + 1) & mask; t.slots[next] != 0; next = (next + 1) & mask {
		s := t.slots[next]
		t.slots[next] = 0
		t.place(uint32(s>>32), uint32(s)-1)
	}
	t.dead += int(uint64(r[0]) >> 32)
	r[0] = 0
	t.free = append(t.free, i)
	t.live--
	if t.dead > 1<<20 && 2*t.dead > len(t.keys) {
		t.compact()
	}
}

// compact rewrites the arena of keys without those of entries that are gone.
func (t *table) compact() {
	keys := make([]byte, 0, len(t.keys)-t.dead)
	for _, s := range t.slots {
		if s == 0 {
			continue
		}
		key, start := t.key(uint32(s)-1), len(keys)
		keys = append(keys, key...)
		t.rec(uint32(s) - 1)[0] = int64(start) | int64(len(key))<<32
	}
	t.keys, t.dead = keys, 0
}

// bytes is the memory of the table.
func (t *table) bytes() int64 {
	return int64(8*cap(t.slots) + 8*cap(t.recs) + cap(t.keys) + 4*cap(t.free))
}
