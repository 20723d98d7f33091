package dataflow

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"millrace/arrangement"
	"millrace/dataflow/op"
	"millrace/repr"
)

// spanned is a range join of a test: left rows (k, v) have x = v, right rows (k, v) have lo = v, or hi = v, or lo = v
// and hi = v + 12 where there are both. Bare pairs do not hold the bounds.
type spanned struct {
	keys   int
	lo, hi op.Limit
	bare   bool
}

func (s spanned) name() string {
	return fmt.Sprintf("range-%d-%d-%d-%t", s.keys, s.lo, s.hi, s.bare)
}

// rangeCases are range joins of every form.
func rangeCases() []testCase {
	var out []testCase
	for _, ends := range [][2]op.Limit{{op.Open, op.NoLimit}, {op.Closed, op.NoLimit}, {op.NoLimit, op.Open}, {op.NoLimit, op.Closed},
		{op.Open, op.Open}, {op.Closed, op.Closed}, {op.Open, op.Closed}} {
		for keys := range 2 {
			for _, bare := range []bool{false, true} {
				s := spanned{keys: keys, lo: ends[0], hi: ends[1], bare: bare}
				out = append(out, testCase{s.name(), s.graph, s.plain})
			}
		}
	}
	return out
}

// side arranges (k, v) by no key or by k, then by n bounds, with k as it prints behind them.
func (s spanned) side(n int) Arrange {
	return Arrange{Keys: s.keys, New: func() RowFunc {
		return func(dst, row []byte) ([]byte, bool, *repr.Error) {
			r := repr.DecodeRow(nil, row)
			if s.keys > 0 {
				dst = repr.AppendKey(dst, r[0])
			}
			if r[1].IsNull() {
				return dst, false, nil
			}
			for i := range n {
				dst = repr.AppendKey(dst, repr.Int8(r[1].Int()+12*int64(i)))
			}
			return repr.Append(dst, r[0]), true, nil
		}
	}}
}

// bounds is how many the right side has.
func (s spanned) bounds() int {
	if s.lo != op.NoLimit && s.hi != op.NoLimit {
		return 2
	}
	return 1
}

func (s spanned) graph() *Graph {
	g := &Graph{}
	a := g.Add(s.side(1), "a", g.Add(Input{1}, "a"))
	b := g.Add(s.side(s.bounds()), "b", g.Add(Input{2}, "b"))
	g.Output = g.Add(RangeJoin{Range: op.Range{Lo: s.lo, Hi: s.hi, Reads: [2]bool{!s.bare, !s.bare}}, New: func() JoinFunc {
		return func(dst, key, l, r []byte) ([]byte, bool, *repr.Error) {
			if s.bare {
				l, r = repr.Skip(l), repr.SkipN(r, s.bounds())
			}
			return append(append(dst, l...), r...), true, nil
		}
	}}, "range join", a, b)
	return g
}

// within says whether x lies within the span of v.
func (s spanned) within(x, v int64) bool {
	lo, hi := v, v
	if s.bounds() == 2 {
		hi += 12
	}
	above := s.lo == op.NoLimit || x > lo || s.lo == op.Closed && x == lo
	return above && (s.hi == op.NoLimit || x < hi || s.hi == op.Closed && x == hi)
}

func (s spanned) plain(a, b rows) (rows, rows) {
	out := rows{}
	a.each(func(x []repr.Datum, d repr.Diff) {
		b.each(func(y []repr.Datum, e repr.Diff) {
			if x[1].IsNull() || y[1].IsNull() || s.keys > 0 && !x[0].Equal(y[0]) || !s.within(x[1].Int(), y[1].Int()) {
				return
			}
			row := []repr.Datum{x[0], y[0]}
			if !s.bare {
				row = []repr.Datum{x[1], x[0], y[1], y[0]}
				if s.bounds() == 2 {
					row = []repr.Datum{x[1], x[0], y[1], repr.Int8(y[1].Int() + 12), y[0]}
				}
			}
			out.add(row, d*e)
		})
	})
	return out, rows{}
}

// values are values of one kind, some of them equal and printed in two ways.
func valuesOfKinds() map[string][]repr.Datum {
	out := map[string][]repr.Datum{
		"bool":    {repr.Bool(false), repr.Bool(true)},
		"int4":    {repr.Int4(math.MinInt32), repr.Int4(-1), repr.Int4(0), repr.Int4(7), repr.Int4(math.MaxInt32)},
		"float8":  {},
		"numeric": {repr.Numeric(-25, 1), repr.Numeric(0, 0), repr.Numeric(11, 1), repr.Numeric(110, 2), repr.Numeric(2, 0), repr.Numeric(1000, 0)},
		"text":    {repr.Text(""), repr.Text("a"), repr.Text("a "), repr.Text("a!"), repr.Text("ab"), repr.Text("é"), repr.Text("\U0001f600")},
		"bytea":   {repr.Bytea(nil), repr.Bytea([]byte{0}), repr.Bytea([]byte{0, 0}), repr.Bytea([]byte{0, 1}), repr.Bytea([]byte{255}), repr.Bytea([]byte{255, 0})},
	}
	for _, f := range []float64{math.Inf(-1), -1.5, math.Copysign(0, -1), 0, 1e-300, 3, math.Inf(1), math.NaN()} {
		out["float8"] = append(out["float8"], repr.Float8(f))
	}
	for i := range int64(6) {
		out["timestamp"] = append(out["timestamp"], repr.Timestamp((i-3)*1_000_000_007))
		out["timestamptz"] = append(out["timestamptz"], repr.TimestampTZ((i-3)*1_000_000_007))
		out["date"] = append(out["date"], repr.Date(int32(i-3)*1000))
	}
	return out
}

// TestRangeJoinOfEveryKind holds range joins over values of all kinds of columns to a plain comparison of each pair.
func TestRangeJoinOfEveryKind(t *testing.T) {
	t.Parallel()
	limits := []op.Range{{Lo: op.Open}, {Lo: op.Closed}, {Hi: op.Open}, {Hi: op.Closed}}
	for name, values := range valuesOfKinds() {
		for i, limit := range limits {
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(uint64(i), 9))
				d := New(graphOfRange(limit), Options{})
				in, sum := map[uint64]rows{1: {}, 2: {}}, rows{}
				for at := range repr.Time(40) {
					deltas := map[uint64]Delta{}
					for id, have := range in {
						b := arrangement.NewBuilder()
						for range rng.IntN(4) {
							row, n := repr.AppendRow(nil, []repr.Datum{values[rng.IntN(len(values))]}), repr.Diff(1)
							if have[string(row)] > 0 && rng.IntN(2) == 0 {
								n = -1
							}
							have.add(repr.DecodeRow(nil, row), n)
							b.Add(row, n)
						}
						deltas[id] = Delta{OK: b.Seal()}
					}
					out, err := d.Step(context.Background(), at, deltas)
					if err != nil {
						t.Fatal(err)
					}
					collect(sum, out.OK)
					if want := plainRange(limit, in[1], in[2]); !maps.Equal(sum, want) {
						t.Fatalf("at %d: got %v\nwant %v", at, sum, want)
					}
				}
			})
		}
	}
}

func graphOfRange(limit op.Range) *Graph {
	g := &Graph{}
	arranged := func() RowFunc {
		return func(dst, row []byte) ([]byte, bool, *repr.Error) {
			v, _ := repr.Decode(row)
			return repr.Append(repr.AppendKey(dst, v), v), true, nil
		}
	}
	a := g.Add(Arrange{New: arranged}, "a", g.Add(Input{1}, "a"))
	b := g.Add(Arrange{New: arranged}, "b", g.Add(Input{2}, "b"))
	g.Output = g.Add(RangeJoin{Range: limit, New: func() JoinFunc {
		return func(dst, key, l, r []byte) ([]byte, bool, *repr.Error) {
			return append(append(dst, repr.Skip(l)...), repr.Skip(r)...), true, nil
		}
	}}, "range join", a, b)
	return g
}

func plainRange(limit op.Range, a, b rows) rows {
	out := rows{}
	a.each(func(x []repr.Datum, d repr.Diff) {
		b.each(func(y []repr.Datum, e repr.Diff) {
			c := repr.Compare(x[0], y[0])
			if limit.Lo == op.Open && c > 0 || limit.Lo == op.Closed && c >= 0 || limit.Hi == op.Open && c < 0 || limit.Hi == op.Closed && c <= 0 {
				out.add([]repr.Datum{x[0], y[0]}, d*e)
			}
		})
	})
	return out
}

// TestRangeJoinVisitsTheDifference moves the one row of the right side a little, over and over: the function of pairs is called
// for the rows between its old and its new place alone.
func TestRangeJoinVisitsTheDifference(t *testing.T) {
	t.Parallel()
	const n, step = 50_000, 10
	calls := 0
	g := graphOfMoving(&calls)
	d := New(g, Options{})
	b := arrangement.NewBuilder()
	for i := range int64(n) {
		b.Add(repr.AppendRow(nil, []repr.Datum{repr.Int8(i)}), 1)
	}
	row := func(v int64, n repr.Diff) { b.Add(repr.AppendRow(nil, []repr.Datum{repr.Int8(v)}), n) }
	if _, err := d.Step(context.Background(), 1, map[uint64]Delta{1: {OK: b.Seal()}}); err != nil {
		t.Fatal(err)
	}
	for at, v := 1, int64(n/2); at < 100; at, v = at+1, v+step {
		b.Reset()
		if at > 1 {
			row(v-step, -1)
		}
		row(v, 1)
		calls = 0
		out, err := d.Step(context.Background(), repr.Time(at), map[uint64]Delta{2: {OK: b.Seal()}})
		if err != nil {
			t.Fatal(err)
		}
		if want := step; at > 1 && (calls != want || out.OK.Len() != want) {
			t.Fatalf("step %d: %d pairs were looked at and %d put out, want %d", at, calls, out.OK.Len(), want)
		}
	}
}

func graphOfMoving(calls *int) *Graph {
	g := &Graph{}
	arranged := columns(1, 0)
	a := g.Add(Arrange{New: arranged}, "a", g.Add(Input{1}, "a"))
	b := g.Add(Arrange{New: arranged}, "b", g.Add(Input{2}, "b"))
	g.Output = g.Add(RangeJoin{Range: op.Range{Lo: op.Open, Reads: [2]bool{true, false}}, New: func() JoinFunc {
		return func(dst, _, l, _ []byte) ([]byte, bool, *repr.Error) {
			*calls++
			return append(dst, l...), true, nil
		}
	}}, "range join", a, b)
	return g
}

// BenchmarkMovingBound moves a bound over 100,000 rows by ten of them, as a range join and as a cross join with a filter.
func BenchmarkMovingBound(b *testing.B) {
	filtered := func() *Graph {
		calls := 0
		g := graphOfMoving(&calls)
		g.Nodes[g.Output].Op = Join{New: func() JoinFunc {
			return func(dst, _, l, r []byte) ([]byte, bool, *repr.Error) {
				x, _ := repr.Decode(l)
				y, _ := repr.Decode(r)
				return append(dst, l...), x.Int() > y.Int(), nil
			}
		}}
		return g
	}
	calls := 0
	for name, g := range map[string]*Graph{"range": graphOfMoving(&calls), "filter": filtered()} {
		b.Run(name, func(b *testing.B) {
			d, in := New(g, Options{Unsorted: true}), arrangement.NewBuilder()
			add := func(v int64, n repr.Diff) { in.Add(repr.AppendRow(nil, []repr.Datum{repr.Int8(v)}), n) }
			step := func(id uint64, at int) {
				if _, err := d.Step(context.Background(), repr.Time(at), map[uint64]Delta{id: {OK: in.Seal()}}); err != nil {
					b.Fatal(err)
				}
				in.Reset()
			}
			for i := range int64(100_000) {
				add(i, 1)
			}
			step(1, 0)
			at, v := 1, int64(50_000)
			add(v, 1)
			step(2, at)
			for b.Loop() {
				next := 40_000 + (v-40_000+10)%20_000
				add(v, -1)
				add(next, 1)
				at, v = at+1, next
				step(2, at)
			}
		})
	}
}

// BenchmarkRangeBesideKeys changes 1,000 keys of 50,000, each with so many rows on the other side, as a range join and as a join
// with a filter: half of the pairs are left.
func BenchmarkRangeBesideKeys(b *testing.B) {
	const keys, step = 50_000, 1000
	arranged := Arrange{Keys: 1, New: columns(2, 0, 1)}
	for _, each := range []int64{2, 20} {
		for _, how := range []string{"range", "filter"} {
			b.Run(fmt.Sprintf("%s/%d", how, each), func(b *testing.B) {
				g := &Graph{}
				left, right := g.Add(arranged, "a", g.Add(Input{1}, "a")), g.Add(arranged, "b", g.Add(Input{2}, "b"))
				pairs := func(dst, key, l, r []byte) ([]byte, bool, *repr.Error) {
					keep := how == "range" || bytes.Compare(l, r) > 0
					return append(append(dst, key...), l...), keep, nil
				}
				g.Output = g.Add(Join{New: func() JoinFunc { return pairs }}, "join", left, right)
				if how == "range" {
					g.Nodes[g.Output].Op = RangeJoin{Range: op.Range{Lo: op.Open, Reads: [2]bool{true, false}}, New: func() JoinFunc { return pairs }}
				}
				d, in := New(g, Options{Unsorted: true}), arrangement.NewBuilder()
				run := func(id uint64, at int) {
					if _, err := d.Step(context.Background(), repr.Time(at), map[uint64]Delta{id: {OK: in.Seal()}}); err != nil {
						b.Fatal(err)
					}
					in.Reset()
				}
				add := func(k, v int64, n repr.Diff) {
					in.Add(repr.AppendRow(nil, []repr.Datum{repr.Int8(k), repr.Int8(v)}), n)
				}
				for i := range keys * each {
					add(i%keys, i/keys*10, 1)
				}
				run(1, 0)
				for at := 1; b.Loop(); at++ {
					for i := range int64(step) {
						k, v := i*37%keys, each*5+int64(at%2)
						add(k, v, 1)
						if at > 1 {
							add(k, each*5+int64(1-at%2), -1)
						}
					}
					run(2, at)
				}
			})
		}
	}
}
