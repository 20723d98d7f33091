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
// to the envelope alone; Restore takes the sum of them all, and that of the rows which the envelope gave, before the first message.
type Remembering interface {
	Envelope
	// Remember says that State is going to be asked.
	Remember()
	State(dst []sources.Update) []sources.Update
	Restore(rows, content iter.Seq2[[]byte, repr.Diff]) error
}

// The rows of the memory of a Debezium envelope begin with what they tell of.
const (
	stateLive  = 'L' // key, position, op, row: the row of a key, as former releases noted it; see noteWhole and noteKey
	stateGone  = 'G' // key, position, number, whether there is a row, row: a key that was deleted
	stateBag   = 'B' // row: one of a table without keys, as often as there are
	stateSeen  = 'S' // slot, id: a change of a table without keys
	stateRun   = 'R' // partition, id, n, stamp: equal changes in a row
	stateWhole = 'W' // epoch, newest, began, truncated, swept
)

// memory notes what has changed since State was asked last. Of what has a key, it has the notes that go and those that come, in the
// order in which they do; of other things that are kept as a row, the row as it was.
type memory struct {
	notes []sources.Update
	bag   map[string]int64 // by row: how many there were
	slots map[int]uint64   // by slot: the id, 0 when it was free
	runs  map[int32][]byte
	whole []byte
}

// Remember says that State is going to be asked.
func (d *Debezium) Remember() {
	if d.memory == nil {
		d.memory = &memory{bag: map[string]int64{}, slots: map[int]uint64{}, runs: map[int32][]byte{}}
		if d.restored {
			d.memory.whole = d.appendWhole(nil)
		}
		d.gone.memory, d.seen.memory = d.memory, d.memory
	}
}

func (m *memory) reset() {
	clear(m.bag)
	clear(m.slots)
	clear(m.runs)
}

// note says that a row of the memory comes or goes. A memory that nobody asks for is nil.
func (m *memory) note(row []byte, diff repr.Diff) {
	if m != nil {
		m.notes = append(m.notes, sources.Update{Row: row, Diff: diff})
	}
}

// takeBack notes that an entry is no longer what it was.
func (d *Debezium) takeBack(key []byte, e *entry) {
	switch {
	case d.memory == nil:
	case e.former:
		d.memory.note(appendFormer(nil, key, e), -1)
	default:
		d.memory.note(e.note, -1)
	}
}

// appendFormer is how former releases noted an entry.
func appendFormer(dst, key []byte, e *entry) []byte {
	dst = appendBytes(append(dst, stateLive), key)
	dst = append(appendPosition(dst, e.pos), e.op)
	return append(dst, e.row...)
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
	if len(dst) == 0 {
		dst, m.notes = m.notes, dst // the one who asks says what becomes of its room
	} else {
		dst, m.notes = append(dst, m.notes...), m.notes[:0]
	}
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

// appendGrave is the row of the memory for a key that was deleted.
func appendGrave(dst []byte, g *grave) []byte {
	dst = appendString(append(dst, stateGone), g.key)
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

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
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

// whole takes the entry of a key that is noted with its row.
func (r *stateReader) whole() (key []byte, e entry) {
	e = entry{pos: unpackPosition(r.bytes(uint64(r.byte()))), op: r.byte(), whole: true}
	twice := r.uvarint()
	if twice&1 == 0 {
		key = r.bytes(twice / 2)
		e.row = r.b
		return key, e
	}
	e.row = r.b
	return r.bytes(twice / 2), e
}

// Restore takes what State has given, all of it, and the rows of the table, some of which belong to what State told of their keys.
func (d *Debezium) Restore(rows, content iter.Seq2[[]byte, repr.Diff]) error {
	var graves []*grave
	placed := newEntries() // those whose rows are in the table
	slots := map[int]uint64{}
	for row, diff := range rows {
		if len(row) == 0 {
			return errState
		}
		r := &stateReader{b: row[1:]}
		switch row[0] {
		case stateLive:
			key := r.bytes(r.uvarint())
			d.live.put(key, entry{pos: r.position(), op: r.byte(), row: r.b, former: true})
		case noteWhole:
			if key, e := r.whole(); !r.bad {
				d.live.put(key, e)
			}
		case noteKey:
			if key, e := r.whole(); !r.bad {
				e.row = key
				placed.put(key, e)
			}
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
	if err := d.seen.restore(slots); err != nil || placed.len() == 0 {
		return err
	}
	return d.join(placed, content)
}

// join gives the entries that were noted without their rows these rows, each of which begins with its key. The others of the table
// belong to entries that were noted with them, or to no key.
func (d *Debezium) join(placed *entries, content iter.Seq2[[]byte, repr.Diff]) error {
	if d.keyWidth == 0 || content == nil {
		return errState
	}
	others := maps.Clone(d.bag)
	for _, e := range d.live.all() {
		others[string(e.row)]++
	}
	before := d.live.len()
	for row, diff := range content {
		if len(others) > 0 {
			diff -= others[string(row)]
		}
		if diff == 0 {
			continue
		}
		key := row[:repr.PrefixLen(row, d.keyWidth)]
		from, to := placed.seek(key), d.live.seek(key)
		if diff != 1 || !from.found || to.found {
			return errState
		}
		e := placed.entry(from)
		e.row, e.whole = row, false
		d.live.set(to, key, &e)
	}
	if d.live.len()-before != placed.len() {
		return errState
	}
	return nil
}
