package op

import (
	"bytes"

	"millrace/arrangement"
	"millrace/repr"
)

// Order is one item of an order over columns.
type Order struct {
	Col        int
	Desc       bool
	NullsFirst bool
}

// TopK keeps of each group the rows number Offset to Offset+Limit in an order, ties in the order of bytes. Its state is
// the input, indexed by group and order.
type TopK struct {
	Group  []int
	Order  []Order
	Limit  int64 // negative: none
	Offset int64

	rows   *Arranged
	datums []repr.Datum
	sort   []byte
	keyed  *arrangement.Builder
}

// NewTopK makes the operator; its exported fields are set by the caller.
func NewTopK() *TopK { return &TopK{rows: NewArranged(), keyed: arrangement.NewBuilder()} }

// Key packs what a row is indexed by: the columns of its group, its place in the order as one bytea, then the row.
func (t *TopK) Key(dst, row []byte) []byte {
	t.datums = repr.DecodeRow(t.datums[:0], row)
	for _, c := range t.Group {
		dst = repr.AppendKey(dst, t.datums[c])
	}
	t.sort = t.sort[:0]
	for _, o := range t.Order {
		t.sort = repr.AppendOrder(t.sort, t.datums[o.Col], o.Desc, o.NullsFirst)
	}
	dst = repr.Append(dst, repr.Bytea(t.sort))
	return append(dst, row...)
}

// Step takes a sealed batch of rows packed by Key.
func (t *TopK) Step(in arrangement.Batch, out *arrangement.Builder) {
	t.rows.Step(in)
	if in.Len() == 0 {
		return
	}
	before, after := t.rows.Prev.Cursor(), t.rows.Cur.Cursor()
	for from := 0; from < in.Len(); {
		first := in.Row(from)
		group := first[:repr.PrefixLen(first, len(t.Group))]
		t.window(before, group, -1, out)
		t.window(after, group, 1, out)
		for from < in.Len() && bytes.HasPrefix(in.Row(from), group) {
			from++
		}
	}
}

// window emits the kept rows of a group with their counts times a sign.
func (t *TopK) window(cur *arrangement.Cursor, group []byte, sign repr.Diff, out *arrangement.Builder) {
	skip, left := t.Offset, t.Limit
	for cur.SeekKey(group); cur.Valid(); cur.Next() {
		n := cur.Diff()
		if n <= 0 {
			continue
		}
		if skip >= n {
			skip -= n
			continue
		}
		n -= skip
		skip = 0
		if left >= 0 {
			n = min(n, left)
			left -= n
		}
		if n > 0 {
			row := cur.Row()
			out.Add(repr.SkipN(row, len(t.Group)+1), sign*n)
		}
		if left == 0 {
			return
		}
	}
}

// Bytes is the memory of the operator's state.
func (t *TopK) Bytes() int64 { return t.rows.Bytes() }

// Rows is the size of the operator's state.
func (t *TopK) Rows() int64 { return t.rows.Rows() }
