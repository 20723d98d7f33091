package arrangement

import "math/bits"

// filter says of most keys that a run has no row which begins with them: by a word of bits for the first ten bytes of a row, of
// which each row sets three. It is a Bloom filter whose bits of a row lie side by side.
type filter struct{ words []uint64 }

// Sizes of filters: a byte a row, which lets one key in thirty pass that has no row. Less than filterLeast rows are as near as a
// filter would be.
const (
	filterRows  = 8 // for each word
	filterLeast = 256
)

// newFilter makes a filter for so many rows; nil where there is none.
func newFilter(rows int) *filter {
	if rows < filterLeast {
		return nil
	}
	return &filter{words: make([]uint64, rows/filterRows)}
}

// filterOf makes the filter of a sealed batch.
func filterOf(b *Batch) *filter {
	f := newFilter(b.n)
	f.add(b, 0, b.n)
	return f
}

// add lets the keys of rows lo to hi pass.
func (f *filter) add(b *Batch, lo, hi int) {
	if f == nil {
		return
	}
	for i := lo; i < hi; i++ {
		at, mask := f.place(tenOf(b.row(i)))
		f.words[at] |= mask
	}
}

// place is the word of a key, and its bits.
func (f *filter) place(t tenBytes) (at uint64, mask uint64) {
	h := (t.prefix ^ uint64(t.head)<<48) * 0x9E3779B97F4A7C15
	h = (h ^ h>>32) * 0xD6E8FEB86659FD93
	at, _ = bits.Mul64(h, uint64(len(f.words)))
	h ^= h >> 29 // bits of their own: the leading ones have chosen the word
	return at, 1<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63)
}

// lacks says for sure that no row begins with a key; a key of less than ten bytes is not looked up.
func (b *Batch) lacks(key []byte) bool {
	if b.filter == nil || len(key) < 10 {
		return false
	}
	at, mask := b.filter.place(tenOf(key))
	return b.filter.words[at]&mask != mask
}

// bytes is the memory of the filter.
func (f *filter) bytes() int {
	if f == nil {
		return 0
	}
	return 8*cap(f.words) + 24
}
