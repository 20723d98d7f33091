package arrangement

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"millrace/internal/check"
	"millrace/repr"
)

// Batch is a run of updates. A sealed batch is sorted and consolidated; SealUnsorted makes one that is not, for
// operators that do not mind. The zero Batch is empty. Its rows must not be changed.
type Batch struct {
	data  []byte
	ends  []uint32    // the end of each row in data
	diffs []repr.Diff // nil: every count is 1
}

// Len is the number of updates.
func (b Batch) Len() int { return len(b.ends) }

// Bytes is the memory that the batch holds.
func (b Batch) Bytes() int { return cap(b.data) + 4*cap(b.ends) + 8*cap(b.diffs) }

// Row is the packed row of an update.
func (b Batch) Row(i int) []byte {
	end := b.ends[i]
	var start uint32
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.data[start:end:end]
}

// Diff is the count of an update.
func (b Batch) Diff(i int) repr.Diff {
	if b.diffs == nil {
		return 1
	}
	return b.diffs[i]
}

// seek is the first update from lo on whose row is at least key. It gallops, so a near answer is cheap.
func (b Batch) seek(lo int, key []byte) int {
	n := b.Len()
	if lo >= n || bytes.Compare(b.Row(lo), key) >= 0 {
		return lo
	}
	step := 1
	for lo+step < n && bytes.Compare(b.Row(lo+step), key) < 0 {
		lo += step
		step *= 2
	}
	hi := min(lo+step, n)
	lo++
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if bytes.Compare(b.Row(mid), key) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Builder gathers updates and seals them into batches.
type Builder struct {
	b     Batch
	order []entry
}

type entry struct {
	prefix uint64
	i      uint32
}

// NewBuilder makes an empty builder.
func NewBuilder() *Builder { return &Builder{} }

// Add appends an update; row is copied.
func (b *Builder) Add(row []byte, diff repr.Diff) {
	b.b.data = append(b.b.data, row...)
	b.Keep(b.b.data, diff)
}

// Open is the buffer behind which a row can be appended in place; Keep takes it back.
func (b *Builder) Open() []byte { return b.b.data }

// Keep makes what was appended to the buffer of Open a row.
func (b *Builder) Keep(data []byte, diff repr.Diff) {
	check.That(len(data) <= math.MaxUint32, "a batch of %d bytes", len(data))
	b.b.data = data
	if diff != 1 && b.b.diffs == nil {
		b.b.diffs = make([]repr.Diff, len(b.b.ends), max(cap(b.b.ends), 64))
		for i := range b.b.diffs {
			b.b.diffs[i] = 1
		}
	}
	b.b.ends = append(b.b.ends, uint32(len(data)))
	if b.b.diffs != nil {
		b.b.diffs = append(b.b.diffs, diff)
	}
}

// Len is the number of updates added since the last Reset.
func (b *Builder) Len() int { return len(b.b.ends) }

// Reset empties the builder and keeps its buffers. Batches sealed with Seal are not touched by that.
func (b *Builder) Reset() {
	if cap(b.b.data) > keepBytes && len(b.b.data) < cap(b.b.data)/8 {
		*b = Builder{}
		return
	}
	b.b.data, b.b.ends = b.b.data[:0], b.b.ends[:0]
	b.b.diffs = nil
}

// keepBytes is the size of buffer that a builder keeps in any case; a larger one goes when a round uses little of it.
const keepBytes = 1 << 20

// View is what was added, unsorted and unconsolidated; it holds until the next Reset.
func (b *Builder) View() Batch { return b.b }

// Seal sorts and consolidates what was added into a batch of its own.
func (b *Builder) Seal() Batch {
	n := b.b.Len()
	if n == 0 {
		return Batch{}
	}
	if b.sorted() {
		return b.copySorted()
	}
	skip := b.commonPrefix()
	b.order = slices.Grow(b.order[:0], n)[:n]
	for i := range n {
		b.order[i] = entry{prefix: prefixOf(b.b.Row(i)[skip:]), i: uint32(i)}
	}
	slices.SortFunc(b.order, func(x, y entry) int {
		if x.prefix != y.prefix {
			if x.prefix < y.prefix {
				return -1
			}
			return 1
		}
		return bytes.Compare(b.b.Row(int(x.i)), b.b.Row(int(y.i)))
	})
	out := newOutput(n, len(b.b.data), b.b.diffs != nil)
	for i := 0; i < n; {
		row := b.b.Row(int(b.order[i].i))
		sum := b.b.Diff(int(b.order[i].i))
		j := i + 1
		for j < n && b.order[j].prefix == b.order[i].prefix && bytes.Equal(row, b.b.Row(int(b.order[j].i))) {
			sum += b.b.Diff(int(b.order[j].i))
			j++
		}
		if sum != 0 {
			out.add(row, sum)
		}
		i = j
	}
	return out.batch()
}

// sorted says whether the rows stand in strict order already, with no count zero.
func (b *Builder) sorted() bool {
	for i := range b.b.Len() {
		if b.b.Diff(i) == 0 || i > 0 && bytes.Compare(b.b.Row(i-1), b.b.Row(i)) >= 0 {
			return false
		}
	}
	return true
}

func (b *Builder) copySorted() Batch {
	return Batch{data: slices.Clone(b.b.data), ends: slices.Clone(b.b.ends), diffs: slices.Clone(b.b.diffs)}
}

// commonPrefix is how many leading bytes all rows share: the tag and kind of the first column, and of near
// numbers more.
func (b *Builder) commonPrefix() int {
	first := b.b.Row(0)
	n := len(first)
	for i := 1; i < b.b.Len() && n > 0; i++ {
		row := b.b.Row(i)
		n = min(n, len(row))
		if !bytes.Equal(row[:n], first[:n]) {
			k := 0
			for row[k] == first[k] {
				k++
			}
			n = k
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

// output builds a sorted batch from rows that come in order.
type output struct{ b Batch }

func newOutput(rows, size int, diffs bool) *output {
	o := &output{b: Batch{data: make([]byte, 0, size), ends: make([]uint32, 0, rows)}}
	if diffs {
		o.b.diffs = make([]repr.Diff, 0, rows)
	}
	return o
}

func (o *output) add(row []byte, diff repr.Diff) {
	if diff != 1 && o.b.diffs == nil {
		o.b.diffs = make([]repr.Diff, len(o.b.ends), cap(o.b.ends))
		for i := range o.b.diffs {
			o.b.diffs[i] = 1
		}
	}
	o.b.data = append(o.b.data, row...)
	o.b.ends = append(o.b.ends, uint32(len(o.b.data)))
	if o.b.diffs != nil {
		o.b.diffs = append(o.b.diffs, diff)
	}
}

// batch gives what was added; counts that are all 1 take no room.
func (o *output) batch() Batch {
	if o.b.diffs != nil && !slices.ContainsFunc(o.b.diffs, func(d repr.Diff) bool { return d != 1 }) {
		o.b.diffs = nil
	}
	return o.b
}
