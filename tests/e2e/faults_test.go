package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
)

// TestWrongAddresses: what cannot be reached is named, with a hint, within 5 s, and the server is none the worse.
func TestWrongAddresses(t *testing.T) {
	need(t)
	r := real(t)
	s := serve(t, "--host-aliases", r.aliases())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	produce(ctx, t, r, "there", "{}")
	nobody := freeAddress(t)
	const avro = ` FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY `
	for name, c := range map[string]struct {
		statement string
		names     []string
	}{
		"unreachable broker": {
			`CREATE SOURCE s1 FROM KAFKA BROKER '` + nobody + `' TOPIC 'there' FORMAT BYTES`, []string{nobody},
		},
		"unknown host": {
			`CREATE SOURCE s2 FROM KAFKA BROKER 'no-such-host.invalid:9092' TOPIC 'there' FORMAT BYTES`, []string{"no-such-host.invalid:9092"},
		},
		"unknown topic": {
			`CREATE SOURCE s3 FROM KAFKA BROKER 'kafka:9092' TOPIC 'not-there' FORMAT BYTES`, []string{"not-there", "kafka:9092"},
		},
		"unreachable registry": {
			`CREATE SOURCE s4 FROM KAFKA BROKER 'kafka:9092' TOPIC 'there'` + avro + `'http://` + nobody + `'`, []string{nobody},
		},
		"something else at the registry's address": {
			`CREATE SOURCE s5 FROM KAFKA BROKER 'kafka:9092' TOPIC 'there'` + avro + `'http://` + s.http + `'`, []string{s.http},
		},
		"no schema": {
			`CREATE SOURCE s6 FROM KAFKA BROKER 'kafka:9092' TOPIC 'there'` + avro + `'http://schema-registry:8081'`,
			[]string{"there-value", "schema-registry:8081"},
		},
		"unreachable broker of a sink": {
			`CREATE SINK k1 FROM one INTO KAFKA BROKER '` + nobody + `' TOPIC 'out' FORMAT JSON`, []string{nobody},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(c.statement, "FROM one") {
				s.must(t, `CREATE MATERIALIZED VIEW one AS SELECT 1 AS one`)
			}
			began := time.Now()
			_, said, err := s.psql(t, c.statement)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the answer took %s", took)
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(c.names, "ERROR:", "HINT:") {
				if !strings.Contains(said, want) {
					t.Errorf("the error does not hold %q: %s", want, said)
				}
			}
			if got := s.must(t, `SELECT 1`); got != "1" {
				t.Errorf("afterwards SELECT 1 is %q", got)
			}
		})
	}
}

// TestGarbageRecords: records that cannot be decoded stand in the errors relation with their place and bytes; the
// view has all others, and goes on.
func TestGarbageRecords(t *testing.T) {
	need(t)
	r := real(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const schema = `{"type": "record", "name": "person", "fields": [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}]}`
	id := registerSchema(ctx, t, r, "people-value", schema)
	codec, err := goavro.NewCodec(schema)
	if err != nil {
		t.Fatal(err)
	}
	person := func(id uint32, n int64) []byte {
		value, err := codec.BinaryFromNative(binary.BigEndian.AppendUint32([]byte{0}, id), map[string]any{"id": n, "name": fmt.Sprint("person ", n)})
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	good := person(id, 1)
	bad := [][]byte{
		{}, []byte("{}"), good[:3], good[:len(good)-2], append(bytes.Clone(good), 0),
		person(4_000_000, 2), append([]byte{7}, good[1:]...),
		binary.AppendVarint(bytes.Clone(good[:6]), 1<<40), // a name longer than the record
	}
	produce(ctx, t, r, "people", append([][]byte{good}, bad...)...)

	s := serve(t, "--host-aliases", r.aliases())
	s.must(t, `CREATE SOURCE people FROM KAFKA BROKER 'kafka:9092' TOPIC 'people'
  FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY 'http://schema-registry:8081'`)
	s.must(t, `CREATE MATERIALIZED VIEW ids AS SELECT id, count(*) AS n FROM people GROUP BY id`)
	s.wait(t, `SELECT count(*), min("offset"), max("offset") FROM people_errors`, fmt.Sprintf("%d|1|%d", len(bad), len(bad)))
	produce(ctx, t, r, "people", person(id, 2))
	s.wait(t, `SELECT * FROM ids ORDER BY id`, "1|1\n2|1")
	const details = `SELECT DISTINCT topic, partition, error_code <> '', error <> '' FROM people_errors`
	if got := s.must(t, details); got != "people|0|t|t" {
		t.Errorf("%s: %s", details, got)
	}
	if got, want := s.must(t, `SELECT encode(value, 'hex') FROM people_errors WHERE "offset" = 3`), fmt.Sprintf("%x", bad[2]); got != want {
		t.Errorf("the bytes of the third bad record are %s, want %s", got, want)
	}
}

// TestBadEvents: the page views of the walkthrough with one that is no JSON in between. The view says so when it is
// read, naming the way round, and the way round works.
func TestBadEvents(t *testing.T) {
	need(t)
	r := real(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	produce(ctx, t, r, "events", `{"n": 1}`, `no JSON`, `{"n": 2}`)
	s := serve(t, "--host-aliases", r.aliases())
	s.must(t, `CREATE SOURCE events FROM KAFKA BROKER 'kafka:9092' TOPIC 'events' FORMAT JSON`)
	s.must(t, `CREATE MATERIALIZED VIEW total AS SELECT sum((data->>'n')::int) AS n FROM events`)
	s.wait(t, `SELECT n FROM total`, "3")
	s.wait(t, `SELECT "offset", convert_from(value, 'utf8') FROM events_errors`, "1|no JSON")
}

// registerSchema puts a schema into the registry and returns its id.
func registerSchema(ctx context.Context, t *testing.T, r *servers, subject, schema string) uint32 {
	t.Helper()
	body, err := json.Marshal(map[string]string{"schema": schema})
	if err != nil {
		t.Fatal(err)
	}
	url := r.stack.RegistryURL + "/subjects/" + subject + "/versions"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	text, err := io.ReadAll(resp.Body)
	var answer struct{ ID uint32 }
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(text, &answer) != nil {
		t.Fatalf("register schema: %s %s, %v", resp.Status, text, err)
	}
	return answer.ID
}
