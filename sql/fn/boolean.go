package fn

import (
	"millrace/repr"
	"millrace/sql/expr"
)

// booleanFunctions are the functions behind the operators of booleans, by their names in pg_proc.
var booleanFunctions = []row{
	{sig: "booland_statefunc(boolean, boolean) boolean", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Bool(a[0].Bool() && a[1].Bool()), nil
	}},
	{sig: "boolor_statefunc(boolean, boolean) boolean", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Bool(a[0].Bool() || a[1].Bool()), nil
	}},
	{sig: "num_nulls(variadic any) integer", nulls: true, eval: countNulls(true)},
	{sig: "num_nonnulls(variadic any) integer", nulls: true, eval: countNulls(false)},
}

func countNulls(null bool) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		n := int32(0)
		for _, d := range a {
			if d.IsNull() == null {
				n++
			}
		}
		return repr.Int4(n), nil
	}
}
