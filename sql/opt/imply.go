package opt

import (
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// maxImplyRounds bounds in how many rounds conditions are derived: one that another rule rewrites out of
// recognition would be derived again and again.
const maxImplyRounds = 4

// implyPredicates gives a side of a join conditions that follow from those of the join and of the other side.
//
//	Join l.a = r.b (Filter a = 1 (L)) R            =>  Join l.a = r.b (Filter a = 1 (L)) (Filter b = 1 (R))
//	Join (l.a = 1 AND r.b = 2) OR (l.a = 3 …) L R  =>  Join … (Filter a = 1 OR a = 3 (L)) (Filter b = 2 OR … (R))
//
// It is safe for a side whose rows without a match are dropped, and for conditions that cannot fail. One on a column
// follows for a column equal to it only if it does not tell equal values apart.
func implyPredicates(c *Context, r rel.Rel) rel.Rel {
	if c.round >= maxImplyRounds {
		return r
	}
	return rel.Transform(r, func(r rel.Rel) rel.Rel {
		if n, ok := r.(*rel.Join); ok {
			return implyJoin(n)
		}
		return r
	})
}

// implied collects the conditions that follow for each side of a join, over its own columns.
type implied struct {
	n           *rel.Join
	nl          int
	left, right []expr.Scalar
}

func implyJoin(n *rel.Join) rel.Rel {
	p := &implied{n: n, nl: len(n.Left.Columns())}
	intoLeft := n.Kind == rel.JoinInner || n.Kind == rel.JoinSemi || n.Kind == rel.JoinRight
	intoRight := n.Kind != rel.JoinRight && n.Kind != rel.JoinFull
	for _, e := range n.On {
		p.branches(e, intoLeft, intoRight)
		p.transfer(e, intoLeft, intoRight)
	}
	if len(p.left) == 0 && len(p.right) == 0 {
		return n
	}
	return &rel.Join{Kind: n.Kind, Left: under(n.Left, p.left), Right: under(n.Right, p.right), On: n.On}
}

func (p *implied) addLeft(e expr.Scalar) {
	if !holds(p.n.Left, e) && !contains(p.left, e) {
		p.left = append(p.left, e)
	}
}

func (p *implied) addRight(e expr.Scalar) {
	if !holds(p.n.Right, e) && !contains(p.right, e) {
		p.right = append(p.right, e)
	}
}

func contains(list []expr.Scalar, e expr.Scalar) bool {
	for _, o := range list {
		if rel.EqualScalar(o, e) {
			return true
		}
	}
	return false
}

// branches takes from an OR over both sides what each of its branches asks of one side.
func (p *implied) branches(e expr.Scalar, intoLeft, intoRight bool) {
	or, ok := e.(*expr.Or)
	if !ok || rel.CanFail(e) {
		return
	}
	const all = 1 << 30
	if part := branchesWithin(or, 0, p.nl); part != nil && intoLeft {
		p.addLeft(part)
	}
	if part := branchesWithin(or, p.nl, all); part != nil && intoRight {
		p.addRight(rel.ShiftColumns(part, 0, -p.nl))
	}
}

// branchesWithin is an OR of what each branch asks of the columns from a to b; nil when one asks nothing.
func branchesWithin(or *expr.Or, a, b int) expr.Scalar {
	out := &expr.Or{}
	for _, branch := range or.Args {
		var part []expr.Scalar
		for _, c := range conjuncts([]expr.Scalar{branch}) {
			if cols := rel.ColumnsOf(c, rel.ColSet{}); !cols.Empty() && cols.Within(a, b) {
				part = append(part, c)
			}
		}
		if len(part) == 0 {
			return nil
		}
		if e := and(part); !contains(out.Args, e) {
			out.Args = append(out.Args, e)
		}
	}
	if len(out.Args) == 1 {
		return out.Args[0]
	}
	return out
}

// transfer takes conditions on a column over to the column of the other side that is equal to it.
func (p *implied) transfer(e expr.Scalar, intoLeft, intoRight bool) {
	eq, ok := rel.AsEquality(e)
	if !ok {
		return
	}
	a, okA := eq.A.(*expr.Column)
	b, okB := eq.B.(*expr.Column)
	if !okA || !okB || a.Typ.Kind != b.Typ.Kind {
		return
	}
	if a.Index > b.Index {
		a, b = b, a
	}
	if a.Index >= p.nl || b.Index < p.nl {
		return
	}
	onto := func(e expr.Scalar, index int, like *expr.Column) expr.Scalar {
		return rel.MapColumns(e, func(*expr.Column) expr.Scalar {
			return &expr.Column{Index: index, Typ: like.Typ, Name: like.Name}
		})
	}
	if intoRight {
		for _, k := range knownOf(p.n.Left, a.Index) {
			if transferable(k, a) {
				p.addRight(onto(k, b.Index-p.nl, b))
			}
		}
	}
	if intoLeft {
		for _, k := range knownOf(p.n.Right, b.Index-p.nl) {
			if transferable(k, b) {
				p.addLeft(onto(k, a.Index, a))
			}
		}
	}
}

// transferable says whether a condition on one column says the same of every value equal to it, and more than that
// it is not NULL, which a join sees by itself.
func transferable(e expr.Scalar, c *expr.Column) bool {
	if n, ok := e.(*expr.Not); ok {
		if _, ok := n.Arg.(*expr.IsNull); ok {
			return false
		}
	}
	return !rel.CanFail(e) && (c.Typ.Kind.KeyIsValue() || comparesOnly(e))
}

// comparesOnly says whether an expression does nothing with a column but compare it.
func comparesOnly(e expr.Scalar) bool {
	switch e := e.(type) {
	case *expr.And, *expr.Or, *expr.Not:
	case *expr.Call:
		return comparisons[e.Fn.Name] && plainOperand(e.Args[0]) && plainOperand(e.Args[1])
	default:
		return false
	}
	for _, a := range expr.Children(e) {
		if !comparesOnly(a) {
			return false
		}
	}
	return true
}

var comparisons = map[string]bool{"=": true, "<>": true, "<": true, "<=": true, ">": true, ">=": true}

func plainOperand(e expr.Scalar) bool {
	switch e.(type) {
	case *expr.Column, *expr.Const:
		return true
	}
	return false
}
