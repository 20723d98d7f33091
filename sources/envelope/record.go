package envelope

import (
	"encoding/binary"
	"math/bits"
)

// record is an entry as it is kept: a mark, the length of its body, the body. A body is
//
//	kind, length of the position, position, op, twice the length of the key (and one more when the row begins with it), key unless the row
//	does, row
//
// so that what an envelope notes of an entry lies in it as it is noted: all of the body, or what stands before the rest of a row that
// begins with its key.
type record struct {
	data []byte // all of it
	body []byte
	head int // where in the body the key begins
	key  []byte
	row  []byte
}

// The kinds of bodies are those of notes.
const (
	noteWhole = 'E' // the body
	noteKey   = 'K' // the body up to the end of the key; the row is in the source's collection
)

// Marks of records.
const (
	markDead   = 1 << iota // it is not used any more
	markFormer             // it was noted in the form of former releases
)

// recordHead is what stands before the key of a record at most.
const recordHead = 96

func recordAt(b []byte) record {
	size, n := binary.Uvarint(b[1:])
	from := 1 + n
	end := from + int(size)
	x := record{data: b[:end:end], body: b[from:end:end]}
	x.head = 3 + int(x.body[1])
	twice, n := binary.Uvarint(x.body[x.head:])
	x.head += n
	rest := x.body[x.head:]
	x.key, x.row = rest[:twice/2:twice/2], rest
	if twice&1 == 0 {
		x.row = rest[twice/2:]
	}
	return x
}

// hasKey says whether the record that begins b is that of a key.
func hasKey(b, key []byte) bool {
	from := 2
	for b[from-1] >= 0x80 {
		from++
	}
	from += 3 + int(b[from+1])
	twice, n := uint64(b[from]), 1
	if twice >= 0x80 {
		twice, n = binary.Uvarint(b[from:])
	}
	return twice/2 == uint64(len(key)) && string(b[from+n:from+n+len(key)]) == string(key)
}

func (x record) entry() entry {
	e := entry{row: x.row, pos: unpackPosition(x.body[2 : 2+x.body[1]]), op: x.body[2+x.body[1]], former: x.data[0]&markFormer != 0}
	e.note, e.whole = x.note(), x.body[0] == noteWhole
	return e
}

// note is how the entry is noted.
func (x record) note() []byte {
	if x.body[0] == noteWhole {
		return x.body
	}
	return x.body[: x.head+len(x.key) : x.head+len(x.key)]
}

// appendHead is a record up to its key, or up to its row when that begins with the key, as inRow says. It has room for it in dst.
func appendHead(dst, key []byte, e *entry, kind byte, inRow bool) []byte {
	var buf [recordHead]byte
	head := packPosition(append(buf[:0], kind, 0), e.pos)
	head[1] = byte(len(head) - 2)
	head = append(head, e.op)
	size := len(e.row)
	if inRow {
		head = binary.AppendUvarint(head, uint64(len(key))<<1|1)
	} else {
		head = binary.AppendUvarint(head, uint64(len(key))<<1)
		size += len(key)
	}
	mark := byte(0)
	if e.former {
		mark = markFormer
	}
	dst = binary.AppendUvarint(append(dst, mark), uint64(len(head)+size))
	return append(dst, head...)
}

// Bits of the byte that begins a packed position; the length of the offset stands between them.
const (
	packedKnown = 1 << iota
	packedLSN
	packedLength
	packedMore = 1 << 6 // epoch, row and log follow
)

// packPosition packs a position: nothing for the zero one. The offset comes early and in the order of its bytes, for rows are sorted
// by their first bytes, and positions differ most in it.
func packPosition(dst []byte, p position) []byte {
	if p == (position{}) {
		return dst
	}
	n := (bits.Len64(p.offset) + 7) / 8
	flags := byte(n) * packedLength
	if p.known {
		flags |= packedKnown
	}
	if p.lsn {
		flags |= packedLSN
	}
	more := p.epoch != 0 || p.row != 0 || p.log != 0
	if more {
		flags |= packedMore
	}
	dst = append(dst, flags)
	for i := n - 1; i >= 0; i-- {
		dst = append(dst, byte(p.offset>>(8*i)))
	}
	if more {
		for _, v := range [...]uint64{uint64(p.epoch), uint64(p.row), p.log} {
			dst = binary.AppendUvarint(dst, v)
		}
	}
	return binary.AppendVarint(dst, p.millis)
}

// unpackPosition takes a packed position apart; what is missing is zero.
func unpackPosition(b []byte) position {
	if len(b) == 0 {
		return position{}
	}
	flags := b[0]
	p := position{known: flags&packedKnown != 0, lsn: flags&packedLSN != 0}
	n := min(int(flags&(packedMore-1)/packedLength), len(b)-1)
	for _, c := range b[1 : 1+n] {
		p.offset = p.offset<<8 | uint64(c)
	}
	r := stateReader{b: b[1+n:]}
	if flags&packedMore != 0 {
		p.epoch, p.row, p.log = uint32(r.uvarint()), uint32(r.uvarint()), r.uvarint()
	}
	p.millis = r.varint()
	return p
}
