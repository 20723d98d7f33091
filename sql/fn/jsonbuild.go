package fn

import (
	"bytes"
	"math"

	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// jsonBuildFunctions make json and jsonb of other values.
var jsonBuildFunctions = []row{
	{sig: "to_jsonb(anyelement) jsonb", poly: toJSON(kJSONB)},
	{sig: "to_json(anyelement) json", poly: toJSON(kJSON)},
	{sig: "array_to_json(anyarray) json", poly: toJSON(kJSON)},
	{sig: "row_to_json(record) json", poly: toJSON(kJSON)},
	{sig: "jsonb_build_object() jsonb", nulls: true, poly: buildObject(kJSONB)},
	{sig: "jsonb_build_object(variadic any) jsonb", nulls: true, poly: buildObject(kJSONB)},
	{sig: "json_build_object() json", nulls: true, poly: buildObject(kJSON)},
	{sig: "json_build_object(variadic any) json", nulls: true, poly: buildObject(kJSON)},
	{sig: "jsonb_build_array() jsonb", nulls: true, poly: buildArray(kJSONB)},
	{sig: "jsonb_build_array(variadic any) jsonb", nulls: true, poly: buildArray(kJSONB)},
	{sig: "json_build_array() json", nulls: true, poly: buildArray(kJSON)},
	{sig: "json_build_array(variadic any) json", nulls: true, poly: buildArray(kJSON)},
	{sig: "jsonb_object(text[]) jsonb", eval: objectOfArray(kJSONB)},
	{sig: "json_object(text[]) json", eval: objectOfArray(kJSON)},
	{sig: "jsonb_object(text[], text[]) jsonb", eval: objectOfArrays(kJSONB)},
	{sig: "json_object(text[], text[]) json", eval: objectOfArrays(kJSON)},
}

// jsonWriter appends values as JSON: in normal form for jsonb, as PostgreSQL writes it for json.
type jsonWriter struct {
	env  *expr.Env
	kind repr.Kind
}

// value appends a value of a type.
func (w jsonWriter) value(dst []byte, t repr.Type, d repr.Datum) []byte {
	switch d.Kind() {
	case repr.KindNull:
		return append(dst, "null"...)
	case kBool:
		if d.Bool() {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case kInt2, kInt4, kInt8:
		return appendAsText(dst, w.env, t, d)
	case kFloat4, kFloat8, kNumeric:
		return w.number(dst, t, d)
	case kJSONB:
		return append(dst, d.Bytes()...)
	case kJSON:
		if w.kind == kJSONB {
			if normal, err := jsonb.Normalize(dst, d.Bytes()); err == nil {
				return normal
			}
		}
		return append(dst, d.Bytes()...)
	case repr.KindArray:
		return w.array(dst, t, d)
	case repr.KindRecord:
		return w.record(dst, d)
	case kDate, kTimestamp, kTimestampTZ:
		return jsonb.AppendString(dst, isoTime(string(appendAsText(nil, w.env, t, d))))
	default:
		return jsonb.AppendString(dst, string(appendAsText(nil, w.env, t, d)))
	}
}

// isoTime puts a T between date and time, and minutes behind the hours of an offset.
func isoTime(s string) string {
	b := []byte(s)
	if i := bytes.IndexByte(b, ' '); i > 0 && i+1 < len(b) && b[i+1] >= '0' && b[i+1] <= '9' {
		b[i] = 'T'
		if n := len(b); b[n-3] == '+' || b[n-3] == '-' {
			b = append(b, ":00"...)
		}
	}
	return string(b)
}

// number appends a number; what is none becomes a string.
func (w jsonWriter) number(dst []byte, t repr.Type, d repr.Datum) []byte {
	text := appendAsText(nil, w.env, t, d)
	if d.Kind() == kNumeric && !d.NumericFinite() || d.Kind() != kNumeric && (math.IsNaN(d.Float()) || math.IsInf(d.Float(), 0)) {
		return jsonb.AppendString(dst, string(text))
	}
	if w.kind == kJSONB {
		if normal, err := jsonb.Normalize(dst, text); err == nil {
			return normal
		}
	}
	return append(dst, text...)
}

func (w jsonWriter) comma() string {
	if w.kind == kJSONB {
		return ", "
	}
	return ","
}

func (w jsonWriter) array(dst []byte, t repr.Type, d repr.Datum) []byte {
	dst = append(dst, '[')
	for i, e := range d.Elems(nil) {
		if i > 0 {
			dst = append(dst, w.comma()...)
		}
		dst = w.value(dst, repr.TypeOf(t.Elem), e)
	}
	return append(dst, ']')
}

// record names the fields f1, f2, …: a row value bears no names.
func (w jsonWriter) record(dst []byte, d repr.Datum) []byte {
	var members []jsonb.Member
	for i, e := range d.Elems(nil) {
		members = append(members, jsonb.Member{Key: "f" + intText(int64(i+1)), Value: w.value(nil, typeOfValue(e), e)})
	}
	return w.object(dst, members)
}

func (w jsonWriter) object(dst []byte, members []jsonb.Member) []byte {
	if w.kind == kJSONB {
		return jsonb.AppendObject(dst, members)
	}
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(jsonb.AppendString(dst, m.Key), ':'), m.Value...)
	}
	return append(dst, '}')
}

// RowToJSON makes json or jsonb of a record whose fields have names.
func RowToJSON(fields repr.RowDesc, kind repr.Kind) *expr.Func {
	name := "row_to_json"
	for _, f := range fields {
		name += " " + f.Name
	}
	return &expr.Func{Name: name, Args: []repr.Type{repr.TypeOf(repr.KindRecord)}, Ret: repr.TypeOf(kind),
		Eval: func(env *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
			w := jsonWriter{env: env, kind: kind}
			members := make([]jsonb.Member, len(fields))
			for i, e := range args[0].Elems(nil) {
				members[i] = jsonb.Member{Key: fields[i].Name, Value: w.value(nil, fields[i].Type, e)}
			}
			return repr.StringOf(kind, w.object(nil, members)), nil
		}}
}

// typeOfValue is the type of a value as far as the value tells it.
func typeOfValue(d repr.Datum) repr.Type {
	if d.Kind() != repr.KindArray {
		return repr.TypeOf(d.Kind())
	}
	for _, e := range d.Elems(nil) {
		if !e.IsNull() {
			return repr.ArrayOf(e.Kind())
		}
	}
	return repr.ArrayOf(kText)
}

func toJSON(k repr.Kind) func([]repr.Type, repr.Type) evalFunc {
	return func(args []repr.Type, _ repr.Type) evalFunc {
		return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			w := jsonWriter{env: env, kind: k}
			return repr.StringOf(k, w.value(nil, args[0], a[0])), nil
		}
	}
}

// jsonKey is the key that an argument of a builder stands for.
func jsonKey(env *expr.Env, t repr.Type, d repr.Datum) (string, *repr.Error) {
	switch d.Kind() {
	case repr.KindArray, repr.KindRecord, kJSON, kJSONB:
		return "", invalidParameter("key value must be scalar, not array, composite, or json")
	case kBool:
		if d.Bool() {
			return "true", nil
		}
		return "false", nil
	default:
		return string(appendAsText(nil, env, t, d)), nil
	}
}

func buildObject(k repr.Kind) func([]repr.Type, repr.Type) evalFunc {
	return func(args []repr.Type, _ repr.Type) evalFunc {
		return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			if len(a)%2 != 0 {
				name := "json_build_object()"
				if k == kJSONB {
					name = "jsonb_build_object()"
				}
				return repr.Null, invalidParameter("argument list must have even number of elements").
					WithHint("The arguments of " + name + " must consist of alternating keys and values.")
			}
			members := make([]jsonb.Member, 0, len(a)/2)
			w := jsonWriter{env: env, kind: k}
			for i := 0; i < len(a); i += 2 {
				if a[i].IsNull() {
					return repr.Null, nullKey(k, i)
				}
				key, err := jsonKey(env, args[i], a[i])
				if err != nil {
					return repr.Null, err
				}
				members = append(members, jsonb.Member{Key: key, Value: w.value(nil, args[i+1], a[i+1])})
			}
			if k == kJSONB {
				return repr.JSONB(jsonb.AppendObject(nil, members)), nil
			}
			return spacedObject(members), nil
		}
	}
}

func nullKey(k repr.Kind, i int) *repr.Error {
	if k == kJSONB {
		return invalidParameter("argument " + intText(int64(i+1)) + ": key must not be null")
	}
	return invalidParameter("argument " + intText(int64(i+1)) + " cannot be null").WithHint("Object keys should be text.")
}

// spacedObject is an object in the order of its members, as the type json keeps it.
func spacedObject(members []jsonb.Member) repr.Datum {
	dst := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(append(jsonb.AppendString(dst, m.Key), " : "...), m.Value...)
	}
	return repr.StringOf(kJSON, append(dst, '}'))
}

func buildArray(k repr.Kind) func([]repr.Type, repr.Type) evalFunc {
	return func(args []repr.Type, _ repr.Type) evalFunc {
		return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			w := jsonWriter{env: env, kind: k}
			elems := make([][]byte, len(a))
			for i, d := range a {
				elems[i] = w.value(nil, args[i], d)
			}
			return repr.StringOf(k, jsonb.AppendArray(nil, elems)), nil
		}
	}
}

// objectOf makes an object of keys and values that are strings or NULL.
func objectOf(k repr.Kind, keys, values []repr.Datum) (repr.Datum, *repr.Error) {
	members := make([]jsonb.Member, len(keys))
	for i := range keys {
		if keys[i].IsNull() {
			return repr.Null, repr.NewError(repr.CodeNullNotAllowed, "null value not allowed for object key")
		}
		members[i] = jsonb.Member{Key: keys[i].Str(), Value: []byte("null")}
		if !values[i].IsNull() {
			members[i].Value = jsonb.AppendString(nil, values[i].Str())
		}
	}
	if k == kJSONB {
		return repr.JSONB(jsonb.AppendObject(nil, members)), nil
	}
	return spacedObject(members), nil
}

func objectOfArray(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		elems := a[0].Elems(nil)
		if len(elems)%2 != 0 {
			return repr.Null, repr.NewError(repr.CodeArraySubscript, "array must have even number of elements")
		}
		var keys, values []repr.Datum
		for i := 0; i < len(elems); i += 2 {
			keys, values = append(keys, elems[i]), append(values, elems[i+1])
		}
		return objectOf(k, keys, values)
	}
}

func objectOfArrays(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[0].Len() != a[1].Len() {
			return repr.Null, repr.NewError(repr.CodeArraySubscript, "mismatched array dimensions")
		}
		return objectOf(k, a[0].Elems(nil), a[1].Elems(nil))
	}
}

// inputFunctions say whether a text is a value of a type.
var inputFunctions = []row{
	{sig: "pg_input_is_valid(text, text) boolean", eval: func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		t, ok := pgfmt.TypeNamed(a[1].Str())
		if !ok {
			return repr.Null, repr.NewError(repr.CodeUndefinedObject, `type "`+a[1].Str()+`" does not exist`)
		}
		_, err := pgfmt.ParseText(t, a[0].Str(), options(env))
		return repr.Bool(err == nil), nil
	}},
}
