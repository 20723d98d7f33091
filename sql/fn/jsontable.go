package fn

import (
	"strings"

	"millrace/repr"
	"millrace/repr/jsonb"
	"millrace/sql/expr"
)

// jsonTables turn json and jsonb into rows.
var jsonTables = []tableRow{
	{sig: "jsonb_array_elements(jsonb) (value jsonb)", eval: jsonElements(kJSONB, false)},
	{sig: "jsonb_array_elements_text(jsonb) (value text)", eval: jsonElements(kJSONB, true)},
	{sig: "json_array_elements(json) (value json)", eval: jsonElements(kJSON, false)},
	{sig: "json_array_elements_text(json) (value text)", eval: jsonElements(kJSON, true)},
	{sig: "jsonb_each(jsonb) (key text, value jsonb)", eval: jsonMembers(kJSONB, false)},
	{sig: "jsonb_each_text(jsonb) (key text, value text)", eval: jsonMembers(kJSONB, true)},
	{sig: "json_each(json) (key text, value json)", eval: jsonMembers(kJSON, false)},
	{sig: "json_each_text(json) (key text, value text)", eval: jsonMembers(kJSON, true)},
	{sig: "jsonb_object_keys(jsonb) text", eval: jsonKeys("jsonb_object_keys")},
	{sig: "json_object_keys(json) text", eval: jsonKeys("json_object_keys")},
}

// asColumn is a value as a column of the kind, or as text.
func asColumn(k repr.Kind, b []byte, text bool) (repr.Datum, *repr.Error) {
	d := repr.StringOf(k, b)
	if text {
		return jsonText(d)
	}
	return d, nil
}

func jsonElements(k repr.Kind, text bool) tableEval {
	return func(_ *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
		b := jsonStart(a[0])
		switch jsonb.TypeOf(b) {
		case jsonb.Array:
		case jsonb.Object:
			return invalidParameter("cannot extract elements from an object")
		default:
			return invalidParameter("cannot extract elements from a scalar")
		}
		for e := range jsonb.Elems(b) {
			d, err := asColumn(k, e, text)
			if err != nil {
				return err
			}
			if !emit([]repr.Datum{d}) {
				return nil
			}
		}
		return nil
	}
}

// keyText is what a key says.
func keyText(k repr.Kind, quoted []byte) (repr.Datum, *repr.Error) {
	return jsonText(repr.StringOf(k, quoted))
}

func jsonMembers(k repr.Kind, text bool) tableEval {
	name := "json_each"
	if k == kJSONB {
		name = "jsonb_each"
	}
	if text {
		name += "_text"
	}
	return func(_ *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
		b := jsonStart(a[0])
		if jsonb.TypeOf(b) != jsonb.Object {
			if k == kJSONB {
				return invalidParameter("cannot call " + name + " on a non-object")
			}
			return invalidParameter("cannot deconstruct " + map[bool]string{true: "an array as an object", false: "a scalar"}[jsonb.TypeOf(b) == jsonb.Array])
		}
		for key, v := range jsonb.Members(b) {
			word, err := keyText(k, key)
			if err != nil {
				return err
			}
			d, err := asColumn(k, v, text)
			if err != nil {
				return err
			}
			if !emit([]repr.Datum{word, d}) {
				return nil
			}
		}
		return nil
	}
}

func jsonKeys(name string) tableEval {
	return func(_ *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
		b := jsonStart(a[0])
		switch jsonb.TypeOf(b) {
		case jsonb.Object:
		case jsonb.Array:
			return invalidParameter("cannot call " + name + " on an array")
		default:
			return invalidParameter("cannot call " + name + " on a scalar")
		}
		for key := range jsonb.Members(b) {
			word, err := keyText(a[0].Kind(), key)
			if err != nil {
				return err
			}
			if !emit([]repr.Datum{word}) {
				return nil
			}
		}
		return nil
	}
}

// textTables turn strings into rows.
var textTables = []tableRow{
	{sig: "string_to_table(text, text) text", nulls: true, eval: stringToTable},
	{sig: "string_to_table(text, text, text) text", nulls: true, eval: stringToTable},
	{sig: "regexp_split_to_table(text, text) text", eval: splitToTable},
	{sig: "regexp_split_to_table(text, text, text) text", eval: splitToTable},
	{sig: "regexp_matches(text, text) text[]", eval: regexpMatches},
	{sig: "regexp_matches(text, text, text) text[]", eval: regexpMatches},
}

func stringToTable(env *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
	d, err := stringToArray(env, a)
	if err != nil {
		return err
	}
	for _, e := range d.Elems(nil) {
		if !emit([]repr.Datum{e}) {
			return nil
		}
	}
	return nil
}

func splitToTable(_ *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
	re, global, err := regexOf(a[1].Str(), flagsArg(a, 2))
	if err != nil {
		return err
	}
	if global {
		return invalidParameter(`regexp_split_to_table() does not support the "global" option`)
	}
	for _, s := range splitBy(re, a[0].Str()) {
		if !emit([]repr.Datum{repr.Text(s)}) {
			return nil
		}
	}
	return nil
}

func regexpMatches(_ *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
	re, global, err := regexOf(a[1].Str(), flagsArg(a, 2))
	if err != nil {
		return err
	}
	n := 1
	if global {
		n = -1
	}
	s := a[0].Str()
	for _, m := range allMatches(re, s, n) {
		if !emit([]repr.Datum{groupsOf(re, s, m)}) {
			return nil
		}
	}
	return nil
}

// catalogTables are the sets that clients ask the catalog for.
var catalogTables = []tableRow{
	{sig: `pg_get_keywords() (word text, catcode "char", barelabel boolean, catdesc text, baredesc text)`, eval: keywords},
	{sig: "pg_partition_ancestors(regclass) (relid regclass)", eval: noRows},
	{sig: "pg_partition_tree(regclass) (relid regclass, parentrelid regclass, isleaf boolean, level integer)", eval: noRows},
	{sig: "pg_options_to_table(text[]) (option_name text, option_value text)", eval: func(_ *expr.Env, a []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
		for _, o := range stringsOf(a[0]) {
			name, value, ok := strings.Cut(o, "=")
			d := repr.Text(value)
			if !ok {
				d = repr.Null
			}
			if !emit([]repr.Datum{repr.Text(name), d}) {
				return nil
			}
		}
		return nil
	}},
}

func keywords(_ *expr.Env, _ []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
	for _, w := range sortedReserved() {
		if !emit([]repr.Datum{repr.Text(w), repr.Text("R").As(kChar), repr.Bool(false), repr.Text("reserved"), repr.Text("requires AS")}) {
			return nil
		}
	}
	return nil
}

// noRows is of what there is none: relations are not partitioned.
func noRows(*expr.Env, []repr.Datum, func([]repr.Datum) bool) *repr.Error { return nil }
