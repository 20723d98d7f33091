package dataflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millrace/arrangement"
	"millrace/dataflow/op"
	"millrace/repr"
)

// edge is a row of the graphs of these tests: from, to, and a length.
type edge struct{ from, to, length int64 }

func (e edge) row() []byte {
	return repr.AppendRow(nil, []repr.Datum{repr.Int8(e.from), repr.Int8(e.to), repr.Int8(e.length)})
}

// loopCase is a recursive query as a graph over edges (1) and nodes to begin with (2), with a plain version.
type loopCase struct {
	name  string
	graph func() *Graph
	plain func(edges map[edge]repr.Diff, roots map[int64]repr.Diff) rows
	// acyclic says that the query ends only over graphs without cycles.
	acyclic bool
}

func loopCases() []loopCase {
	return []loopCase{
		{name: "reachability", graph: reachability, plain: plainReachability},
		{name: "paths", graph: paths, plain: plainPaths, acyclic: true},
		{name: "distances", graph: distances, plain: plainDistances},
		{name: "closure", graph: closure, plain: plainClosure},
		{name: "nearest", graph: nearest, plain: plainNearest},
		{name: "ranked", graph: ranked, plain: plainNearest},
		{name: "rounds", graph: rounds, plain: plainRounds},
		{name: "counts", graph: counts, plain: plainCounts},
	}
}

// project makes rows of the columns given, none of them keys.
func project(cols ...int) Map { return Map{New: columns(0, cols...)} }

// pick makes, of key, left and right values of integers, the ones at the places given.
func pick(places ...int) Join {
	return Join{New: func() JoinFunc {
		var in []repr.Datum
		return func(dst, key, l, r []byte) ([]byte, bool, *repr.Error) {
			in = repr.DecodeRow(repr.DecodeRow(repr.DecodeRow(in[:0], key), l), r)
			for _, p := range places {
				dst = repr.Append(dst, in[p])
			}
			return dst, true, nil
		}
	}}
}

// loopOf puts a body with one variable into a graph; enter are the inputs of the loop.
func loopOf(g *Graph, body *Graph, feedback NodeID, enter ...NodeID) {
	loop := g.Add(Loop{Body: body, Names: []string{"x"}, Feedback: []NodeID{feedback}, Results: []NodeID{feedback}}, "loop", enter...)
	g.Output = g.Add(LoopResult{}, "x", loop)
}

// reachability is the nodes that can be reached from the roots.
func reachability() *Graph {
	g := &Graph{}
	edges := g.Add(Arrange{Keys: 1, New: columns(1, 0, 1)}, "edges", g.Add(Input{1}, "edges"))
	b := &Graph{}
	x := b.Add(Arrange{Keys: 1, New: columns(1, 0)}, "x", b.Add(Variable{}, "x"))
	step := b.Add(pick(1), "step", x, b.Add(Enter{0}, "edges"))
	both := b.Add(Union{}, "both", b.Add(Enter{1}, "roots"), step)
	loopOf(g, b, b.Add(Threshold{Distinct: true}, "distinct", both), edges, g.Add(Input{2}, "roots"))
	return g
}

func plainReachability(edges map[edge]repr.Diff, roots map[int64]repr.Diff) rows {
	seen := map[int64]bool{}
	for r, n := range roots {
		seen[r] = n > 0
	}
	for changed := true; changed; {
		changed = false
		for e := range edges {
			if seen[e.from] && !seen[e.to] {
				seen[e.to], changed = true, true
			}
		}
	}
	out := rows{}
	for n, ok := range seen {
		if ok {
			out.add([]repr.Datum{repr.Int8(n)}, 1)
		}
	}
	return out
}

// paths is each node as often as there are paths to it: what UNION ALL gives.
func paths() *Graph {
	g := &Graph{}
	edges := g.Add(Arrange{Keys: 1, New: columns(1, 0, 1)}, "edges", g.Add(Input{1}, "edges"))
	b := &Graph{}
	x := b.Add(Arrange{Keys: 1, New: columns(1, 0)}, "x", b.Add(Variable{}, "x"))
	step := b.Add(pick(1), "step", x, b.Add(Enter{0}, "edges"))
	loopOf(g, b, b.Add(Union{}, "both", b.Add(Enter{1}, "roots"), step), edges, g.Add(Input{2}, "roots"))
	return g
}

func plainPaths(edges map[edge]repr.Diff, roots map[int64]repr.Diff) rows {
	out := rows{}
	now := maps.Clone(roots)
	for len(now) > 0 {
		next := map[int64]repr.Diff{}
		for n, d := range now {
			out.add([]repr.Datum{repr.Int8(n)}, d)
		}
		for e, d := range edges {
			if now[e.from] != 0 {
				next[e.to] += d * now[e.from]
			}
		}
		now = next
	}
	return out
}

// distances is the least length of a way from a root to each node, by a minimum within the loop.
func distances() *Graph {
	g := &Graph{}
	edges := g.Add(Arrange{Keys: 1, New: columns(1, 0, 1, 2)}, "edges", g.Add(Input{1}, "edges"))
	roots := g.Add(Map{New: func() RowFunc {
		return func(dst, row []byte) ([]byte, bool, *repr.Error) {
			return repr.Append(append(dst, row...), repr.Int8(0)), true, nil
		}
	}}, "roots", g.Add(Input{2}, "roots"))
	b := &Graph{}
	x := b.Add(Arrange{Keys: 1, New: columns(1, 0, 1)}, "x", b.Add(Variable{}, "x"))
	step := b.Add(Join{New: func() JoinFunc {
		var l, r []repr.Datum
		return func(dst, _, left, right []byte) ([]byte, bool, *repr.Error) {
			l, r = repr.DecodeRow(l[:0], left), repr.DecodeRow(r[:0], right)
			return repr.Append(repr.Append(dst, r[0]), repr.Int8(l[0].Int()+r[1].Int())), true, nil
		}
	}}, "step", x, b.Add(Enter{0}, "edges"))
	both := b.Add(Union{}, "both", b.Add(Enter{1}, "roots"), step)
	least := Reduce{Keys: 1, New: columns(1, 0, 1), Aggs: []AggSpec{{Fn: minAgg, Args: []int{0}, Filter: -1}}}
	loopOf(g, b, b.Add(least, "least", both), edges, roots)
	return g
}

func plainDistances(edges map[edge]repr.Diff, roots map[int64]repr.Diff) rows {
	dist := map[int64]int64{}
	for r := range roots {
		dist[r] = 0
	}
	for changed := true; changed; {
		changed = false
		for e := range edges {
			d, ok := dist[e.from]
			if old, known := dist[e.to]; ok && (!known || d+e.length < old) {
				dist[e.to], changed = d+e.length, true
			}
		}
	}
	out := rows{}
	for n, d := range dist {
		out.add([]repr.Datum{repr.Int8(n), repr.Int8(d)}, 1)
	}
	return out
}

// closure is the transitive closure, the variable joined with itself.
func closure() *Graph {
	g := &Graph{}
	edges := g.Add(project(0, 1), "edges", g.Add(Input{1}, "edges"))
	b := &Graph{}
	x := b.Add(Variable{}, "x")
	left := b.Add(Arrange{Keys: 1, New: columns(1, 1, 0)}, "x by to", x)
	right := b.Add(Arrange{Keys: 1, New: columns(1, 0, 1)}, "x by from", x)
	both := b.Add(Union{}, "both", b.Add(Enter{0}, "edges"), b.Add(pick(1, 2), "step", left, right))
	loopOf(g, b, b.Add(Threshold{Distinct: true}, "distinct", both), edges)
	return g
}

func plainClosure(edges map[edge]repr.Diff, _ map[int64]repr.Diff) rows {
	all := map[[2]int64]bool{}
	for e := range edges {
		all[[2]int64{e.from, e.to}] = true
	}
	for n := -1; n != len(all); {
		n = len(all)
		for a := range maps.Clone(all) {
			for b := range maps.Clone(all) {
				if a[1] == b[0] {
					all[[2]int64{a[0], b[1]}] = true
				}
			}
		}
	}
	out := rows{}
	for p := range all {
		out.add([]repr.Datum{repr.Int8(p[0]), repr.Int8(p[1])}, 1)
	}
	return out
}

// nearest is, of each node, the two least nodes that reach it (itself among them), by a top-k of a distinct within the loop.
func nearest() *Graph {
	return nearestBy(func(b *Graph, once NodeID) NodeID {
		return b.Add(TopK{Group: []int{0}, Order: []OrderCol{{Col: 1}}, Limit: 2}, "top-k", once)
	})
}

// ranked is nearest by the number of a row in its partition.
func ranked() *Graph {
	return nearestBy(func(b *Graph, once NodeID) NodeID {
		number := op.WindowFunc{Kind: op.WindowRowNumber, Filter: -1, Distance: -1, Default: -1}
		numbered := b.Add(Window{Width: 2, Partition: []int{0}, Order: []OrderCol{{Col: 1}}, Funcs: []op.WindowFunc{number}}, "window", once)
		return b.Add(Map{New: func() RowFunc {
			var in []repr.Datum
			return func(dst, row []byte) ([]byte, bool, *repr.Error) {
				in = repr.DecodeRow(in[:0], row)
				return repr.AppendRow(dst, in[:2]), in[2].Int() <= 2, nil
			}
		}}, "first two", numbered)
	})
}

func nearestBy(two func(b *Graph, once NodeID) NodeID) *Graph {
	g := &Graph{}
	edges := g.Add(Arrange{Keys: 1, New: columns(1, 0, 1)}, "edges", g.Add(Input{1}, "edges"))
	b := &Graph{}
	roots := g.Add(project(0, 0), "roots", g.Add(Input{2}, "roots"))
	x := b.Add(Arrange{Keys: 1, New: columns(1, 0, 1)}, "x", b.Add(Variable{}, "x"))
	step := b.Add(pick(2, 1), "step", x, b.Add(Enter{0}, "edges"))
	both := b.Add(Union{}, "both", b.Add(Enter{1}, "roots"), step)
	once := b.Add(Threshold{Distinct: true}, "distinct", both)
	loopOf(g, b, two(b, once), edges, roots)
	return g
}

func plainNearest(edges map[edge]repr.Diff, roots map[int64]repr.Diff) rows {
	near := map[int64][]int64{}
	offer := func(n, from int64) bool {
		if slices.Contains(near[n], from) {
			return false
		}
		old := near[n]
		list := append(slices.Clone(old), from)
		slices.Sort(list)
		near[n] = list[:min(2, len(list))]
		return !slices.Equal(near[n], old)
	}
	for r := range roots {
		offer(r, r)
	}
	for changed := true; changed; {
		changed = false
		for e := range edges {
			for _, from := range slices.Clone(near[e.from]) {
				changed = offer(e.to, from) || changed
			}
		}
	}
	out := rows{}
	for n, list := range near {
		for _, from := range list {
			out.add([]repr.Datum{repr.Int8(n), repr.Int8(from)}, 1)
		}
	}
	return out
}

// rounds is what three rounds of reachability give, whether it has come to an end or not.
func rounds() *Graph {
	g := reachability()
	for i := range g.Nodes {
		if o, ok := g.Nodes[i].Op.(Loop); ok {
			o.Limit, o.KeepAtLimit = 3, true
			g.Nodes[i].Op = o
		}
	}
	return g
}

func plainRounds(edges map[edge]repr.Diff, roots map[int64]repr.Diff) rows {
	seen := map[int64]bool{}
	for r := range roots {
		seen[r] = true
	}
	for range 2 {
		old := maps.Clone(seen)
		for e := range edges {
			if old[e.from] {
				seen[e.to] = true
			}
		}
	}
	out := rows{}
	for n := range seen {
		out.add([]repr.Datum{repr.Int8(n)}, 1)
	}
	return out
}

// counts counts what has been reached, as a single number that is there from the start, and adds its rows as a node:
// the number 100 plus the count. It is not monotone, and limited to five rounds.
func counts() *Graph {
	g := &Graph{}
	edges := g.Add(Arrange{Keys: 1, New: columns(1, 0, 1)}, "edges", g.Add(Input{1}, "edges"))
	b := &Graph{}
	v := b.Add(Variable{}, "x")
	x := b.Add(Arrange{Keys: 1, New: columns(1, 0)}, "x", v)
	step := b.Add(pick(1), "step", x, b.Add(Enter{0}, "edges"))
	count := b.Add(Reduce{New: columns(0), Aggs: []AggSpec{{Fn: countStar, Filter: -1}}, Default: repr.Append(nil, repr.Int8(0))}, "count", v)
	more := b.Add(Map{New: func() RowFunc {
		return func(dst, row []byte) ([]byte, bool, *repr.Error) {
			d, _ := repr.Decode(row)
			return repr.Append(dst, repr.Int8(d.Int()+100)), true, nil
		}
	}}, "more", count)
	both := b.Add(Union{}, "both", b.Add(Enter{1}, "roots"), step, more)
	loopOf(g, b, b.Add(Threshold{Distinct: true}, "distinct", both), edges, g.Add(Input{2}, "roots"))
	loop := g.Nodes[len(g.Nodes)-2].Op.(Loop)
	loop.Limit, loop.KeepAtLimit = 5, true
	g.Nodes[len(g.Nodes)-2].Op = loop
	return g
}

func plainCounts(edges map[edge]repr.Diff, roots map[int64]repr.Diff) rows {
	seen := map[int64]bool{}
	for range 5 {
		next := map[int64]bool{int64(100 + len(seen)): true}
		for r := range roots {
			next[r] = true
		}
		for e := range edges {
			if seen[e.from] {
				next[e.to] = true
			}
		}
		seen = next
	}
	out := rows{}
	for n := range seen {
		out.add([]repr.Datum{repr.Int8(n)}, 1)
	}
	return out
}

// TestLoopsAgainstRecomputation holds loops over graphs whose edges come and go to the naive fixpoint after every step,
// with 1, 2 and 8 workers, whose outputs must be byte for byte the same.
func TestLoopsAgainstRecomputation(t *testing.T) {
	t.Parallel()
	for _, tc := range loopCases() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(12) {
				loopHistory(t, &tc, seed)
			}
		})
	}
}

func loopHistory(t *testing.T, tc *loopCase, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 9))
	flows := flowsOf(tc.graph)
	edges, roots, sum := map[edge]repr.Diff{}, map[int64]repr.Diff{}, rows{}
	for tick := repr.Time(1); tick < 25; tick++ {
		late := rng.IntN(4) == 0
		for chunk := range 1 + rng.IntN(3) {
			in := randomEdges(rng, edges, roots, tc.acyclic)
			var first Delta
			for i, f := range flows {
				f.Postpone(late)
				out := mustStep(t, f, tick, in)
				if late {
					f.Postpone(false)
					more := mustStep(t, f, tick, nil)
					if out.OK.Len() > 0 {
						t.Fatalf("seed %d, time %d, chunk %d: output of a loop that is postponed", seed, tick, chunk)
					}
					out = more
				}
				if i == 0 {
					first = out
					collect(sum, out.OK)
				} else if !same(first.OK, out.OK) || !same(first.Err, out.Err) {
					t.Fatalf("seed %d, time %d: outputs of 1 and %d workers differ", seed, tick, len(f.workers))
				}
			}
		}
		if want := tc.plain(edges, roots); !maps.Equal(sum, want) {
			t.Fatalf("seed %d, time %d: got %s\nwant %s\nedges %v\nroots %v", seed, tick, show(sum), show(want), edges, roots)
		}
	}
}

func mustStep(t testing.TB, f *Dataflow, at repr.Time, in map[uint64]Delta) Delta {
	t.Helper()
	out, err := f.Step(context.Background(), at, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// randomEdges changes a graph of few nodes.
func randomEdges(rng *rand.Rand, edges map[edge]repr.Diff, roots map[int64]repr.Diff, acyclic bool) map[uint64]Delta {
	const nodes = 9
	eb, rb := arrangement.NewBuilder(), arrangement.NewBuilder()
	for range rng.IntN(5) {
		e := edge{int64(rng.IntN(nodes)), int64(rng.IntN(nodes)), int64(1 + rng.IntN(5))}
		if acyclic && e.from >= e.to {
			continue
		}
		edges[e]++
		eb.Add(e.row(), 1)
	}
	list := slices.SortedFunc(maps.Keys(edges), func(a, b edge) int { return bytes.Compare(a.row(), b.row()) })
	for _, e := range list {
		if rng.IntN(7) == 0 {
			eb.Add(e.row(), -edges[e])
			delete(edges, e)
		}
	}
	n := int64(rng.IntN(nodes))
	switch d := repr.Diff(1 + rng.IntN(2)); {
	case rng.IntN(3) > 0:
	case roots[n] > 0:
		rb.Add(repr.Append(nil, repr.Int8(n)), -roots[n])
		delete(roots, n)
	default:
		rb.Add(repr.Append(nil, repr.Int8(n)), d)
		roots[n] = d
	}
	return map[uint64]Delta{1: {OK: eb.Seal()}, 2: {OK: rb.Seal()}}
}

// TestLoopThatDoesNotEnd has paths run in a circle: at the limit that is an error, which goes when the circle does.
func TestLoopThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 8} {
		f, errs := New(paths(), Options{Workers: workers, MaxIterations: 50}), rows{}
		step := func(tick repr.Time, in map[uint64]Delta) int {
			collect(errs, mustStep(t, f, tick, in).Err)
			return len(errs)
		}
		circle, back := delta(edge{1, 2, 1}.row(), 1), delta(edge{2, 1, 1}.row(), 1)
		if n := step(1, map[uint64]Delta{1: circle, 2: delta(repr.Append(nil, repr.Int8(1)), 1)}); n != 0 {
			t.Fatalf("%d errors without a circle", n)
		}
		if n := step(2, map[uint64]Delta{1: back}); n != 1 {
			t.Fatalf("%d errors with a circle", n)
		}
		for k := range errs {
			if e, _ := DecodeErr([]byte(k)); e.Code != repr.CodeStatementTooComplex || e.Message != `the recursive query "x" did not end within 50 iterations` {
				t.Fatalf("got %v", e)
			}
		}
		if n := step(3, map[uint64]Delta{1: delta(edge{2, 1, 1}.row(), -1)}); n != 0 {
			t.Fatalf("%d errors when the circle has gone", n)
		}
	}
}

func delta(row []byte, d repr.Diff) Delta {
	b := arrangement.NewBuilder()
	b.Add(row, d)
	return Delta{OK: b.Seal()}
}

// TestLoopIsStopped runs loops without an end: by a cancel, by the memory they may take, and by counts that double.
func TestLoopIsStopped(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Workers: 1}, {Workers: 2}, {Workers: 2, InTurn: -1}} {
		in := map[uint64]Delta{1: delta(edge{1, 1, 1}.row(), 1), 2: delta(repr.Append(nil, repr.Int8(1)), 1)}
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
		if _, err := New(paths(), o).Step(ctx, 1, in); err != why {
			t.Errorf("cancel: %v", err)
		}
		in[1] = delta(edge{1, 1, 1}.row(), 2)
		if _, err := New(paths(), o).Step(context.Background(), 1, in); code(err) != repr.CodeStatementTooComplex {
			t.Errorf("doubling: %v", err)
		}
		o.MaxLoopBytes = 1 << 20
		if _, err := New(multiplying(), o).Step(context.Background(), 1, in); code(err) != repr.CodeOutOfMemory {
			t.Errorf("memory: %v", err)
		}
	}
}

func code(err error) string {
	var e *repr.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

// multiplying makes, of each row n, rows 2n and 2n+1.
func multiplying() *Graph {
	g := &Graph{}
	b := &Graph{}
	double := b.Add(FlatMap{New: func() FlatFunc {
		return func(row []byte, emit func([]byte) bool) *repr.Error {
			d, _ := repr.Decode(row)
			for i := range int64(2) {
				if !emit(repr.Append(nil, repr.Int8(2*d.Int()+i))) {
					return nil
				}
			}
			return nil
		}
	}}, "double", b.Add(Variable{}, "x"))
	both := b.Add(Union{}, "both", b.Add(Enter{0}, "roots"), double)
	loopOf(g, b, b.Add(Threshold{Distinct: true}, "distinct", both), g.Add(Input{2}, "roots"))
	return g
}

// BenchmarkReachability loads a random graph of 100,000 edges over 50,000 nodes, and then adds and takes away one edge at
// a time.
func BenchmarkReachability(b *testing.B) {
	const edges, nodes = 100_000, 50_000
	rng := rand.New(rand.NewPCG(1, 1))
	all := make([]edge, edges)
	builder := arrangement.NewBuilder()
	for i := range all {
		all[i] = edge{rng.Int64N(nodes), rng.Int64N(nodes), int64(i)}
		builder.Add(all[i].row(), 1)
	}
	in := map[uint64]Delta{1: {OK: builder.Seal()}, 2: delta(repr.Append(nil, repr.Int8(all[0].from)), 1)}
	load := func() (*Dataflow, int) {
		f := New(reachability(), Options{})
		return f, mustStep(b, f, 1, in).OK.Len()
	}
	b.Run("load", func(b *testing.B) {
		reached := 0
		for b.Loop() {
			_, reached = load()
		}
		b.ReportMetric(float64(reached), "rows")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/edges, "ns/edge")
	})
	b.Run("edge", func(b *testing.B) {
		f, _ := load()
		changed, tick := 0, repr.Time(2)
		for b.Loop() {
			e := all[rng.IntN(edges)]
			for _, d := range []repr.Diff{-1, 1} {
				changed += mustStep(b, f, tick, map[uint64]Delta{1: delta(e.row(), d)}).OK.Len()
				tick++
			}
		}
		b.ReportMetric(float64(changed)/float64(2*b.N), "rows/change")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*b.N), "ns/change")
	})
}

// BenchmarkChain loads a chain of 10,000 edges, one iteration each, and then takes away and puts back its last edge, and its
// first one, on which all others depend.
func BenchmarkChain(b *testing.B) {
	const edges = 10_000
	builder := arrangement.NewBuilder()
	for i := range int64(edges) {
		builder.Add(edge{i, i + 1, 1}.row(), 1)
	}
	in := map[uint64]Delta{1: {OK: builder.Seal()}, 2: delta(repr.Append(nil, repr.Int8(0)), 1)}
	load := func() *Dataflow {
		f := New(reachability(), Options{})
		if n := mustStep(b, f, 1, in).OK.Len(); n != edges+1 {
			b.Fatalf("%d nodes", n)
		}
		return f
	}
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			load()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/edges, "ns/iteration")
	})
	for name, at := range map[string]int64{"last": edges - 1, "first": 0} {
		b.Run(name, func(b *testing.B) {
			f, tick := load(), repr.Time(2)
			for b.Loop() {
				for _, d := range []repr.Diff{-1, 1} {
					mustStep(b, f, tick, map[uint64]Delta{1: delta(edge{at, at + 1, 1}.row(), d)})
					tick++
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*b.N), "ns/change")
		})
	}
}
