package op

import (
	"bytes"
	"slices"

	"millrace/arrangement"
	"millrace/repr"
)

// indexed are the arguments of one aggregate, by group: for DISTINCT, min and max, and aggregates in an order. A row is
// the key, the place in the order as one bytea, and the arguments as they print.
type indexed struct {
	rows   *Arranged
	next   *arrangement.Builder
	sort   []byte
	buf    []byte
	datums []repr.Datum
}

func newIndexed() *indexed { return &indexed{rows: NewArranged(), next: arrangement.NewBuilder()} }

// add queues arguments for the commit of the step.
func (x *indexed) add(a *Agg, key []byte, cols []repr.Datum, diff repr.Diff) {
	x.sort = x.sort[:0]
	for _, o := range a.Order {
		x.sort = repr.AppendOrder(x.sort, cols[o.Col], o.Desc, o.NullsFirst)
	}
	for _, c := range a.Args {
		x.sort = repr.AppendOrder(x.sort, cols[c], false, false)
	}
	x.buf = append(x.buf[:0], key...)
	x.buf = repr.Append(x.buf, repr.Bytea(x.sort))
	for _, c := range a.Args {
		x.buf = repr.Append(x.buf, cols[c])
	}
	x.next.Add(x.buf, diff)
}

// commit makes the queued arguments part of the index. For a linear aggregate over DISTINCT it tells the
// accumulators which arguments have come and gone.
func (x *indexed) commit(r *Reduce, i int) {
	delta := x.next.Seal()
	x.next.Reset()
	x.rows.Step(delta)
	a := &r.Aggs[i]
	if !a.Distinct || a.Fn.Fold != nil || a.Fn.Extreme != 0 {
		return
	}
	before, after := x.rows.Prev.Cursor(), x.rows.Cur.Cursor()
	for from := 0; from < delta.Len(); {
		row := delta.Row(from)
		n := repr.PrefixLen(row, r.Keys)
		same := row[:len(row)-len(repr.Skip(row[n:]))]
		if was, is := first(before, same), first(after, same); !bytes.Equal(was, is) {
			g, _ := r.groups.find(row[:n])
			if was != nil {
				x.datums = repr.DecodeRow(x.datums[:0], was[len(same):])
				r.accumulate(g, i, x.datums, -1)
			}
			if is != nil {
				x.datums = repr.DecodeRow(x.datums[:0], is[len(same):])
				r.accumulate(g, i, x.datums, 1)
			}
		}
		for from < delta.Len() && bytes.HasPrefix(delta.Row(from), same) {
			from++
		}
	}
}

// first is the first row with the prefix that has a positive count: of arguments that are equal and print differently, the one
// that stands for all; nil when there is none.
func first(cur *arrangement.Cursor, prefix []byte) []byte {
	for cur.Seek(prefix); cur.Valid() && bytes.HasPrefix(cur.Row(), prefix); cur.Next() {
		if cur.Diff() > 0 {
			return cur.Row()
		}
	}
	return nil
}

// extreme is the least or greatest argument of a group.
func (x *indexed) extreme(a *Agg, key []byte) repr.Datum {
	if a.Fn.Extreme < 0 {
		cur := x.rows.Cur.Cursor()
		for cur.Seek(key); cur.Valid() && bytes.HasPrefix(cur.Row(), key); cur.Next() {
			if cur.Diff() > 0 {
				return argument(cur.Row()[len(key):])
			}
		}
		return repr.Null
	}
	row, diff, ok := x.rows.Cur.Last(key)
	if ok && diff > 0 {
		return argument(row[len(key):])
	}
	if !ok {
		return repr.Null
	}
	// The greatest has a negative count for now: look at all of the group.
	best := repr.Null
	cur := x.rows.Cur.Cursor()
	for cur.Seek(key); cur.Valid() && bytes.HasPrefix(cur.Row(), key); cur.Next() {
		if cur.Diff() > 0 {
			best = argument(cur.Row()[len(key):])
		}
	}
	return best
}

// argument is the first argument of a row behind its key.
func argument(row []byte) repr.Datum {
	d, _ := repr.Decode(repr.Skip(row))
	return d
}

// fold runs an aggregate over the arguments of a group in order.
func (x *indexed) fold(a *Agg, key []byte) (repr.Datum, *repr.Error) {
	var args []repr.Datum
	var last []byte
	none := true
	d, err := a.Fn.Fold(func(yield func([]repr.Datum, repr.Diff) bool) {
		cur := x.rows.Cur.Cursor()
		for cur.Seek(key); cur.Valid() && bytes.HasPrefix(cur.Row(), key); cur.Next() {
			n := cur.Diff()
			if n <= 0 {
				continue
			}
			row := cur.Row()[len(key):]
			rest := repr.Skip(row)
			place := row[:len(row)-len(rest)]
			if a.Distinct {
				if last != nil && bytes.Equal(last, place) {
					continue
				}
				last = slices.Clone(place)
				n = 1
			}
			none = false
			args = repr.DecodeRow(args[:0], rest)
			if !yield(args, n) {
				return
			}
		}
	})
	if none && err == nil {
		return a.Fn.Empty, nil
	}
	return d, err
}
