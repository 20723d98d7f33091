package fn

import (
	"cmp"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// comparison orders two values of the types that it was made for.
type comparison = func(env *expr.Env, a, b repr.Datum) int

func compareSame(_ *expr.Env, a, b repr.Datum) int { return repr.Compare(a, b) }

func compareNumerics(_ *expr.Env, a, b repr.Datum) int {
	if p, ok := alignSmall(a, b); ok {
		return cmp.Compare(p.x, p.y)
	}
	return repr.Compare(a, b)
}

func compareInts(_ *expr.Env, a, b repr.Datum) int { return cmp.Compare(a.Int(), b.Int()) }

// compareFloats orders reals and double precisions, NaN above everything.
func compareFloats(_ *expr.Env, a, b repr.Datum) int {
	return repr.Compare(repr.Float8(a.Float()), repr.Float8(b.Float()))
}

func compareTexts(_ *expr.Env, a, b repr.Datum) int {
	return cmp.Compare(a.Str(), b.Str())
}

// compareTimes orders dates, timestamps and moments of different types.
func compareTimes(env *expr.Env, a, b repr.Datum) int {
	zoned := a.Kind() == repr.KindTimestampTZ || b.Kind() == repr.KindTimestampTZ
	return cmp.Compare(widenTime(env, a, zoned), widenTime(env, b, zoned))
}

// widenTime is a date or timestamp as microseconds; zoned asks for those of a moment. What lies beyond timestamps is infinite.
func widenTime(env *expr.Env, d repr.Datum, zoned bool) int64 {
	n := d.Int()
	if d.Kind() == repr.KindDate {
		switch {
		case n == repr.NegInfinity32:
			return repr.NegInfinity64
		case n >= pgfmt.EndTimestamp/repr.MicrosPerDay:
			return repr.PosInfinity64
		}
		n *= repr.MicrosPerDay
	}
	if !zoned || d.Kind() == repr.KindTimestampTZ || n == repr.NegInfinity64 || n == repr.PosInfinity64 {
		return n
	}
	return pgfmt.FromLocal(n, location(env))
}

// comparators are the pairs of types that have comparison operators.
var comparators = []struct {
	left, right string
	compare     comparison
}{
	{"boolean", "boolean", compareInts},
	{"smallint", "smallint", compareInts},
	{"smallint", "integer", compareInts},
	{"smallint", "bigint", compareInts},
	{"integer", "smallint", compareInts},
	{"integer", "integer", compareInts},
	{"integer", "bigint", compareInts},
	{"bigint", "smallint", compareInts},
	{"bigint", "integer", compareInts},
	{"bigint", "bigint", compareInts},
	{"real", "real", compareFloats},
	{"real", "double precision", compareFloats},
	{"double precision", "real", compareFloats},
	{"double precision", "double precision", compareFloats},
	{"numeric", "numeric", compareNumerics},
	{"text", "text", compareTexts},
	{"name", "name", compareTexts},
	{"name", "text", compareTexts},
	{"text", "name", compareTexts},
	{"character", "character", compareSame},
	{`"char"`, `"char"`, compareTexts},
	{"bytea", "bytea", compareTexts},
	{"date", "date", compareInts},
	{"date", "timestamp", compareTimes},
	{"date", "timestamptz", compareTimes},
	{"timestamp", "date", compareTimes},
	{"timestamp", "timestamp", compareInts},
	{"timestamp", "timestamptz", compareTimes},
	{"timestamptz", "date", compareTimes},
	{"timestamptz", "timestamp", compareTimes},
	{"timestamptz", "timestamptz", compareInts},
	{"time", "time", compareInts},
	{"interval", "interval", compareSame},
	{"uuid", "uuid", compareTexts},
	{"oid", "oid", compareInts},
	{"jsonb", "jsonb", compareSame},
	{"anyarray", "anyarray", compareSame},
	{"record", "record", compareSame},
}

// comparisonTests say for each operator which results of a comparison make it true.
var comparisonTests = []struct {
	op                   string
	less, equal, greater bool
}{
	{"=", false, true, false},
	{"<>", true, false, true},
	{"<", true, false, false},
	{"<=", true, true, false},
	{">", false, false, true},
	{">=", false, true, true},
}

// comparisonOperators are the six operators of each pair of types.
var comparisonOperators = makeComparisons()

func makeComparisons() []row {
	var out []row
	for _, c := range comparators {
		for _, t := range comparisonTests {
			compare, less, equal, greater := c.compare, t.less, t.equal, t.greater
			out = append(out, row{
				sig: t.op + "(" + c.left + ", " + c.right + ") boolean",
				eval: func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
					n := compare(env, a[0], a[1])
					return repr.Bool(n < 0 && less || n == 0 && equal || n > 0 && greater), nil
				},
			})
		}
	}
	return out
}

// comparatorOf finds how two types compare.
func comparatorOf(a, b repr.Type) comparison {
	switch {
	case a == b:
		return compareSame
	case category(a) == 'D':
		return compareTimes
	case isText(a.Kind):
		return compareTexts
	case a.Kind == repr.KindFloat4 || a.Kind == repr.KindFloat8:
		return compareFloats
	default:
		return compareInts
	}
}

// comparisonFunctions are what the planner makes of IS DISTINCT FROM, GREATEST, LEAST and NULLIF.
var comparisonFunctions = []row{
	{sig: "is_distinct_from(any, any) boolean", nulls: true, poly: distinctFrom},
	{sig: "greatest(variadic anyelement) anyelement", nulls: true, poly: extremeOf(1)},
	{sig: "least(variadic anyelement) anyelement", nulls: true, poly: extremeOf(-1)},
}

func distinctFrom(args []repr.Type, _ repr.Type) evalFunc {
	compare := comparatorOf(args[0], args[1])
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[0].IsNull() || a[1].IsNull() {
			return repr.Bool(a[0].IsNull() != a[1].IsNull()), nil
		}
		return repr.Bool(compare(env, a[0], a[1]) != 0), nil
	}
}

// extremeOf picks the operand that is not NULL and comes last in the direction.
func extremeOf(direction int) func([]repr.Type, repr.Type) evalFunc {
	return func([]repr.Type, repr.Type) evalFunc {
		return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			best := repr.Null
			for _, d := range a {
				if !d.IsNull() && (best.IsNull() || repr.Compare(d, best)*direction > 0) {
					best = d
				}
			}
			return best, nil
		}
	}
}

// ArrayAny is x op ANY (array), or ALL, for an operator that gives a boolean: NULL counts as SQL says.
func ArrayAny(op *expr.Func, all bool) *expr.Func {
	name := op.Name + " ANY"
	if all {
		name = op.Name + " ALL"
	}
	eval := func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[1].IsNull() {
			return repr.Null, nil
		}
		sawNull := false
		pair := [2]repr.Datum{a[0], {}}
		for _, e := range a[1].Elems(nil) {
			if !op.NullCalled && (a[0].IsNull() || e.IsNull()) {
				sawNull = true
				continue
			}
			pair[1] = e
			d, err := op.Eval(env, pair[:])
			switch {
			case err != nil:
				return repr.Null, err
			case d.IsNull():
				sawNull = true
			case d.Bool() != all:
				return d, nil
			}
		}
		if sawNull {
			return repr.Null, nil
		}
		return repr.Bool(all), nil
	}
	return &expr.Func{
		Name: name, Args: []repr.Type{op.Args[0], repr.ArrayOf(op.Args[1].Kind)}, Ret: repr.TypeOf(repr.KindBool),
		NullCalled: true, Volatility: op.Volatility, Eval: eval,
	}
}
