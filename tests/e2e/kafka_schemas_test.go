package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/tests/stack"
)

// reference is an import of a schema.
type reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// schema is what the registry is given.
type schema struct {
	Kind    string      `json:"schemaType"`
	Text    string      `json:"schema"`
	Imports []reference `json:"references,omitempty"`
}

// register gives the registry a schema and returns its id.
func register(t *testing.T, url, subject string, what schema) int {
	t.Helper()
	body, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url+"/subjects/"+subject+"/versions", "application/vnd.schemaregistry.v1+json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	var answer struct{ ID int }
	if err := json.Unmarshal(text, &answer); err != nil || answer.ID == 0 {
		t.Fatalf("register %s: %s %s", subject, resp.Status, text)
	}
	return answer.ID
}

// framed is a message behind the id of its schema.
func framed(id int, parts ...[]byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), bytes.Join(parts, nil)...)
}

func avroLong(n int64) []byte { return binary.AppendVarint(nil, n) }

func avroString(s string) []byte { return append(avroLong(int64(len(s))), s...) }

func protoInt(field, n uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, field<<3), n)
}

func protoBytes(field uint64, b []byte) []byte {
	return append(binary.AppendUvarint(binary.AppendUvarint(nil, field<<3|2), uint64(len(b))), b...)
}

// TestKafkaSchemas reads Avro and Protobuf whose schemas lie in a real registry: an Avro schema that evolves while the topic is read, and a
// Protobuf schema that imports another.
func TestKafkaSchemas(t *testing.T) {
	need(t)
	up := running(t, stack.Kafka, stack.Registry)
	names := []string{"sch-avro", "sch-proto"}
	dropTopics(t.Context(), t, &shared, names...)
	k := newTopics(t, up.KafkaAddr, names...)
	s := newServer(t, t.TempDir())
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 20*time.Second, "server ready", s.ready)
	s.must(t, "CREATE CONNECTION c TO KAFKA (BROKER '"+up.KafkaAddr+"')")
	s.must(t, "CREATE CONNECTION r TO CONFLUENT SCHEMA REGISTRY (URL '"+up.RegistryURL+"')")
	evolvingAvro(t, k, s, up.RegistryURL)
	importingProtobuf(t, k, s, up.RegistryURL)
}

// evolvingAvro widens a field, adds one, takes one away and changes the order, while the topic is read by the columns of the first schema.
func evolvingAvro(t *testing.T, k *topics, s *server, url string) {
	t.Helper()
	const form = `{"type":"record","name":"User","fields":[%s]}`
	version := func(fields string) int {
		return register(t, url, "sch-avro-value", schema{Kind: "AVRO", Text: fmt.Sprintf(form, fields)})
	}
	first := version(`{"name":"id","type":"long"},{"name":"name","type":"string","default":"nobody"},{"name":"score","type":"double"}`)
	k.write(kgo.TryCommit, "sch-avro", "="+string(framed(first, avroLong(1), avroString("ann"), binary.LittleEndian.AppendUint64(nil, 0x3ff8000000000000))))
	s.must(t, "CREATE SOURCE users FROM KAFKA CONNECTION c (TOPIC 'sch-avro') FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION r")
	s.must(t, "CREATE MATERIALIZED VIEW total AS SELECT count(*), sum(score) FROM users")
	s.wait(t, "SELECT * FROM users", "1|ann|1.5")
	second := version(`{"name":"score","type":"int"},{"name":"mail","type":["null","string"],"default":null},{"name":"id","type":"long"},{"name":"name","type":"string","default":"nobody"}`)
	third := version(`{"name":"id","type":"int"},{"name":"score","type":"float"}`)
	k.write(kgo.TryCommit, "sch-avro",
		"="+string(framed(second, avroLong(2), []byte{2}, avroString("sue@example.com"), avroLong(2), avroString("sue"))),
		"="+string(framed(third, avroLong(3), binary.LittleEndian.AppendUint32(nil, 0x40600000))),
		"="+string(framed(9999, avroLong(4))))
	s.wait(t, "SELECT * FROM users ORDER BY id", "1|ann|1.5\n2|sue|2\n3|nobody|3.5")
	s.wait(t, "SELECT * FROM total", "3|7")
	s.wait(t, "SELECT error LIKE '%9999%' FROM users_errors", "t")
}

// importingProtobuf reads messages with a part whose type another subject has.
func importingProtobuf(t *testing.T, k *topics, s *server, url string) {
	t.Helper()
	const head = `syntax = "proto3"; package shop; `
	register(t, url, "sch-money", schema{Kind: "PROTOBUF", Text: head + `message Money { int64 cents = 1; string currency = 2; }`})
	id := register(t, url, "sch-proto-value", schema{Kind: "PROTOBUF", Imports: []reference{{"money.proto", "sch-money", 1}},
		Text: head + `import "money.proto"; message Order { int64 id = 1; Money price = 2; repeated string tags = 3; }`})
	price := protoBytes(2, append(protoInt(1, 250), protoBytes(2, []byte("EUR"))...))
	k.write(kgo.TryCommit, "sch-proto", "="+string(framed(id, []byte{0}, protoInt(1, 7), price, protoBytes(3, []byte("a")), protoBytes(3, []byte("b")))))
	s.must(t, "CREATE SOURCE orders FROM KAFKA CONNECTION c (TOPIC 'sch-proto') FORMAT PROTOBUF MESSAGE 'shop.Order' USING CONFLUENT SCHEMA REGISTRY CONNECTION r")
	s.wait(t, "SELECT id, price->>'cents', price->>'currency', tags FROM orders", "7|250|EUR|{a,b}")
}
