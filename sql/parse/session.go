package parse

import (
	"strings"

	"millrace/sql/ast"
)

// set reads SET in all its forms.
func (p *parser) set() ast.Statement {
	at := p.at()
	p.expect("set")
	scope := ast.ScopeSession
	switch {
	case p.nextIs("session", "characteristics"):
		p.skip(2)
		p.expect("as", "transaction")
		return &ast.SetTransaction{At: at, Session: true, Modes: p.transactionModes()}
	case p.nextIs("session", "authorization"):
		p.unsupported("SET SESSION AUTHORIZATION", p.peek())
	case p.accept("local"):
		scope = ast.ScopeLocal
	case p.nextIs("session") && !p.peekAt(1).is("=") && !p.peekAt(1).isWord("to"):
		p.skip(1)
	}
	if p.accept("transaction") {
		if p.accept("snapshot") {
			return &ast.SetTransaction{At: at, Snapshot: p.stringConst()}
		}
		return &ast.SetTransaction{At: at, Modes: p.transactionModes()}
	}
	out := &ast.SetVar{At: at, Scope: scope}
	if p.setSpecial(out) {
		return out
	}
	out.Name = p.settingName()
	if !p.acceptPunct("=") {
		p.expect("to")
	}
	p.setValues(out)
	return out
}

// setSpecial reads the settings that have a spelling of their own, without = or TO.
func (p *parser) setSpecial(out *ast.SetVar) bool {
	switch {
	case p.accept("time", "zone"):
		out.Name = "timezone"
		p.timeZone(out)
	case p.nextIs("names") && !p.peekAt(1).is("=") && !p.peekAt(1).isWord("to"):
		p.skip(1)
		out.Name = "client_encoding"
		if p.peek().kind == tokEOF {
			out.Default = true
			return true
		}
		p.setValues(out)
	case p.nextIs("schema") && p.peekAt(1).kind == tokString:
		p.skip(1)
		out.Name = "search_path"
		p.setValues(out)
	case p.nextIs("role") && !p.peekAt(1).is("=") && !p.peekAt(1).isWord("to"):
		p.skip(1)
		out.Name = "role"
		p.setValues(out)
	default:
		return false
	}
	return true
}

// timeZone reads the value of SET TIME ZONE.
func (p *parser) timeZone(out *ast.SetVar) {
	if p.accept("local") {
		out.Default = true
		return
	}
	p.setValues(out)
}

// settingName reads the name of a setting, which may be any words with dots between them.
func (p *parser) settingName() string {
	t := p.peek()
	if !t.isName() {
		p.unexpected()
		return ""
	}
	p.skip(1)
	name := t.text
	for p.peek().is(".") && p.peekAt(1).isName() {
		name += "." + p.peekAt(1).text
		p.skip(2)
	}
	return strings.ToLower(name)
}

// setValues reads the values of a setting, or DEFAULT.
func (p *parser) setValues(out *ast.SetVar) {
	if p.accept("default") {
		out.Default = true
		return
	}
	for p.err == nil {
		out.Values = append(out.Values, p.setValue())
		if !p.acceptPunct(",") {
			return
		}
	}
}

// setValue reads one value of a setting: a constant, a word, a name.
func (p *parser) setValue() ast.OptionValue {
	t := p.peek()
	v := ast.OptionValue{At: p.at()}
	switch {
	case t.kind == tokString, t.kind == tokNumber, t.is("-"), t.is("+"):
		return p.optionValue()
	case t.isWord("interval") && p.peekAt(1).kind == tokString:
		return p.optionValue()
	case t.kind == tokQuoted:
		p.skip(1)
		v.Kind, v.Name = ast.OptionName, ast.Name{At: v.At, Parts: []string{t.text}}
	case t.kind == tokWord:
		words := []string{t.text}
		p.skip(1)
		for p.peek().kind == tokWord {
			words = append(words, p.peek().text)
			p.skip(1)
		}
		v.Kind, v.Text = ast.OptionWord, strings.Join(words, " ")
	default:
		p.unexpected()
	}
	return v
}

// reset reads RESET name and RESET ALL.
func (p *parser) reset() ast.Statement {
	out := &ast.ResetVar{At: p.at()}
	p.expect("reset")
	switch {
	case p.accept("all"):
	case p.accept("time", "zone"):
		out.Name = "timezone"
	case p.accept("transaction", "isolation", "level"):
		out.Name = "transaction_isolation"
	default:
		out.Name = p.settingName()
	}
	return out
}

// begin reads BEGIN and START TRANSACTION.
func (p *parser) begin() ast.Statement {
	out := &ast.Begin{At: p.at()}
	if p.accept("start") {
		p.expect("transaction")
	} else {
		p.expect("begin")
		p.transactionNoise()
	}
	if p.peek().kind != tokEOF {
		out.Modes = p.transactionModes()
	}
	return out
}

// transactionNoise reads WORK or TRANSACTION, which mean nothing.
func (p *parser) transactionNoise() {
	if !p.accept("work") {
		p.accept("transaction")
	}
}

// transactionModes reads one or more modes, with or without commas.
func (p *parser) transactionModes() []ast.TransactionMode {
	var out []ast.TransactionMode
	for p.err == nil {
		m := ast.TransactionMode{At: p.at()}
		switch {
		case p.accept("isolation", "level"):
			m.Name, m.Value = "isolation level", p.isolationLevel()
		case p.accept("read", "only"):
			m.Name = "read only"
		case p.accept("read", "write"):
			m.Name = "read write"
		case p.accept("deferrable"):
			m.Name = "deferrable"
		case p.accept("not", "deferrable"):
			m.Name = "not deferrable"
		default:
			p.unexpected()
		}
		out = append(out, m)
		if !p.acceptPunct(",") && p.peek().kind == tokEOF {
			return out
		}
	}
	return out
}

func (p *parser) isolationLevel() string {
	for _, words := range [...][]string{{"read", "uncommitted"}, {"read", "committed"}, {"repeatable", "read"},
		{"serializable"}, {"strict", "serializable"}, {"snapshot"}} {
		if p.accept(words...) {
			return strings.Join(words, " ")
		}
	}
	p.unexpected()
	return ""
}

// commit reads COMMIT and END.
func (p *parser) commit() ast.Statement {
	out := &ast.Commit{At: p.at()}
	p.skip(1)
	if p.nextIs("prepared") {
		p.unsupported("COMMIT PREPARED", p.peek())
	}
	p.transactionNoise()
	out.Chain = p.chain()
	return out
}

// chain reads AND [NO] CHAIN.
func (p *parser) chain() bool {
	if !p.accept("and") {
		return false
	}
	no := p.accept("no")
	p.expect("chain")
	return !no
}

// rollback reads ROLLBACK, ABORT and ROLLBACK TO.
func (p *parser) rollback() ast.Statement {
	at := p.at()
	isRollback := p.nextIs("rollback")
	p.skip(1)
	if p.nextIs("prepared") {
		p.unsupported("ROLLBACK PREPARED", p.peek())
	}
	p.transactionNoise()
	if isRollback && p.accept("to") {
		p.accept("savepoint")
		return &ast.Savepoint{At: at, Verb: ast.SavepointRollback, Name: p.ident().Name}
	}
	return &ast.Rollback{At: at, Chain: p.chain()}
}

// savepoint reads SAVEPOINT s and RELEASE [SAVEPOINT] s.
func (p *parser) savepoint() ast.Statement {
	out := &ast.Savepoint{At: p.at()}
	if p.accept("release") {
		out.Verb = ast.SavepointRelease
		p.accept("savepoint")
	} else {
		p.expect("savepoint")
	}
	out.Name = p.ident().Name
	return out
}
