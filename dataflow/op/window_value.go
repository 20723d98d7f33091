package op

import (
	"bytes"

	"millrace/repr"
)

// windowFrame is what a walk keeps of a function from row to row. Frames only move on.
type windowFrame struct {
	start, end int64     // of FrameRange with offsets: the ends of the last frame
	sum        windowSum // of the rows lo to hi
	lo, hi     int64
	queue      []int64 // of an extreme over a frame that moves: the rows that are it, or will be when those before have gone
	empty      bool    // the last frame
	buckets    int64   // of ntile
}

// evaluate appends the values of all functions for the next row to the buffer.
func (k *windowWalk) evaluate() *repr.Error {
	k.low = k.at
	for i := range k.w.funcs {
		d, err := k.value(&k.w.funcs[i], &k.frames[i])
		if err != nil {
			k.low = k.off // the functions that were not asked have not said what they need
			return err
		}
		k.buf = repr.Append(k.buf, d)
	}
	return nil
}

func (k *windowWalk) value(f *windowFunc, fr *windowFrame) (repr.Datum, *repr.Error) {
	switch f.Kind {
	case WindowRowNumber:
		return repr.Int8(k.at + 1), nil
	case WindowRank:
		return repr.Int8(k.groupStart(k.place(k.at).group) + 1), nil
	case WindowDenseRank:
		return repr.Int8(k.place(k.at).group + 1), nil
	case WindowPercentRank:
		if k.total <= 1 {
			return repr.Float8(0), nil
		}
		return repr.Float8(float64(k.groupStart(k.place(k.at).group)) / float64(k.total-1)), nil
	case WindowCumeDist:
		return repr.Float8(float64(k.groupStart(k.place(k.at).group+1)) / float64(k.total)), nil
	case WindowNtile:
		return k.ntile(f, fr)
	case WindowLag, WindowLead:
		return k.shifted(f), nil
	case WindowFirstValue, WindowLastValue, WindowNthValue:
		return k.framed(f, fr)
	case WindowAggregate:
	}
	return k.aggregate(f, fr)
}

// errBuckets and errNth are PostgreSQL's.
var (
	errBuckets = repr.NewError("22014", "argument of ntile must be greater than zero")
	errNth     = repr.NewError("22016", "argument of nth_value must be greater than zero")
)

// ntile is the bucket of the row when the partition is cut into as many as its first row says, the first ones one larger
// where they do not come out even.
func (k *windowWalk) ntile(f *windowFunc, fr *windowFrame) (repr.Datum, *repr.Error) {
	arg := k.first()[f.Args[0]]
	if arg.IsNull() {
		return repr.Null, nil
	}
	n := arg.Int()
	fr.buckets = n
	if n <= 0 {
		return repr.Null, errBuckets
	}
	size, larger := k.total/n, k.total%n
	bucket := k.at / (size + 1)
	if bucket >= larger {
		bucket = larger + (k.at-larger*(size+1))/size
	}
	return repr.Int4(int32(bucket + 1)), nil
}

// shifted is lag and lead.
func (k *windowWalk) shifted(f *windowFunc) repr.Datum {
	vals := k.place(k.at).vals
	by := f.Shift
	if f.Distance < 0 {
		k.need(k.at + by + 1)
	} else {
		k.need(0) // the next row may look anywhere
		if vals[f.Distance].IsNull() {
			return repr.Null
		}
		if by = vals[f.Distance].Int(); f.Kind == WindowLag {
			by = -by
		}
	}
	if i := k.at + by; i >= k.off {
		if p := k.place(i); p != nil {
			return p.vals[f.Args[0]]
		}
	}
	if f.Default < 0 {
		return repr.Null
	}
	return vals[f.Default]
}

// need keeps the rows from number i on at hand.
func (k *windowWalk) need(i int64) { k.low = max(min(k.low, i), k.off) }

// frame gives the numbers of the first row of the frame and of the first behind it.
func (k *windowWalk) frame(f *windowFunc, fr *windowFrame) (start, end int64) {
	start = k.bound(f, f.Frame.Start, &fr.start, false)
	end = k.bound(f, f.Frame.End, &fr.end, true)
	for end > k.read() && k.load() {
	}
	end = max(min(end, k.read()), start)
	fr.empty = start == end
	if f.start || f.Frame.Start.Kind != UnboundedPreceding {
		k.need(start)
	} else {
		k.need(end - 1)
	}
	return start, end
}

// bound is where a frame begins, or the place behind its end. at is where it was for the row before.
func (k *windowWalk) bound(f *windowFunc, b WindowBound, at *int64, end bool) int64 {
	past := int64(0) // a frame ends behind the row or group that its end names
	if end {
		past = 1
	}
	by := b.Offset
	switch b.Kind {
	case UnboundedPreceding:
		return 0
	case UnboundedFollowing:
		return maxOffset
	case CurrentRow:
		by = 0
	case OffsetPreceding:
		by = -by
	case OffsetFollowing:
	}
	switch {
	case f.Frame.Mode == FrameRows:
		return max(k.at+by+past, 0)
	case f.Frame.Mode == FrameGroups || b.Kind == CurrentRow:
		return k.groupStart(k.place(k.at).group + by + past)
	}
	// A NULL in the order stands among its peers alone, and so does its bound.
	limit := k.w.bound(append(k.buf[len(k.buf):], k.part...), k.place(k.at).vals[b.Col])
	for p := k.place(*at); p != nil; p = k.place(*at) {
		if c := bytes.Compare(p.key[:p.head], limit); c > 0 || c == 0 && !end {
			break
		}
		*at++
	}
	k.need(*at)
	return *at
}

// excluded are the rows that the frame leaves out: from number from up to to, but for the row spare (-1: none).
type excluded struct{ from, to, spare int64 }

func (x excluded) has(i int64) bool { return i >= x.from && i < x.to && i != x.spare }

func (k *windowWalk) excluded(f *windowFunc) excluded {
	x := excluded{from: k.at, to: k.at, spare: -1}
	switch f.Frame.Exclude {
	case ExcludeNone:
	case ExcludeRow:
		x.to++
	case ExcludeGroup, ExcludeTies:
		g := k.place(k.at).group
		x.from, x.to = k.groupStart(g), k.groupStart(g+1)
		if f.Frame.Exclude == ExcludeTies {
			x.spare = k.at
		}
		k.need(x.from)
	}
	return x
}

// framed is first_value, last_value and nth_value.
func (k *windowWalk) framed(f *windowFunc, fr *windowFrame) (repr.Datum, *repr.Error) {
	start, end := k.frame(f, fr)
	nth := int64(1)
	if f.Kind == WindowNthValue {
		n := k.place(k.at).vals[f.Args[1]]
		if n.IsNull() {
			return repr.Null, nil
		}
		if nth = n.Int(); nth <= 0 {
			return repr.Null, errNth
		}
	}
	if start == end {
		return repr.Null, nil
	}
	if f.onward {
		return k.first()[f.Args[0]], nil
	}
	x := k.excluded(f)
	step := int64(1)
	at := start
	if f.Kind == WindowLastValue {
		step, at = -1, end-1
	}
	for ; at >= start && at < end; at += step {
		if x.has(at) {
			continue
		}
		if nth--; nth == 0 {
			return k.place(at).vals[f.Args[0]], nil
		}
	}
	return repr.Null, nil
}

// aggregate is the aggregate over the frame.
func (k *windowWalk) aggregate(f *windowFunc, fr *windowFrame) (repr.Datum, *repr.Error) {
	start, end := k.frame(f, fr)
	x := k.excluded(f)
	switch {
	case f.refold:
		return k.refold(f, start, end, x)
	case f.Agg.Extreme != 0 && !f.onward:
		return k.extreme(f, fr, start, end), nil
	}
	if start >= fr.hi {
		fr.sum = newSum(f.Agg)
		fr.lo, fr.hi = start, start
	}
	for ; fr.hi < end; fr.hi++ {
		fr.sum.add(f, k.place(fr.hi).vals, 1)
	}
	for ; fr.lo < start; fr.lo++ {
		fr.sum.add(f, k.place(fr.lo).vals, -1)
	}
	k.need(fr.hi)
	if x.from == x.to {
		return fr.sum.value(f.Agg)
	}
	k.leaveOut(f, fr, x, -1)
	d, err := fr.sum.value(f.Agg)
	k.leaveOut(f, fr, x, 1)
	return d, err
}

// leaveOut takes the excluded rows of the frame away from its sum, or gives them back.
func (k *windowWalk) leaveOut(f *windowFunc, fr *windowFrame, x excluded, n repr.Diff) {
	for i := max(x.from, fr.lo); i < min(x.to, fr.hi); i++ {
		if x.has(i) {
			fr.sum.add(f, k.place(i).vals, n)
		}
	}
}

// extreme is the least or greatest value of a frame whose start moves.
func (k *windowWalk) extreme(f *windowFunc, fr *windowFrame, start, end int64) repr.Datum {
	arg := f.Args[0]
	if start >= fr.hi {
		fr.queue, fr.hi = fr.queue[:0], start
	}
	for ; fr.hi < end; fr.hi++ {
		vals := k.place(fr.hi).vals
		if !f.counts(vals) {
			continue
		}
		for n := len(fr.queue); n > 0 && repr.Compare(vals[arg], k.place(fr.queue[n-1]).vals[arg])*f.Agg.Extreme >= 0; n-- {
			fr.queue = fr.queue[:n-1]
		}
		fr.queue = append(fr.queue, fr.hi)
	}
	k.need(fr.hi)
	for len(fr.queue) > 0 && fr.queue[0] < start {
		fr.queue = fr.queue[1:]
	}
	if len(fr.queue) == 0 {
		return f.Agg.Empty
	}
	return k.place(fr.queue[0]).vals[arg]
}

// refold computes an aggregate from the rows of the frame, in their order.
func (k *windowWalk) refold(f *windowFunc, start, end int64, x excluded) (repr.Datum, *repr.Error) {
	if f.Agg.Extreme != 0 {
		s := newSum(f.Agg)
		for i := start; i < end; i++ {
			if !x.has(i) {
				s.add(f, k.place(i).vals, 1)
			}
		}
		return s.value(f.Agg)
	}
	none := true
	var args []repr.Datum
	d, err := f.Agg.Fold(func(yield func([]repr.Datum, repr.Diff) bool) {
		for i := start; i < end; i++ {
			vals := k.place(i).vals
			if x.has(i) || !f.counts(vals) {
				continue
			}
			none = false
			args = f.argsOf(args[:0], vals)
			if !yield(args, 1) {
				return
			}
		}
	})
	if none && err == nil {
		return f.Agg.Empty, nil
	}
	return d, err
}
