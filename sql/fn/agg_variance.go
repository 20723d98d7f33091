package fn

import (
	"math"
	"math/big"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// varianceAggregates are the variances and standard deviations.
var varianceAggregates = makeVariances()

// spread says which of the variances is meant.
type spread struct {
	sample bool
	root   bool
}

func makeVariances() []aggRow {
	var out []aggRow
	for _, v := range []struct {
		name string
		spread
	}{
		{"variance", spread{sample: true}}, {"var_samp", spread{sample: true}}, {"var_pop", spread{}},
		{"stddev", spread{sample: true, root: true}}, {"stddev_samp", spread{sample: true, root: true}}, {"stddev_pop", spread{root: true}},
	} {
		for _, t := range []string{"smallint", "integer", "bigint", "numeric"} {
			out = append(out, aggRow{sig: v.name + "(" + t + ") numeric", make: accumulate(func() repr.Accumulator {
				return &numericSpread{spread: v.spread}
			})})
		}
		for _, t := range []string{"real", "double precision"} {
			out = append(out, aggRow{sig: v.name + "(" + t + ") double precision", make: accumulate(func() repr.Accumulator {
				return &floatSpread{spread: v.spread}
			})})
		}
	}
	out = append(out, aggRow{sig: "regr_count(double precision, double precision) bigint", make: countOfPairs})
	for _, p := range pairResults {
		out = append(out, aggRow{sig: p.name + "(double precision, double precision) double precision", make: accumulate(func() repr.Accumulator {
			return &floatPairs{compute: p.compute}
		})})
	}
	return out
}

// numericSpread keeps the sums of values and of their squares.
type numericSpread struct {
	spread
	values  numericSum
	squares numericSum
}

// Clone is a copy with a state of its own.
func (s *numericSpread) Clone() repr.Accumulator {
	return &numericSpread{spread: s.spread, values: s.values.clone(), squares: s.squares.clone()}
}

// Add adds a value.
func (s *numericSpread) Add(args []repr.Datum, diff repr.Diff) {
	d := args[0]
	if d.IsNull() {
		return
	}
	if d.Kind() != kNumeric {
		d = repr.Numeric(d.Int(), 0)
	}
	s.values.Add([]repr.Datum{d}, diff)
	if !d.NumericFinite() {
		return
	}
	coef, scale := pgfmt.NumericBig(d)
	s.squares.Add([]repr.Datum{repr.NumericFromBig(new(big.Int).Mul(coef, coef), int32(2*scale))}, diff)
}

// Result is the variance or its root.
func (s *numericSpread) Result() (repr.Datum, *repr.Error) {
	n := s.values.count
	if n == 0 || s.sample && n == 1 {
		return repr.Null, nil
	}
	if _, _, special := s.values.special(); special {
		return repr.NumericNaN, nil
	}
	sum, count := s.values.total(), repr.Numeric(n, 0)
	squared, err := mulNumeric(sum, sum)
	if err != nil {
		return repr.Null, err
	}
	scaled, err := mulNumeric(count, s.squares.total())
	if err != nil {
		return repr.Null, err
	}
	top, err := subNumeric(scaled, squared)
	if err != nil {
		return repr.Null, err
	}
	if top.NumericSign() <= 0 {
		return repr.Numeric(0, 0), nil
	}
	bottom := n
	if s.sample {
		bottom--
	}
	below, err := mulNumeric(count, repr.Numeric(bottom, 0))
	if err != nil {
		return repr.Null, err
	}
	scale := divScale(top, below)
	v, err := quotient(top, below, scale)
	if err != nil || !s.root {
		return v, err
	}
	return sqrtTo(v, scale), nil
}

// floatSpread keeps the exact sums of values and of their squares.
type floatSpread struct {
	spread
	values  floatSum
	squares exactSum
}

// Clone is a copy with a state of its own.
func (s *floatSpread) Clone() repr.Accumulator {
	return &floatSpread{spread: s.spread, values: s.values.clone(), squares: s.squares.clone()}
}

// Add adds a value.
func (s *floatSpread) Add(args []repr.Datum, diff repr.Diff) {
	if args[0].IsNull() {
		return
	}
	s.values.Add(args, diff)
	if f := args[0].Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
		s.squares.addSquare(f, diff)
	}
}

// Result is the variance or its root.
func (s *floatSpread) Result() (repr.Datum, *repr.Error) {
	n := s.values.count
	if n == 0 || s.sample && n == 1 {
		return repr.Null, nil
	}
	if _, _, special := s.values.result(); special {
		return repr.Float8(math.NaN()), nil
	}
	v := deviation(n, &s.squares, &s.values.exact, &s.values.exact)
	if s.sample {
		v /= float64(n - 1)
	} else {
		v /= float64(n)
	}
	if s.root {
		v = math.Sqrt(v)
	}
	return repr.Float8(v), nil
}

// deviation is Σxy - ΣxΣy/n, rounded once.
func deviation(n int64, xy, x, y *exactSum) float64 {
	const precision = 4300 // more bits than the products of doubles span
	product := new(big.Float).SetPrec(precision).Mul(x.value(), y.value())
	product.Quo(product, new(big.Float).SetPrec(precision).SetInt64(n))
	f, _ := new(big.Float).SetPrec(precision).Sub(xy.value(), product).Float64()
	return f
}

// pairSums are what the aggregates of pairs are computed from.
type pairSums struct {
	n             int64
	sxx, syy, sxy float64
	avgX, avgY    float64
}

// floatPairs keeps the sums of pairs of which neither is NULL.
type floatPairs struct {
	compute func(p pairSums) (float64, bool)
	n       int64
	odd     int64 // pairs with a NaN or an infinity
	x, y    exactSum
	xx, yy  exactSum
	xy      exactSum
}

// Clone is a copy with a state of its own.
func (s *floatPairs) Clone() repr.Accumulator {
	return &floatPairs{compute: s.compute, n: s.n, odd: s.odd, x: s.x.clone(), y: s.y.clone(),
		xx: s.xx.clone(), yy: s.yy.clone(), xy: s.xy.clone()}
}

// Add adds a pair (y, x), in the order of SQL.
func (s *floatPairs) Add(args []repr.Datum, diff repr.Diff) {
	if args[0].IsNull() || args[1].IsNull() {
		return
	}
	y, x := args[0].Float(), args[1].Float()
	s.n += diff
	if math.IsNaN(x+y) || math.IsInf(x, 0) || math.IsInf(y, 0) {
		s.odd += diff
		return
	}
	s.x.addFloat(x, diff)
	s.y.addFloat(y, diff)
	s.xx.addSquare(x, diff)
	s.yy.addSquare(y, diff)
	s.xy.addProduct(x, y, diff)
}

// Result is the aggregate, NULL where it is not defined.
func (s *floatPairs) Result() (repr.Datum, *repr.Error) {
	if s.n == 0 {
		return repr.Null, nil
	}
	if s.odd != 0 {
		return repr.Float8(math.NaN()), nil
	}
	f, ok := s.compute(pairSums{
		n: s.n, sxx: deviation(s.n, &s.xx, &s.x, &s.x), syy: deviation(s.n, &s.yy, &s.y, &s.y),
		sxy: deviation(s.n, &s.xy, &s.x, &s.y), avgX: s.x.float() / float64(s.n), avgY: s.y.float() / float64(s.n),
	})
	if !ok {
		return repr.Null, nil
	}
	return repr.Float8(f), nil
}

// pairResults are the aggregates of pairs; false where one is not defined.
var pairResults = []struct {
	name    string
	compute func(p pairSums) (float64, bool)
}{
	{"covar_pop", func(p pairSums) (float64, bool) { return p.sxy / float64(p.n), true }},
	{"covar_samp", func(p pairSums) (float64, bool) { return p.sxy / float64(p.n-1), p.n > 1 }},
	{"corr", func(p pairSums) (float64, bool) { return p.sxy / math.Sqrt(p.sxx*p.syy), p.sxx != 0 && p.syy != 0 }},
	{"regr_slope", func(p pairSums) (float64, bool) { return p.sxy / p.sxx, p.sxx != 0 }},
	{"regr_intercept", func(p pairSums) (float64, bool) { return p.avgY - p.avgX*p.sxy/p.sxx, p.sxx != 0 }},
	{"regr_r2", func(p pairSums) (float64, bool) {
		if p.syy == 0 {
			return 1, p.sxx != 0
		}
		return p.sxy * p.sxy / (p.sxx * p.syy), p.sxx != 0
	}},
	{"regr_avgx", func(p pairSums) (float64, bool) { return p.avgX, true }},
	{"regr_avgy", func(p pairSums) (float64, bool) { return p.avgY, true }},
	{"regr_sxx", func(p pairSums) (float64, bool) { return p.sxx, true }},
	{"regr_syy", func(p pairSums) (float64, bool) { return p.syy, true }},
	{"regr_sxy", func(p pairSums) (float64, bool) { return p.sxy, true }},
}

// countOfPairs counts the rows in which neither value is NULL.
func countOfPairs(args []repr.Type, ret repr.Type) *repr.Aggregate {
	agg := accumulate(func() repr.Accumulator { return new(pairCount) })(args, ret)
	agg.Empty = repr.Int8(0)
	return agg
}

type pairCount struct{ n repr.Diff }

// Clone is a copy with a state of its own.
func (c *pairCount) Clone() repr.Accumulator {
	d := *c
	return &d
}

// Add counts a pair, or takes it back.
func (c *pairCount) Add(args []repr.Datum, diff repr.Diff) {
	if !args[0].IsNull() && !args[1].IsNull() {
		c.n += diff
	}
}

// Result is the count.
func (c *pairCount) Result() (repr.Datum, *repr.Error) { return repr.Int8(int64(c.n)), nil }
