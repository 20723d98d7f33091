package fn

import "millrace/repr"

// countAggregates count rows, or values that are not NULL.
var countAggregates = []aggRow{
	{sig: "count() bigint", make: func([]repr.Type, repr.Type) *repr.Aggregate { return count(false) }},
	{sig: "count(any) bigint", make: func([]repr.Type, repr.Type) *repr.Aggregate { return count(true) }},
}

func count(skipNulls bool) *repr.Aggregate {
	return &repr.Aggregate{
		Words:     1,
		Counts:    true,
		Add:       func(state []int64, _ repr.Datum, diff repr.Diff) { state[0] += diff },
		Result:    func(state []int64) (repr.Datum, *repr.Error) { return repr.Int8(state[0]), nil },
		SkipNulls: skipNulls,
		Empty:     repr.Int8(0),
	}
}

// extremeAggregates are the least and the greatest value.
var extremeAggregates = makeExtremes()

func makeExtremes() []aggRow {
	var out []aggRow
	for _, t := range []string{
		"smallint", "integer", "bigint", "real", "double precision", "numeric", "text", "character", "date", "time",
		"timestamp", "timestamptz", "interval", "oid", "anyarray", "boolean", "uuid", "bytea", "jsonb", "name",
	} {
		out = append(out,
			aggRow{sig: "min(" + t + ") " + t, make: extreme(-1)},
			aggRow{sig: "max(" + t + ") " + t, make: extreme(1)})
	}
	return out
}

func extreme(direction int) func([]repr.Type, repr.Type) *repr.Aggregate {
	return func([]repr.Type, repr.Type) *repr.Aggregate {
		return &repr.Aggregate{Extreme: direction, SkipNulls: true}
	}
}

// boolAggregates say whether all values, or one of them, are true.
var boolAggregates = []aggRow{
	{sig: "bool_and(boolean) boolean", make: everyOf(true)},
	{sig: "every(boolean) boolean", make: everyOf(true)},
	{sig: "bool_or(boolean) boolean", make: everyOf(false)},
	{sig: "bit_and(smallint) smallint", make: bitwise(andInt)},
	{sig: "bit_and(integer) integer", make: bitwise(andInt)},
	{sig: "bit_and(bigint) bigint", make: bitwise(andInt)},
	{sig: "bit_or(smallint) smallint", make: bitwise(orInt)},
	{sig: "bit_or(integer) integer", make: bitwise(orInt)},
	{sig: "bit_or(bigint) bigint", make: bitwise(orInt)},
	{sig: "bit_xor(smallint) smallint", make: bitwise(xorInt)},
	{sig: "bit_xor(integer) integer", make: bitwise(xorInt)},
	{sig: "bit_xor(bigint) bigint", make: bitwise(xorInt)},
}

// everyOf counts the true and the false values.
func everyOf(all bool) func([]repr.Type, repr.Type) *repr.Aggregate {
	return func([]repr.Type, repr.Type) *repr.Aggregate {
		return &repr.Aggregate{
			Words: 2,
			Add: func(state []int64, arg repr.Datum, diff repr.Diff) {
				if arg.IsNull() {
					return
				}
				state[arg.Int()] += diff
			},
			Result: func(state []int64) (repr.Datum, *repr.Error) {
				switch {
				case state[0] == 0 && state[1] == 0:
					return repr.Null, nil
				case all:
					return repr.Bool(state[0] == 0), nil
				default:
					return repr.Bool(state[1] != 0), nil
				}
			},
			SkipNulls: true,
		}
	}
}

// bitwise folds with an operator; an even count of a value cancels out only for xor.
func bitwise(op intOp) func([]repr.Type, repr.Type) *repr.Aggregate {
	return func(args []repr.Type, _ repr.Type) *repr.Aggregate {
		return &repr.Aggregate{Fold: foldBits(args[0].Kind, op), SkipNulls: true}
	}
}
