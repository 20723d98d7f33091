package kafka

import (
	"context"
	"errors"
	"fmt"

	"millrace/repr"
	"millrace/repr/format/avro"
	"millrace/repr/format/connect"
	"millrace/sources/envelope"
)

// Debezium is what ENVELOPE DEBEZIUM is told beside what the messages say.
type Debezium struct {
	// Columns are those of the table, for JSON without schemas; when empty, they come from the schema that messages bear, and
	// where they bear none a row is one column, data jsonb.
	Columns repr.RowDesc
	Keys    [][]int       // sets of Columns that are unique
	Modes   connect.Modes // how the connector writes, for JSON without schemas
	// Transactions: a batch is of one transaction, or of none, and says so.
	Transactions bool
}

func (e Envelope) isDebezium() bool { return e == EnvelopeDebezium || e == EnvelopeDebeziumUpsert }

// noSchema is kept for a source whose messages bore no schema when it was made.
const noSchema = "null"

// debeziumJSON finds the columns of a source of JSON.
func (s *Source) debeziumJSON(ctx context.Context, d *described) (*envelope.Debezium, error) {
	if cols := s.cfg.Debezium.Columns; len(cols) > 0 {
		d.cols, d.keys = cols, s.cfg.Debezium.Keys
		typed := make([]connect.Column, len(cols))
		for i := range cols {
			typed[i].Column = cols[i]
		}
		return envelope.NewDebeziumTyped(typed, s.cfg.Debezium.Modes), nil
	}
	d.valueSchema, d.keySchema = s.cfg.ValueSchema, s.cfg.KeySchema
	if d.valueSchema == "" {
		if err := s.sampleSchemas(ctx, d); err != nil {
			return nil, err
		}
	}
	schema, err := connect.Parse([]byte(d.valueSchema))
	if err != nil {
		return nil, err
	}
	after := schema.Sub("after")
	if after == nil || !after.IsStruct() {
		d.cols = envelope.DebeziumJSONColumns()
		return envelope.NewDebeziumJSON(), nil
	}
	cols, err := after.Columns()
	if err != nil {
		return nil, err
	}
	for i := range cols {
		cols[i].NotNull = false
	}
	if err := keysOf(d, cols); err != nil {
		return nil, err
	}
	d.cols = connect.Desc(cols)
	return envelope.NewDebeziumTyped(cols, s.cfg.Debezium.Modes), nil
}

// keysOf finds the columns of the key, which are unique and never NULL.
func keysOf(d *described, cols []connect.Column) error {
	if d.keySchema == "" {
		return nil
	}
	schema, err := connect.Parse([]byte(d.keySchema))
	if err != nil {
		return err
	}
	var at []int
	for _, f := range schema.Fields {
		for i := range cols {
			if cols[i].Name == f.Field {
				cols[i].NotNull = !f.Optional
				at = append(at, i)
			}
		}
	}
	if len(at) > 0 && len(at) == len(schema.Fields) {
		d.keys = [][]int{at}
	}
	return nil
}

// sampleSchemas takes the schemas of the newest change of a row in the topic.
func (s *Source) sampleSchemas(ctx context.Context, d *described) error {
	records, err := s.newest(ctx)
	if err != nil {
		return err
	}
	d.valueSchema = noSchema
	var scan connect.Scanner
	newest := int64(0)
	for _, r := range records {
		text, at := connect.Unwrap(&scan, r.Value)
		when := changedAt(&scan, at)
		if text == nil || when < newest {
			continue
		}
		schema, err := connect.Parse(text)
		if err != nil || schema.Sub("after") == nil {
			continue
		}
		newest = when
		d.valueSchema, d.keySchema = string(text), ""
		if key, _ := connect.Unwrap(&scan, r.Key); key != nil {
			d.keySchema = string(key)
		}
	}
	return nil
}

// changedAt is when a change was made upstream, which the order of partitions does not tell; 0 when it does not say.
func changedAt(s *connect.Scanner, payload int) int64 {
	s.Seek(payload)
	for _, name := range []string{"source", "ts_ms"} {
		if !s.IsObject() || !s.Open() || !s.Find(name) {
			return 0
		}
	}
	millis, _ := s.Int()
	return millis
}

// separate hands over what is of another transaction than a message, and says what that is of.
func (r *reader) separate(ctx context.Context, m *envelope.Message) (id string, order int64, err error) {
	e, ok := r.seen.env.(*envelope.Debezium)
	if !ok {
		return "", 0, nil
	}
	id, order = e.Transaction(ctx, m)
	if id != r.batch.Transaction && r.batch.Records > 0 {
		// The message is not in this batch: it is read again if the batch is the last that is bound.
		after := r.next[m.Partition]
		_, moved := r.moved[m.Partition]
		r.next[m.Partition] = m.Offset
		err = r.push(ctx)
		r.next[m.Partition] = after
		if _, still := r.moved[m.Partition]; moved && !still {
			r.moved[m.Partition] = -1
		}
	}
	return id, order, err
}

func (s *Source) buildDebezium(ctx context.Context, d *described) error {
	env, err := s.debezium(ctx, d)
	if err != nil {
		return err
	}
	if s.cfg.Envelope == EnvelopeDebeziumUpsert {
		env.Upsert()
	}
	d.env = env
	return nil
}

func (s *Source) debezium(ctx context.Context, d *described) (*envelope.Debezium, error) {
	if s.cfg.ValueFormat == FormatJSON {
		return s.debeziumJSON(ctx, d)
	}
	schema, err := s.schema(ctx, s.cfg.ValueSchema, "-value")
	if err != nil {
		return nil, err
	}
	d.valueSchema = schema.Text()
	after, ok := schema.Sub("after")
	if _, hasBefore := schema.Sub("before"); !ok || !hasBefore {
		return nil, (&repr.Error{Code: repr.CodeWrongObjectType,
			Message: fmt.Sprintf("the values of topic %q are not Debezium change events: the schema of subject %q has no before and after", s.cfg.Topic, s.subject("-value"))}).
			WithHint("Use ENVELOPE UPSERT for plain records with a key, such as those of ExtractNewRecordState, and ENVELOPE NONE for those without.")
	}
	cols, err := after.Columns()
	if err == nil && !after.IsRecord() {
		// MongoDB's documents are text in an event; the key is the document's, as it stands.
		d.cols = envelope.DebeziumJSONColumns()
		return envelope.NewDebeziumAvro(s.cfg.Registry, avro.ColumnsOf(d.cols), nil), nil
	}
	if err != nil {
		return nil, err
	}
	nullable(cols)
	key, err := s.debeziumKey(ctx, d, cols)
	if err != nil {
		return nil, err
	}
	d.cols = avro.Desc(cols)
	return envelope.NewDebeziumAvro(s.cfg.Registry, cols, key), nil
}

// debeziumKey finds the columns of the key. A topic whose keys are not registered has keys of another format, or none.
func (s *Source) debeziumKey(ctx context.Context, d *described, cols []avro.Column) ([]avro.Column, error) {
	if s.cfg.KeyFormat != FormatNone && s.cfg.KeyFormat != FormatAvro {
		return nil, nil
	}
	schema, err := s.schema(ctx, s.cfg.KeySchema, "-key")
	var e *repr.Error
	if errors.As(err, &e) && e.Code == repr.CodeUndefinedObject {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d.keySchema = schema.Text()
	key, err := schema.Columns()
	if err != nil {
		return nil, err
	}
	var at []int
	for i := range key {
		for j := range cols {
			if cols[j].Name == key[i].Name {
				key[i].Type = cols[j].Type
				cols[j].NotNull = key[i].NotNull
				at = append(at, j)
			}
		}
	}
	if len(at) == len(key) {
		d.keys = [][]int{at}
	}
	return key, nil
}
