package envelope

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"millrace/repr"
	"millrace/repr/format/avro"
	"millrace/repr/jsonb"
	"millrace/repr/pgfmt"
)

// NewDebeziumAvro makes an envelope for change events in Avro. cols are the columns of the collection, matched by
// name to the rows of each event; key are the columns of the message key. With no key columns the bytes of the key
// stand for the key.
func NewDebeziumAvro(schemas Schemas, cols, key []avro.Column) *Debezium {
	other := func(c avro.Column) bool { return !plainKinds[c.Type.Kind] }
	return newDebezium(&avroChanges{schemas: schemas, cols: cols, keyCols: key, keys: NewRegistered(schemas, key),
		plain: !slices.ContainsFunc(key, other)}, len(key))
}

// plainKinds are those of which equal values are always packed alike.
var plainKinds = map[repr.Kind]bool{
	repr.KindBool: true, repr.KindInt2: true, repr.KindInt4: true, repr.KindInt8: true, repr.KindText: true, repr.KindBytea: true,
	repr.KindUUID: true, repr.KindDate: true, repr.KindTime: true, repr.KindTimestamp: true, repr.KindTimestampTZ: true,
}

// avroChanges decodes change events.
type avroChanges struct {
	schemas  Schemas
	cols     []avro.Column
	keyCols  []avro.Column
	keys     *Registered
	plain    bool // equal keys are equal bytes as they are packed
	programs cache[*avroProgram]
	// transactions take the transaction of an event out of it.
	transactions cache[*avro.Extractor]

	key, oldKey, canon []byte
	ahead              foreseen
	noted, extra       []string // fields that no column has: all, and those that nobody was told of
}

// avroProgram takes events of one schema apart.
type avroProgram struct {
	keyed   *avro.Extractor // without the row before, which is not used
	keyless *avro.Extractor
	// document: the rows are of MongoDB.
	document bool
}

// The slots of an event, those of a table without keys last.
const (
	slotAfter = iota
	slotOp
	slotFile
	slotPos
	slotRow
	slotLSN
	slotMillis
	slotSnapshot
	slotOrd
	slotCommit
	slotChange
	slotSerial
	slotBefore
	slotTxn
	slotOrder
	slotNanos
	slotMicros
	slotStamp
)

func (a *avroChanges) slots() []avro.Slot {
	return []avro.Slot{
		slotAfter: {Path: "after", Columns: a.cols}, slotOp: {Path: "op"},
		slotFile: {Path: "source.file"}, slotPos: {Path: "source.pos"}, slotRow: {Path: "source.row"},
		slotLSN: {Path: "source.lsn"}, slotMillis: {Path: "source.ts_ms"}, slotSnapshot: {Path: "source.snapshot"},
		slotOrd: {Path: "source.ord"}, slotCommit: {Path: "source.commit_lsn"}, slotChange: {Path: "source.change_lsn"}, slotSerial: {Path: "source.event_serial_no"},
		slotBefore: {Path: "before", Columns: a.cols}, slotTxn: {Path: "source.txId"},
		slotOrder: {Path: "transaction.total_order"}, slotNanos: {Path: "ts_ns"}, slotMicros: {Path: "ts_us"}, slotStamp: {Path: "ts_ms"},
	}
}

func (a *avroChanges) compile(s *avro.Schema) (*avroProgram, error) {
	slots := a.slots()
	after, hasAfter := s.Sub("after")
	_, hasBefore := s.Sub("before")
	_, hasOp := s.Sub("op")
	switch {
	case !hasOp && (!hasAfter || !hasBefore):
		return nil, notAChange(fmt.Sprintf("its schema, %s, has no field op", s.Name()))
	case !hasAfter || !hasBefore:
		slots = slots[:slotOp+1] // a message of the log has none: op says so
	case !after.IsRecord():
		if len(a.cols) != 1 || a.cols[0].Type.Kind != repr.KindJSONB {
			return nil, repr.NewError(repr.CodeDatatypeMismatch, "the rows of the event are documents, and the source has the columns of a table")
		}
		slots[slotAfter].Columns, slots[slotBefore].Columns = nil, nil // MongoDB's documents are text
	}
	var p avroProgram
	var err error
	if hasAfter && after.IsRecord() {
		if err = a.noteExtra(after); err != nil {
			return nil, err
		}
	}
	if p.keyless, err = avro.NewExtractor(s, slots); err != nil {
		return nil, err
	}
	_, p.document = s.Sub("updateDescription")
	p.keyed, err = avro.NewExtractor(s, slots[:min(len(slots), slotBefore)])
	return &p, err
}

// noteExtra notes the fields of a row that no column has.
func (a *avroChanges) noteExtra(after *avro.Schema) error {
	cols, err := after.Columns()
	if err != nil {
		return err
	}
	for i := range cols {
		isColumn := slices.ContainsFunc(a.cols, func(c avro.Column) bool { return c.Name == cols[i].Name })
		if !isColumn && !slices.Contains(a.noted, cols[i].Name) {
			a.noted = append(a.noted, cols[i].Name)
			a.extra = append(a.extra, cols[i].Name)
		}
	}
	return nil
}

// Extra gives the fields that no column has, each once.
func (a *avroChanges) Extra() []string {
	names := a.extra
	a.extra = nil
	return names
}

func (a *avroChanges) decode(ctx context.Context, m *Message, c *change) (bool, error) {
	id, record, err := avro.Unframe(m.Value)
	if err != nil {
		return false, err
	}
	p, err := a.programs.get(ctx, a.schemas, id, a.compile)
	if err != nil {
		return false, err
	}
	x := p.keyed
	if m.Key == nil {
		x = p.keyless
	}
	if err := x.Run(record); err != nil {
		return false, err
	}
	if op := x.Value(slotOp).Bytes(); len(op) == 1 {
		c.op = op[0]
	}
	if !x.Has(slotOp) {
		wasThere := x == p.keyed
		if !wasThere {
			_, wasThere = x.Row(slotBefore)
		}
		_, isThere := x.Row(slotAfter)
		c.op = opOf(wasThere, isThere)
	}
	if c.op == opMessage {
		return false, nil
	}
	if !x.Has(slotAfter) {
		return false, notAChange("its schema has no fields before and after")
	}
	if after, ok := x.Row(slotAfter); ok {
		c.after = after
	}
	c.document = p.document
	o := avroOrigin(x)
	o.place(c)
	c.snapshot = snapshotWord(x.Value(slotSnapshot).Bytes())
	if m.Key == nil {
		avroIdentity(x, c)
		return true, nil
	}
	return true, a.identify(ctx, m, c)
}

// opOf is the operation of an event that names none but has a row before and after, as sinks write them. The row
// before does not matter where there is a key.
func opOf(before, after bool) byte {
	switch {
	case !after:
		return opDelete
	case !before:
		return opCreate
	default:
		return opUpdate
	}
}

func avroOrigin(x *avro.Extractor) origin {
	var o origin
	o.millis, _ = x.Int(slotMillis)
	o.lsn, o.hasLSN = x.Int(slotLSN)
	o.pos, o.hasPos = x.Int(slotPos)
	o.ord, o.hasOrd = x.Int(slotOrd)
	o.row, _ = x.Int(slotRow)
	o.serial, _ = x.Int(slotSerial)
	o.file = x.Value(slotFile).Bytes()
	if commit := x.Value(slotCommit); !commit.IsNull() {
		o.commit, o.hasCommit = parseLSN(commit.Bytes())
		o.change, _ = parseLSN(x.Value(slotChange).Bytes())
	}
	return o
}

// avroIdentity is what tells events of a table without keys apart.
func avroIdentity(x *avro.Extractor, c *change) {
	if before, ok := x.Row(slotBefore); ok {
		c.before = before
	}
	c.txn, c.order = x.Value(slotTxn).Int(), x.Value(slotOrder).Int()
	c.stamp = stampNanos(x.Value(slotNanos), x.Value(slotMicros), x.Value(slotStamp))
}

// stampNanos is a time in nanoseconds, from the finest that there is.
func stampNanos(nanos, micros, millis repr.Datum) int64 {
	switch {
	case !nanos.IsNull():
		return nanos.Int()
	case !micros.IsNull():
		return micros.Int() * 1000
	default:
		return millis.Int() * 1000000
	}
}

// identify decodes the keys of a message.
func (a *avroChanges) identify(ctx context.Context, m *Message, c *change) error {
	if len(a.keyCols) == 0 {
		c.key = m.Key
		return nil
	}
	var err error
	var ok bool
	if c.key, ok = a.ahead.take(m.Key); !ok {
		if a.key, err = a.appendKey(ctx, a.key[:0], m.Key); err != nil {
			return inKey(err)
		}
		c.key = a.key
	}
	if len(m.OldKey) > 0 {
		// A header that cannot be read is no reason to refuse the row, unless the row needs it: then fill says so.
		if a.oldKey, err = a.appendOldKey(ctx, a.oldKey[:0], m.OldKey); err == nil {
			c.oldKey = a.oldKey
		}
	}
	return nil
}

// appendKey packs a key so that equal keys are equal bytes.
func (a *avroChanges) appendKey(ctx context.Context, dst, key []byte) ([]byte, error) {
	if a.plain {
		return a.keys.Append(ctx, dst, key)
	}
	row, err := a.keys.Append(ctx, a.canon[:0], key)
	if err != nil {
		return dst, err
	}
	a.canon = row
	return appendCanonical(dst, row), nil
}

func appendCanonical(dst, row []byte) []byte {
	for len(row) > 0 {
		var d repr.Datum
		d, row = repr.Decode(row)
		dst = repr.AppendKey(dst, d)
	}
	return dst
}

// appendOldKey packs the key in a header, which is Avro or, as Debezium's header converter writes it, JSON.
func (a *avroChanges) appendOldKey(ctx context.Context, dst, header []byte) ([]byte, error) {
	if header[0] == 0 {
		return a.appendKey(ctx, dst, header)
	}
	norm, err := jsonb.Normalize(nil, header)
	if err != nil {
		return dst, err
	}
	norm = unwrap(norm)
	for i := range a.keyCols {
		col := &a.keyCols[i]
		v, ok := field(norm, col.Name)
		if !ok {
			return dst, fmt.Errorf("the header has no %s", col.Name)
		}
		if jsonb.TypeOf(v) == jsonb.String {
			v = jsonb.Unquote(v)
		}
		d, perr := pgfmt.ParseText(col.Type, string(v), nil)
		if perr != nil {
			return dst, perr
		}
		dst = repr.AppendKey(dst, d)
	}
	return dst, nil
}

// fill takes the columns that hold the mark for values that were not sent from the old row.
func (a *avroChanges) fill(row, old []byte) ([]byte, error) {
	return fillRow(avro.Desc(a.cols), row, old)
}

// isUnavailable says whether a value is the mark, or a list of nothing but the mark.
func isUnavailable(d repr.Datum) bool {
	switch d.Kind() {
	case repr.KindText, repr.KindVarchar, repr.KindBpchar, repr.KindBytea, repr.KindJSONB:
		return bytes.Equal(d.Bytes(), unavailable)
	case repr.KindArray:
		return d.Len() == 1 && isUnavailable(d.Elems(nil)[0])
	default:
		return false
	}
}
