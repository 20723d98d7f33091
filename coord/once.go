package coord

import (
	"context"
	"iter"
	"maps"
	"slices"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/internal/budget"
	"millrace/repr"
	"millrace/sql/lower"
)

// oneShot is a graph that runs once over constant inputs.
type oneShot struct {
	c       *Coordinator
	graph   *lower.Graph
	workers int
	memory  *budget.Budget
	units   []unit                           // what it imports
	large   map[uint64]*arrangement.Snapshot // inputs that are read in chunks
	ok      gathering                        // of what came out
	errs    gathering
}

// oneShot makes a graph import those of its arrangements that are kept.
func (c *Coordinator) oneShot(g *lower.Graph, arranged []*lower.Arranged, has []*dataflow.Content, memory *budget.Budget) *oneShot {
	run := &oneShot{c: c, graph: g, workers: 1, memory: memory}
	var there []*lower.Arranged
	content := map[*lower.Arranged]*dataflow.Content{}
	for i, a := range arranged {
		if i < len(has) && has[i] != nil {
			there = append(there, a)
			content[a] = has[i]
		}
	}
	if there = wholeUnits(there); len(there) == 0 {
		return run
	}
	graph, imports := importing(g, there)
	run.graph, run.workers = graph, c.opts.Workers // whose shards the arrangements have
	contents := make([]*dataflow.Content, len(imports))
	for i, in := range imports {
		contents[i] = content[in.what]
	}
	run.units = inUnits(imports, contents)
	return run
}

// result runs the graph.
func (r *oneShot) result(ctx context.Context, in map[uint64]dataflow.Delta) (arrangement.Batch, *repr.Error) {
	flow := r.flow()
	defer flow.Close()
	return r.on(ctx, flow, in)
}

// flow is a new dataflow of the graph.
func (r *oneShot) flow() *dataflow.Dataflow {
	return dataflow.New(r.graph, dataflow.Options{Workers: r.workers, Clock: r.c.opts.Clock, Memory: r.memory})
}

// on gives a dataflow what it imports, then the large inputs in chunks, and then the others, which meet what is there.
func (r *oneShot) on(ctx context.Context, flow *dataflow.Dataflow, in map[uint64]dataflow.Delta) (arrangement.Batch, *repr.Error) {
	r.ok = gathering{b: arrangement.NewBuilderOn(r.memory), memory: r.memory}
	r.errs = gathering{b: arrangement.NewBuilderOn(r.memory), memory: r.memory}
	defer r.ok.b.Free()
	defer r.errs.b.Free()
	flow.Postpone(true) // a recursion is computed once
	for given := range r.ahead(flow) {
		size := copies(given)
		err := takeRoom(r.memory, size, "the rows that it reads at once")
		if err == nil {
			err = r.step(ctx, flow, given)
		}
		r.memory.Take(-size)
		if err != nil {
			return arrangement.Batch{}, err
		}
	}
	flow.Postpone(false)
	if err := r.step(ctx, flow, in); err != nil {
		return arrangement.Batch{}, err
	}
	if e := firstError(r.errs.sum()); e != nil {
		return arrangement.Batch{}, e
	}
	if !r.ok.fits() {
		return arrangement.Batch{}, dataflow.OutOfMemory(r.memory, "its result")
	}
	out := r.ok.sum()
	return out, takeRoom(r.memory, int64(out.Bytes()), "its result")
}

// ahead is what the dataflow is given before the inputs that it is given whole.
func (r *oneShot) ahead(flow *dataflow.Dataflow) iter.Seq[map[uint64]dataflow.Delta] {
	return func(yield func(map[uint64]dataflow.Delta) bool) {
		for _, u := range r.units {
			for given := range flow.Fill(u.numbers, u.contents, r.chunkOf(u.shards()...)) {
				if !yield(given) {
					return
				}
			}
		}
		for _, id := range slices.Sorted(maps.Keys(r.large)) {
			for b := range r.large[id].Chunks(r.chunkOf(r.large[id])) {
				if !yield(map[uint64]dataflow.Delta{id: {OK: b}}) {
					return
				}
			}
		}
	}
}

// chunkShare is which part of what a statement may hold one chunk of a large input may take.
const chunkShare = 128

// chunkOf is how many rows of some content are given to the dataflow at once.
func (r *oneShot) chunkOf(content ...*arrangement.Snapshot) int {
	if r.memory.Most() == 0 {
		return hydrateChunk
	}
	var rows, bytes int64
	for _, s := range content {
		rows += int64(s.Updates())
		bytes += s.Bytes()
	}
	most := r.memory.Most() / chunkShare
	return int(min(max(most*rows/max(bytes, 1), 1), hydrateChunk))
}

// copies is the memory of the rows that were copied for one step.
func copies(given map[uint64]dataflow.Delta) int64 {
	var n int
	for _, d := range given {
		n += d.OK.Bytes()
		for i := range d.Shards {
			n += d.Shards[i].Delta.Bytes()
		}
	}
	return int64(n)
}

func (r *oneShot) step(ctx context.Context, flow *dataflow.Dataflow, in map[uint64]dataflow.Delta) *repr.Error {
	out, err := flow.Step(ctx, 1, in)
	if err != nil {
		if ctx.Err() != nil {
			return ctxError(ctx)
		}
		return asError(err)
	}
	r.ok.add(out.OK)
	r.errs.add(out.Err)
	if r.memory.Excess() != nil {
		return dataflow.OutOfMemory(r.memory, "its result")
	}
	return nil
}

// gathering sums up batches. It consolidates now and then, for what one step puts out the next may take back.
type gathering struct {
	first arrangement.Batch // of one batch nothing has to be summed up
	b     *arrangement.Builder
	most  int // rows at which it consolidates next

	memory *budget.Budget
}

// fits says whether there is room for the sum beside what was gathered.
func (g *gathering) fits() bool { return g.b.Len() == 0 || g.memory.Room(g.b.Held()) }

// gatherLeast is how many rows are gathered in any case before they are consolidated.
const gatherLeast = 1 << 17

func (g *gathering) add(b arrangement.Batch) {
	switch {
	case b.Len() == 0:
		return
	case g.first.Len() == 0 && g.b.Len() == 0:
		g.first = b
		return
	}
	g.append(g.first)
	g.append(b)
	g.first = arrangement.Batch{}
	if g.b.Len() < max(g.most, gatherLeast) || !g.fits() {
		return
	}
	sum := g.b.Seal()
	g.b.Reset()
	g.append(sum)
	g.most = 4 * sum.Len()
}

func (g *gathering) append(b arrangement.Batch) {
	for i := range b.Len() {
		g.b.Add(b.Row(i), b.Diff(i))
	}
}

// sum is all that was gathered.
func (g *gathering) sum() arrangement.Batch {
	if g.b.Len() == 0 {
		return g.first
	}
	g.append(g.first)
	g.first = arrangement.Batch{}
	return g.b.Seal()
}
