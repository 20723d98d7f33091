package fn

import (
	"slices"
	"strings"

	"millrace/repr"
	"millrace/sql/expr"
)

// functions and operators are all there are.
var (
	functions = newCatalog(functionTables)
	operators = newCatalog(operatorTables)
)

// Resolve finds the function that a call means. Args of the result are the types to which the operands must be cast;
// KindNull among the given types is a literal of no type yet.
func Resolve(name string, args []repr.Type) (*expr.Func, *repr.Error) {
	c, err := functions.resolve(name, args)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, undefinedFunction(name, args)
	}
	f, err := c.instantiate(args)
	if err != nil {
		return nil, err
	}
	if f.Variadic {
		f = &expr.Func{
			Name: f.Name, Args: c.expand(len(args)), Ret: f.Ret, NullCalled: f.NullCalled, Volatility: f.Volatility, Eval: f.Eval,
		}
	}
	return f, nil
}

// IsFunction says whether there is a plain function of the name.
func IsFunction(name string) bool { return len(functions.byName[name]) > 0 }

// ResolveOperator finds the operator that is meant; left is nil for a prefix operator.
func ResolveOperator(op string, left, right *repr.Type) (*expr.Func, *repr.Error) {
	if op == "!=" {
		op = "<>"
	}
	args := []repr.Type{*right}
	if left != nil {
		args = []repr.Type{*left, *right}
	}
	c := operators.exactOperator(op, args)
	if c == nil {
		var err *repr.Error
		if c, err = operators.resolve(op, args); err != nil {
			return nil, ambiguousOperator(op, args)
		}
	}
	if c == nil {
		return nil, undefinedOperator(op, args)
	}
	return c.instantiate(args)
}

func typeList(args []repr.Type) string {
	names := make([]string, len(args))
	for i, t := range args {
		names[i] = plain(t).String()
	}
	return strings.Join(names, ", ")
}

const castHint = "You might need to add explicit type casts."

// notYet are functions of PostgreSQL that are known by name alone, so that the error says what is the matter.
var notYet = wordSet(`set_config nextval
	currval setval lastval pg_sleep current_time timeofday set_bit get_bit bit_count
	jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_path_exists jsonb_path_match jsonb_to_record jsonb_to_recordset
	json_to_record json_to_recordset jsonb_populate_record jsonb_populate_recordset json_populate_record json_populate_recordset
	to_tsvector to_tsquery plainto_tsquery phraseto_tsquery ts_rank ts_headline xmlparse xmlelement xpath similarity
	pg_advisory_lock pg_advisory_unlock pg_try_advisory_lock pg_notify pg_cancel_backend pg_terminate_backend pg_reload_conf
	normalize parse_ident array_dims regexp_instr regexp_substr range_agg
	json_strip_nulls xmlagg factorial setseed sind cosd tand asind acosd atand acosh atanh`)

func undefinedFunction(name string, args []repr.Type) *repr.Error {
	if notYet[name] {
		return unsupported("function " + name)
	}
	return repr.NewError(repr.CodeUndefinedFunction, "function "+name+"("+typeList(args)+") does not exist").
		WithHint("No function matches the given name and argument types. " + castHint)
}

func ambiguousFunction(name string, args []repr.Type) *repr.Error {
	return repr.NewError(repr.CodeAmbiguousFunction, "function "+name+"("+typeList(args)+") is not unique").
		WithHint("Could not choose a best candidate function. " + castHint)
}

func operatorText(op string, args []repr.Type) string {
	if len(args) == 1 {
		return op + " " + plain(args[0]).String()
	}
	return plain(args[0]).String() + " " + op + " " + plain(args[1]).String()
}

func undefinedOperator(op string, args []repr.Type) *repr.Error {
	err := repr.NewError(repr.CodeUndefinedFunction, "operator does not exist: "+operatorText(op, args))
	if len(args) == 1 {
		return err.WithHint("No operator matches the given name and argument type. You might need to add an explicit type cast.")
	}
	return err.WithHint("No operator matches the given name and argument types. " + castHint)
}

func ambiguousOperator(op string, args []repr.Type) *repr.Error {
	return repr.NewError(repr.CodeAmbiguousFunction, "operator is not unique: "+operatorText(op, args)).
		WithHint("Could not choose a best candidate operator. " + castHint)
}

// exactOperator finds the operator of just these types; a literal of no type is taken to be of the type on the other side.
func (c *catalog) exactOperator(op string, args []repr.Type) *candidate {
	want := make([]repr.Type, len(args))
	for i, a := range args {
		want[i] = plain(a)
		if len(args) == 2 && a.Kind == repr.KindNull {
			want[i] = plain(args[1-i])
		}
	}
	return exact(c.byName[op], want)
}

func exact(list []*candidate, args []repr.Type) *candidate {
	for _, d := range list {
		if len(d.args) != len(args) || d.variadic {
			continue
		}
		same := true
		for i, a := range args {
			same = same && d.args[i] == plain(a)
		}
		if same {
			return d
		}
	}
	return nil
}

// resolve finds the candidate that a call means; nil when none fits.
func (c *catalog) resolve(name string, args []repr.Type) (*candidate, *repr.Error) {
	list := c.byName[name]
	if d := exact(list, args); d != nil {
		return d, nil
	}
	var fit []*candidate
	for _, d := range list {
		if d.arity(len(args)) && d.accepts(args) {
			fit = append(fit, d)
		}
	}
	switch len(fit) {
	case 0:
		return nil, nil
	case 1:
		return fit[0], nil
	}
	if best := choose(fit, args); best != nil {
		return best, nil
	}
	return nil, ambiguousFunction(name, args)
}

// accepts says whether operands of these types can be implicitly cast to what the candidate takes.
func (c *candidate) accepts(args []repr.Type) bool {
	elem := repr.Type{} // what anyelement and anyarray have been found to be
	var compats []repr.Type
	for i, have := range args {
		want := c.arg(i)
		if have.Kind == repr.KindNull || want.Kind == kindAny {
			continue
		}
		if !isPseudo(want) {
			if !implicit(have, want) {
				return false
			}
			continue
		}
		have, ok := elementFor(want.Kind, plain(have))
		switch {
		case !ok:
			return false
		case want.Kind == kindCompat || want.Kind == kindCompatArray:
			compats = append(compats, have)
		case elem.Kind != repr.KindNull && elem != have:
			return false
		default:
			elem = have
		}
	}
	return c.agree(compats)
}

// elementFor is the type that an operand says the element of a polymorphic signature is; false when it can't stand there.
func elementFor(want repr.Kind, have repr.Type) (repr.Type, bool) {
	switch want {
	case kindAnyArray, kindCompatArray:
		return repr.TypeOf(have.Elem), have.Kind == repr.KindArray
	case kindAnyNonArray:
		return have, have.Kind != repr.KindArray
	default:
		return have, true
	}
}

// agree says whether the types that must be compatible are, and can be elements where there is an array of them.
func (c *candidate) agree(compats []repr.Type) bool {
	if len(compats) == 0 {
		return true
	}
	t, err := CommonType(compats)
	if err != nil {
		return false
	}
	return t.Kind != repr.KindArray || !slices.Contains(c.args, repr.TypeOf(kindCompatArray))
}
