package avro

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"

	"millrace/repr"
)

// packDefault packs the default of a field; nil when it has none. A default that we cannot express (a record, a
// list with elements) is an error rather than a NULL in silence.
func (s *Schema) packDefault(f *field, t repr.Type) ([]byte, error) {
	if !f.hasDefault {
		return nil, nil
	}
	if f.def == nil {
		return repr.Append(nil, repr.Null), nil
	}
	n := f.node
	if n.kind == kindUnion {
		n = n.branchOf(f.def)
	}
	wire, ok := n.encodeDefault(f.def)
	if !ok {
		return nil, repr.NewError(repr.CodeFeatureNotSupported, "Avro default of field "+f.name+" is not supported")
	}
	c := compiler{schema: s}
	dec, err := c.value(n, t, false)
	if err != nil {
		return nil, err
	}
	r := newReader(wire)
	row := dec(r, nil)
	if r.err != nil {
		return nil, badSchema("the default of field %q: %s", f.name, r.err.Message)
	}
	return row, nil
}

// branchOf is the branch of a union that a default is written in: by the specification the first, in practice
// the first that can take it.
func (n *node) branchOf(def any) *node {
	for _, b := range n.branches {
		if _, ok := b.encodeDefault(def); ok {
			return b
		}
	}
	return n.branches[0]
}

// encodeDefault writes a default as Avro writes values.
func (n *node) encodeDefault(v any) ([]byte, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return []byte{1}, n.kind == kindBool
		}
		return []byte{0}, n.kind == kindBool
	case string:
		return n.encodeDefaultText(v)
	case json.Number:
		return n.encodeDefaultNumber(v)
	case []any:
		return []byte{0}, n.kind == kindArray && len(v) == 0
	case map[string]any:
		return []byte{0}, n.kind == kindMap && len(v) == 0
	}
	return nil, false
}

func (n *node) encodeDefaultText(v string) ([]byte, bool) {
	switch n.kind {
	case kindString:
		return append(binary.AppendVarint(nil, int64(len(v))), v...), true
	case kindEnum:
		i := slices.Index(n.symbols, v)
		return binary.AppendVarint(nil, int64(i)), i >= 0
	case kindBytes, kindFixed:
		var b []byte
		for _, r := range v {
			if r > 0xff {
				return nil, false
			}
			b = append(b, byte(r))
		}
		if n.kind == kindFixed {
			return b, len(b) == n.size
		}
		return append(binary.AppendVarint(nil, int64(len(b))), b...), true
	default:
		return nil, false
	}
}

func (n *node) encodeDefaultNumber(v json.Number) ([]byte, bool) {
	switch n.kind {
	case kindInt, kindLong:
		i, err := v.Int64()
		return binary.AppendVarint(nil, i), err == nil
	case kindFloat:
		f, err := v.Float64()
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(f))), err == nil
	case kindDouble:
		f, err := v.Float64()
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(f)), err == nil
	default:
		return nil, false
	}
}
