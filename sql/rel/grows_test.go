package rel

import (
	"testing"

	"millrace/repr"
	"millrace/sql/expr"
)

// TestGrows says of plans over a collection that only grows, and one that does not, whether their rows only come.
func TestGrows(t *testing.T) {
	t.Parallel()
	grows := &Get{ID: 2, Name: "g", Cols: table.Cols, Grows: true}
	prints := &Get{ID: 3, Name: "n", Cols: repr.RowDesc{{Name: "n", Type: repr.TypeOf(repr.KindNumeric)}}, Grows: true}
	one := &expr.Const{Val: repr.Int8(1), Typ: intType}
	max := Agg{Fn: &repr.Aggregate{Name: "max", Extreme: 1}, Args: []expr.Scalar{ColumnOf(table.Cols, 0)}, Typ: intType}
	key := []expr.Scalar{ColumnOf(table.Cols, 0)}
	join := func(k JoinKind, l, r Rel) Rel { return &Join{Kind: k, Left: l, Right: r} }
	top := func(in Rel) *TopK { return &TopK{Input: in, Limit: one} }
	let := func(value Rel) Rel {
		return &Let{ID: 7, Value: value, Body: &Distinct{Input: &Ref{ID: 7, Cols: table.Cols}}}
	}
	for _, c := range []struct {
		name string
		plan Rel
		want bool
	}{
		{"a table", table, false},
		{"a growing collection", grows, true},
		{"a condition", &Filter{Input: grows}, true},
		{"a condition on time", &Filter{Input: grows, Preds: []expr.Scalar{Before(ColumnOf(table.Cols, 0), 1)}}, false},
		{"a temporal filter", &Temporal{Input: grows, Until: key}, false},
		{"columns", &Project{Input: &Map{Input: grows}}, true},
		{"inner join", join(JoinInner, grows, grows), true},
		{"inner join with a table", join(JoinInner, grows, table), false},
		{"semi join", join(JoinSemi, grows, grows), true},
		{"left join", join(JoinLeft, grows, grows), false},
		{"full join", join(JoinFull, grows, grows), false},
		{"anti join", join(JoinAnti, grows, grows), false},
		{"union", &Union{Inputs: []Rel{grows, &Values{}}}, true},
		{"union with a table", &Union{Inputs: []Rel{grows, table}}, false},
		{"difference", &Threshold{Input: &Union{Inputs: []Rel{grows, &Negate{Input: grows}}}}, false},
		{"distinct", &Distinct{Input: grows}, true},
		{"distinct of what prints in two ways", &Distinct{Input: prints}, false},
		{"groups", &Reduce{Input: grows, Keys: key}, true},
		{"groups with a value", &Reduce{Input: grows, Keys: key, Aggs: []Agg{max}}, false},
		{"top-k", top(grows), false},
		{"window", &Window{Input: grows}, false},
		{"a name", let(grows), true},
		{"the name of a table", let(table), false},
		{"recursion", &LetRec{Bindings: []Binding{{ID: 8, Value: grows}}, Body: &Ref{ID: 8, Cols: table.Cols}}, false},
	} {
		if got := FactsOf(c.plan).Grows(c.plan); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	constant := &Values{Rows: [][]expr.Scalar{{one}}, Cols: table.Cols[:1]}
	for name, c := range map[string]struct {
		plan Rel
		want bool
	}{
		"top-k":               {top(grows), true},
		"top-k of a table":    {top(table), false},
		"top-k of constants":  {top(constant), false},
		"max":                 {&Reduce{Input: grows, Keys: key, Aggs: []Agg{max}}, true},
		"max of a table":      {&Reduce{Input: table, Keys: key, Aggs: []Agg{max}}, false},
		"max of a maximum":    {&Reduce{Input: &Reduce{Input: grows, Keys: key, Aggs: []Agg{max}}, Aggs: []Agg{max}}, false},
		"groups":              {&Reduce{Input: grows, Keys: key}, false},
		"groups of two forms": {&Reduce{Input: prints, Keys: []expr.Scalar{ColumnOf(prints.Cols, 0)}}, true},
	} {
		if got := FactsOf(c.plan).KeepsWinners(c.plan); got != c.want {
			t.Errorf("%s keeps winners: %t", name, got)
		}
	}
}
