package op

import (
	"bytes"

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
	pair []byte
}

// Step emits the change of the join.
func (j *Join) Step(left, right *Arranged, out *arrangement.Builder, errs *Errors) {
	j.probe(left.Delta, right.Cur, false, out, errs)
	j.probe(right.Delta, left.Prev, true, out, errs)
}

// probe joins a delta with the other side: for each run of equal keys, in order, it seeks forward. swapped says that the
// delta is of the right side.
func (j *Join) probe(delta arrangement.Batch, other *arrangement.Snapshot, swapped bool, out *arrangement.Builder, errs *Errors) {
	if delta.Len() == 0 {
		return
	}
	cur := other.Cursor()
	for from := 0; from < delta.Len(); {
		first := delta.Row(from)
		key := first[:repr.PrefixLen(first, j.Keys)]
		end := from + 1
		for end < delta.Len() && bytes.HasPrefix(delta.Row(end), key) {
			end++
		}
		for cur.Seek(key); cur.Valid() && bytes.HasPrefix(cur.Row(), key); cur.Next() {
			val := cur.Row()[len(key):]
			for i := from; i < end; i++ {
				j.emit(key, delta.Row(i)[len(key):], val, swapped, delta.Diff(i)*cur.Diff(), out, errs)
			}
		}
		from = end
	}
}

func (j *Join) emit(key, mine, theirs []byte, swapped bool, diff repr.Diff, out *arrangement.Builder, errs *Errors) {
	left, right := mine, theirs
	if swapped {
		left, right = theirs, mine
	}
	made, keep, err := j.F(out.Open(), key, left, right)
	switch {
	case err != nil:
		j.pair = append(append(append(j.pair[:0], key...), left...), right...)
		errs.Add(err, j.pair, diff)
	case keep:
		out.Keep(made, diff)
	}
}
