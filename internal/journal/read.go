package journal

import (
	"maps"
	"path/filepath"
	"slices"
)

// State is what an opened journal holds.
type State struct {
	Folded uint64            // the time whose content Read gives; 0 when nothing is folded
	Last   uint64            // the time of the last record; 0 when there is none
	Notes  map[string][]byte // as of Last
}

// State is what the journal holds now.
func (j *Journal) State() State {
	j.mu.Lock()
	defer j.mu.Unlock()
	return State{Folded: j.manifest.Folded, Last: j.last(), Notes: maps.Clone(j.notes)}
}

// Notes are the notes as of the time of the fold; the records that Ticks gives change them.
func (j *Journal) Notes() map[string][]byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.manifest.Notes)
}

// Collections are the collections that have rows as of the fold, sorted.
func (j *Journal) Collections() []uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []uint64
	for _, r := range j.manifest.Runs {
		if !slices.Contains(out, r.Collection) {
			out = append(out, r.Collection)
		}
	}
	slices.Sort(out)
	return out
}

// Rows is about how many rows Read gives.
func (j *Journal) Rows(collection uint64) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := int64(0)
	for _, r := range j.manifest.Runs {
		if r.Collection == collection {
			n += r.Rows
		}
	}
	return n
}

// Read gives the content of a collection as of the fold, in order. A row is valid during the call.
func (j *Journal) Read(collection uint64, f func(row []byte, diff int64) error) error {
	release := j.pin()
	defer release()
	j.mu.Lock()
	var mine []run
	for _, r := range j.manifest.Runs {
		if r.Collection == collection {
			mine = append(mine, r)
		}
	}
	j.mu.Unlock()
	in, done, err := j.openRuns(mine)
	defer done()
	if err != nil {
		return err
	}
	return merge(in, eachRow(f))
}

// Ticks gives the records after the fold, in order. What a record holds is valid during the call.
func (j *Journal) Ticks(f func(*Record) error) error {
	release := j.pin()
	defer release()
	j.mu.Lock()
	var list []segment
	for _, s := range append(slices.Clone(j.older), j.newest) {
		list = append(list, *s)
	}
	j.mu.Unlock()
	for i, s := range list {
		follows := s.next
		if i == len(list)-1 {
			follows = 0
		}
		_, _, err := readSegment(j.opts.FS, s.name, s.first, follows, func(r found) error {
			if r.number >= s.next {
				return nil // it came after we looked
			}
			rec, err := r.record()
			if err != nil {
				return err
			}
			return f(rec)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pin keeps all files until release.
func (j *Journal) pin() (release func()) {
	j.mu.Lock()
	j.pins++
	j.mu.Unlock()
	return func() {
		j.mu.Lock()
		j.pins--
		j.mu.Unlock()
		_ = j.discard() // the next fold tries again, and says so
	}
}

// File is a file of a journal.
type File struct {
	Name string
	End  int64 // how much of it counts; -1: all
}

// Files are the files of the journal, oldest first, the newest segment last; up to their ends they stay as they are until release.
// A copy of them is a journal.
func (j *Journal) Files() (files []File, release func()) {
	release = j.pin()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.manifest.Number > 0 {
		files = append(files, File{filepath.Join(j.opts.Dir, manifestName(j.manifest.Number)), -1})
	}
	for _, r := range j.manifest.Runs {
		files = append(files, File{filepath.Join(j.opts.Dir, r.File), -1})
	}
	for _, s := range append(slices.Clone(j.older), j.newest) {
		files = append(files, File{s.name, s.size()})
	}
	return files, release
}
