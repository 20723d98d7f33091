package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// Delete binds DELETE.
func Delete(env *Env, n *ast.Delete) (*Write, *repr.Error) {
	b := newBinder(env)
	item, err := b.writable(n.Table, "delete from")
	if err != nil {
		return nil, err
	}
	alias := aliasName(n.Alias)
	m, err := b.matched(matchedRows{item: item, alias: alias, with: n.With, from: n.Using, where: n.Where})
	if err != nil {
		return nil, err
	}
	r := m.target.rel
	switch {
	case len(n.Using) > 0:
		// However many rows of USING match, a row is deleted once.
		r = &rel.Join{Kind: rel.JoinSemi, Left: r, Right: m.other.rel, On: m.where}
	case len(m.where) > 0:
		r = &rel.Filter{Input: r, Preds: m.where}
	}
	return b.write(item, &output{rel: wrapLets(m.lets, r), cols: slices.Clone(item.Desc)}, alias, n.Returning)
}

// Update binds UPDATE.
func Update(env *Env, n *ast.Update) (*Write, *repr.Error) {
	b := newBinder(env)
	item, err := b.writable(n.Table, "update")
	if err != nil {
		return nil, err
	}
	alias := aliasName(n.Alias)
	m, err := b.matched(matchedRows{item: item, alias: alias, with: n.With, from: n.From, where: n.Where})
	if err != nil {
		return nil, err
	}
	width := len(item.Desc)
	row := columnsOf(m.target.rel)
	updated := slices.Clone(row)
	if err := b.assign(item, m, n.Set, updated); err != nil {
		return nil, err
	}
	in := m.joined.rel
	if len(m.where) > 0 {
		in = &rel.Filter{Input: in, Preds: m.where}
	}
	names := append(namesOf(item.Desc), namesOf(item.Desc)...)
	r := projectTo(in, append(row, updated...), names)
	if len(n.From) > 0 {
		r = updateOnce(m.target.rel, r, width)
	}
	cols := append(slices.Clone(item.Desc), item.Desc...)
	return b.write(item, &output{rel: wrapLets(m.lets, r), cols: cols}, alias, n.Returning)
}

func aliasName(a *ast.Alias) string {
	if a == nil {
		return ""
	}
	return a.Name
}

// matchedRows is what UPDATE and DELETE have in common: a table, other items, and a condition over both.
type matchedRows struct {
	item  *Item
	alias string
	with  *ast.With
	from  []ast.TableExpr
	where ast.Expr

	fr     frame
	lets   []let
	target *from // the table
	other  *from // the other items; nil without any
	joined *from // both
}

// bound is matchedRows with the condition bound.
type bound struct {
	matchedRows
	where []expr.Scalar
}

// matched binds the table, the other items and the condition.
func (b *binder) matched(m matchedRows) (*bound, *repr.Error) {
	out := &bound{matchedRows: m}
	var err *repr.Error
	if out.fr, out.lets, err = b.with(m.with, b.top()); err != nil {
		return nil, err
	}
	out.fr.owner = b.newOwner()
	b.depend(m.item.ID)
	if out.target, err = b.target(m.item, m.alias); err != nil {
		return nil, err
	}
	out.joined = out.target
	if len(m.from) > 0 {
		if out.other, err = b.from(m.from, out.fr); err != nil {
			return nil, err
		}
		if err := checkAliases(out.target, out.other, m.from[0].Position()); err != nil {
			return nil, err
		}
		out.joined = merged(out.target, out.other)
		out.joined.rel = &rel.Join{Kind: rel.JoinInner, Left: out.target.rel, Right: out.other.rel}
	}
	if m.where == nil {
		return out, nil
	}
	cond, err := b.scalars(out.joined.scope(out.fr), out.fr, "WHERE").condition(m.where)
	if err != nil {
		return nil, err
	}
	out.where = conjuncts(cond)
	return out, nil
}

// assign binds the SET list into the new row.
func (b *binder) assign(item *Item, m *bound, set []ast.Assignment, row []expr.Scalar) *repr.Error {
	x := b.scalars(m.joined.scope(m.fr), m.fr, "UPDATE")
	done := map[int]bool{}
	for _, a := range set {
		values := []ast.Expr{a.Value}
		if a.Multiple {
			list, ok := a.Value.(*ast.Row)
			if !ok {
				return unsupported("a subquery for several columns of UPDATE", a.Pos)
			}
			values = list.Items
		}
		if len(values) != len(a.Columns) {
			return errAt(repr.CodeSyntax, "number of columns does not match number of values", a.Pos)
		}
		for i, id := range a.Columns {
			at, err := tableColumn(item, id)
			if err != nil {
				return err
			}
			if done[at] {
				return errAt(repr.CodeSyntax, "multiple assignments to same column "+quote(id.Name), id.Pos)
			}
			done[at] = true
			value := values[i]
			if _, ok := value.(*ast.Default); ok {
				value = defaultOf(item, at, place(value))
			}
			col := item.Desc[at]
			if row[at], err = x.bindTo(value, col.Type, toColumn(col.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// updateOnce keeps one new row for each old one when several rows of FROM match: which one, nobody promises; here
// it is the first in the order of bytes. changes has the old row and the new one. Old rows come back as often
// as the table has them.
func updateOnce(target, changes rel.Rel, width int) rel.Rel {
	one := &expr.Const{Val: repr.Int8(1), Typ: repr.TypeOf(repr.KindInt8)}
	first := &rel.TopK{Input: changes, Group: upTo(width), Limit: one}
	old := columnsOf(target)
	var on []expr.Scalar
	for i, c := range first.Columns()[:width] {
		on = append(on, rel.Same(old[i], &expr.Column{Index: width + i, Typ: c.Type, Name: c.Name}))
	}
	joined := &rel.Join{Kind: rel.JoinInner, Left: target, Right: first, On: on}
	cols := upTo(2 * width)
	for i := range width {
		cols[width+i] = 2*width + i
	}
	return &rel.Project{Input: joined, Cols: cols, Names: namesOf(first.Columns())}
}
