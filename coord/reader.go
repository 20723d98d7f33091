package coord

import (
	"strings"

	"millrace/coord/catalog"
	"millrace/repr"
	"millrace/sql/ast"
)

// catalogReader answers the catalog functions of SQL against one snapshot.
type catalogReader struct {
	snap *catalog.Snapshot
	path []string
}

// RelationName is schema and name of a relation by oid.
func (r catalogReader) RelationName(oid uint32) (schema, name string, ok bool) {
	it := r.snap.ByOID(oid)
	if it == nil {
		return "", "", false
	}
	return it.Schema, it.Name, true
}

// RelationOID finds a relation along the search path.
func (r catalogReader) RelationOID(name string) (uint32, bool) {
	it := r.snap.FindVisible(splitName(name), r.path)
	if it == nil {
		return 0, false
	}
	return it.OID, true
}

// splitName takes a possibly qualified and quoted name apart.
func splitName(name string) []string {
	var parts []string
	var cur strings.Builder
	quoted := false
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '"' && quoted && i+1 < len(name) && name[i+1] == '"':
			cur.WriteByte('"')
			i++
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			parts = append(parts, cur.String())
			cur.Reset()
		case quoted || c < 'A' || c > 'Z':
			cur.WriteByte(c)
		default:
			cur.WriteByte(c + 'a' - 'A')
		}
	}
	return append(parts, cur.String())
}

// ViewDef is the query text of a view.
func (r catalogReader) ViewDef(oid uint32) (string, bool) {
	it := r.snap.ByOID(oid)
	if it == nil || it.Query == nil {
		return "", false
	}
	return it.QueryText + ";", true
}

// IndexDef is the CREATE INDEX text of an index, or one of its key columns.
func (r catalogReader) IndexDef(oid uint32, column int) (string, bool) {
	it := r.snap.ByOID(oid)
	if it == nil || it.Kind != catalog.Index {
		return "", false
	}
	if column == 0 {
		return it.CreateSQL, true
	}
	on := r.snap.Item(it.On)
	if on == nil || column > len(it.IndexCols) {
		return "", false
	}
	return on.Desc[it.IndexCols[column-1]].Name, true
}

// SchemaName is the name of a schema by oid.
func (r catalogReader) SchemaName(oid uint32) (string, bool) {
	for _, name := range r.snap.Schemas() {
		if o, _ := r.snap.SchemaOID(name); o == oid {
			return name, true
		}
	}
	return "", false
}

// SchemaOID finds a schema.
func (r catalogReader) SchemaOID(name string) (uint32, bool) { return r.snap.SchemaOID(name) }

// RoleName is the name of a role by oid.
func (r catalogReader) RoleName(oid uint32) (string, bool) {
	if oid == catalog.OwnerOID {
		return catalog.DefaultUser, true
	}
	return "", false
}

// Comment is the comment on an object or one of its columns.
func (r catalogReader) Comment(oid uint32, column int) (string, bool) {
	it := r.snap.ByOID(oid)
	if it == nil {
		return "", false
	}
	text, ok := it.Comments[column]
	return text, ok
}

// regName is how an oid prints as one of the reg* types: a relation with its schema when the search path does not lead
// to it.
func (r catalogReader) regName(k repr.Kind, oid uint32) (string, bool) {
	switch k {
	case repr.KindRegClass:
		it := r.snap.ByOID(oid)
		if it == nil {
			return "", false
		}
		if r.snap.FindVisible([]string{it.Name}, r.path) == it {
			return ast.QuoteIdent(it.Name), true
		}
		return ast.QuoteIdent(it.Schema) + "." + ast.QuoteIdent(it.Name), true
	case repr.KindRegNamespace:
		return r.SchemaName(oid)
	case repr.KindRegType:
		t, ok := repr.TypeByOID(oid)
		return t.String(), ok
	default:
		return "", false
	}
}
