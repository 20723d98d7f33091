package op

import (
	"encoding/binary"

	"millrace/repr"
)

// distinct counts, for each group, how often each value of some arguments is there, for the linear aggregates over
// DISTINCT of these arguments, which are Direct: an aggregate is told when a value comes first and when the last of it
// goes. Aggregates that differ in their filter share the values and have a count each.
type distinct struct {
	args   []int
	aggs   []int // the aggregates; a value has a word for each
	values table
	key    []byte
	datums []repr.Datum
}

// update counts a row for the aggregates whose filter it passes.
func (x *distinct) update(r *Reduce, g uint32, diff repr.Diff) {
	var counts []int64
	var entry uint32
	for k, i := range x.aggs {
		if !r.counts(&r.Aggs[i]) {
			continue
		}
		if counts == nil {
			entry = x.entry(r, g)
			counts = x.values.stateOf(entry)
		}
		was := counts[k] > 0
		counts[k] += diff
		if is := counts[k] > 0; is && !was {
			r.accumulate(g, i, x.datums, 1)
		} else if was && !is {
			r.accumulate(g, i, x.datums, -1)
		}
	}
	if counts == nil {
		return
	}
	for _, n := range counts {
		if n != 0 {
			return
		}
	}
	x.values.drop(entry)
}

// entry finds the arguments of the row at hand under the number of its group.
func (x *distinct) entry(r *Reduce, g uint32) uint32 {
	x.key = binary.BigEndian.AppendUint32(x.key[:0], g)
	x.datums = x.datums[:0]
	for _, c := range x.args {
		x.datums = append(x.datums, r.cols.at(c))
		x.key = append(x.key, r.cols.packed[c]...)
	}
	i, _ := x.values.find(x.key, x.values.hash(x.key))
	return i
}
