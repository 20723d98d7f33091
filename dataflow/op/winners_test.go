package op

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"millrace/arrangement"
	"millrace/repr"
)

// topKSteps takes batches of rows through one kind of top-k, and gives the sum of its output after each step.
func topKSteps(key *Placing, step func(arrangement.Batch, *arrangement.Builder), batches []map[string]repr.Diff) []map[string]repr.Diff {
	sum := map[string]repr.Diff{}
	var out []map[string]repr.Diff
	for _, rows := range batches {
		b, made := arrangement.NewBuilder(), arrangement.NewBuilder()
		for row, n := range rows {
			b.Keep(key.Key(b.Open(), []byte(row)), n)
		}
		step(b.Seal(), made)
		for i, v := 0, made.View(); i < v.Len(); i++ {
			if sum[string(v.Row(i))] += v.Diff(i); sum[string(v.Row(i))] == 0 {
				delete(sum, string(v.Row(i)))
			}
		}
		out = append(out, maps.Clone(sum))
	}
	return out
}

// growingRows are batches of rows that only come: a key that prints in two ways, an order with NULLs, and a text.
func growingRows(rng *rand.Rand) []map[string]repr.Diff {
	var out []map[string]repr.Diff
	for range 40 {
		rows := map[string]repr.Diff{}
		for range rng.IntN(12) {
			key := int64(rng.IntN(4))
			row := []repr.Datum{repr.Numeric(key, 0), repr.Int8(int64(rng.IntN(40))), repr.Text(fmt.Sprint(rng.IntN(3)))}
			if rng.IntN(4) == 0 {
				row[0] = repr.Numeric(10*key, 1)
			}
			if rng.IntN(8) == 0 {
				row[1] = repr.Null
			}
			rows[string(repr.AppendRow(nil, row))] += repr.Diff(1 + rng.IntN(4)/3)
		}
		out = append(out, rows)
	}
	return out
}

// TestTopKOfGrowingRows holds what keeps winners alone to a top-k that keeps all rows, after every step.
func TestTopKOfGrowingRows(t *testing.T) {
	t.Parallel()
	order := []Order{{Col: 1, Desc: true, NullsFirst: true}}
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 5))
		batches := growingRows(rng)
		limit, offset := int64(rng.IntN(5)), int64(rng.IntN(3)*rng.IntN(4))
		place := Placing{Group: []int{0}, Order: order}
		if seed%5 == 0 {
			place.Group = nil
			limit *= 10
		}
		all, cut, list := NewTopK(), NewTopK(), NewWinners()
		all.Placing, all.Limit, all.Offset = place, limit, offset
		cut.Placing, cut.Limit, cut.Offset, cut.Grows = place, limit, offset, true
		list.Placing, list.Limit, list.Offset = place, limit, offset
		want := topKSteps(&all.Placing, all.Step, batches)
		for name, got := range map[string][]map[string]repr.Diff{
			"cut":  topKSteps(&cut.Placing, cut.Step, batches),
			"list": topKSteps(&list.Placing, list.Step, batches),
		} {
			for i := range want {
				if !maps.Equal(got[i], want[i]) {
					t.Fatalf("seed %d, limit %d, offset %d, step %d: %s gives %d rows, want %d", seed, limit, offset, i, name, len(got[i]), len(want[i]))
				}
			}
		}
		// Four keys that print in two ways each are four groups.
		if most := 4 * (limit + offset); cut.Rows() > most || list.Rows() > most {
			t.Fatalf("seed %d: %d and %d rows are held for 4 groups of %d", seed, cut.Rows(), list.Rows(), limit+offset)
		}
	}
}

// TestWinnersHoldLittle has many rows beat one another in few groups: what is held does not grow with them.
func TestWinnersHoldLittle(t *testing.T) {
	t.Parallel()
	w := NewWinners()
	w.Group, w.Order, w.Limit = []int{0}, []Order{{Col: 1, Desc: true}}, 3
	var early int64
	for i := range int64(3000) {
		b := arrangement.NewBuilder()
		for g := range int64(100) {
			row := repr.AppendRow(nil, []repr.Datum{repr.Int8(g), repr.Int8(i), repr.Text(fmt.Sprint("a text of some length ", i))})
			b.Keep(w.Key(b.Open(), row), 1)
		}
		w.Step(b.View(), arrangement.NewBuilder())
		if i == 30 {
			early = w.Bytes()
		}
	}
	if w.Rows() != 300 {
		t.Errorf("%d rows are held", w.Rows())
	}
	if most := early + 4<<20; w.Bytes() > most {
		t.Errorf("%d bytes are held for 300 rows", w.Bytes())
	}
}

// TestReduceOfGrowingRows holds min and max that keep winners alone to those with an index, after every step.
func TestReduceOfGrowingRows(t *testing.T) {
	t.Parallel()
	lo, hi := &repr.Aggregate{Name: "min", Extreme: -1, SkipNulls: true}, &repr.Aggregate{Name: "max", Extreme: 1, SkipNulls: true}
	count := &repr.Aggregate{Name: "count", Words: 1, Add: countWord, Result: wordOf}
	newReduce := func(grows bool) *Reduce {
		r := &Reduce{Keys: 1, Grows: grows, Aggs: []Agg{
			{Fn: lo, Args: []int{1}, Filter: -1, Direct: true}, {Fn: hi, Args: []int{1}, Filter: -1, Direct: true},
			{Fn: hi, Args: []int{0}, Filter: -1}, {Fn: lo, Args: []int{0}, Filter: 2}, {Fn: hi, Args: []int{1}, Filter: 2, Direct: true, Distinct: true},
			{Fn: count, Filter: -1}, {Fn: count, Args: []int{1}, Filter: -1, Distinct: true, Direct: true},
		}}
		r.Init()
		return r
	}
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 6))
		all, winners := newReduce(false), newReduce(true)
		sums := [2]map[string]repr.Diff{{}, {}}
		for step := range 30 {
			b := arrangement.NewBuilder()
			for range rng.IntN(10) {
				// A key, a numeric that prints in two ways, an integer or NULL, and a condition.
				n := int64(rng.IntN(20))
				row := []repr.Datum{repr.Int8(int64(rng.IntN(3))), repr.Numeric(n, 0), repr.Int8(int64(rng.IntN(50))), repr.Bool(rng.IntN(2) == 0)}
				if rng.IntN(2) == 0 {
					row[1] = repr.Numeric(10*n, 1)
				}
				if rng.IntN(5) == 0 {
					row[2] = repr.Null
				}
				b.Add(repr.AppendRow(nil, row), 1)
			}
			for k, r := range []*Reduce{all, winners} {
				out := arrangement.NewBuilder()
				r.Step(b.View(), out, &Errors{Rows: arrangement.NewBuilder()})
				for i, v := 0, out.View(); i < v.Len(); i++ {
					if sums[k][string(v.Row(i))] += v.Diff(i); sums[k][string(v.Row(i))] == 0 {
						delete(sums[k], string(v.Row(i)))
					}
				}
			}
			if !maps.Equal(sums[0], sums[1]) {
				t.Fatalf("seed %d, step %d: %d rows with an index, %d without, or other ones", seed, step, len(sums[0]), len(sums[1]))
			}
		}
		for _, x := range winners.indexed {
			if x.rows != nil || x.bytes() != 0 {
				t.Fatal("an index is kept")
			}
		}
	}
}
