package plan

import (
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// rounds is a recursion whose recursive term makes something else of all rows than of the rows of each round, so that it has to
// be given what PostgreSQL gives it, the rows of the last round alone. As a mutual recursion these are a collection of their own:
//
//	work  := first term, in the first round; recursive term over work      (UNION: without those in whole)
//	whole := whole and work
//	begun := a row
//
// A collection means its newest value to those behind it, and that of the last round to itself and those before it: so begun is
// empty in the first round only, and work ends empty, which is when nothing changes any more.
type rounds struct {
	work, whole, begun rel.Ref
}

// newRounds gives the collections their numbers; whole keeps that of the query.
func (b *binder) newRounds(c *cte) *rounds {
	cols := append(append(repr.RowDesc(nil), c.cols...), c.extra...)
	flag := repr.RowDesc{{Name: "begun", Type: repr.TypeOf(repr.KindBool), NotNull: true}}
	b.nextLet += 2
	return &rounds{
		work:  rel.Ref{ID: b.nextLet - 1, Cols: cols},
		whole: rel.Ref{ID: c.id, Cols: cols},
		begun: rel.Ref{ID: b.nextLet, Cols: flag},
	}
}

// newest is the value of work, made of the union of the two terms.
func (r *rounds) newest(union rel.Rel) rel.Rel {
	d, set := union.(*rel.Distinct)
	if set {
		union = d.Input
	}
	terms := union.(*rel.Union).Inputs
	out := rel.Rel(&rel.Union{Inputs: []rel.Rel{r.first(terms[0]), r.further(terms[1])}})
	if !set {
		return out
	}
	return matching(ast.Except, &rel.Distinct{Input: out}, &r.whole)
}

// first is the non-recursive term, in the first round.
func (r *rounds) first(term rel.Rel) rel.Rel {
	return &rel.Join{Kind: rel.JoinAnti, Left: term, Right: &r.begun}
}

// further is the recursive term over the rows of the last round.
func (r *rounds) further(term rel.Rel) rel.Rel {
	return rel.TransformDeep(term, func(n rel.Rel, _ int) rel.Rel {
		if ref, ok := n.(*rel.Ref); ok && ref.ID == r.whole.ID {
			return &rel.Ref{ID: r.work.ID, Cols: ref.Cols}
		}
		return n
	})
}

// recursion is the whole of it, for the value of work.
func (r *rounds) recursion(name string, work rel.Rel) *rel.LetRec {
	yes := &expr.Const{Val: repr.Bool(true), Typ: repr.TypeOf(repr.KindBool)}
	return &rel.LetRec{Bindings: []rel.Binding{
		{ID: r.work.ID, Name: name, Value: work},
		{ID: r.whole.ID, Name: name, Value: &rel.Union{Inputs: []rel.Rel{&r.whole, &r.work}}},
		{ID: r.begun.ID, Name: name, Value: &rel.Values{Rows: [][]expr.Scalar{{yes}}, Cols: r.begun.Cols}},
	}}
}
