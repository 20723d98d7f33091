package fn

import (
	"maps"
	"math/big"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// numericSum is an exact sum of numerics. As long as all values have one scale and coefficients of 64 bits, as those of a
// column of prices do, it is 128 bits and a count; a value that is otherwise makes it a mixedSum, until all is retracted.
type numericSum struct {
	average   bool
	scale     int32
	count     int64
	high, low int64     // the sum, at scale, while mixed is nil
	mixed     *mixedSum // nil while there is no need of it
}

// most128 bounds the upper half of a plain sum, so that the next value cannot overflow it.
const most128 = 1 << 61

// Add adds a value.
func (s *numericSum) Add(args []repr.Datum, diff repr.Diff) {
	d := args[0]
	if d.IsNull() {
		return
	}
	if s.mixed == nil && !s.addPlain(d, diff) {
		s.mixed = s.mix()
	}
	if s.mixed == nil {
		return
	}
	s.count += diff
	s.mixed.add(d, diff)
	if s.mixed.empty() {
		s.mixed, s.scale, s.high, s.low = nil, 0, 0, 0
	}
}

// addPlain adds a value if that leaves the sum plain.
func (s *numericSum) addPlain(d repr.Datum, diff repr.Diff) bool {
	n, scale, ok := d.NumericSmall()
	if !ok || !d.NumericFinite() {
		return false
	}
	if scale != s.scale {
		if s.count != 0 || s.high != 0 || s.low != 0 {
			return false
		}
		s.scale = scale
	}
	high, low := add128(s.high, s.low, n, diff)
	if high > most128 || high < -most128 {
		return false
	}
	s.high, s.low = high, low
	s.count += diff
	return true
}

// mix is the plain sum in the general form.
func (s *numericSum) mix() *mixedSum {
	m := &mixedSum{scale: s.scale, scales: map[int32]int64{}}
	m.sum.Set(big128(s.high, s.low))
	if s.count != 0 {
		m.scales[s.scale] = s.count
	}
	return m
}

// special is what the values that are no numbers make of the sum; ok is false when there are none.
func (s *numericSum) special() (nan bool, sign int, ok bool) {
	if s.mixed == nil {
		return false, 0, false
	}
	return s.mixed.result()
}

// total is the sum of the finite values, with the scale of the values that there are.
func (s *numericSum) total() repr.Datum {
	if s.mixed != nil {
		return s.mixed.total()
	}
	if s.count == 0 {
		return repr.Numeric(0, 0)
	}
	return numericOf128(s.high, s.low, s.scale)
}

// Result is the sum or the average.
func (s *numericSum) Result() (repr.Datum, *repr.Error) {
	if s.count == 0 {
		return repr.Null, nil
	}
	if nan, sign, ok := s.special(); ok {
		if nan {
			return repr.NumericNaN, nil
		}
		return infinite(sign), nil
	}
	sum := s.total()
	if s.average {
		return divNumeric(sum, repr.Numeric(s.count, 0))
	}
	if s.mixed == nil {
		return sum, nil
	}
	coef, scale := pgfmt.NumericBig(sum)
	return checked(coef, scale)
}

// Clone is a copy with a state of its own.
func (s *numericSum) Clone() repr.Accumulator {
	c := s.clone()
	return &c
}

func (s *numericSum) clone() numericSum {
	c := *s
	if s.mixed != nil {
		c.mixed = &mixedSum{scale: s.mixed.scale, scales: maps.Clone(s.mixed.scales), specials: s.mixed.specials}
		c.mixed.sum.Set(&s.mixed.sum)
	}
	return c
}

// mixedSum is an exact sum of any numerics at the largest scale seen, and how many values there are of each scale: the sum
// prints with the largest scale among them.
type mixedSum struct {
	sum    big.Int
	scale  int32
	scales map[int32]int64
	specials
	term big.Int
}

func (s *mixedSum) add(d repr.Datum, diff repr.Diff) {
	if !d.NumericFinite() {
		s.specials.add(d.NumericIsNaN(), d.NumericSign(), diff)
		return
	}
	scale := d.NumericScale()
	if s.scales[scale] += diff; s.scales[scale] == 0 {
		delete(s.scales, scale)
	}
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

// empty says that nothing is left of all values.
func (s *mixedSum) empty() bool {
	return len(s.scales) == 0 && s.specials == specials{} && s.sum.Sign() == 0
}

func (s *mixedSum) total() repr.Datum {
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
