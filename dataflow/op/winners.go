package op

import (
	"bytes"
	"slices"

	"millrace/arrangement"
	"millrace/repr"
)

// Winners is a TopK of few rows over an input that only grows: it keeps, of each group, the first Offset+Limit rows and
// nothing else. They hang in a list behind the group's entry of a hash table, the last first: most rows that come are
// behind it, and are forgotten after one comparison.
type Winners struct {
	Placing
	Limit  int64 // not negative
	Offset int64

	groups  table // the state of a group: its last row plus one, 0 when it has none, and how many rows it has
	rows    spans // of a row: its place in the order and the row itself; they never change where they lie
	links   pages[link]
	free    []uint32
	touched []chosen
	mark    uint32
	before  []placed // of touched groups
	after   []placed
}

// MostWinners is up to how many rows of a group are kept as a list.
const MostWinners = 16

// link is how often a row is there, and the one before it in the order plus one, 0 when it is the first.
type link struct{ n, better int64 }

// The words of a group's state.
const (
	groupLast = iota
	groupCount
	groupWords
)

// chosen is a group that the step changes. Its rows before lie in Winners.before.
type chosen struct {
	group    uint32
	from, to int
}

// NewWinners makes the operator; its exported fields are set by the caller.
func NewWinners() *Winners {
	return &Winners{groups: newTable(groupWords), rows: newSpans(), links: pages[link]{width: 1}}
}

// Step takes rows packed by Key, in any order, none of them a retraction.
func (w *Winners) Step(in arrangement.Batch, out *arrangement.Builder) {
	w.mark++
	for from := 0; from < in.Len(); from += ahead {
		w.take(in, from, min(from+ahead, in.Len()))
	}
	for _, c := range w.touched {
		w.after = w.list(w.after[:0], c.group)
		changes(behind(w.before[c.from:c.to], w.Offset), behind(w.after, w.Offset), out, 1)
	}
	clear(w.before) // rows that are gone are not to be held
	clear(w.after)
	w.touched, w.before = w.touched[:0], w.before[:0]
}

// take looks at rows whose groups are read ahead.
func (w *Winners) take(in arrangement.Batch, from, to int) {
	var hashes [ahead]uint32
	var lens [ahead]int
	for i := from; i < to; i++ {
		row := in.Row(i)
		n := repr.PrefixLen(row, len(w.Group))
		lens[i-from], hashes[i-from] = n, w.groups.hash(row[:n])
	}
	likely := w.groups.warmUp(hashes[:to-from])
	for i := from; i < to; i++ {
		row, n := in.Row(i), lens[i-from]
		g, _ := w.groups.findLikely(row[:n], hashes[i-from], likely[i-from])
		w.consider(g, row[n:], in.Diff(i))
	}
}

// consider takes a row into its group, unless it is behind as many others as are kept.
func (w *Winners) consider(g uint32, row []byte, n repr.Diff) {
	most := w.Offset + w.Limit
	state := w.groups.stateOf(g)
	if state[groupCount] >= most && (most == 0 || bytes.Compare(row, w.rows.get(int(state[groupLast]-1))) >= 0) {
		return
	}
	if w.groups.mark(g) != w.mark {
		w.groups.setMark(g, w.mark)
		from := len(w.before)
		w.before = w.list(w.before, g)
		w.touched = append(w.touched, chosen{group: g, from: from, to: len(w.before)})
	}
	w.insert(state, row, min(n, most))
	w.cut(state, most)
}

// insert puts a row into the list of a group.
func (w *Winners) insert(state []int64, row []byte, n repr.Diff) {
	state[groupCount] += n
	at, worse := state[groupLast], int64(0)
	for at > 0 {
		c := bytes.Compare(row, w.rows.get(int(at-1)))
		if c == 0 {
			w.link(at).n += n
			return
		}
		if c > 0 {
			break
		}
		at, worse = w.link(at).better, at
	}
	i := w.add(row)
	*w.link(i) = link{n: n, better: at}
	if worse == 0 {
		state[groupLast] = i
		return
	}
	w.link(worse).better = i
}

// cut forgets the rows of a group behind as many as are kept.
func (w *Winners) cut(state []int64, most int64) {
	for state[groupCount] > most {
		last := state[groupLast]
		l := w.link(last)
		if over := state[groupCount] - most; l.n > over {
			l.n -= over
			state[groupCount] = most
			return
		}
		state[groupCount] -= l.n
		state[groupLast] = l.better
		w.rows.drop(int(last - 1))
		w.free = append(w.free, uint32(last-1))
	}
}

// link is that of a row by its number plus one.
func (w *Winners) link(i int64) *link { return &w.links.of(int(i - 1))[0] }

// add keeps the bytes of a row, and gives its number plus one.
func (w *Winners) add(row []byte) int64 {
	i := w.links.n
	if n := len(w.free); n > 0 {
		i = int(w.free[n-1])
		w.free = w.free[:n-1]
	}
	w.links.reach(i)
	w.rows.reach(i)
	w.rows.put(i, row)
	return int64(i + 1)
}

// list appends the rows of a group in order.
func (w *Winners) list(dst []placed, g uint32) []placed {
	from := len(dst)
	for at := w.groups.stateOf(g)[groupLast]; at > 0; at = w.link(at).better {
		dst = append(dst, placed{row: w.rows.get(int(at - 1)), n: w.link(at).n})
	}
	slices.Reverse(dst[from:])
	return dst
}

// Bytes is the memory of the operator's state.
func (w *Winners) Bytes() int64 {
	return w.groups.bytes() + w.rows.bytes() + w.links.bytes() + int64(4*cap(w.free))
}

// Rows is the size of the operator's state.
func (w *Winners) Rows() int64 { return int64(w.links.n - len(w.free)) }
