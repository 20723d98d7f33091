package repr_test

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/apd/v3"

	"millrace/repr"
)

// TestNumericText has the forms in which PostgreSQL prints a numeric, and the canonical value of each.
func TestNumericText(t *testing.T) {
	t.Parallel()
	big30 := new(big.Int).Exp(big.NewInt(10), big.NewInt(30), nil)
	tests := []struct {
		d               repr.Datum
		text, canonical string
		sign            int
	}{
		{repr.Numeric(0, 0), "0", "0", 0},
		{repr.Numeric(0, 3), "0.000", "0", 0},
		{repr.Numeric(1, 0), "1", "1", 1},
		{repr.Numeric(10, 1), "1.0", "1", 1},
		{repr.Numeric(-10, 2), "-0.10", "-0.1", -1},
		{repr.Numeric(5, 4), "0.0005", "0.0005", 1},
		{repr.Numeric(-12345, 2), "-123.45", "-123.45", -1},
		{repr.Numeric(100, 0), "100", "100", 1},
		{repr.Numeric(math.MaxInt64, 0), "9223372036854775807", "9223372036854775807", 1},
		{repr.Numeric(math.MinInt64, 0), "-9223372036854775808", "-9223372036854775808", -1},
		{repr.Numeric(math.MinInt64, 19), "-0.9223372036854775808", "-0.9223372036854775808", -1},
		{repr.NumericFromBig(new(big.Int).Neg(big30), 0), "-1" + zeros(30), "-1" + zeros(30), -1},
		{repr.NumericFromBig(big30, 30), "1." + zeros(30), "1", 1},
		{repr.NumericFromBig(big30, 33), "0.001" + zeros(30), "0.001", 1},
		{repr.NumericNaN, "NaN", "NaN", 0},
		{repr.NumericPosInf, "Infinity", "Infinity", 1},
		{repr.NumericNegInf, "-Infinity", "-Infinity", -1},
	}
	for _, tt := range tests {
		if got := string(repr.AppendNumericText(nil, tt.d)); got != tt.text {
			t.Errorf("text is %s, want %s", got, tt.text)
		}
		if got := string(repr.AppendNumericText(nil, tt.d.Canonical())); got != tt.canonical {
			t.Errorf("canonical text of %s is %s, want %s", tt.text, got, tt.canonical)
		}
		if got := tt.d.NumericSign(); got != tt.sign {
			t.Errorf("sign of %s is %d, want %d", tt.text, got, tt.sign)
		}
		back, rest := repr.Decode(repr.Append(nil, tt.d))
		if got := string(repr.AppendNumericText(nil, back)); got != tt.text || len(rest) > 0 {
			t.Errorf("%s comes back as %s, with %d bytes left", tt.text, got, len(rest))
		}
	}
}

func zeros(n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = '0'
	}
	return string(out)
}

// TestNumericApd takes numbers to the decimal library and back, scale included.
func TestNumericApd(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0", "0.00", "1.10", "-1.10", "9223372036854775808", "-9223372036854775808.5",
		"123456789012345678901234567890.123456789012345678901234567890", "NaN", "Infinity", "-Infinity"} {
		v, _, err := apd.NewFromString(text)
		if err != nil {
			t.Fatal(err)
		}
		d := repr.NumericFromApd(v)
		if got := string(repr.AppendNumericText(nil, d)); got != text {
			t.Errorf("%s from apd prints %s", text, got)
		}
		var back apd.Decimal
		d.Apd(&back)
		if got := string(repr.AppendNumericText(nil, repr.NumericFromApd(&back))); got != text {
			t.Errorf("%s comes back from apd as %s", text, got)
		}
	}
	if got := string(repr.AppendNumericText(nil, repr.NumericFromApd(apd.New(12, 3)))); got != "12000" {
		t.Errorf("12E+3 prints %s", got)
	}
}

// TestNumericLimits packs the largest and the smallest number that PostgreSQL takes: 131072 digits before the
// decimal point, 16383 behind it.
func TestNumericLimits(t *testing.T) {
	t.Parallel()
	pow := func(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }
	nines := new(big.Int).Sub(pow(131072), big.NewInt(1))
	values := []repr.Datum{repr.NumericFromBig(new(big.Int).Neg(nines), 0), repr.NumericFromBig(new(big.Int).Neg(pow(40000)), 0),
		repr.Numeric(-1, 16383), repr.Numeric(0, 16383), repr.Numeric(1, 16383), repr.Numeric(1, 0),
		repr.NumericFromBig(pow(40000), 0), repr.NumericFromBig(nines, 0)}
	for i, d := range values {
		back, rest := repr.Decode(repr.Append(nil, d))
		if len(rest) > 0 || string(repr.AppendNumericText(nil, back)) != string(repr.AppendNumericText(nil, d)) {
			t.Errorf("number %d does not come back", i)
		}
		for j, e := range values {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := repr.Compare(d, e); got != want {
				t.Errorf("Compare of number %d and %d is %d, want %d", i, j, got, want)
			}
		}
	}
}

// TestNumericFrom128 holds the coefficients of 128 bits, and what is left of them without digits behind the point, against big
// integers: around the borders of 64 bits and of 19 digits, and anywhere.
func TestNumericFrom128(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	words := []uint64{0, 1, 9, 10, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64, 1e18, 1e19, 1e19 - 1, 1e19 + 1, 123}
	word := func() uint64 {
		if rng.IntN(2) == 0 {
			return words[rng.IntN(len(words))]
		}
		return rng.Uint64() >> rng.IntN(64)
	}
	for range 20_000 {
		hi, lo, neg, scale := word(), word(), rng.IntN(2) == 0, int32(rng.IntN(45))
		coef := new(big.Int).Lsh(new(big.Int).SetUint64(hi), 64)
		coef.Add(coef, new(big.Int).SetUint64(lo))
		if neg {
			coef.Neg(coef)
		}
		got, want := repr.NumericFrom128(hi, lo, neg, scale), repr.NumericFromBig(coef, scale)
		if !bytes.Equal(repr.Append(nil, got), repr.Append(nil, want)) {
			t.Fatalf("%d %d %t: got %s, want %s", hi, lo, neg, repr.AppendNumericText(nil, got), repr.AppendNumericText(nil, want))
		}
		whole := new(big.Int).Quo(coef, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
		if n, ok := got.NumericWhole(); ok != whole.IsInt64() || ok && n != whole.Int64() {
			t.Fatalf("%s: the whole part is %d %t, want %s", repr.AppendNumericText(nil, got), n, ok, whole)
		}
	}
	for _, d := range []repr.Datum{repr.NumericNaN, repr.NumericPosInf, repr.NumericNegInf} {
		if _, ok := d.NumericWhole(); ok {
			t.Errorf("%s has a whole part", repr.AppendNumericText(nil, d))
		}
	}
}
