package oracle

import (
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/sql/expr"
	"millrace/sql/lower"
	"millrace/sql/opt"
	"millrace/sql/rel"
)

// TestOracleOfGrowth is TestOracle for plans over tables of which most only grow: operators that keep winners alone are held
// to the interpreter and to those that keep all candidates, and what is said of plans to their output.
func TestOracleOfGrowth(t *testing.T) {
	t.Parallel()
	plans, winners := 400, 0
	if testing.Short() {
		plans = 120
	}
	for seed := range uint64(plans) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 4)), budget: 14}
		grows := map[uint64]bool{}
		for _, table := range tables {
			grows[table.ID] = g.IntN(5) > 0
		}
		plan := overGrowing(g.contest(g.plan(2, nil)), grows)
		if keepsWinners(t, plan) {
			winners++
		}
		oracleOf(t, seed, plan, false, grows)
		if t.Failed() {
			return
		}
	}
	if winners < plans/10 {
		t.Errorf("%d of %d plans keep winners alone", winners, plans)
	}
}

// contest has the rows of a plan compete: by min and max, or for the first places of groups.
func (g *generator) contest(in rel.Rel) rel.Rel {
	cols := in.Columns()
	switch g.IntN(4) {
	case 0:
		return in
	case 1:
		arg := g.intExpr(cols, nil, 0)
		n := &rel.Reduce{Input: in, Aggs: []rel.Agg{{Fn: minOf, Args: []expr.Scalar{arg}, Typ: int8Type, Name: "lo"},
			{Fn: maxOf, Args: []expr.Scalar{arg}, Typ: int8Type, Name: "hi", Distinct: g.IntN(2) == 0}}, Names: []string{"k", "lo", "hi"}}
		n.Keys = []expr.Scalar{rel.ColumnOf(cols, g.IntN(len(cols)))}
		if g.IntN(2) == 0 {
			n.Aggs[1].Filter = callOf(lessFunc, arg, intConst(3))
		}
		return n
	default:
		n := &rel.TopK{Input: in, Limit: intConst(int64(1 + g.IntN(3))), Order: []rel.ColOrder{{Col: g.IntN(len(cols)), Desc: g.IntN(2) == 0}}}
		if g.IntN(3) > 0 {
			n.Group = []int{g.IntN(len(cols))}
		}
		switch g.IntN(4) {
		case 0:
			n.Offset = intConst(int64(g.IntN(3)))
		case 1:
			n.Limit = intConst(20) // too many for a list
		}
		return n
	}
}

// overGrowing is a plan that knows which tables only grow.
func overGrowing(r rel.Rel, grows map[uint64]bool) rel.Rel {
	return rel.TransformDeep(r, func(r rel.Rel, _ int) rel.Rel {
		get, ok := r.(*rel.Get)
		if !ok || !grows[get.ID] {
			return r
		}
		c := *get
		c.Grows = true
		return &c
	})
}

func keepsWinners(t *testing.T, plan rel.Rel) bool {
	t.Helper()
	r, err := opt.Decorrelate(plan)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(lower.FormatNodes(lowered(t, opt.Optimize(&opt.Context{Env: &expr.Env{}}, r), lower.Options{})), " winners")
}
