package envelope

import (
	"context"
	"math/rand/v2"
	"testing"

	"millrace/repr"
	"millrace/repr/format/connect"
	"millrace/sources"
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

// made gives changes that were made up before: half of them insert, four of ten update and one deletes.
type made struct {
	jsonChanges
	list []change
	at   int
}

func (m *made) decode(_ context.Context, _ *Message, c *change) (bool, error) {
	*c = m.list[m.at]
	c.key = append([]byte(nil), c.key...)
	m.at++
	return true, nil
}

func makeUp(n int) []change {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([]change, n)
	keys := 0
	for i := range list {
		id := r.IntN(max(keys, 1))
		op := byte(opUpdate)
		if i%10 < 5 || keys == 0 {
			id, op = keys, opCreate
			keys++
		} else if i%10 == 9 {
			op = opDelete
		}
		key := repr.Append(nil, repr.Int8(int64(id)))
		c := change{op: op, key: key, pos: position{known: true, lsn: true, offset: uint64(i) * 200, millis: int64(i)}}
		if op != opDelete {
			c.after = repr.AppendText(repr.Append(append([]byte(nil), key...), repr.Int8(int64(i))), []byte("a name of usual length, and what else there is in a row"))
		}
		list[i] = c
	}
	return list
}

// BenchmarkKeyed is what a decoded change of a table of some hundred thousand rows costs behind its decoder, with what is told of the
// memory every ten thousand changes.
func BenchmarkKeyed(b *testing.B) {
	list := makeUp(500_000)
	var dst, state []sources.Update
	var d *Debezium
	at, noted := len(list), 0
	for i := 0; b.Loop(); i++ {
		if at == len(list) {
			d = newDebezium(&made{list: list}, 1)
			d.Remember()
			at = 0
		}
		at++
		var err error
		if dst, err = d.Apply(context.Background(), dst[:0], &Message{Key: []byte{1}, Value: []byte{1}}); err != nil {
			b.Fatal(err)
		}
		if at%10_000 == 0 {
			state = d.State(state[:0])
			for _, u := range state {
				noted += len(u.Row)
			}
		}
	}
	b.ReportMetric(float64(noted)/float64(b.N), "note-bytes/change")
	b.ReportMetric(float64(d.live.bytes())/float64(d.live.len()), "bytes/key")
}
