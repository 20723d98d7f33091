package fn_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/fn"
)

// TestNumericSum holds sums to big integers through histories that are mostly of one scale, which has a form of its own,
// with now and then a value of another scale, one that is too large for it, or one that is no number, and back to nothing.
func TestNumericSum(t *testing.T) {
	t.Parallel()
	res, err := fn.ResolveAggregate("sum", []repr.Type{repr.TypeOf(repr.KindNumeric)}, false)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 5))
		acc := res.Fn.New()
		var rows []update
		for step := range 200 {
			var u update
			if len(rows) > 0 && r.IntN(5) < 2+step/100*2 {
				i := r.IntN(len(rows))
				u = rows[i]
				rows[i] = rows[len(rows)-1]
				rows = rows[:len(rows)-1]
				acc.Add(u.row, -u.diff)
			} else {
				u = update{[]repr.Datum{mostlyCents(r)}, repr.Diff(1 + r.Int64N(3)*(1<<r.IntN(40)))}
				rows = append(rows, u)
				acc.Add(u.row, u.diff)
			}
			checkSum(t, acc, rows)
		}
		for _, u := range rows {
			acc.Add(u.row, -u.diff)
		}
		if d, err := acc.Result(); err != nil || !d.IsNull() {
			t.Fatalf("seed %d: the sum of nothing is %v (%v)", seed, d, err)
		}
	}
}

func mostlyCents(r *rand.Rand) repr.Datum {
	switch r.IntN(40) {
	case 0:
		return repr.Numeric(r.Int64N(1000), int32(r.IntN(4)))
	case 1:
		return repr.Numeric(math.MinInt64+1, 2)
	case 2:
		return repr.NumericFromBig(new(big.Int).Lsh(big.NewInt(r.Int64N(1000)+1), 90), 2)
	case 3:
		return repr.NumericPosInf
	default:
		return repr.Numeric(r.Int64N(2_000_000)-1_000_000, 2)
	}
}

func checkSum(t *testing.T, acc repr.Accumulator, rows []update) {
	t.Helper()
	got, err := acc.Result()
	if err != nil {
		t.Fatal(err)
	}
	sum, scale, infinite := new(big.Int), 0, false
	for _, u := range rows {
		if !u.row[0].NumericFinite() {
			infinite = true
			continue
		}
		coef, s := pgfmt.NumericBig(u.row[0])
		scale = max(scale, s)
		term := new(big.Int).Mul(coef, big.NewInt(u.diff))
		sum.Add(sum, term.Mul(term, pgfmt.BigPow10(4-s)))
	}
	want := repr.NumericFromBig(sum.Quo(sum, pgfmt.BigPow10(4-scale)), int32(scale))
	switch {
	case len(rows) == 0:
		want = repr.Null
	case infinite:
		want = repr.NumericPosInf
	}
	a, b := pgfmt.AppendText(nil, numericType, got, nil), pgfmt.AppendText(nil, numericType, want, nil)
	if got.IsNull() != want.IsNull() || string(a) != string(b) {
		t.Fatalf("the sum of %v is %s, want %s", rows, a, b)
	}
}

var numericType = repr.TypeOf(repr.KindNumeric)
