package fn

import (
	"math"
	"math/big"
	"math/bits"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// sumAggregates are sums and averages. Those of integers are words that a retraction changes back; those of numerics and
// floats are exact sums, so that a retraction leaves nothing behind whatever the order of changes.
var sumAggregates = []aggRow{
	{sig: "sum(smallint) bigint", make: sumSmall},
	{sig: "sum(integer) bigint", make: sumSmall},
	{sig: "sum(bigint) numeric", make: sumWide},
	{sig: "sum(numeric) numeric", make: accumulate(func() repr.Accumulator { return &numericSum{} })},
	{sig: "sum(real) real", make: accumulate(func() repr.Accumulator { return &floatSum{kind: kFloat4} })},
	{sig: "sum(double precision) double precision", make: accumulate(func() repr.Accumulator { return &floatSum{kind: kFloat8} })},
	{sig: "sum(interval) interval", make: sumInterval(false)},
	{sig: "avg(smallint) numeric", make: averageInt},
	{sig: "avg(integer) numeric", make: averageInt},
	{sig: "avg(bigint) numeric", make: averageInt},
	{sig: "avg(numeric) numeric", make: accumulate(func() repr.Accumulator { return &numericSum{average: true} })},
	{sig: "avg(real) double precision", make: accumulate(func() repr.Accumulator { return &floatSum{kind: kFloat8, average: true} })},
	{sig: "avg(double precision) double precision", make: accumulate(func() repr.Accumulator { return &floatSum{kind: kFloat8, average: true} })},
	{sig: "avg(interval) interval", make: sumInterval(true)},
}

// accumulate makes an aggregate of an accumulator.
func accumulate(start func() repr.Accumulator) func([]repr.Type, repr.Type) *repr.Aggregate {
	return func([]repr.Type, repr.Type) *repr.Aggregate {
		return &repr.Aggregate{New: start, SkipNulls: true}
	}
}

// sumSmall keeps the sum and the count of values, for a sum over none is NULL.
func sumSmall([]repr.Type, repr.Type) *repr.Aggregate {
	return &repr.Aggregate{
		Words: 2,
		Add: func(state []int64, arg repr.Datum, diff repr.Diff) {
			if arg.IsNull() {
				return
			}
			state[0] += arg.Int() * diff
			state[1] += diff
		},
		Result: func(state []int64) (repr.Datum, *repr.Error) {
			if state[1] == 0 {
				return repr.Null, nil
			}
			return repr.Int8(state[0]), nil
		},
		SkipNulls: true,
	}
}

// addWide adds n × diff to the 128 bits of state[0] (high) and state[1] (low), and diff to the count.
func addWide(state []int64, arg repr.Datum, diff repr.Diff) {
	if arg.IsNull() {
		return
	}
	n := arg.Int()
	hi, lo := bits.Mul64(uint64(n), uint64(diff))
	if n < 0 {
		hi -= uint64(diff)
	}
	if diff < 0 {
		hi -= uint64(n)
	}
	low, carry := bits.Add64(uint64(state[1]), lo, 0)
	high, _ := bits.Add64(uint64(state[0]), hi, carry)
	state[0], state[1] = int64(high), int64(low)
	state[2] += diff
}

// wideSum is the sum that addWide keeps.
func wideSum(state []int64) repr.Datum {
	if state[0] == state[1]>>63 {
		return repr.Numeric(state[1], 0)
	}
	n := new(big.Int).Lsh(big.NewInt(state[0]), 64)
	return repr.NumericFromBig(n.Add(n, new(big.Int).SetUint64(uint64(state[1]))), 0)
}

func sumWide([]repr.Type, repr.Type) *repr.Aggregate {
	return &repr.Aggregate{
		Words: 3, Add: addWide, SkipNulls: true,
		Result: func(state []int64) (repr.Datum, *repr.Error) {
			if state[2] == 0 {
				return repr.Null, nil
			}
			return wideSum(state), nil
		},
	}
}

func averageInt([]repr.Type, repr.Type) *repr.Aggregate {
	return &repr.Aggregate{
		Words: 3, Add: addWide, SkipNulls: true,
		Result: func(state []int64) (repr.Datum, *repr.Error) {
			if state[2] == 0 {
				return repr.Null, nil
			}
			return divNumeric(wideSum(state), repr.Numeric(state[2], 0))
		},
	}
}

// specials count the values that are no numbers.
type specials struct{ nan, pos, neg int64 }

func (s *specials) add(nan bool, sign int, diff int64) {
	switch {
	case nan:
		s.nan += diff
	case sign > 0:
		s.pos += diff
	default:
		s.neg += diff
	}
}

// result is what the values that are no numbers make of a sum; ok is false when there are none.
func (s *specials) result() (nan bool, sign int, ok bool) {
	switch {
	case s.nan != 0, s.pos != 0 && s.neg != 0:
		return true, 0, true
	case s.pos != 0:
		return false, 1, true
	case s.neg != 0:
		return false, -1, true
	default:
		return false, 0, false
	}
}

// numericSum is an exact sum of numerics at the largest scale seen, and how many values there are of each scale: the sum
// prints with the largest scale among them.
type numericSum struct {
	average bool
	sum     big.Int
	scale   int32
	count   int64
	scales  map[int32]int64
	specials
	term big.Int
}

// Add adds a value.
func (s *numericSum) Add(args []repr.Datum, diff repr.Diff) {
	d := args[0]
	if d.IsNull() {
		return
	}
	s.count += diff
	if !d.NumericFinite() {
		s.add(d.NumericIsNaN(), d.NumericSign(), diff)
		return
	}
	scale := d.NumericScale()
	s.countScale(scale, diff)
	if n, _, ok := d.NumericSmall(); ok {
		s.term.SetInt64(n)
	} else {
		coef, _ := pgfmt.NumericBig(d)
		s.term.Set(coef)
	}
	if diff != 1 {
		s.term.Mul(&s.term, big.NewInt(diff))
	}
	switch {
	case scale > s.scale:
		s.sum.Mul(&s.sum, pgfmt.BigPow10(int(scale-s.scale)))
		s.scale = scale
	case scale < s.scale:
		s.term.Mul(&s.term, pgfmt.BigPow10(int(s.scale-scale)))
	}
	s.sum.Add(&s.sum, &s.term)
}

func (s *numericSum) countScale(scale int32, diff int64) {
	if s.scales == nil {
		s.scales = map[int32]int64{}
	}
	if s.scales[scale] += diff; s.scales[scale] == 0 {
		delete(s.scales, scale)
	}
}

// total is the sum of the finite values, with the scale of the values that there are.
func (s *numericSum) total() repr.Datum {
	scale := int32(0)
	for k := range s.scales {
		scale = max(scale, k)
	}
	sum := new(big.Int).Set(&s.sum)
	if scale < s.scale {
		sum.Quo(sum, pgfmt.BigPow10(int(s.scale-scale))) // exact: nothing with more digits is left
	}
	return repr.NumericFromBig(sum, scale)
}

// Result is the sum or the average.
func (s *numericSum) Result() (repr.Datum, *repr.Error) {
	if s.count == 0 {
		return repr.Null, nil
	}
	if nan, sign, ok := s.result(); ok {
		if nan {
			return repr.NumericNaN, nil
		}
		return infinite(sign), nil
	}
	sum := s.total()
	if s.average {
		return divNumeric(sum, repr.Numeric(s.count, 0))
	}
	coef, scale := pgfmt.NumericBig(sum)
	return checked(coef, scale)
}

// exactSum is a sum of floats as an integer times a power of two; nothing is ever rounded.
type exactSum struct {
	sum  big.Int
	exp  int
	term big.Int
}

// split is a finite float as an integer times a power of two.
func split(f float64) (mantissa int64, exp int) {
	frac, exp := math.Frexp(f)
	return int64(frac * (1 << 53)), exp - 53
}

func (s *exactSum) addFloat(f float64, diff int64) {
	if f == 0 {
		return
	}
	mantissa, exp := split(f)
	s.term.SetInt64(mantissa)
	s.addTerm(exp, diff)
}

// addSquare adds f², exactly.
func (s *exactSum) addSquare(f float64, diff int64) { s.addProduct(f, f, diff) }

// addProduct adds f × g, exactly.
func (s *exactSum) addProduct(f, g float64, diff int64) {
	if f == 0 || g == 0 {
		return
	}
	m, e := split(f)
	n, d := split(g)
	s.term.Mul(big.NewInt(m), big.NewInt(n))
	s.addTerm(e+d, diff)
}

// addTerm adds the term, times 2 to the power of exp, times diff.
func (s *exactSum) addTerm(exp int, diff int64) {
	if diff != 1 {
		s.term.Mul(&s.term, big.NewInt(diff))
	}
	if s.sum.Sign() == 0 {
		s.exp = exp
	}
	switch {
	case exp > s.exp:
		s.term.Lsh(&s.term, uint(exp-s.exp))
	case exp < s.exp:
		s.sum.Lsh(&s.sum, uint(s.exp-exp))
		s.exp = exp
	}
	s.sum.Add(&s.sum, &s.term)
}

// value is the sum, with precision enough for any computation that rounds in the end.
func (s *exactSum) value() *big.Float {
	f := new(big.Float).SetPrec(uint(max(64, s.sum.BitLen()))).SetInt(&s.sum)
	return f.SetMantExp(f, s.exp)
}

// float is the sum to the nearest.
func (s *exactSum) float() float64 {
	f, _ := s.value().Float64()
	return f
}

// floatSum is the sum or average of floats.
type floatSum struct {
	kind    repr.Kind
	average bool
	exact   exactSum
	count   int64
	specials
}

// Add adds a value.
func (s *floatSum) Add(args []repr.Datum, diff repr.Diff) {
	if args[0].IsNull() {
		return
	}
	s.count += diff
	f := args[0].Float()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		s.add(math.IsNaN(f), int(sign(math.Copysign(1, f))), diff)
		return
	}
	s.exact.addFloat(f, diff)
}

// Result is the sum or the average.
func (s *floatSum) Result() (repr.Datum, *repr.Error) {
	if s.count == 0 {
		return repr.Null, nil
	}
	if nan, sign, ok := s.result(); ok {
		if nan {
			return makeFloat(s.kind, math.NaN()), nil
		}
		return makeFloat(s.kind, math.Inf(sign)), nil
	}
	f := s.exact.float()
	if s.average {
		f /= float64(s.count)
	}
	d := makeFloat(s.kind, f)
	if math.IsInf(d.Float(), 0) {
		return repr.Null, floatOverflow()
	}
	return d, nil
}

// sumInterval keeps months, days, microseconds (128 bits) and the count.
func sumInterval(average bool) func([]repr.Type, repr.Type) *repr.Aggregate {
	return func([]repr.Type, repr.Type) *repr.Aggregate {
		return &repr.Aggregate{
			Words: 5,
			Add: func(state []int64, arg repr.Datum, diff repr.Diff) {
				if arg.IsNull() {
					return
				}
				months, days, micros := arg.IntervalParts()
				state[0] += int64(months) * diff
				state[1] += int64(days) * diff
				addWide(state[2:], repr.Int8(micros), diff)
			},
			Result: func(state []int64) (repr.Datum, *repr.Error) {
				n := state[4]
				if n == 0 {
					return repr.Null, nil
				}
				if state[2] != state[3]>>63 {
					return repr.Null, intervalRange()
				}
				d, err := makeInterval(state[0], state[1], state[3])
				if err != nil || !average {
					return d, err
				}
				return scaleInterval(d, func(x float64) float64 { return x / float64(n) })
			},
			SkipNulls: true,
		}
	}
}
