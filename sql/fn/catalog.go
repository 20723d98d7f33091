package fn

import (
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// catalogFunctions answer what clients ask about objects. Objects that have no such thing answer NULL.
var catalogFunctions = makeCatalogFunctions()

func stable(sig string, eval evalFunc) row { return row{sig: sig, vol: expr.Stable, eval: eval} }

func makeCatalogFunctions() []row {
	out := []row{
		stable("pg_get_userbyid(oid) name", roleName),
		stable("pg_get_viewdef(oid) text", viewDef),
		stable("pg_get_viewdef(oid, boolean) text", viewDef),
		stable("pg_get_viewdef(oid, integer) text", viewDef),
		stable("pg_get_viewdef(text) text", viewDefByName),
		stable("pg_get_viewdef(text, boolean) text", viewDefByName),
		stable("pg_get_indexdef(oid) text", indexDef),
		stable("pg_get_indexdef(oid, integer, boolean) text", indexDef),
		{sig: "format_type(oid, integer) text", vol: expr.Stable, nulls: true, eval: formatType},
		stable("obj_description(oid) text", objDescription),
		stable("obj_description(oid, name) text", objDescription),
		stable("col_description(oid, integer) text", colDescription),
		stable("shobj_description(oid, name) text", constNull),
		stable("to_regclass(text) regclass", toReg(kRegClass)),
		stable("to_regtype(text) regtype", toReg(kRegType)),
		stable("to_regproc(text) regproc", toReg(kRegProc)),
		stable("to_regnamespace(text) regnamespace", toReg(kRegNamespace)),
		stable("pg_table_is_visible(oid) boolean", tableIsVisible),
		stable("pg_get_expr(text, oid) text", func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return a[0], nil }),
		stable("pg_get_expr(text, oid, boolean) text", func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return a[0], nil }),
		{sig: "pg_typeof(any) regtype", vol: expr.Stable, nulls: true, poly: typeOf},
		stable("pg_relation_is_publishable(regclass) boolean", constBool(false)),
		stable("pg_relation_size(regclass) bigint", constInt8(0)),
		stable("pg_relation_size(regclass, text) bigint", constInt8(0)),
		stable("pg_table_size(regclass) bigint", constInt8(0)),
		stable("pg_total_relation_size(regclass) bigint", constInt8(0)),
		stable("pg_indexes_size(regclass) bigint", constInt8(0)),
		stable("pg_database_size(name) bigint", constInt8(0)),
		stable("pg_database_size(oid) bigint", constInt8(0)),
		stable("pg_size_pretty(bigint) text", sizePretty),
		stable("pg_my_temp_schema() oid", func(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) { return repr.OID(0), nil }),
		stable("pg_is_other_temp_schema(oid) boolean", constBool(false)),
		stable("pg_get_serial_sequence(text, text) text", constNull),
		stable("pg_column_is_updatable(regclass, smallint, boolean) boolean", constBool(false)),
		stable("pg_relation_is_updatable(regclass, boolean) integer", func(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) { return repr.Int4(0), nil }),
	}
	for _, what := range []string{"type", "function", "operator", "opclass", "collation", "conversion", "ts_config", "ts_dict",
		"ts_parser", "ts_template", "statistics_obj", "opfamily"} {
		out = append(out, stable("pg_"+what+"_is_visible(oid) boolean", constBool(true)))
	}
	for _, sig := range []string{
		"pg_get_constraintdef(oid)", "pg_get_constraintdef(oid, boolean)", "pg_get_triggerdef(oid)", "pg_get_triggerdef(oid, boolean)",
		"pg_get_ruledef(oid)", "pg_get_ruledef(oid, boolean)", "pg_get_functiondef(oid)", "pg_get_function_result(oid)",
		"pg_get_function_arguments(oid)", "pg_get_function_identity_arguments(oid)", "pg_get_function_sqlbody(oid)",
		"pg_get_statisticsobjdef(oid)", "pg_get_statisticsobjdef_columns(oid)", "pg_get_partkeydef(oid)", "pg_get_partition_constraintdef(oid)",
		"pg_tablespace_location(oid)", "pg_describe_object(oid, oid, integer)",
	} {
		out = append(out, stable(sig+" text", constNull))
	}
	return append(out, privilegeRows()...)
}

// privilegeRows are the questions for privileges: who may connect may see what the catalog shows.
func privilegeRows() []row {
	var out []row
	for _, what := range []string{"table", "sequence", "schema", "database", "function", "language", "tablespace", "type",
		"foreign_data_wrapper", "server", "any_column"} {
		for _, object := range []string{"text", "oid"} {
			name := "has_" + what + "_privilege("
			out = append(out,
				stable(name+object+", text) boolean", constBool(true)),
				stable(name+"name, "+object+", text) boolean", constBool(true)),
				stable(name+"oid, "+object+", text) boolean", constBool(true)))
		}
	}
	for _, object := range []string{"text", "oid"} {
		for _, column := range []string{"text", "smallint"} {
			out = append(out,
				stable("has_column_privilege("+object+", "+column+", text) boolean", constBool(true)),
				stable("has_column_privilege(name, "+object+", "+column+", text) boolean", constBool(true)))
		}
	}
	return append(out,
		stable("pg_has_role(name, text) boolean", constBool(true)),
		stable("pg_has_role(oid, text) boolean", constBool(true)),
		stable("pg_has_role(name, name, text) boolean", constBool(true)),
		stable("pg_has_role(name, oid, text) boolean", constBool(true)),
		stable("row_security_active(oid) boolean", constBool(false)),
		stable("row_security_active(text) boolean", constBool(false)))
}

func constInt8(n int64) evalFunc {
	return func(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) { return repr.Int8(n), nil }
}

// typeOf is pg_typeof.
func typeOf(args []repr.Type, _ repr.Type) evalFunc {
	oid := args[0].OID()
	return func(*expr.Env, []repr.Datum) (repr.Datum, *repr.Error) { return repr.IntOf(kRegType, int64(oid)), nil }
}

// nullable makes a text of a look-up.
func nullable(s string, ok bool) (repr.Datum, *repr.Error) {
	if !ok {
		return repr.Null, nil
	}
	return repr.Text(s), nil
}

func roleName(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if env.Catalog != nil {
		if name, ok := env.Catalog.RoleName(uint32(a[0].Int())); ok {
			return repr.Text(name).As(kName), nil
		}
	}
	return repr.Text("unknown (OID=" + oidText(a[0]) + ")").As(kName), nil
}

func viewDef(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if env.Catalog == nil {
		return repr.Null, nil
	}
	return nullable(env.Catalog.ViewDef(uint32(a[0].Int())))
}

func viewDefByName(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	d, err := parseAs(repr.TypeOf(kRegClass))(env, a[:1])
	if err != nil {
		return repr.Null, err
	}
	return viewDef(env, []repr.Datum{d})
}

func indexDef(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	column := 0
	if len(a) > 1 {
		column = int(a[1].Int())
	}
	if env.Catalog == nil {
		return repr.Null, nil
	}
	return nullable(env.Catalog.IndexDef(uint32(a[0].Int()), column))
}

// formatType prints a type by its oid and modifier.
func formatType(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if a[0].IsNull() {
		return repr.Null, nil
	}
	if a[0].Int() == 0 {
		return repr.Text("-"), nil
	}
	t, ok := repr.TypeByOID(uint32(a[0].Int()))
	if !ok {
		return repr.Text("???"), nil
	}
	if !a[1].IsNull() {
		t = withTypmod(t, int32(a[1].Int()))
	} else if t.Kind == kBpchar {
		return repr.Text("character"), nil
	}
	return repr.Text(t.String()), nil
}

// withTypmod gives a type the modifier as PostgreSQL stores it.
func withTypmod(t repr.Type, mod int32) repr.Type {
	if mod < 0 {
		return t
	}
	if t.Kind == kTime || t.Kind == kTimestamp || t.Kind == kTimestampTZ {
		mod += 4
	}
	t.Mod = mod
	return t
}

func objDescription(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if env.Catalog == nil {
		return repr.Null, nil
	}
	return nullable(env.Catalog.Comment(uint32(a[0].Int()), 0))
}

func colDescription(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if env.Catalog == nil || a[1].Int() == 0 {
		return repr.Null, nil
	}
	return nullable(env.Catalog.Comment(uint32(a[0].Int()), int(a[1].Int())))
}

// toReg finds an object by name, NULL where there is none.
func toReg(k repr.Kind) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		d, err := pgfmt.ParseText(repr.TypeOf(k), a[0].Str(), options(env))
		if err != nil {
			return repr.Null, nil
		}
		return d, nil
	}
}

// tableIsVisible says whether the name alone finds the relation.
func tableIsVisible(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if env.Catalog == nil {
		return repr.Null, nil
	}
	oid := uint32(a[0].Int())
	_, name, ok := env.Catalog.RelationName(oid)
	if !ok {
		return repr.Null, nil
	}
	found, ok := env.Catalog.RelationOID(quoteIdent(name))
	return repr.Bool(ok && found == oid), nil
}

// sizePretty prints a size in the largest unit of which it has at least ten.
func sizePretty(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	n := a[0].Int()
	abs := n
	if n < 0 {
		abs = -n
	}
	if abs < 10*1024 {
		return repr.Text(intText(n) + " bytes"), nil
	}
	units := []string{"kB", "MB", "GB", "TB", "PB"}
	n /= 512 // keep one bit to round by
	for i, u := range units {
		rounded := (n + sign64(n)) / 2
		if abs = rounded; abs < 0 {
			abs = -abs
		}
		if abs < 10*1024 || i == len(units)-1 {
			return repr.Text(intText(rounded) + " " + u), nil
		}
		n /= 1024
	}
	return repr.Null, nil
}

func sign64(n int64) int64 {
	if n < 0 {
		return -1
	}
	return 1
}
