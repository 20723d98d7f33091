package journal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"millrace/internal/disk"
)

// chain is the segments that a manifest has not folded, each read behind the one before it.
type chain struct {
	fs   disk.FS
	dir  string
	see  func(found) error                       // is shown every record
	done func(name string, torn bool, err error) // is told of every segment; may be nil

	segments []*segment
	left     []string // files of segments that do not count: a crash came before their records were theirs, see split
	torn     bool     // the newest ends in what a crash left half written
}

// read goes through the segments among the names of a folder.
func (c *chain) read(m *manifest, names []string) error {
	firsts := segmentsIn(names, m)
	next, sealed := m.Next, m.Number > 0 // what a manifest says that follows was there with its header
	for _, t := range m.Thin {
		if name := segmentName(t.First); name != t.File && slices.Contains(names, name) {
			c.left = append(c.left, name)
		}
	}
	for i, first := range firsts {
		name := m.fileOf(first)
		if first < next {
			c.left = append(c.left, name)
			continue
		}
		follows := uint64(0)
		if i+1 < len(firsts) {
			follows = firsts[i+1]
		}
		s, torn, err := c.segment(name, place{first, next, follows}, sealed)
		if c.done != nil {
			c.done(name, torn, err)
		}
		if err != nil {
			return err
		}
		c.segments, c.torn = append(c.segments, s), torn
		next, sealed = s.next, s.sealed
	}
	if sealed || len(c.segments) == 0 && hasRuns(names) {
		err := damage(filepath.Join(c.dir, segmentName(next)), 0, "the file is missing, and with it all records from %d on", next)
		if c.done != nil {
			c.done(segmentName(next), false, err)
		}
		return err
	}
	return nil
}

// segment reads the one in a file that begins with the record first, as next is to; whole says that its header was durable.
func (c *chain) segment(file string, at place, whole bool) (*segment, bool, error) {
	name := filepath.Join(c.dir, file)
	if at.first != at.next {
		return nil, false, damage(name, 0, "records %d to %d are missing before it", at.next, at.first-1)
	}
	s, torn, err := readSegment(c.fs, name, at.first, at.follows, c.see)
	if errors.Is(err, os.ErrNotExist) {
		err = damage(name, 0, "the file is missing")
	}
	if err == nil && s.end == 0 && whole {
		err = damage(name, 0, "the header is missing")
	}
	return s, torn, err
}

// place is where a segment stands in a chain: the number of its first record, that of the record that is to come next, and that of
// the first record of the segment behind it, 0 when it is the newest.
type place struct{ first, next, follows uint64 }

// segmentsIn are the numbers of the first records of the segments that a manifest has not folded, in order.
func segmentsIn(names []string, m *manifest) []uint64 {
	var firsts []uint64
	for _, name := range names {
		if first, ok := numbered(name, segmentPrefix); ok && first >= m.Next {
			firsts = append(firsts, first)
		}
	}
	for _, t := range m.Thin {
		firsts = append(firsts, t.First)
	}
	slices.Sort(firsts)
	return slices.Compact(firsts)
}

// hasRuns says whether there are runs: then a journal was begun, whatever else is missing.
func hasRuns(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		_, ok := numbered(name, runPrefix)
		return ok
	})
}
