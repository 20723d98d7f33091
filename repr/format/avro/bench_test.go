package avro

import (
	"math/big"
	"testing"

	"github.com/linkedin/goavro/v2"

	"millrace/repr"
)

// An update of a table of 12 columns as Debezium's MySQL connector writes it.
const benchSchema = `{"type":"record","name":"Envelope","namespace":"shop.t","fields":[
{"name":"before","type":["null",{"type":"record","name":"Value","fields":[
 {"name":"id","type":"long"},{"name":"email","type":"string"},{"name":"is_vip","type":"int"},
 {"name":"name","type":["null","string"],"default":null},{"name":"city","type":["null","string"],"default":null},
 {"name":"price","type":{"type":"bytes","scale":2,"precision":7,"logicalType":"decimal"}},
 {"name":"qty","type":"int"},{"name":"score","type":["null","double"],"default":null},
 {"name":"created","type":{"type":"long","connect.name":"io.debezium.time.MicroTimestamp"}},
 {"name":"updated","type":{"type":"long","logicalType":"timestamp-millis"}},
 {"name":"day","type":{"type":"int","connect.name":"io.debezium.time.Date"}},
 {"name":"ok","type":"boolean"}]}],"default":null},
{"name":"after","type":["null","Value"],"default":null},
{"name":"source","type":{"type":"record","name":"Source","namespace":"io.debezium.connector.mysql","fields":[
 {"name":"version","type":"string"},{"name":"connector","type":"string"},{"name":"name","type":"string"},{"name":"ts_ms","type":"long"},
 {"name":"snapshot","type":["string","null"],"default":"false"},{"name":"db","type":"string"},{"name":"table","type":["null","string"]},
 {"name":"server_id","type":"long"},{"name":"gtid","type":["null","string"]},{"name":"file","type":"string"},{"name":"pos","type":"long"},{"name":"row","type":"int"}]}},
{"name":"op","type":"string"},{"name":"ts_ms","type":["null","long"],"default":null}]}`

func benchMessage(b testing.TB) []byte {
	codec, err := goavro.NewCodec(benchSchema)
	if err != nil {
		b.Fatal(err)
	}
	row := map[string]any{"id": int64(123456), "email": "user123456@example.com", "is_vip": int32(1),
		"name": goavro.Union("string", "Some One"), "city": goavro.Union("string", "Rotterdam"), "price": big.NewRat(1234, 100),
		"qty": int32(7), "score": goavro.Union("double", 0.5), "created": int64(1772323199123456), "updated": int64(1772323199123),
		"day": int32(20512), "ok": true}
	var native any = map[string]any{"op": "u", "ts_ms": goavro.Union("long", int64(1772323199123)),
		"source": map[string]any{"version": "3.5.0.Final", "connector": "mysql", "name": "shop", "ts_ms": int64(1772323199000),
			"snapshot": goavro.Union("string", "false"), "db": "shop", "table": goavro.Union("string", "t"), "server_id": int64(1),
			"gtid": nil, "file": "binlog.000001", "pos": int64(1234567), "row": int32(0)}}
	for _, side := range []string{"before", "after"} {
		native.(map[string]any)[side] = goavro.Union("shop.t.Value", row)
	}
	message, err := codec.BinaryFromNative(nil, native)
	if err != nil {
		b.Fatal(err)
	}
	return message
}

func benchSlots(b testing.TB, s *Schema) []Slot {
	value, _ := s.Sub("after")
	cols, err := value.Columns()
	if err != nil {
		b.Fatal(err)
	}
	return []Slot{{Path: "after", Columns: cols}, {Path: "op"}, {Path: "source.file"}, {Path: "source.pos"}, {Path: "source.row"}, {Path: "source.ts_ms"}}
}

func BenchmarkEnvelope(b *testing.B) {
	s := parse(b, benchSchema)
	x, err := NewExtractor(s, benchSlots(b, s))
	if err != nil {
		b.Fatal(err)
	}
	message := benchMessage(b)
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		if err := x.Run(message); err != nil {
			b.Fatal(err)
		}
	}
	if row, ok := x.Row(0); !ok || len(repr.DecodeRow(nil, row)) != 12 {
		b.Fatal("no row")
	}
}

func BenchmarkGoavro(b *testing.B) {
	codec, err := goavro.NewCodec(benchSchema)
	if err != nil {
		b.Fatal(err)
	}
	message := benchMessage(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := codec.NativeFromBinary(message); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzDecode throws any bytes at the envelope's decoder.
func FuzzDecode(f *testing.F) {
	s := parse(f, benchSchema)
	x, err := NewExtractor(s, benchSlots(f, s))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(benchMessage(f))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, message []byte) {
		if err := x.Run(message); err != nil {
			return
		}
		if row, ok := x.Row(0); ok && len(repr.DecodeRow(nil, row)) != 12 {
			t.Fatalf("%x: not 12 columns", message)
		}
	})
}
