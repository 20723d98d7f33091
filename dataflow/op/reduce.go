package op

import (
	"hash/maphash"

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
}

// Reduce keeps one row for each group: its key and its aggregates. What is linear lives in a hash table of groups; what
// has to look at the rows of a group (DISTINCT, min and max, ordered aggregates) indexes them.
type Reduce struct {
	Keys    int
	Aggs    []Agg
	Default []byte // with no keys: the row while the input is empty; nil: none

	groups  *groups
	words   []int // of an aggregate: where its state begins in the words of a group
	object  []int // of an aggregate: its place among the accumulators; -1: none
	objects int
	indexed []*indexed // of an aggregate that looks at rows; nil for others
	touched []touch
	of      []uint32 // of a row of the step: its group
	mark    uint32
	cols    []repr.Datum
	args    []repr.Datum
	started bool
}

// touch is a group that the step changes, with its row before.
type touch struct {
	group  uint32
	before Row
}

// Row is a packed row in the arena of a step; absent when its group had no rows.
type Row struct {
	bytes  []byte
	err    *repr.Error
	exists bool
}

// Init prepares the operator once its exported fields are set.
func (r *Reduce) Init() {
	words := 0
	for _, a := range r.Aggs {
		r.words = append(r.words, words)
		at := -1
		if a.Fn.New != nil {
			at = r.objects
			r.objects++
		}
		r.object = append(r.object, at)
		words += a.Fn.Words
		var x *indexed
		if a.Distinct || a.Fn.Fold != nil || a.Fn.Extreme != 0 {
			x = newIndexed()
		}
		r.indexed = append(r.indexed, x)
	}
	r.groups = newGroups(words, r.objects > 0)
}

// Step takes rows of key columns and argument columns, in any order, and emits how the rows of the groups change.
func (r *Reduce) Step(in arrangement.Batch, out *arrangement.Builder, errs *Errors) {
	r.mark++
	r.touched = r.touched[:0]
	if r.Keys == 0 && !r.started {
		r.started = true
		if r.Default != nil {
			out.Add(r.Default, 1)
		}
	}
	r.of = r.of[:0]
	for i := range in.Len() {
		r.of = append(r.of, r.touch(in.Row(i)))
	}
	for i := range in.Len() {
		r.update(r.of[i], in.Row(i), in.Diff(i))
	}
	for a, x := range r.indexed {
		if x != nil {
			x.commit(r, a)
		}
	}
	for _, t := range r.touched {
		r.emit(t, out, errs)
	}
}

// touch notes the group of a row, with its row before the step, and gives its number.
func (r *Reduce) touch(row []byte) uint32 {
	key := row[:repr.PrefixLen(row, r.Keys)]
	g, _ := r.groups.find(key)
	if r.groups.marks[g] != r.mark {
		r.groups.marks[g] = r.mark
		r.touched = append(r.touched, touch{group: g, before: r.result(g)})
	}
	return g
}

// update adds a row to its group.
func (r *Reduce) update(g uint32, row []byte, diff repr.Diff) {
	r.groups.rows[g] += diff
	if r.objects > 0 {
		r.groups.checks[g] += uint64(diff) * maphash.Bytes(r.groups.seed, row)
	}
	if len(r.Aggs) == 0 {
		return
	}
	n := repr.PrefixLen(row, r.Keys)
	key := row[:n]
	r.cols = repr.DecodeRow(r.cols[:0], row[n:])
	for i := range r.Aggs {
		a := &r.Aggs[i]
		if a.Filter >= 0 && !(r.cols[a.Filter].Kind() == repr.KindBool && r.cols[a.Filter].Bool()) {
			continue
		}
		if len(a.Args) > 0 && a.Fn.SkipNulls && r.cols[a.Args[0]].IsNull() {
			continue
		}
		if x := r.indexed[i]; x != nil {
			x.add(a, key, r.cols, diff)
			continue
		}
		r.accumulate(g, i, r.argsOf(a), diff)
	}
}

func (r *Reduce) argsOf(a *Agg) []repr.Datum {
	r.args = r.args[:0]
	for _, c := range a.Args {
		r.args = append(r.args, r.cols[c])
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
		st := r.groups.stateOf(g)
		fn.Add(st[r.words[i]:r.words[i]+fn.Words], arg, diff)
		return
	}
	r.objectsOf(g)[r.object[i]].Add(args, diff)
}

// objectsOf are the accumulators of a group that have a state of their own.
func (r *Reduce) objectsOf(g uint32) []repr.Accumulator {
	if r.groups.objs[g] == nil {
		objs := make([]repr.Accumulator, r.objects)
		for i, at := range r.object {
			if at >= 0 {
				objs[at] = r.Aggs[i].Fn.New()
			}
		}
		r.groups.objs[g] = objs
	}
	return r.groups.objs[g]
}

// errNegativeCount marks a group that has been retracted more often than it was there.
var errNegativeCount = repr.NewError(repr.CodeInternal, "a group has a negative number of rows").
	WithDetail("its input retracts rows that were never inserted")

// result is the row of a group as it stands.
func (r *Reduce) result(g uint32) Row {
	n := r.groups.rows[g]
	if n == 0 && r.Keys > 0 {
		return Row{}
	}
	if n == 0 {
		return Row{bytes: r.Default, exists: r.started && r.Default != nil}
	}
	key := r.groups.key(g)
	if n < 0 {
		return Row{bytes: append([]byte(nil), key...), err: errNegativeCount, exists: true}
	}
	out := append(make([]byte, 0, len(key)+10*len(r.Aggs)), key...)
	for i := range r.Aggs {
		d, err := r.value(g, i, key)
		if err != nil {
			return Row{bytes: append([]byte(nil), key...), err: err, exists: true}
		}
		out = repr.Append(out, d)
	}
	return Row{bytes: out, exists: true}
}

// value is an aggregate of a group as it stands.
func (r *Reduce) value(g uint32, i int, key []byte) (repr.Datum, *repr.Error) {
	a := &r.Aggs[i]
	x := r.indexed[i]
	switch {
	case x != nil && a.Fn.Extreme != 0:
		return x.extreme(a, key), nil
	case x != nil && a.Fn.Fold != nil:
		return x.fold(a, key)
	case a.Fn.Words > 0:
		st := r.groups.stateOf(g)
		return a.Fn.Result(st[r.words[i] : r.words[i]+a.Fn.Words])
	default:
		return r.objectsOf(g)[r.object[i]].Result()
	}
}

// emit puts out how the row of a group has changed.
func (r *Reduce) emit(t touch, out *arrangement.Builder, errs *Errors) {
	after := r.result(t.group)
	r.put(t.before, -1, out, errs)
	r.put(after, 1, out, errs)
	if r.Keys > 0 && r.groups.empty(t.group) {
		r.groups.drop(t.group)
	}
}

func (r *Reduce) put(row Row, diff repr.Diff, out *arrangement.Builder, errs *Errors) {
	switch {
	case !row.exists:
	case row.err != nil:
		errs.Add(row.err, row.bytes, diff)
	default:
		out.Add(row.bytes, diff)
	}
}

// Bytes is the memory of the operator's state.
func (r *Reduce) Bytes() int64 {
	n := r.groups.bytes()
	for _, x := range r.indexed {
		if x != nil {
			n += x.rows.Bytes()
		}
	}
	return n
}

// Rows is the number of groups.
func (r *Reduce) Rows() int64 { return int64(r.groups.live) }
