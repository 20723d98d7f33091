package rel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/repr"
	"millrace/sql/expr"
)

// TestColSet holds the set to a map, across the border between its first word and the rest.
func TestColSet(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	random := func() (ColSet, map[int]bool) {
		var s ColSet
		m := map[int]bool{}
		for range rng.IntN(20) {
			i := rng.IntN(200)
			s, m[i] = s.Add(i), true
		}
		return s, m
	}
	for range 500 {
		a, ma := random()
		b, mb := random()
		union, both := a.Union(b), a.Intersect(b)
		low, shift := rng.IntN(100), rng.IntN(100)-50
		shifted := a.Shift(shift)
		within, shares := true, false
		for i := range 260 {
			within = within && (!ma[i] || i >= low && i < low+80)
			shares = shares || ma[i] && mb[i]
			moved := i-shift >= 0 && ma[i-shift]
			if a.Has(i) != ma[i] || union.Has(i) != (ma[i] || mb[i]) || both.Has(i) != (ma[i] && mb[i]) || shifted.Has(i) != moved {
				t.Fatalf("column %d of %v and %v, shifted by %d", i, a.List(), b.List(), shift)
			}
		}
		if a.Len() != len(ma) || a.Empty() != (len(ma) == 0) || !slices.IsSorted(a.List()) ||
			a.Within(low, low+80) != within || a.Intersects(b) != shares {
			t.Fatalf("%v and %v", a.List(), b.List())
		}
	}
}

var (
	intType = repr.TypeOf(repr.KindInt8)
	table   = &Get{ID: 1, Name: "t", Cols: repr.RowDesc{{Name: "a", Type: intType}, {Name: "b", Type: intType}}}
)

func outer(level, index int) expr.Scalar {
	return &expr.Outer{Level: level, Index: index, Typ: intType}
}

// filtered is the table under conditions that refer out of it.
func filtered(refs ...expr.Scalar) Rel {
	f := &Filter{Input: table}
	for _, r := range refs {
		f.Preds = append(f.Preds, Same(ColumnOf(table.Cols, 0), r))
	}
	return f
}

func exists(r Rel) expr.Scalar {
	return &expr.Subquery{Kind: expr.SubqueryExists, Query: r, Typ: repr.TypeOf(repr.KindBool)}
}

// TestFreeOuter counts levels through subqueries and through the right side of an Apply.
func TestFreeOuter(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		plan Rel
		want []OuterRef
	}{
		"none":  {table, nil},
		"twice": {filtered(outer(2, 0), outer(1, 1), outer(2, 0)), []OuterRef{{1, 1}, {2, 0}}},
		"subquery": {&Filter{Input: table, Preds: []expr.Scalar{exists(filtered(outer(1, 0), outer(2, 1), outer(3, 0)))}},
			[]OuterRef{{1, 1}, {2, 0}}},
		"apply": {&Apply{Left: filtered(outer(1, 0)), Right: filtered(outer(1, 1), outer(2, 1))}, []OuterRef{{1, 0}, {1, 1}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := FreeOuter(c.plan); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			for _, ref := range FreeOuter(ShiftOuter(c.plan, 3)) {
				if !slices.Contains(c.want, OuterRef{ref.Level - 3, ref.Index}) {
					t.Errorf("shifted by 3: %v", ref)
				}
			}
		})
	}
}

// TestMapColumnsReachesIntoSubqueries: a column that moves takes the references of subqueries along.
func TestMapColumnsReachesIntoSubqueries(t *testing.T) {
	t.Parallel()
	e := exists(filtered(outer(1, 1), outer(2, 1)))
	if got := ColumnsOf(e, ColSet{}).List(); !slices.Equal(got, []int{1}) {
		t.Errorf("columns %v", got)
	}
	moved := ShiftColumns(e, 0, 5)
	if got := ColumnsOf(moved, ColSet{}).List(); !slices.Equal(got, []int{6}) {
		t.Errorf("columns %v after the move", got)
	}
	if got := FreeOuterScalar(moved); !slices.Equal(got, []OuterRef{{1, 1}}) {
		t.Errorf("references beyond the row: %v", got)
	}
}

// TestEqualIgnoresNamesAlone: whatever means something tells plans apart.
func TestEqualIgnoresNamesAlone(t *testing.T) {
	t.Parallel()
	a, b := ColumnOf(table.Cols, 0), ColumnOf(table.Cols, 1)
	plans := []Rel{
		table, &Get{ID: 2, Name: "t", Cols: table.Cols}, &Project{Input: table, Cols: []int{0}}, &Project{Input: table, Cols: []int{1}},
		&Map{Input: table, Exprs: []expr.Scalar{a}}, &Map{Input: table, Exprs: []expr.Scalar{b}},
		&Join{Left: table, Right: table}, &Join{Kind: JoinLeft, Left: table, Right: table}, filtered(outer(1, 0)), filtered(outer(2, 0)),
		&Reduce{Input: table, Keys: []expr.Scalar{a}}, &Distinct{Input: table}, &Negate{Input: table},
		&Filter{Input: table, Preds: []expr.Scalar{exists(filtered(outer(1, 0)))}},
		&Filter{Input: table, Preds: []expr.Scalar{exists(filtered(outer(1, 1)))}},
		&Filter{Input: table, Preds: []expr.Scalar{Bool(true)}}, &Filter{Input: table, Preds: []expr.Scalar{Bool(false)}},
	}
	for i := range plans {
		for j := range plans {
			if Equal(plans[i], plans[j]) != (i == j) {
				t.Errorf("equal or not:\n%s%s", Format(plans[i]), Format(plans[j]))
			}
		}
		same := Transform(plans[i], func(r Rel) Rel {
			if m, ok := r.(*Map); ok {
				return &Map{Input: m.Input, Exprs: m.Exprs, Names: []string{"other"}}
			}
			return WithScalars(WithChildren(r, Children(r)), Scalars(r))
		})
		if !Equal(same, plans[i]) {
			t.Errorf("rebuilt, it differs:\n%s%s", Format(plans[i]), Format(same))
		}
	}
}
