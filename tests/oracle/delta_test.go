package oracle

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/lower"
	"millrace/sql/rel"
)

// joinTree makes a random tree of n inner joins over the tables, each maybe more than once, and what may follow it.
func (g *generator) joinTree(n int) rel.Rel {
	tree := g.joinInput()
	for range n {
		right := g.joinInput()
		if n > 3 && g.IntN(4) == 0 {
			more := g.joinInput()
			right = &rel.Join{Left: right, Right: more, On: g.between(right, more)}
		}
		tree = &rel.Join{Left: tree, Right: right, On: g.between(tree, right)}
		if g.IntN(6) == 0 {
			tree = &rel.Filter{Input: tree, Preds: []expr.Scalar{callOf(lessFunc, g.intColumn(tree), g.intColumn(tree))}}
		}
	}
	switch g.IntN(4) {
	case 0:
		tree = &rel.Map{Input: tree, Exprs: []expr.Scalar{callOf(divFunc, g.intColumn(tree), g.intColumn(tree))}}
	case 1:
		keys := []expr.Scalar{g.intColumn(tree)}
		tree = &rel.Reduce{Input: tree, Keys: keys, Aggs: []rel.Agg{{Fn: countAll, Typ: int8Type}}}
	case 2:
		tree = &rel.Project{Input: tree, Cols: []int{len(tree.Columns()) - 1, 0, g.IntN(len(tree.Columns()))}}
	}
	return tree
}

// joinInput is a table, sometimes filtered or with a computed column in place of its first.
func (g *generator) joinInput() rel.Rel {
	var r rel.Rel = tables[g.IntN(2)]
	// A calm tree joins the first table with itself more often than not.
	kinds := 6
	if g.calm {
		kinds, r = 2, tables[g.IntN(4)/3]
	}
	switch g.IntN(kinds) {
	case 0:
		r = &rel.Filter{Input: r, Preds: []expr.Scalar{callOf(lessFunc, intConst(0), g.intColumn(r))}}
	case 2:
		r = tables[2]
	case 3:
		cols := []int{len(r.Columns()), 1}
		r = &rel.Project{Input: &rel.Map{Input: r, Exprs: []expr.Scalar{callOf(divFunc, g.intColumn(r), g.intColumn(r))}}, Cols: cols}
	}
	return r
}

// intColumn is a random integer column.
func (g *generator) intColumn(r rel.Rel) expr.Scalar {
	cols := r.Columns()
	for {
		if i := g.IntN(len(cols)); cols[i].Type.Kind == repr.KindInt8 {
			return rel.ColumnOf(cols, i)
		}
	}
}

// between are conditions of a join; the first is an equality.
func (g *generator) between(left, right rel.Rel) []expr.Scalar {
	nl := len(left.Columns())
	r := func() expr.Scalar { return rel.ShiftColumns(g.intColumn(right), 0, nl) }
	on := []expr.Scalar{callOf(eqFunc, g.intColumn(left), r())}
	switch kind := g.IntN(5); {
	case kind == 0:
		on = append(on, callOf(lessFunc, g.intColumn(left), r()))
	case kind == 1 && !g.calm:
		on = append(on, callOf(lessFunc, callOf(divFunc, g.intColumn(left), r()), intConst(2)))
	case kind == 2:
		on = append(on, callOf(eqFunc, r(), g.intColumn(left)))
	}
	return on
}

// TestDeltaJoins holds delta joins, with 1, 2 and 8 workers, to the plan of binary joins after every step of random
// histories in which several inputs change at once and stand in the join more than once; at the end all rows go, and with
// them everything that was put out.
func TestDeltaJoins(t *testing.T) {
	t.Parallel()
	seen := 0
	for seed := range uint64(300) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 7)), budget: 14}
		plan := g.joinTree(2 + g.IntN(3))
		if deltaJoined(t, seed, plan) {
			seen++
		}
	}
	if seen < 150 {
		t.Errorf("only %d plans had a delta join", seen)
	}
}

func deltaJoined(t *testing.T, seed uint64, plan rel.Rel) bool {
	t.Helper()
	delta := lowered(t, plan, lower.Options{Joins: lower.DeltaJoins})
	flows := []*dataflow.Dataflow{
		dataflow.New(lowered(t, plan, lower.Options{Joins: lower.BinaryJoins}), dataflow.Options{}),
		dataflow.New(delta, dataflow.Options{}),
		dataflow.New(delta, dataflow.Options{Workers: 2}),
		dataflow.New(delta, dataflow.Options{Workers: 8}),
	}
	sums := make([]map[string]repr.Diff, len(flows))
	for i := range sums {
		sums[i] = map[string]repr.Diff{}
	}
	h := &history{Rand: rand.New(rand.NewPCG(seed, 8)), tables: map[uint64][]counted{}}
	for at := range repr.Time(6) {
		in := h.step()
		if at == 5 {
			in = h.clear(in)
		}
		var outs []string
		for i, f := range flows {
			out, err := f.Step(context.Background(), at, in)
			if err != nil {
				t.Fatal(err)
			}
			outs = append(outs, batchText(out.OK))
			for r := range out.Err.Len() {
				k := string(out.Err.Row(r))
				if sums[i][k] += out.Err.Diff(r); sums[i][k] == 0 {
					delete(sums[i], k)
				}
			}
			if outs[i] != outs[0] || countOfErrors(sums[i]) != countOfErrors(sums[0]) {
				t.Fatalf("seed %d at %d: dataflow %d gives\n%s(%d errors), want\n%s(%d errors)\nplan\n%s\nnodes\n%s", seed, at, i,
					outs[i], countOfErrors(sums[i]), outs[0], countOfErrors(sums[0]), rel.Format(plan), lower.FormatNodes(delta))
			}
		}
	}
	for i, sum := range sums {
		if len(sum) > 0 {
			t.Fatalf("seed %d: dataflow %d leaves %d errors of no rows\n%s", seed, i, len(sum), rel.Format(plan))
		}
	}
	for _, n := range delta.Nodes {
		if _, ok := n.Op.(dataflow.HalfJoin); ok {
			return true
		}
	}
	return false
}

// clear takes all rows away: what the tables hold after the step is taken back with it.
func (h *history) clear(in map[uint64]dataflow.Delta) map[uint64]dataflow.Delta {
	out := maps.Clone(in)
	for id, rows := range h.tables {
		b := arrangement.NewBuilder()
		for i := range in[id].OK.Len() {
			b.Add(in[id].OK.Row(i), in[id].OK.Diff(i))
		}
		for _, c := range rows {
			b.Add(repr.AppendRow(nil, c.row), -c.n)
		}
		out[id] = dataflow.Delta{OK: b.Seal()}
	}
	return out
}

func batchText(b arrangement.Batch) string {
	var out []byte
	for i := range b.Len() {
		out = fmt.Appendf(out, "%+d %x\n", b.Diff(i), b.Row(i))
	}
	return string(out)
}

func countOfErrors(m map[string]repr.Diff) (n repr.Diff) {
	for _, d := range m {
		n += d
	}
	return n
}
