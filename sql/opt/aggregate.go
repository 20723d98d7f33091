package opt

import (
	"iter"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

var boolType = repr.TypeOf(repr.KindBool)

// onlyValue is the value of a group that must have one row.
var onlyValue = &repr.Aggregate{
	Name: "only_value",
	Fold: func(rows iter.Seq2[[]repr.Datum, repr.Diff]) (repr.Datum, *repr.Error) {
		var value repr.Datum
		seen := repr.Diff(0)
		for row, n := range rows {
			if seen += n; seen > 1 {
				return repr.Null, repr.NewError("21000", "more than one row returned by a subquery used as an expression")
			}
			value = row[0].Clone()
		}
		return value, nil
	},
}

// some says whether its boolean argument is true in some row; NULL of no rows.
var some = &repr.Aggregate{
	Name:  "some",
	Words: 1,
	Add: func(state []int64, arg repr.Datum, diff repr.Diff) {
		if arg.Bool() {
			state[0] += diff
		}
	},
	Result: func(state []int64) (repr.Datum, *repr.Error) { return repr.Bool(state[0] > 0), nil },
}

// arrayOf are the values of a group as an array, NULLs included.
var arrayOf = &repr.Aggregate{
	Name: "array",
	Fold: func(rows iter.Seq2[[]repr.Datum, repr.Diff]) (repr.Datum, *repr.Error) {
		var values []repr.Datum
		for row, n := range rows {
			for range n {
				values = append(values, row[0].Clone())
			}
		}
		return repr.Array(values), nil
	},
	Empty: repr.Array(nil),
}

func someOf(e expr.Scalar, name string) rel.Agg {
	return rel.Agg{Fn: some, Args: []expr.Scalar{e}, Typ: boolType, Name: name}
}
