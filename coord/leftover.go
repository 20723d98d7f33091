package coord

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"millrace/coord/catalog"
	"millrace/internal/journal"
	"millrace/sources/postgres"
)

// A source that an open block made has a slot on the other side already. The mark of the block says where, so that a start which
// leaves the source out can take that away as well. Until that is done it is a note of its own:
//
//	leave/<id>   what is still there, as the mark said it
const leaveNotes = "leave/"

// How long a start waits before it tries again to take something away.
const (
	leaveFirst = time.Second
	leaveMost  = 5 * time.Minute
)

// leftSlot is a slot of a source that is not in the catalog.
type leftSlot struct {
	Source  string           `json:"source"`
	Slot    string           `json:"slot"`
	Address postgres.Address `json:"address"`

	key string // of its note
}

// openMark is the mark of an object that an open block makes.
func openMark(it *catalog.Item) journal.Note {
	mark := journal.Note{Key: openNote(it.ID), Value: []byte{1}}
	if spec, ok := it.Def.(*postgresSource); ok {
		mark.Value = encode(leftSlot{Source: it.FullName(), Slot: spec.value, Address: spec.address})
	}
	return mark
}

// keepLeft notes what the objects that are left out have on the other side.
func (r *restoring) keepLeft() {
	for _, k := range slices.Sorted(maps.Keys(r.notes)) {
		mark := r.notes[k]
		if id, ok := strings.CutPrefix(k, openNotes); ok && leftIn(mark) != nil {
			r.notes[leaveNotes+id] = mark
			r.c.notes = append(r.c.notes, journal.Note{Key: leaveNotes + id, Value: mark})
		}
	}
}

// leftIn is the slot that a mark tells of; nil when it tells of none.
func leftIn(mark []byte) *leftSlot {
	var l leftSlot
	if json.Unmarshal(mark, &l) != nil || l.Slot == "" {
		return nil
	}
	return &l
}

// takeAway takes away what is left on other sides, and tries that until it is done or the server ends.
func (v *revival) takeAway(ctx context.Context) {
	var left []*leftSlot
	for _, k := range slices.Sorted(maps.Keys(v.r.notes)) {
		if l := leftIn(v.r.notes[k]); l != nil && strings.HasPrefix(k, leaveNotes) {
			l.key = k
			left = append(left, l)
		}
	}
	for wait := time.Duration(0); len(left) > 0 && v.c.opts.Clock.Sleep(ctx, wait) == nil; wait = min(max(2*wait, leaveFirst), leaveMost) {
		left = slices.DeleteFunc(left, func(l *leftSlot) bool { return v.drop(ctx, l, wait == 0) })
	}
}

// drop drops a slot, and says so; it says that it cannot when that is to be told.
func (v *revival) drop(ctx context.Context, l *leftSlot, tell bool) bool {
	ctx, cancel := context.WithTimeout(ctx, leavePatience)
	defer cancel()
	at := l.Address
	at.Dialer = v.c.dialer()
	log := v.c.opts.Log.With("source", l.Source, "slot", l.Slot, "at", l.Address.String())
	if err := postgres.DropSlot(ctx, at, l.Slot); err != nil {
		if tell && ctx.Err() == nil {
			e := asError(err)
			log.Warn("a replication slot of a source whose transaction block did not commit is left, which is tried again", "err", err, "detail", e.Detail, "hint", e.Hint)
		}
		return false
	}
	log.Info("dropped the replication slot of a source whose transaction block did not commit")
	v.c.later(func() { v.c.notes = append(slices.Clone(v.c.notes), journal.Note{Key: l.key}) })
	return true
}
