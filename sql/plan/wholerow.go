package plan

import (
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
	"millrace/sql/rel"
)

// rowNamed binds t.* as a value.
func (x *scalars) rowNamed(qualifier []string, pos int) (expr.Scalar, *repr.Error) {
	if x.scope == nil {
		return nil, errAt(repr.CodeUndefinedTable, "missing FROM-clause entry for table "+quote(qualifier[len(qualifier)-1]), pos)
	}
	t, level, err := x.scope.lookupTable(qualifier, pos)
	if err != nil {
		return nil, err
	}
	return x.rowOf(t, level, &ast.ColumnRef{At: ast.At{Pos: pos}, Parts: qualifier}), nil
}

// rowOf is the row of an item of FROM as one value, whose fields keep their names. Where an outer join may have put NULLs in
// its place, a row of NULLs alone is NULL.
func (x *scalars) rowOf(t *table, level int, ref *ast.ColumnRef) expr.Scalar {
	list := x.rowItems(t, level, ref)
	fields := make(repr.RowDesc, len(list))
	for i, s := range list {
		fields[i] = repr.Column{Name: t.cols[i].name, Type: s.Type()}
	}
	var out expr.Scalar = recordOf(list, ref.Pos)
	if t.nullable {
		record := repr.TypeOf(repr.KindRecord)
		none := expr.When{Cond: nullItems(list, false), Then: rel.Null(record)}
		out = &expr.Case{Whens: []expr.When{none}, Else: out, Typ: record}
	}
	x.b.records[out], x.b.rows[out] = fields, list
	return out
}

func (x *scalars) rowItems(t *table, level int, ref *ast.ColumnRef) []expr.Scalar {
	list := make([]expr.Scalar, len(t.cols))
	for i, c := range t.cols {
		named := &ast.ColumnRef{At: ref.At, Parts: []string{c.name}}
		list[i] = x.noted(match{c, level}.value(), named)
	}
	return list
}

// bindItems binds the items of a row; t.* stands for the columns of t.
func (x *scalars) bindItems(items []ast.Expr) ([]expr.Scalar, []int, *repr.Error) {
	var out []expr.Scalar
	var pos []int
	for _, item := range items {
		star, ok := item.(*ast.Star)
		if !ok || len(star.Qualifier) == 0 || x.scope == nil {
			s, err := x.bind(item)
			if err != nil {
				return nil, nil, err
			}
			out, pos = append(out, s), append(pos, place(item))
			continue
		}
		t, level, err := x.scope.lookupTable(star.Qualifier, star.Pos)
		if err != nil {
			return nil, nil, err
		}
		for _, s := range x.rowItems(t, level, &ast.ColumnRef{At: star.At, Parts: star.Qualifier}) {
			out, pos = append(out, s), append(pos, star.Pos)
		}
	}
	return out, pos, nil
}

// fieldOfRow binds (t).a, where t is an item of FROM and no column.
func (x *scalars) fieldOfRow(ref *ast.ColumnRef, n *ast.Field, notFound *repr.Error) (expr.Scalar, *repr.Error) {
	t, level, err := x.scope.lookupTable(ref.Parts, ref.Pos)
	if err != nil {
		return nil, notFound
	}
	for _, c := range t.cols {
		if c.name == n.Name {
			return x.noted(match{c, level}.value(), &ast.ColumnRef{At: n.At, Parts: []string{t.alias, c.name}}), nil
		}
	}
	return nil, errAt(repr.CodeUndefinedColumn, "column "+t.alias+"."+n.Name+" does not exist", ref.Pos)
}

// jsonOf are the functions that make JSON of a row by the names of its fields, and the kind that they give.
var jsonOf = map[string]repr.Kind{
	"to_json": repr.KindJSON, "row_to_json": repr.KindJSON, "json_agg": repr.KindJSON, "json_build_object": repr.KindJSON,
	"json_build_array": repr.KindJSON, "json_object_agg": repr.KindJSON, "to_jsonb": repr.KindJSONB, "jsonb_agg": repr.KindJSONB,
	"jsonb_build_object": repr.KindJSONB, "jsonb_build_array": repr.KindJSONB, "jsonb_object_agg": repr.KindJSONB,
}

// namedRows turns the operands of a function that makes JSON, where they are rows with named fields, into JSON objects: a
// value of type record does not know the names.
func (x *scalars) namedRows(name string, args []expr.Scalar) {
	kind, ok := jsonOf[name]
	if !ok {
		return
	}
	for i, a := range args {
		if fields := x.b.records[a]; fields != nil {
			f := fn.RowToJSON(fields, kind)
			args[i] = &expr.Call{Fn: f, Args: []expr.Scalar{a}, Typ: f.Ret}
		}
	}
}
