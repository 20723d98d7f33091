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

// foldLoop folds segments as they end.
func (j *Journal) foldLoop() {
	defer j.wait.Done()
	for {
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

// Fold folds all segments that may be, now.
func (j *Journal) Fold() error {
	for {
		folded, err := j.foldNext(context.Background())
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
		s = j.thick()
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
	f := &fold{j: j, m: m, ctx: ctx, changes: map[uint64][]stream{}}
	if err := f.segment(s); err != nil {
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

// fold is a fold on its way to manifest m.
type fold struct {
	j       *Journal
	m       *manifest
	ctx     context.Context // of one fold: it breaks off when this ends
	rows    int             // written
	changes map[uint64][]stream
	made    []string // files
}

func (f *fold) segment(s *segment) error {
	_, _, err := readSegment(f.j.opts.FS, s.name, s.first, s.next, f.see)
	if err != nil {
		return err
	}
	return f.fold(s.last, s.next)
}

// fold makes what was seen part of the runs: all up to a time, before a record.
func (f *fold) fold(last, next uint64) error {
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

// haltEvery is after how many rows a fold looks whether it is to break off.
const haltEvery = 1 << 13

// halt is why the fold must not go on.
func (f *fold) halt() error {
	if f.rows++; f.rows%haltEvery > 0 {
		return nil
	}
	if f.j.isStopped() {
		return ErrClosed
	}
	return f.ctx.Err()
}

// see gathers the updates of a record.
func (f *fold) see(r found) error {
	rec, err := r.record()
	if err != nil {
		return err
	}
	set(f.m.Notes, rec.Notes)
	for _, c := range rec.Changes {
		f.changes[c.Collection] = append(f.changes[c.Collection], &batchStream{b: c.Rows})
	}
	for _, id := range rec.Dropped {
		delete(f.changes, id)
		f.m.Runs = slices.DeleteFunc(f.m.Runs, func(r run) bool { return r.Collection == id })
	}
	return nil
}

// collection writes the updates of a collection as a run, merged with those of its runs that are not at least twice as large
// as all that is newer.
func (f *fold) collection(id uint64, in []stream) error {
	var kept, mine []run
	for _, r := range f.m.Runs {
		if r.Collection == id {
			mine = append(mine, r)
		} else {
			kept = append(kept, r)
		}
	}
	r, err := f.write(id, in)
	if err != nil {
		return err
	}
	n, size := len(mine), r.Bytes
	for n > 0 && mine[n-1].Bytes < 2*size {
		n--
		size += mine[n].Bytes
	}
	if n < len(mine) {
		if r, err = f.mergeRuns(id, append(mine[n:len(mine):len(mine)], r)); err != nil {
			return err
		}
	}
	mine = mine[:n:n]
	if r.Rows > 0 {
		mine = append(mine, r)
	}
	f.m.Runs = append(kept, mine...)
	return nil
}

func (f *fold) mergeRuns(id uint64, runs []run) (run, error) {
	in, done, err := f.j.openRuns(runs)
	defer done()
	if err != nil {
		return run{}, err
	}
	return f.write(id, in)
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

func (f *fold) write(id uint64, in []stream) (run, error) {
	r := run{Collection: id, File: fmt.Sprintf("%s%016x", runPrefix, f.m.NextRun)}
	f.m.NextRun++
	name := filepath.Join(f.j.opts.Dir, r.File)
	w, err := newRunWriter(f.j.opts.FS, name, id, !f.j.opts.Plain)
	if err != nil {
		return r, err
	}
	f.made = append(f.made, name)
	err = merge(in, func(row []byte, diff int64) error {
		if err := f.halt(); err != nil {
			return err
		}
		return w.add(row, diff)
	})
	if err == nil {
		err = w.finish()
	}
	if cerr := w.f.Close(); err == nil {
		err = cerr
	}
	r.Rows, r.Bytes = w.rows, w.at
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
