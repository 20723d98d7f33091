package repr_test

import (
	"math"
	"math/big"
	"math/rand/v2"

	"millrace/repr"
	"millrace/repr/jsonb"
)

// draw makes a random value of a kind, NULL now and then, from a small world in which values often meet.
func draw(r *rand.Rand, k repr.Kind) repr.Datum {
	if r.IntN(12) == 0 {
		return repr.Null
	}
	return drawValue(r, k)
}

// drawValue makes a random value of a kind that is not NULL.
func drawValue(r *rand.Rand, k repr.Kind) repr.Datum {
	switch k {
	case repr.KindBool:
		return repr.Bool(r.IntN(2) == 0)
	case repr.KindFloat4:
		return repr.Float4(float32(drawFloat(r)))
	case repr.KindFloat8:
		return repr.Float8(drawFloat(r))
	case repr.KindNumeric:
		return drawNumeric(r)
	case repr.KindInterval:
		return drawInterval(r)
	case repr.KindBytea:
		return repr.Bytea(drawBytes(r, 0, 1, 0xff))
	case repr.KindUUID:
		var u [16]byte
		u[r.IntN(16)] = byte(r.IntN(3))
		return repr.UUID(u)
	case repr.KindBpchar:
		return repr.StringOf(k, drawBytes(r, 'a', ' ', 'b'))
	case repr.KindText, repr.KindVarchar, repr.KindName, repr.KindChar:
		return repr.StringOf(k, drawBytes(r, 'a', 1, 0xc3))
	case repr.KindJSON:
		return repr.StringOf(k, drawJSON(r))
	case repr.KindJSONB:
		return repr.JSONB(drawJSON(r))
	case repr.KindArray, repr.KindRecord:
		return drawArray(r, k)
	default:
		return repr.IntOf(k, drawInt(r, k))
	}
}

// drawInt is an integer that the kind can hold.
func drawInt(r *rand.Rand, k repr.Kind) int64 {
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	switch k {
	case repr.KindInt2:
		low, high = math.MinInt16, math.MaxInt16
	case repr.KindInt4, repr.KindDate:
		low, high = math.MinInt32, math.MaxInt32
	case repr.KindOID, repr.KindRegClass, repr.KindRegType, repr.KindRegProc, repr.KindRegNamespace:
		low, high = 0, math.MaxUint32
	}
	switch r.IntN(6) {
	case 0:
		return low
	case 1:
		return high
	default:
		return max(low, min(high, r.Int64N(9)-4))
	}
}

func drawFloat(r *rand.Rand) float64 {
	odd := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1, -1, 1.5, math.MaxFloat32,
		-math.MaxFloat32, math.SmallestNonzeroFloat32, math.Float64frombits(0xfff8000000000001)}
	if r.IntN(3) > 0 {
		return odd[r.IntN(len(odd))]
	}
	return r.NormFloat64()
}

// drawNumeric is a number of any size and scale: often a small coefficient with zeros behind it, so that equal
// numbers of different scales meet.
func drawNumeric(r *rand.Rand) repr.Datum {
	switch r.IntN(16) {
	case 0:
		return repr.NumericNaN
	case 1:
		return repr.NumericPosInf
	case 2:
		return repr.NumericNegInf
	case 3:
		return repr.Numeric([]int64{math.MinInt64, math.MaxInt64, math.MinInt64 + 1}[r.IntN(3)], int32(r.IntN(25)))
	case 4:
		coef := new(big.Int)
		for range 1 + r.IntN(6) {
			coef.Lsh(coef, 61).Add(coef, big.NewInt(r.Int64()))
		}
		return repr.NumericFromBig(signed(r, coef), int32(r.IntN(90)))
	default:
		zeros := r.IntN(24)
		coef := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(zeros)), nil)
		coef.Mul(coef, big.NewInt(int64(r.IntN(13))))
		return repr.NumericFromBig(signed(r, coef), int32(max(0, zeros+r.IntN(5)-2)))
	}
}

func signed(r *rand.Rand, n *big.Int) *big.Int {
	if r.IntN(2) == 0 {
		n.Neg(n)
	}
	return n
}

func drawInterval(r *rand.Rand) repr.Datum {
	part := func(low, high int64) int64 {
		switch r.IntN(10) {
		case 0:
			return low
		case 1:
			return high
		default:
			return r.Int64N(5) - 2
		}
	}
	days := part(math.MinInt32, math.MaxInt32) * []int64{1, 30}[r.IntN(2)]
	micros := part(math.MinInt64/repr.MicrosPerDay, math.MaxInt64/repr.MicrosPerDay) * repr.MicrosPerDay
	return repr.Interval(int32(part(math.MinInt32, math.MaxInt32)), int32(max(math.MinInt32, min(math.MaxInt32, days))),
		micros+r.Int64N(3)-1)
}

func drawBytes(r *rand.Rand, of ...byte) []byte {
	out := make([]byte, r.IntN(5))
	for i := range out {
		out[i] = of[r.IntN(len(of))]
	}
	return out
}

func drawJSON(r *rand.Rand) []byte {
	texts := []string{`1`, `1.0`, `1.00`, `null`, `"a"`, `[]`, `[1, 1.0]`, `[1.0, 1]`, `{"a": 1}`, `{"a": 1.0}`, `{"b": 1, "aa": 2}`, `true`, `-3e2`}
	out, err := jsonb.Normalize(nil, []byte(texts[r.IntN(len(texts))]))
	if err != nil {
		panic(err)
	}
	return out
}

// drawArray is an array or record; a record has two fields of fixed kinds, as the values of one type do.
func drawArray(r *rand.Rand, k repr.Kind) repr.Datum {
	if k == repr.KindRecord {
		return repr.Record([]repr.Datum{draw(r, repr.KindNumeric), draw(r, repr.KindText)})
	}
	elems := make([]repr.Datum, r.IntN(4))
	for i := range elems {
		elems[i] = draw(r, repr.KindNumeric)
	}
	return repr.Array(elems)
}

// storable are the kinds that values are stored in.
func storable() []repr.Kind {
	var out []repr.Kind
	for k := repr.KindBool; k < repr.KindVoid; k++ {
		out = append(out, k)
	}
	return out
}
