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

// Placing is where rows stand: with those of equal columns Group, in an order, ties in the order of bytes.
type Placing struct {
	Group []int
	Order []Order

	reach int // columns that Key looks at, at most
	cols  [][]byte
	sort  []byte
}

// TopK keeps of each group the rows number Offset to Offset+Limit in an order. Its state is the input, indexed by group and
// order; of an input that only grows, the rows up to the last that is kept.
type TopK struct {
	Placing
	Limit  int64 // negative: none
	Offset int64
	Grows  bool // no row is ever retracted; there is a limit then

	rows   *Arranged
	next   *arrangement.Builder // what is to become of rows, when the input only grows
	before []placed
	after  []placed
}

// placed is a row of a window with the count that it is kept with.
type placed struct {
	row []byte
	n   repr.Diff
}

// NewTopK makes the operator; its exported fields are set by the caller.
func NewTopK() *TopK { return &TopK{rows: NewArranged(), next: arrangement.NewBuilder()} }

// Key packs what a row is indexed by: the columns of its group, its place in the order as one bytea, then the row.
func (t *Placing) Key(dst, row []byte) []byte {
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
func (t *Placing) locate(row []byte) {
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
	if t.Grows {
		t.grow(in, out)
		return
	}
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
			changes(t.before, t.after, out, len(t.Group)+1)
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

// changes puts out how the rows of a group have changed, without their first columns.
func changes(before, after []placed, out *arrangement.Builder, skip int) {
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		c := 0
		switch {
		case i == len(before):
			c = 1
		case j == len(after):
			c = -1
		default:
			c = bytes.Compare(before[i].row, after[j].row)
		}
		var row []byte
		var n repr.Diff
		if c <= 0 {
			row, n = before[i].row, -before[i].n
			i++
		}
		if c >= 0 {
			row, n = after[j].row, n+after[j].n
			j++
		}
		if n != 0 {
			out.Add(repr.SkipN(row, skip), n)
		}
	}
}

// grow is Step for an input that only grows: a row behind the last that is kept is never asked for again, so what is indexed
// is cut there.
func (t *TopK) grow(in arrangement.Batch, out *arrangement.Builder) {
	cur := t.rows.Cur.Cursor()
	for from := 0; from < in.Len(); {
		first := in.Row(from)
		group := first[:repr.PrefixLen(first, len(t.Group))]
		to := from + 1
		for to < in.Len() && bytes.HasPrefix(in.Row(to), group) {
			to++
		}
		t.before = t.before[:0]
		left := t.Offset + t.Limit
		for cur.SeekKey(group); cur.Valid(); cur.Next() {
			t.before = append(t.before, placed{row: cur.Row(), n: cur.Diff()})
			left -= cur.Diff()
		}
		if n := len(t.before); left > 0 || n > 0 && bytes.Compare(first, t.before[n-1].row) < 0 {
			t.after = t.merged(t.after[:0], in, from, to)
			changes(t.before, t.after, t.next, 0)
			changes(behind(t.before, t.Offset), behind(t.after, t.Offset), out, len(t.Group)+1)
		}
		from = to
	}
	t.rows.Step(t.next.Seal())
	t.next.Reset()
}

// merged lists the first Offset+Limit of the rows before and those that come, in order.
func (t *TopK) merged(list []placed, in arrangement.Batch, from, to int) []placed {
	old := t.before
	for left := t.Offset + t.Limit; left > 0 && (len(old) > 0 || from < to); {
		var p placed
		if from == to || len(old) > 0 && bytes.Compare(old[0].row, in.Row(from)) <= 0 {
			p, old = old[0], old[1:]
		} else {
			p = placed{row: in.Row(from)}
		}
		if from < to && bytes.Equal(p.row, in.Row(from)) {
			p.n += in.Diff(from)
			from++
		}
		p.n = min(p.n, left)
		left -= p.n
		list = append(list, p)
	}
	return list
}

// behind leaves out the first so many rows. It changes the list.
func behind(list []placed, skip int64) []placed {
	for skip > 0 && len(list) > 0 {
		if list[0].n > skip {
			list[0].n -= skip
			break
		}
		skip -= list[0].n
		list = list[1:]
	}
	return list
}

// Bytes is the memory of the operator's state.
func (t *TopK) Bytes() int64 { return t.rows.Bytes() + t.next.Held() }

// Rows is the size of the operator's state.
func (t *TopK) Rows() int64 { return t.rows.Rows() }
