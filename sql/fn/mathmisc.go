package fn

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"math/big"
	"strconv"

	"millrace/repr"
	"millrace/sql/expr"
)

func toHex(n uint64) repr.Datum { return repr.Text(strconv.FormatUint(n, 16)) }

const codeWidthBucket = "2201G"

func badBucketCount() *repr.Error {
	return repr.NewError(codeWidthBucket, "count must be greater than zero")
}

func widthBucketFloat(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	x, low, high, count := a[0].Float(), a[1].Float(), a[2].Float(), a[3].Int()
	switch {
	case count <= 0:
		return repr.Null, badBucketCount()
	case math.IsNaN(x) || math.IsNaN(low) || math.IsNaN(high):
		return repr.Null, repr.NewError(codeWidthBucket, "operand, lower bound, and upper bound cannot be NaN")
	case math.IsInf(low, 0) || math.IsInf(high, 0):
		return repr.Null, repr.NewError(codeWidthBucket, "lower and upper bounds must be finite")
	case low == high:
		return repr.Null, repr.NewError(codeWidthBucket, "lower bound cannot equal upper bound")
	}
	down := low > high
	if down {
		x, low, high = -x, -low, -high
	}
	n := int64(0)
	switch {
	case x < low:
	case x >= high:
		n = count + 1
	default:
		n = min(int64(float64(count)*((x-low)/(high-low))), count-1) + 1
	}
	return bucket(n)
}

func bucket(n int64) (repr.Datum, *repr.Error) {
	if n > math.MaxInt32 {
		return repr.Null, outOfRange(repr.KindInt4)
	}
	return repr.Int4(int32(n)), nil
}

func widthBucketNumeric(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	count := a[3].Int()
	if count <= 0 {
		return repr.Null, badBucketCount()
	}
	for _, d := range a[:3] {
		if d.NumericIsNaN() {
			return repr.Null, repr.NewError(codeWidthBucket, "operand, lower bound, and upper bound cannot be NaN")
		}
	}
	if !bothFinite(a[1], a[2]) {
		return repr.Null, repr.NewError(codeWidthBucket, "lower and upper bounds must be finite")
	}
	order := repr.Compare(a[1], a[2])
	if order == 0 {
		return repr.Null, repr.NewError(codeWidthBucket, "lower bound cannot equal upper bound")
	}
	switch {
	case repr.Compare(a[0], a[1])*order > 0:
		return repr.Int4(0), nil
	case repr.Compare(a[0], a[2])*order <= 0:
		return bucket(count + 1)
	}
	above, _ := subNumeric(a[0], a[1])
	width, _ := subNumeric(a[2], a[1])
	x, y, _ := align(above, width)
	n := new(big.Int).Mul(x, big.NewInt(count))
	return bucket(n.Quo(n, y).Int64() + 1)
}

// random draws from the machine: a volatile function stands in no view, so nothing has to be replayed.
func random(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, as of Go 1.24
	return repr.Float8(float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53)), nil
}
