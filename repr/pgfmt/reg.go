package pgfmt

import (
	"strings"

	"millrace/repr"
)

// appendReg prints the name of an object, or its number when nobody knows it.
func appendReg(dst []byte, d repr.Datum, opt *Options) []byte {
	oid := uint32(d.Int())
	if oid == 0 {
		return append(dst, '-')
	}
	if opt.RegName != nil {
		if name, ok := opt.RegName(d.Kind(), oid); ok {
			return append(dst, name...)
		}
	}
	if d.Kind() == repr.KindRegType {
		if t, ok := repr.TypeByOID(oid); ok {
			return append(dst, t.String()...)
		}
	}
	return appendInt(dst, d.Int())
}

func parseReg(k repr.Kind, s string, opt *Options) (repr.Datum, *repr.Error) {
	if s == "-" {
		return repr.IntOf(k, 0), nil
	}
	if s != "" && strings.Trim(s, "0123456789") == "" {
		return parseOID(k, s)
	}
	if opt.RegOID != nil {
		if oid, ok := opt.RegOID(k, s); ok {
			return repr.IntOf(k, int64(oid)), nil
		}
	}
	if k == repr.KindRegType {
		if t, ok := TypeNamed(s); ok {
			return repr.IntOf(k, int64(t.OID())), nil
		}
	}
	switch k {
	case repr.KindRegType:
		return repr.Null, repr.NewError(repr.CodeUndefinedObject, `type "`+s+`" does not exist`)
	case repr.KindRegNamespace:
		return repr.Null, repr.NewError(repr.CodeInvalidSchemaName, `schema "`+s+`" does not exist`)
	case repr.KindRegProc:
		return repr.Null, repr.NewError(repr.CodeUndefinedFunction, `function "`+s+`" does not exist`)
	default:
		return repr.Null, repr.NewError(repr.CodeUndefinedTable, `relation "`+s+`" does not exist`)
	}
}

// typeSpellings are the names of types that are neither their name in pg_type nor the one format_type prints.
var typeSpellings = map[string]repr.Kind{
	"int": repr.KindInt4, "string": repr.KindText, "decimal": repr.KindNumeric, "dec": repr.KindNumeric,
	"char": repr.KindBpchar, "float": repr.KindFloat8, "timestamp": repr.KindTimestamp, "time": repr.KindTime,
}

// TypeNamed finds a type by any spelling without modifiers, arrays included: int4, integer, pg_catalog.text, _text, text[].
func TypeNamed(name string) (repr.Type, bool) {
	name = strings.TrimPrefix(trim(name), "pg_catalog.")
	if elem, ok := strings.CutSuffix(name, "[]"); ok {
		t, ok := TypeNamed(elem)
		return repr.ArrayOf(t.Kind), ok && t.Kind != repr.KindArray
	}
	quoted := strings.HasPrefix(name, `"`)
	if quoted {
		name = strings.Trim(name, `"`)
	} else {
		name = strings.ToLower(name)
	}
	if k, ok := typeSpellings[name]; ok && !quoted {
		return repr.TypeOf(k), true
	}
	for k := range repr.Kinds {
		info := &repr.Kinds[k]
		if repr.Kind(k) == repr.KindArray && name != "anyarray" {
			continue
		}
		if info.Name == name || !quoted && info.SQLName == name {
			return repr.TypeOf(repr.Kind(k)), true
		}
		if info.ArrayOID != 0 && name == "_"+info.Name {
			return repr.ArrayOf(repr.Kind(k)), true
		}
	}
	return repr.Type{}, false
}
