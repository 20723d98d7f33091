package journal

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// A segment that is held back for the history of some collections is made thin: the changes of all others are folded, and what is
// left of it, all its records with the changes of those some, is written as a segment of its own, which takes its place.
//
// Rows only add up, so it does not matter in which order changes are folded: what is folded of a collection is its content as of a
// time once no record up to that time holds changes of it, and Since says from when on that is so.
const thinPrefix = "thin-"

// thinned is what the manifest says of such a segment.
type thinned struct {
	First uint64   `json:"first"` // the number of its first record
	File  string   `json:"file"`
	Last  uint64   `json:"last"` // the time of its last record
	Kept  []uint64 `json:"kept"` // the collections whose changes are in it still
}

// HoldEach says that nothing after general is to be folded, and of some collections nothing after times of their own: records after
// them can still be read one by one. each is not changed any more.
func (j *Journal) HoldEach(general uint64, each map[uint64]uint64) {
	j.mu.Lock()
	j.general, j.each, j.hold = general, each, general
	for _, t := range each {
		j.hold = min(j.hold, t)
	}
	j.mu.Unlock()
	j.nudge()
}

// Since is the time up to which all changes of a collection are folded: between two later times its content can be told apart.
func (j *Journal) Since(collection uint64) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	since := j.manifest.Folded
	for _, t := range j.manifest.Thin {
		if _, kept := slices.BinarySearch(t.Kept, collection); !kept {
			since = max(since, t.Last)
		}
	}
	return since
}

// fileOf is the name of the file of the segment that begins with a record.
func (m *manifest) fileOf(first uint64) string {
	for _, t := range m.Thin {
		if t.First == first {
			return t.File
		}
	}
	return segmentName(first)
}

// has says whether the changes of a collection are in a segment still: one that was made thin has lost those of others for good.
func (m *manifest) has(first, collection uint64) bool {
	for _, t := range m.Thin {
		if t.First == first {
			return slices.Contains(t.Kept, collection)
		}
	}
	return true
}

// keeps says whether changes up to a time must not be folded yet.
func keeps(each map[uint64]uint64, collection, last uint64) bool {
	t, held := each[collection]
	return held && t < last
}

// toBeThin is the oldest segment that is held back for some collections only, and may hold changes of others; nil when there is none.
func (j *Journal) toBeThin() *segment {
	for _, s := range j.older {
		if s.open || s.last > j.general {
			return nil
		}
		if !s.known || slices.ContainsFunc(s.has, func(id uint64) bool { return !keeps(j.each, id, s.last) }) {
			return s
		}
	}
	return nil
}

// thin makes a segment thin. Who calls it has the turn to fold.
func (j *Journal) thin(ctx context.Context, s *segment, m *manifest, each map[uint64]uint64) error {
	t := &thinning{fold: &fold{j: j, m: m, ctx: ctx, changes: map[uint64]*gathered{}}, each: each, last: s.last,
		out: appendSegmentHeader(nil, s.first), has: map[uint64]bool{}}
	if _, _, err := readSegment(j.opts.FS, s.name, s.first, s.next, t.see); err != nil {
		return err
	}
	maps.DeleteFunc(t.has, func(_ uint64, stays bool) bool { return !stays })
	has := slices.Sorted(maps.Keys(t.has))
	if !t.taken {
		j.mu.Lock()
		s.known, s.has = true, has
		j.mu.Unlock()
		return nil
	}
	end := int64(len(t.out))
	name, err := t.write(s)
	if err != nil {
		t.undo()
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.garbage = append(j.garbage, t.gone(j.manifest, s.name)...)
	j.manifest = m
	s.name, s.end, s.sealed, s.known, s.has = name, end, true, true, has
	return nil
}

// thinning is a segment on its way to be a thin one.
type thinning struct {
	*fold
	each  map[uint64]uint64
	last  uint64 // the time of its last record
	out   []byte
	body  []byte
	has   map[uint64]bool // collections that it changes: whether that stays
	taken bool            // changes of others are folded
}

// see takes a record apart.
func (t *thinning) see(r found) error {
	rec, err := r.record()
	if err != nil {
		return err
	}
	taken, rest := &Record{}, &Record{Notes: rec.Notes}
	for _, c := range rec.Changes {
		to := t.sideOf(c.Collection, taken, rest)
		to.Changes = append(to.Changes, c)
		t.has[c.Collection] = t.has[c.Collection] || to == rest
	}
	for _, id := range rec.Dropped {
		to := t.sideOf(id, taken, rest)
		to.Dropped = append(to.Dropped, id)
	}
	if len(taken.Changes)+len(taken.Dropped) > 0 {
		t.taken = true
		stored := appendBody([]byte{storedPlain}, taken)
		if err := t.fold.see(found{number: r.number, time: r.time, stored: stored}); err != nil {
			return err
		}
	}
	t.body = appendBody(t.body[:0], rest)
	t.out = appendRecord(t.out, r.number, r.time, t.body, t.j.opts.Compress)
	return nil
}

// sideOf is where what a record says of a collection goes.
func (t *thinning) sideOf(id uint64, taken, rest *Record) *Record {
	if keeps(t.each, id, t.last) {
		return rest
	}
	return taken
}

// write folds what was taken, writes what is left, and makes both count.
func (t *thinning) write(s *segment) (name string, err error) {
	if err := t.collections(); err != nil {
		return "", err
	}
	thin := thinned{First: s.first, File: fmt.Sprintf("%s%016x", thinPrefix, t.m.NextRun), Last: s.last}
	t.m.NextRun++
	for id := range t.each {
		if keeps(t.each, id, s.last) && t.m.has(s.first, id) {
			thin.Kept = append(thin.Kept, id)
		}
	}
	slices.Sort(thin.Kept)
	name = filepath.Join(t.j.opts.Dir, thin.File)
	t.made = append(t.made, name)
	f, err := createWith(t.j.opts.FS, name, appendSeal(t.out, s.next))
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return "", fmt.Errorf("make a segment thin: %w", err)
	}
	t.m.Thin = append(slices.DeleteFunc(t.m.Thin, func(o thinned) bool { return o.First == s.first }), thin)
	return name, t.m.write(t.j.opts.FS, t.j.opts.Dir)
}
