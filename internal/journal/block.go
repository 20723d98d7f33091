package journal

import "encoding/binary"

// block is rows in order, one behind the other, each as in a record: length, bytes, count. The zero block is empty.
type block struct {
	body   []byte
	stored []byte // how it lies in a file; nil: it does not
	sum    uint32 // the checksum of that
	rows   int    // 0: they are not counted yet
	live   int64  // see run
	last   []byte // row
}

// liveBytes is what a row adds to the size of what is there, and its retraction takes away.
func liveBytes(row []byte, diff int64) int64 {
	if diff < 0 {
		return -int64(len(row))
	}
	return int64(len(row))
}

func (b *block) count(row []byte, diff int64) {
	b.rows++
	b.live += liveBytes(row, diff)
	b.last = row
}

// look counts the rows; ok is false when the block does not parse.
func (b *block) look() (ok bool) {
	if b.rows > 0 {
		return true
	}
	rest := b.body
	for len(rest) > 0 {
		row, diff, n := rowAt(rest)
		if n == 0 {
			return false
		}
		b.count(row, diff)
		rest = rest[n:]
	}
	return true
}

func appendRow(dst, row []byte, diff int64) []byte {
	if len(row) < 0x80 && -0x40 <= diff && diff < 0x40 { // as nearly all are
		dst = append(append(dst, byte(len(row))), row...)
		return append(dst, byte(diff<<1^diff>>63))
	}
	dst = appendBytes(dst, row)
	return binary.AppendVarint(dst, diff)
}

// rowAt reads the row at the start of b, and how long it is with its length and count; 0 when there is none.
func rowAt(b []byte) (row []byte, diff int64, size int) {
	if len(b) > 1 && b[0] < 0x80 && int(b[0])+1 < len(b) { // short rows that are there once are nearly all there are
		end := int(b[0]) + 1
		if c := b[end]; c < 0x80 {
			return b[1:end:end], int64(c>>1) ^ -int64(c&1), end + 1
		}
	}
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, 0, 0
	}
	end := w + int(n)
	diff, d := binary.Varint(b[end:])
	if d <= 0 {
		return nil, 0, 0
	}
	return b[w:end:end], diff, end + d
}
