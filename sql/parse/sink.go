package parse

import (
	"millrace/sql/ast"
)

// createSink reads CREATE SINK in both dialects.
func (p *parser) createSink(h createHead) ast.Statement {
	out := &ast.CreateSink{At: h.at, OrReplace: h.orReplace}
	out.IfNotExists = p.ifNotExists()
	if !p.nextIs("from") && !p.nextIs("in", "cluster") {
		out.Name = p.name()
	}
	out.Cluster = p.inCluster()
	p.expect("from")
	out.From = p.name()
	p.expect("into")
	out.Into = p.external()
	p.sinkTail(out)
	if out.Envelope != nil && out.Envelope.Key != nil && out.Key == nil {
		out.Key, out.Envelope.Key = out.Envelope.Key, nil
	}
	return out
}

// sinkTail reads the clauses behind the connector; the dialects differ in their order.
func (p *parser) sinkTail(out *ast.CreateSink) {
	for p.err == nil {
		t := p.peek()
		switch {
		case out.Key == nil && t.isWord("key") && p.peekAt(1).is("("):
			p.skip(1)
			out.Key = p.columnList()
			out.NotEnforced = p.accept("not", "enforced")
		case out.Headers == "" && p.accept("headers"):
			out.Headers = p.ident().Name
		case p.nextIs("format"), p.nextIs("key", "format"), p.nextIs("value", "format"):
			if out.Encoding != (ast.Encoding{}) {
				p.unexpected()
				return
			}
			out.Encoding = p.encoding()
		case out.Envelope == nil && p.nextIs("envelope"):
			out.Envelope = p.envelope()
			out.NotEnforced = out.NotEnforced || out.Envelope != nil && out.Envelope.Key != nil && p.accept("not", "enforced")
		case p.nextIs("with", "snapshot"), p.nextIs("without", "snapshot"):
			yes := p.nextIs("with")
			out.Snapshot = &yes
			p.skip(2)
		case t.isWord("with") && p.peekAt(1).is("("):
			out.Options = append(out.Options, p.withOptions()...)
		case out.AsOf == nil && p.nextIs("as", "of"):
			out.AsOf = p.asOf(p.end())
		default:
			return
		}
	}
}

// createConnection reads CREATE CONNECTION c TO kind (…), also as FOR kind and without parentheses.
func (p *parser) createConnection(h createHead) ast.Statement {
	out := &ast.CreateConnection{At: h.at, OrReplace: h.orReplace}
	out.IfNotExists = p.ifNotExists()
	out.Name = p.name()
	if !p.accept("for") {
		p.expect("to")
	}
	switch {
	case p.accept("kafka"):
		out.Kind = ast.ConnectionKafka
	case p.accept("confluent", "schema", "registry"):
		out.Kind = ast.ConnectionRegistry
	case p.accept("postgres"):
		out.Kind = ast.ConnectionPostgres
	case p.accept("mysql"):
		out.Kind = ast.ConnectionMySQL
	case p.accept("ssh", "tunnel"):
		out.Kind = ast.ConnectionSSH
	case p.accept("opensearch"), p.accept("elasticsearch"):
		out.Kind = ast.ConnectionOpenSearch
	case p.accept("aws"):
		out.Kind = ast.ConnectionAWS
	case p.nextIs("sql"), p.nextIs("iceberg"):
		p.unsupported("a connection to "+p.peek().text, p.peek())
	default:
		p.unexpected()
	}
	out.Options = p.parenOptions()
	out.With = p.withOptions()
	return out
}

// validate reads VALIDATE CONNECTION c.
func (p *parser) validate() ast.Statement {
	out := &ast.ValidateConnection{At: p.at()}
	p.expect("validate", "connection")
	out.Name = p.name()
	return out
}
