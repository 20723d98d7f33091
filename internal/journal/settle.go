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
	for {
		folded, err := j.foldNext(ctx)
		if err != nil {
			return err
		}
		if !folded {
			break
		}
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

// split folds the records of the oldest segment up to a time, and copies those behind it to a segment of their own. The
// manifest decides: before it is written the copy is one of what the old segment holds, and afterwards the old one is left over.
func (j *Journal) split(hold uint64, f *fold, old *segment) error {
	rest := &segment{first: old.next, next: old.next, sealed: old.sealed}
	from, last := old.end, uint64(0)
	at, follows := int64(segmentHeader), old.next
	if old == j.newest {
		follows = 0
	}
	_, _, err := readSegment(j.opts.FS, old.name, old.first, follows, func(r found) error {
		if r.time <= hold {
			last = r.time
			at += r.size
			return f.see(r)
		}
		if from > at {
			from, rest.first = at, r.number
		}
		rest.last = r.time
		return nil
	})
	if err != nil || last == 0 {
		return err
	}
	rest.name = filepath.Join(j.opts.Dir, segmentName(rest.first))
	file, end, err := j.copyRest(old.name, rest, from, old.end)
	if err != nil {
		return fmt.Errorf("copy the end of %s: %w", old.name, err)
	}
	rest.end = end
	for _, t := range f.m.Thin {
		if t.First == old.first { // the rest of a thin one is thin
			t.First, t.File = rest.first, segmentName(rest.first)
			f.m.Thin = append(f.m.Thin, t)
			break
		}
	}
	if err := f.fold(last, rest.first); err != nil {
		f.undo()
		_ = file.Close()
		_ = j.opts.FS.Remove(rest.name) // it is left over otherwise, and swept at the next start
		return err
	}
	j.mu.Lock()
	j.garbage = append(j.garbage, f.gone(j.manifest, old.name)...)
	j.manifest = f.m
	newest := old == j.newest
	if newest {
		file, j.file, j.newest = j.file, file, rest
	} else {
		j.older[0] = rest
	}
	j.mu.Unlock()
	if newest {
		if err := j.goOnWith(j.file, end, end); err != nil {
			return j.breakDown(err)
		}
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("close a segment: %w", err)
	}
	return j.discard()
}

// copyRest makes a segment of a part of another.
func (j *Journal) copyRest(name string, rest *segment, from, to int64) (file disk.File, end int64, err error) {
	fs := j.opts.FS
	b := appendSegmentHeader(nil, rest.first)
	head := len(b)
	b = append(b, make([]byte, to-from)...)
	in, err := fs.Open(name)
	if err != nil {
		return nil, 0, err
	}
	if to > from {
		_, err = in.ReadAt(b[head:], from)
	}
	if cerr := in.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, 0, err
	}
	if file, err = fs.Create(rest.name); err != nil {
		return nil, 0, err
	}
	end = int64(len(b))
	if rest.sealed {
		b = appendSeal(b, rest.next)
	}
	if _, err = file.WriteAt(b, 0); err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = fs.SyncDir(j.opts.Dir)
	}
	if err != nil {
		_ = file.Close()
		_ = fs.Remove(rest.name) // it is left over otherwise, and swept at the next start
		return nil, 0, err
	}
	return file, end, nil
}
