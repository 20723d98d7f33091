package opt

import (
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// hoist moves the subqueries of one node's expressions into joins below the node. Its plan cur begins with the
// columns of base: the domain and then the node's input; each subquery adds columns behind them.
type hoist struct {
	u     *unnester
	sc    scope
	base  rel.Rel
	cols  repr.RowDesc // of base
	cur   rel.Rel
	width int // the columns of cur
	lets  []*rel.Let
}

// hoist begins with the input of a node, which gives the domain of sc and then the node's own input columns.
// When expressions hold subqueries the input is shared between them.
func (u *unnester) hoist(in rel.Rel, sc scope, list []expr.Scalar) *hoist {
	h := &hoist{u: u, sc: sc, base: in, cur: in, cols: in.Columns()}
	h.width = len(h.cols)
	for _, e := range list {
		if rel.HasSubquery(e) {
			h.share()
			break
		}
	}
	return h
}

// share names what there is so far, so that domains can be made of it.
func (h *hoist) share() {
	h.cols = h.cur.Columns()
	h.base = h.name(h.cur)
	h.cur = h.base
}

// name puts a plan into a Let, unless it is as good as a name.
func (h *hoist) name(r rel.Rel) rel.Rel {
	switch r.(type) {
	case *rel.Ref, *rel.Get:
		return r
	}
	let := &rel.Let{ID: h.u.newLet(), Value: r}
	h.lets = append(h.lets, let)
	return &rel.Ref{ID: let.ID, Cols: r.Columns()}
}

// close puts the names around a plan made of cur.
func (h *hoist) close(r rel.Rel) rel.Rel {
	for i := len(h.lets) - 1; i >= 0; i-- {
		h.lets[i].Body = r
		r = h.lets[i]
	}
	return r
}

// add joins a plan to cur and returns the place of its first column.
func (h *hoist) add(kind rel.JoinKind, r rel.Rel, on []expr.Scalar) int {
	at := h.width
	h.cur = &rel.Join{Kind: kind, Left: h.cur, Right: r, On: on}
	if kind != rel.JoinSemi && kind != rel.JoinAnti {
		h.width += len(r.Columns())
	}
	return at
}

// compute appends a column to cur.
func (h *hoist) compute(e expr.Scalar, name string) *expr.Column {
	h.cur = &rel.Map{Input: h.cur, Exprs: []expr.Scalar{e}, Names: []string{name}}
	h.width++
	return &expr.Column{Index: h.width - 1, Typ: e.Type(), Name: name}
}

// own is a column of the node's input, as a column of cur.
func (h *hoist) own(c *expr.Column) expr.Scalar { return shifted(c, h.sc.width()) }

// outer is a reference that leaves a plan around which the row of cur stands at level 1.
func (h *hoist) outer(level, index int) *expr.Column {
	if level == 1 {
		return rel.ColumnOf(h.cols, h.sc.width()+index)
	}
	return rel.ColumnOf(h.cols, h.sc.place(level-1, index))
}

// resolve rewrites an expression of a plan around which the row of cur stands: references become columns of cur,
// columns of the plan are what inner says. It holds no subquery.
func (h *hoist) resolve(e expr.Scalar, inner func(*expr.Column) expr.Scalar) expr.Scalar {
	return expr.Transform(e, func(e expr.Scalar) expr.Scalar {
		switch e := e.(type) {
		case *expr.Outer:
			return h.outer(e.Level, e.Index)
		case *expr.Column:
			return inner(e)
		}
		return e
	})
}

func (h *hoist) scalars(list []expr.Scalar) []expr.Scalar {
	out := make([]expr.Scalar, len(list))
	for i, e := range list {
		out[i] = h.scalar(e, nil)
	}
	return out
}

// scalar rewrites an expression of the node into one over cur. The guards, over base, are conditions without which
// the expression is not evaluated: subqueries in it are bound only to rows for which they are true.
func (h *hoist) scalar(e expr.Scalar, guards []expr.Scalar) expr.Scalar {
	switch n := e.(type) {
	case *expr.Column:
		return h.own(n)
	case *expr.Outer:
		return h.sc.column(n.Level, n.Index)
	case *expr.Subquery:
		return h.subquery(n, guards)
	}
	if !rel.HasSubquery(e) {
		return expr.MapChildren(e, func(c expr.Scalar) expr.Scalar { return h.scalar(c, nil) })
	}
	switch n := e.(type) {
	case *expr.Case:
		return h.caseOf(n, guards)
	case *expr.And:
		return &expr.And{Args: h.inTurn(n.Args, guards, func(prev expr.Scalar) expr.Scalar {
			return orElse(prev, true)
		})}
	case *expr.Or:
		return &expr.Or{Args: h.inTurn(n.Args, guards, func(prev expr.Scalar) expr.Scalar {
			return &expr.Not{Arg: orElse(prev, false)}
		})}
	case *expr.Coalesce:
		args := h.inTurn(n.Args, guards, func(prev expr.Scalar) expr.Scalar { return &expr.IsNull{Arg: prev} })
		return &expr.Coalesce{Args: args, Typ: n.Typ}
	}
	return expr.MapChildren(e, func(c expr.Scalar) expr.Scalar { return h.scalar(c, guards) })
}

// inTurn rewrites operands of which each is evaluated only if next holds of those before it.
func (h *hoist) inTurn(args, guards []expr.Scalar, next func(prev expr.Scalar) expr.Scalar) []expr.Scalar {
	out := make([]expr.Scalar, len(args))
	for i, a := range args {
		out[i] = h.scalar(a, guards)
		guards = h.guarded(guards, next(out[i]))
	}
	return out
}

func (h *hoist) caseOf(n *expr.Case, guards []expr.Scalar) expr.Scalar {
	out := &expr.Case{Typ: n.Typ}
	for _, w := range n.Whens {
		cond := h.scalar(w.Cond, guards)
		then := h.scalar(w.Then, h.guarded(guards, cond))
		out.Whens = append(out.Whens, expr.When{Cond: cond, Then: then})
		guards = h.guarded(guards, &expr.Not{Arg: orElse(cond, false)})
	}
	if n.Else != nil {
		out.Else = h.scalar(n.Else, guards)
	}
	return out
}

// guarded adds a condition, unless it depends on subqueries: leaving one out binds more rows, never fewer.
func (h *hoist) guarded(guards []expr.Scalar, e expr.Scalar) []expr.Scalar {
	if !rel.ColumnsOf(e, rel.ColSet{}).Within(0, len(h.cols)) {
		return guards
	}
	return append(guards[:len(guards):len(guards)], e)
}

// orElse is the condition with NULL taken for v.
func orElse(e expr.Scalar, v bool) expr.Scalar {
	return &expr.Coalesce{Args: []expr.Scalar{e, rel.Bool(v)}, Typ: repr.TypeOf(repr.KindBool)}
}

// binding is a domain made of cur for one plan.
type binding struct {
	sc   scope
	from []int // for each column of the domain, the column of base it comes from
}

// domain makes the distinct bindings of the columns that a plan refers to, and those of extra columns of base.
// Nothing referred to is the zero scope.
func (h *hoist) domain(query rel.Rel, guards []expr.Scalar, extra ...int) binding {
	b := binding{sc: scope{at: map[rel.OuterRef]int{}}}
	column := func(c int) int {
		for i, f := range b.from {
			if f == c {
				return i
			}
		}
		b.from = append(b.from, c)
		return len(b.from) - 1
	}
	for _, ref := range rel.FreeOuter(query) {
		b.sc.at[ref] = column(h.outer(ref.Level, ref.Index).Index)
	}
	for _, c := range extra {
		column(c)
	}
	if len(b.from) == 0 {
		return b
	}
	in := h.base
	if len(guards) > 0 {
		in = &rel.Filter{Input: in, Preds: guards}
	}
	b.sc.domain = h.name(&rel.Distinct{Input: &rel.Project{Input: in, Cols: b.from}})
	b.sc.cols = b.sc.domain.Columns()
	return b
}

// same are the conditions that join the domain's columns, which begin at column at, with those they come from.
func (b binding) same(h *hoist, at int) []expr.Scalar {
	on := make([]expr.Scalar, len(b.from))
	for i, f := range b.from {
		on[i] = rel.Same(rel.ColumnOf(h.cols, f), shifted(rel.ColumnOf(b.sc.cols, i), at))
	}
	return on
}

// lookup joins a plan that gives each row of the domain at most once; rows of cur without one get NULLs.
func (h *hoist) lookup(r rel.Rel, b binding) int {
	if len(b.from) == 0 && rel.JustOne(r) {
		return h.add(rel.JoinInner, r, nil)
	}
	return h.add(rel.JoinLeft, r, b.same(h, h.width))
}
