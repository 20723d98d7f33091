package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// PostgreSQL's limits on grouping sets.
const (
	maxCube         = 12
	maxGroupingSets = 4096
)

// groupingCall is a call of GROUPING: which of the keys are not in the grouping set of the row, as bits.
type groupingCall struct {
	args []expr.Scalar // each a key
	pos  []int
}

// bindGroupBy binds GROUP BY: an item is a column of FROM, else an output column by number or name, else an
// expression; or ROLLUP, CUBE and GROUPING SETS of such. The grouping sets of several items are each of the one with
// each of the other.
func (s *selectBody) bindGroupBy(items []ast.Expr) *repr.Error {
	s.groupingSets = [][]int{nil}
	for _, item := range items {
		sets, err := s.groupItem(item)
		if err != nil {
			return err
		}
		if len(sets)*len(s.groupingSets) > maxGroupingSets {
			return errAt("54001", "too many grouping sets present (maximum 4096)", place(item))
		}
		var product [][]int
		for _, a := range s.groupingSets {
			for _, b := range sets {
				product = append(product, union(a, b))
			}
		}
		s.groupingSets = product
	}
	return nil
}

// union is a set of keys with those of another behind, each once.
func union(a, b []int) []int {
	out := slices.Clone(a)
	for _, k := range b {
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// groupItem gives the grouping sets of one item of GROUP BY.
func (s *selectBody) groupItem(item ast.Expr) ([][]int, *repr.Error) {
	n, ok := item.(*ast.GroupingSets)
	if !ok {
		set, err := s.keySet(item)
		return [][]int{set}, err
	}
	if n.Kind == ast.Sets {
		var sets [][]int
		for _, e := range n.Items {
			more, err := s.groupItem(e)
			if err != nil {
				return nil, err
			}
			sets = append(sets, more...)
		}
		return sets, nil
	}
	parts := make([][]int, len(n.Items))
	for i, e := range n.Items {
		var err *repr.Error
		if parts[i], err = s.keySet(e); err != nil {
			return nil, err
		}
	}
	if n.Kind == ast.Rollup {
		return rollup(parts), nil
	}
	if len(parts) > maxCube {
		return nil, errAt("54011", "CUBE is limited to 12 elements", n.Pos)
	}
	return cube(parts), nil
}

// keySet binds the keys of one grouping set: an expression, or several in parentheses.
func (s *selectBody) keySet(item ast.Expr) ([]int, *repr.Error) {
	list := []ast.Expr{item}
	if row, ok := item.(*ast.Row); ok && !row.Explicit {
		list = row.Items
	}
	var set []int
	for _, e := range list {
		key, err := s.groupKey(e)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(s.keys, func(k expr.Scalar) bool { return expr.Equal(k, key) })
		if i < 0 {
			i = len(s.keys)
			s.keys = append(s.keys, key)
		}
		set = union(set, []int{i})
	}
	return set, nil
}

// rollup are all parts, then one less each time, down to none.
func rollup(parts [][]int) [][]int {
	sets := [][]int{nil}
	for _, p := range parts {
		sets = append(sets, union(sets[len(sets)-1], p))
	}
	slices.Reverse(sets)
	return sets
}

// cube are all choices of the parts.
func cube(parts [][]int) [][]int {
	var sets [][]int
	for choice := range 1 << len(parts) {
		var set []int
		for i, p := range parts {
			if choice>>i&1 == 0 {
				set = union(set, p)
			}
		}
		sets = append(sets, set)
	}
	return sets
}

// everywhere says whether an expression is a key of every grouping set.
func (g *grouping) everywhere(e expr.Scalar) bool {
	i := slices.IndexFunc(g.keys, func(k expr.Scalar) bool { return expr.Equal(k, e) })
	return i >= 0 && !slices.ContainsFunc(g.sets, func(set []int) bool { return !slices.Contains(set, i) })
}

// reduceSets makes, of the Reduce by all keys, one for each grouping set over the same rows: keys that are not in the set
// are NULL. Behind the aggregates stand the values of GROUPING.
func (s *selectBody) reduceSets(all *rel.Reduce, g *grouping) (rel.Rel, *repr.Error) {
	calls, err := g.calls()
	if err != nil {
		return nil, err
	}
	if len(g.sets) == 1 {
		if len(calls) == 0 {
			return all, nil
		}
		return &rel.Map{Input: all, Exprs: bits(calls, g.sets[0]), Names: make([]string, len(calls))}, nil
	}
	s.b.nextLet++
	id := s.b.nextLet
	out := &rel.Union{}
	for _, set := range g.sets {
		in := &rel.Ref{ID: id, Cols: all.Input.Columns()}
		out.Inputs = append(out.Inputs, reduceSet(all, in, set, bits(calls, set)))
	}
	return &rel.Let{ID: id, Value: all.Input, Body: out}, nil
}

// reduceSet groups by some of the keys and puts NULL in the place of the others, and the extra columns behind.
func reduceSet(all *rel.Reduce, in rel.Rel, set []int, extra []expr.Scalar) rel.Rel {
	r := &rel.Reduce{Input: in, Aggs: all.Aggs}
	nk := len(all.Keys)
	order := make([]int, nk, nk+len(all.Aggs)+len(extra))
	var exprs []expr.Scalar
	width := len(set) + len(all.Aggs)
	for i, k := range all.Keys {
		if order[i] = slices.Index(set, i); order[i] < 0 {
			order[i] = width + len(exprs)
			exprs = append(exprs, rel.Null(k.Type()))
		}
	}
	for _, k := range set {
		r.Keys = append(r.Keys, all.Keys[k])
		r.Names = append(r.Names, all.Names[k])
	}
	r.Names = append(r.Names, all.Names[nk:]...)
	for i := range all.Aggs {
		order = append(order, len(set)+i)
	}
	for i := range extra {
		order = append(order, width+len(exprs)+i)
	}
	var out rel.Rel = r
	if exprs = append(exprs, extra...); len(exprs) > 0 {
		out = &rel.Map{Input: r, Exprs: exprs, Names: make([]string, len(exprs))}
	}
	return &rel.Project{Input: out, Cols: order, Names: append(slices.Clone(all.Names), make([]string, len(extra))...)}
}

// grouping binds a call of GROUPING and gives the column that stands for it.
func (x *scalars) grouping(n *ast.FuncCall) (expr.Scalar, *repr.Error) {
	if len(n.Args) == 0 || len(n.Args) > 31 {
		return nil, errAt("54023", "GROUPING must have fewer than 32 arguments", n.Pos)
	}
	inner := *x
	inner.aggs, inner.sets = nil, nil
	args, pos, err := inner.bindAll(n.Args)
	if err != nil {
		return nil, err
	}
	typ := repr.TypeOf(repr.KindInt4)
	level := aggregateLevel(&rel.Agg{Args: args})
	if level == 0 {
		if x.aggs == nil || x.inAgg {
			return nil, errAt(repr.CodeGrouping, "grouping operations are not allowed in "+clauseName(x.clause), n.Pos)
		}
		return &expr.Column{Index: groupingBase + x.aggs.addGrouping(args, pos), Typ: typ, Name: "grouping"}, nil
	}
	owner := x.scope.outward(level)
	if owner.aggs == nil || owner.inAgg || owner.lateral {
		return nil, errAt(repr.CodeGrouping, "grouping operations are not allowed in "+clauseName(owner.clause), n.Pos)
	}
	for range level {
		args = rewriteScalars(args, 0, dropLevel)
	}
	return &expr.Outer{Level: level, Index: groupingBase + owner.aggs.addGrouping(args, pos), Typ: typ, Name: "grouping"}, nil
}

// addGrouping gives the number of a call of GROUPING.
func (a *aggregates) addGrouping(args []expr.Scalar, pos []int) int {
	a.groupings = append(a.groupings, groupingCall{args: args, pos: pos})
	return len(a.groupings) - 1
}

// calls are the keys that each call of GROUPING names.
func (g *grouping) calls() ([][]int, *repr.Error) {
	out := make([][]int, len(g.s.aggs.groupings))
	for i, c := range g.s.aggs.groupings {
		for j, a := range c.args {
			k := slices.IndexFunc(g.keys, func(k expr.Scalar) bool { return expr.Equal(k, a) })
			if k < 0 {
				return nil, errAt(repr.CodeGrouping, "arguments to GROUPING must be grouping expressions of the associated query level", c.pos[j])
			}
			out[i] = append(out[i], k)
		}
	}
	return out, nil
}

// bits are the values that the calls have on the rows of a grouping set: a bit for each argument, the last is the lowest;
// it is set when the argument is not in the set.
func bits(calls [][]int, set []int) []expr.Scalar {
	out := make([]expr.Scalar, len(calls))
	for i, keys := range calls {
		n := int64(0)
		for _, k := range keys {
			n <<= 1
			if !slices.Contains(set, k) {
				n++
			}
		}
		out[i] = &expr.Const{Val: repr.IntOf(repr.KindInt4, n), Typ: repr.TypeOf(repr.KindInt4)}
	}
	return out
}
