package envelope

import (
	"bytes"
	"context"
	"fmt"

	"millrace/repr"
	"millrace/repr/format/logical"
	"millrace/sources"
)

// The operations of a change event.
const (
	opRead     = 'r'
	opCreate   = 'c'
	opUpdate   = 'u'
	opDelete   = 'd'
	opTruncate = 't'
	opMessage  = 'm' // of pg_logical_emit_message: no change of a table
)

// Limits of what is remembered beside the rows themselves.
const (
	maxGone      = 1 << 18  // keys that were deleted
	maxGoneBytes = 16 << 20 // of the rows of keys that were changed
	maxSeen      = 1 << 18  // changes of tables without keys
)

// change is a decoded change event. Its slices are valid until the next one is decoded.
type change struct {
	op       byte
	document bool // it is of MongoDB
	// tombstone: it is none, but the end of a key, as Kafka Connect's JSON converter writes it where it writes no schemas.
	tombstone bool
	key       []byte // packed in canonical form; nil when the table has no key
	at        spot   // of the entry of the key
	oldKey    []byte // of a row that changed its key and now comes under the new one: the key before
	before    []byte // packed row; nil when null. Decoded only for tables without keys
	after     []byte
	pos       position
	snapshot  string
	// sweeps: all rows of a snapshot bear its position, so at its end what stands before it is not there any more.
	sweeps bool
	txn    int64 // what else tells changes apart that share a position
	order  int64
	stamp  int64 // when the connector made the event
}

// changes decodes messages of one format to changes.
type changes interface {
	// decode fills c; ok is false when the message is no change of the table and may be passed over.
	decode(ctx context.Context, m *Message, c *change) (ok bool, err error)
	// identify fills in the key of c, and the one before it when the message tells.
	identify(ctx context.Context, m *Message, c *change) error
	// transaction tells of which transaction a message is, its operation, and its place in the transaction's table.
	transaction(ctx context.Context, m *Message) (id string, op byte, order int64)
	// Extra gives the fields of rows that no column has, each once.
	Extra() []string
	// fill gives row the values that were not sent, out of old, which is nil when there is none.
	fill(row, old []byte) ([]byte, error)
}

// Debezium keeps a table as its change events tell it. Memory is one entry a row.
type Debezium struct {
	changes changes
	live    *entries // the row of each key
	gone    graveyard
	bag     map[string]int64 // the rows of a table without keys, and how many there are of each
	bagged  int64            // the bytes of the rows in it
	seen    recent

	epoch     uint32
	newest    int64    // the latest time of the database's clock
	began     int64    // the time at which the epoch began
	truncated position // of the last truncation
	swept     position // of the last snapshot that was read to its end

	// upsert: the last record of a key counts, whatever its position, and one without a value deletes.
	upsert   bool
	keyWidth int     // columns of the key, where it is packed as the row is; 0 where it is not
	memory   *memory // nil when nobody asks for the State
	restored bool
	c        change
	held     entry // of the key of the change
}

// newDebezium makes an envelope. Where keys are packed as rows are, keyWidth is how many columns they have; elsewhere it is 0.
func newDebezium(ch changes, keyWidth int) *Debezium {
	d := &Debezium{changes: ch, live: newEntries(), bag: map[string]int64{}, keyWidth: keyWidth,
		gone: graveyard{byKey: map[string]*grave{}}, seen: recent{ids: map[uint64]struct{}{}}}
	d.live.bare = keyWidth > 0
	return d
}

// Upsert has the last record of a key count, whatever its position in the database's log, and a record without a value
// delete: so it must be where a topic is compacted, or its records were not written by one connector in order.
func (d *Debezium) Upsert() *Debezium {
	d.upsert = true
	return d
}

// Extra gives the fields of rows that no column has, each once.
func (d *Debezium) Extra() []string { return d.changes.Extra() }

// Rows is how many rows the table has.
func (d *Debezium) Rows() int {
	n := d.live.len()
	for _, count := range d.bag {
		n += int(count)
	}
	return n
}

// What a remembered thing takes beside its bytes, about.
const (
	graveBytes = 200
	bagBytes   = 64
	seenBytes  = 50
)

// Held is the memory of what the envelope remembers, about.
func (d *Debezium) Held() int64 {
	return d.live.bytes() + d.gone.bytes() + int64(len(d.bag))*bagBytes + d.bagged + int64(len(d.seen.ids))*seenBytes
}

// Apply appends what a change event changes.
func (d *Debezium) Apply(ctx context.Context, dst []sources.Update, m *Message) ([]sources.Update, error) {
	c := &d.c
	*c = change{}
	if m.Value == nil {
		return d.bury(ctx, dst, m)
	}
	ok, err := d.changes.decode(ctx, m, c)
	switch {
	case err != nil:
		return dst, err
	case c.tombstone:
		return d.bury(ctx, dst, m)
	case !ok:
		return dst, nil
	}
	if d.upsert {
		c.pos = position{}
	}
	if err := c.check(); err != nil {
		return dst, err
	}
	if d.upsert && c.key == nil && c.op != opTruncate {
		return dst, needsKey(m)
	}
	e := d.sought(c)
	d.place(c, e)
	switch {
	case c.op == opTruncate:
		return d.truncate(dst, c, m), nil
	case c.key != nil:
		return d.applyKeyed(dst, c, e, m)
	default:
		return d.applyKeyless(dst, c, m)
	}
}

// bury takes a tombstone. It follows the delete that it is for, so it says nothing new; but what is left of a key in a
// compacted topic may be its tombstone alone.
func (d *Debezium) bury(ctx context.Context, dst []sources.Update, m *Message) ([]sources.Update, error) {
	if !d.upsert || m.Key == nil {
		return dst, nil
	}
	c := &d.c
	if err := d.changes.identify(ctx, m, c); err != nil {
		return dst, err
	}
	c.op = opDelete
	return d.applyKeyed(dst, c, d.sought(c), m)
}

// sought is the entry of the key of a change, and notes where it is: nil when it has none.
func (d *Debezium) sought(c *change) *entry {
	if c.key == nil {
		return nil
	}
	if c.at = d.live.seek(c.key); !c.at.found {
		return nil
	}
	d.held = d.live.entry(c.at)
	return &d.held
}

func (c *change) check() error {
	switch c.op {
	case opRead, opCreate, opUpdate:
		if c.after == nil {
			return noImage(c)
		}
	case opDelete, opTruncate:
	default:
		return notAChange(fmt.Sprintf("op is %q", c.op))
	}
	return nil
}

// noImage is the error for a change without the row after it.
func noImage(c *change) *repr.Error {
	if c.op == opUpdate && c.document {
		return repr.NewError(repr.CodeInvalidText, "the update of a document came without the document after it").
			WithHint("Set capture.mode to change_streams_update_full in the MongoDB connector.")
	}
	return notAChange(fmt.Sprintf("op is %q, and after is null", c.op))
}

func notAChange(why string) *repr.Error {
	return repr.NewError(repr.CodeInvalidText, "the record is not a Debezium change event: "+why).
		WithHint("ENVELOPE DEBEZIUM takes topics that Debezium writes without ExtractNewRecordState; for others use ENVELOPE NONE.")
}

// place says which epoch of the log a position is of. When the database is replaced or its log begun anew, positions
// start over; the change that shows it stands before what we hold of its key, and yet is later than everything that
// was seen by the database's clock, which no repetition is. From its time on, changes are of the new epoch.
func (d *Debezium) place(c *change, e *entry) {
	if !c.pos.known {
		return
	}
	c.pos.epoch = d.epoch
	if c.pos.millis < d.began && d.epoch > 0 {
		c.pos.epoch = d.epoch - 1
	}
	if e != nil && c.pos.millis > d.newest && c.pos.compare(e.pos) < 0 {
		d.epoch++
		d.began = c.pos.millis
		c.pos.epoch = d.epoch
	}
	d.newest = max(d.newest, c.pos.millis)
}

// applyKeyed sets or removes the row of a key, which has an entry or none.
func (d *Debezium) applyKeyed(dst []sources.Update, c *change, e *entry, m *Message) ([]sources.Update, error) {
	if d.isRepeat(c, e) {
		return dst, nil
	}
	if c.op == opDelete {
		return d.remove(dst, c, e, m.KeyChanges), nil
	}
	row, err := d.complete(c.after, d.oldRow(c, e))
	if err != nil {
		return dst, err
	}
	if len(m.Meta) > 0 {
		row = append(row[:len(row):len(row)], m.Meta...)
	}
	made := entry{row: row, pos: c.pos, op: c.op}
	switch {
	case e == nil:
		d.gone.drop(c.key)
	case !c.pos.known:
		made.pos = e.pos
	}
	same := e != nil && bytes.Equal(e.row, row)
	if same && made.pos == e.pos && made.op == e.op {
		return d.sweep(dst, c), nil
	}
	if e != nil {
		d.takeBack(c.key, e)
	}
	kept := d.live.set(c.at, c.key, &made)
	d.memory.note(kept.note(), 1)
	if !same {
		if e != nil {
			dst = append(dst, sources.Update{Row: e.row, Diff: -1})
		}
		dst = append(dst, sources.Update{Row: kept.row, Diff: 1})
	}
	return d.sweep(dst, c), nil
}

// complete gives a row the values that were not sent.
func (d *Debezium) complete(row, old []byte) ([]byte, error) {
	if !bytes.Contains(row, unavailable) {
		return row, nil
	}
	return d.changes.fill(row, old)
}

func (d *Debezium) isRepeat(c *change, e *entry) bool {
	if e != nil {
		return repeats(c, e.pos, e.op)
	}
	if g := d.gone.find(c.key); g != nil && repeats(c, g.pos, opDelete) {
		return true
	}
	if d.truncated.known && c.pos.compare(d.truncated) < 0 {
		return true
	}
	return d.swept.known && c.pos.compare(d.swept) < 0 && !c.pos.committedAfter(d.swept, c.op)
}

// oldRow is the row that a change of a key, or of a row, is a change of.
func (d *Debezium) oldRow(c *change, e *entry) []byte {
	if e != nil {
		return e.row
	}
	if c.oldKey == nil {
		return nil
	}
	if old, ok := d.live.find(c.oldKey); ok {
		return old.row
	}
	if g := d.gone.find(c.oldKey); g != nil {
		return g.row
	}
	return nil
}

func (d *Debezium) remove(dst []sources.Update, c *change, e *entry, keyChanges bool) []sources.Update {
	g := &grave{key: string(c.key), pos: c.pos}
	if e != nil {
		dst = append(dst, sources.Update{Row: e.row, Diff: -1})
		d.takeBack(c.key, e)
		d.live.removeAt(c.at)
		if !c.pos.known {
			g.pos = e.pos
		}
		if keyChanges {
			g.row = bytes.Clone(e.row) // the new key may want values of this row
		}
	}
	d.gone.add(g)
	return dst
}

// sweep ends a snapshot: what is older than it, and was not in it, was deleted while nobody listened.
func (d *Debezium) sweep(dst []sources.Update, c *change) []sources.Update {
	if c.op != opRead || !c.pos.known || !c.sweeps || (c.snapshot != "last" && c.snapshot != "last_in_data_collection") {
		return dst
	}
	d.swept = c.pos
	return d.retractBefore(dst, c.pos)
}

func (d *Debezium) retractBefore(dst []sources.Update, p position) []sources.Update {
	for key, e := range d.live.all() {
		if e.pos.known && e.pos.compare(p) < 0 {
			dst = append(dst, sources.Update{Row: e.row, Diff: -1})
			d.takeBack(key, &e)
			d.live.remove(key)
		}
	}
	return dst
}

// truncate retracts every row that was there before.
func (d *Debezium) truncate(dst []sources.Update, c *change, m *Message) []sources.Update {
	if d.seen.has(c, m.Partition) {
		return dst
	}
	if c.pos.known {
		dst = d.retractBefore(dst, c.pos)
		if d.truncated.compare(c.pos) <= 0 {
			d.truncated = c.pos
		}
	} else {
		for key, e := range d.live.all() {
			dst = append(dst, sources.Update{Row: e.row, Diff: -1})
			d.takeBack(key, &e)
			d.live.remove(key)
		}
	}
	return d.emptyBag(dst)
}

func (d *Debezium) emptyBag(dst []sources.Update) []sources.Update {
	for row, count := range d.bag {
		dst = append(dst, sources.Update{Row: []byte(row), Diff: -count})
		d.count([]byte(row), -count)
	}
	return dst
}

// applyKeyless adds and removes rows of a multiset.
func (d *Debezium) applyKeyless(dst []sources.Update, c *change, m *Message) ([]sources.Update, error) {
	if len(m.Meta) > 0 {
		return dst, repr.NewError(repr.CodeFeatureNotSupported, "INCLUDE with ENVELOPE DEBEZIUM needs records with a key")
	}
	if d.seen.has(c, m.Partition) {
		return dst, nil
	}
	if c.op == opRead && (c.snapshot == "first" || c.snapshot == "first_in_data_collection") {
		dst = d.emptyBag(dst) // a new snapshot brings everything again
	}
	if c.op == opUpdate || c.op == opDelete {
		if err := d.checkBefore(c); err != nil {
			return dst, err
		}
	}
	var row []byte
	if c.op != opDelete {
		var err error
		if row, err = d.complete(c.after, c.before); err != nil {
			return dst, err
		}
	}
	if c.op == opUpdate || c.op == opDelete {
		d.count(c.before, -1)
		dst = append(dst, sources.Update{Row: bytes.Clone(c.before), Diff: -1})
	}
	if row == nil {
		return dst, nil
	}
	d.count(row, 1)
	return append(dst, sources.Update{Row: bytes.Clone(row), Diff: 1}), nil
}

func (d *Debezium) checkBefore(c *change) error {
	if c.before == nil {
		return repr.NewError(repr.CodeInvalidText, "a change of a table without a key has no image of the row before it").
			WithHint("Give the table a primary key, or set REPLICA IDENTITY FULL.")
	}
	if d.bag[string(c.before)] == 0 {
		return repr.NewError(repr.CodeInvalidText, "a change of a table without a key names a row that is not there").
			WithHint("Read the topic from its beginning.")
	}
	return nil
}

var unavailable = []byte(logical.Unavailable)

// notSent is the error for a value that was not sent and that we do not have.
func notSent(column string) *repr.Error {
	return repr.NewError(repr.CodeInvalidText, fmt.Sprintf("column %q was not sent, as the change did not touch it, and the row before the change is not known", column)).
		WithHint("Read the topic from its beginning, or set REPLICA IDENTITY FULL on the table.")
}
