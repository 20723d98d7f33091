package dataflow

import (
	"millrace/arrangement"
	"millrace/dataflow/op"
	"millrace/internal/check"
)

// stepLoop gathers what enters a loop and runs it, unless that is postponed.
func (w *worker) stepLoop(id NodeID, n *Node) error {
	l := w.nodes[id].loop
	l.id = id
	for i, from := range n.Inputs {
		in := &l.inputs[i]
		if a := w.nodes[from].arranged; a != nil {
			if in.prev == nil {
				in.prev = a.Prev
			}
			appendAll(in.waiting, a.Delta)
		} else {
			appendAll(in.waiting, w.outputs[from])
		}
	}
	for _, r := range l.results {
		r.Reset()
	}
	if w.flow.postpone {
		return nil
	}
	l.enter(n)
	if err := l.run(); err != nil {
		return err
	}
	rows, bytes := l.held()
	w.hold(id, rows, bytes)
	return l.report()
}

// enter sets the nodes of the body up for iteration 0 of a run.
func (l *loop) enter(n *Node) {
	for i := range l.nodes {
		x := &l.nodes[i]
		if x.thresh != nil {
			x.thresh.Begin()
		}
		o, ok := l.op.Body.Nodes[i].Op.(Enter)
		if !ok {
			continue
		}
		in := &l.inputs[o.Input]
		if x.fixed != nil {
			x.fixed = op.Fix(in.prev, l.w.nodes[n.Inputs[o.Input]].arranged.Cur, in.waiting.Seal())
			continue
		}
		x.out.Reset()
		appendAll(x.out, in.waiting.View())
	}
	for i := range l.inputs {
		l.inputs[i].waiting.Reset()
		l.inputs[i].prev = nil
	}
}

// run steps the body through the iterations that have something to do.
func (l *loop) run() error {
	for i := 0; i < l.limit; {
		for id := range l.nodes {
			if l.w.flow.canceled.Load() {
				return errCanceled
			}
			if err := l.stepNode(NodeID(id), i); err != nil {
				return err
			}
		}
		for k, from := range l.op.Results {
			appendAll(l.results[k], l.outputs[from])
		}
		if err := l.feed(i); err != nil {
			return err
		}
		if err := l.bounded(i); err != nil {
			return err
		}
		next, err := l.least(l.due.after(i))
		if err != nil {
			return err
		}
		i = next
	}
	return nil
}

// least is the least of the numbers of all workers.
func (l *loop) least(n int) (int, error) {
	if l.w.flow.exchange == nil {
		return n, nil
	}
	l.w.votes++
	return l.w.flow.exchange.least(l.w.index, l.w.votes, n)
}

// stepNode runs a node of the body at an iteration.
func (l *loop) stepNode(id NodeID, i int) error {
	n, x := &l.op.Body.Nodes[id], &l.nodes[id]
	switch o := n.Op.(type) {
	case Enter:
		l.stepEnter(id, i)
		return nil
	case Variable:
		l.outputs[id] = arrangement.Batch{}
		if v := &l.nodes[id]; v.comingAt == i {
			l.outputs[id], v.coming, v.comingAt = v.coming, arrangement.Batch{}, never
		}
		return nil
	case Join:
		return l.stepJoin(id, i)
	case Arrange, Reduce, TopK, Window, Threshold:
		return l.stepKeyed(id, i)
	case Map:
		x.out.Reset()
		op.Map(x.row, l.outputs[n.Inputs[0]], x.out, l.w.errs)
	case FlatMap:
		x.out.Reset()
		if !x.flat.Step(l.outputs[n.Inputs[0]], x.out, l.w.errs) {
			return errCanceled
		}
	case Union:
		x.out.Reset()
		for _, from := range n.Inputs {
			op.Copy(l.outputs[from], 1, x.out)
		}
	case Negate:
		x.out.Reset()
		op.Copy(l.outputs[n.Inputs[0]], -1, x.out)
	default:
		check.Never("a loop cannot hold %T", o)
	}
	l.outputs[id] = x.out.View()
	return nil
}

// stepEnter gives what entered at iteration 0, and nothing after.
func (l *loop) stepEnter(id NodeID, i int) {
	x := &l.nodes[id]
	switch {
	case x.fixed != nil && i == 0:
		l.outputs[id] = x.fixed.Delta
	case x.fixed != nil:
		x.fixed.Rest()
		l.outputs[id] = arrangement.Batch{}
	case i == 0:
		l.outputs[id] = x.out.View()
	default:
		l.outputs[id] = arrangement.Batch{}
	}
}

// indexOf is the index that a join reads.
func (l *loop) indexOf(id NodeID) *op.Arranged {
	if x := &l.nodes[id]; x.arranged == nil {
		return x.fixed
	}
	return l.nodes[id].arranged
}

func (l *loop) stepJoin(id NodeID, i int) error {
	n, x := &l.op.Body.Nodes[id], &l.nodes[id]
	x.out.Reset()
	if b := x.waiting[i]; b != nil {
		appendAll(x.out, b.View())
		b.Free()
		delete(x.waiting, i)
	}
	at := func(k int) *arrangement.Builder {
		if k == i {
			return x.out
		}
		return x.later(k)
	}
	ended := x.join.Step(l.indexOf(n.Inputs[0]), l.indexOf(n.Inputs[1]), i, at, l.w.errs)
	l.outputs[id] = x.out.View()
	switch {
	case ended:
		return nil
	case x.join.TooLarge:
		return l.tooLarge()
	}
	return errCanceled
}

// stepKeyed runs an operator that needs all rows of a key in one place.
func (l *loop) stepKeyed(id NodeID, i int) error {
	n, x := &l.op.Body.Nodes[id], &l.nodes[id]
	input := l.outputs[n.Inputs[0]]
	x.keyed.Reset()
	switch {
	case x.row != nil:
		op.Map(x.row, input, x.keyed, l.w.errs)
		input = x.keyed.View()
	case x.topk != nil:
		for k := range input.Len() {
			x.keyed.Keep(x.topk.Key(x.keyed.Open(), input.Row(k)), input.Diff(k))
		}
		input = x.keyed.View()
	case x.window != nil:
		for k := range input.Len() {
			x.keyed.Keep(x.window.Key(x.keyed.Open(), input.Row(k)), input.Diff(k))
		}
		input = x.keyed.View()
	}
	if l.w.flow.exchange != nil {
		got, err := l.w.flow.exchange.route(l.w.index, input, x.keys, x.keyed)
		if err != nil {
			return err
		}
		input = got
	}
	batch := sealed(input, x.keyed)
	if x.arranged != nil {
		x.arranged.StepAt(batch, i)
		l.outputs[id] = x.arranged.Delta
		return nil
	}
	x.out.Reset()
	if x.thresh != nil {
		x.thresh.Step(batch, x.take(i), i, x.out, x.later)
	} else {
		x.redo.Step(op.LoopStep{In: batch, Again: x.take(i), Iteration: i, Later: x.later}, x.out, l.w.errs)
	}
	l.outputs[id] = x.out.View()
	return nil
}
