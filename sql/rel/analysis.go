package rel

import (
	"strings"

	"millrace/repr"
	"millrace/sql/expr"
)

// CanFail says whether an expression may raise an error on some row, or give another value when it is evaluated
// again. Such an expression is not moved to where it would see rows that a filter or join leaves out.
func CanFail(e expr.Scalar) bool {
	return expr.Any(e, func(e expr.Scalar) bool {
		switch e := e.(type) {
		case *expr.Call:
			return !IsSame(e) && !IsTimeBound(e) && !safeCall(e)
		case *expr.Subquery:
			return true
		}
		return false
	})
}

func safeCall(e *expr.Call) bool {
	if e.Fn.Volatility == expr.Volatile {
		return false
	}
	if safeFuncs[e.Fn.Name] {
		return e.Fn.Name != "||" || e.Typ.Kind != repr.KindJSONB
	}
	if op := strings.TrimSuffix(strings.TrimSuffix(e.Fn.Name, " ANY"), " ALL"); op != e.Fn.Name {
		return safeFuncs[op]
	}
	if safe := safeByConstants[e.Fn.Name]; safe != nil {
		return safe(e)
	}
	if likeFuncs[e.Fn.Name] {
		return safePattern(e)
	}
	return safeCast(e)
}

// safeFuncs are the functions and operators that have a value for every operand. What isn't listed may fail.
var safeFuncs = map[string]bool{
	"=": true, "<>": true, "<": true, "<=": true, ">": true, ">=": true,
	"is_distinct_from": true, "is_not_distinct_from": true, "nullif": true, "greatest": true, "least": true,
	"||": true, "concat": true, "length": true, "char_length": true, "character_length": true,
	"octet_length": true, "lower": true, "upper": true, "btrim": true, "ltrim": true, "rtrim": true,
	"left": true, "right": true, "strpos": true, "position": true, "starts_with": true, "reverse": true,
	"replace": true, "initcap": true, "md5": true, "text": true,
	"->": true, "->>": true, "#>": true, "#>>": true, "@>": true, "<@": true, "?": true, "?|": true, "?&": true,
	"jsonb_typeof": true, "instant_at": true, "instant_after": true,
}

// likeFuncs fail on a pattern that ends in its escape character, and on no other.
var likeFuncs = map[string]bool{"~~": true, "!~~": true, "~~*": true, "!~~*": true}

func safePattern(e *expr.Call) bool {
	if len(e.Args) != 2 {
		return false
	}
	c, ok := e.Args[1].(*expr.Const)
	return ok && !strings.HasSuffix(c.Val.Str(), `\`)
}

// safeCast says whether the call is a cast to a kind that holds every value of its operand's.
func safeCast(e *expr.Call) bool {
	if len(e.Args) != 1 || e.Typ.HasMod() {
		return false
	}
	from, to := e.Args[0].Type().Kind, e.Typ.Kind
	if e.Fn.Name != e.Typ.Kind.String() && e.Fn.Name != repr.Kinds[to].Name {
		return false
	}
	for _, wider := range widening[from] {
		if wider == to {
			return true
		}
	}
	return false
}

var widening = map[repr.Kind][]repr.Kind{
	repr.KindInt2:    {repr.KindInt4, repr.KindInt8, repr.KindFloat4, repr.KindFloat8, repr.KindNumeric, repr.KindText},
	repr.KindInt4:    {repr.KindInt8, repr.KindFloat8, repr.KindNumeric, repr.KindText},
	repr.KindInt8:    {repr.KindFloat8, repr.KindNumeric, repr.KindText},
	repr.KindFloat4:  {repr.KindFloat8, repr.KindText},
	repr.KindFloat8:  {repr.KindText},
	repr.KindNumeric: {repr.KindText},
	repr.KindVarchar: {repr.KindText},
	repr.KindName:    {repr.KindText},
	repr.KindBpchar:  {repr.KindText},
	repr.KindText:    {repr.KindVarchar},
	repr.KindUUID:    {repr.KindText},
	repr.KindJSONB:   {repr.KindText},
}

// Equality is a condition that two operands are equal.
type Equality struct {
	A, B  expr.Scalar
	Nulls bool // NULL equals NULL: A IS NOT DISTINCT FROM B
}

// AsEquality reads a condition as an equality.
func AsEquality(e expr.Scalar) (eq Equality, ok bool) {
	call, negated := e, false
	if n, is := e.(*expr.Not); is {
		call, negated = n.Arg, true
	}
	c, is := call.(*expr.Call)
	if !is || len(c.Args) != 2 {
		return Equality{}, false
	}
	eq = Equality{A: c.Args[0], B: c.Args[1]}
	switch {
	case !negated && c.Fn.Name == "=":
		return eq, true
	case !negated && c.Fn.Name == "is_not_distinct_from", negated && c.Fn.Name == "is_distinct_from":
		eq.Nulls = true
		return eq, true
	}
	return Equality{}, false
}

// Strict are the columns that, when one of them is NULL, make the value of the expression NULL.
func Strict(e expr.Scalar) ColSet {
	var set ColSet
	switch e := e.(type) {
	case *expr.Column:
		set = set.Add(e.Index)
	case *expr.Not:
		set = Strict(e.Arg)
	case *expr.Call:
		if e.Fn.NullCalled {
			break
		}
		for _, a := range e.Args {
			set = set.Union(Strict(a))
		}
	}
	return set
}

// RejectsQuietly are the columns that, when one of them is NULL, keep the condition from being true and from failing.
func RejectsQuietly(e expr.Scalar) ColSet {
	set := Rejects(e)
	expr.Walk(e, func(e expr.Scalar) bool {
		switch e := e.(type) {
		case *expr.Call:
			if !IsSame(e) && !safeCall(e) {
				set = set.Intersect(Strict(e))
			}
		case *expr.Subquery:
			set = ColSet{}
		}
		return true
	})
	return set
}

// Rejects are the columns that, when one of them is NULL, keep the condition from being true.
func Rejects(e expr.Scalar) ColSet {
	switch e := e.(type) {
	case *expr.And:
		var set ColSet
		for _, a := range e.Args {
			set = set.Union(Rejects(a))
		}
		return set
	case *expr.Or:
		set := Rejects(e.Args[0])
		for _, a := range e.Args[1:] {
			set = set.Intersect(Rejects(a))
		}
		return set
	case *expr.Not:
		if n, ok := e.Arg.(*expr.IsNull); ok {
			return Strict(n.Arg)
		}
	}
	return Strict(e)
}

// NotNull says whether an expression over rows of the shape is never NULL.
func NotNull(e expr.Scalar, cols repr.RowDesc) bool {
	switch e := e.(type) {
	case *expr.Column:
		return e.Index < len(cols) && cols[e.Index].NotNull
	case *expr.Const:
		return !e.Val.IsNull()
	case *expr.IsNull:
		return true
	}
	return false
}

// AtMostOne says whether a plan has one row at the most, whatever its inputs hold.
func AtMostOne(r Rel) bool {
	switch r := r.(type) {
	case *Values:
		return len(r.Rows) <= 1
	case *Filter:
		return AtMostOne(r.Input)
	case *Map:
		return AtMostOne(r.Input)
	case *Project:
		return AtMostOne(r.Input)
	case *Distinct:
		return AtMostOne(r.Input)
	case *Window:
		return AtMostOne(r.Input)
	case *Temporal:
		return AtMostOne(r.Input)
	case *Reduce:
		return len(r.Keys) == 0
	case *TopK:
		c, ok := r.Limit.(*expr.Const)
		one := ok && len(r.Group) == 0 && !c.Val.IsNull() && c.Val.Int() <= 1
		return one || AtMostOne(r.Input)
	case *Join:
		inner := r.Kind == JoinInner || r.Kind == JoinLeft
		half := r.Kind == JoinSemi || r.Kind == JoinAnti
		return AtMostOne(r.Left) && (half || (inner && AtMostOne(r.Right)))
	case *Let:
		return AtMostOne(r.Body)
	case *LetRec:
		return AtMostOne(r.Body)
	}
	return false
}

// JustOne says whether a plan always has exactly one row.
func JustOne(r Rel) bool {
	switch r := r.(type) {
	case *Values:
		return len(r.Rows) == 1
	case *Map:
		return JustOne(r.Input)
	case *Project:
		return JustOne(r.Input)
	case *Window:
		return JustOne(r.Input)
	case *Reduce:
		return len(r.Keys) == 0
	case *Join:
		return (r.Kind == JoinInner && len(r.On) == 0 || r.Kind == JoinLeft) && JustOne(r.Left) && JustOne(r.Right)
	case *Let:
		return JustOne(r.Body)
	case *LetRec:
		return JustOne(r.Body)
	}
	return false
}
