package fn_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/fn"
)

// TestRetraction: after any history of insertions and retractions an aggregate says what it says of the rows that are
// left, given once and in another order.
func TestRetraction(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		kind repr.Kind
	}{
		{"count", repr.KindInt4}, {"sum", repr.KindInt2}, {"sum", repr.KindInt4}, {"sum", repr.KindInt8}, {"sum", repr.KindNumeric},
		{"sum", repr.KindFloat4}, {"sum", repr.KindFloat8}, {"sum", repr.KindInterval}, {"avg", repr.KindInt8}, {"avg", repr.KindNumeric},
		{"avg", repr.KindFloat8}, {"avg", repr.KindInterval}, {"bool_and", repr.KindBool}, {"bool_or", repr.KindBool},
		{"stddev", repr.KindInt8}, {"variance", repr.KindNumeric}, {"stddev_pop", repr.KindFloat8}, {"var_samp", repr.KindFloat8},
	} {
		t.Run(c.name+" "+c.kind.String(), func(t *testing.T) {
			t.Parallel()
			res, err := fn.ResolveAggregate(c.name, []repr.Type{repr.TypeOf(c.kind)}, false)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(uint64(c.kind), 21))
			for range 300 {
				checkRetraction(t, r, res, c.kind)
			}
		})
	}
}

func checkRetraction(t *testing.T, r *rand.Rand, res *fn.ResolvedAggregate, k repr.Kind) {
	t.Helper()
	var rows [][]repr.Datum
	history := []update{}
	for range 1 + r.IntN(20) {
		if len(rows) > 0 && r.IntN(3) == 0 {
			i := r.IntN(len(rows))
			history = append(history, update{rows[i], -1})
			rows = slices.Delete(rows, i, i+1)
			continue
		}
		row := []repr.Datum{drawValue(r, k)}
		rows = append(rows, row)
		history = append(history, update{row, 1})
	}
	if len(rows) == 0 {
		return
	}
	fresh := make([]update, len(rows))
	for i, j := range r.Perm(len(rows)) {
		fresh[i] = update{rows[j], 1}
	}
	got, e1 := runHistory(res.Fn, history)
	want, e2 := runHistory(res.Fn, fresh)
	a, b := pgfmt.AppendText(nil, res.Ret, got, nil), pgfmt.AppendText(nil, res.Ret, want, nil)
	if (e1 == nil) != (e2 == nil) || string(a) != string(b) || got.IsNull() != want.IsNull() {
		t.Fatalf("%v gives %s (%v); the %d rows left give %s (%v)", history, a, e1, len(rows), b, e2)
	}
}

func runHistory(f *repr.Aggregate, history []update) (repr.Datum, *repr.Error) {
	if f.New != nil {
		acc := f.New()
		for _, u := range history {
			acc.Add(u.row, u.diff)
		}
		return acc.Result()
	}
	state := make([]int64, f.Words)
	for _, u := range history {
		f.Add(state, u.row[0], u.diff)
	}
	return f.Result(state)
}

// drawValue is a value whose sums overflow, cancel out and lose digits when they are done carelessly.
func drawValue(r *rand.Rand, k repr.Kind) repr.Datum {
	switch k {
	case repr.KindBool:
		return repr.Bool(r.IntN(2) == 0)
	case repr.KindInt2:
		return repr.Int2(int16(r.IntN(1<<16) - 1<<15))
	case repr.KindInt4:
		return repr.Int4(int32(r.Uint32()))
	case repr.KindInt8:
		return repr.Int8(oneOf(r, int64(r.Uint64()), math.MaxInt64, math.MinInt64, 1))
	case repr.KindNumeric:
		return oneOf(r, repr.Numeric(r.Int64()-1<<62, int32(r.IntN(12))), repr.Numeric(5, 20), repr.Numeric(1, 0), repr.NumericNaN, repr.NumericPosInf, repr.NumericNegInf)
	case repr.KindFloat4:
		return repr.Float4(oneOf(r, float32(r.NormFloat64()), 1e20, -1e20, 1e-20))
	case repr.KindFloat8:
		return repr.Float8(oneOf(r, r.NormFloat64(), 1e100, -1e100, 1e-100, 1e15, math.NaN(), math.Inf(1), math.Inf(-1)))
	default:
		return repr.Interval(int32(r.IntN(100)-50), int32(r.IntN(100)-50), r.Int64N(1e12)-5e11)
	}
}

func BenchmarkAggregates(b *testing.B) {
	for _, c := range []struct {
		name string
		arg  repr.Datum
	}{
		{"sum", repr.Int8(5)}, {"sum", repr.Numeric(12345, 2)}, {"sum", repr.Float8(1.25)}, {"avg", repr.Numeric(12345, 2)},
	} {
		res, err := fn.ResolveAggregate(c.name, []repr.Type{repr.TypeOf(c.arg.Kind())}, false)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name+" "+c.arg.Kind().String(), func(b *testing.B) {
			b.ReportAllocs()
			if res.Fn.New == nil {
				state := make([]int64, res.Fn.Words)
				for b.Loop() {
					res.Fn.Add(state, c.arg, 1)
				}
				return
			}
			acc, row := res.Fn.New(), []repr.Datum{c.arg}
			for b.Loop() {
				acc.Add(row, 1)
			}
		})
	}
}

func BenchmarkNumeric(b *testing.B) {
	num := repr.TypeOf(repr.KindNumeric)
	for _, op := range []string{"+", "*", "/", "<"} {
		f, err := fn.ResolveOperator(op, &num, &num)
		if err != nil {
			b.Fatal(err)
		}
		args := []repr.Datum{repr.Numeric(123456, 2), repr.Numeric(789, 1)}
		b.Run(op, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Eval(nil, args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
