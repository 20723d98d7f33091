package jsonb

import "bytes"

// Exists says whether key is a key of the object, a string of the array, or the string itself.
func Exists(b []byte, key string) bool {
	switch b[0] {
	case '{':
		_, ok := Field(b, key)
		return ok
	case '[':
		for e := range Elems(b) {
			if e[0] == '"' && keyIs(e, key) {
				return true
			}
		}
		return false
	case '"':
		return keyIs(b, key)
	default:
		return false
	}
}

// Contains is a @> b.
func Contains(a, b []byte) bool {
	if a[0] == '[' && b[0] != '[' && b[0] != '{' {
		return arrayHas(a, b) // an array contains a scalar, at the top only
	}
	return contains(a, b)
}

func contains(a, b []byte) bool {
	switch {
	case b[0] == '{':
		if a[0] != '{' {
			return false
		}
		for k, want := range Members(b) {
			have, ok := Field(a, string(Unquote(k)))
			if !ok || !contains(have, want) {
				return false
			}
		}
		return true
	case b[0] == '[':
		if a[0] != '[' {
			return false
		}
		for want := range Elems(b) {
			if !arrayHas(a, want) {
				return false
			}
		}
		return true
	default:
		return equalScalars(a, b)
	}
}

func arrayHas(a, want []byte) bool {
	for e := range Elems(a) {
		if contains(e, want) {
			return true
		}
	}
	return false
}

func equalScalars(a, b []byte) bool {
	if a[0] == '{' || a[0] == '[' {
		return false
	}
	return bytes.Equal(Canonical(a), Canonical(b))
}

// Equal says whether two values are equal as jsonb.
func Equal(a, b []byte) bool { return bytes.Equal(Canonical(a), Canonical(b)) }

// LastField is the value of a member of an object of the type json, as it was written: of members with one key
// the last. b is any valid JSON text that begins with its value.
func LastField(b []byte, key string) (v []byte, found bool) {
	if b[0] != '{' {
		return nil, false
	}
	for k, val := range Members(b) {
		if keyIs(k, key) {
			v, found = val, true
		}
	}
	return v, found
}
