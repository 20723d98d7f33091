package parse

import (
	"fmt"
	"strconv"

	"millrace/repr"
	"millrace/sql/ast"
)

// entryKind says what an entry of a skeleton stands for.
type entryKind uint8

const (
	entryName  entryKind = iota // a name: column, table, function, alias, …
	entryNode                   // a finished expression: a literal, a parameter, t 'literal', …
	entryOp                     // an operator, travelling between two || or before one
	entryForm                   // the name of a call that stands for a special form
	entryArg                    // a remark on a call, travelling as an argument
	entrySort                   // a remark on the ORDER BY item before it, travelling as an item
	entryEmpty                  // an empty target list, or () as a grouping set
)

// entry is what one name k12 of a skeleton stands for.
type entry struct {
	kind   entryKind
	tok    int            // index of the token it begins at
	parts  []string       // of a name
	quoted bool           // the name is one quoted identifier
	node   ast.Expr       // of entryNode
	op     string         // of entryOp, and of entrySort by USING
	schema string         // of entryOp
	prefix bool           // the operator stands before its only operand
	form   form           // of entryForm
	arg    argMark        // of entryArg
	nulls  ast.NullsOrder // of entrySort

	// What stood around a name and isn't in the skeleton.
	colNames     []ast.Ident     // a column definition list behind a table alias
	colTypes     []*ast.TypeName // its types, or those of a CTE in WITH MUTUALLY RECURSIVE
	materialized ast.Materialization
	mutually     bool         // the first CTE of WITH MUTUALLY RECURSIVE
	options      []ast.Option // its options
	withinGroup  bool         // entrySort at the head of WITHIN GROUP
	special      ast.Special
	swap         swapKind
}

// form is a special form that travels as a call.
type form uint8

const (
	formNone form = iota
	formAny
	formAll
	formTryCast
	formSets
)

// argMark is a remark that travels as an argument of a call.
type argMark uint8

const (
	argDistinct argMark = iota
	argVariadic
	argNamed // the next argument is named
	argNone  // holds the place of an empty argument list
)

// swapKind says how the arguments of a special spelling are brought into the function's order.
type swapKind uint8

const (
	swapNone    swapKind = iota
	swapTwo              // position: (a IN b) → (b, a)
	swapFirst            // trim: (a FROM x, y) → (x, y, a)
	swapForOnly          // substring: (x FOR n) → (x, 1, n)
	swapForFrom          // substring: (x FOR n FROM m) → (x, m, n)
)

// frameKind is the kind of an open bracket.
type frameKind uint8

const (
	framePlain frameKind = iota
	frameFunc
	frameCast
	frameTryCast
	frameWindow
	frameBracket
)

// frame is an open bracket, or the whole range at the bottom.
type frame struct {
	kind      frameKind
	separator map[string]bool // words that separate arguments in a special spelling
	bounds    bool            // behind ROWS, RANGE or GROUPS of a window
	mutual    bool            // in the list of WITH MUTUALLY RECURSIVE
	offset    bool            // behind OFFSET
	double    bool            // opened with two parentheses in the skeleton
	prefix    bool            // of DISTINCT ON (…), behind which an operand follows
	left      bool            // left out: it surrounds what reads the same without it
}

// mark ties a place of the skeleton to a token.
type mark struct {
	offset int
	tok    int
}

// skeleton is the text that the library parses in place of the user's, while it is built and after.
type skeleton struct {
	p       *parser
	out     []byte
	marks   []mark
	entries []entry
	types   []*ast.TypeName
	infix   map[int]bool     // tokens that are infix operators in the skeleton
	openers map[string][]int // tokens of the keywords that open a node of the tree, in order

	i         int // index of the next token
	hi        int // end of the range being read
	stack     []frame
	nesting   int
	operand   bool      // the last token ended an operand
	ident     bool      // the last token was a name
	star      bool      // the last token was a bare *
	pending   frameKind // of the next parenthesis
	separator map[string]bool
	mutual    *entry // options for the first CTE to come
	trails    map[int]*trail
}

func newSkeleton(p *parser) *skeleton {
	return &skeleton{p: p, stack: []frame{{}}, infix: map[int]bool{}, openers: map[string][]int{},
		trails: map[int]*trail{}}
}

// text adds words of our own to the skeleton, standing for the token at tok.
func (s *skeleton) text(tok int, text string) {
	s.marks = append(s.marks, mark{offset: len(s.out), tok: tok})
	s.out = append(s.out, text...)
	s.out = append(s.out, ' ')
}

// put adds an entry and its name to the skeleton.
func (s *skeleton) put(e entry) *entry {
	s.entries = append(s.entries, e)
	s.text(e.tok, "k"+strconv.Itoa(len(s.entries)-1))
	return &s.entries[len(s.entries)-1]
}

// lookup is the entry of a name of the skeleton.
func (s *skeleton) lookup(name string) (*entry, bool) {
	if len(name) < 2 || name[0] != 'k' {
		return nil, false
	}
	i, err := strconv.Atoi(name[1:])
	if err != nil || i < 0 || i >= len(s.entries) {
		return nil, false
	}
	return &s.entries[i], true
}

// tokenAt is the token that a place of the skeleton stands for.
func (s *skeleton) tokenAt(offset int) int {
	tok := s.hi
	if offset >= len(s.out)-1 {
		return tok
	}
	for _, m := range s.marks {
		if m.offset > offset {
			break
		}
		tok = m.tok
	}
	return tok
}

// peek is the token n behind the next one, the end behind the range.
func (s *skeleton) peek(n int) token {
	if s.i+n >= s.hi {
		return s.p.toks[s.p.end()]
	}
	return s.p.toks[s.i+n]
}

// prev is the token before the next one.
func (s *skeleton) prev() token {
	if s.i == 0 {
		return token{}
	}
	return s.p.toks[s.i-1]
}

func (s *skeleton) top() *frame { return &s.stack[len(s.stack)-1] }

// run adds the tokens in [lo, hi) to the skeleton.
func (s *skeleton) run(lo, hi int) {
	s.i, s.hi = lo, hi
	s.operand, s.ident = false, false
	depth := len(s.stack)
	for s.i < s.hi && s.p.err == nil {
		s.step()
	}
	if s.p.err == nil && len(s.stack) != depth {
		s.p.unexpectedAt(hi)
	}
}

// step adds the next token, or the few that belong together.
func (s *skeleton) step() {
	t := s.p.toks[s.i]
	if s.star && (t.kind == tokQuoted || t.isWord("as") || (t.kind == tokWord && isColumnName(t))) {
		s.p.unexpectedAt(s.i) // only an alias could stand here, and * takes none
		return
	}
	s.star = false
	switch t.kind {
	case tokString:
		s.node(&ast.StringLit{At: ast.At{Pos: t.char}, Value: t.text})
	case tokBits:
		s.node(&ast.BitStringLit{At: ast.At{Pos: t.char}, Bits: t.text})
	case tokNumber:
		s.node(&ast.NumberLit{At: ast.At{Pos: t.char}, Text: t.text})
	case tokParam:
		s.param(t)
	case tokOp:
		s.operator(t)
	case tokPunct:
		s.punct(t)
	case tokWord:
		s.word(t)
	case tokQuoted:
		s.name()
	case tokEOF, tokRows:
		s.p.unexpectedAt(s.i)
	}
}

// node adds a finished expression for the next token.
func (s *skeleton) node(e ast.Expr) {
	s.put(entry{kind: entryNode, tok: s.i, node: e})
	s.advance(1, true)
}

// advance moves over n tokens; operand says whether they ended an operand.
func (s *skeleton) advance(n int, operand bool) {
	s.i += n
	s.operand = operand
	s.ident = false
}

// opening are the keywords whose places are kept for the nodes that they open.
var opening = wordSet("select values table with case exists row")

// raw adds the next token as it is.
func (s *skeleton) raw(operand bool) {
	t := s.peek(0)
	if t.kind == tokWord && opening[t.text] {
		s.openers[t.text] = append(s.openers[t.text], s.i)
	}
	s.text(s.i, t.text)
	s.advance(1, operand)
}

func (s *skeleton) param(t token) {
	n, err := strconv.Atoi(t.text)
	if err != nil || n < 1 || n > maxParam {
		s.p.fail(repr.NewError(repr.CodeUndefinedParameter, "there is no parameter $"+t.text).At(t.char))
		return
	}
	s.p.params = max(s.p.params, n)
	s.node(&ast.Param{At: ast.At{Pos: t.char}, Number: n})
}

// deeper counts one level of nesting, against the limit.
func (s *skeleton) deeper() {
	s.nesting++
	if s.nesting > maxNesting {
		s.p.fail(tooDeep(s.peek(0).char))
	}
}

// tooDeep is the error of a statement that is nested too deeply.
func tooDeep(pos int) *repr.Error {
	return repr.NewError("54001", "stack depth limit exceeded").
		WithDetail(fmt.Sprintf("Expressions may be nested %d levels deep.", maxNesting)).At(pos)
}

func (s *skeleton) punct(t token) {
	switch t.text {
	case "(":
		s.open()
	case ")":
		s.closeParen()
	case "[":
		s.openBracket()
	case "]":
		s.closeBracket()
	case ",":
		s.raw(false)
	case ".":
		s.field()
	default:
		s.p.unexpectedAt(s.i)
	}
}

// open adds an opening parenthesis and remembers what it opens.
func (s *skeleton) open() {
	f := frame{kind: s.pending, separator: s.separator}
	f.prefix = s.i > 1 && s.prev().isWord("on") && s.p.toks[s.i-2].isWord("distinct")
	s.pending, s.separator = framePlain, nil
	if f.kind == framePlain && s.ident {
		f.kind = frameFunc
	}
	if f.kind == framePlain && s.peek(1).is(")") && !s.prev().isWord("row") {
		s.put(entry{kind: entryEmpty, tok: s.i + 1})
		s.advance(2, true)
		return
	}
	s.deeper()
	s.stack = append(s.stack, f)
	s.raw(false)
}

func (s *skeleton) closeParen() {
	if len(s.stack) == 1 || s.top().kind == frameBracket || s.prev().is(",") {
		s.p.unexpectedAt(s.i)
		return
	}
	f := *s.top()
	s.stack = s.stack[:len(s.stack)-1]
	s.nesting--
	if f.left {
		s.advance(1, true)
		return
	}
	if f.double {
		s.text(s.i, ")")
	}
	if f.kind == frameFunc && s.withinGroup() {
		return
	}
	s.raw(!f.prefix)
}

// withinGroup moves WITHIN GROUP (ORDER BY …) behind a call into its parentheses, where the library takes
// an ORDER BY, headed by a remark that says where it came from.
func (s *skeleton) withinGroup() bool {
	if !s.peek(1).isWord("within") || !s.peek(2).isWord("group") || !s.peek(3).is("(") {
		return false
	}
	if !s.peek(4).isWord("order") || !s.peek(5).isWord("by") {
		s.p.unexpectedAt(s.i + 4)
		return true
	}
	if s.prev().is("(") {
		s.put(entry{kind: entryArg, tok: s.i, arg: argNone})
	}
	start := s.i + 1
	end, hi := s.p.close(s.i+3), s.hi
	s.text(start, "order by")
	s.put(entry{kind: entrySort, tok: start, withinGroup: true})
	s.text(start, ",")
	s.run(s.i+6, min(end, hi))
	s.hi, s.i = hi, end
	s.raw(true)
	return true
}

// openBracket adds [ of an array or a subscript.
func (s *skeleton) openBracket() {
	if !s.operand && !s.prev().isWord("array") && s.top().kind != frameBracket {
		s.p.unexpectedAt(s.i)
		return
	}
	switch {
	case s.prev().isWord("array") && !s.operand:
		s.openers["array"] = append(s.openers["array"], s.i-1)
	case !s.operand:
		s.openers["array"] = append(s.openers["array"], s.i)
	}
	s.deeper()
	s.stack = append(s.stack, frame{kind: frameBracket})
	s.raw(false)
}

func (s *skeleton) closeBracket() {
	if s.top().kind != frameBracket || s.prev().is(",") {
		s.p.unexpectedAt(s.i)
		return
	}
	s.stack = s.stack[:len(s.stack)-1]
	s.nesting--
	s.raw(true)
}

// field adds (…).name, several of them as one, and (…).*.
func (s *skeleton) field() {
	if !s.operand || !s.prev().is(")") || s.p.toks[s.i-2].is("(") {
		s.p.unexpectedAt(s.i)
		return
	}
	s.text(s.i, ".")
	s.advance(1, false)
	if s.peek(0).is("*") {
		s.raw(true)
		return
	}
	e := entry{kind: entryName, tok: s.i}
	for s.peek(0).isName() {
		e.parts = append(e.parts, s.peek(0).text)
		s.i++
		if !s.peek(0).is(".") || !s.peek(1).isName() {
			break
		}
		s.i++
	}
	if e.parts == nil {
		s.p.unexpectedAt(s.i)
		return
	}
	s.put(e)
	s.operand = true
}

// rawInfix are the operators that have a precedence of their own in PostgreSQL and stay as they are.
var rawInfix = map[string]string{
	"+": "+", "-": "-", "*": "*", "/": "/", "%": "%", "^": "^",
	"=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "<>": "!=", "!=": "!=",
}

func (s *skeleton) operator(t token) {
	own, isRaw := rawInfix[t.text]
	switch {
	case t.text == "::":
		s.castTo()
	case t.text == ":":
		s.slice()
	case t.text == "=>" || t.text == ":=":
		s.p.unexpectedAt(s.i)
	case isRaw && s.operand:
		s.infix[s.i] = true
		s.text(s.i, own)
		s.advance(1, false)
	case t.text == "-" || t.text == "+": // before an operand; the library leaves out a +, which changes nothing
		s.raw(false)
	case t.text == "*":
		s.node(&ast.Star{At: ast.At{Pos: t.char}})
		s.star = true
	case isRaw:
		s.p.unexpectedAt(s.i)
	default:
		s.anyOperator(t.text, "", 1)
	}
}

// anyOperator adds an operator of the common precedence, n tokens long, as || k12 || or, before its
// operand, as k12 ||.
func (s *skeleton) anyOperator(op, schema string, n int) {
	if s.operand {
		s.text(s.i, "||")
	}
	s.put(entry{kind: entryOp, tok: s.i, op: op, schema: schema, prefix: !s.operand})
	s.text(s.i, "||")
	s.advance(n, false)
}

// slice adds the colon of x[a:b].
func (s *skeleton) slice() {
	if s.top().kind != frameBracket {
		s.p.unexpectedAt(s.i)
		return
	}
	s.raw(false)
}

// castTo adds ::type. The type travels as the length of a varchar.
func (s *skeleton) castTo() {
	if !s.operand {
		s.p.unexpectedAt(s.i)
		return
	}
	s.text(s.i, "::")
	s.i++
	s.typeMark()
	s.operand, s.ident = true, false
}

// typeMark reads a type at the next token and adds a varchar whose length tells which it was.
func (s *skeleton) typeMark() {
	at := s.i
	s.p.pos = s.i
	t := s.p.parseType()
	s.types = append(s.types, t)
	s.text(at, "varchar ( "+strconv.Itoa(len(s.types))+" )")
	s.i = s.p.pos
	switch {
	case s.i > s.hi:
		s.p.unexpectedAt(s.hi)
	case s.peek(0).is("["):
		s.p.unexpectedAt(s.i + 1) // the brackets that belong to a type have been read
	}
}
