package coord

import (
	"context"
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
	units   []unit         // what it imports
	sum     dataflow.Delta // of what came out
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

// once runs a graph over constant inputs.
func (c *Coordinator) once(ctx context.Context, g *dataflow.Graph, in map[uint64]dataflow.Delta, memory *budget.Budget) (arrangement.Batch, *repr.Error) {
	return c.oneShot(g, nil, nil, memory).result(ctx, in)
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

// on gives a dataflow what it imports, and then its inputs, which meet what is there.
func (r *oneShot) on(ctx context.Context, flow *dataflow.Dataflow, in map[uint64]dataflow.Delta) (arrangement.Batch, *repr.Error) {
	flow.Postpone(true) // a recursion is computed once
	for _, u := range r.units {
		for given := range flow.Fill(u.numbers, u.contents, hydrateChunk) {
			if err := r.step(ctx, flow, given); err != nil {
				return arrangement.Batch{}, err
			}
		}
	}
	flow.Postpone(false)
	if err := r.step(ctx, flow, in); err != nil {
		return arrangement.Batch{}, err
	}
	if e := firstError(r.sum.Err); e != nil {
		return arrangement.Batch{}, e
	}
	return r.sum.OK, takeRoom(r.memory, int64(r.sum.OK.Bytes()), "its result")
}

func (r *oneShot) step(ctx context.Context, flow *dataflow.Dataflow, in map[uint64]dataflow.Delta) *repr.Error {
	out, err := flow.Step(ctx, 1, in)
	if err != nil {
		if ctx.Err() != nil {
			return ctxError(ctx)
		}
		return asError(err)
	}
	if r.sum.OK.Len()+r.sum.Err.Len() == 0 {
		r.sum = out
		return nil
	}
	r.sum = dataflow.Sum(slices.Values([]dataflow.Delta{r.sum, out}))
	return nil
}
