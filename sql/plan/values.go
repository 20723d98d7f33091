package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// values binds VALUES; the columns are column1, column2, ….
func (b *binder) values(n *ast.Values, fr frame) (*valuesBody, *repr.Error) {
	v := &valuesBody{b: b}
	row := &scope{parent: fr.outer, hides: fr.hides}
	x := b.scalars(row, fr, "VALUES")
	for _, items := range n.Rows {
		if len(v.rows) > 0 && len(items) != len(v.rows[0]) {
			return nil, errAt(repr.CodeSyntax, "VALUES lists must all be the same length", place(items[0]))
		}
		list, pos, err := x.bindAll(items)
		if err != nil {
			return nil, err
		}
		v.rows = append(v.rows, list)
		v.pos = append(v.pos, pos)
	}
	return v, nil
}

// valuesBody is VALUES.
type valuesBody struct {
	b    *binder
	rows [][]expr.Scalar
	pos  [][]int
}

// unify gives each column a common type, but for those in which nothing has one.
func (v *valuesBody) unify() *repr.Error {
	for i := range v.rows[0] {
		t, bad := v.common(i)
		if bad >= 0 {
			return errAt(repr.CodeDatatypeMismatch, "VALUES types "+t.String()+" and "+v.rows[bad][i].Type().String()+
				" cannot be matched", v.pos[bad][i])
		}
		if err := v.coerce(i, t, implicitly); err != nil {
			return err
		}
	}
	return nil
}

// common is the common type of column i; KindNull where nothing in it has a type.
func (v *valuesBody) common(i int) (repr.Type, int) {
	types := make([]repr.Type, len(v.rows))
	known := false
	for j, row := range v.rows {
		types[j] = row[i].Type()
		known = known || !isUnknown(row[i])
	}
	if !known {
		return repr.TypeOf(repr.KindNull), -1
	}
	return commonOf(types)
}

func (v *valuesBody) columns() repr.RowDesc {
	out := make(repr.RowDesc, len(v.rows[0]))
	for i := range out {
		t, _ := v.common(i)
		out[i] = repr.Column{Name: "column" + itoa(i+1), Type: t}
	}
	return out
}

func (v *valuesBody) position(i int) int { return v.pos[0][i] }

func (v *valuesBody) coerce(i int, to repr.Type, how coercion) *repr.Error {
	for j, row := range v.rows {
		s, err := v.b.coerce(row[i], to, how, v.pos[j][i])
		if err != nil {
			return err
		}
		row[i] = s
	}
	return nil
}

func (v *valuesBody) build() (*output, *repr.Error) {
	cols := v.columns()
	if !slices.ContainsFunc(v.rows, func(row []expr.Scalar) bool { return slices.ContainsFunc(row, dependent) }) {
		return &output{rel: &rel.Values{Rows: v.rows, Cols: cols}, cols: cols}, nil
	}
	union := &rel.Union{}
	for _, row := range v.rows {
		union.Inputs = append(union.Inputs, projectTo(unit(), row, namesOf(cols)))
	}
	if len(union.Inputs) == 1 {
		return &output{rel: union.Inputs[0], cols: cols}, nil
	}
	return &output{rel: union, cols: cols}, nil
}

// dependent says whether an expression is more than a constant: it asks another row or a query.
func dependent(s expr.Scalar) bool {
	return expr.Any(s, func(n expr.Scalar) bool {
		switch n.(type) {
		case *expr.Outer, *expr.Subquery:
			return true
		default:
			return false
		}
	})
}
