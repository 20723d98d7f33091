package opt

import (
	"strings"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// weight says how well an input fits next into a join. Nothing is known of how many rows there are, so it counts
// what the plan shows.
type weight struct {
	keys   int  // equalities with what is joined already; none is a cross product
	bound  bool // another condition connects it
	unique bool // it is unique by what is compared: no row is multiplied
	few    int  // how much its own conditions leave out
}

// over says whether an input should be joined before another.
func (w weight) over(o weight) bool {
	switch {
	case (w.keys > 0) != (o.keys > 0):
		return w.keys > 0
	case w.keys == 0 && w.bound != o.bound:
		return w.bound
	}
	return w.sum() > o.sum()
}

func (w weight) sum() int {
	n := w.few + 2*w.keys
	if w.unique {
		n += 3
	}
	return n
}

// first is the input to begin with: one that conditions make small, if something connects it with another.
func (t *joinTree) first() int {
	best, most := 0, -1
	for i, in := range t.inputs {
		n := t.fewness(in)
		if t.connections(i) == 0 {
			n = 0
		}
		if n > most {
			best, most = i, n
		}
	}
	return best
}

// connections is how many equalities lead from an input to others.
func (t *joinTree) connections(i int) int {
	var others rel.ColSet
	for k := range t.inputs {
		if k != i {
			others = others.Union(t.columns(k))
		}
	}
	return t.weigh(others, i).keys
}

// weigh looks at an input against those that have the columns in have.
func (t *joinTree) weigh(have rel.ColSet, i int) weight {
	w := weight{few: t.fewness(t.inputs[i])}
	mine := t.columns(i)
	roots := rel.ColSet{}
	have.All(func(c int) { roots = roots.Add(t.equal.root(c)) })
	var compared, counted rel.ColSet
	mine.All(func(c int) {
		if root := t.equal.root(c); roots.Has(root) {
			compared = compared.Add(c - t.starts[i])
			counted = counted.Add(root)
		}
	})
	w.keys = counted.Len()
	for _, e := range t.preds {
		cols := rel.ColumnsOf(e, rel.ColSet{})
		if connects(e, have, mine) {
			w.keys++
		} else if cols.Intersects(mine) && cols.Subset(have.Union(mine)) {
			w.bound = true
		}
	}
	w.unique = w.keys > 0 && t.facts.UniqueBy(t.inputs[i], compared)
	return w
}

// connects says whether a condition is an equality between the two sets of columns.
func connects(e expr.Scalar, a, b rel.ColSet) bool {
	eq, ok := rel.AsEquality(e)
	if !ok {
		return false
	}
	cx, cy := rel.ColumnsOf(eq.A, rel.ColSet{}), rel.ColumnsOf(eq.B, rel.ColSet{})
	within := func(c, s rel.ColSet) bool { return !c.Empty() && c.Subset(s) }
	return within(cx, a) && within(cy, b) || within(cx, b) && within(cy, a)
}

// fewness is how much the conditions on an input leave out, as a guess: more is fewer rows.
func (t *joinTree) fewness(r rel.Rel) int {
	switch n := r.(type) {
	case *rel.Filter:
		sum := t.fewness(n.Input)
		for _, e := range n.Preds {
			sum += fewnessOf(e)
		}
		return sum
	case *rel.Project:
		return t.fewness(n.Input)
	case *rel.Map:
		return t.fewness(n.Input)
	case *rel.Reduce:
		return 1 + t.fewness(n.Input)
	case *rel.Distinct:
		return 1 + t.fewness(n.Input)
	case *rel.Window:
		return t.fewness(n.Input)
	case *rel.TopK:
		return 2 + t.fewness(n.Input)
	case *rel.Join:
		if n.Kind == rel.JoinInner || n.Kind == rel.JoinSemi {
			return t.fewness(n.Left) + t.fewness(n.Right)
		}
		return t.fewness(n.Left)
	case *rel.Values:
		return 8
	case *rel.Ref:
		if value, ok := t.facts.Value(n); ok {
			return t.fewness(value)
		}
	}
	return 0
}

// fewnessOf is how much a condition leaves out: an equality with a constant most, half of a range little.
func fewnessOf(e expr.Scalar) int {
	switch e := e.(type) {
	case *expr.And:
		sum := 0
		for _, a := range e.Args {
			sum += fewnessOf(a)
		}
		return sum
	case *expr.Or:
		least := fewnessOf(e.Args[0])
		for _, a := range e.Args[1:] {
			least = min(least, fewnessOf(a))
		}
		return least - 1
	case *expr.Call:
		return fewnessOfCall(e)
	}
	return 0
}

func fewnessOfCall(e *expr.Call) int {
	hasConst := false
	for _, a := range e.Args {
		_, ok := a.(*expr.Const)
		hasConst = hasConst || ok
	}
	switch name := e.Fn.Name; {
	case !hasConst:
		return 1
	case name == "=" && fewValues(e.Args[0].Type()):
		return 3
	case name == "=":
		return 8
	case name == "= ANY":
		return 6
	case name == "~~":
		return 4
	case strings.HasPrefix(name, "<>"):
		return 0
	}
	return 2
}

// fewValues says whether a type has so few values that one of them is many rows.
func fewValues(t repr.Type) bool {
	return t.Kind == repr.KindBool || t.Kind == repr.KindBpchar && t.HasMod() && t.Mod <= bpcharOne
}

// bpcharOne is the modifier of char(1).
const bpcharOne = 1 + 4
