package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

func (s *selectBody) groupKey(e ast.Expr) (expr.Scalar, *repr.Error) {
	key, err := s.groupExpr(e)
	if err != nil {
		return nil, err
	}
	if isUnknown(key) {
		if key, err = s.b.coerce(key, repr.TypeOf(repr.KindText), implicitly, place(e)); err != nil {
			return nil, err
		}
	}
	stands := func(from, to int) bool {
		return expr.Any(key, func(n expr.Scalar) bool {
			c, ok := n.(*expr.Column)
			return ok && c.Index >= from && c.Index < to
		})
	}
	if stands(winBase, setBase) {
		return nil, errAt(codeWindowing, "window functions are not allowed in GROUP BY", place(e))
	}
	if stands(aggBase, winBase) {
		return nil, errAt(repr.CodeGrouping, "aggregate functions are not allowed in GROUP BY", place(e))
	}
	return key, comparable(key.Type(), "equality", place(e))
}

func (s *selectBody) groupExpr(e ast.Expr) (expr.Scalar, *repr.Error) {
	ref, isRef := e.(*ast.ColumnRef)
	isInput := isRef && slices.ContainsFunc(s.scope.names, func(c column) bool { return c.name == ref.Column() })
	if !isInput {
		i, ok, err := s.outputColumn(e, "GROUP BY")
		if err != nil {
			return nil, err
		}
		if ok {
			return s.targets[i].value, nil
		}
	}
	x := s.b.scalars(s.scope, s.fr, "GROUP BY")
	x.sets = s.sets
	return x.bind(e)
}

// group makes the Reduce and HAVING, and rewrites the targets over its result: the keys, then the aggregates.
func (s *selectBody) group(in rel.Rel, values []expr.Scalar) (rel.Rel, []expr.Scalar, *repr.Error) {
	g := &grouping{s: s, keys: slices.Clone(s.keys), sets: slices.Clone(s.groupingSets)}
	var out, having []expr.Scalar
	var sets []setCall
	var wins []windowCall
	for known := -1; known != len(g.keys); {
		// A column that a primary key decides becomes a key too, which moves the aggregates: once more then.
		known = len(g.keys)
		out, having = g.targets(values), g.replaceAll(s.having)
		wins = s.wins.replaced(g.replace)
		sets = nil
		for i, c := range s.sets.list {
			if !usesSet(g.keys, i) { // those in keys are called on the rows of FROM
				c.args = g.replaceAll(c.args)
			}
			sets = append(sets, c)
		}
		if g.err != nil {
			return nil, nil, g.err
		}
	}
	s.sets.list, s.wins.list = sets, wins
	in, g.keys, out = s.callKeySets(in, g.keys, out)
	if err := g.checkDirect(); err != nil {
		return nil, nil, err
	}
	r, err := s.reduce(in, g)
	if err != nil {
		return nil, nil, err
	}
	if len(having) > 0 {
		r = &rel.Filter{Input: r, Preds: conjuncts(having[0])} // taken apart here: the whole may be a key
	}
	return r, out, nil
}

// reduce makes the Reduce, one for each grouping set. Subqueries in keys and in aggregates are computed on the rows first.
func (s *selectBody) reduce(in rel.Rel, g *grouping) (rel.Rel, *repr.Error) {
	width := len(in.Columns())
	var exprs []expr.Scalar
	lift := func(e expr.Scalar) expr.Scalar {
		if !holdsSubquery(e) {
			return e
		}
		exprs = append(exprs, e)
		return &expr.Column{Index: width + len(exprs) - 1, Typ: e.Type()}
	}
	out := &rel.Reduce{}
	for _, k := range g.keys {
		out.Keys = append(out.Keys, lift(k))
		out.Names = append(out.Names, keyName(k))
	}
	for _, a := range s.aggs.list {
		out.Aggs = append(out.Aggs, mapAgg(a, lift))
		out.Names = append(out.Names, a.Name)
	}
	out.Input = in
	if len(exprs) > 0 {
		out.Input = &rel.Map{Input: in, Exprs: exprs, Names: make([]string, len(exprs))}
	}
	return s.reduceSets(out, g)
}

func keyName(k expr.Scalar) string {
	if c, ok := k.(*expr.Column); ok {
		return c.Name
	}
	return ""
}

// grouping rewrites expressions over the row of FROM into expressions over the row of a Reduce.
type grouping struct {
	s    *selectBody
	keys []expr.Scalar
	sets [][]int // the keys of each grouping set, by number
	err  *repr.Error
}

func (g *grouping) replaceAll(list []expr.Scalar) []expr.Scalar {
	out := make([]expr.Scalar, len(list))
	for i, e := range list {
		out[i] = g.replace(e)
	}
	return out
}

// targets rewrites the values of the SELECT list. A constant that is a key of grouping sets is NULL where its set lacks it,
// but only as a whole value: within others a constant stays what it is.
func (g *grouping) targets(list []expr.Scalar) []expr.Scalar {
	out := g.replaceAll(list)
	for i, e := range list {
		if !isFixed(e) || len(g.sets) < 2 {
			continue
		}
		if k := slices.IndexFunc(g.keys, func(k expr.Scalar) bool { return expr.Equal(e, k) }); k >= 0 {
			out[i] = &expr.Column{Index: k, Typ: e.Type()}
		}
	}
	return out
}

// isFixed says whether an expression is a constant, or made of constants by immutable functions.
func isFixed(e expr.Scalar) bool {
	return expr.VolatilityOf(e) == expr.Immutable && !expr.Any(e, func(n expr.Scalar) bool {
		switch n.(type) {
		case *expr.Column, *expr.Outer, *expr.Subquery, *expr.Param:
			return true
		}
		return false
	})
}

// equals says whether an expression is a key. Subqueries are equal when their plans are.
func equals(e, key expr.Scalar) bool {
	return expr.Equal(e, key) || holdsSubquery(key) && rel.EqualScalar(e, key)
}

func holdsSubquery(e expr.Scalar) bool {
	return expr.Any(e, func(n expr.Scalar) bool { _, ok := n.(*expr.Subquery); return ok })
}

func (g *grouping) replace(e expr.Scalar) expr.Scalar {
	if isFixed(e) {
		return e
	}
	for i, k := range g.keys {
		if equals(e, k) {
			return &expr.Column{Index: i, Typ: k.Type(), Name: keyName(k)}
		}
	}
	switch n := e.(type) {
	case *expr.Column:
		switch {
		case n.Index >= winBase:
			return n
		case n.Index >= groupingBase:
			return &expr.Column{Index: len(g.keys) + len(g.s.aggs.list) + n.Index - groupingBase, Typ: n.Typ, Name: n.Name}
		case n.Index >= aggBase:
			return &expr.Column{Index: len(g.keys) + n.Index - aggBase, Typ: n.Typ, Name: n.Name}
		}
		if i := g.decided(n.Index, n); i >= 0 {
			return &expr.Column{Index: i, Typ: n.Typ, Name: n.Name}
		}
		g.fail(e, n.Index, "column ", " must appear in the GROUP BY clause or be used in an aggregate function", n.Name)
		return e
	case *expr.Subquery:
		c := *n
		c.Left = g.replaceAll(n.Left)
		c.Query = rewriteRel(n.Query.(rel.Rel), 1, g.replaceOuter)
		return &c
	}
	return expr.MapChildren(e, g.replace)
}

// replaceOuter rewrites the references that a subquery makes to the row.
func (g *grouping) replaceOuter(e expr.Scalar, depth int) expr.Scalar {
	o, ok := e.(*expr.Outer)
	switch {
	case !ok || o.Level != depth:
		return e
	case o.Index >= groupingBase:
		return &expr.Outer{Level: depth, Index: len(g.keys) + len(g.s.aggs.list) + o.Index - groupingBase, Typ: o.Typ, Name: o.Name}
	case o.Index >= aggBase:
		return &expr.Outer{Level: depth, Index: len(g.keys) + o.Index - aggBase, Typ: o.Typ, Name: o.Name}
	}
	i := slices.IndexFunc(g.keys, func(k expr.Scalar) bool { c, ok := k.(*expr.Column); return ok && c.Index == o.Index })
	if i < 0 {
		i = g.decided(o.Index, &expr.Column{Index: o.Index, Typ: o.Typ, Name: o.Name})
	}
	if i < 0 {
		g.fail(e, o.Index, "subquery uses ungrouped column ", " from outer query", o.Name)
		return e
	}
	return &expr.Outer{Level: depth, Index: i, Typ: o.Typ, Name: o.Name}
}

// decided makes a key of a column whose value the keys decide already: its table's primary key is in every grouping set.
func (g *grouping) decided(index int, col *expr.Column) int {
	for _, t := range g.s.from.tables {
		if t.item == nil || t.item.Kind == ItemMaterializedView || len(t.item.Keys) == 0 || !t.has(index) {
			continue
		}
		all := true
		for _, k := range t.item.Keys[0] {
			all = all && t.item.Desc[k].NotNull && g.everywhere(t.cols[k].value)
		}
		if all {
			g.keys = append(g.keys, col)
			for i := range g.sets {
				g.sets[i] = append(slices.Clip(g.sets[i]), len(g.keys)-1)
			}
			return len(g.keys) - 1
		}
	}
	return -1
}

// has says whether the table has the column of the row with an index.
func (t *table) has(index int) bool {
	return slices.ContainsFunc(t.cols, func(c column) bool {
		col, ok := c.value.(*expr.Column)
		return ok && col.Index == index
	})
}

// fail notes the first column that is not grouped.
func (g *grouping) fail(e expr.Scalar, index int, before, after, name string) {
	if g.err != nil {
		return
	}
	pos := 0
	if ref := g.s.b.refs[e]; ref != nil {
		pos = ref.Pos
	}
	g.err = errAt(repr.CodeGrouping, before+quote(g.s.tableAlias(index, name))+after, pos)
}
