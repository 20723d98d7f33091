package coord

import (
	"bytes"
	"context"
	"slices"

	"millrace/arrangement"
	"millrace/internal/budget"
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
func (f *finish) rows(b arrangement.Batch, memory *budget.Budget) (Rows, *repr.Error) {
	if f.trivial() {
		return &batchRows{batch: b}, nil
	}
	entries, err := f.sorted(b, memory)
	if err != nil {
		return nil, err
	}
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
			if err := out.add(row, memory); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// add appends a row; the list of them counts towards a statement.
func (l *listRows) add(row []byte, memory *budget.Budget) *repr.Error {
	room := cap(l.rows)
	l.rows = append(l.rows, row)
	if cap(l.rows) == room {
		return nil
	}
	return takeRoom(memory, int64(cap(l.rows)-room)*rowHeadBytes, "the list of its rows")
}

// rowHeadBytes is what a row takes in a list beside its bytes.
const rowHeadBytes = 24

// sortEntry is a row of a batch by its number, and its place in the order.
type sortEntry struct {
	key []byte
	i   int
}

// sortEntryBytes is the size of an entry.
const sortEntryBytes = 32

// sorted are the rows of a batch in order.
func (f *finish) sorted(b arrangement.Batch, memory *budget.Budget) ([]sortEntry, *repr.Error) {
	if err := takeRoom(memory, int64(b.Len())*sortEntryBytes, sortOfResult); err != nil {
		return nil, err
	}
	entries := make([]sortEntry, b.Len())
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
		from, room := len(arena), cap(arena)
		for _, o := range f.order {
			arena = repr.AppendOrder(arena, datums[o.Col], o.Desc, o.NullsFirst)
		}
		if cap(arena) > room { // the keys before lie in the room that it has left, which they keep
			if err := takeRoom(memory, int64(cap(arena)), sortOfResult); err != nil {
				return nil, err
			}
		}
		entries[i].key = arena[from:len(arena):len(arena)]
	}
	slices.SortStableFunc(entries, func(x, y sortEntry) int { return bytes.Compare(x.key, y.key) })
	return entries, nil
}

// sortOfResult is what the error of a statement calls the sort of its rows.
const sortOfResult = "the sort of its result"
