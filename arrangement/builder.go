package arrangement

import (
	"bytes"
	"math"
	"slices"

	"millrace/internal/budget"
	"millrace/internal/check"
	"millrace/repr"
)

// Builder gathers updates and seals them into batches.
type Builder struct {
	b      Batch
	order  sorter
	spare  []repr.Diff // room for the counts of a later round
	spared int         // how many rounds have used little of the buffers
	budget *budget.Budget
	data   int   // the room for rows when it was last counted
	ends   int   // the same for their ends
	held   int64 // what the budget was told
}

// NewBuilder makes an empty builder.
func NewBuilder() *Builder { return &Builder{} }

// NewBuilderOn makes an empty builder whose buffers count towards a budget, which may be nil. It gives them back when the
// whole budget is closed, or when it lets go of them.
func NewBuilderOn(b *budget.Budget) *Builder { return &Builder{budget: b} }

// mostData is how much a builder with a budget may gather: positions in it have 32 bits.
const mostData = 3 << 30

// growBytes is the size of buffer from which on a larger one is asked for ahead.
const growBytes = 1 << 20

// count tells the budget how much the buffers take. When the rows move to a larger buffer both are there for a moment, so room
// for the next one, which is larger by a quarter, is asked for before it is needed.
func (b *Builder) count() {
	if n := int64(cap(b.b.data)); b.budget != nil && n > growBytes && n > int64(b.data) {
		b.budget.Passing(n + n/4)
	}
	b.data, b.ends = cap(b.b.data), cap(b.b.ends)
	if b.budget == nil {
		return
	}
	held := b.Held()
	b.budget.Take(held - b.held)
	b.held = held
	if len(b.b.data) > mostData {
		b.budget.Room(1 << 50)
	}
}

// Held is the memory of the buffers.
func (b *Builder) Held() int64 {
	return int64(cap(b.b.data) + 4*cap(b.b.ends) + 8*max(cap(b.b.diffs), cap(b.spare)) + b.order.bytes())
}

// Add appends an update; row is copied.
func (b *Builder) Add(row []byte, diff repr.Diff) {
	if len(b.b.data)+len(row) > cap(b.b.data) {
		b.grow()
	}
	b.Keep(append(b.b.data, row...), diff)
}

// grow makes room for as much again where no budget says how much may be held: append would add a quarter at a time, and copy all
// rows some five times on the way. With a budget it asks again for what append takes: since it was asked for ahead others may have taken it.
func (b *Builder) grow() {
	switch n := cap(b.b.data); {
	case b.budget != nil && n > growBytes:
		b.budget.Passing(int64(n + n/4))
	case b.budget == nil && n > 0 && n < growBytes<<4:
		b.b.data = slices.Grow(b.b.data, 2*n-len(b.b.data))
	}
}

// Open is the buffer behind which a row can be appended in place; Keep takes it back.
func (b *Builder) Open() []byte { return b.b.data }

// Keep makes what was appended to the buffer of Open a row.
func (b *Builder) Keep(data []byte, diff repr.Diff) {
	if len(data) > math.MaxUint32 { // not check.That, whose arguments cost an allocation for every row
		check.Never("a batch of %d bytes", len(data))
	}
	b.b.data = data
	if diff != 1 && b.b.diffs == nil {
		b.b.diffs = b.ones()
	}
	b.b.ends = append(b.b.ends, uint32(len(data)))
	b.b.n++
	if b.b.diffs != nil {
		b.b.diffs = append(b.b.diffs, diff)
	}
	if cap(data) != b.data || cap(b.b.ends) != b.ends {
		b.count()
	}
}

// ones are the counts of what was added, all 1, in the room of an earlier round if there is some.
func (b *Builder) ones() []repr.Diff {
	if cap(b.spare) < b.b.n || cap(b.spare) == 0 {
		return ones(b.b.n, max(cap(b.b.ends), 64))
	}
	out := b.spare[:b.b.n]
	for i := range out {
		out[i] = 1
	}
	return out
}

// ones are n counts of 1.
func ones(n, room int) []repr.Diff {
	out := make([]repr.Diff, n, max(n, room))
	for i := range out {
		out[i] = 1
	}
	return out
}

// Len is the number of updates added since the last Reset.
func (b *Builder) Len() int { return b.b.n }

// keepBytes is the size of buffer that a builder keeps in any case; a larger one goes when this many rounds behind one another use
// little of it.
const (
	keepBytes = 1 << 20
	keepSpare = 3
)

// Reset empties the builder and keeps its buffers. Batches sealed with Seal are not touched by that.
func (b *Builder) Reset() {
	if cap(b.b.data) <= keepBytes || len(b.b.data) >= cap(b.b.data)/8 {
		b.spared = 0
	} else if b.spared++; b.spared == keepSpare {
		b.Free()
		return
	}
	b.b.data, b.b.ends, b.b.n = b.b.data[:0], b.b.ends[:0], 0
	if b.b.diffs != nil {
		b.spare = b.b.diffs
	}
	b.b.diffs = nil
}

// Free lets go of the buffers.
func (b *Builder) Free() {
	*b = Builder{budget: b.budget, held: b.held}
	b.count()
}

// View is what was added, unsorted and unconsolidated; it holds until the next Reset.
func (b *Builder) View() Batch { return b.b }

// Seal sorts and consolidates what was added into a batch of its own.
func (b *Builder) Seal() Batch {
	n := b.b.n
	if n == 0 {
		return Batch{}
	}
	width := b.width()
	if b.sorted() {
		return b.copySorted(width)
	}
	skip := b.commonPrefix()
	order := b.order.reset(n)
	for i := range n {
		order[i] = entry{prefix: prefixOf(b.b.row(i)[skip:]), i: uint32(i)}
	}
	order = b.order.sort(&b.b, skip)
	b.count()
	out := newOutput(n, len(b.b.data), b.b.diffs != nil, width)
	for i := 0; i < n; {
		row := b.b.row(int(order[i].i))
		sum := b.b.diff(int(order[i].i))
		j := i + 1
		for j < n && order[j].prefix == order[i].prefix && bytes.Equal(row, b.b.row(int(order[j].i))) {
			sum += b.b.diff(int(order[j].i))
			j++
		}
		if sum != 0 {
			out.add(row, sum)
		}
		i = j
	}
	return out.batch()
}

// width is the length of every row when it is the same; 0 when it is not.
func (b *Builder) width() int {
	w := int(b.b.ends[0])
	if len(b.b.data) != w*b.b.n {
		return 0
	}
	for i, end := range b.b.ends {
		if int(end) != (i+1)*w {
			return 0
		}
	}
	return w
}

// sorted says whether the rows stand in strict order already, with no count zero.
func (b *Builder) sorted() bool {
	for i := range b.b.n {
		if b.b.diff(i) == 0 || i > 0 && bytes.Compare(b.b.row(i-1), b.b.row(i)) >= 0 {
			return false
		}
	}
	return true
}

func (b *Builder) copySorted(width int) Batch {
	out := Batch{data: slices.Clone(b.b.data), n: b.b.n, width: int32(width)}
	if width == 0 {
		out.ends = slices.Clone(b.b.ends)
	}
	if slices.ContainsFunc(b.b.diffs, notOne) {
		out.diffs = slices.Clone(b.b.diffs)
	}
	out.mark()
	return out
}

func notOne(d repr.Diff) bool { return d != 1 }

// commonPrefix is how many leading bytes all rows share: the tag and kind of the first column, and of near
// numbers more.
func (b *Builder) commonPrefix() int {
	first := b.b.row(0)
	n := len(first)
	for i := 1; i < b.b.n && n > 0; i++ {
		row := b.b.row(i)
		n = min(n, len(row))
		if !bytes.Equal(row[:n], first[:n]) {
			n = commonLen(row[:n], first[:n])
		}
	}
	return n
}
