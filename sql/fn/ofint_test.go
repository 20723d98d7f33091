package fn

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// Code for one operand that varies gives what the function gives, or leaves it to the function: errors, infinities, the ends of
// what there is, and of what it appends nothing when it has no answer.
func TestOfIntAgrees(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	tried := map[string]int{}
	for _, c := range append(append([]*candidate{}, functions.order...), operators.order...) {
		if c.fn == nil || c.fn.OfInt == nil {
			continue
		}
		for at := range c.fn.Args {
			for range 400 {
				known := make([]repr.Datum, len(c.fn.Args))
				for i, a := range c.fn.Args {
					known[i] = knownOperand(rng, a.Kind)
				}
				code := c.fn.OfInt(append([]repr.Datum{}, known...), at)
				for range 20 {
					n := randomMoment(rng)
					known[at] = repr.IntOf(c.fn.Args[at].Kind, n)
					agreeOfInt(t, c.fn, code, known, n)
					tried[c.name]++
				}
				if code.Int != nil || code.Pack != nil {
					tried[c.name+" fast"]++
				}
			}
		}
	}
	for _, name := range []string{"to_char", "date_bin", "date_trunc", "+", "-"} {
		if tried[name+" fast"] < 50 {
			t.Errorf("%s had code for %d calls", name, tried[name+" fast"])
		}
	}
}

func agreeOfInt(t *testing.T, f *expr.Func, code expr.IntCode, args []repr.Datum, n int64) {
	t.Helper()
	if code.Int == nil && code.Pack == nil {
		return
	}
	want, wantErr := f.Eval(&expr.Env{}, args)
	if code.Int != nil {
		if got, ok := code.Int(n); ok && (wantErr != nil || want.IsNull() || got != want.Int()) {
			t.Errorf("%s of %v: got %d, want %v %v", f.Name, args, got, want, wantErr)
		}
	}
	if code.Pack != nil {
		got, ok := code.Pack([]byte("x"), n)
		if ok && (wantErr != nil || !bytes.Equal(got, repr.Append([]byte("x"), want))) || !ok && string(got) != "x" {
			t.Errorf("%s of %v: got %q %t, want %v %v", f.Name, args, got, ok, want, wantErr)
		}
	}
}

func randomMoment(rng *rand.Rand) int64 {
	ends := []int64{repr.NegInfinity64, repr.PosInfinity64, pgfmt.MinTimestamp, pgfmt.EndTimestamp, 0, 86_400_000_000}
	switch rng.IntN(4) {
	case 0:
		return ends[rng.IntN(len(ends))] + rng.Int64N(5) - 2
	case 1:
		return rng.Int64() - rng.Int64()
	default:
		return rng.Int64N(2_000_000_000_000_000) - 1_000_000_000_000_000
	}
}

func knownOperand(rng *rand.Rand, k repr.Kind) repr.Datum {
	switch k {
	case kInterval:
		return repr.Interval(int32(rng.IntN(6)/5), int32(rng.IntN(5)-2)*int32(1+rng.IntN(2)*1_000_000), rng.Int64N(20_000_000)-5_000_000)
	case kText:
		return repr.Text([]string{"YYYY-MM-DD", "HH24:MI", "US", "hour", "Minute", "second", "microseconds", "day", "nothing"}[rng.IntN(9)])
	default:
		return repr.IntOf(k, randomMoment(rng))
	}
}
