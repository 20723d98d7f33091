package opt

import (
	"slices"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// simplify removes nodes that do nothing, merges neighbours of one kind and computes what is constant.
//
//	Filter p (Filter q R)      =>  Filter q, p (R)
//	Project a (Project b R)    =>  Project a∘b (R)
//	Project identity R         =>  R
//	Join R (Values one row)    =>  Map row R
//	SemiJoin L (Distinct R)    =>  SemiJoin L R
//	an operator over nothing   =>  nothing, or what it gives of nothing
//
// It is always safe: names of columns may get lost, which mean nothing to anybody but EXPLAIN.
func simplify(_ *Context, r rel.Rel) rel.Rel {
	return rel.Transform(r, func(r rel.Rel) rel.Rel {
		switch n := r.(type) {
		case *rel.Filter:
			return simplifyFilter(n)
		case *rel.Map:
			return simplifyMap(n)
		case *rel.Project:
			return simplifyProject(n)
		case *rel.Join:
			return simplifyJoin(n)
		case *rel.Reduce:
			return simplifyReduce(n)
		case *rel.Distinct:
			if _, ok := n.Input.(*rel.Distinct); ok || constantOnce(n.Input) {
				return n.Input
			}
		case *rel.TopK:
			return simplifyTopK(n)
		case *rel.Window:
			if len(n.Funcs) == 0 {
				return n.Input
			}
			return unlessEmpty(n, n.Input)
		case *rel.Union:
			return simplifyUnion(n)
		case *rel.Negate:
			if in, ok := n.Input.(*rel.Negate); ok {
				return in.Input
			}
			return unlessEmpty(n, n.Input)
		case *rel.Threshold:
			return unlessEmpty(n, n.Input)
		case *rel.FlatMap:
			return unlessEmpty(n, n.Input)
		}
		return r
	})
}

// unlessEmpty is the node, or nothing when its input is nothing.
func unlessEmpty(r, input rel.Rel) rel.Rel {
	if isEmpty(input) {
		return empty(r)
	}
	return r
}

// constantOnce says whether a plan is one row or none whatever its inputs hold.
func constantOnce(r rel.Rel) bool {
	v, ok := r.(*rel.Values)
	return ok && len(v.Rows) <= 1
}

func simplifyFilter(n *rel.Filter) rel.Rel {
	if len(n.Preds) == 0 || isEmpty(n.Input) {
		return n.Input
	}
	if in, ok := n.Input.(*rel.Filter); ok {
		return &rel.Filter{Input: in.Input, Preds: append(slices.Clone(in.Preds), n.Preds...)}
	}
	return n
}

func simplifyMap(n *rel.Map) rel.Rel {
	if len(n.Exprs) == 0 {
		return n.Input
	}
	if v, ok := n.Input.(*rel.Values); ok {
		out := &rel.Values{Cols: n.Columns()}
		for _, row := range v.Rows {
			for _, e := range n.Exprs {
				row = append(slices.Clone(row), onto(e, row[:len(v.Cols)]))
			}
			out.Rows = append(out.Rows, row)
		}
		return out
	}
	in, ok := n.Input.(*rel.Map)
	if !ok {
		return n
	}
	width := len(in.Input.Columns())
	for _, e := range n.Exprs {
		if !rel.ColumnsOf(e, rel.ColSet{}).Within(0, width) {
			return n
		}
	}
	cols := n.Columns()
	out := &rel.Map{Input: in.Input, Exprs: append(slices.Clone(in.Exprs), n.Exprs...)}
	for _, c := range cols[width:] {
		out.Names = append(out.Names, c.Name)
	}
	return out
}

// onto puts the expressions of a row in the place of columns.
func onto(e expr.Scalar, row []expr.Scalar) expr.Scalar {
	return rel.MapColumns(e, func(c *expr.Column) expr.Scalar { return row[c.Index] })
}

func simplifyProject(n *rel.Project) rel.Rel {
	if v, ok := n.Input.(*rel.Values); ok {
		out := &rel.Values{Cols: n.Columns()}
		for _, row := range v.Rows {
			picked := make([]expr.Scalar, len(n.Cols))
			for i, c := range n.Cols {
				picked[i] = row[c]
			}
			out.Rows = append(out.Rows, picked)
		}
		return out
	}
	if in, ok := n.Input.(*rel.Project); ok {
		cols := make([]int, len(n.Cols))
		names := make([]string, len(n.Cols))
		for i, c := range n.Columns() {
			cols[i] = in.Cols[n.Cols[i]]
			names[i] = c.Name
		}
		return &rel.Project{Input: in.Input, Cols: cols, Names: names}
	}
	if slices.Equal(n.Cols, upTo(len(n.Input.Columns()))) {
		return n.Input
	}
	return n
}

func simplifyJoin(n *rel.Join) rel.Rel {
	if isEmpty(n.Left) || isEmpty(n.Right) {
		return emptyJoin(n)
	}
	if n.Kind == rel.JoinSemi || n.Kind == rel.JoinAnti {
		return withPlainMatches(n)
	}
	if n.Kind != rel.JoinInner {
		return n
	}
	row, right := n.Right.(*rel.Values)
	other := n.Left
	if !right || len(row.Rows) != 1 {
		var left bool
		if row, left = n.Left.(*rel.Values); !left || len(row.Rows) != 1 {
			return n
		}
		right, other = false, n.Right
	}
	var out rel.Rel = &rel.Map{Input: other, Exprs: row.Rows[0], Names: columnNames(row.Cols)}
	if !right {
		width := len(other.Columns())
		cols := make([]int, 0, width+len(row.Cols))
		for i := range row.Cols {
			cols = append(cols, width+i)
		}
		out = &rel.Project{Input: out, Cols: append(cols, upTo(width)...)}
	}
	if len(n.On) > 0 {
		out = &rel.Filter{Input: out, Preds: n.On}
	}
	return out
}

// withPlainMatches is a semi or anti join without a DISTINCT of what it looks for: one match is as good as many.
func withPlainMatches(n *rel.Join) rel.Rel {
	d, ok := n.Right.(*rel.Distinct)
	if !ok {
		return n
	}
	return &rel.Join{Kind: n.Kind, Left: n.Left, Right: d.Input, On: n.On}
}

func columnNames(cols repr.RowDesc) []string {
	out := make([]string, len(cols))
	for i := range cols {
		out[i] = cols[i].Name
	}
	return out
}

// emptyJoin is a join of which a side is empty.
func emptyJoin(n *rel.Join) rel.Rel {
	noLeft, noRight := isEmpty(n.Left), isEmpty(n.Right)
	switch {
	case n.Kind == rel.JoinInner, n.Kind == rel.JoinSemi, noLeft && noRight:
		return empty(n)
	case n.Kind == rel.JoinAnti:
		return n.Left
	case noLeft && n.Kind == rel.JoinLeft, noRight && n.Kind == rel.JoinRight:
		return empty(n)
	case noRight:
		return &rel.Map{Input: n.Left, Exprs: nullsOf(n.Right.Columns()), Names: columnNames(n.Right.Columns())}
	}
	nl, nr := len(n.Left.Columns()), len(n.Right.Columns())
	cols := make([]int, 0, nl+nr)
	for i := range nl + nr {
		cols = append(cols, (nr+i)%(nl+nr))
	}
	padded := &rel.Map{Input: n.Right, Exprs: nullsOf(n.Left.Columns()), Names: columnNames(n.Left.Columns())}
	return &rel.Project{Input: padded, Cols: cols}
}

func simplifyReduce(n *rel.Reduce) rel.Rel {
	if !isEmpty(n.Input) {
		return n
	}
	if len(n.Keys) > 0 {
		return empty(n)
	}
	row := make([]expr.Scalar, len(n.Aggs))
	for i, a := range n.Aggs {
		row[i] = &expr.Const{Val: a.Fn.Empty, Typ: a.Typ}
	}
	return &rel.Values{Rows: [][]expr.Scalar{row}, Cols: n.Columns()}
}

func simplifyTopK(n *rel.TopK) rel.Rel {
	limit, unlimited := constCount(n.Limit)
	offset, none := constCount(n.Offset)
	switch {
	case isEmpty(n.Input), unlimited && (none || offset == 0):
		return n.Input
	case !unlimited && limit == 0:
		return empty(n)
	}
	return n
}

// constCount is the number of a LIMIT or OFFSET; none says that there is none. What is no constant is not zero.
func constCount(e expr.Scalar) (n int64, none bool) {
	if e == nil {
		return 0, true
	}
	c, ok := e.(*expr.Const)
	switch {
	case !ok:
		return -1, false
	case c.Val.IsNull():
		return 0, true
	}
	return c.Val.Int(), false
}

func simplifyUnion(n *rel.Union) rel.Rel {
	var inputs []rel.Rel
	for _, in := range n.Inputs {
		if u, ok := in.(*rel.Union); ok {
			inputs = append(inputs, u.Inputs...)
		} else if !isEmpty(in) {
			inputs = append(inputs, in)
		}
	}
	switch len(inputs) {
	case 0:
		return empty(n)
	case 1:
		return inputs[0]
	}
	return &rel.Union{Inputs: inputs}
}
