package opt

import (
	"slices"

	"millrace/sql/expr"
	"millrace/sql/rel"
)

// restrictGroups groups only what a selective input of a join asks for, where the rows themselves are joined with that
// input too, as a comparison of rows with an aggregate of their own group does.
//
//	Join x.a = r.k, r.k = g.k (Filter X) R (Reduce by k (R))  =>  S := SemiJoin k = a R X in Join … X S (Reduce by k (S))
//
// It is safe: a group keeps all its rows or none, and groups left out are those that the join drops, as are the
// rows. It costs nothing, for R is looked up by k anyway, and S stands twice and is kept once. It is done in the first
// round, before columns are pruned and the two R are no longer alike.
func restrictGroups(c *Context, r rel.Rel) rel.Rel {
	if c.round > 0 {
		return r
	}
	facts := rel.FactsOf(r)
	return rewriteTrees(r, func(j *rel.Join) rel.Rel {
		t := &joinTree{facts: facts}
		out := t.flatten(j)
		t.equalities()
		if !t.restrict() {
			return j
		}
		order := upTo(len(t.inputs))
		return t.build(order, out)
	})
}

// selective is how much the conditions of an input must leave out for it to restrict others: an equality.
const selective = 6

// restrict looks for groups that can be restricted and says whether it found some.
func (t *joinTree) restrict() bool {
	found := false
	for g, in := range t.inputs {
		reduce, cols, ok := grouping(in)
		if !ok {
			continue
		}
		for i, c := range cols {
			if c < 0 || c >= len(reduce.Keys) {
				continue
			}
			key, plain := reduce.Keys[c].(*expr.Column)
			if plain && t.restrictBy(g, t.starts[g]+i, reduce, key) {
				found = true
				break
			}
		}
	}
	return found
}

// grouping reads an input as a Reduce with columns picked; cols says which.
func grouping(r rel.Rel) (reduce *rel.Reduce, cols []int, ok bool) {
	switch n := r.(type) {
	case *rel.Reduce:
		return n, upTo(len(n.Columns())), true
	case *rel.Project:
		reduce, in, ok := grouping(n.Input)
		if !ok {
			return nil, nil, false
		}
		cols = make([]int, len(n.Cols))
		for i, c := range n.Cols {
			cols[i] = in[c]
		}
		return reduce, cols, true
	case *rel.Map:
		reduce, in, ok := grouping(n.Input)
		for range n.Exprs {
			in = append(in, -1)
		}
		return reduce, in, ok
	}
	return nil, nil, false
}

// restrictBy restricts the groups of input g, whose column col of the tree is the grouping key, by a selective input,
// if the rows that are grouped are an input too.
func (t *joinTree) restrictBy(g, col int, reduce *rel.Reduce, key *expr.Column) bool {
	rows, by, at := -1, -1, 0
	for _, c := range t.equal.members(col, t.starts[len(t.inputs)]) {
		i := t.inputOf(c)
		switch {
		case i == g:
		case c-t.starts[i] == key.Index && rel.Equal(t.inputs[i], reduce.Input):
			rows = i
		case by < 0 && leaf(t.inputs[i]) && t.fewness(t.inputs[i]) >= selective:
			by, at = i, c-t.starts[i]
		}
	}
	if rows < 0 || by < 0 || t.fewness(reduce.Input) >= selective {
		return false
	}
	wanted := &rel.Project{Input: t.inputs[by], Cols: []int{at}}
	width := len(reduce.Input.Columns())
	value := shifted(rel.ColumnOf(wanted.Columns(), 0), width)
	kept := &rel.Join{Kind: rel.JoinSemi, Left: reduce.Input, Right: wanted,
		On: []expr.Scalar{call(t.equal.ops[key.Typ.Kind], key, value)}}
	t.inputs[rows] = kept
	t.inputs[g] = regroup(t.inputs[g], kept)
	return true
}

// regroup puts other rows under the Reduce of an input.
func regroup(r rel.Rel, rows rel.Rel) rel.Rel {
	if n, ok := r.(*rel.Reduce); ok {
		return rel.WithChildren(n, []rel.Rel{rows})
	}
	return rel.MapChildren(r, func(c rel.Rel) rel.Rel { return regroup(c, rows) })
}

// leaf says whether a plan is no more than rows of a collection, filtered.
func leaf(r rel.Rel) bool {
	switch n := r.(type) {
	case *rel.Get:
		return true
	case *rel.Project:
		return leaf(n.Input)
	case *rel.Filter:
		return leaf(n.Input) && !slices.ContainsFunc(n.Preds, rel.CanFail)
	}
	return false
}
