package op

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"millrace/arrangement"
	"millrace/repr"
)

// extremes keep the winner of each group for each min and max: the row of its index, behind the number of the group.
//
// An insertion either beats the winner or changes nothing, so inputs that only grow never look into the index, and where it
// is known that they do there is none. A
// retraction of the winner, or of what would beat it, makes it stale: it is looked up after the index has taken the
// step. A winner is right as long as no row that would beat or equal it has a negative count; where there is one, for
// inputs may be out of order for a moment, it is odd and is looked up whenever something changes.
type extremes struct {
	aggs    []extreme // the min and max aggregates; a group has a winner for each
	winners spans
	stale   []staleWinner
}

// extreme is one min or max.
type extreme struct {
	index *indexed
	sign  int // -1: min, +1: max
}

// staleWinner is a winner to be looked up.
type staleWinner struct {
	group uint32
	at    int // among the min and max aggregates
}

// consider takes a change of a row of the index into account.
func (e *extremes) consider(w staleWinner, row []byte, diff repr.Diff) {
	i := e.slot(w.group, w.at)
	if e.winners.has(i, spanStale) {
		return
	}
	c := 1 // how the row compares with the winner: 1 beats it
	if now := e.winners.get(i); len(now) > 0 {
		c = e.aggs[w.at].sign * bytes.Compare(row, now)
	}
	switch {
	case e.winners.has(i, spanOdd), diff < 0 && c >= 0:
		e.winners.raise(i, spanStale)
		e.stale = append(e.stale, w)
	case diff > 0 && c > 0:
		e.winners.put(i, row)
	}
}

func (e *extremes) slot(group uint32, at int) int {
	i := int(group)*len(e.aggs) + at
	e.winners.reach(i)
	return i
}

// winner is the row of a group's winner; empty when there is none.
func (e *extremes) winner(group uint32, at int) []byte { return e.winners.get(e.slot(group, at)) }

// settle looks up the winners that are stale, aggregate by aggregate in the order of groups, so that one cursor goes
// forward for each. The indexes have taken the step.
func (e *extremes) settle() {
	slices.SortFunc(e.stale, func(a, b staleWinner) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.group, b.group))
	})
	var cur *arrangement.Cursor
	var prefix []byte
	for n, w := range e.stale {
		x := e.aggs[w.at].index
		if n == 0 || e.stale[n-1].at != w.at {
			cur = x.rows.Cur.Cursor()
		}
		prefix = binary.BigEndian.AppendUint32(prefix[:0], w.group)
		var row []byte
		var odd bool
		if e.aggs[w.at].sign < 0 {
			row, odd = least(cur, prefix)
		} else {
			row, odd = greatest(x.rows.Cur, prefix)
		}
		i := e.slot(w.group, w.at)
		e.winners.lower(i, spanFlags)
		if odd {
			e.winners.raise(i, spanOdd)
		}
		e.winners.put(i, row[min(len(row), groupBytes):])
	}
	e.stale = e.stale[:0]
}

// least is the first row with the prefix whose count is positive; odd says that it has passed one whose count is negative.
func least(cur *arrangement.Cursor, prefix []byte) (row []byte, odd bool) {
	for cur.SeekKey(prefix); cur.Valid(); cur.Next() {
		if cur.Diff() > 0 {
			return cur.Row(), odd
		}
		odd = true
	}
	return nil, odd
}

// greatest is the last such row.
func greatest(s *arrangement.Snapshot, prefix []byte) (row []byte, odd bool) {
	row, diff, ok := s.Last(prefix)
	if !ok || diff > 0 {
		return row, false
	}
	// The greatest has a negative count for now: look at all of the group.
	row = nil
	cur := s.Cursor()
	for cur.SeekKey(prefix); cur.Valid(); cur.Next() {
		if cur.Diff() > 0 {
			row = cur.Row()
		}
	}
	return row, true
}

// forget drops the winners of a group.
func (e *extremes) forget(group uint32) {
	for at := range e.aggs {
		e.winners.drop(int(group)*len(e.aggs) + at)
	}
}
