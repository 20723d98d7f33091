package rel

import (
	"testing"

	"millrace/repr"
)

// Plans that are named within go by their order, so that one text bound twice is one plan; others by their numbers.
func TestFingerprintNames(t *testing.T) {
	t.Parallel()
	cols := repr.RowDesc{{Name: "a", Type: repr.TypeOf(repr.KindInt4)}}
	get := func(id uint64) Rel { return &Get{ID: id, Cols: cols} }
	ref := func(id int) Rel { return &Ref{ID: id, Cols: cols} }
	let := func(id int, value, body Rel) Rel { return &Let{ID: id, Value: value, Body: body} }
	loop := func(id int, value, body Rel) Rel {
		return &LetRec{Bindings: []Binding{{ID: id, Value: value}}, Body: body}
	}
	both := func(a, b Rel) Rel { return &Union{Inputs: []Rel{a, b}} }
	for _, c := range []struct {
		name string
		a, b Rel
		same bool
	}{
		{"let", let(1, get(7), ref(1)), let(5, get(7), ref(5)), true},
		{"another value", let(1, get(7), ref(1)), let(5, get(8), ref(5)), false},
		{"from around", let(1, get(7), ref(2)), let(5, get(7), ref(2)), true},
		{"another from around", let(1, get(7), ref(2)), let(1, get(7), ref(3)), false},
		{"within and around", let(1, get(7), ref(1)), let(1, get(7), ref(2)), false},
		{"two", let(1, get(7), let(2, ref(1), both(ref(1), ref(2)))), let(8, get(7), let(3, ref(8), both(ref(8), ref(3)))), true},
		{"two changed over", let(1, get(7), let(2, ref(1), both(ref(1), ref(2)))), let(8, get(7), let(3, ref(8), both(ref(3), ref(8)))), false},
		{"loop", loop(1, both(get(7), ref(1)), ref(1)), loop(4, both(get(7), ref(4)), ref(4)), true},
	} {
		if got := Equal(c.a, c.b); got != c.same {
			t.Errorf("%s: Equal is %t:\n%s\n%s", c.name, got, Fingerprint(c.a), Fingerprint(c.b))
		}
	}
}
