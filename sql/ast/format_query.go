package ast

import "millrace/internal/check"

func (p *printer) parenQuery(q *Query) {
	p.put("(")
	p.query(q)
	p.put(")")
}

func (p *printer) query(q *Query) {
	if q.With != nil {
		p.withClause(q.With)
	}
	p.body(q.Body)
	if len(q.OrderBy) > 0 {
		p.put(" ")
		p.orderBy(q.OrderBy)
	}
	if q.Limit != nil && !q.Ties {
		p.put(" LIMIT ")
		p.expr(q.Limit, 0)
	}
	if q.Offset != nil {
		p.put(" OFFSET ")
		p.expr(q.Offset, 0)
	}
	if q.Ties {
		p.put(" FETCH FIRST (")
		p.expr(q.Limit, 0)
		p.put(") ROWS WITH TIES")
	}
	for _, l := range q.Locking {
		p.put(" FOR ", l.Strength)
		if len(l.Of) > 0 {
			p.put(" OF ")
			p.names(l.Of)
		}
		p.when(l.Wait != "", " ", l.Wait)
	}
	if q.AsOf != nil {
		p.asOf(q.AsOf)
	}
}

func (p *printer) asOf(a *AsOf) {
	p.put(" AS OF ")
	p.when(a.AtLeast, "AT LEAST ")
	p.expr(a.Time, 0)
}

// withClause writes WITH … and a space behind it.
func (p *printer) withClause(w *With) {
	p.put("WITH ")
	p.when(w.Mutually, "MUTUALLY ")
	p.when(w.Recursive, "RECURSIVE ")
	if len(w.Options) > 0 {
		p.options(w.Options)
		p.put(" ")
	}
	for i, c := range w.CTEs {
		p.when(i > 0, ", ")
		p.ident(c.Name)
		if c.ColumnTypes != nil {
			p.put(" ")
			p.typedColumns(c.Columns, c.ColumnTypes)
		} else {
			p.idents(c.Columns)
		}
		p.put(" AS ")
		switch c.Materialized {
		case MaterializedYes:
			p.put("MATERIALIZED ")
		case MaterializedNo:
			p.put("NOT MATERIALIZED ")
		case MaterializedDefault:
		}
		p.parenQuery(c.Query)
		p.trail(&c)
	}
	p.put(" ")
}

// trail writes SEARCH and CYCLE behind a query of WITH RECURSIVE.
func (p *printer) trail(c *CTE) {
	if s := c.Search; s != nil {
		how := " SEARCH DEPTH FIRST BY "
		if s.Breadth {
			how = " SEARCH BREADTH FIRST BY "
		}
		p.put(how)
		p.nameList(s.By)
		p.put(" SET ")
		p.ident(s.Set.Name)
	}
	if y := c.Cycle; y != nil {
		p.put(" CYCLE ")
		p.nameList(y.By)
		p.put(" SET ")
		p.ident(y.Set.Name)
		if y.To != nil {
			p.put(" TO ")
			p.expr(y.To, 0)
			p.put(" DEFAULT ")
			p.expr(y.Default, 0)
		}
		p.put(" USING ")
		p.ident(y.Using.Name)
	}
}

// nameList writes a, b.
func (p *printer) nameList(names []Ident) {
	for i, n := range names {
		p.when(i > 0, ", ")
		p.ident(n.Name)
	}
}

// typedColumns writes (a int4, b text).
func (p *printer) typedColumns(names []Ident, types []*TypeName) {
	p.put("(")
	for i, n := range names {
		p.when(i > 0, ", ")
		p.ident(n.Name)
		p.put(" ")
		p.typeName(types[i], false)
	}
	p.put(")")
}

func (p *printer) body(b QueryBody) {
	switch b := b.(type) {
	case *Query:
		p.parenQuery(b)
	case *Select:
		p.selectBody(b)
	case *SetOp:
		p.setOp(b)
	case *Values:
		p.put("VALUES ")
		for i, row := range b.Rows {
			p.when(i > 0, ", ")
			p.put("(")
			p.exprs(row)
			p.put(")")
		}
	case *TableQuery:
		p.put("TABLE ")
		p.name(b.Table)
	default:
		check.Never("format of %T", b)
	}
}

// setOp writes a set operation: they group from the left, and INTERSECT binds tighter.
func (p *printer) setOp(s *SetOp) {
	left, leftOp := s.Left.(*SetOp)
	p.operand(s.Left, leftOp && s.Kind == Intersect && left.Kind != Intersect)
	p.put(" ", s.Kind.String(), " ")
	p.when(s.All, "ALL ")
	right, rightOp := s.Right.(*SetOp)
	p.operand(s.Right, rightOp && (s.Kind == Intersect || right.Kind != Intersect))
}

func (p *printer) operand(b QueryBody, parens bool) {
	p.when(parens, "(")
	p.body(b)
	p.when(parens, ")")
}

func (p *printer) selectBody(s *Select) {
	p.put("SELECT")
	p.when(s.Distinct, " DISTINCT")
	if len(s.DistinctOn) > 0 {
		p.put(" ON (")
		p.exprs(s.DistinctOn)
		p.put(")")
	}
	p.targets(s.Targets)
	p.from(" FROM ", s.From)
	p.where(s.Where)
	if len(s.GroupBy) > 0 {
		p.put(" GROUP BY ")
		p.exprs(s.GroupBy)
	}
	if s.Having != nil {
		p.put(" HAVING ")
		p.expr(s.Having, 0)
	}
	for i, w := range s.Windows {
		if i == 0 {
			p.put(" WINDOW ")
		} else {
			p.put(", ")
		}
		p.ident(w.Name)
		p.put(" AS ")
		p.window(w.Spec)
	}
}

// targets writes a list of targets with a space before it.
func (p *printer) targets(list []Target) {
	for i, t := range list {
		p.when(i > 0, ",")
		p.put(" ")
		p.expr(t.Expr, 0)
		if t.Alias != "" {
			p.put(" AS ")
			p.ident(t.Alias)
		}
	}
}

func (p *printer) from(word string, list []TableExpr) {
	for i, t := range list {
		if i == 0 {
			p.put(word)
		} else {
			p.put(", ")
		}
		p.tableExpr(t)
	}
}

func (p *printer) where(e Expr) {
	if e != nil {
		p.put(" WHERE ")
		p.expr(e, 0)
	}
}

func (p *printer) orderBy(list []OrderItem) {
	p.put("ORDER BY ")
	p.orderItems(list)
}

func (p *printer) orderItems(list []OrderItem) {
	for i, o := range list {
		p.when(i > 0, ", ")
		p.expr(o.Expr, 0)
		p.when(o.Using != "", " USING ", o.Using)
		p.when(o.Desc, " DESC")
		p.put([...]string{NullsDefault: "", NullsFirst: " NULLS FIRST", NullsLast: " NULLS LAST"}[o.Nulls])
	}
}

func (p *printer) alias(a *Alias) {
	if a == nil {
		return
	}
	p.put(" AS ")
	p.ident(a.Name)
	p.idents(a.Columns)
}

func (p *printer) tableExpr(t TableExpr) {
	switch t := t.(type) {
	case *TableRef:
		p.name(t.Name)
		p.alias(t.Alias)
	case *Subquery:
		p.when(t.Lateral, "LATERAL ")
		p.parenQuery(t.Query)
		p.alias(t.Alias)
	case *TableFunc:
		p.tableFunc(t)
	case *Join:
		p.join(t)
	default:
		check.Never("format of %T", t)
	}
}

func (p *printer) tableFunc(t *TableFunc) {
	p.when(t.Lateral, "LATERAL ")
	p.when(t.RowsFrom, "ROWS FROM (")
	for i, f := range t.Funcs {
		p.when(i > 0, ", ")
		if c, ok := f.(*Cast); ok && !c.Try && !c.Literal {
			p.put("CAST(")
			p.expr(c.Arg, 0)
			p.put(" AS ")
			p.typeName(c.Type, false)
			p.put(")")
			continue
		}
		p.expr(f, 0)
	}
	p.when(t.RowsFrom, ")")
	p.when(t.Ordinality, " WITH ORDINALITY")
	if t.ColumnTypes == nil {
		p.alias(t.Alias)
		return
	}
	p.put(" AS ")
	if t.Alias.Name != "" {
		p.ident(t.Alias.Name)
		p.put(" ")
	}
	p.typedColumns(t.Alias.Columns, t.ColumnTypes)
}

// join writes a join; one with an alias, or on the right of another, is in parentheses.
func (p *printer) join(j *Join) {
	p.when(j.Alias != nil, "(")
	p.tableExpr(j.Left)
	p.when(j.Natural, " NATURAL")
	if j.Kind == InnerJoin {
		p.put(" JOIN ")
	} else {
		p.put(" ", j.Kind.String(), " JOIN ")
	}
	right, nested := j.Right.(*Join)
	parens := nested && right.Alias == nil
	p.when(parens, "(")
	p.tableExpr(j.Right)
	p.when(parens, ")")
	if j.On != nil {
		p.put(" ON ")
		p.expr(j.On, 0)
	}
	if len(j.Using) > 0 {
		p.put(" USING")
		p.idents(j.Using)
	}
	if j.Alias != nil {
		p.put(")")
		p.alias(j.Alias)
	}
}
