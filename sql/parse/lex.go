package parse

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"millrace/repr"
)

// maxIdentifierBytes is the length to which identifiers are cut, as PostgreSQL does.
const maxIdentifierBytes = 63

// lexer cuts a text into tokens.
type lexer struct {
	src   string
	pos   int // byte offset of the next character
	char  int // 1-based character offset of counted
	count int // byte offset up to which characters have been counted
	toks  []token
	first int  // the token with which the statement begins
	plain bool // rows of constants are tokens like all else
}

// mostTokens is for how many tokens there is room at first.
const mostTokens = 256

// lex returns all tokens of the text, closed by one tokEOF.
func lex(src string) ([]token, error) {
	l := &lexer{src: src, char: 1, toks: make([]token, 0, min(len(src)/8+8, mostTokens))}
	return l.all()
}

func (l *lexer) all() ([]token, error) {
	for {
		if err := l.skipSpace(); err != nil {
			return nil, err
		}
		if l.pos >= len(l.src) {
			l.add(tokEOF, "", l.pos)
			return l.toks, nil
		}
		if err := l.next(); err != nil {
			return nil, err
		}
	}
}

// charAt is the 1-based character offset of a byte offset that never goes back before earlier ones by
// more than a token.
func (l *lexer) charAt(offset int) int {
	if offset < l.count {
		return utf8.RuneCountInString(l.src[:offset]) + 1
	}
	l.char += utf8.RuneCountInString(l.src[l.count:offset])
	l.count = offset
	return l.char
}

// add appends a token that began at start and ends here.
func (l *lexer) add(kind tokenKind, text string, start int) {
	l.toks = append(l.toks, token{kind: kind, text: text, start: start, end: l.pos, char: l.charAt(start)})
}

// fail is a lexical error near the text from start on.
func (l *lexer) fail(message string, start int) error {
	near := l.src[start:]
	return repr.NewError(repr.CodeSyntax, message+" at or near \""+near+"\"").At(l.charAt(start))
}

// peek is the byte at an offset from here, 0 behind the end.
func (l *lexer) peek(n int) byte {
	if l.pos+n >= len(l.src) {
		return 0
	}
	return l.src[l.pos+n]
}

// skipSpace skips white space and comments.
func (l *lexer) skipSpace() error {
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case isSpace(c):
			l.pos++
		case c == '-' && l.peek(1) == '-':
			l.skipLine()
		case c == '/' && l.peek(1) == '*':
			if err := l.skipComment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) skipLine() {
	for l.pos < len(l.src) && l.src[l.pos] != '\n' && l.src[l.pos] != '\r' {
		l.pos++
	}
}

// skipComment skips a block comment; they nest.
func (l *lexer) skipComment() error {
	start, depth := l.pos, 0
	for l.pos < len(l.src) {
		switch {
		case l.src[l.pos] == '/' && l.peek(1) == '*':
			depth++
			l.pos += 2
		case l.src[l.pos] == '*' && l.peek(1) == '/':
			depth--
			l.pos += 2
		default:
			l.pos++
		}
		if depth == 0 {
			return nil
		}
	}
	return l.fail("unterminated /* comment", start)
}

// next reads one token; the text is not at its end and not at white space.
func (l *lexer) next() error {
	c := l.src[l.pos]
	switch {
	case strings.IndexByte("()[],;", c) >= 0:
		l.pos++
		l.add(tokPunct, string(c), l.pos-1)
		if c == ';' {
			l.first = len(l.toks)
		}
		return nil
	case isDigit(c), c == '.' && isDigit(l.peek(1)):
		return l.number()
	case c == '.':
		l.pos++
		l.add(tokPunct, ".", l.pos-1)
		return nil
	case c == '\'':
		return l.plainString(l.pos)
	case c == '"':
		return l.quotedIdent()
	case c == '$':
		return l.dollar()
	case isIdentStart(c):
		return l.word()
	case c == ':':
		l.colon()
		return nil
	case isOpChar(c):
		l.operator()
		return nil
	}
	_, n := utf8.DecodeRuneInString(l.src[l.pos:])
	near := l.src[l.pos : l.pos+n]
	return repr.NewError(repr.CodeSyntax, "syntax error at or near \""+near+"\"").At(l.charAt(l.pos))
}

// number reads digits with point and exponent.
func (l *lexer) number() error {
	start := l.pos
	l.digits()
	if l.peek(0) == '.' && l.peek(1) != '.' {
		l.pos++
		l.digits()
	}
	if c := l.peek(0); c == 'e' || c == 'E' {
		n := 1
		if s := l.peek(1); s == '+' || s == '-' {
			n = 2
		}
		if isDigit(l.peek(n)) {
			l.pos += n
			l.digits()
		}
	}
	if isIdentStart(l.peek(0)) {
		l.pos++
		return repr.NewError(repr.CodeSyntax, "trailing junk after numeric literal at or near \""+
			l.src[start:l.pos]+"\"").At(l.charAt(start))
	}
	l.add(tokNumber, l.src[start:l.pos], start)
	return nil
}

func (l *lexer) digits() {
	for isDigit(l.peek(0)) {
		l.pos++
	}
}

// dollar reads a parameter or a dollar-quoted string.
func (l *lexer) dollar() error {
	start := l.pos
	if isDigit(l.peek(1)) {
		l.pos++
		l.digits()
		if isIdentStart(l.peek(0)) {
			l.pos++
			return repr.NewError(repr.CodeSyntax, "trailing junk after parameter at or near \""+
				l.src[start:l.pos]+"\"").At(l.charAt(start))
		}
		l.add(tokParam, l.src[start+1:l.pos], start)
		return nil
	}
	n := 1
	for c := l.peek(n); c != '$' && isIdentPart(c); c = l.peek(n) {
		n++
	}
	if l.peek(n) != '$' || isDigit(l.peek(1)) {
		return repr.NewError(repr.CodeSyntax, "syntax error at or near \"$\"").At(l.charAt(start))
	}
	tag := l.src[start : start+n+1]
	end := strings.Index(l.src[start+len(tag):], tag)
	if end < 0 {
		return l.fail("unterminated dollar-quoted string", start)
	}
	body := l.src[start+len(tag) : start+len(tag)+end]
	l.pos = start + 2*len(tag) + end
	l.add(tokString, body, start)
	return nil
}

// word reads an identifier, a keyword, or a string with a prefix letter.
func (l *lexer) word() error {
	start := l.pos
	if done, err := l.prefixed(); done || err != nil {
		return err
	}
	for l.pos < len(l.src) && isIdentPart(l.src[l.pos]) {
		l.pos++
	}
	l.add(tokWord, truncateIdent(foldIdent(l.src[start:l.pos])), start)
	l.constants()
	return nil
}

// prefixed reads E”, N”, B”, X”, U&” and U&"".
func (l *lexer) prefixed() (bool, error) {
	start, c, next := l.pos, l.src[l.pos]|0x20, l.peek(1)
	switch {
	case c == 'e' && next == '\'':
		l.pos++
		return true, l.escapeString(start)
	case c == 'n' && next == '\'':
		l.pos++
		return true, l.plainString(start)
	case (c == 'b' || c == 'x') && next == '\'':
		l.pos++
		return true, l.bitString(c, start)
	case c == 'u' && next == '&' && (l.peek(2) == '\'' || l.peek(2) == '"'):
		l.pos += 2
		return true, l.unicodeQuoted(start)
	}
	return false, nil
}

// quotedRun reads from a quote to its closing quote, doubled quotes kept double, and returns the inside.
func (l *lexer) quotedRun(quote byte, escapes bool) (string, bool) {
	l.pos++
	start := l.pos
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case escapes && c == '\\':
			l.pos += 2
		case c == quote && l.peek(1) == quote:
			l.pos += 2
		case c == quote:
			l.pos++
			return l.src[start : l.pos-1], true
		default:
			l.pos++
		}
	}
	l.pos = len(l.src)
	return "", false
}

// continued moves to the next part of a string constant: parts with only white space and at least one
// newline between them are one constant.
func (l *lexer) continued() bool {
	save, newline := l.pos, false
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == '\n' || c == '\r':
			newline = true
			l.pos++
		case isSpace(c):
			l.pos++
		case c == '-' && l.peek(1) == '-':
			l.skipLine()
		case c == '\'' && newline:
			return true
		default:
			l.pos = save
			return false
		}
	}
	l.pos = save
	return false
}

// plainString reads '…'; it is at the quote, the token began at start.
func (l *lexer) plainString(start int) error {
	text, ok := l.stringParts(false)
	if !ok {
		return l.fail("unterminated quoted string", start)
	}
	l.add(tokString, strings.ReplaceAll(text, "''", "'"), start)
	return nil
}

// stringParts reads a string constant with its continuations.
func (l *lexer) stringParts(escapes bool) (string, bool) {
	text, ok := l.quotedRun('\'', escapes)
	for ok && l.continued() {
		var more string
		more, ok = l.quotedRun('\'', escapes)
		text += more
	}
	return text, ok
}

func (l *lexer) escapeString(start int) error {
	text, ok := l.stringParts(true)
	if !ok {
		return l.fail("unterminated quoted string", start)
	}
	value, message := unescape(text)
	if message != "" {
		return repr.NewError(repr.CodeInvalidEscapeSequence, message).At(l.charAt(start))
	}
	if !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
		return repr.NewError(repr.CodeInvalidEncoding, `invalid byte sequence for encoding "UTF8"`).At(l.charAt(start))
	}
	l.add(tokString, value, start)
	return nil
}

func (l *lexer) bitString(prefix byte, start int) error {
	text, ok := l.stringParts(false)
	if !ok {
		what := "unterminated bit string literal"
		if prefix == 'x' {
			what = "unterminated hexadecimal string literal"
		}
		return l.fail(what, start)
	}
	bits, bad := bitsOf(prefix, text)
	if bad != "" {
		return repr.NewError(repr.CodeInvalidText, bad).At(l.charAt(start))
	}
	l.add(tokBits, bits, start)
	return nil
}

// bitsOf spells a bit string constant in zeros and ones.
func bitsOf(prefix byte, text string) (bits, bad string) {
	if prefix == 'b' {
		for _, r := range text {
			if r != '0' && r != '1' {
				return "", "\"" + string(r) + "\" is not a valid binary digit"
			}
		}
		return text, ""
	}
	var b strings.Builder
	for _, r := range text {
		v, err := strconv.ParseUint(string(r), 16, 8)
		if err != nil {
			return "", "\"" + string(r) + "\" is not a valid hexadecimal digit"
		}
		for shift := 3; shift >= 0; shift-- {
			b.WriteByte('0' + byte(v>>shift)&1)
		}
	}
	return b.String(), ""
}

func (l *lexer) quotedIdent() error {
	start := l.pos
	text, ok := l.quotedRun('"', false)
	if !ok {
		return l.fail("unterminated quoted identifier", start)
	}
	return l.addQuoted(strings.ReplaceAll(text, `""`, `"`), start)
}

func (l *lexer) addQuoted(name string, start int) error {
	if name == "" {
		return repr.NewError(repr.CodeSyntax, `zero-length delimited identifier at or near """"`).At(l.charAt(start))
	}
	l.add(tokQuoted, truncateIdent(name), start)
	return nil
}

// unicodeQuoted reads the rest of U&'…' or U&"…", with UESCAPE if it follows.
func (l *lexer) unicodeQuoted(start int) error {
	quote := l.src[l.pos]
	var text string
	var ok bool
	if quote == '\'' {
		text, ok = l.stringParts(false)
	} else {
		text, ok = l.quotedRun('"', false)
	}
	if !ok {
		return l.fail("unterminated quoted string", start)
	}
	escape, err := l.uescape()
	if err != nil {
		return err
	}
	q := string(quote)
	value, message := unescapeUnicode(strings.ReplaceAll(text, q+q, q), escape)
	if message != "" {
		return repr.NewError(repr.CodeSyntax, message).At(l.charAt(start))
	}
	if quote == '"' {
		return l.addQuoted(value, start)
	}
	l.add(tokString, value, start)
	return nil
}

// uescape reads UESCAPE 'c' if it follows; the default escape character is a backslash.
func (l *lexer) uescape() (byte, error) {
	save := l.pos
	if err := l.skipSpace(); err != nil {
		return 0, err
	}
	if len(l.src)-l.pos < 7 || !strings.EqualFold(l.src[l.pos:l.pos+7], "uescape") {
		l.pos = save
		return '\\', nil
	}
	at := l.pos
	l.pos += 7
	if err := l.skipSpace(); err != nil {
		return 0, err
	}
	if l.peek(0) != '\'' || l.peek(2) != '\'' || isHexDigit(l.peek(1)) || strings.IndexByte("+'\" \t\n\r", l.peek(1)) >= 0 {
		return 0, repr.NewError(repr.CodeSyntax, "invalid Unicode escape character").At(l.charAt(at))
	}
	c := l.peek(1)
	l.pos += 3
	return c, nil
}

// colon reads ":", "::" or ":=".
func (l *lexer) colon() {
	start := l.pos
	l.pos++
	if c := l.peek(0); c == ':' || c == '=' {
		l.pos++
	}
	l.add(tokOp, l.src[start:l.pos], start)
}

// operator reads an operator by PostgreSQL's rules: the longest run of operator characters, cut before a
// comment; and a run of several that ends in + or - keeps it only if it holds an unusual character.
func (l *lexer) operator() {
	start, end := l.pos, l.pos
	for end < len(l.src) && isOpChar(l.src[end]) {
		end++
	}
	run := l.src[start:end]
	if i := strings.Index(run, "--"); i >= 0 {
		run = run[:i]
	}
	if i := strings.Index(run, "/*"); i >= 0 {
		run = run[:i]
	}
	if !strings.ContainsAny(run, "~!@#%^&|`?") {
		for len(run) > 1 && (run[len(run)-1] == '+' || run[len(run)-1] == '-') {
			run = run[:len(run)-1]
		}
	}
	l.pos = start + len(run)
	l.add(tokOp, run, start)
}

// foldIdent folds ASCII letters to lower case, and no others.
func foldIdent(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			return foldFrom(s, i)
		}
	}
	return s
}

func foldFrom(s string, from int) string {
	b := []byte(s)
	for i := from; i < len(b); i++ {
		if c := b[i]; c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// truncateIdent cuts an identifier to the length limit, not inside a character.
func truncateIdent(s string) string {
	if len(s) <= maxIdentifierBytes {
		return s
	}
	n := maxIdentifierBytes
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}
func isDigit(c byte) bool    { return c >= '0' && c <= '9' }
func isHexDigit(c byte) bool { return isDigit(c) || (c|0x20 >= 'a' && c|0x20 <= 'f') }
func isIdentStart(c byte) bool {
	return (c|0x20 >= 'a' && c|0x20 <= 'z') || c == '_' || c >= 0x80
}
func isIdentPart(c byte) bool { return isIdentStart(c) || isDigit(c) || c == '$' }
func isOpChar(c byte) bool    { return strings.IndexByte("+-*/<>=~!@#%^&|`?", c) >= 0 }
