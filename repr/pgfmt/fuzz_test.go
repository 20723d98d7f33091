package pgfmt

import (
	"bytes"
	"testing"
	"time"

	"millrace/repr"
)

// fuzzTypes are all types that a user can write a value of.
func fuzzTypes() []repr.Type {
	var out []repr.Type
	for k := repr.KindBool; k < repr.KindArray; k++ {
		out = append(out, repr.TypeOf(k))
		if repr.Kinds[k].ArrayOID != 0 {
			out = append(out, repr.ArrayOf(k))
		}
	}
	return out
}

// FuzzRoundTrip reads a text, or bytes in binary form, as a value of each type in turn: what is a value must come back from
// its text, its binary form and its packed form, and print the same.
func FuzzRoundTrip(f *testing.F) {
	for i, s := range []string{
		"t", "-32768", "2147483647", "1e300", "NaN", "1.10", "-0", "hello", "\\xdeadbeef", `{"b":1,"a":[null]}`, "2021-04-26",
		"04:05:06.789", "2021-04-26T18:17:39.5Z", "infinity", "1 year -2 mons 3 days 04:05:06", "P1Y2DT3H", "0044-03-15 BC",
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", `{a,"b c",NULL}`, "{1,2}", "integer", "Jan 8 1999", "\x00\x01\x00\x00\x00\x00\x00\x02",
	} {
		f.Add(uint8(i), s)
	}
	types := fuzzTypes()
	styles := []*Options{
		{}, {TimeZone: time.FixedZone("", -12600), DateOrder: OrderDMY, IntervalStyle: IntervalISO8601},
		{IntervalStyle: IntervalVerbose, ByteaEscape: true}, {DateOrder: OrderYMD},
	}
	f.Fuzz(func(t *testing.T, pick uint8, s string) {
		typ, opt := types[int(pick)%len(types)], styles[int(pick)/len(types)%len(styles)]
		if CheckText([]byte(s)) == nil {
			if d, err := ParseText(typ, s, opt); err == nil {
				checkRoundTrip(t, typ, d, opt)
			}
		}
		if d, err := ParseBinary(typ, []byte(s)); err == nil {
			checkRoundTrip(t, typ, d, opt)
		}
	})
}

func checkRoundTrip(t *testing.T, typ repr.Type, d repr.Datum, opt *Options) {
	t.Helper()
	if d.IsNull() {
		t.Fatalf("%s: a text became NULL", typ)
	}
	text := AppendText(nil, typ, d, opt)
	back, err := ParseText(typ, string(text), opt)
	if err != nil || repr.Compare(d, back) != 0 {
		t.Fatalf("%s: %q does not read back: %v", typ, text, err)
	}
	bin := AppendBinary(nil, typ, d)
	back, err = ParseBinary(typ, bin)
	if err != nil || !bytes.Equal(AppendText(nil, typ, back, opt), text) {
		t.Fatalf("%s: %q does not come back from %x: %v", typ, text, bin, err)
	}
	packed, rest := repr.Decode(repr.Append(nil, d))
	if len(rest) != 0 || !bytes.Equal(AppendText(nil, typ, packed, opt), text) {
		t.Fatalf("%s: %q does not come back from its packed form", typ, text)
	}
}

func BenchmarkAppendText(b *testing.B) {
	for _, c := range []struct {
		typ  repr.Type
		text string
	}{
		{repr.TypeOf(repr.KindInt8), "1234567"}, {repr.TypeOf(repr.KindNumeric), "1234567.89"},
		{repr.TypeOf(repr.KindTimestampTZ), "2021-04-26 18:17:39.123+00"}, {repr.TypeOf(repr.KindFloat8), "0.1"},
	} {
		d, err := ParseText(c.typ, c.text, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(repr.Kinds[c.typ.Kind].Name, func(b *testing.B) {
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendText(dst[:0], c.typ, d, nil)
			}
		})
	}
}

func BenchmarkParseText(b *testing.B) {
	for _, c := range []struct {
		typ  repr.Type
		text string
	}{
		{repr.TypeOf(repr.KindInt8), "1234567"}, {repr.TypeOf(repr.KindNumeric), "1234567.89"},
		{repr.TypeOf(repr.KindTimestampTZ), "2021-04-26T18:17:39.123Z"}, {repr.TypeOf(repr.KindDate), "2021-04-26"},
	} {
		b.Run(repr.Kinds[c.typ.Kind].Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseText(c.typ, c.text, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
