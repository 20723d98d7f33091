package coord

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"millrace/coord/catalog"
	"millrace/internal/journal"
	"millrace/repr"
)

// What a transaction block makes is there at once, and for good only when the block commits. Until then each object has a mark
// in the log, which is a note:
//
//	open/<id>            an object
//	open/schema/<name>   a schema
//
// COMMIT takes the marks away in the tick of what the block writes. A start leaves out what has a mark, and what needs that, as
// ROLLBACK does: its block did not commit.
const (
	openNotes       = "open/"
	openSchemaNotes = openNotes + "schema/"
)

func openNote(id uint64) string { return fmt.Sprintf("%s%0*x", openNotes, noteIDDigits, id) }

func openSchemaNote(name string) string { return openSchemaNotes + name }

// changeMarked is changeCatalog of a statement that makes what may have to be undone: in a block it is marked, under the key
// that is known when f has run.
func (s *Session) changeMarked(ctx context.Context, mark func() journal.Note, f func(*catalog.Snapshot) (*catalog.Snapshot, *repr.Error)) *repr.Error {
	var failure *repr.Error
	var marks []journal.Note
	err := s.c.do(ctx, func() {
		next, e := f(s.c.catalog.Load())
		if e == nil {
			if s.tx.open && s.c.opts.Journal != nil {
				marks = []journal.Note{mark()}
			}
			e = s.c.commitCatalog(next, marks...)
		}
		failure = e
	})
	if err == nil {
		err = failure
	}
	if err == nil && len(marks) > 0 {
		s.tx.marks = append(s.tx.marks, marks[0].Key)
	}
	return err
}

// commitMade makes what a block wrote, and what it made, durable in one tick: all of it or nothing. It runs in the loop.
func (c *Coordinator) commitMade(tx *transaction, answer chan<- error) {
	before := c.notes
	c.notes = slices.Clone(before)
	for _, key := range tx.marks {
		c.notes = append(c.notes, journal.Note{Key: key})
	}
	c.enqueue(tx.writes, answer)
	if c.tickSafely(c.oracle.after()); c.full {
		c.notes = before
	}
}

// takeBack shows a catalog without what an open block made. That the log cannot be written is no reason to keep it: what the
// log has of it is marked. The notes wait for a tick that finds space. It runs in the loop.
func (c *Coordinator) takeBack(next *catalog.Snapshot, more ...journal.Note) {
	if c.commitCatalog(next, more...) == nil {
		return
	}
	ch := next.Since(c.catalog.Load())
	c.noteChange(next, ch, more)
	c.catalog.Store(next)
	c.retain(ch)
}

// leaveOut takes out of the notes of a journal what blocks made that did not commit, and lets the first tick do so for good.
func (r *restoring) leaveOut() *repr.Error {
	r.keepLeft()
	gone, schemas := r.marked()
	if len(gone) == 0 && len(schemas) == 0 {
		return nil
	}
	var f catalog.Frame
	if err := json.Unmarshal(r.notes[frameNote], &f); err != nil {
		return damagedNote(frameNote, err)
	}
	maps.DeleteFunc(f.Schemas, func(name string, _ uint32) bool { return schemas[name] })
	names, err := r.needing(gone, schemas)
	if err != nil {
		return err
	}
	r.notes[frameNote] = encode(f)
	r.c.notes = append(r.c.notes, journal.Note{Key: frameNote, Value: r.notes[frameNote]})
	for _, k := range slices.Sorted(maps.Keys(r.notes)) {
		source, _, isOffset := parseOffsetNote(k)
		if strings.HasPrefix(k, openNotes) || isOffset && gone[source] {
			r.forget(k)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(gone)) {
		r.forget(itemNote(id))
		r.forget(readyNote(id))
		r.forget(overNote(id))
		r.forget(placeNote(id))
		r.c.dropped = append(r.c.dropped, id, stateOf(id))
	}
	r.c.opts.Log.Warn("left out what transaction blocks had made that did not commit", "objects", strings.Join(names, ", "))
	return nil
}

// marked are the objects and schemas that have a mark.
func (r *restoring) marked() (ids map[uint64]bool, schemas map[string]bool) {
	ids, schemas = map[uint64]bool{}, map[string]bool{}
	for k := range r.notes {
		if name, ok := strings.CutPrefix(k, openSchemaNotes); ok {
			schemas[name] = true
			continue
		}
		var id uint64
		if _, err := fmt.Sscanf(k, openNotes+"%x", &id); err == nil {
			ids[id] = true
		}
	}
	return ids, schemas
}

// needing adds to the objects that go those that need them, or are in a schema that goes, and gives the names of all.
func (r *restoring) needing(gone map[uint64]bool, schemas map[string]bool) (names []string, err *repr.Error) {
	notes, err := r.objects()
	if err != nil {
		return nil, err
	}
	for more := true; more; {
		more = false
		for _, n := range notes {
			needs := append(slices.Clone(n.Depends), n.On)
			if !gone[n.ID] && (schemas[n.Schema] || slices.ContainsFunc(needs, func(id uint64) bool { return gone[id] })) {
				gone[n.ID], more = true, true
			}
		}
	}
	for _, n := range notes {
		if gone[n.ID] {
			names = append(names, n.Schema+"."+n.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		names = append(names, "schema "+name)
	}
	return names, nil
}

// forget takes a note away, here and with the first tick.
func (r *restoring) forget(key string) {
	if _, ok := r.notes[key]; ok {
		delete(r.notes, key)
		r.c.notes = append(r.c.notes, journal.Note{Key: key})
	}
}
