package op

import (
	"bytes"
	"slices"

	"millrace/arrangement"
	"millrace/repr"
)

// Limit is one end of the spans of a range join.
type Limit uint8

// The limits.
const (
	NoLimit Limit = iota
	Open          // a value that is equal lies outside
	Closed        // a value that is equal lies inside
)

// Range says how the columns right behind the key bound the pairs. The left side has one, x; each row of the right side is a
// span: it has lo, hi, or both in this order. A pair of rows with one key is left when x lies between lo and hi. All these
// columns are packed in canonical form as one kind, whose bytes have the order of its values, and none is NULL.
type Range struct {
	Lo, Hi Limit
	// Reads says of left and right whether what becomes of a pair depends on the columns that bound it.
	Reads [2]bool
}

// RangeJoin emits the change of left ⋈ right in a step, as Join does, but visits of the other side only the rows within the
// range. The changes of a key are taken together: where a row goes and one comes that differs in its bounds alone, only the
// rows that lie in one of both ranges and not in the other are visited, for nothing comes of the rest.
type RangeJoin struct {
	Join
	Range

	turns  []turn
	ends   []turn // those turns at which a row ceases to count, before they are put among the others
	arena  []byte
	rows   []changed
	active []int          // of rows: those that pair with what the cursor stands on
	rests  [][]byte       // of rows: what they have behind their bounds
	known  map[string]int // the same by number, of a key with many
}

// turn is a place in the order of the other side from which on a changed row counts more, or less.
type turn struct {
	at   []byte
	row  int
	diff repr.Diff
}

// changed is a row of a delta, or several that differ in nothing that matters.
type changed struct {
	value []byte
	bound []byte    // its first bound
	diff  repr.Diff // the count at the cursor
	place int       // in active; -1: not there
}

// Step emits the change of the join. It says whether it came to the end.
func (j *RangeJoin) Step(left, right *Index, out *arrangement.Builder, errs *Errors) bool {
	to := output{out, errs}
	return j.probe(left.Delta, right.Cur, false, to) && j.probe(right.Delta, left.Prev, true, to)
}

func (j *RangeJoin) probe(delta arrangement.Batch, other *arrangement.Snapshot, swapped bool, to output) bool {
	if delta.Len() == 0 || other.Empty() {
		return true
	}
	cur := other.Cursor()
	for from := 0; from < delta.Len(); {
		first := delta.Row(from)
		key := first[:repr.PrefixLen(first, j.Keys)]
		end := from + 1
		for end < delta.Len() && bytes.HasPrefix(delta.Row(end), key) {
			end++
		}
		j.gather(delta, from, end, len(key), swapped)
		if !j.walk(cur, key, swapped, to) {
			return false
		}
		from = end
	}
	return true
}

// gather finds the turns of the rows of one key.
func (j *RangeJoin) gather(delta arrangement.Batch, from, end, key int, swapped bool) {
	j.turns, j.ends, j.arena, j.rows, j.active = j.turns[:0], j.ends[:0], j.arena[:0], j.rows[:0], j.active[:0]
	j.rests = j.rests[:0]
	clear(j.known)
	merge := j.merges(delta, from, end, swapped)
	for i := from; i < end; i++ {
		row := delta.Row(i)
		start, stop, rest := j.bounds(row, key, swapped)
		if stop != nil && bytes.Compare(start, stop) >= 0 {
			continue
		}
		n := len(j.rows)
		if merge {
			n = j.like(rest)
		}
		if n == len(j.rows) {
			value := row[key:]
			j.rows = append(j.rows, changed{value: value, bound: value[:repr.PrefixLen(value, 1)], place: -1})
		}
		j.turns = append(j.turns, turn{at: start, row: n, diff: delta.Diff(i)})
		if stop != nil {
			j.ends = append(j.ends, turn{at: stop, row: n, diff: -delta.Diff(i)})
		}
	}
	order(j.turns)
	order(j.ends)
	j.turns = zip(j.turns, j.ends)
}

// order sorts turns. As rows come in the order of their first bound, most are in order already.
func order(turns []turn) {
	byPlace := func(a, b turn) int { return bytes.Compare(a.at, b.at) }
	if !slices.IsSortedFunc(turns, byPlace) {
		slices.SortFunc(turns, byPlace)
	}
}

// zip puts turns that are in order among others that are, from the last on, in the room behind these.
func zip(turns, more []turn) []turn {
	i, k := len(turns)-1, len(more)-1
	turns = append(turns, more...)
	for to := len(turns) - 1; k >= 0; to-- {
		if i >= 0 && bytes.Compare(turns[i].at, more[k].at) > 0 {
			turns[to] = turns[i]
			i--
			continue
		}
		turns[to] = more[k]
		k--
	}
	return turns
}

// fewRows is how many rows of a key are compared one by one.
const fewRows = 8

// like is the number of the row that has the same behind its bounds, or else the number of a new one.
func (j *RangeJoin) like(rest []byte) int {
	n := len(j.rests)
	if n < fewRows {
		for i, r := range j.rests {
			if bytes.Equal(r, rest) {
				return i
			}
		}
	} else {
		if j.known == nil {
			j.known = map[string]int{}
		}
		if n == fewRows {
			for i, r := range j.rests {
				j.known[string(r)] = i
			}
		}
		if i, ok := j.known[string(rest)]; ok {
			return i
		}
		j.known[string(rest)] = n
	}
	j.rests = append(j.rests, rest)
	return n
}

// merges says whether rows of one key may cancel each other out: some come and some go, and their bounds are read by nothing
// but the range.
func (j *RangeJoin) merges(delta arrangement.Batch, from, end int, swapped bool) bool {
	if swapped && j.Reads[1] || !swapped && (j.Reads[0] || j.Lo != NoLimit && j.Hi != NoLimit) {
		return false
	}
	come, gone := false, false
	for i := from; i < end; i++ {
		come, gone = come || delta.Diff(i) > 0, gone || delta.Diff(i) < 0
	}
	return come && gone
}

// bounds are the part of the other side's order that a row pairs with, up to the end of the key where stop is nil, and what the
// row has behind its own bounds.
func (j *RangeJoin) bounds(row []byte, key int, swapped bool) (start, stop, rest []byte) {
	start, rest = row[:key], row[key:]
	if !swapped {
		x := row[:key+repr.PrefixLen(rest, 1)]
		rest = row[len(x):]
		if j.Lo != NoLimit { // the order of the other side is that of lo
			return start, j.edge(x, j.Lo == Closed), rest
		}
		return j.edge(x, j.Hi == Open), nil, rest
	}
	if j.Lo != NoLimit {
		n := repr.PrefixLen(rest, 1)
		start, rest = j.edge(row[:key+n], j.Lo == Open), rest[n:]
	}
	if j.Hi != NoLimit {
		n := repr.PrefixLen(rest, 1)
		from := len(j.arena)
		j.arena = append(append(j.arena, row[:key]...), rest[:n]...)
		stop, rest = j.arena[from:len(j.arena):len(j.arena)], rest[n:]
		if j.Hi == Closed {
			stop = j.edge(stop, true)
		}
	}
	return start, stop, rest
}

// edge is the place before all rows that begin with some columns, or behind them: no column begins with 0xff.
func (j *RangeJoin) edge(columns []byte, behind bool) []byte {
	if !behind {
		return columns
	}
	from := len(j.arena)
	j.arena = append(append(j.arena, columns...), 0xff)
	return j.arena[from:len(j.arena):len(j.arena)]
}

// walk goes through the other side's rows of a key from turn to turn, and passes over parts where no changed row counts.
func (j *RangeJoin) walk(cur *arrangement.Cursor, key []byte, swapped bool, to output) bool {
	there := false // the cursor stands at the next turn
	for t := 0; t < len(j.turns); {
		at := j.turns[t].at
		for ; t < len(j.turns) && bytes.Equal(j.turns[t].at, at); t++ {
			j.turn(j.turns[t])
		}
		if len(j.active) == 0 {
			there = false
			continue
		}
		if !there {
			cur.SeekWithin(at, key)
			there = true
		}
		var limit []byte
		if t < len(j.turns) {
			limit = j.turns[t].at
		}
		for ; cur.Valid() && (limit == nil || bytes.Compare(cur.Row(), limit) < 0); cur.Next() {
			if !j.meet(cur, key, swapped, to) {
				return false
			}
		}
	}
	return true
}

// turn changes the count of a row, which is active while it is not zero.
func (j *RangeJoin) turn(t turn) {
	r := &j.rows[t.row]
	r.diff += t.diff
	switch {
	case r.diff != 0 && r.place < 0:
		r.place = len(j.active)
		j.active = append(j.active, t.row)
	case r.diff == 0 && r.place >= 0:
		last := j.active[len(j.active)-1]
		j.active[r.place], j.rows[last].place = last, r.place
		j.active, r.place = j.active[:len(j.active)-1], -1
	}
}

// meet pairs the row under the cursor with all active rows. Where these are not spans but meet spans with both ends, the cursor
// walks in the order of lo, and hi is looked at here. It says whether it came to the end.
func (j *RangeJoin) meet(cur *arrangement.Cursor, key []byte, swapped bool, to output) bool {
	p := pair{key: key, left: cur.Row()[len(key):]}
	var hi []byte
	if !swapped && j.Lo != NoLimit && j.Hi != NoLimit {
		hi = repr.Skip(p.left)
		hi = hi[:repr.PrefixLen(hi, 1)]
	}
	for _, i := range j.active {
		r := &j.rows[i]
		if hi != nil {
			if c := bytes.Compare(r.bound, hi); c > 0 || c == 0 && j.Hi == Open {
				continue
			}
		}
		p.right, p.diff = r.value, r.diff*cur.Diff()
		j.emit(p, swapped, to)
		if j.stopped() {
			return false
		}
	}
	return true
}
