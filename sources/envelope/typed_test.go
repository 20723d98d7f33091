package envelope

import (
	"encoding/json"
	"strings"
	"testing"

	"millrace/repr/format/connect"
)

// typedColumns are the columns of a topic whose messages bear schemas: those of its newest change.
func typedColumns(t testing.TB, messages []*Message) []connect.Column {
	t.Helper()
	var cols []connect.Column
	newest := int64(0)
	for _, m := range messages {
		var wrapped struct {
			Schema  json.RawMessage
			Payload struct {
				TS int64 `json:"ts_ns"`
			}
		}
		if m.Value == nil || json.Unmarshal(m.Value, &wrapped) != nil || wrapped.Payload.TS < newest {
			continue
		}
		newest = wrapped.Payload.TS
		schema, err := connect.Parse(wrapped.Schema)
		if err != nil {
			t.Fatal(err)
		}
		if cols, err = schema.Sub("after").Columns(); err != nil {
			t.Fatal(err)
		}
	}
	return cols
}

// TestReplayTyped replays JSON with schemas: it ends as Avro does, with the same types.
func TestReplayTyped(t *testing.T) {
	t.Parallel()
	topics, schemas := loadTopics(t), loadSchemas(t)
	for _, name := range sampleTables {
		messages := topics[strings.Replace(name, ".", "_jsonschema.", 1)]
		cols := typedColumns(t, messages)
		inAvro, _ := schemas.avroColumns(t, name)
		for i := range cols {
			if cols[i].Name != inAvro[i].Name || cols[i].Type != inAvro[i].Type {
				t.Errorf("%s: column %s %s, in Avro %s %s", name, cols[i].Name, cols[i].Type, inAvro[i].Name, inAvro[i].Type)
			}
		}
		checkTable(t, name, replay(t, NewDebeziumTyped(cols, connect.Modes{}), messages).shown(connect.Desc(cols)))
	}
}
