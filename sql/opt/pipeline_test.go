package opt

import (
	"slices"
	"testing"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// broken are the ways in which a table is not in the order that its rules declare.
func broken(rules []Rule) []string {
	at := map[string]int{}
	for i, r := range rules {
		at[r.Name] = i
	}
	var out []string
	for i, r := range rules {
		if at[r.Name] != i {
			out = append(out, r.Name+" stands twice")
		}
		for _, name := range r.Before {
			if j, ok := at[name]; !ok || j <= i {
				out = append(out, r.Name+" is not before "+name)
			}
		}
		for _, name := range r.After {
			if j, ok := at[name]; !ok || j >= i {
				out = append(out, r.Name+" is not after "+name)
			}
		}
	}
	return out
}

func TestRulesStandInDeclaredOrder(t *testing.T) {
	t.Parallel()
	if got := broken(append(slices.Clone(Rules), Final...)); len(got) > 0 {
		t.Errorf("%v", got)
	}
	turned := slices.Clone(Rules)
	slices.Reverse(turned)
	if len(broken(turned)) == 0 {
		t.Error("the table turned around is not found to be broken")
	}
}

// TestRulesComeToRest counts the rounds that a plan with work for every rule needs.
func TestRulesComeToRest(t *testing.T) {
	t.Parallel()
	intType := repr.TypeOf(repr.KindInt8)
	eq := &expr.Func{Name: "=", Args: []repr.Type{intType, intType}, Ret: boolType}
	get := func(id uint64, names ...string) rel.Rel {
		g := &rel.Get{ID: id, Name: names[0]}
		for _, n := range names[1:] {
			g.Cols = append(g.Cols, repr.Column{Name: n, Type: intType})
		}
		return g
	}
	col := func(i int) expr.Scalar { return &expr.Column{Index: i, Typ: intType} }
	five := &expr.Const{Val: repr.Int8(5), Typ: intType}
	join := &rel.Join{Kind: rel.JoinLeft, Left: cross(get(1, "a", "x", "y"), get(2, "b", "z")), Right: get(3, "c", "v", "w"),
		On: []expr.Scalar{call(eq, col(0), col(3))}}
	plan := rel.Rel(&rel.Let{ID: 7, Value: join, Body: &rel.Project{Cols: []int{4}, Input: &rel.Filter{
		Input: &rel.Ref{ID: 7, Cols: join.Columns()},
		Preds: []expr.Scalar{call(eq, col(4), five), call(eq, col(1), col(2)), rel.Bool(true)}}}})
	c := &Context{Env: &expr.Env{}}
	rounds := 0
	for before := ""; before != rel.Fingerprint(plan); rounds++ {
		before = rel.Fingerprint(plan)
		for _, rule := range Rules {
			plan = rule.Apply(c, plan)
		}
	}
	if rounds > 4 {
		t.Errorf("at rest after %d rounds:\n%s", rounds, rel.Format(plan))
	}
	if n := len(rel.FreeOuter(plan)); n != 0 || highestLet(plan) != 0 {
		t.Errorf("the let stayed:\n%s", rel.Format(plan))
	}
}
