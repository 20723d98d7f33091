package catalog

import "millrace/repr"

// pgTypesAndCode are the tables of pg_catalog about types, collations and access methods.
var pgTypesAndCode = []builtin{
	{schema: "pg_catalog", name: "pg_type", oid: 1247, cols: "oid oid!, typname name!, typnamespace oid!, typowner oid!, typlen int2!, typbyval bool!, typtype char!, typcategory char!, " +
		"typispreferred bool!, typisdefined bool!, typdelim char!, typrelid oid!, typsubscript regproc!, typelem oid!, typarray oid!, typinput regproc!, typoutput regproc!, typreceive regproc!, " +
		"typsend regproc!, typmodin regproc!, typmodout regproc!, typanalyze regproc!, typalign char!, typstorage char!, typnotnull bool!, typbasetype oid!, typtypmod int4!, typndims int4!, " +
		"typcollation oid!, typdefaultbin text, typdefault text, typacl text[]", rows: typeRows},
	{schema: "pg_catalog", name: "pg_collation", oid: 3456, cols: "oid oid!, collname name!, collnamespace oid!, collowner oid!, collprovider char!, collisdeterministic bool!, collencoding int4!, " +
		"collcollate text, collctype text, colliculocale text, collversion text", rows: func(e *SystemEnv) [][]repr.Datum {
		ns := e.schemaOID("pg_catalog")
		return [][]repr.Datum{
			{oid(100), name("default"), ns, oid(OwnerOID), char("d"), yes(true), i4(-1), null, null, null, null},
			{oid(950), name("C"), ns, oid(OwnerOID), char("c"), yes(true), i4(-1), text("C"), text("C"), null, null},
		}
	}},
	{schema: "pg_catalog", name: "pg_am", oid: 2601, cols: "oid oid!, amname name!, amhandler regproc!, amtype char!", rows: func(*SystemEnv) [][]repr.Datum {
		return [][]repr.Datum{{oid(heapOID), name("heap"), proc(3), char("t")}, {oid(btreeOID), name("btree"), proc(330), char("i")}}
	}},
}

// Oids of array_in, array_out, array_recv and array_send, by which drivers know an array type.
const (
	procArrayIn     = 750
	procArrayOut    = 751
	procArrayRecv   = 2400
	procArraySend   = 2401
	procArraySubscr = 6179
)

func typeRows(e *SystemEnv) [][]repr.Datum {
	ns := e.schemaOID("pg_catalog")
	var out [][]repr.Datum
	add := func(o uint32, nm string, length int16, category byte, preferred bool, elem, array uint32, coll uint32) {
		in, outp, recv, send, sub := uint32(0), uint32(0), uint32(0), uint32(0), uint32(0)
		kind, align := "b", "i"
		if elem != 0 {
			in, outp, recv, send, sub = procArrayIn, procArrayOut, procArrayRecv, procArraySend, procArraySubscr
		}
		if category == 'P' || category == 'X' {
			kind = "p"
		}
		if length == 8 {
			align = "d"
		}
		out = append(out, []repr.Datum{
			oid(o), name(nm), ns, oid(OwnerOID), i2(int(length)), yes(length > 0 && length <= 8), char(kind), char(string(rune(category))),
			yes(preferred), yes(true), char(","), oid(0), proc(sub), oid(elem), oid(array), proc(in), proc(outp), proc(recv),
			proc(send), proc(0), proc(0), proc(0), char(align), char("x"), yes(false), oid(0), i4(-1), i4(0), oid(coll), null, null, null,
		})
	}
	for k, info := range repr.Kinds {
		t := repr.TypeOf(repr.Kind(k))
		if info.Name == "" {
			continue
		}
		add(info.OID, info.Name, info.Len, info.Category, info.Preferred, 0, info.ArrayOID, collation(t))
		if info.ArrayOID != 0 && repr.Kind(k) != repr.KindRecord {
			add(info.ArrayOID, "_"+info.Name, -1, 'A', false, info.OID, 0, collation(t))
		}
	}
	return out
}
