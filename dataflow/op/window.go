package op

import (
	"bytes"
	"math"
	"slices"

	"millrace/arrangement"
	"millrace/repr"
)

// WindowKind is what a function of a Window gives.
type WindowKind uint8

// The kinds of window function.
const (
	WindowAggregate WindowKind = iota // an aggregate over the frame
	WindowRowNumber
	WindowRank
	WindowDenseRank
	WindowPercentRank
	WindowCumeDist
	WindowNtile // Args: how many buckets
	WindowLag   // Args: the value
	WindowLead  // Args: the value
	WindowFirstValue
	WindowLastValue
	WindowNthValue // Args: the value and the number of the row
)

// WindowFunc is one function of a Window. Columns are those of the row.
type WindowFunc struct {
	Kind     WindowKind
	Agg      *repr.Aggregate // of WindowAggregate
	Args     []int
	Filter   int   // of an aggregate: a boolean column, only rows where it is true count; -1: none
	Shift    int64 // of lag and lead: how many rows away, when Distance is -1
	Distance int   // of lag and lead: the column that says how many rows away
	Default  int   // of lag and lead: the column whose value stands for a row that is not there; -1: NULL
	Frame    WindowFrame
}

// FrameMode is what the offsets of a frame count.
type FrameMode uint8

// The modes of a frame: rows, groups of peers, or the values of the order.
const (
	FrameRows FrameMode = iota
	FrameRange
	FrameGroups
)

// BoundKind is where an end of a frame lies.
type BoundKind uint8

// The ends of a frame. The current row stands for its peers too, but for FrameRows.
const (
	UnboundedPreceding BoundKind = iota
	OffsetPreceding
	CurrentRow
	OffsetFollowing
	UnboundedFollowing
)

// Exclusion is what a frame leaves out.
type Exclusion uint8

// The exclusions.
const (
	ExcludeNone  Exclusion = iota
	ExcludeRow             // the current row
	ExcludeGroup           // the current row and its peers
	ExcludeTies            // the peers of the current row
)

// WindowFrame is the rows around a row that a function looks at.
type WindowFrame struct {
	Mode    FrameMode
	Start   WindowBound
	End     WindowBound
	Exclude Exclusion
}

// WindowBound is one end of a frame.
type WindowBound struct {
	Kind   BoundKind
	Offset int64 // of FrameRows and FrameGroups
	Col    int   // of FrameRange with an offset: the column with the value of the order that the frame goes up to
}

// Window appends to each row the values of functions over the rows of its partition, in an order, ties in the order of
// bytes. Its state is the input, indexed by partition and order, and marks in large partitions from which running values
// go on. A step recomputes the rows that a change can reach, and puts out those whose values are others.
type Window struct {
	Width     int // columns of a row that are put out; those behind are for the functions alone
	Partition []int
	Order     []Order
	Funcs     []WindowFunc
	Pulse     func() // called now and then within a step, between which the state grows by little; nil: nobody asks

	funcs  []windowFunc
	reads  []int // columns that functions read, ascending
	sight  sight // of all functions together
	whole  bool  // a function depends on the number of rows of the partition
	onward bool  // a function goes on from all rows before
	start  bool  // a function needs all rows before at hand
	rows   *Arranged
	every  int64 // how many rows apart the marks are
	marks  map[string][]mark
	held   int64 // bytes of marks
	datums []repr.Datum
	sort   []byte
	change windowChange
}

// NewWindow makes the operator; its exported fields are set by the caller, who then calls Init.
func NewWindow() *Window {
	return &Window{rows: NewArranged(), every: markEvery, marks: map[string][]mark{}}
}

// Init prepares the operator once its exported fields are set.
func (w *Window) Init() {
	for i := range w.Funcs {
		f := &w.Funcs[i]
		w.reads = append(append(w.reads, f.Args...), f.Filter, f.Distance, f.Default)
		if f.Frame.Mode == FrameRange {
			w.reads = append(w.reads, offsetColumn(f.Frame.Start), offsetColumn(f.Frame.End))
		}
	}
	slices.Sort(w.reads)
	w.reads = slices.DeleteFunc(slices.Compact(w.reads), func(c int) bool { return c < 0 })
	w.sight = noSight
	for i := range w.Funcs {
		f := w.prepare(w.Funcs[i], i)
		w.funcs = append(w.funcs, f)
		w.sight.behind.add(f.behind)
		w.sight.ahead.add(f.ahead)
		w.whole = w.whole || f.whole
		w.onward = w.onward || f.onward
		w.start = w.start || f.start
	}
	w.change = windowChange{w: w, old: windowWalk{w: w}, now: windowWalk{w: w, marking: w.onward && !w.start}}
}

// offsetColumn is the column of an end with an offset; -1 for others.
func offsetColumn(b WindowBound) int {
	if b.Kind == OffsetPreceding || b.Kind == OffsetFollowing {
		return b.Col
	}
	return -1
}

// maxOffset is more rows than any partition has; larger offsets are cut to it, so that sums of them stay numbers.
const maxOffset = math.MaxInt64 / 8

// Key packs what a row is indexed by: the columns of its partition, its place in the order as one bytea, then the row.
func (w *Window) Key(dst, row []byte) []byte {
	w.datums = repr.DecodeRow(w.datums[:0], row)
	for _, c := range w.Partition {
		dst = repr.AppendKey(dst, w.datums[c])
	}
	w.sort = w.sort[:0]
	for _, o := range w.Order {
		w.sort = repr.AppendOrder(w.sort, w.datums[o.Col], o.Desc, o.NullsFirst)
	}
	dst = repr.Append(dst, repr.Bytea(w.sort))
	return append(dst, row...)
}

// head is the part of a packed row that its peers share: partition and order.
func (w *Window) head(row []byte) []byte { return row[:repr.PrefixLen(row, len(w.Partition)+1)] }

// Step takes a sealed batch of rows packed by Key.
func (w *Window) Step(in arrangement.Batch, out *arrangement.Builder, errs *Errors) {
	w.rows.Step(in)
	c := &w.change
	c.in, c.out, c.errs = in, out, errs
	for c.next = 0; c.next < in.Len(); {
		first := in.Row(c.next)
		c.part = first[:repr.PrefixLen(first, len(w.Partition))]
		for c.to = c.next; c.to < in.Len() && bytes.HasPrefix(in.Row(c.to), c.part); {
			c.to++
		}
		c.run()
		c.next = c.to
	}
	c.in, c.out, c.errs, c.part = arrangement.Batch{}, nil, nil, nil
	c.old.forget()
	c.now.forget()
}

// Bytes is the memory of the operator's state.
func (w *Window) Bytes() int64 {
	return w.rows.Bytes() + w.held + w.change.old.bytes() + w.change.now.bytes()
}

// Rows is the size of the operator's state.
func (w *Window) Rows() int64 { return w.rows.Rows() }
