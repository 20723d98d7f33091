package fn

import (
	"math"
	"math/big"
	"math/bits"

	"millrace/repr"
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
		AddInt: func(state []int64, n int64, diff repr.Diff) {
			state[0] += n * diff
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
	if !arg.IsNull() {
		addWideInt(state, arg.Int(), diff)
	}
}

func addWideInt(state []int64, n int64, diff repr.Diff) {
	state[0], state[1] = add128(state[0], state[1], n, diff)
	state[2] += diff
}

// wideState names the state of addWide.
const wideState = "sum of 128 bits, count"

// add128 adds n × diff to 128 bits.
func add128(high, low, n, diff int64) (h, l int64) {
	hi, lo := bits.Mul64(uint64(n), uint64(diff))
	if n < 0 {
		hi -= uint64(diff)
	}
	if diff < 0 {
		hi -= uint64(n)
	}
	sum, carry := bits.Add64(uint64(low), lo, 0)
	hi, _ = bits.Add64(uint64(high), hi, carry)
	return int64(hi), int64(sum)
}

// wideSum is the sum that addWide keeps.
func wideSum(state []int64) repr.Datum { return numericOf128(state[0], state[1], 0) }

// numericOf128 is the numeric whose coefficient has 128 bits.
func numericOf128(high, low int64, scale int32) repr.Datum {
	if high == low>>63 {
		return repr.Numeric(low, scale)
	}
	return repr.NumericFromBig(big128(high, low), scale)
}

func big128(high, low int64) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(high), 64)
	return n.Add(n, new(big.Int).SetUint64(uint64(low)))
}

func sumWide([]repr.Type, repr.Type) *repr.Aggregate {
	return &repr.Aggregate{
		Words: 3, Add: addWide, AddInt: addWideInt, State: wideState, SkipNulls: true,
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
		Words: 3, Add: addWide, AddInt: addWideInt, State: wideState, SkipNulls: true,
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

func (s *exactSum) clone() exactSum {
	c := exactSum{exp: s.exp}
	c.sum.Set(&s.sum)
	return c
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

// Clone is a copy with a state of its own.
func (s *floatSum) Clone() repr.Accumulator {
	c := s.clone()
	return &c
}

func (s *floatSum) clone() floatSum {
	return floatSum{kind: s.kind, average: s.average, exact: s.exact.clone(), count: s.count, specials: s.specials}
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
