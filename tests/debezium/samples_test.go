package debezium

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millrace/sources/envelope/samples"
)

// newRegistry serves the captured schemas by the ids that are in the messages.
func newRegistry(t testing.TB) string {
	t.Helper()
	byID, latest := samples.Schemas(t), samples.Latest(t)
	answer := func(w http.ResponseWriter, found bool, v any) {
		if !found {
			w.WriteHeader(http.StatusNotFound)
			v = map[string]any{"error_code": 40401, "message": "not found"}
		}
		_ = json.NewEncoder(w).Encode(v) // the client sees what is missing
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /schemas/ids/{id}", func(w http.ResponseWriter, q *http.Request) {
		id, err := strconv.Atoi(q.PathValue("id"))
		if err != nil {
			t.Error(err)
		}
		text, ok := byID[id]
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
func captures(topics map[string][]samples.Record) []capture {
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
