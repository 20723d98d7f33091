package envelope

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"millrace/internal/registry"
	"millrace/repr"
	"millrace/repr/format/avro"
	"millrace/repr/pgfmt"
	"millrace/sources"
)

// testdata/debezium holds what Debezium 3.5 wrote for a small shop in PostgreSQL (pg…) and MariaDB (mysql…), in Avro,
// in JSON (…_json) and in JSON with schemas (…_jsonschema); the schemas; and the tables as they were at the end.
const samplesDir = "testdata/debezium/"

func unzip(t testing.TB, name string) io.Reader {
	t.Helper()
	f, err := os.Open(samplesDir + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type sampleRecord struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []struct {
		Key   string
		Value []byte
	}
}

func (s *sampleRecord) message() *Message {
	m := &Message{Partition: s.Partition, Offset: s.Offset, Key: s.Key, Value: s.Value}
	for _, h := range s.Headers {
		switch h.Key {
		case "__debezium.oldkey":
			m.OldKey = h.Value
		case "__debezium.newkey":
			m.KeyChanges = true
		}
	}
	return m
}

// loadTopics reads the topics, records in the order of partitions and offsets.
func loadTopics(t testing.TB) map[string][]*Message {
	t.Helper()
	topics := map[string][]*Message{}
	lines := bufio.NewScanner(unzip(t, "topics.jsonl.gz"))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var r sampleRecord
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		topics[r.Topic] = append(topics[r.Topic], r.message())
	}
	if len(topics) < 50 {
		t.Fatalf("only %d topics", len(topics))
	}
	return topics
}

// sampleSchemas is a registry out of files.
type sampleSchemas struct {
	byID    map[int]string
	latest  map[string]string
	version map[string]int
}

func loadSchemas(t testing.TB) *sampleSchemas {
	t.Helper()
	s := &sampleSchemas{byID: map[int]string{}, latest: map[string]string{}, version: map[string]int{}}
	var byID map[string]string
	if err := json.NewDecoder(unzip(t, "schemas_by_id.json.gz")).Decode(&byID); err != nil {
		t.Fatal(err)
	}
	for id, text := range byID {
		n, err := strconv.Atoi(id)
		if err != nil {
			t.Fatal(err)
		}
		s.byID[n] = text
	}
	lines := bufio.NewScanner(unzip(t, "subjects.jsonl.gz"))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var l struct {
			Subject string
			Version int
			Schema  string
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Version > s.version[l.Subject] {
			s.version[l.Subject], s.latest[l.Subject] = l.Version, l.Schema
		}
	}
	return s
}

func (s *sampleSchemas) ByID(_ context.Context, id int) (registry.Schema, error) {
	text, ok := s.byID[id]
	if !ok {
		return registry.Schema{}, fmt.Errorf("schema id %d: %w at the samples", id, registry.ErrNotFound)
	}
	return registry.Schema{ID: id, Text: text}, nil
}

// avroColumns are the columns of a topic's rows and keys, by the newest schemas.
func (s *sampleSchemas) avroColumns(t testing.TB, topic string) (cols, key []avro.Column) {
	t.Helper()
	schema, err := avro.Parse(s.latest[topic+"-value"])
	if err != nil {
		t.Fatalf("%s: %v", topic, err)
	}
	after, ok := schema.Sub("after")
	if !ok {
		t.Fatalf("%s has no after", topic)
	}
	if cols, err = after.Columns(); err != nil {
		t.Fatal(err)
	}
	if text, ok := s.latest[topic+"-key"]; ok {
		schema, err := avro.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if key, err = schema.Columns(); err != nil {
			t.Fatal(err)
		}
	}
	return cols, key
}

// table is what updates add up to.
type table map[string]int64

// fold adds updates up and complains when a row is ever there less than no times.
func (c table) fold(t testing.TB, updates []sources.Update) {
	t.Helper()
	for _, u := range updates {
		c[string(u.Row)] += u.Diff
		if c[string(u.Row)] == 0 {
			delete(c, string(u.Row))
		}
	}
	for row, n := range c {
		if n < 0 {
			t.Fatalf("row %v is there %d times", repr.DecodeRow(nil, []byte(row)), n)
		}
	}
}

// shown is a table with its columns as text by name; NULL is \N. Rows that are there twice are twice in the list.
func (c table) shown(cols repr.RowDesc) []map[string]string {
	var out []map[string]string
	for row, n := range c {
		shown := map[string]string{}
		for i, d := range repr.DecodeRow(nil, []byte(row)) {
			shown[cols[i].Name] = `\N`
			if !d.IsNull() {
				shown[cols[i].Name] = string(pgfmt.AppendText(nil, cols[i].Type, d, nil))
			}
		}
		for range n {
			out = append(out, shown)
		}
	}
	return out
}

// expected reads a table as the database printed it. The two print NULL and escapes each in their way.
func expected(t testing.TB, name string) []map[string]string {
	t.Helper()
	if strings.HasPrefix(name, "pg.") {
		lines, err := csv.NewReader(unzip(t, "expected/"+name+".csv.gz")).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return named(lines)
	}
	text, err := io.ReadAll(unzip(t, "expected/"+name+".tsv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	unescape := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\0`, "\x00")
	var lines [][]string
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		cells := strings.Split(line, "\t")
		for i := range cells {
			cells[i] = unescape.Replace(cells[i])
			if cells[i] == "NULL" {
				cells[i] = `\N`
			}
		}
		lines = append(lines, cells)
	}
	return named(lines)
}

func named(lines [][]string) []map[string]string {
	var out []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		out = append(out, row)
	}
	return out
}
