package opt

import (
	"slices"

	"millrace/sql/expr"
	"millrace/sql/rel"
)

// pruneColumns drops columns that nobody reads, down to the collections, so that arrangements hold no more than is
// needed; computed columns and aggregates that nobody reads are not computed.
//
//	Project a (Join on l.k = r.k L R)  =>  Project a (Join on … (Project a, k (L)) (Project k (R)))
//	Project l.a (LeftJoin on l.k = r.k L R), R unique by k  =>  Project a (L)
//
// It is safe: rows are counted the same with fewer columns. Top-k keeps all columns, for they break ties, and so do windows
// whose functions tell ties apart; DISTINCT
// and differences keep all, for they tell rows apart.
func pruneColumns(_ *Context, r rel.Rel) rel.Rel {
	p := &pruner{lets: map[int]rel.ColSet{}, facts: rel.FactsOf(r)}
	return p.prune(r, rel.ColRange(0, len(r.Columns())))
}

// pruner knows, of each Let, the columns that references to it ask for.
type pruner struct {
	lets  map[int]rel.ColSet
	facts *rel.Facts
}

// prune gives the columns in need, in their order, and no others.
func (p *pruner) prune(r rel.Rel, need rel.ColSet) rel.Rel {
	switch n := r.(type) {
	case *rel.Ref:
		p.lets[n.ID] = p.lets[n.ID].Union(need)
		return only(n, need)
	case *rel.Let:
		return p.let(n, need)
	case *rel.LetRec:
		return p.letRec(n, need)
	case *rel.Filter:
		want := columnsOf(n.Preds, need)
		in := p.prune(n.Input, want)
		return onlyOf(&rel.Filter{Input: in, Preds: remap(n.Preds, want)}, want, need)
	case *rel.Map:
		return p.pruneMap(n, need)
	case *rel.Project:
		return p.project(n, need)
	case *rel.Join:
		return p.join(n, need)
	case *rel.Reduce:
		return p.reduce(n, need)
	case *rel.Union:
		inputs := make([]rel.Rel, len(n.Inputs))
		for i, in := range n.Inputs {
			inputs[i] = p.prune(in, need)
		}
		return &rel.Union{Inputs: inputs}
	case *rel.Negate:
		return &rel.Negate{Input: p.prune(n.Input, need)}
	case *rel.FlatMap:
		return p.flatMap(n, need)
	case *rel.Window:
		return p.window(n, need)
	}
	r = rel.MapChildren(r, func(c rel.Rel) rel.Rel { return p.prune(c, rel.ColRange(0, len(c.Columns()))) })
	return only(r, need)
}

// only projects a plan to the columns needed.
func only(r rel.Rel, need rel.ColSet) rel.Rel {
	if need.Len() == len(r.Columns()) {
		return r
	}
	return projected(r, need.List(), nil)
}

// projected picks columns of a plan, through a projection that it ends with.
func projected(r rel.Rel, cols []int, names []string) rel.Rel {
	in, ok := r.(*rel.Project)
	if !ok {
		return &rel.Project{Input: r, Cols: cols, Names: names}
	}
	inner := make([]int, len(cols))
	for i, c := range cols {
		inner[i] = in.Cols[c]
	}
	if names == nil {
		have := in.Columns()
		for _, c := range cols {
			names = append(names, have[c].Name)
		}
	}
	return &rel.Project{Input: in.Input, Cols: inner, Names: names}
}

// onlyOf projects a plan that has the columns in have to those in need.
func onlyOf(r rel.Rel, have, need rel.ColSet) rel.Rel {
	if have.Len() == need.Len() {
		return r
	}
	at := places(have)
	cols := need.List()
	for i, c := range cols {
		cols[i] = at[c]
	}
	return projected(r, cols, nil)
}

// places says where each column of a set stands when the set is all there is.
func places(set rel.ColSet) map[int]int {
	at := map[int]int{}
	set.All(func(i int) { at[i] = len(at) })
	return at
}

func columnsOf(list []expr.Scalar, set rel.ColSet) rel.ColSet {
	for _, e := range list {
		set = rel.ColumnsOf(e, set)
	}
	return set
}

// remap rewrites expressions for an input cut down to the columns in have.
func remap(list []expr.Scalar, have rel.ColSet) []expr.Scalar {
	at := places(have)
	return mapAll(list, func(c *expr.Column) expr.Scalar {
		if at[c.Index] == c.Index {
			return c
		}
		return &expr.Column{Index: at[c.Index], Typ: c.Typ, Name: c.Name}
	})
}

func (p *pruner) pruneMap(n *rel.Map, need rel.ColSet) rel.Rel {
	width := len(n.Input.Columns())
	below := need.Intersect(rel.ColRange(0, width))
	var exprs []expr.Scalar
	var names []string
	cols := n.Columns()
	for i, e := range n.Exprs {
		if need.Has(width + i) {
			exprs = append(exprs, e)
			names = append(names, cols[width+i].Name)
		}
	}
	want := columnsOf(exprs, below)
	in := p.prune(n.Input, want)
	if len(exprs) == 0 {
		return in
	}
	out := &rel.Map{Input: in, Exprs: remap(exprs, want), Names: names}
	if want.Len() == below.Len() {
		return out
	}
	at := places(want)
	var keep []int
	below.All(func(i int) { keep = append(keep, at[i]) })
	for i := range exprs {
		keep = append(keep, want.Len()+i)
	}
	return &rel.Project{Input: out, Cols: keep}
}

func (p *pruner) project(n *rel.Project, need rel.ColSet) rel.Rel {
	var want rel.ColSet
	need.All(func(i int) { want = want.Add(n.Cols[i]) })
	in := p.prune(n.Input, want)
	at := places(want)
	var cols []int
	names := []string{}
	all := n.Columns()
	need.All(func(i int) {
		cols = append(cols, at[n.Cols[i]])
		names = append(names, all[i].Name)
	})
	if slices.Equal(cols, upTo(want.Len())) && slices.Equal(names, columnNames(in.Columns())) {
		return in
	}
	return projected(in, cols, names)
}

func (p *pruner) join(n *rel.Join, need rel.ColSet) rel.Rel {
	nl, nr := len(n.Left.Columns()), len(n.Right.Columns())
	if n.Kind == rel.JoinLeft && need.Within(0, nl) && p.once(n) {
		return p.prune(n.Left, need)
	}
	want := columnsOf(n.On, need)
	left := p.prune(n.Left, want.Intersect(rel.ColRange(0, nl)))
	right := p.prune(n.Right, want.Shift(-nl))
	out := &rel.Join{Kind: n.Kind, Left: left, Right: right, On: remap(n.On, want)}
	var have rel.ColSet
	if n.Kind == rel.JoinSemi || n.Kind == rel.JoinAnti {
		have = want.Intersect(rel.ColRange(0, nl))
	} else {
		have = want.Intersect(rel.ColRange(0, nl+nr))
	}
	return onlyOf(out, have, need)
}

// once says whether each row of the left side stands once in a left join.
func (p *pruner) once(n *rel.Join) bool {
	for _, e := range n.On {
		if rel.CanFail(e) {
			return false
		}
	}
	_, right := n.Matched()
	return p.facts.UniqueBy(n.Right, right)
}

func (p *pruner) reduce(n *rel.Reduce, need rel.ColSet) rel.Rel {
	nk := len(n.Keys)
	c := &rel.Reduce{Keys: n.Keys}
	have := rel.ColRange(0, nk)
	cols := n.Columns()
	for i, a := range n.Aggs {
		if need.Has(nk + i) {
			c.Aggs = append(c.Aggs, a)
			have = have.Add(nk + i)
		}
	}
	have.All(func(i int) { c.Names = append(c.Names, cols[i].Name) })
	list := rel.Scalars(c)
	want := columnsOf(list, rel.ColSet{})
	c = rel.WithScalars(c, remap(list, want)).(*rel.Reduce)
	c.Input = p.prune(n.Input, want)
	return onlyOf(c, have, need)
}

func (p *pruner) flatMap(n *rel.FlatMap, need rel.ColSet) rel.Rel {
	width, total := len(n.Input.Columns()), len(n.Columns())
	want := columnsOf(n.Args, need.Intersect(rel.ColRange(0, width)))
	c := *n
	c.Args = remap(n.Args, want)
	c.Input = p.prune(n.Input, want)
	return onlyOf(&c, want.Union(rel.ColRange(width, total)), need)
}

// let prunes the body first, then the value to what the body asks for, and last makes the references fit.
func (p *pruner) let(n *rel.Let, need rel.ColSet) rel.Rel {
	body := p.prune(n.Body, need)
	asked := p.lets[n.ID]
	value := p.prune(n.Value, asked)
	if asked.Len() == len(n.Value.Columns()) {
		return &rel.Let{ID: n.ID, Value: value, Body: body}
	}
	return &rel.Let{ID: n.ID, Value: value, Body: refit(body, &rel.Ref{ID: n.ID, Cols: value.Columns()}, places(asked))}
}

// letRec prunes within the recursion, whose values keep all of their columns: what nobody asks for may tell rows apart.
func (p *pruner) letRec(n *rel.LetRec, need rel.ColSet) rel.Rel {
	in := rel.Children(n)
	out := make([]rel.Rel, len(in))
	for i, c := range in[:len(in)-1] {
		out[i] = p.prune(c, rel.ColRange(0, len(c.Columns())))
	}
	out[len(in)-1] = p.prune(n.Body, need)
	return rel.WithChildren(n, out)
}

// refit puts a narrower reference in the place of those to its Let. Each stands below a projection, which prune made.
func refit(r rel.Rel, ref *rel.Ref, at map[int]int) rel.Rel {
	n, ok := r.(*rel.Project)
	if !ok {
		return rel.MapChildren(r, func(c rel.Rel) rel.Rel { return refit(c, ref, at) })
	}
	old, ok := n.Input.(*rel.Ref)
	if !ok || old.ID != ref.ID {
		return rel.MapChildren(r, func(c rel.Rel) rel.Rel { return refit(c, ref, at) })
	}
	cols := make([]int, len(n.Cols))
	for i, c := range n.Cols {
		cols[i] = at[c]
	}
	return &rel.Project{Input: ref, Cols: cols, Names: n.Names}
}
