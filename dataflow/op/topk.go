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
	reach  int // columns that Key looks at, at most
	cols   [][]byte
	sort   []byte
	before []placed
	after  []placed
}

// placed is a row of a window with the count that it is kept with.
type placed struct {
	row []byte
	n   repr.Diff
}

// NewTopK makes the operator; its exported fields are set by the caller.
func NewTopK() *TopK { return &TopK{rows: NewArranged()} }

// Key packs what a row is indexed by: the columns of its group, its place in the order as one bytea, then the row.
func (t *TopK) Key(dst, row []byte) []byte {
	t.locate(row)
	for _, c := range t.Group {
		d, _ := repr.Decode(t.cols[c])
		dst = repr.AppendKey(dst, d)
	}
	t.sort = t.sort[:0]
	for _, o := range t.Order {
		d, _ := repr.Decode(t.cols[o.Col])
		t.sort = repr.AppendOrder(t.sort, d, o.Desc, o.NullsFirst)
	}
	dst = repr.Append(dst, repr.Bytea(t.sort))
	return append(dst, row...)
}

// locate finds the columns of a row, up to the last that the group or the order names.
func (t *TopK) locate(row []byte) {
	if t.reach == 0 {
		for _, c := range t.Group {
			t.reach = max(t.reach, c+1)
		}
		for _, o := range t.Order {
			t.reach = max(t.reach, o.Col+1)
		}
	}
	t.cols = t.cols[:0]
	for range t.reach {
		t.cols = append(t.cols, row)
		row = repr.Skip(row)
	}
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
		var full bool
		t.before, full = t.window(t.before[:0], before, group)
		// What lies behind a full window does not move it.
		if !full || len(t.before) > 0 && bytes.Compare(first, t.before[len(t.before)-1].row) <= 0 {
			t.after, _ = t.window(t.after[:0], after, group)
			t.emit(out)
		}
		for from < in.Len() && bytes.HasPrefix(in.Row(from), group) {
			from++
		}
	}
}

// window lists the kept rows of a group, in order, and says whether the limit has been reached.
func (t *TopK) window(list []placed, cur *arrangement.Cursor, group []byte) (kept []placed, full bool) {
	skip, left := t.Offset, t.Limit
	if left == 0 {
		return list, true
	}
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
		list = append(list, placed{row: cur.Row(), n: n})
		if left == 0 {
			return list, true
		}
	}
	return list, false
}

// emit puts out how the window of a group has changed.
func (t *TopK) emit(out *arrangement.Builder) {
	i, j := 0, 0
	for i < len(t.before) || j < len(t.after) {
		c := 0
		switch {
		case i == len(t.before):
			c = 1
		case j == len(t.after):
			c = -1
		default:
			c = bytes.Compare(t.before[i].row, t.after[j].row)
		}
		var row []byte
		var n repr.Diff
		if c <= 0 {
			row, n = t.before[i].row, -t.before[i].n
			i++
		}
		if c >= 0 {
			row, n = t.after[j].row, n+t.after[j].n
			j++
		}
		if n != 0 {
			out.Add(repr.SkipN(row, len(t.Group)+1), n)
		}
	}
}

// Bytes is the memory of the operator's state.
func (t *TopK) Bytes() int64 { return t.rows.Bytes() }

// Rows is the size of the operator's state.
func (t *TopK) Rows() int64 { return t.rows.Rows() }
