package catalog

import "millrace/repr"

// informationSchema are the views of information_schema that tools read (SQL standard, part 11).
var informationSchema = []builtin{
	{schema: "information_schema", name: "schemata", cols: "catalog_name name, schema_name name, schema_owner name, default_character_set_catalog name, default_character_set_schema name, " +
		"default_character_set_name name, sql_path text", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, s := range e.Snapshot.Schemas() {
			out = append(out, []repr.Datum{name(DefaultDatabase), name(s), name(DefaultUser), null, null, null, null})
		}
		return out
	}},
	{schema: "information_schema", name: "tables", cols: "table_catalog name, table_schema name, table_name name, table_type text, self_referencing_column_name name, reference_generation text, " +
		"user_defined_type_catalog name, user_defined_type_schema name, user_defined_type_name name, is_insertable_into text, is_typed text, commit_action text", rows: func(e *SystemEnv) [][]repr.Datum {
		return e.each(func(it *Item) []repr.Datum {
			return []repr.Datum{name(DefaultDatabase), name(it.Schema), name(it.Name), text(tableType(it.Kind)), null, null, null, null, null,
				text(yesNo(it.Kind == Table)), text("NO"), null}
		}, Table, Source, View, MaterializedView, System)
	}},
	{schema: "information_schema", name: "columns", cols: "table_catalog name, table_schema name, table_name name, column_name name, ordinal_position int4, column_default text, is_nullable text, data_type text, " +
		"character_maximum_length int4, character_octet_length int4, numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, datetime_precision int4, interval_type text, " +
		"collation_name name, udt_catalog name, udt_schema name, udt_name name, is_identity text, is_generated text, is_updatable text", rows: infoColumns},
	{schema: "information_schema", name: "views", cols: "table_catalog name, table_schema name, table_name name, view_definition text, check_option text, is_updatable text, is_insertable_into text",
		rows: func(e *SystemEnv) [][]repr.Datum {
			return e.each(func(it *Item) []repr.Datum {
				return []repr.Datum{name(DefaultDatabase), name(it.Schema), name(it.Name), text(it.QueryText + ";"), text("NONE"), text("NO"), text("NO")}
			}, View)
		}},
	{schema: "information_schema", name: "table_constraints", cols: "constraint_catalog name, constraint_schema name, constraint_name name, table_catalog name, table_schema name, table_name name, constraint_type text, is_deferrable text, initially_deferred text, enforced text"},
	{schema: "information_schema", name: "key_column_usage", cols: "constraint_catalog name, constraint_schema name, constraint_name name, table_catalog name, table_schema name, table_name name, column_name name, ordinal_position int4, position_in_unique_constraint int4"},
	{schema: "information_schema", name: "referential_constraints", cols: "constraint_catalog name, constraint_schema name, constraint_name name, unique_constraint_catalog name, unique_constraint_schema name, unique_constraint_name name, match_option text, update_rule text, delete_rule text"},
	{schema: "information_schema", name: "routines", cols: "specific_catalog name, specific_schema name, specific_name name, routine_catalog name, routine_schema name, routine_name name, routine_type text, data_type text"},
}

func tableType(k Kind) string {
	switch k {
	case View:
		return "VIEW"
	case MaterializedView, Source:
		return "MATERIALIZED VIEW"
	default:
		return "BASE TABLE"
	}
}

func yesNo(v bool) string {
	if v {
		return "YES"
	}
	return "NO"
}

func infoColumns(e *SystemEnv) [][]repr.Datum {
	var out [][]repr.Datum
	for _, it := range e.relations() {
		if it.Kind == Index {
			continue
		}
		for i, c := range it.Desc {
			t := c.Type
			length, precision, radix, scale := null, null, null, null
			switch {
			case (t.Kind == repr.KindVarchar || t.Kind == repr.KindBpchar) && t.HasMod():
				length = i4(int(t.Mod - 4))
			case t.Kind == repr.KindNumeric && t.HasMod():
				precision, radix, scale = i4(int((t.Mod-4)>>16)), i4(10), i4(int((t.Mod-4)&0xffff))
			case t.Kind == repr.KindInt2 || t.Kind == repr.KindInt4 || t.Kind == repr.KindInt8:
				precision, radix, scale = i4(int(t.Len())*8), i4(2), i4(0)
			}
			plain := repr.Type{Kind: t.Kind, Elem: t.Elem, Mod: -1}.String()
			udt := repr.Kinds[t.Kind].Name
			if t.Kind == repr.KindArray {
				plain, udt = "ARRAY", "_"+repr.Kinds[t.Elem].Name
			}
			out = append(out, []repr.Datum{name(DefaultDatabase), name(it.Schema), name(it.Name), name(c.Name), i4(i + 1), null, text(yesNo(!c.NotNull || it.Kind != Table)), text(plain),
				length, null, precision, radix, scale, null, null,
				null, name(DefaultDatabase), name("pg_catalog"), name(udt), text("NO"), text("NEVER"), text(yesNo(it.Kind == Table))})
		}
	}
	return out
}
