package fn

import (
	"iter"

	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/sql/expr"
)

// group are the rows of a group in order, with their counts.
type group = iter.Seq2[[]repr.Datum, repr.Diff]

func foldBits(k repr.Kind, op intOp) func(rows group) (repr.Datum, *repr.Error) {
	return func(rows group) (repr.Datum, *repr.Error) {
		out := repr.Null
		for args, n := range rows {
			if args[0].IsNull() {
				continue
			}
			for range 2 - n%2 { // of equal values, one or two do as well as all
				if out.IsNull() {
					out = args[0]
					continue
				}
				v, _ := op(out.Int(), args[0].Int())
				out = repr.IntOf(k, v)
			}
		}
		return out, nil
	}
}

// listAggregates put the values of a group together, in the order of the aggregate's ORDER BY.
var listAggregates = []aggRow{
	{sig: "array_agg(anynonarray) anyarray", make: func([]repr.Type, repr.Type) *repr.Aggregate { return &repr.Aggregate{Fold: arrayAgg} }},
	{sig: "string_agg(text, text) text", make: func([]repr.Type, repr.Type) *repr.Aggregate {
		return &repr.Aggregate{Fold: joinAll(kText), SkipNulls: true}
	}},
	{sig: "string_agg(bytea, bytea) bytea", make: func([]repr.Type, repr.Type) *repr.Aggregate {
		return &repr.Aggregate{Fold: joinAll(repr.KindBytea), SkipNulls: true}
	}},
}

func resultTooLong() *repr.Error {
	return repr.NewError(repr.CodeProgramLimit, "the result of an aggregate is too long")
}

func arrayAgg(rows group) (repr.Datum, *repr.Error) {
	var out []repr.Datum
	for args, n := range rows {
		if int64(len(out))+n > maxElements {
			return repr.Null, resultTooLong()
		}
		for range n {
			out = append(out, args[0])
		}
	}
	if out == nil {
		return repr.Null, nil
	}
	return repr.Array(out), nil
}

// joinAll joins values, each but the first behind its own separator.
func joinAll(k repr.Kind) func(rows group) (repr.Datum, *repr.Error) {
	return func(rows group) (repr.Datum, *repr.Error) {
		var out []byte
		first := true
		for args, n := range rows {
			if args[0].IsNull() {
				continue
			}
			for range n {
				if !first {
					out = append(out, args[1].Bytes()...)
				}
				first = false
				out = append(out, args[0].Bytes()...)
				if len(out) > maxText {
					return repr.Null, resultTooLong()
				}
			}
		}
		if first {
			return repr.Null, nil
		}
		return repr.StringOf(k, out), nil
	}
}

// jsonAggregates put the values of a group together as json and jsonb.
var jsonAggregates = []aggRow{
	{sig: "jsonb_agg(anyelement) jsonb", make: jsonAgg(kJSONB)},
	{sig: "json_agg(anyelement) json", make: jsonAgg(kJSON)},
	{sig: "jsonb_object_agg(any, any) jsonb", make: jsonObjectAgg(kJSONB)},
	{sig: "json_object_agg(any, any) json", make: jsonObjectAgg(kJSON)},
}

func jsonAgg(k repr.Kind) func([]repr.Type, repr.Type) *repr.Aggregate {
	return func(args []repr.Type, _ repr.Type) *repr.Aggregate {
		w := jsonWriter{env: &expr.Env{}, kind: k}
		between := ", "
		if k == kJSON && (args[0].Kind == repr.KindArray || args[0].Kind == repr.KindRecord) {
			between = ", \n "
		}
		return &repr.Aggregate{Fold: func(rows group) (repr.Datum, *repr.Error) {
			out := []byte{'['}
			for row, n := range rows {
				for range n {
					if len(out) > 1 {
						out = append(out, between...)
					}
					if out = w.value(out, args[0], row[0]); len(out) > maxText {
						return repr.Null, resultTooLong()
					}
				}
			}
			if len(out) == 1 {
				return repr.Null, nil
			}
			return repr.StringOf(k, append(out, ']')), nil
		}}
	}
}

func jsonObjectAgg(k repr.Kind) func([]repr.Type, repr.Type) *repr.Aggregate {
	return func(args []repr.Type, _ repr.Type) *repr.Aggregate {
		w := jsonWriter{env: &expr.Env{}, kind: k}
		return &repr.Aggregate{Fold: func(rows group) (repr.Datum, *repr.Error) {
			var members []jsonb.Member
			for row, n := range rows {
				if row[0].IsNull() {
					return repr.Null, repr.NewError("22023", "field name must not be null")
				}
				key, err := jsonKey(w.env, args[0], row[0])
				if err != nil {
					return repr.Null, err
				}
				if k == kJSONB {
					n = min(n, 1) // jsonb keeps one member of a name, json all
				}
				for range n {
					members = append(members, jsonb.Member{Key: key, Value: w.value(nil, args[1], row[1])})
				}
			}
			if members == nil {
				return repr.Null, nil
			}
			if k == kJSONB {
				return repr.JSONB(jsonb.AppendObject(nil, members)), nil
			}
			d := spacedObject(members)
			b := append([]byte("{ "), d.Bytes()[1:len(d.Bytes())-1]...)
			return repr.StringOf(k, append(b, " }"...)), nil
		}}
	}
}
