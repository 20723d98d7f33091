package expr

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"millrace/repr"
)

var (
	boolType = repr.TypeOf(repr.KindBool)
	int8Type = repr.TypeOf(repr.KindInt8)
	int4Type = repr.TypeOf(repr.KindInt4)
	textType = repr.TypeOf(repr.KindText)
)

func col(i int, t repr.Type) *Column { return &Column{Index: i, Typ: t} }

func intConst(v int64) *Const { return &Const{Val: repr.Int8(v), Typ: int8Type} }

func nullConst(t repr.Type) *Const { return &Const{Typ: t} }

func overflow() *repr.Error {
	return repr.NewError(repr.CodeNumericOutOfRange, "bigint out of range")
}

// plainFunc is an operator as the library of functions would have it, slow and obvious.
func plainFunc(name string, t repr.Type, ret repr.Type) *Func {
	return &Func{Name: name, Args: []repr.Type{t, t}, Ret: ret, Eval: func(_ *Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		x, y := a[0].Int(), a[1].Int()
		switch name {
		case "+":
			if (y > 0 && x > math.MaxInt64-y) || (y < 0 && x < math.MinInt64-y) {
				return repr.Null, overflow()
			}
			return repr.Int8(x + y), nil
		case "-":
			if (y < 0 && x > math.MaxInt64+y) || (y > 0 && x < math.MinInt64+y) {
				return repr.Null, overflow()
			}
			return repr.Int8(x - y), nil
		case "*":
			if x != 0 && (x*y/x != y || (x == -1 && y == math.MinInt64)) {
				return repr.Null, overflow()
			}
			return repr.Int8(x * y), nil
		case "/", "%":
			if y == 0 || x == math.MinInt64 && y == -1 {
				return repr.Null, overflow()
			}
			return repr.Int8(map[string]int64{"/": x / y, "%": x % y}[name]), nil
		}
		c := repr.Compare(a[0], a[1])
		return repr.Bool(map[string]bool{"=": c == 0, "<>": c != 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[name]), nil
	}}
}

func call(f *Func, args ...Scalar) *Call { return &Call{Fn: f, Args: args, Typ: f.Ret} }

// fails is an operand that must not be evaluated.
func fails(t repr.Type) Scalar {
	return call(&Func{Name: "fails", Ret: t, Eval: func(*Env, []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Null, repr.NewError(repr.CodeDivisionByZero, "division by zero")
	}})
}

func eval(t *testing.T, s Scalar, row ...repr.Datum) (repr.Datum, *repr.Error) {
	t.Helper()
	var r Row
	r.Set(repr.AppendRow(nil, row))
	return Compile(s, &Env{})(&r)
}

func TestShortCircuit(t *testing.T) {
	t.Parallel()
	yes, no, null := boolConst(true), boolConst(false), nullConst(boolType)
	bad := fails(boolType)
	cases := []struct {
		name string
		s    Scalar
		want repr.Datum
	}{
		{"and stops at false", &And{[]Scalar{yes, no, bad}}, repr.Bool(false)},
		{"and with null", &And{[]Scalar{null, yes}}, repr.Null},
		{"and with null then false", &And{[]Scalar{null, no}}, repr.Bool(false)},
		{"or stops at true", &Or{[]Scalar{no, yes, bad}}, repr.Bool(true)},
		{"or with null", &Or{[]Scalar{null, no}}, repr.Null},
		{"or with null then true", &Or{[]Scalar{null, yes}}, repr.Bool(true)},
		{"not null", &Not{null}, repr.Null},
		{"not false", &Not{no}, repr.Bool(true)},
		{"is null", &IsNull{null}, repr.Bool(true)},
		{"case takes the first", &Case{[]When{{no, bad}, {yes, yes}, {bad, bad}}, bad, boolType}, repr.Bool(true)},
		{"case skips null", &Case{[]When{{null, bad}}, no, boolType}, repr.Bool(false)},
		{"case without else", &Case{[]When{{no, bad}}, nil, boolType}, repr.Null},
		{"coalesce stops", &Coalesce{[]Scalar{null, no, bad}, boolType}, repr.Bool(false)},
		{"coalesce of nulls", &Coalesce{[]Scalar{null, null}, boolType}, repr.Null},
		{"null operand, no call", call(plainFunc("=", int8Type, boolType), nullConst(int8Type), intConst(1)), repr.Null},
	}
	for _, c := range cases {
		for _, form := range []Scalar{c.s, Fold(c.s, &Env{}, Immutable)} {
			got, err := eval(t, form)
			if err != nil || got.Kind() != c.want.Kind() || !got.Equal(c.want) {
				t.Errorf("%s: got %v %v", c.name, got, err)
			}
		}
	}
}

func TestErrorsAreRaised(t *testing.T) {
	t.Parallel()
	bad := fails(boolType)
	for _, s := range []Scalar{
		&And{[]Scalar{boolConst(true), bad}}, &Or{[]Scalar{nullConst(boolType), bad}}, &Not{bad}, &IsNull{bad},
		&Case{[]When{{bad, bad}}, nil, boolType}, &Coalesce{[]Scalar{nullConst(boolType), bad}, boolType},
	} {
		if _, err := eval(t, s); err == nil {
			t.Errorf("%T raised no error", s)
		}
		if _, err := eval(t, Fold(s, &Env{}, Volatile)); err == nil {
			t.Errorf("%T raised no error once folded", s)
		}
	}
}

// The typed closures answer as the functions do, NULLs, borders and errors included.
func TestFastPathsAgree(t *testing.T) {
	t.Parallel()
	border := []int64{math.MinInt64, math.MinInt64 + 1, -1 << 32, -1 << 31, -2, -1, 0, 1, 2, 1<<31 - 1, 1 << 31, math.MaxInt64 - 1, math.MaxInt64}
	var ints []repr.Datum
	for _, v := range border {
		ints = append(ints, repr.Int8(v))
	}
	texts := []repr.Datum{repr.Text(""), repr.Text("a"), repr.Text("ab"), repr.Text("b"), repr.Text("é")}
	ints, texts = append(ints, repr.Null), append(texts, repr.Null)
	padded := []repr.Datum{repr.Null}
	for _, s := range []string{"", " ", "a", "a  ", "a b", "b "} {
		padded = append(padded, repr.StringOf(repr.KindBpchar, []byte(s)))
	}
	for _, name := range []string{"=", "<>", "<", "<=", ">", ">="} {
		agree(t, plainFunc(name, int8Type, boolType), ints)
		agree(t, plainFunc(name, textType, boolType), texts)
		agree(t, plainFunc(name, repr.TypeOf(repr.KindBpchar), boolType), padded)
	}
	for _, name := range []string{"+", "-", "*", "/", "%"} {
		agree(t, plainFunc(name, int8Type, int8Type), ints)
	}
	for _, name := range []string{"=", "<", ">="} {
		mixed := plainFunc(name, int8Type, boolType)
		mixed.Args[1] = int4Type
		agree(t, mixed, ints)
	}
}

func agree(t *testing.T, f *Func, values []repr.Datum) {
	t.Helper()
	slow := *f
	slow.Name = "slow"
	typ := f.Args[0]
	for _, a := range values {
		for _, b := range values {
			want, wantErr := eval(t, call(&slow, col(0, typ), col(1, typ)), a, b)
			for _, s := range []*Call{call(f, col(0, typ), col(1, typ)), call(f, col(0, typ), &Const{Val: b, Typ: typ})} {
				if compileFast(s, &Env{}) == nil {
					t.Fatalf("%s of %v has no fast path", f.Name, typ)
				}
				got, err := eval(t, s, a, b)
				if (err == nil) != (wantErr == nil) || err == nil && (got.Kind() != want.Kind() || !got.Equal(want)) {
					t.Errorf("%v %s %v: got %v %v, want %v %v", a, f.Name, b, got, err, want, wantErr)
				}
			}
		}
	}
}

func TestRowDecodesOnDemand(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var r Row
	for range 200 {
		values := make([]repr.Datum, 1+rng.IntN(6))
		for i := range values {
			switch rng.IntN(3) {
			case 0:
				values[i] = repr.Int8(rng.Int64())
			case 1:
				values[i] = repr.Text("x")
			}
		}
		r.Width = len(values) * rng.IntN(2)
		cut := rng.IntN(len(values) + 1)
		left, right := repr.AppendRow(nil, values[:cut]), repr.AppendRow(nil, values[cut:])
		switch rng.IntN(3) {
		case 0:
			r.Set(append(left, right...))
		case 1:
			r.SetParts([][]byte{nil, left, nil, right})
		case 2:
			r.SetDatums(values)
		}
		for range 4 {
			i := rng.IntN(len(values))
			if got := r.Column(i); got.Kind() != values[i].Kind() || !got.Equal(values[i]) {
				t.Fatalf("column %d of %v is %v", i, values, got)
			}
			first := rng.IntN(i + 1)
			if got, want := r.AppendColumns([]byte("x"), first, i), repr.AppendRow([]byte("x"), values[first:i+1]); !bytes.Equal(got, want) {
				t.Fatalf("columns %d to %d of %v are %x, want %x", first, i, values, got, want)
			}
		}
	}
}

func TestNestedCallsShareTheStack(t *testing.T) {
	t.Parallel()
	add := plainFunc("plus", int8Type, int8Type)
	add.Eval = func(_ *Env, a []repr.Datum) (repr.Datum, *repr.Error) { return repr.Int8(a[0].Int() + a[1].Int()), nil }
	var s Scalar = intConst(1)
	want := int64(1)
	for i := range int64(7) {
		s = call(add, call(add, col(0, int8Type), s), call(add, s, intConst(i)))
		want = 3 + want + want + i
	}
	var r Row
	r.Set(repr.AppendRow(nil, []repr.Datum{repr.Int8(3)}))
	compiled := Compile(s, &Env{})
	first, err := compiled(&r)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := compiled(&r)
	if first.Int() != want || second.Int() != want || len(r.stack) != 0 {
		t.Errorf("got %d then %d, want %d, with %d left on the stack", first.Int(), second.Int(), want, len(r.stack))
	}
}

func TestTransformSharesWhatStays(t *testing.T) {
	t.Parallel()
	eq := plainFunc("=", int8Type, boolType)
	stays := call(eq, col(0, int8Type), intConst(1))
	tree := &And{[]Scalar{stays, &Case{[]When{{call(eq, col(1, int8Type), intConst(2)), boolConst(true)}}, nil, boolType}}}
	out := Transform(tree, func(s Scalar) Scalar {
		if c, ok := s.(*Column); ok && c.Index == 1 {
			return col(5, int8Type)
		}
		return s
	}).(*And)
	if out == tree || out.Args[0] != Scalar(stays) {
		t.Error("the changed tree must be new, what did not change shared")
	}
	if Any(out, func(s Scalar) bool { c, ok := s.(*Column); return ok && c.Index == 1 }) {
		t.Error("a column was not replaced")
	}
	if same := Transform(tree, func(s Scalar) Scalar { return s }); same != Scalar(tree) {
		t.Error("nothing changed, yet the tree is new")
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	eq := plainFunc("=", int8Type, boolType)
	copied := *eq
	a := call(eq, col(0, int8Type), intConst(1))
	cases := []struct {
		a, b Scalar
		want bool
	}{
		{a, call(&copied, &Column{Index: 0, Typ: int8Type, Name: "other"}, intConst(1)), true},
		{a, call(eq, col(1, int8Type), intConst(1)), false},
		{a, call(eq, col(0, int8Type), intConst(2)), false},
		{&And{[]Scalar{a}}, &Or{[]Scalar{a}}, false},
		{&And{[]Scalar{a, a}}, &And{[]Scalar{a}}, false},
		{&Const{Val: repr.Numeric(10, 1), Typ: repr.TypeOf(repr.KindNumeric)}, &Const{Val: repr.Numeric(1, 0), Typ: repr.TypeOf(repr.KindNumeric)}, false},
		{nullConst(int8Type), nullConst(int4Type), false},
		{&Case{[]When{{a, a}}, a, boolType}, &Case{[]When{{a, a}, {a, nil}}, nil, boolType}, false},
		{&Param{1, int8Type}, &Param{1, int8Type}, true},
		{&Outer{Level: 1, Index: 2, Typ: int8Type}, &Outer{Level: 2, Index: 2, Typ: int8Type}, false},
		{nil, nil, true},
		{a, nil, false},
	}
	for i, c := range cases {
		if got := Equal(c.a, c.b); got != c.want {
			t.Errorf("case %d: got %v", i, got)
		}
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	add := plainFunc("+", int8Type, int8Type)
	stable := *add
	stable.Volatility = Stable
	cond := call(plainFunc("=", int8Type, boolType), col(0, int8Type), intConst(1))
	cases := []struct {
		name    string
		s, want Scalar
		upTo    Volatility
	}{
		{"call", call(add, intConst(1), call(add, intConst(2), intConst(3))), intConst(6), Immutable},
		{"stable stays", call(&stable, intConst(1), intConst(2)), call(&stable, intConst(1), intConst(2)), Immutable},
		{"stable folds when asked", call(&stable, intConst(1), intConst(2)), intConst(3), Stable},
		{"null operand", call(add, intConst(1), nullConst(int8Type)), nullConst(int8Type), Immutable},
		{"error stays", call(add, intConst(math.MaxInt64), intConst(1)), call(add, intConst(math.MaxInt64), intConst(1)), Immutable},
		{"and drops true", &And{[]Scalar{boolConst(true), cond}}, cond, Immutable},
		{"and false", &And{[]Scalar{cond, boolConst(false)}}, boolConst(false), Immutable},
		{"or drops false", &Or{[]Scalar{cond, boolConst(false), cond}}, &Or{[]Scalar{cond, cond}}, Immutable},
		{"not not", &Not{&Not{cond}}, cond, Immutable},
		{"case true", &Case{[]When{{boolConst(false), intConst(1)}, {boolConst(true), intConst(2)}}, intConst(3), int8Type}, intConst(2), Immutable},
		{"case cut", &Case{[]When{{cond, intConst(1)}, {boolConst(true), intConst(2)}}, intConst(3), int8Type}, &Case{[]When{{cond, intConst(1)}}, intConst(2), int8Type}, Immutable},
		{"coalesce cut", &Coalesce{[]Scalar{nullConst(int8Type), col(0, int8Type), intConst(1), intConst(2)}, int8Type}, &Coalesce{[]Scalar{col(0, int8Type), intConst(1)}, int8Type}, Immutable},
	}
	for _, c := range cases {
		if got := Fold(c.s, &Env{}, c.upTo); !Equal(got, c.want) {
			t.Errorf("%s: got %#v", c.name, got)
		}
	}
}

func BenchmarkEval(b *testing.B) {
	eq := plainFunc("=", int8Type, boolType)
	slow := *eq
	slow.Name = "slow"
	row := repr.AppendRow(nil, []repr.Datum{repr.Int8(7), repr.Text("some text"), repr.Int8(9)})
	for _, c := range []struct {
		name string
		s    Scalar
	}{
		{"column", col(2, int8Type)},
		{"compare", call(eq, col(2, int8Type), intConst(9))},
		{"call", call(&slow, col(2, int8Type), intConst(9))},
		{"arith", call(plainFunc("+", int8Type, int8Type), col(0, int8Type), col(2, int8Type))},
		{"text", call(plainFunc("=", textType, boolType), col(1, textType), &Const{Val: repr.Text("some texT"), Typ: textType})},
	} {
		b.Run(c.name, func(b *testing.B) {
			eval := Compile(c.s, &Env{})
			var r Row
			b.ReportAllocs()
			for b.Loop() {
				r.Set(row)
				if _, err := eval(&r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
