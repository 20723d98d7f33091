package oracle

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/lower"
	"millrace/sql/rel"
)

// sharer keeps the arrangements that a plan may share, and a dataflow that imports them and is made late.
type sharer struct {
	t       *testing.T
	rng     *rand.Rand
	workers int
	planned *lower.Planned
	imports map[dataflow.NodeID]dataflow.Import
	arrs    []*dataflow.Arrangement
	sum     map[uint64]*arrangement.Builder // the collections so far
	errs    map[string]repr.Diff
	ok      map[string]repr.Diff
	flow    *dataflow.Dataflow
	was     []*dataflow.Content // what the imports held when the dataflow was last stepped
	missed  []map[uint64]dataflow.Delta
}

func newSharer(t *testing.T, rng *rand.Rand, planned *lower.Planned, workers int) *sharer {
	s := &sharer{t: t, rng: rng, workers: workers, planned: planned, imports: map[dataflow.NodeID]dataflow.Import{},
		sum: map[uint64]*arrangement.Builder{}, errs: map[string]repr.Diff{}, ok: map[string]repr.Diff{}}
	for i, a := range planned.Arranged {
		s.imports[a.Node] = dataflow.Import{Arrangement: 1<<63 + uint64(i), Keys: a.Op.Keys}
		s.arrs = append(s.arrs, s.arrangement(i))
	}
	for _, t := range tables {
		s.sum[t.ID] = arrangement.NewBuilder()
	}
	return s
}

func (s *sharer) arrangement(i int) *dataflow.Arrangement {
	return dataflow.NewArrangement(s.planned.Arranged[i].Op, "shared", dataflow.Options{Workers: s.workers})
}

// stepArrangements is the part of a tick before the views.
func (s *sharer) stepArrangements(in map[uint64]dataflow.Delta) {
	for id, d := range in {
		for i := range d.OK.Len() {
			s.sum[id].Add(d.OK.Row(i), d.OK.Diff(i))
		}
	}
	for i, a := range s.planned.Arranged {
		if err := s.arrs[i].Step(context.Background(), in[a.Collection]); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *sharer) settle() {
	for _, a := range s.arrs {
		a.Settle()
		a.Work(s.rng.IntN(100))
		a.Settle()
	}
}

func (s *sharer) contents() []*dataflow.Content {
	out := make([]*dataflow.Content, len(s.arrs))
	for i, a := range s.arrs {
		out[i] = a.Content()
	}
	return out
}

// fill makes the dataflow and fills it with all there is, in chunks.
func (s *sharer) fill(at repr.Time) {
	g := s.planned.Graph.WithImports(s.imports)
	s.flow = dataflow.New(g, dataflow.Options{Workers: s.workers})
	s.was = s.contents()
	numbers, contents := map[int][]uint64{}, map[int][]*dataflow.Content{}
	for i, a := range s.planned.Arranged {
		numbers[a.Unit] = append(numbers[a.Unit], 1<<63+uint64(i))
		contents[a.Unit] = append(contents[a.Unit], s.was[i])
	}
	units := slices.Sorted(maps.Keys(numbers))
	for _, i := range s.rng.Perm(len(units)) {
		u := units[i]
		for in := range s.flow.Fill(numbers[u], contents[u], 1+s.rng.IntN(5)) {
			s.step(at, in)
		}
	}
	for _, t := range tables {
		if g.Reads(t.ID) {
			s.step(at, map[uint64]dataflow.Delta{t.ID: {OK: s.sum[t.ID].Seal()}})
		}
	}
	s.step(at, nil)
}

// tick steps the dataflow with its arrangements, or lets it miss the tick.
func (s *sharer) tick(at repr.Time, in map[uint64]dataflow.Delta) {
	switch {
	case s.rng.IntN(3) == 0:
		s.missed = append(s.missed, in)
	case len(s.missed) > 0:
		s.catchUp(at, append(s.missed, in))
		s.missed = nil
	default:
		all := maps.Clone(in)
		for i, a := range s.arrs {
			all[1<<63+uint64(i)] = a.Delta()
		}
		s.step(at, all)
		s.was = s.contents()
	}
}

// catchUp takes the dataflow through several ticks as one.
func (s *sharer) catchUp(at repr.Time, missed []map[uint64]dataflow.Delta) {
	all := map[uint64]dataflow.Delta{}
	for _, t := range tables {
		all[t.ID] = dataflow.Sum(func(yield func(dataflow.Delta) bool) {
			for _, in := range missed {
				yield(in[t.ID])
			}
		})
	}
	now := s.contents()
	for i, a := range s.planned.Arranged {
		changes := s.arrangement(i)
		if err := changes.Step(context.Background(), all[a.Collection]); err != nil {
			s.t.Fatal(err)
		}
		all[1<<63+uint64(i)] = s.was[i].Until(now[i], changes.Delta())
	}
	s.step(at, all)
	s.was = now
}

func (s *sharer) step(at repr.Time, in map[uint64]dataflow.Delta) {
	out, err := s.flow.Step(context.Background(), at, in)
	if err != nil {
		s.t.Fatal(err)
	}
	addTo(s.ok, out.OK)
	addTo(s.errs, out.Err)
}

func addTo(sum map[string]repr.Diff, b arrangement.Batch) {
	for i := range b.Len() {
		k := string(b.Row(i))
		if sum[k] += b.Diff(i); sum[k] == 0 {
			delete(sum, k)
		}
	}
}

// TestSharedArrangements holds dataflows that import arrangements, are made late, are filled in chunks and miss ticks now and
// then, to the same plan with arrangements of its own.
func TestSharedArrangements(t *testing.T) {
	t.Parallel()
	imports := 0
	for seed := range uint64(400) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 11)), budget: 14}
		var plan rel.Rel
		if seed%16 == 8 {
			plan = g.rangeTree()
		} else if seed%4 > 0 {
			g.calm = seed%4 > 1
			plan = g.joinTree(1 + g.IntN(3))
		} else {
			stages := stagesOf(t, g.plan(3, nil))
			plan = stages[len(stages)-1].plan
		}
		imports += shareOne(t, seed, plan)
		if t.Failed() {
			return
		}
	}
	if imports < 400 {
		t.Errorf("only %d arrangements were imported", imports)
	}
}

func shareOne(t *testing.T, seed uint64, plan rel.Rel) int {
	t.Helper()
	joins := []lower.JoinMode{lower.DeltaJoins, lower.BinaryJoins}[seed/4%2]
	planned, err := lower.PlanWith(plan, &expr.Env{}, lower.Options{Joins: joins})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 12))
	own := dataflow.New(planned.Graph, dataflow.Options{})
	ok, errs := map[string]repr.Diff{}, map[string]repr.Diff{}
	late := newSharer(t, rng, planned, []int{1, 2, 8}[seed%3])
	h := &history{Rand: rng, tables: map[uint64][]counted{}}
	for at := range repr.Time(8) {
		in := h.step()
		out, err := own.Step(context.Background(), at, in)
		if err != nil {
			t.Fatal(err)
		}
		addTo(ok, out.OK)
		addTo(errs, out.Err)
		late.stepArrangements(in)
		if late.flow != nil {
			late.tick(at, in)
		}
		late.settle()
		if late.flow == nil && (at == 4 || rng.IntN(4) == 0) {
			late.fill(at)
		}
		if late.flow == nil || len(late.missed) > 0 {
			continue
		}
		if !maps.Equal(ok, late.ok) || !maps.Equal(errs, late.errs) {
			t.Fatalf("seed %d at %d: %d rows and %d errors, with shared arrangements %d and %d\n%s\n%s", seed, at, len(ok), len(errs),
				len(late.ok), len(late.errs), rel.Format(plan), lower.FormatNodes(planned.Graph.WithImports(late.imports)))
		}
	}
	return len(planned.Arranged)
}
