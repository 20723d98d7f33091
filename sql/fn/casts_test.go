package fn_test

import (
	"strings"
	"testing"

	"millrace/internal/golden"
	"millrace/internal/pgask"
	"millrace/repr"
	"millrace/sql/fn"
)

// castedKinds are the kinds whose casts are compared with pg_cast.
var castedKinds = []repr.Kind{
	repr.KindBool, repr.KindInt2, repr.KindInt4, repr.KindInt8, repr.KindFloat4, repr.KindFloat8, repr.KindNumeric, repr.KindText,
	repr.KindVarchar, repr.KindBpchar, repr.KindName, repr.KindChar, repr.KindBytea, repr.KindJSON, repr.KindJSONB, repr.KindDate,
	repr.KindTime, repr.KindTimestamp, repr.KindTimestampTZ, repr.KindInterval, repr.KindUUID, repr.KindOID, repr.KindRegClass,
	repr.KindRegType, repr.KindRegProc, repr.KindRegNamespace,
}

// TestCasts lists for each type what it can be cast to, and the weakest context that allows it: i, a or e. PostgreSQL's
// answer joins pg_cast with the rule for printing and reading, by which every type has a cast to and from strings.
func TestCasts(t *testing.T) {
	t.Parallel()
	golden.Run(t, "testdata/tables/casts", func(t *testing.T, c golden.Case) string {
		if pgask.Asking() {
			return askCasts(t)
		}
		var out strings.Builder
		for _, from := range castedKinds {
			out.WriteString(repr.Kinds[from].Name + ":")
			for _, to := range castedKinds {
				if ctx := weakest(repr.TypeOf(from), repr.TypeOf(to)); ctx != "" && from != to {
					out.WriteString(" " + repr.Kinds[to].Name + "=" + ctx)
				}
			}
			out.WriteString("\n")
		}
		return out.String()
	})
}

func weakest(from, to repr.Type) string {
	for ctx, name := range []string{"i", "a", "e"} {
		if _, ok := fn.Cast(from, to, fn.CastContext(ctx)); ok {
			return name
		}
	}
	return ""
}

func askCasts(t *testing.T) string {
	t.Helper()
	var names []string
	for _, k := range castedKinds {
		names = append(names, "'"+repr.Kinds[k].Name+"'")
	}
	list := "ARRAY[" + strings.Join(names, ", ") + "]"
	return pgask.Query(t, `WITH k AS (SELECT t.oid, t.typname, t.typcategory, n FROM unnest(`+list+`) WITH ORDINALITY AS u(name, n)
		JOIN pg_type t ON t.typname = u.name AND t.typnamespace = 'pg_catalog'::regnamespace),
		p AS (SELECT f.typname AS f, f.n AS fn, t.typname AS t, t.n AS tn, coalesce(c.castcontext::text,
			CASE WHEN t.typcategory = 'S' THEN 'a' WHEN f.typcategory = 'S' THEN 'e' END) AS ctx
			FROM k f JOIN k t ON f.oid <> t.oid LEFT JOIN pg_cast c ON c.castsource = f.oid AND c.casttarget = t.oid)
		SELECT f || ':' || coalesce(string_agg(' ' || t || '=' || ctx, '' ORDER BY tn) FILTER (WHERE ctx IS NOT NULL), '') FROM p GROUP BY f, fn ORDER BY fn`)
}

// TestCommonType holds UNION and its kin to PostgreSQL's rules.
func TestCommonType(t *testing.T) {
	t.Parallel()
	golden.Run(t, "testdata/tables/common", func(t *testing.T, c golden.Case) string {
		var out strings.Builder
		for line := range strings.SplitSeq(c.Input, "\n") {
			out.WriteString(commonLine(t, line) + "\n")
		}
		return out.String()
	})
}

func commonLine(t *testing.T, line string) string {
	t.Helper()
	var types []repr.Type
	var cells []string
	for name := range strings.SplitSeq(line, ", ") {
		if name == "unknown" {
			types, cells = append(types, repr.TypeOf(repr.KindNull)), append(cells, "NULL")
			continue
		}
		base, mods, _ := strings.Cut(strings.TrimSuffix(name, ")"), "(")
		var list []int32
		if mods != "" {
			list = []int32{int32(mods[0] - '0')}
		}
		typ, err := fn.TypeByName("", base, list)
		if err != nil {
			t.Fatal(err)
		}
		types, cells = append(types, typ), append(cells, "NULL::"+name)
	}
	if pgask.Asking() {
		return strings.Replace(pgask.Query(t, "SELECT format_type(pg_typeof(v), NULL) FROM (SELECT coalesce("+strings.Join(cells, ", ")+") AS v) t"), "COALESCE ", "", 1)
	}
	typ, err := fn.CommonType(types)
	if err != nil {
		return pgask.Error(err.Code, err.Message, err.Detail, err.Hint)
	}
	typ.Mod = -1
	return typ.String()
}

func TestTypeByName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schema, name string
		mods         []int32
		want         string
	}{
		{"", "int4", nil, "integer"},
		{"pg_catalog", "int8", nil, "bigint"},
		{"", "string", nil, "text"},
		{"", "_text", nil, "text[]"},
		{"", "text[]", nil, "text[]"},
		{"", "double precision", nil, "double precision"},
		{"", "timestamptz", nil, "timestamp with time zone"},
		{"", "varchar", []int32{3}, "character varying(3)"},
		{"", "bpchar", []int32{1}, "character(1)"},
		{"", "char", nil, `"char"`},
		{"", "numeric", []int32{10, 2}, "numeric(10,2)"},
		{"", "numeric", []int32{3, -2}, "numeric(3,-2)"},
		{"", "numeric", []int32{5}, "numeric(5,0)"},
		{"", "timestamp", []int32{0}, "timestamp(0) without time zone"},
		{"", "timestamptz", []int32{9}, "timestamp(6) with time zone"},
		{"", "interval", []int32{1 << 3}, "interval day"},
		{"", "interval", []int32{0}, "interval(0)"},
		{"", "foo", nil, `42704: type "foo" does not exist`},
		{"public", "int4", nil, `42704: type "public.int4" does not exist`},
		{"", "text", []int32{3}, `42601: type modifier is not allowed for type "text"`},
		{"", "varchar", []int32{0}, "22023: length for type varchar must be at least 1"},
		{"", "bpchar", []int32{99999999}, "22023: length for type char cannot exceed 10485760"},
		{"", "numeric", []int32{1001}, "22023: NUMERIC precision 1001 must be between 1 and 1000"},
		{"", "numeric", []int32{5, 2000}, "22023: NUMERIC scale 2000 must be between -1000 and 1000"},
	} {
		typ, err := fn.TypeByName(c.schema, c.name, c.mods)
		got := typ.String()
		if err != nil {
			got = err.Code + ": " + err.Message
		}
		if got != c.want {
			t.Errorf("%s %v: got %s, want %s", c.name, c.mods, got, c.want)
		}
	}
}
