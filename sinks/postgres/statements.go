package postgres

import (
	"fmt"
	"strings"

	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sinks"
)

// The tables of the session that rows are copied into.
const (
	incoming = "pg_temp.millrace_rows"
	leaving  = "pg_temp.millrace_gone"
)

// statements are those of a commit.
type statements struct {
	temporary          []string
	copyRows, copyGone string
	delete, upsert     []string
	replace            []string // takes away what the incoming rows do not have
}

// upsertIn are the statements behind the incoming rows; whole says that these are all rows there are.
func (s *statements) upsertIn(whole bool) []string {
	if whole {
		return append(s.replace[:len(s.replace):len(s.replace)], s.upsert...)
	}
	return s.upsert
}

func (t *target) statements() statements {
	table, keys := t.cfg.table(), t.keyList("")
	names, sets := make([]string, len(t.cfg.Cols)), make([]string, len(t.cfg.Cols))
	for i, c := range t.cfg.Cols {
		names[i] = quoted(c.Name)
		sets[i] = names[i] + " = EXCLUDED." + names[i]
	}
	cols := strings.Join(names, ", ")
	out := statements{
		temporary: []string{
			fmt.Sprintf("CREATE TEMP TABLE millrace_rows ON COMMIT DELETE ROWS AS SELECT %s FROM %s WITH NO DATA", cols, table),
			fmt.Sprintf("CREATE TEMP TABLE millrace_gone ON COMMIT DELETE ROWS AS SELECT %s FROM %s WITH NO DATA", keys, table),
		},
		copyRows: fmt.Sprintf("COPY %s (%s) FROM STDIN", incoming, cols),
		copyGone: fmt.Sprintf("COPY %s (%s) FROM STDIN", leaving, keys),
		upsert: []string{fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s ON CONFLICT (%s) DO UPDATE SET %s", table, cols, cols, incoming,
			keys, strings.Join(sets, ", "))},
		delete:  []string{fmt.Sprintf("DELETE FROM %s t USING %s g WHERE %s", table, leaving, t.match("g", "="))},
		replace: []string{fmt.Sprintf("DELETE FROM %s t WHERE NOT EXISTS (SELECT FROM %s g WHERE %s)", table, incoming, t.match("g", "="))},
	}
	if t.nullable() { // an index finds no NULL by =; those that have one go separately
		same := t.match("g", "IS NOT DISTINCT FROM")
		out.delete = append(out.delete, fmt.Sprintf("DELETE FROM %s t USING %s g WHERE %s AND %s AND %s", table, leaving, t.anyNull("t"), t.anyNull("g"), same))
		out.replace = []string{
			fmt.Sprintf("DELETE FROM %s t WHERE NOT (%s) AND NOT EXISTS (SELECT FROM %s g WHERE %s)", table, t.anyNull("t"), incoming, t.match("g", "=")),
			fmt.Sprintf("DELETE FROM %s t WHERE %s AND NOT EXISTS (SELECT FROM %s g WHERE %s AND %s)", table, t.anyNull("t"), incoming, t.anyNull("g"), same),
		}
	}
	return out
}

// match compares the key of t with that of another table.
func (t *target) match(other, op string) string {
	parts := make([]string, len(t.cfg.Key))
	for i, k := range t.cfg.Key {
		name := quoted(t.cfg.Cols[k].Name)
		parts[i] = "t." + name + " " + op + " " + other + "." + name
	}
	return strings.Join(parts, " AND ")
}

// anyNull says that a column of the key is NULL.
func (t *target) anyNull(of string) string {
	var parts []string
	for _, k := range t.cfg.Key {
		if !t.cfg.Cols[k].NotNull {
			parts = append(parts, of+"."+quoted(t.cfg.Cols[k].Name)+" IS NULL")
		}
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// copied is text for COPY.
type copied struct{ text []byte }

// copyText writes what folded ticks bring and take away.
func (t *target) copyText(folded []sinks.Keyed) (rows, gone copied) {
	var datums []repr.Datum
	all := make([]int, len(t.cfg.Cols))
	for i := range all {
		all[i] = i
	}
	for i := range folded {
		if row := folded[i].Row; row != nil {
			datums = repr.DecodeRow(datums[:0], row)
			rows.line(t.cfg.Cols, datums, all)
			continue
		}
		datums = repr.DecodeRow(datums[:0], folded[i].Was)
		gone.line(t.cfg.Cols, datums, t.cfg.Key)
	}
	return rows, gone
}

// line adds a line of some columns of a row.
func (c *copied) line(cols repr.RowDesc, row []repr.Datum, which []int) {
	var value []byte
	for i, k := range which {
		if i > 0 {
			c.text = append(c.text, '\t')
		}
		if row[k].IsNull() {
			c.text = append(c.text, `\N`...)
			continue
		}
		value = pgfmt.AppendText(value[:0], cols[k].Type, row[k], nil)
		for _, b := range value {
			if e := escapes[b]; e != 0 {
				c.text = append(c.text, '\\', e)
				continue
			}
			c.text = append(c.text, b)
		}
	}
	c.text = append(c.text, '\n')
}

// escapes are the bytes that COPY writes behind a backslash.
var escapes = [256]byte{'\\': '\\', '\t': 't', '\n': 'n', '\r': 'r', '\b': 'b', '\f': 'f', '\v': 'v'}
