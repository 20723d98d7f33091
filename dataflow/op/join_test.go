package op

import (
	"testing"

	"millrace/arrangement"
	"millrace/repr"
)

// BenchmarkJoin joins deltas of 1,000 rows with a side of 100,000, two rows a key.
func BenchmarkJoin(b *testing.B) {
	const keys, step = 50_000, 1_000
	keyed := func(from, n, stride int64) arrangement.Batch {
		rows := arrangement.NewBuilder()
		for i := range n {
			row := repr.AppendKey(nil, repr.Int8((from+i*stride)%keys))
			rows.Add(repr.Append(row, repr.Int8(from+i)), 1)
		}
		return rows.Seal()
	}
	left, right := NewArranged(), NewArranged()
	right.Step(keyed(0, 2*keys, 1))
	right.Step(arrangement.NewBuilder().Seal())
	j := Join{Keys: 1, F: func(dst, key, l, r []byte) ([]byte, bool, *repr.Error) {
		return append(append(append(dst, key...), l...), r...), true, nil
	}}
	left.Step(keyed(0, step, 37))
	out, errs := arrangement.NewBuilder(), &Errors{}
	for b.Loop() {
		out.Reset()
		j.Step(&left.Index, &right.Index, out, errs)
	}
	if out.Len() != 2*step {
		b.Fatalf("%d rows", out.Len())
	}
}
