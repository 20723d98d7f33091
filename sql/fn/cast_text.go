package fn

import (
	"strings"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

const (
	kText    = repr.KindText
	kVarchar = repr.KindVarchar
	kBpchar  = repr.KindBpchar
	kName    = repr.KindName
	kChar    = repr.KindChar
)

// textCasts are the casts among strings, and of booleans to strings.
var textCasts = []castRow{
	{kText, kVarchar, CastImplicit, nil},
	{kText, kBpchar, CastImplicit, nil},
	{kText, kName, CastImplicit, toName},
	{kText, kChar, CastAssignment, toChar},
	{kVarchar, kText, CastImplicit, nil},
	{kVarchar, kBpchar, CastImplicit, nil},
	{kVarchar, kName, CastImplicit, toName},
	{kVarchar, kChar, CastAssignment, toChar},
	{kBpchar, kText, CastImplicit, unpad(kText)},
	{kBpchar, kVarchar, CastImplicit, unpad(kVarchar)},
	{kBpchar, kName, CastImplicit, func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return toName(env, []repr.Datum{trimPadding(a[0], kText)})
	}},
	{kBpchar, kChar, CastAssignment, toChar},
	{kName, kText, CastImplicit, nil},
	{kName, kVarchar, CastAssignment, nil},
	{kName, kBpchar, CastAssignment, nil},
	{kChar, kText, CastImplicit, nil},
	{kChar, kVarchar, CastAssignment, nil},
	{kChar, kBpchar, CastAssignment, nil},
	{kChar, kInt4, CastExplicit, charToInt},
	{kInt4, kChar, CastExplicit, intToChar},
	{kBool, kText, CastAssignment, boolTo(kText)},
	{kBool, kVarchar, CastAssignment, boolTo(kVarchar)},
	{kBool, kBpchar, CastAssignment, boolTo(kBpchar)},
}

func toName(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Text(pgfmt.TruncateName(a[0].Str())).As(kName), nil
}

func toChar(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	return pgfmt.ParseText(repr.TypeOf(kChar), a[0].Str(), nil)
}

func trimPadding(d repr.Datum, k repr.Kind) repr.Datum {
	return repr.Text(strings.TrimRight(d.Str(), " ")).As(k)
}

// unpad drops the padding of a character(n).
func unpad(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return trimPadding(a[0], k), nil }
}

func charToInt(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	b := pgfmt.AppendBinary(nil, repr.TypeOf(kChar), a[0])
	return repr.Int4(int32(int8(b[0]))), nil
}

func intToChar(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	n := a[0].Int()
	if n < -128 || n > 127 {
		return repr.Null, outOfRange(kChar)
	}
	if n == 0 {
		return repr.Text("").As(kChar), nil
	}
	return pgfmt.ParseText(repr.TypeOf(kChar), string([]byte{byte(n)}), nil)
}

func boolTo(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[0].Bool() {
			return repr.Text("true").As(k), nil
		}
		return repr.Text("false").As(k), nil
	}
}
