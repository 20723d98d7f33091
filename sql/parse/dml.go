package parse

import (
	"millrace/sql/ast"
)

// withDML reads WITH … before an INSERT, UPDATE or DELETE, whose verb is the token at index verb.
func (p *parser) withDML(verb int) ast.Statement {
	// The library reads the WITH clause of a query; a constant query stands in for the statement's own.
	lo := p.pos
	s := newSkeleton(p)
	s.run(lo, verb)
	s.text(verb, "values (")
	s.put(entry{kind: entryNode, tok: verb, node: &ast.NullLit{}})
	s.text(verb, ")")
	s.hi = verb
	sel := s.parse()
	if sel == nil || sel.With == nil {
		return &ast.Unsupported{}
	}
	with := newTranslator(s).with(sel.With)
	p.pos = verb
	switch word := p.peek().text; word {
	case "insert":
		return p.insert(with)
	case "update":
		return p.update(with)
	case "delete":
		return p.delete(with)
	}
	return p.unsupportedStatement(1)
}

// insert reads INSERT INTO t [AS a] [(columns)] query [RETURNING …].
func (p *parser) insert(with *ast.With) ast.Statement {
	out := &ast.Insert{At: p.at(), With: with}
	p.expect("insert", "into")
	out.Table = p.name()
	if p.accept("as") {
		out.Alias = p.ident().Name
	}
	if p.peek().is("(") && !startsQuery(p.firstInside()) {
		out.Columns = p.columnList()
	}
	if p.accept("overriding") {
		p.unsupported("OVERRIDING", p.toks[p.pos-1])
	}
	if rows := p.peekAt(1); rows.kind == tokRows {
		out.Constants = rows.rows
		p.skip(2)
		return out
	}
	end := p.findWord(p.pos, p.end(), "returning")
	conflict := p.find(p.pos, end, func(i int) bool { return p.toks[i].isWord("on") && p.toks[i+1].isWord("conflict") })
	p.insertRows(out, conflict)
	if out.OnConflict = conflict < end; out.OnConflict && p.err == nil && p.pos == conflict {
		p.pos = end // what is to be done then is passed over
	}
	p.returning(&out.Returning, end)
	return out
}

// firstInside is the first token behind the parentheses that are next.
func (p *parser) firstInside() token {
	n := 0
	for p.peekAt(n).is("(") {
		n++
	}
	return p.peekAt(n)
}

func (p *parser) insertRows(out *ast.Insert, end int) {
	if p.accept("default", "values") {
		return
	}
	p.defaultDepth = 2
	out.Query = p.queryIn(p.pos, end)
	p.defaultDepth = 0
}

// returning reads RETURNING targets, which begins at index at, if it is there.
func (p *parser) returning(out *[]ast.Target, at int) {
	if p.err != nil || at >= p.end() {
		return
	}
	if p.pos != at {
		p.unexpected()
		return
	}
	*out = p.targetsIn(at+1, p.end())
	p.pos = p.end()
}

// targetAlias reads [AS] alias of UPDATE and DELETE, if it follows.
func (p *parser) targetAlias(stop string) *ast.Alias {
	at := p.at()
	p.acceptPunct("*")
	if p.accept("as") {
		return &ast.Alias{At: at, Name: p.ident().Name}
	}
	t := p.peek()
	if isColumnName(t) && !t.isWord(stop) {
		p.skip(1)
		return &ast.Alias{At: at, Name: t.text}
	}
	return nil
}

// update reads UPDATE t SET … [FROM …] [WHERE …] [RETURNING …].
func (p *parser) update(with *ast.With) ast.Statement {
	out := &ast.Update{At: p.at(), With: with}
	p.expect("update")
	p.accept("only")
	out.Table = p.name()
	out.Alias = p.targetAlias("set")
	p.expect("set")
	returning := p.findWord(p.pos, p.end(), "returning")
	where := p.findWord(p.pos, returning, "where")
	from := p.find(p.pos, where, func(i int) bool {
		return p.toks[i].isWord("from") && !p.toks[i-1].isWord("distinct")
	})
	p.assignments(out, from)
	if from < where && p.err == nil {
		out.From = p.fromIn(from+1, where)
	}
	p.where(&out.Where, where, returning)
	p.returning(&out.Returning, returning)
	return out
}

// where reads WHERE in [at, end), if it is there.
func (p *parser) where(out *ast.Expr, at, end int) {
	if p.err != nil {
		return
	}
	if at < end {
		if p.toks[at+1].isWord("current") && p.toks[min(at+2, p.end())].isWord("of") {
			p.unsupported("WHERE CURRENT OF", p.toks[at+1])
			return
		}
		*out = p.exprIn(at+1, end)
	}
	if p.err == nil {
		p.pos = end
	}
}

// assignments reads a = x, (b, c) = (y, z), … up to index end.
func (p *parser) assignments(out *ast.Update, end int) {
	for p.err == nil {
		a := ast.Assignment{At: p.at()}
		if p.peek().is("(") {
			a.Columns, a.Multiple = p.columnList(), true
		} else {
			a.Columns = []ast.Ident{p.ident()}
			if p.peek().is(".") || p.peek().is("[") {
				p.unsupported("assignment to a part of a column", p.peek())
			}
		}
		p.expectPunct("=")
		stop := p.find(p.pos, end, func(i int) bool { return p.toks[i].is(",") })
		a.Value = p.assigned(a.Multiple, stop)
		out.Set = append(out.Set, a)
		if stop >= end {
			return
		}
		p.pos = stop + 1
	}
}

// assigned reads the value of an assignment up to index stop.
func (p *parser) assigned(multiple bool, stop int) ast.Expr {
	lo := p.pos
	p.defaultDepth = 1
	if multiple {
		p.defaultDepth = 2
	}
	e := p.exprIn(lo, stop)
	p.defaultDepth = 0
	if !multiple || p.err != nil {
		return e
	}
	switch e.(type) {
	case *ast.Row, *ast.ScalarSubquery:
		return e
	}
	if p.toks[lo].is("(") && p.close(lo) == stop-1 {
		return &ast.Row{At: ast.At{Pos: p.toks[lo].char}, Explicit: true, Items: []ast.Expr{e}}
	}
	p.unsupported("an assignment to several columns from anything but a row or a query", p.toks[lo])
	return e
}

// delete reads DELETE FROM t [USING …] [WHERE …] [RETURNING …].
func (p *parser) delete(with *ast.With) ast.Statement {
	out := &ast.Delete{At: p.at(), With: with}
	p.expect("delete", "from")
	p.accept("only")
	out.Table = p.name()
	out.Alias = p.targetAlias("using")
	returning := p.findWord(p.pos, p.end(), "returning")
	where := p.findWord(p.pos, returning, "where")
	if p.accept("using") {
		out.Using = p.fromIn(p.pos, where)
	}
	if p.err == nil && p.pos < where {
		p.unexpected()
	}
	p.where(&out.Where, where, returning)
	p.returning(&out.Returning, returning)
	return out
}

// truncate reads TRUNCATE [TABLE] t, ….
func (p *parser) truncate() ast.Statement {
	out := &ast.Truncate{At: p.at()}
	p.expect("truncate")
	p.accept("table")
	p.accept("only")
	out.Tables = p.names()
	if p.nextIs("restart", "identity") || p.nextIs("continue", "identity") {
		p.skip(2)
	}
	out.Cascade = p.accept("cascade")
	if !out.Cascade {
		p.accept("restrict")
	}
	return out
}
