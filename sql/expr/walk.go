package expr

// Children are the operands of an expression. Of a subquery they are what stands on the left of ANY and ALL; the
// query itself is a plan, which package rel walks.
func Children(s Scalar) []Scalar {
	switch e := s.(type) {
	case *Call:
		return e.Args
	case *And:
		return e.Args
	case *Or:
		return e.Args
	case *Not:
		return []Scalar{e.Arg}
	case *IsNull:
		return []Scalar{e.Arg}
	case *Coalesce:
		return e.Args
	case *Subquery:
		return e.Left
	case *Case:
		out := make([]Scalar, 0, 2*len(e.Whens)+1)
		for _, w := range e.Whens {
			out = append(out, w.Cond, w.Then)
		}
		if e.Else != nil {
			out = append(out, e.Else)
		}
		return out
	default:
		return nil
	}
}

// Walk calls visit for the expression and everything below it, parents first. Where visit answers false, the
// operands of that node are left out.
func Walk(s Scalar, visit func(Scalar) bool) {
	if s == nil || !visit(s) {
		return
	}
	for _, c := range Children(s) {
		Walk(c, visit)
	}
}

// Any says whether a test holds for the expression or anything below it.
func Any(s Scalar, test func(Scalar) bool) bool {
	found := false
	Walk(s, func(c Scalar) bool {
		found = found || test(c)
		return !found
	})
	return found
}

// Transform rebuilds an expression from the leaves up: f gets each node with its operands already rebuilt, and
// gives what stands in its place. Nodes in which nothing changed are shared with the original.
func Transform(s Scalar, f func(Scalar) Scalar) Scalar {
	if s == nil {
		return nil
	}
	return f(MapChildren(s, func(c Scalar) Scalar { return Transform(c, f) }))
}

// MapChildren replaces the operands of one node.
func MapChildren(s Scalar, f func(Scalar) Scalar) Scalar {
	switch e := s.(type) {
	case *Case:
		return mapCase(e, f)
	case *Not:
		if arg := f(e.Arg); arg != e.Arg {
			return &Not{Arg: arg}
		}
		return s
	case *IsNull:
		if arg := f(e.Arg); arg != e.Arg {
			return &IsNull{Arg: arg}
		}
		return s
	}
	args, changed := mapList(Children(s), f)
	if !changed {
		return s
	}
	switch e := s.(type) {
	case *Call:
		c := *e
		c.Args = args
		return &c
	case *And:
		return &And{Args: args}
	case *Or:
		return &Or{Args: args}
	case *Coalesce:
		return &Coalesce{Args: args, Typ: e.Typ}
	case *Subquery:
		c := *e
		c.Left = args
		return &c
	}
	return s
}

func mapCase(e *Case, f func(Scalar) Scalar) Scalar {
	out := &Case{Whens: make([]When, len(e.Whens)), Typ: e.Typ}
	changed := false
	for i, w := range e.Whens {
		out.Whens[i] = When{Cond: f(w.Cond), Then: f(w.Then)}
		changed = changed || out.Whens[i] != w
	}
	if e.Else != nil {
		out.Else = f(e.Else)
		changed = changed || out.Else != e.Else
	}
	if !changed {
		return e
	}
	return out
}

func mapList(list []Scalar, f func(Scalar) Scalar) ([]Scalar, bool) {
	out := make([]Scalar, len(list))
	changed := false
	for i, s := range list {
		out[i] = f(s)
		changed = changed || out[i] != s
	}
	if !changed {
		return list, false
	}
	return out, true
}

// VolatilityOf is the greatest volatility of the functions in an expression, subqueries left out.
func VolatilityOf(s Scalar) Volatility {
	worst := Immutable
	Walk(s, func(c Scalar) bool {
		if call, ok := c.(*Call); ok && call.Fn.Volatility > worst {
			worst = call.Fn.Volatility
		}
		return true
	})
	return worst
}
