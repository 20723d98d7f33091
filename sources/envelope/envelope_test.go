package envelope

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"millrace/internal/registry"
	"millrace/repr"
	"millrace/repr/format/avro"
	fbytes "millrace/repr/format/bytes"
	"millrace/repr/jsonb"
)

// plainColumns are those that JSON writes as the databases print them.
var plainColumns = []string{"id", "email", "country", "name", "category", "inventory", "details", "user_id", "item_id",
	"status", "quantity", "region", "sku", "who", "what", "c_int", "c_text", "c_varchar", "c_null", "c_enum", "c_uuid",
	"c_small", "c_big", "c_tiny", "c_med", "c_uint", "c_set", "c_year", "c_inet", "c_range"}

// TestReplayJSON replays JSON with and without schemas. A row is as its event wrote it, so that a column which was
// added later is not in it.
func TestReplayJSON(t *testing.T) {
	t.Parallel()
	topics := loadTopics(t)
	for _, name := range sampleTables {
		for _, flavour := range []string{"_json.", "_jsonschema."} {
			messages := topics[strings.Replace(name, ".", flavour, 1)]
			if len(messages) == 0 {
				t.Fatalf("no topic %s of %s", flavour, name)
			}
			var got []map[string]string
			for row, n := range replay(t, NewDebeziumJSON(), messages) {
				d, _ := repr.Decode([]byte(row))
				shown := map[string]string{}
				for key, v := range jsonb.Members(d.Bytes()) {
					shown[string(jsonb.Unquote(key))] = showMember(v)
				}
				for range n {
					got = append(got, shown)
				}
			}
			checkPlain(t, name, got)
		}
	}
}

func showMember(v []byte) string {
	switch jsonb.TypeOf(v) {
	case jsonb.Null:
		return `\N`
	case jsonb.String:
		return string(jsonb.Unquote(v))
	}
	return string(v)
}

// checkPlain compares the columns that can be compared as they are.
func checkPlain(t *testing.T, name string, got []map[string]string) {
	t.Helper()
	want := map[string]int{}
	for _, row := range expected(t, name) {
		want[row["id"]+row["region"]+row["who"]]++
	}
	if len(got) != len(expected(t, name)) {
		t.Errorf("%s: %d rows, want %d", name, len(got), len(expected(t, name)))
	}
	for _, row := range got {
		key := row["id"] + row["region"] + row["who"]
		if want[key]--; want[key] < 0 {
			t.Errorf("%s: row %s is too many", name, key)
		}
		for _, exp := range expected(t, name) {
			if exp["id"]+exp["region"]+exp["who"] != key {
				continue
			}
			for _, column := range plainColumns {
				value, has := row[column]
				if w := arrives(name, key, column, exp[column]); has && value != w {
					t.Errorf("%s: row %s column %s: got %.80q, want %.80q", name, key, column, value, w)
				}
			}
		}
	}
}

func event(op, key, before, after, source string) *Message {
	m := &Message{Value: fmt.Appendf(nil, `{"op":%q,"before":%s,"after":%s,"source":{%s}}`, op, before, after, source)}
	if key != "" {
		m.Key = []byte(key)
	}
	return m
}

// A script is messages and the rows that are there after them.
func TestDebezium(t *testing.T) {
	t.Parallel()
	binlog := func(file, pos, ms int) string {
		return fmt.Sprintf(`"file":"binlog.%06d","pos":%d,"row":0,"ts_ms":%d`, file, pos, ms)
	}
	lsn := func(n, ms int) string { return fmt.Sprintf(`"lsn":%d,"ts_ms":%d`, n, ms) }
	const null = "null"
	cases := []struct {
		name     string
		messages []*Message
		want     string
	}{
		{"before is not trusted", []*Message{
			event("c", `1`, null, `{"v":1}`, lsn(10, 1)), event("u", `1`, `{"v":7}`, `{"v":2}`, lsn(11, 1)),
		}, `{"v": 2}`},
		{"an update of a key that we do not know is its row", []*Message{event("u", `1`, null, `{"v":2}`, lsn(11, 1))}, `{"v": 2}`},
		{"a delete of a key that we do not know is nothing", []*Message{event("d", `1`, `{"v":1}`, null, lsn(11, 1))}, ``},
		{"a snapshot that comes after a change is older than it", []*Message{
			event("u", `1`, null, `{"v":2}`, lsn(20, 5)), event("r", `1`, null, `{"v":1}`, lsn(10, 1)),
		}, `{"v": 2}`},
		{"a change that was logged before the snapshot and committed after it", []*Message{
			event("r", `1`, null, `{"v":1}`, lsn(20, 5)), event("u", `1`, null, `{"v":2}`, lsn(15, 6)),
		}, `{"v": 2}`},
		{"a deleted key does not come back", []*Message{
			event("c", `1`, null, `{"v":1}`, lsn(10, 1)), event("d", `1`, null, null, lsn(12, 1)), event("c", `1`, null, `{"v":1}`, lsn(10, 1)),
		}, ``},
		{"a key that is used again", []*Message{
			event("c", `1`, null, `{"v":1}`, lsn(10, 1)), event("d", `1`, null, null, lsn(12, 1)), event("c", `1`, null, `{"v":3}`, lsn(13, 1)),
		}, `{"v": 3}`},
		{"the log begins anew", []*Message{
			event("c", `1`, null, `{"v":1}`, binlog(7, 500, 1000)), event("c", `2`, null, `{"v":1}`, binlog(7, 600, 1000)),
			event("u", `1`, null, `{"v":2}`, binlog(1, 50, 9000)), event("u", `2`, null, `{"v":3}`, binlog(1, 50, 9000)),
			event("u", `1`, null, `{"v":9}`, binlog(7, 400, 900)),
		}, `{"v": 2} {"v": 3}`},
		{"the file counts before the place in it", []*Message{
			event("c", `1`, null, `{"v":1}`, binlog(9, 500, 1)), event("u", `1`, null, `{"v":2}`, binlog(10, 4, 1)), event("u", `1`, null, `{"v":1}`, binlog(9, 600, 1)),
		}, `{"v": 2}`},
		{"without positions the last change counts", []*Message{
			event("c", `1`, null, `{"v":1}`, ``), event("u", `1`, null, `{"v":2}`, ``), event("u", `1`, null, `{"v":1}`, ``),
		}, `{"v": 1}`},
		{"truncation spares what is younger", []*Message{
			event("c", `1`, null, `{"v":1}`, lsn(10, 1)), event("c", `2`, null, `{"v":2}`, lsn(30, 1)), event("t", ``, null, null, lsn(20, 1)),
			event("c", `3`, null, `{"v":3}`, lsn(15, 1)),
		}, `{"v": 2}`},
		{"no key: a multiset", []*Message{
			event("c", ``, null, `{"v":1}`, lsn(10, 1)), event("c", ``, null, `{"v":1}`, lsn(11, 1)), event("u", ``, `{"v":1}`, `{"v":2}`, lsn(12, 1)),
		}, `{"v": 1} {"v": 2}`},
		{"no key: truncation", []*Message{
			event("c", ``, null, `{"v":1}`, lsn(10, 1)), event("t", ``, null, null, lsn(11, 1)), event("c", ``, null, `{"v":2}`, lsn(12, 1)),
		}, `{"v": 2}`},
		{"a value that was not sent", []*Message{
			event("c", `1`, null, `{"v":1,"big":"x"}`, lsn(10, 1)), event("u", `1`, null, `{"v":2,"big":"__debezium_unavailable_value"}`, lsn(11, 1)),
		}, `{"v": 2, "big": "x"}`},
		{"a message of the log", []*Message{event("m", `{"prefix":"x"}`, null, null, lsn(10, 1))}, ``},
		{"a tombstone", []*Message{event("c", `1`, null, `{"v":1}`, lsn(10, 1)), {Key: []byte(`1`)}}, `{"v": 1}`},
	}
	for _, c := range cases {
		var got []string
		for row, n := range replay(t, NewDebeziumJSON(), c.messages) {
			d, _ := repr.Decode([]byte(row))
			for range n {
				got = append(got, d.Str())
			}
		}
		if joined := joinSorted(got); joined != c.want {
			t.Errorf("%s: got %s, want %s", c.name, joined, c.want)
		}
	}
}

func joinSorted(list []string) string {
	for i := range list {
		for j := i; j > 0 && list[j] < list[j-1]; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return strings.Join(list, " ")
}

// TestWithoutOp reads what a sink writes: before and after, and nothing else.
func TestWithoutOp(t *testing.T) {
	t.Parallel()
	cols := repr.RowDesc{{Name: "id", Type: repr.TypeOf(repr.KindInt8), NotNull: true}, {Name: "v", Type: repr.TypeOf(repr.KindText)}}
	enc, err := avro.NewEncoder("row", cols)
	if err != nil {
		t.Fatal(err)
	}
	key, err := avro.NewEncoder("row", cols[:1])
	if err != nil {
		t.Fatal(err)
	}
	schemas := &sampleSchemas{byID: map[int]string{1: enc.EnvelopeSchema("envelope"), 2: key.Schema()}}
	row := func(id int64, v string) []byte { return repr.AppendRow(nil, []repr.Datum{repr.Int8(id), repr.Text(v)}) }
	for _, keyed := range []bool{false, true} {
		var messages, texts []*Message
		for _, c := range [][2][]byte{{nil, row(1, "a")}, {nil, row(2, "b")}, {row(1, "a"), row(1, "c")}, {row(2, "b"), nil}, {nil, row(3, "d")}} {
			value, err := enc.AppendChange(avro.AppendFrame(nil, 1), c[0], c[1])
			if err != nil {
				t.Fatal(err)
			}
			m := &Message{Value: value}
			text := &Message{Value: fmt.Appendf(nil, `{"before":%s,"after":%s}`, image(c[0]), image(c[1]))}
			if keyed {
				some := c[1]
				if some == nil {
					some = c[0]
				}
				if m.Key, err = key.Append(avro.AppendFrame(nil, 2), some[:repr.PrefixLen(some, 1)]); err != nil {
					t.Fatal(err)
				}
				text.Key = m.Key
			}
			messages, texts = append(messages, m), append(texts, text)
		}
		got := replay(t, NewDebeziumAvro(schemas, avro.ColumnsOf(cols), avro.ColumnsOf(cols[:1])), messages)
		if len(got) != 2 || got[string(row(1, "c"))] != 1 || got[string(row(3, "d"))] != 1 {
			t.Errorf("keyed %v: got %v", keyed, got)
		}
		if got := replay(t, NewDebeziumJSON(), texts); len(got) != 2 {
			t.Errorf("keyed %v, JSON: got %v", keyed, got)
		}
	}
}

func image(row []byte) string {
	if row == nil {
		return "null"
	}
	d := repr.DecodeRow(nil, row)
	return fmt.Sprintf(`{"id":%d,"v":%q}`, d[0].Int(), d[1].Str())
}

func TestBadMessages(t *testing.T) {
	t.Parallel()
	topics, schemas := loadTopics(t), loadSchemas(t)
	cols, key := schemas.avroColumns(t, "pg.public.users")
	good := topics["pg.public.users"][0]
	long := append([]byte(nil), good.Value...)
	cases := []struct {
		name string
		e    Envelope
		m    *Message
		want string
	}{
		{"no JSON", NewDebeziumJSON(), &Message{Value: []byte(`{"op":`)}, "22P02 invalid input syntax for type json"},
		{"a flat row", NewDebeziumJSON(), &Message{Value: []byte(`{"id":1}`)}, "not a Debezium change event: it has no field op"},
		{"an unknown op", NewDebeziumJSON(), event("x", "1", "null", `{"v":1}`, ""), `op is 'x'`},
		{"no after", NewDebeziumJSON(), event("c", "1", "null", `null`, ""), `op is 'c', and after is null`},
		{"a list for a row", NewDebeziumJSON(), event("c", "1", "null", `[1]`, ""), `0A000`},
		{"no image before", NewDebeziumJSON(), event("u", "", "null", `{"v":1}`, ""), `no image of the row before`},
		{"a row that is not there", NewDebeziumJSON(), event("d", "", `{"v":1}`, `null`, ""), `names a row that is not there`},
		{"not sent and not known", NewDebeziumJSON(), event("u", "1", "null", `{"big":"__debezium_unavailable_value"}`, ""), `column "big" was not sent`},
		{"a heartbeat", NewDebeziumJSON(), topics["__debezium-heartbeat.pg_json"][0], "has no field op"},
		{"a heartbeat in Avro", NewDebeziumAvro(schemas, cols, key), topics["__debezium-heartbeat.pg"][0], "io.debezium.connector.common.Heartbeat, has no field op"},
		{"a flat row in Avro", NewDebeziumAvro(schemas, cols, key), topics["pg_flat.public.users"][0], "has no field op"},
		{"no frame", NewDebeziumAvro(schemas, cols, key), &Message{Key: good.Key, Value: []byte("hello")}, "22P03 the message is not in the schema registry's framing"},
		{"an unknown schema", NewDebeziumAvro(schemas, cols, key), &Message{Key: good.Key, Value: []byte("\x00\x00\x01\xff\xffx")}, "schema id 131071: not found"},
		{"cut short", NewDebeziumAvro(schemas, cols, key), &Message{Key: good.Key, Value: good.Value[:20]}, "invalid Avro record: field after"},
		{"too long", NewDebeziumAvro(schemas, cols, key), &Message{Key: good.Key, Value: append(long, 0)}, "1 bytes are left"},
		{"a bad key", NewDebeziumAvro(schemas, cols, key), &Message{Key: []byte("k"), Value: good.Value}, "key: the message is not in"},
	}
	for _, c := range cases {
		updates, err := c.e.Apply(context.Background(), nil, c.m)
		var e *repr.Error
		if !errors.As(err, &e) || len(updates) != 0 || !strings.Contains(e.Code+" "+e.Message, c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
		if d, ok := c.e.(*Debezium); ok && d.Rows() != 0 {
			t.Errorf("%s: %d rows are held", c.name, d.Rows())
		}
	}
	quiet := topics["pg.message"]
	for _, m := range quiet {
		if updates, err := NewDebeziumAvro(schemas, cols, key).Apply(context.Background(), nil, m); err != nil || len(updates) != 0 {
			t.Errorf("a message of the log: %v, %d updates", err, len(updates))
		}
	}
}

// downSchemas is a registry that is down until it is up.
type downSchemas struct {
	*sampleSchemas
	up bool
}

func (s *downSchemas) ByID(ctx context.Context, id int) (registry.Schema, error) {
	if !s.up {
		return registry.Schema{}, fmt.Errorf("%w: schema id %d", registry.ErrUnreachable, id)
	}
	return s.sampleSchemas.ByID(ctx, id)
}

func TestRegistryDownIsNoBadMessage(t *testing.T) {
	t.Parallel()
	topics, down := loadTopics(t), &downSchemas{sampleSchemas: loadSchemas(t)}
	cols, key := down.avroColumns(t, "pg.public.users")
	e := NewDebeziumAvro(down, cols, key)
	m := topics["pg.public.users"][0]
	var bad *repr.Error
	if _, err := e.Apply(context.Background(), nil, m); !errors.Is(err, registry.ErrUnreachable) || errors.As(err, &bad) {
		t.Fatalf("got %v", err)
	}
	down.up = true
	if updates, err := e.Apply(context.Background(), nil, m); err != nil || len(updates) != 1 {
		t.Fatalf("got %v, %d updates", err, len(updates))
	}
}

func TestNone(t *testing.T) {
	t.Parallel()
	topics, schemas := loadTopics(t), loadSchemas(t)
	const topic = "pg_flat.public.users"
	schema, err := avro.Parse(schemas.latest[topic+"-value"].Schema)
	if err != nil {
		t.Fatal(err)
	}
	cols, err := schema.Columns()
	if err != nil {
		t.Fatal(err)
	}
	n := &None{Value: NewRegistered(schemas, cols), Key: Plain(fbytes.Bytes{})}
	rows := 0
	for _, m := range topics[topic] {
		m.Meta = repr.Append(nil, repr.Int8(m.Offset))
		updates, err := n.Apply(context.Background(), nil, m)
		if err != nil {
			t.Fatal(err)
		}
		if m.Value == nil {
			if len(updates) != 0 {
				t.Errorf("offset %d: a tombstone is no row", m.Offset)
			}
			continue
		}
		rows++
		row := repr.DecodeRow(nil, updates[0].Row)
		if len(row) != len(cols)+2 || string(row[len(cols)].Bytes()) != string(m.Key) || row[len(cols)+1].Int() != m.Offset {
			t.Errorf("offset %d: got %v", m.Offset, row)
		}
	}
	if rows < 15 {
		t.Errorf("%d rows", rows)
	}
	updates, err := n.Apply(context.Background(), nil, &Message{Value: topics[topic][0].Value})
	if err != nil || !repr.DecodeRow(nil, updates[0].Row)[len(cols)].IsNull() {
		t.Errorf("a message without a key: %v", err)
	}
}

func BenchmarkDebeziumAvro(b *testing.B) {
	topics, schemas := loadTopics(b), loadSchemas(b)
	cols, key := schemas.avroColumns(b, "mysql.shop.purchases")
	var messages []*Message
	for _, m := range topics["mysql.shop.purchases"] {
		if m.Value != nil {
			messages = append(messages, m)
		}
	}
	e := NewDebeziumAvro(schemas, cols, key)
	ctx := context.Background()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if i%len(messages) == 0 {
			e.live = newEntries()
			clear(e.gone.byKey)
		}
		if _, err := e.Apply(ctx, nil, messages[i%len(messages)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
