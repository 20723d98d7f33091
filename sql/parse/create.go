package parse

import (
	"millrace/sql/ast"
)

// createHead is what stands between CREATE and the kind of object.
type createHead struct {
	at           ast.At
	orReplace    bool
	temporary    bool
	materialized bool
	unique       bool
	isDefault    bool
}

// create reads the statements that begin with CREATE.
func (p *parser) create() ast.Statement {
	start := p.pos
	h := createHead{at: p.at()}
	p.skip(1)
	h.orReplace = p.accept("or", "replace")
	h.temporary = p.accept("temp") || p.accept("temporary")
	h.isDefault = p.accept("default")
	h.unique = p.accept("unique")
	h.materialized = p.accept("materialized")
	word := p.peek().text
	if p.peek().kind != tokWord {
		word = ""
	}
	if rule := p.createRule(word); rule != nil {
		p.skip(1)
		if stmt := rule(h); h.fits(stmt) {
			return stmt
		}
		if p.err == nil {
			p.unexpectedAt(start + 1)
		}
		return &ast.Unsupported{}
	}
	switch word {
	case "role", "user", "group", "function", "procedure", "type", "cluster", "sequence", "trigger", "rule",
		"extension", "domain", "publication", "aggregate", "operator", "cast", "collation",
		"policy", "server", "foreign", "unlogged", "recursive", "statistics", "tablespace", "language", "network":
		verb := p.pos - start + 1
		p.pos = start
		return p.unsupportedStatement(verb)
	}
	p.unexpected()
	return &ast.Unsupported{}
}

// createRule is the rule for the kind of object; nil for an unknown one.
func (p *parser) createRule(word string) func(createHead) ast.Statement {
	switch word {
	case "view":
		return p.createView
	case "views":
		return p.createViews
	case "table":
		return p.createTable
	case "index":
		return p.createIndex
	case "source":
		return p.createSource
	case "sink":
		return p.createSink
	case "connection":
		return p.createConnection
	case "secret":
		return p.createSecret
	case "subscription":
		return p.createSubscription
	case "schema":
		return p.createSchema
	case "database":
		return p.createDatabase
	}
	return nil
}

// fits says whether the words before the kind of object suit the statement that came of it.
func (h createHead) fits(stmt ast.Statement) bool {
	switch stmt.(type) {
	case *ast.CreateView:
		return !h.unique && !h.isDefault
	case *ast.CreateMaterializedView:
		return !h.unique && !h.isDefault && !h.temporary
	case *ast.CreateSource:
		return !h.unique && !h.isDefault && !h.temporary
	case *ast.CreateViewsFromSource:
		return !h.unique && !h.isDefault && !h.orReplace
	case *ast.CreateTable, *ast.CreateTableFromSource:
		return !h.unique && !h.isDefault && !h.materialized && !h.orReplace
	case *ast.CreateIndex:
		return !h.materialized && !h.temporary && !h.orReplace
	case *ast.CreateSink, *ast.CreateConnection:
		return !h.unique && !h.isDefault && !h.materialized && !h.temporary
	}
	return !h.unique && !h.isDefault && !h.materialized && !h.temporary && !h.orReplace
}

// ifNotExists reads IF NOT EXISTS if it follows.
func (p *parser) ifNotExists() bool { return p.accept("if", "not", "exists") }

// inCluster reads IN CLUSTER c if it follows.
func (p *parser) inCluster() string {
	if !p.accept("in", "cluster") {
		return ""
	}
	return p.ident().Name
}

func (p *parser) createView(h createHead) ast.Statement {
	ifNot := p.ifNotExists()
	name := p.name()
	columns := p.optionalColumns()
	cluster := ""
	if h.materialized {
		cluster = p.inCluster()
	}
	options := p.withOptions()
	p.expect("as")
	end, noData := p.queryEnd()
	q := p.queryToEnd(end)
	p.pos = p.end()
	if h.materialized {
		return &ast.CreateMaterializedView{At: h.at, Name: name, OrReplace: h.orReplace, IfNotExists: ifNot,
			Columns: columns, Cluster: cluster, Options: options, Query: q, NoData: noData}
	}
	if noData {
		p.unexpectedAt(end)
	}
	return &ast.CreateView{At: h.at, Name: name, OrReplace: h.orReplace, Temporary: h.temporary, IfNotExists: ifNot,
		Columns: columns, Options: options, Query: q}
}

// queryEnd is where the query that is the rest of the statement ends: before WITH [NO] DATA.
func (p *parser) queryEnd() (end int, noData bool) {
	n := p.end()
	if n < 3 || !p.toks[n-1].isWord("data") {
		return n, false
	}
	switch {
	case p.toks[n-2].isWord("with"):
		return n - 2, false
	case p.toks[n-2].isWord("no") && p.toks[n-3].isWord("with"):
		return n - 3, true
	}
	return n, false
}

// createViews reads CREATE [MATERIALIZED] VIEWS FROM SOURCE.
func (p *parser) createViews(h createHead) ast.Statement {
	out := &ast.CreateViewsFromSource{At: h.at, Materialized: h.materialized, Temporary: h.temporary}
	out.IfNotExists = p.ifNotExists()
	p.expect("from", "source")
	out.Source = p.name()
	if p.peek().is("(") {
		out.Tables = p.tableAliases()
	}
	return out
}

// tableAliases reads (a [AS b], …).
func (p *parser) tableAliases() []ast.TableAlias {
	p.expectPunct("(")
	var out []ast.TableAlias
	for p.err == nil {
		t := ast.TableAlias{At: p.at(), Upstream: p.name()}
		if p.accept("as") || p.accept("into") {
			t.Alias = p.name()
		}
		out = append(out, t)
		if !p.acceptPunct(",") {
			break
		}
	}
	p.expectPunct(")")
	return out
}

// createIndex reads CREATE [DEFAULT | UNIQUE] INDEX.
func (p *parser) createIndex(h createHead) ast.Statement {
	out := &ast.CreateIndex{At: h.at, Default: h.isDefault, Unique: h.unique}
	p.accept("concurrently")
	out.IfNotExists = p.ifNotExists()
	if !p.nextIs("on") && !p.nextIs("in", "cluster") {
		out.Name = p.ident().Name
	}
	out.Cluster = p.inCluster()
	p.expect("on")
	p.accept("only")
	out.On = p.name()
	if p.accept("using") {
		out.Method = p.ident().Name
	}
	if p.peek().is("(") {
		end := p.close(p.pos)
		p.skip(1)
		out.Keys = p.orderIn(p.pos, end)
		p.pos = min(end+1, p.end())
	} else if !out.Default {
		p.unexpected()
	}
	out.Options = p.withOptions()
	if p.accept("where") {
		out.Where = p.exprIn(p.pos, p.end())
	}
	return out
}

func (p *parser) createSecret(h createHead) ast.Statement {
	out := &ast.CreateSecret{At: h.at, IfNotExists: p.ifNotExists()}
	out.Name = p.name()
	p.expect("as")
	out.Value = p.exprIn(p.pos, p.end())
	return out
}

func (p *parser) createSchema(h createHead) ast.Statement {
	out := &ast.CreateSchema{At: h.at, IfNotExists: p.ifNotExists()}
	out.Name = p.name()
	if p.nextIs("authorization") {
		p.unsupported("CREATE SCHEMA … AUTHORIZATION", p.peek())
	}
	return out
}

func (p *parser) createDatabase(h createHead) ast.Statement {
	out := &ast.CreateDatabase{At: h.at, IfNotExists: p.ifNotExists()}
	out.Name = p.ident().Name
	return out
}
