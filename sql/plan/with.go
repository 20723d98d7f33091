package plan

import (
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/rel"
)

// cte is a query of a WITH clause that can be named in FROM, and those that could be named where it stands.
type cte struct {
	next *cte
	name string
	def  *ast.CTE
	id   int
	cols repr.RowDesc
	uses int
	// extra are the columns that SEARCH and CYCLE add behind cols. From level on, that of the clause, * stands for them.
	extra repr.RowDesc
	level int

	// Of a query of WITH RECURSIVE:
	with  *recursiveWith
	phase phase
	depth int // how many places there are around the clause that a recursive reference must not be in
	self  int // how often the query names itself
	// rounds is set when its recursive term has to see the rows of the last round alone.
	rounds *rounds
}

// let is a query of a WITH clause with its plan, or the queries of a recursion.
type let struct {
	cte   *cte
	value rel.Rel
	group []*cte // of WITH MUTUALLY RECURSIVE, in place of cte
	rec   *rel.LetRec
}

// used says whether what stands behind the clause names a query of it.
func (l *let) used() bool {
	for _, c := range l.group {
		if c.uses > 0 {
			return true
		}
	}
	return l.cte != nil && l.cte.uses > 0
}

// find looks a CTE up by name; the nearest one wins.
func (c *cte) find(name string) *cte {
	for ; c != nil; c = c.next {
		if c.name == name {
			return c
		}
	}
	return nil
}

// with binds the queries of a WITH clause. Each sees those before it, and in a recursive clause all others.
func (b *binder) with(w *ast.With, fr frame) (frame, []let, *repr.Error) {
	if w == nil {
		return fr, nil, nil
	}
	names := map[string]bool{}
	for _, c := range w.CTEs {
		if names[c.Name] {
			return fr, nil, errAt(repr.CodeDuplicateAlias, "WITH query name "+quote(c.Name)+" specified more than once", c.Pos)
		}
		names[c.Name] = true
	}
	switch {
	case w.Mutually:
		return b.mutually(w, fr)
	case w.Recursive:
		return b.recursive(w, fr)
	}
	var lets []let
	for i := range w.CTEs {
		c := &cte{next: fr.ctes, name: w.CTEs[i].Name, def: &w.CTEs[i]}
		if c.trailed() {
			return fr, nil, notRecursive(c)
		}
		value, err := b.cteValue(c, fr)
		if err != nil {
			return fr, nil, err
		}
		b.nextLet++
		c.id = b.nextLet
		fr.ctes = c
		lets = append(lets, let{cte: c, value: value})
	}
	return fr, lets, nil
}

// wrapLets puts the queries of a WITH clause that are used around the body.
func wrapLets(lets []let, body rel.Rel) rel.Rel {
	for i := len(lets) - 1; i >= 0; i-- {
		l := &lets[i]
		switch {
		case !l.used():
		case l.rec != nil:
			rec := *l.rec
			rec.Body = body
			body = &rec
		default:
			body = &rel.Let{ID: l.cte.id, Value: l.value, Body: body}
		}
	}
	return body
}

// renameColumns gives the first columns the names of a list.
func renameColumns(cols repr.RowDesc, names []ast.Ident, what string, pos int) (repr.RowDesc, *repr.Error) {
	if len(names) > len(cols) {
		return nil, errAt(repr.CodeInvalidColumnReference, what+" has "+itoa(len(cols))+" columns available but "+
			itoa(len(names))+" columns specified", pos)
	}
	out := append(repr.RowDesc(nil), cols...)
	for i, n := range names {
		out[i].Name = n.Name
	}
	return out, nil
}
