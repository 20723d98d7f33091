package json

import (
	"strings"
	"testing"

	"millrace/repr"
	"millrace/repr/format"
	"millrace/repr/pgfmt"
)

var _ format.Decoder = (*Columns)(nil)

var shopCols = repr.RowDesc{
	{Name: "id", Type: repr.TypeOf(repr.KindInt8), NotNull: true},
	{Name: "name", Type: repr.TypeOf(repr.KindText)},
	{Name: "isVip", Type: repr.TypeOf(repr.KindBool)},
	{Name: "price", Type: repr.TypeOf(repr.KindNumeric)},
	{Name: "lat", Type: repr.TypeOf(repr.KindFloat8)},
	{Name: "at", Type: repr.TypeOf(repr.KindTimestampTZ)},
	{Name: "tags", Type: repr.ArrayOf(repr.KindText)},
	{Name: "rest", Type: repr.TypeOf(repr.KindJSONB)},
}

// TestColumns: as PostgreSQL's jsonb_to_record has it, NOT NULL aside.
func TestColumns(t *testing.T) {
	t.Parallel()
	const nulls = "|NULL|NULL|NULL|NULL|NULL|NULL|NULL"
	for _, tc := range []struct{ in, want string }{
		{`{"id":1}`, "1" + nulls},
		{`{"id":-9223372036854775808}`, "-9223372036854775808" + nulls},
		{`{"id":"12"}`, "12" + nulls},
		{`{"id":1e3}`, "1000" + nulls},
		{`{"id":1.5}`, `!22P02 field "id": invalid input syntax for type bigint: "1.5"`},
		{`{"id":9223372036854775808}`, `!22003 field "id": value "9223372036854775808" is out of range for type bigint`},
		{`{"id":true}`, `!22P02 field "id": invalid input syntax for type bigint: "true"`},
		{`{"id":1,"id":2}`, "2" + nulls},
		{`{"\u0069d":3}`, "3" + nulls},
		{`{"id":null}`, `!23502 field "id": null value in a column that is not null`},
		{`{}`, `!23502 field "id": null value in a column that is not null`},
		{`{"name":"x","id":1,"price":1.50,"isVip":true,"lat":"1.25","at":"2025-01-18T12:34:56Z","tags":["a",1,null],"rest":{"b":1,"a":[2]},"more":0}`,
			`1|x|t|1.50|1.25|2025-01-18 12:34:56+00|{a,1,NULL}|{"a": [2], "b": 1}`},
		{`{"id":1,"name":"a\tb\u00e9"}`, "1|a\tbé|NULL|NULL|NULL|NULL|NULL|NULL"},
		{`{"id":1,"name":17}`, "1|17|NULL|NULL|NULL|NULL|NULL|NULL"},
		{`{"id":1,"name":{"b":1,"a":2}}`, `1|{"a": 2, "b": 1}|NULL|NULL|NULL|NULL|NULL|NULL`},
		{`{"id":1,"name":"\u0000"}`, `!22P05 field "name": unsupported Unicode escape sequence`},
		{`{"id":1,"tags":"a"}`, `!22P02 field "tags": expected JSON array`},
		{`{"id":1,"tags":[["a"]]}`, `!0A000 field "tags": an array of more than one dimension is not supported`},
		{`{"id":1,"at":"soon"}`, `!22007 field "at": invalid input syntax for type timestamp with time zone: "soon"`},
		{`[1]`, "!22P02 the message is no JSON object"},
		{`{"id":1`, "!22P02 invalid input syntax for type json"},
	} {
		row, err := NewColumns(shopCols).Append([]byte("x"), []byte(tc.in))
		if err != nil {
			e := err.(*repr.Error)
			if "!"+e.Code+" "+e.Message != tc.want || string(row) != "x" {
				t.Errorf("%s: got %s %s, want %s", tc.in, e.Code, e.Message, tc.want)
			}
			continue
		}
		var cells []string
		for i, d := range repr.DecodeRow(nil, row[1:]) {
			if d.IsNull() {
				cells = append(cells, "NULL")
				continue
			}
			cells = append(cells, string(pgfmt.AppendText(nil, shopCols[i].Type, d, nil)))
		}
		if got := strings.Join(cells, "|"); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.in, got, tc.want)
		}
	}
}

// FuzzColumns: no message panics, and what decodes is a row of the columns.
func FuzzColumns(f *testing.F) {
	f.Add([]byte(`{"id":1,"tags":["a"],"rest":{"a":"\u00e9"},"at":"2025-01-18T12:34:56Z"}`))
	f.Add([]byte(`{"id":1e400,"lat":"x"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		row, err := NewColumns(shopCols).Append(nil, in)
		if err == nil && len(repr.DecodeRow(nil, row)) != len(shopCols) {
			t.Fatalf("%q: a row of another shape", in)
		}
	})
}

// BenchmarkColumns decodes a click of 300 bytes to eight columns.
func BenchmarkColumns(b *testing.B) {
	message := []byte(`{"recordType":"click","sid":14333040,"timestamp":1673512817.517501,"url":"https://news.example/world/2023/01/12/a-long-title-of-a-page",` +
		`"useragent":"Mozilla/5.0 (X11; Linux x86_64)","statesVisited":["TX","CA"],"isSubscriber":0,"latitude":"52.52","longitude":"13.40","country_code":"DE","timezone":"Europe/Berlin"}`)
	text := repr.TypeOf(repr.KindText)
	d := NewColumns(repr.RowDesc{{Name: "recordType", Type: text}, {Name: "sid", Type: repr.TypeOf(repr.KindInt8)},
		{Name: "timestamp", Type: repr.TypeOf(repr.KindFloat8)}, {Name: "url", Type: text}, {Name: "isSubscriber", Type: repr.TypeOf(repr.KindInt4)},
		{Name: "latitude", Type: repr.TypeOf(repr.KindFloat8)}, {Name: "longitude", Type: repr.TypeOf(repr.KindFloat8)}, {Name: "country_code", Type: text}})
	var row []byte
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		var err error
		if row, err = d.Append(row[:0], message); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkData decodes the same to one column of jsonb.
func BenchmarkData(b *testing.B) {
	message := []byte(`{"recordType":"click","sid":14333040,"timestamp":1673512817.517501,"url":"https://news.example/world/2023/01/12/a-long-title-of-a-page",` +
		`"useragent":"Mozilla/5.0 (X11; Linux x86_64)","statesVisited":["TX","CA"],"isSubscriber":0,"latitude":"52.52","longitude":"13.40","country_code":"DE","timezone":"Europe/Berlin"}`)
	d := &Decoder{}
	var row []byte
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		var err error
		if row, err = d.Append(row[:0], message); err != nil {
			b.Fatal(err)
		}
	}
}

// TestForgive: a member that is not of its type is NULL when that is asked for, and what was wrong is told once.
func TestForgive(t *testing.T) {
	t.Parallel()
	c := NewColumns(repr.RowDesc{{Name: "a", Type: repr.TypeOf(repr.KindInt4)}, {Name: "b", Type: repr.TypeOf(repr.KindInt4), NotNull: true}})
	const bad = `{"a": "x", "b": 1}`
	if _, err := c.Append(nil, []byte(bad)); err == nil || c.Forgiven() != nil {
		t.Fatalf("it is forgiven without being asked for: %v", err)
	}
	c.Forgive(true)
	row, err := c.Append(nil, []byte(bad))
	if err != nil {
		t.Fatal(err)
	}
	if d := repr.DecodeRow(nil, row); !d[0].IsNull() || d[1].Int() != 1 {
		t.Errorf("the row is %v", d)
	}
	if e := c.Forgiven(); e == nil || e.Message != `field "a": invalid input syntax for type integer: "x"` {
		t.Errorf("what was wrong is told as %v", e)
	}
	if e := c.Forgiven(); e != nil {
		t.Errorf("it is told again: %v", e)
	}
	if _, err := c.Append(nil, []byte(`{"a": "x", "b": "y"}`)); err == nil || c.Forgiven() != nil {
		t.Errorf("a field that must not be NULL is forgiven: %v", err)
	}
}
