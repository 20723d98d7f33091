package json

import (
	"strings"
	"testing"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// TestRest: what no column has is kept as an object in normal form; members that became columns must fit.
func TestRest(t *testing.T) {
	t.Parallel()
	c := NewColumns(shopCols[:2])
	c.KeepRest([]string{"key"})
	c.Add(repr.RowDesc{{Name: "size", Type: repr.TypeOf(repr.KindInt4)}})
	for _, tc := range []struct{ in, want, extra string }{
		{`{"id":1,"name":"x"}`, "NULL", ""},
		{`{"id":1,"key":2}`, "NULL", ""},
		{`{"zz":[1, 2],"id":1,"b":{"y":1,"a":2}}`, `{"b": {"a": 2, "y": 1}, "zz": [1, 2]}`, "zz b"},
		{`{"b":1,"id":1,"b":2,"\u0062":3,"c":null}`, `{"b": 3, "c": null}`, "c"},
		{`{"id":1,"size":"12"}`, `{"size": "12"}`, ""},
		{`{"id":1,"size":null,"d":1}`, `{"d": 1, "size": null}`, "d"},
		{`{"id":1,"size":1.5}`, `!22P02 field "size": invalid input syntax for type integer: "1.5"`, ""},
		{`{"id":1,"e":"\ud800"}`, `!22P02 invalid input syntax for type json`, "e"},
		{`{"id":1,"":2}`, `{"": 2}`, ""},
	} {
		_, err := c.Append(nil, []byte(tc.in))
		got := ""
		if err != nil {
			e := err.(*repr.Error)
			got = "!" + e.Code + " " + e.Message
		} else if d, _ := repr.Decode(c.AppendRest(nil)); d.IsNull() {
			got = "NULL"
		} else {
			got = string(pgfmt.AppendText(nil, repr.TypeOf(repr.KindJSONB), d, nil))
		}
		if extra := strings.Join(c.Extra(), " "); got != tc.want || extra != tc.extra {
			t.Errorf("%s: got %s, extra %q", tc.in, got, extra)
		}
	}
}
