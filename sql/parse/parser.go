package parse

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"millrace/repr"
	"millrace/sql/ast"
)

// Limits of what is read. A statement beyond them is refused, never cut.
const (
	maxTextBytes = 1 << 20 // one text sent
	maxNesting   = 200     // parentheses, brackets and CASE within one another
	maxDepth     = 2000    // of the tree, which also grows with chains like a + b + c
	maxParam     = 65535
)

// Parsed is one statement of a text.
type Parsed struct {
	Stmt      ast.Statement
	Text      string // the statement's own text, without the semicolon and white space around it
	Offset    int    // byte offset of Text in the text sent
	NumParams int    // the highest $n
}

// Parse reads all statements of a text; empty ones are skipped. An error in one is an error of all, as
// nothing may run before the whole text is understood.
func Parse(sql string) ([]Parsed, error) {
	toks, err := scan(sql)
	if err != nil {
		return nil, err
	}
	return parseTokens(sql, toks)
}

func parseTokens(sql string, toks []token) ([]Parsed, error) {
	var out []Parsed
	for start := 0; start < len(toks); {
		end := start
		for toks[end].kind != tokEOF && !toks[end].is(";") {
			end++
		}
		if end > start {
			one, err := parseOne(sql, toks[start:end], toks[end])
			if err != nil {
				return nil, err
			}
			out = append(out, one)
		}
		start = end + 1
	}
	return out, nil
}

// ParseExpr reads a text that is one scalar expression.
func ParseExpr(text string) (ast.Expr, error) {
	p, err := parserOf(text)
	if err != nil {
		return nil, err
	}
	e := p.exprIn(0, p.end())
	return e, p.err
}

// ParseType reads a text that is one type name.
func ParseType(text string) (*ast.TypeName, error) {
	p, err := parserOf(text)
	if err != nil {
		return nil, err
	}
	t := p.parseType()
	p.expectEnd()
	return t, p.err
}

// scan checks the limits of a text and cuts it into tokens.
func scan(sql string) ([]token, error) {
	if len(sql) > maxTextBytes {
		return nil, repr.NewError(repr.CodeProgramLimit, fmt.Sprintf("statement is too long: %d bytes", len(sql))).
			WithDetail(fmt.Sprintf("At most %d bytes can be sent at once.", maxTextBytes)).
			WithHint("Send large amounts of rows by COPY … FROM STDIN, or in several statements.")
	}
	if !utf8.ValidString(sql) {
		return nil, repr.NewError(repr.CodeInvalidEncoding, `invalid byte sequence for encoding "UTF8"`)
	}
	return lex(sql)
}

func parserOf(text string) (*parser, error) {
	toks, err := scan(text)
	if err != nil {
		return nil, err
	}
	last := len(toks) - 1
	return newParser(text, toks[:last], toks[last]), nil
}

func parseOne(sql string, toks []token, end token) (Parsed, error) {
	p := newParser(sql, toks, end)
	stmt := p.statement()
	p.expectEnd()
	if p.err != nil {
		return Parsed{}, p.err
	}
	start, stop := toks[0].start, toks[len(toks)-1].end
	return Parsed{Stmt: stmt, Text: sql[start:stop], Offset: start, NumParams: p.params}, nil
}

// parser reads one statement. Its error is sticky: after the first one peek returns only the end, so that
// loops stop, and what the methods return doesn't count.
type parser struct {
	sql    string
	toks   []token // closed by one tokEOF
	pos    int
	params int // highest parameter seen
	depth  int // of statements within statements
	err    error

	ties [][2]int // where each FETCH FIRST … WITH TIES begins and ends, in characters

	defaultDepth int // how deep in the tree of what is being read DEFAULT may stand; 0 where it may not
}

// newParser makes a parser of the tokens of one statement; end is the token behind them.
func newParser(sql string, toks []token, end token) *parser {
	end.kind = tokEOF
	return &parser{sql: sql, toks: append(toks[:len(toks):len(toks)], end)}
}

// end is the index of the closing token.
func (p *parser) end() int { return len(p.toks) - 1 }

// peek is the next token.
func (p *parser) peek() token { return p.peekAt(0) }

// peekAt is the token n behind the next one; the end, after an error and behind the end.
func (p *parser) peekAt(n int) token {
	if p.err != nil || p.pos+n >= len(p.toks) {
		return p.toks[len(p.toks)-1]
	}
	return p.toks[p.pos+n]
}

// skip moves over n tokens.
func (p *parser) skip(n int) { p.pos = min(p.pos+n, p.end()) }

// at is the place of the next token.
func (p *parser) at() ast.At { return ast.At{Pos: p.peek().char} }

// fail records the first error.
func (p *parser) fail(err *repr.Error) {
	if p.err == nil {
		p.err = err
	}
}

// unexpected records a syntax error at the next token.
func (p *parser) unexpected() { p.unexpectedAt(p.pos) }

// unexpectedAt records a syntax error at a token.
func (p *parser) unexpectedAt(i int) { p.fail(p.syntaxError(p.toks[min(i, p.end())])) }

// syntaxError is PostgreSQL's error for a token that can't stand where it does.
func (p *parser) syntaxError(t token) *repr.Error {
	if t.start >= len(p.sql) {
		return repr.NewError(repr.CodeSyntax, "syntax error at end of input").At(t.char)
	}
	end := max(t.end, t.start+1)
	return repr.NewError(repr.CodeSyntax, "syntax error at or near \""+p.sql[t.start:end]+"\"").At(t.char)
}

// unsupported records that a construct is understood but not there.
func (p *parser) unsupported(what string, t token) {
	p.fail(repr.NewError(repr.CodeFeatureNotSupported, what+" is not supported").At(t.char))
}

// accept moves over the words if they are next, all of them.
func (p *parser) accept(words ...string) bool {
	if !p.nextIs(words...) {
		return false
	}
	p.skip(len(words))
	return true
}

// nextIs says whether the next tokens are these words.
func (p *parser) nextIs(words ...string) bool {
	for i, w := range words {
		if !p.peekAt(i).isWord(w) {
			return false
		}
	}
	return true
}

// expect moves over the words, which must be next.
func (p *parser) expect(words ...string) {
	for _, w := range words {
		if !p.accept(w) {
			p.unexpected()
			return
		}
	}
}

// acceptPunct moves over a punctuation or operator if it is next.
func (p *parser) acceptPunct(text string) bool {
	if !p.peek().is(text) {
		return false
	}
	p.skip(1)
	return true
}

func (p *parser) expectPunct(text string) {
	if !p.acceptPunct(text) {
		p.unexpected()
	}
}

func (p *parser) expectEnd() {
	if p.peek().kind != tokEOF {
		p.unexpected()
	}
}

// ident reads an identifier that may be any word that is not reserved.
func (p *parser) ident() ast.Ident {
	t := p.peek()
	if !t.isName() || (t.kind == tokWord && reserved[t.text]) {
		p.unexpected()
		return ast.Ident{}
	}
	p.skip(1)
	return ast.Ident{At: ast.At{Pos: t.char}, Name: t.text}
}

// name reads a possibly qualified name.
func (p *parser) name() ast.Name {
	first := p.ident()
	n := ast.Name{At: first.At, Parts: []string{first.Name}}
	for p.peek().is(".") {
		p.skip(1)
		t := p.peek()
		if !t.isName() {
			p.unexpected()
			return n
		}
		n.Parts = append(n.Parts, t.text)
		p.skip(1)
	}
	if len(n.Parts) > 4 {
		p.fail(repr.NewError(repr.CodeSyntax, "improper qualified name (too many dotted names): "+n.String()).At(n.Pos))
	}
	return n
}

// names reads a list of qualified names.
func (p *parser) names() []ast.Name {
	out := []ast.Name{p.name()}
	for p.acceptPunct(",") {
		out = append(out, p.name())
	}
	return out
}

// columnList reads (a, b, …).
func (p *parser) columnList() []ast.Ident {
	p.expectPunct("(")
	out := []ast.Ident{p.ident()}
	for p.acceptPunct(",") {
		out = append(out, p.ident())
	}
	p.expectPunct(")")
	return out
}

// optionalColumns reads (a, b, …) if it follows.
func (p *parser) optionalColumns() []ast.Ident {
	if !p.peek().is("(") {
		return nil
	}
	return p.columnList()
}

// stringConst reads a string constant.
func (p *parser) stringConst() string {
	t := p.peek()
	if t.kind != tokString {
		p.unexpected()
		return ""
	}
	p.skip(1)
	return t.text
}

// intConst reads a whole number with an optional sign.
func (p *parser) intConst() int64 {
	sign := ""
	switch {
	case p.acceptPunct("-"):
		sign = "-"
	case p.acceptPunct("+"):
	}
	t := p.peek()
	v, err := strconv.ParseInt(sign+t.text, 10, 64)
	if t.kind != tokNumber || err != nil {
		p.unexpected()
		return 0
	}
	p.skip(1)
	return v
}

// close is the index of the bracket that closes the one at index i.
func (p *parser) close(i int) int {
	depth := 0
	for j := i; j < p.end(); j++ {
		switch t := p.toks[j]; {
		case t.kind != tokPunct:
		case t.text == "(" || t.text == "[":
			depth++
		case t.text == ")" || t.text == "]":
			depth--
		}
		if depth == 0 {
			return j
		}
	}
	p.unexpectedAt(p.end())
	return p.end()
}

// find is the first index in [from, to) outside parentheses at which stop says yes; to when there is
// none, also when a parenthesis is closed that was not opened there.
func (p *parser) find(from, to int, stop func(i int) bool) int {
	at := p.findInside(from, to, stop)
	if at < to && (p.toks[at].is(")") || p.toks[at].is("]")) {
		return to
	}
	return at
}

// findInside is find for what stands in parentheses itself: it also ends where those close.
func (p *parser) findInside(from, to int, stop func(i int) bool) int {
	depth := 0
	for i := from; i < to; i++ {
		t := p.toks[i]
		switch {
		case t.is("(") || t.is("["):
			depth++
		case t.is(")") || t.is("]"):
			depth--
			if depth < 0 {
				return i
			}
		case depth == 0 && stop(i):
			return i
		}
	}
	return to
}

// findWord is the first index in [from, to) outside parentheses of one of the words, or else to.
func (p *parser) findWord(from, to int, words ...string) int {
	return p.find(from, to, func(i int) bool {
		for _, w := range words {
			if p.toks[i].isWord(w) && !p.toks[max(i-1, 0)].is(".") {
				return true
			}
		}
		return false
	})
}

// raw is the text of the tokens in [from, to).
func (p *parser) raw(from, to int) string {
	if from >= to {
		return ""
	}
	return strings.TrimSpace(p.sql[p.toks[from].start:p.toks[to-1].end])
}
