package plan

import (
	"slices"
	"strconv"
	"strings"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// selectBody is a bound SELECT. Its expressions are over the row of FROM, with aggregates, window and set-returning functions
// standing in as columns that no row has (aggBase, winBase, setBase), until build gives them their place.
type selectBody struct {
	b       *binder
	fr      frame
	from    *from
	scope   *scope
	where   []expr.Scalar
	targets []target
	visible int // targets behind these are for ORDER BY and DISTINCT ON alone
	aggs    *aggregates
	sets    *setCalls
	wins    *windows

	grouped      bool
	keys         []expr.Scalar // of all grouping sets
	groupingSets [][]int       // the keys of each, by number; GROUP BY without any is one set
	having       []expr.Scalar

	distinct bool
	on       []int // targets of DISTINCT ON
	order    []rel.ColOrder
}

// target is an item of the SELECT list.
type target struct {
	name   string
	value  expr.Scalar
	pos    int
	fields repr.RowDesc // of a record whose fields have names
}

// selectBody binds a SELECT with the ORDER BY around it.
func (b *binder) selectBody(sel *ast.Select, fr frame, order []ast.OrderItem) (body, *repr.Error) {
	fr.owner = b.newOwner()
	f, err := b.from(sel.From, fr)
	if err != nil {
		return nil, err
	}
	s := &selectBody{b: b, fr: fr, from: f, scope: f.scope(fr), aggs: &aggregates{recursive: f.recursive()}, sets: &setCalls{},
		wins: &windows{defs: sel.Windows}}
	if sel.Where != nil {
		cond, err := b.scalars(s.scope, fr, "WHERE").condition(sel.Where)
		if err != nil {
			return nil, err
		}
		s.where = conjuncts(cond)
	}
	steps := []func() *repr.Error{
		func() *repr.Error { return s.bindTargets(sel.Targets) },
		func() *repr.Error { return s.bindGroupBy(sel.GroupBy) },
		func() *repr.Error { return s.bindHaving(sel.Having) },
		func() *repr.Error { return s.bindDistinctOn(sel) },
		func() *repr.Error { return s.bindOrder(order) },
		func() *repr.Error { return s.wins.rest(s.exprs("window definitions")) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	s.grouped = len(sel.GroupBy) > 0 || sel.Having != nil || len(s.aggs.list) > 0 || len(s.aggs.groupings) > 0
	return s, nil
}

// exprs is the binder of a clause in which aggregates may stand.
func (s *selectBody) exprs(clause string) *scalars {
	row := *s.scope
	row.aggs = s.aggs
	x := s.b.scalars(&row, s.fr, clause)
	x.aggs = s.aggs
	return x
}

func (s *selectBody) bindTargets(list []ast.Target) *repr.Error {
	x := s.exprs("SELECT")
	x.sets, x.wins = s.sets, s.wins
	for _, t := range list {
		if star, ok := starOf(t.Expr); ok {
			if err := s.expandStar(star); err != nil {
				return err
			}
			continue
		}
		value, err := x.bind(t.Expr)
		if err != nil {
			return err
		}
		name := t.Alias
		if name == "" {
			name = targetName(t.Expr)
		}
		s.targets = append(s.targets, target{name, value, place(t.Expr), s.b.records[value]})
	}
	s.visible = len(s.targets)
	return nil
}

// starOf recognises *, t.* and (t).*.
func starOf(e ast.Expr) (*ast.Star, bool) {
	if f, ok := e.(*ast.Field); ok && f.Name == "" {
		if ref, ok := f.Arg.(*ast.ColumnRef); ok {
			return &ast.Star{At: ref.At, Qualifier: ref.Parts}, true
		}
	}
	star, ok := e.(*ast.Star)
	return star, ok
}

// expandStar appends the columns that * or t.* stands for.
func (s *selectBody) expandStar(star *ast.Star) *repr.Error {
	cols, level := s.scope.names, 0
	if len(star.Qualifier) > 0 {
		t, at, err := s.scope.lookupTable(star.Qualifier, star.Pos)
		if err != nil {
			return err
		}
		cols, level = t.cols, at
	} else if len(s.scope.tables) == 0 {
		return errAt(repr.CodeSyntax, "SELECT * with no tables specified is not valid", star.Pos)
	}
	x := s.exprs("SELECT")
	for _, c := range cols {
		if c.unstarred {
			continue
		}
		ref := &ast.ColumnRef{At: star.At, Parts: []string{c.name}}
		s.targets = append(s.targets, target{c.name, x.noted(match{c, level}.value(), ref), star.Pos, c.fields})
	}
	return nil
}

func (s *selectBody) bindHaving(e ast.Expr) *repr.Error {
	if e == nil {
		return nil
	}
	cond, err := s.exprs("HAVING").condition(e)
	if err != nil {
		return err
	}
	s.having = []expr.Scalar{cond}
	return nil
}

func (s *selectBody) bindDistinctOn(sel *ast.Select) *repr.Error {
	s.distinct = sel.Distinct
	for _, e := range sel.DistinctOn {
		i, err := s.targetFor(e, "SELECT DISTINCT ON")
		if err != nil {
			return err
		}
		if !slices.Contains(s.on, i) {
			s.on = append(s.on, i)
		}
	}
	return nil
}

// bindOrder binds ORDER BY: an item is an output column by number or name, or else an expression over FROM.
func (s *selectBody) bindOrder(items []ast.OrderItem) *repr.Error {
	for _, item := range items {
		item, err := usingOrder(item)
		if err != nil {
			return err
		}
		i, err := s.targetFor(item.Expr, "ORDER BY")
		if err != nil {
			return err
		}
		if s.distinct && len(s.on) == 0 && i >= s.visible {
			return errAt(repr.CodeInvalidColumnReference, "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
				place(item.Expr))
		}
		if err := comparable(s.targets[i].value.Type(), "ordering", place(item.Expr)); err != nil {
			return err
		}
		if !slices.ContainsFunc(s.order, func(o rel.ColOrder) bool { return o.Col == i }) {
			s.order = append(s.order, rel.ColOrder{Col: i, Desc: item.Desc, NullsFirst: item.NullsAreFirst()})
		}
	}
	return s.checkDistinctOn()
}

// checkDistinctOn wants ORDER BY to begin with the expressions of DISTINCT ON, in any order.
func (s *selectBody) checkDistinctOn() *repr.Error {
	for i, o := range s.order {
		if i >= len(s.on) || slices.Contains(s.on, o.Col) {
			continue
		}
		return errAt(repr.CodeInvalidColumnReference, "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
			s.targets[s.on[i]].pos)
	}
	return nil
}

// comparable refuses types that have no order and no equality.
func comparable(t repr.Type, operator string, pos int) *repr.Error {
	if t.Kind != repr.KindJSON {
		return nil
	}
	return errAt(repr.CodeUndefinedFunction, "could not identify an "+operator+" operator for type "+t.String(), pos)
}

// targetFor finds the target that an item of ORDER BY or DISTINCT ON means, and appends one where there is none.
func (s *selectBody) targetFor(e ast.Expr, clause string) (int, *repr.Error) {
	if i, ok, err := s.outputColumn(e, clause); ok || err != nil {
		return i, err
	}
	x := s.exprs(clause)
	x.sets, x.wins = s.sets, s.wins
	value, err := x.bind(e)
	if err != nil {
		return 0, err
	}
	if isUnknown(value) {
		if value, err = s.b.coerce(value, repr.TypeOf(repr.KindText), implicitly, place(e)); err != nil {
			return 0, err
		}
	}
	for i, t := range s.targets {
		if expr.Equal(t.value, value) {
			return i, nil
		}
	}
	s.targets = append(s.targets, target{name: targetName(e), value: value, pos: place(e)})
	return len(s.targets) - 1, nil
}

// outputColumn finds a visible target by number or name.
func (s *selectBody) outputColumn(e ast.Expr, clause string) (int, bool, *repr.Error) {
	if i, ok, err := ordinal(e, s.visible, clause); ok || err != nil {
		return i, ok, err
	}
	ref, ok := e.(*ast.ColumnRef)
	if !ok || len(ref.Parts) > 1 {
		return 0, false, nil
	}
	found := -1
	for i, t := range s.targets[:s.visible] {
		if t.name != ref.Column() {
			continue
		}
		if found >= 0 && !expr.Equal(t.value, s.targets[found].value) {
			return 0, false, errAt(repr.CodeAmbiguousColumn, clause+" "+quote(t.name)+" is ambiguous", ref.Pos)
		}
		if found < 0 {
			found = i
		}
	}
	return found, found >= 0, nil
}

// ordinal recognises a column that is given by its number.
func ordinal(e ast.Expr, n int, clause string) (int, bool, *repr.Error) {
	switch lit := e.(type) {
	case *ast.NumberLit:
		i, err := strconv.Atoi(lit.Text)
		if err != nil {
			return 0, false, errAt(repr.CodeSyntax, "non-integer constant in "+clause, lit.Pos)
		}
		if i < 1 || i > n {
			return 0, false, errAt(repr.CodeInvalidColumnReference, clause+" position "+itoa(i)+" is not in select list", lit.Pos)
		}
		return i - 1, true, nil
	case *ast.StringLit:
		return 0, false, errAt(repr.CodeSyntax, "non-integer constant in "+clause, lit.Pos)
	}
	return 0, false, nil
}

func (s *selectBody) columns() repr.RowDesc {
	out := make(repr.RowDesc, s.visible)
	for i, t := range s.targets[:s.visible] {
		out[i] = repr.Column{Name: t.name, Type: t.value.Type()}
	}
	return out
}

func (s *selectBody) position(i int) int { return s.targets[i].pos }

func (s *selectBody) coerce(i int, to repr.Type, how coercion) *repr.Error {
	t := &s.targets[i]
	if t.value.Type() == to {
		return nil
	}
	value, err := s.b.coerce(t.value, to, how, t.pos)
	t.value = value
	return err
}

// build makes the plan: FROM, WHERE, GROUP BY and HAVING, window functions, set-returning functions, the targets, DISTINCT.
func (s *selectBody) build() (*output, *repr.Error) {
	r := s.from.rel
	if len(s.where) > 0 {
		r = &rel.Filter{Input: r, Preds: s.where}
	}
	values := make([]expr.Scalar, len(s.targets))
	names := make([]string, len(s.targets))
	for i, t := range s.targets {
		values[i], names[i] = t.value, t.name
	}
	if s.grouped {
		var err *repr.Error
		if r, values, err = s.group(r, values); err != nil {
			return nil, err
		}
	}
	r, values = s.callWindows(r, values)
	r, values = s.callSets(r, values)
	r = projectTo(r, values, names)
	out := &output{rel: r, cols: s.columns(), order: s.order}
	for _, t := range s.targets[:s.visible] {
		out.fields = append(out.fields, t.fields)
	}
	nullability(out.cols, r)
	return out, s.applyDistinct(out)
}

// nullability copies what a plan knows about NULLs in its first columns.
func nullability(cols repr.RowDesc, r rel.Rel) {
	for i, c := range r.Columns()[:len(cols)] {
		cols[i].NotNull = c.NotNull
	}
}

// callSets puts the set-returning functions on the plan.
func (s *selectBody) callSets(r rel.Rel, values []expr.Scalar) (rel.Rel, []expr.Scalar) {
	if len(s.sets.list) == 0 {
		return r, values
	}
	width := len(r.Columns())
	call := sideBySide(s.sets.list)
	r = &rel.FlatMap{Input: r, Fn: call.fn, Args: call.args, Names: namesOf(call.fn.Cols)}
	return r, rewriteScalars(values, 0, func(n expr.Scalar, depth int) expr.Scalar {
		c, ok := n.(*expr.Column)
		if !ok || depth > 0 {
			return n
		}
		at, ok := s.sets.place(c.Index)
		if !ok {
			return n
		}
		return &expr.Column{Index: width + at, Typ: c.Typ, Name: c.Name}
	})
}

func (s *selectBody) applyDistinct(out *output) *repr.Error {
	if !s.distinct {
		return nil
	}
	if len(s.on) == 0 {
		for i, c := range out.cols {
			if err := comparable(c.Type, "equality", s.targets[i].pos); err != nil {
				return err
			}
		}
		out.rel = &rel.Distinct{Input: out.rel}
		return nil
	}
	one := &expr.Const{Val: repr.Int8(1), Typ: repr.TypeOf(repr.KindInt8)}
	out.rel = &rel.TopK{Input: out.rel, Group: s.on, Order: slices.DeleteFunc(slices.Clone(s.order), func(o rel.ColOrder) bool {
		return slices.Contains(s.on, o.Col)
	}), Limit: one}
	return nil
}

// tableAlias is the qualified name that errors give a column of the row of FROM.
func (s *selectBody) tableAlias(index int, name string) string {
	for _, t := range s.from.tables {
		for _, c := range t.cols {
			if col, ok := c.value.(*expr.Column); ok && col.Index == index && t.alias != "" {
				return t.alias + "." + c.name
			}
		}
	}
	return strings.TrimPrefix(name, ".")
}
