package plan

import (
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/fn"
)

// guesses are where a condition may turn: at a timestamp that stands in it, moved by the intervals that do, or at the end
// of the unit that time is cut to. Where one is right, which trying the condition shows, nothing has to be searched.
type guesses struct {
	moments []expr.Eval
	lengths []expr.Eval
	plus    *expr.Func // timestamp, interval
	minus   *expr.Func
}

// guess collects what a condition over the parts holds.
func (a *abstraction) guess(cond expr.Scalar) *guesses {
	t, i := repr.TypeOf(repr.KindTimestamp), repr.TypeOf(repr.KindInterval)
	g := &guesses{}
	var err *repr.Error
	if g.plus, err = fn.ResolveOperator("+", &t, &i); err != nil {
		return g
	}
	if g.minus, err = fn.ResolveOperator("-", &t, &i); err != nil {
		return g
	}
	expr.Walk(cond, func(e expr.Scalar) bool {
		g.collect(e)
		return true
	})
	return g
}

func (g *guesses) collect(e expr.Scalar) {
	switch e := e.(type) {
	case *expr.Column, *expr.Const:
		eval := expr.Compile(e, &expr.Env{})
		switch kind := e.Type().Kind; {
		case isMoment(kind):
			g.moments = append(g.moments, eval)
		case kind == repr.KindInterval:
			g.lengths = append(g.lengths, eval)
		}
	case *expr.Call:
		if unit, ok := unitOf(e); ok {
			g.lengths = append(g.lengths, expr.Compile(unit, &expr.Env{}))
		}
	}
}

// unitOf is the unit of date_trunc as an interval.
func unitOf(c *expr.Call) (unit expr.Scalar, ok bool) {
	if c.Fn.Name != "date_trunc" {
		return nil, false
	}
	name, ok := c.Args[0].(*expr.Const)
	if !ok {
		return nil, false
	}
	interval := repr.TypeOf(repr.KindInterval)
	f, ok := fn.Cast(repr.TypeOf(repr.KindText), interval, fn.CastExplicit)
	if !ok {
		return nil, false
	}
	d, err := f.Eval(&expr.Env{}, []repr.Datum{repr.Text("1 " + name.Val.Str())})
	return &expr.Const{Val: d.Clone(), Typ: interval}, err == nil
}

// each calls f with guesses in milliseconds until it says that one was right.
func (g *guesses) each(row *expr.Row, f func(ms int64) bool) bool {
	for _, moment := range g.moments {
		m, err := moment(row)
		if err != nil || m.IsNull() {
			continue
		}
		m = m.As(repr.KindTimestamp)
		if f(millisOf(m)) || g.moved(m, row, f) {
			return true
		}
	}
	return false
}

// moved calls f with a moment that is moved by each of the intervals.
func (g *guesses) moved(m repr.Datum, row *expr.Row, f func(ms int64) bool) bool {
	for _, length := range g.lengths {
		by, err := length(row)
		if err != nil || by.IsNull() {
			continue
		}
		args := []repr.Datum{m, by}
		if d, err := g.plus.Eval(&expr.Env{}, args); err == nil && f(millisOf(d)) {
			return true
		}
		if d, err := g.minus.Eval(&expr.Env{}, args); err == nil && f(millisOf(d)) {
			return true
		}
	}
	return false
}

// millisOf is a timestamp in milliseconds since 1970, rounded up.
func millisOf(d repr.Datum) int64 {
	n := d.Int()/1000 + 946684800*1000
	if d.Int()%1000 > 0 {
		n++
	}
	return n
}
