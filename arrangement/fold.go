package arrangement

import "bytes"

// folding is runs that are being folded into the base together.
type folding struct {
	parts []folded
	room  *output    // where the rows of a block are merged with those of the runs, before blocks of their own are made of them
	mixed [2]*output // where the rows of several runs are merged before that
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

// foldBlock folds the rows that belong to one block, at most a few blocks' worth of each run. Rows of a single run that come behind all
// blocks need no merging, and become blocks as they are.
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

// take gives the rows of the runs up to a key, at most a few blocks' worth of each, as a range of a batch; nil is no key. They are done with.
// Rows of several runs are merged two by two: what is merged so far is read from one of the mixed outputs while the other is written.
func (f *folding) take(until []byte) (b *Batch, from, end int) {
	turn := 0
	for i := range f.parts {
		p := &f.parts[i]
		stop := p.run.n
		if until != nil {
			stop = p.run.seek(p.done, until)
		}
		stop = min(stop, p.done+4*blockRows)
		switch {
		case b == nil || from == end: // there is nothing yet to merge with
			b, from, end = &p.run, p.done, stop
		case p.done < stop:
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
