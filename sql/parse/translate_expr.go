package parse

import (
	"github.com/auxten/postgresql-parser/pkg/sql/sem/tree"

	"millrace/repr"
	"millrace/sql/ast"
)

// exprs translates a list of expressions.
func (t *translator) exprs(list tree.Exprs) []ast.Expr {
	if len(list) == 0 {
		return nil
	}
	out := make([]ast.Expr, len(list))
	for i, e := range list {
		out[i] = t.expr(e)
	}
	return out
}

// expr translates an expression. After an error it returns NULL, which nobody will see.
func (t *translator) expr(e tree.Expr) ast.Expr {
	if t.p.err != nil || !t.enter() {
		return &ast.NullLit{}
	}
	defer t.leave()
	switch e := e.(type) {
	case *tree.UnresolvedName:
		return t.leaf(e)
	case *tree.ParenExpr:
		return t.inParens(e)
	case *tree.CastExpr:
		return t.cast(e)
	case *tree.CollateExpr:
		return t.collate(e)
	case *tree.UnaryExpr:
		return t.minus(e)
	case *tree.BinaryExpr:
		return t.binary(e)
	case *tree.ComparisonExpr:
		return t.comparison(e)
	case *tree.AndExpr, *tree.OrExpr:
		return t.logic(e)
	case *tree.NotExpr:
		out := &ast.Not{}
		first := t.span(func() { out.Arg = t.expr(e.Expr) })
		out.At = t.keywordBefore(first, "not")
		return out
	case *tree.RangeCond:
		return t.between(e)
	case *tree.FuncExpr:
		return t.call(e)
	}
	return t.compound(e)
}

// compound translates the expressions with brackets or keywords around them.
func (t *translator) compound(e tree.Expr) ast.Expr {
	switch e := e.(type) {
	case *tree.Subquery:
		return t.subqueryExpr(e)
	case *tree.ArrayFlatten:
		out := &ast.ArraySubquery{At: t.at(t.opener("array"))}
		sub, ok := e.Subquery.(*tree.Subquery)
		if !ok {
			t.internal()
			return out
		}
		out.Query = t.subquery(sub.Select)
		return out
	case *tree.Array:
		return t.array(e)
	case *tree.Tuple:
		return t.row(e)
	case *tree.IndirectionExpr:
		return t.subscripts(e)
	case *tree.CaseExpr:
		return t.caseExpr(e)
	case *tree.ColumnAccessExpr:
		return t.fields(e)
	case *tree.TupleStar:
		out := &ast.Field{Arg: t.expr(e.Expr)}
		out.At = ast.At{Pos: out.Arg.Position()}
		return out
	}
	t.internal()
	return &ast.NullLit{}
}

// leaf translates a name of the skeleton back into what it stands for.
func (t *translator) leaf(n *tree.UnresolvedName) ast.Expr {
	part := n.Parts[0]
	if n.Star {
		part = n.Parts[1]
	}
	e, ok := t.s.lookup(part)
	if !ok || n.NumParts > 2 {
		t.badName(part, nil)
		return &ast.NullLit{}
	}
	t.see(e.tok)
	switch {
	case n.Star && e.kind == entryName && len(e.parts) <= 3:
		return &ast.Star{At: t.at(e.tok), Qualifier: e.parts}
	case n.Star:
	case e.kind == entryName && e.special == ast.SpecialNone:
		return t.column(e)
	case e.kind == entryNode:
		return t.node(e)
	case e.kind == entryOp && e.prefix && len(t.holes) > 0:
		return t.fillHole(e)
	case e.kind == entryEmpty && t.inGroupBy:
		return &ast.Row{At: t.at(e.tok)}
	}
	t.syntaxAt(e.tok)
	return &ast.NullLit{}
}

func (t *translator) column(e *entry) ast.Expr {
	if len(e.parts) > 4 {
		n := ast.Name{Parts: e.parts}
		t.p.fail(repr.NewError(repr.CodeSyntax, "improper qualified name (too many dotted names): "+n.String()).
			At(t.at(e.tok).Pos))
	}
	return &ast.ColumnRef{At: t.at(e.tok), Parts: e.parts}
}

func (t *translator) node(e *entry) ast.Expr {
	switch x := e.node.(type) {
	case *ast.Default:
		if t.depth > t.defaultDepth {
			t.p.fail(repr.NewError(repr.CodeSyntax, "DEFAULT is not allowed in this context").At(x.Pos))
		}
	case *ast.Is, *ast.Star:
		t.syntaxAt(e.tok)
	case *ast.Cast:
		if x.Arg == nil {
			t.syntaxAt(e.tok)
		}
	}
	return e.node
}

// inParens translates what stands in parentheses, where operands outside don't reach.
func (t *translator) inParens(e *tree.ParenExpr) ast.Expr {
	save, group := t.holes, t.inGroupBy
	t.holes = nil
	if _, ok := e.Expr.(*tree.Tuple); !ok {
		t.inGroupBy = false
	}
	out := t.expr(e.Expr)
	t.holes, t.inGroupBy = save, group
	return out
}

// typeOf is the type that a varchar of the skeleton stands for.
func (t *translator) typeOf(e *tree.CastExpr) *ast.TypeName {
	i := int(e.Type.Width()) - 1
	if i < 0 || i >= len(t.s.types) {
		t.internal()
		return &ast.TypeName{}
	}
	return t.s.types[i]
}

func (t *translator) cast(e *tree.CastExpr) ast.Expr {
	out := &ast.Cast{Arg: t.expr(e.Expr), Type: t.typeOf(e)}
	out.At = ast.At{Pos: out.Type.Pos}
	return out
}

func (t *translator) collate(e *tree.CollateExpr) ast.Expr {
	arg := t.expr(e.Expr)
	name := t.objectName(e.Locale)
	return &ast.Collate{At: name.At, Arg: arg, Collation: name}
}

// minus translates the one prefix operator that has its own precedence.
func (t *translator) minus(e *tree.UnaryExpr) ast.Expr {
	out := &ast.Unary{Op: "-"}
	if e.Operator != tree.UnaryMinus {
		t.internal()
		return out
	}
	first := t.span(func() { out.Arg = t.expr(e.Expr) })
	out.At = t.before(first, func(i int) bool { return t.p.toks[i].is("-") && !t.s.infix[i] })
	return out
}

// binaryOps names the operators that stay in the skeleton as they are.
var binaryOps = map[tree.BinaryOperator]string{
	tree.Plus: "+", tree.Minus: "-", tree.Mult: "*", tree.Div: "/", tree.Mod: "%", tree.Pow: "^",
}

// binary translates an infix operator: arithmetic, or a chain of those that travel between ||.
func (t *translator) binary(e *tree.BinaryExpr) ast.Expr {
	if e.Operator == tree.Concat {
		return t.chain(e)
	}
	op, ok := binaryOps[e.Operator]
	if !ok {
		t.internal()
		return &ast.NullLit{}
	}
	out := &ast.Binary{Op: op, Left: t.expr(e.Left)}
	first := t.span(func() { out.Right = t.expr(e.Right) })
	out.At = t.infixBefore(first)
	return out
}

// infixBefore is the place of the nearest infix operator before a token.
func (t *translator) infixBefore(tok int) ast.At {
	return t.before(tok, func(i int) bool { return t.s.infix[i] })
}

// chain translates a || k1 || b || k2 || c: operands with operators between them, of one precedence, to
// be grouped from the left, and prefix operators before operands.
func (t *translator) chain(e *tree.BinaryExpr) ast.Expr {
	var items []tree.Expr
	left := tree.Expr(e)
	for {
		b, ok := left.(*tree.BinaryExpr)
		if !ok || b.Operator != tree.Concat {
			break
		}
		items = append(items, b.Right)
		left = b.Left
	}
	items = append(items, left)
	if len(items) > maxDepth {
		t.p.fail(tooDeep(t.p.toks[t.s.hi].char))
		return &ast.NullLit{}
	}
	for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
		items[i], items[j] = items[j], items[i]
	}
	out, rest := t.chainOperand(items)
	for len(rest) > 0 && t.p.err == nil {
		op := t.entryOf(rest[0])
		if op == nil || op.kind != entryOp || op.prefix || len(rest) == 1 {
			t.badChain(op)
			return out
		}
		var right ast.Expr
		right, rest = t.chainOperand(rest[1:])
		out = t.applyOp(op, out, right)
	}
	return out
}

// badChain records an error at an operator that stands in a wrong place.
func (t *translator) badChain(op *entry) {
	if op == nil {
		t.internal()
		return
	}
	t.syntaxAt(op.tok)
}

// applyOp makes the node of an infix operator.
func (t *translator) applyOp(op *entry, left, right ast.Expr) ast.Expr {
	if op.op != "overlaps" {
		return &ast.Binary{At: t.at(op.tok), Op: op.op, Schema: op.schema, Left: left, Right: right}
	}
	l, okLeft := left.(*ast.Row)
	r, okRight := right.(*ast.Row)
	if !okLeft || !okRight || len(l.Items) != 2 || len(r.Items) != 2 {
		t.p.fail(repr.NewError(repr.CodeSyntax, "wrong number of parameters on side of OVERLAPS expression").
			At(t.at(op.tok).Pos))
		return left
	}
	return &ast.FuncCall{At: t.at(op.tok), Name: ast.Name{At: t.at(op.tok), Parts: []string{"overlaps"}},
		Args: append(append([]ast.Expr{}, l.Items...), r.Items...), Special: ast.SpecialOverlaps}
}

// chainOperand translates the operand at the head of a chain. If it is, or ends in, a prefix operator,
// then what the operator applies to is the next item of the chain.
func (t *translator) chainOperand(items []tree.Expr) (ast.Expr, []tree.Expr) {
	head, rest := items[0], items[1:]
	need := t.trailingPrefix(head)
	if need == nil {
		return t.expr(head), rest
	}
	if len(rest) == 0 {
		t.syntaxAt(need.tok)
		return &ast.NullLit{}, nil
	}
	save := t.holes
	t.holes = rest
	out := t.expr(head)
	left := t.holes
	t.holes = save
	return out, left
}

// trailingPrefix is the prefix operator at the right edge of an expression, which lacks its operand; nil
// when there is none.
func (t *translator) trailingPrefix(e tree.Expr) *entry {
	for {
		switch x := e.(type) {
		case *tree.BinaryExpr:
			e = x.Right
		case *tree.UnaryExpr:
			e = x.Expr
		case *tree.FuncExpr:
			if len(x.Exprs) != 2 || x.Func.String() != "timezone" {
				return nil
			}
			e = x.Exprs[1]
		default:
			if op := t.entryOf(e); op != nil && op.kind == entryOp && op.prefix {
				return op
			}
			return nil
		}
	}
}

// fillHole makes the node of a prefix operator whose operand is the next item of the chain around.
func (t *translator) fillHole(op *entry) ast.Expr {
	items := t.holes
	t.holes = nil
	arg, rest := t.chainOperand(items)
	t.holes = rest
	return &ast.Unary{At: t.at(op.tok), Op: op.op, Schema: op.schema, Arg: arg}
}

// logic translates a chain of AND or of OR as one node.
func (t *translator) logic(e tree.Expr) ast.Expr {
	out := &ast.Logic{}
	var items []tree.Expr
	switch x := e.(type) {
	case *tree.AndExpr:
		for ; x != nil; x, _ = e.(*tree.AndExpr) {
			items = append(items, x.Right)
			e = x.Left
		}
	case *tree.OrExpr:
		out.Or = true
		for ; x != nil; x, _ = e.(*tree.OrExpr) {
			items = append(items, x.Right)
			e = x.Left
		}
	}
	items = append(items, e)
	out.Args = make([]ast.Expr, len(items))
	for i := range items {
		out.Args[i] = t.expr(items[len(items)-1-i])
	}
	out.At = ast.At{Pos: out.Args[0].Position()}
	return out
}

func (t *translator) between(e *tree.RangeCond) ast.Expr {
	out := &ast.Between{Not: e.Not, Symmetric: e.Symmetric, Arg: t.expr(e.Left)}
	first := t.span(func() { out.Low = t.expr(e.From) })
	out.At = t.keywordBefore(first, "between")
	out.High = t.expr(e.To)
	return out
}

func (t *translator) subqueryExpr(e *tree.Subquery) ast.Expr {
	if e.Exists {
		at := t.at(t.opener("exists"))
		return &ast.Exists{At: at, Query: t.subquery(e.Select)}
	}
	q := t.subquery(e.Select)
	return &ast.ScalarSubquery{At: q.At, Query: q}
}

func (t *translator) array(e *tree.Array) ast.Expr {
	out := &ast.ArrayExpr{At: t.at(t.opener("array"))}
	out.Items = t.exprs(e.Exprs)
	return out
}

func (t *translator) row(e *tree.Tuple) ast.Expr {
	out := &ast.Row{Explicit: e.Row}
	keyword := -1
	if e.Row {
		keyword = t.opener("row")
	}
	group := t.inGroupBy
	t.inGroupBy = false
	first := t.span(func() { out.Items = t.exprs(e.Exprs) })
	t.inGroupBy = group
	out.At = t.before(first, func(i int) bool { return t.p.toks[i].is("(") })
	if keyword >= 0 {
		out.At = t.at(keyword)
	}
	if e.Labels != nil {
		t.syntaxAt(first)
	}
	return out
}

// subscripts translates x[i][j:k].
func (t *translator) subscripts(e *tree.IndirectionExpr) ast.Expr {
	out := t.expr(e.Expr)
	for _, sub := range e.Indirection {
		s := &ast.Subscript{At: ast.At{Pos: out.Position()}, Arg: out, Slice: sub.Slice}
		switch {
		case !sub.Slice:
			s.Index = t.expr(sub.Begin)
		default:
			if sub.Begin != nil {
				s.Low = t.expr(sub.Begin)
			}
			if sub.End != nil {
				s.High = t.expr(sub.End)
			}
		}
		out = s
	}
	return out
}

func (t *translator) caseExpr(e *tree.CaseExpr) ast.Expr {
	out := &ast.Case{At: t.at(t.opener("case"))}
	if e.Expr != nil {
		out.Arg = t.expr(e.Expr)
	}
	for _, w := range e.Whens {
		when := ast.When{Cond: t.expr(w.Cond), Then: t.expr(w.Val)}
		when.At = ast.At{Pos: when.Cond.Position()}
		out.Whens = append(out.Whens, when)
	}
	if e.Else != nil {
		out.Else = t.expr(e.Else)
	}
	return out
}

// fields translates (x).a.b.
func (t *translator) fields(e *tree.ColumnAccessExpr) ast.Expr {
	out := t.expr(e.Expr)
	f, ok := t.s.lookup(e.ColName)
	if !ok || f.kind != entryName {
		t.badName(e.ColName, f)
		return out
	}
	for _, name := range f.parts {
		out = &ast.Field{At: t.at(f.tok), Arg: out, Name: name}
	}
	return out
}
