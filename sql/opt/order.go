package opt

import (
	"slices"

	"millrace/sql/expr"
	"millrace/sql/rel"
)

// orderJoins joins the inputs of neighbouring inner joins in another order where that saves a cross product.
//
//	Join b.x = c.x, a.y = c.y (Join A B) C  =>  Join b.x = c.x (Join a.y = c.y A C) B
//
// It is safe for inner joins. A condition is applied as soon as its columns are there, and conditions on the same
// join keep their order; one that can fail waits for the last join, as all before it may have kept it from failing.
func orderJoins(_ *Context, r rel.Rel) rel.Rel {
	return rel.Transform(r, func(r rel.Rel) rel.Rel {
		j, ok := r.(*rel.Join)
		if !ok || j.Kind != rel.JoinInner {
			return r
		}
		o := &ordering{}
		o.flatten(j, 0)
		if len(o.inputs) < 3 || o.crosses == 0 {
			return r
		}
		order, crosses := o.greedy()
		if crosses >= o.crosses {
			return r
		}
		return o.build(order)
	})
}

// ordering is a tree of inner joins taken apart. Conditions are over the columns of all inputs in written order.
type ordering struct {
	inputs  []rel.Rel
	starts  []int // the first column of each input
	preds   []expr.Scalar
	crosses int // joins as written without an equality between their sides
}

func (o *ordering) flatten(r rel.Rel, base int) {
	j, ok := r.(*rel.Join)
	if !ok || j.Kind != rel.JoinInner {
		o.inputs = append(o.inputs, r)
		o.starts = append(o.starts, base)
		return
	}
	nl := len(j.Left.Columns())
	o.flatten(j.Left, base)
	o.flatten(j.Right, base+nl)
	keyed := false
	for _, e := range j.On {
		keyed = keyed || connects(e, rel.ColRange(0, nl), rel.ColRange(nl, len(j.Columns())))
		o.preds = append(o.preds, rel.ShiftColumns(e, 0, base))
	}
	if !keyed {
		o.crosses++
	}
}

// connects says whether a condition is an equality between the two sets of columns.
func connects(e expr.Scalar, a, b rel.ColSet) bool {
	eq, ok := rel.AsEquality(e)
	if !ok {
		return false
	}
	cx, cy := rel.ColumnsOf(eq.A, rel.ColSet{}), rel.ColumnsOf(eq.B, rel.ColSet{})
	within := func(c, s rel.ColSet) bool { return !c.Empty() && c.Intersect(s).Len() == c.Len() }
	return within(cx, a) && within(cy, b) || within(cx, b) && within(cy, a)
}

func (o *ordering) columns(i int) rel.ColSet {
	return rel.ColRange(o.starts[i], o.starts[i]+len(o.inputs[i].Columns()))
}

// greedy begins with the first input and takes, each time, the first that an equality connects with those taken.
func (o *ordering) greedy() (order []int, crosses int) {
	order = []int{0}
	have := o.columns(0)
	for len(order) < len(o.inputs) {
		next, keyed := -1, false
		for i := range o.inputs {
			if slices.Contains(order, i) {
				continue
			}
			if next < 0 {
				next = i
			}
			if o.connected(have, i) {
				next, keyed = i, true
				break
			}
		}
		if !keyed {
			crosses++
		}
		order = append(order, next)
		have = have.Union(o.columns(next))
	}
	return order, crosses
}

func (o *ordering) connected(have rel.ColSet, i int) bool {
	for _, e := range o.preds {
		if connects(e, have, o.columns(i)) {
			return true
		}
	}
	return false
}

// build makes a left-deep tree in the order and puts the columns back in their places.
func (o *ordering) build(order []int) rel.Rel {
	total := 0
	for _, in := range o.inputs {
		total += len(in.Columns())
	}
	at := make([]int, total) // where each column stands in the new tree
	placed := 0
	place := func(i int) {
		o.columns(i).All(func(c int) {
			at[c] = placed
			placed++
		})
	}
	place(order[0])
	out, have := o.inputs[order[0]], o.columns(order[0])
	used := make([]bool, len(o.preds))
	for k, i := range order[1:] {
		place(i)
		have = have.Union(o.columns(i))
		last := k == len(order)-2
		var on []expr.Scalar
		for p, e := range o.preds {
			cols := rel.ColumnsOf(e, rel.ColSet{})
			ready := cols.Intersect(have).Len() == cols.Len() && !rel.CanFail(e)
			if used[p] || !ready && !last {
				continue
			}
			used[p] = true
			on = append(on, rel.MapColumns(e, func(c *expr.Column) expr.Scalar {
				return &expr.Column{Index: at[c.Index], Typ: c.Typ, Name: c.Name}
			}))
		}
		out = &rel.Join{Kind: rel.JoinInner, Left: out, Right: o.inputs[i], On: on}
	}
	return &rel.Project{Input: out, Cols: at}
}
