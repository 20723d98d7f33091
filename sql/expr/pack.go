package expr

import "millrace/repr"

// Pack appends the value of an expression for a row, as it prints and packed. With an error it appends nothing.
type Pack func(dst []byte, r *Row) ([]byte, *repr.Error)

// CompilePack compiles an expression whose value is only wanted packed: booleans and 64-bit arithmetic never become a Datum.
func CompilePack(s Scalar, env *Env) Pack {
	if test := plainBool(s, env); test != nil {
		return func(dst []byte, r *Row) ([]byte, *repr.Error) {
			yes, null, err := test(r)
			switch {
			case err != nil:
				return dst, err
			case null:
				return repr.Append(dst, repr.Null), nil
			default:
				return repr.AppendBool(dst, yes), nil
			}
		}
	}
	if n := plainInt(s, env); n != nil {
		return func(dst []byte, r *Row) ([]byte, *repr.Error) {
			v, null, err := n(r)
			switch {
			case err != nil:
				return dst, err
			case null:
				return repr.Append(dst, repr.Null), nil
			default:
				return repr.AppendFixed8(dst, repr.KindInt8, v), nil
			}
		}
	}
	eval := Compile(s, env)
	return func(dst []byte, r *Row) ([]byte, *repr.Error) {
		d, err := eval(r)
		if err != nil {
			return dst, err
		}
		return repr.Append(dst, d), nil
	}
}

// plainBool is the typed closure of a condition that has one.
func plainBool(s Scalar, env *Env) boolEval {
	switch e := s.(type) {
	case *Call:
		return fastBool(e, env)
	case *And, *Or, *Not:
		return compileBool(s, env)
	default:
		return nil
	}
}

func plainInt(s Scalar, env *Env) intEval {
	if e, ok := s.(*Call); ok {
		return fastInt(e, env)
	}
	return nil
}
