package parse

import (
	"strings"

	"millrace/sql/ast"
)

// statement reads one statement by its first words. Rules that need more than one word to tell them
// apart decide in their own files.
func (p *parser) statement() ast.Statement {
	p.depth++
	defer func() { p.depth-- }()
	t := p.peek()
	if t.is("(") || startsQuery(t) {
		return p.queryStatement()
	}
	if t.kind == tokWord {
		if rule := statementRule(t.text); rule != nil {
			return rule(p)
		}
	}
	p.unexpected()
	return &ast.Unsupported{}
}

// statementRule is the rule for a statement's first word; nil for a word that opens none.
func statementRule(word string) func(*parser) ast.Statement {
	switch word {
	case "create":
		return (*parser).create
	case "drop":
		return (*parser).drop
	case "alter":
		return (*parser).alter
	case "comment":
		return (*parser).comment
	case "validate":
		return (*parser).validate
	case "insert", "update", "delete", "truncate", "copy":
		return dmlRule(word)
	case "tail", "subscribe":
		return (*parser).subscribeStatement
	case "acknowledge":
		return (*parser).acknowledge
	case "declare":
		return (*parser).declare
	case "fetch", "move":
		return (*parser).fetch
	case "close":
		return (*parser).closeCursor
	case "explain":
		return (*parser).explain
	case "show":
		return (*parser).show
	case "set":
		return (*parser).set
	case "reset":
		return (*parser).reset
	}
	return transactionRule(word)
}

func dmlRule(word string) func(*parser) ast.Statement {
	switch word {
	case "insert":
		return func(p *parser) ast.Statement { return p.insert(nil) }
	case "update":
		return func(p *parser) ast.Statement { return p.update(nil) }
	case "delete":
		return func(p *parser) ast.Statement { return p.delete(nil) }
	case "truncate":
		return (*parser).truncate
	}
	return (*parser).copy
}

func transactionRule(word string) func(*parser) ast.Statement {
	switch word {
	case "begin", "start":
		return (*parser).begin
	case "commit", "end":
		return (*parser).commit
	case "rollback", "abort":
		return (*parser).rollback
	case "savepoint", "release":
		return (*parser).savepoint
	case "prepare":
		return (*parser).prepare
	case "execute":
		return (*parser).execute
	case "deallocate":
		return (*parser).deallocate
	case "discard":
		return (*parser).discard
	case "grant", "revoke", "listen", "unlisten", "notify", "vacuum", "analyze", "analyse", "lock", "cluster",
		"reindex", "checkpoint", "load", "do", "call", "merge", "refresh", "security", "import", "reassign", "inject":
		return func(p *parser) ast.Statement { return p.unsupportedStatement(1) }
	}
	return nil
}

// unsupportedStatement takes the rest as a statement that is refused by the name that its first words are.
func (p *parser) unsupportedStatement(words int) ast.Statement {
	out := &ast.Unsupported{At: p.at()}
	verb := make([]string, words)
	for i := range verb {
		if p.peekAt(i).kind != tokWord {
			p.unexpectedAt(p.pos + i)
		}
		verb[i] = strings.ToUpper(p.peekAt(i).text)
	}
	out.Verb = strings.Join(verb, " ")
	out.Text = p.raw(p.pos, p.end())
	p.pos = p.end()
	return out
}

// queryStatement reads a query that is the rest of the statement, or the INSERT, UPDATE or DELETE that a
// WITH leads to.
func (p *parser) queryStatement() ast.Statement {
	if p.peek().isWord("with") {
		at := p.findWord(p.pos, p.end(), "select", "values", "table", "insert", "update", "delete", "merge")
		if at < p.end() && !startsQuery(p.toks[at]) {
			return p.withDML(at)
		}
	}
	return p.queryToEnd(p.end())
}

// queryToEnd reads the tokens up to hi as a query with AS OF at its end.
func (p *parser) queryToEnd(hi int) *ast.Query {
	lo := p.pos
	if lo >= hi {
		p.unexpected()
		return &ast.Query{Body: &ast.Values{}}
	}
	at := p.asOfIn(lo, hi)
	q := p.queryIn(lo, at)
	if p.err == nil && at < hi {
		p.pos = at
		q.AsOf = p.asOf(hi)
	}
	return q
}

// asOfIn is the index of AS OF outside parentheses in [lo, hi); hi when there is none. OF may also be an
// alias, which something else follows.
func (p *parser) asOfIn(lo, hi int) int {
	return p.find(lo, hi, func(i int) bool {
		if !p.toks[i].isWord("as") || i+2 >= hi || !p.toks[i+1].isWord("of") || i == lo {
			return false
		}
		next := p.toks[i+2]
		return !next.is(",") && !next.is("(") && (next.kind != tokWord || !rawWords[next.text]) ||
			(next.is("(") && p.close(i+2) == hi-1)
	})
}

// asOf reads AS OF [AT LEAST] expr, the expression going on to hi.
func (p *parser) asOf(hi int) *ast.AsOf {
	out := &ast.AsOf{At: p.at()}
	p.expect("as", "of")
	if p.accept("at") {
		p.expect("least")
		out.AtLeast = true
	}
	out.Time = p.exprIn(p.pos, hi)
	return out
}

// parenQuery reads (query), the parenthesis being next.
func (p *parser) parenQuery() *ast.Query {
	if !p.peek().is("(") {
		p.unexpected()
		return &ast.Query{Body: &ast.Values{}}
	}
	end := p.close(p.pos)
	p.skip(1)
	q := p.queryToEnd(end)
	p.pos = min(end+1, p.end())
	return q
}
