package op

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/arrangement"
	"millrace/repr"
)

// The rows of these tests: partition, order, value, the ends of a RANGE frame with offsets, a count, and a condition.
const (
	colPart = iota
	colOrder
	colValue
	colLow
	colHigh
	colCount
	colCond
)

// rangeOffset is how far the ends of RANGE frames are from the order.
const rangeOffset = 3

// windowRow makes a row of a partition, an order (negative: NULL) and a value (negative: NULL).
func windowRow(part, order, value int64, decimal, desc bool) []byte {
	key := repr.Numeric(part, 0)
	if decimal {
		key = repr.Numeric(10*part, 1) // equal, and printed otherwise
	}
	row := []repr.Datum{key, repr.Null, repr.Null, repr.Null, repr.Null, repr.Int8(value%4 + 1), repr.Bool(value%3 != 0)}
	if order >= 0 {
		row[colOrder], row[colLow], row[colHigh] = repr.Int8(order), repr.Int8(order-rangeOffset), repr.Int8(order+rangeOffset)
		if desc {
			row[colLow], row[colHigh] = row[colHigh], row[colLow]
		}
	}
	if value >= 0 {
		row[colValue] = repr.Int8(value)
	}
	return repr.AppendRow(nil, row)
}

// list is an accumulator of a test: the sum of values, with a state of its own.
type total struct{ n int64 }

func (s *total) Add(args []repr.Datum, d repr.Diff)   { s.n += args[0].Int() * d }
func (s *total) Result() (repr.Datum, *repr.Error)    { return repr.Int8(s.n), nil }
func (s *total) Clone() repr.Accumulator              { return &total{n: s.n} }
func addWord(st []int64, a repr.Datum, d repr.Diff)   { st[0] += a.Int() * d }
func countWord(st []int64, _ repr.Datum, d repr.Diff) { st[0] += d }
func wordOf(st []int64) (repr.Datum, *repr.Error)     { return repr.Int8(st[0]), nil }
func smallWordOf(st []int64) (repr.Datum, *repr.Error) {
	if st[0] > 40 {
		return repr.Null, repr.NewError(repr.CodeNumericOutOfRange, "bigint out of range")
	}
	return repr.Int8(st[0]), nil
}

var windowAggregates = []*repr.Aggregate{
	{Name: "count", Words: 1, Add: countWord, Result: wordOf, Empty: repr.Int8(0)},
	{Name: "sum", Words: 1, SkipNulls: true, Add: addWord, Result: wordOf},
	{Name: "small", Words: 1, SkipNulls: true, Add: addWord, Result: smallWordOf},
	{Name: "total", SkipNulls: true, New: func() repr.Accumulator { return &total{} }},
	{Name: "min", SkipNulls: true, Extreme: -1},
	{Name: "max", SkipNulls: true, Extreme: 1},
	{Name: "list", Fold: func(rows iter.Seq2[[]repr.Datum, repr.Diff]) (repr.Datum, *repr.Error) {
		var b strings.Builder
		for args, n := range rows {
			for range n {
				fmt.Fprintf(&b, "%v,", args[0].Int())
			}
		}
		return repr.Text(b.String()), nil
	}},
}

func randomBound(rng *rand.Rand, mode FrameMode, col int, kinds ...BoundKind) WindowBound {
	b := WindowBound{Kind: kinds[rng.IntN(len(kinds))], Offset: int64(rng.IntN(4)), Col: -1}
	if mode == FrameRange {
		b.Col = col
	}
	return b
}

func randomFrame(rng *rand.Rand) WindowFrame {
	f := WindowFrame{Mode: FrameMode(rng.IntN(3)), Exclude: Exclusion(rng.IntN(4))}
	if rng.IntN(2) == 0 {
		f.Exclude = ExcludeNone
	}
	f.Start = randomBound(rng, f.Mode, colLow, UnboundedPreceding, OffsetPreceding, CurrentRow, UnboundedPreceding, OffsetFollowing)
	ends := []BoundKind{OffsetPreceding, CurrentRow, OffsetFollowing, UnboundedFollowing}
	switch f.Start.Kind {
	case CurrentRow:
		ends = ends[1:]
	case OffsetFollowing:
		ends = ends[2:]
		f.Start.Col = f.endColumn(colHigh)
	default:
	}
	f.End = randomBound(rng, f.Mode, colHigh, ends...)
	if f.End.Kind == OffsetPreceding {
		f.End.Col = f.endColumn(colLow)
	}
	return f
}

func (f *WindowFrame) endColumn(col int) int {
	if f.Mode == FrameRange {
		return col
	}
	return -1
}

func randomFunc(rng *rand.Rand) WindowFunc {
	f := WindowFunc{Kind: WindowKind(rng.IntN(int(WindowNthValue) + 1)), Filter: -1, Distance: -1, Default: -1}
	if rng.IntN(3) == 0 {
		f.Kind = WindowAggregate
	}
	switch f.Kind {
	case WindowAggregate:
		f.Agg, f.Args = windowAggregates[rng.IntN(len(windowAggregates))], []int{colValue}
		if rng.IntN(4) == 0 {
			f.Filter = colCond
		}
	case WindowNtile:
		f.Args = []int{colCount}
	case WindowLag, WindowLead:
		f.Args, f.Shift = []int{colValue}, int64(rng.IntN(4)-1)
		if rng.IntN(5) == 0 {
			f.Distance = colCount
		}
		if rng.IntN(3) == 0 {
			f.Default = colOrder
		}
	case WindowFirstValue, WindowLastValue:
		f.Args = []int{colValue}
	case WindowNthValue:
		f.Args = []int{colValue, colCount}
	default:
	}
	f.Frame = randomFrame(rng)
	return f
}

// windowHistory holds one operator to recomputation.
type windowHistory struct {
	*rand.Rand
	w       *Window
	in      map[string]repr.Diff
	out     map[string]repr.Diff
	spread  int64
	changes int
}

func newWindowHistory(seed uint64) *windowHistory {
	rng := rand.New(rand.NewPCG(seed, 11))
	w := NewWindow()
	w.every = int64(1 + rng.IntN(8))
	w.Width, w.Partition = colValue+1, []int{colPart}
	w.Order = []Order{{Col: colOrder, Desc: rng.IntN(2) == 0, NullsFirst: rng.IntN(2) == 0}}
	for range 1 + rng.IntN(3)*rng.IntN(2) {
		w.Funcs = append(w.Funcs, randomFunc(rng))
	}
	w.Init()
	return &windowHistory{Rand: rng, w: w, in: map[string]repr.Diff{}, out: map[string]repr.Diff{}, spread: 1 + rng.Int64N(20),
		changes: 1 + rng.IntN(12)}
}

// step changes the input at random; settle makes all counts positive.
func (h *windowHistory) step(settle bool) arrangement.Batch {
	b := arrangement.NewBuilder()
	change := func(row string, d repr.Diff) {
		b.Keep(h.w.Key(b.Open(), []byte(row)), d)
		if h.in[row] += d; h.in[row] == 0 {
			delete(h.in, row)
		}
	}
	for range h.IntN(h.changes) {
		row := windowRow(h.Int64N(2), h.Int64N(h.spread+1)-1, h.Int64N(h.spread+1)-1, h.IntN(4) == 0, h.w.Order[0].Desc)
		change(string(row), repr.Diff(h.IntN(4)-1))
	}
	for _, row := range slices.Sorted(maps.Keys(h.in)) {
		if d := h.in[row]; d < 0 && settle || h.IntN(12) == 0 {
			change(row, -d)
		}
	}
	return b.Seal()
}

// TestWindowAgainstRecomputation drives random functions with random histories and holds the sum of the output to a plain
// recomputation of every partition, row by row.
func TestWindowAgainstRecomputation(t *testing.T) {
	t.Parallel()
	seeds := uint64(300)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		h := newWindowHistory(seed)
		out, errRows := arrangement.NewBuilder(), arrangement.NewBuilder()
		errs := &Errors{Rows: errRows, Pack: packError}
		for tick := range 25 {
			settle := h.IntN(3) > 0
			out.Reset()
			errRows.Reset()
			in := h.step(settle)
			h.w.Step(in, out, errs)
			for _, b := range []arrangement.Batch{out.View(), errRows.View()} {
				seen := map[string]bool{}
				for i := range b.Len() {
					if h.out[string(b.Row(i))] += b.Diff(i); h.out[string(b.Row(i))] == 0 {
						delete(h.out, string(b.Row(i)))
					}
					if k := fmt.Sprint(b.Diff(i) > 0, b.Row(i)); b.Diff(i) < 0 {
						seen[k] = true
					} else if seen[fmt.Sprint(false, b.Row(i))] {
						t.Fatalf("seed %d, step %d: a row is taken away and given back", seed, tick)
					}
				}
			}
			want := plainWindow(h.w, h.in)
			if !maps.Equal(h.out, want) {
				t.Fatalf("seed %d, step %d, desc %v nulls first %v, %+v\nafter %s\ngot\n%swant\n%s", seed, tick, h.w.Order[0].Desc,
					h.w.Order[0].NullsFirst, h.w.Funcs, showRows(batchRows(h.w, in)), showRows(h.out), showRows(want))
			}
		}
	}
}

func batchRows(w *Window, b arrangement.Batch) map[string]repr.Diff {
	out := map[string]repr.Diff{}
	for i := range b.Len() {
		out[string(b.Row(i)[len(w.head(b.Row(i))):])] = b.Diff(i)
	}
	return out
}

func packError(dst []byte, e *repr.Error, row []byte) []byte {
	return append(append(dst, row...), "error "+e.Message...)
}

func showRows(m map[string]repr.Diff) string {
	var lines []string
	for k, d := range m {
		line := fmt.Sprintf("%+d:", d)
		if at := strings.Index(k, "error "); at >= 0 {
			line += " " + k[at:]
			k = k[:at]
		}
		for _, v := range repr.DecodeRow(nil, []byte(k)) {
			switch v.Kind() {
			case repr.KindNull:
				line += " NULL"
			case repr.KindNumeric:
				line += " " + string(repr.AppendNumericText(nil, v))
			case repr.KindText:
				line += " " + v.Str()
			case repr.KindFloat8:
				line += fmt.Sprint(" ", v.Float())
			default:
				line += fmt.Sprint(" ", v.Int())
			}
		}
		lines = append(lines, line+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// plain is the reference: the rows of one partition in order, each as often as it is there.
type plain struct {
	w    *Window
	keys [][]byte
	rows [][]repr.Datum
}

func plainWindow(w *Window, in map[string]repr.Diff) map[string]repr.Diff {
	parts := map[string]*plain{}
	for row, n := range in {
		if n <= 0 {
			continue
		}
		key := w.Key(nil, []byte(row))
		part := string(key[:repr.PrefixLen(key, 1)])
		if parts[part] == nil {
			parts[part] = &plain{w: w}
		}
		for range n {
			parts[part].keys = append(parts[part].keys, key)
		}
	}
	out := map[string]repr.Diff{}
	for _, p := range parts {
		slices.SortFunc(p.keys, bytes.Compare)
		for _, k := range p.keys {
			p.rows = append(p.rows, repr.DecodeRow(nil, k[len(w.head(k)):]))
		}
		for i := range p.rows {
			out[p.row(i)]++
		}
	}
	return out
}

// row is row i with its values, or its error.
func (p *plain) row(i int) string {
	row := repr.AppendRow(nil, p.rows[i][:p.w.Width])
	out := row
	for _, f := range p.w.Funcs {
		d, err := p.value(&f, i)
		if err != nil {
			return string(packError(nil, err, row))
		}
		out = repr.Append(out[:len(out):len(out)], d)
	}
	return string(out)
}

func (p *plain) head(i int) string { return string(p.w.head(p.keys[i])) }

// group gives the first row of the group of peers of row i, the first behind it, and how many groups are before it.
func (p *plain) group(i int) (from, to, before int) {
	for j := range p.keys {
		switch {
		case p.head(j) < p.head(i):
			if from = j + 1; j == 0 || p.head(j) != p.head(j-1) {
				before++
			}
		case p.head(j) == p.head(i):
			to = j + 1
		}
	}
	return from, to, before
}

func (p *plain) value(f *WindowFunc, i int) (repr.Datum, *repr.Error) {
	n := len(p.rows)
	from, to, before := p.group(i)
	switch f.Kind {
	case WindowRowNumber:
		return repr.Int8(int64(i + 1)), nil
	case WindowRank:
		return repr.Int8(int64(from + 1)), nil
	case WindowDenseRank:
		return repr.Int8(int64(before + 1)), nil
	case WindowPercentRank:
		if n == 1 {
			return repr.Float8(0), nil
		}
		return repr.Float8(float64(from) / float64(n-1)), nil
	case WindowCumeDist:
		return repr.Float8(float64(to) / float64(n)), nil
	case WindowNtile:
		return p.ntile(i, int(p.rows[0][colCount].Int()))
	case WindowLag, WindowLead:
		by := int(f.Shift)
		if f.Distance >= 0 {
			by = int(p.rows[i][f.Distance].Int())
		}
		if f.Kind == WindowLag {
			by = -by
		}
		switch {
		case i+by >= 0 && i+by < n:
			return p.rows[i+by][f.Args[0]], nil
		case f.Default >= 0:
			return p.rows[i][f.Default], nil
		}
		return repr.Null, nil
	default:
		return p.framed(f, p.frame(&f.Frame, i), i)
	}
}

// ntile deals the rows out to buckets one by one.
func (p *plain) ntile(i, buckets int) (repr.Datum, *repr.Error) {
	if buckets <= 0 {
		return repr.Null, errBuckets
	}
	sizes := make([]int, buckets)
	for j := range p.rows {
		sizes[j%buckets]++
	}
	for b, size := range sizes {
		if i < size {
			return repr.Int4(int32(b + 1)), nil
		}
		i -= size
	}
	return repr.Null, nil
}

// frame are the rows that are not outside of either end and are not excluded.
func (p *plain) frame(f *WindowFrame, i int) []int {
	from, to, _ := p.group(i)
	var out []int
	for j := range p.rows {
		excluded := f.Exclude == ExcludeRow && j == i || f.Exclude == ExcludeGroup && j >= from && j < to ||
			f.Exclude == ExcludeTies && j != i && j >= from && j < to
		if !excluded && p.place(f, &f.Start, i, j) >= 0 && p.place(f, &f.End, i, j) <= 0 {
			out = append(out, j)
		}
	}
	return out
}

// place says whether row j is before an end of the frame of row i, at it, or behind it.
func (p *plain) place(f *WindowFrame, b *WindowBound, i, j int) int {
	by := int(b.Offset)
	switch b.Kind {
	case UnboundedPreceding:
		return 1
	case UnboundedFollowing:
		return -1
	case CurrentRow:
		by = 0
	case OffsetPreceding:
		by = -by
	case OffsetFollowing:
	}
	switch {
	case f.Mode == FrameRows:
		return j - (i + by)
	case f.Mode == FrameGroups || b.Kind == CurrentRow:
		_, _, gi := p.group(i)
		_, _, gj := p.group(j)
		return gj - (gi + by)
	}
	o := p.w.Order[0]
	return bytes.Compare(repr.AppendOrder(nil, p.rows[j][colOrder], o.Desc, o.NullsFirst),
		repr.AppendOrder(nil, p.rows[i][b.Col], o.Desc, o.NullsFirst))
}

func (p *plain) framed(f *WindowFunc, frame []int, i int) (repr.Datum, *repr.Error) {
	var at int
	switch f.Kind {
	case WindowFirstValue:
		at = 0
	case WindowLastValue:
		at = len(frame) - 1
	case WindowNthValue:
		n := p.rows[i][f.Args[1]]
		if n.Int() <= 0 {
			return repr.Null, errNth
		}
		at = int(n.Int()) - 1
	default:
		return p.aggregate(f, frame)
	}
	if at < 0 || at >= len(frame) {
		return repr.Null, nil
	}
	return p.rows[frame[at]][f.Args[0]], nil
}

func (p *plain) aggregate(f *WindowFunc, frame []int) (repr.Datum, *repr.Error) {
	var args [][]repr.Datum
	for _, j := range frame {
		arg := p.rows[j][f.Args[0]]
		if f.Filter >= 0 && !p.rows[j][f.Filter].Bool() || f.Agg.SkipNulls && arg.IsNull() {
			continue
		}
		args = append(args, []repr.Datum{arg})
	}
	if len(args) == 0 {
		return f.Agg.Empty, nil
	}
	switch {
	case f.Agg.Words > 0:
		st := make([]int64, f.Agg.Words)
		for _, a := range args {
			f.Agg.Add(st, a[0], 1)
		}
		return f.Agg.Result(st)
	case f.Agg.New != nil:
		acc := f.Agg.New()
		for _, a := range args {
			acc.Add(a, 1)
		}
		return acc.Result()
	case f.Agg.Extreme != 0:
		best := args[0][0]
		for _, a := range args {
			if repr.Compare(a[0], best)*f.Agg.Extreme > 0 {
				best = a[0]
			}
		}
		return best, nil
	}
	return f.Agg.Fold(func(yield func([]repr.Datum, repr.Diff) bool) {
		for _, a := range args {
			if !yield(a, 1) {
				return
			}
		}
	})
}
