package catalog

import "slices"

// InOrder puts things behind what they need, and otherwise leaves them as they are: mostly that is the order in which they were
// made, but a view that was replaced has kept its number and may need what is younger.
func InOrder[T any](list []T, id func(T) uint64, needs func(T) []uint64) []T {
	waiting := map[uint64]T{}
	for _, x := range list {
		waiting[id(x)] = x
	}
	out := make([]T, 0, len(list))
	var put func(n uint64)
	put = func(n uint64) {
		x, ok := waiting[n]
		if !ok {
			return
		}
		delete(waiting, n)
		for _, need := range needs(x) {
			put(need)
		}
		out = append(out, x)
	}
	for _, x := range list {
		put(id(x))
	}
	return out
}

// Needs are the objects without which an object cannot be made.
func (i *Item) Needs() []uint64 { return append(slices.Clone(i.Depends), i.On) }
