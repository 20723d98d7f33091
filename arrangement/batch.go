package arrangement

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"

	"millrace/repr"
)

// Batch is a run of updates. A sealed batch is sorted and consolidated; the View of a builder is not, for
// operators that do not mind. The zero Batch is empty. Its rows must not be changed.
//
// Rows that are all of one length need no ends. A sealed batch is looked up by its marks: the eight bytes behind those
// that all its rows share, of each markEvery-th row, side by side, so that a look-up reads few lines of memory.
type Batch struct {
	data  []byte
	marks []uint64 // nil: the batch is small or not sealed
	n     int
	width int32       // the length of every row; 0: see ends
	skip  int32       // how many leading bytes all rows of a batch with marks share
	lead  [2]uint64   // the first sixteen of these bytes, zeros behind them
	ends  []uint32    // the end of each row in data; nil when width is not 0
	diffs []repr.Diff // nil: every count is 1

	filter *filter // of a run; nil: it is small, or a block
}

// markEvery is the distance of marks in rows.
const markEvery = 8

// Len is the number of updates.
func (b Batch) Len() int { return b.n }

// Bytes is the memory that the batch holds.
func (b Batch) Bytes() int {
	return cap(b.data) + 4*cap(b.ends) + 8*cap(b.diffs) + 8*cap(b.marks) + b.filter.bytes()
}

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
	first := b.row(0)
	b.skip = int32(commonLen(first, b.row(b.n-1)))
	b.lead = leadOf(first, int(b.skip))
	b.marks = make([]uint64, (b.n+markEvery-1)/markEvery)
	for m := range b.marks {
		b.marks[m] = b.prefix(m * markEvery)
	}
}

// prefix is the eight bytes of a row behind those that all rows share.
func (b *Batch) prefix(i int) uint64 { return prefixOf(b.row(i)[b.skip:]) }

// seek is the first update from lo on whose row is at least key. It gallops, so a near answer is cheap.
func (b *Batch) seek(lo int, key []byte) int { return b.within(b.narrow(lo, key), key) }

// span are the rows of which one is the answer of a look-up, or else the row behind them is; aim is a guess.
type span struct{ lo, hi, aim int }

// narrow gives the rows from lo on among which seek finds its answer; where there are marks it looks at them alone.
func (b *Batch) narrow(lo int, key []byte) span {
	if lo >= b.n {
		return span{lo, lo, lo}
	}
	if b.marks == nil {
		return span{lo, b.n, lo}
	}
	switch c := b.compareLead(key); {
	case c < 0:
		return span{lo, lo, lo}
	case c > 0:
		return span{b.n, b.n, b.n}
	}
	p := prefixOf(key[b.skip:])
	// The answer lies behind the last mark that is less than p, and not behind the first that is greater.
	m := nextMark(b.marks, lo/markEvery+1, p)
	end := m
	for end < len(b.marks) && b.marks[end] == p {
		end = gallop(b.marks, end+1, p+1)
		if p+1 == 0 {
			end = len(b.marks)
		}
	}
	s := span{lo: max(lo, (m-1)*markEvery), hi: min(end*markEvery, b.n)}
	s.aim = min(max((m-1)*markEvery+b.guess(m, p), s.lo), s.hi)
	return s
}

// guess is how far behind the mark before m a prefix lies that is not greater than mark m, if the rows between them are
// spread evenly.
func (b *Batch) guess(m int, p uint64) int {
	if m >= len(b.marks) || p <= b.marks[m-1] {
		return markEvery / 2
	}
	before := b.marks[m-1]
	return int((p - before) / ((b.marks[m]-before)/markEvery + 1))
}

// within is seek where narrow has said between which rows the answer lies.
func (b *Batch) within(s span, key []byte) int {
	switch {
	case s.lo >= s.hi:
		return s.lo
	case b.marks == nil:
		return b.seekWithin(s.lo, s.hi, key)
	}
	p := prefixOf(key[b.skip:])
	if s.hi-s.lo > 2*markEvery {
		return b.seekPrefix(s.lo, s.hi, p, key)
	}
	at := s.aim
	for at < s.hi && b.prefix(at) < p {
		at++
	}
	for at > s.lo && b.prefix(at-1) >= p {
		at--
	}
	for at < s.hi && b.prefix(at) == p && bytes.Compare(b.row(at), key) < 0 {
		at++
	}
	return at
}

// compareLead orders a key and what all rows share; 0 is a key that begins with it.
func (b *Batch) compareLead(key []byte) int {
	skip := int(b.skip)
	if skip > 16 || len(key) < skip {
		shared := b.data[:skip]
		if len(key) < skip {
			return 2*bytes.Compare(key, shared) - 1 // a key that it begins with comes before
		}
		return bytes.Compare(key[:skip], shared)
	}
	lead := leadOf(key, skip)
	return cmp.Or(cmp.Compare(lead[0], b.lead[0]), cmp.Compare(lead[1], b.lead[1]))
}

// leadOf is the first n bytes of a row, at most sixteen, with zeros behind them.
func leadOf(row []byte, n int) (lead [2]uint64) {
	lead[0] = prefixOf(row) &^ (^uint64(0) >> (8 * min(n, 8)))
	if n > 8 {
		lead[1] = prefixOf(row[8:]) &^ (^uint64(0) >> (8 * min(n-8, 8)))
	}
	return lead
}

// fewMarks is how many marks are counted rather than searched.
const fewMarks = 32

// nextMark is the first place from lo on whose mark is at least p.
func nextMark(marks []uint64, lo int, p uint64) int {
	if lo >= len(marks) || len(marks) > fewMarks {
		return gallop(marks, lo, p)
	}
	for _, m := range marks[lo:] {
		_, below := bits.Sub64(m, p, 0)
		lo += int(below)
	}
	return lo
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
