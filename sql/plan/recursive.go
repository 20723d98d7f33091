package plan

import (
	"math"
	"strconv"
	"strings"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/rel"
)

// recursiveWith is a WITH RECURSIVE clause being bound. Its queries may name one another in any order, so each is bound
// when it is first named, and those that nobody names at the end.
type recursiveWith struct {
	b     *binder
	fr    frame // around the queries, all of them visible
	stack []*cte
	lets  []let
}

// phase is how far a query of a recursive WITH clause has been bound.
type phase uint8

const (
	phaseNone  phase = iota
	phaseWhole       // a query that is no UNION: it must not name itself
	phaseWith        // its own WITH clause
	phaseFirst       // the non-recursive term
	phaseStep        // the recursive term: it may name itself once
	phaseDone
)

// recursive binds WITH RECURSIVE.
func (b *binder) recursive(w *ast.With, fr frame) (frame, []let, *repr.Error) {
	r := &recursiveWith{b: b}
	var list []*cte
	for i := range w.CTEs {
		fr.ctes = &cte{next: fr.ctes, name: w.CTEs[i].Name, def: &w.CTEs[i], with: r, depth: len(fr.inside), level: fr.level}
		list = append(list, fr.ctes)
	}
	r.fr = fr
	for _, c := range list {
		if err := r.bind(c); err != nil {
			return fr, nil, err
		}
	}
	return fr, r.lets, nil
}

// bind binds a query unless it is bound.
func (r *recursiveWith) bind(c *cte) *repr.Error {
	if c.phase == phaseDone {
		return nil
	}
	r.b.nextLet++
	c.id = r.b.nextLet
	r.stack = append(r.stack, c)
	value, err := r.value(c)
	if err != nil {
		return err
	}
	r.stack = r.stack[:len(r.stack)-1]
	c.phase = phaseDone
	l := let{cte: c, value: value}
	switch {
	case c.rounds != nil:
		l.rec = c.rounds.recursion(c.name, value)
	case c.self > 0:
		l.rec = &rel.LetRec{Bindings: []rel.Binding{{ID: c.id, Name: c.name, Value: value}}}
	}
	r.lets = append(r.lets, l)
	return nil
}

// value is the plan of a query, which refers to itself when the query does.
func (r *recursiveWith) value(c *cte) (rel.Rel, *repr.Error) {
	q := c.def.Query
	set, ok := q.Body.(*ast.SetOp)
	if !ok || set.Kind != ast.Union {
		if c.trailed() {
			return nil, notRecursive(c)
		}
		c.phase = phaseWhole
		return r.b.cteValue(c, r.fr)
	}
	c.phase = phaseWith
	u := &recursiveUnion{b: r.b, c: c, set: set, order: q.OrderBy}
	out, err := r.b.queryOf(q, r.fr, u.bind, func(body body) *repr.Error { return resolveUnknown(body) })
	if err != nil {
		return nil, err
	}
	if c.self > 0 {
		if err := undecorated(q); err != nil {
			return nil, err
		}
	}
	own := len(out.cols) - len(c.extra)
	all, err := renameColumns(out.cols, c.def.Columns, "WITH query "+quote(c.name), c.def.Pos)
	if err != nil {
		return nil, err
	}
	c.cols, c.extra = all[:own:own], all[own:]
	value := collapse(out)
	return projectTo(value, columnsOf(value), namesOf(all)), nil
}

// cteValue binds the query of a CTE as a whole and gives its plan with the columns named.
func (b *binder) cteValue(c *cte, fr frame) (rel.Rel, *repr.Error) {
	out, err := b.query(c.def.Query, fr)
	if err != nil {
		return nil, err
	}
	return b.finishCTE(c, out)
}

func (b *binder) finishCTE(c *cte, out *output) (rel.Rel, *repr.Error) {
	cols, err := renameColumns(out.cols, c.def.Columns, "WITH query "+quote(c.name), c.def.Pos)
	if err != nil {
		return nil, err
	}
	c.cols = cols
	value := collapse(out)
	return projectTo(value, columnsOf(value), namesOf(cols)), nil
}

// undecorated refuses what may not stand behind the UNION of a recursive query.
func undecorated(q *ast.Query) *repr.Error {
	refuse := func(what string, pos int) *repr.Error {
		return errAt(repr.CodeFeatureNotSupported, what+" in a recursive query is not implemented", pos)
	}
	switch {
	case len(q.OrderBy) > 0:
		return refuse("ORDER BY", place(q.OrderBy[0].Expr))
	case q.Offset != nil:
		return refuse("OFFSET", place(q.Offset))
	case q.Limit != nil:
		return refuse("LIMIT", place(q.Limit))
	}
	return nil
}

// recursiveUnion binds the two terms of a query that may be recursive.
type recursiveUnion struct {
	b     *binder
	c     *cte
	set   *ast.SetOp
	order []ast.OrderItem
}

// bind binds the first term, which decides the types, and then the other, in which the query may name itself.
func (u *recursiveUnion) bind(fr frame) (body, *repr.Error) {
	c := u.c
	c.phase = phaseFirst
	left, err := u.b.body(u.set.Left, leaf(fr, u.set.Left), nil)
	if err != nil {
		return nil, err
	}
	known := open(left)
	if c.cols, err = renameColumns(known, c.def.Columns, "WITH query "+quote(c.name), c.def.Pos); err != nil {
		return nil, err
	}
	t, err := u.b.trailOf(c)
	if err != nil {
		return nil, err
	}
	c.phase, c.extra = phaseStep, t.extra()
	step, top := t.step(u.set.Right)
	right, err := u.b.body(step, leaf(fr, step), nil)
	if err != nil {
		return nil, err
	}
	if c.trailed() {
		if err := t.check(u.set, top); err != nil {
			return nil, err
		}
	}
	if c.self == 0 {
		bd, err := u.b.setOpOf(u.set, left, right)
		if err != nil {
			return nil, err
		}
		return u.b.orderedByOutput(bd, u.order, "UNION/INTERSECT/EXCEPT")
	}
	if err := resolveUnknown(left); err != nil {
		return nil, err
	}
	if c.trailed() {
		return u.recursive(t.grow(left, false), t.grow(right, true), known)
	}
	return u.recursive(left, right, known)
}

// recursive puts the terms together.
func (u *recursiveUnion) recursive(left, right body, known repr.RowDesc) (body, *repr.Error) {
	c := u.c
	bd, err := u.b.setOpOf(u.set, left, right)
	if err != nil {
		return nil, err
	}
	for i, col := range bd.columns()[:len(known)] {
		if was := known[i].Type; col.Type != was {
			return nil, errAt(repr.CodeDatatypeMismatch, "recursive query "+quote(c.name)+" column "+itoa(i+1)+" has type "+
				was.String()+" in non-recursive term but type "+col.Type.String()+" overall", left.position(i)).
				WithHint("Cast the output of the non-recursive term to the correct type.")
		}
	}
	if !u.linear(bd) {
		c.rounds = u.b.newRounds(c)
		bd.out.rel = c.rounds.newest(bd.out.rel)
	}
	return bd, nil
}

// open are the columns of the first term as the recursive term sees them: text where a literal has no type, and any may
// be NULL.
func open(left body) repr.RowDesc {
	cols := append(repr.RowDesc(nil), left.columns()...)
	for i := range cols {
		cols[i].NotNull = false
		if cols[i].Type.Kind == repr.KindNull {
			cols[i].Type = repr.TypeOf(repr.KindText)
		}
	}
	return cols
}

// linear says whether all rounds together give what the recursive term makes of all rows.
func (u *recursiveUnion) linear(bd *done) bool {
	r := bd.out.rel
	if d, ok := r.(*rel.Distinct); ok {
		r = d.Input
	}
	l := &linearity{uses: map[int]int{u.c.id: 1}, set: !u.set.All}
	l.of(r.(*rel.Union).Inputs[1])
	return !l.offended
}

// selfRef binds a name of a query that is being bound.
func (r *recursiveWith) selfRef(n *ast.TableRef, c *cte, fr frame) *repr.Error {
	if c != r.stack[len(r.stack)-1] {
		return errAt(repr.CodeFeatureNotSupported, "mutual recursion between WITH items is not implemented", r.firstOf(c))
	}
	refuse := func(where string) *repr.Error {
		return errAt(codeInvalidRecursion, "recursive reference to query "+quote(c.name)+" must not appear "+where, n.Pos)
	}
	switch {
	case len(fr.inside) > c.depth:
		return refuse("within " + fr.inside[len(fr.inside)-1])
	case c.phase == phaseWith:
		return refuse("within a subquery")
	case c.phase == phaseWhole:
		return errAt(codeInvalidRecursion, "recursive query "+quote(c.name)+
			" does not have the form non-recursive-term UNION [ALL] recursive-term", c.def.Pos)
	case c.phase == phaseFirst:
		return refuse("within its non-recursive term")
	case c.self > 0:
		return refuse("more than once")
	}
	c.self++
	return nil
}

// firstOf is where the first in the text is defined of those that name one another, from c on.
func (r *recursiveWith) firstOf(c *cte) int {
	pos, in := c.def.Pos, false
	for _, x := range r.stack {
		if in = in || x == c; in {
			pos = min(pos, x.def.Pos)
		}
	}
	return pos
}

// codeInvalidRecursion is the SQLSTATE of a recursion that may not be written so.
const codeInvalidRecursion = "42P19"

// mutually binds WITH MUTUALLY RECURSIVE: all queries see one another, with the columns that they declare.
func (b *binder) mutually(w *ast.With, fr frame) (frame, []let, *repr.Error) {
	rec, err := recursionLimit(w.Options)
	if err != nil {
		return fr, nil, err
	}
	var list []*cte
	for i := range w.CTEs {
		c := &cte{next: fr.ctes, name: w.CTEs[i].Name, def: &w.CTEs[i]}
		if c.trailed() {
			return fr, nil, unsupported("SEARCH or CYCLE in WITH MUTUALLY RECURSIVE", c.def.Pos)
		}
		if c.cols, err = declared(c.def); err != nil {
			return fr, nil, err
		}
		b.nextLet++
		c.id = b.nextLet
		fr.ctes = c
		list = append(list, c)
	}
	for _, c := range list {
		value, err := b.mutualValue(c, fr)
		if err != nil {
			return fr, nil, err
		}
		rec.Bindings = append(rec.Bindings, rel.Binding{ID: c.id, Name: c.name, Value: value})
	}
	for _, c := range list {
		c.uses = 0 // those within do not ask for the clause
	}
	return fr, []let{{group: list, rec: rec}}, nil
}

// declared are the columns that a query of WITH MUTUALLY RECURSIVE says it has.
func declared(def *ast.CTE) (repr.RowDesc, *repr.Error) {
	if len(def.ColumnTypes) == 0 {
		return nil, errAt(repr.CodeSyntax, "query "+quote(def.Name)+" of WITH MUTUALLY RECURSIVE must declare its columns with their types", def.Pos)
	}
	cols := make(repr.RowDesc, len(def.Columns))
	for i, id := range def.Columns {
		typ, err := Type(def.ColumnTypes[i])
		if err != nil {
			return nil, err
		}
		cols[i] = repr.Column{Name: id.Name, Type: typ}
	}
	return cols, nil
}

func (b *binder) mutualValue(c *cte, fr frame) (rel.Rel, *repr.Error) {
	out, err := b.queryWith(c.def.Query, fr, func(bd body) *repr.Error {
		have := bd.columns()
		if len(have) != len(c.cols) {
			return errAt(repr.CodeDatatypeMismatch, "query "+quote(c.name)+" of WITH MUTUALLY RECURSIVE declares "+
				itoa(len(c.cols))+" columns but has "+itoa(len(have)), c.def.Pos)
		}
		for i, col := range c.cols {
			if err := bd.coerce(i, col.Type, implicitly); err != nil {
				return errAt(repr.CodeDatatypeMismatch, "query "+quote(c.name)+" of WITH MUTUALLY RECURSIVE declares column "+
					quote(col.Name)+" as "+col.Type.String()+" but it has type "+have[i].Type.String(), bd.position(i)).
					WithHint("Cast the column to the type that is declared.")
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	value := collapse(out)
	return projectTo(value, columnsOf(value), namesOf(c.cols)), nil
}

// recursionLimit reads the options of WITH MUTUALLY RECURSIVE.
func recursionLimit(options []ast.Option) (*rel.LetRec, *repr.Error) {
	rec := &rel.LetRec{}
	for _, o := range options {
		switch o.Name {
		case "return at recursion limit":
			rec.KeepAtLimit = true
		case "error at recursion limit", "recursion limit":
			rec.KeepAtLimit = false
		default:
			return nil, errAt(repr.CodeSyntax, "unrecognized option "+quote(o.Name), o.Pos)
		}
		if rec.Limit > 0 {
			return nil, errAt(repr.CodeSyntax, "conflicting or redundant options", o.Pos)
		}
		n, err := strconv.ParseInt(o.Value.Text, 10, 32)
		if o.Value.Kind != ast.OptionNumber || err != nil || n < 1 {
			return nil, errAt(repr.CodeInvalidParameter, strings.ToUpper(o.Name)+" must be a number from 1 to "+itoa(math.MaxInt32), o.Pos)
		}
		rec.Limit = int(n)
	}
	return rec, nil
}
