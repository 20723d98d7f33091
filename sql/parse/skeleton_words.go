package parse

import (
	"millrace/sql/ast"
)

// word adds an unquoted word: a keyword where it stands as one, a name otherwise.
func (s *skeleton) word(t token) {
	if s.top().separator[t.text] && !(t.text == "from" && s.prev().isWord("distinct")) {
		s.text(s.i, ",")
		s.advance(1, false)
		return
	}
	switch {
	case s.isCallName(t.text):
		s.name()
	case s.clauseWord(t.text), s.exprWord(t.text), s.windowWord(t.text), s.callWord(t.text):
	case rawWords[t.text]:
		s.raw(false)
	case reserved[t.text]:
		s.p.unexpectedAt(s.i)
	default:
		s.name()
	}
}

// isCallName says whether a key word that may name a function does so here: LIKE (a, b), where no operand
// and no part of its own construct stands before it.
func (s *skeleton) isCallName(word string) bool {
	if !reservedBinary[word] || s.operand || !s.peek(1).is("(") {
		return false
	}
	prev := s.prev()
	switch word {
	case "like", "ilike", "similar":
		return !prev.isWord("not")
	case "join":
		return !prev.isWord("inner") && !prev.isWord("left") && !prev.isWord("right") && !prev.isWord("full") &&
			!prev.isWord("outer") && !prev.isWord("cross") && !prev.isWord("natural")
	}
	return true
}

// clauseWord adds the words that need a look around and belong to clauses of a query.
func (s *skeleton) clauseWord(word string) bool {
	next := s.peek(1)
	switch word {
	case "select":
		s.selectWord()
	case "as":
		s.as()
	case "with":
		s.with()
	case "by":
		if p := s.prev(); !p.isWord("group") && !p.isWord("order") && !p.isWord("partition") {
			return false
		}
		s.raw(false)
	case "values":
		if s.operand || !next.is("(") {
			return false
		}
		s.raw(false)
	case "ordinality":
		if !s.prev().isWord("with") {
			return false
		}
		s.raw(true)
	case "search", "cycle":
		return s.searchOrCycle(word)
	case "nulls":
		return s.nullsOrder()
	case "using":
		return s.sortUsing()
	case "offset":
		s.top().offset = true
		s.raw(false)
	case "fetch":
		s.fetch()
	case "for":
		s.locking()
	case "left", "right":
		if !next.is("(") {
			return false
		}
		s.name()
	case "grouping":
		if !next.isWord("sets") {
			return false
		}
		s.put(entry{kind: entryForm, tok: s.i, form: formSets})
		s.advance(2, true)
		s.ident = true
	case "table", "descriptor":
		return s.windowTable(word)
	case "tablesample":
		s.p.unsupported("TABLESAMPLE", s.peek(0))
	case "into":
		s.p.unsupported("SELECT INTO", s.peek(0))
	default:
		return false
	}
	return true
}

// windowFuncs are the functions in FROM that put rows into windows of time.
var windowFuncs = wordSet("tumble hop session")

// windowTable leaves out what the SQL standard writes around the arguments of functions of tables, which PostgreSQL's
// grammar has not: TABLE (tumble(TABLE t, DESCRIPTOR (ts), …)) is tumble(t, ts, …).
func (s *skeleton) windowTable(word string) bool {
	inCall := s.top().kind == frameFunc && (s.prev().is("(") || s.prev().is(","))
	paren := s.peek(1).is("(")
	switch {
	case word == "table" && !paren && inCall:
		s.advance(1, false)
		return true
	case word == "table" && paren && windowFuncs[s.peek(2).text] && s.peek(3).is("("):
	case word == "descriptor" && paren && inCall:
	default:
		return false
	}
	s.deeper()
	s.stack = append(s.stack, frame{left: true})
	s.advance(2, false)
	return true
}

// exprWord adds the words that need a look around and belong to expressions.
func (s *skeleton) exprWord(word string) bool {
	next := s.peek(1)
	switch word {
	case "any", "some", "all":
		return s.quantifier(word)
	case "between":
		if !s.operand && !s.prev().isWord("not") && !s.top().bounds {
			return false
		}
		s.raw(false)
	case "array":
		s.array()
	case "exists":
		if !next.is("(") || !s.opensQuery(1) {
			return false
		}
		s.raw(false)
	case "row":
		if !next.is("(") && !s.prev().isWord("current") {
			return false
		}
		s.raw(!next.is("("))
	case "at":
		if !next.isWord("time") || !s.peek(2).isWord("zone") {
			return false
		}
		s.text(s.i, "at time zone")
		s.advance(3, false)
	case "escape":
		if !s.operand || !s.startsOperand(next) {
			return false
		}
		s.raw(false)
	case "is":
		s.isTest()
	case "isnull", "notnull":
		s.raw(true)
	case "null", "true", "false", "default":
		s.constant(word)
	case "case":
		s.deeper()
		s.raw(false)
	case "end":
		s.nesting--
		s.raw(true)
	case "collate":
		s.collate()
	case "interval":
		return s.typeLiteral()
	case "operator":
		return s.operatorWord()
	case "overlaps":
		if !s.operand {
			return false
		}
		s.anyOperator("overlaps", "", 1)
	default:
		return s.keywordFunc(word)
	}
	return true
}

// array adds ARRAY, which [ or a query in parentheses must follow.
func (s *skeleton) array() {
	switch next := s.peek(1); {
	case next.is("(") && s.opensQuery(1):
		s.openers["array"] = append(s.openers["array"], s.i)
	case !next.is("["):
		s.p.unexpectedAt(s.i + 1)
		return
	}
	s.raw(false)
}

// selectWord adds SELECT, and something for an empty list.
func (s *skeleton) selectWord() {
	s.top().mutual = false
	s.raw(false)
	t := s.peek(0)
	empty := t.kind == tokEOF || t.is(")")
	for _, w := range [...]string{"from", "where", "group", "having", "order", "limit", "offset", "union",
		"intersect", "except", "window", "fetch", "for"} {
		empty = empty || t.isWord(w)
	}
	if empty {
		s.put(entry{kind: entryEmpty, tok: s.i})
		s.operand = true
	}
}

// startsOperand says whether an operand can begin with the token.
func (s *skeleton) startsOperand(t token) bool {
	switch t.kind {
	case tokString, tokNumber, tokParam, tokBits, tokQuoted:
		return true
	case tokWord:
		return !reserved[t.text] || operandStarters[t.text]
	default:
		return t.is("(") || t.is("-")
	}
}

// opensQuery says whether the parenthesis n tokens ahead opens a query, maybe behind further ones.
func (s *skeleton) opensQuery(n int) bool {
	for s.peek(n).is("(") {
		n++
	}
	return startsQuery(s.peek(n))
}

// as adds AS: of an alias, a CTE, a window, a cast.
func (s *skeleton) as() {
	next := s.peek(1)
	switch kind := s.top().kind; {
	case kind == frameCast:
		s.text(s.i, "as")
		s.i++
		s.typeMark()
		s.operand = true
	case kind == frameTryCast:
		s.tryCastType()
	case next.is("("):
		s.asParen()
	case next.isWord("materialized") && s.peek(2).is("("):
		s.cteHint(ast.MaterializedYes, 1)
	case next.isWord("not") && s.peek(2).isWord("materialized") && s.peek(3).is("("):
		s.cteHint(ast.MaterializedNo, 2)
	case next.isName():
		s.text(s.i, "as")
		s.i++
		s.alias()
	default:
		s.p.unexpectedAt(s.i + 1)
	}
}

// asParen adds AS before a parenthesis: of a CTE, a window, or a column definition list.
func (s *skeleton) asParen() {
	t := s.peek(2)
	for _, verb := range [...]string{"insert", "update", "delete", "merge"} {
		if t.isWord(verb) {
			s.p.unsupported("a data-modifying statement in WITH", t)
			return
		}
	}
	if s.prev().is(")") && s.columnDefs(s.i+1, &entry{kind: entryName, tok: s.i, parts: []string{""}}) {
		return
	}
	s.raw(false)
	if !s.opensQuery(0) {
		s.pending = frameWindow
	}
}

// cteHint adds AS of a CTE and notes [NOT] MATERIALIZED at its name.
func (s *skeleton) cteHint(hint ast.Materialization, words int) {
	name := s.i - 1
	if s.prev().is(")") {
		for name > 0 && !s.p.toks[name].is("(") {
			name--
		}
		name--
	}
	for i := len(s.entries) - 1; i >= 0 && s.entries[i].tok >= name; i-- {
		if s.entries[i].tok == name {
			s.entries[i].materialized = hint
		}
	}
	s.text(s.i, "as")
	s.advance(1+words, false)
}

// alias adds the name behind AS, which may be any word, and a column definition list behind it.
func (s *skeleton) alias() {
	t := s.peek(0)
	e := entry{kind: entryName, tok: s.i, parts: []string{t.text}, quoted: t.kind == tokQuoted}
	if s.peek(1).is("(") && s.columnDefs(s.i+1, &e) {
		return
	}
	s.put(e)
	s.advance(1, true)
	s.ident = true
}

// columnDefs adds a column definition list (a int, b text), the parenthesis being at index open, under
// the alias in e. It says no, and adds nothing, when there is only a list of names or something else.
func (s *skeleton) columnDefs(open int, e *entry) bool {
	if name, then := s.p.toks[min(open+1, s.p.end())], s.p.toks[min(open+2, s.p.end())]; !name.isName() ||
		then.is(",") || then.is(")") || s.p.err != nil {
		return false
	}
	s.p.pos = open + 1
	names, types := s.p.typedNames()
	if s.p.err != nil {
		s.p.err = nil
		return false
	}
	e.colNames, e.colTypes = names, types
	if e.parts[0] == "" {
		s.text(s.i, "as")
	}
	s.put(*e)
	s.i = s.p.pos
	s.operand, s.ident = true, false
	return true
}

// typedNames reads "a int, b text)" behind an opening parenthesis.
func (p *parser) typedNames() ([]ast.Ident, []*ast.TypeName) {
	var names []ast.Ident
	var types []*ast.TypeName
	for {
		names = append(names, p.ident())
		types = append(types, p.parseType())
		if !p.acceptPunct(",") {
			break
		}
	}
	p.expectPunct(")")
	return names, types
}

// with adds WITH, and for WITH MUTUALLY RECURSIVE notes its options for the first CTE.
func (s *skeleton) with() {
	if s.peek(1).isWord("ordinality") {
		s.text(s.i, "with")
		s.advance(1, false)
		return
	}
	s.raw(false)
	if s.peek(0).isWord("recursive") {
		s.raw(false)
		if !s.peek(0).isName() {
			s.p.unexpectedAt(s.i)
		}
		return
	}
	if !s.peek(0).isWord("mutually") || !s.peek(1).isWord("recursive") {
		return
	}
	s.text(s.i, "recursive")
	s.advance(2, false)
	s.mutual = &entry{mutually: true}
	if s.peek(0).is("(") {
		s.p.pos = s.i
		s.mutual.options = s.p.parenOptions()
		s.i = s.p.pos
	}
	s.top().mutual = true
}

// nullsOrder adds NULLS FIRST and NULLS LAST as a remark.
func (s *skeleton) nullsOrder() bool {
	e := entry{kind: entrySort, tok: s.i}
	switch next := s.peek(1); {
	case next.isWord("first"):
		e.nulls = ast.NullsFirst
	case next.isWord("last"):
		e.nulls = ast.NullsLast
	default:
		return false
	}
	s.text(s.i, ",")
	s.put(e)
	s.advance(2, true)
	return true
}

// sortUsing adds ORDER BY x USING op as a remark.
func (s *skeleton) sortUsing() bool {
	next := s.peek(1)
	if next.kind != tokOp {
		return false
	}
	s.text(s.i, ",")
	s.put(entry{kind: entrySort, tok: s.i, op: next.text})
	s.advance(2, true)
	return true
}

// fetch adds FETCH FIRST n ROWS ONLY as LIMIT n.
func (s *skeleton) fetch() {
	if n := s.peek(1); !n.isWord("first") && !n.isWord("next") {
		s.p.unexpectedAt(s.i + 1)
		return
	}
	at := s.i
	s.text(at, "limit")
	s.advance(2, false)
	end := s.p.findWord(s.i, s.hi, "row", "rows")
	if end == s.i {
		s.put(entry{kind: entryNode, tok: at, node: &ast.NumberLit{At: ast.At{Pos: s.p.toks[at].char}, Text: "1"}})
	} else {
		hi := s.hi
		s.run(s.i, end)
		s.hi = hi
	}
	s.i = min(end+1, s.hi)
	if s.peek(0).isWord("with") && s.peek(1).isWord("ties") {
		s.p.ties = append(s.p.ties, [2]int{s.p.toks[at].char, s.peek(0).char})
		s.advance(2, true)
		return
	}
	if !s.peek(0).isWord("only") {
		s.p.unexpectedAt(s.i)
		return
	}
	s.advance(1, true)
}

// lockingWords are the words of FOR UPDATE and its kin.
var lockingWords = wordSet("update no key share read only nowait skip locked")

// locking adds FOR UPDATE OF t NOWAIT and its kin.
func (s *skeleton) locking() {
	s.raw(false)
	if !lockingWords[s.peek(0).text] {
		s.p.unexpectedAt(s.i)
		return
	}
	for s.peek(0).kind == tokWord && lockingWords[s.peek(0).text] {
		s.raw(false)
	}
	if !s.peek(0).isWord("of") {
		return
	}
	s.raw(false)
	for s.peek(0).isName() && isColumnName(s.peek(0)) {
		s.name()
		if !s.peek(0).is(",") {
			break
		}
		s.raw(false)
	}
	for s.peek(0).kind == tokWord && lockingWords[s.peek(0).text] {
		s.raw(false)
	}
}

// windowWord adds the words of OVER (…) and its frame clause.
func (s *skeleton) windowWord(word string) bool {
	next, top := s.peek(1), s.top()
	switch word {
	case "over":
		if !s.prev().is(")") || !(next.is("(") || next.isName()) {
			return false
		}
		s.raw(false)
		if next.is("(") {
			s.pending = frameWindow
		}
	case "filter":
		if !s.prev().is(")") || !next.is("(") || !s.peek(2).isWord("where") {
			return false
		}
		s.raw(false)
	case "partition":
		if top.kind != frameWindow || !next.isWord("by") {
			return false
		}
		s.raw(false)
	case "rows", "range", "groups", "row":
		return s.frameMode(word)
	case "unbounded", "current":
		if !top.bounds || s.operand {
			return false
		}
		s.raw(false)
	case "preceding", "following", "exclude", "ties", "others", "no":
		if !top.bounds {
			return false
		}
		s.raw(word == "preceding" || word == "following")
	default:
		return false
	}
	return true
}

// frameMode adds ROWS, RANGE and GROUPS of a frame; ROWS FROM (…); and leaves out ROWS behind OFFSET n.
func (s *skeleton) frameMode(word string) bool {
	next, top := s.peek(1), s.top()
	switch {
	case word == "rows" && next.isWord("from") && s.peek(2).is("("):
		s.raw(false)
	case word != "row" && top.kind == frameWindow && !top.bounds && s.behindSortKey() && (next.isWord("between") ||
		next.isWord("unbounded") || next.isWord("current") || s.startsOperand(next)):
		top.bounds = true
		s.raw(false)
	case (word == "rows" || word == "row") && top.offset && s.operand:
		s.i++
	default:
		return false
	}
	return true
}

// behindSortKey says whether a frame clause may begin here, as far as the token before goes.
func (s *skeleton) behindSortKey() bool {
	prev := s.prev()
	return s.operand || prev.is("(") || prev.isWord("asc") || prev.isWord("desc")
}
