package csv

import (
	"errors"
	"strings"
	"testing"

	"millrace/repr"
	"millrace/repr/format"
	"millrace/repr/pgfmt"
)

var _ format.Decoder = (*Decoder)(nil)

var cols = repr.RowDesc{{Name: "a", Type: repr.TypeOf(repr.KindInt4), NotNull: true}, {Name: "b", Type: repr.TypeOf(repr.KindText)}}

func shown(cols repr.RowDesc, row []byte) string {
	var cells []string
	for i, d := range repr.DecodeRow(nil, row) {
		if d.IsNull() {
			cells = append(cells, "NULL")
			continue
		}
		cells = append(cells, string(pgfmt.AppendText(nil, cols[i].Type, d, nil)))
	}
	return strings.Join(cells, "|")
}

func TestDecoder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		opts Options
		want string // the error when it starts with !
	}{
		{in: "1,x", want: "1|x"},
		{in: "1,x\r\n", want: "1|x"},
		{in: "1,", want: "1|NULL"},
		{in: `1,""`, want: "1|"},
		{in: `1,"a ""b"", c` + "\nd\"", want: "1|a \"b\", c\nd"},
		{in: `1,a"b"c`, want: "1|abc"},
		{in: "1;x,y", opts: Options{Delimiter: ';'}, want: "1|x,y"},
		{in: "a,b", opts: Options{Header: true}, want: "!no row"},
		{in: "a,b", want: `!22P02 column "a": invalid input syntax for type integer: "a"`},
		{in: "", want: "!22P04 the message has 1 fields, not 2"},
		{in: "1,2,3", want: "!22P04 the message has 3 fields, not 2"},
		{in: "1,\"x", want: "!22P04 unterminated CSV quoted field"},
		{in: "1,x\n2,y", want: "!22P04 the message has more than one line"},
		{in: ",x", want: `!23502 column "a": null value in a column that is not null`},
		{in: "1,\xff", want: `!22021 invalid byte sequence for encoding "UTF8": 0xff`},
		{in: "1,a\x00", want: `!22021 invalid byte sequence for encoding "UTF8": 0x00`},
	} {
		row, err := NewDecoder(cols, tc.opts).Append([]byte("x"), []byte(tc.in))
		got := ""
		var e *repr.Error
		switch {
		case errors.Is(err, format.ErrNoRow):
			got = "!no row"
		case errors.As(err, &e):
			got = "!" + e.Code + " " + e.Message
		default:
			got = shown(cols, row[1:])
		}
		if got != tc.want || err != nil && string(row) != "x" {
			t.Errorf("%q: got %s, want %s", tc.in, got, tc.want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	got, err := Names([]byte("id,\"full name\"\n"), Options{})
	if err != nil || strings.Join(got, "|") != "id|full name" {
		t.Errorf("got %q, %v", got, err)
	}
}

// FuzzDecoder: no message panics, and what decodes is a row of the columns.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte(`1,"a""b"`))
	f.Add([]byte("1,\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		row, err := NewDecoder(cols, Options{Header: true}).Append(nil, in)
		if err == nil && len(repr.DecodeRow(nil, row)) != len(cols) {
			t.Fatalf("%q: a row of another shape", in)
		}
	})
}
