package opt

import (
	"slices"

	"millrace/sql/expr"
	"millrace/sql/rel"
)

// orderJoins chooses the order in which the inputs of neighbouring inner joins are joined.
//
//	Join b.x = c.x, a.y = c.y (Join A B) C          =>  Join b.x = c.x (Join a.y = c.y A C) B
//	Join a.x = b.x (A) (Join b.y = c.y B (Filter C)) =>  Join a.x = b.x (Join b.y = c.y (Filter C) B) A
//
// It begins with the input that conditions leave the fewest rows of, and takes, each time, the one that fits best
// with those taken (weight.go): first those that an equality connects, so that there is no cross product where none
// is needed; of those the ones that multiply no rows, for they are unique by what is compared, and that conditions
// make small; and else in written order. Only the plan decides, so the same plan gives the same order; the order
// that comes out is one that comes out again.
//
// It is safe for inner joins. Equalities of columns hold for all columns that are equal in the end, so each join gets
// those that it needs (equal.go); a condition is applied as soon as its columns are there, and conditions on the
// same join keep their order; one that can fail waits for the last join, as all before it may have kept it from
// failing.
func orderJoins(_ *Context, r rel.Rel) rel.Rel {
	facts := rel.FactsOf(r)
	return rewriteTrees(r, func(j *rel.Join) rel.Rel {
		t := &joinTree{facts: facts}
		out := t.flatten(j)
		if len(t.inputs) < 3 {
			return j
		}
		t.equalities()
		return t.build(t.order(), out)
	})
}

// rewriteTrees rewrites the trees of inner joins in a plan, each whole, and then what they join.
func rewriteTrees(r rel.Rel, f func(*rel.Join) rel.Rel) rel.Rel {
	if j, ok := r.(*rel.Join); ok && j.Kind == rel.JoinInner {
		return rewriteInputs(f(j), f)
	}
	return rel.MapChildren(r, func(c rel.Rel) rel.Rel { return rewriteTrees(c, f) })
}

// rewriteInputs is rewriteTrees for the inputs of a tree of which r is a part.
func rewriteInputs(r rel.Rel, f func(*rel.Join) rel.Rel) rel.Rel {
	if !joins(r) {
		return rewriteTrees(r, f)
	}
	return rel.MapChildren(r, func(c rel.Rel) rel.Rel { return rewriteInputs(c, f) })
}

// joinTree is a tree of inner joins taken apart. Its columns are those of all inputs in written order.
type joinTree struct {
	facts  *rel.Facts
	inputs []rel.Rel
	starts []int         // the first column of each input, and behind the last the number of columns
	preds  []expr.Scalar // that are no equality of two columns
	equal  classes
}

// flatten takes a tree apart and gives the columns of the tree that the columns of r are.
func (t *joinTree) flatten(r rel.Rel) []int {
	switch n := r.(type) {
	case *rel.Join:
		if n.Kind != rel.JoinInner {
			break
		}
		cols := append(t.flatten(n.Left), t.flatten(n.Right)...)
		t.preds = append(t.preds, mapAll(n.On, onColumns(cols))...)
		return cols
	case *rel.Project:
		if !joins(n.Input) {
			break
		}
		in := t.flatten(n.Input)
		cols := make([]int, len(n.Cols))
		for i, c := range n.Cols {
			cols[i] = in[c]
		}
		return cols
	}
	if len(t.starts) == 0 {
		t.starts = []int{0}
	}
	from := t.starts[len(t.inputs)]
	t.inputs = append(t.inputs, r)
	t.starts = append(t.starts, from+len(r.Columns()))
	cols := make([]int, len(r.Columns()))
	for i := range cols {
		cols[i] = from + i
	}
	return cols
}

// joins says whether below projections there is an inner join.
func joins(r rel.Rel) bool {
	switch n := r.(type) {
	case *rel.Project:
		return joins(n.Input)
	case *rel.Join:
		return n.Kind == rel.JoinInner
	}
	return false
}

// inputOf is the input that a column belongs to.
func (t *joinTree) inputOf(c int) int {
	in := 0
	for t.starts[in+1] <= c {
		in++
	}
	return in
}

// onColumns moves column i to cols[i].
func onColumns(cols []int) func(*expr.Column) expr.Scalar {
	return func(c *expr.Column) expr.Scalar {
		return &expr.Column{Index: cols[c.Index], Typ: c.Typ, Name: c.Name}
	}
}

func (t *joinTree) columns(i int) rel.ColSet { return rel.ColRange(t.starts[i], t.starts[i+1]) }

// order is the order in which the inputs are joined.
func (t *joinTree) order() []int {
	order := []int{t.first()}
	have := t.columns(order[0])
	for len(order) < len(t.inputs) {
		next, best := -1, weight{}
		for i := range t.inputs {
			if slices.Contains(order, i) {
				continue
			}
			if w := t.weigh(have, i); next < 0 || w.over(best) {
				next, best = i, w
			}
		}
		order = append(order, next)
		have = have.Union(t.columns(next))
	}
	return order
}

// build makes a left-deep tree in the order and gives the columns out of it.
func (t *joinTree) build(order, out []int) rel.Rel {
	b := &treeBuilder{t: t, at: make([]int, t.starts[len(t.inputs)]), used: make([]bool, len(t.preds))}
	b.place(order[0])
	b.plan = t.inputs[order[0]]
	for k, i := range order[1:] {
		b.add(i, k == len(order)-2)
	}
	cols := make([]int, len(out))
	for i, c := range out {
		cols[i] = b.at[c]
	}
	if slices.Equal(cols, upTo(len(b.plan.Columns()))) {
		return b.plan
	}
	return &rel.Project{Input: b.plan, Cols: cols}
}

// treeBuilder joins the inputs of a tree one after the other.
type treeBuilder struct {
	t      *joinTree
	plan   rel.Rel
	at     []int // where each column of the tree stands in the plan
	placed int
	have   rel.ColSet
	used   []bool
	linked links
}

func (b *treeBuilder) place(i int) {
	b.t.columns(i).All(func(c int) {
		b.at[c] = b.placed
		b.placed++
	})
	b.have = b.have.Union(b.t.columns(i))
}

// add joins an input under all conditions whose columns are there.
func (b *treeBuilder) add(i int, last bool) {
	b.place(i)
	on := b.equalities(i)
	for p, e := range b.t.preds {
		ready := rel.ColumnsOf(e, rel.ColSet{}).Subset(b.have) && !rel.CanFail(e)
		if b.used[p] || !ready && !last {
			continue
		}
		b.used[p] = true
		on = append(on, rel.MapColumns(e, onColumns(b.at)))
	}
	b.plan = &rel.Join{Kind: rel.JoinInner, Left: b.plan, Right: b.t.inputs[i], On: on}
}
