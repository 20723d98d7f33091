package garbage

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
)

// account is what a good record says.
type account struct {
	id, value int64
	name      string
}

// kind is a topic of one format.
type kind struct {
	topic  string
	source string // CREATE SOURCE, with %s for the broker, and %s for the registry where it is asked
	key    func(a account) []byte
	good   func(a account) []byte
	bad    []spoil
}

// spoil makes a bad value of a good one.
type spoil struct {
	name string
	make func(rng *rand.Rand, a account, good []byte) []byte
}

const (
	columns     = "id bigint, v bigint, w bigint, name text"
	avroSchema  = `{"type":"record","name":"account","fields":[{"name":"id","type":"long"},{"name":"v","type":"long"},{"name":"w","type":"long"},{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}},{"name":"name","type":"string"}]}`
	protoSchema = `syntax = "proto3"; message Account { int64 id = 1; int64 v = 2; int64 w = 3; string name = 4; }`
	largeBytes  = 10 << 20
	badUTF8     = "\xff\xfe"
)

// kinds are the topics. schema is the number of the schema in the registry.
func kinds(schema int) []kind {
	none := func(account) []byte { return nil }
	key := func(a account) []byte { return fmt.Appendf(nil, "%d", a.id) }
	return []kind{
		{"avro", "FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY '%[2]s'", none, avroOf(schema), spoiledAvro(schema)},
		{"json", "KEY FORMAT TEXT VALUE FORMAT JSON INCLUDE PARTITION ENVELOPE UPSERT", key, jsonOf, spoiledJSON(jsonText)},
		{"csv", "FORMAT CSV WITH 4 COLUMNS", none, csvOf, spoiledCSV},
		{"proto", "FORMAT PROTOBUF USING SCHEMA '" + protoSchema + "'", none, protoOf, spoiledProto},
		{"changes", "FORMAT JSON INCLUDE PARTITION ENVELOPE DEBEZIUM", changeKey, changeOf, spoiledChanges()},
	}
}

// create is the statement that makes the source of a kind.
func (k *kind) create(broker, registry, options string) string {
	cols, tail := "("+columns+")", k.source
	switch k.topic {
	case "avro", "proto":
		cols = ""
	case "changes":
		cols = "(" + columns + ", PRIMARY KEY (id) NOT ENFORCED)"
	}
	if !strings.Contains(tail, "INCLUDE") {
		tail += " INCLUDE PARTITION"
	}
	return "CREATE SOURCE " + k.topic + " " + cols + " FROM KAFKA BROKER '" + broker + "' TOPIC '" + k.topic + "' " +
		strings.ReplaceAll(tail, "%[2]s", registry) + " WITH (" + options + ")"
}

func avroOf(schema int) func(a account) []byte {
	return func(a account) []byte { return appendAvro(frame(schema), a, []byte{byte(a.value >> 8), byte(a.value)}) }
}

// frame is what stands before a record in Avro.
func frame(schema int) []byte { return binary.BigEndian.AppendUint32([]byte{0}, uint32(schema)) }

func appendAvro(dst []byte, a account, amount []byte) []byte {
	for _, n := range []int64{a.id, a.value, -a.value, int64(len(amount))} {
		dst = binary.AppendVarint(dst, n)
	}
	dst = append(dst, amount...)
	return append(binary.AppendVarint(dst, int64(len(a.name))), a.name...)
}

func jsonText(a account) string {
	return fmt.Sprintf(`{"id": %d, "v": %d, "w": %d, "name": "%s"}`, a.id, a.value, -a.value, a.name)
}

func jsonOf(a account) []byte { return []byte(jsonText(a)) }

func csvOf(a account) []byte { return fmt.Appendf(nil, "%d,%d,%d,%s", a.id, a.value, -a.value, a.name) }

func protoOf(a account) []byte {
	var out []byte
	for i, n := range []int64{a.id, a.value, -a.value} {
		out = binary.AppendUvarint(append(out, byte(i+1)<<3), uint64(n))
	}
	out = binary.AppendUvarint(append(out, 4<<3|2), uint64(len(a.name)))
	return append(out, a.name...)
}

func changeKey(a account) []byte { return fmt.Appendf(nil, `{"id":%d}`, a.id) }

func changeText(a account) string {
	return fmt.Sprintf(`{"before": null, "after": %s, "op": "c", "source": {"connector": "mysql", "name": "shop", "file": "b.000001", "pos": %d, "row": 0, "snapshot": "false"}}`,
		jsonText(a), a.id)
}

func changeOf(a account) []byte { return []byte(changeText(a)) }

// always is a spoil that needs no chance.
func always(name string, f func(a account) string) spoil {
	return spoil{name, func(_ *rand.Rand, a account, _ []byte) []byte { return []byte(f(a)) }}
}

// truncated cuts a value anywhere, and leaves something.
var truncated = spoil{"truncated", func(rng *rand.Rand, _ account, good []byte) []byte { return good[:1+rng.IntN(len(good)-1)] }}

func spoiledAvro(schema int) []spoil {
	body := func(f func(dst []byte, a account) []byte) func(*rand.Rand, account, []byte) []byte {
		return func(_ *rand.Rand, a account, _ []byte) []byte { return f(frame(schema), a) }
	}
	return []spoil{
		truncated,
		{"unknown schema", func(rng *rand.Rand, a account, _ []byte) []byte {
			return appendAvro(frame(1_000_000+rng.IntN(50)), a, []byte{1})
		}},
		{"no magic byte", func(rng *rand.Rand, _ account, good []byte) []byte {
			return append([]byte{byte(1 << rng.IntN(8))}, good[1:]...) // one bit of it is flipped
		}},
		{"more behind it", func(rng *rand.Rand, _ account, good []byte) []byte {
			return append(good[:len(good):len(good)], byte(rng.IntN(256)))
		}},
		{"bad text", body(func(dst []byte, a account) []byte { a.name += badUTF8; return appendAvro(dst, a, []byte{1}) })},
		{"negative length", body(func(dst []byte, a account) []byte {
			for _, n := range []int64{a.id, a.value, -a.value, -5} {
				dst = binary.AppendVarint(dst, n)
			}
			return append(dst, "12345"...)
		})},
		{"length beyond all", body(func(dst []byte, a account) []byte {
			for _, n := range []int64{a.id, a.value, -a.value, 1 << 40} {
				dst = binary.AppendVarint(dst, n)
			}
			return append(dst, "12345"...)
		})},
		{"number without end", body(func(dst []byte, _ account) []byte { return append(dst, strings.Repeat("\xff", 12)...) })},
	}
}

// spoiledJSON are bad objects; wrap makes a value of an account.
func spoiledJSON(wrap func(a account) string) []spoil {
	put := func(name, from, to string) spoil {
		return always(name, func(a account) string { return strings.Replace(wrap(a), from, to, 1) })
	}
	return []spoil{
		truncated,
		put("text for a number", `"v": `, `"v": "x", "u": `),
		put("object for a number", `"v": `, `"v": {"a": 1}, "u": `),
		put("number beyond all", `"v": `, `"v": 99999999999999999999999, "u": `),
		put("fraction without end", `"v": `, `"v": 1., "u": `),
		put("NUL", `"name": "`, `"name": "\u0000`),
		put("half a pair", `"name": "`, `"name": "\ud800`),
		put("bad text", `"name": "`, `"name": "`+badUTF8),
		put("no quote", `"name": "`, `"name": `),
		{"bytes", func(rng *rand.Rand, _ account, _ []byte) []byte {
			out := []byte{0xc0}
			for range 20 + rng.IntN(100) {
				out = append(out, byte(rng.IntN(256)))
			}
			return out
		}},
	}
}

var spoiledCSV = []spoil{
	always("one field less", func(a account) string { return fmt.Sprintf("%d,%d,%d", a.id, a.value, -a.value) }),
	always("one field more", func(a account) string { return string(csvOf(a)) + ",x" }),
	always("no number", func(a account) string { return fmt.Sprintf("%d,x%d,%d,%s", a.id, a.value, -a.value, a.name) }),
	always("number beyond all", func(a account) string { return fmt.Sprintf("%d,99999999999999999999,0,%s", a.id, a.name) }),
	always("no closing quote", func(a account) string { return fmt.Sprintf("%d,%d,%d,\"%s", a.id, a.value, -a.value, a.name) }),
	always("bad text", func(a account) string { return string(csvOf(a)) + badUTF8 }),
	always("NUL", func(a account) string { return string(csvOf(a)) + "\x00" }),
}

var spoiledProto = []spoil{
	{"truncated", func(rng *rand.Rand, a account, good []byte) []byte { return good[:len(good)-1-rng.IntN(len(a.name)-1)] }},
	always("field without number", func(a account) string { return string(protoOf(a)) + "\x00\x01" }),
	always("wrong wire type", func(a account) string { return string(protoOf(a)) + "\x0f" }),
	always("number without end", func(account) string { return "\x08" + strings.Repeat("\xff", 12) }),
	always("length beyond all", func(a account) string { return string(protoOf(a)) + "\x22\xff\xff\xff\xff\x0f" }),
	always("bad text", func(a account) string { a.name += badUTF8; return string(protoOf(a)) }),
}

// spoiledChanges are bad changes of Debezium.
func spoiledChanges() []spoil {
	return append(spoiledJSON(changeText),
		always("unknown operation", func(a account) string { return strings.Replace(changeText(a), `"op": "c"`, `"op": "z"`, 1) }),
		always("no row", func(a account) string { return strings.Replace(changeText(a), `"after": {`, `"other": {`, 1) }),
	)
}
