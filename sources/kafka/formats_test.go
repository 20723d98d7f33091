package kafka

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/registry"
	"millrace/repr"
)

// record is a message to write: nil pointers are no key and no value.
type record struct{ key, value *string }

func str(s string) *string { return &s }

func (c *cluster) records(t *testing.T, topic string, list ...record) {
	t.Helper()
	for _, r := range list {
		rec := &kgo.Record{Topic: topic}
		if r.key != nil {
			rec.Key = []byte(*r.key)
		}
		if r.value != nil {
			rec.Value = []byte(*r.value)
		}
		if err := c.cl.ProduceSync(context.Background(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func described1(t *testing.T, cfg Config) (*Source, string, [][]int) {
	t.Helper()
	src, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cols, keys, err := src.Describe(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var shape []string
	for _, col := range cols {
		text := col.Name + " " + col.Type.String()
		if col.NotNull {
			text += "!"
		}
		shape = append(shape, text)
	}
	return src, strings.Join(shape, ", "), keys
}

// TestUpsert: the newest value of a key counts, a message without a value removes it, a value that cannot be decoded stands as an
// error until the next message for its key, and after a restart it all goes on.
func TestUpsert(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	cfg := c.config("t")
	cfg.Envelope, cfg.KeyFormat, cfg.ValueFormat, cfg.KeepState = EnvelopeUpsert, FormatText, FormatJSON, true
	cfg.Include = []Include{{What: IncludeOffset}}
	c.records(t, "t", record{str("a"), str(`1`)}, record{str("b"), str(`2`)}, record{str("a"), str(`3`)}, record{str("b"), nil},
		record{str("a"), str(`{`)}, record{nil, str(`4`)}, record{str("c"), str(`bad`)}, record{str("c"), str(`5`)}, record{str("nobody"), nil})
	src, shape, keys := described1(t, cfg)
	if shape != "key text!, data jsonb!, offset bigint!" || len(keys) != 1 || len(keys[0]) != 1 || keys[0][0] != 0 || src.Grows() {
		t.Errorf("columns %s, keys %v", shape, keys)
	}
	got, stop, _ := startSource(t, src, nil)
	got.until(t, "reading all", func() bool { return got.next[0] == 9 })
	stop()
	if rows := strings.Join(got.rows, ","); rows != "a|1|0 +1,b|2|1 +1,a|1|0 -1,a|3|2 +1,b|2|1 -1,a|3|2 -1,c|5|7 +1" {
		t.Errorf("got %s", rows)
	}
	counts := map[string]int64{}
	for _, e := range got.errorUpdates {
		counts[string(e.Row)] += e.Diff
	}
	left := 0
	for _, n := range counts {
		left += int(n)
	}
	if left != 2 || len(got.errorUpdates) != 4 {
		t.Errorf("%d errors stand, of %d updates: %q", left, len(got.errorUpdates), got.errors)
	}
	again, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Restore(got.kept()); err != nil {
		t.Fatal(err)
	}
	c.records(t, "t", record{str("a"), str(`6`)}, record{str("c"), nil})
	more, _, _ := startSource(t, again, map[int32]int64{0: 9})
	more.until(t, "reading on", func() bool { return more.next[0] == 11 })
	if rows := strings.Join(more.rows, ","); rows != "a|6|9 +1,c|5|7 -1" {
		t.Errorf("after a restart: %s", rows)
	}
	if len(more.errorUpdates) != 1 || more.errorUpdates[0].Diff != -1 || counts[string(more.errorUpdates[0].Row)] != 1 {
		t.Errorf("after a restart: the error of a is not taken back: %q", more.errors)
	}
}

func TestUpsertInline(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	cfg := c.config("t")
	cfg.Envelope, cfg.KeyFormat, cfg.ValueFormat, cfg.InlineErrors = EnvelopeUpsert, FormatText, FormatCSV, "why"
	cfg.ValueShape.Columns = repr.RowDesc{{Name: "n", Type: repr.TypeOf(repr.KindInt8), NotNull: true}, {Name: "s", Type: repr.TypeOf(repr.KindText)}}
	c.records(t, "t", record{str("a"), str(`1,x`)}, record{str("a"), str(`y,x`)}, record{str("a"), str(`2,`)})
	src, shape, _ := described1(t, cfg)
	if shape != "key text!, n bigint, s text, why text" {
		t.Errorf("columns %s", shape)
	}
	got, _, _ := startSource(t, src, nil)
	got.until(t, "reading all", func() bool { return got.next[0] == 3 })
	const bad = `a|NULL|NULL|column "n": invalid input syntax for type bigint: "y"`
	if rows := strings.Join(got.rows, ","); rows != "a|1|x|NULL +1,a|1|x|NULL -1,"+bad+" +1,"+bad+" -1,a|2|NULL|NULL +1" || len(got.errors) > 0 {
		t.Errorf("got %s, errors %q", rows, got.errors)
	}
}

// TestUpsertSameName: a column that key and value both have is the key's.
func TestUpsertSameName(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	cfg := c.config("t")
	cfg.Envelope, cfg.KeyFormat, cfg.ValueFormat = EnvelopeUpsert, FormatText, FormatJSON
	cfg.Include = []Include{{What: IncludeKey, As: "id"}}
	text := repr.TypeOf(repr.KindText)
	cfg.ValueShape.Columns = repr.RowDesc{{Name: "id", Type: text}, {Name: "name", Type: text}}
	c.records(t, "t", record{str("7"), str(`{"id":"x","name":"sue"}`)})
	src, shape, _ := described1(t, cfg)
	got, _, _ := startSource(t, src, nil)
	got.until(t, "reading", func() bool { return len(got.rows) == 1 })
	if shape != "id text!, name text" || got.rows[0] != "7|sue +1" {
		t.Errorf("%s: %s", shape, got.rows[0])
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t", "empty")
	c.write(t, "t", 0, "id,name", "1,ann", "id,name", "2", `3,"b,c"`)
	cfg := c.config("t")
	cfg.ValueFormat, cfg.ValueShape = FormatCSV, Shape{Header: true}
	src, shape, _ := described1(t, cfg)
	kept, _ := src.Schemas()
	if shape != "id text, name text" || kept != "id,name" {
		t.Errorf("columns %s, kept %q", shape, kept)
	}
	got, _, _ := startSource(t, src, nil)
	got.until(t, "reading all", func() bool { return got.next[0] == 5 })
	if rows := strings.Join(got.rows, ","); rows != "1|ann +1,3|b,c +1" || len(got.errors) != 1 {
		t.Errorf("got %s, errors %q", rows, got.errors)
	}
	cfg.ValueShape = Shape{Count: 2}
	if _, shape, _ := described1(t, cfg); shape != "column1 text, column2 text" {
		t.Errorf("columns %s", shape)
	}
	cfg.Names, cfg.Keys = []string{"a", "b"}, [][]string{{"b"}}
	if _, shape, keys := described1(t, cfg); shape != "a text, b text" || len(keys) != 1 || keys[0][0] != 1 {
		t.Errorf("columns %s, keys %v", shape, keys)
	}
	cfg = c.config("empty")
	cfg.ValueFormat, cfg.ValueShape = FormatCSV, Shape{Header: true}
	empty, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = empty.Describe(context.Background())
	var e *repr.Error
	if !errors.As(err, &e) || e.Code != "55000" || e.Hint == "" {
		t.Errorf("got %v", err)
	}
}

func TestInfer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, "t")
	c.write(t, "t", 0, `{"id":1,"price":2,"name":"x","tags":["a"],"ok":true,"none":null,"mixed":1}`, `[1]`, `{"id":`,
		`{"id":2,"price":2.50,"late":"2025-01-01","mixed":"a","big":12345678901234567890}`)
	cfg := c.config("t")
	cfg.ValueFormat, cfg.ValueShape = FormatJSON, Shape{Infer: true}
	src, shape, _ := described1(t, cfg)
	const want = "id bigint, price numeric, name text, tags jsonb, ok boolean, none text, mixed text, late text, big numeric,  jsonb"
	if shape != want {
		t.Errorf("columns %s", shape)
	}
	cfg.ValueSchema, _ = src.Schemas()
	c.write(t, "t", 1, `{"id":"text now"}`)
	if _, shape, _ := described1(t, cfg); shape != want {
		t.Errorf("after a restart: columns %s", shape)
	}
	got, _, _ := startSource(t, src, nil)
	got.until(t, "reading", func() bool { return got.next[0] == 4 && got.next[1] == 1 })
	if len(got.rows) != 2 || len(got.errors) != 3 {
		t.Errorf("rows %q, errors %q", got.rows, got.errors)
	}
}

func TestAvroSchema(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	c.write(t, "t", 0, "\x02\x04ab", "\x03")
	cfg := c.config("t")
	cfg.ValueFormat = FormatAvroSchema
	cfg.ValueShape.Schema = `{"type":"record","name":"R","fields":[{"name":"n","type":"int"},{"name":"s","type":"string"}]}`
	src, shape, _ := described1(t, cfg)
	got, _, _ := startSource(t, src, nil)
	got.until(t, "reading", func() bool { return got.next[0] == 2 })
	if shape != "n integer, s text" || strings.Join(got.rows, ",") != "1|ab +1" || len(got.errors) != 1 {
		t.Errorf("%s: %q %q", shape, got.rows, got.errors)
	}
	cfg.ValueShape.Framed = true
	src, _, _ = described1(t, cfg)
	c.write(t, "t", 0, "\x00\x00\x00\x00\x09\x02\x04ab")
	got, _, _ = startSource(t, src, map[int32]int64{0: 2})
	got.until(t, "reading", func() bool { return len(got.rows) == 1 })
}

// protoRegistry is a registry with two versions of a schema that imports another.
func protoRegistry(t *testing.T, topic string) *registry.Client {
	t.Helper()
	const references = `"references":[{"name":"kind.proto","subject":"kind","version":1}]`
	answers := map[string]string{
		"/schemas/ids/1":                                `{"schemaType":"PROTOBUF","schema":"syntax = \"proto3\"; import \"kind.proto\"; message Other { int32 x = 1; } message Order { int32 id = 1; Kind kind = 2; }",` + references + `}`,
		"/schemas/ids/2":                                `{"schemaType":"PROTOBUF","schema":"syntax = \"proto3\"; import \"kind.proto\"; message Order { int32 id = 1; Kind kind = 2; string note = 3; }",` + references + `}`,
		"/subjects/kind/versions/1":                     `{"id":9,"schemaType":"PROTOBUF","schema":"syntax = \"proto3\"; enum Kind { NONE = 0; VIP = 1; }"}`,
		"/subjects/" + topic + "-value/versions/latest": `{"id":1,"version":1,"schemaType":"PROTOBUF","schema":"syntax = \"proto3\"; import \"kind.proto\"; message Other { int32 x = 1; } message Order { int32 id = 1; Kind kind = 2; }",` + references + `}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"error_code":40403,"message":"not found"}`
		}
		_, _ = fmt.Fprint(w, answer)
	}))
	t.Cleanup(srv.Close)
	client, err := registry.New(registry.Options{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestProtobuf(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	c.write(t, "t", 0, "\x00\x00\x00\x00\x01\x02\x02\x08\x07\x10\x01", // type 1 of schema 1: id 7, VIP
		"\x00\x00\x00\x00\x02\x00\x08\x08\x1a\x01x", // type 0 of schema 2
		"\x00\x00\x00\x00\x01\x00\x08\x01",          // Other
		"\x00\x00\x00\x00\x05\x00\x08\x01", "\x08\x01")
	cfg := c.config("t")
	cfg.ValueFormat, cfg.Registry, cfg.ValueShape.Message = FormatProtobuf, protoRegistry(t, "t"), "Order"
	src, shape, _ := described1(t, cfg)
	got, _, _ := startSource(t, src, nil)
	got.until(t, "reading", func() bool { return got.next[0] == 5 })
	if shape != "id integer, kind text" || strings.Join(got.rows, ",") != "7|VIP +1,8|NONE +1" {
		t.Errorf("%s: %q", shape, got.rows)
	}
	if len(got.errors) != 3 || !strings.Contains(got.errors[0], `the message is of type "Other", not "Order"`) || !strings.Contains(got.errors[1], "schema id 5") {
		t.Errorf("errors %q", got.errors)
	}
	kept, _ := src.Schemas()
	cfg.ValueSchema = kept
	if _, again, _ := described1(t, cfg); again != shape {
		t.Errorf("after a restart: %s", again)
	}
	cfg = c.config("t")
	cfg.ValueFormat, cfg.ValueShape = FormatProtobufSchema, Shape{Schema: `syntax = "proto3"; message M { int32 a = 1; }`}
	if _, shape, _ := described1(t, cfg); shape != "a integer!" {
		t.Errorf("columns %s", shape)
	}
}

// TestCompressed reads what each kind of compression has packed.
func TestCompressed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for i, codec := range codecs {
		w, err := kgo.NewClient(kgo.SeedBrokers(c.addr), kgo.ProducerBatchCompression(codec))
		if err != nil {
			t.Fatal(err)
		}
		err = w.ProduceSync(context.Background(), &kgo.Record{Topic: "t", Value: []byte(strings.Repeat(fmt.Sprint(i), 100))}).FirstErr()
		w.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	got, _, _ := start(t, c.config("t"), nil)
	got.until(t, "reading all", func() bool { return len(got.rows) == len(codecs) })
	for i, row := range got.rows {
		if want := strings.Repeat(fmt.Sprint(i), 100) + " +1"; row != want {
			t.Errorf("got %s", row)
		}
	}
}

func TestIncludeHeader(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	cfg := c.config("t")
	cfg.Include = []Include{{What: IncludeTopic}, {What: IncludeHeader, Header: "h", As: "text_of"}, {What: IncludeHeader, Header: "h", As: "bytes_of", Bytes: true}}
	r := &kgo.Record{Topic: "t", Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("old")}, {Key: "h", Value: []byte("new")}}}
	if err := c.cl.ProduceSync(context.Background(), r, &kgo.Record{Topic: "t", Value: []byte("w")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	src, shape, _ := described1(t, cfg)
	got, _, _ := startSource(t, src, nil)
	got.until(t, "reading", func() bool { return len(got.rows) == 2 })
	if rows := strings.Join(got.rows, ","); shape != "text text!, topic text!, text_of text, bytes_of bytea" || rows != "v|t|new|new +1,w|t|NULL|NULL +1" {
		t.Errorf("%s: %s", shape, rows)
	}
}
