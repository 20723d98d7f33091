package plan

import (
	"sync"
	"time"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// movement is how a value moves while time goes on and the row stays.
type movement int8

const (
	falling movement = iota - 1
	still
	rising
)

// searchedBounds reads comparisons in which the time only ever rises or falls: there is one time at which such a
// condition becomes true or false, and it is searched for each row by trying the condition itself.
func searchedBounds(c *expr.Call) []expr.Scalar {
	if c.Fn.Name == "=" {
		ge, le := withOp(c, ">="), withOp(c, "<=")
		if ge == nil || le == nil {
			return nil
		}
		a, b := searchedBounds(ge), searchedBounds(le)
		if a == nil || b == nil {
			return nil
		}
		return append(a, b...)
	}
	a := &abstraction{}
	cond, left, ok := a.compare(c)
	if !ok || left == still {
		return nil
	}
	up := c.Fn.Name == ">" || c.Fn.Name == ">="
	bound := a.turn(cond, up == (left == rising), c.Pos)
	if up == (left == rising) {
		return []expr.Scalar{rel.Since(bound, c.Pos)}
	}
	return []expr.Scalar{rel.Before(bound, c.Pos)}
}

// abstraction makes of a condition one over its parts that do not read the time.
type abstraction struct{ parts []expr.Scalar }

// compare abstracts a comparison and says how its left side moves against its right.
func (a *abstraction) compare(c *expr.Call) (*expr.Call, movement, bool) {
	l, lm, ok := a.scalar(c.Args[0])
	if !ok {
		return nil, still, false
	}
	r, rm, ok := a.scalar(c.Args[1])
	if !ok {
		return nil, still, false
	}
	m, ok := together(lm, -rm)
	return &expr.Call{Fn: c.Fn, Args: []expr.Scalar{l, r}, Typ: c.Typ, Pos: c.Pos}, m, ok
}

// together is how the sum of two values moves, where that is known.
func together(a, b movement) (movement, bool) {
	switch {
	case a == still:
		return b, true
	case b == still || a == b:
		return a, true
	}
	return still, false
}

// scalar abstracts an operand. It fails where nothing is known of how the operand moves.
func (a *abstraction) scalar(e expr.Scalar) (expr.Scalar, movement, bool) {
	switch {
	case isTimeCall(e):
		return e, rising, true
	case !readsTime(e):
		if c, ok := e.(*expr.Const); ok {
			return c, still, true
		}
		a.parts = append(a.parts, e)
		return &expr.Column{Index: len(a.parts) - 1, Typ: e.Type()}, still, true
	}
	c, ok := e.(*expr.Call)
	if !ok {
		return nil, still, false
	}
	args, moves := make([]expr.Scalar, len(c.Args)), make([]movement, len(c.Args))
	for i, arg := range c.Args {
		if args[i], moves[i], ok = a.scalar(arg); !ok {
			return nil, still, false
		}
	}
	rule := movementRules[c.Fn.Name]
	if rule == nil || !isMovable(c.Typ.Kind) {
		return nil, still, false
	}
	m, ok := rule(c, moves)
	return &expr.Call{Fn: c.Fn, Args: args, Typ: c.Typ, Pos: c.Pos}, m, ok
}

// isMovable says whether values of a kind are on a line on which the operations below keep their order.
func isMovable(k repr.Kind) bool { return isNumber(k) || isPlace(k) || k == repr.KindInterval }

// movementRule says how a call moves whose operands move so.
type movementRule func(c *expr.Call, args []movement) (movement, bool)

// movementRules are the functions of which that is known. What isn't listed may jump back and forth.
var movementRules = map[string]movementRule{
	"+": func(_ *expr.Call, m []movement) (movement, bool) { return together(m[0], m[len(m)-1]) },
	"-": func(_ *expr.Call, m []movement) (movement, bool) {
		if len(m) == 1 {
			return -m[0], true
		}
		return together(m[0], -m[1])
	},
	"*": scaled, "/": scaled,
	"date": same, "timestamp": same, "timestamptz": same, "to_timestamp": same,
	"int2": same, "int4": same, "int8": same, "numeric": same, "float4": same, "float8": same,
	"floor": same, "ceil": same, "ceiling": same,
	"date_trunc": second, "date_bin": second,
	"extract": part, "date_part": part,
	"timezone": utcZone,
}

// same is the rule of functions of one operand that keep its order.
func same(c *expr.Call, m []movement) (movement, bool) {
	return m[0], len(m) == 1 && c.Args[0].Type().Kind != repr.KindInterval
}

// scaled is the rule of a product with, or a quotient by, a constant number.
func scaled(c *expr.Call, m []movement) (movement, bool) {
	moving, factor := 0, 1
	if m[0] == still && c.Fn.Name == "*" {
		moving, factor = 1, 0
	}
	by, ok := c.Args[factor].(*expr.Const)
	if !ok || m[factor] != still || !isNumber(c.Args[moving].Type().Kind) || !isNumber(by.Typ.Kind) || by.Val.IsNull() {
		return still, false
	}
	switch sign := signOf(by.Val); {
	case sign > 0:
		return m[moving], true
	case sign < 0:
		return -m[moving], true
	}
	return still, false
}

func signOf(d repr.Datum) int {
	switch d.Kind() {
	case repr.KindNumeric:
		return d.NumericSign()
	case repr.KindFloat4, repr.KindFloat8:
		return repr.Compare(repr.Float8(d.Float()), repr.Float8(0))
	default:
		return repr.Compare(repr.Int8(d.Int()), repr.Int8(0))
	}
}

// second is the rule of date_trunc and date_bin without a zone: they keep the order of their second operand.
func second(c *expr.Call, m []movement) (movement, bool) {
	zoned := c.Fn.Name == "date_trunc" && len(m) > 2
	rest := len(m) < 3 || m[2] == still
	return m[1], m[0] == still && rest && !zoned && isPlace(c.Args[1].Type().Kind)
}

// wholeParts are the parts of a timestamp that never go back.
var wholeParts = map[string]bool{
	"epoch": true, "year": true, "isoyear": true, "decade": true, "century": true, "millennium": true, "julian": true,
}

func part(c *expr.Call, m []movement) (movement, bool) {
	name, ok := c.Args[0].(*expr.Const)
	if !ok || len(m) != 2 || !wholeParts[name.Val.Str()] {
		return still, false
	}
	kind := c.Args[1].Type().Kind
	return m[1], isPlace(kind) || kind == repr.KindInterval && name.Val.Str() == "epoch"
}

// utcZone is the rule of AT TIME ZONE 'UTC'. In other zones clocks go back once a year.
func utcZone(c *expr.Call, m []movement) (movement, bool) {
	name, ok := c.Args[0].(*expr.Const)
	if !ok || len(m) != 2 || name.Typ.Kind != repr.KindText {
		return still, false
	}
	return m[1], name.Val.Str() == "UTC" || name.Val.Str() == "utc"
}

// usualTime is where searches begin. A condition that fails there fails; one that fails far from it, where numbers of
// seconds do not fit an integer any more, is taken to stay as it was before.
const usualTime = 1_700_000_000_000

// turn is the time at which the condition takes the truth value want, as an expression over the parts.
func (a *abstraction) turn(cond *expr.Call, want bool, pos int) expr.Scalar {
	types := make([]repr.Type, len(a.parts))
	for i, p := range a.parts {
		types[i] = p.Type()
	}
	name := "becomes_false"
	if want {
		name = "becomes_true"
	}
	probes := sync.Pool{New: func() any { return newProbe(cond, a.guess(cond)) }}
	f := &expr.Func{
		Name: name + "[" + rel.FormatScalar(cond, nil) + "]", Args: types, Ret: repr.TypeOf(repr.KindInt8),
		Eval: func(_ *expr.Env, args []repr.Datum) (repr.Datum, *repr.Error) {
			p := probes.Get().(*probe)
			defer probes.Put(p)
			return p.turn(args, want)
		},
	}
	return &expr.Call{Fn: f, Args: a.parts, Typ: f.Ret, Pos: pos}
}

// probe tries a condition at different times. It belongs to one goroutine at a time.
type probe struct {
	env  *expr.Env
	cond expr.Eval
	row  expr.Row
	near *guesses
}

func newProbe(cond *expr.Call, near *guesses) *probe {
	env := &expr.Env{}
	return &probe{env: env, cond: expr.Compile(cond, env), near: near}
}

// at is the value of the condition at a time.
func (p *probe) at(args []repr.Datum, t int64) (repr.Datum, *repr.Error) {
	p.env.Now = time.UnixMilli(t).UTC()
	p.env.LogicalNow = repr.Time(t)
	p.row.SetDatums(args)
	return p.cond(&p.row)
}

// guessed is the time of the turn if it is one of those that the condition itself suggests, or the next.
func (p *probe) guessed(args []repr.Datum, want bool) (t int64, ok bool) {
	var row expr.Row
	row.SetDatums(args)
	ok = p.near.each(&row, func(ms int64) bool {
		if ms < 1 || ms >= rel.LastTime {
			return false
		}
		is, err := p.at(args, ms)
		if err != nil {
			return false
		}
		before := ms - 1
		if t = ms; is.Bool() != want {
			t, before = ms+1, ms+1
		}
		other, err := p.at(args, before)
		return err == nil && is.Bool() != other.Bool()
	})
	return t, ok
}

// turn is the first time from which on the condition has the value want. Where the condition is NULL it is so at every
// time, for only its operands can make it so.
func (p *probe) turn(args []repr.Datum, want bool) (repr.Datum, *repr.Error) {
	now, err := p.at(args, usualTime)
	if err != nil || now.IsNull() {
		return repr.Null, err
	}
	if t, ok := p.guessed(args, want); ok {
		return repr.Int8(t), nil
	}
	early := now.Bool() == want
	lo, hi := int64(usualTime), int64(rel.LastTime)+1 // the turn is behind lo, at hi or before
	if early {
		lo, hi = -1, usualTime
	}
	for hi-lo > 1 {
		mid := lo + (hi-lo)/2
		d, err := p.at(args, mid)
		switch {
		case err != nil && early:
			lo = mid
		case err != nil || d.Bool() == want:
			hi = mid
		default:
			lo = mid
		}
	}
	if hi > rel.LastTime {
		return repr.Int8(rel.Never), nil
	}
	if _, err := p.at(args, hi); err != nil {
		return repr.Int8(rel.Never), nil
	}
	return repr.Int8(hi), nil
}
