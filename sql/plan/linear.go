package plan

import (
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// linearity finds what in a recursive term keeps it from being computed from each round's rows alone. PostgreSQL gives the
// term the rows of the last round; we give it all, and add up what changes. Both are the same as long as the rows that
// the term makes of all are those that it makes of each round's, together.
type linearity struct {
	uses     map[int]int // of a name: how often the recursive query is multiplied into it
	set      bool        // UNION: copies do not count
	offended bool        // there is a construct that is in the way
}

// of is how often the recursive query is multiplied into a plan: at most once, or there is an offence.
func (l *linearity) of(r rel.Rel) int {
	l.subqueries(r)
	switch n := r.(type) {
	case *rel.Ref:
		return l.uses[n.ID]
	case *rel.Filter, *rel.Map, *rel.Project, *rel.FlatMap, *rel.Negate:
		return l.of(rel.Children(r)[0])
	case *rel.Union:
		most := 0
		for _, in := range n.Inputs {
			most = max(most, l.of(in))
		}
		return most
	case *rel.Distinct:
		return l.only(l.set, l.of(n.Input))
	case *rel.Join:
		return l.join(n.Kind, l.of(n.Left), l.of(n.Right))
	case *rel.Apply:
		return l.join(n.Kind, l.of(n.Left), l.of(n.Right))
	case *rel.Reduce:
		return l.only(l.set && len(n.Aggs) == 0, l.of(n.Input))
	case *rel.Window:
		return l.only(false, l.of(n.Input))
	case *rel.TopK:
		return l.only(false, l.of(n.Input))
	case *rel.Let:
		l.uses[n.ID] = l.of(n.Value)
		return l.of(n.Body)
	}
	uses := 0
	for _, in := range rel.Children(r) {
		uses += l.of(in)
	}
	return l.only(false, uses)
}

// only notes an offence when the recursive query is used where it may not be.
func (l *linearity) only(allowed bool, uses int) int {
	l.offended = l.offended || uses > 0 && !allowed
	return uses
}

func (l *linearity) join(kind rel.JoinKind, left, right int) int {
	switch kind {
	case rel.JoinInner:
	case rel.JoinSemi:
		l.only(l.set, right)
	case rel.JoinLeft, rel.JoinAnti:
		l.only(false, right)
	case rel.JoinRight:
		l.only(false, left)
	case rel.JoinFull:
		l.only(false, left+right)
	}
	if left+right > 1 {
		l.only(false, left+right)
	}
	return left + right
}

// subqueries notes the use of the recursive query within expressions.
func (l *linearity) subqueries(r rel.Rel) {
	ids := map[int]bool{}
	for id, n := range l.uses {
		ids[id] = n > 0
	}
	for _, s := range rel.Scalars(r) {
		expr.Walk(s, func(s expr.Scalar) bool {
			if q, ok := s.(*expr.Subquery); ok && rel.RefersTo(q.Query.(rel.Rel), ids) {
				l.only(false, 1)
			}
			return true
		})
	}
}
