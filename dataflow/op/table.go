package op

import (
	"bytes"
	"hash/maphash"
	"math"

	"millrace/internal/check"
)

// table is a hash table from packed keys to small numbers, each with some words of state: keys lie in one arena, states
// in one array, so that millions of entries are a handful of objects for the garbage collector.
type table struct {
	seed   maphash.Seed
	words  int      // int64 of state an entry
	slots  []uint32 // number of an entry plus one; 0 is free
	hashes []uint64
	keys   []byte
	starts []uint32 // of an entry: where its key begins; it ends at ends
	ends   []uint32
	state  []int64
	free   []uint32
	dead   int // bytes of keys of entries that are gone
	live   int
}

func newTable(words int) table {
	return table{seed: maphash.MakeSeed(), words: words, slots: make([]uint32, 64)}
}

func (t *table) key(i uint32) []byte { return t.keys[t.starts[i]:t.ends[i]] }

func (t *table) stateOf(i uint32) []int64 {
	return t.state[int(i)*t.words : (int(i)+1)*t.words : (int(i)+1)*t.words]
}

// find gives the number of a key's entry, making one with an empty state when it is new.
func (t *table) find(key []byte) (i uint32, fresh bool) {
	h := maphash.Bytes(t.seed, key)
	mask := uint64(len(t.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		s := t.slots[at]
		if s == 0 {
			break
		}
		if t.hashes[s-1] == h && bytes.Equal(t.key(s-1), key) {
			return s - 1, false
		}
	}
	if 4*(t.live+1) > 3*len(t.slots) {
		t.grow()
	}
	i = t.take(key, h)
	t.place(i)
	t.live++
	return i, true
}

// take makes an entry, with the number of one that is gone if there is such.
func (t *table) take(key []byte, h uint64) uint32 {
	start := uint32(len(t.keys))
	t.keys = append(t.keys, key...)
	check.That(len(t.keys) <= math.MaxUint32, "the keys of a table together take %d bytes", len(t.keys))
	end := uint32(len(t.keys))
	if n := len(t.free); n > 0 {
		i := t.free[n-1]
		t.free = t.free[:n-1]
		t.starts[i], t.ends[i], t.hashes[i] = start, end, h
		clear(t.stateOf(i))
		return i
	}
	t.starts, t.ends, t.hashes = append(t.starts, start), append(t.ends, end), append(t.hashes, h)
	for range t.words {
		t.state = append(t.state, 0)
	}
	return uint32(len(t.ends) - 1)
}

// place puts an entry into the first free slot of its hash.
func (t *table) place(i uint32) {
	mask := uint64(len(t.slots) - 1)
	at := t.hashes[i] & mask
	for t.slots[at] != 0 {
		at = (at + 1) & mask
	}
	t.slots[at] = i + 1
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]uint32, 2*len(old))
	for _, s := range old {
		if s != 0 {
			t.place(s - 1)
		}
	}
}

// drop forgets an entry; its number will be used again.
func (t *table) drop(i uint32) {
	mask := uint64(len(t.slots) - 1)
	at := t.hashes[i] & mask
	for t.slots[at] != i+1 {
		at = (at + 1) & mask
	}
	t.slots[at] = 0
	// What follows in the same run of slots may have been pushed past the one now free.
	for next := (at + 1) & mask; t.slots[next] != 0; next = (next + 1) & mask {
		s := t.slots[next]
		t.slots[next] = 0
		t.place(s - 1)
	}
	t.dead += int(t.ends[i] - t.starts[i])
	t.starts[i], t.ends[i] = 0, 0
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
		start := uint32(len(keys))
		keys = append(keys, t.key(s-1)...)
		t.starts[s-1], t.ends[s-1] = start, uint32(len(keys))
	}
	t.keys, t.dead = keys, 0
}

// bytes is the memory of the table.
func (t *table) bytes() int64 {
	return int64(4*cap(t.slots) + 8*cap(t.hashes) + cap(t.keys) + 4*cap(t.ends) + 4*cap(t.starts) + 8*cap(t.state) + 4*cap(t.free))
}
