package oracle

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/lower"
	"millrace/sql/rel"
)

// compared are the comparisons that bound pairs.
var compared = []*expr.Func{
	compare("<", func(c int) bool { return c < 0 }),
	compare("<=", func(c int) bool { return c <= 0 }),
	compare(">", func(c int) bool { return c > 0 }),
	compare(">=", func(c int) bool { return c >= 0 }),
}

// rangeTree is a random join of any kind with one to three comparisons, with an equality beside them or without, and what may
// follow it.
func (g *generator) rangeTree() rel.Rel {
	left, right := g.joinInput(), g.joinInput()
	if g.IntN(3) == 0 {
		right = &rel.Reduce{Input: right, Keys: []expr.Scalar{g.intColumn(right)}[:g.IntN(2)], Aggs: []rel.Agg{{Fn: countAll, Typ: int8Type}}}
	}
	nl := len(left.Columns())
	x, y := g.intColumn(left), rel.ShiftColumns(g.intColumn(right), 0, nl)
	var on []expr.Scalar
	for range 1 + g.IntN(3) {
		a, b := x, y
		switch g.IntN(3) { // one side stays, so that two comparisons may be a span
		case 0:
			a = g.intColumn(left)
		case 1:
			b = rel.ShiftColumns(g.intColumn(right), 0, nl)
		}
		if g.IntN(2) == 0 {
			a, b = b, a
		}
		on = append(on, callOf(compared[g.IntN(len(compared))], a, b))
	}
	if g.IntN(2) == 0 {
		on = append(on, callOf(eqFunc, g.intColumn(left), rel.ShiftColumns(g.intColumn(right), 0, nl)))
	}
	if g.IntN(6) == 0 {
		on = append(on, callOf(lessFunc, callOf(divFunc, x, y), intConst(2)))
	}
	kinds := []rel.JoinKind{rel.JoinInner, rel.JoinInner, rel.JoinInner, rel.JoinLeft, rel.JoinRight, rel.JoinFull, rel.JoinSemi, rel.JoinAnti}
	var tree rel.Rel = &rel.Join{Kind: kinds[g.IntN(len(kinds))], Left: left, Right: right, On: on}
	switch g.IntN(4) {
	case 0:
		tree = &rel.Map{Input: tree, Exprs: []expr.Scalar{callOf(divFunc, g.intColumn(tree), g.intColumn(tree))}}
	case 1:
		tree = &rel.Project{Input: tree, Cols: []int{g.IntN(len(tree.Columns()))}}
	}
	return tree
}

// TestRangeJoins holds range joins, with 1, 2 and 8 workers, to joins that try each pair, after every step of random
// histories in which both sides change at once. A row with a NULL bound has no pair, and what else it computes cannot fail then, as
// with a key that is NULL. At the end all rows go, and with them everything that was put out.
func TestRangeJoins(t *testing.T) {
	t.Parallel()
	seen := 0
	for seed := range uint64(500) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 21)), budget: 14}
		if rangeJoined(t, seed, g.rangeTree()) {
			seen++
		}
	}
	if seen < 400 {
		t.Errorf("only %d plans had a range join", seen)
	}
}

func rangeJoined(t *testing.T, seed uint64, plan rel.Rel) bool {
	t.Helper()
	ranged, plain := lowered(t, plan, lower.Options{}), lowered(t, plan, lower.Options{NoRanges: true})
	flows := []*dataflow.Dataflow{
		dataflow.New(plain, dataflow.Options{}),
		dataflow.New(ranged, dataflow.Options{}),
		dataflow.New(ranged, dataflow.Options{Workers: 2}),
		dataflow.New(ranged, dataflow.Options{Workers: 8}),
	}
	errs := make([]map[string]repr.Diff, len(flows))
	h := &history{Rand: rand.New(rand.NewPCG(seed, 22)), tables: map[uint64][]counted{}}
	for at := range repr.Time(7) {
		in := h.step()
		if at == 6 {
			in = h.clear(in)
		}
		first := ""
		for i, f := range flows {
			out, err := f.Step(context.Background(), at, in)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = batchText(out.OK)
			}
			if errs[i] == nil {
				errs[i] = map[string]repr.Diff{}
			}
			addTo(errs[i], out.Err)
			if got := batchText(out.OK); got != first || countOfErrors(errs[i]) > countOfErrors(errs[0]) || i > 1 && !maps.Equal(errs[i], errs[1]) {
				t.Fatalf("seed %d at %d: dataflow %d gives\n%s(%d errors), want\n%s(%d errors)\nplan\n%s\nnodes\n%s", seed, at, i,
					got, countOfErrors(errs[i]), first, countOfErrors(errs[0]), rel.Format(plan), lower.FormatNodes(ranged))
			}
		}
	}
	for i, sum := range errs {
		if len(sum) > 0 {
			t.Fatalf("seed %d: dataflow %d leaves %d errors of no rows\n%s", seed, i, len(sum), rel.Format(plan))
		}
	}
	return slices.ContainsFunc(ranged.Nodes, func(n dataflow.Node) bool {
		_, ok := n.Op.(dataflow.RangeJoin)
		return ok
	})
}
