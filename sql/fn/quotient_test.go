package fn

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"testing"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// Division in 128 bits gives what division of big integers gives.
func TestSmallQuotient(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	number := func() (int64, int32) {
		return int64(rng.Uint64()>>rng.IntN(64)) * int64(1-2*rng.IntN(2)), int32(rng.IntN(6))
	}
	small := 0
	for range 50_000 {
		x, xs := number()
		y, ys := number()
		if y == 0 {
			continue
		}
		scale := rng.IntN(20)
		got, ok := smallQuotient(repr.Numeric(x, xs), repr.Numeric(y, ys), scale)
		if !ok {
			continue
		}
		small++
		num := new(big.Int).Mul(big.NewInt(x), pgfmt.BigPow10(scale+int(ys)-int(xs)))
		den := big.NewInt(y)
		if y < 0 {
			num.Neg(num)
			den.Neg(den)
		}
		want := repr.NumericFromBig(pgfmt.RoundQuo(num, den), int32(scale))
		if !bytes.Equal(repr.Append(nil, got), repr.Append(nil, want)) {
			t.Fatalf("%de-%d / %de-%d to %d digits: got %s, want %s", x, xs, y, ys, scale,
				repr.AppendNumericText(nil, got), repr.AppendNumericText(nil, want))
		}
	}
	if small < 20_000 {
		t.Errorf("only %d quotients were small", small)
	}
}
