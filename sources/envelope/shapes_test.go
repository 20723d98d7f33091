package envelope

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"millrace/repr"
	"millrace/repr/format/avro"
	"millrace/repr/format/connect"
	"millrace/repr/pgfmt"
)

// shaped is an event in JSON by its parts.
func shaped(op, key, after, source, more string) *Message {
	return &Message{Key: []byte(key), Value: fmt.Appendf(nil, `{"before":null,"after":%s,"source":{%s},"op":%q%s}`, after, source, op, more)}
}

func tombstone(key string) *Message { return &Message{Key: []byte(key)} }

// rows applies messages and shows what is there in the end; an error stands in its place.
func rows(t *testing.T, e *Debezium, cols repr.RowDesc, messages []*Message) string {
	t.Helper()
	content := table{}
	var out []string
	for _, m := range messages {
		updates, err := e.Apply(context.Background(), nil, m)
		if err != nil {
			out = append(out, "!"+err.Error())
		}
		content.fold(t, updates)
	}
	for row, n := range content {
		var cells []string
		for i, d := range repr.DecodeRow(nil, []byte(row)) {
			cells = append(cells, string(pgfmt.AppendText(nil, cols[i].Type, d, nil)))
		}
		for range n {
			out = append(out, strings.Join(cells, "|"))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestShapes are the source blocks of the connectors that no database here could give, as Debezium documents them. A
// repetition is dropped by the place that each has in its log.
func TestShapes(t *testing.T) {
	t.Parallel()
	server := func(commit, change string, serial int) string {
		return fmt.Sprintf(`"connector":"sqlserver","ts_ms":5,"snapshot":"false","db":"shop","schema":"dbo","table":"t","change_lsn":%s,"commit_lsn":%q,"event_serial_no":%d`,
			change, commit, serial)
	}
	mongo := func(ms, ord int) string {
		return fmt.Sprintf(`"connector":"mongodb","ts_ms":%d,"snapshot":"false","db":"shop","collection":"t","ord":%d`, ms, ord)
	}
	document := func(v int) string {
		return fmt.Sprintf(`"{\"_id\": {\"$oid\": \"aa\"},\"v\": {\"$numberLong\": \"%d\"}}"`, v)
	}
	cases := []struct {
		name     string
		messages []*Message
		want     string
	}{
		{"SQL Server: a snapshot, then changes, the older ones again", []*Message{
			shaped("r", `{"id":1}`, `{"id":1,"v":1}`, server("00000027:00000758:0003", "null", 0), ""),
			shaped("u", `{"id":1}`, `{"id":1,"v":2}`, server("00000027:00000758:0005", `"00000027:00000758:0004"`, 2), ""),
			shaped("u", `{"id":1}`, `{"id":1,"v":3}`, server("00000027:00000ac0:0002", `"00000027:00000758:0009"`, 2), ""),
			shaped("u", `{"id":1}`, `{"id":1,"v":2}`, server("00000027:00000758:0005", `"00000027:00000758:0004"`, 2), ""),
		}, `1|3`},
		{"SQL Server: what was deleted does not come back", []*Message{
			shaped("c", `{"id":1}`, `{"id":1,"v":1}`, server("00000027:00000758:0005", `"00000027:00000758:0004"`, 1), ""),
			shaped("d", `{"id":1}`, `null`, server("00000028:00000001:0001", `"00000027:00000758:0004"`, 1), ""), tombstone(`{"id":1}`),
			shaped("c", `{"id":1}`, `{"id":1,"v":1}`, server("00000027:00000758:0005", `"00000027:00000758:0004"`, 1), ""),
		}, ``},
		{"MongoDB: documents are text, with extended JSON in it", []*Message{
			shaped("c", `{"id":"{\"$oid\": \"aa\"}"}`, document(1), mongo(1000, 1), ""),
			shaped("u", `{"id":"{\"$oid\": \"aa\"}"}`, document(2), mongo(1000, 2), `,"updateDescription":{"updatedFields":"{}"}`),
			shaped("c", `{"id":"{\"$oid\": \"aa\"}"}`, document(1), mongo(1000, 1), ""),
		}, `|2`},
		{"MongoDB: the rows of a snapshot bear different times", []*Message{
			{Key: []byte(`1`), Value: []byte(`{"op":"r","after":"{\"v\": 1}","source":{"ts_ms":1,"ord":1,"snapshot":"first"}}`)},
			{Key: []byte(`2`), Value: []byte(`{"op":"r","after":"{\"v\": 2}","source":{"ts_ms":2,"ord":1,"snapshot":"last"}}`)},
		}, `|1 |2`},
		{"MongoDB: an update without the document", []*Message{
			shaped("c", `{"id":"1"}`, document(1), mongo(1000, 1), ""),
			shaped("u", `{"id":"1"}`, `null`, mongo(1001, 1), `,"updateDescription":{"updatedFields":"{}"}`),
		}, `!the update of a document came without the document after it |1`},
		{"MongoDB: a document that is none", []*Message{shaped("c", `{"id":"1"}`, `"{"`, mongo(1, 1), "")},
			`!invalid JSON: the text ends too early`},
		{"a flattened record is none", []*Message{{Key: []byte(`{"id":1}`), Value: []byte(`{"id":1,"v":1}`)}},
			`!the record is not a Debezium change event: it has no field op of one letter`},
		{"a column that does not fit names itself", []*Message{shaped("c", `1`, `{"id":1,"v":"x"}`, ``, "")},
			`!column "v": invalid input syntax for type bigint: "x"`},
	}
	cols := []connect.Column{
		{Column: repr.Column{Name: "id", Type: repr.TypeOf(repr.KindInt8)}}, {Column: repr.Column{Name: "v", Type: repr.TypeOf(repr.KindInt8)}}}
	for _, c := range cases {
		if got := rows(t, NewDebeziumTyped(cols, connect.Modes{}), connect.Desc(cols), c.messages); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// TestUpsert: the last record of a key counts, and a tombstone alone deletes.
func TestUpsert(t *testing.T) {
	t.Parallel()
	cols := []connect.Column{{Column: repr.Column{Name: "v", Type: repr.TypeOf(repr.KindInt8)}}}
	at := func(lsn int) string { return fmt.Sprintf(`"lsn":%d,"ts_ms":1`, lsn) }
	for _, c := range []struct {
		name     string
		messages []*Message
		want     string
	}{
		{"positions do not count", []*Message{shaped("c", `1`, `{"v":2}`, at(9), ""), shaped("u", `1`, `{"v":1}`, at(3), "")}, `1`},
		{"a tombstone without its delete", []*Message{shaped("c", `1`, `{"v":2}`, at(9), ""), tombstone(`1`)}, ``},
		{"a tombstone as the converter writes it", []*Message{shaped("c", `1`, `{"v":2}`, at(9), ""), {Key: []byte(`1`), Value: []byte(`null`)}}, ``},
		{"a delete and its tombstone", []*Message{shaped("c", `1`, `{"v":2}`, at(9), ""), shaped("d", `1`, `null`, at(10), ""), tombstone(`1`)}, ``},
		{"a truncation has no key", []*Message{shaped("c", `1`, `{"v":2}`, at(9), ""), {Value: []byte(`{"op":"t","before":null,"after":null,"source":{}}`)}}, ``},
		{"a record without a key", []*Message{{Value: []byte(`{"op":"c","before":null,"after":{"v":1}}`)}},
			`!the record at offset 0 has no key, and ENVELOPE DEBEZIUM UPSERT goes by the key`},
	} {
		if got := rows(t, NewDebeziumTyped(cols, connect.Modes{}).Upsert(), connect.Desc(cols), c.messages); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

const mongoSchema = `{"type":"record","name":"Envelope","namespace":"m.t","fields":[
{"name":"before","type":["null",{"type":"string","connect.name":"io.debezium.data.Json"}],"default":null},
{"name":"after","type":["null",{"type":"string","connect.name":"io.debezium.data.Json"}],"default":null},
{"name":"source","type":{"type":"record","name":"Source","fields":[{"name":"ts_ms","type":"long"},{"name":"ord","type":"int"}]}},
{"name":"op","type":["null","string"],"default":null}]}`

// TestMongoInAvro: the documents of MongoDB are text in Avro too.
func TestMongoInAvro(t *testing.T) {
	t.Parallel()
	schemas := &sampleSchemas{byID: map[int]string{1: mongoSchema}}
	text := func(s string) string { return "\x02" + string(append([]byte{byte(2 * len(s))}, s...)) }
	message := func(after string, ord byte) *Message {
		return &Message{Key: []byte("k"), Value: []byte("\x00\x00\x00\x00\x01" + "\x00" + text(after) + "\x02" + string([]byte{2 * ord}) + text("c"))}
	}
	cols := DebeziumJSONColumns()
	e := NewDebeziumAvro(schemas, avro.ColumnsOf(cols), nil)
	if got := rows(t, e, cols, []*Message{message(`{"v":1}`, 1), message(`{"v":2}`, 2), message(`{"v":1}`, 1)}); got != `{"v": 2}` {
		t.Errorf("got %s", got)
	}
}

// TestExtra: a field that no column has is told once, in Avro and in JSON.
func TestExtra(t *testing.T) {
	t.Parallel()
	topics, schemas := loadTopics(t), loadSchemas(t)
	cols, key := schemas.avroColumns(t, "pg.public.users")
	inAvro := NewDebeziumAvro(schemas, cols[:2], key)
	inJSON := NewDebeziumTyped(userColumns[:2], connect.Modes{})
	for _, c := range []struct {
		e     *Debezium
		topic string
	}{{inAvro, "pg.public.users"}, {inJSON, "pg_json.public.users"}} {
		replay(t, c.e, topics[c.topic])
		if got := strings.Join(c.e.Extra(), ","); got != "is_vip,country" {
			t.Errorf("%s: %s", c.topic, got)
		}
		if got := c.e.Extra(); len(got) > 0 {
			t.Errorf("%s: told again: %s", c.topic, got)
		}
	}
}
