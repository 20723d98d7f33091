package rel

import (
	"math"

	"millrace/repr"
	"millrace/sql/expr"
)

// safeByConstants are calls that cannot fail because of the constants among their operands.
var safeByConstants = map[string]func(*expr.Call) bool{
	"/": safeDivision, "%": safeDivision, "mod": safeDivision,
	"substring": safeSubstring, "substr": safeSubstring,
	"extract": safePart, "date_part": safePart, "date_trunc": safeTrunc,
}

// safeDivision is a division of integers by a constant that is neither 0 nor -1, by which the least one overflows.
func safeDivision(e *expr.Call) bool {
	if len(e.Args) != 2 || !isInteger(e.Args[0]) {
		return false
	}
	n, ok := constantInt(e.Args[1])
	return ok && n != 0 && n != -1
}

// safeSubstring takes a part of a text by places.
func safeSubstring(e *expr.Call) bool {
	if e.Args[0].Type().Kind != repr.KindText {
		return false
	}
	for i, a := range e.Args[1:] {
		if n, ok := constantInt(a); !ok || i == 1 && n < 0 || n > math.MaxInt16 || n < math.MinInt16 {
			return false
		}
	}
	return true
}

func isInteger(e expr.Scalar) bool {
	switch e.Type().Kind {
	case repr.KindInt2, repr.KindInt4, repr.KindInt8:
		return true
	default:
		return false
	}
}

func constantInt(e expr.Scalar) (n int64, ok bool) {
	c, ok := e.(*expr.Const)
	if !ok || c.Val.IsNull() || !isInteger(e) {
		return 0, false
	}
	return c.Val.Int(), true
}

// safePart takes a part of a timestamp that every timestamp has.
func safePart(e *expr.Call) bool { return ofTimestamp(e, smallUnits) || ofTimestamp(e, largeUnits) }

// safeTrunc cuts a timestamp to a unit no larger than a day: to a larger one the least timestamps would be cut out
// of range.
func safeTrunc(e *expr.Call) bool { return ofTimestamp(e, smallUnits) }

var (
	smallUnits = map[string]bool{"second": true, "minute": true, "hour": true, "day": true}
	largeUnits = map[string]bool{"month": true, "year": true, "quarter": true, "dow": true, "isodow": true, "doy": true}
)

func ofTimestamp(e *expr.Call, units map[string]bool) bool {
	if len(e.Args) != 2 {
		return false
	}
	c, ok := e.Args[0].(*expr.Const)
	kind := e.Args[1].Type().Kind
	return ok && (kind == repr.KindTimestamp || kind == repr.KindTimestampTZ) && units[c.Val.Str()]
}
