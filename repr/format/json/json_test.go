package json

import (
	stdjson "encoding/json"
	"math"
	"strings"
	"testing"

	"millrace/repr"
	"millrace/repr/format"
)

var _ format.Decoder = (*Decoder)(nil)
var _ format.Encoder = (*Encoder)(nil)

func TestDecode(t *testing.T) {
	t.Parallel()
	d := &Decoder{}
	for _, c := range []struct{ in, want string }{
		{`{"b":1.50, "a":[1,2,{"x":null}], "b":2}`, `{"a": [1, 2, {"x": null}], "b": 2}`},
		{` "x" `, `"x"`},
		{`{"a":`, "!22P02"},
		{``, "!22P02"},
		{"{\"a\":\"\xff\"}", "!22021"},
		{`"\u0000"`, "!22P05"},
		{strings.Repeat("[", 100000), "!54001"},
	} {
		row, err := d.Append(nil, []byte(c.in))
		if err != nil {
			if e, ok := err.(*repr.Error); !ok || "!"+e.Code != c.want {
				t.Errorf("%.20s: %v", c.in, err)
			}
			continue
		}
		if v, _ := repr.Decode(row); v.Kind() != repr.KindJSONB || v.Str() != c.want {
			t.Errorf("%s: got %s, want %s", c.in, v.Str(), c.want)
		}
	}
}

// The answers are those of PostgreSQL's to_json.
func TestValues(t *testing.T) {
	t.Parallel()
	stamp := func(micros int64) repr.Datum { return repr.Timestamp(micros) }
	const y2021 = 672776259000000 // 2021-04-26 18:17:39
	for _, c := range []struct {
		d    repr.Datum
		want string
	}{
		{repr.Null, `null`},
		{repr.Bool(true), `true`},
		{repr.Int8(math.MinInt64), `-9223372036854775808`},
		{repr.Float8(1.5), `1.5`},
		{repr.Float8(1e20), `1e+20`},
		{repr.Float8(math.NaN()), `"NaN"`},
		{repr.Float8(math.Inf(-1)), `"-Infinity"`},
		{repr.Numeric(-1050, 2), `-10.50`},
		{repr.NumericNaN, `"NaN"`},
		{repr.Text("a\"b\n"), `"a\"b\n"`},
		{repr.Bytea([]byte{0, 255}), `"\\x00ff"`},
		{repr.JSONB([]byte(`{"a": 1}`)), `{"a": 1}`},
		{stamp(y2021), `"2021-04-26T18:17:39"`},
		{stamp(repr.PosInfinity64), `"infinity"`},
		{repr.TimestampTZ(y2021 + 500000), `"2021-04-26T18:17:39.5+00:00"`},
		{repr.TimestampTZ(repr.NegInfinity64), `"-infinity"`},
		{repr.Date(0), `"2000-01-01"`},
		{repr.Interval(14, 3, 4000000), `"1 year 2 mons 3 days 00:00:04"`},
		{repr.UUID([16]byte{15: 1}), `"00000000-0000-0000-0000-000000000001"`},
	} {
		got := AppendValue(nil, repr.TypeOf(c.d.Kind()), c.d)
		if string(got) != c.want || !stdjson.Valid(got) {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	list := repr.Array([]repr.Datum{repr.Int4(1), repr.Null})
	if got := AppendValue(nil, repr.ArrayOf(repr.KindInt4), list); string(got) != `[1,null]` {
		t.Errorf("got %s", got)
	}
}

func TestEncodeRow(t *testing.T) {
	t.Parallel()
	e := NewEncoder(repr.RowDesc{{Name: `a"`, Type: repr.TypeOf(repr.KindInt4)}, {Name: "b", Type: repr.TypeOf(repr.KindText)}})
	got, err := e.Append(nil, repr.AppendRow(nil, []repr.Datum{repr.Int4(1), repr.Null}))
	if err != nil || string(got) != `{"a\"":1,"b":null}` {
		t.Errorf("got %s, %v", got, err)
	}
}
