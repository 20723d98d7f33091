package rel

import "math/bits"

// ColSet is a set of column positions. The zero value is the empty set; sets are values: Add and Union return
// a new one and leave the operands as they are.
type ColSet struct {
	lo   uint64
	rest []uint64
}

// ColRange is the set of the columns from a up to but not including b.
func ColRange(a, b int) ColSet {
	var s ColSet
	for i := a; i < b; i++ {
		s = s.Add(i)
	}
	return s
}

// ColsOf is the set of the columns given.
func ColsOf(cols ...int) ColSet {
	var s ColSet
	for _, c := range cols {
		s = s.Add(c)
	}
	return s
}

// Add is the set with one column more.
func (s ColSet) Add(i int) ColSet {
	if i < 64 {
		s.lo |= 1 << i
		return s
	}
	w := i/64 - 1
	rest := make([]uint64, max(len(s.rest), w+1))
	copy(rest, s.rest)
	rest[w] |= 1 << (i % 64)
	s.rest = rest
	return s
}

// Has says whether the column is in the set.
func (s ColSet) Has(i int) bool {
	if i < 64 {
		return s.lo>>i&1 == 1
	}
	w := i/64 - 1
	return w < len(s.rest) && s.rest[w]>>(i%64)&1 == 1
}

// Union is the set of the columns in either.
func (s ColSet) Union(o ColSet) ColSet {
	o.All(func(i int) { s = s.Add(i) })
	return s
}

// Empty says whether no column is in the set.
func (s ColSet) Empty() bool { return s.Len() == 0 }

// Len is the number of columns in the set.
func (s ColSet) Len() int {
	n := bits.OnesCount64(s.lo)
	for _, w := range s.rest {
		n += bits.OnesCount64(w)
	}
	return n
}

// All calls f for each column in ascending order.
func (s ColSet) All(f func(i int)) {
	for w := -1; w < len(s.rest); w++ {
		word, base := s.lo, 0
		if w >= 0 {
			word, base = s.rest[w], 64*(w+1)
		}
		for ; word != 0; word &= word - 1 {
			f(base + bits.TrailingZeros64(word))
		}
	}
}

// List is the columns in ascending order.
func (s ColSet) List() []int {
	out := make([]int, 0, s.Len())
	s.All(func(i int) { out = append(out, i) })
	return out
}

// Within says whether every column of the set is at least a and below b.
func (s ColSet) Within(a, b int) bool {
	ok := true
	s.All(func(i int) { ok = ok && i >= a && i < b })
	return ok
}

// Intersects says whether the sets share a column.
func (s ColSet) Intersects(o ColSet) bool {
	found := false
	s.All(func(i int) { found = found || o.Has(i) })
	return found
}

// Shift moves every column by n and drops those that fall below zero.
func (s ColSet) Shift(n int) ColSet {
	var out ColSet
	s.All(func(i int) {
		if i+n >= 0 {
			out = out.Add(i + n)
		}
	})
	return out
}

// Intersect is the set of the columns in both.
func (s ColSet) Intersect(o ColSet) ColSet {
	var out ColSet
	s.All(func(i int) {
		if o.Has(i) {
			out = out.Add(i)
		}
	})
	return out
}

// Minus is the set of the columns that are not in the other.
func (s ColSet) Minus(o ColSet) ColSet {
	var out ColSet
	s.All(func(i int) {
		if !o.Has(i) {
			out = out.Add(i)
		}
	})
	return out
}

// Subset says whether every column of the set is in the other.
func (s ColSet) Subset(o ColSet) bool { return s.Minus(o).Empty() }
