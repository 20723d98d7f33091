package op

import (
	"millrace/arrangement"
	"millrace/repr"
)

// Threshold keeps the rows with a positive count: with that count, or once when Distinct.
type Threshold struct {
	Distinct bool
	counts   *Arranged
}

// NewThreshold makes the operator.
func NewThreshold(distinct bool) *Threshold {
	return &Threshold{Distinct: distinct, counts: NewArranged()}
}

// Step takes a sealed batch.
func (t *Threshold) Step(in arrangement.Batch, out *arrangement.Builder) {
	t.counts.Step(in)
	cur := t.counts.Prev.Cursor()
	for i := range in.Len() {
		row := in.Row(i)
		var before repr.Diff
		if cur.SeekKey(row); cur.Valid() {
			before = cur.Diff()
		}
		if d := t.clamp(before+in.Diff(i)) - t.clamp(before); d != 0 {
			out.Add(row, d)
		}
	}
}

func (t *Threshold) clamp(n repr.Diff) repr.Diff {
	switch {
	case n <= 0:
		return 0
	case t.Distinct:
		return 1
	default:
		return n
	}
}

// Bytes is the memory of the operator's state.
func (t *Threshold) Bytes() int64 { return t.counts.Bytes() }

// Rows is the size of the operator's state.
func (t *Threshold) Rows() int64 { return t.counts.Rows() }
