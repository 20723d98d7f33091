package fn

import (
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// CastContext is what asks for a cast. What a weaker context allows, a stronger one allows too.
type CastContext uint8

// The contexts, the weakest first.
const (
	CastImplicit   CastContext = iota // the operand of a function
	CastAssignment                    // a value for a column
	CastExplicit                      // CAST and ::
)

// castRow is one cast of a family's table.
type castRow struct {
	from, to repr.Kind
	ctx      CastContext
	eval     evalFunc
}

type castKey struct{ from, to repr.Kind }

// castCatalog finds casts by their kinds.
type castCatalog map[castKey]*castRow

var casts = newCastCatalog(castTables...)

func newCastCatalog(tables ...[]castRow) castCatalog {
	c := castCatalog{}
	for _, t := range tables {
		for i := range t {
			c[castKey{t[i].from, t[i].to}] = &t[i]
		}
	}
	return c
}

// implicit says whether a value of one type may stand where the other is wanted.
func implicit(from, to repr.Type) bool {
	if from.Kind == repr.KindNull || plain(from) == plain(to) {
		return true
	}
	if from.Kind == repr.KindArray && to.Kind == repr.KindArray {
		return implicit(repr.TypeOf(from.Elem), repr.TypeOf(to.Elem))
	}
	c := casts[castKey{from.Kind, to.Kind}]
	return c != nil && c.ctx == CastImplicit
}

// Cast finds the function that turns a value of one type into one of the other. It is nil, true when nothing has to be
// done, and false when the context does not allow the cast.
func Cast(from, to repr.Type, ctx CastContext) (*expr.Func, bool) {
	eval, ok := castEval(plain(from), plain(to), ctx)
	if !ok {
		return nil, false
	}
	if to.HasMod() && to.Kind == kInterval && from.Kind == repr.KindNull {
		eval = parseAs(to) // the fields say what a bare number counts
	} else if to.HasMod() && from != to {
		eval = fit(eval, to, ctx == CastExplicit)
	}
	if eval == nil {
		return nil, true
	}
	name := repr.Kinds[to.Kind].Name
	if to.Kind == repr.KindArray {
		name = "_" + repr.Kinds[to.Elem].Name
	}
	return &expr.Func{Name: name, Args: []repr.Type{from}, Ret: to, Eval: eval}, true
}

// fit applies the modifier of a type to what a cast gives.
func fit(eval evalFunc, to repr.Type, explicit bool) evalFunc {
	if eval == nil {
		return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
			return pgfmt.Coerce(to, a[0].As(to.Kind), explicit)
		}
	}
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		d, err := eval(env, a)
		if err != nil {
			return repr.Null, err
		}
		return pgfmt.Coerce(to, d, explicit)
	}
}

// castEval is the code of a cast without modifier; nil when the value stays as it is.
func castEval(from, to repr.Type, ctx CastContext) (evalFunc, bool) {
	switch {
	case from == to:
		return nil, true
	case from.Kind == repr.KindNull:
		if isText(to.Kind) && to.Kind != repr.KindName {
			return relabel(to.Kind), true
		}
		return parseAs(to), true
	case from.Kind == repr.KindArray && to.Kind == repr.KindArray:
		return arrayCast(from, to, ctx)
	}
	if c := casts[castKey{from.Kind, to.Kind}]; c != nil {
		if ctx < c.ctx {
			return nil, false
		}
		if c.eval == nil {
			return relabel(to.Kind), true
		}
		return c.eval, true
	}
	switch {
	case isText(to.Kind) && ctx >= CastAssignment:
		return printAs(from, to.Kind), true
	case isText(from.Kind) && ctx >= CastExplicit && to.Kind != repr.KindRecord && to.Kind != repr.KindVoid:
		return parseAs(to), true
	}
	return nil, false
}

// isText says whether the kind is one of the string types.
func isText(k repr.Kind) bool {
	switch k {
	case repr.KindText, repr.KindVarchar, repr.KindBpchar, repr.KindName:
		return true
	default:
		return false
	}
}

// relabel gives the value another kind of the same payload.
func relabel(k repr.Kind) evalFunc {
	return func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) { return a[0].As(k), nil }
}

// parseAs reads a value from its text form.
func parseAs(to repr.Type) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return pgfmt.ParseText(to, a[0].Str(), options(env))
	}
}

// printAs writes a value in its text form.
func printAs(from repr.Type, to repr.Kind) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		b := pgfmt.AppendText(nil, from, a[0], options(env))
		if to == repr.KindName {
			b = []byte(pgfmt.TruncateName(string(b)))
		}
		return repr.StringOf(to, b), nil
	}
}

// arrayCast casts element by element.
func arrayCast(from, to repr.Type, ctx CastContext) (evalFunc, bool) {
	elem, ok := castEval(repr.TypeOf(from.Elem), repr.TypeOf(to.Elem), ctx)
	if !ok || elem == nil {
		return nil, ok
	}
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		elems := a[0].Elems(nil)
		for i := range elems {
			if elems[i].IsNull() {
				continue
			}
			d, err := elem(env, elems[i:i+1])
			if err != nil {
				return repr.Null, err
			}
			elems[i] = d
		}
		return repr.Array(elems), nil
	}, true
}
