package coord

import (
	"strings"
	"testing"
)

// TestMistakesAreNamed: who misspells something, or says too little, is told what was meant to stand there, by the words that were written.
func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	f := newFileShelf(t)
	f.write("a.json", "{\"a\": 1}\n")
	cl := connect(t, f.c)
	cl.must(`CREATE TABLE t (a int); CREATE MATERIALIZED VIEW v AS SELECT * FROM t; CREATE SOURCE s (a int) FROM FILE 'a.json' FORMAT JSON;
		CREATE SECRET p AS 'hidden'`)
	for _, tc := range []struct{ statement, code, message, hint string }{
		{"CREATE SOURCE x FROM FILE 'a.json' FORMAT JSONN", "42601", `at or near "JSONN"`, "BYTES, TEXT, JSON, CSV, AVRO, PROTOBUF"},
		{"CREATE SOURCE x FROM FILE 'a.json' FORMAT JSON ENVELOPE DEBEZIUN", "42601", `at or near "DEBEZIUN"`, "NONE, UPSERT and DEBEZIUM"},
		{"CREATE SOURCE x FROM FILE 'a.json' WITH (tial = true) FORMAT JSON", "0A000", "TIAL", "TAIL"},
		{"CREATE SOURCE x FROM FILE 'b.json' FORMAT JSON", "58P01", f.dir + "/b.json", ""},
		{"CREATE SOURCE x FROM WEBHOOK BODY FORMAT JSON WITH (RETAIN HISTRY FOR '1 hour')", "0A000", "RETAIN HISTRY FOR", "RETAIN HISTORY FOR"},
		{"CREATE SOURCE x FROM POSTGRES CONNECTION 'host=127.0.0.1 port=1' PUBLICATION 'p' WITH (RETAIN HISTRY FOR '1 hour')", "0A000", "RETAIN HISTRY FOR", "RETAIN HISTORY FOR"},
		{"ALTER SOURCE s SET (ON ERRR = fail)", "0A000", "ON ERRR in ALTER of a source", "DEAD LETTER TOPIC, MAX ERROR RATE, ON ERROR, RETAIN ERRORS"},
		{"ALTER MATERIALIZED VIEW v SET (ON ERRR = quarantine)", "0A000", "ON ERRR in ALTER of a materialized view", "ON ERROR and RETAIN HISTORY FOR"},
		{"ALTER TABLE t SET (ON ERROR = fail)", "0A000", "ON ERROR in ALTER of a table", "RETAIN HISTORY FOR"},
		{"ALTER TABLE t ADD COLUMN b int", "0A000", "ALTER TABLE … ADD COLUMN is not supported", ""},
		{"ALTER MATERIALIZED VIEW v CLUSTER ON x", "0A000", "ALTER MATERIALIZED VIEW … CLUSTER ON is not supported", ""},
		{"CREATE CONNECTION x TO CONFLUENT SCHEMA REGISTRY (URL 'localhost:8081')", "22023", `"localhost:8081"`, "http://localhost:8081"},
		{"CREATE CONNECTION x TO CONFLUENT SCHEMA REGISTRY (URL 'ann:hidden@localhost:8081')", "22023", `"localhost:8081"`, "http://localhost:8081"},
		{"CREATE CONNECTION x TO OPENSEARCH (URL 'ann:hidden@localhost')", "22023", `"localhost"`, "http://localhost:9200"},
	} {
		err := cl.fails(tc.code, tc.statement)
		if !strings.Contains(err.Message, tc.message) || !strings.Contains(err.Hint, tc.hint) || strings.Contains(err.Message+err.Detail+err.Hint, "hidden") {
			t.Errorf("%s\n%s\n%s", tc.statement, err.Message, err.Hint)
		}
	}
}
