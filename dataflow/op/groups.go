package op

import (
	"millrace/repr"
)

// groups are the groups of a Reduce by packed key, each with the state of its linear aggregates.
type groups struct {
	table
	rows   []int64              // of a group: the number of its rows
	marks  []uint32             // of a group: the step that last touched it
	objs   [][]repr.Accumulator // of a group: its accumulators with a state of their own; nil when there are none
	checks []uint64             // of a group: the sum of count × hash of its rows, 0 when it is empty; nil when words suffice
}

// newGroups makes the table. objects says that there are accumulators, checked that a group is empty only when its rows
// cancel out one by one: something keyed by its number remembers them.
func newGroups(words int, objects, checked bool) *groups {
	g := &groups{table: newTable(words)}
	if objects {
		g.objs = [][]repr.Accumulator{}
	}
	if objects || checked {
		g.checks = []uint64{}
	}
	return g
}

// of gives the number of a key's group, making the group when it is new.
func (g *groups) of(key []byte) uint32 {
	i, fresh := g.find(key)
	if !fresh {
		return i
	}
	if int(i) < len(g.rows) {
		g.rows[i], g.marks[i] = 0, 0
		return i
	}
	g.rows, g.marks = append(g.rows, 0), append(g.marks, 0)
	if g.objs != nil {
		g.objs = append(g.objs, nil)
	}
	if g.checks != nil {
		g.checks = append(g.checks, 0)
	}
	return i
}

// empty says whether a group holds nothing: no rows, and no state either, as there may be for a moment when the
// retraction of one row comes before the insertion of another.
func (g *groups) empty(i uint32) bool {
	if g.rows[i] != 0 || g.checks != nil && g.checks[i] != 0 {
		return false
	}
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
		g.objs[i] = nil
	}
	if g.checks != nil {
		g.checks[i] = 0
	}
}

// bytes is the memory of the groups.
func (g *groups) bytes() int64 {
	return g.table.bytes() + int64(8*cap(g.rows)+4*cap(g.marks)+24*cap(g.objs)+8*cap(g.checks))
}
