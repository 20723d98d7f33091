package dataflow

import (
	"millrace/repr"
)

// countRows and countValues are counts that a reduce keeps without calling them; total and mean share their state.
var (
	countRows = &repr.Aggregate{Name: "count", Words: 1, Counts: true, Add: countStar.Add, Result: countStar.Result}

	countValues = &repr.Aggregate{Name: "count", Words: 1, Counts: true, SkipNulls: true, Add: countStar.Add, Result: countStar.Result}

	total = withTotal("total", func(sum, _ int64) int64 { return sum })
	mean  = withTotal("mean", func(sum, n int64) int64 { return sum / n })
)

// withTotal is an aggregate of the sum and the number of values.
func withTotal(name string, of func(sum, n int64) int64) *repr.Aggregate {
	add := func(st []int64, n int64, d repr.Diff) { st[0], st[1] = st[0]+n*d, st[1]+d }
	return &repr.Aggregate{Name: name, Words: 2, SkipNulls: true, State: "total", AddInt: add,
		Add: func(st []int64, a repr.Datum, d repr.Diff) { add(st, a.Int(), d) },
		Result: func(st []int64) (repr.Datum, *repr.Error) {
			if st[1] == 0 {
				return repr.Null, nil
			}
			return repr.Int8(of(st[0], st[1])), nil
		}}
}

// graphOfShared has aggregates that share the words of a group, with filters and without.
func graphOfShared() *Graph {
	g := &Graph{}
	arg := []int{0}
	g.Output = g.Add(Reduce{Keys: 1, New: withLow, Aggs: []AggSpec{
		{Fn: countRows, Filter: 1}, {Fn: total, Args: arg, Filter: -1}, {Fn: countRows, Filter: -1}, {Fn: mean, Args: arg, Filter: -1},
		{Fn: mean, Args: arg, Filter: 1}, {Fn: total, Args: arg, Filter: 1}, {Fn: countValues, Args: arg, Filter: -1},
		{Fn: countValues, Args: arg, Filter: 1}, {Fn: sumInt, Args: arg, Filter: 1}, {Fn: countRows, Filter: -1},
		{Fn: countRows, Args: arg, Filter: -1, Distinct: true, Direct: true}, {Fn: total, Args: arg, Filter: -1, Distinct: true, Direct: true},
	}}, "reduce", g.Add(Input{1}, "a"))
	return g
}

// withLow is a row behind its key, and whether its value is low.
func withLow() RowFunc {
	pick := columns(1, 0, 1)()
	return func(dst, row []byte) ([]byte, bool, *repr.Error) {
		dst, _, _ = pick(dst, row)
		return repr.Append(dst, repr.Bool(isLow(repr.DecodeRow(nil, row)[1]))), true, nil
	}
}

func isLow(d repr.Datum) bool { return !d.IsNull() && d.Int() < 30 }

func plainShared(a, _ rows) (rows, rows) {
	out, errs := rows{}, rows{}
	for _, ws := range group(a, nil) {
		var n, values, sum, lows, lowSum, each int64
		seen := map[string]bool{}
		for _, w := range ws {
			n += w.d
			v := w.row[1]
			if k := string(repr.Append(nil, v)); !seen[k] {
				seen[k] = true
				each += v.Int()
			}
			if v.IsNull() {
				continue
			}
			values, sum = values+w.d, sum+v.Int()*w.d
			if isLow(v) {
				lows, lowSum = lows+w.d, lowSum+v.Int()*w.d
			}
		}
		if n > 0 && lowSum > 200 {
			errs.add(ws[0].row[:1], 1)
			continue
		}
		distinct := int64(len(seen))
		over := func(sum, n, by int64) repr.Datum {
			if n == 0 {
				return repr.Null
			}
			return repr.Int8(sum / by)
		}
		distinctValues := distinct
		if seen[string(repr.Append(nil, repr.Null))] {
			distinctValues--
		}
		out.add([]repr.Datum{ws[0].row[0].Canonical(), repr.Int8(lows), over(sum, values, 1), repr.Int8(n), over(sum, values, max(values, 1)),
			over(lowSum, lows, max(lows, 1)), over(lowSum, lows, 1), repr.Int8(values), repr.Int8(lows), repr.Int8(lowSum), repr.Int8(n),
			repr.Int8(distinct), over(each, distinctValues, 1)}, 1)
	}
	return out, errs
}
