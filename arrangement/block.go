package arrangement

import (
	"bytes"
	"cmp"
	"encoding/binary"
)

// block is an immutable run of neighbouring rows of the base, under the first ten bytes of its first row: the tag and
// kind of a column, and a number.
type block struct {
	tenBytes
	body *body
}

// body is what a block is looked up by when ten bytes do not decide, and its rows.
type body struct {
	rows  Batch
	first []byte
	last  tenBytes // of the last row
}

// tenBytes are the first ten bytes of a row as two numbers.
type tenBytes struct {
	head   uint16
	prefix uint64
}

func tenOf(row []byte) tenBytes {
	if len(row) >= 10 {
		return tenBytes{head: binary.BigEndian.Uint16(row), prefix: binary.BigEndian.Uint64(row[2:])}
	}
	var buf [10]byte
	copy(buf[:], row)
	return tenBytes{head: binary.BigEndian.Uint16(buf[:]), prefix: binary.BigEndian.Uint64(buf[2:])}
}

// compare orders by ten bytes; 0 is not yet equal.
func (t tenBytes) compare(u tenBytes) int {
	return cmp.Or(cmp.Compare(t.head, u.head), cmp.Compare(t.prefix, u.prefix))
}

func lessBlock(a, b block) bool {
	if a.head != b.head {
		return a.head < b.head
	}
	if a.prefix != b.prefix {
		return a.prefix < b.prefix
	}
	return bytes.Compare(a.body.first, b.body.first) < 0
}

// blockUnder makes a block under a row; the body must not be in another block.
func blockUnder(row []byte, body *body) block {
	body.first = row
	return block{tenBytes: tenOf(row), body: body}
}

// blockKey is a block to look others up with.
func blockKey(row []byte) block { return blockUnder(row, &body{}) }

// remove takes a block out of the base.
func (a *Arrangement) remove(b block) {
	a.base.Delete(b)
	a.baseRows -= b.body.rows.n
	a.replaced += int64(b.body.rows.n)
	a.bytes -= int64(b.body.rows.Bytes())
}

// blockOf is the block in which a row belongs: the last whose first row is not greater, or else the first.
func (a *Arrangement) blockOf(row []byte) (block, bool) {
	var got block
	found := false
	a.base.Descend(blockKey(row), func(b block) bool {
		got, found = b, true
		return false
	})
	if !found {
		got, found = a.base.Min()
	}
	return got, found
}

// after is the block behind another.
func (a *Arrangement) after(b block) (next block, ok bool) {
	a.base.Ascend(b, func(x block) bool {
		if bytes.Equal(x.body.first, b.body.first) {
			return true
		}
		next, ok = x, true
		return false
	})
	return next, ok
}

// storePart cuts some rows of a batch into blocks of even size, and puts them into the base.
func (a *Arrangement) storePart(b *Batch, lo, hi int) {
	if lo == hi {
		return
	}
	from, _ := b.bounds(lo)
	_, to := b.bounds(hi - 1)
	n := hi - lo
	pieces := min(max((n+blockRows-1)/blockRows, (to-from+blockBytes-1)/blockBytes), n)
	for p := range pieces {
		a.set(b.slice(lo+n*p/pieces, lo+n*(p+1)/pieces))
	}
}

// set makes a block of rows.
func (a *Arrangement) set(rows Batch) {
	a.base.Set(blockUnder(rows.row(0), &body{rows: rows, last: tenOf(rows.row(rows.n - 1))}))
	a.baseRows += rows.n
	a.bytes += int64(rows.Bytes())
}

// slice copies a part of a batch, with no room to spare.
func (b *Batch) slice(lo, hi int) Batch {
	from, _ := b.bounds(lo)
	_, to := b.bounds(hi - 1)
	out := newOutput(hi-lo, to-from, b.diffs != nil, int(b.width))
	out.copy(b, lo, hi)
	return out.batch()
}
