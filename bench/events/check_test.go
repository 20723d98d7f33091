package events

import (
	"io"
	"testing"

	"millrace/bench/generate"
	"millrace/repr"
)

func TestHash(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		columns []int64
		want    uint64
	}{
		{nil, 0},
		{[]int64{1}, 0x9E3779B9E17D05AC}, // the constant, folded by hand
		{[]int64{0}, 0},
	} {
		if got := uint64(Hash(tc.columns)); got != tc.want {
			t.Errorf("Hash(%v) = %016x, want %016x", tc.columns, got, tc.want)
		}
	}
	if Hash([]int64{1, 2}) == Hash([]int64{2, 1}) {
		t.Error("the order of columns does not count")
	}
}

func TestAddCountsIntegersOnly(t *testing.T) {
	t.Parallel()
	row := repr.AppendRow(nil, []repr.Datum{repr.Int8(5), repr.Text("x"), repr.Int4(-7), repr.Timestamp(9), repr.Int2(3), repr.Null})
	var a, b Check
	a.Add(row, 2)
	b.AddInts([]int64{5, -7, 3}, 2)
	if a != b {
		t.Errorf("got %v, want %v", a, b)
	}
	a.Add(row, -2)
	if a.Rows != 0 || a.Sum != 0 || a.Out != 2 {
		t.Errorf("a change and its opposite leave %v", a)
	}
}

// What lies behind the last integer column makes no difference.
func TestCounted(t *testing.T) {
	t.Parallel()
	of := func(kinds ...repr.Kind) (d repr.RowDesc) {
		for _, k := range kinds {
			d = append(d, repr.Column{Type: repr.TypeOf(k)})
		}
		return d
	}
	for _, tc := range []struct {
		columns repr.RowDesc
		want    int
	}{
		{of(repr.KindInt8, repr.KindText, repr.KindInt4, repr.KindTimestamp, repr.KindText), 3},
		{of(repr.KindInt2), 1}, {of(repr.KindText, repr.KindText), 2}, {nil, 0},
	} {
		if got := Counted(tc.columns); got != tc.want {
			t.Errorf("of %v %d columns count, want %d", tc.columns, got, tc.want)
		}
	}
	row := repr.AppendRow(nil, []repr.Datum{repr.Int8(5), repr.Text("x"), repr.Int4(-7), repr.Timestamp(9), repr.Text("y")})
	all, some := Check{}, Check{Width: 3}
	all.Add(row, 2)
	some.Add(row, 2)
	if all.Sum != some.Sum {
		t.Errorf("got %v, want %v", some.String(), all.String())
	}
}

// Counting the keys of a kv file one change at a time gives the same check as counting them at the end.
func TestCheckDoesNotDependOnTheWay(t *testing.T) {
	t.Parallel()
	f := open(t, write(t, "kv.bin", func(w io.Writer) error { return generate.KV(w, 5000, 300) }))
	var stepwise, once Check
	counts := map[int64]int64{}
	each(t, f, 64, func(_ string, row []repr.Datum, diff repr.Diff) {
		key := row[0].Int()
		if old := counts[key]; old != 0 {
			stepwise.AddInts([]int64{key, old}, -1)
		}
		counts[key] += diff
		if now := counts[key]; now != 0 {
			stepwise.AddInts([]int64{key, now}, 1)
		}
	})
	for key, n := range counts {
		if n != 0 {
			once.AddInts([]int64{key, n}, 1)
		}
	}
	if stepwise.Rows != once.Rows || stepwise.Sum != once.Sum {
		t.Errorf("got %v, want %v", stepwise, once)
	}
}
