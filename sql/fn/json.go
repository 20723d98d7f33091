package fn

import (
	"bytes"

	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// jsonOperators are the operators of json and jsonb.
var jsonOperators = []row{
	{sig: "->(jsonb, text) jsonb", eval: fieldJSONB},
	{sig: "->(jsonb, integer) jsonb", eval: indexJSONB},
	{sig: "->(json, text) json", eval: fieldJSON},
	{sig: "->(json, integer) json", eval: indexJSON},
	{sig: "->>(jsonb, text) text", eval: asText(fieldJSONB)},
	{sig: "->>(jsonb, integer) text", eval: asText(indexJSONB)},
	{sig: "->>(json, text) text", eval: asText(fieldJSON)},
	{sig: "->>(json, integer) text", eval: asText(indexJSON)},
	{sig: "#>(jsonb, text[]) jsonb", eval: pathJSONB},
	{sig: "#>>(jsonb, text[]) text", eval: asText(pathJSONB)},
	{sig: "#>(json, text[]) json", eval: pathJSON},
	{sig: "#>>(json, text[]) text", eval: asText(pathJSON)},
	{sig: "@>(jsonb, jsonb) boolean", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Bool(jsonb.Contains(a[0].Bytes(), a[1].Bytes())), nil
	}},
	{sig: "<@(jsonb, jsonb) boolean", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Bool(jsonb.Contains(a[1].Bytes(), a[0].Bytes())), nil
	}},
	{sig: "?(jsonb, text) boolean", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Bool(jsonb.Exists(a[0].Bytes(), a[1].Str())), nil
	}},
	{sig: "?|(jsonb, text[]) boolean", eval: existsKeys(false)},
	{sig: "?&(jsonb, text[]) boolean", eval: existsKeys(true)},
	{sig: "||(jsonb, jsonb) jsonb", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.JSONB(jsonb.Concat(a[0].Bytes(), a[1].Bytes())), nil
	}},
	{sig: "-(jsonb, text) jsonb", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return jsonResult(jsonb.DeleteKeys(a[0].Bytes(), []string{a[1].Str()}))
	}},
	{sig: "-(jsonb, text[]) jsonb", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return jsonResult(jsonb.DeleteKeys(a[0].Bytes(), stringsOf(a[1])))
	}},
	{sig: "-(jsonb, integer) jsonb", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return jsonResult(jsonb.DeleteIndex(a[0].Bytes(), int(a[1].Int())))
	}},
	{sig: "#-(jsonb, text[]) jsonb", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return jsonResult(jsonb.DeletePath(a[0].Bytes(), stringsOf(a[1])))
	}},
}

// jsonFunctions take json and jsonb apart and change it.
var jsonFunctions = []row{
	{sig: "jsonb_typeof(jsonb) text", eval: typeofJSON},
	{sig: "json_typeof(json) text", eval: typeofJSON},
	{sig: "jsonb_array_length(jsonb) integer", eval: arrayLengthJSON},
	{sig: "json_array_length(json) integer", eval: arrayLengthJSON},
	{sig: "jsonb_extract_path(jsonb, variadic text) jsonb", eval: extractPath(pathJSONB)},
	{sig: "jsonb_extract_path_text(jsonb, variadic text) text", eval: asText(extractPath(pathJSONB))},
	{sig: "json_extract_path(json, variadic text) json", eval: extractPath(pathJSON)},
	{sig: "json_extract_path_text(json, variadic text) text", eval: asText(extractPath(pathJSON))},
	{sig: "jsonb_set(jsonb, text[], jsonb) jsonb", eval: setJSON},
	{sig: "jsonb_set(jsonb, text[], jsonb, boolean) jsonb", eval: setJSON},
	{sig: "jsonb_insert(jsonb, text[], jsonb) jsonb", eval: insertJSON},
	{sig: "jsonb_insert(jsonb, text[], jsonb, boolean) jsonb", eval: insertJSON},
	{sig: "jsonb_strip_nulls(jsonb) jsonb", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.JSONB(jsonb.StripNulls(a[0].Bytes())), nil
	}},
	{sig: "jsonb_pretty(jsonb) text", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.TextBytes(jsonb.Pretty(nil, a[0].Bytes())), nil
	}},
	{sig: "jsonb_exists(jsonb, text) boolean", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Bool(jsonb.Exists(a[0].Bytes(), a[1].Str())), nil
	}},
	{sig: "jsonb_exists_any(jsonb, text[]) boolean", eval: existsKeys(false)},
	{sig: "jsonb_exists_all(jsonb, text[]) boolean", eval: existsKeys(true)},
	{sig: "jsonb_contains(jsonb, jsonb) boolean", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Bool(jsonb.Contains(a[0].Bytes(), a[1].Bytes())), nil
	}},
}

func jsonResult(b []byte, err error) (repr.Datum, *repr.Error) {
	if err != nil {
		return repr.Null, pgfmt.JSONError(err)
	}
	return repr.JSONB(b), nil
}

// found is what a look-up gave, NULL for nothing.
func found(k repr.Kind, b []byte, ok bool) (repr.Datum, *repr.Error) {
	if !ok {
		return repr.Null, nil
	}
	return repr.StringOf(k, b), nil
}

// jsonStart steps over the white space with which a json may begin.
func jsonStart(d repr.Datum) []byte { return bytes.TrimLeft(d.Bytes(), " \t\n\r") }

func fieldJSONB(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	b, ok := jsonb.Field(a[0].Bytes(), a[1].Str())
	return found(kJSONB, b, ok)
}

// indexJSONB takes a scalar for an array of one, as PostgreSQL does.
func indexJSONB(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if i := a[1].Int(); (i == 0 || i == -1) && jsonb.TypeOf(a[0].Bytes()) < jsonb.Array {
		return a[0], nil
	}
	b, ok := jsonb.Index(a[0].Bytes(), int(a[1].Int()))
	return found(kJSONB, b, ok)
}

func fieldJSON(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	b, ok := jsonb.LastField(jsonStart(a[0]), a[1].Str())
	return found(kJSON, b, ok)
}

func indexJSON(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	b, ok := jsonb.Index(jsonStart(a[0]), int(a[1].Int()))
	return found(kJSON, b, ok)
}

// stringsOf are the elements of an array of text that are not NULL.
func stringsOf(d repr.Datum) []string {
	var out []string
	for _, e := range d.Elems(nil) {
		if !e.IsNull() {
			out = append(out, e.Str())
		}
	}
	return out
}

// pathOf are the steps of a path; false when one is NULL.
func pathOf(d repr.Datum) ([]string, bool) {
	steps := stringsOf(d)
	return steps, len(steps) == d.Len()
}

func pathJSONB(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	path, ok := pathOf(a[1])
	if !ok {
		return repr.Null, nil
	}
	b, ok := jsonb.Path(a[0].Bytes(), path)
	return found(kJSONB, b, ok)
}

func pathJSON(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	path, ok := pathOf(a[1])
	if !ok {
		return repr.Null, nil
	}
	b := jsonStart(a[0])
	for _, step := range path {
		v, ok := jsonb.LastField(b, step)
		if !ok {
			v, ok = jsonb.Path(b, []string{step})
		}
		if !ok {
			return repr.Null, nil
		}
		b = v
	}
	return repr.StringOf(kJSON, b), nil
}

func extractPath(path evalFunc) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return path(env, []repr.Datum{a[0], repr.Array(a[1:])})
	}
}

// asText turns what a look-up gives into text: a string loses its quotes, null becomes NULL.
func asText(eval evalFunc) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		d, err := eval(env, a)
		if err != nil || d.IsNull() {
			return repr.Null, err
		}
		return jsonText(d)
	}
}

// jsonText is a json or jsonb value as ->> gives it.
func jsonText(d repr.Datum) (repr.Datum, *repr.Error) {
	b := bytes.TrimSpace(d.Bytes())
	switch jsonb.TypeOf(b) {
	case jsonb.Null:
		return repr.Null, nil
	case jsonb.String:
		if d.Kind() == kJSON {
			normal, err := normalize(b)
			if err != nil {
				return repr.Null, err
			}
			b = normal.Bytes()
		}
		return repr.TextBytes(jsonb.Unquote(b)), nil
	default:
		return repr.TextBytes(b), nil
	}
}

func existsKeys(all bool) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		for _, k := range stringsOf(a[1]) {
			if jsonb.Exists(a[0].Bytes(), k) != all {
				return repr.Bool(!all), nil
			}
		}
		return repr.Bool(all), nil
	}
}

func typeofJSON(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Text(jsonb.TypeOf(jsonStart(a[0])).String()), nil
}

func arrayLengthJSON(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	b := jsonStart(a[0])
	switch jsonb.TypeOf(b) {
	case jsonb.Array:
		return repr.Int4(int32(jsonb.Len(b))), nil
	case jsonb.Object:
		return repr.Null, invalidParameter("cannot get array length of a non-array")
	default:
		return repr.Null, invalidParameter("cannot get array length of a scalar")
	}
}

// nullPath is the error of a path with a NULL in it.
func nullPath(d repr.Datum) *repr.Error {
	for i, e := range d.Elems(nil) {
		if e.IsNull() {
			return repr.NewError(repr.CodeNullNotAllowed, "path element at position "+intText(int64(i+1))+" is null")
		}
	}
	return nil
}

func setJSON(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if err := nullPath(a[1]); err != nil {
		return repr.Null, err
	}
	return jsonResult(jsonb.Set(a[0].Bytes(), stringsOf(a[1]), a[2].Bytes(), len(a) < 4 || a[3].Bool()))
}

func insertJSON(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if err := nullPath(a[1]); err != nil {
		return repr.Null, err
	}
	return jsonResult(jsonb.Insert(a[0].Bytes(), stringsOf(a[1]), a[2].Bytes(), len(a) > 3 && a[3].Bool()))
}
