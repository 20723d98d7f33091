package envelope

import (
	"context"

	"millrace/repr/format/avro"
	"millrace/repr/format/connect"
	"millrace/sources/txn"
)

// Transaction says of which transaction a message is, and where among the changes of its table in it; id is empty when it is of
// none. What is wrong with the message is for Apply to say. TRUNCATE of MySQL and MariaDB ends a transaction of its own that has no
// end in the topic of transactions, so it is taken to be of none.
func (d *Debezium) Transaction(ctx context.Context, m *Message) (id string, order int64) {
	if m.Value == nil {
		return "", 0
	}
	text, op, order := d.changes.transaction(ctx, m)
	if op == opTruncate && !txn.IsPostgres(text) {
		return "", 0
	}
	return txn.ID(text), order
}

// jsonTransaction finds the transaction in an event in JSON.
func jsonTransaction(s *connect.Scanner, value []byte) (id string, op byte, order int64) {
	_, at := connect.Unwrap(s, value)
	s.Reset(value)
	s.Seek(at)
	if !s.IsObject() || !s.Open() {
		return "", 0, 0
	}
	for name, more := s.Key(); more; name, more = s.Key() {
		switch string(name) {
		case "op":
			if text := word(s); len(text) == 1 {
				op = text[0]
			}
		case "transaction":
			id, order = transactionBlock(s)
		default:
			s.Skip()
		}
	}
	return id, op, order
}

func transactionBlock(s *connect.Scanner) (id string, order int64) {
	if s.Null() || !s.Open() {
		return "", 0
	}
	for name, more := s.Key(); more; name, more = s.Key() {
		switch string(name) {
		case "id":
			id = string(word(s))
		case "data_collection_order":
			order, _ = s.Int()
		default:
			s.Skip()
		}
	}
	return id, order
}

func (t *typedChanges) transaction(_ context.Context, m *Message) (id string, op byte, order int64) {
	return jsonTransaction(&t.scan, m.Value)
}

func (j *jsonChanges) transaction(_ context.Context, m *Message) (id string, op byte, order int64) {
	return jsonTransaction(&j.scan, m.Value)
}

// avroTransaction are the slots of a transaction.
var avroTransaction = []avro.Slot{{Path: "transaction.id"}, {Path: "transaction.data_collection_order"}, {Path: "op"}}

func (a *avroChanges) transaction(ctx context.Context, m *Message) (id string, op byte, order int64) {
	schema, record, err := avro.Unframe(m.Value)
	if err != nil {
		return "", 0, 0
	}
	x, err := a.transactions.get(ctx, a.schemas, schema, func(s *avro.Schema) (*avro.Extractor, error) {
		return avro.NewExtractor(s, avroTransaction)
	})
	if err != nil || x.Run(record) != nil {
		return "", 0, 0
	}
	if text := x.Value(2).Bytes(); len(text) == 1 {
		op = text[0]
	}
	return string(x.Value(0).Bytes()), op, x.Value(1).Int()
}
