package protobuf

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

const shop = `syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
enum Kind { UNKNOWN = 0; VIP = 1; }
message Order {
  int32 id = 1; sint64 delta = 2; uint32 small = 3; uint64 big = 4; fixed64 fixed = 5; sfixed32 sfixed = 6;
  float f = 7; double d = 8; bool ok = 9; string name = 10; bytes raw = 11; Kind kind = 12;
  repeated int32 list = 13; repeated string words = 14;
  optional int32 maybe = 15; oneof either { string left = 16; int64 right = 17; }
  google.protobuf.Timestamp at = 18; google.protobuf.Duration took = 19; google.protobuf.StringValue note = 20;
  Item item = 21; repeated Item items = 22; map<string, int64> stock = 70;
  message Item { string sku = 1; int64 n = 2; Item inside = 3; }
}`

func orders(t testing.TB) *Schema {
	t.Helper()
	s, err := Compile(context.Background(), shop, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decoder(t testing.TB) (*Decoder, repr.RowDesc) {
	t.Helper()
	m, err := orders(t).Message("Order")
	if err != nil {
		t.Fatal(err)
	}
	cols, err := Columns(m)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(m, cols)
	if err != nil {
		t.Fatal(err)
	}
	return d, cols
}

func shown(cols repr.RowDesc, row []byte) string {
	var cells []string
	for i, d := range repr.DecodeRow(nil, row) {
		if d.IsNull() {
			cells = append(cells, cols[i].Name+"=NULL")
			continue
		}
		cells = append(cells, cols[i].Name+"="+string(pgfmt.AppendText(nil, cols[i].Type, d, nil)))
	}
	return strings.Join(cells, " ")
}

func message(t testing.TB, json string) []byte {
	t.Helper()
	m, err := orders(t).Message("shop.Order")
	if err != nil {
		t.Fatal(err)
	}
	msg := dynamicpb.NewMessage(m)
	if err := protojson.Unmarshal([]byte(json), msg); err != nil {
		t.Fatal(err)
	}
	b, err := proto.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestColumns(t *testing.T) {
	t.Parallel()
	_, cols := decoder(t)
	var got []string
	for _, c := range cols {
		text := c.Name + " " + c.Type.String()
		if c.NotNull {
			text += "!"
		}
		got = append(got, text)
	}
	const want = "id integer!, delta bigint!, small bigint!, big numeric!, fixed numeric!, sfixed integer!, f real!, d double precision!, ok boolean!, " +
		"name text!, raw bytea!, kind text!, list integer[]!, words text[]!, maybe integer, left text, right bigint, " +
		"at timestamp with time zone, took interval, note text, item jsonb, items jsonb!, stock jsonb!"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got %s", s)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	d, cols := decoder(t)
	for in, want := range map[string]string{
		`{}`: `id=0 delta=0 small=0 big=0 fixed=0 sfixed=0 f=0 d=0 ok=f name= raw=\x kind=UNKNOWN list={} words={} maybe=NULL left=NULL right=NULL ` +
			`at=NULL took=NULL note=NULL item=NULL items=[] stock={}`,
		`{"id":-1,"delta":"-3","small":4000000000,"big":"18446744073709551615","fixed":"7","sfixed":-8,"f":1.5,"d":-0.25,"ok":true,"name":"é","raw":"AQI=",
		  "kind":"VIP","list":[1,-2,3],"words":["a","b"],"maybe":0,"right":"9","at":"2021-04-26T18:17:39.5Z","took":"-1.5s","note":"",
		  "item":{"sku":"x","inside":{"n":"4"}},"items":[{"sku":"y"},{}],"stock":{"b":"1","a":"2"}}`: `id=-1 delta=-3 small=4000000000 big=18446744073709551615 fixed=7 sfixed=-8 f=1.5 d=-0.25 ok=t name=é raw=\x0102 ` +
			`kind=VIP list={1,-2,3} words={a,b} maybe=0 left=NULL right=9 at=2021-04-26 18:17:39.5+00 took=-00:00:01.5 note= ` +
			`item={"n": "0", "sku": "x", "inside": {"n": "4", "sku": ""}} items=[{"n": "0", "sku": "y"}, {"n": "0", "sku": ""}] stock={"a": "2", "b": "1"}`,
	} {
		row, err := d.Append([]byte("x"), message(t, in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := shown(cols, row[1:]); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", in, got, want)
		}
	}
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	d, _ := decoder(t)
	for in, want := range map[string]string{
		"\x08":             "invalid Protobuf message: unexpected EOF",
		"\x0a\x01a":        `invalid Protobuf message: field "id": the schema has int32, the message has wire type 2`,
		"\x52\x01\xff":     `invalid Protobuf message: field "name": invalid byte sequence for encoding "UTF8": 0xff`,
		"\x52\x01\x00":     `invalid Protobuf message: field "name": invalid byte sequence for encoding "UTF8": 0x00`,
		"\xaa\x01\x02\x0a": "invalid Protobuf message: unexpected EOF",
		"\x92\x01\x0a\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f": `invalid Protobuf message: field "at": timestamp with time zone out of range: 9223372036854775807 seconds`,
	} {
		row, err := d.Append([]byte("x"), []byte(in))
		var e *repr.Error
		if !errors.As(err, &e) || e.Message != want || string(row) != "x" {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

// TestEvolution: columns are matched to the fields of another version of the schema by name.
func TestEvolution(t *testing.T) {
	t.Parallel()
	s, err := Compile(context.Background(), `syntax = "proto2"; message Order { optional string name = 1 [default = "none"]; required int32 id = 2; optional int32 more = 9; }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Message("")
	if err != nil {
		t.Fatal(err)
	}
	text, whole := repr.TypeOf(repr.KindText), repr.TypeOf(repr.KindInt4)
	d, err := NewDecoder(m, repr.RowDesc{{Name: "gone", Type: text}, {Name: "id", Type: whole}, {Name: "name", Type: text}})
	if err != nil {
		t.Fatal(err)
	}
	row, err := d.Append(nil, []byte("\x10\x05\x48\x01"))
	if err != nil {
		t.Fatal(err)
	}
	if got := repr.DecodeRow(nil, row); !got[0].IsNull() || got[1].Int() != 5 || got[2].Str() != "none" {
		t.Errorf("got %v", got)
	}
	_, err = NewDecoder(m, repr.RowDesc{{Name: "name", Type: whole}})
	if err == nil || err.Error() != `field "name": the message's schema has text where the column is integer` {
		t.Errorf("got %v", err)
	}
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	s := orders(t)
	if m, err := s.At([]int{0, 1}); err != nil || m.FullName() != "shop.Order.Item" {
		t.Errorf("got %v, %v", m, err)
	}
	if _, err := s.At([]int{3}); err == nil {
		t.Error("there is a fourth message")
	}
	_, err := s.Message("Nobody")
	var e *repr.Error
	if !errors.As(err, &e) || e.Code != "42704" || !strings.Contains(e.Hint, "shop.Order, shop.Order.Item") {
		t.Errorf("got %+v", e)
	}
	if _, err := Compile(context.Background(), "syntax = ", nil); err == nil || !strings.Contains(err.Error(), "invalid Protobuf schema: schema.proto:1") {
		t.Errorf("got %v", err)
	}
	imported, err := Compile(context.Background(), `syntax = "proto3"; import "a/b.proto"; message M { b.N n = 1; }`, map[string]string{"a/b.proto": `syntax = "proto3"; package b; message N { int32 x = 1; }`})
	if err != nil {
		t.Fatal(err)
	}
	m, err := imported.Message("M")
	if err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, f := range []string{"a/b.proto"} {
		imports := m.ParentFile().Imports()
		for i := range imports.Len() {
			if imports.Get(i).Path() == f {
				set.File = append(set.File, protodesc.ToFileDescriptorProto(imports.Get(i).FileDescriptor))
			}
		}
	}
	set.File = append(set.File, protodesc.ToFileDescriptorProto(m.ParentFile()))
	b, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	again, err := FromDescriptors(b)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := again.Message(""); err != nil || m.FullName() != "M" {
		t.Errorf("got %v, %v", m, err)
	}
	if _, err := FromDescriptors([]byte("\x0a\x05x")); err == nil {
		t.Error("damaged descriptors are taken")
	}
}

func TestUnframe(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]int{"\x00abc": {0}, "\x02\x02abc": {1}, "\x04\x00\x06abc": {0, 3}} {
		path, rest, err := Unframe([]byte(in))
		if err != nil || !slices.Equal(path, want) || string(rest) != "abc" {
			t.Errorf("%q: %v %q %v", in, path, rest, err)
		}
	}
	for _, in := range []string{"", "\x01", "\x04\x00", "\x80"} {
		if _, _, err := Unframe([]byte(in)); err == nil {
			t.Errorf("%q is taken", in)
		}
	}
}

// FuzzDecode: no message panics, and what decodes is a row of the columns.
func FuzzDecode(f *testing.F) {
	f.Add(message(f, `{"id":1,"name":"x","list":[1,2],"item":{"sku":"y"},"stock":{"a":1},"at":"2021-04-26T18:17:39Z"}`))
	f.Add([]byte("\x08"))
	f.Add([]byte("\xaa0\x03000\xb2\x04\x05\n\x010\b0")) // a key of a map, and one of another type
	d, cols := decoder(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		row, err := d.Append(nil, in)
		if err == nil && len(repr.DecodeRow(nil, row)) != len(cols) {
			t.Fatalf("%q: a row of another shape", in)
		}
	})
}

// BenchmarkDecode decodes an order without what nests, and with it.
func BenchmarkDecode(b *testing.B) {
	flat := message(b, `{"id":7,"delta":"3","name":"a name of some length","ok":true,"d":12.5,"kind":"VIP","at":"2021-04-26T18:17:39Z"}`)
	m, err := orders(b).Message("Order")
	if err != nil {
		b.Fatal(err)
	}
	cols, err := Columns(m)
	if err != nil {
		b.Fatal(err)
	}
	for name, cols := range map[string]repr.RowDesc{"flat": cols[:20], "nested": cols} {
		b.Run(name, func(b *testing.B) {
			d, err := NewDecoder(m, cols)
			if err != nil {
				b.Fatal(err)
			}
			var row []byte
			for b.Loop() {
				if row, err = d.Append(row[:0], flat); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
