package op

import (
	"hash/maphash"

	"millrace/repr"
)

// groups are the groups of a Reduce by packed key, each with the state of its linear aggregates behind a few words of
// its own: the number of its rows, and for some the sum of count × hash of its rows, which is 0 when it is empty.
type groups struct {
	table
	own  int                        // words before those of the aggregates
	objs *pages[[]repr.Accumulator] // of a group: its accumulators with a state of their own; nil when there are none
}

// ownWords is how many words a group has before those of the aggregates. objects says that there are accumulators, checked
// that a group is empty only when its rows cancel out one by one: something keyed by its number remembers them.
func ownWords(objects, checked bool) int {
	if objects || checked {
		return 2
	}
	return 1
}

// newGroups makes the table.
func newGroups(own, words int, objects bool) *groups {
	g := &groups{own: own, table: newTable(own + words)}
	if objects {
		g.objs = &pages[[]repr.Accumulator]{width: 1}
	}
	return g
}

// of gives the number of a key's group, making the group when it is new. likely is what warmUp says.
func (g *groups) of(key []byte, h, likely uint32) uint32 {
	i, fresh := g.findLikely(key, h, likely)
	if fresh && g.objs != nil {
		g.objs.reach(int(i))
	}
	return i
}

// add counts a row of a group.
func (g *groups) add(i uint32, row []byte, diff repr.Diff) {
	own := g.stateOf(i)
	own[0] += diff
	if g.own > 1 {
		own[1] += diff * int64(maphash.Bytes(g.seed, row))
	}
}

// rows is the number of rows of a group.
func (g *groups) rows(i uint32) int64 { return g.stateOf(i)[0] }

// words are n words of a group's state, its own included.
func (g *groups) words(i uint32, at, n int) []int64 {
	at += recHead
	return g.rec(i)[at : at+n : at+n]
}

// empty says whether a group holds nothing: no rows, and no state either, as there may be for a moment when the
// retraction of one row comes before the insertion of another.
func (g *groups) empty(i uint32) bool {
	for _, w := range g.stateOf(i) {
		if w != 0 {
			return false
		}
	}
	return true
}

// forget drops a group.
func (g *groups) forget(i uint32) {
	g.drop(i)
	if g.objs != nil {
		g.objs.of(int(i))[0] = nil
	}
}

// bytes is the memory of the groups.
func (g *groups) bytes() int64 {
	if g.objs == nil {
		return g.table.bytes()
	}
	return g.table.bytes() + g.objs.bytes()
}
