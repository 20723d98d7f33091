package fn

import (
	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

const (
	kJSON  = repr.KindJSON
	kJSONB = repr.KindJSONB
)

// jsonCasts are the casts of json and jsonb. The casts to strings print, so that a jsonb string keeps its quotes.
var jsonCasts = []castRow{
	{kJSON, kJSONB, CastAssignment, func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return normalize(a[0].Bytes()) }},
	{kJSONB, kJSON, CastAssignment, nil},
	{kJSONB, kBool, CastExplicit, jsonToBool},
	{kJSONB, kInt2, CastExplicit, jsonToNumber(kInt2, numericTo(kInt2))},
	{kJSONB, kInt4, CastExplicit, jsonToNumber(kInt4, numericTo(kInt4))},
	{kJSONB, kInt8, CastExplicit, jsonToNumber(kInt8, numericTo(kInt8))},
	{kJSONB, kFloat4, CastExplicit, jsonToNumber(kFloat4, numericToFloat(kFloat4))},
	{kJSONB, kFloat8, CastExplicit, jsonToNumber(kFloat8, numericToFloat(kFloat8))},
	{kJSONB, kNumeric, CastExplicit, jsonToNumber(kNumeric, same)},
}

// normalize reads JSON text as a jsonb.
func normalize(b []byte) (repr.Datum, *repr.Error) {
	out, err := jsonb.Normalize(nil, b)
	if err != nil {
		return repr.Null, pgfmt.JSONError(err)
	}
	return repr.JSONB(out), nil
}

// jsonKindName is the kind of a value as the errors of casts name it.
func jsonKindName(b []byte) string {
	if k := jsonb.TypeOf(b); k != jsonb.Number {
		return k.String()
	}
	return "numeric"
}

func cannotCastJSON(b []byte, to repr.Kind) *repr.Error {
	return invalidParameter("cannot cast jsonb " + jsonKindName(b) + " to type " + to.String())
}

func jsonToBool(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if jsonb.TypeOf(a[0].Bytes()) != jsonb.Boolean {
		return repr.Null, cannotCastJSON(a[0].Bytes(), kBool)
	}
	return repr.Bool(a[0].Bytes()[0] == 't'), nil
}

// jsonToNumber reads a number and casts it on.
func jsonToNumber(k repr.Kind, then evalFunc) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if jsonb.TypeOf(a[0].Bytes()) != jsonb.Number {
			return repr.Null, cannotCastJSON(a[0].Bytes(), k)
		}
		d, err := pgfmt.ParseNumeric(a[0].Str())
		if err != nil {
			return repr.Null, err
		}
		return then(env, []repr.Datum{d})
	}
}
