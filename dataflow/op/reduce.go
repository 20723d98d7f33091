package op

import (
	"bytes"
	"slices"

	"millrace/arrangement"
	"millrace/repr"
)

// Agg is one aggregate of a Reduce. Columns count from 0 behind the key.
type Agg struct {
	Fn       *repr.Aggregate
	Args     []int
	Filter   int // -1: none
	Distinct bool
	Order    []Order
	Direct   bool // there is no Order, and packed arguments are canonical and in the order of their values
}

// Reduce keeps one row for each group: its key and its aggregates. What is linear lives in a hash table of groups, and over
// DISTINCT in a table of values beside it; what has to look at the rows of a group (min and max, ordered aggregates)
// indexes them.
type Reduce struct {
	Keys    int
	Aggs    []Agg
	Grows   bool               // no row is ever retracted: the winners of min and max are kept, and no index of their rows
	Default []byte             // with no keys: the row while the input is empty; nil: none
	Pulse   func()             // called now and then within a step, between which the state grows by little; nil: nobody asks
	Room    func(n int64) bool // says whether n bytes more may be taken; when not, the step is given up. nil: any

	groups   *groups
	forms    []aggForm // of an aggregate: where its state is
	objects  int
	distinct []*distinct
	indexed  []*indexed
	extremes extremes
	plain    []int // aggregates that are told of every row
	plains   []plainAgg
	touched  []touch
	mark     uint32
	cols     columns // of the row at hand
	args     []repr.Datum
	before   []byte // the packed rows of touched groups before the step
	warm     int64  // what was read ahead; nobody needs it
	started  bool
}

// aggForm is where the state of an aggregate is.
type aggForm struct {
	word    int      // linear: where its state begins in the words of a group
	counts  bool     // its word is its value
	object  int      // its place among the accumulators; -1: none
	index   *indexed // of one that looks at rows
	extreme int      // its place among min and max; -1: none
}

// touch is a group that the step changes. Its key and its row before lie in Reduce.before: what the end of the step needs
// of a group that is not its state is near at hand then.
type touch struct {
	from   int
	size   uint32 // of the row, or of the key alone where there was none
	key    uint32 // bytes of the key
	group  uint32
	exists bool
	err    *repr.Error // in place of a row
}

// Init prepares the operator once its exported fields are set.
func (r *Reduce) Init() {
	r.extremes.winners = newSpans()
	for i := range r.Aggs {
		a := &r.Aggs[i]
		f := aggForm{object: -1, extreme: -1}
		if a.Fn.New != nil {
			f.object = r.objects
			r.objects++
		}
		switch {
		case a.Fn.Extreme != 0:
			f.index = r.indexFor(i)
			f.extreme = len(r.extremes.aggs)
			r.extremes.aggs = append(r.extremes.aggs, extreme{index: f.index, sign: a.Fn.Extreme})
		case a.Fn.Fold != nil || a.Distinct && !a.Direct:
			f.index = newIndexed(a, i)
			r.indexed = append(r.indexed, f.index)
		case a.Distinct:
			r.addDistinct(i)
		default:
			r.plain = append(r.plain, i)
		}
		r.forms = append(r.forms, f)
	}
	for _, x := range r.distinct {
		x.values = newTable(len(x.aggs))
	}
	indexes := slices.ContainsFunc(r.indexed, func(x *indexed) bool { return x.rows != nil })
	own := ownWords(r.objects > 0, len(r.distinct) > 0 || indexes)
	r.groups = newGroups(own, r.place(own), r.objects > 0)
}

// indexFor is the index of a min or max: that of an earlier one over the same rows, or a new one.
func (r *Reduce) indexFor(i int) *indexed {
	a := &r.Aggs[i]
	for _, x := range r.indexed {
		if b := x.spec; b.Fn.Extreme != 0 && b.Filter == a.Filter && b.Direct == a.Direct && b.Fn.SkipNulls == a.Fn.SkipNulls && slices.Equal(b.Args, a.Args) {
			x.aggs = append(x.aggs, i)
			return x
		}
	}
	x := newIndexed(a, i)
	if r.Grows {
		x = newUnindexed(a, i)
	}
	r.indexed = append(r.indexed, x)
	return x
}

// addDistinct lets an aggregate share the values of an earlier one over the same arguments.
func (r *Reduce) addDistinct(i int) {
	for _, x := range r.distinct {
		if slices.Equal(x.args, r.Aggs[i].Args) {
			x.aggs = append(x.aggs, i)
			return
		}
	}
	r.distinct = append(r.distinct, &distinct{args: r.Aggs[i].Args, aggs: []int{i}})
}

// Step takes rows of key columns and argument columns, in any order, and emits how the rows of the groups change.
func (r *Reduce) Step(in arrangement.Batch, out *arrangement.Builder, errs *Errors) {
	r.mark++
	r.touched, r.before = r.touched[:0], r.before[:0]
	if r.Keys == 0 && !r.started {
		r.started = true
		if r.Default != nil {
			out.Add(r.Default, 1)
		}
	}
	for from := 0; from < in.Len(); from += ahead {
		if from%pulseEvery == 0 && r.stopped(errs) {
			return
		}
		r.updateSome(in, from, min(from+ahead, in.Len()))
	}
	for _, x := range r.indexed {
		x.commit()
		if x.spec.Distinct && x.spec.Fn.Fold == nil && x.spec.Fn.Extreme == 0 {
			x.distinct(r)
		}
	}
	r.extremes.settle()
	for from := 0; from < len(r.touched); from += ahead {
		some := r.touched[from:min(from+ahead, len(r.touched))]
		for i := range some {
			r.warm += r.groups.rows(some[i].group)
		}
		for i := range some {
			if errs.stopped() {
				return
			}
			r.emit(&some[i], out, errs)
		}
	}
}

// pulseEvery is after how many rows, a multiple of ahead, an operator says how much it holds.
const pulseEvery = 64 * ahead

// stopped says how much is held, and whether the step is to end.
func (r *Reduce) stopped(errs *Errors) bool {
	if r.Pulse != nil {
		r.Pulse()
	}
	return errs.stopped()
}

// updateSome adds rows to their groups, whose memory is read ahead for all of them.
func (r *Reduce) updateSome(in arrangement.Batch, from, to int) {
	var hashes [ahead]uint32
	var lens [ahead]int
	for i := from; i < to; i++ {
		row := in.Row(i)
		n := repr.PrefixLen(row, r.Keys)
		lens[i-from], hashes[i-from] = n, r.groups.hash(row[:n])
	}
	likely := r.groups.warmUp(hashes[:to-from])
	for i := from; i < to; i++ {
		row := in.Row(i)
		n := lens[i-from]
		g := r.groups.of(row[:n], hashes[i-from], likely[i-from])
		r.touch(g, row[:n])
		r.groups.add(g, row, in.Diff(i))
		r.update(g, row[n:], in.Diff(i))
	}
}

// update adds the columns of a row to the aggregates of its group.
func (r *Reduce) update(g uint32, row []byte, diff repr.Diff) {
	if len(r.Aggs) == 0 {
		return
	}
	r.cols.set(row)
	r.updatePlain(g, diff)
	for _, x := range r.distinct {
		x.update(r, g, diff)
	}
	for _, x := range r.indexed {
		if !r.counts(x.spec) {
			continue
		}
		entry := x.add(g, &r.cols, diff)
		for _, i := range x.aggs {
			if at := r.forms[i].extreme; at >= 0 {
				r.extremes.consider(staleWinner{group: g, at: at}, entry, diff)
			}
		}
	}
}

// touch notes a group that the step changes, with its row before the step.
func (r *Reduce) touch(g uint32, key []byte) {
	if r.groups.mark(g) == r.mark {
		return
	}
	r.groups.setMark(g, r.mark)
	t := touch{group: g, from: len(r.before), key: uint32(len(key))}
	r.before, t.exists, t.err = r.result(append(r.before, key...), g)
	t.size = uint32(len(r.before) - t.from)
	r.touched = append(r.touched, t)
}

// counts says whether the row at hand counts for an aggregate: it passes its filter, and is not NULL where that matters.
func (r *Reduce) counts(a *Agg) bool {
	if a.Filter >= 0 && !repr.IsTrue(r.cols.packed[a.Filter]) {
		return false
	}
	return !(a.Fn.SkipNulls && len(a.Args) > 0 && repr.IsNull(r.cols.packed[a.Args[0]]))
}

func (r *Reduce) argsOf(a *Agg) []repr.Datum {
	r.args = r.args[:0]
	for _, c := range a.Args {
		r.args = append(r.args, r.cols.at(c))
	}
	return r.args
}

// accumulate adds arguments to a linear aggregate.
func (r *Reduce) accumulate(g uint32, i int, args []repr.Datum, diff repr.Diff) {
	fn := r.Aggs[i].Fn
	if fn.Words > 0 {
		var arg repr.Datum
		if len(args) > 0 {
			arg = args[0]
		}
		fn.Add(r.groups.words(g, r.forms[i].word, fn.Words), arg, diff)
		return
	}
	r.objectsOf(g)[r.forms[i].object].Add(args, diff)
}

// objectsOf are the accumulators of a group that have a state of their own.
func (r *Reduce) objectsOf(g uint32) []repr.Accumulator {
	of := &r.groups.objs.of(int(g))[0]
	if *of == nil {
		objs := make([]repr.Accumulator, r.objects)
		for i, f := range r.forms {
			if f.object >= 0 {
				objs[f.object] = r.Aggs[i].Fn.New()
			}
		}
		*of = objs
	}
	return *of
}

// errNegativeCount marks a group that has been retracted more often than it was there.
var errNegativeCount = repr.NewError(repr.CodeInternal, "a group has a negative number of rows").
	WithDetail("its input retracts rows that were never inserted")

// result appends to the key of a group what follows it in its row, if there is one. With an error it is the key alone.
func (r *Reduce) result(dst []byte, g uint32) (row []byte, exists bool, err *repr.Error) {
	n := r.groups.rows(g)
	switch {
	case n == 0 && r.Keys > 0:
		return dst, false, nil
	case n == 0:
		return append(dst, r.Default...), r.started && r.Default != nil, nil
	}
	if n < 0 {
		return dst, true, errNegativeCount
	}
	end := len(dst)
	for i := range r.Aggs {
		if f := &r.forms[i]; f.counts {
			dst = repr.AppendFixed8(dst, repr.KindInt8, r.groups.stateOf(g)[f.word])
			continue
		}
		d, err := r.value(g, i)
		if err != nil {
			return dst[:end], true, err
		}
		dst = repr.Append(dst, d)
	}
	return dst, true, nil
}

// value is an aggregate of a group as it stands.
func (r *Reduce) value(g uint32, i int) (repr.Datum, *repr.Error) {
	fn, f := r.Aggs[i].Fn, &r.forms[i]
	switch {
	case f.extreme >= 0:
		row := r.extremes.winner(g, f.extreme)
		if len(row) == 0 {
			return repr.Null, nil
		}
		return f.index.argument(row), nil
	case fn.Fold != nil:
		return f.index.fold(g, r.Room)
	case fn.Words > 0:
		return fn.Result(r.groups.words(g, f.word, fn.Words))
	default:
		return r.objectsOf(g)[f.object].Result()
	}
}

// emit puts out how the row of a group has changed, if it has.
func (r *Reduce) emit(t *touch, out *arrangement.Builder, errs *Errors) {
	before := r.before[t.from : t.from+int(t.size)]
	start := len(out.Open())
	data, exists, err := r.result(append(out.Open(), before[:t.key]...), t.group)
	after := data[start:]
	switch {
	case exists && err != nil:
		errs.Add(err, after, 1)
	case exists && t.exists && t.err == nil && bytes.Equal(before, after):
		t.exists = false // nothing has changed
	case exists:
		out.Keep(data, 1)
	}
	switch {
	case !t.exists:
	case t.err != nil:
		errs.Add(t.err, before, -1)
	default:
		out.Add(before, -1)
	}
	if r.Keys > 0 && r.groups.empty(t.group) {
		r.groups.forget(t.group)
		r.extremes.forget(t.group)
	}
}

// Bytes is the memory of the operator's state.
func (r *Reduce) Bytes() int64 {
	n := r.groups.bytes() + r.extremes.winners.bytes() + int64(cap(r.before)+touchBytes*cap(r.touched))
	for _, x := range r.distinct {
		n += x.values.bytes()
	}
	for _, x := range r.indexed {
		n += x.bytes()
	}
	return n
}

// touchBytes is the size of a touch.
const touchBytes = 32

// Rows is the number of groups.
func (r *Reduce) Rows() int64 { return int64(r.groups.live) }
