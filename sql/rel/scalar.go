package rel

import (
	"millrace/internal/check"
	"millrace/repr"
	"millrace/sql/expr"
)

// MapColumns replaces each reference to an input column, also where the plan of a subquery refers to it as an
// outer column; to must then give a column again.
func MapColumns(e expr.Scalar, to func(*expr.Column) expr.Scalar) expr.Scalar {
	return expr.Transform(e, func(e expr.Scalar) expr.Scalar {
		switch e := e.(type) {
		case *expr.Column:
			return to(e)
		case *expr.Subquery:
			return mapSubqueryColumns(e, to)
		}
		return e
	})
}

func mapSubqueryColumns(e *expr.Subquery, to func(*expr.Column) expr.Scalar) expr.Scalar {
	query := MapOuter(e.Query.(Rel), func(o *expr.Outer, level int) expr.Scalar {
		if level != 1 {
			return o
		}
		c, ok := to(&expr.Column{Index: o.Index, Typ: o.Typ, Name: o.Name}).(*expr.Column)
		check.That(ok, "a subquery refers to column %d, which is not a column any more", o.Index)
		if c.Index == o.Index {
			return o
		}
		return &expr.Outer{Level: o.Level, Index: c.Index, Typ: c.Typ, Name: c.Name}
	})
	if query == e.Query.(Rel) {
		return e
	}
	c := *e
	c.Query = query
	return &c
}

// ShiftColumns adds by to the index of each column at or behind from.
func ShiftColumns(e expr.Scalar, from, by int) expr.Scalar {
	if by == 0 {
		return e
	}
	return MapColumns(e, func(c *expr.Column) expr.Scalar {
		if c.Index < from {
			return c
		}
		return &expr.Column{Index: c.Index + by, Typ: c.Typ, Name: c.Name}
	})
}

// ColumnsOf adds the input columns that an expression needs to set, those that its subqueries refer to included.
func ColumnsOf(e expr.Scalar, set ColSet) ColSet {
	expr.Walk(e, func(e expr.Scalar) bool {
		switch e := e.(type) {
		case *expr.Column:
			set = set.Add(e.Index)
		case *expr.Subquery:
			for _, o := range FreeOuter(e.Query.(Rel)) {
				if o.Level == 1 {
					set = set.Add(o.Index)
				}
			}
		}
		return true
	})
	return set
}

// HasSubquery says whether a plan stands in the expression.
func HasSubquery(e expr.Scalar) bool {
	return expr.Any(e, func(e expr.Scalar) bool {
		_, ok := e.(*expr.Subquery)
		return ok
	})
}

// ColumnOf is a reference to column i of the shape.
func ColumnOf(cols repr.RowDesc, i int) *expr.Column {
	return &expr.Column{Index: i, Typ: cols[i].Type, Name: cols[i].Name}
}

// Same is `a IS NOT DISTINCT FROM b`: equality that holds between NULLs and never is NULL.
func Same(a, b expr.Scalar) expr.Scalar {
	return &expr.Call{Fn: sameFunc, Args: []expr.Scalar{a, b}, Typ: repr.TypeOf(repr.KindBool)}
}

// IsSame says whether a call is one that Same makes.
func IsSame(c *expr.Call) bool { return c.Fn == sameFunc }

var sameFunc = &expr.Func{
	Name:       "is_not_distinct_from",
	Args:       []repr.Type{repr.TypeOf(repr.KindNull), repr.TypeOf(repr.KindNull)},
	Ret:        repr.TypeOf(repr.KindBool),
	NullCalled: true,
	Eval: func(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Bool(args[0].Equal(args[1])), nil
	},
}

// Bool is the constant true or false.
func Bool(v bool) expr.Scalar {
	return &expr.Const{Val: repr.Bool(v), Typ: repr.TypeOf(repr.KindBool)}
}

// Null is the NULL of a type.
func Null(t repr.Type) expr.Scalar { return &expr.Const{Val: repr.Null, Typ: t} }

// IsConst says whether the expression is the boolean constant v.
func IsConst(e expr.Scalar, v bool) bool {
	c, ok := e.(*expr.Const)
	return ok && c.Val.Kind() == repr.KindBool && c.Val.Bool() == v
}
