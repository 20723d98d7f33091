package lower

import (
	"fmt"
	"maps"
	"slices"

	"millrace/dataflow"
	"millrace/internal/check"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// Graph is the dataflow that a plan is lowered to.
type Graph = dataflow.Graph

// Passthrough says which collection a graph gives as it is, if it does.
func Passthrough(g *Graph) (collection uint64, ok bool) {
	in, ok := g.Nodes[g.Output].Op.(dataflow.Input)
	return in.Collection, ok
}

// Plan turns a plan into a dataflow graph and says which collections it reads, sorted. The plan holds no Apply,
// no subquery and no parameter any more. The error is one of a constant, such as a LIMIT that is no number.
func Plan(r rel.Rel, env *expr.Env) (*Graph, []uint64, *repr.Error) {
	p, err := PlanWith(r, env, Options{})
	if err != nil {
		return nil, nil, err
	}
	return p.Graph, p.Inputs, nil
}

// PlanWith is Plan with choices of its own.
func PlanWith(r rel.Rel, env *expr.Env, opts Options) (*Planned, *repr.Error) {
	b := newBuilder(env, opts)
	b.facts = rel.FactsOf(r)
	out := b.lower(r)
	if b.err != nil {
		return nil, b.err
	}
	b.g.Output = b.rows(out, r.Columns(), "output")
	return &Planned{Graph: b.g, Inputs: slices.Sorted(maps.Keys(b.inputs)), Arranged: b.shared()}, nil
}

// builder makes the graph. Nodes are made once for each text that says what they compute.
type builder struct {
	opts     Options
	sides    map[rel.Rel]stream // of the inputs of joins
	g        *dataflow.Graph
	env      *expr.Env
	nodes    map[string]dataflow.NodeID
	lets     map[int]stream
	inputs   map[uint64]bool
	noted    map[dataflow.NodeID]bool            // that are arranged
	tied     map[dataflow.NodeID]dataflow.NodeID // arrangements of one leaf of a delta join
	arranged []*Arranged
	err      *repr.Error
	loop     *looping   // of the body of a loop
	facts    *rel.Facts // of the plan; nil in a loop, where a name means something else at each iteration
}

func newBuilder(env *expr.Env, opts Options) *builder {
	return &builder{
		opts:   opts,
		sides:  map[rel.Rel]stream{},
		g:      &dataflow.Graph{},
		env:    env,
		nodes:  map[string]dataflow.NodeID{},
		lets:   map[int]stream{},
		inputs: map[uint64]bool{},
		noted:  map[dataflow.NodeID]bool{},
		tied:   map[dataflow.NodeID]dataflow.NodeID{},
	}
}

// stream is the output of a node and a linear function still to be applied to it.
type stream struct {
	node dataflow.NodeID
	f    linear
}

// add makes a node unless there is one that computes the same: what says, with the inputs, what it computes.
func (b *builder) add(op dataflow.Op, what, label string, inputs ...dataflow.NodeID) dataflow.NodeID {
	key := nodeKey(op, what, inputs...)
	if id, ok := b.nodes[key]; ok {
		return id
	}
	id := b.g.Add(op, label, inputs...)
	b.nodes[key] = id
	return id
}

// nodeKey is the text of a node: the same for nodes that compute the same.
func nodeKey(op dataflow.Op, what string, inputs ...dataflow.NodeID) string {
	return fmt.Sprintf("%T %v %s", op, inputs, what)
}

// fail keeps the first error.
func (b *builder) fail(err *repr.Error) {
	if b.err == nil {
		b.err = err
	}
}

// rows makes a node whose rows are the columns of the stream, nothing pending.
func (b *builder) rows(s stream, cols repr.RowDesc, label string) dataflow.NodeID {
	if s.f.trivial() {
		return s.node
	}
	return b.mapped(s, s.f.fields(cols), label)
}

// mapped makes a node that applies the function of the stream and writes the fields.
func (b *builder) mapped(s stream, fields []field, label string) dataflow.NodeID {
	if out, ok := b.outside(s); ok {
		return b.enter(b.loop.around.mapped(out, fields, label))
	}
	what := s.f.key() + " ->" + fieldsKey(fields)
	return b.add(dataflow.Map{New: rowFunc(s.f, fields, b.env)}, what, label, s.node)
}

// settled is a stream without a pending function that computes or filters: what follows may read it twice.
func (b *builder) settled(s stream, cols repr.RowDesc, label string) stream {
	if s.f.pure() {
		return s
	}
	return plain(b.rows(s, cols, label), len(cols))
}

// plain is the output of a node of n columns as it is.
func plain(node dataflow.NodeID, n int) stream { return stream{node: node, f: identity(n)} }

// lower makes the nodes of a plan.
func (b *builder) lower(r rel.Rel) stream {
	if !b.depends(r) {
		return b.entered(b.loop.around.lower(r))
	}
	base, f := extract(r)
	switch n := base.(type) {
	case *rel.Join:
		return b.join(n, f)
	case *rel.Let:
		return then(b.let(n), f)
	case *rel.LetRec:
		return then(b.letRec(n), f)
	default:
		return then(b.base(base), f)
	}
}

// then applies a function after what is pending on a stream.
func then(s stream, f linear) stream {
	if s.f.trivial() {
		return stream{node: s.node, f: f}
	}
	return stream{node: s.node, f: compose(s.f, f)}
}

// compose is the function that does first, then second.
func compose(first, second linear) linear {
	at := append([]int(nil), first.out...)
	out := first
	out.exprs = first.exprs[:len(first.exprs):len(first.exprs)]
	move := func(e expr.Scalar) expr.Scalar {
		return rel.MapColumns(e, func(c *expr.Column) expr.Scalar {
			return &expr.Column{Index: at[c.Index], Typ: c.Typ, Name: c.Name}
		})
	}
	for _, e := range second.exprs {
		moved := move(e)
		at = append(at, out.in+len(out.exprs))
		out.exprs = append(out.exprs, moved)
	}
	out.preds = first.preds[:len(first.preds):len(first.preds)]
	for _, p := range second.preds {
		out.preds = append(out.preds, move(p))
	}
	out.out = make([]int, len(second.out))
	for i, c := range second.out {
		out.out[i] = at[c]
	}
	return out
}

// base makes the nodes of an operator that is neither linear nor a join.
func (b *builder) base(r rel.Rel) stream {
	cols := r.Columns()
	switch n := r.(type) {
	case *rel.Get:
		b.inputs[n.ID] = true
		return plain(b.add(dataflow.Input{Collection: n.ID}, fmt.Sprint(n.ID), n.Name), len(cols))
	case *rel.Ref:
		s, ok := b.lets[n.ID]
		check.That(ok, "reference to l%d outside of its Let", n.ID)
		return s
	case *rel.Values:
		return b.values(n)
	case *rel.Reduce:
		return b.reduce(n)
	case *rel.Distinct:
		return b.distinct(n)
	case *rel.TopK:
		return b.topK(n)
	case *rel.Window:
		return b.window(n)
	case *rel.Union:
		inputs := make([]dataflow.NodeID, len(n.Inputs))
		for i, in := range n.Inputs {
			inputs[i] = b.rows(b.lower(in), in.Columns(), "union input")
		}
		return plain(b.add(dataflow.Union{}, "", "union", inputs...), len(cols))
	case *rel.Negate:
		in := b.lower(n.Input)
		return stream{node: b.add(dataflow.Negate{}, "", "negate", in.node), f: in.f}
	case *rel.Threshold:
		in := b.mapped(b.lower(n.Input), canonical(cols), "threshold input")
		return plain(b.add(dataflow.Threshold{}, "", "threshold", in), len(cols))
	case *rel.FlatMap:
		return b.flatMap(n)
	case *rel.Temporal:
		return b.temporal(n)
	}
	check.Never("a plan to be lowered holds %T", r)
	return stream{}
}

func (b *builder) let(n *rel.Let) stream {
	if !b.depends(n.Value) {
		out := b.loop.around
		out.lets[n.ID] = out.settled(out.lower(n.Value), n.Value.Columns(), fmt.Sprintf("l%d", n.ID))
		return b.lower(n.Body)
	}
	if b.loop != nil {
		b.loop.inside[n.ID] = true
	}
	b.lets[n.ID] = b.settled(b.lower(n.Value), n.Value.Columns(), fmt.Sprintf("l%d", n.ID))
	return b.lower(n.Body)
}

// canonical are all columns in canonical form.
func canonical(cols repr.RowDesc) []field {
	out := make([]field, len(cols))
	for i := range cols {
		out[i] = field{expr: rel.ColumnOf(cols, i), canon: true}
	}
	return out
}

// allValues says whether every column prints as its canonical form.
func allValues(cols repr.RowDesc) bool {
	for _, c := range cols {
		if !c.Type.Kind.KeyIsValue() {
			return false
		}
	}
	return true
}

// distinct keeps each row once. Where equal rows may print differently, it is a reduction by the canonical row
// that keeps the least printed form.
func (b *builder) distinct(n *rel.Distinct) stream {
	cols := n.Input.Columns()
	if allValues(cols) {
		in := b.rows(b.lower(n.Input), cols, "distinct input")
		return plain(b.distinctRows(in, len(cols)), len(cols))
	}
	keys := make([]expr.Scalar, len(cols))
	for i := range cols {
		keys[i] = rel.ColumnOf(cols, i)
	}
	return b.reduce(&rel.Reduce{Input: n.Input, Keys: keys})
}

func (b *builder) topK(n *rel.TopK) stream {
	cols := n.Input.Columns()
	op := dataflow.TopK{Group: n.Group, Limit: b.count(n.Limit, -1), Offset: b.count(n.Offset, 0)}
	op.Grows = b.keepsWinners(n) && op.Limit >= 0
	for _, o := range n.Order {
		op.Order = append(op.Order, dataflow.OrderCol{Col: o.Col, Desc: o.Desc, NullsFirst: o.NullsFirst})
	}
	in := b.rows(b.lower(n.Input), cols, "top-k input")
	if op.Limit < 0 && op.Offset == 0 {
		return plain(in, len(cols))
	}
	what := fmt.Sprint(op.Group, op.Order, op.Limit, op.Offset, op.Grows)
	return plain(b.add(op, what, "top-k", in), len(cols))
}

// count is the value of a LIMIT or OFFSET; NULL is none.
func (b *builder) count(e expr.Scalar, none int64) int64 {
	if e == nil {
		return none
	}
	d, err := expr.Compile(e, b.env)(&expr.Row{})
	switch {
	case err != nil:
		b.fail(err)
	case d.IsNull():
		return none
	case d.Int() < 0:
		b.fail(repr.NewError(repr.CodeInvalidLimit, "LIMIT and OFFSET must not be negative"))
	}
	return d.Int()
}
