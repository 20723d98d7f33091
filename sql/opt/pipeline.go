package opt

import (
	"slices"

	"millrace/sql/expr"
	"millrace/sql/rel"
)

// Context is what rules may know beside the plan.
type Context struct {
	Env     *expr.Env
	Fold    expr.Volatility // functions up to this volatility are evaluated on constants
	Without string          // a rule to leave out, for tests that hold plans with and without it to each other
	lets    int             // the highest number of a Let so far
	round   int             // how often the table has been applied to the plan
}

// Rounds is how often the table was applied to the last plan until it came to rest.
func (c *Context) Rounds() int { return c.round + 1 }

// Rule is one rewriting of a whole plan. Before and After name rules between which it must stand in the table.
type Rule struct {
	Name   string
	Apply  func(*Context, rel.Rel) rel.Rel
	Before []string
	After  []string
}

// Rules is the table of rules, applied in this order again and again until nothing changes.
var Rules = []Rule{
	{Name: "fold-constants", Apply: foldConstants, Before: []string{"simplify"}},
	{Name: "factor-conditions", Apply: factorConditions, After: []string{"fold-constants"}, Before: []string{"push-predicates"}},
	{Name: "inline-lets", Apply: inlineLets, Before: []string{"simplify", "push-predicates"}},
	{Name: "simplify", Apply: simplify},
	{Name: "outer-to-inner", Apply: outerToInner, Before: []string{"push-predicates"}},
	{Name: "push-predicates", Apply: pushPredicates, After: []string{"fold-constants"}},
	{Name: "window-top-k", Apply: topKOfWindow, After: []string{"push-predicates"}, Before: []string{"prune-columns"}},
	{Name: "imply-predicates", Apply: implyPredicates, After: []string{"push-predicates"}},
	{Name: "use-keys", Apply: useKeys, After: []string{"push-predicates"}, Before: []string{"order-joins"}},
	{Name: "restrict-groups", Apply: restrictGroups, After: []string{"use-keys"}, Before: []string{"order-joins"}},
	{Name: "order-joins", Apply: orderJoins, After: []string{"push-predicates"}},
	{Name: "share-early", Apply: sharePlans, After: []string{"order-joins"}, Before: []string{"prune-columns"}},
	{Name: "prune-columns", Apply: pruneColumns, After: []string{"push-predicates", "order-joins"}},
}

// Final are the rules that run once, after the others have come to rest.
var Final = []Rule{
	{Name: "split-temporal", Apply: splitTemporal, Before: []string{"share-plans"}},
	{Name: "group-windows", Apply: wholePartitions, Before: []string{"share-expressions", "share-plans"}},
	{Name: "share-expressions", Apply: shareExpressions, Before: []string{"share-plans"}},
	{Name: "share-plans", Apply: sharePlans},
}

// maxRounds bounds how often the table is applied. Plans come to rest after three or four rounds; one that does not
// is left as it is then, which is correct, for every rule keeps the meaning.
const maxRounds = 16

// Optimize applies the rules to a plan without subqueries and Apply.
func Optimize(c *Context, r rel.Rel) rel.Rel {
	if v, ok := constantRows(r); ok {
		return v
	}
	c.lets = highestLet(r)
	before := rel.Fingerprint(r)
	for c.round = range maxRounds {
		r = c.apply(Rules, r)
		after := rel.Fingerprint(r)
		if after == before {
			break
		}
		before = after
	}
	return c.apply(Final, r)
}

// apply applies rules one after the other.
func (c *Context) apply(rules []Rule, r rel.Rel) rel.Rel {
	for _, rule := range rules {
		if rule.Name != c.Without {
			r = rule.Apply(c, r)
		}
	}
	return r
}

// constantRows are the rows of a plan that is nothing but constants, as an INSERT of many has them: no rule finds anything in it.
func constantRows(r rel.Rel) (*rel.Values, bool) {
	in := r
	if p, ok := r.(*rel.Project); ok {
		in = p.Input
		for i, c := range p.Cols {
			if i != c || len(p.Cols) != len(in.Columns()) {
				return nil, false
			}
		}
	}
	v, ok := in.(*rel.Values)
	if !ok {
		return nil, false
	}
	for _, row := range v.Rows {
		for _, e := range row {
			if _, ok := e.(*expr.Const); !ok {
				return nil, false
			}
		}
	}
	return &rel.Values{Rows: v.Rows, Cols: r.Columns()}, true
}

func highestLet(r rel.Rel) int {
	highest := 0
	rel.Walk(r, func(r rel.Rel) bool {
		switch l := r.(type) {
		case *rel.Let:
			highest = max(highest, l.ID)
		case *rel.LetRec:
			highest = max(highest, slices.Max(l.IDs()))
		}
		return true
	})
	return highest
}
