package arrangement

import (
	"bytes"

	"millrace/internal/check"
)

// filling is an arrangement that is filled as a whole and read by nobody meanwhile: batches wait, and all that wait are merged at
// once and go straight to the base.
type filling struct {
	waiting []Batch
	size    int // bytes of those
}

// What waits is merged when it has grown to fillBytes and to the size of the base: so the base is rewritten few times, and what is
// held meanwhile is half as much more than what is held then. It goes to the base in pieces.
const (
	fillBytes  = 64 << 20
	pieceRows  = 1 << 14
	pieceBytes = 8 << 20
)

// BeginFill has what is inserted from now on wait to be merged at once. Until EndFill there are no snapshots.
func (a *Arrangement) BeginFill() {
	check.That(a.filling == nil && a.fold == nil && len(a.runs) == 0, "an arrangement is filled that has runs")
	a.filling = &filling{}
}

// EndFill merges what waits.
func (a *Arrangement) EndFill() {
	a.mergeWaiting()
	a.filling = nil
}

// load takes a batch. One that comes behind all that is there needs no merging.
func (a *Arrangement) load(b Batch) {
	f := a.filling
	if len(f.waiting) == 0 && a.isBehind(&b) {
		a.foldWhole(b)
		return
	}
	size := b.Bytes()
	a.bytes += int64(size)
	f.waiting, f.size = append(f.waiting, b), f.size+size
	if base := int(a.bytes) - f.size; f.size >= max(fillBytes, base) {
		a.mergeWaiting()
	}
}

// isBehind says whether all rows of a batch come after those of the base.
func (a *Arrangement) isBehind(b *Batch) bool {
	last, found := a.base.Max()
	if !found {
		return true
	}
	rows := &last.body.rows
	return bytes.Compare(rows.row(rows.n-1), b.row(0)) < 0
}

// foldWhole puts a batch into the base.
func (a *Arrangement) foldWhole(b Batch) {
	if b.n == 0 {
		return
	}
	a.fold = foldOf(b)
	a.bytes += int64(b.Bytes())
	for a.fold != nil {
		a.stepFold(pieceRows)
	}
}

// mergeWaiting merges what waits into the base.
func (a *Arrangement) mergeWaiting() {
	f := a.filling
	waiting, size := f.waiting, f.size
	f.waiting, f.size = nil, 0
	if len(waiting) > 0 {
		mergeAll(waiting, a.foldWhole)
	}
	a.bytes -= int64(size)
}

// mergeAll merges sealed batches, none of them empty, and gives the sum in order, in pieces.
//
// It is a tournament: each inner node of a tree over the batches holds the loser of the two below it, so that the next row costs
// one comparison a level.
func mergeAll(batches []Batch, give func(Batch)) {
	c := newContest(batches)
	out := c.room(&batches[0])
	for {
		w := &c.runners[c.losers[0]]
		if w.ended {
			break
		}
		row, sum := w.row, w.b.diff(w.i)
		c.next()
		for w = &c.runners[c.losers[0]]; !w.ended && bytes.Equal(w.row, row); w = &c.runners[c.losers[0]] {
			sum += w.b.diff(w.i)
			c.next()
		}
		if sum == 0 {
			continue
		}
		if out.add(row, sum); out.b.n >= pieceRows || len(out.b.data) >= pieceBytes {
			give(out.batch())
			out = c.room(&batches[0])
		}
	}
	if out.b.n > 0 {
		give(out.batch())
	}
}

// contest is batches and which of them has the least row: losers[0].
type contest struct {
	runners []runner
	losers  []int32
	skip    int // how many leading bytes all rows of all batches share
}

// runner is the next row of a batch.
type runner struct {
	prefix uint64 // the eight bytes of the row behind those that all share
	row    []byte
	b      *Batch
	i      int
	ended  bool
}

func newContest(batches []Batch) *contest {
	n := len(batches)
	c := &contest{runners: make([]runner, n), losers: make([]int32, n)}
	first := batches[0].row(0)
	c.skip = len(first)
	for i := range batches {
		b := &batches[i]
		c.skip = min(c.skip, commonLen(first, b.row(0)), commonLen(first, b.row(b.n-1)))
	}
	winners := make([]int32, 2*n) // of the subtree at a node; leaves stand behind the inner nodes
	for i := range batches {
		c.runners[i].b = &batches[i]
		c.runners[i].stand(c.skip)
		winners[n+i] = int32(i)
	}
	for i := n - 1; i > 0; i-- {
		x, y := winners[2*i], winners[2*i+1]
		if c.less(y, x) {
			x, y = y, x
		}
		winners[i], c.losers[i] = x, y
	}
	c.losers[0] = winners[1]
	return c
}

// stand looks at the row of a runner.
func (r *runner) stand(skip int) {
	if r.ended = r.i >= r.b.n; !r.ended {
		r.row = r.b.row(r.i)
		r.prefix = prefixOf(r.row[skip:])
	}
}

// less says whether the row of one runner comes before that of another; one that has ended comes last.
func (c *contest) less(i, j int32) bool {
	x, y := &c.runners[i], &c.runners[j]
	switch {
	case x.ended || y.ended:
		return !x.ended
	case x.prefix != y.prefix:
		return x.prefix < y.prefix
	}
	return bytes.Compare(x.row, y.row) < 0
}

// next takes the least row off.
func (c *contest) next() {
	w := c.losers[0]
	r := &c.runners[w]
	r.i++
	r.stand(c.skip)
	for i := (int(w) + len(c.runners)) / 2; i > 0; i /= 2 {
		if c.less(c.losers[i], w) {
			c.losers[i], w = w, c.losers[i]
		}
	}
	c.losers[0] = w
}

// room is where a piece goes whose rows are like those of a batch.
func (c *contest) room(like *Batch) *output {
	return newOutput(pieceRows, min(pieceRows*len(like.data)/like.n, pieceBytes)+len(like.data)/like.n, like.diffs != nil, int(like.width))
}

// takeBytes is about how many bytes of rows Take gives at most.
const takeBytes = 64 << 20

// Take gives the row under the cursor and those behind it, at most n, and moves behind them.
func (c *Cursor) Take(n int) Batch { return c.take(n, takeBytes) }

// take is Take that ends when it has come to so many bytes.
func (c *Cursor) take(n, most int) Batch {
	if !c.valid {
		return Batch{}
	}
	n = min(n, max(c.snapshot.updates, 1))
	out := takeRoom(n, most, c.places[0].b)
	for c.valid && out.b.n < n && len(out.b.data) < most {
		if c.under != 1 || c.bound != nil {
			out.add(c.row, c.diff)
			c.Next()
			continue
		}
		p := &c.places[0]
		end := c.alone(min(p.b.n, p.i+n-out.b.n))
		out.copy(p.b, p.i, end)
		if p.i = end; end == p.b.n {
			c.nextBlock()
		}
		c.stand(p)
		c.settle()
	}
	if out.b.n < n/2 { // it may be kept, and is not to hold room that it does not need
		return out.b.slice(0, out.b.n)
	}
	return out.batch()
}

// takeRoom makes room for rows like those of a block.
func takeRoom(n, most int, b *Batch) *output {
	if b.n == 0 {
		return newOutput(min(n, pieceRows), 0, false, 0)
	}
	size := n*len(b.data)/b.n + len(b.data)
	return newOutput(n, min(size, most), b.diffs != nil, int(b.width))
}

// alone is up to which row, at most end, the block under the first place has rows that come before those of all other places and
// before the limit.
func (c *Cursor) alone(end int) int {
	least := c.limit
	for i := range c.places[1:] {
		if p := &c.places[i+1]; p.on && (least == nil || bytes.Compare(p.row, least) < 0) {
			least = p.row
		}
	}
	if least == nil {
		return end
	}
	p := &c.places[0]
	return min(end, p.b.seek(p.i, least))
}
