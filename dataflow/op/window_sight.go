package op

import (
	"bytes"
	"slices"

	"millrace/arrangement"
	"millrace/repr"
)

// reach is how far from a row a function looks, to one side.
type reach struct {
	rows   int64 // so many rows
	groups int64 // so many groups of peers beside the row's own; -1: not even that
	ranged []int // the functions (by number) whose column says up to which value
	all    bool
}

// sight is how far a function looks from its row. A change in a row concerns the rows from which it is seen: those that
// look ahead to it stand before it, those that look behind to it stand after it.
type sight struct{ behind, ahead reach }

var noSight = sight{reach{groups: -1}, reach{groups: -1}}

func (r *reach) add(o reach) {
	r.rows = max(r.rows, o.rows)
	r.groups = max(r.groups, o.groups)
	r.ranged = append(slices.Clip(r.ranged), o.ranged...)
	r.all = r.all || o.all
}

// settling is when a function that goes on from all rows before is the same again before and after a step.
type settling uint8

const (
	settleNever settling = iota
	settleValue          // when its value is
	settleFrame          // when its value is, and its frame is not empty
	settleIndex          // when its value is, and as many rows stand before
	settleWords          // when the words of its sum are
)

// windowFunc is a function of a Window, ready to run. Columns are places among the values that walks keep of a row.
type windowFunc struct {
	WindowFunc
	sight
	number int
	onward bool // it goes on from all rows before, by their number or their sum: none but those in sight need be at hand
	start  bool // it needs all rows before
	whole  bool
	refold bool // the aggregate is computed again from the rows of the frame
	settle settling
}

// prepare finds out how far a function sees.
func (w *Window) prepare(def WindowFunc, number int) windowFunc {
	f := windowFunc{WindowFunc: def, sight: noSight, number: number}
	f.Args = make([]int, len(def.Args))
	for i, c := range def.Args {
		f.Args[i] = w.place(c)
	}
	f.Filter, f.Distance, f.Default = w.place(def.Filter), w.place(def.Distance), w.place(def.Default)
	for _, b := range []*WindowBound{&f.Frame.Start, &f.Frame.End} {
		b.Offset = min(b.Offset, maxOffset)
		if f.Frame.Mode == FrameRange {
			b.Col = w.place(offsetColumn(*b))
		}
	}
	switch f.Kind {
	case WindowRowNumber, WindowRank, WindowDenseRank, WindowPercentRank, WindowCumeDist, WindowNtile:
		f.ranks()
	case WindowLag, WindowLead:
		f.shifts()
	default:
		f.frames()
	}
	return f
}

// place is where a column stands among the values that are kept of a row.
func (w *Window) place(col int) int {
	i, ok := slices.BinarySearch(w.reads, col)
	if !ok {
		return -1
	}
	return i
}

func (f *windowFunc) ranks() {
	f.onward, f.settle = true, settleIndex
	switch f.Kind {
	case WindowDenseRank:
		f.settle = settleValue
	case WindowPercentRank, WindowNtile:
		f.whole = true
	case WindowCumeDist:
		f.whole, f.ahead.groups = true, 0
	default: // row_number and rank
	}
}

func (f *windowFunc) shifts() {
	if f.Kind == WindowLag {
		f.Shift = -f.Shift
	}
	f.Shift = max(min(f.Shift, maxOffset), -maxOffset)
	switch {
	case f.Distance >= 0:
		f.start, f.behind.all, f.ahead.all = true, true, true
	case f.Shift < 0:
		f.behind.rows = -f.Shift
	default:
		f.ahead.rows = f.Shift
	}
}

// frames looks at the frame of an aggregate, first_value, last_value or nth_value.
func (f *windowFunc) frames() {
	f.behind = f.boundReach(f.Frame.Start, OffsetPreceding, UnboundedPreceding)
	f.ahead = f.boundReach(f.Frame.End, OffsetFollowing, UnboundedFollowing)
	// How far the other end of the frame is away on that side.
	lag := f.boundReach(f.Frame.End, OffsetPreceding, UnboundedPreceding)
	lead := f.boundReach(f.Frame.Start, OffsetFollowing, UnboundedFollowing)
	if f.Frame.Exclude == ExcludeGroup || f.Frame.Exclude == ExcludeTies {
		f.behind.groups, f.ahead.groups = max(f.behind.groups, 0), max(f.ahead.groups, 0)
		lag.groups, lead.groups = max(lag.groups, 0), max(lead.groups, 0)
	}
	plain := f.Frame.Exclude == ExcludeNone
	switch f.Kind {
	case WindowFirstValue:
		if f.ahead.all && plain && lead.ranged == nil {
			f.ahead = lead
		}
	case WindowLastValue:
		if f.behind.all && plain && lag.ranged == nil {
			f.behind = lag
		}
	case WindowAggregate:
		f.refold = f.Agg.Fold != nil || f.Agg.Extreme != 0 && !plain
	default: // nth_value
	}
	if !f.behind.all {
		return
	}
	f.settle = f.settlesBy(plain)
	if f.onward = f.settle != settleNever || f.Kind == WindowAggregate && !f.refold; f.onward {
		f.behind = lag
	} else {
		f.start = true
	}
}

// settlesBy is how a function whose frames begin with the partition becomes the same again.
func (f *windowFunc) settlesBy(plain bool) settling {
	switch {
	case f.Kind == WindowFirstValue && plain:
		return settleFrame
	case f.Kind != WindowAggregate || f.refold:
		return settleNever
	case f.Agg.Words > 0:
		return settleWords
	case f.Agg.Extreme != 0:
		return settleValue
	}
	return settleNever
}

// boundReach is how far an end of the frame is away when it has an offset to that side, or none.
func (f *windowFunc) boundReach(b WindowBound, offset, unbounded BoundKind) reach {
	r := noSight.behind
	if f.Frame.Mode != FrameRows {
		r.groups = 0
	}
	switch b.Kind {
	case unbounded:
		r.all = true
	case offset:
		switch f.Frame.Mode {
		case FrameRows:
			r.rows = b.Offset
		case FrameGroups:
			r.groups = b.Offset
		case FrameRange:
			r.ranged = []int{f.number}
		}
	default: // the row itself, or an end on the other side
	}
	return r
}

// behindColumn is the column of the end of a function's frame that lies behind the row: the start, or, of a function that
// goes on from all rows before, the end.
func (f *windowFunc) behindColumn() int {
	if f.Frame.Start.Kind == UnboundedPreceding {
		return f.Frame.End.Col
	}
	return f.Frame.Start.Col
}

// aheadColumn is the column of the end of a function's frame that lies ahead of the row.
func (f *windowFunc) aheadColumn() int {
	if f.Frame.End.Kind == UnboundedFollowing {
		return f.Frame.Start.Col
	}
	return f.Frame.End.Col
}

// before is the last row of the partition that is less than limit, with its count.
func (w *Window) before(snap *arrangement.Snapshot, part, limit []byte) (row []byte, n repr.Diff) {
	for {
		row, n, ok := snap.Before(limit)
		switch {
		case !ok || !bytes.HasPrefix(row, part):
			return nil, 0
		case n > 0:
			return row, n
		}
		limit = row
	}
}

// back is the place so many rows and groups before key, which is a row, a head, or the partition for its start.
func (w *Window) back(snap *arrangement.Snapshot, part, key []byte, r *reach) []byte {
	if r.all || len(key) == len(part) {
		return part
	}
	at := key
	for left := r.rows; left > 0; {
		row, n := w.before(snap, part, at)
		if row == nil {
			return part
		}
		at, left = row, left-n
	}
	if r.groups < 0 {
		return at
	}
	head := w.head(key)
	for range r.groups {
		row, _ := w.before(snap, part, head)
		if row == nil {
			return part
		}
		head = w.head(row)
	}
	return earlier(at, head)
}

func earlier(a, b []byte) []byte {
	if bytes.Compare(a, b) < 0 {
		return a
	}
	return b
}

// context is where a walk that shall give the values of rows from key on must begin to read.
func (w *Window) context(snap *arrangement.Snapshot, part, key []byte) []byte {
	at := w.back(snap, part, key, &w.sight.behind)
	if len(w.sight.behind.ranged) == 0 {
		return at
	}
	cur := snap.Cursor()
	for cur.Seek(key); cur.Valid() && bytes.HasPrefix(cur.Row(), part); cur.Next() {
		if cur.Diff() <= 0 {
			continue
		}
		vals := w.pick(nil, cur.Row()[len(w.head(cur.Row())):])
		for _, f := range w.sight.behind.ranged {
			at = earlier(at, w.bound(slices.Clone(part), vals[w.funcs[f].behindColumn()]))
		}
		break
	}
	return at
}

// concerned is the first row of a snapshot that a change at key may concern.
func (w *Window) concerned(snap *arrangement.Snapshot, part, key []byte) []byte {
	at := w.back(snap, part, key, &w.sight.ahead)
	if len(w.sight.ahead.ranged) == 0 || len(at) == len(part) {
		return at
	}
	place := w.head(key)
	for head := place; ; {
		row, _ := w.before(snap, part, head)
		if row == nil {
			return part
		}
		head = w.head(row)
		vals := w.pick(nil, row[len(head):])
		if !w.seesUpTo(vals, part, place) {
			return at
		}
		at = earlier(at, head)
	}
}

// seesUpTo says whether the frame of one of the functions ends at a place or further on.
func (w *Window) seesUpTo(vals []repr.Datum, part, place []byte) bool {
	for _, f := range w.sight.ahead.ranged {
		if bytes.Compare(w.bound(slices.Clone(part), vals[w.funcs[f].aheadColumn()]), place) >= 0 {
			return true
		}
	}
	return false
}

// bound packs a value of the order behind the partition, as Key does.
func (w *Window) bound(dst []byte, d repr.Datum) []byte {
	o := w.Order[0]
	w.sort = repr.AppendOrder(w.sort[:0], d, o.Desc, o.NullsFirst)
	return repr.Append(dst, repr.Bytea(w.sort))
}

// pick decodes the columns that functions read.
func (w *Window) pick(dst []repr.Datum, row []byte) []repr.Datum {
	at := 0
	for _, c := range w.reads {
		row = repr.SkipN(row, c-at)
		var d repr.Datum
		d, row = repr.Decode(row)
		dst, at = append(dst, d), c+1
	}
	return dst
}
