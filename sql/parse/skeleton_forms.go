package parse

import (
	"millrace/sql/ast"
)

// callWord adds the words that stand for a call with a spelling of its own.
func (s *skeleton) callWord(word string) bool {
	inCall := s.top().kind == frameFunc && s.prev().is("(")
	switch word {
	case "distinct":
		if !inCall {
			return false
		}
		s.argMark(argDistinct)
		return true
	case "variadic":
		if s.top().kind != frameFunc {
			return false
		}
		s.argMark(argVariadic)
		return true
	}
	if !s.peek(1).is("(") {
		return false
	}
	switch word {
	case "cast":
		s.raw(false)
		s.pending = frameCast
	case "try_cast":
		s.put(entry{kind: entryForm, tok: s.i, form: formTryCast})
		s.advance(1, true)
		s.pending = frameTryCast
	case "extract":
		return s.extract()
	case "position":
		return s.position()
	case "substring":
		return s.substring()
	case "overlay":
		return s.overlay()
	case "trim":
		s.trim()
	default:
		return false
	}
	return true
}

// argMark adds a remark on a call as an argument.
func (s *skeleton) argMark(m argMark) {
	s.put(entry{kind: entryArg, tok: s.i, arg: m})
	s.text(s.i, ",")
	s.advance(1, false)
}

// namedArg adds name => as a remark before the argument.
func (s *skeleton) namedArg() bool {
	if op := s.peek(1); s.top().kind != frameFunc || !(op.is("=>") || op.is(":=")) || !(s.prev().is("(") || s.prev().is(",")) {
		return false
	}
	s.put(entry{kind: entryArg, tok: s.i, arg: argNamed, parts: []string{s.peek(0).text}})
	s.text(s.i, ",")
	s.advance(2, false)
	return true
}

// quantifier adds ANY (…), SOME (…) and ALL (…) behind an operator as a call. Other uses of ALL are
// left to the library; DISTINCT's opposite in a call is left out.
func (s *skeleton) quantifier(word string) bool {
	prev := s.prev()
	behindOp := (prev.kind == tokOp || prev.isWord("like") || prev.isWord("ilike") || prev.is(")")) && !s.operand
	if behindOp && s.peek(1).is("(") {
		f := formAny
		if word == "all" {
			f = formAll
		}
		s.put(entry{kind: entryForm, tok: s.i, form: f})
		s.advance(1, true)
		s.ident = true
		if s.opensQuery(1) {
			s.text(s.i, "(")
			s.open()
			s.top().double = true
		}
		return true
	}
	if behindOp {
		s.p.unexpectedAt(s.i + 1)
		return true
	}
	if word != "all" {
		s.p.unexpectedAt(s.i)
		return true
	}
	if s.top().kind == frameFunc && prev.is("(") {
		s.i++
		return true
	}
	return false
}

// isTest adds IS and what follows it when that is a constant.
func (s *skeleton) isTest() {
	n := 1
	not := s.peek(1).isWord("not")
	if not {
		n = 2
	}
	t := s.peek(n)
	switch {
	case t.isWord("unknown"):
		spell := "is not distinct from"
		if not {
			spell = "is distinct from"
		}
		s.text(s.i, spell)
		s.put(entry{kind: entryNode, tok: s.i, node: &ast.Is{Kind: ast.IsUnknown}})
		s.advance(n+1, true)
	case t.isWord("null") || t.isWord("true") || t.isWord("false"):
		for range n {
			s.raw(false)
		}
		s.raw(true)
	default:
		s.raw(false)
	}
}

// constant adds NULL, TRUE, FALSE and DEFAULT as values.
func (s *skeleton) constant(word string) {
	at := ast.At{Pos: s.peek(0).char}
	switch word {
	case "null":
		s.node(&ast.NullLit{At: at})
	case "default":
		s.node(&ast.Default{At: at})
	default:
		s.node(&ast.BoolLit{At: at, Value: word == "true"})
	}
}

// keywordFunc adds current_date and its kin.
func (s *skeleton) keywordFunc(word string) bool {
	precision, ok := keywordFuncs[word]
	if !ok || (word == "current_schema" && s.peek(1).is("(")) {
		return false
	}
	f := &ast.KeywordFunc{At: ast.At{Pos: s.peek(0).char}, Name: word, Precision: -1}
	at := s.i
	s.i++
	if precision && s.peek(0).is("(") {
		s.p.pos = s.i + 1
		if s.peek(1).kind != tokNumber {
			s.p.unexpected()
		}
		f.Precision = int(s.p.intConst())
		s.p.expectPunct(")")
		s.i = s.p.pos
	}
	s.put(entry{kind: entryNode, tok: at, node: f})
	s.operand, s.ident = true, false
	return true
}

// collate adds COLLATE with its possibly qualified name.
func (s *skeleton) collate() {
	s.raw(false)
	if !s.peek(0).isName() {
		s.p.unexpectedAt(s.i)
		return
	}
	s.putChain()
	s.operand, s.ident = true, false
}

// operatorWord adds OPERATOR(schema.op).
func (s *skeleton) operatorWord() bool {
	if !s.peek(1).is("(") {
		return false
	}
	n, schema := 2, ""
	for s.peek(n).isName() && s.peek(n+1).is(".") {
		schema = s.peek(n).text
		n += 2
	}
	op := s.peek(n)
	if op.kind != tokOp || !s.peek(n+1).is(")") {
		s.p.unexpectedAt(s.i + n)
		return true
	}
	text := op.text
	if text == "!=" {
		text = "<>"
	}
	if schema == "" {
		schema = "pg_catalog"
	}
	s.anyOperator(text, schema, n+2)
	return true
}

// typeLiteral adds t 'literal' if that is what comes next.
func (s *skeleton) typeLiteral() bool {
	if s.operand || (s.peek(1).is(".") && !s.literalBehindName()) {
		return false
	}
	start := s.i
	t, ok := s.tryType()
	lit := s.peek(0)
	if !ok || lit.kind != tokString {
		s.i = start
		return false
	}
	s.i++
	if t.Name.Last() == "interval" && len(t.Name.Parts) == 1 {
		s.p.pos = s.i
		s.p.intervalType(t)
		s.i = s.p.pos
	}
	arg := &ast.StringLit{At: ast.At{Pos: lit.char}, Value: lit.text}
	s.put(entry{kind: entryNode, tok: start, node: &ast.Cast{
		At: ast.At{Pos: s.p.toks[start].char}, Arg: arg, Type: t, Literal: true}})
	s.operand, s.ident = true, false
	return true
}

// tryType reads a type at the next token for a literal; it moves only when it could.
func (s *skeleton) tryType() (*ast.TypeName, bool) {
	if s.p.err != nil {
		return nil, false
	}
	s.p.pos = s.i
	t := s.p.parseType()
	if s.p.err != nil || t.Setof || t.Dims > 0 || s.p.pos >= s.hi {
		s.p.err = nil
		return nil, false
	}
	if name := t.Name.Last(); (name == "bpchar" || name == "bit") && !s.p.toks[s.p.pos-1].is(")") {
		t.Mods = nil // before a literal the length is that of the literal, not 1
	}
	s.i = s.p.pos
	return t, true
}

// tryCastType adds AS type of try_cast as a second argument.
func (s *skeleton) tryCastType() {
	at := s.i
	s.text(at, ",")
	s.p.pos = s.i + 1
	t := s.p.parseType()
	s.put(entry{kind: entryNode, tok: at, node: &ast.Cast{Type: t}})
	s.i = s.p.pos
	s.operand, s.ident = true, false
}

// special adds the name of a call with a special spelling; the words in separators stand for commas in
// its parentheses.
func (s *skeleton) special(name string, special ast.Special, swap swapKind, separators ...string) {
	s.put(entry{kind: entryName, tok: s.i, parts: []string{name}, special: special, swap: swap})
	s.advance(1, true)
	s.ident = true
	s.separator = map[string]bool{}
	for _, w := range separators {
		s.separator[w] = true
	}
}

// inside finds a word directly inside the parentheses of the call that is next.
func (s *skeleton) inside(word string) int {
	end := s.p.close(s.i + 1)
	at := s.p.find(s.i+2, end, func(i int) bool {
		return s.p.toks[i].isWord(word) && !s.p.toks[i-1].isWord("distinct") && !s.p.toks[i-1].is(".")
	})
	if at >= end {
		return -1
	}
	return at
}

func (s *skeleton) extract() bool {
	field := s.peek(2)
	if (!field.isName() && field.kind != tokString) || !s.peek(3).isWord("from") {
		return false
	}
	s.special("extract", ast.SpecialExtract, swapNone)
	s.open()
	s.node(&ast.StringLit{At: ast.At{Pos: field.char}, Value: field.text})
	s.text(s.i, ",")
	s.advance(1, false)
	return true
}

func (s *skeleton) position() bool {
	if s.inside("in") < 0 {
		return false
	}
	s.special("position", ast.SpecialPosition, swapTwo, "in")
	return true
}

func (s *skeleton) substring() bool {
	from, length := s.inside("from"), s.inside("for")
	swap := swapNone
	switch {
	case from < 0 && length < 0:
		return false
	case from < 0:
		swap = swapForOnly
	case length >= 0 && length < from:
		swap = swapForFrom
	}
	s.special("substring", ast.SpecialSubstring, swap, "from", "for")
	return true
}

func (s *skeleton) overlay() bool {
	if s.inside("placing") < 0 {
		return false
	}
	s.special("overlay", ast.SpecialOverlay, swapNone, "placing", "from", "for")
	return true
}

// trim adds TRIM in all its spellings as btrim, ltrim or rtrim.
func (s *skeleton) trim() {
	name, skip := "btrim", 0
	switch side := s.peek(2); {
	case side.isWord("both"):
		skip = 1
	case side.isWord("leading"):
		name, skip = "ltrim", 1
	case side.isWord("trailing"):
		name, skip = "rtrim", 1
	}
	from := s.inside("from")
	swap := swapNone
	if from == s.i+2+skip {
		skip++
	} else if from >= 0 {
		swap = swapFirst
	}
	s.special(name, ast.SpecialTrim, swap, "from")
	s.open()
	s.i += skip
}

// name adds a possibly qualified name, t.* or t 'literal'.
func (s *skeleton) name() {
	t := s.peek(0)
	if s.namedArg() || s.typedLiteral(t) {
		return
	}
	if t.kind == tokWord && reservedBinary[t.text] && !s.peek(1).is("(") {
		s.p.unexpectedAt(s.i)
		return
	}
	if s.mutualName(t) {
		return
	}
	if s.prev().is(")") && s.peek(1).is("(") &&
		s.columnDefs(s.i+1, &entry{kind: entryName, tok: s.i, parts: []string{t.text}}) {
		return
	}
	s.putChain()
	s.operand, s.ident = true, true
	if s.peek(0).is(".") && s.peek(1).is("*") {
		s.text(s.i, ".")
		s.text(s.i+1, "*")
		s.advance(2, true)
		return
	}
	if s.peek(0).is(".") {
		s.p.unexpectedAt(s.i + 1)
	}
}

// typedLiteral adds t 'literal' when the name that is next is a type.
func (s *skeleton) typedLiteral(t token) bool {
	if t.kind == tokWord && typeStarters[t.text] {
		return s.typeLiteral()
	}
	return s.literalBehindName() && s.typeLiteral()
}

// literalBehindName says whether a string follows the possibly qualified name that is next.
func (s *skeleton) literalBehindName() bool {
	n := 1
	for s.peek(n).is(".") && s.peek(n+1).isName() {
		n += 2
	}
	return s.peek(n).kind == tokString
}

// mutualName adds the name of a CTE of WITH MUTUALLY RECURSIVE with its typed columns.
func (s *skeleton) mutualName(t token) bool {
	if !s.top().mutual || !s.peek(1).is("(") {
		return false
	}
	e := entry{kind: entryName, tok: s.i, parts: []string{t.text}}
	s.noteMutual(&e)
	if !s.columnDefs(s.i+1, &e) {
		s.p.unexpectedAt(s.i + 1)
	}
	return true
}

// noteMutual notes the options of WITH MUTUALLY RECURSIVE at the first CTE.
func (s *skeleton) noteMutual(e *entry) {
	if s.mutual != nil {
		e.mutually, e.options = true, s.mutual.options
		s.mutual = nil
	}
}

// putChain adds a.b.c as one name.
func (s *skeleton) putChain() {
	e := entry{kind: entryName, tok: s.i, quoted: s.peek(0).kind == tokQuoted}
	s.noteMutual(&e)
	for {
		e.parts = append(e.parts, s.peek(0).text)
		s.i++
		if !s.peek(0).is(".") || !s.peek(1).isName() {
			break
		}
		s.i++
	}
	if len(e.parts) > 1 {
		e.quoted = false
	}
	s.put(e)
}
