package avro

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"

	"millrace/repr"
	fjson "millrace/repr/format/json"
)

func parse(t testing.TB, text string) *Schema {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func varint(v int64) string { return string(binary.AppendVarint(nil, v)) }

func str(s string) string { return varint(int64(len(s))) + s }

// dbz is a type that Kafka Connect gave a name.
func dbz(avroType, name, more string) string {
	return `{"type":"` + avroType + `","connect.name":"` + name + `","connect.version":1` + more + `}`
}

// Each case is a type, the bytes of a value, the SQL type it becomes, and the value as JSON or the error.
var logicalCases = []struct{ schema, wire, typ, want string }{
	{`{"type":"bytes","logicalType":"decimal","precision":12,"scale":4}`, str("\xff"), "numeric", `-0.0001`},
	{`{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}`, str("\x04\xd2"), "numeric", `12.34`},
	{`{"type":"bytes","logicalType":"decimal","precision":30}`, str("\x80\x00\x00\x00\x00\x00\x00\x00"), "numeric", `-9223372036854775808`},
	{`{"type":"bytes","logicalType":"decimal","precision":30}`, str("\x01\x8e\xe9\x0f\xf6\xc3\x73\xe0\xee\x4e\x3f\x0a\xd2"), "numeric", `123456789012345678901234567890`},
	{`{"type":"fixed","name":"f","size":2,"logicalType":"decimal","precision":4,"scale":1}`, "\xff\xf6", "numeric", `-1.0`},
	{dbz("bytes", "org.apache.kafka.connect.data.Decimal", `,"connect.parameters":{"scale":"1"}`), str(""), "numeric", `0.0`},
	{`{"type":"string","logicalType":"uuid"}`, str("5B2E1f0a-7c7d-4a3e-9f49-1f1d2a3b4c5d"), "uuid", `"5b2e1f0a-7c7d-4a3e-9f49-1f1d2a3b4c5d"`},
	{dbz("string", "io.debezium.data.Uuid", ""), str("5b2e"), "uuid", `!22P02 invalid input syntax for type uuid: "5b2e"`},
	{`{"type":"int","logicalType":"date"}`, varint(20512), "date", `"2026-02-28"`},
	{dbz("int", "io.debezium.time.Date", ""), varint(-735000), "date", `"0044-08-22 BC"`},
	{dbz("int", "io.debezium.time.Date", ""), varint(-622191234), "date", `"infinity"`},
	{`{"type":"int","logicalType":"time-millis"}`, varint(86399123), "time without time zone", `"23:59:59.123"`},
	{`{"type":"long","logicalType":"time-micros"}`, varint(-1), "time without time zone", `!22008 time out of range: -1`},
	{dbz("long", "io.debezium.time.NanoTime", ""), varint(1500), "time without time zone", `"00:00:00.000001"`},
	{`{"type":"long","logicalType":"timestamp-millis"}`, varint(1772323199123), "timestamp without time zone", `"2026-02-28T23:59:59.123"`},
	{dbz("long", "io.debezium.time.MicroTimestamp", ""), varint(-1), "timestamp without time zone", `"1969-12-31T23:59:59.999999"`},
	{dbz("long", "io.debezium.time.MicroTimestamp", ""), varint(9223372036825200000), "timestamp without time zone", `"infinity"`},
	{dbz("long", "io.debezium.time.MicroTimestamp", ""), varint(math.MinInt64), "timestamp without time zone", `!22008 timestamp out of range: -9223372036854775808`},
	{dbz("long", "io.debezium.time.Timestamp", ""), varint(math.MaxInt64), "timestamp without time zone", `!22008 timestamp out of range: 9223372036854775807`},
	{dbz("long", "io.debezium.time.NanoTimestamp", ""), varint(-1), "timestamp without time zone", `"1969-12-31T23:59:59.999999"`},
	{dbz("string", "io.debezium.time.ZonedTimestamp", ""), str("2026-02-28T18:29:59.123456Z"), "text", `"2026-02-28T18:29:59.123456Z"`},
	{dbz("int", "io.debezium.time.Year", ""), varint(2026), "integer", `2026`},
	{dbz("long", "io.debezium.time.MicroDuration", ""), varint(3661000001), "interval", `"01:01:01.000001"`},
	{dbz("string", "io.debezium.time.Interval", ""), str("P1Y2M3DT4H5M6.789S"), "interval", `"1 year 2 mons 3 days 04:05:06.789"`},
	{dbz("string", "io.debezium.time.Interval", ""), str("P-1M1DT-0.000001S"), "interval", `"-1 mons +1 day -00:00:00.000001"`},
	{dbz("string", "io.debezium.time.Interval", ""), str("P1"), "interval", `!22007 invalid input syntax for type interval: "P1"`},
	{`{"type":"fixed","name":"d","size":12,"logicalType":"duration"}`, "\x01\x00\x00\x00\x02\x00\x00\x00\xe8\x03\x00\x00", "interval", `"1 mon 2 days 00:00:01"`},
	{dbz("string", "io.debezium.data.Json", ""), str(`{"b":1.50,"a":[]}`), "jsonb", `{"a": [], "b": 1.50}`},
	{dbz("string", "io.debezium.data.Json", ""), str(`{`), "jsonb", `!22P02`},
	{dbz("bytes", "io.debezium.data.Bits", `,"connect.parameters":{"length":"10"}`), str("\x96\x02"), "text", `"1010010110"`},
	{dbz("string", "io.debezium.data.Enum", ""), str("happy"), "text", `"happy"`},
	{dbz("string", "io.debezium.time.IsoDate", ""), str("2026-02-28Z"), "date", `"2026-02-28"`},
	{dbz("string", "io.debezium.time.IsoTime", ""), str("23:59:59.5Z"), "time without time zone", `"23:59:59.5"`},
	{dbz("string", "io.debezium.time.IsoTimestamp", ""), str("+294247-01-10T04:00:25.2Z"), "timestamp without time zone", `"infinity"`},
	{dbz("string", "io.debezium.time.IsoTimestamp", ""), str("x"), "timestamp without time zone", `!22007 invalid input syntax for type timestamp: "x"`},
	{`{"type":"record","name":"Point","connect.name":"io.debezium.data.geometry.Point","fields":[{"name":"x","type":"double"},{"name":"wkb","type":"bytes"},{"name":"srid","type":["null","int"]}]}`,
		strings.Repeat("\x00", 8) + str("\x01\x02") + varint(0), "bytea", `"\\x0102"`},
	{`["int","long"]`, varint(1) + varint(1<<40), "bigint", `1099511627776`},
	{`["null","int","string"]`, varint(2) + str("x"), "jsonb", `"x"`},
	{`["null","int","string"]`, varint(0), "jsonb", `null`},
	{`{"type":"array","items":["null","int"]}`, varint(2) + varint(1) + varint(9) + varint(0) + varint(0), "integer[]", `[9,null]`},
	{`{"type":"array","items":{"type":"array","items":"int"}}`, varint(1) + varint(-1) + varint(1) + varint(9) + varint(0) + varint(0), "jsonb", `[[9]]`},
	{`{"type":"map","values":"long"}`, varint(1) + str("k") + varint(3) + varint(0), "jsonb", `{"k": 3}`},
	{`"string"`, str("a\x00"), "text", `!22021 invalid byte sequence for encoding "UTF8": 0x00`},
	{`"string"`, str("a\xff"), "text", `!22021 invalid byte sequence for encoding "UTF8": 0xff`},
	{`"boolean"`, "\x02", "boolean", `!22P03 a boolean is 0x02`},
	{`"int"`, varint(1 << 40), "integer", `!22003 value 1099511627776 is out of range for an Avro int`},
	{`"long"`, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "bigint", `!22P03 a number is longer than 64 bits`},
	{`"bytes"`, varint(-1), "bytea", `!22P03 a length is negative`},
	{`"bytes"`, varint(1 << 60), "bytea", `!22P03 the record ends too early`},
	{`["null","int"]`, varint(7), "integer", `!22P03 union branch 7 of 2`},
	{`{"type":"array","items":"null"}`, varint(1 << 40), "text[]", `!54000 more than 1048576 elements`},
	{`{"type":"array","items":"null"}`, varint(math.MinInt64) + varint(0), "text[]", `!54000 more than 1048576 elements`},
}

func TestLogicalTypes(t *testing.T) {
	t.Parallel()
	for _, c := range logicalCases {
		s := parse(t, `{"type":"record","name":"r","fields":[{"name":"x","type":`+c.schema+`}]}`)
		cols, err := s.Columns()
		if err != nil {
			t.Errorf("%s: %v", c.schema, err)
			continue
		}
		if got := cols[0].Type.String(); got != c.typ {
			t.Errorf("%s: type %s, want %s", c.schema, got, c.typ)
		}
		dec, err := NewDecoder(s, cols)
		if err != nil {
			t.Errorf("%s: %v", c.schema, err)
			continue
		}
		row, err := dec.Append(nil, []byte(c.wire))
		if err != nil {
			e := err.(*repr.Error)
			want := strings.Replace("!"+e.Code+" "+e.Message, "invalid Avro record: field x: ", "", 1)
			if !strings.HasPrefix(c.want, "!") || !strings.HasPrefix(want, c.want) {
				t.Errorf("%s %x: %v, want %s", c.schema, c.wire, want, c.want)
			}
			continue
		}
		d, _ := repr.Decode(row)
		if got := string(fjson.AppendValue(nil, cols[0].Type, d)); got != c.want {
			t.Errorf("%s %x: got %s, want %s", c.schema, c.wire, got, c.want)
		}
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	t.Parallel()
	deep := `"int"`
	for range 100 {
		deep = `{"type":"array","items":` + deep + `}`
	}
	bomb := `{"type":"record","name":"r0","fields":[{"name":"a","type":"int"}]}`
	for i := range 40 {
		bomb = fmt.Sprintf(`{"type":"record","name":"r%d","fields":[{"name":"a","type":%s},{"name":"b","type":"r%d"}]}`, i+1, bomb, i)
	}
	for _, c := range []struct{ schema, want string }{
		{`{"type":"record","name":"node","fields":[{"name":"next","type":["null","node"]}]}`, "recursive Avro schema"},
		{`{"type":"record","name":"a","fields":[{"name":"b","type":{"type":"record","name":"b","fields":[{"name":"a","type":{"type":"array","items":"a"}}]}}]}`, "recursive Avro schema"},
		{deep, "nested too deeply"},
		{bomb, "expands to more"},
		{`{"type":"record","name":"r","fields":[{"name":"a","type":"nosuch"}]}`, `unknown type "nosuch"`},
		{`not json`, "invalid Avro schema"},
		{`[]`, "a union has no type"},
		{`{"type":"fixed","name":"f","size":-1}`, "size"},
		{`7`, "invalid Avro schema"},
	} {
		s, err := Parse(c.schema)
		if err == nil {
			var cols []Column
			if cols, err = s.Columns(); err == nil {
				_, err = NewDecoder(s, cols)
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: %v, want %s", c.schema, err, c.want)
		}
	}
}

func TestEvolution(t *testing.T) {
	t.Parallel()
	record := func(fields string) *Schema {
		return parse(t, `{"type":"record","name":"r","fields":[`+fields+`]}`)
	}
	cases := []struct{ writer, wire, reader, want string }{
		{`{"name":"a","type":"int"}`, varint(7), `{"name":"a","type":"long"}`, `{"a": 7}`},
		{`{"name":"a","type":"long"}`, varint(7), `{"name":"a","type":"int"}`, `{"a": 7}`},
		{`{"name":"a","type":"long"}`, varint(3000000000), `{"name":"a","type":"int"}`, `!field a: value 3000000000 is out of range for type integer`},
		{`{"name":"a","type":"int"}`, varint(7), `{"name":"a","type":["null","double"]}`, `{"a": 7}`},
		{`{"name":"a","type":"int"}`, varint(7), `{"name":"a","type":"int"},{"name":"b","type":["string","null"],"default":"NL"}`, `{"a": 7, "b": "NL"}`},
		{`{"name":"a","type":"int"}`, varint(7), `{"name":"b","type":["null","string"],"default":null}`, `{"b": null}`},
		{`{"name":"a","type":"int"}`, varint(7), `{"name":"b","type":"string"}`, `!field b: the record lacks it, and it has no default`},
		{`{"name":"a","type":["null","int"]}`, varint(0), `{"name":"a","type":"int"}`, `!field a: null value in a column that is not null`},
		{`{"name":"a","type":"boolean"}`, "\x01", `{"name":"a","type":"int"}`, `!field "a": the record's schema has Avro boolean where the column is integer`},
		{`{"name":"a","type":"int"}`, varint(7), `{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}`, `{"a": 7}`},
		{`{"name":"full","aliases":["a"],"type":"int"}`, varint(7), `{"name":"a","type":"int"}`, `{"a": 7}`},
		{`{"name":"a","type":"int"}`, varint(7), `{"name":"full","aliases":["z","a"],"type":"int"}`, `{"full": 7}`},
		{`{"name":"b","type":"int"},{"name":"a","type":"int"}`, varint(1) + varint(2), `{"name":"a","type":"int"},{"name":"c","aliases":["b"],"type":"int"}`, `{"a": 2, "c": 1}`},
		{`{"name":"a","type":"int"},{"name":"full","aliases":["a"],"type":"int"}`, varint(1) + varint(2), `{"name":"a","type":"int"}`, `{"a": 1}`},
		{`{"name":"x","aliases":["a"],"type":"int"},{"name":"y","aliases":["a"],"type":"int"}`, varint(1) + varint(2), `{"name":"a","type":"int"}`, `{"a": 1}`},
		{`{"name":"b","type":"int"},{"name":"x","type":{"type":"map","values":"string"}},{"name":"a","type":"int"}`,
			varint(1) + varint(1) + str("k") + str("v") + varint(0) + varint(2), `{"name":"a","type":"int"},{"name":"b","type":"int"}`, `{"a": 2, "b": 1}`},
	}
	for _, c := range cases {
		cols, err := record(c.reader).Columns()
		if err != nil {
			t.Fatal(err)
		}
		dec, err := NewDecoder(record(c.writer), cols)
		var row []byte
		if err == nil {
			row, err = dec.Append(nil, []byte(c.wire))
		}
		if err != nil {
			if !strings.HasSuffix("!"+err.Error(), c.want[1:]) {
				t.Errorf("%s as %s: %v, want %s", c.writer, c.reader, err, c.want)
			}
			continue
		}
		if got := show(t, cols, row); got != c.want {
			t.Errorf("%s as %s: got %s, want %s", c.writer, c.reader, got, c.want)
		}
	}
}

func TestFrame(t *testing.T) {
	t.Parallel()
	id, record, err := Unframe(append(AppendFrame(nil, 1234), "abc"...))
	if id != 1234 || string(record) != "abc" || err != nil {
		t.Errorf("got %d %q %v", id, record, err)
	}
	if _, _, err := Unframe(nil); err == nil || !strings.HasSuffix(err.Error(), ": it is empty") {
		t.Errorf("got %v", err)
	}
	for _, bad := range []string{"", "\x00\x00\x00\x01", "{\"a\":1}", "\x01\x00\x00\x00\x01x"} {
		if _, _, err := Unframe([]byte(bad)); err == nil || err.(*repr.Error).Code != repr.CodeInvalidBinary {
			t.Errorf("Unframe(%q): %v", bad, err)
		}
	}
}

var encodeKinds = []repr.Type{
	repr.TypeOf(repr.KindBool), repr.TypeOf(repr.KindInt4), repr.TypeOf(repr.KindInt8), repr.TypeOf(repr.KindFloat4),
	repr.TypeOf(repr.KindFloat8), repr.TypeOf(repr.KindNumeric), {Kind: repr.KindNumeric, Mod: 9<<16 | 3 + 4},
	repr.TypeOf(repr.KindText), repr.TypeOf(repr.KindBytea), repr.TypeOf(repr.KindJSONB), repr.TypeOf(repr.KindDate),
	repr.TypeOf(repr.KindTime), repr.TypeOf(repr.KindTimestamp), repr.TypeOf(repr.KindUUID), repr.ArrayOf(repr.KindInt4),
}

func randomDatum(r *rand.Rand, t repr.Type) repr.Datum {
	n := int64(r.Uint64() >> r.IntN(64))
	switch t.Kind {
	case repr.KindBool:
		return repr.Bool(n&1 == 0)
	case repr.KindInt4:
		return repr.Int4(int32(n))
	case repr.KindFloat4:
		return repr.Float4(float32(n))
	case repr.KindFloat8:
		return repr.Float8(r.NormFloat64())
	case repr.KindNumeric:
		if t.HasMod() {
			return repr.Numeric(n%1000000000, 3)
		}
		return repr.Numeric(n, int32(r.IntN(20)))
	case repr.KindText:
		return repr.Text(fmt.Sprint("é", n))
	case repr.KindBytea:
		return repr.Bytea([]byte(fmt.Sprint("\x00", n)))
	case repr.KindJSONB:
		return repr.JSONB([]byte(fmt.Sprintf(`{"a": %d}`, n)))
	case repr.KindDate:
		return []repr.Datum{repr.Date(int32(n % 1000000)), repr.Date(repr.PosInfinity32), repr.Date(repr.NegInfinity32)}[r.IntN(3)]
	case repr.KindTime:
		return repr.TimeOfDay(n & (1<<36 - 1))
	case repr.KindTimestamp:
		return []repr.Datum{repr.Timestamp(n % 1e16), repr.Timestamp(repr.PosInfinity64), repr.Timestamp(repr.NegInfinity64)}[r.IntN(3)]
	case repr.KindUUID:
		return repr.UUID([16]byte(binary.BigEndian.AppendUint64(make([]byte, 8), uint64(n))))
	case repr.KindArray:
		return repr.Array([]repr.Datum{repr.Int4(int32(n)), repr.Null}[:r.IntN(3)])
	}
	return repr.Int8(n)
}

// TestEncode holds what we write to goavro, and reads it back.
func TestEncode(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	var cols repr.RowDesc
	for i, typ := range encodeKinds {
		cols = append(cols, repr.Column{Name: fmt.Sprintf("c %d", i), Type: typ, NotNull: i%4 == 0})
	}
	enc, err := NewEncoder("row", cols)
	if err != nil {
		t.Fatal(err)
	}
	text := enc.EnvelopeSchema("envelope")
	codec, err := goavro.NewCodec(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	back := append(repr.RowDesc(nil), cols...)
	for i := range back {
		back[i].Name = fmt.Sprintf("c_%d", i)
	}
	x, err := NewExtractor(parse(t, text), []Slot{{Path: "before", Columns: ColumnsOf(back)}, {Path: "after", Columns: ColumnsOf(back)}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		row := make([]repr.Datum, len(cols))
		for i := range row {
			if cols[i].NotNull || r.IntN(4) > 0 {
				row[i] = randomDatum(r, cols[i].Type)
			}
		}
		packed := repr.AppendRow(nil, row)
		message, err := enc.AppendChange(nil, nil, packed)
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, err := codec.NativeFromBinary(message); err != nil || len(rest) > 0 {
			t.Fatalf("goavro reads %x: %v, %d bytes left", message, err, len(rest))
		}
		if err := x.Run(message); err != nil {
			t.Fatal(err)
		}
		if _, ok := x.Row(0); ok {
			t.Fatal("before is present")
		}
		after, ok := x.Row(1)
		got := repr.DecodeRow(nil, after)
		if !ok || len(got) != len(row) {
			t.Fatalf("after has %d columns", len(got))
		}
		for i := range row {
			if !row[i].Equal(got[i]) {
				t.Errorf("%s: got %v, want %v", cols[i].Type, got[i], row[i])
			}
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		t    repr.Type
		d    repr.Datum
		want string
	}{
		{repr.Type{Kind: repr.KindNumeric, Mod: 4<<16 | 2 + 4}, repr.Numeric(12345, 2), "does not fit"},
		{repr.Type{Kind: repr.KindNumeric, Mod: 4<<16 | 2 + 4}, repr.Numeric(12345, 3), "does not fit"},
		{repr.TypeOf(repr.KindNumeric), repr.NumericNaN, "numeric NaN does not fit"},
		{repr.TypeOf(repr.KindInt4), repr.Null, "null value"},
	} {
		enc, err := NewEncoder("r", repr.RowDesc{{Name: "x", Type: c.t, NotNull: true}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := enc.Append(nil, repr.Append(nil, c.d)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.d, err)
		}
	}
	if _, err := NewEncoder("r", repr.RowDesc{{Name: "x", Type: repr.TypeOf(repr.KindRecord)}}); err == nil || err.(*repr.Error).Code != repr.CodeFeatureNotSupported {
		t.Errorf("a record column: %v", err)
	}
}

func TestFieldNames(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, c := range [][2]string{{"a", "a"}, {"a", "a1"}, {"?column?", "_column_"}, {"9x", "_9x"}, {"", "_"}, {"é", "__"}, {"count(*)", "count___"}} {
		if got := fieldName(c[0], used); got != c[1] {
			t.Errorf("%q: got %q, want %q", c[0], got, c[1])
		}
	}
}
