package opt

import (
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// holds says whether a condition is known to be true of every row of a plan: whether it stands where
// pushPredicates would have put it.
func holds(r rel.Rel, e expr.Scalar) bool {
	switch n := r.(type) {
	case *rel.Filter:
		return contains(n.Preds, e) || holds(n.Input, e)
	case *rel.Project:
		return holds(n.Input, rel.MapColumns(e, func(c *expr.Column) expr.Scalar {
			return &expr.Column{Index: n.Cols[c.Index], Typ: c.Typ, Name: c.Name}
		}))
	case *rel.Map:
		width := len(n.Input.Columns())
		return holds(n.Input, rel.MapColumns(e, func(c *expr.Column) expr.Scalar {
			if c.Index >= width {
				return n.Exprs[c.Index-width]
			}
			return c
		}))
	case *rel.Join:
		return holdsInJoin(n, e)
	case *rel.Reduce:
		if !rel.ColumnsOf(e, rel.ColSet{}).Within(0, len(n.Keys)) {
			return false
		}
		return holds(n.Input, rel.MapColumns(e, func(c *expr.Column) expr.Scalar { return n.Keys[c.Index] }))
	case *rel.Distinct, *rel.Threshold, *rel.TopK, *rel.Negate:
		return holds(rel.Children(n)[0], e)
	case *rel.Union:
		for _, in := range n.Inputs {
			if !holds(in, e) {
				return false
			}
		}
		return true
	case *rel.FlatMap, *rel.Window:
		in := rel.Children(n)[0]
		return rel.ColumnsOf(e, rel.ColSet{}).Within(0, len(in.Columns())) && holds(in, e)
	case *rel.Let:
		return holds(n.Body, e)
	}
	return false
}

func holdsInJoin(n *rel.Join, e expr.Scalar) bool {
	nl := len(n.Left.Columns())
	cols := rel.ColumnsOf(e, rel.ColSet{})
	const all = 1 << 30
	switch {
	case (n.Kind == rel.JoinInner || n.Kind == rel.JoinSemi) && contains(n.On, e):
		return true
	case cols.Within(0, nl):
		return n.Kind != rel.JoinRight && n.Kind != rel.JoinFull && holds(n.Left, e)
	case cols.Within(nl, all):
		return (n.Kind == rel.JoinInner || n.Kind == rel.JoinRight) && holds(n.Right, rel.ShiftColumns(e, 0, -nl))
	}
	return false
}

// knownOf are conditions on one column alone that are known to be true of every row of a plan, over its row.
func knownOf(r rel.Rel, col int) []expr.Scalar {
	switch n := r.(type) {
	case *rel.Filter:
		var out []expr.Scalar
		for _, e := range n.Preds {
			if cols := rel.ColumnsOf(e, rel.ColSet{}); cols.Len() == 1 && cols.Has(col) {
				out = append(out, e)
			}
		}
		return append(out, knownOf(n.Input, col)...)
	case *rel.Project:
		return movedTo(knownOf(n.Input, n.Cols[col]), col)
	case *rel.Map:
		if col < len(n.Input.Columns()) {
			return knownOf(n.Input, col)
		}
	case *rel.Join:
		nl := len(n.Left.Columns())
		switch {
		case col < nl && n.Kind != rel.JoinRight && n.Kind != rel.JoinFull:
			return knownOf(n.Left, col)
		case col >= nl && (n.Kind == rel.JoinInner || n.Kind == rel.JoinRight):
			return movedTo(knownOf(n.Right, col-nl), col)
		}
	case *rel.Reduce:
		if col < len(n.Keys) {
			if c, ok := n.Keys[col].(*expr.Column); ok {
				return movedTo(knownOf(n.Input, c.Index), col)
			}
		}
	case *rel.Window:
		if col < len(n.Input.Columns()) {
			return knownOf(n.Input, col)
		}
	case *rel.Distinct, *rel.TopK:
		return knownOf(rel.Children(n)[0], col)
	case *rel.Let:
		return knownOf(n.Body, col)
	}
	return nil
}

// movedTo are conditions on one column as conditions on the column at another place.
func movedTo(list []expr.Scalar, col int) []expr.Scalar {
	return mapAll(list, func(c *expr.Column) expr.Scalar { return &expr.Column{Index: col, Typ: c.Typ, Name: c.Name} })
}
