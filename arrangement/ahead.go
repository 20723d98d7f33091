package arrangement

import (
	"bytes"

	"github.com/tidwall/btree"
)

// AheadKeys is how many keys a cursor looks up at once, at most: the memory that they need fits into the nearest cache.
const AheadKeys = 32

// ahead is the look-up of some keys at once, place by place and level by level: what a level reads of one key does not wait
// for what it reads of another, so all of them take the time of a few.
type ahead struct {
	keys   [][]byte
	scout  scout
	blocks [AheadKeys]*body // of the base, in which the rows of a key begin; nil: the base is empty
	spans  [AheadKeys]span  // the rows among which they begin, while a place is looked at
	likely [AheadKeys]bool  // a run may have them
	spots  []int32          // by place, then key: the row at which they begin, or else absent
	warm   uint64           // what was read ahead; nobody needs it
}

// absent is the spot of a key that has no rows in a place.
const absent = -1

// Ahead looks up some keys at once, at most AheadKeys; SeekAhead then moves to the rows of each in turn. They ascend, also from
// one Ahead to the next, none begins with another, and none may change until the walk over the last is over. That
// takes a fraction of what as many SeekKeys take when the keys lie far apart, since their memory is read side by side.
func (c *Cursor) Ahead(keys [][]byte) {
	if c.group == nil {
		c.group = &ahead{spots: make([]int32, len(c.places)*AheadKeys)}
		c.group.scout.begin(c.snapshot.base)
	}
	g := c.group
	g.keys = keys
	if len(keys) == 1 {
		return
	}
	g.base()
	for i := 1; i < len(c.places); i++ {
		g.run(c.places[i].b, c.places[i].i, g.spots[i*AheadKeys:])
	}
}

// SeekAhead moves to the first row that begins with the k-th key of Ahead; the walk goes over such rows only.
func (c *Cursor) SeekAhead(k int) {
	g := c.group
	if len(g.keys) == 1 {
		c.SeekKey(g.keys[0])
		return
	}
	c.bound = g.keys[k]
	if b := g.blocks[k]; b != nil {
		c.moveTo(b, int(g.spots[k]))
	}
	for i := 1; i < len(c.places); i++ {
		p, at := &c.places[i], g.spots[i*AheadKeys+k]
		if p.on = at != absent; p.on {
			p.i, p.row = int(at), p.b.row(int(at))
		}
	}
	c.settle()
}

// moveTo puts the first place on a row of a block, or on the next block where that is used up.
func (c *Cursor) moveTo(b *body, at int) {
	p := &c.places[0]
	if at == absent {
		p.on = false
		return
	}
	c.open, c.ended, c.astray = true, false, b != c.block || c.astray
	c.block, p.b, p.i = b, &b.rows, at
	if at == b.rows.n {
		c.nextBlock()
	}
	c.stand(p)
}

// base finds the keys in the base.
func (g *ahead) base() {
	n := len(g.keys)
	for k, key := range g.keys {
		g.blocks[k] = g.scout.find(key)
	}
	if g.blocks[0] == nil {
		return
	}
	warm := uint64(0)
	for _, b := range g.blocks[:n] {
		warm += uint64(len(b.rows.data)) + b.rows.lead[1]
	}
	for _, b := range g.blocks[:n] { // marks of a block lie in a few lines of memory
		if m := b.rows.marks; len(m) > 0 {
			warm += m[0] + m[len(m)/2] + m[len(m)-1]
		}
	}
	for k, b := range g.blocks[:n] {
		g.spans[k] = b.rows.narrow(0, g.keys[k])
	}
	for k, b := range g.blocks[:n] {
		warm += b.rows.touch(g.spans[k])
	}
	g.warm += warm
	for k, b := range g.blocks[:n] {
		at := b.rows.within(g.spans[k], g.keys[k])
		g.spots[k] = int32(at)
		if at < b.rows.n {
			g.spots[k] = b.rows.spot(at, g.keys[k])
		}
	}
}

// run finds the keys in a run, from a row on.
func (g *ahead) run(b *Batch, from int, spots []int32) {
	for k, key := range g.keys {
		g.likely[k] = !b.lacks(key)
	}
	at := span{lo: from}
	for k, key := range g.keys {
		if g.likely[k] {
			at = b.narrow(at.lo, key)
			g.spans[k] = at
		}
	}
	warm := uint64(0)
	for k := range g.keys {
		if g.likely[k] {
			warm += b.touch(g.spans[k])
		}
	}
	g.warm += warm
	for k, key := range g.keys {
		spots[k] = absent
		if g.likely[k] {
			spots[k] = b.spot(b.within(g.spans[k], key), key)
		}
	}
}

// spot is a row when it begins with key.
func (b *Batch) spot(at int, key []byte) int32 {
	if at < b.n && bytes.HasPrefix(b.row(at), key) {
		return int32(at)
	}
	return absent
}

// touch reads the rows around the guess at an answer, so that they are near when they are searched, and the count of one.
func (b *Batch) touch(s span) (warm uint64) {
	lo, hi := max(s.aim-1, 0), min(s.aim+1, b.n-1)
	from, _ := b.bounds(lo)
	last, _ := b.bounds(hi)
	warm = uint64(b.data[from]) + uint64(b.data[last])
	if b.diffs != nil {
		warm += uint64(b.diffs[hi])
	}
	return warm
}

// scout goes forward over the blocks of a base, and looks at none of them but at the list of their first rows.
type scout struct {
	tree  btree.IterG[block]
	at    *body // the block that it came to
	next  block // the one behind it
	more  bool  // there is one
	near  int   // how many blocks to walk before the tree is searched from the root
	probe body  // of the block that the tree is looked up with
}

// begin stands on the first block.
func (s *scout) begin(base *btree.BTreeG[block]) {
	s.tree, s.near = base.Iter(), nearBlocks
	if s.tree.First() {
		s.at = s.tree.Item().body
		s.step()
	}
}

func (s *scout) step() {
	if s.more = s.tree.Next(); s.more {
		s.next = s.tree.Item()
	}
}

// find is the last block whose first row is not greater than a key, or else the first block.
func (s *scout) find(key []byte) *body {
	probe := blockUnder(key, &s.probe)
	for range s.near {
		if !s.more || lessBlock(probe, s.next) {
			s.near = nearBlocks
			return s.at
		}
		s.at = s.next.body
		s.step()
	}
	if !s.more || lessBlock(probe, s.next) {
		return s.at
	}
	s.near = max(s.near/2, 1)
	s.search(probe)
	return s.at
}

// search is find from the root.
func (s *scout) search(probe block) {
	if !s.tree.Seek(probe) {
		s.tree.Last()
		s.at, s.more = s.tree.Item().body, false
		return
	}
	if lessBlock(probe, s.tree.Item()) {
		s.tree.Prev() // there is one: the block that the scout stood on
	}
	s.at = s.tree.Item().body
	s.step()
}
