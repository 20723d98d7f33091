package op

import (
	"testing"

	"millrace/arrangement"
	"millrace/repr"
)

const benchRows = 100_000

// windowBench is one partition of many rows in an order, under functions.
func windowBench(b *testing.B, funcs ...WindowFunc) (step func(order, value int64, diff repr.Diff) int) {
	b.Helper()
	w := NewWindow()
	w.Width, w.Order = 2, []Order{{Col: 0}}
	for _, f := range funcs {
		f.Filter, f.Distance, f.Default = -1, -1, -1
		w.Funcs = append(w.Funcs, f)
	}
	w.Init()
	in, out := arrangement.NewBuilder(), arrangement.NewBuilder()
	errs := &Errors{Rows: arrangement.NewBuilder(), Pack: packError}
	var row []byte
	add := func(order, value int64, diff repr.Diff) {
		row = repr.AppendFixed8(repr.AppendFixed8(row[:0], repr.KindInt8, order), repr.KindInt8, value)
		in.Keep(w.Key(in.Open(), row), diff)
	}
	run := func() int {
		out.Reset()
		w.Step(in.Seal(), out, errs)
		in.Reset()
		return out.Len()
	}
	for i := range int64(benchRows) {
		add(2*i, i%100, 1)
	}
	run()
	return func(order, value int64, diff repr.Diff) int {
		add(order, value, diff)
		return run()
	}
}

// BenchmarkWindow is one row that comes and goes, in a partition of 100,000, at its front, in its middle and at its end.
func BenchmarkWindow(b *testing.B) {
	sum := windowAggregates[1]
	best := windowAggregates[5]
	toHere := WindowFrame{Mode: FrameRange, End: WindowBound{Kind: CurrentRow}}
	last := WindowFrame{Start: WindowBound{Kind: OffsetPreceding, Offset: 9}, End: WindowBound{Kind: CurrentRow}}
	cases := []struct {
		name string
		f    WindowFunc
	}{
		{"lag", WindowFunc{Kind: WindowLag, Args: []int{1}, Shift: 1}},
		{"sum-of-10", WindowFunc{Agg: sum, Args: []int{1}, Frame: last}},
		{"row-number", WindowFunc{Kind: WindowRowNumber}},
		{"running-sum", WindowFunc{Agg: sum, Args: []int{1}, Frame: toHere}},
		{"running-max", WindowFunc{Agg: best, Args: []int{1}, Frame: toHere}},
	}
	places := []struct {
		name  string
		order int64
	}{{"front", 201}, {"middle", benchRows + 1}, {"end", 2*benchRows - 201}}
	for _, c := range cases {
		for _, at := range places {
			b.Run(c.name+"/"+at.name, func(b *testing.B) {
				step := windowBench(b, c.f)
				changed := 0
				for b.Loop() {
					changed = step(at.order, 50, 1)
					step(at.order, 50, -1)
				}
				b.ReportMetric(float64(changed), "rows/change")
			})
		}
	}
}
