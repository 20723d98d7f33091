package expr

import (
	"math/rand/v2"
	"testing"

	"millrace/repr"
)

// The closure of a list answers as walking the list does, NULLs included.
func TestInAgreesWithWalking(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for _, k := range []repr.Kind{repr.KindInt4, repr.KindInt8, repr.KindDate, repr.KindText, repr.KindBpchar} {
		eq := &Func{Name: "= ANY", Args: []repr.Type{repr.TypeOf(k), repr.ArrayOf(k)}, Ret: boolType, NullCalled: true}
		for range 300 {
			elems := make([]repr.Datum, 1+r.IntN(2*manyElements))
			for i := range elems {
				elems[i] = someValue(r, k)
			}
			list := &Const{Val: repr.Array(elems), Typ: eq.Args[1]}
			x := someValue(r, k)
			s := call(eq, col(0, eq.Args[0]), list)
			if compileFast(s, &Env{}) == nil {
				t.Fatalf("lists of %v have no fast path", k)
			}
			got, err := eval(t, s, x)
			if want := walk(x, elems); err != nil || got.Kind() != want.Kind() || got.Bool() != want.Bool() {
				t.Errorf("%v in %v: got %v %v, want %v", x, elems, got, err, want)
			}
		}
		for _, none := range []repr.Datum{repr.Array(nil), repr.Null} {
			if compileFast(call(eq, col(0, eq.Args[0]), &Const{Val: none, Typ: eq.Args[1]}), &Env{}) != nil {
				t.Errorf("%v: an empty or unknown list has a fast path", k)
			}
		}
	}
}

func walk(x repr.Datum, elems []repr.Datum) repr.Datum {
	out := repr.Bool(false)
	for _, e := range elems {
		switch {
		case x.IsNull() || e.IsNull():
			out = repr.Null
		case repr.Compare(x, e) == 0:
			return repr.Bool(true)
		}
	}
	return out
}

func someValue(r *rand.Rand, k repr.Kind) repr.Datum {
	n := r.IntN(40)
	switch {
	case r.IntN(20) == 0:
		return repr.Null
	case k == repr.KindText || k == repr.KindBpchar:
		return repr.StringOf(k, []byte(string(rune('a'+n%20))+"  "[:n%3]))
	default:
		return repr.IntOf(k, int64(n))
	}
}
