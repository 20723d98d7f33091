package plan

import (
	"strconv"

	"millrace/internal/check"
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// Rows are the rows of an INSERT, packed, in the order of the table's columns.
type Rows struct {
	Table *Item
	data  []byte
	ends  []int
}

// Len is how many rows there are.
func (r *Rows) Len() int { return len(r.ends) }

// Bytes is how many bytes they have.
func (r *Rows) Bytes() int { return len(r.data) }

// Row is one of them.
func (r *Rows) Row(i int) []byte {
	from := 0
	if i > 0 {
		from = r.ends[i-1]
	}
	return r.data[from:r.ends[i]:r.ends[i]]
}

func (r *Rows) end() { r.ends = append(r.ends, len(r.data)) }

// ConstantRows gives the rows of an INSERT of constants straight away; ok is false when it has others, or when something is
// wrong or out of the ordinary. Insert does the same by expressions, and it alone says what is wrong: of several errors it
// knows which comes first.
func ConstantRows(env *Env, n *ast.Insert) (rows *Rows, ok bool) {
	if n.Constants == nil || n.OnConflict || n.With != nil || len(n.Returning) > 0 || len(env.ParamTypes) > 0 {
		return nil, false
	}
	b := newBinder(env)
	item, err := b.writable(n.Table, "insert into")
	if err != nil {
		return nil, false
	}
	places, err := insertColumns(item, n.Columns)
	width := n.Constants.Width
	if err != nil || width > len(places) || width < len(places) && n.Columns != nil {
		return nil, false
	}
	columns, ok := b.constantColumns(item, places[:width])
	if !ok {
		return nil, false
	}
	rows = &Rows{Table: item, ends: make([]int, 0, n.Constants.Len()), data: make([]byte, 0, packedGuess*len(n.Constants.Items))}
	for items := n.Constants.Items; len(items) > 0; items = items[width:] {
		for i := range columns {
			if rows.data, ok = columns[i].append(rows.data, items); !ok {
				return nil, false
			}
		}
		rows.end()
	}
	return rows, true
}

// packedGuess is about how many bytes a constant takes in a row.
const packedGuess = 9

// constantColumn makes the values of one column of a table from the items of a row.
type constantColumn struct {
	b       *binder
	name    string
	typ     repr.Type
	plain   bool // the type has no modifier
	notNull bool
	at      int    // which item it is; -1: the column is not given
	missing []byte // the packed value of one that is not given
}

// constantColumns are the columns of the table, of which those at places are given.
func (b *binder) constantColumns(item *Item, places []int) ([]constantColumn, bool) {
	out := make([]constantColumn, len(item.Desc))
	for i, c := range item.Desc {
		out[i] = constantColumn{b: b, name: c.Name, typ: c.Type, plain: !c.Type.HasMod(), notNull: c.NotNull, at: -1}
	}
	for i, p := range places {
		out[p].at = i
	}
	for i := range out {
		c := &out[i]
		if c.at >= 0 {
			continue
		}
		s, err := b.constExpr("DEFAULT").bindTo(defaultOf(item, i, 0), c.typ, toColumn(c.name))
		value, ok := s.(*expr.Const)
		if err != nil || !ok || value.Val.IsNull() && c.notNull {
			return nil, false
		}
		c.missing = repr.Append(nil, value.Val)
	}
	return out, true
}

// append packs the value that a row has in the column.
func (c *constantColumn) append(dst []byte, items []ast.Constant) ([]byte, bool) {
	if c.at < 0 {
		return append(dst, c.missing...), true
	}
	k := &items[c.at]
	switch {
	case k.Kind == ast.ConstantNull:
		return repr.Append(dst, repr.Null), !c.notNull
	case k.Kind == ast.ConstantNumber && c.plain:
		if n, ok := wholeNumber(k.Text, c.typ.Kind); ok {
			return repr.Append(dst, repr.IntOf(c.typ.Kind, n)), true
		}
	case k.Kind == ast.ConstantString && c.plain && c.typ.Kind == repr.KindText:
		return repr.Append(dst, repr.Text(k.Text)), true
	}
	s := constantOf(k)
	if s == nil {
		return dst, false
	}
	to, err := c.b.coerce(s, c.typ, toColumn(c.name), 0)
	if err != nil {
		return dst, false
	}
	value, ok := to.(*expr.Const)
	if !ok || value.Val.IsNull() && c.notNull {
		return dst, false
	}
	return repr.Append(dst, value.Val), true
}

// wholeNumber reads a number for a column of whole numbers that it fits into.
func wholeNumber(text string, kind repr.Kind) (int64, bool) {
	bits := 0
	switch kind { //nolint:exhaustive // all others are not for whole numbers
	case repr.KindInt2:
		bits = 16
	case repr.KindInt4:
		bits = 32
	case repr.KindInt8:
		bits = 64
	default:
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, bits)
	return n, err == nil
}

// constantOf binds an item; nil is one that can not be.
func constantOf(k *ast.Constant) expr.Scalar {
	switch k.Kind {
	case ast.ConstantNumber:
		s, err := number(k.Text, 0)
		if err != nil {
			return nil
		}
		return s
	case ast.ConstantString:
		return &expr.Const{Val: repr.Text(k.Text), Typ: repr.TypeOf(repr.KindNull)}
	case ast.ConstantFalse, ast.ConstantTrue:
		return &expr.Const{Val: repr.Bool(k.Kind == ast.ConstantTrue), Typ: repr.TypeOf(repr.KindBool)}
	default:
		check.Never("a NULL is bound")
		return nil
	}
}

// Straight are the items of an INSERT of VALUES that ask no other row: its rows are there without a dataflow.
type Straight struct {
	table *Item
	rows  [][]expr.Scalar
}

// Straight gives them, when the statement is one of that kind and returns nothing.
func (w *Write) Straight() (*Straight, bool) {
	if w.Returning != nil {
		return nil, false
	}
	rows, ok := straightRows(w.Query.Rel)
	if !ok {
		return nil, false
	}
	for _, row := range rows {
		for _, s := range row {
			if dependent(s) || expr.Any(s, readsColumn) {
				return nil, false
			}
		}
	}
	return &Straight{table: w.Table, rows: rows}, true
}

func readsColumn(s expr.Scalar) bool {
	_, ok := s.(*expr.Column)
	return ok
}

// straightRows are the rows of VALUES with the columns that are computed beside them.
func straightRows(r rel.Rel) ([][]expr.Scalar, bool) {
	switch n := r.(type) {
	case *rel.Values:
		return n.Rows, true
	case *rel.Map:
		in, ok := straightRows(n.Input)
		out := make([][]expr.Scalar, len(in))
		for i, row := range in {
			out[i] = append(row[:len(row):len(row)], n.Exprs...)
		}
		return out, ok
	case *rel.Project:
		in, ok := straightRows(n.Input)
		out := make([][]expr.Scalar, len(in))
		for i, row := range in {
			for _, c := range n.Cols {
				out[i] = append(out[i], row[c])
			}
		}
		return out, ok
	default:
		return nil, false
	}
}

// Rows are the rows with the values of parameters; ok is false when one fails, or is NULL where it may not be, which is for
// the statement's query to say.
func (x *Straight) Rows(args []repr.Datum, env *expr.Env) (rows *Rows, ok bool) {
	rows = &Rows{Table: x.table, ends: make([]int, 0, len(x.rows)), data: make([]byte, 0, packedGuess*len(x.rows)*len(x.table.Desc))}
	for _, row := range x.rows {
		for i, s := range row {
			d, err := valueOf(s, args, env)
			if err != nil || d.IsNull() && x.table.Desc[i].NotNull {
				return nil, false
			}
			rows.data = repr.Append(rows.data, d)
		}
		rows.end()
	}
	return rows, true
}

// valueOf is the value of an expression that has no columns.
func valueOf(s expr.Scalar, args []repr.Datum, env *expr.Env) (repr.Datum, *repr.Error) {
	switch n := s.(type) {
	case *expr.Const:
		return n.Val, nil
	case *expr.Param:
		return args[n.N-1], nil
	}
	bound := rewriteScalar(s, 0, bindParams(args, env))
	var none expr.Row
	return expr.Compile(bound, env)(&none)
}
