package repr

// Kind is the family of a type: what a Datum holds and how it is packed.
type Kind uint8

// The kinds. KindNull is the kind of a NULL and of an untyped literal before it is resolved.
const (
	KindNull Kind = iota
	KindBool
	KindInt2
	KindInt4
	KindInt8
	KindFloat4
	KindFloat8
	KindNumeric
	KindText
	KindVarchar
	KindBpchar
	KindName
	KindChar // "char", one byte, of the system catalogs
	KindBytea
	KindJSON
	KindJSONB
	KindDate
	KindTime
	KindTimestamp
	KindTimestampTZ
	KindInterval
	KindUUID
	KindOID
	KindRegClass
	KindRegType
	KindRegProc
	KindRegNamespace
	KindArray
	KindRecord
	KindVoid
	numKinds
)

// KindInfo is what PostgreSQL's pg_type says of a kind.
type KindInfo struct {
	Name      string // the name in pg_type
	SQLName   string // the name that format_type prints
	OID       uint32
	ArrayOID  uint32
	Len       int16 // typlen: bytes, or -1 when variable
	Category  byte  // typcategory
	Preferred bool  // typispreferred
}

// Kinds is the table of kinds, indexed by Kind.
var Kinds = [numKinds]KindInfo{
	KindNull:         {"unknown", "unknown", 705, 0, -2, 'X', false},
	KindBool:         {"bool", "boolean", 16, 1000, 1, 'B', true},
	KindInt2:         {"int2", "smallint", 21, 1005, 2, 'N', false},
	KindInt4:         {"int4", "integer", 23, 1007, 4, 'N', false},
	KindInt8:         {"int8", "bigint", 20, 1016, 8, 'N', false},
	KindFloat4:       {"float4", "real", 700, 1021, 4, 'N', false},
	KindFloat8:       {"float8", "double precision", 701, 1022, 8, 'N', true},
	KindNumeric:      {"numeric", "numeric", 1700, 1231, -1, 'N', false},
	KindText:         {"text", "text", 25, 1009, -1, 'S', true},
	KindVarchar:      {"varchar", "character varying", 1043, 1015, -1, 'S', false},
	KindBpchar:       {"bpchar", "character", 1042, 1014, -1, 'S', false},
	KindName:         {"name", "name", 19, 1003, 64, 'S', false},
	KindChar:         {"char", "\"char\"", 18, 1002, 1, 'Z', false},
	KindBytea:        {"bytea", "bytea", 17, 1001, -1, 'U', false},
	KindJSON:         {"json", "json", 114, 199, -1, 'U', false},
	KindJSONB:        {"jsonb", "jsonb", 3802, 3807, -1, 'U', false},
	KindDate:         {"date", "date", 1082, 1182, 4, 'D', false},
	KindTime:         {"time", "time without time zone", 1083, 1183, 8, 'D', false},
	KindTimestamp:    {"timestamp", "timestamp without time zone", 1114, 1115, 8, 'D', false},
	KindTimestampTZ:  {"timestamptz", "timestamp with time zone", 1184, 1185, 8, 'D', true},
	KindInterval:     {"interval", "interval", 1186, 1187, 16, 'T', true},
	KindUUID:         {"uuid", "uuid", 2950, 2951, 16, 'U', false},
	KindOID:          {"oid", "oid", 26, 1028, 4, 'N', true},
	KindRegClass:     {"regclass", "regclass", 2205, 2210, 4, 'N', false},
	KindRegType:      {"regtype", "regtype", 2206, 2211, 4, 'N', false},
	KindRegProc:      {"regproc", "regproc", 24, 1008, 4, 'N', false},
	KindRegNamespace: {"regnamespace", "regnamespace", 4089, 4090, 4, 'N', false},
	KindArray:        {"anyarray", "anyarray", 2277, 0, -1, 'P', false},
	KindRecord:       {"record", "record", 2249, 2287, -1, 'P', false},
	KindVoid:         {"void", "void", 2278, 0, 4, 'P', false},
}

// String is the SQL name of the kind.
func (k Kind) String() string { return Kinds[k].SQLName }

// IsReg says whether values of the kind are numbers that print as the names of objects.
func (k Kind) IsReg() bool { return k >= KindRegClass && k <= KindRegNamespace }
