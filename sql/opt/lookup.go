package opt

import (
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// Lookup is what one use of a collection in a plan asks of its columns: of some, which values they may have. Rows
// with other values may be left out of what is read, for the plan drops them.
type Lookup map[int][]repr.Datum

// Lookups finds, for each collection that a plan reads, what each use of it asks.
func Lookups(r rel.Rel) map[uint64][]Lookup {
	out := lookups{}
	out.walk(r, nil)
	return out
}

type lookups map[uint64][]Lookup

// walk goes down with conditions over the rows of r that are true of every row that matters.
func (l lookups) walk(r rel.Rel, preds []expr.Scalar) {
	switch n := r.(type) {
	case *rel.Get:
		use := Lookup{}
		for _, e := range preds {
			if col, values, ok := oneOf(e); ok && (use[col] == nil || len(values) < len(use[col])) {
				use[col] = values
			}
		}
		l[n.ID] = append(l[n.ID], use)
	case *rel.Filter:
		l.walk(n.Input, append(conjuncts(n.Preds), preds...))
	case *rel.Project:
		l.walk(n.Input, mapAll(preds, func(c *expr.Column) expr.Scalar {
			return &expr.Column{Index: n.Cols[c.Index], Typ: c.Typ, Name: c.Name}
		}))
	case *rel.Map:
		var below []expr.Scalar
		for _, e := range preds {
			if rel.ColumnsOf(e, rel.ColSet{}).Within(0, len(n.Input.Columns())) {
				below = append(below, e)
			}
		}
		l.walk(n.Input, below)
	case *rel.Join:
		l.join(n, preds)
	default:
		for _, c := range rel.Children(r) {
			l.walk(c, nil)
		}
	}
}

// join goes down both sides of a join. A left side that meets rows of constants by an equality has one of these.
func (l lookups) join(n *rel.Join, preds []expr.Scalar) {
	nl := len(n.Left.Columns())
	var left []expr.Scalar
	if n.Kind == rel.JoinInner || n.Kind == rel.JoinSemi {
		for _, e := range preds {
			if rel.ColumnsOf(e, rel.ColSet{}).Within(0, nl) {
				left = append(left, e)
			}
		}
		for _, e := range n.On {
			left = append(left, met(e, n.Right, nl)...)
		}
	}
	l.walk(n.Left, left)
	l.walk(n.Right, nil)
}

// met reads a condition of a join as a column of the left side being one of the constants that a column of the right side has.
func met(e expr.Scalar, right rel.Rel, nl int) []expr.Scalar {
	eq, ok := rel.AsEquality(e)
	call, isCall := e.(*expr.Call)
	if !ok || eq.Nulls || !isCall {
		return nil
	}
	a, b := eq.A, eq.B
	if rel.ColumnsOf(b, rel.ColSet{}).Within(0, nl) {
		a, b = b, a
	}
	c, ok := b.(*expr.Column)
	if !ok || c.Index < nl || !rel.ColumnsOf(a, rel.ColSet{}).Within(0, nl) {
		return nil
	}
	or := &expr.Or{}
	for _, k := range constants(right, c.Index-nl) {
		or.Args = append(or.Args, &expr.Call{Fn: call.Fn, Args: []expr.Scalar{a, k}, Typ: call.Typ})
	}
	if len(or.Args) == 0 {
		return nil
	}
	return []expr.Scalar{or}
}

// constants are the values that a column may have when it comes of rows of constants, without NULLs; none when it does not.
func constants(r rel.Rel, col int) []expr.Scalar {
	switch n := r.(type) {
	case *rel.Project:
		return constants(n.Input, n.Cols[col])
	case *rel.Filter:
		return constants(n.Input, col)
	case *rel.Distinct:
		return constants(n.Input, col)
	case *rel.Values:
		var out []expr.Scalar
		for _, row := range n.Rows {
			k, ok := row[col].(*expr.Const)
			if !ok {
				return nil
			}
			if !k.Val.IsNull() {
				out = append(out, k)
			}
		}
		return out
	}
	return nil
}

// oneOf reads a condition as a column being one of a list of values, none of them NULL.
func oneOf(e expr.Scalar) (col int, values []repr.Datum, ok bool) {
	switch e := e.(type) {
	case *expr.Or:
		return oneOfBranches(e)
	case *expr.Call:
		if e.Fn.Name == "= ANY" {
			return oneOfArray(e)
		}
		eq, ok := rel.AsEquality(e)
		if !ok {
			return 0, nil, false
		}
		if col, values, ok = valued(eq.A, eq.B); !ok {
			col, values, ok = valued(eq.B, eq.A)
		}
		return col, values, ok
	}
	return 0, nil, false
}

// oneOfBranches reads an OR of equalities of one column.
func oneOfBranches(e *expr.Or) (col int, values []repr.Datum, ok bool) {
	for i, a := range e.Args {
		c, v, ok := oneOf(a)
		if !ok || i > 0 && c != col {
			return 0, nil, false
		}
		col, values = c, append(values, v...)
	}
	return col, values, true
}

// oneOfArray reads column = ANY (constant array).
func oneOfArray(e *expr.Call) (col int, values []repr.Datum, ok bool) {
	list, ok := e.Args[1].(*expr.Const)
	if !ok || list.Val.IsNull() {
		return 0, nil, false
	}
	elem := repr.TypeOf(e.Args[1].Type().Elem)
	for _, d := range list.Val.Elems(nil) {
		if d.IsNull() {
			continue
		}
		c, v, ok := valued(e.Args[0], &expr.Const{Val: d, Typ: elem})
		if !ok {
			return 0, nil, false
		}
		col, values = c, append(values, v...)
	}
	return col, values, len(values) > 0
}

// valued is a column and the constant that it is compared with, as a value of the column's kind. A varchar is compared
// as text, which has the same values.
func valued(a, b expr.Scalar) (col int, values []repr.Datum, ok bool) {
	k, ok := b.(*expr.Const)
	if !ok || k.Val.IsNull() {
		return 0, nil, false
	}
	if cast, ok := a.(*expr.Call); ok && len(cast.Args) == 1 && cast.Typ.Kind == repr.KindText && cast.Fn.Name == "text" &&
		cast.Args[0].Type().Kind == repr.KindVarchar {
		a = cast.Args[0]
	}
	c, ok := a.(*expr.Column)
	if !ok {
		return 0, nil, false
	}
	from, to := k.Val.Kind(), c.Typ.Kind
	switch {
	case from == to:
		return c.Index, []repr.Datum{k.Val}, true
	case from == repr.KindText && to == repr.KindVarchar:
		return c.Index, []repr.Datum{k.Val.As(to)}, true
	case integerBits[from] > 0 && integerBits[to] > 0:
		// A value beyond the column's kind equals none of its values; the plan is left to say so.
		return c.Index, []repr.Datum{k.Val.As(to)}, k.Val.Int()>>(integerBits[to]-1) == k.Val.Int()>>63
	}
	return 0, nil, false
}

var integerBits = map[repr.Kind]int{repr.KindInt2: 16, repr.KindInt4: 32, repr.KindInt8: 64}
