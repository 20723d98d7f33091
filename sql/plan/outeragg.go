package plan

import (
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// aggregateLevel says to which query an aggregate belongs: the nearest one that a column of its operands is of. Level 0 is
// the query where it stands, also of one without columns.
func aggregateLevel(agg *rel.Agg) int {
	nearest := -1
	see := func(level int) {
		if nearest < 0 || level < nearest {
			nearest = level
		}
	}
	mapAgg(*agg, func(s expr.Scalar) expr.Scalar {
		return rewriteScalar(s, 0, func(n expr.Scalar, depth int) expr.Scalar {
			switch c := n.(type) {
			case *expr.Column:
				if depth == 0 {
					see(0)
				}
			case *expr.Outer:
				if c.Level >= depth {
					see(c.Level - depth)
				}
			}
			return n
		})
	})
	return max(nearest, 0)
}

// outward is the row that stands some levels around another.
func (s *scope) outward(level int) *scope {
	for range level {
		s = s.parent
	}
	return s
}

// outerAggregate gives an aggregate to the query further out that it belongs to. Where it stands it is a column of that
// query's row.
func (x *scalars) outerAggregate(agg rel.Agg, level, pos int) (expr.Scalar, *repr.Error) {
	owner := x.scope.outward(level)
	switch {
	case owner.inAgg:
		return nil, errNested(pos)
	case owner.lateral:
		return nil, errAt(repr.CodeGrouping, "aggregate functions are not allowed in FROM clause of their own query level", pos)
	case owner.aggs == nil:
		return nil, errAt(repr.CodeGrouping, "aggregate functions are not allowed in "+clauseName(owner.clause), pos)
	}
	moved := mapAgg(agg, func(s expr.Scalar) expr.Scalar {
		for range level {
			s = rewriteScalar(s, 0, dropLevel)
		}
		return s
	})
	if holdsAggregate(&moved) {
		return nil, errNested(pos)
	}
	i := owner.aggs.add(moved)
	return &expr.Outer{Level: level, Index: aggBase + i, Typ: agg.Typ, Name: agg.Name}, nil
}

// holdsAggregate says whether an aggregate of the same query stands among the operands.
func holdsAggregate(agg *rel.Agg) bool {
	found := false
	mapAgg(*agg, func(s expr.Scalar) expr.Scalar {
		return rewriteScalar(s, 0, func(n expr.Scalar, depth int) expr.Scalar {
			c, ok := n.(*expr.Column)
			found = found || ok && depth == 0 && c.Index >= aggBase
			return n
		})
	})
	return found
}
