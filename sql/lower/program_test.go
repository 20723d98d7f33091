package lower

import (
	"bytes"
	"testing"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

var (
	int8Type = repr.TypeOf(repr.KindInt8)
	textType = repr.TypeOf(repr.KindText)
	numType  = repr.TypeOf(repr.KindNumeric)
	boolType = repr.TypeOf(repr.KindBool)
)

func column(i int, t repr.Type) *expr.Column { return &expr.Column{Index: i, Typ: t} }

// counting is a function that counts its calls.
func counting(calls *int) *expr.Func {
	return &expr.Func{Name: "counting", Args: []repr.Type{int8Type}, Ret: int8Type,
		Eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			*calls++
			return repr.Int8(a[0].Int() * 10), nil
		}}
}

func positive(e expr.Scalar) expr.Scalar {
	f := &expr.Func{Name: ">", Args: []repr.Type{int8Type, int8Type}, Ret: boolType,
		Eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			return repr.Bool(a[0].Int() > a[1].Int()), nil
		}}
	zero := &expr.Const{Val: repr.Int8(0), Typ: int8Type}
	return &expr.Call{Fn: f, Args: []expr.Scalar{e, zero}, Typ: boolType}
}

func TestProgramWritesFields(t *testing.T) {
	t.Parallel()
	row := repr.AppendRow(nil, []repr.Datum{repr.Int8(7), repr.Text("x"), repr.Numeric(110, 2), repr.Null, repr.Int4(3)})
	cases := []struct {
		name   string
		fields []field
		want   []repr.Datum
		drop   bool
	}{
		{name: "columns in another order", fields: []field{{expr: column(1, textType)}, {expr: column(0, int8Type)}},
			want: []repr.Datum{repr.Text("x"), repr.Int8(7)}},
		{name: "a column twice", fields: []field{{expr: column(3, int8Type)}, {expr: column(3, int8Type)}},
			want: []repr.Datum{repr.Null, repr.Null}},
		{name: "no column", fields: nil, want: nil},
		{name: "a numeric as it prints", fields: []field{{expr: column(2, numType)}}, want: []repr.Datum{repr.Numeric(110, 2)}},
		{name: "a numeric as a key", fields: []field{{expr: column(2, numType), canon: true}},
			want: []repr.Datum{repr.Numeric(11, 1)}},
		{name: "an int4 packed as int8", want: []repr.Datum{repr.Int8(3)},
			fields: []field{{expr: column(4, repr.TypeOf(repr.KindInt4)), canon: true, as: repr.KindInt8}}},
		{name: "a NULL key drops the row", fields: []field{{expr: column(3, int8Type), canon: true, drop: true}}, drop: true},
		{name: "a NULL key that may be NULL", fields: []field{{expr: column(3, int8Type), canon: true}},
			want: []repr.Datum{repr.Null}},
		{name: "the whole row as a key", fields: []field{{whole: true}}, want: []repr.Datum{repr.Bytea(row)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := rowFunc(identity(5), c.fields, &expr.Env{})()
			got, keep, err := f(nil, row)
			if err != nil || keep == c.drop {
				t.Fatalf("keep %t, error %v", keep, err)
			}
			if want := repr.AppendRow(nil, c.want); keep && !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
		})
	}
}

func TestProgramOverParts(t *testing.T) {
	t.Parallel()
	f := joinFunc(identity(4).project([]int{3, 0, 2}), []field{{expr: column(0, textType)}, {expr: column(1, int8Type)},
		{expr: column(2, int8Type)}}, &expr.Env{})()
	key := repr.Append(nil, repr.Int8(1))
	left := repr.AppendRow(nil, []repr.Datum{repr.Int8(2), repr.Int8(3)})
	right := repr.Append(nil, repr.Text("r"))
	got, keep, err := f(nil, key, left, right)
	want := repr.AppendRow(nil, []repr.Datum{repr.Text("r"), repr.Int8(1), repr.Int8(3)})
	if err != nil || !keep || !bytes.Equal(got, want) {
		t.Errorf("got %x (%t, %v), want %x", got, keep, err, want)
	}
	if got, _, _ = f(nil, key, nil, append(left, right...)); !bytes.Equal(got, want) {
		t.Errorf("with an empty left value: got %x, want %x", got, want)
	}
}

func TestComputedColumnsAreEvaluatedOnceAndOnlyWhenNeeded(t *testing.T) {
	t.Parallel()
	calls := 0
	x := &expr.Call{Fn: counting(&calls), Args: []expr.Scalar{column(0, int8Type)}, Typ: int8Type}
	// The computed column is read by a second condition and twice by the output; the first condition keeps some rows
	// from it altogether.
	f := identity(1).filter([]expr.Scalar{positive(column(0, int8Type))}).compute([]expr.Scalar{x})
	f = f.filter([]expr.Scalar{positive(column(1, int8Type))})
	run := rowFunc(f, []field{{expr: column(1, int8Type)}, {expr: column(1, int8Type)}}, &expr.Env{})()
	if _, keep, err := run(nil, repr.Append(nil, repr.Int8(-1))); keep || err != nil || calls != 0 {
		t.Errorf("a row that is left out: keep %t, error %v, %d calls", keep, err, calls)
	}
	for n := int64(1); n < 4; n++ {
		got, keep, err := run(nil, repr.Append(nil, repr.Int8(n)))
		want := repr.AppendRow(nil, []repr.Datum{repr.Int8(10 * n), repr.Int8(10 * n)})
		if !keep || err != nil || !bytes.Equal(got, want) || calls != int(n) {
			t.Errorf("row %d: keep %t, error %v, %d calls, got %x", n, keep, err, calls, got)
		}
	}
}

func TestSplitOnTakesKeysThatCannotFail(t *testing.T) {
	t.Parallel()
	eq := &expr.Func{Name: "=", Args: []repr.Type{int8Type, int8Type}, Ret: boolType}
	equal := func(a, b expr.Scalar) expr.Scalar {
		return &expr.Call{Fn: eq, Args: []expr.Scalar{a, b}, Typ: boolType}
	}
	fails := &expr.Call{Fn: counting(new(int)), Args: []expr.Scalar{column(0, int8Type)}, Typ: int8Type}
	safe := equal(column(2, int8Type), column(1, int8Type))
	failing := equal(fails, column(3, int8Type))
	keys, rest := splitOn([]expr.Scalar{failing, safe}, 2)
	if len(keys) != 1 || len(rest) != 1 || rest[0] != failing || !rel.EqualScalar(keys[0].right, column(0, int8Type)) {
		t.Errorf("keys %v, rest %v", keys, rest)
	}
	if keys, rest = splitOn([]expr.Scalar{failing}, 2); len(keys) != 1 || len(rest) != 0 {
		t.Errorf("alone: %d keys, %d rest", len(keys), len(rest))
	}
	if keys, _ = splitOn([]expr.Scalar{equal(column(0, int8Type), column(1, int8Type))}, 2); len(keys) != 0 {
		t.Errorf("both on one side: %d keys", len(keys))
	}
}

func benchmarkRow(b *testing.B, f linear, fields []field) {
	row := repr.AppendRow(nil, []repr.Datum{repr.Int8(1), repr.Text("some name"), repr.Int8(2), repr.Text("a city"),
		repr.Int8(3), repr.Int8(4)})
	run := rowFunc(f, fields, &expr.Env{})()
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst, _, _ = run(dst[:0], row)
	}
}

func BenchmarkCopyAll(b *testing.B) {
	var fields []field
	for i, t := range []repr.Type{int8Type, textType, int8Type, textType, int8Type, int8Type} {
		fields = append(fields, field{expr: column(i, t)})
	}
	benchmarkRow(b, identity(6), fields)
}

func BenchmarkCopyThree(b *testing.B) {
	benchmarkRow(b, identity(6), []field{{expr: column(4, int8Type)}, {expr: column(1, textType)}, {expr: column(2, int8Type)}})
}

func BenchmarkKeyOne(b *testing.B) {
	benchmarkRow(b, identity(6), []field{{expr: column(0, int8Type), canon: true, drop: true}})
}

func BenchmarkFilterCopyTwo(b *testing.B) {
	f := identity(6).filter([]expr.Scalar{positive(column(0, int8Type))})
	benchmarkRow(b, f, []field{{expr: column(1, textType)}, {expr: column(2, int8Type)}})
}
