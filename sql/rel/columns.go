package rel

import (
	"millrace/repr"
	"millrace/sql/expr"
)

// Columns are the columns of the collection.
func (r *Get) Columns() repr.RowDesc { return r.Cols }

// Columns are the columns of the rows.
func (r *Values) Columns() repr.RowDesc { return r.Cols }

// Columns are those of the input.
func (r *Filter) Columns() repr.RowDesc { return r.Input.Columns() }

// Columns are those of the input, then the computed ones.
func (r *Map) Columns() repr.RowDesc {
	in := r.Input.Columns()
	out := append(make(repr.RowDesc, 0, len(in)+len(r.Exprs)), in...)
	for i, e := range r.Exprs {
		out = append(out, named(r.Names, i, e.Type()))
	}
	return out
}

// Columns are the picked ones.
func (r *Project) Columns() repr.RowDesc {
	in := r.Input.Columns()
	out := make(repr.RowDesc, len(r.Cols))
	for i, c := range r.Cols {
		out[i] = in[c]
		if i < len(r.Names) {
			out[i].Name = r.Names[i]
		}
	}
	return out
}

// Columns are those of both inputs, except for Semi and Anti.
func (r *Join) Columns() repr.RowDesc { return joinColumns(r.Kind, r.Left, r.Right) }

// Columns are those of both inputs, except for Semi and Anti.
func (r *Apply) Columns() repr.RowDesc { return joinColumns(r.Kind, r.Left, r.Right) }

func joinColumns(kind JoinKind, left, right Rel) repr.RowDesc {
	l := left.Columns()
	if kind == JoinSemi || kind == JoinAnti {
		return l
	}
	r := right.Columns()
	out := append(append(make(repr.RowDesc, 0, len(l)+len(r)), l...), r...)
	for i := range out {
		nullable := kind == JoinFull || (kind == JoinLeft && i >= len(l)) || (kind == JoinRight && i < len(l))
		if nullable {
			out[i].NotNull = false
		}
	}
	return out
}

// Columns are the keys, then the aggregates.
func (r *Reduce) Columns() repr.RowDesc {
	out := make(repr.RowDesc, 0, len(r.Keys)+len(r.Aggs))
	for i, k := range r.Keys {
		out = append(out, named(r.Names, i, k.Type()))
	}
	for i, a := range r.Aggs {
		out = append(out, named(r.Names, len(r.Keys)+i, a.Typ))
	}
	return out
}

// Columns are those of the input.
func (r *Distinct) Columns() repr.RowDesc { return r.Input.Columns() }

// Columns are those of the input.
func (r *TopK) Columns() repr.RowDesc { return r.Input.Columns() }

// Columns are those of the first input; one is NOT NULL when it is so in all inputs.
func (r *Union) Columns() repr.RowDesc {
	out := append(repr.RowDesc(nil), r.Inputs[0].Columns()...)
	for _, in := range r.Inputs[1:] {
		for i, c := range in.Columns() {
			out[i].NotNull = out[i].NotNull && c.NotNull
		}
	}
	return out
}

// Columns are those of the input.
func (r *Negate) Columns() repr.RowDesc { return r.Input.Columns() }

// Columns are those of the input.
func (r *Threshold) Columns() repr.RowDesc { return r.Input.Columns() }

// Columns are those of the input, then those of the function, then the ordinality.
func (r *FlatMap) Columns() repr.RowDesc {
	in := r.Input.Columns()
	out := append(make(repr.RowDesc, 0, len(in)+len(r.Fn.Cols)+1), in...)
	for i, c := range r.Fn.Cols {
		if i < len(r.Names) {
			c.Name = r.Names[i]
		}
		out = append(out, c)
	}
	if r.Ordinality {
		out = append(out, named(r.Names, len(r.Fn.Cols), repr.TypeOf(repr.KindInt8)))
	}
	return out
}

// Columns are those of the body.
func (r *Let) Columns() repr.RowDesc { return r.Body.Columns() }

// Columns are those of the value.
func (r *Ref) Columns() repr.RowDesc { return r.Cols }

func named(names []string, i int, t repr.Type) repr.Column {
	c := repr.Column{Name: "?column?", Type: t}
	if i < len(names) && names[i] != "" {
		c.Name = names[i]
	}
	return c
}

// ConstRow makes a row of Values from datums.
func ConstRow(types []repr.Type, row []repr.Datum) []expr.Scalar {
	out := make([]expr.Scalar, len(row))
	for i := range row {
		out[i] = &expr.Const{Val: row[i], Typ: types[i]}
	}
	return out
}
