package connect

import (
	"strings"
	"testing"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// decimalType is numeric(precision, scale).
func decimalType(precision, scale int32) repr.Type {
	return repr.Type{Kind: repr.KindNumeric, Mod: precision<<16 | scale&0x7ff + 4}
}

func stampType(precision int32) repr.Type {
	return repr.Type{Kind: repr.KindTimestamp, Mod: precision + 4}
}

// take reads one value as the column x, and shows it as text; an error begins with an exclamation mark.
func take(t *testing.T, schema string, typ repr.Type, modes Modes, value string) string {
	t.Helper()
	var s *Schema
	if schema != "" {
		var err error
		if s, err = Parse([]byte(`{"type":"struct","fields":[` + strings.Replace(schema, `{`, `{"field":"x",`, 1) + `]}`)); err != nil {
			return "!" + err.Error()
		}
		if typ.Kind == repr.KindNull {
			cols, err := s.Columns()
			if err != nil {
				return "!" + err.Error()
			}
			typ = cols[0].Type
		}
	}
	row, err := NewRow([]Column{{Column: repr.Column{Name: "x", Type: typ}}}, s, modes)
	if err != nil {
		return "!" + err.Error()
	}
	var sc Scanner
	sc.Reset([]byte(`{"x":` + value + `}`))
	packed := row.Append(&sc, nil)
	sc.Finish()
	if err := sc.Err(); err != nil {
		return "!" + err.(*repr.Error).Code + " " + err.Error()
	}
	d, _ := repr.Decode(packed)
	if d.IsNull() {
		return "NULL"
	}
	return typ.String() + " " + string(pgfmt.AppendText(nil, typ, d, nil))
}

// Each case is the schema of a value, the value, and what comes of it.
func TestBySchema(t *testing.T) {
	t.Parallel()
	named := func(typ, name, more string) string { return `{"type":"` + typ + `","name":"` + name + `"` + more + `}` }
	for _, c := range []struct{ schema, value, want string }{
		{`{"type":"int16"}`, `-5`, "integer -5"},
		{`{"type":"int64"}`, `null`, "NULL"},
		{`{"type":"int32"}`, `3000000000`, `!22003 column "x": value 3000000000 is out of range for type integer`},
		{`{"type":"int32"}`, `"7"`, `!22P02 column "x": invalid JSON at byte 5: expected a number, but found '"'`},
		{`{"type":"int64"}`, `1.5`, `!22P02 column "x": invalid input syntax for type bigint: "1.5"`},
		{`{"type":"boolean"}`, `true`, "boolean t"},
		{`{"type":"double"}`, `"NaN"`, "double precision NaN"},
		{`{"type":"float"}`, `-0.25`, "real -0.25"},
		{`{"type":"string"}`, `"a\u00e9\"\ud83d\ude00"`, `text aé"😀`},
		{`{"type":"string"}`, "\"a\xff\"", `!22021 column "x": invalid byte sequence for encoding "UTF8": 0xff`},
		{`{"type":"bytes"}`, `"3q2+7w=="`, `bytea \xdeadbeef`},
		{`{"type":"bytes"}`, `"!"`, `!22P02 column "x": the text "!" is not bytes in base64`},
		{named("bytes", "org.apache.kafka.connect.data.Decimal", `,"parameters":{"scale":"2"}`), `"BNI="`, "numeric 12.34"},
		{named("struct", "io.debezium.data.VariableScaleDecimal", ""), `{"scale":1,"value":"Dw=="}`, "numeric 1.5"},
		{named("struct", "io.debezium.data.VariableScaleDecimal", ""), `{"scale":1}`, `!22P02 column "x": a decimal of any scale is an object of scale and value`},
		{named("struct", "io.debezium.data.geometry.Point", ""), `{"x":1.0,"y":2.0,"wkb":"AQE=","srid":null}`, `bytea \x0101`},
		{named("int32", "io.debezium.time.Date", ""), `20512`, "date 2026-02-28"},
		{named("int64", "io.debezium.time.MicroTime", ""), `86399123456`, "time without time zone 23:59:59.123456"},
		{named("int64", "io.debezium.time.NanoTimestamp", ""), `1772323199123456789`, "timestamp without time zone 2026-02-28 23:59:59.123456"},
		{named("int64", "org.apache.kafka.connect.data.Timestamp", ""), `1772323199123`, "timestamp without time zone 2026-02-28 23:59:59.123"},
		{named("int64", "io.debezium.time.MicroTimestamp", ""), `9223372036825200000`, "timestamp without time zone infinity"},
		{named("string", "io.debezium.time.IsoTimestamp", ""), `"+294247-01-10T04:00:25.2Z"`, "timestamp without time zone infinity"},
		{named("string", "io.debezium.time.IsoTimestamp", ""), `"2026-02-28T23:59:59.5Z"`, "timestamp without time zone 2026-02-28 23:59:59.5"},
		{named("string", "io.debezium.time.IsoTimestamp", ""), `"0000-12-30T00:00:00Z"`, "timestamp without time zone 0001-12-30 00:00:00 BC"},
		{named("string", "io.debezium.time.IsoDate", ""), `"-0043-03-15Z"`, "date 0044-03-15 BC"},
		{named("string", "io.debezium.time.IsoDate", ""), `"+12026-03-15Z"`, "date 12026-03-15"},
		{named("string", "io.debezium.time.IsoDate", ""), `"2026-02-28Z"`, "date 2026-02-28"},
		{named("string", "io.debezium.time.IsoTime", ""), `"23:59:59.123Z"`, "time without time zone 23:59:59.123"},
		{named("string", "io.debezium.time.ZonedTimestamp", ""), `"2026-02-28T18:29:59Z"`, "text 2026-02-28T18:29:59Z"},
		{named("string", "io.debezium.time.Interval", ""), `"P1Y2M3DT4H5M6.789S"`, "interval 1 year 2 mons 3 days 04:05:06.789"},
		{named("int64", "io.debezium.time.MicroDuration", ""), `1000000`, "interval 00:00:01"},
		{named("string", "io.debezium.data.Json", ""), `"{\"b\":1,\"a\":2}"`, `jsonb {"a": 2, "b": 1}`},
		{named("string", "io.debezium.data.Uuid", ""), `"5b2e1f0a-7c7d-4a3e-9f49-1f1d2a3b4c5d"`, "uuid 5b2e1f0a-7c7d-4a3e-9f49-1f1d2a3b4c5d"},
		{named("bytes", "io.debezium.data.Bits", `,"parameters":{"length":"10"}`), `"lgI="`, "text 1010010110"},
		{`{"type":"array","items":{"type":"int32"}}`, `[1,null,-3]`, "integer[] {1,NULL,-3}"},
		{`{"type":"array","items":{"type":"struct"}}`, `[{"a":1}]`, `jsonb [{"a": 1}]`},
		{`{"type":"map"}`, `{"b":1,"a":[]}`, `jsonb {"a": [], "b": 1}`},
		{`{"type":"nosuch"}`, `1`, `!invalid Kafka Connect schema: field "x" has the unknown type "nosuch"`},
	} {
		if got := take(t, c.schema, repr.Type{}, Modes{}, c.value); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.schema, c.value, got, c.want)
		}
	}
}

// Each case is the type of a column, how the connector is set, a value, and what comes of it.
func TestDeclared(t *testing.T) {
	t.Parallel()
	kind := repr.TypeOf
	for _, c := range []struct {
		typ   repr.Type
		modes Modes
		value string
		want  string
	}{
		{kind(repr.KindInt8), Modes{}, `9223372036854775807`, "bigint 9223372036854775807"},
		{kind(repr.KindInt2), Modes{}, `70000`, `!22003 column "x": value 70000 is out of range for type smallint`},
		{kind(repr.KindBool), Modes{}, `1`, "boolean t"},
		{kind(repr.KindText), Modes{}, `12.50`, "text 12.50"},
		{kind(repr.KindText), Modes{}, `{"b":1,"a":2}`, `text {"a": 2, "b": 1}`},
		{decimalType(12, 4), Modes{}, `"HL6Y+7I="`, "numeric(12,4) 12345678.1234"},
		{decimalType(12, 4), Modes{Decimal: "string"}, `"12345678.1234"`, "numeric(12,4) 12345678.1234"},
		{decimalType(12, 4), Modes{Decimal: "double"}, `1.23456781234E7`, "numeric(12,4) 12345678.1234"},
		{decimalType(20, 0), Modes{Decimal: "double"}, `"AP//////////"`, "numeric(20,0) 18446744073709551615"},
		{kind(repr.KindInterval), Modes{Time: "isostring"}, `"23:59:59Z"`, "interval 23:59:59"},
		{kind(repr.KindNumeric), Modes{}, `{"scale":12,"value":"A6DJIHXA2/O4rLxexPh64Hs="}`, "numeric 1234567890123456789012345678.000000000123"},
		{kind(repr.KindNumeric), Modes{}, `"BNI="`, `!22023 column "x": a decimal came without its scale: "BNI="`},
		{stampType(6), Modes{}, `1772323199123456`, "timestamp(6) without time zone 2026-02-28 23:59:59.123456"},
		{stampType(3), Modes{}, `1772323199123`, "timestamp(3) without time zone 2026-02-28 23:59:59.123"},
		{stampType(6), Modes{Time: "connect"}, `1772323199123`, "timestamp(6) without time zone 2026-02-28 23:59:59.123"},
		{kind(repr.KindTimestamp), Modes{}, `1772323199123`, `!22023 column "x": nothing says whether the number in this column of type timestamp without time zone is milliseconds or microseconds`},
		{kind(repr.KindTimestamp), Modes{Time: "nanoseconds"}, `1772323199123456789`, "timestamp without time zone 2026-02-28 23:59:59.123456"},
		{kind(repr.KindTimestampTZ), Modes{}, `"2026-02-28T18:29:59.123456Z"`, "timestamp with time zone 2026-02-28 18:29:59.123456+00"},
		{kind(repr.KindDate), Modes{}, `20512`, "date 2026-02-28"},
		{kind(repr.KindDate), Modes{}, `"2026-02-28Z"`, "date 2026-02-28"},
		{kind(repr.KindTime), Modes{}, `86399123456`, "time without time zone 23:59:59.123456"},
		{kind(repr.KindInterval), Modes{}, `"P3D"`, "interval 3 days"},
		{kind(repr.KindBytea), Modes{}, `"3q2+7w=="`, `bytea \xdeadbeef`},
		{kind(repr.KindBytea), Modes{Binary: "hex"}, `"deadbeef"`, `bytea \xdeadbeef`},
		{kind(repr.KindBytea), Modes{Binary: "base64-url-safe"}, `"-_8="`, `bytea \xfbff`},
		{kind(repr.KindBytea), Modes{}, `"zz"`, `!22P02 column "x": the text "zz" is not bytes in base64`},
		{kind(repr.KindJSONB), Modes{}, `"{\"a\": 1}"`, `jsonb {"a": 1}`},
		{repr.ArrayOf(repr.KindText), Modes{}, `["x",null]`, "text[] {x,NULL}"},
		{kind(repr.KindFloat8), Modes{}, `"-Infinity"`, "double precision -Infinity"},
		{kind(repr.KindInt8), Modes{}, `{"$numberLong":"42"}`, "bigint 42"},
		{kind(repr.KindText), Modes{}, `"plain"`, "text plain"},
		{kind(repr.KindNumeric), Modes{}, `{"$numberDecimal":"12.30"}`, "numeric 12.30"},
		{kind(repr.KindTimestamp), Modes{}, `{"$date":1772323199123}`, "timestamp without time zone 2026-02-28 23:59:59.123"},
		{kind(repr.KindTimestamp), Modes{}, `{"$date":{"$numberLong":"1772323199123"}}`, "timestamp without time zone 2026-02-28 23:59:59.123"},
		{kind(repr.KindTimestamp), Modes{}, `{"$date":"2026-02-28T23:59:59.123Z"}`, "timestamp without time zone 2026-02-28 23:59:59.123"},
		{kind(repr.KindBytea), Modes{Binary: "hex"}, `{"$binary":{"base64":"3q2+7w==","subType":"00"}}`, `bytea \xdeadbeef`},
		{kind(repr.KindText), Modes{}, `{"$oid":"6564d6b2"}`, "text 6564d6b2"},
		{kind(repr.KindInt8), Modes{}, `{"a":1}`, `!22P02 column "x": invalid input syntax for type bigint: "{\"a\":1}"`},
	} {
		if got := take(t, "", c.typ, c.modes, c.value); got != c.want {
			t.Errorf("%s %+v %s: got %s, want %s", c.typ, c.modes, c.value, got, c.want)
		}
	}
}

// A column may be declared with another type than the schema says, where values of the one fit the other.
func TestSchemaAndDeclared(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schema string
		typ    repr.Type
		value  string
		want   string
	}{
		{`{"type":"int16"}`, repr.TypeOf(repr.KindInt8), `5`, "bigint 5"},
		{`{"type":"int16"}`, repr.TypeOf(repr.KindBool), `1`, "boolean t"},
		{`{"type":"string"}`, decimalType(9, 2), `"12.345"`, "numeric(9,2) 12.35"},
		{`{"type":"string","name":"io.debezium.time.ZonedTimestamp"}`, repr.TypeOf(repr.KindTimestampTZ), `"2026-02-28T18:29:59Z"`, "timestamp with time zone 2026-02-28 18:29:59+00"},
		{`{"type":"int64","name":"io.debezium.time.Timestamp"}`, repr.TypeOf(repr.KindTimestamp), `1772323199123`, "timestamp without time zone 2026-02-28 23:59:59.123"},
		{`{"type":"string","name":"io.debezium.time.IsoTime"}`, repr.TypeOf(repr.KindInterval), `"23:59:59Z"`, "interval 23:59:59"},
		{`{"type":"double"}`, repr.TypeOf(repr.KindInt4), `1.5`, `!22P02 column "x": invalid input syntax for type integer: "1.5"`},
		{`{"type":"boolean"}`, repr.TypeOf(repr.KindDate), `true`, `!column "x": the message's schema has boolean where the column is date`},
		{`{"type":"array","items":{"type":"int32"}}`, repr.ArrayOf(repr.KindInt8), `[1]`, "bigint[] {1}"},
	} {
		if got := take(t, c.schema, c.typ, Modes{}, c.value); got != c.want {
			t.Errorf("%s as %s: got %s, want %s", c.schema, c.typ, got, c.want)
		}
	}
}

// Objects are matched to columns by name, in any order; what is missing is the default, what is new is told once.
func TestRowsByName(t *testing.T) {
	t.Parallel()
	cols := []Column{
		{Column: repr.Column{Name: "a", Type: repr.TypeOf(repr.KindInt8), NotNull: true}},
		{Column: repr.Column{Name: "b", Type: repr.TypeOf(repr.KindText)}, Default: repr.Append(nil, repr.Text("NL"))},
		{Column: repr.Column{Name: "c", Type: repr.TypeOf(repr.KindInt8)}},
	}
	row, err := NewRow(cols, nil, Modes{})
	if err != nil {
		t.Fatal(err)
	}
	var s Scanner
	for _, c := range []struct{ in, want string }{
		{`{"a":1,"b":"x","c":2}`, "1 x 2"},
		{` { "c" : 2 , "b" : "x" , "a" : 1 } `, "1 x 2"},
		{`{"a":1}`, "1 NL "},
		{`{"c":3,"new":{"deep":["}"]},"a":1,"new":2}`, "1 NL 3"},
		{`{"a":1,"a":4}`, "4 NL "},
		{`{"b":"x"}`, `!column "a": the record lacks it, and it has no default`},
		{`{"a":null}`, `!column "a": null value in a column that is not null`},
		{`{"a":1`, "!invalid JSON: the text ends too early"},
		{`{"a":1}}`, "!invalid JSON at byte 7: expected end of input, but found '}'"},
		{`{"a" 1}`, "!invalid JSON at byte 5: expected a colon, but found '1'"},
		{`[]`, "!invalid JSON at byte 0: expected an object, but found '['"},
		{`{"new":"\`, "!invalid JSON: the text ends too early"},
		{`{"new":[[[`, "!invalid JSON: the text ends too early"},
		{`{"a":nil}`, `!column "a": invalid JSON: a word that is neither true, false nor null`},
	} {
		s.Reset([]byte(c.in))
		packed := row.Append(&s, nil)
		s.Finish()
		got := ""
		if err := s.Err(); err != nil {
			got = "!" + err.Error()
		} else {
			var cells []string
			for i, d := range repr.DecodeRow(nil, packed) {
				cells = append(cells, string(pgfmt.AppendText(nil, cols[i].Type, d, nil)))
			}
			got = strings.Join(cells, " ")
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
	if got := strings.Join(row.Extra(), ","); got != "new" {
		t.Errorf("fields that no column has: %s", got)
	}
	if got := row.Extra(); len(got) != 0 {
		t.Errorf("told again: %s", got)
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []string{`[`, `{"type":"struct","fields":[null]}`, `{"type":"struct","fields":[{"type":"array"}]}`,
		strings.Repeat(`{"type":"array","items":`, 100) + `{"type":"int32"}` + strings.Repeat(`}`, 100)} {
		if _, err := Parse([]byte(c)); err == nil {
			t.Errorf("%.40s: no error", c)
		}
	}
}

// FuzzRow throws any bytes at the decoder: it gives a row of its columns or an error.
func FuzzRow(f *testing.F) {
	cols := []Column{
		{Column: repr.Column{Name: "a", Type: repr.TypeOf(repr.KindInt8)}}, {Column: repr.Column{Name: "b", Type: repr.TypeOf(repr.KindText)}},
		{Column: repr.Column{Name: "c", Type: decimalType(9, 2)}}, {Column: repr.Column{Name: "d", Type: stampType(3)}},
		{Column: repr.Column{Name: "e", Type: repr.ArrayOf(repr.KindInt4)}}, {Column: repr.Column{Name: "f", Type: repr.TypeOf(repr.KindJSONB)}},
		{Column: repr.Column{Name: "g", Type: repr.TypeOf(repr.KindBytea)}},
	}
	f.Add([]byte(`{"a":1,"b":"x\n","c":"BNI=","d":1,"e":[1,null],"f":"{}","g":{"$binary":{"base64":""}}}`))
	f.Add([]byte(`{"a":{"$numberLong":"1"},"f":{"x":[{}]},"c":{"scale":0,"value":"AA=="}}`))
	row, err := NewRow(cols, nil, Modes{})
	if err != nil {
		f.Fatal(err)
	}
	var s Scanner
	f.Fuzz(func(t *testing.T, text []byte) {
		s.Reset(text)
		packed := row.Append(&s, nil)
		s.Finish()
		if s.Err() == nil && len(repr.DecodeRow(nil, packed)) != len(cols) {
			t.Fatalf("%q: not %d columns", text, len(cols))
		}
	})
}
