package opt

import (
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// wholePartitions computes aggregates over whole partitions by grouping, and joins them with the rows.
//
//	Window by p compute sum(x) (R)  =>  Join R.p IS NOT DISTINCT FROM g.p R (Reduce by p compute sum(x) (R))
//
// A change then costs the rows whose aggregate is another and not the whole partition. It is safe when the order of the
// rows does not matter to the aggregates, and when computing R twice gives the same rows.
func wholePartitions(c *Context, r rel.Rel) rel.Rel {
	w, ok := r.(*rel.Window)
	whole := ok && repeatable(w.Input)
	for i := 0; whole && i < len(w.Funcs); i++ {
		whole = overWhole(w, &w.Funcs[i])
	}
	if !whole {
		return rel.MapChildren(r, func(in rel.Rel) rel.Rel { return wholePartitions(c, in) })
	}
	need := columnsOf(rel.Scalars(w), rel.ColsOf(w.Partition...))
	return groupedWindow(w, wholePartitions(c, w.Input), wholePartitions(c, belowWindows(w.Input, need)))
}

// belowWindows are the rows of a plan without the windows on top of it that are not among the columns needed.
func belowWindows(r rel.Rel, need rel.ColSet) rel.Rel {
	w, ok := r.(*rel.Window)
	if !ok || !need.Within(0, len(w.Input.Columns())) {
		return r
	}
	return belowWindows(w.Input, need)
}

// overWhole says whether a function is an aggregate over the whole partition, whatever the order.
func overWhole(w *rel.Window, f *rel.WindowFunc) bool {
	switch {
	case f.Agg == nil, f.Agg.Fold != nil, f.Agg.Extreme != 0 && !f.Typ.Kind.KeyIsValue(), f.Frame.Exclude != "":
		return false
	case f.Frame.Start.Kind != ast.UnboundedPreceding:
		return false
	case f.Frame.End.Kind == ast.CurrentRow && f.Frame.Mode != ast.FrameRows:
		return len(w.Order) == 0 // all rows are peers
	}
	return f.Frame.End.Kind == ast.UnboundedFollowing
}

// repeatable says whether a plan may stand twice.
func repeatable(r rel.Rel) bool {
	ok := true
	rel.Walk(r, func(r rel.Rel) bool {
		switch r.(type) {
		case *rel.Let, *rel.LetRec:
			ok = false
		}
		for _, e := range rel.Scalars(r) {
			ok = ok && !expr.Any(e, func(e expr.Scalar) bool {
				c, isCall := e.(*expr.Call)
				return isCall && c.Fn.Volatility == expr.Volatile
			})
		}
		return ok
	})
	return ok
}

// groupedWindow joins rows with the groups of the same rows, or of as many of their columns as are needed.
func groupedWindow(w *rel.Window, rows, grouped rel.Rel) rel.Rel {
	cols := rows.Columns()
	groups := &rel.Reduce{Input: grouped}
	var on []expr.Scalar
	for i, c := range w.Partition {
		key := rel.ColumnOf(cols, c)
		groups.Keys = append(groups.Keys, key)
		groups.Names = append(groups.Names, key.Name)
		on = append(on, rel.Same(key, &expr.Column{Index: len(cols) + i, Typ: key.Typ, Name: key.Name}))
	}
	out := upTo(len(cols))
	for i, f := range w.Funcs {
		groups.Aggs = append(groups.Aggs, rel.Agg{Fn: f.Agg, Args: f.Args, Filter: f.Filter, Typ: f.Typ, Name: f.Name})
		groups.Names = append(groups.Names, f.Name)
		out = append(out, len(cols)+len(w.Partition)+i)
	}
	joined := &rel.Join{Kind: rel.JoinInner, Left: rows, Right: groups, On: on}
	return &rel.Project{Input: joined, Cols: out}
}
