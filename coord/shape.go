package coord

import (
	"bytes"
	"slices"
	"strconv"

	"millrace/arrangement"
	"millrace/repr"
	"millrace/sql/ast"
)

// shape is how a stream shows what changed at one time. The plain one shows each change as it comes, with its diff in front; others
// look at all changes of a time before they show the first.
type shape struct {
	name    string       // equal names with equal columns show the same
	cols    repr.RowDesc // behind the times
	sortKey func(dst []byte, c *shapeChange) []byte
	group   func(out [][]byte, same []shapeChange) [][]byte // of changes with one key; nil: each is a row, with its diff in front
}

// shapeChange is a change with the key that it sorts by.
type shapeChange struct {
	key  []byte
	row  []byte
	diff repr.Diff
}

// isPlain says that changes are shown as they come.
func (s *shape) isPlain() bool { return s.sortKey == nil }

// rows are the rows of one time: what its changes, which come in the order of their bytes, look like.
func (s *shape) rows(changes []shapeChange) [][]byte {
	for i := range changes {
		changes[i].key = s.sortKey(nil, &changes[i])
	}
	slices.SortStableFunc(changes, func(a, b shapeChange) int { return bytes.Compare(a.key, b.key) })
	out := make([][]byte, 0, len(changes))
	if s.group == nil {
		for i := range changes {
			out = append(out, appendPlain(nil, changes[i].row, changes[i].diff))
		}
		return out
	}
	for from := 0; from < len(changes); {
		to := from + 1
		for to < len(changes) && bytes.Equal(changes[to].key, changes[from].key) {
			to++
		}
		out = s.group(out, changes[from:to])
		from = to
	}
	return out
}

// appendPlain is a change as a stream shows it: the diff, and the row.
func appendPlain(dst, row []byte, diff repr.Diff) []byte {
	return append(repr.Append(dst, repr.Int8(diff)), row...)
}

// changesIn are the changes of a batch.
func changesIn(b arrangement.Batch) []shapeChange {
	out := make([]shapeChange, b.Len())
	for i := range out {
		out[i].row, out[i].diff = b.Row(i), b.Diff(i)
	}
	return out
}

// plainShape shows changes as they come.
func plainShape(desc repr.RowDesc) *shape {
	cols := append(repr.RowDesc{{Name: "mz_diff", Type: repr.TypeOf(repr.KindInt8)}}, desc...)
	return &shape{name: "plain", cols: cols}
}

// streamShape is the shape that a statement asks for.
func streamShape(st *ast.Subscribe, desc repr.RowDesc) (*shape, *repr.Error) {
	switch {
	case st.Envelope != nil && len(st.Within) > 0:
		return nil, unsupported("WITHIN TIMESTAMP ORDER BY together with ENVELOPE", st.Within[0].Pos)
	case st.Envelope != nil:
		return envelopeShape(st.Envelope, desc)
	case len(st.Within) > 0:
		return orderedShape(st.Within, desc)
	default:
		return plainShape(desc), nil
	}
}

// orderedShape sorts the changes of a time by columns.
func orderedShape(items []ast.OrderItem, desc repr.RowDesc) (*shape, *repr.Error) {
	s := plainShape(desc)
	at := make([]int, len(items)) // -1: the diff
	s.name = "within"
	for i, it := range items {
		ref, ok := it.Expr.(*ast.ColumnRef)
		if !ok || it.Using != "" {
			return nil, unsupported("WITHIN TIMESTAMP ORDER BY of anything but columns", it.Expr.Position()).
				WithHint("compute the expression in the query that is subscribed to")
		}
		if ref.Column() == "mz_diff" {
			at[i] = -1
		} else {
			n, err := columnOf(desc, ref.Column(), ref.Pos)
			if err != nil {
				return nil, err
			}
			at[i] = n
		}
		s.name += " " + strconv.Itoa(at[i]) + strconv.FormatBool(it.Desc) + strconv.FormatBool(it.NullsAreFirst())
	}
	s.sortKey = func(dst []byte, c *shapeChange) []byte {
		row := repr.DecodeRow(nil, c.row)
		for i, it := range items {
			d := repr.Int8(c.diff)
			if at[i] >= 0 {
				d = row[at[i]]
			}
			dst = repr.AppendOrder(dst, d, it.Desc, it.NullsAreFirst())
		}
		return dst
	}
	return s, nil
}

// columnOf is the place of a column of a name.
func columnOf(desc repr.RowDesc, name string, pos int) (int, *repr.Error) {
	found := -1
	for i, c := range desc {
		switch {
		case c.Name != name:
		case found >= 0:
			return 0, repr.NewError(repr.CodeAmbiguousColumn, "column reference \""+name+"\" is ambiguous").At(pos)
		default:
			found = i
		}
	}
	if found < 0 {
		return 0, repr.NewError(repr.CodeUndefinedColumn, "column \""+name+"\" does not exist").At(pos)
	}
	return found, nil
}

// perKey is what an envelope with a key knows of its rows.
type perKey struct {
	keys   []int // columns, in the order in which the key names them
	values []int // the others
	before bool  // the row before is shown too
	nulls  []byte
}

// envelopeShape shows what became of each key at a time, in place of changes: one row a key.
func envelopeShape(e *ast.Envelope, desc repr.RowDesc) (*shape, *repr.Error) {
	k := &perKey{}
	switch e.Kind {
	case ast.EnvelopeUpsert:
	case ast.EnvelopeDebezium:
		k.before = true
	default:
		return nil, unsupported("ENVELOPE "+e.Kind.String()+" in SUBSCRIBE", e.Pos)
	}
	if len(e.Key) == 0 || e.KeyFormat != nil || len(e.Options) > 0 {
		return nil, repr.NewError(repr.CodeSyntax, "ENVELOPE "+e.Kind.String()+" of SUBSCRIBE needs a key and takes nothing else").
			WithHint("write it as in ENVELOPE " + e.Kind.String() + " (KEY (id))").At(e.Pos)
	}
	name := "envelope " + e.Kind.String()
	for _, id := range e.Key {
		n, err := columnOf(desc, id.Name, id.Pos)
		if err != nil {
			return nil, err
		}
		if slices.Contains(k.keys, n) {
			return nil, repr.NewError(repr.CodeDuplicateColumn, "column \""+id.Name+"\" appears twice in the key").At(id.Pos)
		}
		k.keys = append(k.keys, n)
		name += " " + strconv.Itoa(n)
	}
	for i := range desc {
		if !slices.Contains(k.keys, i) {
			k.values = append(k.values, i)
			k.nulls = repr.Append(k.nulls, repr.Null)
		}
	}
	return &shape{name: name, cols: k.columns(desc), sortKey: k.sortKey, group: k.group}, nil
}

func (k *perKey) columns(desc repr.RowDesc) repr.RowDesc {
	out := repr.RowDesc{{Name: "mz_state", Type: repr.TypeOf(repr.KindText)}}
	for _, i := range k.keys {
		c := desc[i]
		c.NotNull = false // a progress message has none
		out = append(out, c)
	}
	prefixes := []string{""}
	if k.before {
		prefixes = []string{"before_", "after_"}
	}
	for _, prefix := range prefixes {
		for _, i := range k.values {
			out = append(out, repr.Column{Name: prefix + desc[i].Name, Type: desc[i].Type})
		}
	}
	return out
}

func (k *perKey) sortKey(dst []byte, c *shapeChange) []byte {
	row := repr.DecodeRow(nil, c.row)
	for _, i := range k.keys {
		dst = repr.AppendKey(dst, row[i])
	}
	return dst
}

// group shows what became of one key. Whoever has more than one row of it at a time has not named a key.
func (k *perKey) group(out [][]byte, same []shapeChange) [][]byte {
	var before, after []byte
	first := same[0].row
	for i := range same {
		switch {
		case same[i].diff == 1 && after == nil:
			after = same[i].row
		case same[i].diff == -1 && before == nil:
			before = same[i].row
		default:
			return append(out, k.row("key_violation", first, nil, nil))
		}
	}
	switch {
	case after == nil:
		return append(out, k.row("delete", before, before, nil))
	case before == nil && k.before:
		return append(out, k.row("insert", after, nil, after))
	default:
		return append(out, k.row("upsert", after, before, after))
	}
}

// row is a row of the stream: the state, the key as it stands in one row, and the values of others, which may be missing.
func (k *perKey) row(state string, key, before, after []byte) []byte {
	out := repr.Append(nil, repr.Text(state))
	out = appendColumns(out, key, k.keys)
	shown := [][]byte{after}
	if k.before {
		shown = [][]byte{before, after}
	}
	for _, row := range shown {
		if row == nil {
			out = append(out, k.nulls...)
			continue
		}
		out = appendColumns(out, row, k.values)
	}
	return out
}

// appendColumns appends some columns of a row.
func appendColumns(dst, row []byte, cols []int) []byte {
	datums := repr.DecodeRow(nil, row)
	for _, i := range cols {
		dst = repr.Append(dst, datums[i])
	}
	return dst
}
