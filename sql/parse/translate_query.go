package parse

import (
	"slices"
	"strings"

	"github.com/auxten/postgresql-parser/pkg/sql/sem/tree"

	"millrace/sql/ast"
)

// query translates a query with all that surrounds its body.
func (t *translator) query(s *tree.Select) *ast.Query {
	q := &ast.Query{Body: &ast.Values{}}
	if t.p.err != nil || !t.enter() {
		return q
	}
	defer t.leave()
	saveGroup := t.inGroupBy
	t.inGroupBy = false
	if s.With != nil {
		q.With = t.with(s.With)
	}
	q.Body = t.body(s.Select)
	q.OrderBy = t.orderBy(s.OrderBy)
	t.limit(q, s.Limit)
	q.Locking = t.locking(s.Locking)
	t.inGroupBy = saveGroup
	q.At = ast.At{Pos: startOf(q.Body)}
	if q.With != nil {
		q.At = q.With.At
	}
	return q
}

// startOf is where a query body begins.
func startOf(b ast.QueryBody) int {
	for {
		op, ok := b.(*ast.SetOp)
		if !ok {
			return b.Position()
		}
		b = op.Left
	}
}

func (t *translator) limit(q *ast.Query, l *tree.Limit) {
	if l == nil {
		return
	}
	if l.Count != nil {
		q.Limit = t.expr(l.Count)
		q.Ties = slices.ContainsFunc(t.p.ties, func(at [2]int) bool {
			return at[0] <= q.Limit.Position() && q.Limit.Position() < at[1]
		})
	}
	if l.Offset != nil {
		q.Offset = t.expr(l.Offset)
	}
}

// lockingStrengths spells the strengths of a locking clause.
var lockingStrengths = map[tree.LockingStrength]string{
	tree.ForUpdate: "UPDATE", tree.ForNoKeyUpdate: "NO KEY UPDATE", tree.ForShare: "SHARE", tree.ForKeyShare: "KEY SHARE",
}

func (t *translator) locking(clause tree.LockingClause) []ast.Locking {
	var out []ast.Locking
	for _, item := range clause {
		l := ast.Locking{Strength: lockingStrengths[item.Strength]}
		first := t.span(func() {
			for i := range item.Targets {
				l.Of = append(l.Of, t.objectName(string(item.Targets[i].TableName)))
			}
		})
		if first < 0 {
			first = t.s.hi
		}
		l.At = t.keywordBefore(first, "for")
		switch item.WaitPolicy {
		case tree.LockWaitSkip:
			l.Wait = "SKIP LOCKED"
		case tree.LockWaitError:
			l.Wait = "NOWAIT"
		case tree.LockWaitBlock:
		}
		out = append(out, l)
	}
	return out
}

func (t *translator) with(w *tree.With) *ast.With {
	out := &ast.With{At: t.at(t.opener("with")), Recursive: w.Recursive}
	for _, c := range w.CTEList {
		out.CTEs = append(out.CTEs, t.cte(out, c))
	}
	return out
}

func (t *translator) cte(w *ast.With, c *tree.CTE) ast.CTE {
	name := t.ident(string(c.Name.Alias))
	out := ast.CTE{At: name.At, Name: name.Name, Columns: t.idents(c.Name.Cols)}
	if e, ok := t.s.lookup(string(c.Name.Alias)); ok {
		out.Materialized = e.materialized
		if e.mutually {
			w.Mutually, w.Options = true, e.options
		}
		if e.colTypes != nil {
			out.Columns, out.ColumnTypes = e.colNames, e.colTypes
		}
		t.trailOf(e.tok, &out)
	}
	sel, ok := c.Stmt.(*tree.Select)
	if !ok {
		t.internal()
		return out
	}
	out.Query = t.query(sel)
	return out
}

// body translates what stands between WITH and ORDER BY.
func (t *translator) body(s tree.SelectStatement) ast.QueryBody {
	switch s := s.(type) {
	case *tree.SelectClause:
		if s.TableSelect {
			return t.tableQuery(s)
		}
		return t.selectClause(s)
	case *tree.UnionClause:
		return t.setOp(s)
	case *tree.ValuesClause:
		return t.values(s)
	case *tree.ParenSelect:
		return t.paren(s.Select)
	}
	t.internal()
	return &ast.Values{}
}

// paren translates a query in parentheses: its body alone when nothing surrounds it.
func (t *translator) paren(s *tree.Select) ast.QueryBody {
	q := t.query(s)
	if q.With == nil && q.OrderBy == nil && q.Limit == nil && q.Offset == nil && q.Locking == nil && s.Limit == nil {
		return q.Body
	}
	return q
}

func (t *translator) tableQuery(s *tree.SelectClause) ast.QueryBody {
	out := &ast.TableQuery{At: t.at(t.opener("table"))}
	item, ok := s.From.Tables[0].(*tree.AliasedTableExpr)
	if !ok {
		t.internal()
		return out
	}
	name, ok := item.Expr.(*tree.TableName)
	if !ok || item.As.Alias != "" || item.Ordinality {
		t.syntaxAt(t.s.hi)
		return out
	}
	out.Table = t.objectName(string(name.TableName))
	return out
}

// setOp translates a chain of set operations.
func (t *translator) setOp(s *tree.UnionClause) ast.QueryBody {
	out := &ast.SetOp{Kind: ast.Union, All: s.All}
	switch s.Type {
	case tree.IntersectOp:
		out.Kind = ast.Intersect
	case tree.ExceptOp:
		out.Kind = ast.Except
	case tree.UnionOp:
	}
	if !t.enter() {
		return &ast.Values{}
	}
	defer t.leave()
	out.Left = t.body(s.Left.Select)
	first := t.span(func() { out.Right = t.body(s.Right.Select) })
	out.At = t.keywordBefore(first, strings.ToLower(out.Kind.String()))
	return out
}

func (t *translator) values(s *tree.ValuesClause) ast.QueryBody {
	out := &ast.Values{At: t.at(t.opener("values")), Rows: make([][]ast.Expr, len(s.Rows))}
	for i, row := range s.Rows {
		out.Rows[i] = t.exprs(row)
	}
	return out
}

func (t *translator) selectClause(s *tree.SelectClause) ast.QueryBody {
	out := &ast.Select{At: t.at(t.opener("select")), Distinct: s.Distinct}
	saveDefault := t.defaultDepth
	t.defaultDepth = 0
	out.DistinctOn = t.exprs(tree.Exprs(s.DistinctOn))
	for _, target := range s.Exprs {
		t.target(out, target)
	}
	for _, item := range s.From.Tables {
		out.From = append(out.From, t.tableExpr(item))
	}
	if s.Where != nil {
		out.Where = t.expr(s.Where.Expr)
	}
	if s.GroupBy != nil {
		out.GroupBy = t.groupBy(s.GroupBy)
	}
	if s.Having != nil {
		out.Having = t.expr(s.Having.Expr)
	}
	for _, w := range s.Window {
		name := t.ident(string(w.Name))
		out.Windows = append(out.Windows, ast.WindowDef{At: name.At, Name: name.Name, Spec: t.windowSpec(w)})
	}
	t.defaultDepth = saveDefault
	return out
}

// target translates one item of a SELECT list; an empty list is one item that says so.
func (t *translator) target(out *ast.Select, s tree.SelectExpr) {
	if e := t.entryOf(s.Expr); e != nil && e.kind == entryEmpty {
		if len(out.Targets) > 0 || s.As != "" || t.p.toks[e.tok].is(")") && !t.p.toks[e.tok-1].isWord("select") {
			t.syntaxAt(e.tok)
		}
		t.see(e.tok)
		return
	}
	if star := t.bareStar(s.Expr); star != nil {
		if s.As != "" {
			t.syntaxAt(t.firstToken(s.As))
		}
		out.Targets = append(out.Targets, ast.Target{At: star.At, Expr: star})
		return
	}
	target := ast.Target{}
	first := t.span(func() { target.Expr = t.expr(s.Expr) })
	if s.As != "" {
		target.Alias = t.ident(string(s.As)).Name
	}
	target.At = t.at(first)
	if target.Pos == 0 {
		target.At = ast.At{Pos: target.Expr.Position()}
	}
	out.Targets = append(out.Targets, target)
}

// bareStar is the * that an expression is; nil for any other.
func (t *translator) bareStar(e tree.Expr) *ast.Star {
	mark := t.entryOf(e)
	if mark == nil || mark.kind != entryNode {
		return nil
	}
	star, ok := mark.node.(*ast.Star)
	if !ok {
		return nil
	}
	t.see(mark.tok)
	return star
}

// firstToken is the token of an alias.
func (t *translator) firstToken(name tree.UnrestrictedName) int {
	if e, ok := t.s.lookup(string(name)); ok {
		return e.tok
	}
	return t.s.hi
}

func (t *translator) groupBy(list tree.GroupBy) []ast.Expr {
	out := make([]ast.Expr, 0, len(list))
	for _, e := range list {
		t.inGroupBy = true
		out = append(out, t.expr(e))
		t.inGroupBy = false
	}
	return out
}

func (t *translator) tableExpr(e tree.TableExpr) ast.TableExpr {
	out := ast.TableExpr(&ast.TableRef{})
	if !t.enter() {
		return out
	}
	defer t.leave()
	switch e := e.(type) {
	case *tree.AliasedTableExpr:
		return t.aliased(e)
	case *tree.ParenTableExpr:
		return t.tableExpr(e.Expr)
	case *tree.JoinTableExpr:
		return t.join(e)
	}
	t.internal()
	return out
}

func (t *translator) alias(a tree.AliasClause) *ast.Alias {
	if a.Alias == "" {
		return nil
	}
	name := t.ident(string(a.Alias))
	return &ast.Alias{At: name.At, Name: name.Name, Columns: t.idents(a.Cols)}
}

// aliased translates an item of FROM with its alias.
func (t *translator) aliased(e *tree.AliasedTableExpr) ast.TableExpr {
	if f, ok := e.Expr.(*tree.RowsFromExpr); ok {
		return t.tableFunc(e, f)
	}
	if e.Ordinality {
		t.p.unsupported("WITH ORDINALITY for anything but a function", t.p.toks[t.s.hi])
	}
	switch x := e.Expr.(type) {
	case *tree.TableName:
		name := t.objectName(string(x.TableName))
		return &ast.TableRef{At: name.At, Name: name, Alias: t.noTypes(e.As)}
	case *tree.Subquery:
		out := &ast.Subquery{Lateral: e.Lateral}
		out.Query = t.subquery(x.Select)
		out.At = out.Query.At
		out.Alias = t.noTypes(e.As)
		return out
	case *tree.ParenTableExpr:
		join, ok := t.tableExpr(x.Expr).(*ast.Join)
		if !ok || join.Alias != nil {
			t.internal()
			return &ast.TableRef{}
		}
		join.Alias = t.noTypes(e.As)
		return join
	}
	t.internal()
	return &ast.TableRef{}
}

// noTypes translates the alias of an item that can't have a column definition list.
func (t *translator) noTypes(a tree.AliasClause) *ast.Alias {
	if e, ok := t.s.lookup(string(a.Alias)); ok && e.colTypes != nil {
		t.syntaxAt(e.tok + 1)
	}
	return t.alias(a)
}

// tableFunc translates a function in FROM.
func (t *translator) tableFunc(e *tree.AliasedTableExpr, f *tree.RowsFromExpr) ast.TableExpr {
	out := &ast.TableFunc{Lateral: e.Lateral, Ordinality: e.Ordinality, RowsFrom: len(f.Items) > 1}
	first := t.span(func() { out.Funcs = t.exprs(f.Items) })
	out.At = t.at(first)
	out.Alias = t.alias(e.As)
	if first > 1 && t.p.toks[first-1].is("(") && t.p.toks[first-2].isWord("from") {
		out.RowsFrom = true
	}
	entry, ok := t.s.lookup(string(e.As.Alias))
	if !ok || entry.colTypes == nil {
		return out
	}
	if e.As.Cols != nil {
		t.syntaxAt(entry.tok + 1)
	}
	out.Alias.Columns, out.ColumnTypes = entry.colNames, entry.colTypes
	return out
}

// joinKinds maps the library's spelling of joins; a comma and a bare JOIN are the empty one.
var joinKinds = map[string]ast.JoinKind{
	"": ast.InnerJoin, tree.AstInner: ast.InnerJoin, tree.AstLeft: ast.LeftJoin, tree.AstRight: ast.RightJoin,
	tree.AstFull: ast.FullJoin, tree.AstCross: ast.CrossJoin,
}

func (t *translator) join(e *tree.JoinTableExpr) ast.TableExpr {
	out := &ast.Join{Kind: joinKinds[e.JoinType]}
	out.Left = t.tableExpr(e.Left)
	first := t.span(func() { out.Right = t.tableExpr(e.Right) })
	out.At = t.keywordBefore(first, "join")
	switch c := e.Cond.(type) {
	case tree.NaturalJoinCond:
		out.Natural = true
	case *tree.OnJoinCond:
		out.On = t.expr(c.Expr)
	case *tree.UsingJoinCond:
		out.Using = t.idents(c.Cols)
	case nil:
	default:
		t.internal()
	}
	return out
}

// subquery translates the query of a subquery; further parentheses around it mean nothing.
func (t *translator) subquery(s tree.SelectStatement) *ast.Query {
	for {
		p, ok := s.(*tree.ParenSelect)
		if !ok {
			return t.query(&tree.Select{Select: s})
		}
		inner, ok := p.Select.Select.(*tree.ParenSelect)
		if !ok || p.Select.With != nil || p.Select.OrderBy != nil || p.Select.Limit != nil || p.Select.Locking != nil {
			return t.query(p.Select)
		}
		s = inner
	}
}
