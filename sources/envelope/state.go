package envelope

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
	"maps"
	"slices"

	"millrace/repr"
	"millrace/sources"
)

// Remembering is an envelope whose memory can be kept beside the rows that it gives, so that after a restart it goes on as if
// there had been none. State gives the changes of that memory since it was asked last, as updates of rows that mean something
// to the envelope alone; Restore takes the sum of them all, before the first message.
type Remembering interface {
	Envelope
	// Remember says that State is going to be asked.
	Remember()
	State(dst []sources.Update) []sources.Update
	Restore(rows iter.Seq2[[]byte, repr.Diff]) error
}

// The rows of the memory of a Debezium envelope begin with what they tell of.
const (
	stateLive  = 'L' // key, position, op, row: the row of a key
	stateGone  = 'G' // key, position, number, whether there is a row, row: a key that was deleted
	stateBag   = 'B' // row: one of a table without keys, as often as there are
	stateSeen  = 'S' // slot, id: a change of a table without keys
	stateRun   = 'R' // partition, id, n, stamp: equal changes in a row
	stateWhole = 'W' // epoch, newest, began, truncated, swept
)

// memory notes what has changed since State was asked last: of each thing that is kept as a row, the row as it was.
type memory struct {
	live  map[string]int // by key: its place in the list
	list  []touched
	gone  map[string][]byte
	bag   map[string]int64 // by row: how many there were
	slots map[int]uint64   // by slot: the id, 0 when it was free
	runs  map[int32][]byte
	whole []byte
}

// Remember says that State is going to be asked.
func (d *Debezium) Remember() {
	if d.memory == nil {
		d.memory = newMemory()
		if d.restored {
			d.memory.whole = d.appendWhole(nil)
		}
		d.gone.touch, d.seen.memory = d.touchGone, d.memory
	}
}

// touched is a key that has changed: its row of the memory as it was, nil when there was none, and its entry as it is.
type touched struct {
	key string
	was []byte
	now entry // without a row when there is none
}

func newMemory() *memory {
	return &memory{live: map[string]int{}, gone: map[string][]byte{}, bag: map[string]int64{}, slots: map[int]uint64{}, runs: map[int32][]byte{}}
}

func (m *memory) reset() {
	clear(m.live)
	clear(m.list)
	m.list = m.list[:0]
	clear(m.gone)
	clear(m.bag)
	clear(m.slots)
	clear(m.runs)
}

// touch notes that the entry of a key becomes another, whose row is as it is kept; nil stands for none.
func (d *Debezium) touch(key []byte, before, after *entry) {
	m := d.memory
	if m == nil {
		return
	}
	at, ok := m.live[string(key)]
	if !ok {
		at = len(m.list)
		t := touched{key: string(key)}
		if before != nil {
			t.was = appendEntry(nil, t.key, before)
		}
		m.live[t.key] = at
		m.list = append(m.list, t)
	}
	m.list[at].now = entry{}
	if after != nil {
		m.list[at].now = *after
	}
}

func (d *Debezium) touchGone(key string) {
	if _, ok := d.memory.gone[key]; !ok {
		d.memory.gone[key] = d.appendGone(nil, key)
	}
}

// count changes how many there are of a row of a table without keys.
func (d *Debezium) count(row []byte, by int64) {
	n := d.bag[string(row)]
	if d.memory != nil {
		if _, ok := d.memory.bag[string(row)]; !ok {
			d.memory.bag[string(row)] = n
		}
	}
	before := len(d.bag)
	if n += by; n == 0 {
		delete(d.bag, string(row))
	} else {
		d.bag[string(row)] = n
	}
	d.bagged += int64((len(d.bag) - before) * len(row))
}

// State gives what has changed since it was asked last.
func (d *Debezium) State(dst []sources.Update) []sources.Update {
	m := d.memory
	for i := range m.list {
		t := &m.list[i]
		var is []byte
		if t.now.row != nil {
			is = appendEntry(nil, t.key, &t.now)
		}
		dst = replaced(dst, t.was, is)
	}
	dst = changed(dst, m.gone, d.appendGone)
	for _, row := range slices.Sorted(maps.Keys(m.bag)) {
		if diff := d.bag[row] - m.bag[row]; diff != 0 {
			dst = append(dst, sources.Update{Row: append([]byte{stateBag}, row...), Diff: diff})
		}
	}
	for _, slot := range slices.Sorted(maps.Keys(m.slots)) {
		if old := m.slots[slot]; old != 0 {
			dst = append(dst, sources.Update{Row: appendSlot(slot, old), Diff: -1})
		}
		dst = append(dst, sources.Update{Row: appendSlot(slot, d.seen.queue[slot]), Diff: 1})
	}
	for _, p := range slices.Sorted(maps.Keys(m.runs)) {
		dst = replaced(dst, m.runs[p], appendRun(p, d.seen.runs[p]))
	}
	whole := d.appendWhole(nil)
	dst = replaced(dst, m.whole, whole)
	m.whole = whole
	m.reset()
	return dst
}

// changed gives the rows of keys that are not as they were.
func changed(dst []sources.Update, was map[string][]byte, is func([]byte, string) []byte) []sources.Update {
	for _, key := range slices.Sorted(maps.Keys(was)) {
		dst = replaced(dst, was[key], is(nil, key))
	}
	return dst
}

func replaced(dst []sources.Update, was, is []byte) []sources.Update {
	if bytes.Equal(was, is) {
		return dst
	}
	if was != nil {
		dst = append(dst, sources.Update{Row: was, Diff: -1})
	}
	if is != nil {
		dst = append(dst, sources.Update{Row: is, Diff: 1})
	}
	return dst
}

// positionRoom is about what a position takes at most, with what else stands beside a key and a row.
const positionRoom = 40

// appendEntry is the row of the memory for a key.
func appendEntry(dst []byte, key string, e *entry) []byte {
	dst = slices.Grow(dst, len(key)+len(e.row)+positionRoom)
	dst = appendString(append(dst, stateLive), key)
	dst = append(appendPosition(dst, e.pos), e.op)
	return append(dst, e.row...)
}

func (d *Debezium) appendGone(dst []byte, key string) []byte {
	g := d.gone.byKey[key]
	if g == nil {
		return nil
	}
	dst = appendString(append(dst, stateGone), key)
	dst = binary.AppendUvarint(appendPosition(dst, g.pos), g.number)
	if g.row == nil {
		return append(dst, 0)
	}
	return append(append(dst, 1), g.row...)
}

func appendSlot(slot int, id uint64) []byte {
	b := binary.AppendUvarint([]byte{stateSeen}, uint64(slot))
	return binary.LittleEndian.AppendUint64(b, id)
}

func appendRun(partition int32, r run) []byte {
	b := binary.AppendVarint([]byte{stateRun}, int64(partition))
	b = binary.LittleEndian.AppendUint64(b, r.id)
	return binary.AppendVarint(binary.AppendUvarint(b, r.n), r.stamp)
}

func (d *Debezium) appendWhole(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, stateWhole), uint64(d.epoch))
	dst = binary.AppendVarint(dst, d.newest)
	dst = binary.AppendVarint(dst, d.began)
	return appendPosition(appendPosition(dst, d.truncated), d.swept)
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendPosition(dst []byte, p position) []byte {
	flags := byte(0)
	if p.known {
		flags |= 1
	}
	if p.lsn {
		flags |= 2
	}
	dst = append(dst, flags)
	for _, v := range []uint64{uint64(p.epoch), uint64(p.row), p.log, p.offset} {
		dst = binary.AppendUvarint(dst, v)
	}
	return binary.AppendVarint(dst, p.millis)
}

// errState says that a row of the memory does not parse.
var errState = errors.New("what the envelope remembers does not parse")

// stateReader takes a row of the memory apart; bad is set when something is not there.
type stateReader struct {
	b   []byte
	bad bool
}

func (r *stateReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return r.took(v, n)
}

func (r *stateReader) varint() int64 {
	v, n := binary.Varint(r.b)
	return int64(r.took(uint64(v), n))
}

func (r *stateReader) took(v uint64, n int) uint64 {
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *stateReader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *stateReader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *stateReader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *stateReader) position() position {
	flags := r.byte()
	p := position{known: flags&1 != 0, lsn: flags&2 != 0, epoch: uint32(r.uvarint()), row: uint32(r.uvarint())}
	p.log, p.offset, p.millis = r.uvarint(), r.uvarint(), r.varint()
	return p
}

// Restore takes what State has given, all of it.
func (d *Debezium) Restore(rows iter.Seq2[[]byte, repr.Diff]) error {
	var graves []*grave
	slots := map[int]uint64{}
	for row, diff := range rows {
		if len(row) == 0 {
			return errState
		}
		r := &stateReader{b: row[1:]}
		switch row[0] {
		case stateLive:
			key := r.bytes(r.uvarint())
			d.live.put(key, entry{pos: r.position(), op: r.byte(), row: r.b})
		case stateGone:
			g := &grave{key: string(r.bytes(r.uvarint())), pos: r.position(), number: r.uvarint()}
			if r.byte() == 1 {
				g.row = bytes.Clone(r.b)
			}
			graves = append(graves, g)
		case stateBag:
			d.count(r.b, diff)
		case stateSeen:
			slots[int(r.uvarint())] = r.uint64()
		case stateRun:
			p := int32(r.varint())
			d.seen.setRun(p, run{id: r.uint64(), n: r.uvarint(), stamp: r.varint()})
		case stateWhole:
			d.epoch, d.newest, d.began = uint32(r.uvarint()), r.varint(), r.varint()
			d.truncated, d.swept = r.position(), r.position()
			d.restored = true
		default:
			r.bad = true
		}
		if r.bad {
			return errState
		}
	}
	d.gone.restore(graves)
	return d.seen.restore(slots)
}
