package journal

import (
	"fmt"
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
	files, release := j.Files()
	defer release()
	fs := j.opts.FS
	if _, err := fs.List(dir); err == nil {
		return 0, fmt.Errorf("%s is there already: a backup makes its own folder", dir)
	}
	if err := j.emptied(dir + partial); err != nil {
		return 0, err
	}
	for _, f := range files {
		n, err := duplicate(fs, f.Name, filepath.Join(dir+partial, filepath.Base(f.Name)), f.End)
		if err != nil {
			return 0, fmt.Errorf("copy %s: %w", f.Name, err)
		}
		bytes += n
	}
	if err := fs.SyncDir(dir + partial); err != nil {
		return 0, fmt.Errorf("sync %s: %w", dir, err)
	}
	if err := fs.Rename(dir+partial, dir); err != nil {
		return 0, fmt.Errorf("name %s: %w", dir, err)
	}
	return bytes, fs.SyncDir(filepath.Dir(dir))
}

// emptied makes a folder, or takes out of it what a backup that broke off has left.
func (j *Journal) emptied(dir string) error {
	fs := j.opts.FS
	if err := fs.MkdirAll(dir); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	left, err := fs.List(dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	for _, name := range left {
		if err := fs.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("empty %s: %w", dir, err)
		}
	}
	return nil
}

func duplicate(fs disk.FS, from, to string, end int64) (int64, error) {
	in, err := fs.Open(from)
	if err != nil {
		return 0, err
	}
	defer func() { _ = in.Close() }() // it was only read
	if end < 0 {
		if end, err = in.Size(); err != nil {
			return 0, err
		}
	}
	out, err := fs.Create(to)
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
