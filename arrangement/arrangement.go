package arrangement

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/tidwall/btree"

	"millrace/internal/check"
)

// Sizes of the structure, in rows. A block is rewritten whole when something is folded into it; the front is folded
// when it has grown to a foldRatio-th of the base, so that a rewrite serves many rows; to a growRatio-th when it only adds rows, for
// then it takes no more memory in front of the base than in it.
const (
	blockRows    = 192
	blockBytes   = 32 << 10
	foldRatio    = 8
	growRatio    = 2
	foldLeast    = 4096
	mostRuns     = 4             // beside those that are being merged
	limitRuns    = 24            // nothing is inserted before there are fewer
	pressingWork = 1 << 12       // rows of merging for each run too many
	smallMerge   = 1 << 13       // rows of a merge that does not wait for a larger one
	largeRun     = 1 << 15       // rows of a run that is folded with others rather than merged, if it only adds rows
	workPerRow   = foldRatio + 6 // rows of merging that each inserted row pays for: folding, and merging before it
	denseRatio   = 2             // rows of the base that are rewritten at once for a row
	nearRows     = 1 << 11       // rows that are merged before their keys are looked at again: they are still near
)

// block is an immutable run of neighbouring rows of the base, under the first ten bytes of its first row: the tag and
// kind of a column, and a number.
type block struct {
	tenBytes
	body *body
}

// body is what a block is looked up by when ten bytes do not decide, and its rows.
type body struct {
	rows  Batch
	first []byte
	last  tenBytes // of the last row
}

// tenBytes are the first ten bytes of a row as two numbers.
type tenBytes struct {
	head   uint16
	prefix uint64
}

func tenOf(row []byte) tenBytes {
	if len(row) >= 10 {
		return tenBytes{head: binary.BigEndian.Uint16(row), prefix: binary.BigEndian.Uint64(row[2:])}
	}
	var buf [10]byte
	copy(buf[:], row)
	return tenBytes{head: binary.BigEndian.Uint16(buf[:]), prefix: binary.BigEndian.Uint64(buf[2:])}
}

// compare orders by ten bytes; 0 is not yet equal.
func (t tenBytes) compare(u tenBytes) int {
	return cmp.Or(cmp.Compare(t.head, u.head), cmp.Compare(t.prefix, u.prefix))
}

func lessBlock(a, b block) bool {
	if a.head != b.head {
		return a.head < b.head
	}
	if a.prefix != b.prefix {
		return a.prefix < b.prefix
	}
	return bytes.Compare(a.body.first, b.body.first) < 0
}

// blockUnder makes a block under a row; the body must not be in another block.
func blockUnder(row []byte, body *body) block {
	body.first = row
	return block{tenBytes: tenOf(row), body: body}
}

// blockKey is a block to look others up with.
func blockKey(row []byte) block { return blockUnder(row, &body{}) }

// Arrangement is the sum of the batches inserted. One goroutine writes; snapshots may be read by any.
type Arrangement struct {
	base     *btree.BTreeG[block]
	baseRows int
	runs     []Batch    // oldest first
	merges   []*merging // of runs one behind another, oldest first: what is newer is merged while something large is
	fold     *folding
	filling  *filling // nil: what is inserted can be read at once
	count    int64    // the sum of all diffs
	replaced int64    // rows that were written anew in another place, so that only snapshots have them where they were
	bytes    int64
	snapshot *Snapshot // of the present content; nil when it has changed since
}

// merging is the merge of two neighbouring runs in progress.
type merging struct {
	at int // of the older run
	*merger
	out    *output
	filter *filter // of the output
}

// folding is runs that are being folded into the base together.
type folding struct {
	parts []folded
	room  *output    // where blocks are made before they are stored
	mixed [2]*output // and before that rows of several runs
}

// folded is a run of a folding: rows before done are in the base already.
type folded struct {
	run  Batch
	done int
}

// foldOf begins to fold runs.
func foldOf(runs ...Batch) *folding {
	f := &folding{parts: make([]folded, len(runs))}
	for i := range runs {
		f.parts[i].run = runs[i]
	}
	return f
}

// New makes an empty arrangement.
func New() *Arrangement {
	return &Arrangement{base: btree.NewBTreeGOptions(lessBlock, btree.Options{NoLocks: true, Degree: 32})}
}

// Insert adds a sealed batch and does a share of the merging.
func (a *Arrangement) Insert(b Batch) {
	if b.Len() == 0 {
		return
	}
	if b.diffs == nil {
		a.count += int64(b.n)
	}
	for _, d := range b.diffs {
		a.count += d
	}
	a.snapshot = nil
	if a.filling != nil {
		a.load(b)
		return
	}
	if a.dense(&b) {
		a.fold = foldOf(b)
	} else {
		b.filter = filterOf(&b)
		a.runs = append(a.runs, b)
	}
	a.bytes += int64(b.Bytes())
	a.Work(workPerRow * b.Len())
	for more := len(a.runs) - 2*mostRuns; more > 0; more-- { // the more wait, the more is done
		a.Work(pressingWork)
	}
	for len(a.runs) > limitRuns {
		a.Work(1 << 16)
	}
}

// Rows is the number of rows, each as often as it counts.
func (a *Arrangement) Rows() int64 { return a.count }

// Bytes is the memory of the arrangement.
func (a *Arrangement) Bytes() int64 { return a.bytes }

// Work merges and folds up to about fuel rows, and says whether nothing is left to do. The newest runs come first, and runs
// are merged while one is being folded, so that small ones do not pile up behind what takes long.
func (a *Arrangement) Work(fuel int) (done bool) {
	for fuel > 0 {
		switch {
		case a.foldDue() > 0:
			a.beginFold(a.foldDue())
		case a.mergeAt() >= 0:
			a.beginMerge(a.mergeAt())
		case len(a.merges) > 0:
			fuel -= a.stepMerge(fuel)
		case a.fold != nil:
			fuel -= a.stepFold(fuel)
		default:
			return true
		}
	}
	return len(a.merges) == 0 && a.fold == nil && a.foldDue() == 0 && a.mergeAt() < 0
}

// mergeAt is the place of two neighbouring runs, behind those that are being merged, that should be one: of like size, or too
// many. Large ones that only add rows are not merged as long as they are few: they are folded together.
func (a *Arrangement) mergeAt() int {
	best, size, from := -1, 0, 0
	if n := len(a.merges); n > 0 {
		from = a.merges[n-1].at + 2
	}
	for i := from; i+1 < len(a.runs); i++ {
		x, y := a.runs[i].Len(), a.runs[i+1].Len()
		if from > 0 && x+y > smallMerge {
			continue
		}
		many := len(a.runs)-from > mostRuns
		if many || x <= 2*y && !(x >= largeRun && a.runs[i].diffs == nil && a.runs[i+1].diffs == nil) {
			if best < 0 || x+y < size {
				best, size = i, x+y
			}
		}
	}
	return best
}

// foldDue says how many of the oldest runs, which are not being merged, are large enough to be folded together; 0: they are not.
func (a *Arrangement) foldDue() int {
	if a.fold != nil || len(a.runs) == 0 || len(a.merges) > 0 && a.merges[0].at == 0 {
		return 0
	}
	if a.runs[0].diffs != nil {
		if a.runs[0].Len() < max(foldLeast, a.baseRows/foldRatio) {
			return 0
		}
		return 1
	}
	sum, most := 0, len(a.runs)
	if len(a.merges) > 0 {
		most = a.merges[0].at
	}
	for i := range a.runs[:min(most, mostRuns)] {
		if i > 0 && (a.runs[i].diffs != nil || a.runs[i].Len() < largeRun) {
			break
		}
		if sum += a.runs[i].Len(); sum >= max(foldLeast, a.baseRows/growRatio) {
			return i + 1
		}
	}
	return 0
}

func (a *Arrangement) beginFold(n int) {
	a.fold = foldOf(a.runs[:n]...)
	a.runs = append([]Batch(nil), a.runs[n:]...)
	for _, m := range a.merges {
		m.at -= n
	}
	a.snapshot = nil
}

func (a *Arrangement) beginMerge(i int) {
	x, y := &a.runs[i], &a.runs[i+1]
	out := mergedOutput(x, y, x.n+y.n, len(x.data)+len(y.data))
	a.merges = append(a.merges, &merging{at: i, merger: newMerger(x, y), out: out, filter: newFilter(x.n + y.n)})
}

// stepMerge merges up to fuel rows of the two newest runs that are being merged.
func (a *Arrangement) stepMerge(fuel int) (used int) {
	last := len(a.merges) - 1
	m := a.merges[last]
	for used < fuel && (m.i < m.x.n || m.j < m.y.n) {
		from := m.out.b.n
		used += m.step(m.out, m.y.n, min(fuel-used, nearRows))
		m.filter.add(&m.out.b, from, m.out.b.n)
	}
	if m.i < m.x.n || m.j < m.y.n {
		return used
	}
	merged := m.out.batch()
	merged.filter = m.filter
	runs := append([]Batch(nil), a.runs[:m.at]...)
	switch {
	case merged.Len() == 0:
	case a.dense(&merged):
		a.fold = foldOf(merged)
	default:
		runs = append(runs, merged)
	}
	a.runs = append(runs, a.runs[m.at+2:]...)
	a.replaced += int64(m.x.n + m.y.n)
	a.bytes += int64(merged.Bytes() - m.x.Bytes() - m.y.Bytes())
	a.merges[last] = nil
	a.merges, a.snapshot = a.merges[:last], nil
	return used + 1
}

// dense says whether a run is best folded at once: nothing is being folded, and the blocks that it falls into hold few rows
// beside its own. So it is with what grows at one end, as all does that is ordered by time.
func (a *Arrangement) dense(b *Batch) bool {
	if a.fold != nil {
		return false
	}
	if b.n == 0 || a.baseRows == 0 {
		return b.n > 0
	}
	first, _ := a.blockOf(b.row(0))
	rows, last := 0, blockKey(b.row(b.n-1))
	a.base.Ascend(first, func(x block) bool {
		if rows > 0 && lessBlock(last, x) {
			return false
		}
		rows += x.body.rows.n
		return rows <= denseRatio*b.n
	})
	return rows <= denseRatio*b.n
}

// stepFold folds rows of the runs into the base, a block at a time.
func (a *Arrangement) stepFold(fuel int) (used int) {
	f := a.fold
	a.snapshot = nil
	for used < fuel && f.next() != nil {
		used += a.foldBlock(f)
	}
	if f.next() == nil {
		for i := range f.parts {
			a.bytes -= int64(f.parts[i].run.Bytes())
		}
		a.fold = nil
		used++
	}
	return used
}

// next is the run that has the least row of those that are left; nil when none is.
func (f *folding) next() *folded {
	var least *folded
	for i := range f.parts {
		p := &f.parts[i]
		if p.done < p.run.n && (least == nil || bytes.Compare(p.run.row(p.done), least.run.row(least.done)) < 0) {
			least = p
		}
	}
	return least
}

// foldBlock folds the rows that belong to one block, at most a few blocks' worth of each run.
func (a *Arrangement) foldBlock(f *folding) int {
	p := f.next()
	row := p.run.row(p.done)
	old, found := a.blockOf(row)
	if n := p.run.n - p.done; len(f.parts) == 1 && n >= blockRows && (!found || a.endsBefore(&old.body.rows, row)) {
		a.storePart(&p.run, p.done, p.run.n)
		p.done = p.run.n
		return n
	}
	rows := &Batch{}
	var until []byte
	if found {
		rows = &old.body.rows
		if next, ok := a.after(old); ok {
			until = next.body.first
		}
	}
	y, from, end := f.take(until)
	out := f.makeRoom(rows, y, rows.n+end-from)
	m := newMerger(rows, y)
	m.j = from
	work := m.step(out, end, rows.n+end)
	if found {
		a.remove(old)
	}
	return work + a.storeJoined(out.b)
}

// take gives rows of the runs up to a key, at most a few blocks' worth of each, as a range of a batch; nil is no key. They are done with.
func (f *folding) take(until []byte) (b *Batch, from, end int) {
	turn := 0
	for i := range f.parts {
		p := &f.parts[i]
		stop := p.run.n
		if until != nil {
			stop = p.run.seek(p.done, until)
		}
		stop = min(stop, p.done+4*blockRows)
		if b == nil || from == end {
			b, from, end = &p.run, p.done, stop
		} else if p.done < stop {
			x := *b
			x.n = end
			out := roomFor(&f.mixed[turn], &x, &p.run, end-from+stop-p.done)
			m := newMerger(&x, &p.run)
			m.i, m.j = from, p.done
			m.step(out, stop, end+stop)
			b, from, end = &out.b, 0, out.b.n
			turn ^= 1
		}
		p.done = stop
	}
	return b, from, end
}

// makeRoom is an empty output for rows of a block and of runs, some in all.
func (f *folding) makeRoom(old, runs *Batch, rows int) *output {
	return roomFor(&f.room, old, runs, rows)
}

// roomFor is an empty output for some rows of two batches: one that is used again.
func roomFor(room **output, x, y *Batch, rows int) *output {
	if *room == nil {
		*room = mergedOutput(x, y, rows, min(len(x.data), 4*blockBytes)+min(len(y.data), 4*blockBytes))
	} else {
		(*room).reset(x, y)
	}
	return *room
}

// endsBefore says whether a block that is not small is the last of the base, and its rows come before a row.
func (a *Arrangement) endsBefore(b *Batch, row []byte) bool {
	if b.n < blockRows/2 || bytes.Compare(b.row(b.n-1), row) >= 0 {
		return false
	}
	last, _ := a.base.Max()
	return &last.body.rows == b
}

// remove takes a block out of the base.
func (a *Arrangement) remove(b block) {
	a.base.Delete(b)
	a.baseRows -= b.body.rows.n
	a.replaced += int64(b.body.rows.n)
	a.bytes -= int64(b.body.rows.Bytes())
}

// storeJoined puts what is left of a block back; when that is little it is joined with the block before it, so that
// deletions do not leave a base of crumbs. It says how many rows that cost.
func (a *Arrangement) storeJoined(b Batch) int {
	if n := b.Len(); n == 0 || n >= blockRows/3 {
		a.storePart(&b, 0, n)
		return 0
	}
	var before block
	a.base.Descend(blockKey(b.Row(0)), func(x block) bool {
		before = x
		return false
	})
	if before.body == nil || before.body.rows.n > blockRows {
		a.storePart(&b, 0, b.n)
		return 0
	}
	a.remove(before)
	x := &before.body.rows
	out := mergedOutput(x, &b, x.n+b.n, len(x.data)+len(b.data))
	newMerger(x, &b).step(out, b.n, x.n+b.n)
	a.storePart(&out.b, 0, out.b.n)
	return x.n
}

// blockOf is the block in which a row belongs: the last whose first row is not greater, or else the first.
func (a *Arrangement) blockOf(row []byte) (block, bool) {
	var got block
	found := false
	a.base.Descend(blockKey(row), func(b block) bool {
		got, found = b, true
		return false
	})
	if !found {
		got, found = a.base.Min()
	}
	return got, found
}

// after is the block behind another.
func (a *Arrangement) after(b block) (next block, ok bool) {
	a.base.Ascend(b, func(x block) bool {
		if bytes.Equal(x.body.first, b.body.first) {
			return true
		}
		next, ok = x, true
		return false
	})
	return next, ok
}

// storePart cuts some rows of a batch into blocks of even size, and puts them into the base.
func (a *Arrangement) storePart(b *Batch, lo, hi int) {
	if lo == hi {
		return
	}
	from, _ := b.bounds(lo)
	_, to := b.bounds(hi - 1)
	n := hi - lo
	pieces := min(max((n+blockRows-1)/blockRows, (to-from+blockBytes-1)/blockBytes), n)
	for p := range pieces {
		a.set(b.slice(lo+n*p/pieces, lo+n*(p+1)/pieces))
	}
}

// set makes a block of rows.
func (a *Arrangement) set(rows Batch) {
	a.base.Set(blockUnder(rows.row(0), &body{rows: rows, last: tenOf(rows.row(rows.n - 1))}))
	a.baseRows += rows.n
	a.bytes += int64(rows.Bytes())
}

// slice copies a part of a batch, with no room to spare.
func (b *Batch) slice(lo, hi int) Batch {
	from, _ := b.bounds(lo)
	_, to := b.bounds(hi - 1)
	out := newOutput(hi-lo, to-from, b.diffs != nil, int(b.width))
	out.copy(b, lo, hi)
	return out.batch()
}

// Snapshot is the content now. It costs nothing when nothing has changed since the last.
func (a *Arrangement) Snapshot() *Snapshot {
	if a.snapshot == nil {
		check.That(a.filling == nil, "a snapshot of an arrangement that is being filled")
		s := &Snapshot{base: a.base.Copy(), runs: a.runs, rows: a.count, bytes: a.bytes, updates: a.baseRows}
		if a.fold != nil {
			s.folding = slices.Clone(a.fold.parts)
			for i := range s.folding {
				s.updates += s.folding[i].run.n - s.folding[i].done
			}
		}
		for _, run := range a.runs {
			s.updates += run.Len()
		}
		a.runs = a.runs[:len(a.runs):len(a.runs)]
		a.snapshot = s
	}
	return a.snapshot
}

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
