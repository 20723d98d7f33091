package envelope

// slots finds the places of records by the hashes of their keys. They lie in segments, which are chosen by the leading bits of a
// hash, and one that is full is split in two: so nothing waits until all are moved, and no more than half of the room is free for long.
type slots struct {
	dir   []*segment // by the leading bits of a hash; a segment has as many places as its hashes leave bits open
	shift uint       // how many bits of a hash are not leading
	live  int
	room  int // slots that there are
}

// segment is a hash table by the trailing bits of a hash, with linear probing.
type segment struct {
	slots []slot
	live  int
	depth uint // how many leading bits its hashes have in common
}

// slot is where the record of a key is. One without a chunk is free.
type slot struct {
	hash  uint32
	chunk uint32 // plus one
	at    uint32
}

// Sizes of segments. One that cannot be split any more, for its hashes are one, grows on.
const (
	firstSlots   = 16
	segmentSlots = 2048
	mostDepth    = 20
)

// slotBytes is the size of a slot.
const slotBytes = 12

func newSlots() slots {
	return slots{dir: []*segment{{slots: make([]slot, firstSlots)}}, shift: 32, room: firstSlots}
}

// of is the segment of a hash, and the slot in it at which to begin.
func (t *slots) of(hash uint32) (g *segment, at uint32) {
	g = t.dir[hash>>t.shift]
	return g, hash & uint32(len(g.slots)-1)
}

// next is the slot behind one.
func (g *segment) next(at uint32) uint32 { return (at + 1) & uint32(len(g.slots)-1) }

// add takes a slot for a hash that has none yet.
func (t *slots) add(s slot) {
	for {
		g := t.dir[s.hash>>t.shift]
		if 4*(g.live+1) <= 3*len(g.slots) {
			g.place(s)
			t.live++
			return
		}
		t.grow(g, s.hash)
	}
}

// place puts a slot into the first free place behind where its hash begins.
func (g *segment) place(s slot) {
	at := s.hash & uint32(len(g.slots)-1)
	for g.slots[at].chunk != 0 {
		at = g.next(at)
	}
	g.slots[at] = s
	g.live++
}

// remove frees a slot, and moves those behind it that could not begin nearer to where their hash does.
func (t *slots) remove(g *segment, at uint32) {
	mask := uint32(len(g.slots) - 1)
	free := at
	for next := g.next(at); g.slots[next].chunk != 0; next = g.next(next) {
		if home := g.slots[next].hash & mask; (next-home)&mask >= (next-free)&mask {
			g.slots[free] = g.slots[next]
			free = next
		}
	}
	g.slots[free] = slot{}
	g.live--
	t.live--
}

// move has the slot of a record lead to where the record is now.
func (t *slots) move(from, to slot) {
	g, at := t.of(from.hash)
	for g.slots[at] != from {
		at = g.next(at)
	}
	g.slots[at] = to
}

// touch reads the slot at which a hash begins.
func (t *slots) touch(hash uint32) uint32 {
	g, at := t.of(hash)
	return g.slots[at].hash
}

// grow makes room in a segment: by doubling it, or by splitting it.
func (t *slots) grow(g *segment, hash uint32) {
	if len(g.slots) < segmentSlots || g.depth == mostDepth {
		t.room += len(g.slots)
		bigger := &segment{slots: make([]slot, 2*len(g.slots)), depth: g.depth}
		g.pour(func(slot) *segment { return bigger })
		*g = *bigger
		return
	}
	if g.depth == 32-t.shift {
		dir := make([]*segment, 0, 2*len(t.dir))
		for _, s := range t.dir {
			dir = append(dir, s, s)
		}
		t.dir, t.shift = dir, t.shift-1
	}
	bit := uint32(1) << (31 - g.depth)
	var half [2]*segment
	for i := range half {
		half[i] = &segment{slots: make([]slot, segmentSlots), depth: g.depth + 1}
	}
	t.room += 2*segmentSlots - len(g.slots)
	g.pour(func(s slot) *segment {
		if s.hash&bit != 0 {
			return half[1]
		}
		return half[0]
	})
	// The places of the segment in the directory are those that share its leading bits.
	many := uint32(1) << (32 - t.shift - g.depth)
	first := hash >> t.shift &^ (many - 1)
	for i := range many {
		t.dir[first+i] = half[2*i/many]
	}
}

// pour puts all that a segment has into others.
func (g *segment) pour(to func(slot) *segment) {
	for _, s := range g.slots {
		if s.chunk != 0 {
			to(s).place(s)
		}
	}
}
