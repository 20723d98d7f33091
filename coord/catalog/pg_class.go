package catalog

import (
	"millrace/repr"
	"millrace/sql/ast"
)

// pgRelations are the tables of pg_catalog about schemas, relations and their columns (PostgreSQL documentation, chapter
// "System Catalogs").
var pgRelations = []builtin{
	{schema: "pg_catalog", name: "pg_namespace", oid: 2615, cols: "oid oid!, nspname name!, nspowner oid!, nspacl text[]", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, s := range e.Snapshot.Schemas() {
			out = append(out, []repr.Datum{e.schemaOID(s), name(s), oid(OwnerOID), null})
		}
		return out
	}},
	{schema: "pg_catalog", name: "pg_class", oid: 1259, cols: "oid oid!, relname name!, relnamespace oid!, reltype oid!, reloftype oid!, relowner oid!, relam oid!, " +
		"relfilenode oid!, reltablespace oid!, relpages int4!, reltuples float4!, relallvisible int4!, reltoastrelid oid!, relhasindex bool!, relisshared bool!, " +
		"relpersistence char!, relkind char!, relnatts int2!, relchecks int2!, relhasrules bool!, relhastriggers bool!, relhassubclass bool!, relrowsecurity bool!, " +
		"relforcerowsecurity bool!, relispopulated bool!, relreplident char!, relispartition bool!, relrewrite oid!, relfrozenxid int4!, relminmxid int4!, " +
		"relacl text[], reloptions text[], relpartbound text", rows: classRows},
	{schema: "pg_catalog", name: "pg_attribute", oid: 1249, cols: "attrelid oid!, attname name!, atttypid oid!, attstattarget int4!, attlen int2!, attnum int2!, " +
		"attndims int4!, attcacheoff int4!, atttypmod int4!, attbyval bool!, attalign char!, attstorage char!, attcompression char!, attnotnull bool!, atthasdef bool!, " +
		"atthasmissing bool!, attidentity char!, attgenerated char!, attisdropped bool!, attislocal bool!, attinhcount int4!, attcollation oid!, attacl text[], " +
		"attoptions text[], attfdwoptions text[], attmissingval text", rows: attributeRows},
	{schema: "pg_catalog", name: "pg_attrdef", oid: 2604, cols: "oid oid!, adrelid oid!, adnum int2!, adbin text", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, it := range e.relations() {
			for i, c := range it.Columns {
				if c.Default != nil {
					out = append(out, []repr.Datum{oid(it.OID<<8 + uint32(i)), oid(it.OID), i2(i + 1), text(ast.Format(c.Default))})
				}
			}
		}
		return out
	}},
	{schema: "pg_catalog", name: "pg_index", oid: 2610, cols: "indexrelid oid!, indrelid oid!, indnatts int2!, indnkeyatts int2!, indisunique bool!, indnullsnotdistinct bool!, " +
		"indisprimary bool!, indisexclusion bool!, indimmediate bool!, indisclustered bool!, indisvalid bool!, indcheckxmin bool!, indisready bool!, indislive bool!, " +
		"indisreplident bool!, indkey int2[]!, indcollation oid[]!, indclass oid[]!, indoption int2[]!, indexprs text, indpred text", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, it := range e.relations() {
			if it.Kind != Index {
				continue
			}
			n := len(it.IndexCols)
			keys, zeros := make([]int, n), make([]int, n)
			oids := make([]repr.Datum, n)
			for i, c := range it.IndexCols {
				keys[i], oids[i] = c+1, oid(0)
			}
			out = append(out, []repr.Datum{oid(it.OID), oid(e.Snapshot.Item(it.On).OID), i2(n), i2(n), yes(false), yes(false), yes(false), yes(false),
				yes(true), yes(false), yes(true), yes(false), yes(true), yes(true), yes(false), int2s(keys), repr.Array(oids), repr.Array(oids), int2s(zeros), null, null})
		}
		return out
	}},
	{schema: "pg_catalog", name: "pg_description", oid: 2609, cols: "objoid oid!, classoid oid!, objsubid int4!, description text!", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, it := range e.Snapshot.Items() {
			for i, c := range it.Comments {
				out = append(out, []repr.Datum{oid(it.OID), oid(1259), i4(i), text(c)})
			}
		}
		return out
	}},
	{schema: "pg_catalog", name: "pg_tables", cols: "schemaname name, tablename name, tableowner name, tablespace name, hasindexes bool, hasrules bool, hastriggers bool, rowsecurity bool",
		rows: func(e *SystemEnv) [][]repr.Datum {
			return e.each(func(it *Item) []repr.Datum {
				return []repr.Datum{name(it.Schema), name(it.Name), name(DefaultUser), null, yes(e.hasIndex(it)), yes(false), yes(false), yes(false)}
			}, Table, System)
		}},
	{schema: "pg_catalog", name: "pg_views", cols: "schemaname name, viewname name, viewowner name, definition text", rows: func(e *SystemEnv) [][]repr.Datum {
		return e.each(func(it *Item) []repr.Datum {
			return []repr.Datum{name(it.Schema), name(it.Name), name(DefaultUser), text(it.QueryText + ";")}
		}, View)
	}},
	{schema: "pg_catalog", name: "pg_matviews", cols: "schemaname name, matviewname name, matviewowner name, tablespace name, hasindexes bool, ispopulated bool, definition text",
		rows: func(e *SystemEnv) [][]repr.Datum {
			return e.each(func(it *Item) []repr.Datum {
				def := it.QueryText + ";"
				if it.Kind == Source {
					def = it.CreateSQL + ";"
				}
				return []repr.Datum{name(it.Schema), name(it.Name), name(DefaultUser), null, yes(e.hasIndex(it)), yes(true), text(def)}
			}, MaterializedView, Source)
		}},
	{schema: "pg_catalog", name: "pg_indexes", cols: "schemaname name, tablename name, indexname name, tablespace name, indexdef text", rows: func(e *SystemEnv) [][]repr.Datum {
		return e.each(func(it *Item) []repr.Datum {
			return []repr.Datum{name(it.Schema), name(e.Snapshot.Item(it.On).Name), name(it.Name), null, text(it.CreateSQL)}
		}, Index)
	}},
	{schema: "pg_catalog", name: "pg_depend", oid: 2608, cols: "classid oid!, objid oid!, objsubid int4!, refclassid oid!, refobjid oid!, refobjsubid int4!, deptype char!", rows: func(e *SystemEnv) [][]repr.Datum {
		var out [][]repr.Datum
		for _, it := range e.relations() {
			for _, d := range it.Depends {
				if on := e.Snapshot.Item(d); on != nil {
					out = append(out, []repr.Datum{oid(2618), oid(it.OID), i4(0), oid(1259), oid(on.OID), i4(0), char("n")})
				}
			}
		}
		return out
	}},
	{schema: "pg_catalog", name: "pg_rewrite", oid: 2618, cols: "oid oid!, rulename name!, ev_class oid!, ev_type char!, ev_enabled char!, is_instead bool!, ev_qual text, ev_action text",
		rows: func(e *SystemEnv) [][]repr.Datum {
			return e.each(func(it *Item) []repr.Datum {
				return []repr.Datum{oid(it.OID), name("_RETURN"), oid(it.OID), char("1"), char("O"), yes(true), null, text(it.QueryText)}
			}, View, MaterializedView)
		}},
}

// each makes a row of every item of the given kinds.
func (e *SystemEnv) each(row func(*Item) []repr.Datum, kinds ...Kind) [][]repr.Datum {
	var out [][]repr.Datum
	for _, it := range e.Snapshot.Items() {
		for _, k := range kinds {
			if it.Kind == k {
				out = append(out, row(it))
			}
		}
	}
	return out
}

func (e *SystemEnv) hasIndex(it *Item) bool {
	for _, other := range e.Snapshot.Items() {
		if other.Kind == Index && other.On == it.ID {
			return true
		}
	}
	return false
}

func classRows(e *SystemEnv) [][]repr.Datum {
	var out [][]repr.Datum
	for _, it := range e.relations() {
		am := uint32(heapOID)
		switch it.Kind {
		case View:
			am = 0
		case Index:
			am = btreeOID
		default: // everything else has rows of its own
		}
		tuples := float32(-1)
		if o, ok := e.Status.Objects[it.ID]; ok {
			tuples = float32(o.Rows)
		}
		out = append(out, []repr.Datum{
			oid(it.OID), name(it.Name), e.schemaOID(it.Schema), oid(0), oid(0), oid(OwnerOID), oid(am),
			oid(it.OID), oid(0), i4(0), repr.Float4(tuples), i4(0), oid(0), yes(e.hasIndex(it)), yes(false),
			char("p"), char(relkind(it.Kind)), i2(len(e.columnsOf(it))), i2(0), yes(it.Kind == View), yes(false), yes(false), yes(false),
			yes(false), yes(true), char("n"), yes(false), oid(0), i4(0), i4(0), null, null, null,
		})
	}
	return out
}

func attributeRows(e *SystemEnv) [][]repr.Datum {
	var out [][]repr.Datum
	for _, it := range e.relations() {
		for i, c := range e.columnsOf(it) {
			dims := 0
			if c.Type.Kind == repr.KindArray {
				dims = 1
			}
			hasDef := i < len(it.Columns) && it.Columns[i].Default != nil
			out = append(out, []repr.Datum{
				oid(it.OID), name(c.Name), oid(c.Type.OID()), i4(-1), i2(int(c.Type.Len())), i2(i + 1),
				i4(dims), i4(-1), i4(int(c.Type.Typmod())), yes(c.Type.Len() > 0 && c.Type.Len() <= 8), char("i"), char(storage(c.Type)), char(""), yes(c.NotNull && it.Kind == Table), yes(hasDef),
				yes(false), char(""), char(""), yes(false), yes(true), i4(0), oid(collation(c.Type)), null, null, null, null,
			})
		}
	}
	return out
}

func storage(t repr.Type) string {
	if t.Len() > 0 {
		return "p"
	}
	return "x"
}

// collation is the oid of the collation of a type: "default" for text and its kin, "C" for name.
func collation(t repr.Type) uint32 {
	switch t.Kind {
	case repr.KindText, repr.KindVarchar, repr.KindBpchar:
		return 100
	case repr.KindName:
		return 950
	default:
		return 0
	}
}
