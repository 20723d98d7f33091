package fn

import (
	"slices"

	"millrace/repr"
	"millrace/sql/expr"
)

// arrayOperators are the operators of arrays.
var arrayOperators = []row{
	{sig: "||(anycompatiblearray, anycompatiblearray) anycompatiblearray", nulls: true, eval: arrayCat},
	{sig: "||(anycompatiblearray, anycompatible) anycompatiblearray", nulls: true, eval: arrayAppend},
	{sig: "||(anycompatible, anycompatiblearray) anycompatiblearray", nulls: true, eval: arrayPrepend},
	{sig: "@>(anyarray, anyarray) boolean", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Bool(containsAll(a[0], a[1])), nil
	}},
	{sig: "<@(anyarray, anyarray) boolean", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Bool(containsAll(a[1], a[0])), nil
	}},
	{sig: "&&(anyarray, anyarray) boolean", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		have := a[0].Elems(nil)
		return repr.Bool(slices.ContainsFunc(a[1].Elems(nil), func(e repr.Datum) bool { return !e.IsNull() && holds(have, e) })), nil
	}},
}

// arrayFunctions are the functions of arrays, which have one dimension and begin at 1.
var arrayFunctions = []row{
	{sig: "array_get(anyarray, integer) anyelement", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return elementAt(a[0], a[1].Int()), nil
	}},
	{sig: "array_slice(anyarray, integer, integer) anyarray", eval: arraySlice},
	{sig: "array_length(anyarray, integer) integer", eval: arrayBound},
	{sig: "array_upper(anyarray, integer) integer", eval: arrayBound},
	{sig: "array_lower(anyarray, integer) integer", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[0].Len() == 0 || a[1].Int() != 1 {
			return repr.Null, nil
		}
		return repr.Int4(1), nil
	}},
	{sig: "array_ndims(anyarray) integer", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[0].Len() == 0 {
			return repr.Null, nil
		}
		return repr.Int4(1), nil
	}},
	{sig: "cardinality(anyarray) integer", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Int4(int32(a[0].Len())), nil
	}},
	{sig: "array_append(anycompatiblearray, anycompatible) anycompatiblearray", nulls: true, eval: arrayAppend},
	{sig: "array_prepend(anycompatible, anycompatiblearray) anycompatiblearray", nulls: true, eval: arrayPrepend},
	{sig: "array_cat(anycompatiblearray, anycompatiblearray) anycompatiblearray", nulls: true, eval: arrayCat},
	{sig: "array_position(anycompatiblearray, anycompatible) integer", nulls: true, eval: arrayPosition},
	{sig: "array_position(anycompatiblearray, anycompatible, integer) integer", nulls: true, eval: arrayPosition},
	{sig: "array_positions(anycompatiblearray, anycompatible) integer[]", nulls: true, eval: arrayPositions},
	{sig: "array_remove(anycompatiblearray, anycompatible) anycompatiblearray", nulls: true, eval: arrayRemove},
	{sig: "array_replace(anycompatiblearray, anycompatible, anycompatible) anycompatiblearray", nulls: true, eval: arrayReplace},
	{sig: "array_to_string(anyarray, text) text", nulls: true, poly: arrayToString},
	{sig: "array_to_string(anyarray, text, text) text", nulls: true, poly: arrayToString},
	{sig: "array_fill(anyelement, integer[]) anyarray", nulls: true, eval: arrayFill},
	{sig: "trim_array(anyarray, integer) anyarray", eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		n := int64(a[0].Len())
		if a[1].Int() < 0 || a[1].Int() > n {
			return repr.Null, repr.NewError(repr.CodeArraySubscript, "number of elements to trim must be between 0 and "+intText(n))
		}
		return repr.Array(a[0].Elems(nil)[:n-a[1].Int()]), nil
	}},
}

// elementAt is an element counted from 1; NULL where there is none.
func elementAt(d repr.Datum, i int64) repr.Datum {
	if i < 1 || i > int64(d.Len()) {
		return repr.Null
	}
	return d.Elems(nil)[i-1]
}

func arraySlice(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	low, high := max(a[1].Int(), 1), min(a[2].Int(), int64(a[0].Len()))
	if low > high {
		return repr.Array(nil), nil
	}
	return repr.Array(a[0].Elems(nil)[low-1 : high]), nil
}

func arrayBound(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if a[0].Len() == 0 || a[1].Int() != 1 {
		return repr.Null, nil
	}
	return repr.Int4(int32(a[0].Len())), nil
}

// holds says whether a list has an element equal to e, which is not NULL.
func holds(list []repr.Datum, e repr.Datum) bool {
	return slices.ContainsFunc(list, func(x repr.Datum) bool { return !x.IsNull() && x.Equal(e) })
}

func containsAll(a, b repr.Datum) bool {
	have := a.Elems(nil)
	for _, e := range b.Elems(nil) {
		if e.IsNull() || !holds(have, e) {
			return false
		}
	}
	return true
}

func arrayCat(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	switch {
	case a[0].IsNull():
		return a[1], nil
	case a[1].IsNull():
		return a[0], nil
	}
	return repr.Array(a[1].Elems(a[0].Elems(nil))), nil
}

func arrayAppend(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Array(append(a[0].Elems(nil), a[1])), nil
}

func arrayPrepend(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	return repr.Array(append([]repr.Datum{a[0]}, a[1].Elems(nil)...)), nil
}

// sameElement takes NULL for equal to NULL.
func sameElement(a, b repr.Datum) bool { return a.IsNull() && b.IsNull() || a.Equal(b) && !a.IsNull() }

func arrayPosition(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if a[0].IsNull() {
		return repr.Null, nil
	}
	from := 1
	if len(a) > 2 {
		if a[2].IsNull() {
			return repr.Null, repr.NewError(repr.CodeNullNotAllowed, "initial position must not be null")
		}
		from = max(1, int(a[2].Int()))
	}
	for i, e := range a[0].Elems(nil) {
		if i+1 >= from && sameElement(e, a[1]) {
			return repr.Int4(int32(i + 1)), nil
		}
	}
	return repr.Null, nil
}

func arrayPositions(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if a[0].IsNull() {
		return repr.Null, nil
	}
	var out []repr.Datum
	for i, e := range a[0].Elems(nil) {
		if sameElement(e, a[1]) {
			out = append(out, repr.Int4(int32(i+1)))
		}
	}
	return repr.Array(out), nil
}

func arrayRemove(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if a[0].IsNull() {
		return repr.Null, nil
	}
	return repr.Array(slices.DeleteFunc(a[0].Elems(nil), func(e repr.Datum) bool { return sameElement(e, a[1]) })), nil
}

func arrayReplace(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if a[0].IsNull() {
		return repr.Null, nil
	}
	elems := a[0].Elems(nil)
	for i, e := range elems {
		if sameElement(e, a[1]) {
			elems[i] = a[2]
		}
	}
	return repr.Array(elems), nil
}

func arrayToString(args []repr.Type, _ repr.Type) evalFunc {
	return func(env *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		if a[0].IsNull() || a[1].IsNull() {
			return repr.Null, nil
		}
		out, first := []byte{}, true
		for _, e := range a[0].Elems(nil) {
			if e.IsNull() && (len(a) < 3 || a[2].IsNull()) {
				continue
			}
			if !first {
				out = append(out, a[1].Bytes()...)
			}
			first = false
			if e.IsNull() {
				out = append(out, a[2].Bytes()...)
				continue
			}
			out = appendAsText(out, env, repr.TypeOf(args[0].Elem), e)
		}
		return repr.TextBytes(out), nil
	}
}

// maxElements is the largest array that a function makes.
const maxElements = 1 << 24

func arrayFill(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
	if a[1].IsNull() {
		return repr.Null, repr.NewError(repr.CodeNullNotAllowed, "dimension array or low bound array cannot be null")
	}
	dims := a[1].Elems(nil)
	if len(dims) != 1 {
		return repr.Null, unsupported("an array of more than one dimension")
	}
	n := dims[0].Int()
	if n < 0 || n > maxElements {
		return repr.Null, repr.NewError(repr.CodeProgramLimit, "array size exceeds the maximum allowed ("+intText(maxElements)+")")
	}
	return repr.Array(slices.Repeat([]repr.Datum{a[0]}, int(n))), nil
}
