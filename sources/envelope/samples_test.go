package envelope

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"millrace/internal/registry"
	"millrace/repr"
	"millrace/repr/format/avro"
	"millrace/repr/pgfmt"
	"millrace/sources"
	"millrace/sources/envelope/samples"
)

// messageOf is a captured record as the envelopes take it.
func messageOf(s *samples.Record) *Message {
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
	for topic, records := range samples.Topics(t) {
		for i := range records {
			topics[topic] = append(topics[topic], messageOf(&records[i]))
		}
	}
	return topics
}

// sampleSchemas is a registry out of files.
type sampleSchemas struct {
	byID   map[int]string
	latest map[string]samples.Subject
}

func loadSchemas(t testing.TB) *sampleSchemas {
	t.Helper()
	return &sampleSchemas{byID: samples.Schemas(t), latest: samples.Latest(t)}
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
	schema, err := avro.Parse(s.latest[topic+"-value"].Schema)
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
	if subject, ok := s.latest[topic+"-key"]; ok {
		schema, err := avro.Parse(subject.Schema)
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

// shown is a table with its columns as text by name. Rows that are there twice are twice in the list.
func (c table) shown(cols repr.RowDesc) []map[string]string {
	var out []map[string]string
	for row, n := range c {
		shown := map[string]string{}
		for i, d := range repr.DecodeRow(nil, []byte(row)) {
			shown[cols[i].Name] = samples.Null
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

// expected are the rows of a table as the database printed it, by the names of the columns.
func expected(t testing.TB, name string) []map[string]string {
	t.Helper()
	cols, rows := samples.Table(t, name)
	out := make([]map[string]string, len(rows))
	for i, row := range rows {
		out[i] = map[string]string{}
		for j, value := range row {
			out[i][cols[j]] = value
		}
	}
	return out
}

// window repeats runs of messages, as a connector does.
func window(r *rand.Rand, messages []*Message) []*Message {
	return samples.Window(r, messages, func(m *Message) int32 { return m.Partition })
}
