package parse

import (
	"strings"

	"millrace/sql/ast"
)

// objectKinds are the kinds of objects by their keyword; MATERIALIZED VIEW is one of two words.
var objectKinds = map[string]ast.ObjectKind{
	"table": ast.KindTable, "view": ast.KindView, "source": ast.KindSource, "sink": ast.KindSink,
	"index": ast.KindIndex, "connection": ast.KindConnection, "secret": ast.KindSecret, "schema": ast.KindSchema,
	"database": ast.KindDatabase, "cluster": ast.KindCluster, "role": ast.KindRole, "user": ast.KindRole,
	"type": ast.KindType, "function": ast.KindFunction, "column": ast.KindColumn, "system": ast.KindSystem,
	"subscription": ast.KindSubscription,
}

// objectKind reads the keyword of a kind of object.
func (p *parser) objectKind() (ast.ObjectKind, bool) {
	if p.accept("materialized", "view") {
		return ast.KindMaterializedView, true
	}
	t := p.peek()
	kind, ok := objectKinds[t.text]
	if t.kind != tokWord || !ok {
		return 0, false
	}
	p.skip(1)
	return kind, true
}

// drop reads DROP kind [IF EXISTS] name, … [CASCADE | RESTRICT].
func (p *parser) drop() ast.Statement {
	start := p.pos
	out := &ast.Drop{At: p.at()}
	p.skip(1)
	kind, ok := p.objectKind()
	if !ok || kind == ast.KindColumn || kind == ast.KindSystem || kind == ast.KindFunction {
		switch p.peekAt(0).text {
		case "sequence", "trigger", "rule", "extension", "domain", "publication", "owned",
			"aggregate", "operator", "policy", "procedure", "replication":
			p.pos = start
			return p.unsupportedStatement(2)
		}
		if ok {
			p.pos = start
			return p.unsupportedStatement(2)
		}
		p.unexpected()
		return out
	}
	out.Kind = kind
	p.accept("concurrently")
	out.IfExists = p.accept("if", "exists")
	out.Names = p.names()
	out.Cascade = p.accept("cascade")
	out.Restrict = !out.Cascade && p.accept("restrict")
	return out
}

// alter reads ALTER kind [IF EXISTS] name RENAME, SET, RESET, OWNER ….
func (p *parser) alter() ast.Statement {
	start := p.pos
	at := p.at()
	p.skip(1)
	kind, ok := p.objectKind()
	if !ok {
		p.pos = start
		return p.unsupportedStatement(2)
	}
	if kind == ast.KindSystem || kind == ast.KindRole || kind == ast.KindType || kind == ast.KindFunction {
		p.pos = start
		return p.unsupportedStatement(2)
	}
	ifExists := p.accept("if", "exists")
	p.accept("only")
	name := p.name()
	switch {
	case p.accept("rename"):
		return p.rename(&ast.AlterRename{At: at, Kind: kind, IfExists: ifExists, Name: name})
	case kind == ast.KindSecret && p.accept("as"):
		return &ast.AlterSecret{At: at, IfExists: ifExists, Name: name, Value: p.exprIn(p.pos, p.end())}
	case kind == ast.KindSource && p.accept("resnapshot"):
		return &ast.AlterResnapshot{At: at, IfExists: ifExists, Name: name}
	case kind == ast.KindSource && p.accept("add", "missing", "columns"):
		return &ast.AlterAddMissing{At: at, IfExists: ifExists, Name: name}
	case p.accept("owner", "to"):
		return &ast.AlterOwner{At: at, Kind: kind, IfExists: ifExists, Name: name, Owner: p.roleName()}
	case p.accept("set", "schema"):
		return &ast.AlterSetSchema{At: at, Kind: kind, IfExists: ifExists, Name: name, Schema: p.ident().Name}
	case kind == ast.KindSink && p.accept("set", "from"):
		return &ast.AlterSinkFrom{At: at, IfExists: ifExists, Name: name, From: p.name()}
	case p.accept("set"):
		return p.alterOptions(&ast.AlterOptions{At: at, Kind: kind, IfExists: ifExists, Name: name})
	case p.accept("reset"):
		return p.alterOptions(&ast.AlterOptions{At: at, Kind: kind, IfExists: ifExists, Name: name, Reset: true})
	}
	if p.peek().kind == tokEOF {
		p.unexpected()
	}
	action := p.words(2)
	p.pos = start
	return p.unsupportedAction(action)
}

// words are the next words in capitals, most at most.
func (p *parser) words(most int) string {
	var out []string
	for i := range most {
		if p.peekAt(i).kind != tokWord {
			break
		}
		out = append(out, strings.ToUpper(p.peekAt(i).text))
	}
	return strings.Join(out, " ")
}

// unsupportedAction is unsupportedStatement of an ALTER, which names what it is to do.
func (p *parser) unsupportedAction(action string) ast.Statement {
	verb := 2
	if p.peekAt(1).isWord("materialized") {
		verb = 3
	}
	out := p.unsupportedStatement(verb)
	if u, ok := out.(*ast.Unsupported); ok && action != "" {
		u.Verb += " … " + action
	}
	return out
}

// rename reads TO new, and COLUMN a TO b, behind RENAME.
func (p *parser) rename(out *ast.AlterRename) ast.Statement {
	if p.accept("column") || !p.nextIs("to") {
		out.Column = p.ident().Name
	}
	p.expect("to")
	out.NewName = p.ident().Name
	return out
}

// alterOptions reads (a = b, …), or a single a = b, and of a connection WITH (…).
func (p *parser) alterOptions(out *ast.AlterOptions) ast.Statement {
	if p.peek().is("(") {
		out.Options = p.parenOptions()
	} else {
		out.Options = []ast.Option{p.option()}
	}
	if out.Kind == ast.KindConnection {
		out.With = p.withOptions()
	}
	return out
}

// roleName reads the name of a role, which may be CURRENT_USER and its kin.
func (p *parser) roleName() string {
	t := p.peek()
	if t.isWord("current_user") || t.isWord("session_user") || t.isWord("current_role") {
		p.skip(1)
		return t.text
	}
	return p.ident().Name
}

// comment reads COMMENT ON kind name IS 'text'.
func (p *parser) comment() ast.Statement {
	out := &ast.Comment{At: p.at()}
	p.expect("comment", "on")
	kind, ok := p.objectKind()
	if !ok {
		p.unexpected()
		return out
	}
	out.Kind, out.Name = kind, p.name()
	p.expect("is")
	if p.accept("null") {
		out.Removed = true
	} else {
		out.Text = p.stringConst()
	}
	return out
}
