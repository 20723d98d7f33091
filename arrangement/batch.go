package arrangement

import (
	"bytes"
	"encoding/binary"

	"millrace/repr"
)

// Batch is a run of updates. A sealed batch is sorted and consolidated; the View of a builder is not, for
// operators that do not mind. The zero Batch is empty. Its rows must not be changed.
//
// Rows that are all of one length need no ends. A sealed batch is looked up by its marks: the eight bytes behind those
// that all its rows share, of each markEvery-th row, side by side, so that a look-up reads few lines of memory.
type Batch struct {
	data  []byte
	ends  []uint32    // the end of each row in data; nil when width is not 0
	diffs []repr.Diff // nil: every count is 1
	marks []uint64    // nil: the batch is small or not sealed
	n     int
	width int32 // the length of every row; 0: see ends
	skip  int32 // how many leading bytes all rows of a batch with marks share
}

// markEvery is the distance of marks in rows.
const markEvery = 8

// Len is the number of updates.
func (b Batch) Len() int { return b.n }

// Bytes is the memory that the batch holds.
func (b Batch) Bytes() int { return cap(b.data) + 4*cap(b.ends) + 8*cap(b.diffs) + 8*cap(b.marks) }

// Row is the packed row of an update.
func (b Batch) Row(i int) []byte {
	lo, hi := b.bounds(i)
	return b.data[lo:hi:hi]
}

func (b *Batch) row(i int) []byte {
	lo, hi := b.bounds(i)
	return b.data[lo:hi:hi]
}

// bounds are where a row begins and ends in data.
func (b *Batch) bounds(i int) (lo, hi int) {
	if w := int(b.width); w > 0 {
		return i * w, (i + 1) * w
	}
	if i > 0 {
		lo = int(b.ends[i-1])
	}
	return lo, int(b.ends[i])
}

// Diff is the count of an update.
func (b Batch) Diff(i int) repr.Diff {
	if b.diffs == nil {
		return 1
	}
	return b.diffs[i]
}

func (b *Batch) diff(i int) repr.Diff {
	if b.diffs == nil {
		return 1
	}
	return b.diffs[i]
}

// mark prepares a sorted batch for look-ups.
func (b *Batch) mark() {
	if b.n <= markEvery {
		return
	}
	b.skip = int32(commonLen(b.row(0), b.row(b.n-1)))
	b.marks = make([]uint64, (b.n+markEvery-1)/markEvery)
	for m := range b.marks {
		b.marks[m] = b.prefix(m * markEvery)
	}
}

// prefix is the eight bytes of a row behind those that all rows share.
func (b *Batch) prefix(i int) uint64 { return prefixOf(b.row(i)[b.skip:]) }

// seek is the first update from lo on whose row is at least key. It gallops, so a near answer is cheap.
func (b *Batch) seek(lo int, key []byte) int {
	if lo >= b.n {
		return lo
	}
	if b.marks == nil {
		return b.seekWithin(lo, b.n, key)
	}
	skip := int(b.skip)
	shared := b.data[:skip]
	if len(key) < skip {
		if bytes.Compare(key, shared) <= 0 {
			return lo
		}
		return b.n
	}
	if c := bytes.Compare(key[:skip], shared); c < 0 {
		return lo
	} else if c > 0 {
		return b.n
	}
	p := prefixOf(key[skip:])
	// The answer lies behind the last mark that is less than p, and not behind the first that is greater.
	from := lo / markEvery
	m := gallop(b.marks, from+1, p)
	end := m
	for end < len(b.marks) && b.marks[end] == p {
		end = gallop(b.marks, end+1, p+1)
		if p+1 == 0 {
			end = len(b.marks)
		}
	}
	return b.seekPrefix(max(lo, (m-1)*markEvery), min(end*markEvery, b.n), p, key)
}

// gallop is the first place from lo on whose mark is at least p.
func gallop(marks []uint64, lo int, p uint64) int {
	n := len(marks)
	if lo >= n || marks[lo] >= p {
		return min(lo, n)
	}
	step := 1
	for lo+step < n && marks[lo+step] < p {
		lo += step
		step *= 2
	}
	hi := min(lo+step, n)
	lo++
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if marks[mid] < p {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// seekPrefix is the first row of lo to hi, or else hi, that is at least key, whose bytes behind the shared ones begin with p.
func (b *Batch) seekPrefix(lo, hi int, p uint64, key []byte) int {
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		q := b.prefix(mid)
		if q < p || q == p && bytes.Compare(b.row(mid), key) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// seekWithin is the same without marks.
func (b *Batch) seekWithin(lo, hi int, key []byte) int {
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if bytes.Compare(b.row(mid), key) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// commonLen is how many leading bytes two rows share.
func commonLen(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// prefixOf is the first eight bytes as a number that orders as they do.
func prefixOf(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var buf [8]byte
	copy(buf[:], b)
	return binary.BigEndian.Uint64(buf[:])
}
