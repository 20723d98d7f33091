package expr

import (
	"bytes"
	"math"
	"testing"

	"millrace/repr"
)

// What is packed at once has the bytes of the value packed, NULLs and errors included.
func TestPackAgrees(t *testing.T) {
	t.Parallel()
	values := []repr.Datum{repr.Null, repr.Int8(0), repr.Int8(1), repr.Int8(-7), repr.Int8(math.MaxInt64), repr.Int8(math.MinInt64)}
	x, y := col(0, int8Type), col(1, int8Type)
	var tests []Scalar
	for _, name := range []string{"=", "<>", "<", "<=", ">", ">="} {
		less := call(plainFunc(name, int8Type, boolType), x, y)
		tests = append(tests, less, &Not{Arg: less}, &IsNull{Arg: less}, &And{Args: []Scalar{less, &IsNull{Arg: x}}}, &Or{Args: []Scalar{less, &IsNull{Arg: x}}})
	}
	for _, name := range []string{"+", "-", "*", "/", "%"} {
		n := call(plainFunc(name, int8Type, int8Type), x, y)
		tests = append(tests, n, &Coalesce{Args: []Scalar{n, y}, Typ: int8Type})
	}
	for _, s := range tests {
		pack, eval := CompilePack(s, &Env{}), Compile(s, &Env{})
		for _, a := range values {
			for _, b := range values {
				var r Row
				r.SetDatums([]repr.Datum{a, b})
				want, wantErr := eval(&r)
				got, err := pack([]byte("before"), &r)
				expect := []byte("before")
				if wantErr == nil {
					expect = repr.Append(expect, want)
				}
				if (err == nil) != (wantErr == nil) || !bytes.Equal(got, expect) {
					t.Errorf("%T of %v and %v: got %x %v, want %x %v", s, a, b, got, err, expect, wantErr)
				}
			}
		}
	}
}
