package arrangement

import (
	"bytes"

	"github.com/tidwall/btree"

	"millrace/internal/check"
	"millrace/repr"
)

// Cursor walks the rows of a snapshot in order, each once with the sum of its counts; rows whose counts cancel out
// are left out. It belongs to one goroutine, and goes forward only: Seek and SeekKey to keys in ascending order.
type Cursor struct {
	tree   btree.IterG[block]
	probe  body  // of the block that the tree is looked up with
	open   bool  // places[0] is in a block
	block  *body // that block
	astray bool  // the tree does not stand on it
	ended  bool  // the base is used up; it must not be opened again
	near   int   // how many blocks to walk before the tree is searched from the root
	places []place
	limit  []byte // of the snapshot
	bound  []byte // the walk ends where rows do not begin with this
	under  uint32 // the places, as bits, that stand on row
	row    []byte
	diff   repr.Diff
	valid  bool

	snapshot *Snapshot
	group    *ahead // the keys of Ahead; nil before that
}

// place is a position in the block of the base (the first place), a run that is being folded, or a run.
type place struct {
	b   *Batch
	i   int
	row []byte
	on  bool // it stands on row, within the bound
}

// noRows is where the base is used up.
var noRows Batch

// Cursor makes a cursor; Seek or SeekKey comes first.
func (s *Snapshot) Cursor() *Cursor {
	c := &Cursor{snapshot: s, tree: s.base.Iter(), limit: s.limit, near: nearBlocks, places: make([]place, 1, 1+len(s.folding)+len(s.runs))}
	c.places[0].b = &noRows
	for i := range s.folding {
		c.places = append(c.places, place{b: &s.folding[i].run, i: s.folding[i].done})
	}
	for i := range s.runs {
		c.places = append(c.places, place{b: &s.runs[i]})
	}
	check.That(len(c.places) <= 32, "a cursor over %d runs", len(c.places))
	return c
}

// Seek moves to the first row that is at least key; the walk goes on to the end.
func (c *Cursor) Seek(key []byte) { c.seek(key, nil) }

// SeekKey moves to the first row that begins with key; the walk goes over such rows only. That is cheaper than Seek, for what
// lies behind the key is not looked at. key must not change until the walk is over.
func (c *Cursor) SeekKey(key []byte) { c.seek(key, key) }

// SeekWithin moves to the first row that is at least key, which begins with prefix; the walk goes over rows that begin with it
// only. prefix must not change until the walk is over.
func (c *Cursor) SeekWithin(key, prefix []byte) { c.seek(key, prefix) }

func (c *Cursor) seek(key, bound []byte) {
	c.bound = bound
	c.seekBase(key)
	c.stand(&c.places[0])
	for i := 1; i < len(c.places); i++ {
		p := &c.places[i]
		if p.on = bound == nil || !p.b.lacks(bound); p.on {
			p.i = p.b.seek(p.i, key)
			c.stand(p)
		}
	}
	c.settle()
}

// stand looks at the row under a place.
func (c *Cursor) stand(p *place) {
	if p.i >= p.b.n {
		p.on = false
		return
	}
	p.row = p.b.row(p.i)
	p.on = c.bound == nil || bytes.HasPrefix(p.row, c.bound)
}

// seekBase moves in the base, within the block when the key lies there.
func (c *Cursor) seekBase(key []byte) {
	if c.ended {
		return
	}
	p := &c.places[0]
	if c.open && p.i == p.b.n {
		c.nextBlock() // the block is used up; the next may hold the key
	}
	if c.open && c.holds(key) {
		p.i = p.b.seek(p.i, key)
		return
	}
	switch {
	case c.ended:
	case c.open && c.walkTo(key):
		c.land(key)
	default:
		c.openAt(key)
	}
}

// nearBlocks is how many blocks a search from the root costs, about: they lie side by side in the tree.
const nearBlocks = 8

// walkTo goes forward to the block that a key behind this one lies in, if that is near. After keys that were not, it does
// not go as far, or not at all.
func (c *Cursor) walkTo(key []byte) bool {
	ten := tenOf(key)
	c.follow()
	for range c.near {
		if !c.tree.Next() {
			return c.tree.Last()
		}
		next := c.tree.Item()
		order := next.compare(ten)
		if order == 0 {
			order = bytes.Compare(next.body.first, key)
		}
		if order >= 0 {
			c.near = nearBlocks
			return order == 0 || c.tree.Prev()
		}
	}
	c.near /= 2
	return false
}

// land finds a key in the block that the tree stands on, or else moves to the next.
func (c *Cursor) land(key []byte) {
	p := &c.places[0]
	c.enter()
	if p.i = p.b.seek(0, key); p.i == p.b.n {
		c.nextBlock()
	}
}

// holds says whether the block under the first place has a row that is at least key.
func (c *Cursor) holds(key []byte) bool {
	b := c.block
	if order := b.last.compare(tenOf(key)); order != 0 {
		return order > 0
	}
	return bytes.Compare(b.rows.row(b.rows.n-1), key) >= 0
}

// openAt finds the block that a key lies in, from the root.
func (c *Cursor) openAt(key []byte) {
	probe := blockUnder(key, &c.probe)
	p := &c.places[0]
	switch {
	case c.tree.Seek(probe):
		next := c.tree.Item() // its body is not looked at without need: it is elsewhere in memory
		if (next.tenBytes != probe.tenBytes || !bytes.Equal(next.body.first, key)) && !c.tree.Prev() {
			c.tree.Seek(probe)
		}
	case !c.tree.Last():
		c.open, p.b, p.i = false, &noRows, 0
		return
	}
	c.land(key)
}

func (c *Cursor) nextBlock() {
	p := &c.places[0]
	p.i = 0
	c.follow()
	if !c.tree.Next() {
		c.open, c.ended, p.b = false, true, &noRows
		return
	}
	c.enter()
}

// enter puts the first place into the block that the tree stands on.
func (c *Cursor) enter() {
	c.open, c.astray, c.block = true, false, c.tree.Item().body
	c.places[0].b = &c.block.rows
}

// follow brings the tree to the block of the first place.
func (c *Cursor) follow() {
	if c.astray {
		c.tree.Seek(block{tenOf(c.block.first), c.block})
		c.astray = false
	}
}

// Next moves to the next row.
func (c *Cursor) Next() {
	c.pass()
	c.settle()
}

// pass steps over the row at all places that stand on it.
func (c *Cursor) pass() {
	for i := range c.places {
		if c.under&(1<<i) == 0 {
			continue
		}
		p := &c.places[i]
		if p.i++; i == 0 && p.i == p.b.n {
			c.nextBlock()
		}
		c.stand(p)
	}
}

// settle finds the least row under the places and sums its counts, passing over rows that cancel out.
func (c *Cursor) settle() {
	for {
		c.valid, c.under, c.diff = false, 0, 0
		for i := range c.places {
			p := &c.places[i]
			if !p.on {
				continue
			}
			less := -1
			if c.valid {
				less = bytes.Compare(p.row, c.row)
			}
			if less < 0 {
				c.row, c.valid, c.under, c.diff = p.row, true, 0, 0
			}
			if less <= 0 {
				c.under |= 1 << i
				c.diff += p.b.diff(p.i)
			}
		}
		if c.valid && c.limit != nil && bytes.Compare(c.row, c.limit) >= 0 {
			c.valid = false
		}
		if !c.valid || c.diff != 0 {
			return
		}
		c.pass()
	}
}

// Valid says whether the cursor stands on a row.
func (c *Cursor) Valid() bool { return c.valid }

// Row is the row that the cursor stands on.
func (c *Cursor) Row() []byte { return c.row }

// Diff is the count of that row.
func (c *Cursor) Diff() repr.Diff { return c.diff }
