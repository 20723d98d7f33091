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

// bytes is the memory of the entries.
func (s *sorter) bytes() int { return 16 * (cap(s.order) + cap(s.other)) }

// sort gives the entries in the order of their rows. Their prefixes begin behind the bytes that all rows share.
func (s *sorter) sort(b *Batch, skip int) []entry {
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
		slices.SortFunc(s.order, byPrefix)
	} else {
		s.radix(differ)
	}
	ties(b, s.order, skip+8, 0)
	return s.order
}

func byPrefix(x, y entry) int { return cmp.Compare(x.prefix, y.prefix) }

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

// tieDepth is how many times eight bytes more decide before whole rows are compared.
const tieDepth = 4

// ties sorts runs of entries with equal prefixes by what follows in their rows: by the eight bytes from some place on, and so
// on. Reading these of all rows first is quicker than to compare two rows at a time, which are far apart.
func ties(b *Batch, order []entry, from, depth int) {
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && order[j].prefix == order[i].prefix {
			j++
		}
		run := order[i:j]
		i = j
		switch {
		case len(run) == 1:
		case depth == tieDepth:
			slices.SortFunc(run, func(x, y entry) int { return bytes.Compare(b.row(int(x.i)), b.row(int(y.i))) })
		default:
			for k := range run {
				row := b.row(int(run[k].i))
				run[k].prefix = prefixOf(row[min(from, len(row)):])
			}
			slices.SortFunc(run, byPrefix)
			ties(b, run, from+8, depth+1)
		}
	}
}
