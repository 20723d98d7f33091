package plan

import (
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
)

// Columns are the columns of CREATE TABLE or of a source: names, types, NOT NULL. A primary key makes its
// columns NOT NULL.
func Columns(defs []ast.ColumnDef, constraints []ast.TableConstraint) (repr.RowDesc, [][]int, *repr.Error) {
	var cols repr.RowDesc
	var keys [][]int
	for _, d := range defs {
		if cols.Index(d.Name) >= 0 {
			return nil, nil, errAt("42701", "column "+quote(d.Name)+" specified more than once", d.Pos)
		}
		col, key, err := columnOf(d)
		if err != nil {
			return nil, nil, err
		}
		if key {
			keys = append(keys, []int{len(cols)})
		}
		cols = append(cols, col)
	}
	for _, c := range constraints {
		if c.Kind != ast.ConstraintPrimaryKey && c.Kind != ast.ConstraintUnique {
			continue
		}
		key, err := keyOf(cols, c)
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, key)
	}
	return cols, keys, nil
}

// columnOf is one column, and whether it is a key of its own.
func columnOf(d ast.ColumnDef) (repr.Column, bool, *repr.Error) {
	t, err := Type(d.Type)
	if err != nil {
		return repr.Column{}, false, err
	}
	col := repr.Column{Name: d.Name, Type: t}
	key := false
	for _, c := range d.Constraints {
		switch c.Kind {
		case ast.ConstraintNotNull:
			col.NotNull = true
		case ast.ConstraintPrimaryKey:
			col.NotNull, key = true, true
		case ast.ConstraintUnique:
			key = true
		}
	}
	return col, key, nil
}

func keyOf(cols repr.RowDesc, c ast.TableConstraint) ([]int, *repr.Error) {
	var key []int
	for _, id := range c.Columns {
		i := cols.Index(id.Name)
		if i < 0 {
			return nil, errAt(repr.CodeUndefinedColumn, "column "+quote(id.Name)+" named in key does not exist", id.Pos)
		}
		cols[i].NotNull = cols[i].NotNull || c.Kind == ast.ConstraintPrimaryKey
		key = append(key, i)
	}
	return key, nil
}

// Default checks the DEFAULT of a column of CREATE TABLE.
func Default(env *Env, e ast.Expr, col repr.Column) *repr.Error {
	b := newBinder(env)
	s, err := b.constExpr("DEFAULT").bindTo(e, col.Type, toColumn(col.Name))
	if err != nil {
		return err
	}
	if dependent(s) {
		return errAt(repr.CodeFeatureNotSupported, "cannot use subquery in DEFAULT expression", place(e))
	}
	return nil
}

// Keys binds the key columns of CREATE INDEX over a relation: expressions over its row.
func Keys(env *Env, item *Item, items []ast.OrderItem) ([]expr.Scalar, *repr.Error) {
	b := newBinder(env)
	f, err := b.target(item, "")
	if err != nil {
		return nil, err
	}
	x := b.scalars(f.scope(b.top()), b.top(), "index expressions")
	var out []expr.Scalar
	for _, it := range items {
		s, err := x.bind(it.Expr)
		if err != nil {
			return nil, err
		}
		if dependent(s) {
			return nil, unsupported("a subquery in an index", it.Pos)
		}
		if expr.VolatilityOf(s) != expr.Immutable {
			return nil, errAt("42P17", "functions in index expression must be marked IMMUTABLE", it.Pos)
		}
		if err := comparable(s.Type(), "ordering", it.Pos); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}
