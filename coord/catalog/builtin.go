package catalog

import (
	"strings"

	"millrace/repr"
)

// builtin is one system table: its columns as "name type, …" (! behind the type: not null) and its rows. A table
// without rows is one that tools ask for and of whose kind nothing exists here.
type builtin struct {
	schema string
	name   string
	oid    uint32 // 0: chosen
	cols   string
	rows   func(e *SystemEnv) [][]repr.Datum
}

// SystemEnv is what the system tables are computed from.
type SystemEnv struct {
	Snapshot *Snapshot
	Status   *Status
	User     string
	Settings [][]string // name, value, description
}

// OwnerOID is the oid of the one role.
const OwnerOID = 10

// Oids of the access methods, as in PostgreSQL.
const (
	heapOID  = 2
	btreeOID = 403
)

// firstSystemOID is where the oids of system tables begin that have no oid of PostgreSQL's.
const firstSystemOID = 11000

func builtins() []builtin {
	var out []builtin
	for _, group := range [][]builtin{pgRelations, pgTypesAndCode, pgServer, pgEmpty, informationSchema, mzTables} {
		out = append(out, group...)
	}
	return out
}

// SystemItems are the catalog items of the system tables.
func SystemItems() []*Item {
	var out []*Item
	for i, b := range builtins() {
		it := &Item{ID: uint64(i + 1), OID: b.oid, Schema: b.schema, Name: b.name, Kind: System, Desc: parseColumns(b.cols)}
		if it.OID == 0 {
			it.OID = firstSystemOID + uint32(i)
		}
		out = append(out, it)
	}
	return out
}

// SystemRows are the rows of a system table.
func SystemRows(id uint64, e *SystemEnv) [][]repr.Datum {
	b := builtins()[id-1]
	if b.rows == nil {
		return nil
	}
	return b.rows(e)
}

// columnKinds are the type names of the column lists.
var columnKinds = map[string]repr.Kind{
	"bool": repr.KindBool, "int2": repr.KindInt2, "int4": repr.KindInt4, "int8": repr.KindInt8, "float4": repr.KindFloat4,
	"float8": repr.KindFloat8, "text": repr.KindText, "name": repr.KindName, "char": repr.KindChar, "oid": repr.KindOID,
	"regproc": repr.KindRegProc, "timestamptz": repr.KindTimestampTZ, "numeric": repr.KindNumeric, "bytea": repr.KindBytea,
	"interval": repr.KindInterval, "regtype": repr.KindRegType,
}

func parseColumns(spec string) repr.RowDesc {
	var out repr.RowDesc
	for part := range strings.SplitSeq(spec, ",") {
		name, typ, _ := strings.Cut(strings.TrimSpace(part), " ")
		col := repr.Column{Name: name}
		if strings.HasSuffix(typ, "!") {
			col.NotNull, typ = true, strings.TrimSuffix(typ, "!")
		}
		if elem, ok := strings.CutSuffix(typ, "[]"); ok {
			col.Type = repr.ArrayOf(columnKinds[elem])
		} else {
			col.Type = repr.TypeOf(columnKinds[typ])
		}
		out = append(out, col)
	}
	return out
}

// Short forms of values, for the row functions.

func oid(v uint32) repr.Datum  { return repr.OID(v) }
func name(v string) repr.Datum { return repr.Text(v).As(repr.KindName) }
func text(v string) repr.Datum { return repr.Text(v) }
func char(v string) repr.Datum { return repr.Text(v).As(repr.KindChar) }
func i2(v int) repr.Datum      { return repr.Int2(int16(v)) }
func i4(v int) repr.Datum      { return repr.Int4(int32(v)) }
func i8(v int64) repr.Datum    { return repr.Int8(v) }
func yes(v bool) repr.Datum    { return repr.Bool(v) }
func proc(v uint32) repr.Datum { return repr.IntOf(repr.KindRegProc, int64(v)) }

func int2s(v []int) repr.Datum {
	out := make([]repr.Datum, len(v))
	for i := range v {
		out[i] = i2(v[i])
	}
	return repr.Array(out)
}

var null = repr.Null

// schemaOID is the oid of a schema that exists.
func (e *SystemEnv) schemaOID(schema string) repr.Datum {
	o, _ := e.Snapshot.SchemaOID(schema)
	return oid(o)
}

// relations are the items that are rows of pg_class.
func (e *SystemEnv) relations() []*Item {
	var out []*Item
	for _, it := range e.Snapshot.Items() {
		if it.Kind.IsRelation() || it.Kind == Index {
			out = append(out, it)
		}
	}
	return out
}

// relkind is the letter of pg_class.
func relkind(k Kind) string {
	switch k {
	case View:
		return "v"
	case MaterializedView, Source:
		return "m"
	case Index:
		return "i"
	default:
		return "r"
	}
}

// columnsOf are the columns of a relation or index.
func (e *SystemEnv) columnsOf(it *Item) repr.RowDesc {
	if it.Kind != Index {
		return it.Desc
	}
	on := e.Snapshot.Item(it.On)
	out := make(repr.RowDesc, len(it.IndexCols))
	for i, c := range it.IndexCols {
		out[i] = on.Desc[c]
	}
	return out
}
