package op

import (
	"slices"

	"millrace/repr"
)

// windowSum is the running state of an aggregate over rows that come, and, but for an extreme, go.
type windowSum struct {
	words  []int64
	object repr.Accumulator
	best   repr.Datum // of an extreme; among equals the one that came last
	count  int64      // rows that count
}

func newSum(fn *repr.Aggregate) windowSum {
	s := windowSum{}
	if fn.Words > 0 {
		s.words = make([]int64, fn.Words)
	}
	if fn.New != nil {
		s.object = fn.New()
	}
	return s
}

func (s *windowSum) clone() windowSum {
	c := windowSum{words: slices.Clone(s.words), best: s.best.Clone(), count: s.count}
	if s.object != nil {
		c.object = s.object.Clone()
	}
	return c
}

// counts says whether a row counts for an aggregate.
func (f *windowFunc) counts(vals []repr.Datum) bool {
	if f.Filter >= 0 && !(vals[f.Filter].Kind() == repr.KindBool && vals[f.Filter].Bool()) {
		return false
	}
	return !f.Agg.SkipNulls || len(f.Args) == 0 || !vals[f.Args[0]].IsNull()
}

// add adds a row n times, or takes it away.
func (s *windowSum) add(f *windowFunc, vals []repr.Datum, n repr.Diff) {
	if !f.counts(vals) {
		return
	}
	s.count += n
	var arg repr.Datum
	if len(f.Args) > 0 {
		arg = vals[f.Args[0]]
	}
	switch {
	case f.Agg.Words > 0:
		f.Agg.Add(s.words, arg, n)
	case f.Agg.New != nil:
		s.object.Add(f.argsOf(nil, vals), n)
	case f.Agg.Extreme != 0:
		if s.count == n || repr.Compare(arg, s.best)*f.Agg.Extreme >= 0 {
			s.best = arg
		}
	}
}

func (f *windowFunc) argsOf(dst, vals []repr.Datum) []repr.Datum {
	for _, c := range f.Args {
		dst = append(dst, vals[c])
	}
	return dst
}

// value is the aggregate of the rows.
func (s *windowSum) value(fn *repr.Aggregate) (repr.Datum, *repr.Error) {
	switch {
	case s.count == 0:
		return fn.Empty, nil
	case fn.Words > 0:
		return fn.Result(s.words)
	case fn.New != nil:
		return s.object.Result()
	}
	return s.best, nil
}
