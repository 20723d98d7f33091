package plan

import (
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
)

// Columns are the columns of CREATE TABLE or of a source, and its keys, the primary key first. A primary key makes
// its columns NOT NULL.
func Columns(defs []ast.ColumnDef, constraints []ast.TableConstraint) (repr.RowDesc, [][]int, *repr.Error) {
	var cols repr.RowDesc
	var keys [][]int
	for _, d := range defs {
		if cols.Index(d.Name) >= 0 {
			return nil, nil, errAt(repr.CodeDuplicateColumn, "column "+quote(d.Name)+" specified more than once", d.Pos)
		}
		col, err := columnOf(d)
		if err != nil {
			return nil, nil, err
		}
		for _, c := range d.Constraints {
			keys = addKey(keys, c.Kind, []int{len(cols)})
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
		keys = addKey(keys, c.Kind, key)
	}
	return cols, keys, nil
}

// addKey adds the key of a constraint, the primary key in front.
func addKey(keys [][]int, kind ast.ConstraintKind, key []int) [][]int {
	switch kind {
	case ast.ConstraintPrimaryKey:
		return append([][]int{key}, keys...)
	case ast.ConstraintUnique:
		return append(keys, key)
	default:
		return keys
	}
}

func columnOf(d ast.ColumnDef) (repr.Column, *repr.Error) {
	t, err := Type(d.Type)
	if err != nil {
		return repr.Column{}, err
	}
	col := repr.Column{Name: d.Name, Type: t}
	for _, c := range d.Constraints {
		col.NotNull = col.NotNull || c.Kind == ast.ConstraintNotNull || c.Kind == ast.ConstraintPrimaryKey
	}
	return col, nil
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

// Check binds a condition over a row of named values, such as the CHECK of a webhook.
func Check(env *Env, over *Item, e ast.Expr) (expr.Scalar, *repr.Error) {
	b := newBinder(env)
	f, err := b.target(over, "")
	if err != nil {
		return nil, err
	}
	s, err := b.scalars(f.scope(b.top()), b.top(), "CHECK").condition(e)
	if err == nil && dependent(s) {
		err = errAt(repr.CodeFeatureNotSupported, "cannot use subquery in check constraint", place(e))
	}
	return s, err
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
