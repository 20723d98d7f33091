package jsonb

import (
	"bytes"
	"iter"
)

// Kind is the type of a JSON value, in PostgreSQL's order of them.
type Kind uint8

// The kinds of JSON values.
const (
	Null Kind = iota
	String
	Number
	Boolean
	Array
	Object
)

var kindNames = [...]string{"null", "string", "number", "boolean", "array", "object"}

// String is the name that jsonb_typeof gives.
func (k Kind) String() string { return kindNames[k] }

// TypeOf is the kind of a value.
func TypeOf(b []byte) Kind {
	switch b[0] {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Boolean
	case 'n':
		return Null
	default:
		return Number
	}
}

// skip is the length of the value at the head of b.
func skip(b []byte) int {
	switch b[0] {
	case '"':
		return skipString(b)
	case '{', '[':
		return skipContainer(b)
	}
	for i, c := range b {
		if c == ',' || c == ']' || c == '}' || c <= ' ' {
			return i
		}
	}
	return len(b)
}

// skipContainer is the length of the object or array at the head of b.
func skipContainer(b []byte) int {
	depth := 0
	for i := 0; ; {
		switch b[i] {
		case '"':
			i += skipString(b[i:])
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}

// skipString is the length of the string at the head of b, quotes included.
func skipString(b []byte) int {
	i := 1
	for {
		i += bytes.IndexByte(b[i:], '"')
		back := i
		for b[back-1] == '\\' {
			back--
		}
		i++
		if (i-1-back)%2 == 0 {
			return i
		}
	}
}

// Elems are the elements of an array, in order. They alias b.
func Elems(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		b = trimSpace(b[1:])
		for b[0] != ']' {
			n := skip(b)
			if !yield(b[:n:n]) {
				return
			}
			b = next(b[n:])
		}
	}
}

// Members are the keys (as quoted strings) and values of an object, in order. They alias b.
func Members(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		b = trimSpace(b[1:])
		for b[0] != '}' {
			n := skipString(b)
			key := b[:n:n]
			b = trimSpace(trimSpace(b[n:])[1:])
			n = skip(b)
			if !yield(key, b[:n:n]) {
				return
			}
			b = next(b[n:])
		}
	}
}

// next steps over the comma behind an item, if there is one. White space matters for the type json alone.
func next(b []byte) []byte {
	b = trimSpace(b)
	if b[0] == ',' {
		return trimSpace(b[1:])
	}
	return b
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\n' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// Len is the number of elements of an array or of members of an object.
func Len(b []byte) int {
	n := 0
	if b[0] == '[' {
		for range Elems(b) {
			n++
		}
		return n
	}
	for range Members(b) {
		n++
	}
	return n
}

// Field is the value of a member of an object; false when b is no object or has no such key.
func Field(b []byte, key string) ([]byte, bool) {
	if b[0] != '{' {
		return nil, false
	}
	for k, v := range Members(b) {
		if keyIs(k, key) {
			return v, true
		}
	}
	return nil, false
}

// keyIs says whether a quoted key says key.
func keyIs(quoted []byte, key string) bool {
	if len(quoted)-2 < len(key) {
		return false
	}
	return string(Unquote(quoted)) == key
}

// Index is an element of an array, counted from 0, or from the end when negative.
func Index(b []byte, i int) ([]byte, bool) {
	if b[0] != '[' {
		return nil, false
	}
	if i < 0 {
		i += Len(b)
	}
	if i < 0 {
		return nil, false
	}
	for e := range Elems(b) {
		if i == 0 {
			return e, true
		}
		i--
	}
	return nil, false
}

// Path walks down by keys, and by numbers where an array stands.
func Path(b []byte, path []string) ([]byte, bool) {
	for _, step := range path {
		v, ok := Field(b, step)
		if !ok {
			i, isIndex := arrayIndex(step)
			if !isIndex {
				return nil, false
			}
			if v, ok = Index(b, i); !ok {
				return nil, false
			}
		}
		b = v
	}
	return b, true
}
