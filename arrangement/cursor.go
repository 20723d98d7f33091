package arrangement

import (
	"bytes"

	"github.com/tidwall/btree"

	"millrace/repr"
)

// Cursor walks the rows of a snapshot in order, each once with the sum of its counts; rows whose counts cancel out
// are left out. It belongs to one goroutine, and goes forward only: Seek to keys in ascending order.
type Cursor struct {
	snap  *Snapshot
	tree  btree.IterG[block]
	open  bool // tree stands on cur
	ended bool // the base is used up; it must not be opened again
	cur   Batch
	pos   int
	runs  []place // the runs, and the one that is being folded
	row   []byte
	diff  repr.Diff
	valid bool
}

// place is a position in a run.
type place struct {
	b Batch
	i int
}

// Cursor makes a cursor; Seek comes first.
func (s *Snapshot) Cursor() *Cursor {
	c := &Cursor{snap: s, tree: s.base.Iter(), runs: make([]place, 0, len(s.runs)+1)}
	if s.folding.Len() > 0 {
		c.runs = append(c.runs, place{b: s.folding, i: s.from})
	}
	for _, r := range s.runs {
		c.runs = append(c.runs, place{b: r})
	}
	return c
}

// Seek moves to the first row that is at least key.
func (c *Cursor) Seek(key []byte) {
	if c.valid && bytes.Compare(c.row, key) >= 0 {
		return
	}
	c.seekBase(key)
	for i := range c.runs {
		c.runs[i].i = c.runs[i].b.seek(c.runs[i].i, key)
	}
	c.settle()
}

// seekBase moves in the base, within the block when the key lies there.
func (c *Cursor) seekBase(key []byte) {
	if c.ended {
		return
	}
	if c.open && c.pos < c.cur.Len() {
		if bytes.Compare(c.cur.Row(c.cur.Len()-1), key) >= 0 {
			c.pos = c.cur.seek(c.pos, key)
			return
		}
	} else if c.open {
		// The block is used up; the next may hold the key.
		c.nextBlock()
		if c.open && bytes.Compare(c.cur.Row(c.cur.Len()-1), key) >= 0 {
			c.pos = c.cur.seek(0, key)
			return
		}
	}
	c.openAt(key)
}

// openAt finds the block that a key lies in, from the root.
func (c *Cursor) openAt(key []byte) {
	probe := blockKey(key)
	switch {
	case c.tree.Seek(probe):
		if !bytes.Equal(c.tree.Item().first, key) && !c.tree.Prev() {
			c.tree.Seek(probe)
		}
	case !c.tree.Last():
		c.open, c.cur = false, Batch{}
		return
	}
	c.open, c.cur = true, c.tree.Item().rows
	c.pos = c.cur.seek(0, key)
	if c.pos == c.cur.Len() {
		c.nextBlock()
	}
}

func (c *Cursor) nextBlock() {
	if !c.tree.Next() {
		c.open, c.ended, c.cur, c.pos = false, true, Batch{}, 0
		return
	}
	c.cur, c.pos = c.tree.Item().rows, 0
}

// Next moves to the next row.
func (c *Cursor) Next() {
	if c.open && c.pos < c.cur.Len() && bytes.Equal(c.cur.Row(c.pos), c.row) {
		c.stepBase()
	}
	for i := range c.runs {
		p := &c.runs[i]
		if p.i < p.b.Len() && bytes.Equal(p.b.Row(p.i), c.row) {
			p.i++
		}
	}
	c.settle()
}

func (c *Cursor) stepBase() {
	c.pos++
	if c.pos == c.cur.Len() {
		c.nextBlock()
	}
}

// settle finds the least row under the positions and sums its counts, passing over rows that cancel out.
func (c *Cursor) settle() {
	for {
		c.row, c.valid = nil, false
		if c.open && c.pos < c.cur.Len() {
			c.row, c.valid = c.cur.Row(c.pos), true
		}
		for i := range c.runs {
			p := &c.runs[i]
			if p.i >= p.b.Len() {
				continue
			}
			if row := p.b.Row(p.i); !c.valid || bytes.Compare(row, c.row) < 0 {
				c.row, c.valid = row, true
			}
		}
		if !c.valid {
			return
		}
		c.diff = c.sum()
		if c.diff != 0 {
			return
		}
		c.pass()
	}
}

// sum adds the counts of the row at all positions.
func (c *Cursor) sum() repr.Diff {
	var d repr.Diff
	if c.open && c.pos < c.cur.Len() && bytes.Equal(c.cur.Row(c.pos), c.row) {
		d = c.cur.Diff(c.pos)
	}
	for i := range c.runs {
		p := &c.runs[i]
		if p.i < p.b.Len() && bytes.Equal(p.b.Row(p.i), c.row) {
			d += p.b.Diff(p.i)
		}
	}
	return d
}

// pass steps over the row at all positions.
func (c *Cursor) pass() {
	row := c.row
	if c.open && c.pos < c.cur.Len() && bytes.Equal(c.cur.Row(c.pos), row) {
		c.stepBase()
	}
	for i := range c.runs {
		p := &c.runs[i]
		if p.i < p.b.Len() && bytes.Equal(p.b.Row(p.i), row) {
			p.i++
		}
	}
}

// Valid says whether the cursor stands on a row.
func (c *Cursor) Valid() bool { return c.valid }

// Row is the row that the cursor stands on.
func (c *Cursor) Row() []byte { return c.row }

// Diff is the count of that row.
func (c *Cursor) Diff() repr.Diff { return c.diff }

// Last is the greatest row that begins with prefix, with its count; ok is false when there is none. It costs a look-up
// from the root for each run.
func (s *Snapshot) Last(prefix []byte) (row []byte, diff repr.Diff, ok bool) {
	end := successor(prefix)
	limit := end // rows must be less than limit; nil: no limit
	for {
		row = s.greatestBelow(limit)
		if row == nil || !bytes.HasPrefix(row, prefix) {
			return nil, 0, false
		}
		c := s.Cursor()
		if c.Seek(row); c.Valid() && bytes.Equal(c.Row(), row) {
			return row, c.Diff(), true
		}
		limit = row
	}
}

// successor is the least byte string that is greater than all that begin with prefix; nil when there is none.
func successor(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			out := bytes.Clone(prefix[:i+1])
			out[i]++
			return out
		}
	}
	return nil
}

// greatestBelow is the greatest row less than limit in the base or a run, whatever its count.
func (s *Snapshot) greatestBelow(limit []byte) []byte {
	best := s.baseBelow(limit)
	try := func(b Batch, from int) {
		i := b.Len()
		if limit != nil {
			i = b.seek(0, limit)
		}
		if i > from && (best == nil || bytes.Compare(b.Row(i-1), best) > 0) {
			best = b.Row(i - 1)
		}
	}
	try(s.folding, s.from)
	for _, r := range s.runs {
		try(r, 0)
	}
	return best
}

func (s *Snapshot) baseBelow(limit []byte) []byte {
	if limit == nil {
		b, ok := s.base.Max()
		if !ok {
			return nil
		}
		return b.rows.Row(b.rows.Len() - 1)
	}
	var best []byte
	s.base.Descend(blockKey(limit), func(b block) bool {
		if i := b.rows.seek(0, limit); i > 0 {
			best = b.rows.Row(i - 1)
			return false
		}
		return true
	})
	return best
}
