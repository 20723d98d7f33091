package repr_test

import (
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"testing"

	"millrace/repr"
)

// FuzzNumeric takes two numbers given as bytes of a coefficient and a scale: each comes back from its packed form, and
// their order is that of rational numbers.
func FuzzNumeric(f *testing.F) {
	f.Add([]byte{1}, uint16(0), false, []byte{10}, uint16(1), false)
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, uint16(18), true, []byte{}, uint16(4), false)
	f.Add([]byte{0x80, 0, 0, 0, 0, 0, 0, 0}, uint16(0), true, []byte{0x80, 0, 0, 0, 0, 0, 0, 0}, uint16(0), false)
	f.Fuzz(func(t *testing.T, a []byte, scaleA uint16, negA bool, b []byte, scaleB uint16, negB bool) {
		if len(a) > 200 || len(b) > 200 {
			return
		}
		x, y := numericOf(a, scaleA, negA), numericOf(b, scaleB, negB)
		back, rest := repr.Decode(repr.Append(nil, x))
		if len(rest) > 0 {
			t.Fatalf("%d bytes are left", len(rest))
		}
		checkSame(t, back, x)
		checkPair(t, x, y)
	})
}

func numericOf(coef []byte, scale uint16, neg bool) repr.Datum {
	n := new(big.Int).SetBytes(coef)
	if neg {
		n.Neg(n)
	}
	return repr.NumericFromBig(n, int32(scale%200))
}

// FuzzRow reads the input as choices of kinds and values: the row they make comes back, and pairs of values of one
// kind keep their order.
func FuzzRow(f *testing.F) {
	f.Add([]byte("a row of a few columns"))
	f.Add([]byte{0, 1, 2, 3, 250, 251, 252})
	kinds := storable()
	f.Fuzz(func(t *testing.T, choices []byte) {
		var want []repr.Datum
		for i, c := range choices {
			if len(want) == 32 {
				break
			}
			var seed [8]byte
			copy(seed[:], choices[i:])
			r := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[:]), uint64(i)))
			k := kinds[int(c)%len(kinds)]
			v := draw(r, k)
			checkPair(t, v, draw(r, k))
			want = append(want, v)
		}
		got := repr.DecodeRow(nil, repr.AppendRow(nil, want))
		if len(got) != len(want) {
			t.Fatalf("%d columns come back of %d", len(got), len(want))
		}
		for i := range want {
			checkSame(t, got[i], want[i])
		}
	})
}
