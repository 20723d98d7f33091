package opt

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// window computes the functions for each row of the domain: its columns stand before those of the partition.
func (u *unnester) window(n *rel.Window, sc scope) rel.Rel {
	in := u.bind(n.Input, sc)
	list := rel.Scalars(n)
	h := u.hoist(in, sc, list)
	c := rel.WithScalars(n, h.scalars(list)).(*rel.Window)
	c.Input = h.cur
	c.Partition = behind(sc.width(), n.Partition)
	c.Order = make([]rel.ColOrder, len(n.Order))
	for i, o := range n.Order {
		o.Col += sc.width()
		c.Order[i] = o
	}
	for _, f := range c.Funcs {
		for _, b := range []rel.WindowBound{f.Frame.Start, f.Frame.End} {
			if _, ok := b.Offset.(*expr.Const); b.Offset != nil && !ok && f.Frame.Mode != ast.FrameRange {
				u.fail(repr.NewError(repr.CodeFeatureNotSupported, "a frame offset that is not a constant is not supported"))
			}
		}
	}
	return h.close(keep(c, len(in.Columns()), len(h.cur.Columns())))
}

// window drops functions that nobody reads, and, when no function tells rows apart that are equal in the order, columns.
func (p *pruner) window(n *rel.Window, need rel.ColSet) rel.Rel {
	width := len(n.Input.Columns())
	want := need.Intersect(rel.ColRange(0, width))
	c := &rel.Window{}
	var have rel.ColSet
	ties := false
	for i, f := range n.Funcs {
		if need.Has(width + i) {
			c.Funcs = append(c.Funcs, f)
			have = have.Add(width + i)
			ties = ties || f.TellsTies()
		}
	}
	if len(c.Funcs) == 0 {
		return p.prune(n.Input, want)
	}
	if ties {
		want = rel.ColRange(0, width)
	}
	want = columnsOf(rel.Scalars(c), want).Union(rel.ColsOf(n.Partition...))
	for _, o := range n.Order {
		want = want.Add(o.Col)
	}
	c = rel.WithScalars(c, remap(rel.Scalars(c), want)).(*rel.Window)
	at := places(want)
	for _, col := range n.Partition {
		c.Partition = append(c.Partition, at[col])
	}
	for _, o := range n.Order {
		o.Col = at[o.Col]
		c.Order = append(c.Order, o)
	}
	c.Input = p.prune(n.Input, want)
	return onlyOf(c, have.Union(want), need)
}

// topKOfWindow cuts partitions of which only the first rows are asked for, before their rows are numbered.
//
//	Filter n <= 3 (Window by p order o, n := row_number() (R))
//	  =>  Window by p order o, n := row_number() (TopK by p order o limit 3 (R))
//
// It is safe when every function of the window is the same over the first rows alone: row_number, rank, dense_rank and lag
// are, and aggregates of rows up to the current one. Rows equal in the order stand in the same order in both.
func topKOfWindow(_ *Context, r rel.Rel) rel.Rel {
	return rel.Transform(r, func(r rel.Rel) rel.Rel {
		f, ok := r.(*rel.Filter)
		if !ok {
			return r
		}
		cols := upTo(len(f.Columns()))
		in := f.Input
		project, projected := in.(*rel.Project)
		if projected {
			cols, in = project.Cols, project.Input
		}
		w, ok := in.(*rel.Window)
		if !ok || slices.ContainsFunc(w.Funcs, looksAhead) {
			return r
		}
		preds, limit := firstRows(f.Preds, func(c int) bool { return isRowNumber(w, cols[c]) })
		if limit == nil || cutAlready(w, limit) {
			return r
		}
		var out rel.Rel = &rel.Window{Partition: w.Partition, Order: w.Order, Funcs: w.Funcs, Input: &rel.TopK{Input: w.Input,
			Group: w.Partition, Order: w.Order, Limit: limit}}
		if projected {
			out = &rel.Project{Input: out, Cols: project.Cols, Names: project.Names}
		}
		return under(out, preds)
	})
}

func isRowNumber(w *rel.Window, col int) bool {
	at := col - len(w.Input.Columns())
	return at >= 0 && w.Funcs[at].Agg == nil && w.Funcs[at].Name == "row_number"
}

// looksAhead says whether a function may be another when rows further on are left out.
func looksAhead(f rel.WindowFunc) bool {
	if f.Agg == nil {
		switch f.Name {
		case "row_number", "rank", "dense_rank":
			return false
		case "lag":
			return len(f.Args) > 1
		case "first_value", "last_value", "nth_value":
		default:
			return true
		}
	}
	upToRow := f.Frame.End.Kind == ast.CurrentRow || f.Frame.End.Kind == ast.OffsetPreceding
	return f.Frame.Mode != ast.FrameRows || !upToRow || f.Frame.Exclude == "GROUP" || f.Frame.Exclude == "TIES"
}

// cutAlready says whether no more than so many rows of each partition come into a window.
func cutAlready(w *rel.Window, limit *expr.Const) bool {
	t, ok := w.Input.(*rel.TopK)
	if !ok || !slices.Equal(t.Group, w.Partition) || !slices.Equal(t.Order, w.Order) {
		return false
	}
	c, ok := t.Limit.(*expr.Const)
	return ok && !c.Val.IsNull() && c.Val.Int() <= limit.Val.Int()
}

// firstRows finds how many rows of a partition conditions on their number leave, and the conditions that are not
// answered by that; the limit is nil when they say nothing of it.
func firstRows(preds []expr.Scalar, isNumber func(col int) bool) (rest []expr.Scalar, limit *expr.Const) {
	for _, e := range conjuncts(preds) {
		n, exact, ok := highest(e, isNumber)
		if !ok {
			rest = append(rest, e)
			continue
		}
		if !exact {
			rest = append(rest, e)
		}
		if n = max(n, 0); limit == nil || n < limit.Val.Int() {
			limit = &expr.Const{Val: repr.Int8(n), Typ: repr.TypeOf(repr.KindInt8)}
		}
	}
	return rest, limit
}

// flippedCompare are the comparisons with their operands exchanged.
var flippedCompare = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}

// highest reads a condition as `number <= n`; exact says that it is no more than that.
func highest(e expr.Scalar, isNumber func(col int) bool) (n int64, exact, ok bool) {
	c, isCall := e.(*expr.Call)
	if !isCall || len(c.Args) != 2 {
		return 0, false, false
	}
	name, a, b := c.Fn.Name, c.Args[0], c.Args[1]
	if _, isConst := a.(*expr.Const); isConst {
		name, a, b = flippedCompare[name], b, a
	}
	col, isCol := a.(*expr.Column)
	limit, isConst := b.(*expr.Const)
	if !isCol || !isConst || limit.Val.IsNull() || !isInteger(limit.Val.Kind()) || !isNumber(col.Index) {
		return 0, false, false
	}
	v := limit.Val.Int()
	switch name {
	case "<=":
		return v, true, true
	case "<":
		return max(v, 1) - 1, true, true
	case "=":
		return v, v == 1, true
	}
	return 0, false, false
}

func isInteger(k repr.Kind) bool {
	return k == repr.KindInt2 || k == repr.KindInt4 || k == repr.KindInt8
}
