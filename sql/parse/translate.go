package parse

import (
	"github.com/auxten/postgresql-parser/pkg/sql/sem/tree"

	"millrace/repr"
	"millrace/sql/ast"
)

// translator turns the library's tree of a skeleton into ours.
type translator struct {
	p            *parser
	s            *skeleton
	depth        int
	first        int            // 1 + index of the first token of the expression being translated; 0 when none yet
	holes        []tree.Expr    // operands that stand outside the expression whose last operator they belong to
	defaultDepth int            // DEFAULT may stand here down to that depth
	inGroupBy    bool           // GROUPING SETS and () may stand here
	opened       map[string]int // how many nodes that a keyword opens have been begun
}

func newTranslator(s *skeleton) *translator {
	return &translator{p: s.p, s: s, opened: map[string]int{}}
}

// opener is the token of the keyword that opens the node being begun, -1 if there is none. Nodes are
// begun in the order of their keywords.
func (t *translator) opener(word string) int {
	n := t.opened[word]
	t.opened[word] = n + 1
	if toks := t.s.openers[word]; n < len(toks) {
		return toks[n]
	}
	return -1
}

// enter counts one level of the tree, against the limit.
func (t *translator) enter() bool {
	t.depth++
	if t.depth <= maxDepth {
		return true
	}
	t.p.fail(tooDeep(t.p.toks[t.s.hi].char))
	return false
}

func (t *translator) leave() { t.depth-- }

// syntaxAt records a syntax error at a token.
func (t *translator) syntaxAt(tok int) { t.p.unexpectedAt(tok) }

// see notes that an expression has a token here.
func (t *translator) see(tok int) {
	if t.first == 0 || tok+1 < t.first {
		t.first = tok + 1
	}
}

// at is the place of a token.
func (t *translator) at(tok int) ast.At {
	if tok < 0 || tok >= len(t.p.toks) {
		return ast.At{}
	}
	return ast.At{Pos: t.p.toks[tok].char}
}

// span runs a translation and returns the index of the first token it saw, -1 when it saw none.
func (t *translator) span(run func()) int {
	save := t.first
	t.first = 0
	run()
	first := t.first - 1
	if save != 0 && (t.first == 0 || save < t.first) {
		t.first = save
	}
	return first
}

// before is the place of the nearest token before tok for which is says yes; without one that of tok.
func (t *translator) before(tok int, is func(i int) bool) ast.At {
	for i := tok - 1; i >= 0; i-- {
		if is(i) {
			return t.at(i)
		}
	}
	return t.at(tok)
}

// keywordBefore is the place of the nearest of the words before tok.
func (t *translator) keywordBefore(tok int, words ...string) ast.At {
	return t.before(tok, func(i int) bool {
		for _, w := range words {
			if t.p.toks[i].isWord(w) {
				return true
			}
		}
		return false
	})
}

// ident is the identifier that a name of the skeleton stands for.
func (t *translator) ident(name string) ast.Ident {
	e, ok := t.s.lookup(name)
	if !ok || e.kind != entryName || len(e.parts) != 1 {
		t.badName(name, e)
		return ast.Ident{}
	}
	t.see(e.tok)
	return ast.Ident{At: t.at(e.tok), Name: e.parts[0]}
}

// badName records that something else stands where a name has to: another entry, or a key word that the
// library takes for a name and we don't.
func (t *translator) badName(name string, e *entry) {
	switch {
	case e != nil && e.kind == entryName:
		t.syntaxAt(e.tok + 1)
		return
	case e != nil:
		t.syntaxAt(e.tok)
		return
	}
	for i := t.s.hi - 1; i >= 0; i-- {
		if t.p.toks[i].isWord(name) {
			t.syntaxAt(i)
			return
		}
	}
	t.internal()
}

// internal records that the library's tree holds what the skeleton can't have led to.
func (t *translator) internal() {
	t.p.fail(repr.NewError(repr.CodeInternal, "the query parser returned an unexpected tree").At(t.at(0).Pos))
}

// objectName is the qualified name that a name of the skeleton stands for.
func (t *translator) objectName(name string) ast.Name {
	e, ok := t.s.lookup(name)
	if !ok || e.kind != entryName || e.form != formNone {
		t.badName(name, e)
		return ast.Name{}
	}
	t.see(e.tok)
	if len(e.parts) > 3 {
		n := ast.Name{Parts: e.parts}
		t.p.fail(repr.NewError(repr.CodeSyntax, "improper qualified name (too many dotted names): "+n.String()).
			At(t.at(e.tok).Pos))
	}
	return ast.Name{At: t.at(e.tok), Parts: e.parts}
}

// idents are the identifiers of a list of names.
func (t *translator) idents(names tree.NameList) []ast.Ident {
	if len(names) == 0 {
		return nil
	}
	out := make([]ast.Ident, len(names))
	for i, n := range names {
		out[i] = t.ident(string(n))
	}
	return out
}

// orderBy translates ORDER BY with the remarks that travel as items of it.
func (t *translator) orderBy(list tree.OrderBy) []ast.OrderItem {
	var out []ast.OrderItem
	for _, o := range list {
		if o.OrderType != tree.OrderByColumn {
			t.internal()
			return nil
		}
		if e := t.entryOf(o.Expr); e != nil && e.kind == entrySort {
			t.sortRemark(out, e, o)
			continue
		}
		item := ast.OrderItem{Desc: o.Direction == tree.Descending}
		first := t.span(func() { item.Expr = t.expr(o.Expr) })
		item.At = t.at(first)
		out = append(out, item)
	}
	return out
}

// sortRemark applies a remark to the item before it.
func (t *translator) sortRemark(out []ast.OrderItem, e *entry, o *tree.Order) {
	switch {
	case e.withinGroup:
		return
	case len(out) == 0, o.Direction != tree.DefaultDirection, out[len(out)-1].Nulls != ast.NullsDefault && e.op != "":
		t.syntaxAt(e.tok)
	case e.op != "":
		last := &out[len(out)-1]
		last.Using = e.op
	default:
		out[len(out)-1].Nulls = e.nulls
	}
}

// entryOf is the entry of an expression that is a bare name of the skeleton; nil for any other.
func (t *translator) entryOf(e tree.Expr) *entry {
	n, ok := e.(*tree.UnresolvedName)
	if !ok || n.NumParts != 1 || n.Star {
		return nil
	}
	found, ok := t.s.lookup(n.Parts[0])
	if !ok {
		return nil
	}
	return found
}
