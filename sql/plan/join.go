package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

var joinKinds = [...]rel.JoinKind{
	ast.InnerJoin: rel.JoinInner, ast.CrossJoin: rel.JoinInner, ast.LeftJoin: rel.JoinLeft,
	ast.RightJoin: rel.JoinRight, ast.FullJoin: rel.JoinFull,
}

// join binds a JOIN.
func (b *binder) join(n *ast.Join, fr frame) (*from, *repr.Error) {
	kind := joinKinds[n.Kind]
	leftFrame, rightFrame := fr, fr
	if kind == rel.JoinRight || kind == rel.JoinFull {
		leftFrame = fr.within("an outer join")
	}
	if kind == rel.JoinLeft || kind == rel.JoinFull {
		rightFrame = fr.within("an outer join")
	}
	left, err := b.fromItem(n.Left, leftFrame)
	if err != nil {
		return nil, err
	}
	right, err := b.fromItem(n.Right, left.beside(rightFrame, kind == rel.JoinInner || kind == rel.JoinLeft))
	if err != nil {
		return nil, err
	}
	if err := checkAliases(left, right, n.Right.Position()); err != nil {
		return nil, err
	}
	var out *from
	if n.Natural || len(n.Using) > 0 {
		out, err = b.joinUsing(n, left, right)
	} else {
		out, err = b.joinOn(n, left, right, fr)
	}
	if err != nil || n.Alias == nil {
		return out, err
	}
	return aliasJoin(out, n.Alias)
}

func (b *binder) joinOn(n *ast.Join, left, right *from, fr frame) (*from, *repr.Error) {
	var on []expr.Scalar
	if n.On != nil {
		// ON sees the two sides and what is outside of the query, but no other item of its FROM.
		inner := fr
		inner.hides = append(slices.Clone(fr.hides), fr.owner)
		x := b.scalars(merged(left, right).scope(inner), inner, "JOIN/ON")
		cond, err := x.condition(n.On)
		if err != nil {
			return nil, err
		}
		on = conjuncts(cond)
	}
	return join(left, right, joinKinds[n.Kind], on), nil
}

// conjuncts are the parts of a condition that must all be true.
func conjuncts(s expr.Scalar) []expr.Scalar {
	and, ok := s.(*expr.And)
	if !ok {
		return []expr.Scalar{s}
	}
	var out []expr.Scalar
	for _, a := range and.Args {
		out = append(out, conjuncts(a)...)
	}
	return out
}

// joinUsing binds USING and NATURAL: columns of one name are equal and appear once, first.
func (b *binder) joinUsing(n *ast.Join, left, right *from) (*from, *repr.Error) {
	using := n.Using
	if n.Natural {
		using = commonNames(left.names, right.names, n.Pos)
	}
	both := merged(left, right)
	nleft := len(left.names)
	var on []expr.Scalar
	var mergedCols []column
	drop := map[int]bool{}
	for _, id := range using {
		l, err := usingColumn(both.names[:nleft], id, "left")
		if err != nil {
			return nil, err
		}
		r, err := usingColumn(both.names[nleft:], id, "right")
		if err != nil {
			return nil, err
		}
		r += nleft
		cond, col, err := b.usingPair(both.names[l], both.names[r], id, n.Kind)
		if err != nil {
			return nil, err
		}
		on = append(on, cond)
		mergedCols = append(mergedCols, col)
		drop[l], drop[r] = true, true
	}
	out := join(left, right, joinKinds[n.Kind], on)
	names := mergedCols
	for i, c := range out.names {
		if !drop[i] {
			names = append(names, c)
		}
	}
	out.names = names
	return out, nil
}

// usingPair is the condition for one column of USING, and the column that stands for both.
func (b *binder) usingPair(l, r column, id ast.Ident, kind ast.JoinKind) (expr.Scalar, column, *repr.Error) {
	x := b.scalars(nil, frame{}, "JOIN/USING")
	cond, err := x.operator("=", l.value, r.value, id.Pos)
	if err != nil {
		return nil, column{}, errAt(repr.CodeDatatypeMismatch, "JOIN/USING types "+l.value.Type().String()+" and "+
			r.value.Type().String()+" cannot be matched", id.Pos)
	}
	pair := []expr.Scalar{l.value, r.value}
	if _, err := x.unify(pair, "JOIN/USING", []int{id.Pos, id.Pos}); err != nil {
		return nil, column{}, err
	}
	out := column{name: id.Name}
	switch kind {
	case ast.RightJoin:
		out.value = pair[1]
	case ast.FullJoin:
		out.value = &expr.Coalesce{Args: pair, Typ: pair[0].Type()}
	default:
		out.value = pair[0]
	}
	if c, ok := out.value.(*expr.Column); ok && c.Name != id.Name {
		out.value = &expr.Column{Index: c.Index, Typ: c.Typ, Name: id.Name}
	}
	return cond, out, nil
}

func usingColumn(names []column, id ast.Ident, side string) (int, *repr.Error) {
	found := -1
	for i, c := range names {
		if c.name != id.Name {
			continue
		}
		if found >= 0 {
			return 0, errAt(repr.CodeAmbiguousColumn, "common column name "+quote(id.Name)+
				" appears more than once in "+side+" table", id.Pos)
		}
		found = i
	}
	if found < 0 {
		return 0, errAt(repr.CodeUndefinedColumn, "column "+quote(id.Name)+" specified in USING clause does not exist in "+
			side+" table", id.Pos)
	}
	return found, nil
}

func commonNames(left, right []column, pos int) []ast.Ident {
	var out []ast.Ident
	for _, l := range left {
		if slices.ContainsFunc(right, func(r column) bool { return r.name == l.name }) {
			out = append(out, ast.Ident{At: ast.At{Pos: pos}, Name: l.name})
		}
	}
	return out
}

// aliasJoin gives a join a name of its own, which hides the names within.
func aliasJoin(f *from, alias *ast.Alias) (*from, *repr.Error) {
	if len(alias.Columns) > len(f.names) {
		return nil, errAt(repr.CodeInvalidColumnReference, "join expression "+quote(alias.Name)+" has "+itoa(len(f.names))+
			" columns available but "+itoa(len(alias.Columns))+" columns specified", alias.Pos)
	}
	t := &table{alias: alias.Name}
	for i, c := range f.names {
		c.table = t
		if i < len(alias.Columns) {
			c.name = alias.Columns[i].Name
		}
		t.cols = append(t.cols, c)
	}
	return &from{rel: f.rel, tables: []*table{t}, names: t.cols}, nil
}
