package op

import (
	"bytes"
	"encoding/binary"
	"slices"

	"millrace/arrangement"
	"millrace/repr"
)

// groupBytes is the length of the number of a group, by which the rows of a group are indexed. Numbers are shorter than
// keys, of one length, and near one another for groups that came together.
const groupBytes = 4

// indexed are the arguments of aggregates that have to look at the rows of a group: min and max, aggregates in an order,
// and those over DISTINCT of arguments that may be equal and print differently. A row is the number of the group and then the place in the order as one bytea and the arguments as they print;
// when the arguments are Direct, these alone.
type indexed struct {
	spec *Agg
	aggs []int     // the aggregates; min and max of the same argument share an index
	rows *Arranged // nil: none are kept, what is added is only compared
	next *arrangement.Builder
	sort []byte
	buf  []byte
	args []repr.Datum
}

func newIndexed(spec *Agg, agg int) *indexed {
	return &indexed{spec: spec, aggs: []int{agg}, rows: NewArranged(), next: arrangement.NewBuilder()}
}

// newUnindexed keeps no rows.
func newUnindexed(spec *Agg, agg int) *indexed { return &indexed{spec: spec, aggs: []int{agg}} }

// bytes is the memory of the index.
func (x *indexed) bytes() int64 {
	if x.rows == nil {
		return 0
	}
	return x.rows.Bytes() + x.next.Held()
}

// add queues arguments for the commit of the step, and gives the row behind the number of its group; it holds until the
// next call.
func (x *indexed) add(group uint32, cols *columns, diff repr.Diff) (row []byte) {
	a := x.spec
	x.buf = binary.BigEndian.AppendUint32(x.buf[:0], group)
	if !a.Direct {
		x.sort = x.sort[:0]
		for _, o := range a.Order {
			x.sort = repr.AppendOrder(x.sort, cols.at(o.Col), o.Desc, o.NullsFirst)
		}
		for _, c := range a.Args {
			x.sort = repr.AppendOrder(x.sort, cols.at(c), false, false)
		}
		x.buf = repr.Append(x.buf, repr.Bytea(x.sort))
	}
	for _, c := range a.Args {
		x.buf = append(x.buf, cols.packed[c]...)
	}
	if x.rows != nil {
		x.next.Add(x.buf, diff)
	}
	return x.buf[groupBytes:]
}

// commit makes the queued arguments part of the index.
func (x *indexed) commit() {
	if x.rows == nil {
		return
	}
	x.rows.Step(x.next.Seal())
	x.next.Reset()
}

// distinct tells a linear aggregate over DISTINCT which arguments have come and gone with the step. Of arguments that are
// equal and print differently, the first stands for all.
func (x *indexed) distinct(r *Reduce) {
	delta := x.rows.Delta
	before, after := x.rows.Prev.Cursor(), x.rows.Cur.Cursor()
	for from := 0; from < delta.Len(); {
		row := delta.Row(from)
		same := row[:len(row)-len(repr.Skip(row[groupBytes:]))]
		if was, is := first(before, same), first(after, same); !bytes.Equal(was, is) {
			x.tell(r, was, -1)
			x.tell(r, is, 1)
		}
		for from < delta.Len() && bytes.HasPrefix(delta.Row(from), same) {
			from++
		}
	}
}

func (x *indexed) tell(r *Reduce, row []byte, diff repr.Diff) {
	if row != nil {
		x.args = repr.DecodeRow(x.args[:0], x.printed(row[groupBytes:]))
		r.accumulate(binary.BigEndian.Uint32(row), x.aggs[0], x.args, diff)
	}
}

// first is the first row with the prefix that has a positive count; nil when there is none.
func first(cur *arrangement.Cursor, prefix []byte) []byte {
	row, _ := least(cur, prefix)
	return row
}

// printed is what follows the place in the order.
func (x *indexed) printed(row []byte) []byte {
	if x.spec.Direct {
		return row
	}
	return repr.Skip(row)
}

// argument is the first argument of a row behind the number of its group.
func (x *indexed) argument(row []byte) repr.Datum {
	d, _ := repr.Decode(x.printed(row))
	return d
}

// roomEvery is after how many bytes of arguments a fold asks whether there is room for what it makes of them.
const roomEvery = 1 << 20

// fold runs an aggregate over the arguments of a group in order.
func (x *indexed) fold(group uint32, room func(int64) bool) (repr.Datum, *repr.Error) {
	a := x.spec
	prefix := binary.BigEndian.AppendUint32(nil, group)
	var args []repr.Datum
	var last []byte
	none := true
	var seen, asked int64 // bytes that the list of arguments may take while it grows, the value, and the row it goes to
	d, err := a.Fn.Fold(func(yield func([]repr.Datum, repr.Diff) bool) {
		cur := x.rows.Cur.Cursor()
		for cur.SeekKey(prefix); cur.Valid(); cur.Next() {
			n := cur.Diff()
			if n <= 0 {
				continue
			}
			row := cur.Row()[groupBytes:]
			rest := x.printed(row)
			if a.Distinct && !a.Direct {
				place := row[:len(row)-len(rest)]
				if last != nil && bytes.Equal(last, place) {
					continue
				}
				last = slices.Clone(place)
			}
			if a.Distinct {
				n = 1
			}
			none = false
			seen += n * int64(3*len(rest)+2*datumBytes)
			if room != nil && seen-asked >= roomEvery {
				if asked = seen; !room(seen) {
					return
				}
			}
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
