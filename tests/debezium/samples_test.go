package debezium

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

const samplesDir = "../../sources/envelope/testdata/debezium/"

// record is a captured record. Keys and values that are not there are nil.
type record struct {
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

func open(t testing.TB, name string) io.Reader {
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

// eachLine reads lines of JSON.
func eachLine[T any](t testing.TB, name string, take func(T)) {
	t.Helper()
	lines := bufio.NewScanner(open(t, name))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		take(v)
	}
}

// loadTopics reads the topics, records in the order of partitions and offsets.
func loadTopics(t testing.TB) map[string][]record {
	t.Helper()
	topics := map[string][]record{}
	eachLine(t, "topics.jsonl.gz", func(r record) { topics[r.Topic] = append(topics[r.Topic], r) })
	if len(topics) != 90 {
		t.Fatalf("%d topics, want 90", len(topics))
	}
	return topics
}

// newRegistry serves the captured schemas by the ids that are in the messages.
func newRegistry(t testing.TB) string {
	t.Helper()
	type subject struct {
		ID      int    `json:"id"`
		Subject string `json:"subject"`
		Version int    `json:"version"`
		Schema  string `json:"schema"`
	}
	latest := map[string]subject{}
	eachLine(t, "subjects.jsonl.gz", func(s subject) {
		if s.Version >= latest[s.Subject].Version {
			latest[s.Subject] = s
		}
	})
	var byID map[string]string
	if err := json.NewDecoder(open(t, "schemas_by_id.json.gz")).Decode(&byID); err != nil {
		t.Fatal(err)
	}
	answer := func(w http.ResponseWriter, found bool, v any) {
		if !found {
			w.WriteHeader(http.StatusNotFound)
			v = map[string]any{"error_code": 40401, "message": "not found"}
		}
		_ = json.NewEncoder(w).Encode(v) // the client sees what is missing
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /schemas/ids/{id}", func(w http.ResponseWriter, q *http.Request) {
		text, ok := byID[q.PathValue("id")]
		answer(w, ok, map[string]string{"schema": text})
	})
	mux.HandleFunc("GET /subjects/{subject}/versions/latest", func(w http.ResponseWriter, q *http.Request) {
		s, ok := latest[q.PathValue("subject")]
		answer(w, ok, s)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

// null stands for NULL in a table.
const null = `\N`

// expected reads a table as the database printed it: the columns, and the rows. The two print NULL and escapes each in
// their way.
func expected(t testing.TB, name string) (cols []string, rows [][]string) {
	t.Helper()
	var lines [][]string
	if strings.HasPrefix(name, "pg.") {
		var err error
		if lines, err = csv.NewReader(open(t, "expected/"+name+".csv.gz")).ReadAll(); err != nil {
			t.Fatal(err)
		}
	} else {
		text, err := io.ReadAll(open(t, "expected/"+name+".tsv.gz"))
		if err != nil {
			t.Fatal(err)
		}
		unescape := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\0`, "\x00")
		for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
			cells := strings.Split(line, "\t")
			for i := range cells {
				if cells[i] = unescape.Replace(cells[i]); cells[i] == "NULL" {
					cells[i] = null
				}
			}
			lines = append(lines, cells)
		}
	}
	if len(lines) < 1 {
		t.Fatalf("table %s: %d lines", name, len(lines))
	}
	return lines[0], lines[1:]
}

// capture is one topic of a table: how it was written, and into which table it goes.
type capture struct {
	topic  string
	db     string // pg or mysql
	format string // avro, json or jsonschema
	mode   string // main, double, string or flat
	table  string // as its expected content is named
	// declared: its columns are declared in CREATE SOURCE.
	declared bool
	// transactions: its topic of transactions is read too.
	transactions bool
}

// captures are all topics with changes of tables.
func captures(topics map[string][]record) []capture {
	var out []capture
	for topic := range topics {
		prefix, table, ok := strings.Cut(topic, ".")
		if !ok || table == "transaction" || table == "message" || prefix == "__debezium-heartbeat" {
			continue
		}
		parts := strings.Split(prefix, "_")
		c := capture{topic: topic, db: parts[0], format: "avro", mode: "main", table: parts[0] + "." + table}
		for _, p := range parts[1:] {
			switch p {
			case "json", "jsonschema":
				c.format = p
			default:
				c.mode = p
			}
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b capture) int { return strings.Compare(a.topic, b.topic) })
	return out
}

// name is the captured topic as a SQL name.
func (c *capture) name() string { return strings.NewReplacer(".", "_").Replace(c.topic) }

// declared are the columns of the tables as their databases declare them, with the precision that tells milliseconds from
// microseconds, for JSON without schemas.
var declared = map[string]string{
	"pg.public.users":      `id bigint, email text, country text, PRIMARY KEY (id) NOT ENFORCED`,
	"pg.public.items":      `id bigint, name text, category text, price numeric(7,2), inventory int, details text, PRIMARY KEY (id) NOT ENFORCED`,
	"pg.public.purchases":  `id bigint, user_id bigint, item_id bigint, status smallint, quantity bigint, purchase_price numeric(12,2), created_at timestamptz`,
	"pg.public.audit":      `who text, what text, n numeric`,
	"pg.public.prices":     `region text, sku int, price numeric(9,3)`,
	"mysql.shop.users":     `id bigint, email text, country text`,
	"mysql.shop.items":     `id bigint, name text, category text, price numeric(7,2), inventory int, details text`,
	"mysql.shop.purchases": `id bigint, user_id bigint, item_id bigint, status smallint, quantity bigint, purchase_price numeric(12,2), created_at timestamptz`,
	"mysql.shop.audit":     `who text, what text, n numeric(10,3)`,
	"mysql.shop.prices":    `region text, sku int, price numeric(9,3), PRIMARY KEY (region, sku) NOT ENFORCED`,
	"pg.public.types": `id bigint, c_small smallint, c_int int, c_big bigint, c_real real, c_double double precision, c_dec numeric(12,4), c_num numeric,
 c_money numeric(19,2), c_bool boolean, c_text text, c_varchar varchar(20), c_char char(5), c_ts timestamp(6), c_ts3 timestamp(3), c_tstz timestamptz, c_date date,
 c_time time, c_time3 time(3), c_timetz text, c_interval interval, c_uuid uuid, c_json jsonb, c_jsonb jsonb, c_bytea bytea, c_int_arr int[], c_text_arr text[],
 c_uuid_arr uuid[], c_enum text, c_enum_arr text[], c_inet text, c_bit1 boolean, c_bit8 text, c_range text, c_null text`,
	"mysql.shop.types": `id bigint, c_tiny smallint, c_tiny1 smallint, c_utiny smallint, c_small smallint, c_med int, c_int int, c_uint bigint, c_big bigint,
 c_ubig numeric(20,0), c_float real, c_double double precision, c_dec numeric(12,4), c_dec0 numeric(30,0), c_bool boolean, c_bit1 boolean, c_bit10 text, c_char text,
 c_varchar text, c_text text, c_binary bytea, c_varbinary bytea, c_blob bytea, c_date date, c_time interval, c_time6 interval, c_dt timestamp(0), c_dt3 timestamp(3),
 c_dt6 timestamp(6), c_ts timestamptz, c_ts6 timestamptz, c_year int, c_enum text, c_set text, c_json jsonb, c_uuid uuid, c_null text`,
}

// modes are what the envelope is told of a connector that is not set to its defaults.
var modes = map[string]string{
	"double": ` (DECIMAL HANDLING MODE = 'double', TIME PRECISION MODE = 'connect')`,
	"string": ` (DECIMAL HANDLING MODE = 'string', TIME PRECISION MODE = 'isostring', BINARY HANDLING MODE = 'hex')`,
}

// statement creates the source of a capture. declare: the columns are declared for JSON with schemas too.
func (c *capture) statement(broker, registry string, declare bool) string {
	if c.mode == "flat" {
		return c.upsert(broker, registry)
	}
	c.declared = c.format == "json" || c.format == "jsonschema" && declare
	cols, format, options := "", "JSON", ""
	switch {
	case c.format == "avro":
		format = "AVRO USING CONFLUENT SCHEMA REGISTRY '" + registry + "'"
	case c.declared:
		cols = " (" + declared[c.table] + ")"
		options = modes[c.mode]
	}
	if c.transactions {
		about, _, _ := strings.Cut(c.topic, ".")
		options = ` (TRANSACTION METADATA (TOPIC '` + about + `.transaction'))`
	}
	return fmt.Sprintf(`CREATE SOURCE %s%s FROM KAFKA BROKER '%s' TOPIC '%s' FORMAT %s ENVELOPE DEBEZIUM%s`, c.name(), cols, broker, c.topic, format, options)
}

// upsert creates the source of a capture that ExtractNewRecordState made flat: its records are rows, and the key counts.
func (c *capture) upsert(broker, registry string) string {
	from := fmt.Sprintf(` FROM KAFKA BROKER '%s' TOPIC '%s' `, broker, c.topic)
	if c.format == "avro" {
		return `CREATE SOURCE ` + c.name() + from + `FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY '` + registry + `' ENVELOPE UPSERT`
	}
	c.declared = true
	return `CREATE SOURCE ` + c.name() + ` (` + strings.Replace(declared[c.table], ", PRIMARY KEY (id) NOT ENFORCED", "", 1) + `)` + from + `KEY FORMAT JSON VALUE FORMAT JSON ENVELOPE UPSERT`
}
