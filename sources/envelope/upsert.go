package envelope

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"maps"
	"slices"

	"millrace/repr"
	"millrace/repr/format"
	"millrace/sources"
)

// Healing is an envelope under which a bad message stands for something until a later one comes, as that for a key does.
type Healing interface {
	// Fail is told of a message that Apply found bad, with its row of errors, and appends what that changes in the rows and in
	// the errors.
	Fail(rows, errs []sources.Update, m *Message, failed *repr.Error, errorRow []byte) (newRows, newErrs []sources.Update)
	// Healed appends the retractions of errors that messages have made good since it was asked last.
	Healed(errs []sources.Update) []sources.Update
}

// Upsert keeps the newest value of each key: a message with a value sets the row of its key, one without removes it. A row is
// the columns of the key, then those of the value.
//
// A value that cannot be decoded replaces what was there, for that is not the value any more: the row is retracted, and the error
// stands in its place until the next message for the key. Inline, it is a row as well: its value is NULL and its column of errors
// says why. A key that cannot be decoded, or is not there, is an error that stays.
type Upsert struct {
	Key    ValueDecoder
	Value  ValueDecoder
	Inline bool // a column behind those of the value says what is wrong with it
	// NullDeletes: a value of null is none, as Kafka Connect's JSON converter writes it where it writes no schemas.
	NullDeletes bool
	Rest        Rest // what it keeps ends a row; nil: nothing is kept

	live   *entries // by key: the row, or the row of errors
	healed []sources.Update
	before map[string][]byte // what State tells of keys that have changed: the entry as it was; nil when nobody asks

	key, canon, row []byte
	width           int // columns of the value
	keyed           bool
}

// What an entry holds.
const (
	holdsRow   = 'u'
	holdsError = 'e'
)

// NewUpsert makes an envelope.
func NewUpsert(key, value ValueDecoder, inline bool) *Upsert {
	return &Upsert{Key: key, Value: value, Inline: inline, live: newEntries(), width: len(value.Columns())}
}

// Held is the memory of what the envelope remembers, about.
func (u *Upsert) Held() int64 { return u.live.bytes() }

// Extra gives the fields of values that no column has, each once.
func (u *Upsert) Extra() []string { return extraOf(u.Rest) }

// Apply appends what a message changes.
func (u *Upsert) Apply(ctx context.Context, dst []sources.Update, m *Message) ([]sources.Update, error) {
	u.keyed = false
	if m.Key == nil {
		return dst, repr.NewError(repr.CodeNullNotAllowed, "the message has no key, which ENVELOPE UPSERT needs")
	}
	key, err := u.Key.Append(ctx, u.key[:0], m.Key)
	if err != nil {
		return dst, inKey(err)
	}
	u.key = key
	u.canon = canonical(u.canon[:0], key)
	u.keyed = true
	if m.Value == nil || u.NullDeletes && string(m.Value) == "null" {
		return u.remove(dst), nil
	}
	row, err := u.Value.Append(ctx, append(u.row[:0], u.key...), m.Value)
	if errors.Is(err, format.ErrNoRow) {
		return dst, nil
	}
	if err != nil {
		return dst, err
	}
	if u.Inline {
		row = repr.Append(row, repr.Null)
	}
	u.row = append(row, m.Meta...)
	if u.Rest != nil {
		u.row = u.Rest.AppendRest(u.row)
	}
	return u.set(dst, u.row), nil
}

// canonical packs a row so that equal rows have equal bytes.
func canonical(dst, row []byte) []byte {
	for len(row) > 0 {
		var d repr.Datum
		d, row = repr.Decode(row)
		dst = repr.AppendKey(dst, d)
	}
	return dst
}

// clear takes back what stands for the key.
func (u *Upsert) clear(dst []sources.Update) []sources.Update {
	e, ok := u.live.find(u.canon)
	switch {
	case !ok:
	case e.op == holdsError:
		u.healed = append(u.healed, sources.Update{Row: e.row, Diff: -1})
	default:
		dst = append(dst, sources.Update{Row: e.row, Diff: -1})
	}
	return dst
}

func (u *Upsert) remove(dst []sources.Update) []sources.Update {
	dst = u.clear(dst)
	u.touch()
	u.live.remove(u.canon)
	return dst
}

func (u *Upsert) set(dst []sources.Update, row []byte) []sources.Update {
	if e, ok := u.live.find(u.canon); ok && e.op == holdsRow && bytes.Equal(e.row, row) {
		return dst
	}
	dst = u.clear(dst)
	u.touch()
	return append(dst, sources.Update{Row: u.live.put(u.canon, entry{row: row, op: holdsRow}), Diff: 1})
}

// Fail puts an error in the place of what stood for a key.
func (u *Upsert) Fail(rows, errs []sources.Update, m *Message, failed *repr.Error, errorRow []byte) (newRows, newErrs []sources.Update) {
	if !u.keyed {
		return rows, append(errs, sources.Update{Row: errorRow, Diff: 1})
	}
	if u.Inline {
		row := append(u.row[:0], u.key...)
		for range u.width {
			row = repr.Append(row, repr.Null)
		}
		u.row = append(repr.Append(row, repr.Text(failed.Error())), m.Meta...)
		if u.Rest != nil {
			u.row = repr.Append(u.row, repr.Null)
		}
		return u.set(rows, u.row), errs
	}
	rows = u.clear(rows)
	u.touch()
	kept := u.live.put(u.canon, entry{row: errorRow, op: holdsError})
	return rows, append(errs, sources.Update{Row: kept, Diff: 1})
}

// Healed appends the errors that are no more.
func (u *Upsert) Healed(errs []sources.Update) []sources.Update {
	errs = append(errs, u.healed...)
	u.healed = u.healed[:0]
	return errs
}

// Remember says that State is going to be asked.
func (u *Upsert) Remember() {
	if u.before == nil {
		u.before = map[string][]byte{}
	}
}

// touch notes what stands for the key before it changes.
func (u *Upsert) touch() {
	if u.before == nil {
		return
	}
	if _, ok := u.before[string(u.canon)]; !ok {
		u.before[string(u.canon)] = u.appendState(nil, string(u.canon))
	}
}

// appendState is a row of the memory: the kind, the key, the row. It is nil for a key that has none.
func (u *Upsert) appendState(dst []byte, key string) []byte {
	e, ok := u.live.find([]byte(key))
	if !ok {
		return nil
	}
	dst = appendString(append(dst, e.op), key)
	return append(dst, e.row...)
}

// State gives what has changed since it was asked last.
func (u *Upsert) State(dst []sources.Update) []sources.Update {
	for _, key := range slices.Sorted(maps.Keys(u.before)) {
		dst = replaced(dst, u.before[key], u.appendState(nil, key))
	}
	clear(u.before)
	return dst
}

// Restore takes what State has given, all of it.
func (u *Upsert) Restore(rows, _ iter.Seq2[[]byte, repr.Diff]) error {
	for row, diff := range rows {
		if len(row) == 0 || diff != 1 || row[0] != holdsRow && row[0] != holdsError {
			return errState
		}
		n, used := binary.Uvarint(row[1:])
		if used <= 0 || n > uint64(len(row)-1-used) {
			return errState
		}
		key := row[1+used : 1+used+int(n)]
		u.live.put(key, entry{row: row[1+used+int(n):], op: row[0]})
	}
	return nil
}
