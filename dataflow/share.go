package dataflow

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"sync"

	"millrace/arrangement"
	"millrace/dataflow/op"
)

// Arrangement is an Arrange node of its own, which any number of dataflows import: what a function makes of a collection,
// indexed by keys, in a shard for each worker. All that share it have as many workers.
//
// It is stepped first, and those that import it are passed Delta in the same step. One goroutine steps it.
type Arrangement struct {
	flow    *Dataflow
	indexes []*op.Arranged // of a worker
	errs    *op.Arranged   // all errors of the function so far
}

// NewArrangement makes an empty one.
func NewArrangement(o Arrange, label string, opts Options) *Arrangement {
	g := &Graph{}
	g.Output = g.Add(o, label, g.Add(Input{}, "input"))
	a := &Arrangement{flow: New(g, opts), errs: op.NewArranged()}
	for _, w := range a.flow.workers {
		a.indexes = append(a.indexes, w.nodes[g.Output].arranged)
	}
	return a
}

// Step takes the delta of the collection at t.
func (a *Arrangement) Step(ctx context.Context, in Delta) error {
	if err := a.flow.advance(ctx, map[uint64]Delta{0: in}); err != nil {
		return err
	}
	a.flow.errs.Reset()
	a.flow.gatherErrors()
	a.errs.Step(a.flow.errs.Seal())
	return nil
}

// Fill steps it through pieces of a first content. Nobody looks at it meanwhile; after an error it is broken.
func (a *Arrangement) Fill(ctx context.Context, pieces iter.Seq[arrangement.Batch], each func(arrangement.Batch) error) error {
	for _, x := range a.indexes {
		x.BeginFill()
	}
	for b := range pieces {
		if err := a.Step(ctx, Delta{OK: b}); err != nil {
			return err
		}
		a.errs.Settle()
		if err := each(b); err != nil {
			return err
		}
	}
	var all sync.WaitGroup
	for i, x := range a.indexes {
		all.Go(func() {
			x.EndFill()
			a.flow.workers[i].hold(a.flow.graph.Output, x.Rows(), x.Bytes())
		})
	}
	all.Wait()
	return nil
}

// Delta is what the last step changed, for a dataflow that imports the arrangement.
func (a *Arrangement) Delta() Delta {
	out := Delta{Err: a.errs.Delta, Shards: make([]op.Index, len(a.indexes))}
	for i, x := range a.indexes {
		out.Shards[i] = x.Index
	}
	return out
}

// Settle ends the step: Delta then says that nothing changes.
func (a *Arrangement) Settle() {
	for _, x := range a.indexes {
		x.Settle()
	}
	a.errs.Settle()
}

// Work merges in the background, up to about fuel rows, and says whether nothing is left to do.
func (a *Arrangement) Work(fuel int) bool {
	done := true
	for _, x := range a.indexes {
		done = x.Work(fuel) && done
	}
	return done
}

// Content is what it holds now.
func (a *Arrangement) Content() *Content {
	c := &Content{errs: a.errs.Cur}
	for _, x := range a.indexes {
		c.shards = append(c.shards, x.Cur)
	}
	return c
}

// Rows is the number of rows that it holds.
func (a *Arrangement) Rows() int64 { return a.Content().Rows() }

// Bytes is the memory that it holds.
func (a *Arrangement) Bytes() int64 { return a.flow.Bytes() + a.errs.Bytes() }

// Close forgets all state.
func (a *Arrangement) Close() {
	a.flow.Close()
	a.indexes, a.errs = nil, op.NewArranged()
}

// Content is what an arrangement held at one moment. It never changes.
type Content struct {
	shards []*arrangement.Snapshot
	errs   *arrangement.Snapshot
}

// Rows is the number of rows.
func (c *Content) Rows() int64 {
	var n int64
	for _, s := range c.shards {
		n += s.Rows()
	}
	return n
}

// Shards are the rows of the workers: rows with one key are in one of them.
func (c *Content) Shards() []*arrangement.Snapshot { return c.shards }

// Whole gives the content to a dataflow for which nothing comes of it yet (Dataflow.Silent), as if it had always been there.
func (c *Content) Whole() Delta {
	out := Delta{Err: c.errs.Batch(), Shards: make([]op.Index, len(c.shards))}
	for i, s := range c.shards {
		out.Shards[i] = op.Index{Prev: s, Cur: s}
	}
	return out
}

// Until is the step from this content to a later one, given what an empty arrangement makes of all that changed between.
func (c *Content) Until(later *Content, change Delta) Delta {
	out := Delta{Err: change.Err, Shards: make([]op.Index, len(c.shards))}
	for i := range c.shards {
		out.Shards[i] = op.Index{Prev: c.shards[i], Cur: later.shards[i], Delta: change.Shards[i].Delta}
	}
	return out
}

// Chunks gives the content to a new dataflow as steps of about n rows: after each it is there up to some row of each shard.
func (c *Content) Chunks(n int) func(yield func(Delta) bool) {
	return func(yield func(Delta) bool) {
		shards := make([]portion, len(c.shards))
		for i, s := range c.shards {
			shards[i] = portion{all: s, cur: s.Cursor(), limit: []byte{}}
			shards[i].cur.Seek(nil)
		}
		errs := c.errs.Batch()
		for more := true; more; {
			d := Delta{Err: errs, Shards: make([]op.Index, len(shards))}
			errs, more = arrangement.Batch{}, false
			for i := range shards {
				d.Shards[i] = shards[i].next(max(n/len(shards), 1))
				more = more || shards[i].limit != nil
			}
			if !yield(d) {
				return
			}
		}
	}
}

// Changes gives the rows of the content as changes, about n in a step, to a dataflow that has been given it as a whole and to
// which nothing has come of it yet.
func (c *Content) Changes(n int) func(yield func(Delta) bool) {
	return func(yield func(Delta) bool) {
		for d := range c.Chunks(n) {
			d.Err = arrangement.Batch{}
			for i, s := range c.shards {
				d.Shards[i].Prev, d.Shards[i].Cur = s, s
			}
			if !yield(d) {
				return
			}
		}
	}
}

// Fill are the steps in which imported arrangements are given to a dataflow that has none of them yet: of one, the rows in the
// order of their keys. Several are of one unit: they always hold the same rows, and what comes of one never meets another, so
// they are all there first and then each gives its changes.
func (d *Dataflow) Fill(numbers []uint64, contents []*Content, n int) iter.Seq[map[uint64]Delta] {
	return func(yield func(map[uint64]Delta) bool) {
		silent := d.Silent(numbers...)
		if len(numbers) == 1 && !silent {
			for c := range contents[0].Chunks(n) {
				if !yield(map[uint64]Delta{numbers[0]: c}) {
					return
				}
			}
			return
		}
		whole := map[uint64]Delta{}
		for i, number := range numbers {
			whole[number] = contents[i].Whole()
		}
		if !yield(whole) || silent {
			return
		}
		for i, number := range numbers {
			for c := range contents[i].Changes(n) {
				if !yield(map[uint64]Delta{number: c}) {
					return
				}
			}
		}
	}
}

// portion is the place of a walk through one shard: the rows before limit have been given; nil: all have.
type portion struct {
	all   *arrangement.Snapshot
	cur   *arrangement.Cursor
	limit []byte
}

func (p *portion) next(n int) op.Index {
	if p.limit == nil {
		return op.Index{Prev: p.all, Cur: p.all}
	}
	x := op.Index{Prev: p.all.Below(p.limit), Delta: p.cur.Take(n), Cur: p.all}
	if p.limit = nil; p.cur.Valid() {
		p.limit = bytes.Clone(p.cur.Row())
		x.Cur = p.all.Below(p.limit)
	}
	return x
}

// Silent says whether nothing could come now of the contents of imported arrangements, whatever they are: wherever their rows
// go they meet an empty arrangement first.
func (d *Dataflow) Silent(numbers ...uint64) bool {
	q := quiet{d: d, filled: map[NodeID]bool{}}
	for id, n := range d.graph.Nodes {
		if o, ok := n.Op.(Import); ok && slices.Contains(numbers, o.Arrangement) {
			q.filled[NodeID(id)] = true
		}
	}
	for id := range q.filled {
		if !q.silent(id) {
			return false
		}
	}
	return true
}

// quiet is the question whether something comes of nodes that are about to be filled.
type quiet struct {
	d      *Dataflow
	filled map[NodeID]bool
}

// silent follows the changes of a node.
func (q quiet) silent(id NodeID) bool {
	if id == q.d.graph.Output {
		return false
	}
	for to, n := range q.d.graph.Nodes {
		for i, from := range n.Inputs {
			if from == id && !q.silentAt(NodeID(to), i) {
				return false
			}
		}
	}
	return true
}

// silentAt says whether nothing comes of a change at one input of a node.
func (q quiet) silentAt(to NodeID, input int) bool {
	n := q.d.graph.Nodes[to]
	switch n.Op.(type) {
	case Join, RangeJoin:
		return q.empty(n.Inputs[1-input])
	case HalfJoin:
		return input == 1 || q.empty(n.Inputs[1]) || q.silent(to)
	default:
		return false
	}
}

func (q quiet) empty(id NodeID) bool {
	return !q.filled[id] && !slices.ContainsFunc(q.d.workers, func(w *worker) bool { return !w.nodes[id].index.Cur.Empty() })
}

// Sum adds up deltas of one collection.
func Sum(deltas iter.Seq[Delta]) Delta {
	ok, errs := arrangement.NewBuilder(), arrangement.NewBuilder()
	for d := range deltas {
		appendAll(ok, d.OK)
		appendAll(errs, d.Err)
	}
	return Delta{OK: ok.Seal(), Err: errs.Seal()}
}
