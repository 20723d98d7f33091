package oracle

import (
	"maps"
	"testing"

	"millrace/arrangement"
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// session runs one plan and is fed by hand.
type session struct {
	*testing.T
	run  *running
	tick repr.Time
}

func compiled(t *testing.T, plan rel.Rel) *session {
	t.Helper()
	c, err := sql.Compile(&expr.Env{}, plan)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return &session{T: t, run: start("compiled", c.Graph, 1)}
}

// change adds rows of integers to a table, or takes them away.
func (s *session) change(table uint64, diff repr.Diff, rows ...[]repr.Datum) {
	s.Helper()
	b := arrangement.NewBuilder()
	for _, row := range rows {
		b.Add(repr.AppendRow(nil, row), diff)
	}
	s.tick++
	s.run.step(s.T, s.tick, map[uint64]dataflow.Delta{table: {OK: b.Seal()}})
}

func (s *session) expect(errs map[string]repr.Diff, rows ...[]repr.Datum) {
	s.Helper()
	want := content{}
	for _, row := range rows {
		want.add(row, 1)
	}
	if !maps.Equal(s.run.errs, errs) || (len(errs) == 0 && !maps.Equal(s.run.ok, want)) {
		s.Fatalf("at %d: errors %v, rows\n%s\nwant errors %v, rows\n%s", s.tick, s.run.errs, s.run.ok, errs, want)
	}
}

func ints(values ...int64) []repr.Datum {
	out := make([]repr.Datum, len(values))
	for i, v := range values {
		out[i] = repr.Int8(v)
	}
	return out
}

func col(r rel.Rel, i int) expr.Scalar { return rel.ColumnOf(r.Columns(), i) }

// TestFilterAboveJoinSeesJoinedRowsOnly: b divides only for rows that the join keeps.
func TestFilterAboveJoinSeesJoinedRowsOnly(t *testing.T) {
	t.Parallel()
	t1, t2 := tables[0], tables[1]
	join := &rel.Join{Left: t1, Right: t2, On: []expr.Scalar{callOf(eqFunc, col(t1, 0), &expr.Column{Index: 2, Typ: int8Type})}}
	plan := &rel.Project{Cols: []int{0, 1}, Input: &rel.Filter{Input: join,
		Preds: []expr.Scalar{callOf(lessFunc, intConst(1), callOf(divFunc, intConst(6), col(t1, 1)))}}}
	s := compiled(t, plan)
	s.change(1, 1, ints(1, 0), ints(2, 2))
	s.change(2, 1, ints(2, 9, 9))
	s.expect(nil, ints(2, 2))
	s.change(2, 1, ints(1, 9, 9))
	s.expect(map[string]repr.Diff{repr.CodeDivisionByZero: 1})
	s.change(1, -1, ints(1, 0))
	s.expect(nil, ints(2, 2))
}

// TestConditionsKeepTheirOrder: the first condition keeps the second from failing.
func TestConditionsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	t1 := tables[0]
	plan := &rel.Filter{Input: t1, Preds: []expr.Scalar{
		&expr.Not{Arg: callOf(eqFunc, col(t1, 1), intConst(0))},
		callOf(eqFunc, callOf(divFunc, intConst(6), col(t1, 1)), intConst(3)),
	}}
	s := compiled(t, plan)
	s.change(1, 1, ints(1, 0), ints(2, 2), ints(3, 3))
	s.expect(nil, ints(2, 2))
}

// values of t2.d where t2.c is a column of the outer row: a scalar subquery that may have several rows.
func perRow(outer int) *expr.Subquery {
	t2 := tables[1]
	match := &rel.Filter{Input: t2, Preds: []expr.Scalar{callOf(eqFunc, col(t2, 0), &expr.Outer{Level: 1, Index: outer, Typ: int8Type})}}
	return &expr.Subquery{Query: &rel.Project{Input: match, Cols: []int{1}}, Typ: int8Type}
}

// TestSecondRowOfScalarSubqueryFailsAndHeals: more than one row is 21000 until one of them goes.
func TestSecondRowOfScalarSubqueryFailsAndHeals(t *testing.T) {
	t.Parallel()
	plan := &rel.Map{Input: tables[0], Exprs: []expr.Scalar{perRow(0)}, Names: []string{"d"}}
	s := compiled(t, plan)
	s.change(1, 1, ints(1, 1), ints(2, 2))
	s.change(2, 1, ints(1, 10, 0))
	s.expect(nil, ints(1, 1, 10), append(ints(2, 2), repr.Null))
	s.change(2, 1, ints(1, 11, 0))
	s.expect(map[string]repr.Diff{"21000": 1})
	s.change(2, -1, ints(1, 10, 0))
	s.expect(nil, ints(1, 1, 11), append(ints(2, 2), repr.Null))
	s.change(2, 1, ints(1, 11, 0))
	s.expect(map[string]repr.Diff{"21000": 1})
	s.change(1, -1, ints(1, 1))
	s.expect(nil, append(ints(2, 2), repr.Null))
}

// TestSubqueryInCaseIsBoundToRowsThatAsk: a second row is no error where the CASE takes another branch; likewise
// behind AND, OR and COALESCE.
func TestSubqueryInCaseIsBoundToRowsThatAsk(t *testing.T) {
	t.Parallel()
	t1 := tables[0]
	asks := callOf(eqFunc, col(t1, 1), intConst(1))
	is := func(v int64) expr.Scalar { return callOf(eqFunc, perRow(0), intConst(v)) }
	cases := map[string]struct {
		e    expr.Scalar
		rest repr.Datum // the value for rows that do not ask
	}{
		"case": {&expr.Case{Whens: []expr.When{{Cond: asks, Then: perRow(0)}}, Else: intConst(0), Typ: int8Type}, repr.Int8(0)},
		"else": {&expr.Case{Whens: []expr.When{{Cond: &expr.Not{Arg: asks}, Then: intConst(0)}}, Else: perRow(0), Typ: int8Type},
			repr.Int8(0)},
		"and": {&expr.And{Args: []expr.Scalar{asks, is(10)}}, repr.Bool(false)},
		"or":  {&expr.Or{Args: []expr.Scalar{&expr.Not{Arg: asks}, is(10)}}, repr.Bool(true)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := compiled(t, &rel.Map{Input: t1, Exprs: []expr.Scalar{c.e}, Names: []string{"x"}})
			s.change(2, 1, ints(5, 10, 0), ints(5, 11, 0))
			s.change(1, 1, ints(5, 2))
			s.expect(nil, append(ints(5, 2), c.rest))
			s.change(1, 1, ints(5, 1))
			s.expect(map[string]repr.Diff{"21000": 1})
		})
	}
}

// TestEqualValuesPrintAsGiven: grouping, DISTINCT and joins by a numeric take 1.10 and 1.1 for one key, and print what
// was given.
func TestEqualValuesPrintAsGiven(t *testing.T) {
	t.Parallel()
	t3 := tables[2]
	short, long := repr.Numeric(11, 1), repr.Numeric(110, 2)
	count := rel.Agg{Fn: countAll, Typ: int8Type, Name: "n"}
	plans := map[string]struct {
		plan rel.Rel
		want []repr.Datum
	}{
		"group":    {&rel.Reduce{Input: t3, Keys: []expr.Scalar{col(t3, 1)}, Aggs: []rel.Agg{count}}, []repr.Datum{long, repr.Int8(1)}},
		"distinct": {&rel.Distinct{Input: &rel.Project{Input: t3, Cols: []int{1}}}, []repr.Datum{long}},
		"join": {&rel.Join{Left: t3, Right: &rel.Project{Input: t3, Cols: []int{1}},
			On: []expr.Scalar{callOf(numEq, col(t3, 1), &expr.Column{Index: 2, Typ: numType})}},
			[]repr.Datum{repr.Int8(1), long, long}},
	}
	for name, p := range plans {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := sql.Compile(&expr.Env{}, p.plan)
			if err != nil {
				t.Fatal(err)
			}
			flow := dataflow.New(c.Graph, dataflow.Options{})
			b := arrangement.NewBuilder()
			b.Add(repr.AppendRow(nil, []repr.Datum{repr.Int8(1), long}), 1)
			out, failure := flow.Step(t.Context(), 1, map[uint64]dataflow.Delta{3: {OK: b.Seal()}})
			if failure != nil || out.OK.Len() != 1 || string(out.OK.Row(0)) != string(repr.AppendRow(nil, p.want)) {
				t.Fatalf("got %d rows (%v), first %v", out.OK.Len(), failure, repr.DecodeRow(nil, out.OK.Row(0)))
			}
			b.Reset()
			b.Add(repr.AppendRow(nil, []repr.Datum{repr.Int8(1), short}), 1)
			out, failure = flow.Step(t.Context(), 2, map[uint64]dataflow.Delta{3: {OK: b.Seal()}})
			if failure != nil {
				t.Fatal(failure)
			}
			if name == "distinct" && out.OK.Len() != 2 {
				t.Errorf("distinct: the least form replaces the other: %d changes", out.OK.Len())
			}
		})
	}
}

// TestFailingConstantFails: a row of constants that fails is an error from the first step on, beside rows that do not.
func TestFailingConstantFails(t *testing.T) {
	t.Parallel()
	fails := callOf(divFunc, intConst(6), intConst(0))
	s := compiled(t, &rel.Values{Rows: [][]expr.Scalar{{intConst(1)}, {fails}}, Cols: repr.RowDesc{{Name: "v", Type: int8Type}}})
	s.change(1, 1, ints(1, 1))
	s.expect(map[string]repr.Diff{repr.CodeDivisionByZero: 1})
	if got := s.run.ok.String(); got != "+1 (1)" {
		t.Errorf("rows %s", got)
	}
}
