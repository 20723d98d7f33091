package opt

import (
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// apply joins each row of the left side with the rows of the right side for it. The domain, if there is one, goes
// with the left side.
func (u *unnester) apply(n *rel.Apply, sc scope) rel.Rel {
	if anySubquery(n.On) {
		return u.bind(intoRight(n.Kind, n.Left, n.Right, n.On), sc)
	}
	left := u.bind(n.Left, sc)
	if out, ok := u.rowwise(n, left, sc); ok {
		return out
	}
	width := len(left.Columns())
	h := &hoist{u: u, sc: sc, base: left, cur: left, cols: left.Columns(), width: width}
	if p, ok := pull(n.Right, n.Kind == rel.JoinSemi || n.Kind == rel.JoinAnti); ok && (n.Kind != rel.JoinLeft || plainOuts(p)) {
		return h.applyPulled(n, p)
	}
	h.share()
	b := h.domain(n.Right, nil)
	in := u.bind(n.Right, b.sc)
	nd := b.sc.width()
	on := append(b.same(h, width), h.conditions(n, func(c *expr.Column) expr.Scalar { return shifted(c, width+nd) })...)
	h.add(n.Kind, in, on)
	return h.close(keep(h.cur, width, min(width+nd, h.width)))
}

// conditions are those of an Apply over cur; right says what becomes of a column of the right side.
func (h *hoist) conditions(n *rel.Apply, right func(*expr.Column) expr.Scalar) []expr.Scalar {
	nl := len(n.Left.Columns())
	out := make([]expr.Scalar, len(n.On))
	for i, e := range n.On {
		out[i] = expr.Transform(e, func(e expr.Scalar) expr.Scalar {
			switch e := e.(type) {
			case *expr.Outer:
				return h.sc.column(e.Level, e.Index)
			case *expr.Column:
				if e.Index < nl {
					return h.own(e)
				}
				return right(shifted(e, -nl))
			}
			return e
		})
	}
	return out
}

// applyPulled joins the part of the right side that does not refer to the left.
func (h *hoist) applyPulled(n *rel.Apply, p pulled) rel.Rel {
	width := h.width
	inner := func(c *expr.Column) expr.Scalar { return shifted(c, width) }
	var on []expr.Scalar
	for _, e := range p.preds {
		on = append(on, h.resolve(e, inner))
	}
	outs := make([]expr.Scalar, len(p.outs))
	for i, e := range p.outs {
		outs[i] = h.resolve(e, inner)
	}
	on = append(on, h.conditions(n, func(c *expr.Column) expr.Scalar { return outs[c.Index] })...)
	h.add(n.Kind, h.u.bind(p.base, scope{}), on)
	if n.Kind == rel.JoinSemi || n.Kind == rel.JoinAnti {
		return h.cur
	}
	m := &rel.Map{Input: h.cur, Exprs: outs}
	for _, c := range n.Right.Columns() {
		m.Names = append(m.Names, c.Name)
	}
	return keep(m, width, h.width)
}

// plainOuts says whether the columns are plain ones, so that they are NULL where an outer join found no row.
func plainOuts(p pulled) bool {
	for _, e := range p.outs {
		if _, ok := e.(*expr.Column); !ok {
			return false
		}
	}
	return true
}

// rowwise applies a right side that is maps, filters and table functions over one constant row to the left rows
// themselves.
func (u *unnester) rowwise(n *rel.Apply, left rel.Rel, sc scope) (rel.Rel, bool) {
	if n.Kind != rel.JoinInner {
		return nil, false
	}
	var chain []rel.Rel
	r := n.Right
	for {
		v, ok := r.(*rel.Values)
		if ok && len(v.Rows) == 1 && !anySubquery(v.Rows[0]) {
			break
		}
		in := rel.Children(r)
		switch r.(type) {
		case *rel.Map, *rel.Filter, *rel.FlatMap, *rel.Project:
		default:
			return nil, false
		}
		if anySubquery(rel.Scalars(r)) {
			return nil, false
		}
		chain = append(chain, r)
		r = in[0]
	}
	width := len(left.Columns())
	h := &hoist{u: u, sc: sc, base: left, cur: left, cols: left.Columns(), width: width}
	behind := func(c *expr.Column) expr.Scalar { return shifted(c, width) }
	row := r.(*rel.Values)
	m := &rel.Map{Input: left, Exprs: h.resolveAll(row.Rows[0], behind)}
	for _, c := range row.Cols {
		m.Names = append(m.Names, c.Name)
	}
	var out rel.Rel = m
	for i := len(chain) - 1; i >= 0; i-- {
		out = h.onto(chain[i], out, behind)
	}
	if len(n.On) > 0 {
		out = &rel.Filter{Input: out, Preds: h.conditions(n, behind)}
	}
	return out, true
}

func (h *hoist) resolveAll(list []expr.Scalar, inner func(*expr.Column) expr.Scalar) []expr.Scalar {
	out := make([]expr.Scalar, len(list))
	for i, e := range list {
		out[i] = h.resolve(e, inner)
	}
	return out
}

// onto puts a node of the right side on top of a plan that begins with the columns of the left side.
func (h *hoist) onto(r, in rel.Rel, inner func(*expr.Column) expr.Scalar) rel.Rel {
	r = rel.WithChildren(rel.WithScalars(r, h.resolveAll(rel.Scalars(r), inner)), []rel.Rel{in})
	if p, ok := r.(*rel.Project); ok {
		names := p.Names
		if names != nil {
			names = nil
			for _, c := range h.cols {
				names = append(names, c.Name)
			}
			names = append(names, p.Names...)
		}
		return &rel.Project{Input: in, Cols: behind(h.width, p.Cols), Names: names}
	}
	return r
}

// intoRight makes the conditions of a join a filter of its right side, which may then hold subqueries that see both
// sides.
func intoRight(kind rel.JoinKind, left, right rel.Rel, on []expr.Scalar) rel.Rel {
	nl := len(left.Columns())
	move := func(o *expr.Outer, level int) expr.Scalar {
		return &expr.Outer{Level: o.Level + 1, Index: o.Index, Typ: o.Typ, Name: o.Name}
	}
	preds := make([]expr.Scalar, len(on))
	for i, e := range on {
		preds[i] = expr.Transform(rel.MapOuterScalar(e, move), func(e expr.Scalar) expr.Scalar {
			switch e := e.(type) {
			case *expr.Column:
				if e.Index < nl {
					return &expr.Outer{Level: 1, Index: e.Index, Typ: e.Typ, Name: e.Name}
				}
				return shifted(e, -nl)
			case *expr.Subquery:
				c := *e
				c.Query = splitRow(e.Query.(rel.Rel), nl)
				return &c
			}
			return e
		})
	}
	return &rel.Apply{Kind: kind, Left: left, Right: &rel.Filter{Input: right, Preds: preds}}
}

// splitRow rewrites references to the row of a join: columns of its right side stay one level up, those of its left
// side are one level further.
func splitRow(query rel.Rel, nl int) rel.Rel {
	return rel.MapOuter(query, func(o *expr.Outer, level int) expr.Scalar {
		if level != 1 {
			return o
		}
		if o.Index < nl {
			return &expr.Outer{Level: o.Level + 1, Index: o.Index, Typ: o.Typ, Name: o.Name}
		}
		return &expr.Outer{Level: o.Level, Index: o.Index - nl, Typ: o.Typ, Name: o.Name}
	})
}

// join moves the domain to the sides that refer to it, and to the side whose rows are all kept.
func (u *unnester) join(n *rel.Join, sc scope) rel.Rel {
	switch {
	case n.Kind == rel.JoinFull && (sc.width() > 0 || anySubquery(n.On)):
		return u.bind(fullAsUnion(n), sc)
	case n.Kind == rel.JoinRight && (sc.width() > 0 || anySubquery(n.On)):
		return u.bind(flipped(n), sc)
	case anySubquery(n.On) && n.Kind == rel.JoinInner:
		return u.bind(&rel.Filter{Input: &rel.Join{Left: n.Left, Right: n.Right}, Preds: n.On}, sc)
	case anySubquery(n.On):
		return u.bind(intoRight(n.Kind, n.Left, rel.ShiftOuter(n.Right, 1), n.On), sc)
	}
	if sc.width() == 0 {
		return &rel.Join{Kind: n.Kind, Left: u.bind(n.Left, sc), Right: u.bind(n.Right, sc), On: n.On}
	}
	return u.joinInScope(n, sc)
}

// joinInScope binds a join whose kind keeps the rows of the left side, or of neither. Left carries the domain unless
// only the right side of an inner join refers to it.
func (u *unnester) joinInScope(n *rel.Join, sc scope) rel.Rel {
	nd, nl := sc.width(), len(n.Left.Columns())
	carryRight := rel.HasOuter(n.Right)
	carryLeft := n.Kind != rel.JoinInner || !carryRight || rel.HasOuter(n.Left)
	left, right := n.Left, n.Right
	dl, dr := 0, 0
	if carryLeft {
		left, dl = u.bind(left, sc), nd
	} else {
		left = u.bind(left, scope{})
	}
	if carryRight {
		right, dr = u.bind(right, sc), nd
	} else {
		right = u.bind(right, scope{})
	}
	domainAt := 0
	if !carryLeft {
		domainAt = nl
	}
	on := make([]expr.Scalar, 0, len(n.On)+nd)
	if carryLeft && carryRight {
		for i := range sc.cols {
			c := rel.ColumnOf(sc.cols, i)
			on = append(on, rel.Same(c, shifted(c, nd+nl)))
		}
	}
	for _, e := range n.On {
		on = append(on, expr.Transform(e, func(e expr.Scalar) expr.Scalar {
			switch e := e.(type) {
			case *expr.Outer:
				return shifted(rel.ColumnOf(sc.cols, sc.place(e.Level, e.Index)), domainAt)
			case *expr.Column:
				if e.Index < nl {
					return shifted(e, dl)
				}
				return shifted(e, dl+dr)
			}
			return e
		}))
	}
	out := &rel.Join{Kind: n.Kind, Left: left, Right: right, On: on}
	if n.Kind == rel.JoinSemi || n.Kind == rel.JoinAnti {
		return out
	}
	cols := make([]int, 0, nd+nl+len(n.Right.Columns()))
	for i := range nd {
		cols = append(cols, domainAt+i)
	}
	for i := range nl {
		cols = append(cols, dl+i)
	}
	for i := range n.Right.Columns() {
		cols = append(cols, dl+nl+dr+i)
	}
	return &rel.Project{Input: out, Cols: cols}
}

// flipped is a right join as a left join.
func flipped(n *rel.Join) rel.Rel {
	nl, nr := len(n.Left.Columns()), len(n.Right.Columns())
	turned := &rel.Join{Kind: rel.JoinLeft, Left: n.Right, Right: n.Left, On: turn(n.On, nl, nr)}
	cols := make([]int, 0, nl+nr)
	for i := range nl + nr {
		cols = append(cols, (nr+i)%(nl+nr))
	}
	return &rel.Project{Input: turned, Cols: cols}
}

// turn rewrites conditions for the sides of a join in the other order.
func turn(on []expr.Scalar, nl, nr int) []expr.Scalar {
	out := make([]expr.Scalar, len(on))
	for i, e := range on {
		out[i] = rel.MapColumns(e, func(c *expr.Column) expr.Scalar {
			if c.Index < nl {
				return shifted(c, nr)
			}
			return shifted(c, -nl)
		})
	}
	return out
}

// fullAsUnion is a full join as a left join and the right rows that match nothing.
func fullAsUnion(n *rel.Join) rel.Rel {
	nl, nr := len(n.Left.Columns()), len(n.Right.Columns())
	left := &rel.Join{Kind: rel.JoinLeft, Left: n.Left, Right: n.Right, On: n.On}
	anti := &rel.Join{Kind: rel.JoinAnti, Left: n.Right, Right: n.Left, On: turn(n.On, nl, nr)}
	padded := &rel.Map{Input: anti, Exprs: nullsOf(n.Left.Columns())}
	cols := make([]int, 0, nl+nr)
	for i := range nl + nr {
		cols = append(cols, (nr+i)%(nl+nr))
	}
	return &rel.Union{Inputs: []rel.Rel{left, &rel.Project{Input: padded, Cols: cols}}}
}

func nullsOf(cols repr.RowDesc) []expr.Scalar {
	out := make([]expr.Scalar, len(cols))
	for i, c := range cols {
		out[i] = rel.Null(c.Type)
	}
	return out
}
