package parse

import (
	"strings"

	"millrace/sql/ast"
)

// constants reads what follows, behind the word VALUES of an INSERT, as one token, when it is rows of constants up to the end
// of the statement. For anything else, also for what is wrong, nothing happens, and all is read as everywhere. A client that
// loads data sends thousands of constants in a statement: this keeps 24 bytes of each and touches its text once.
func (l *lexer) constants() {
	if l.plain || !l.insertsValues() {
		return
	}
	before, tokens := *l, len(l.toks)
	start, end := l.pos, 0
	rows := &ast.Constants{At: ast.At{Pos: l.toks[tokens-1].char}, Source: l.src}
	rows.Items = make([]ast.Constant, 0, l.guess())
	for more := true; more; {
		if !l.constantRow(rows) {
			*l = before
			return
		}
		end = l.pos
		if l.skipSpace() != nil || !l.atEnd() && l.peek(0) != ',' {
			*l = before
			return
		}
		if more = !l.atEnd(); more {
			l.pos++
		}
	}
	l.toks = append(l.toks, token{kind: tokRows, start: start, end: end, char: l.charAt(start), rows: rows})
}

// guess is about how many constants follow.
func (l *lexer) guess() int {
	const bytesOfOne, most = 8, 1 << 14
	return min((len(l.src)-l.pos)/bytesOfOne+1, most)
}

// atEnd says whether the statement is at its end.
func (l *lexer) atEnd() bool { return l.pos >= len(l.src) || l.src[l.pos] == ';' }

// insertsValues says whether the statement so far is INSERT INTO t [AS a] [(a, b, …)] VALUES and nothing else, so that the parser
// is sure to come to the rows.
func (l *lexer) insertsValues() bool {
	toks := l.toks[l.first:]
	last := len(toks) - 1
	if last < 3 || !toks[last].isWord("values") || !toks[0].isWord("insert") || !toks[1].isWord("into") {
		return false
	}
	at, ok := skipNames(toks, 2, ".")
	if ok && toks[at].isWord("as") {
		at, ok = skipNames(toks, at+1, "")
	}
	if ok && toks[at].is("(") && !startsQuery(toks[at+1]) {
		at, ok = skipNames(toks, at+1, ",")
		ok = ok && toks[at].is(")")
		at++
	}
	return ok && at == last
}

// skipNames is behind the names, with a mark between any two, that begin at index at, before the last token.
func skipNames(toks []token, at int, mark string) (int, bool) {
	for at < len(toks)-1 && toks[at].isName() && (toks[at].kind != tokWord || !reserved[toks[at].text]) {
		if at++; mark == "" || !toks[at].is(mark) {
			return at, true
		}
		at++
	}
	return at, false
}

// constantRow reads (constant, …), as wide as the rows before it.
func (l *lexer) constantRow(rows *ast.Constants) bool {
	if l.skipSpace() != nil || l.peek(0) != '(' {
		return false
	}
	from := len(rows.Items)
	for l.peek(0) != ')' {
		l.pos++
		if l.skipSpace() != nil || !l.constant(rows) {
			return false
		}
		if l.skipSpace() != nil || l.peek(0) != ',' && l.peek(0) != ')' {
			return false
		}
	}
	l.pos++
	width := len(rows.Items) - from
	if rows.Width == 0 {
		rows.Width = width
	}
	return rows.Width == width
}

// constant reads one item.
func (l *lexer) constant(rows *ast.Constants) bool {
	start, c := l.pos, l.peek(0)
	item := ast.Constant{Start: uint32(start)}
	switch {
	case isDigit(c):
		item.Kind, item.Text = ast.ConstantNumber, l.constantNumber(start)
	case c == '-' && (isDigit(l.peek(1)) || l.peek(1) == '.' && isDigit(l.peek(2))):
		l.pos++
		item.Kind, item.Text = ast.ConstantNumber, l.constantNumber(start)
	case c == '\'' && l.simpleString():
		item.Kind, item.Text = ast.ConstantString, l.src[start+1:l.pos-1]
	default:
		return l.rareConstant(rows)
	}
	rows.Items = append(rows.Items, item)
	return item.Kind != ast.ConstantNumber || item.Text != ""
}

// constantNumber is the number that goes on at its first digit and began at start; "" when it is none.
func (l *lexer) constantNumber(start int) string {
	digits := l.pos
	l.digits()
	if c := l.peek(0); c != ',' && c != ')' {
		l.pos = digits
		tokens := len(l.toks)
		if l.number() != nil {
			return ""
		}
		l.toks = l.toks[:tokens]
	}
	return l.src[start:l.pos]
}

// simpleString moves over a string constant without quotes in it that ends with its item; else it stays.
func (l *lexer) simpleString() bool {
	n := strings.IndexByte(l.src[l.pos+1:], '\'')
	end := l.pos + n + 2
	if n < 0 || end >= len(l.src) || l.src[end] != ',' && l.src[end] != ')' {
		return false
	}
	l.pos = end
	return true
}

// rareConstant reads an item by way of a token.
func (l *lexer) rareConstant(rows *ast.Constants) bool {
	start, tokens := l.pos, len(l.toks)
	if l.atEnd() || l.next() != nil || len(l.toks) != tokens+1 {
		return false
	}
	t := l.toks[tokens]
	l.toks = l.toks[:tokens]
	item := ast.Constant{Start: uint32(start)}
	switch {
	case t.kind == tokString:
		item.Kind, item.Text = ast.ConstantString, t.text
	case t.kind == tokNumber:
		item.Kind, item.Text = ast.ConstantNumber, t.text
	case t.isWord("true"):
		item.Kind = ast.ConstantTrue
	case t.isWord("false"):
		item.Kind = ast.ConstantFalse
	case !t.isWord("null"):
		return false
	}
	rows.Items = append(rows.Items, item)
	return true
}
