package envelope

import (
	"bytes"
	"context"
	"fmt"

	"millrace/repr"
	"millrace/repr/format/connect"
	"millrace/repr/jsonb"
)

// NewDebeziumTyped makes an envelope for change events in JSON whose rows become columns, matched by name: by the schema
// that a message bears or, where it bears none, by the types of the columns and the modes of the connector.
func NewDebeziumTyped(cols []connect.Column, modes connect.Modes) *Debezium {
	return newDebezium(&typedChanges{cols: cols, modes: modes, byText: map[string]*typedProgram{}}, 0)
}

// typedChanges decodes change events to columns. An event is walked once, and only what is needed of it is decoded.
type typedChanges struct {
	cols  []connect.Column
	modes connect.Modes

	scan, inner  connect.Scanner
	bare         *typedProgram            // for messages without a schema
	byText       map[string]*typedProgram // for those with one
	wraps        wrapper
	keys         wrapper
	after, since []byte // packed rows
	key, oldKey  []byte
	extra        []string
}

// typedProgram takes events of one schema apart.
type typedProgram struct {
	row *connect.Row
	err error
}

// wrapper is what stands before the payload in the message that came last: the next one begins alike, most likely.
type wrapper struct {
	prefix []byte
	prog   *typedProgram
}

// program finds the payload of a message, and how to read it.
func (t *typedChanges) program(m *Message) (p *typedProgram, at int) {
	if w := &t.wraps; w.prog != nil && bytes.HasPrefix(m.Value, w.prefix) {
		return w.prog, len(w.prefix)
	}
	schema, at := connect.Unwrap(&t.scan, m.Value)
	if schema == nil {
		if t.bare == nil {
			t.bare = t.compile(nil)
		}
		return t.bare, at
	}
	p, ok := t.byText[string(schema)]
	if !ok {
		if len(t.byText) >= maxCompiled {
			clear(t.byText)
		}
		p = t.compile(schema)
		t.byText[string(schema)] = p
	}
	t.wraps = wrapper{prefix: append(t.wraps.prefix[:0], m.Value[:at]...), prog: p}
	return p, at
}

func (t *typedChanges) compile(text []byte) *typedProgram {
	p := &typedProgram{}
	if text == nil {
		p.row, p.err = connect.NewRow(t.cols, nil, t.modes)
		return p
	}
	schema, err := connect.Parse(text)
	if err != nil {
		return &typedProgram{err: err}
	}
	after := schema.Sub("after")
	if after != nil && !after.IsStruct() {
		after = nil // MongoDB's documents are text
	}
	p.row, p.err = connect.NewRow(t.cols, after, t.modes)
	return p
}

func (t *typedChanges) decode(ctx context.Context, m *Message, c *change) (bool, error) {
	p, at := t.program(m)
	if p.err != nil {
		return false, p.err
	}
	s := &t.scan
	s.Reset(m.Value)
	s.Seek(at)
	if s.Null() {
		c.tombstone = true
		return false, s.Err()
	}
	e := typedEvent{t: t, row: p.row, c: c, keyed: m.Key != nil}
	e.read(s)
	if at == 0 {
		s.Finish()
	}
	if err := s.Err(); err != nil {
		return false, err
	}
	if e.bad != nil {
		return false, e.bad
	}
	t.extra = append(t.extra, p.row.Extra()...)
	if c.op == 0 {
		if !e.hasBefore || !e.hasAfter {
			return false, notAChange("it has no field op of one letter")
		}
		c.op = opOf(e.wasThere, c.after != nil)
	}
	if c.op == opMessage {
		return false, nil
	}
	e.from.place(c)
	c.stamp = e.stamp()
	if m.Key == nil {
		return true, nil
	}
	return true, t.identify(ctx, m, c)
}

// identify takes the normal form of the key, so that spaces and the order of fields make no difference.
func (t *typedChanges) identify(_ context.Context, m *Message, c *change) error {
	t.key, c.key = t.canonical(t.key[:0], m.Key)
	if c.key == nil {
		c.key = m.Key // a key of another format is as good: it only has to tell rows apart
	}
	if m.OldKey != nil {
		t.oldKey, c.oldKey = t.canonical(t.oldKey[:0], m.OldKey)
	}
	return nil
}

// canonical is the payload of a key in normal form; nil when it is no JSON.
func (t *typedChanges) canonical(buf, key []byte) (grown, out []byte) {
	at := len(t.keys.prefix)
	if at == 0 || !bytes.HasPrefix(key, t.keys.prefix) {
		var schema []byte
		if schema, at = connect.Unwrap(&t.inner, key); schema != nil {
			t.keys.prefix = bytes.Clone(key[:at])
		}
	}
	if at > 0 {
		key = bytes.TrimSuffix(key[at:], []byte("}"))
	}
	norm, err := jsonb.Normalize(buf, key)
	if err != nil {
		return buf, nil
	}
	return norm, jsonb.Canonical(norm)
}

// fill takes the columns that hold the mark for values that were not sent from the old row.
func (t *typedChanges) fill(row, old []byte) ([]byte, error) {
	return fillRow(connect.Desc(t.cols), row, old)
}

// Extra gives the fields that no column has, each once.
func (t *typedChanges) Extra() []string {
	names := t.extra
	t.extra = nil
	return names
}

// typedEvent is the reading of one event.
type typedEvent struct {
	t     *typedChanges
	row   *connect.Row
	c     *change
	keyed bool
	from  origin
	bad   error // the event is whole, and is no change of a row

	hasBefore, hasAfter, wasThere bool
	nanos, micros, millis         int64
}

// read takes an event apart.
func (e *typedEvent) read(s *connect.Scanner) {
	if !s.Open() {
		return
	}
	for name, more := s.Key(); more; name, more = s.Key() {
		switch string(name) {
		case "before":
			e.before(s)
		case "after":
			e.hasAfter = true
			e.t.after, e.c.after = e.image(s, e.t.after[:0])
		case "op":
			if op := s.Text(); len(op) == 1 {
				e.c.op = op[0]
			}
		case "source":
			e.source(s)
		case "transaction":
			e.transaction(s)
		case "updateDescription":
			e.c.document = true
			s.Skip()
		case "ts_ns":
			e.nanos, _ = s.Int()
		case "ts_us":
			e.micros, _ = s.Int()
		case "ts_ms":
			e.millis, _ = s.Int()
		default:
			s.Skip()
		}
	}
}

// before packs the row before a change where there is no key; where there is one, the row that is held counts.
func (e *typedEvent) before(s *connect.Scanner) {
	e.hasBefore = true
	if !e.keyed {
		e.t.since, e.c.before = e.image(s, e.t.since[:0])
		e.wasThere = e.c.before != nil
		return
	}
	if e.wasThere = !s.Null(); e.wasThere {
		s.Skip()
	}
}

// image packs a row image; packed is nil when it is null. MongoDB's are text in an event.
func (e *typedEvent) image(s *connect.Scanner, buf []byte) (grown, packed []byte) {
	if s.Null() {
		return buf, nil
	}
	if s.IsObject() {
		buf = e.row.Append(s, buf)
		return buf, buf
	}
	in := &e.t.inner
	in.Reset(s.SQLText())
	if s.Err() != nil {
		return buf, nil
	}
	buf = e.row.Append(in, buf)
	in.Finish()
	e.bad = in.Err()
	return buf, buf
}

func (e *typedEvent) source(s *connect.Scanner) {
	if s.Null() || !s.Open() {
		return
	}
	o := &e.from
	for name, more := s.Key(); more; name, more = s.Key() {
		switch string(name) {
		case "ts_ms":
			o.millis, _ = s.Int()
		case "lsn":
			o.lsn, o.hasLSN = s.Int()
		case "txId":
			e.c.txn, _ = s.Int()
		case "snapshot":
			e.c.snapshot = snapshotWord(word(s))
		case "file":
			o.file = append(o.file[:0], word(s)...)
		case "pos":
			o.pos, o.hasPos = s.Int()
		case "row":
			o.row, _ = s.Int()
		case "ord":
			o.ord, o.hasOrd = s.Int()
		case "change_lsn":
			o.change, _ = parseLSN(word(s))
		case "commit_lsn":
			o.commit, o.hasCommit = parseLSN(word(s))
		case "event_serial_no":
			o.serial, _ = s.Int()
		default:
			s.Skip()
		}
	}
}

// word reads a string; what is none is stepped over and empty.
func word(s *connect.Scanner) []byte {
	if !s.IsText() {
		s.Skip()
		return nil
	}
	return s.Text()
}

// snapshotWords are what Debezium says of an event's place in a snapshot.
var snapshotWords = []string{"false", "true", "first", "last", "first_in_data_collection", "last_in_data_collection", "incremental"}

// snapshotWord keeps a word without an allocation for each event.
func snapshotWord(b []byte) string {
	for _, w := range snapshotWords {
		if string(b) == w {
			return w
		}
	}
	return ""
}

func (e *typedEvent) transaction(s *connect.Scanner) {
	if s.Null() || !s.Open() {
		return
	}
	for name, more := s.Key(); more; name, more = s.Key() {
		if string(name) == "total_order" {
			e.c.order, _ = s.Int()
		} else {
			s.Skip()
		}
	}
}

// stamp is when the connector made the event, in nanoseconds, from the finest that there is.
func (e *typedEvent) stamp() int64 {
	switch {
	case e.nanos != 0:
		return e.nanos
	case e.micros != 0:
		return e.micros * 1000
	default:
		return e.millis * 1000000
	}
}

// fillRow takes the columns of a row that hold the mark for values that were not sent from the old row.
func fillRow(cols repr.RowDesc, row, old []byte) ([]byte, error) {
	var out []byte
	for i := range cols {
		d, rest := repr.Decode(row)
		switch {
		case !isUnavailable(d):
			out = append(out, row[:len(row)-len(rest)]...)
		case old == nil:
			return nil, notSent(cols[i].Name)
		default:
			out = append(out, old[:repr.PrefixLen(old, 1)]...)
		}
		row = rest
		if old != nil {
			old = repr.Skip(old)
		}
	}
	return out, nil
}

// needsKey is the error for a record without a key where the key is what counts.
func needsKey(m *Message) *repr.Error {
	return repr.NewError(repr.CodeNullNotAllowed, fmt.Sprintf("the record at offset %d has no key, and ENVELOPE DEBEZIUM UPSERT goes by the key", m.Offset)).
		WithHint("Use ENVELOPE DEBEZIUM for tables without a primary key.")
}
