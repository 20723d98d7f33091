package coord

import (
	"bytes"
	"context"
	"slices"

	"millrace/arrangement"
	"millrace/repr"
	"millrace/sql/rel"
)

// listRows are rows that are at hand.
type listRows struct {
	rows [][]byte
	free func()
}

// Next gives the next row.
func (l *listRows) Next(ctx context.Context) ([]byte, bool, *repr.Error) {
	if len(l.rows) == 0 {
		return nil, false, nil
	}
	if ctx.Err() != nil {
		return nil, false, ctxError(ctx)
	}
	row := l.rows[0]
	l.rows = l.rows[1:]
	return row, true, nil
}

// Close frees the rows.
func (l *listRows) Close() {
	l.rows = nil
	if l.free != nil {
		l.free()
		l.free = nil
	}
}

// textRows makes rows of text columns.
func textRows(rows ...[]string) Rows {
	out := &listRows{}
	for _, r := range rows {
		var b []byte
		for _, f := range r {
			b = repr.Append(b, repr.Text(f))
		}
		out.rows = append(out.rows, b)
	}
	return out
}

// batchRows walks a consolidated batch, each row as often as it counts.
type batchRows struct {
	batch arrangement.Batch
	i     int
	left  repr.Diff
}

// Next gives the next row.
func (b *batchRows) Next(ctx context.Context) ([]byte, bool, *repr.Error) {
	for b.left == 0 {
		if b.i >= b.batch.Len() {
			return nil, false, nil
		}
		if b.i&0xfff == 0 && ctx.Err() != nil {
			return nil, false, ctxError(ctx)
		}
		b.left = b.batch.Diff(b.i)
		if b.left < 0 {
			return nil, false, errNegative
		}
		b.i++
	}
	b.left--
	return b.batch.Row(b.i - 1), true, nil
}

// Close forgets the batch.
func (b *batchRows) Close() { b.batch, b.left = arrangement.Batch{}, 0 }

var errNegative = repr.NewError(repr.CodeInternal, "a row of the result has a negative count").
	WithHint("this is a bug; please report it with the statement")

// cursorRows walks a snapshot without copying it.
type cursorRows struct {
	cur  *arrangement.Cursor
	left repr.Diff
	n    int
	free func()
}

// Next gives the next row.
func (r *cursorRows) Next(ctx context.Context) ([]byte, bool, *repr.Error) {
	if r.left > 0 {
		r.left--
		return r.cur.Row(), true, nil
	}
	if r.n > 0 {
		r.cur.Next()
	}
	r.n++
	if r.n&0xfff == 0 && ctx.Err() != nil {
		return nil, false, ctxError(ctx)
	}
	if !r.cur.Valid() {
		return nil, false, nil
	}
	r.left = r.cur.Diff() - 1
	if r.left < 0 {
		return nil, false, errNegative
	}
	return r.cur.Row(), true, nil
}

// Close frees the snapshot.
func (r *cursorRows) Close() {
	if r.free != nil {
		r.free()
		r.free = nil
	}
}

// someRows are rows without the first and with no more than a number of them.
type someRows struct {
	Rows
	skip int64
	left int64 // negative: all
}

// Next gives the next row.
func (r *someRows) Next(ctx context.Context) ([]byte, bool, *repr.Error) {
	for ; r.skip > 0; r.skip-- {
		if _, ok, err := r.Rows.Next(ctx); err != nil || !ok {
			return nil, false, err
		}
	}
	if r.left == 0 {
		return nil, false, nil
	}
	r.left--
	return r.Rows.Next(ctx)
}

// finish is what comes after the last operator: ORDER BY, OFFSET, LIMIT, and dropping the columns that only the
// order needed.
type finish struct {
	order  []rel.ColOrder
	offset int64
	limit  int64 // negative: none
	cols   int   // the visible columns come first
	hidden int
}

func (f *finish) trivial() bool {
	return len(f.order) == 0 && f.offset == 0 && f.limit < 0 && f.hidden == 0
}

// rows orders and cuts the rows of a batch.
func (f *finish) rows(b arrangement.Batch) (Rows, *repr.Error) {
	if f.trivial() {
		return &batchRows{batch: b}, nil
	}
	type entry struct {
		key []byte
		i   int
	}
	entries := make([]entry, b.Len())
	var datums []repr.Datum
	var arena []byte
	for i := range entries {
		if b.Diff(i) < 0 {
			return nil, errNegative
		}
		entries[i].i = i
		if len(f.order) == 0 {
			continue
		}
		datums = repr.DecodeRow(datums[:0], b.Row(i))
		from := len(arena)
		for _, o := range f.order {
			arena = repr.AppendOrder(arena, datums[o.Col], o.Desc, o.NullsFirst)
		}
		entries[i].key = arena[from:len(arena):len(arena)]
	}
	slices.SortStableFunc(entries, func(x, y entry) int { return bytes.Compare(x.key, y.key) })
	out := &listRows{}
	skip, left := f.offset, f.limit
	for _, e := range entries {
		row := b.Row(e.i)
		if f.hidden > 0 {
			row = row[:repr.PrefixLen(row, f.cols)]
		}
		for range b.Diff(e.i) {
			if skip > 0 {
				skip--
				continue
			}
			if left == 0 {
				return out, nil
			}
			left--
			out.rows = append(out.rows, row)
		}
	}
	return out, nil
}
