package coord

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"millrace/coord/catalog"
	"millrace/internal/journal"
	"millrace/repr"
	"millrace/sources/webhook"
)

// What a tick makes durable beside rows are notes. Their keys:
//
//	catalog             the schemas and the next numbers
//	catalog/<id>        an object
//	offset/<id>/<part>  how far a source has read a partition: the next offset, as a varint
//	transactions/…      where the topic of transactions is to be read from (transactions.go)
//	over/<id>           which of its transactions are over for a source
//	ready/<id>          a source has read what its topic held at first
//	errors/<id>         how much a source has read, and which of its bad records are kept no more (errorlog.go)
//	open/…              what an open transaction block has made (openblock.go)
//	leave/<id>          what such a block has left on another server (leftover.go)
//	place/<id>          how far the reader of a subscription has come
const (
	frameNote     = "catalog"
	itemNotes     = "catalog/"
	offsetNotes   = "offset/"
	noteIDDigits  = 16
	errDiskFull   = "53100"
	diskFullHint  = "reads go on; writes do again by themselves when there is space"
	errLogBroken  = "58030"
	logBrokenHint = "the server must be started anew; what was acknowledged is there"
)

func itemNote(id uint64) string { return fmt.Sprintf("%s%0*x", itemNotes, noteIDDigits, id) }

func offsetNote(source uint64, partition int32) string {
	return fmt.Sprintf("%s%0*x/%d", offsetNotes, noteIDDigits, source, partition)
}

func readyNote(source uint64) string { return fmt.Sprintf("ready/%0*x", noteIDDigits, source) }

// parseOffsetNote reads the key of an offset.
func parseOffsetNote(key string) (source uint64, partition int32, ok bool) {
	rest, ok := strings.CutPrefix(key, offsetNotes)
	if !ok {
		return 0, 0, false
	}
	id, part, _ := strings.Cut(rest, "/")
	source, err := strconv.ParseUint(id, 16, 64)
	p, err2 := strconv.ParseInt(part, 10, 32)
	return source, int32(p), err == nil && err2 == nil
}

// sourceOffset binds how far a source partition was read.
type sourceOffset struct {
	source    uint64
	partition int32
	next      int64
}

// commitInputs closes the inputs of the tick and starts to make them durable.
func (c *Coordinator) commitInputs(t repr.Time) (*journal.Commit, error) {
	c.trimErrors()
	rec := &journal.Record{Time: uint64(t), Notes: c.notes, Dropped: c.dropped}
	for _, col := range c.order {
		col.close()
		if col.dirty {
			rec.Changes = append(rec.Changes, journal.Change{Collection: col.id, Rows: col.delta.OK})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.sources)) {
		s := c.sources[id]
		if b := s.remember(); b.Len() > 0 {
			rec.Changes = append(rec.Changes, journal.Change{Collection: stateOf(s.id), Rows: b})
		}
		for _, o := range s.bind(nil) {
			rec.Notes = append(rec.Notes, journal.Note{Key: offsetNote(o.source, o.partition), Value: binary.AppendVarint(nil, o.next)})
		}
		if s.errs.changed {
			rec.Notes = append(rec.Notes, journal.Note{Key: errorsNote(s.id), Value: s.note()})
		}
	}
	rec.Notes = append(rec.Notes, c.placeNotes()...)
	if c.opts.Journal == nil {
		return nil, nil
	}
	return c.opts.Journal.Append(rec)
}

// refuse takes a tick back whose record found no space on the disk. Writers are told; what sources have read waits for a
// later tick, and they for it.
func (c *Coordinator) refuse() {
	if !c.full {
		c.opts.Log.Error("the disk is full: writes are refused, and sources wait")
	}
	c.full = true
	for _, col := range c.order {
		rows := col.delta.OK
		col.settle()
		if c.fedBySource(col) {
			col.queueAll(rows)
			c.queuedRows += rows.Len()
		}
	}
	for _, s := range c.sources {
		s.unbind()
	}
	clear(c.acknowledged)
	c.failWaiting(fullError())
}

func fullError() *repr.Error {
	return repr.NewError(errDiskFull, "the disk is full: nothing of this was written").WithHint(diskFullHint)
}

// fedBySource says whether a base collection is a source's, or keeps what a sink's target refuses.
func (c *Coordinator) fedBySource(col *collection) bool {
	for _, r := range c.sinks {
		if r.errCol == col {
			return true
		}
	}
	for _, r := range c.sources {
		if r.col == col || r.errCol == col || c.fed[col.id] != nil {
			return true
		}
	}
	return false
}

// breakDown ends all ticks: nothing more is acknowledged or shown, and what was complete stays readable.
func (c *Coordinator) breakDown(err error) {
	e := repr.NewError(errLogBroken, "the log of the server cannot be written").WithDetail(err.Error()).WithHint(logBrokenHint)
	c.opts.Log.Error("the log cannot be written, nothing more is acknowledged", "err", err)
	c.failAll(e)
}

// failAll ends what the server acknowledges: all who wait for it, and who come later, are told why. It runs in the loop.
func (c *Coordinator) failAll(err error) {
	c.broken = err
	c.failWaiting(err)
	for _, r := range c.sources {
		if hook, ok := r.connector.(*webhook.Source); ok {
			hook.Fail(asError(err))
		}
	}
}

// commitCatalog makes a change of the catalog durable, with more notes, in a tick that also takes what waits, and then shows it. On
// an error the catalog is as it was. It runs in the loop.
func (c *Coordinator) commitCatalog(next *catalog.Snapshot, more ...journal.Note) *repr.Error {
	ch := next.Since(c.catalog.Load())
	if c.opts.Journal == nil || ch.Empty() {
		c.catalog.Store(next)
		c.retain(ch)
		return nil
	}
	if c.broken != nil {
		return asError(c.broken)
	}
	notes, dropped := c.notes, c.dropped
	c.noteChange(next, ch, more)
	c.tickSafely(c.oracle.after())
	switch {
	case c.broken != nil:
		return asError(c.broken)
	case c.full:
		c.notes, c.dropped = notes, dropped
		return fullError()
	}
	c.catalog.Store(next)
	c.retain(ch)
	return nil
}

// noteChange has the next tick make a change of the catalog durable.
func (c *Coordinator) noteChange(next *catalog.Snapshot, ch *catalog.Change, more []journal.Note) {
	c.notes = append(append(slices.Clone(c.notes), c.catalogNotes(next, ch)...), more...)
	c.dropped = slices.Clone(c.dropped)
	for _, it := range ch.Gone {
		c.dropped = append(c.dropped, it.ID, stateOf(it.ID))
	}
}

func (c *Coordinator) catalogNotes(next *catalog.Snapshot, ch *catalog.Change) []journal.Note {
	notes := []journal.Note{{Key: frameNote, Value: encode(next.Frame())}}
	for _, it := range ch.Gone {
		notes = append(notes, journal.Note{Key: itemNote(it.ID)}, journal.Note{Key: openNote(it.ID)})
		if it.From != 0 {
			notes = append(notes, journal.Note{Key: readyNote(it.ID)})
		}
		if it.Kind == catalog.Source {
			notes = append(notes, journal.Note{Key: readyNote(it.ID)}, journal.Note{Key: overNote(it.ID)}, journal.Note{Key: errorsNote(it.ID)})
			for p := range c.offsetsOf(it) {
				notes = append(notes, journal.Note{Key: offsetNote(it.ID, p)})
			}
		}
		if it.Kind == catalog.Subscription {
			notes = append(notes, journal.Note{Key: placeNote(it.ID)})
		}
	}
	for _, it := range ch.Set {
		if it.Kind != catalog.System {
			notes = append(notes, journal.Note{Key: itemNote(it.ID), Value: encode(noteOf(it))})
		}
		if n := c.named[it.ID]; n != nil {
			notes = append(notes, journal.Note{Key: placeNote(it.ID), Value: n.place.encode()})
		}
	}
	slices.SortFunc(notes, func(a, b journal.Note) int { return strings.Compare(a.Key, b.Key) })
	return notes
}

// offsetsOf are the offsets that are kept of a source, whether it runs or has failed to come back.
func (c *Coordinator) offsetsOf(it *catalog.Item) map[int32]int64 {
	if r := c.sources[it.ID]; r != nil {
		return r.next
	}
	if c.revival != nil {
		return c.revival.r.offsets(it.ID)
	}
	return nil
}

// encode writes a note. What it is given has a JSON form.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}

// isFull says whether a record found no space.
func isFull(err error) bool { return errors.Is(err, journal.ErrFull) }

// waitingView is a view that a restart has not filled yet; nil for others. It runs in the loop.
func (c *Coordinator) waitingView(id uint64) *waitingView {
	if c.revival == nil {
		return nil
	}
	return c.revival.waiting[id]
}
