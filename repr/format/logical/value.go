package logical

import (
	"fmt"
	"math"
	"math/big"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// Limits of a decimal.
const (
	MaxScale   = 16383
	maxDecimal = 4096 // bytes of an unscaled decimal
)

// Unavailable is what Debezium writes for a large value that an update did not touch, and that PostgreSQL did not
// log. A text column holds it as it is; a jsonb column holds it bare, which is no JSON, so that the envelope can tell.
const Unavailable = "__debezium_unavailable_value"

// Decimal makes a numeric of a big-endian two's complement number of 10^-scale.
func Decimal(b []byte, scale int32) (repr.Datum, *repr.Error) {
	if len(b) > maxDecimal || scale > MaxScale || scale < -1000 {
		return repr.Null, repr.NewError(repr.CodeNumericOutOfRange, fmt.Sprintf("a decimal of %d bytes and scale %d is out of range", len(b), scale))
	}
	if len(b) <= 8 && scale >= 0 {
		var v int64
		for i, x := range b {
			if i == 0 {
				v = int64(int8(x))
				continue
			}
			v = v<<8 | int64(x)
		}
		if v != math.MinInt64 {
			return repr.Numeric(v, scale), nil
		}
	}
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	if scale < 0 {
		v.Mul(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-scale)), nil))
		scale = 0
	}
	return repr.NumericFromBig(v, scale), nil
}

// UUID makes a uuid of its text form, 8-4-4-4-12 hexadecimal digits.
func UUID(b []byte) (repr.Datum, *repr.Error) {
	var id [16]byte
	digits := 0
	ok := len(b) == 36
	for i := 0; ok && i < len(b); i++ {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			ok = b[i] == '-'
			continue
		}
		v, isHex := pgfmt.HexDigit(b[i])
		ok = isHex
		id[digits/2] = id[digits/2]<<4 | v
		digits++
	}
	if !ok {
		return repr.Null, repr.NewError(repr.CodeInvalidText, fmt.Sprintf("invalid input syntax for type uuid: %q", Short(b)))
	}
	return repr.UUID(id), nil
}

// Bits makes text of 0 and 1 of a bit string of n bits. Debezium sends it as little-endian bytes.
func Bits(b []byte, n int) repr.Datum {
	if n <= 0 || n > 8*len(b) {
		n = 8 * len(b)
	}
	text := make([]byte, n)
	for i := range n {
		text[n-1-i] = '0' + b[i/8]>>(i%8)&1
	}
	return repr.TextBytes(text)
}

// Short is a value as an error quotes it.
func Short(b []byte) []byte {
	if len(b) > 100 {
		return b[:100]
	}
	return b
}
