package parse

import (
	"millrace/sql/ast"
)

// trail are the clauses SEARCH and CYCLE behind the query of a CTE. The library knows neither: the skeleton leaves them
// out and keeps them by the parenthesis that ends the query.
type trail struct {
	search *ast.Search
	cycle  *ast.Cycle
}

// searchOrCycle reads SEARCH and CYCLE behind a parenthesis.
func (s *skeleton) searchOrCycle(word string) bool {
	if !s.prev().is(")") || !s.endsCTE() {
		return false
	}
	isSearch := word == "search" && (s.peek(1).isWord("depth") || s.peek(1).isWord("breadth")) && s.peek(2).isWord("first")
	if !isSearch && !s.isCycle() {
		return false
	}
	t := &trail{}
	s.trails[s.i-1] = t
	s.p.pos = s.i
	if isSearch {
		t.search = s.p.search()
	}
	if s.p.nextIs("cycle") {
		t.cycle = s.p.cycle()
	}
	s.i = s.p.pos
	if s.i > s.hi {
		s.p.unexpectedAt(s.hi)
	}
	return true
}

// endsCTE says whether the parenthesis before the next token was opened behind AS or MATERIALIZED.
func (s *skeleton) endsCTE() bool {
	depth := 0
	for i := s.i - 1; i > 0; i-- {
		switch t := s.p.toks[i]; {
		case t.is(")"):
			depth++
		case t.is("("):
			depth--
		}
		if depth == 0 {
			before := s.p.toks[i-1]
			return before.isWord("as") || before.isWord("materialized")
		}
	}
	return false
}

// isCycle says whether CYCLE with its columns comes next, and not a name.
func (s *skeleton) isCycle() bool {
	n := 1
	for s.peek(n).isName() && s.peek(n+1).is(",") {
		n += 2
	}
	return s.peek(0).isWord("cycle") && s.peek(n).isName() && s.peek(n+1).isWord("set")
}

// search reads SEARCH DEPTH FIRST BY a, b SET c.
func (p *parser) search() *ast.Search {
	out := &ast.Search{At: p.at()}
	p.expect("search")
	if out.Breadth = p.accept("breadth"); !out.Breadth {
		p.expect("depth")
	}
	p.expect("first", "by")
	out.By = p.identList()
	p.expect("set")
	out.Set = p.ident()
	return out
}

// cycle reads CYCLE a, b SET c [TO x DEFAULT y] USING d.
func (p *parser) cycle() *ast.Cycle {
	out := &ast.Cycle{At: p.at()}
	p.expect("cycle")
	out.By = p.identList()
	p.expect("set")
	out.Set = p.ident()
	if p.accept("to") {
		out.To = p.constBefore("default")
		out.Default = p.constBefore("using")
	} else {
		p.expect("using")
	}
	out.Using = p.ident()
	return out
}

// constBefore reads a constant and the word behind it.
func (p *parser) constBefore(word string) ast.Expr {
	end := p.findWord(p.pos, p.end(), word)
	if end >= p.end() || end == p.pos {
		p.unexpectedAt(max(end, p.pos))
		return nil
	}
	at := p.pos
	e := p.exprIn(p.pos, end)
	switch n := e.(type) {
	case *ast.StringLit, *ast.NumberLit, *ast.BoolLit, *ast.NullLit, *ast.BitStringLit:
	case *ast.Cast:
		if !n.Literal {
			p.unexpectedAt(at)
		}
	default:
		p.unexpectedAt(at)
	}
	p.pos = end + 1
	return e
}

// identList reads a, b.
func (p *parser) identList() []ast.Ident {
	list := []ast.Ident{p.ident()}
	for p.acceptPunct(",") {
		list = append(list, p.ident())
	}
	return list
}

// trailOf takes the clauses behind the query of the CTE whose name is the token at i.
func (t *translator) trailOf(i int, out *ast.CTE) {
	if len(t.s.trails) == 0 {
		return
	}
	toks := t.p.toks
	if i++; toks[i].is("(") {
		i = t.p.close(i) + 1
	}
	for i < t.p.end() && !toks[i].is("(") { // AS, NOT, MATERIALIZED
		i++
	}
	end := t.p.close(i)
	if found := t.s.trails[end]; found != nil {
		out.Search, out.Cycle = found.search, found.cycle
		delete(t.s.trails, end)
	}
}
