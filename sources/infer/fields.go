package infer

import (
	"strings"

	"millrace/repr"
	"millrace/repr/jsonb"
)

// maxFound bounds the columns that are learned.
const maxFound = 1000

// Fields are the members of objects that were seen, in the order in which they came first.
type Fields struct {
	names []string
	seen  map[string]fieldKind
	parts []jsonb.Part
}

// fieldKind is what the values of a field have in common.
type fieldKind uint8

const (
	fieldNull fieldKind = iota // nothing but null
	fieldBool
	fieldWhole  // numbers that fit bigint
	fieldNumber // other numbers
	fieldText   // strings, or values of several kinds that are no lists and objects
	fieldNested // lists and objects, or anything beside them
)

var fieldTypes = [...]repr.Kind{
	fieldNull: repr.KindText, fieldBool: repr.KindBool, fieldWhole: repr.KindInt8, fieldNumber: repr.KindNumeric,
	fieldText: repr.KindText, fieldNested: repr.KindJSONB,
}

// Len is how many there are.
func (f *Fields) Len() int { return len(f.names) }

// Add takes a message; one that is no object is left out.
func (f *Fields) Add(message []byte) {
	parts, isObject, err := jsonb.Split(f.parts[:0], message)
	f.parts = parts
	if err != nil || !isObject {
		return
	}
	if f.seen == nil {
		f.seen = map[string]fieldKind{}
	}
	for _, p := range parts {
		key, err := jsonb.Normalize(nil, p.Key)
		if err != nil {
			continue
		}
		name := string(jsonb.Unquote(key))
		old, known := f.seen[name]
		if !known && (len(f.names) == maxFound || name == "") {
			continue
		}
		if !known {
			f.names = append(f.names, name)
		}
		f.seen[name] = join(old, kindOf(p.Value))
	}
}

func kindOf(raw []byte) fieldKind {
	switch raw[0] {
	case 'n':
		return fieldNull
	case 't', 'f':
		return fieldBool
	case '"':
		return fieldText
	case '{', '[':
		return fieldNested
	}
	if strings.ContainsAny(string(raw), ".eE") || len(raw) > len("-100000000000000000") {
		return fieldNumber
	}
	return fieldWhole
}

// join is the kind that takes the values of two.
func join(a, b fieldKind) fieldKind {
	switch {
	case a == b || b == fieldNull:
		return a
	case a == fieldNull:
		return b
	case a == fieldNested || b == fieldNested:
		return fieldNested
	case min(a, b) == fieldWhole && max(a, b) == fieldNumber:
		return fieldNumber
	default:
		return fieldText
	}
}

// Columns are the members, with types that take all values that were seen.
func (f *Fields) Columns() repr.RowDesc {
	cols := make(repr.RowDesc, len(f.names))
	for i, name := range f.names {
		cols[i] = repr.Column{Name: name, Type: repr.TypeOf(fieldTypes[f.seen[name]])}
	}
	return cols
}
