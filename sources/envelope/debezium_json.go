package envelope

import (
	"context"
	"strconv"

	"millrace/repr"
	"millrace/repr/format/connect"
	"millrace/repr/format/json"
	"millrace/repr/format/logical"
	"millrace/repr/jsonb"
)

// NewDebeziumJSON makes an envelope for change events in JSON, with or without the schema wrapper of Kafka Connect.
// The collection has one column, data jsonb: the row as the event writes it. The key is the message's.
func NewDebeziumJSON() *Debezium { return newDebezium(&jsonChanges{}, 0) }

// DebeziumJSONColumns is the shape of such a collection.
func DebeziumJSONColumns() repr.RowDesc { return (&json.Decoder{}).Columns() }

type jsonChanges struct {
	scan                             connect.Scanner
	norm, key, oldKey, before, after []byte
}

func (j *jsonChanges) decode(ctx context.Context, m *Message, c *change) (bool, error) {
	norm, err := jsonb.Normalize(j.norm[:0], m.Value)
	if err != nil {
		return false, json.Error(err)
	}
	j.norm = norm
	event := unwrap(norm)
	if jsonb.TypeOf(event) == jsonb.Null {
		c.tombstone = true
		return false, nil
	}
	if c.op, err = jsonOp(event); err != nil {
		return false, err
	}
	if c.op == opMessage {
		return false, nil
	}
	if j.after, c.after, err = row(j.after[:0], event, "after"); err != nil {
		return false, err
	}
	_, c.document = jsonb.Field(event, "updateDescription")
	source, _ := field(event, "source")
	jsonOrigin(source).place(c)
	c.snapshot = text(source, "snapshot")
	if m.Key != nil {
		return true, j.identify(ctx, m, c)
	}
	c.txn, _ = number(source, "txId")
	if transaction, ok := field(event, "transaction"); ok {
		c.order, _ = number(transaction, "total_order")
	}
	c.stamp = jsonStamp(event)
	j.before, c.before, err = row(j.before[:0], event, "before")
	return true, err
}

// jsonOp is the operation of an event, which may leave it to its rows: see opOf.
func jsonOp(event []byte) (byte, error) {
	if op := text(event, "op"); len(op) == 1 {
		return op[0], nil
	}
	if jsonb.TypeOf(event) == jsonb.Object {
		before, hasBefore := jsonb.Field(event, "before")
		after, hasAfter := jsonb.Field(event, "after")
		_, hasOp := jsonb.Field(event, "op")
		if hasBefore && hasAfter && !hasOp {
			return opOf(jsonb.TypeOf(before) != jsonb.Null, jsonb.TypeOf(after) != jsonb.Null), nil
		}
	}
	return 0, notAChange("it has no field op of one letter")
}

// originFields are the fields of a source block that say where its change stands; those that are null are left out before.
var originFields = map[string]func(o *origin, v []byte){
	"ts_ms":           func(o *origin, v []byte) { o.millis, _ = integer(v) },
	"lsn":             func(o *origin, v []byte) { o.lsn, o.hasLSN = integer(v) },
	"pos":             func(o *origin, v []byte) { o.pos, o.hasPos = integer(v) },
	"ord":             func(o *origin, v []byte) { o.ord, o.hasOrd = integer(v) },
	"row":             func(o *origin, v []byte) { o.row, _ = integer(v) },
	"event_serial_no": func(o *origin, v []byte) { o.serial, _ = integer(v) },
	"file":            func(o *origin, v []byte) { o.file = unquoted(v) },
	"commit_lsn":      func(o *origin, v []byte) { o.commit, o.hasCommit = parseLSN(unquoted(v)) },
	"change_lsn":      func(o *origin, v []byte) { o.change, _ = parseLSN(unquoted(v)) },
}

// jsonOrigin walks over a source block once.
func jsonOrigin(source []byte) *origin {
	var o origin
	if source == nil || jsonb.TypeOf(source) != jsonb.Object {
		return &o
	}
	for name, v := range jsonb.Members(source) {
		if fill := originFields[string(jsonb.Unquote(name))]; fill != nil && jsonb.TypeOf(v) != jsonb.Null {
			fill(&o, v)
		}
	}
	return &o
}

func jsonStamp(event []byte) int64 {
	var d [3]repr.Datum
	for i, name := range []string{"ts_ns", "ts_us", "ts_ms"} {
		if v, ok := number(event, name); ok {
			d[i] = repr.Int8(v)
		}
	}
	return stampNanos(d[0], d[1], d[2])
}

// identify takes the normal form of a key for the key, so that spaces and the order of fields make no difference.
func (j *jsonChanges) identify(_ context.Context, m *Message, c *change) error {
	norm, err := jsonb.Normalize(j.key[:0], m.Key)
	if err != nil {
		c.key = m.Key // a key of another format is as good: it only has to tell rows apart
		return nil
	}
	j.key = norm
	c.key = jsonb.Canonical(unwrap(norm))
	if m.OldKey == nil {
		return nil
	}
	if norm, err = jsonb.Normalize(j.oldKey[:0], m.OldKey); err == nil {
		j.oldKey = norm
		c.oldKey = jsonb.Canonical(unwrap(norm))
	}
	return nil
}

// row packs the row image of an event; packed is nil when it is null.
func row(buf, event []byte, name string) (grown, packed []byte, err error) {
	v, ok := field(event, name)
	if !ok {
		return buf, nil, nil
	}
	if jsonb.TypeOf(v) == jsonb.String {
		// MongoDB's documents are text.
		if v, err = jsonb.Normalize(nil, jsonb.Unquote(v)); err != nil {
			return buf, nil, json.Error(err)
		}
	}
	if jsonb.TypeOf(v) != jsonb.Object {
		return buf, nil, repr.NewError(repr.CodeFeatureNotSupported, "a Debezium change event whose "+name+" is no JSON object is not supported")
	}
	buf = repr.Append(buf, repr.JSONB(v))
	return buf, buf, nil
}

// fill takes the members that hold the mark for values that were not sent from the old row.
func (j *jsonChanges) fill(row, old []byte) ([]byte, error) {
	d, _ := repr.Decode(row)
	var before []byte
	if old != nil {
		o, _ := repr.Decode(old)
		before = o.Bytes()
	}
	members := make([]jsonb.Member, 0, 16)
	for name, v := range jsonb.Members(d.Bytes()) {
		key := string(jsonb.Unquote(name))
		if isMark(v) {
			sent, ok := field(before, key)
			if !ok {
				return nil, notSent(key)
			}
			v = sent
		}
		members = append(members, jsonb.Member{Key: key, Value: v})
	}
	return repr.Append(nil, repr.JSONB(jsonb.AppendObject(nil, members))), nil
}

// isMark says whether a value is the mark, or a list of nothing but the mark.
func isMark(v []byte) bool {
	switch jsonb.TypeOf(v) {
	case jsonb.String:
		return string(jsonb.Unquote(v)) == logical.Unavailable
	case jsonb.Array:
		first, ok := jsonb.Index(v, 0)
		return ok && jsonb.Len(v) == 1 && isMark(first)
	default:
		return false
	}
}

// unwrap takes what Kafka Connect's JSON converter wrote out of its wrapper of schema and payload.
func unwrap(norm []byte) []byte {
	if jsonb.TypeOf(norm) != jsonb.Object || jsonb.Len(norm) != 2 {
		return norm
	}
	if _, ok := jsonb.Field(norm, "schema"); !ok {
		return norm
	}
	if payload, ok := jsonb.Field(norm, "payload"); ok {
		return payload
	}
	return norm
}

// field is a member of an object; a null is none.
func field(object []byte, name string) ([]byte, bool) {
	if object == nil || jsonb.TypeOf(object) != jsonb.Object {
		return nil, false
	}
	v, ok := jsonb.Field(object, name)
	return v, ok && jsonb.TypeOf(v) != jsonb.Null
}

func text(object []byte, name string) string {
	v, ok := field(object, name)
	if !ok {
		return ""
	}
	return string(unquoted(v))
}

// unquoted is what a string says; nil for anything else.
func unquoted(v []byte) []byte {
	if jsonb.TypeOf(v) != jsonb.String {
		return nil
	}
	return jsonb.Unquote(v)
}

func number(object []byte, name string) (int64, bool) {
	v, ok := field(object, name)
	if !ok {
		return 0, false
	}
	return integer(v)
}

func integer(v []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	return n, err == nil
}

// Extra is nothing: the document keeps every field.
func (j *jsonChanges) Extra() []string { return nil }
