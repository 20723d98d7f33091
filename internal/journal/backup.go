package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"millrace/internal/disk"
)

// backupChunk is how many bytes a copy takes at once.
const backupChunk = 1 << 20

// partial is behind the name of a backup that is not whole yet.
const partial = ".partial"

// Backup copies the journal to a folder that is not there yet, while records are appended. The copy is a journal that holds
// all records whose Commit was waited for before, and perhaps some that came meanwhile. It is there as a whole or not at all.
func (j *Journal) Backup(dir string) (bytes int64, err error) {
	if _, err := j.opts.FS.List(dir); err == nil {
		return 0, fmt.Errorf("%s is there already: a backup makes its own folder", dir)
	}
	if bytes, err = j.copyTo(dir + partial); err == nil {
		err = j.opts.FS.Rename(dir+partial, dir)
	}
	if err == nil {
		return bytes, j.opts.FS.SyncDir(filepath.Dir(dir))
	}
	if _, lerr := j.opts.FS.List(dir + partial); lerr != nil {
		return 0, err // it could not be made
	}
	if cerr := j.removeAll(dir + partial); cerr != nil {
		err = fmt.Errorf("%w; what is there of it is left in %s, and the next backup to %s replaces it (%v)", err, dir+partial, dir, cerr)
	}
	return 0, err
}

// copyTo copies the journal to a folder.
func (j *Journal) copyTo(dir string) (bytes int64, err error) {
	files, release := j.Files()
	defer release()
	if err := j.emptied(dir); err != nil {
		return 0, err
	}
	for _, f := range files {
		n, err := duplicate(j.opts.FS, f.Name, filepath.Join(dir, filepath.Base(f.Name)), f.End)
		if err != nil {
			return 0, fmt.Errorf("copy %s: %w", f.Name, err)
		}
		bytes += n
	}
	if err := j.opts.FS.SyncDir(dir); err != nil {
		return 0, fmt.Errorf("sync %s: %w", dir, err)
	}
	return bytes, nil
}

// removeAll removes a folder and the files in it.
func (j *Journal) removeAll(dir string) error {
	if err := j.emptied(dir); err != nil {
		return err
	}
	if err := j.opts.FS.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// emptied makes a folder, or takes out of it what a backup that broke off has left.
func (j *Journal) emptied(dir string) error {
	if err := j.opts.FS.MkdirAll(dir); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	left, err := j.opts.FS.List(dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	for _, name := range left {
		if err := j.opts.FS.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("empty %s: %w", dir, err)
		}
	}
	return nil
}

func duplicate(on disk.FS, from, to string, end int64) (int64, error) {
	in, err := on.Open(from)
	if err != nil {
		return 0, err
	}
	defer func() { _ = in.Close() }() // it was only read
	if end < 0 {
		if end, err = in.Size(); err != nil {
			return 0, err
		}
	}
	out, err := on.Create(to)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, min(backupChunk, max(end, 1)))
	for at := int64(0); at < end && err == nil; at += int64(len(buf)) {
		b := buf[:min(int64(len(buf)), end-at)]
		if _, err = in.ReadAt(b, at); err == nil {
			_, err = out.WriteAt(b, at)
		}
	}
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return end, err
}
