package arrangement

import (
	"math"

	"github.com/tidwall/btree"
)

// Snapshot is the content of an arrangement at one moment. It never changes and may be read by many at once.
type Snapshot struct {
	base    *btree.BTreeG[block]
	folding []folded
	runs    []Batch
	rows    int64
	updates int // what is stored for them, at most one for each distinct row in each place
	bytes   int64
	limit   []byte // rows from here on are left out; nil: none are
}

// Below is the part of the content with the rows that come before a limit; nil is no limit.
func (s *Snapshot) Below(limit []byte) *Snapshot {
	part := *s
	part.limit = limit
	return &part
}

// plus is the content with a batch added to it.
func (s *Snapshot) plus(b Batch) *Snapshot {
	if b.Len() == 0 {
		return s
	}
	sum := *s
	sum.runs = append(s.runs[:len(s.runs):len(s.runs)], b)
	for i := range b.Len() {
		sum.rows += int64(b.Diff(i))
	}
	sum.updates += b.Len()
	sum.bytes += int64(b.Bytes())
	return &sum
}

// Empty says whether nothing is in it, not even rows whose counts cancel out.
func (s *Snapshot) Empty() bool { return s.base.Len() == 0 && len(s.folding) == 0 && len(s.runs) == 0 }

// Rows is the number of rows, each as often as it counts, those from a limit on too.
func (s *Snapshot) Rows() int64 { return s.rows }

// Updates is how many updates are stored for the content, at least one for each distinct row.
func (s *Snapshot) Updates() int { return s.updates }

// Bytes is the memory of the content, that from a limit on too.
func (s *Snapshot) Bytes() int64 { return s.bytes }

// Batch is the whole content as one batch.
func (s *Snapshot) Batch() Batch {
	c := s.Cursor()
	c.Seek(nil)
	return c.take(s.updates, math.MaxInt)
}

// Chunks is the content as batches of at most n rows.
func (s *Snapshot) Chunks(n int) func(yield func(Batch) bool) {
	return func(yield func(Batch) bool) {
		c := s.Cursor()
		c.Seek(nil)
		for c.Valid() {
			if !yield(c.Take(n)) {
				return
			}
		}
	}
}
