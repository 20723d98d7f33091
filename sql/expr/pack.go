package expr

import "millrace/repr"

// Pack appends the value of an expression for a row, as it prints and packed. With an error it appends nothing.
type Pack func(dst []byte, r *Row) ([]byte, *repr.Error)

// CompilePack compiles an expression whose value is only wanted packed: booleans, 64-bit arithmetic, and what comes of one
// integer-like operand by code for that never become a Datum.
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
	if e, ok := s.(*Call); ok {
		if pack := packOfInt(e, env); pack != nil {
			return pack
		}
	}
	if n, kind := plainInt(s, env); n != nil {
		return func(dst []byte, r *Row) ([]byte, *repr.Error) {
			v, null, err := n(r)
			switch {
			case err != nil:
				return dst, err
			case null:
				return repr.Append(dst, repr.Null), nil
			default:
				return repr.AppendFixed8(dst, kind, v), nil
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

// plainInt is the typed closure of a call whose result is packed in eight bytes, and the kind of that.
func plainInt(s Scalar, env *Env) (intEval, repr.Kind) {
	e, ok := s.(*Call)
	if !ok {
		return nil, repr.KindNull
	}
	switch k := e.Fn.Ret.Kind; k {
	case repr.KindInt8, repr.KindTimestamp, repr.KindTimestampTZ, repr.KindTime:
		return fastInt(e, env), k
	default:
		return nil, repr.KindNull
	}
}
