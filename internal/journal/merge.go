package journal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// stream gives rows in order, block by block; an empty one is behind the last. A block is valid until the call after the next, so
// that the last row of one can be compared with the first of the next.
type stream interface {
	next() (block, error)
	// damaged is the error to tell when the block that came last does not parse.
	damaged() error
	// weight is how much it gives beside others, about.
	weight() int64
}

// outlet takes what merge gives. What it is shown is valid during the call.
type outlet interface {
	// row takes a row; span is the row as it was encoded with that count, nil when it was not.
	row(row []byte, diff int64, span []byte) error
	// block takes the rows of a block that no other stream has rows between. They are counted.
	block(b *block) error
}

// merge gives the rows of several streams in order, each once with the sum of its counts; rows whose counts cancel out are
// left out.
//
// It is a tournament: each inner node of a tree over the streams holds the loser of the two below it, so that taking the
// least row costs one comparison a level. Nearly all of them are settled by the first eight bytes, which are held as a number. The
// tree is Huffman's: the more a stream gives, the fewer levels are above it.
// A stream that wins some times in a row is likely to go on: then it is compared with the second best alone, and whole blocks that
// come before that are handed on as they are.
func merge(in []stream, out outlet) error {
	t, err := newTournament(in)
	for err == nil && !t.heads[t.losers[0]].ended {
		if t.streak < streakFrom {
			err = t.step(out)
		} else {
			err = t.run(out)
		}
	}
	return err
}

// streakFrom is after how many rows of one stream it is taken to have more.
const streakFrom = 6

// tournament is streams and which of them has the least row: losers[0].
type tournament struct {
	heads  []head
	losers []int32
	up     []int32 // the inner node above one; 0 is above the topmost
	streak int     // how many rows the winner has given since another had won
}

func newTournament(in []stream) (*tournament, error) {
	n := max(len(in), 1)
	t := &tournament{heads: make([]head, n), losers: make([]int32, n), up: make([]int32, n)}
	t.heads[0].finish()
	parts := make([]bracket, 0, n)
	for i, s := range in {
		h := &t.heads[i]
		h.stream, h.ended = s, false
		if err := h.load(); err != nil {
			return nil, err
		}
		parts = append(parts, bracket{weight: s.weight(), winner: int32(i), up: &h.up})
	}
	if n == 1 {
		t.streak = streakFrom
		return t, nil
	}
	for node := int32(1); len(parts) > 1; node++ {
		slices.SortStableFunc(parts, func(a, b bracket) int { return cmp.Compare(b.weight, a.weight) })
		a, b := parts[len(parts)-1], parts[len(parts)-2]
		parts = parts[:len(parts)-2]
		*a.up, *b.up = node, node
		if t.heads[b.winner].less(&t.heads[a.winner]) {
			a, b = b, a
		}
		t.losers[node] = b.winner
		parts = append(parts, bracket{weight: a.weight + b.weight, winner: a.winner, up: &t.up[node]})
	}
	t.losers[0] = parts[0].winner
	return t, nil
}

// bracket is a part of a tournament that is set up.
type bracket struct {
	weight int64
	winner int32
	up     *int32 // where the node above it is kept
}

// step gives the least row.
func (t *tournament) step(out outlet) error {
	w := t.losers[0]
	h := &t.heads[w]
	row, prefix, sum, span := h.row, h.prefix, h.diff, h.span()
	for {
		if err := h.advance(); err != nil {
			return err
		}
		t.replay()
		h = &t.heads[t.losers[0]]
		if h.ended || h.prefix != prefix || !bytes.Equal(h.row, row) {
			break
		}
		sum, span = sum+h.diff, nil
	}
	if t.streak++; t.losers[0] != w {
		t.streak = 0
	}
	if sum == 0 {
		return nil
	}
	return out.row(row, sum, span)
}

// run gives the rows of the winner that come before all others.
func (t *tournament) run(out outlet) error {
	t.streak = 0
	h, rival := &t.heads[t.losers[0]], t.second()
	for !h.ended && (rival == nil || h.less(rival)) {
		before, err := false, error(nil)
		if h.at == 0 {
			if before, err = h.blockBefore(rival); err != nil {
				return err
			}
		}
		if before {
			if err = out.block(&h.block); err == nil {
				err = h.load()
			}
		} else {
			if err = out.row(h.row, h.diff, h.span()); err == nil {
				err = h.advance()
			}
		}
		if err != nil {
			return err
		}
	}
	t.replay()
	return nil
}

// second is the stream that has the least row of those that the winner beat; nil when all others have ended.
func (t *tournament) second() *head {
	var best *head
	for i := t.heads[t.losers[0]].up; i > 0; i = t.up[i] {
		if h := &t.heads[t.losers[i]]; !h.ended && (best == nil || h.less(best)) {
			best = h
		}
	}
	return best
}

// replay finds the winner anew, after the last one has another row.
func (t *tournament) replay() {
	w := t.losers[0]
	best := &t.heads[w]
	for i := best.up; i > 0; i = t.up[i] {
		if h := &t.heads[t.losers[i]]; h.less(best) {
			t.losers[i], w, best = w, t.losers[i], h
		}
	}
	t.losers[0] = w
}

// head is the next row of a stream.
type head struct {
	prefix  uint64 // the first bytes of the row
	row     []byte
	diff    int64
	ended   bool
	up      int32 // the inner node above the stream
	at, end int   // where the row lies in the block
	block   block
	stream  stream
}

// less says whether a row comes before another; a stream that has ended comes last.
func (h *head) less(o *head) bool {
	if h.prefix != o.prefix {
		return h.prefix < o.prefix
	}
	return h.lessBehind(o)
}

// lessBehind is less of rows with the same prefix.
func (h *head) lessBehind(o *head) bool {
	if h.ended || o.ended {
		return !h.ended
	}
	return bytes.Compare(h.row, o.row) < 0
}

// finish says that there is no row any more.
func (h *head) finish() { h.ended, h.prefix = true, math.MaxUint64 }

// span is the row with its length and count.
func (h *head) span() []byte { return h.block.body[h.at:h.end] }

// blockBefore says whether a block comes as a whole before a row.
func (h *head) blockBefore(rival *head) (bool, error) {
	if !h.block.look() {
		return false, h.stream.damaged()
	}
	return rival == nil || bytes.Compare(h.block.last, rival.row) < 0, nil
}

// load goes to the first row of the next block.
func (h *head) load() error {
	var err error
	if h.block, err = h.stream.next(); err != nil {
		return err
	}
	if len(h.block.body) == 0 {
		h.finish()
		return nil
	}
	h.end = 0
	return h.advance()
}

func (h *head) advance() error {
	if h.end == len(h.block.body) {
		return h.load()
	}
	row, diff, n := rowAt(h.block.body[h.end:])
	if n == 0 {
		return h.stream.damaged()
	}
	h.at, h.end = h.end, h.end+n
	h.row, h.diff, h.prefix = row, diff, prefixOf(row)
	return nil
}

// prefixOf is the start of a row as a number that sorts as it does; short rows sort as if zeros followed, so equal numbers
// say nothing.
func prefixOf(row []byte) uint64 {
	if len(row) >= 8 {
		return binary.BigEndian.Uint64(row)
	}
	var b [8]byte
	copy(b[:], row)
	return binary.BigEndian.Uint64(b[:])
}

// eachRow is the outlet that shows rows one by one.
type eachRow func(row []byte, diff int64) error

func (f eachRow) row(row []byte, diff int64, _ []byte) error { return f(row, diff) }

func (f eachRow) block(b *block) error {
	for rest := b.body; len(rest) > 0; {
		row, diff, n := rowAt(rest)
		if err := f(row, diff); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}
