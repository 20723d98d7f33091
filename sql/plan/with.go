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
	id   int
	cols repr.RowDesc
	uses int
	// recursive says that the name can be seen only because the WITH clause is recursive.
	recursive bool
}

// let is a CTE with its plan.
type let struct {
	cte   *cte
	value rel.Rel
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

// with binds the queries of a WITH clause. Each sees those before it.
func (b *binder) with(w *ast.With, fr frame) (frame, []let, *repr.Error) {
	if w == nil {
		return fr, nil, nil
	}
	if w.Mutually {
		return fr, nil, unsupported("WITH MUTUALLY RECURSIVE", w.Pos)
	}
	names := map[string]bool{}
	var lets []let
	for i := range w.CTEs {
		c := &w.CTEs[i]
		if names[c.Name] {
			return fr, nil, errAt(repr.CodeDuplicateAlias, "WITH query name "+quote(c.Name)+" specified more than once", c.Pos)
		}
		names[c.Name] = true
		inner := fr
		if w.Recursive {
			inner.ctes = recursive(w.CTEs[i:], fr.ctes)
		}
		out, err := b.query(c.Query, inner)
		if err != nil {
			return fr, nil, err
		}
		cols, err := renameColumns(out.cols, c.Columns, "WITH query "+quote(c.Name), c.Pos)
		if err != nil {
			return fr, nil, err
		}
		b.nextLet++
		fr.ctes = &cte{next: fr.ctes, name: c.Name, id: b.nextLet, cols: cols}
		value := collapse(out)
		lets = append(lets, let{cte: fr.ctes, value: projectTo(value, columnsOf(value), namesOf(cols))})
	}
	return fr, lets, nil
}

// recursive makes the names of queries that are not bound yet visible, so that using them can be refused.
func recursive(list []ast.CTE, next *cte) *cte {
	for i := range list {
		next = &cte{next: next, name: list[i].Name, recursive: true}
	}
	return next
}

// wrapLets puts the queries of a WITH clause that are used around the body.
func wrapLets(lets []let, body rel.Rel) rel.Rel {
	for i := len(lets) - 1; i >= 0; i-- {
		if lets[i].cte.uses > 0 {
			body = &rel.Let{ID: lets[i].cte.id, Value: lets[i].value, Body: body}
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
