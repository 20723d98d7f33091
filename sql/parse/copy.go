package parse

import (
	"strings"

	"millrace/sql/ast"
)

// copy reads COPY … TO and COPY … FROM.
func (p *parser) copy() ast.Statement {
	out := &ast.Copy{At: p.at()}
	p.expect("copy")
	if p.peek().is("(") {
		p.copyQuery(out)
	} else {
		if at := p.at(); p.accept("binary") {
			value := ast.OptionValue{At: at, Kind: ast.OptionWord, Text: "binary"}
			out.Options = append(out.Options, ast.Option{At: at, Name: "format", Value: value})
		}
		out.Table = p.name()
		out.Columns = p.optionalColumns()
	}
	switch {
	case p.accept("to"):
	case out.Table.IsZero():
		p.unexpected()
		return out
	default:
		p.expect("from")
		out.From = true
	}
	p.copyTarget(out)
	p.copyOptions(out)
	if out.From && p.nextIs("where") {
		p.unsupported("COPY … FROM … WHERE", p.peek())
	}
	return out
}

// copyQuery reads the query, TAIL or SUBSCRIBE in parentheses.
func (p *parser) copyQuery(out *ast.Copy) {
	end := p.close(p.pos)
	switch next := p.peekAt(1); {
	case next.isWord("tail") || next.isWord("subscribe"):
		p.skip(1)
		out.Subscribe = p.subscribe(end)
		if p.err == nil && p.pos != end {
			p.unexpected()
		}
		p.pos = min(end+1, p.end())
	case next.isWord("insert") || next.isWord("update") || next.isWord("delete"):
		p.unsupported("COPY of a data-modifying statement", next)
	default:
		out.Query = p.parenQuery()
	}
}

// copyTarget reads STDIN, STDOUT, a file name or PROGRAM.
func (p *parser) copyTarget(out *ast.Copy) {
	switch {
	case p.accept("stdin"), p.accept("stdout"):
	case p.accept("program"):
		out.Target = "PROGRAM " + p.stringConst()
	default:
		out.Target = p.stringConst()
		if out.Target == "" && p.err == nil {
			p.unexpectedAt(p.pos - 1)
		}
	}
}

// copyOptions reads [WITH] (…), and the options of the old style without parentheses.
func (p *parser) copyOptions(out *ast.Copy) {
	with := p.accept("with")
	if p.peek().is("(") {
		out.Options = append(out.Options, p.parenOptions()...)
		return
	}
	n := len(out.Options)
	for p.err == nil && p.peek().kind == tokWord && !p.nextIs("where") {
		out.Options = append(out.Options, p.oldCopyOption())
	}
	if with && len(out.Options) == n {
		p.unexpected()
	}
}

// oldCopyOption reads one option of the style before PostgreSQL 9.0: CSV, HEADER, DELIMITER AS ','.
func (p *parser) oldCopyOption() ast.Option {
	t := p.peek()
	o := ast.Option{At: p.at(), Name: t.text}
	word := func(text string) ast.OptionValue {
		return ast.OptionValue{At: o.At, Kind: ast.OptionWord, Text: text}
	}
	p.skip(1)
	switch t.text {
	case "binary", "csv":
		o.Name, o.Value = "format", word(t.text)
	case "header", "freeze", "oids":
		o.Value = word("true")
	case "delimiter", "delimiters", "null", "quote", "escape", "encoding":
		p.accept("as")
		o.Name = strings.TrimSuffix(t.text, "s")
		o.Value = ast.OptionValue{At: p.at(), Kind: ast.OptionString, Text: p.stringConst()}
	default:
		p.pos--
		p.unexpected()
	}
	return o
}
