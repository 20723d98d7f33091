package expr

import (
	"bytes"
	"slices"

	"millrace/repr"
)

// manyElements is from where on a list is looked up in a table instead of being walked.
const manyElements = 12

// compileIn gives the closure of x = ANY (array) where the array is known, as it is for x IN (1, 2, 3): its elements are
// taken apart once. It is nil where equality of the operands is not that of integers or of bytes, and for an empty or
// unknown array.
func compileIn(e *Call, env *Env) Eval {
	if e.Fn.Name != "= ANY" || len(e.Args) != 2 || len(e.Fn.Args) != 2 {
		return nil
	}
	array, ok := e.Args[1].(*Const)
	if !ok || array.Val.IsNull() || array.Val.Len() == 0 {
		return nil
	}
	left, elem := e.Fn.Args[0].Kind, e.Fn.Args[1].Elem
	elems := array.Val.Elems(nil)
	known := slices.DeleteFunc(slices.Clone(elems), repr.Datum.IsNull)
	absent := repr.Bool(false)
	if len(known) < len(elems) {
		absent = repr.Null // it may be the one that is not known
	}
	var find func(repr.Datum) bool
	switch {
	case isInt(left) && isInt(elem), left == elem && intLike(left):
		find = findInt(known)
	case left == elem && left == repr.KindText:
		find = findBytes(known, repr.Datum.Bytes)
	case left == elem && left == repr.KindBpchar:
		find = findBytes(known, unpadded)
	default:
		return nil
	}
	arg := Compile(e.Args[0], env)
	return func(r *Row) (repr.Datum, *repr.Error) {
		d, err := arg(r)
		if err != nil || d.IsNull() {
			return repr.Null, err
		}
		if find(d) {
			return repr.Bool(true), nil
		}
		return absent, nil
	}
}

// unpadded is a char(n) without the blanks that do not count.
func unpadded(d repr.Datum) []byte { return bytes.TrimRight(d.Bytes(), " ") }

func findInt(elems []repr.Datum) func(repr.Datum) bool {
	list := make([]int64, len(elems))
	for i, e := range elems {
		list[i] = e.Int()
	}
	if len(list) < manyElements {
		return func(d repr.Datum) bool { return slices.Contains(list, d.Int()) }
	}
	table := make(map[int64]struct{}, len(list))
	for _, n := range list {
		table[n] = struct{}{}
	}
	return func(d repr.Datum) bool {
		_, ok := table[d.Int()]
		return ok
	}
}

func findBytes(elems []repr.Datum, form func(repr.Datum) []byte) func(repr.Datum) bool {
	list := make([]string, len(elems))
	for i, e := range elems {
		list[i] = string(form(e))
	}
	if len(list) < manyElements {
		return func(d repr.Datum) bool {
			b := form(d)
			for _, s := range list {
				if string(b) == s {
					return true
				}
			}
			return false
		}
	}
	table := make(map[string]struct{}, len(list))
	for _, s := range list {
		table[s] = struct{}{}
	}
	return func(d repr.Datum) bool {
		_, ok := table[string(form(d))]
		return ok
	}
}
