package tpch

import (
	"fmt"
	"slices"
	"testing"

	"millrace/repr"
	"millrace/sources/generator"
)

// database is what the changes so far add up to, by table and key.
type database [8]map[string][]repr.Datum

func (d *database) apply(t *testing.T, c generator.Change) {
	t.Helper()
	table := Tables[c.Table]
	if d[c.Table] == nil {
		d[c.Table] = map[string][]repr.Datum{}
	}
	keyOf := func(row []repr.Datum) string {
		var key []repr.Datum
		for _, i := range table.Key {
			key = append(key, row[i])
		}
		return string(repr.AppendRow(nil, key))
	}
	if c.Old != nil {
		key := keyOf(c.Old)
		if !slices.EqualFunc(d[c.Table][key], c.Old, repr.Datum.Equal) {
			t.Fatalf("%s: retracted is %v, there is %v", table.Name, c.Old, d[c.Table][key])
		}
		delete(d[c.Table], key)
	}
	if c.New != nil {
		key := keyOf(c.New)
		if _, there := d[c.Table][key]; there {
			t.Fatalf("%s: a second row with the key of %v", table.Name, c.New)
		}
		d[c.Table][key] = c.New
	}
}

// TestHistory adds up a load and refreshes: sizes are the specification's, keys are unique, what is retracted was there,
// and what refers to a row finds it.
func TestHistory(t *testing.T) {
	t.Parallel()
	for _, scale := range []float64{0.001, 0.003, 0.005} {
		g, err := New(scale, 1)
		if err != nil {
			t.Fatal(err)
		}
		var d database
		for c := range g.Load() {
			d.apply(t, c)
		}
		milli := int(scale * 1000)
		for table, want := range map[int]int{Region: 5, Nation: 25, Supplier: 10 * milli, Part: 200 * milli, PartSupp: 800 * milli,
			Customer: 150 * milli, Orders: 1500 * milli} {
			if got := len(d[table]); got != want {
				t.Errorf("scale %v: %d rows of %s, want %d", scale, got, Tables[table].Name, want)
			}
		}
		for range 5 {
			for _, c := range g.Refresh(20, 10) {
				d.apply(t, c)
			}
		}
		if got := len(d[Orders]); got != 1500*milli {
			t.Errorf("scale %v: %d orders after refreshes, want %d", scale, got, 1500*milli)
		}
		checkReferences(t, &d)
	}
}

func checkReferences(t *testing.T, d *database) {
	t.Helper()
	keys := func(table int, cols ...int) map[string]bool {
		out := map[string]bool{}
		for _, row := range d[table] {
			out[pick(row, cols)] = true
		}
		return out
	}
	for _, ref := range []struct {
		from, to         int
		fromCols, toCols []int
	}{
		{Nation, Region, []int{2}, []int{0}}, {Supplier, Nation, []int{3}, []int{0}}, {Customer, Nation, []int{3}, []int{0}},
		{PartSupp, Part, []int{0}, []int{0}}, {PartSupp, Supplier, []int{1}, []int{0}}, {Orders, Customer, []int{1}, []int{0}},
		{LineItem, Orders, []int{0}, []int{0}}, {LineItem, PartSupp, []int{1, 2}, []int{0, 1}},
	} {
		there := keys(ref.to, ref.toCols...)
		for _, row := range d[ref.from] {
			if !there[pick(row, ref.fromCols)] {
				t.Fatalf("a row of %s finds none of %s: %v", Tables[ref.from].Name, Tables[ref.to].Name, row)
			}
		}
	}
}

func pick(row []repr.Datum, cols []int) string {
	s := ""
	for _, c := range cols {
		s += fmt.Sprint(row[c].Int(), " ")
	}
	return s
}

// TestSameSeedSameHistory runs two generators side by side, and one with another seed.
func TestSameSeedSameHistory(t *testing.T) {
	t.Parallel()
	run := func(seed int64) string {
		g, err := New(0.001, seed)
		if err != nil {
			t.Fatal(err)
		}
		changes := append(slices.Collect(g.Load()), g.Refresh(10, 10)...)
		return fmt.Sprint(generator.Statements(Tables, changes, 100))
	}
	first, again, other := run(7), run(7), run(8)
	if first != again {
		t.Error("the same seed gave another history")
	}
	if first == other {
		t.Error("another seed gave the same history")
	}
}

func TestScaleIsBounded(t *testing.T) {
	t.Parallel()
	for _, scale := range []float64{-1, 0, 0.0001, 1e6} {
		if _, err := New(scale, 1); err == nil {
			t.Errorf("scale %v is taken", scale)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for range b.N {
		g, err := New(0.001, 1)
		if err != nil {
			b.Fatal(err)
		}
		for range g.Load() {
		}
	}
}
