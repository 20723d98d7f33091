package journal

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/klauspost/compress/s2"
)

// Batch is rows in the order of their bytes, each once, with its count, which is not 0.
type Batch interface {
	Len() int
	Row(i int) []byte
	Diff(i int) int64
	Bytes() int // no less than the lengths of all rows
}

// Change is what a tick does to one collection.
type Change struct {
	Collection uint64
	Rows       Batch
}

// Note is a named value that a tick sets; a nil Value removes it.
type Note struct {
	Key   string
	Value []byte
}

// Record is one tick.
type Record struct {
	Time    uint64
	Changes []Change
	Notes   []Note
	Dropped []uint64 // collections that end: nothing of them is kept
}

// The body of a record, all numbers as varints:
//
//	count of notes, for each: length and bytes of the key; 0, or 1 + length and bytes of the value
//	count of dropped collections, and each
//	count of changes, for each: collection; count of rows; for each row: length, bytes, count (zigzag)
//
// It is stored behind one byte that says how: plain, or compressed with S2.
const (
	storedPlain      = 0
	storedCompressed = 1
)

// compressFrom is the size of a body that is worth compressing.
const compressFrom = 512

func appendBody(dst []byte, r *Record) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(r.Notes)))
	for _, n := range r.Notes {
		dst = appendBytes(dst, []byte(n.Key))
		if n.Value == nil {
			dst = append(dst, 0)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(len(n.Value))+1)
		dst = append(dst, n.Value...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Dropped)))
	for _, id := range r.Dropped {
		dst = binary.AppendUvarint(dst, id)
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Changes)))
	for _, c := range r.Changes {
		dst = binary.AppendUvarint(dst, c.Collection)
		dst = appendRows(dst, c.Rows)
	}
	return dst
}

// bodyRoom is the most that appendBody appends.
func bodyRoom(r *Record) int {
	n := (3 + len(r.Dropped)) * binary.MaxVarintLen64
	for _, note := range r.Notes {
		n += len(note.Key) + len(note.Value) + 2*binary.MaxVarintLen64
	}
	for _, c := range r.Changes {
		n += 2*binary.MaxVarintLen64 + c.Rows.Bytes() + c.Rows.Len()*rowRoom
	}
	return n
}

// rowRoom is the most that the length of a row and its count take.
const rowRoom = binary.MaxVarintLen32 + binary.MaxVarintLen64

func appendRows(dst []byte, b Batch) []byte {
	n := b.Len()
	dst = binary.AppendUvarint(dst, uint64(n))
	for i := range n {
		dst = appendRow(dst, b.Row(i), b.Diff(i))
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// pack appends the stored form of a body.
func pack(dst, body []byte, compress bool) []byte {
	if !compress || len(body) < compressFrom {
		return append(append(dst, storedPlain), body...)
	}
	dst = append(dst, storedCompressed)
	at := len(dst)
	dst = slices.Grow(dst, s2.MaxEncodedLen(len(body)))
	return dst[:at+len(s2.Encode(dst[at:cap(dst)], body))]
}

// packRoom is the most that pack appends.
func packRoom(n int, compress bool) int {
	if !compress || n < compressFrom {
		return 1 + n
	}
	return 1 + s2.MaxEncodedLen(n)
}

var errBody = errors.New("a body that does not parse")

// unpack gives the body of a stored form, in dst where that has room.
func unpack(dst, stored []byte) ([]byte, error) {
	if len(stored) == 0 {
		return nil, errBody
	}
	switch stored[0] {
	case storedPlain:
		return stored[1:], nil
	case storedCompressed:
		return s2.Decode(dst[:cap(dst)], stored[1:])
	default:
		return nil, errBody
	}
}

// reader takes numbers and bytes off a body; after the first that is not there, bad is set and the rest is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return r.took(v, n)
}

func (r *reader) took(v uint64, n int) uint64 {
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

// count is a number of things that take at least one byte each.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

// rows is a Batch read back; its rows alias the body.
type rows struct {
	list  [][]byte
	diffs []int64
}

// Len is the number of rows.
func (b *rows) Len() int { return len(b.list) }

// Row is row i.
func (b *rows) Row(i int) []byte { return b.list[i] }

// Bytes is what all rows take.
func (b *rows) Bytes() int {
	n := 0
	for _, row := range b.list {
		n += len(row)
	}
	return n
}

// Diff is the count of row i.
func (b *rows) Diff(i int) int64 { return b.diffs[i] }

func (b *rows) add(row []byte, diff int64) {
	b.list = append(b.list, row)
	b.diffs = append(b.diffs, diff)
}

// row takes a row and its count.
func (r *reader) row() (row []byte, diff int64) {
	row, diff, n := rowAt(r.b)
	if n == 0 {
		r.bad, r.b = true, nil
		return nil, 0
	}
	r.b = r.b[n:]
	return row, diff
}

func (r *reader) rows() *rows {
	n := r.count()
	b := &rows{list: make([][]byte, 0, n), diffs: make([]int64, 0, n)}
	for range n {
		b.add(r.row())
	}
	return b
}

// parseBody reads a record back. What it holds aliases the body.
func parseBody(time uint64, body []byte) (*Record, error) {
	r := &reader{b: body}
	out := r.head(time)
	for range r.count() {
		id := r.uvarint()
		out.Changes = append(out.Changes, Change{Collection: id, Rows: r.rows()})
	}
	return out, r.end()
}

// head takes what stands before the changes.
func (r *reader) head(time uint64) *Record {
	out := &Record{Time: time}
	for range r.count() {
		n := Note{Key: string(r.bytes(r.uvarint()))}
		if size := r.uvarint(); size > 0 {
			n.Value = r.bytes(size - 1)
		}
		out.Notes = append(out.Notes, n)
	}
	for range r.count() {
		out.Dropped = append(out.Dropped, r.uvarint())
	}
	return out
}

// end says whether all there was has been taken, and nothing else.
func (r *reader) end() error {
	if r.bad || len(r.b) > 0 {
		return errBody
	}
	return nil
}
