package op

import (
	"bytes"
	"encoding/binary"

	"millrace/arrangement"
	"millrace/repr"
)

// Within a loop an update belongs to an iteration, and what is indexed bears its iteration behind the row: rows are
// self-delimiting, so the iterations of one row stand together, in order.
const iterationBytes = 4

// iterated is a row of a loop's index taken apart.
func iterated(row []byte) (bare []byte, iteration int) {
	n := len(row) - iterationBytes
	return row[:n:n], int(binary.BigEndian.Uint32(row[n:]))
}

// StepAt adds a sealed batch of rows at an iteration of a loop. Delta is the batch as it came; Prev and Cur hold rows
// with their iterations.
func (a *Arranged) StepAt(delta arrangement.Batch, iteration int) {
	a.Prev, a.Delta = a.Cur, delta
	if delta.Len() == 0 {
		return
	}
	stamped := arrangement.NewBuilder()
	for i := range delta.Len() {
		row := append(stamped.Open(), delta.Row(i)...)
		stamped.Keep(binary.BigEndian.AppendUint32(row, uint32(iteration)), delta.Diff(i))
	}
	a.arr.Insert(stamped.Seal())
	a.Cur = a.arr.Snapshot()
}

// Fix is the view of an index from outside of a loop during one run of it: Delta is what came since the last run.
func Fix(prev, cur *arrangement.Snapshot, delta arrangement.Batch) *Arranged {
	return &Arranged{Index: Index{Prev: prev, Cur: cur, Delta: delta}}
}

// Rest says that nothing more comes in this run.
func (a *Arranged) Rest() { a.Index.Settle() }

// LoopJoin is a join in a loop. Two updates meet at the later of their iterations; a side that is fixed comes from outside
// of the loop, where all is of iteration 0 and bears none.
type LoopJoin struct {
	Join
	Fixed    [2]bool // left, right
	MaxBytes int     // of output at once; 0: no limit
	TooLarge bool    // the output has grown beyond it
}

// LoopOutput gives the place for updates of an iteration, the present one or a later one.
type LoopOutput func(iteration int) *arrangement.Builder

// Step pairs what came on either side at an iteration with all that the other side holds. It says whether it came to the
// end.
func (j *LoopJoin) Step(left, right *Arranged, iteration int, out LoopOutput, errs *Errors) bool {
	p := loopProbe{j: j, iteration: iteration, out: out, errs: errs}
	p.fixed = j.Fixed[1]
	if !p.probe(left.Delta, right.Cur, false) {
		return false
	}
	p.fixed = j.Fixed[0]
	return p.probe(right.Delta, left.Prev, true)
}

// loopProbe is one probe of a side.
type loopProbe struct {
	j         *LoopJoin
	iteration int
	out       LoopOutput
	errs      *Errors
	fixed     bool // the side that is probed
}

func (p *loopProbe) probe(delta arrangement.Batch, other *arrangement.Snapshot, swapped bool) bool {
	if delta.Len() == 0 {
		return true
	}
	cur := other.Cursor()
	for from := 0; from < delta.Len(); {
		first := delta.Row(from)
		key := first[:repr.PrefixLen(first, p.j.Keys)]
		end := from + 1
		for end < delta.Len() && bytes.HasPrefix(delta.Row(end), key) {
			end++
		}
		for cur.SeekKey(key); cur.Valid(); cur.Next() {
			row, at := cur.Row(), p.iteration
			if !p.fixed {
				bare, i := iterated(row)
				row, at = bare, max(at, i)
			}
			to := output{p.out(at), p.errs}
			x := pair{key: key, left: row[len(key):], diff: cur.Diff()}
			if !p.j.emitAll(x, run{delta, from, end, swapped}, to) || p.j.full(to.rows) {
				return false
			}
		}
		from = end
	}
	return true
}

// full notes that the output is too large.
func (j *LoopJoin) full(out *arrangement.Builder) bool {
	j.TooLarge = j.MaxBytes > 0 && len(out.Open()) > j.MaxBytes
	return j.TooLarge
}

// LoopThreshold is Threshold in a loop. What it puts out of a row at an iteration is the change there of the row's clamped
// count, so when a count changes at one iteration, its output may change there and at each later one at which the
// row has updates.
type LoopThreshold struct {
	Threshold
	start *arrangement.Snapshot // before this run
}

// NewLoopThreshold makes the operator.
func NewLoopThreshold(distinct bool) *LoopThreshold {
	return &LoopThreshold{Threshold: *NewThreshold(distinct)}
}

// Begin begins a run of the loop.
func (t *LoopThreshold) Begin() { t.start = t.counts.Cur }

// Step takes a sealed batch of what came at an iteration, and the rows that are to be looked at again. later is told where to look at
// a row again.
func (t *LoopThreshold) Step(in, again arrangement.Batch, iteration int, out *arrangement.Builder, later LoopOutput) {
	t.counts.StepAt(in, iteration)
	was, is := t.start.Cursor(), t.counts.Cur.Cursor()
	for row := range merged(in, again) {
		wasBefore, wasAt, _ := tally(was, row, iteration)
		before, at, next := tally(is, row, iteration)
		d := t.clamp(at) - t.clamp(before) - (t.clamp(wasAt) - t.clamp(wasBefore))
		if d != 0 {
			out.Add(row, d)
		}
		if next > 0 {
			later(next).Add(row, 1)
		}
	}
}

// tally sums the count of a row before and up to an iteration, and gives the next one at which it changes; 0: none.
func tally(cur *arrangement.Cursor, row []byte, iteration int) (before, at repr.Diff, next int) {
	for cur.SeekKey(row); cur.Valid(); cur.Next() {
		_, i := iterated(cur.Row())
		switch {
		case i < iteration:
			before += cur.Diff()
			at += cur.Diff()
		case i == iteration:
			at += cur.Diff()
		case next == 0:
			next = i
		}
	}
	return before, at, next
}

// merged are the rows of two sorted batches in order, each once.
func merged(a, b arrangement.Batch) func(yield func(row []byte) bool) {
	return func(yield func(row []byte) bool) {
		for i, k := 0, 0; i < a.Len() || k < b.Len(); {
			c := -1
			if i == a.Len() {
				c = 1
			} else if k < b.Len() {
				c = bytes.Compare(a.Row(i), b.Row(k))
			}
			var row []byte
			if c <= 0 {
				row = a.Row(i)
				i++
			}
			if c >= 0 {
				row = b.Row(k)
				k++
			}
			if !yield(row) {
				return
			}
		}
	}
}
