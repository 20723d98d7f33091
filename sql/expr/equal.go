package expr

import (
	"bytes"
	"slices"

	"millrace/repr"
)

// Equal says whether two expressions are the same by structure: the same functions over the same columns,
// constants that print alike. Places in the user's text and names of columns do not count. Two subqueries are
// equal only when they are one.
func Equal(a, b Scalar) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a == b || (sameNode(a, b) && equalLists(Children(a), Children(b)))
}

// sameNode compares two nodes without their operands.
func sameNode(a, b Scalar) bool {
	switch x := a.(type) {
	case *Column:
		y, ok := b.(*Column)
		return ok && x.Index == y.Index
	case *Outer:
		y, ok := b.(*Outer)
		return ok && x.Index == y.Index && x.Level == y.Level
	case *Const:
		y, ok := b.(*Const)
		return ok && x.Typ == y.Typ && sameValue(x.Val, y.Val)
	case *Param:
		y, ok := b.(*Param)
		return ok && x.N == y.N && x.Typ == y.Typ
	case *Call:
		y, ok := b.(*Call)
		return ok && SameFunc(x.Fn, y.Fn) && x.Typ == y.Typ
	case *And:
		_, ok := b.(*And)
		return ok
	case *Or:
		_, ok := b.(*Or)
		return ok
	case *Not:
		_, ok := b.(*Not)
		return ok
	case *IsNull:
		_, ok := b.(*IsNull)
		return ok
	case *Coalesce:
		y, ok := b.(*Coalesce)
		return ok && x.Typ == y.Typ
	case *Case:
		y, ok := b.(*Case)
		return ok && x.Typ == y.Typ && len(x.Whens) == len(y.Whens) && (x.Else == nil) == (y.Else == nil)
	default:
		return false
	}
}

func equalLists(a, b []Scalar) bool { return slices.EqualFunc(a, b, Equal) }

func sameValue(a, b repr.Datum) bool {
	return a.Kind() == b.Kind() && bytes.Equal(repr.Append(nil, a), repr.Append(nil, b))
}

// SameFunc says whether two functions are one: the same row of the table of functions, also when each look-up made
// a copy for its types.
func SameFunc(a, b *Func) bool {
	return a == b || (a.Name == b.Name && a.Ret == b.Ret && slices.Equal(a.Args, b.Args))
}
