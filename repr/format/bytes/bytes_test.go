package bytes

import (
	"strings"
	"testing"

	"millrace/repr"
	"millrace/repr/format"
)

func TestTakesMessagesAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dec  format.Decoder
		in   string
		want string // the error when it starts with !
	}{
		{Bytes{}, "", ""},
		{Bytes{}, "\x00\xff", "\x00\xff"},
		{Text{}, "", ""},
		{Text{}, "héllo 😀", "héllo 😀"},
		{Text{}, "a\x00", `!invalid byte sequence for encoding "UTF8": 0x00`},
		{Text{}, "a\xffb", `!invalid byte sequence for encoding "UTF8": 0xff`},
		{Text{}, "\xed\xa0\x80", `!invalid byte sequence for encoding "UTF8": 0xed 0xa0 0x80`},
	} {
		row, err := c.dec.Append([]byte("x"), []byte(c.in))
		if err != nil {
			if "!"+err.Error() != c.want || string(row) != "x" {
				t.Errorf("%T %q: %v", c.dec, c.in, err)
			}
			continue
		}
		got := repr.DecodeRow(nil, row[1:])
		if strings.HasPrefix(c.want, "!") || len(got) != 1 || string(got[0].Bytes()) != c.want || got[0].Kind() != c.dec.Columns()[0].Type.Kind {
			t.Errorf("%T %q: got %v", c.dec, c.in, got)
		}
	}
}
