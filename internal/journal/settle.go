package journal

import (
	"context"
	"fmt"
	"path/filepath"

	"millrace/internal/disk"
)

// Settle folds all that is not held, also of the newest segment, so that who opens the journal next replays no more than what is
// held. It breaks off when ctx ends, and then that is as it was. The goroutine that appends calls it, once it is done.
func (j *Journal) Settle(ctx context.Context) error {
	if err := j.err(); err != nil {
		return err
	}
	if j.commit != nil {
		if err := j.commit.Wait(); err != nil {
			return err
		}
	}
	if err := j.foldAll(ctx); err != nil {
		return err
	}
	select {
	case j.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-j.turn }()
	j.mu.Lock()
	hold, m, old := j.hold, j.manifest.clone(), j.newest
	if len(j.older) > 0 {
		old = j.older[0]
	}
	j.mu.Unlock()
	return j.split(hold, &fold{j: j, m: m, ctx: ctx, changes: map[uint64]*gathered{}}, old)
}

// split folds the records of the oldest segment up to a time, and copies those behind it to a segment of their own, which takes its
// place. The manifest decides: before it is written the copy is one of what the old segment holds, and afterwards the old one is left
// over.
func (j *Journal) split(hold uint64, f *fold, old *segment) error {
	c, err := f.cut(old, hold)
	if err != nil || c.folded == 0 {
		return err
	}
	file, err := j.copyRest(old, c)
	if err != nil {
		return fmt.Errorf("copy the end of %s: %w", old.name, err)
	}
	for _, t := range f.m.Thin {
		if t.First == old.first { // the rest of a thin one is thin
			t.First, t.File = c.rest.first, segmentName(c.rest.first)
			f.m.Thin = append(f.m.Thin, t)
			break
		}
	}
	if err := f.commit(c.folded, c.rest.first); err != nil {
		f.undo()
		_ = file.Close()
		_ = j.opts.FS.Remove(c.rest.name) // it is left over otherwise, and swept at the next start
		return err
	}
	return j.replace(old, c.rest, file, f)
}

// cut is where a segment is parted: what stands before is folded, what stands behind becomes a segment of its own.
type cut struct {
	folded uint64   // the time of the last record before; 0: there is none
	at     int64    // in the file
	rest   *segment // of the records behind, of which there may be none
}

// cut sees the records of a segment up to a time, and looks where the others begin.
func (f *fold) cut(s *segment, hold uint64) (cut, error) {
	c := cut{at: segmentHeader, rest: &segment{first: s.next, next: s.next, sealed: s.sealed}}
	follows := s.next
	if s == f.j.newest {
		follows = 0
	}
	_, _, err := readSegment(f.j.opts.FS, s.name, s.first, follows, func(r found) error {
		if r.time > hold { // and so are all that come behind it
			c.rest.first, c.rest.last = min(c.rest.first, r.number), r.time
			return nil
		}
		c.folded = r.time
		c.at += r.size
		return f.see(r)
	})
	c.rest.name = filepath.Join(f.j.opts.Dir, segmentName(c.rest.first))
	return c, err
}

// replace has a segment, of which the file is given, take the place of the one that was split. When that is the newest, records go to the
// new file from now on.
func (j *Journal) replace(old, rest *segment, file disk.File, f *fold) error {
	done := file // with which the journal is
	j.mu.Lock()
	j.garbage = append(j.garbage, f.gone(j.manifest, old.name)...)
	j.manifest = f.m
	newest := old == j.newest
	if newest {
		done, j.file, j.newest = j.file, file, rest
	} else {
		j.older[0] = rest
	}
	j.mu.Unlock()
	if newest {
		if err := j.goOnWith(file, rest.end, rest.end); err != nil {
			return j.breakDown(err)
		}
	}
	if err := done.Close(); err != nil {
		return fmt.Errorf("close a segment: %w", err)
	}
	return j.discard()
}

// copyRest writes what stands behind the cut of a segment to a file, and leaves none when that fails.
func (j *Journal) copyRest(from *segment, c cut) (disk.File, error) {
	b := appendSegmentHeader(nil, c.rest.first)
	head := len(b)
	b = append(b, make([]byte, from.end-c.at)...)
	in, err := j.opts.FS.Open(from.name)
	if err != nil {
		return nil, err
	}
	if from.end > c.at {
		_, err = in.ReadAt(b[head:], c.at)
	}
	if cerr := in.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	c.rest.end = int64(len(b))
	if c.rest.sealed {
		b = appendSeal(b, c.rest.next)
	}
	file, err := createWith(j.opts.FS, c.rest.name, b)
	if err != nil {
		return nil, err
	}
	if err := j.opts.FS.SyncDir(j.opts.Dir); err != nil {
		_ = file.Close()
		_ = j.opts.FS.Remove(c.rest.name) // it is left over otherwise, and swept at the next start
		return nil, err
	}
	return file, nil
}
