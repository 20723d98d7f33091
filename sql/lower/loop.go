package lower

import (
	"fmt"

	"millrace/dataflow"
	"millrace/internal/check"
	"millrace/repr"
	"millrace/sql/rel"
)

// looping is what the builder of a loop's body knows beside. What does not depend on the loop is built around it, once,
// and enters at the first iteration; an index from around is read by the joins of the body as it is.
type looping struct {
	around *builder
	inside map[int]bool // the numbers of plans that depend on the loop
	enter  []dataflow.NodeID
}

// within makes a builder for the body of a loop. Delta joins keep nothing of the iterations, so its joins are binary.
func (b *builder) within(ids []int) *builder {
	in := newBuilder(b.env, Options{Joins: BinaryJoins})
	in.loop = &looping{around: b, inside: map[int]bool{}}
	for _, id := range ids {
		in.loop.inside[id] = true
	}
	return in
}

// letRec makes a loop of the bindings, and then the body over its results.
func (b *builder) letRec(n *rel.LetRec) stream {
	if b.loop != nil {
		b.unsupported("a recursive query within another that it depends on")
		return b.nothing(n.Columns())
	}
	in := b.within(n.IDs())
	op := dataflow.Loop{Body: in.g, Limit: n.Limit, KeepAtLimit: n.KeepAtLimit}
	for i, x := range n.Bindings {
		variable := in.add(dataflow.Variable{Index: i}, fmt.Sprint(i), x.Name)
		in.lets[x.ID] = plain(variable, len(x.Value.Columns()))
	}
	for _, x := range n.Bindings {
		cols := x.Value.Columns()
		in.sides = map[rel.Rel]stream{} // a name means the newest value from here on
		node := in.rows(in.lower(x.Value), cols, x.Name)
		op.Names, op.Feedback = append(op.Names, x.Name), append(op.Feedback, node)
		in.lets[x.ID] = plain(node, len(cols))
	}
	b.checkBody(in)
	enter := trim(&op, in.loop.enter)
	op.Results = op.Feedback
	loop := b.add(op, rel.Fingerprint(n), "loop", enter...)
	for i, x := range n.Bindings {
		node := b.add(dataflow.LoopResult{Index: i}, fmt.Sprint(i), x.Name, loop)
		b.lets[x.ID] = plain(node, len(x.Value.Columns()))
	}
	return b.lower(n.Body)
}

// trim takes out of a loop what nothing in it reads, and gives the inputs that are left. What has entered only to be arranged
// or mapped around the loop is such.
func trim(op *dataflow.Loop, enter []dataflow.NodeID) []dataflow.NodeID {
	body := op.Body
	read := make([]bool, len(body.Nodes))
	for _, id := range op.Feedback {
		read[id] = true
	}
	for i := len(body.Nodes) - 1; i >= 0; i-- {
		for _, id := range body.Nodes[i].Inputs {
			read[id] = read[id] || read[i]
		}
	}
	var left []dataflow.NodeID
	out, at := &dataflow.Graph{}, make([]dataflow.NodeID, len(body.Nodes))
	for i, n := range body.Nodes {
		if !read[i] {
			continue
		}
		if e, ok := n.Op.(dataflow.Enter); ok {
			left = append(left, enter[e.Input])
			n.Op = dataflow.Enter{Input: len(left) - 1}
		}
		inputs := make([]dataflow.NodeID, len(n.Inputs))
		for k, id := range n.Inputs {
			inputs[k] = at[id]
		}
		at[i] = out.Add(n.Op, n.Label, inputs...)
	}
	op.Body = out
	for i, id := range op.Feedback {
		op.Feedback[i] = at[id]
	}
	return left
}

// checkBody refuses operators that cannot be in a loop.
func (b *builder) checkBody(in *builder) {
	if in.err != nil {
		b.fail(in.err)
	}
	for _, n := range in.g.Nodes {
		if !dataflow.InLoop(n.Op) {
			b.unsupported(n.Label + " within a recursive query")
		}
	}
}

func (b *builder) unsupported(what string) {
	b.fail(repr.NewError(repr.CodeFeatureNotSupported, what+" is not supported"))
}

// nothing stands for what cannot be built.
func (b *builder) nothing(cols repr.RowDesc) stream { return plain(b.constant(nil), len(cols)) }

// depends says whether a plan has to be built within the loop.
func (b *builder) depends(r rel.Rel) bool { return b.loop == nil || rel.RefersTo(r, b.loop.inside) }

// entered has a stream from around the loop enter it.
func (b *builder) entered(s stream) stream { return stream{node: b.enter(s.node), f: s.f} }

func (b *builder) enter(id dataflow.NodeID) dataflow.NodeID {
	for i, known := range b.loop.enter {
		if known == id {
			return b.add(dataflow.Enter{Input: i}, fmt.Sprint(i), "")
		}
	}
	b.loop.enter = append(b.loop.enter, id)
	i := len(b.loop.enter) - 1
	return b.add(dataflow.Enter{Input: i}, fmt.Sprint(i), b.loop.around.g.Nodes[id].Label)
}

// outside is the stream around the loop that a stream of its body is, if it is one that has entered.
func (b *builder) outside(s stream) (stream, bool) {
	if b.loop == nil {
		return s, false
	}
	e, ok := b.g.Nodes[s.node].Op.(dataflow.Enter)
	if !ok {
		return s, false
	}
	check.That(e.Input < len(b.loop.enter), "input %d of a loop of %d", e.Input, len(b.loop.enter))
	return stream{node: b.loop.enter[e.Input], f: s.f}, true
}
