package arrangement

import (
	"bytes"
	"encoding/binary"
	"slices"

	"millrace/repr"
)

// output builds a sorted batch from rows that come in order.
type output struct {
	b      Batch
	counts []repr.Diff // room for them, of one that is used again
}

// newOutput makes room for rows of size bytes in all. width is the length that every row will have, 0 when it is not
// known; when a row comes that is of another, the output goes over to keeping ends.
func newOutput(rows, size int, diffs bool, width int) *output {
	o := &output{b: Batch{data: make([]byte, 0, size), width: int32(width)}}
	if width == 0 {
		o.b.ends = make([]uint32, 0, rows)
	}
	if diffs {
		o.b.diffs = make([]repr.Diff, 0, rows)
	}
	return o
}

// mergedOutput makes room for some rows of two batches.
func mergedOutput(x, y *Batch, rows, size int) *output {
	return newOutput(rows, size, x.diffs != nil || y.diffs != nil, int(widthOf(x, y)))
}

// widthOf is the length that all rows of two batches have; 0 when they differ in it.
func widthOf(x, y *Batch) int32 {
	switch {
	case x.n == 0:
		return y.width
	case y.n > 0 && x.width != y.width:
		return 0
	}
	return x.width
}

// reset empties an output that is used again, for rows of two batches. What it gave before must have been copied.
func (o *output) reset(x, y *Batch) {
	if o.b.diffs != nil {
		o.counts = o.b.diffs[:0]
	}
	o.b = Batch{data: o.b.data[:0], ends: o.b.ends[:0], width: widthOf(x, y)}
	if x.diffs != nil || y.diffs != nil {
		if o.counts == nil {
			o.counts = make([]repr.Diff, 0, blockRows)
		}
		o.b.diffs = o.counts
	}
}

func (o *output) add(row []byte, diff repr.Diff) {
	if o.b.width > 0 && len(row) != int(o.b.width) {
		o.unequal()
	}
	if diff != 1 && o.b.diffs == nil {
		o.b.diffs = ones(o.b.n, max(cap(o.b.ends), o.b.n+16))
	}
	o.b.data = append(o.b.data, row...)
	o.b.n++
	if o.b.width == 0 {
		o.b.ends = append(o.b.ends, uint32(len(o.b.data)))
	}
	if o.b.diffs != nil {
		o.b.diffs = append(o.b.diffs, diff)
	}
}

// unequal gives up that all rows are of one length.
func (o *output) unequal() {
	w := int(o.b.width)
	o.b.ends = make([]uint32, o.b.n, cap(o.b.data)/w+16)
	for i := range o.b.ends {
		o.b.ends[i] = uint32((i + 1) * w)
	}
	o.b.width = 0
}

// copy adds rows lo to hi of a batch.
func (o *output) copy(x *Batch, lo, hi int) {
	if hi-lo < 4 || o.b.width != x.width || (o.b.diffs == nil) != (x.diffs == nil) {
		for i := lo; i < hi; i++ {
			o.add(x.row(i), x.diff(i))
		}
		return
	}
	from, _ := x.bounds(lo)
	_, to := x.bounds(hi - 1)
	base := len(o.b.data) - from
	o.b.data = append(o.b.data, x.data[from:to]...)
	o.b.n += hi - lo
	if o.b.width == 0 {
		for _, end := range x.ends[lo:hi] {
			o.b.ends = append(o.b.ends, uint32(int(end)+base))
		}
	}
	if x.diffs != nil {
		o.b.diffs = append(o.b.diffs, x.diffs[lo:hi]...)
	}
}

// batch gives what was added; counts that are all 1 take no room.
func (o *output) batch() Batch {
	if o.b.diffs != nil && !slices.ContainsFunc(o.b.diffs, notOne) {
		o.b.diffs = nil
	}
	o.b.mark()
	return o.b
}

// merger merges two sorted batches, as far as it is told at a time.
type merger struct {
	x, y *Batch
	i, j int // the next rows
	skip int // how many leading bytes all rows of both share
}

func newMerger(x, y *Batch) *merger {
	m := &merger{x: x, y: y}
	if x.n > 0 && y.n > 0 {
		first := x.row(0)
		m.skip = min(commonLen(first, x.row(x.n-1)), commonLen(first, y.row(0)), commonLen(first, y.row(y.n-1)))
	}
	return m
}

// step merges about fuel rows of x up to its end, and of y up to row end, and says how many it was.
func (m *merger) step(out *output, end, fuel int) (used int) {
	start := m.i + m.j
	if m.even(out) {
		m.zip(out, min(m.x.n, m.i+fuel), min(end, m.j+fuel))
	}
	for m.i < m.x.n && m.j < end && m.i+m.j-start < fuel {
		c := m.compare()
		if c != 0 {
			m.copyRun(out, end, c)
			continue
		}
		if d := m.x.diff(m.i) + m.y.diff(m.j); d != 0 {
			out.add(m.x.row(m.i), d)
		}
		m.i++
		m.j++
	}
	left := max(fuel-(m.i+m.j-start), 0)
	if m.i == m.x.n || m.j == end {
		if n := min(m.x.n-m.i, left); n > 0 {
			out.copy(m.x, m.i, m.i+n)
			m.i += n
		}
		if n := min(end-m.j, left); n > 0 {
			out.copy(m.y, m.j, m.j+n)
			m.j += n
		}
	}
	return m.i + m.j - start
}

// compare orders the next two rows.
func (m *merger) compare() int {
	a, b := m.x.row(m.i), m.y.row(m.j)
	p, q := prefixOf(a[m.skip:]), prefixOf(b[m.skip:])
	switch {
	case p < q:
		return -1
	case p > q:
		return 1
	}
	return bytes.Compare(a, b)
}

// copyRun adds the rows of the side that comes first, as far as their prefixes alone say that they come first.
func (m *merger) copyRun(out *output, end, c int) {
	if c < 0 {
		q := prefixOf(m.y.row(m.j)[m.skip:])
		lo := m.i
		for m.i++; m.i < m.x.n && prefixOf(m.x.row(m.i)[m.skip:]) < q; m.i++ {
		}
		out.copy(m.x, lo, m.i)
		return
	}
	p := prefixOf(m.x.row(m.i)[m.skip:])
	lo := m.j
	for m.j++; m.j < end && prefixOf(m.y.row(m.j)[m.skip:]) < p; m.j++ {
	}
	out.copy(m.y, lo, m.j)
}

// even says whether zip can merge: all rows are of one length and have eight bytes behind those that they share, and the
// output counts when one side does.
func (m *merger) even(out *output) bool {
	w := m.x.width
	return w >= int32(m.skip)+8 && w == m.y.width && w == out.b.width &&
		(out.b.diffs != nil || m.x.diffs == nil && m.y.diffs == nil)
}

// longRun is how many rows of one side are counted before the next of the other is looked up.
const longRun = 32

// zip merges rows of one length, of x up to one row and of y up to another, until one side is there.
func (m *merger) zip(out *output, xEnd, yEnd int) {
	if m.i >= xEnd || m.j >= yEnd {
		return
	}
	w := int(m.x.width)
	x, y := m.x.data[m.skip:], m.y.data[m.skip:]
	p, q := binary.BigEndian.Uint64(x[m.i*w:]), binary.BigEndian.Uint64(y[m.j*w:])
	for {
		switch {
		case p < q:
			from := m.i
			if m.i = below(x, w, from+1, min(xEnd, from+longRun), q); m.i == from+longRun {
				m.i = min(m.x.seek(m.i, m.y.row(m.j)), xEnd)
			}
			out.append(m.x, from, m.i)
		case p > q:
			from := m.j
			if m.j = below(y, w, from+1, min(yEnd, from+longRun), p); m.j == from+longRun {
				m.j = min(m.y.seek(m.j, m.x.row(m.i)), yEnd)
			}
			out.append(m.y, from, m.j)
		default:
			m.one(out)
		}
		if m.i >= xEnd || m.j >= yEnd {
			return
		}
		p, q = binary.BigEndian.Uint64(x[m.i*w:]), binary.BigEndian.Uint64(y[m.j*w:])
	}
}

// below is the first of rows i to end, each w bytes from the next, that does not begin with less than p.
func below(rows []byte, w, i, end int, p uint64) int {
	for i < end && binary.BigEndian.Uint64(rows[i*w:]) < p {
		i++
	}
	return i
}

// one merges the lesser of the next two rows, or both when they are equal.
func (m *merger) one(out *output) {
	switch c := bytes.Compare(m.x.row(m.i), m.y.row(m.j)); {
	case c < 0:
		out.append(m.x, m.i, m.i+1)
		m.i++
	case c > 0:
		out.append(m.y, m.j, m.j+1)
		m.j++
	default:
		if d := m.x.diff(m.i) + m.y.diff(m.j); d != 0 {
			out.add(m.x.row(m.i), d)
		}
		m.i++
		m.j++
	}
}

// append adds rows lo to hi of a batch whose rows are as long as those of the output, which counts if the batch does.
func (o *output) append(x *Batch, lo, hi int) {
	w := int(x.width)
	o.b.data = append(o.b.data, x.data[lo*w:hi*w]...)
	o.b.n += hi - lo
	switch {
	case x.diffs != nil:
		o.b.diffs = append(o.b.diffs, x.diffs[lo:hi]...)
	case o.b.diffs != nil:
		for range hi - lo {
			o.b.diffs = append(o.b.diffs, 1)
		}
	}
}
