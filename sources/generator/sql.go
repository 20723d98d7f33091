package generator

import (
	"slices"
	"strings"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// CreateTable is the statement that makes a table. PostgreSQL needs the key for its plans; a server that maintains
// views has no use for it.
func CreateTable(t Table, withKey bool) string {
	parts := make([]string, 0, len(t.Columns)+1)
	for _, c := range t.Columns {
		part := c.Name + " " + c.Type.String()
		if c.NotNull {
			part += " NOT NULL"
		}
		parts = append(parts, part)
	}
	if withKey && len(t.Key) > 0 {
		parts = append(parts, "PRIMARY KEY ("+strings.Join(names(t, t.Key), ", ")+")")
	}
	return "CREATE TABLE " + t.Name + " (" + strings.Join(parts, ", ") + ")"
}

// Statements are the changes as SQL, in their order: neighbours that do the same to the same table share a statement
// of at most limit rows. Updates and deletions need a table with a key.
func Statements(tables []Table, changes []Change, limit int) []string {
	var out []string
	for from := 0; from < len(changes); {
		to := from + 1
		for to < len(changes) && to-from < limit && alike(changes[from], changes[to]) {
			to++
		}
		out = append(out, statement(tables[changes[from].Table], changes[from:to]))
		from = to
	}
	return out
}

func alike(a, b Change) bool {
	return a.Table == b.Table && (a.Old == nil) == (b.Old == nil) && (a.New == nil) == (b.New == nil)
}

func statement(t Table, changes []Change) string {
	all := everyColumn(t)
	switch {
	case changes[0].Old == nil:
		return "INSERT INTO " + t.Name + " VALUES " + values(t, changes, all, false)
	case changes[0].New == nil:
		return "DELETE FROM " + t.Name + " USING (VALUES " + values(t, changes, t.Key, true) + ") AS gone (" +
			strings.Join(names(t, t.Key), ", ") + ") WHERE " + keysMatch(t, "gone")
	default:
		var set []string
		for i, c := range t.Columns {
			if !slices.Contains(t.Key, i) {
				set = append(set, c.Name+" = fresh."+c.Name)
			}
		}
		return "UPDATE " + t.Name + " SET " + strings.Join(set, ", ") + " FROM (VALUES " + values(t, changes, all, true) +
			") AS fresh (" + strings.Join(names(t, all), ", ") + ") WHERE " + keysMatch(t, "fresh")
	}
}

func keysMatch(t Table, other string) string {
	var terms []string
	for _, name := range names(t, t.Key) {
		terms = append(terms, t.Name+"."+name+" = "+other+"."+name)
	}
	return strings.Join(terms, " AND ")
}

// values are the rows as VALUES has them: the new ones, or what is deleted. Typed ones say their type in the first row,
// for where nothing else does.
func values(t Table, changes []Change, cols []int, typed bool) string {
	var b strings.Builder
	for i, c := range changes {
		row := c.New
		if row == nil {
			row = c.Old
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for j, col := range cols {
			if j > 0 {
				b.WriteString(", ")
			}
			b.WriteString(literal(t.Columns[col].Type, row[col]))
			if typed && i == 0 {
				b.WriteString("::" + t.Columns[col].Type.String())
			}
		}
		b.WriteByte(')')
	}
	return b.String()
}

func literal(t repr.Type, d repr.Datum) string {
	if d.IsNull() {
		return "NULL"
	}
	text := string(pgfmt.AppendText(nil, t, d, nil))
	if t.Kind == repr.KindInt4 || t.Kind == repr.KindInt8 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

func names(t Table, cols []int) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = t.Columns[c].Name
	}
	return out
}

func everyColumn(t Table) []int {
	out := make([]int, len(t.Columns))
	for i := range out {
		out[i] = i
	}
	return out
}
