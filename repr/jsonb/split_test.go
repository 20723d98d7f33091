package jsonb

import (
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{`{}`, ""},
		{` { "a" : 1 , "b":"x,y}" } `, `"a"=1 "b"="x,y}"`},
		{`{"a\u0062":[1, {"c": 2}],"a":null}`, `"a\u0062"=[1, {"c": 2}] "a"=null`},
		{`[1]`, "no object"},
		{`"x"`, "no object"},
		{`{"a":1`, `!The input string ended unexpectedly.`},
		{`{"a":1,}`, `!Expected string, but found "}".`},
		{`{"a" 1}`, `!Expected ":", but found "1".`},
		{`{"a":1} x`, `!Token "x" is invalid.`},
		{`{"a":01}`, `!Token "01" is invalid.`},
		{``, `!The input string ended unexpectedly.`},
		{`{1:2}`, `!Expected string or "}", but found "1".`},
	} {
		parts, isObject, err := Split(nil, []byte(tc.in))
		var got []string
		for _, p := range parts {
			got = append(got, string(p.Key)+"="+string(p.Value))
		}
		text := strings.Join(got, " ")
		switch {
		case err != nil:
			text = "!" + err.(*Error).Detail
		case !isObject:
			text = "no object"
		}
		if text != tc.want {
			t.Errorf("%s: got %s, want %s", tc.in, text, tc.want)
		}
	}
}

// FuzzSplit holds Split to Normalize: what one takes for JSON the other does, and the parts are the members.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[{"c":"d"}],"a":2}`, `[]`, `{"\u0061":"\n"}`, `{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		parts, isObject, err := Split(nil, in)
		if valid := Valid(in); (valid == nil) != (err == nil) {
			t.Fatalf("%q: Split says %v, Valid %v", in, err, valid)
		}
		normal, bad := Normalize(nil, in)
		if err != nil || bad != nil {
			return
		}
		if isObject != (TypeOf(normal) == Object) {
			t.Fatalf("%q: isObject is %v", in, isObject)
		}
		members := make([]Member, 0, len(parts))
		for _, p := range parts {
			key, err := Normalize(nil, p.Key)
			if err != nil {
				t.Fatalf("%q: key %q: %v", in, p.Key, err)
			}
			value, err := Normalize(nil, p.Value)
			if err != nil {
				t.Fatalf("%q: value %q: %v", in, p.Value, err)
			}
			members = append(members, Member{Key: string(Unquote(key)), Value: value})
		}
		if again := AppendObject(nil, members); isObject && string(again) != string(normal) {
			t.Fatalf("%q: the parts make %s, not %s", in, again, normal)
		}
	})
}
