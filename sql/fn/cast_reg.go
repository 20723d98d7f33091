package fn

import (
	"strconv"
	"strings"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

const (
	kOID          = repr.KindOID
	kRegClass     = repr.KindRegClass
	kRegType      = repr.KindRegType
	kRegProc      = repr.KindRegProc
	kRegNamespace = repr.KindRegNamespace
)

// oidCasts are the casts of object identifiers. A name is read, and printed, by the session's catalog.
var oidCasts = makeOIDCasts()

func makeOIDCasts() []castRow {
	kinds := []repr.Kind{kOID, kRegClass, kRegType, kRegProc, kRegNamespace}
	var out []castRow
	for _, k := range kinds {
		out = append(out,
			castRow{kInt2, k, CastImplicit, intToOID(k)},
			castRow{kInt4, k, CastImplicit, intToOID(k)},
			castRow{kInt8, k, CastImplicit, wideToOID(k)},
			castRow{k, kInt4, CastAssignment, oidToInt},
			castRow{k, kInt8, CastAssignment, nil})
		if k != kOID {
			out = append(out, castRow{kOID, k, CastImplicit, nil}, castRow{k, kOID, CastImplicit, nil})
		}
	}
	read := parseAs(repr.TypeOf(kRegClass))
	return append(out, castRow{kText, kRegClass, CastImplicit, read}, castRow{kVarchar, kRegClass, CastImplicit, read})
}

func intToOID(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.IntOf(k, int64(uint32(a[0].Int()))), nil
	}
}

func wideToOID(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if !pgfmt.FitsInt(k, a[0].Int()) {
			return repr.Null, repr.NewError(repr.CodeNumericOutOfRange, "OID out of range")
		}
		return repr.IntOf(k, a[0].Int()), nil
	}
}

func oidToInt(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Int4(int32(uint32(a[0].Int()))), nil
}

// quoteIdent puts quotes around a name that needs them.
func quoteIdent(name string) string {
	plain := name != "" && (name[0] >= 'a' && name[0] <= 'z' || name[0] == '_')
	for i := range len(name) {
		c := name[i]
		plain = plain && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_')
	}
	if plain && !reservedWords[name] {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// regName is how the reg* types print: without schema when the name alone finds the object.
func regName(env *expr.Env, k repr.Kind, oid uint32) (string, bool) {
	switch k {
	case kRegNamespace:
		name, ok := env.Catalog.SchemaName(oid)
		return quoteIdent(name), ok
	case kRegClass:
		schema, name, ok := env.Catalog.RelationName(oid)
		if !ok {
			return "", false
		}
		quoted := quoteIdent(name)
		if found, ok := env.Catalog.RelationOID(quoted); ok && found == oid {
			return quoted, true
		}
		return quoteIdent(schema) + "." + quoted, true
	case kRegProc:
		return procName(oid)
	default:
		return "", false
	}
}

// regOID reads what the reg* types are written as.
func regOID(env *expr.Env, k repr.Kind, name string) (uint32, bool) {
	switch k {
	case kRegNamespace:
		return env.Catalog.SchemaOID(unquoteIdent(name))
	case kRegClass:
		return env.Catalog.RelationOID(name)
	case kRegProc:
		return procOID(unquoteIdent(strings.TrimPrefix(name, "pg_catalog.")))
	default:
		return 0, false
	}
}

// unquoteIdent is the name that an identifier of one part means.
func unquoteIdent(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.ReplaceAll(s[1:len(s)-1], `""`, `"`)
	}
	return strings.ToLower(s)
}

// ioProcs are the functions by which types are told apart in pg_type.typinput; clients compare them as regproc.
var ioProcs = []struct {
	name string
	oid  uint32
}{
	{"array_in", 750}, {"array_out", 751}, {"array_recv", 2400}, {"array_send", 2401}, {"record_in", 2290}, {"record_recv", 2402},
	{"boolin", 1242}, {"boolrecv", 2436}, {"textin", 46}, {"textrecv", 2414}, {"int4in", 42}, {"int4recv", 2406},
	{"int8in", 460}, {"int8recv", 2408}, {"enum_in", 3506}, {"enum_recv", 3532}, {"range_in", 3834}, {"range_recv", 3836},
	{"domain_in", 2597}, {"domain_recv", 2598}, {"unknownin", 109}, {"unknownrecv", 2416},
}

func procName(oid uint32) (string, bool) {
	for _, p := range ioProcs {
		if p.oid == oid {
			return p.name, true
		}
	}
	return "", false
}

func procOID(name string) (uint32, bool) {
	for _, p := range ioProcs {
		if p.name == name {
			return p.oid, true
		}
	}
	return 0, false
}

// oidText is an object identifier as digits.
func oidText(d repr.Datum) string { return strconv.FormatInt(d.Int(), 10) }
