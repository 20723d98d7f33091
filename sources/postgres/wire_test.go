package postgres

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// tupleBytes writes a tuple as pgoutput does: "\\N" is NULL, "\\u" a value that did not change.
func tupleBytes(vals ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(vals)))
	for _, v := range vals {
		switch v {
		case `\N`:
			b = append(b, 'n')
		case `\u`:
			b = append(b, 'u')
		default:
			b = binary.BigEndian.AppendUint32(append(b, 't'), uint32(len(v)))
			b = append(b, v...)
		}
	}
	return b
}

func TestTuple(t *testing.T) {
	t.Parallel()
	whole := tupleBytes("1", `\N`, "", `\u`, "äö")
	m := &message{b: whole}
	got := m.tuple(nil)
	if m.bad || len(m.b) != 0 || len(got) != 5 {
		t.Fatalf("got %v, bad %v, %d bytes left", got, m.bad, len(m.b))
	}
	for i, want := range []string{"t:1", "n:", "t:", "u:", "t:äö"} {
		if s := string(got[i].kind) + ":" + string(got[i].text); s != want {
			t.Errorf("value %d: %q, want %q", i, s, want)
		}
	}
	for n := range len(whole) {
		m := &message{b: whole[:n]}
		if m.tuple(nil); !m.bad {
			t.Errorf("the first %d bytes of a tuple were taken for one", n)
		}
	}
}

func TestRelationMessage(t *testing.T) {
	t.Parallel()
	b := binary.BigEndian.AppendUint32(nil, 16384)
	b = append(b, "public\x00users\x00d\x00\x02\x01id\x00\x00\x00\x00\x17\xff\xff\xff\xff\x00name\x00\x00\x00\x00\x19\xff\xff\xff\xff"...)
	m := &message{b: b}
	r := m.relation()
	if m.bad || r.oid != 16384 || r.schema != "public" || r.name != "users" || r.identity != 'd' ||
		!slices.Equal(r.columns, []relationColumn{{"id", 23, -1}, {"name", 25, -1}}) {
		t.Errorf("got %+v, bad %v", r, m.bad)
	}
	for n := range len(b) {
		m := &message{b: b[:n]}
		if m.relation(); !m.bad {
			t.Errorf("the first %d bytes of a relation were taken for one", n)
		}
	}
}

// FuzzMessage holds that no bytes break what takes messages apart.
func FuzzMessage(f *testing.F) {
	f.Add(tupleBytes("1", `\N`, `\u`))
	f.Add([]byte("\x00\x00\x40\x00public\x00t\x00d\x00\x01\x01a\x00\x00\x00\x00\x17\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		(&message{b: b}).tuple(nil)
		(&message{b: b}).relation()
		(&message{b: b}).truncated()
		(&message{b: b}).commit()
		vals, _ := splitLine(nil, nil, b)
		for _, v := range vals {
			if int64(len(v.text)) > int64(len(b)) {
				t.Errorf("a value of %d bytes in a line of %d", len(v.text), len(b))
			}
		}
	})
}

func TestSplitLine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"1\tx":               "t1 tx",
		`\N` + "\t" + `\\N`:  `n t\N`,
		"":                   "t",
		"\t":                 "t t",
		`a\tb\nc\\d` + "\tz": "ta\tb\nc\\d tz",
		`x\.y`:               "tx.y",
	} {
		vals, _ := splitLine(nil, nil, []byte(line))
		var got []string
		for _, v := range vals {
			got = append(got, string(v.kind)+string(v.text))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: got %q, want %q", line, s, want)
		}
	}
}

// TestValues holds that the short ways give what the long way does.
func TestValues(t *testing.T) {
	t.Parallel()
	cases := map[repr.Kind][]string{
		repr.KindInt2:        {"0", "-1", "32767"},
		repr.KindInt4:        {"2147483647", "-2147483648"},
		repr.KindInt8:        {"9223372036854775807", "-9223372036854775808", "42"},
		repr.KindBool:        {"t", "f"},
		repr.KindText:        {"", "ä", "a b"},
		repr.KindNumeric:     {"1.10", "-0.00001", "NaN"},
		repr.KindTimestamp:   {"2000-01-01 00:00:00", "1999-12-31 23:59:59.999999", "2024-02-29 12:00:00.5", "0001-01-01 00:00:00", "infinity", "0044-03-15 10:00:00 BC", "12024-01-01 00:00:00", "1900-03-01 00:00:00"},
		repr.KindTimestampTZ: {"2000-01-01 00:00:00+00", "2024-12-31 23:59:59.000001+00", "-infinity"},
		repr.KindDate:        {"2024-02-29", "infinity"},
		repr.KindUUID:        {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		repr.KindJSONB:       {`{"a": [1, 2.50]}`},
		repr.KindBytea:       {`\x00ff`},
		repr.KindFloat8:      {"1e+300", "-0", "NaN"},
		repr.KindInterval:    {"1 year 2 mons -3 days 04:05:06.7"},
	}
	for kind, texts := range cases {
		for _, text := range texts {
			typ := repr.TypeOf(kind)
			got, err := appendValue(nil, typ, []byte(text))
			want, e := pgfmt.ParseText(typ, text, nil)
			if err != nil || e != nil {
				t.Fatalf("%s %q: %v, %v", typ, text, err, e)
			}
			if string(got) != string(repr.Append(nil, want)) {
				t.Errorf("%s %q: %x, want %x", typ, text, got, repr.Append(nil, want))
			}
		}
	}
	for kind, text := range map[repr.Kind]string{repr.KindInt2: "32768", repr.KindInt4: "2147483648", repr.KindText: "\xff", repr.KindTimestamp: "2024-13-01 00:00:00"} {
		if got, err := appendValue(nil, repr.TypeOf(kind), []byte(text)); err == nil {
			t.Errorf("%q was taken for a value of kind %d: %x", text, kind, got)
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	a, err := ParseAddress(`host=db port = 5433 user='my user' password='it\'s \\' dbname=shop sslmode=require`)
	want := Address{Host: "db", Port: 5433, User: "my user", Password: `it's \`, Database: "shop", SSLMode: "require"}
	if err != nil || a != want {
		t.Errorf("got %+v, %v", a, err)
	}
	if a.String() != "db:5433/shop" {
		t.Errorf("it is shown as %s", a)
	}
	for _, bad := range []string{"", "user=x", "host=x options=y", "host=x sslmode=maybe", "host"} {
		if _, err := ParseAddress(bad); err == nil {
			t.Errorf("%q was taken for an address", bad)
		}
	}
}
