package op

import (
	"bytes"
	"hash/maphash"
	"math"

	"millrace/internal/check"
	"millrace/repr"
)

// groups is a hash table of groups by packed key: keys lie in one arena, states in one array, so that millions of
// groups are a handful of objects for the garbage collector.
type groups struct {
	seed   maphash.Seed
	words  int      // int64 of state a group
	slots  []uint32 // number of a group plus one; 0 is free
	hashes []uint64
	keys   []byte
	ends   []uint32 // of a group: where its key ends; it begins at starts
	starts []uint32
	state  []int64
	rows   []int64              // of a group: the number of its rows
	objs   [][]repr.Accumulator // of a group: its accumulators with a state of their own; nil when there are none
	marks  []uint32             // of a group: the touch that it was last part of
	checks []uint64             // of a group with objects: the sum of count × hash of its rows, 0 when it is empty
	free   []uint32
	dead   int // bytes of keys of groups that are gone
	live   int
}

func newGroups(words int, objects bool) *groups {
	g := &groups{seed: maphash.MakeSeed(), words: words, slots: make([]uint32, 64)}
	if objects {
		g.objs = [][]repr.Accumulator{}
	}
	return g
}

func (g *groups) key(i uint32) []byte { return g.keys[g.starts[i]:g.ends[i]] }

func (g *groups) stateOf(i uint32) []int64 {
	return g.state[int(i)*g.words : (int(i)+1)*g.words : (int(i)+1)*g.words]
}

// find gives the number of a key's group, making the group when it is new.
func (g *groups) find(key []byte) (i uint32, fresh bool) {
	h := maphash.Bytes(g.seed, key)
	mask := uint64(len(g.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		s := g.slots[at]
		if s == 0 {
			break
		}
		if g.hashes[s-1] == h && bytes.Equal(g.key(s-1), key) {
			return s - 1, false
		}
	}
	if 4*(g.live+1) > 3*len(g.slots) {
		g.grow()
	}
	i = g.take(key, h)
	g.place(i)
	g.live++
	return i, true
}

// take makes a group with an empty state.
func (g *groups) take(key []byte, h uint64) uint32 {
	start := uint32(len(g.keys))
	g.keys = append(g.keys, key...)
	check.That(len(g.keys) <= math.MaxUint32, "the keys of all groups together take %d bytes", len(g.keys))
	end := uint32(len(g.keys))
	if n := len(g.free); n > 0 {
		i := g.free[n-1]
		g.free = g.free[:n-1]
		g.starts[i], g.ends[i], g.hashes[i], g.rows[i], g.marks[i] = start, end, h, 0, 0
		clear(g.stateOf(i))
		return i
	}
	g.starts, g.ends, g.hashes = append(g.starts, start), append(g.ends, end), append(g.hashes, h)
	g.rows, g.marks = append(g.rows, 0), append(g.marks, 0)
	for range g.words {
		g.state = append(g.state, 0)
	}
	if g.objs != nil {
		g.objs, g.checks = append(g.objs, nil), append(g.checks, 0)
	}
	return uint32(len(g.ends) - 1)
}

// place puts a group into the first free slot of its hash.
func (g *groups) place(i uint32) {
	mask := uint64(len(g.slots) - 1)
	at := g.hashes[i] & mask
	for g.slots[at] != 0 {
		at = (at + 1) & mask
	}
	g.slots[at] = i + 1
}

func (g *groups) grow() {
	old := g.slots
	g.slots = make([]uint32, 2*len(old))
	for _, s := range old {
		if s != 0 {
			g.place(s - 1)
		}
	}
}

// empty says whether a group holds nothing: no rows, and no state either, as there may be for a moment when the
// retraction of one row comes before the insertion of another.
func (g *groups) empty(i uint32) bool {
	if g.rows[i] != 0 || g.objs != nil && g.checks[i] != 0 {
		return false
	}
	for _, w := range g.stateOf(i) {
		if w != 0 {
			return false
		}
	}
	return true
}

// drop forgets a group.
func (g *groups) drop(i uint32) {
	mask := uint64(len(g.slots) - 1)
	at := g.hashes[i] & mask
	for g.slots[at] != i+1 {
		at = (at + 1) & mask
	}
	g.slots[at] = 0
	// What follows in the same run of slots may have been pushed past the one now free.
	for next := (at + 1) & mask; g.slots[next] != 0; next = (next + 1) & mask {
		s := g.slots[next]
		g.slots[next] = 0
		g.place(s - 1)
	}
	g.dead += int(g.ends[i] - g.starts[i])
	g.starts[i], g.ends[i] = 0, 0
	if g.objs != nil {
		g.objs[i], g.checks[i] = nil, 0
	}
	g.free = append(g.free, i)
	g.live--
	if g.dead > 1<<20 && 2*g.dead > len(g.keys) {
		g.compact()
	}
}

// compact rewrites the arena of keys without those of groups that are gone.
func (g *groups) compact() {
	keys := make([]byte, 0, len(g.keys)-g.dead)
	for _, s := range g.slots {
		if s == 0 {
			continue
		}
		start := uint32(len(keys))
		keys = append(keys, g.key(s-1)...)
		g.starts[s-1], g.ends[s-1] = start, uint32(len(keys))
	}
	g.keys, g.dead = keys, 0
}

// bytes is the memory of the table.
func (g *groups) bytes() int64 {
	return int64(4*cap(g.slots) + 8*cap(g.hashes) + cap(g.keys) + 4*cap(g.ends) + 4*cap(g.starts) + 8*cap(g.state) + 8*cap(g.rows) + 4*cap(g.marks))
}
