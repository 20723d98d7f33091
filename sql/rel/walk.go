package rel

import (
	"millrace/internal/check"
	"millrace/sql/expr"
)

// Children are the inputs of a node in order. Plans inside its expressions are not among them.
func Children(r Rel) []Rel {
	switch r := r.(type) {
	case *Get, *Values, *Ref:
		return nil
	case *Filter:
		return []Rel{r.Input}
	case *Map:
		return []Rel{r.Input}
	case *Project:
		return []Rel{r.Input}
	case *Join:
		return []Rel{r.Left, r.Right}
	case *Apply:
		return []Rel{r.Left, r.Right}
	case *Reduce:
		return []Rel{r.Input}
	case *Distinct:
		return []Rel{r.Input}
	case *TopK:
		return []Rel{r.Input}
	case *Union:
		return r.Inputs
	case *Negate:
		return []Rel{r.Input}
	case *Threshold:
		return []Rel{r.Input}
	case *FlatMap:
		return []Rel{r.Input}
	case *Window:
		return []Rel{r.Input}
	case *Temporal:
		return []Rel{r.Input}
	case *Let:
		return []Rel{r.Value, r.Body}
	case *LetRec:
		return r.children()
	}
	check.Never("children of %T", r)
	return nil
}

// WithChildren is the node over other inputs, as many as Children gives.
func WithChildren(r Rel, in []Rel) Rel {
	switch r := r.(type) {
	case *Get, *Values, *Ref:
		return r
	case *Filter:
		return &Filter{Input: in[0], Preds: r.Preds}
	case *Map:
		return &Map{Input: in[0], Exprs: r.Exprs, Names: r.Names}
	case *Project:
		return &Project{Input: in[0], Cols: r.Cols, Names: r.Names}
	case *Join:
		return &Join{Kind: r.Kind, Left: in[0], Right: in[1], On: r.On}
	case *Apply:
		return &Apply{Kind: r.Kind, Left: in[0], Right: in[1], On: r.On}
	case *Reduce:
		return &Reduce{Input: in[0], Keys: r.Keys, Aggs: r.Aggs, Names: r.Names}
	case *Distinct:
		return &Distinct{Input: in[0]}
	case *TopK:
		c := *r
		c.Input = in[0]
		return &c
	case *Union:
		return &Union{Inputs: in}
	case *Negate:
		return &Negate{Input: in[0]}
	case *Threshold:
		return &Threshold{Input: in[0]}
	case *FlatMap:
		c := *r
		c.Input = in[0]
		return &c
	case *Window:
		c := *r
		c.Input = in[0]
		return &c
	case *Temporal:
		return &Temporal{Input: in[0], From: r.From, Until: r.Until}
	case *Let:
		return &Let{ID: r.ID, Value: in[0], Body: in[1]}
	case *LetRec:
		return r.withChildren(in)
	}
	check.Never("children of %T", r)
	return nil
}

// Scalars are the expressions of the node itself, in a fixed order.
func Scalars(r Rel) []expr.Scalar {
	switch r := r.(type) {
	case *Values:
		var out []expr.Scalar
		for _, row := range r.Rows {
			out = append(out, row...)
		}
		return out
	case *Filter:
		return r.Preds
	case *Map:
		return r.Exprs
	case *Join:
		return r.On
	case *Apply:
		return r.On
	case *Reduce:
		return reduceScalars(r)
	case *TopK:
		var out []expr.Scalar
		if r.Limit != nil {
			out = append(out, r.Limit)
		}
		if r.Offset != nil {
			out = append(out, r.Offset)
		}
		return out
	case *FlatMap:
		return r.Args
	case *Window:
		return windowScalars(r)
	case *Temporal:
		return append(append([]expr.Scalar(nil), r.From...), r.Until...)
	}
	return nil
}

func reduceScalars(r *Reduce) []expr.Scalar {
	out := append([]expr.Scalar(nil), r.Keys...)
	for _, a := range r.Aggs {
		out = append(out, a.Args...)
		if a.Filter != nil {
			out = append(out, a.Filter)
		}
		for _, o := range a.Order {
			out = append(out, o.Expr)
		}
	}
	return out
}

// WithScalars is the node with other expressions, as many as Scalars gives.
func WithScalars(r Rel, s []expr.Scalar) Rel {
	switch r := r.(type) {
	case *Values:
		rows := make([][]expr.Scalar, len(r.Rows))
		for i := range r.Rows {
			n := len(r.Rows[i])
			rows[i], s = s[:n:n], s[n:]
		}
		return &Values{Rows: rows, Cols: r.Cols}
	case *Filter:
		return &Filter{Input: r.Input, Preds: s}
	case *Map:
		return &Map{Input: r.Input, Exprs: s, Names: r.Names}
	case *Join:
		return &Join{Kind: r.Kind, Left: r.Left, Right: r.Right, On: s}
	case *Apply:
		return &Apply{Kind: r.Kind, Left: r.Left, Right: r.Right, On: s}
	case *Reduce:
		return reduceWithScalars(r, s)
	case *TopK:
		c := *r
		if r.Limit != nil {
			c.Limit, s = s[0], s[1:]
		}
		if r.Offset != nil {
			c.Offset = s[0]
		}
		return &c
	case *FlatMap:
		c := *r
		c.Args = s
		return &c
	case *Window:
		return windowWithScalars(r, s)
	case *Temporal:
		n := len(r.From)
		return &Temporal{Input: r.Input, From: s[:n:n], Until: s[n:]}
	}
	return r
}

func reduceWithScalars(r *Reduce, s []expr.Scalar) Rel {
	take := func(n int) []expr.Scalar {
		head := s[:n:n]
		s = s[n:]
		return head
	}
	c := *r
	c.Keys = take(len(r.Keys))
	c.Aggs = append([]Agg(nil), r.Aggs...)
	for i := range c.Aggs {
		a := &c.Aggs[i]
		a.Args = take(len(a.Args))
		if a.Filter != nil {
			a.Filter = take(1)[0]
		}
		a.Order = append([]Order(nil), a.Order...)
		for j := range a.Order {
			a.Order[j].Expr = take(1)[0]
		}
	}
	return &c
}

// Walk visits the plan from the root down, plans inside expressions not included; f says whether to go on
// below a node.
func Walk(r Rel, f func(Rel) bool) {
	if !f(r) {
		return
	}
	for _, c := range Children(r) {
		Walk(c, f)
	}
}

// Transform rewrites the plan from the leaves up: f sees each node over its rewritten inputs. A node of which
// nothing changed stays the same pointer.
func Transform(r Rel, f func(Rel) Rel) Rel {
	return f(MapChildren(r, func(c Rel) Rel { return Transform(c, f) }))
}

// MapChildren replaces each input of the node. When none changes the node stays the same pointer.
func MapChildren(r Rel, f func(Rel) Rel) Rel {
	in := Children(r)
	out := make([]Rel, len(in))
	changed := false
	for i := range in {
		out[i] = f(in[i])
		changed = changed || out[i] != in[i]
	}
	if !changed {
		return r
	}
	return WithChildren(r, out)
}

// MapScalars replaces each expression of the node itself. When none changes the node stays the same pointer.
func MapScalars(r Rel, f func(expr.Scalar) expr.Scalar) Rel {
	in := Scalars(r)
	out := make([]expr.Scalar, len(in))
	changed := false
	for i := range in {
		out[i] = f(in[i])
		changed = changed || out[i] != in[i]
	}
	if !changed {
		return r
	}
	return WithScalars(r, out)
}
