package opt

import (
	"slices"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// letRec keeps a recursion that does not refer to the outer row as it is. Any other is computed for all rows of the domain
// at once: its plans begin with the row of the domain that they are for, and a reference means the rows for that.
//
//	LetRec x := V in B, for each row d of D  =>  LetRec x' := Apply d of D, V' in Apply d of D, B'
//
// where V' and B' are V and B with, in the place of Ref x, the rows of x' that begin with d.
func (u *unnester) letRec(n *rel.LetRec, sc scope) rel.Rel {
	c := *n
	c.Bindings = slices.Clone(n.Bindings)
	if !slices.ContainsFunc(c.Bindings, func(b rel.Binding) bool { return rel.HasOuter(b.Value) }) {
		for i, b := range c.Bindings {
			c.Bindings[i].Value = u.bind(b.Value, scope{})
		}
		c.Body = u.bind(n.Body, sc)
		return &c
	}
	for i, b := range c.Bindings {
		c.Bindings[i].Value = u.forDomain(n, b.Value, sc)
	}
	c.Body = u.forDomain(n, n.Body, sc)
	return &c
}

// forDomain gives, for each row of the domain, that row and the rows of a plan of a recursion.
func (u *unnester) forDomain(n *rel.LetRec, r rel.Rel, sc scope) rel.Rel {
	ids := map[int]bool{}
	for _, id := range n.IDs() {
		ids[id] = true
	}
	r = rel.MapOuter(r, func(o *expr.Outer, level int) expr.Scalar {
		return &expr.Outer{Level: o.Level - level + 1, Index: sc.place(level, o.Index), Typ: o.Typ, Name: o.Name}
	})
	r = rel.TransformDeep(r, func(r rel.Rel, depth int) rel.Rel {
		if ref, ok := r.(*rel.Ref); ok && ids[ref.ID] {
			return ofDomain(ref, sc, depth+1)
		}
		return r
	})
	return u.bind(&rel.Apply{Kind: rel.JoinInner, Left: sc.domain, Right: r}, scope{})
}

// ofDomain are the rows of a recursive plan for the row of the domain that stands at a level around it.
func ofDomain(ref *rel.Ref, sc scope, level int) rel.Rel {
	cols := append(append(make(repr.RowDesc, 0, sc.width()+len(ref.Cols)), sc.cols...), ref.Cols...)
	f := &rel.Filter{Input: &rel.Ref{ID: ref.ID, Cols: cols}}
	for i, c := range sc.cols {
		f.Preds = append(f.Preds, rel.Same(rel.ColumnOf(cols, i), &expr.Outer{Level: level, Index: i, Typ: c.Type, Name: c.Name}))
	}
	own := make([]int, len(ref.Cols))
	for i := range own {
		own[i] = sc.width() + i
	}
	return &rel.Project{Input: f, Cols: own}
}
