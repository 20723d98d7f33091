package opt

import (
	"cmp"
	"slices"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// classes are sets of columns of a join tree that are equal in every row that comes out of it.
type classes struct {
	links
	ops map[repr.Kind]*expr.Func // the "=" of each kind of column
}

// links says which columns are equal: a column without an entry is linked with itself alone.
type links map[int]int

func (l links) root(c int) int {
	for {
		up, ok := l[c]
		if !ok || up == c {
			return c
		}
		c = up
	}
}

// join makes two columns equal; the lesser one stands for both.
func (l links) join(a, b int) {
	a, b = l.root(a), l.root(b)
	if a != b {
		l[max(a, b)] = min(a, b)
	}
}

// equalities takes the equalities between columns of one type out of the conditions of a tree: each column is equal
// to every other that a chain of them leads to.
func (t *joinTree) equalities() {
	t.equal = classes{links: links{}, ops: map[repr.Kind]*expr.Func{}}
	var rest []expr.Scalar
	for _, e := range conjuncts(t.preds) {
		a, b, ok := plainEquality(e)
		if !ok {
			rest = append(rest, e)
			continue
		}
		t.equal.ops[a.Typ.Kind] = e.(*expr.Call).Fn
		t.equal.join(a.Index, b.Index)
	}
	t.preds = rest
}

// plainEquality reads a condition as the equality of two columns of one kind. Kinds with other types inside them
// are left out, for there is more than one "=" for them.
func plainEquality(e expr.Scalar) (a, b *expr.Column, ok bool) {
	eq, ok := rel.AsEquality(e)
	if !ok || eq.Nulls {
		return nil, nil, false
	}
	a, okA := eq.A.(*expr.Column)
	b, okB := eq.B.(*expr.Column)
	if !okA || !okB || a.Typ.Kind != b.Typ.Kind || a.Typ.Kind == repr.KindArray || a.Typ.Kind == repr.KindRecord {
		return nil, nil, false
	}
	return a, b, true
}

// equalities are the conditions that make input i, which is placed already, fit what was joined before: of each
// class as many as are needed for all its columns that are there to be equal.
func (b *treeBuilder) equalities(i int) []expr.Scalar {
	if b.linked == nil {
		b.linked = links{}
	}
	var on []expr.Scalar
	for _, class := range b.t.equal.within(b.have) {
		slices.SortFunc(class, func(x, y int) int { return cmp.Compare(b.at[x], b.at[y]) })
		for _, c := range class[1:] {
			if b.linked.root(class[0]) == b.linked.root(c) {
				continue
			}
			b.linked.join(class[0], c)
			x, y := b.column(class[0]), b.column(c)
			on = append(on, call(b.t.equal.ops[x.Typ.Kind], x, y))
		}
	}
	return on
}

// members are the columns below n that are equal to a column.
func (c classes) members(col, n int) []int {
	var out []int
	for i := range n {
		if c.root(i) == c.root(col) {
			out = append(out, i)
		}
	}
	return out
}

// within are the classes of at least two columns of a set, each in ascending order, ordered by their first.
func (c classes) within(set rel.ColSet) [][]int {
	members := map[int][]int{}
	var roots []int
	set.All(func(col int) {
		root := c.root(col)
		if members[root] == nil {
			roots = append(roots, root)
		}
		members[root] = append(members[root], col)
	})
	var out [][]int
	for _, root := range roots {
		if len(members[root]) > 1 {
			out = append(out, members[root])
		}
	}
	return out
}

// column is a column of the tree as a column of the plan so far.
func (b *treeBuilder) column(c int) *expr.Column {
	in := b.t.inputOf(c)
	col := rel.ColumnOf(b.t.inputs[in].Columns(), c-b.t.starts[in])
	return &expr.Column{Index: b.at[c], Typ: col.Typ, Name: col.Name}
}
