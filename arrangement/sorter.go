package arrangement

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
)

// sorter puts the rows of a builder in order: by eight bytes first, digit by digit where they are many, and by all of
// their bytes where these are equal.
type sorter struct {
	order []entry
	other []entry
}

// entry is a row of the builder.
type entry struct {
	prefix uint64
	i      uint32
}

// Rows from which on digits are counted rather than rows compared, for each digit that differs.
const radixLeast = 48

// reset makes room for the entries of n rows.
func (s *sorter) reset(n int) []entry {
	s.order = slices.Grow(s.order[:0], n)[:n]
	return s.order
}

// sort gives the entries in the order of their rows.
func (s *sorter) sort(b *Batch) []entry {
	var differ uint64
	for i := range s.order {
		differ |= s.order[i].prefix ^ s.order[0].prefix
	}
	digits := 0
	for shift := 0; shift < 64; shift += 8 {
		if differ>>shift&0xff != 0 {
			digits++
		}
	}
	if len(s.order) < radixLeast*digits {
		slices.SortFunc(s.order, func(x, y entry) int {
			if x.prefix != y.prefix {
				return cmp.Compare(x.prefix, y.prefix)
			}
			return bytes.Compare(b.row(int(x.i)), b.row(int(y.i)))
		})
		return s.order
	}
	s.radix(differ)
	s.ties(b)
	return s.order
}

// radix sorts by prefix, from the last digit to the first, passing over those that are the same everywhere.
func (s *sorter) radix(differ uint64) {
	s.other = slices.Grow(s.other[:0], len(s.order))[:len(s.order)]
	for differ != 0 {
		shift := bits.TrailingZeros64(differ) &^ 7
		differ &^= 0xff << shift
		var at [256]uint32
		for i := range s.order {
			at[byte(s.order[i].prefix>>shift)]++
		}
		sum := uint32(0)
		for d, n := range at {
			at[d] = sum
			sum += n
		}
		for _, e := range s.order {
			d := byte(e.prefix >> shift)
			s.other[at[d]] = e
			at[d]++
		}
		s.order, s.other = s.other, s.order
	}
}

// ties sorts runs of entries with equal prefixes by their rows.
func (s *sorter) ties(b *Batch) {
	for i := 0; i < len(s.order); {
		j := i + 1
		for j < len(s.order) && s.order[j].prefix == s.order[i].prefix {
			j++
		}
		if j-i > 1 {
			slices.SortFunc(s.order[i:j], func(x, y entry) int { return bytes.Compare(b.row(int(x.i)), b.row(int(y.i))) })
		}
		i = j
	}
}
