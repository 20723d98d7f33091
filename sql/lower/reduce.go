package lower

import (
	"fmt"

	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// anyValue gives the least of the values that are one key: the printed form of a grouping key.
var anyValue = &repr.Aggregate{Name: "any_value", Extreme: -1}

// reduce groups by the canonical form of the keys. A key whose values may print differently is also carried as
// it prints, by the aggregate any_value, and stands in the output in place of the canonical form.
func (b *builder) reduce(n *rel.Reduce) stream {
	in := b.lower(n.Input)
	r := reduction{keys: len(n.Keys)}
	printed := make([]int, len(n.Keys)) // the output column that prints the key
	for i, k := range n.Keys {
		r.fields = append(r.fields, field{expr: k, canon: true})
		printed[i] = i
	}
	for _, a := range n.Aggs {
		r.agg(a)
	}
	for i, k := range n.Keys {
		if !k.Type().Kind.KeyIsValue() {
			printed[i] = len(n.Keys) + len(r.op.Aggs)
			r.agg(rel.Agg{Fn: anyValue, Args: []expr.Scalar{k}, Typ: k.Type()})
		}
	}
	r.op.Keys, r.op.Grows = len(n.Keys), b.keepsWinners(n)
	r.op.New = rowFunc(in.f, r.fields, b.env)
	if len(n.Keys) == 0 {
		r.op.Default = emptyRow(n.Aggs)
	}
	what := fmt.Sprintf("%d %t %s ->%s %s", r.op.Keys, r.op.Grows, in.f.key(), fieldsKey(r.fields), r.what)
	node := b.add(r.op, what, reduceLabel(n), in.node)
	out := identity(len(n.Keys) + len(r.op.Aggs))
	for i := range n.Aggs {
		printed = append(printed, len(n.Keys)+i)
	}
	return stream{node: node, f: out.project(printed)}
}

// keepsWinners says whether a Reduce or TopK may forget rows that do not win. Nothing is known of a plan in a loop.
func (b *builder) keepsWinners(r rel.Rel) bool {
	return b.facts != nil && !b.opts.NoWinners && b.facts.KeepsWinners(r)
}

// emptyRow are the aggregates of no rows. It is not nil, also when there is no aggregate.
func emptyRow(aggs []rel.Agg) []byte {
	row := []byte{}
	for _, a := range aggs {
		row = repr.Append(row, a.Fn.Empty)
	}
	return row
}

func reduceLabel(n *rel.Reduce) string {
	label := "reduce"
	for i, a := range n.Aggs {
		label += []string{" ", ", "}[min(i, 1)] + a.Fn.Name
	}
	return label
}

// reduction collects the columns and aggregates of one Reduce node.
type reduction struct {
	keys   int
	fields []field
	op     dataflow.Reduce
	what   string
}

func (r *reduction) agg(a rel.Agg) {
	spec := dataflow.AggSpec{Fn: a.Fn, Filter: -1, Distinct: a.Distinct, Direct: len(a.Order) == 0}
	for _, e := range a.Args {
		spec.Args = append(spec.Args, r.column(guarded(e, a.Filter)))
		spec.Direct = spec.Direct && e.Type().Kind.KeyIsValue()
	}
	if a.Filter != nil {
		spec.Filter = r.column(a.Filter)
	}
	for _, o := range a.Order {
		spec.Order = append(spec.Order,
			dataflow.OrderCol{Col: r.column(o.Expr), Desc: o.Desc, NullsFirst: o.NullsFirst})
	}
	r.op.Aggs = append(r.op.Aggs, spec)
	r.what += fmt.Sprintf(" %s/%v/%v/%d/%t/%v", a.Fn.Name, a.Typ, spec.Args, spec.Filter, spec.Distinct, spec.Order)
}

// guarded is an operand of an aggregate with a FILTER: a row that does not count may not fail either.
func guarded(e, filter expr.Scalar) expr.Scalar {
	if filter == nil || !rel.CanFail(e) {
		return e
	}
	return &expr.Case{Whens: []expr.When{{Cond: filter, Then: e}}, Typ: e.Type()}
}

// column is the place of an expression behind the keys.
func (r *reduction) column(e expr.Scalar) int {
	for i, f := range r.fields[r.keys:] {
		if rel.EqualScalar(f.expr, e) {
			return i
		}
	}
	r.fields = append(r.fields, field{expr: e})
	return len(r.fields) - r.keys - 1
}
