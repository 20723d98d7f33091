package dataflow

import (
	"bytes"
	"slices"

	"millrace/dataflow/op"
	"millrace/repr"
)

// graphOfWindow numbers the rows of a partition, and gives the value before and the sum of the last three.
func graphOfWindow() *Graph {
	none := op.WindowFunc{Filter: -1, Distance: -1, Default: -1}
	number, before, sum := none, none, none
	number.Kind = op.WindowRowNumber
	before.Kind, before.Args, before.Shift = op.WindowLag, []int{1}, 1
	sum.Agg, sum.Args = sumInt, []int{1}
	sum.Frame = op.WindowFrame{Start: op.WindowBound{Kind: op.OffsetPreceding, Offset: 2}, End: op.WindowBound{Kind: op.CurrentRow}}
	g := &Graph{}
	g.Output = g.Add(Window{Width: 2, Partition: []int{0}, Order: []OrderCol{{Col: 1, Desc: true}},
		Funcs: []op.WindowFunc{number, before, sum}}, "window", g.Add(Input{1}, "a"))
	return g
}

func plainWindow(a, _ rows) (rows, rows) {
	out, errs := rows{}, rows{}
	for _, ws := range group(a, nil) {
		var all [][]repr.Datum
		for _, w := range ws {
			for range w.d {
				all = append(all, w.row)
			}
		}
		place := func(r []repr.Datum) []byte { return repr.AppendRow(repr.AppendOrder(nil, r[1], true, false), r) }
		slices.SortFunc(all, func(x, y []repr.Datum) int { return bytes.Compare(place(x), place(y)) })
		for i, r := range all {
			before, sum := repr.Null, repr.Null
			if i > 0 {
				before = all[i-1][1]
			}
			for _, s := range all[max(0, i-2) : i+1] {
				switch {
				case s[1].IsNull():
				case sum.IsNull():
					sum = s[1]
				default:
					sum = repr.Int8(sum.Int() + s[1].Int())
				}
			}
			out.add([]repr.Datum{r[0], r[1], repr.Int8(int64(i + 1)), before, sum}, 1)
		}
	}
	return out, errs
}
