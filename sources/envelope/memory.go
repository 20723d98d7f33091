package envelope

import (
	"encoding/binary"
	"hash/maphash"
)

// grave is a key that was deleted: its changes may come again.
type grave struct {
	key string
	pos position
	row []byte // of a key that was changed; nil otherwise
}

// graveyard remembers the keys deleted last.
type graveyard struct {
	byKey map[string]*grave
	queue []*grave // oldest first from head on
	head  int
	bytes int
}

func (y *graveyard) find(key []byte) *grave { return y.byKey[string(key)] }

func (y *graveyard) add(g *grave) {
	if old := y.byKey[g.key]; old != nil {
		if g.row == nil {
			g.row = old.row
		}
		y.forget(old)
	}
	y.byKey[g.key] = g
	y.queue = append(y.queue, g)
	y.bytes += len(g.row)
	for len(y.queue)-y.head > maxGone || y.bytes > maxGoneBytes {
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

func (y *graveyard) forget(g *grave) {
	y.bytes -= len(g.row)
	g.row = nil
	delete(y.byKey, g.key)
}

// recent remembers the changes seen last, for tables whose rows cannot be told apart by a key.
type recent struct {
	seed  maphash.Seed
	ids   map[uint64]struct{}
	queue []uint64 // a ring once it is full
	next  int
	runs  map[int32]run // by partition
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
	if r.runs == nil {
		r.runs = map[int32]run{}
	}
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
	r.runs[partition] = last
	id += last.n * 0x9e3779b97f4a7c15
	if _, ok := r.ids[id]; ok {
		return true
	}
	r.ids[id] = struct{}{}
	if len(r.queue) < maxSeen {
		r.queue = append(r.queue, id)
		return false
	}
	delete(r.ids, r.queue[r.next])
	r.queue[r.next] = id
	r.next = (r.next + 1) % maxSeen
	return false
}

// hash is the identity of a change. A snapshot gives all its rows one position, so there the time at which the
// connector made the event tells them apart.
func (r *recent) hash(c *change) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	stamp := int64(0)
	if c.op == opRead {
		stamp = c.stamp
	}
	var b []byte
	for _, v := range []uint64{uint64(c.pos.epoch), c.pos.log, c.pos.offset, uint64(c.pos.row), uint64(c.txn), uint64(c.order), uint64(stamp), uint64(c.op)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	h.Write(b)
	h.Write(c.before)
	h.WriteByte(0xff)
	h.Write(c.after)
	return h.Sum64()
}
