package parse

import (
	"millrace/sql/ast"
)

// createSource reads CREATE [MATERIALIZED] SOURCE in both dialects.
func (p *parser) createSource(h createHead) ast.Statement {
	out := &ast.CreateSource{At: h.at, OrReplace: h.orReplace, Materialized: h.materialized}
	out.IfNotExists = p.ifNotExists()
	out.Name = p.name()
	if p.namesOnly() {
		out.ColumnNames = p.columnList()
	} else if p.peek().is("(") {
		out.Columns, out.Constraints = p.tableElements()
	}
	out.Cluster = p.inCluster()
	p.expect("from")
	out.From = p.external()
	out.Encoding = p.encoding()
	out.Includes = p.includes()
	out.Envelope = p.envelope()
	p.sourceTail(out)
	return out
}

// sourceTail reads what may follow the envelope, in any order.
func (p *parser) sourceTail(out *ast.CreateSource) {
	for p.err == nil {
		switch {
		case p.nextIs("for"):
			out.Tables = p.forTables()
		case p.nextIs("expose"):
			p.unsupported("EXPOSE PROGRESS", p.peek())
		case p.nextIs("include") && out.Includes == nil:
			out.Includes = p.includes()
		case p.nextIs("envelope") && out.Envelope == nil:
			out.Envelope = p.envelope()
		case p.nextIs("check"):
			out.Check = p.check()
		case p.peek().isWord("with") && p.peekAt(1).is("("):
			out.Options = append(out.Options, p.withOptions()...)
		default:
			return
		}
	}
}

// checkKinds are what a check can name, by their keyword.
var checkKinds = map[string]ast.CheckKind{"headers": ast.CheckHeaders, "body": ast.CheckBody, "secret": ast.CheckSecret}

// check reads CHECK ([WITH (HEADERS, BODY, SECRET s [AS x] [BYTES])] e).
func (p *parser) check() *ast.WebhookCheck {
	out := &ast.WebhookCheck{At: p.at()}
	p.expect("check")
	p.expectPunct("(")
	if p.accept("with") {
		p.expectPunct("(")
		for p.err == nil {
			out.With = append(out.With, p.checkInput())
			if !p.acceptPunct(",") {
				break
			}
		}
		p.expectPunct(")")
	}
	end := p.findInside(p.pos, p.end(), func(int) bool { return false })
	out.Expr = p.exprIn(p.pos, end)
	p.pos = end
	p.expectPunct(")")
	return out
}

func (p *parser) checkInput() ast.CheckInput {
	t := p.peek()
	kind, ok := checkKinds[t.text]
	if t.kind != tokWord || !ok {
		p.unexpected()
		return ast.CheckInput{}
	}
	out := ast.CheckInput{At: p.at(), Kind: kind}
	p.skip(1)
	if kind == ast.CheckSecret {
		out.Secret = p.name()
	}
	if p.accept("as") {
		out.Alias = p.ident().Name
	}
	out.Bytes = p.accept("bytes")
	return out
}

// external reads what a source reads from, or a sink writes to.
func (p *parser) external() ast.External {
	out := ast.External{At: p.at()}
	switch {
	case p.accept("kafka"):
		out.Kind = ast.ExternalKafka
		p.kafka(&out)
	case p.accept("postgres"):
		out.Kind = ast.ExternalPostgres
		p.postgres(&out)
	case p.accept("mysql"):
		out.Kind = ast.ExternalMySQL
		p.postgres(&out)
	case p.accept("load", "generator"):
		out.Kind = ast.ExternalLoadGenerator
		out.Generator = p.ident().Name
		for p.peek().kind == tokWord && !p.externalEnd() {
			out.Generator += " " + p.ident().Name
		}
		out.Options = p.optionalOptions()
	case p.accept("webhook"):
		out.Kind = ast.ExternalWebhook
		if p.accept("body") {
			o := ast.Option{At: p.at(), Name: "body format"}
			p.expect("format")
			o.Value = ast.OptionValue{At: p.at(), Kind: ast.OptionWord, Text: p.ident().Name}
			if p.accept("array") {
				o.Value.Text += " array"
			}
			if p.peek().is("(") && p.peekAt(1).isWord("infer") {
				p.unsupported("INFER of a webhook, of which nothing is there to look at,", p.peek())
			}
			out.Options = append(out.Options, o)
		}
	case p.accept("file"):
		out.Kind, out.Address = ast.ExternalFile, p.stringConst()
		out.Options = append(p.optionalOptions(), p.withOptions()...)
	case p.accept("opensearch"), p.accept("elasticsearch"):
		out.Kind = ast.ExternalOpenSearch
		p.byConnection(&out)
	case p.nextIs("s3", "connection"):
		p.skip(1)
		out.Kind = ast.ExternalS3
		p.byConnection(&out)
	case p.nextIs("s3"), p.nextIs("kinesis"), p.nextIs("pubnub"), p.nextIs("avro"), p.nextIs("sql"), p.nextIs("iceberg"):
		p.unsupported("a connector to "+p.peek().text, p.peek())
	default:
		p.unexpected()
	}
	return out
}

// byConnection reads CONNECTION c (…).
func (p *parser) byConnection(out *ast.External) {
	p.expect("connection")
	out.Connection = p.name()
	out.Options = p.optionalOptions()
}

// externalEnd says whether the next word begins a clause behind the connector.
func (p *parser) externalEnd() bool {
	return p.nextIs("format") || p.nextIs("key", "format") || p.nextIs("value", "format") || p.nextIs("include") || p.nextIs("envelope") ||
		p.nextIs("for") || p.nextIs("with")
}

// optionalOptions reads (…) if it follows.
func (p *parser) optionalOptions() []ast.Option {
	if !p.peek().is("(") {
		return nil
	}
	return p.parenOptions()
}

// kafka reads BROKER 'b' TOPIC 't' [KEY (…)] [WITH (…)], or CONNECTION c (TOPIC 't', …).
func (p *parser) kafka(out *ast.External) {
	if p.accept("connection") {
		out.Connection = p.name()
		out.Options = p.optionalOptions()
		return
	}
	if !p.accept("broker") {
		p.expect("brokers")
	}
	out.Broker = p.stringConst()
	p.expect("topic")
	out.Topic = p.stringConst()
	out.Options = p.withOptions()
}

// postgres reads CONNECTION 'host=…' PUBLICATION 'p', or CONNECTION c (PUBLICATION 'p').
func (p *parser) postgres(out *ast.External) {
	if !p.accept("connection") {
		p.expect("host")
	}
	if p.peek().kind != tokString {
		out.Connection = p.name()
		out.Options = p.optionalOptions()
		return
	}
	out.Address = p.stringConst()
	p.expect("publication")
	out.Publication = p.stringConst()
	for p.err == nil && (p.nextIs("namespace") || p.nextIs("details")) {
		o := ast.Option{At: p.at(), Name: p.ident().Name}
		o.Value = ast.OptionValue{At: p.at(), Kind: ast.OptionString, Text: p.stringConst()}
		out.Options = append(out.Options, o)
	}
}

// forTables reads FOR ALL TABLES, FOR TABLES (…) and FOR SCHEMAS (…).
func (p *parser) forTables() *ast.ForTables {
	out := &ast.ForTables{At: p.at()}
	p.expect("for")
	switch {
	case p.accept("all", "tables"):
		out.All = true
	case p.accept("tables"):
		out.Tables = p.tableAliases()
	case p.accept("schemas"):
		out.Schemas = p.columnList()
	default:
		p.unexpected()
	}
	return out
}

// encoding reads FORMAT f, or KEY FORMAT k VALUE FORMAT v, if it follows.
func (p *parser) encoding() ast.Encoding {
	var out ast.Encoding
	for p.err == nil {
		switch {
		case out.Both == nil && out.Value == nil && out.Key == nil && p.accept("format"):
			out.Both = p.format()
		case out.Both == nil && out.Key == nil && p.accept("key", "format"):
			out.Key = p.format()
		case out.Both == nil && out.Value == nil && p.accept("value", "format"):
			out.Value = p.format()
		default:
			return out
		}
	}
	return out
}

// format reads a message format behind FORMAT.
func (p *parser) format() *ast.MessageFormat {
	out := &ast.MessageFormat{At: p.at()}
	switch {
	case p.accept("bytes"):
		out.Kind = ast.FormatBytes
	case p.accept("text"):
		out.Kind = ast.FormatText
	case p.accept("parquet"):
		out.Kind = ast.FormatParquet
	case p.accept("json"):
		out.Kind = ast.FormatJSON
		out.JSONArray = p.accept("array")
		out.Options = p.optionalOptions()
	case p.accept("csv"):
		out.Kind = ast.FormatCSV
		p.csv(out)
	case p.accept("regex"):
		out.Kind, out.Pattern = ast.FormatRegex, p.stringConst()
	case p.accept("avro"):
		if !p.nextIs("using") {
			p.fail(p.syntaxError(p.peek()).WithHint("write FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION c, or USING SCHEMA '…'"))
			return out
		}
		p.expect("using")
		out.Kind = ast.FormatAvroSchema
		if p.registry(out) {
			out.Kind = ast.FormatAvroRegistry
		} else {
			p.inlineSchema(out)
		}
	case p.accept("protobuf"):
		p.protobuf(out)
	default:
		p.fail(p.syntaxError(p.peek()).WithHint("the formats are BYTES, TEXT, JSON, CSV, AVRO, PROTOBUF and, of files, PARQUET"))
	}
	return out
}

// csv reads WITH HEADER [(a, b)] or WITH n COLUMNS, and DELIMITED BY.
func (p *parser) csv(out *ast.MessageFormat) {
	p.expect("with")
	if p.accept("header") || p.accept("headers") {
		out.CSVHeader = true
		out.CSVNames = p.optionalColumns()
	} else {
		out.CSVColumns = int(p.intConst())
		p.expect("columns")
	}
	if p.accept("delimited", "by") {
		out.CSVDelimiter = p.stringConst()
	}
}

// registry reads CONFLUENT SCHEMA REGISTRY with its address and options, if it follows.
func (p *parser) registry(out *ast.MessageFormat) bool {
	if !p.accept("confluent", "schema", "registry") {
		return false
	}
	if p.accept("connection") {
		out.RegistryConnection = p.name()
	} else {
		out.RegistryURL = p.stringConst()
	}
	out.Options = p.optionalOptions()
	if out.RegistryURL != "" {
		out.Options = append(out.Options, p.withOptions()...)
	}
	for p.err == nil {
		switch {
		case p.nextIs("seed"):
			p.seed(out)
		case p.nextIs("key", "strategy"), p.nextIs("value", "strategy"):
			p.strategy(out)
		default:
			return true
		}
	}
	return true
}

// seed reads SEED [KEY SCHEMA '…'] VALUE SCHEMA '…'.
func (p *parser) seed(out *ast.MessageFormat) {
	p.expect("seed")
	for _, which := range [...]string{"key", "value"} {
		at := p.at()
		if p.accept(which, "schema") {
			out.Options = append(out.Options, ast.Option{At: at, Name: "seed " + which + " schema",
				Value: ast.OptionValue{At: p.at(), Kind: ast.OptionString, Text: p.stringConst()}})
		}
	}
}

// strategy reads KEY STRATEGY INLINE '…', ID n or LATEST, and VALUE STRATEGY likewise.
func (p *parser) strategy(out *ast.MessageFormat) {
	o := ast.Option{At: p.at(), Name: p.peek().text + " strategy"}
	p.skip(2)
	o.Value = ast.OptionValue{At: p.at(), Kind: ast.OptionWord, Text: p.ident().Name}
	switch t := p.peek(); {
	case t.kind == tokString && o.Value.Text == "inline":
		o.Value = ast.OptionValue{At: o.Value.At, Kind: ast.OptionString, Text: p.stringConst()}
	case t.kind == tokNumber && o.Value.Text == "id":
		o.Value = ast.OptionValue{At: o.Value.At, Kind: ast.OptionNumber, Text: t.text}
		p.skip(1)
	}
	out.Options = append(out.Options, o)
}

// inlineSchema reads SCHEMA '…' and SCHEMA FILE '…'.
func (p *parser) inlineSchema(out *ast.MessageFormat) {
	p.expect("schema")
	if p.accept("file") {
		out.SchemaFile = p.stringConst()
	} else {
		out.Schema = p.stringConst()
	}
	out.Options = append(out.Options, p.optionalOptions()...)
	out.Options = append(out.Options, p.withOptions()...)
}

// protobuf reads PROTOBUF USING CONFLUENT SCHEMA REGISTRY …, and PROTOBUF MESSAGE 'm' USING SCHEMA '…'.
func (p *parser) protobuf(out *ast.MessageFormat) {
	out.Kind = ast.FormatProtobuf
	if p.accept("message") {
		out.Message = p.stringConst()
	}
	p.expect("using")
	if p.registry(out) {
		out.Kind = ast.FormatProtobufRegistry
		return
	}
	p.inlineSchema(out)
}

// includeKinds are the parts of a message by their keyword.
var includeKinds = map[string]ast.IncludeKind{
	"key": ast.IncludeKey, "partition": ast.IncludePartition, "offset": ast.IncludeOffset,
	"timestamp": ast.IncludeTimestamp, "topic": ast.IncludeTopic, "headers": ast.IncludeHeaders,
	"header": ast.IncludeHeader, "body": ast.IncludeBody, "file": ast.IncludeFile, "line": ast.IncludeLine,
}

// includes reads INCLUDE a [AS b], … if it follows; INCLUDE may be repeated.
func (p *parser) includes() []ast.Include {
	var out []ast.Include
	for p.accept("include") {
		for p.err == nil {
			out = append(out, p.include())
			if !p.acceptPunct(",") {
				break
			}
		}
	}
	return out
}

func (p *parser) include() ast.Include {
	t := p.peek()
	kind, ok := includeKinds[t.text]
	if t.kind != tokWord || !ok {
		p.unexpected()
		return ast.Include{}
	}
	out := ast.Include{At: p.at(), Kind: kind}
	p.skip(1)
	if kind == ast.IncludeHeader {
		out.Header = p.stringConst()
	}
	if kind == ast.IncludeHeaders && p.acceptPunct("(") {
		for p.err == nil {
			f := ast.HeaderFilter{At: p.at(), Not: p.accept("not")}
			f.Name = p.stringConst()
			out.Filter = append(out.Filter, f)
			if !p.acceptPunct(",") {
				break
			}
		}
		p.expectPunct(")")
	}
	if p.accept("as") {
		out.Alias = p.ident().Name
	}
	if kind == ast.IncludeHeader {
		out.Bytes = p.accept("bytes")
	}
	return out
}

// envelope reads ENVELOPE … if it follows.
func (p *parser) envelope() *ast.Envelope {
	at := p.at()
	if !p.accept("envelope") {
		return nil
	}
	out := &ast.Envelope{At: at}
	switch {
	case p.accept("none"):
		out.Kind = ast.EnvelopeNone
	case p.accept("upsert"):
		out.Kind = ast.EnvelopeUpsert
		if p.accept("format") {
			out.KeyFormat = p.format()
		}
	case p.accept("debezium"):
		out.Kind = ast.EnvelopeDebezium
		if p.accept("upsert") {
			out.Kind = ast.EnvelopeDebeziumUpsert
		}
	case p.accept("materialize"):
		out.Kind = ast.EnvelopeMaterialize
	default:
		p.fail(p.syntaxError(p.peek()).WithHint("the envelopes are NONE, UPSERT and DEBEZIUM"))
		return out
	}
	p.envelopeTail(out)
	return out
}

// envelopeTail reads KEY (…) and the options of an envelope.
func (p *parser) envelopeTail(out *ast.Envelope) {
	if p.accept("key") {
		out.Key = p.columnList()
		return
	}
	if p.peek().is("(") && p.peekAt(1).isWord("key") && p.peekAt(2).is("(") {
		p.skip(2)
		out.Key = p.columnList()
		p.expectPunct(")")
		return
	}
	out.Options = p.optionalOptions()
}
