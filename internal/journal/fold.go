package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

const runPrefix = "run-"

// keepRoom is how often a fold finds nothing to do before it gives its memory back.
const keepRoom = 100

// foldLoop folds segments as they end.
func (j *Journal) foldLoop() {
	defer j.wait.Done()
	for idle := 0; ; idle++ {
		select {
		case <-j.stop:
			return
		case <-j.wake:
		}
		for {
			folded, err := j.foldNext(context.Background())
			j.noteFold(folded, err)
			if !folded || err != nil {
				break
			}
			idle = 0
		}
		if idle == keepRoom {
			j.turn <- struct{}{}
			j.room = foldRoom{}
			j.roomBytes.Store(0)
			<-j.turn
		}
	}
}

// noteFold says when folding begins to fail, or fails for another reason, and when it goes on: it is tried again with every tick.
func (j *Journal) noteFold(folded bool, err error) {
	j.mu.Lock()
	before, tries := j.foldErr, j.foldTries
	switch {
	case errors.Is(err, ErrClosed):
	case err != nil:
		j.foldErr, j.foldTries = err, tries+1
	case folded:
		j.foldErr, j.foldTries = nil, 0
	}
	now := j.foldErr
	j.mu.Unlock()
	switch {
	case now != nil && (before == nil || before.Error() != now.Error()):
		j.opts.Log.Warn("the log cannot be folded, which is tried again", "err", now)
	case now == nil && before != nil:
		j.opts.Log.Info("the log is folded again", "failed", tries)
	}
}

// foldRoom is memory that a fold leaves to the next one.
type foldRoom struct {
	segment []byte
	out     []byte    // of a run
	entries []entry   // to sort others
	lists   [][]entry // of collections
}

// bytes is how much memory that is.
func (r *foldRoom) bytes() int {
	n := cap(r.segment) + cap(r.out) + cap(r.entries)*entryBytes
	for _, l := range r.lists {
		n += cap(l) * entryBytes
	}
	return n
}

// list is an empty list of entries.
func (r *foldRoom) list() []entry {
	n := len(r.lists)
	if n == 0 {
		return nil
	}
	list := r.lists[n-1]
	r.lists = r.lists[:n-1]
	return list[:0]
}

// Fold folds all segments that may be, now.
func (j *Journal) Fold() error { return j.foldAll(context.Background()) }

func (j *Journal) foldAll(ctx context.Context) error {
	for {
		folded, err := j.foldNext(ctx)
		if !folded || err != nil {
			return err
		}
	}
}

// foldNext folds the oldest segment, if that has ended and no hold keeps it; or else what may be of one of which a hold keeps a part.
func (j *Journal) foldNext(ctx context.Context) (bool, error) {
	select {
	case j.turn <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-j.turn }()
	j.mu.Lock()
	if len(j.older) == 0 || j.older[0].open || j.isStopped() {
		j.mu.Unlock()
		return false, nil
	}
	s, m, each := j.older[0], j.manifest.clone(), j.each
	held := s.last > j.hold
	if held {
		s = j.toBeThin()
	}
	j.mu.Unlock()
	if s == nil {
		return false, nil
	}
	if held {
		if err := j.thin(ctx, s, m, each); err != nil {
			return false, err
		}
		return true, j.discard()
	}
	f := &fold{j: j, m: m, ctx: ctx, changes: map[uint64]*gathered{}}
	err := f.segment(s)
	j.roomBytes.Store(int64(j.room.bytes()))
	if err != nil {
		f.undo()
		return false, err
	}
	j.mu.Lock()
	j.garbage = append(j.garbage, f.gone(j.manifest, s.name)...)
	j.manifest = m
	j.older = j.older[1:]
	j.mu.Unlock()
	return true, j.discard()
}

// discard removes files that nothing needs, unless somebody copies them. The lock is not held meanwhile, for who appends takes it.
func (j *Journal) discard() error {
	j.mu.Lock()
	var names []string
	if j.pins == 0 {
		names, j.garbage = j.garbage, nil
	}
	j.mu.Unlock()
	for i, name := range names {
		if err := j.opts.FS.Remove(name); err != nil {
			j.mu.Lock()
			j.garbage = append(names[i:len(names):len(names)], j.garbage...)
			j.mu.Unlock()
			return fmt.Errorf("remove a folded file: %w", err)
		}
	}
	return nil
}

// fold is a fold on its way to manifest m: it sees records, writes what they change as runs, and counts once m is written.
type fold struct {
	j       *Journal
	m       *manifest
	ctx     context.Context      // of one fold: it breaks off when this ends
	rows    int                  // written since it looked whether to go on
	changes map[uint64]*gathered // by collection
	made    []string             // files
}

// segment folds a segment as a whole.
func (f *fold) segment(s *segment) error {
	room := &f.j.room
	b, err := content(f.j.opts.FS, s.name, room.segment)
	if err != nil {
		return err
	}
	room.segment = b
	if _, _, err := scanSegment(b, s.name, s.first, s.next, f.see); err != nil {
		return err
	}
	return f.commit(s.last, s.next)
}

// commit makes what was seen part of the runs, and has that count: all up to the time last, in the records before next.
func (f *fold) commit(last, next uint64) error {
	if err := f.collections(); err != nil {
		return err
	}
	f.m.Folded, f.m.Next = last, next
	f.m.Thin = slices.DeleteFunc(f.m.Thin, func(t thinned) bool { return t.First < next })
	return f.m.write(f.j.opts.FS, f.j.opts.Dir)
}

// collections writes all changes that were seen.
func (f *fold) collections() error {
	for _, id := range slices.Sorted(maps.Keys(f.changes)) {
		if err := f.collection(id, f.changes[id]); err != nil {
			return err
		}
	}
	return nil
}

// undo removes what a fold has made that came to nothing.
func (f *fold) undo() {
	for _, name := range f.made {
		_ = f.j.opts.FS.Remove(name) // it is left over otherwise, and swept at the next start
	}
}

// haltEvery is after how many rows a fold looks whether it is to break off, about.
const haltEvery = 1 << 13

// halt is why the fold must not go on, now that it has written so many rows more.
func (f *fold) halt(rows int) error {
	if f.rows += rows; f.rows < haltEvery {
		return nil
	}
	f.rows = 0
	if f.j.isStopped() {
		return ErrClosed
	}
	return f.ctx.Err()
}

// see gathers the updates of a record.
func (f *fold) see(rec found) error {
	body, err := unpack(nil, rec.stored)
	if err != nil {
		return rec.bad(err)
	}
	r := &reader{b: body}
	head := r.head(rec.time)
	for range r.count() {
		id := r.uvarint()
		if f.changes[id] == nil {
			f.changes[id] = &gathered{entries: f.j.room.list()}
		}
		f.changes[id].rows(r, body)
	}
	if err := r.end(); err != nil {
		return rec.bad(err)
	}
	set(f.m.Notes, head.Notes)
	for _, id := range head.Dropped {
		delete(f.changes, id)
		f.m.Runs = slices.DeleteFunc(f.m.Runs, func(r run) bool { return r.Collection == id })
	}
	return nil
}

// collection writes the updates of a collection as a run, merged with those of its runs that are to be.
func (f *fold) collection(id uint64, g *gathered) error {
	var kept, mine []run
	for _, r := range f.m.Runs {
		if r.Collection == id {
			mine = append(mine, r)
		} else {
			kept = append(kept, r)
		}
	}
	room := &f.j.room
	room.entries = g.sort(room.entries)
	room.lists = append(room.lists, g.entries)
	n := mergeFrom(mine, g.size, g.live)
	in, done, err := f.j.openRuns(mine[n:])
	defer done()
	if err != nil {
		return err
	}
	r, err := f.write(id, append(in, &gatheredStream{g: g}))
	if err != nil {
		return err
	}
	mine = mine[:n:n]
	if r.Rows > 0 {
		mine = append(mine, r)
	}
	f.m.Runs = append(kept, mine...)
	return nil
}

// openRuns opens the streams of runs; done closes them.
func (j *Journal) openRuns(runs []run) (in []stream, done func(), err error) {
	var open []*runReader
	done = func() {
		for _, r := range open {
			r.close()
		}
	}
	for _, r := range runs {
		rd, err := openRun(j.opts.FS, filepath.Join(j.opts.Dir, r.File), r.Collection)
		if err != nil {
			return nil, done, err
		}
		open, in = append(open, rd), append(in, rd)
	}
	return in, done, nil
}

// write writes a run of what streams give.
func (f *fold) write(id uint64, in []stream) (run, error) {
	r := run{Collection: id, File: fmt.Sprintf("%s%016x", runPrefix, f.m.NextRun)}
	f.m.NextRun++
	name := filepath.Join(f.j.opts.Dir, r.File)
	w, err := newRunWriter(f.j.opts.FS, name, id, f.j.room.out)
	if err != nil {
		return r, err
	}
	f.made = append(f.made, name)
	w.compress, w.halt = f.j.opts.Compress, f.halt
	if err = merge(in, w); err == nil {
		err = w.finish()
	}
	if cerr := w.f.Close(); err == nil {
		err = cerr
	}
	f.j.room.out = w.out
	r.Rows, r.Bytes, r.Size, r.Live = w.rows, w.at, w.size, w.live
	return r, err
}

// gone are the files that the old manifest needed, or the fold made, and the new one does not need.
func (f *fold) gone(old *manifest, segment string) []string {
	need := map[string]bool{}
	for _, r := range f.m.Runs {
		need[filepath.Join(f.j.opts.Dir, r.File)] = true
	}
	for _, t := range f.m.Thin {
		need[filepath.Join(f.j.opts.Dir, t.File)] = true
	}
	out := []string{segment}
	if old.Number > 0 {
		out = append(out, filepath.Join(f.j.opts.Dir, manifestName(old.Number)))
	}
	for _, r := range old.Runs {
		if name := filepath.Join(f.j.opts.Dir, r.File); !need[name] {
			out = append(out, name)
		}
	}
	for _, name := range f.made {
		if !need[name] {
			out = append(out, name)
		}
	}
	return out
}
