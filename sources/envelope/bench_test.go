package envelope

import (
	"context"
	"testing"

	"millrace/repr"
	"millrace/repr/format/connect"
)

// userColumns are the columns of the table users, as one declares them.
var userColumns = []connect.Column{
	{Column: repr.Column{Name: "id", Type: repr.TypeOf(repr.KindInt8), NotNull: true}},
	{Column: repr.Column{Name: "email", Type: repr.TypeOf(repr.KindText)}},
	{Column: repr.Column{Name: "is_vip", Type: repr.TypeOf(repr.KindBool)}},
	{Column: repr.Column{Name: "country", Type: repr.TypeOf(repr.KindText)}},
}

// BenchmarkDecode takes the captured changes of the table users apart, over and over; what the envelope then does with
// them is not measured.
func BenchmarkDecode(b *testing.B) {
	topics, schemas := loadTopics(b), loadSchemas(b)
	cols, key := schemas.avroColumns(b, "pg.public.users")
	for _, c := range []struct {
		name, topic string
		changes     changes
	}{
		{"avro", "pg.public.users", NewDebeziumAvro(schemas, cols, key).changes},
		{"json", "pg_json.public.users", NewDebeziumTyped(userColumns, connect.Modes{}).changes},
		{"jsonschema", "pg_jsonschema.public.users", NewDebeziumTyped(userColumns, connect.Modes{}).changes},
		{"jsonb", "pg_json.public.users", NewDebeziumJSON().changes},
	} {
		b.Run(c.name, func(b *testing.B) {
			var messages []*Message
			for _, m := range topics[c.topic] {
				if m.Value != nil {
					messages = append(messages, m)
				}
			}
			var ch change
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				ch = change{}
				if _, err := c.changes.decode(context.Background(), messages[i%len(messages)], &ch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTransaction finds the transactions of the same changes, which is done before they are decoded where transactions are
// kept whole.
func BenchmarkTransaction(b *testing.B) {
	topics, schemas := loadTopics(b), loadSchemas(b)
	cols, key := schemas.avroColumns(b, "pg.public.users")
	for _, c := range []struct {
		name, topic string
		envelope    *Debezium
	}{
		{"avro", "pg.public.users", NewDebeziumAvro(schemas, cols, key)},
		{"json", "pg_json.public.users", NewDebeziumTyped(userColumns, connect.Modes{})},
	} {
		b.Run(c.name, func(b *testing.B) {
			messages := topics[c.topic]
			found := 0
			for i := 0; b.Loop(); i++ {
				if id, _ := c.envelope.Transaction(context.Background(), messages[i%len(messages)]); id != "" {
					found++
				}
			}
			if found == 0 && b.N > len(messages) {
				b.Fatal("no transaction")
			}
		})
	}
}
