package fn

import (
	"strings"

	"millrace/internal/check"
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

type evalFunc = func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error)

// row is one function or operator of a family's table.
type row struct {
	// sig is "name(type, type, …) result"; the last type may follow "variadic".
	sig  string
	eval evalFunc
	// poly makes the code of a polymorphic function for the types of a call; eval is nil then.
	poly func(args []repr.Type, ret repr.Type) evalFunc
	// nulls: called with NULL operands too.
	nulls bool
	vol   expr.Volatility
	// ofInt makes code for calls with one operand that varies: see expr.Func.
	ofInt func(args []repr.Datum, at int) expr.IntCode
}

// Pseudo-types of signatures. They are never the type of a value.
const (
	kindAny repr.Kind = 0xe0 + iota
	kindAnyElement
	kindAnyArray
	kindAnyNonArray
	kindCompat
	kindCompatArray
)

var pseudoNames = map[string]repr.Kind{
	"any": kindAny, "anyelement": kindAnyElement, "anyarray": kindAnyArray, "anynonarray": kindAnyNonArray,
	"anycompatible": kindCompat, "anycompatiblearray": kindCompatArray,
}

// isPseudo says whether the type is a pseudo-type of a signature.
func isPseudo(t repr.Type) bool { return t.Kind >= kindAny }

// candidate is a function or operator that a call may mean.
type candidate struct {
	name     string
	args     []repr.Type
	ret      repr.Type
	variadic bool
	row      *row
	fn       *expr.Func // of a function that is not polymorphic
}

// catalog finds candidates by name.
type catalog struct {
	byName map[string][]*candidate
	order  []*candidate
}

// newCatalog reads the tables in order.
func newCatalog(families []family) *catalog {
	c := &catalog{byName: map[string][]*candidate{}}
	for _, f := range families {
		for i := range f.rows {
			c.add(parseSignature(&f.rows[i]))
		}
	}
	return c
}

func (c *catalog) add(d *candidate) {
	c.byName[d.name] = append(c.byName[d.name], d)
	c.order = append(c.order, d)
}

// parseSignature reads the signature of a row.
func parseSignature(r *row) *candidate {
	open, end := strings.IndexByte(r.sig, '('), strings.LastIndexByte(r.sig, ')')
	check.That(open > 0 && end > open, "signature %q", r.sig)
	c := &candidate{name: strings.TrimSpace(r.sig[:open]), row: r, ret: sigType(r.sig[end+1:])}
	if list := strings.TrimSpace(r.sig[open+1 : end]); list != "" {
		for a := range strings.SplitSeq(list, ",") {
			a = strings.TrimSpace(a)
			if rest, ok := strings.CutPrefix(a, "variadic "); ok {
				a, c.variadic = rest, true
			}
			c.args = append(c.args, sigType(a))
		}
	}
	poly := isPseudo(c.ret)
	for _, a := range c.args {
		poly = poly || isPseudo(a)
	}
	if !poly && r.poly != nil {
		r.eval = r.poly(c.args, c.ret)
	}
	if !poly {
		c.fn = &expr.Func{
			Name: c.name, Args: c.args, Ret: c.ret, Variadic: c.variadic,
			NullCalled: r.nulls, Volatility: r.vol, Eval: r.eval, OfInt: r.ofInt,
		}
	}
	return c
}

func sigType(name string) repr.Type {
	name = strings.TrimSpace(name)
	if k, ok := pseudoNames[name]; ok {
		return repr.TypeOf(k)
	}
	t, ok := pgfmt.TypeNamed(name)
	check.That(ok, "signature names the type %q", name)
	return t
}

// arity says whether a call with n arguments may mean the candidate.
func (c *candidate) arity(n int) bool {
	if c.variadic {
		return n >= len(c.args)
	}
	return n == len(c.args)
}

// arg is the type of the i-th argument, the last one repeated for a variadic function.
func (c *candidate) arg(i int) repr.Type { return c.args[min(i, len(c.args)-1)] }

// expand is the list of argument types of a call with n arguments.
func (c *candidate) expand(n int) []repr.Type {
	out := make([]repr.Type, n)
	for i := range out {
		out[i] = c.arg(i)
	}
	return out
}

// instantiate gives the function for a call whose operands have these types.
func (c *candidate) instantiate(actual []repr.Type) (*expr.Func, *repr.Error) {
	if c.fn != nil {
		return c.fn, nil
	}
	args, ret, err := c.bindPolymorphic(actual)
	if err != nil {
		return nil, err
	}
	eval := c.row.eval
	if c.row.poly != nil {
		eval = c.row.poly(args, ret)
	}
	return &expr.Func{
		Name: c.name, Args: args, Ret: ret, NullCalled: c.row.nulls, Volatility: c.row.vol, Eval: eval,
	}, nil
}

// bindPolymorphic replaces the pseudo-types of the candidate by types that fit the operands.
func (c *candidate) bindPolymorphic(actual []repr.Type) (args []repr.Type, ret repr.Type, err *repr.Error) {
	args = c.expand(len(actual))
	elem, compat := repr.Type{}, repr.Type{}
	var compats []repr.Type
	for i, a := range args {
		have := plain(actual[i])
		switch a.Kind {
		case kindAnyElement, kindAnyNonArray:
			if have.Kind != repr.KindNull {
				elem = have
			}
		case kindAnyArray:
			if have.Kind == repr.KindArray {
				elem = repr.TypeOf(have.Elem)
			}
		case kindCompat:
			compats = append(compats, have)
		case kindCompatArray:
			if have.Kind == repr.KindArray {
				compats = append(compats, repr.TypeOf(have.Elem))
			}
		default: // is a type already
		}
	}
	if len(compats) > 0 {
		if compat, err = CommonType(compats); err != nil {
			return nil, repr.Type{}, err
		}
	}
	for i, a := range args {
		if args[i], err = substitute(a, plain(actual[i]), elem, compat); err != nil {
			return nil, repr.Type{}, err
		}
	}
	ret, err = substitute(c.ret, repr.Type{}, elem, compat)
	return args, ret, err
}

// plain is a type without its modifier.
func plain(t repr.Type) repr.Type {
	t.Mod = -1
	return t
}

// substitute is what a type of a signature stands for.
func substitute(t, have, elem, compat repr.Type) (repr.Type, *repr.Error) {
	pick := elem
	switch t.Kind {
	case kindAny:
		if have.Kind == repr.KindNull {
			return repr.TypeOf(repr.KindText), nil
		}
		return have, nil
	case kindCompat, kindCompatArray:
		pick = compat
	case kindAnyElement, kindAnyNonArray, kindAnyArray:
	default:
		return t, nil
	}
	if pick.Kind == repr.KindNull {
		return t, repr.NewError(repr.CodeDatatypeMismatch, "could not determine polymorphic type because input has type unknown")
	}
	if t.Kind == kindAnyArray || t.Kind == kindCompatArray {
		if repr.Kinds[pick.Kind].ArrayOID == 0 {
			return t, repr.NewError(repr.CodeUndefinedObject, "could not find array type for data type "+pick.String())
		}
		return repr.ArrayOf(pick.Kind), nil
	}
	return pick, nil
}
