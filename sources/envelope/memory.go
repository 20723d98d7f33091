package envelope

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"slices"
)

// grave is a key that was deleted: its changes may come again.
type grave struct {
	key string
	pos position
	row []byte // of a key that was changed; nil otherwise
	// number grows from grave to grave.
	number uint64
}

// graveyard remembers the keys deleted last.
type graveyard struct {
	byKey  map[string]*grave
	queue  []*grave // oldest first from head on
	head   int
	size   int     // bytes of the rows
	keys   int     // bytes of the keys
	last   uint64  // the number of the newest
	memory *memory // nil when nobody asks
}

// bytes is the memory of the graveyard, about.
func (y *graveyard) bytes() int64 { return int64(len(y.byKey)*graveBytes + y.keys + y.size) }

func (y *graveyard) find(key []byte) *grave { return y.byKey[string(key)] }

func (y *graveyard) add(g *grave) {
	y.last++
	g.number = y.last
	if old := y.byKey[g.key]; old != nil {
		if g.row == nil {
			g.row = old.row
		}
		y.forget(old)
	}
	if y.memory != nil {
		y.memory.note(appendGrave(nil, g), 1)
	}
	y.byKey[g.key] = g
	y.queue = append(y.queue, g)
	y.size += len(g.row)
	y.keys += len(g.key)
	for len(y.queue)-y.head > maxGone || y.size > maxGoneBytes {
		oldest := y.queue[y.head]
		y.queue[y.head] = nil
		y.head++
		if y.byKey[oldest.key] == oldest {
			y.forget(oldest)
		}
	}
	if y.head > len(y.queue)/2 {
		y.queue = append([]*grave(nil), y.queue[y.head:]...)
		y.head = 0
	}
}

func (y *graveyard) drop(key []byte) {
	if g := y.byKey[string(key)]; g != nil {
		y.forget(g)
	}
}

// restore makes an empty graveyard what it was.
func (y *graveyard) restore(graves []*grave) {
	slices.SortFunc(graves, func(a, b *grave) int { return cmp.Compare(a.number, b.number) })
	for _, g := range graves {
		y.byKey[g.key] = g
		y.queue = append(y.queue, g)
		y.size += len(g.row)
		y.keys += len(g.key)
		y.last = g.number
	}
}

func (y *graveyard) forget(g *grave) {
	if y.memory != nil {
		y.memory.note(appendGrave(nil, g), -1)
	}
	y.size -= len(g.row)
	y.keys -= len(g.key)
	g.row = nil
	delete(y.byKey, g.key)
}

// recent remembers the changes seen last, for tables whose rows cannot be told apart by a key.
type recent struct {
	memory *memory // nil when nobody asks
	ids    map[uint64]struct{}
	queue  []uint64 // a ring once it is full
	next   int
	runs   map[int32]run // by partition
}

// run counts equal changes in a row: equal rows that one COPY inserted may share their position. They were made one
// right after the other, which a repetition after a restart was not, and not at the same time, which the same message
// delivered twice was.
type run struct {
	id    uint64
	n     uint64
	stamp int64
}

const maxRunNanos = 1e9

// has says whether a change came before, and remembers it.
func (r *recent) has(c *change, partition int32) bool {
	if !c.pos.known {
		return false
	}
	id := r.hash(c)
	last := r.runs[partition]
	later := c.stamp - last.stamp
	switch {
	case last.id != id:
		last = run{id: id, stamp: c.stamp}
	case later > 0 && later < maxRunNanos && c.op != opTruncate:
		last.n, last.stamp = last.n+1, c.stamp
	default:
		return true
	}
	r.setRun(partition, last)
	id += last.n * 0x9e3779b97f4a7c15
	if _, ok := r.ids[id]; ok {
		return true
	}
	r.ids[id] = struct{}{}
	r.put(id)
	return false
}

// put takes the next slot of the ring.
func (r *recent) put(id uint64) {
	if r.memory != nil {
		if _, ok := r.memory.slots[r.next]; !ok {
			r.memory.slots[r.next] = 0
			if r.next < len(r.queue) {
				r.memory.slots[r.next] = r.queue[r.next]
			}
		}
	}
	if r.next < len(r.queue) {
		delete(r.ids, r.queue[r.next])
		r.queue[r.next] = id
	} else {
		r.queue = append(r.queue, id)
	}
	r.next = (r.next + 1) % maxSeen
}

func (r *recent) setRun(partition int32, to run) {
	if r.runs == nil {
		r.runs = map[int32]run{}
	}
	if r.memory != nil {
		if _, ok := r.memory.runs[partition]; !ok {
			var was []byte
			if old, ok := r.runs[partition]; ok {
				was = appendRun(partition, old)
			}
			r.memory.runs[partition] = was
		}
	}
	r.runs[partition] = to
}

// restore makes an empty ring what it was. Where it stood is told by the first free slot; a ring that is full goes on at its
// beginning, which forgets in another order and no more.
func (r *recent) restore(slots map[int]uint64) error {
	r.queue = make([]uint64, len(slots))
	for i, id := range slots {
		if i >= len(slots) || i >= maxSeen {
			return errState
		}
		r.queue[i] = id
		r.ids[id] = struct{}{}
	}
	r.next = len(slots) % maxSeen
	return nil
}

// hash is the identity of a change. A snapshot gives all its rows one position, so there the time at which the
// connector made the event tells them apart.
func (r *recent) hash(c *change) uint64 {
	h := fnv.New64a()
	stamp := int64(0)
	if c.op == opRead {
		stamp = c.stamp
	}
	var b []byte
	for _, v := range []uint64{uint64(c.pos.epoch), c.pos.log, c.pos.offset, uint64(c.pos.row), uint64(c.txn), uint64(c.order), uint64(stamp), uint64(c.op)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	for _, part := range [][]byte{b, c.before, {0xff}, c.after} {
		_, _ = h.Write(part) // a hash takes all
	}
	return h.Sum64()
}
