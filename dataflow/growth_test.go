package dataflow

import (
	"context"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/arrangement"
	"millrace/repr"
)

// growing are graphs of operators over an input that only grows, each with its plain version.
func growing() []testCase {
	topK := func(limit, offset int64) func() *Graph {
		return func() *Graph {
			g := graphOfTopK()
			o := g.Nodes[g.Output].Op.(TopK)
			o.Limit, o.Offset, o.Grows = limit, offset, true
			g.Nodes[g.Output].Op = o
			return g
		}
	}
	return []testCase{
		{name: "top-k as a list", graph: topK(3, 1), plain: plainTopK},
		{name: "min and max", graph: func() *Graph {
			g := graphOfFiltered()
			o := g.Nodes[g.Output].Op.(Reduce)
			o.Grows = true
			g.Nodes[g.Output].Op = o
			return g
		}, plain: plainFiltered},
	}
}

// TestGrowingInputs drives operators that keep winners alone with histories of insertions, and holds the sum of their output
// to the plain version, with 1, 2 and 8 workers, whose outputs must be byte for byte the same. Then a row is taken back.
func TestGrowingInputs(t *testing.T) {
	t.Parallel()
	for _, tc := range growing() {
		for seed := range uint64(15) {
			growingHistory(t, &tc, seed)
		}
	}
}

func growingHistory(t *testing.T, tc *testCase, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 9))
	flows := []*Dataflow{New(tc.graph(), Options{Workers: 1}), New(tc.graph(), Options{Workers: 2}), New(tc.graph(), Options{Workers: 8})}
	in, sum := rows{}, rows{}
	for tick := repr.Time(1); tick < 25; tick++ {
		b := arrangement.NewBuilder()
		for range rng.IntN(12) {
			row := []repr.Datum{repr.Numeric(int64(rng.IntN(4)), 0), repr.Int8(int64(rng.IntN(60)))}
			if rng.IntN(8) == 0 {
				row[1] = repr.Null
			}
			b.Add(repr.AppendRow(nil, row), 1)
			in.add(row, 1)
		}
		delta := map[uint64]Delta{1: {OK: b.Seal()}}
		var first Delta
		for i, f := range flows {
			out := mustStep(t, f, tick, delta)
			if i == 0 {
				first = out
				collect(sum, out.OK)
			} else if !same(first.OK, out.OK) {
				t.Fatalf("%s, seed %d, time %d: outputs of 1 and %d workers differ", tc.name, seed, tick, len(f.workers))
			}
		}
		if want, _ := tc.plain(in, nil); !maps.Equal(sum, want) {
			t.Fatalf("%s, seed %d, time %d: got %s\nwant %s", tc.name, seed, tick, show(sum), show(want))
		}
	}
	for k := range in {
		for _, f := range flows {
			_, err := f.Step(context.Background(), 100, map[uint64]Delta{1: delta([]byte(k), -1)})
			if code(err) != repr.CodeInternal || !strings.Contains(err.Error(), f.graph.Nodes[f.graph.Output].Label) {
				t.Fatalf("%s: a retraction gives %v", tc.name, err)
			}
		}
		break
	}
}
