package parse

import (
	"millrace/sql/ast"
)

// subscribeStatement reads TAIL or SUBSCRIBE as a statement.
func (p *parser) subscribeStatement() ast.Statement { return p.subscribe(p.end()) }

// subscribe reads TAIL or SUBSCRIBE up to index end. Its clauses may come in any order.
func (p *parser) subscribe(end int) *ast.Subscribe {
	out := &ast.Subscribe{At: p.at(), Tail: p.nextIs("tail")}
	p.skip(1)
	if !out.Tail {
		p.accept("to")
	}
	switch {
	case p.peek().is("("):
		out.Query = p.parenQuery()
	case startsQuery(p.peek()):
		stop := p.find(p.pos, end, func(i int) bool { return p.subscribeClause(i) })
		out.Query = p.queryIn(p.pos, stop)
	default:
		out.Name = p.name()
	}
	for p.err == nil && p.pos < end {
		switch {
		case out.Envelope == nil && p.nextIs("envelope"):
			out.Envelope = p.envelope()
		case out.Within == nil && p.accept("within", "timestamp", "order", "by"):
			stop := p.find(p.pos, end, func(i int) bool { return p.subscribeClause(i) })
			out.Within = p.orderIn(p.pos, stop)
		case p.peek().isWord("with") && p.peekAt(1).is("("):
			out.Options = append(out.Options, p.withOptions()...)
		case out.AsOf == nil && p.nextIs("as", "of"):
			out.AsOf = p.asOf(p.find(p.pos+2, end, func(i int) bool { return p.subscribeClause(i) }))
		case out.UpTo == nil && p.accept("up", "to"):
			out.UpTo = p.exprIn(p.pos, p.find(p.pos, end, func(i int) bool { return p.subscribeClause(i) }))
		default:
			return out
		}
	}
	return out
}

// subscribeClause says whether a clause of SUBSCRIBE begins at index i.
func (p *parser) subscribeClause(i int) bool {
	t, next := p.toks[i], p.toks[min(i+1, p.end())]
	return t.isWord("with") && next.is("(") || t.isWord("as") && next.isWord("of") ||
		t.isWord("up") && next.isWord("to") || t.isWord("envelope") || t.isWord("within") && next.isWord("timestamp")
}

// createSubscription reads CREATE SUBSCRIPTION s ON relation. PostgreSQL's, which replicates from another server, is refused by name.
func (p *parser) createSubscription(h createHead) ast.Statement {
	out := &ast.CreateSubscription{At: h.at, IfNotExists: p.ifNotExists(), Name: p.name()}
	if p.nextIs("connection") {
		p.unsupported("CREATE SUBSCRIPTION … CONNECTION", p.peek())
		return out
	}
	p.expect("on")
	out.On = p.name()
	out.Options = p.withOptions()
	return out
}

// acknowledge reads ACKNOWLEDGE s AT time.
func (p *parser) acknowledge() ast.Statement {
	out := &ast.Acknowledge{At: p.at()}
	p.expect("acknowledge")
	out.Name = p.name()
	p.expect("at")
	out.Time = p.exprIn(p.pos, p.end())
	p.pos = p.end()
	return out
}

// declare reads DECLARE c CURSOR FOR ….
func (p *parser) declare() ast.Statement {
	out := &ast.Declare{At: p.at()}
	p.expect("declare")
	out.Name = p.ident().Name
	for p.err == nil && !p.nextIs("cursor") {
		switch {
		case p.accept("binary"):
			out.Binary = true
		case p.accept("insensitive"), p.accept("asensitive"):
		case p.accept("no", "scroll"):
			out.Scroll = new(bool)
		case p.accept("scroll"):
			yes := true
			out.Scroll = &yes
		default:
			p.unexpected()
		}
	}
	p.expect("cursor")
	switch {
	case p.accept("with", "hold"):
		out.Hold = true
	case p.accept("without", "hold"):
	}
	p.expect("for")
	if p.nextIs("tail") || p.nextIs("subscribe") {
		out.Subscribe = p.subscribe(p.end())
		return out
	}
	out.Query = p.queryToEnd(p.end())
	return out
}

// fetch reads FETCH and MOVE.
func (p *parser) fetch() ast.Statement {
	out := &ast.Fetch{At: p.at(), Move: p.nextIs("move"), Count: 1}
	p.skip(1)
	p.fetchDirection(out)
	if !p.accept("from") {
		p.accept("in")
	}
	out.Cursor = p.ident().Name
	out.Options = p.withOptions()
	return out
}

// fetchDirection reads NEXT, FORWARD 5, ALL, -3, ABSOLUTE n, …; nothing is one row forward.
func (p *parser) fetchDirection(out *ast.Fetch) {
	t := p.peek()
	next := p.peekAt(1)
	if next.kind == tokEOF {
		return
	}
	switch {
	case t.kind == tokNumber || t.is("-") || t.is("+"):
		out.Count = p.intConst()
	case p.accept("next"):
	case p.accept("prior"):
		out.Direction = ast.FetchBackward
	case p.accept("first"):
		out.Direction = ast.FetchFirst
	case p.accept("last"):
		out.Direction = ast.FetchLast
	case p.accept("all"):
		out.All = true
	case p.accept("forward"):
		p.fetchCount(out)
	case p.accept("backward"):
		out.Direction = ast.FetchBackward
		p.fetchCount(out)
	case p.accept("absolute"):
		out.Direction, out.Count = ast.FetchAbsolute, p.intConst()
	case p.accept("relative"):
		out.Direction, out.Count = ast.FetchRelative, p.intConst()
	}
}

// fetchCount reads the count behind FORWARD and BACKWARD, if there is one.
func (p *parser) fetchCount(out *ast.Fetch) {
	if p.accept("all") {
		out.All = true
		return
	}
	if t := p.peek(); t.kind == tokNumber || t.is("-") || t.is("+") {
		out.Count = p.intConst()
	}
}

func (p *parser) closeCursor() ast.Statement {
	out := &ast.Close{At: p.at()}
	p.expect("close")
	if out.All = p.accept("all"); !out.All {
		out.Name = p.ident().Name
	}
	return out
}

// explainStages are the stages of EXPLAIN by their keyword.
var explainStages = map[string]ast.ExplainStage{
	"raw": ast.ExplainRaw, "decorrelated": ast.ExplainDecorrelated, "optimized": ast.ExplainOptimized,
	"physical": ast.ExplainPhysical, "dataflow": ast.ExplainDataflow, "timestamp": ast.ExplainTimestamp,
	"parsed": ast.ExplainParsed,
}

// explain reads EXPLAIN in PostgreSQL's forms and in Materialize's.
func (p *parser) explain() ast.Statement {
	out := &ast.Explain{At: p.at()}
	if p.depth > 1 {
		p.unexpected()
	}
	p.expect("explain")
	if stage, ok := explainStages[p.peek().text]; ok && p.peek().kind == tokWord {
		p.skip(1)
		out.Stage = stage
		p.explainStage(out)
	} else if p.peek().is("(") && !p.explainedQuery() {
		out.Options = p.parenOptions()
		if len(out.Options) == 0 {
			p.unexpectedAt(p.pos - 1)
		}
	} else {
		out.Analyze = p.accept("analyze") || p.accept("analyse")
		out.Verbose = p.accept("verbose")
		if p.accept("plan") {
			p.accept("for")
		}
	}
	p.explained(out)
	return out
}

// explainStage reads PLAN, WITH (…), AS TEXT and FOR behind the stage.
func (p *parser) explainStage(out *ast.Explain) {
	if !p.accept("plan") {
		p.accept("query")
	}
	out.Options = p.withOptions()
	if p.nextIs("as", "text") || p.nextIs("as", "json") {
		out.Options = append(out.Options, ast.Option{At: p.at(), Name: "format",
			Value: ast.OptionValue{At: p.at(), Kind: ast.OptionWord, Text: p.peekAt(1).text}})
		p.skip(2)
	}
	p.accept("for")
}

// explainedQuery says whether the parenthesis that is next opens a query rather than options.
func (p *parser) explainedQuery() bool { return startsQuery(p.firstInside()) }

// explained reads what EXPLAIN explains: a statement, or a view by name.
func (p *parser) explained(out *ast.Explain) {
	if kind, ok := objectKinds[p.peek().text]; ok && (kind == ast.KindView || kind == ast.KindIndex) || p.nextIs("materialized", "view") {
		out.Kind, _ = p.objectKind()
		out.Name = p.name()
		return
	}
	if p.peek().kind == tokEOF {
		p.unexpected()
		return
	}
	at := p.pos
	out.Statement = p.statement()
	switch out.Statement.(type) {
	case *ast.Query, *ast.Insert, *ast.Update, *ast.Delete, *ast.Subscribe, *ast.Declare, *ast.Execute, *ast.CreateView,
		*ast.CreateMaterializedView, *ast.CreateTable, *ast.CreateIndex, *ast.CreateSink:
	default:
		p.unexpectedAt(at)
	}
}

// prepare reads PREPARE name [(types)] AS statement.
func (p *parser) prepare() ast.Statement {
	out := &ast.Prepare{At: p.at()}
	if p.depth > 1 {
		p.unexpected()
	}
	p.expect("prepare")
	out.Name = p.ident().Name
	if p.acceptPunct("(") {
		for p.err == nil {
			out.Types = append(out.Types, p.parseType())
			if !p.acceptPunct(",") {
				break
			}
		}
		p.expectPunct(")")
	}
	p.expect("as")
	out.Text = p.raw(p.pos, p.end())
	if p.peek().kind == tokEOF {
		p.unexpected()
		return out
	}
	at := p.pos
	out.Statement = p.statement()
	switch out.Statement.(type) {
	case *ast.Query, *ast.Insert, *ast.Update, *ast.Delete, *ast.Subscribe:
	default:
		p.unexpectedAt(at)
	}
	return out
}

// execute reads EXECUTE name [(arguments)].
func (p *parser) execute() ast.Statement {
	out := &ast.Execute{At: p.at()}
	p.expect("execute")
	out.Name = p.ident().Name
	if p.peek().is("(") {
		end := p.close(p.pos)
		if end == p.pos+1 {
			p.unexpectedAt(end)
		}
		out.Args = p.exprsIn(p.pos+1, end)
		p.pos = min(end+1, p.end())
	}
	return out
}

func (p *parser) deallocate() ast.Statement {
	out := &ast.Deallocate{At: p.at()}
	p.expect("deallocate")
	p.accept("prepare")
	if out.All = p.accept("all"); !out.All {
		out.Name = p.ident().Name
	}
	return out
}

// discards are what DISCARD can throw away.
var discards = map[string]string{
	"all": "ALL", "plans": "PLANS", "sequences": "SEQUENCES", "temp": "TEMP", "temporary": "TEMP",
}

func (p *parser) discard() ast.Statement {
	out := &ast.Discard{At: p.at()}
	p.expect("discard")
	what, ok := discards[p.peek().text]
	if !ok {
		p.unexpected()
		return out
	}
	p.skip(1)
	out.What = what
	return out
}
