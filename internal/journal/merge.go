package journal

import (
	"bytes"
	"encoding/binary"
)

// merge gives the rows of several streams in order, each once with the sum of its counts; rows whose counts cancel out are
// left out. A row is valid during the call.
//
// It is a tournament: each inner node of a tree over the streams holds the loser of the two below it, so that taking the
// least row costs one comparison a level. Nearly all of them are settled by the first eight bytes, which are held as a number.
func merge(in []stream, emit func(row []byte, diff int64) error) error {
	t, err := newTournament(in)
	if err != nil {
		return err
	}
	var row []byte
	for {
		h := &t.heads[t.losers[0]]
		if h.ended {
			return nil
		}
		if t.live == 1 {
			return h.drain(emit)
		}
		row = append(row[:0], h.row...)
		prefix, sum := h.prefix, int64(0)
		for !h.ended && h.prefix == prefix && bytes.Equal(h.row, row) {
			sum += h.diff
			if err := t.advance(); err != nil {
				return err
			}
			h = &t.heads[t.losers[0]]
		}
		if sum == 0 {
			continue
		}
		if err := emit(row, sum); err != nil {
			return err
		}
	}
}

// tournament is streams and which of them has the least row: losers[0].
type tournament struct {
	heads  []head
	losers []int32
	live   int // streams that have not ended
}

func newTournament(in []stream) (*tournament, error) {
	t := &tournament{heads: make([]head, max(len(in), 1)), losers: make([]int32, max(len(in), 1))}
	t.heads[0].ended = true
	for i, s := range in {
		h := &t.heads[i]
		h.stream, h.ended = s, false
		if err := h.advance(); err != nil {
			return nil, err
		}
		if !h.ended {
			t.live++
		}
	}
	n := len(t.heads)
	winners := make([]int32, 2*n) // of the subtree at a node; leaves stand behind the inner nodes
	for i := range n {
		winners[n+i] = int32(i)
	}
	for i := n - 1; i > 0; i-- {
		a, b := winners[2*i], winners[2*i+1]
		if t.less(b, a) {
			a, b = b, a
		}
		winners[i], t.losers[i] = a, b
	}
	if n > 1 {
		t.losers[0] = winners[1]
	}
	return t, nil
}

// less says whether the row of stream a comes before that of b; a stream that has ended comes last.
func (t *tournament) less(a, b int32) bool {
	x, y := &t.heads[a], &t.heads[b]
	switch {
	case x.ended || y.ended:
		return !x.ended
	case x.prefix != y.prefix:
		return x.prefix < y.prefix
	}
	return bytes.Compare(x.row, y.row) < 0
}

// advance takes the least row off.
func (t *tournament) advance() error {
	w := t.losers[0]
	h := &t.heads[w]
	if err := h.advance(); err != nil {
		return err
	}
	if h.ended {
		t.live--
	}
	for i := (int(w) + len(t.heads)) / 2; i > 0; i /= 2 {
		if t.less(t.losers[i], w) {
			t.losers[i], w = w, t.losers[i]
		}
	}
	t.losers[0] = w
	return nil
}

// head is the next row of a stream.
type head struct {
	prefix uint64 // the first bytes of the row
	row    []byte
	diff   int64
	ended  bool
	block  *rows
	i      int
	stream stream
}

func (h *head) advance() error {
	h.i++
	for h.block == nil || h.i >= h.block.Len() {
		block, err := h.stream.next()
		if err != nil {
			return err
		}
		if block == nil {
			h.ended, h.block = true, nil
			return nil
		}
		h.block, h.i = block, 0
	}
	h.row, h.diff = h.block.list[h.i], h.block.diffs[h.i]
	h.prefix = prefixOf(h.row)
	return nil
}

// drain gives what is left of the only stream that has not ended.
func (h *head) drain(emit func(row []byte, diff int64) error) error {
	for !h.ended {
		if err := emit(h.row, h.diff); err != nil {
			return err
		}
		if err := h.advance(); err != nil {
			return err
		}
	}
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

// batchStream is the stream of a batch.
type batchStream struct{ b Batch }

func (s *batchStream) next() (*rows, error) {
	b := s.b
	s.b = nil
	switch b := b.(type) {
	case nil:
		return nil, nil
	case *rows:
		return b, nil
	}
	out := &rows{}
	for i := range b.Len() {
		out.add(b.Row(i), b.Diff(i))
	}
	return out, nil
}
