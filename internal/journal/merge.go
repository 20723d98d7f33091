package journal

import (
	"bytes"
	"container/heap"
)

// merge gives the rows of several streams in order, each once with the sum of its counts; rows whose counts cancel out are
// left out.
func merge(in []stream, emit func(row []byte, diff int64) error) error {
	var h heads
	for _, s := range in {
		x := &head{stream: s}
		more, err := x.advance()
		if err != nil {
			return err
		}
		if more {
			h = append(h, x)
		}
	}
	heap.Init(&h)
	var row []byte
	for len(h) > 0 {
		row = append(row[:0], h[0].row...)
		sum := int64(0)
		for len(h) > 0 && bytes.Equal(h[0].row, row) {
			sum += h[0].diff
			more, err := h[0].advance()
			switch {
			case err != nil:
				return err
			case more:
				heap.Fix(&h, 0)
			default:
				heap.Pop(&h)
			}
		}
		if sum == 0 {
			continue
		}
		if err := emit(row, sum); err != nil {
			return err
		}
	}
	return nil
}

// head is the next row of a stream.
type head struct {
	update
	stream stream
}

func (h *head) advance() (more bool, err error) {
	h.update, more, err = h.stream.next()
	return more, err
}

// heads is a heap of streams by their next rows.
type heads []*head

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return bytes.Compare(h[i].row, h[j].row) < 0 }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is for the heap.
func (h *heads) Push(x any) { *h = append(*h, x.(*head)) }

// Pop is for the heap.
func (h *heads) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// batchStream is the stream of a batch.
type batchStream struct {
	b Batch
	i int
}

func (s *batchStream) next() (update, bool, error) {
	if s.i == s.b.Len() {
		return update{}, false, nil
	}
	s.i++
	return update{s.b.Row(s.i - 1), s.b.Diff(s.i - 1)}, true, nil
}
