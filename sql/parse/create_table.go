package parse

import (
	"millrace/sql/ast"
)

// createTable reads CREATE TABLE: with columns, AS a query, or FROM SOURCE.
func (p *parser) createTable(h createHead) ast.Statement {
	ifNot := p.ifNotExists()
	name := p.name()
	if p.nextIs("from", "source") {
		return p.tableFromSource(h, ifNot, name, nil)
	}
	out := &ast.CreateTable{At: h.at, Name: name, Temporary: h.temporary, IfNotExists: ifNot}
	if p.namesOnly() {
		out.AsColumns = p.columnList()
	} else if p.peek().is("(") {
		out.Columns, out.Constraints = p.tableElements()
		if p.nextIs("from", "source") {
			return p.tableFromSource(h, ifNot, name, out.Columns)
		}
	}
	out.Options = p.withOptions()
	if p.accept("as") {
		end, noData := p.queryEnd()
		out.As, out.NoData = p.queryToEnd(end), noData
		p.pos = p.end()
		if out.Columns != nil || out.Constraints != nil {
			p.unexpected()
		}
	} else if out.AsColumns != nil || (out.Columns == nil && p.toks[max(p.pos-1, 0)].kind != tokPunct) {
		p.unexpected()
	}
	return out
}

// namesOnly says whether (a, b) without types follows, as before AS.
func (p *parser) namesOnly() bool {
	return p.peek().is("(") && p.peekAt(1).isName() && (p.peekAt(2).is(",") || p.peekAt(2).is(")"))
}

// tableElements reads the columns and constraints of a table in parentheses; there may be none.
func (p *parser) tableElements() ([]ast.ColumnDef, []ast.TableConstraint) {
	var columns []ast.ColumnDef
	var constraints []ast.TableConstraint
	p.expectPunct("(")
	for p.err == nil && !p.peek().is(")") {
		if c, ok := p.tableConstraint(); ok {
			constraints = append(constraints, c)
		} else {
			columns = append(columns, p.columnDef())
		}
		if !p.acceptPunct(",") {
			break
		}
		if p.peek().is(")") {
			p.unexpected()
		}
	}
	p.expectPunct(")")
	return columns, constraints
}

func (p *parser) columnDef() ast.ColumnDef {
	name := p.ident()
	out := ast.ColumnDef{At: name.At, Name: name.Name, Type: p.parseType()}
	if p.accept("collate") {
		out.Collation = p.name()
	}
	for p.err == nil {
		c, ok := p.columnConstraint()
		if !ok {
			break
		}
		out.Constraints = append(out.Constraints, c)
	}
	return out
}

// columnConstraint reads one constraint behind a column, if one follows.
func (p *parser) columnConstraint() (ast.ColumnConstraint, bool) {
	c := ast.ColumnConstraint{At: p.at()}
	if p.accept("constraint") {
		c.Name = p.ident().Name
	}
	switch {
	case p.accept("not", "null"):
		c.Kind = ast.ConstraintNotNull
	case p.accept("null"):
		c.Kind = ast.ConstraintNull
	case p.accept("default"):
		c.Kind, c.Expr = ast.ConstraintDefault, p.constraintExpr()
	case p.accept("primary", "key"):
		c.Kind = ast.ConstraintPrimaryKey
		p.accept("not", "enforced")
	case p.accept("unique"):
		c.Kind = ast.ConstraintUnique
	case p.accept("check"):
		c.Kind, c.Expr = ast.ConstraintCheck, p.parenExpr()
	case p.accept("references"):
		c.Kind, c.RefTable, c.RefColumns = ast.ConstraintForeignKey, p.name(), p.optionalColumns()
	case p.accept("generated"):
		p.generated(&c)
	default:
		if c.Name != "" {
			p.unexpected()
		}
		return c, false
	}
	return c, true
}

// generated reads what follows GENERATED.
func (p *parser) generated(c *ast.ColumnConstraint) {
	if p.accept("by", "default") || p.accept("always") {
		p.expect("as")
	}
	if p.accept("identity") {
		c.Kind = ast.ConstraintIdentity
		if p.peek().is("(") {
			p.pos = min(p.close(p.pos)+1, p.end())
		}
		return
	}
	c.Kind, c.Expr = ast.ConstraintGenerated, p.parenExpr()
	p.expect("stored")
}

// constraintExpr reads the expression of DEFAULT, which goes on to the next constraint or column.
func (p *parser) constraintExpr() ast.Expr {
	lo := p.pos
	hi := p.findInside(lo, p.end(), func(i int) bool {
		t := p.toks[i]
		if t.is(",") {
			return true
		}
		if i == lo {
			return false
		}
		switch {
		case t.isWord("constraint"), t.isWord("primary"), t.isWord("unique"), t.isWord("check"),
			t.isWord("references"), t.isWord("generated"), t.isWord("collate"):
			return true
		case t.isWord("null"), t.isWord("not"):
			return !p.toks[i-1].isWord("is") && !p.toks[i-1].isWord("not") && !p.toks[i-1].isWord("and") &&
				!p.toks[i-1].isWord("or") && p.toks[i-1].kind != tokOp
		}
		return false
	})
	return p.exprIn(lo, hi)
}

// parenExpr reads (expr).
func (p *parser) parenExpr() ast.Expr {
	if !p.peek().is("(") {
		p.unexpected()
		return &ast.NullLit{}
	}
	end := p.close(p.pos)
	e := p.exprIn(p.pos+1, end)
	p.pos = min(end+1, p.end())
	return e
}

// tableConstraint reads a constraint among the columns of a table, if one follows.
func (p *parser) tableConstraint() (ast.TableConstraint, bool) {
	c := ast.TableConstraint{At: p.at()}
	if p.accept("constraint") {
		c.Name = p.ident().Name
	}
	switch {
	case p.accept("primary", "key"):
		c.Kind, c.Columns = ast.ConstraintPrimaryKey, p.columnList()
	case p.accept("unique"):
		c.Kind, c.Columns = ast.ConstraintUnique, p.columnList()
	case p.accept("check"):
		c.Kind, c.Expr = ast.ConstraintCheck, p.parenExpr()
	case p.accept("foreign", "key"):
		c.Kind, c.Columns = ast.ConstraintForeignKey, p.columnList()
		p.expect("references")
		c.RefTable, c.RefColumns = p.name(), p.optionalColumns()
	default:
		if c.Name != "" {
			p.unexpected()
		}
		return c, false
	}
	c.NotEnforced = p.accept("not", "enforced")
	return c, true
}

// tableFromSource reads what follows CREATE TABLE t [(columns)]: FROM SOURCE s ….
func (p *parser) tableFromSource(h createHead, ifNot bool, name ast.Name, columns []ast.ColumnDef) ast.Statement {
	out := &ast.CreateTableFromSource{At: h.at, Name: name, IfNotExists: ifNot, Columns: columns}
	p.expect("from", "source")
	out.Source = p.name()
	if p.acceptPunct("(") {
		p.expect("reference")
		p.acceptPunct("=")
		out.Reference = p.name()
		p.expectPunct(")")
	}
	out.Encoding = p.encoding()
	out.Includes = p.includes()
	out.Envelope = p.envelope()
	out.Options = p.withOptions()
	return out
}
