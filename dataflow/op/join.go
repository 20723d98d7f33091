package op

import (
	"bytes"
	"sync/atomic"

	"millrace/arrangement"
	"millrace/repr"
)

// Join emits the change of left ⋈ right in a step, which is bilinear:
//
//	Δ(L ⋈ R) = ΔL ⋈ R' + L ⋈ ΔR
//
// where R' is the right side after the step and L the left side before it. Keys is the number of key columns.
type Join struct {
	Keys int
	F    JoinFunc
	Stop *atomic.Bool // looked at for every pair, for a pair may grow to any size; true ends the step early

	pair []byte
	keys [][]byte // that are looked up at once
	ends []int    // where the rows of each end in the delta
}

// Step emits the change of the join. It says whether it came to the end.
func (j *Join) Step(left, right *Index, out *arrangement.Builder, errs *Errors) bool {
	to := output{out, errs}
	return j.probe(left.Delta, right.Cur, false, to) && j.probe(right.Delta, left.Prev, true, to)
}

// HalfJoin emits what a stream of keyed rows makes with the rows of an index that have the same key. It keeps no state.
type HalfJoin struct {
	Join
	Before bool // the index as it was before the step, not as it is after
}

// Step emits the pairs; the stream is sorted. It says whether it came to the end.
func (h *HalfJoin) Step(stream arrangement.Batch, index *Index, out *arrangement.Builder, errs *Errors) bool {
	snap := index.Cur
	if h.Before {
		snap = index.Prev
	}
	return h.probe(stream, snap, false, output{out, errs})
}

// output is where an operator's rows and errors go.
type output struct {
	rows *arrangement.Builder
	errs *Errors
}

// probe joins a delta with the other side: for each run of equal keys, in order, it seeks forward, some keys at a time.
// swapped says that the delta is of the right side.
func (j *Join) probe(delta arrangement.Batch, other *arrangement.Snapshot, swapped bool, to output) bool {
	if delta.Len() == 0 || other.Empty() {
		return true
	}
	cur := other.Cursor()
	for from := 0; from < delta.Len(); {
		j.gather(delta, from)
		cur.Ahead(j.keys)
		for k := range j.keys {
			cur.SeekAhead(k)
			if !j.meet(cur, k, run{delta, from, j.ends[k], swapped}, to) {
				return false
			}
			from = j.ends[k]
		}
	}
	return true
}

// gather takes the next keys of a delta, as many as a cursor looks up at once.
func (j *Join) gather(delta arrangement.Batch, from int) {
	j.keys, j.ends = j.keys[:0], j.ends[:0]
	for from < delta.Len() && len(j.keys) < arrangement.AheadKeys {
		first := delta.Row(from)
		key := first[:repr.PrefixLen(first, j.Keys)]
		for from++; from < delta.Len() && bytes.HasPrefix(delta.Row(from), key); from++ {
		}
		j.keys, j.ends = append(j.keys, key), append(j.ends, from)
	}
}

// meet pairs the rows that a cursor finds under the k-th key with a run of that key.
func (j *Join) meet(cur *arrangement.Cursor, k int, r run, to output) bool {
	key := j.keys[k]
	for ; cur.Valid(); cur.Next() {
		p := pair{key: key, left: cur.Row()[len(key):], diff: cur.Diff()}
		if !j.emitAll(p, r, to) {
			return false
		}
	}
	return true
}

// run is rows of a delta with one key; swapped says that it is of the right side.
type run struct {
	delta   arrangement.Batch
	from    int
	end     int
	swapped bool
}

// emitAll pairs a row, and its count, with a run. It says whether it came to the end.
func (j *Join) emitAll(with pair, r run, to output) bool {
	p := with
	for i := r.from; i < r.end; i++ {
		p.right, p.diff = r.delta.Row(i)[len(p.key):], r.delta.Diff(i)*with.diff
		j.emit(p, r.swapped, to)
		if j.stopped() {
			return false
		}
	}
	return true
}

func (j *Join) stopped() bool { return j.Stop != nil && j.Stop.Load() }

// pair is two rows that meet: left is of the index that was probed, right of the delta.
type pair struct {
	key, left, right []byte
	diff             repr.Diff
}

// emit puts out a pair; unless swapped, the delta is of the left side.
func (j *Join) emit(p pair, swapped bool, to output) {
	if !swapped {
		p.left, p.right = p.right, p.left
	}
	made, keep, err := j.F(to.rows.Open(), p.key, p.left, p.right)
	switch {
	case err != nil:
		j.pair = append(append(append(j.pair[:0], p.key...), p.left...), p.right...)
		to.errs.Add(err, j.pair, p.diff)
	case keep:
		to.rows.Keep(made, p.diff)
	}
}
