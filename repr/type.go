package repr

import "strconv"

// Type is the SQL type of a column or an expression.
type Type struct {
	Kind Kind
	Elem Kind  // of an array: the kind of its elements
	Mod  int32 // PostgreSQL's typmod: -1 or 0 when there is none; varchar(n) is n+4, numeric(p,s) is (p<<16|s)+4
}

// TypeOf is the plain type of a kind.
func TypeOf(k Kind) Type { return Type{Kind: k, Mod: -1} }

// ArrayOf is the type of arrays of a kind.
func ArrayOf(elem Kind) Type { return Type{Kind: KindArray, Elem: elem, Mod: -1} }

// OID is the object identifier that PostgreSQL gives the type.
func (t Type) OID() uint32 {
	if t.Kind == KindArray {
		return Kinds[t.Elem].ArrayOID
	}
	return Kinds[t.Kind].OID
}

// Len is PostgreSQL's typlen: the width in bytes, or -1 when it varies.
func (t Type) Len() int16 { return Kinds[t.Kind].Len }

// HasMod says whether the type bears a modifier such as a length.
func (t Type) HasMod() bool { return t.Mod > 0 }

// TypeByOID finds the type with an object identifier.
func TypeByOID(oid uint32) (Type, bool) {
	for k := KindNull; k < numKinds; k++ {
		if Kinds[k].OID == oid && k != KindArray {
			return TypeOf(k), true
		}
		if oid != 0 && Kinds[k].ArrayOID == oid {
			return ArrayOf(k), true
		}
	}
	return Type{}, false
}

// String is what format_type prints.
func (t Type) String() string {
	k := t.Kind
	suffix := ""
	if k == KindArray {
		k, suffix = t.Elem, "[]"
	}
	info := Kinds[k]
	if !t.HasMod() {
		return info.SQLName + suffix
	}
	mod := t.Mod - 4
	switch k {
	case KindVarchar, KindBpchar:
		return info.SQLName + "(" + strconv.Itoa(int(mod)) + ")" + suffix
	case KindNumeric:
		return "numeric(" + strconv.Itoa(int(mod>>16)) + "," + strconv.Itoa(int(mod&0xffff)) + ")" + suffix
	default:
		return info.SQLName + suffix
	}
}

// Column is a named, typed column of a relation.
type Column struct {
	Name    string
	Type    Type
	NotNull bool
}

// RowDesc is the shape of a relation's rows.
type RowDesc []Column

// Types are the types of the columns in order.
func (d RowDesc) Types() []Type {
	out := make([]Type, len(d))
	for i := range d {
		out[i] = d[i].Type
	}
	return out
}

// Index finds a column by name; -1 when there is none.
func (d RowDesc) Index(name string) int {
	for i := range d {
		if d[i].Name == name {
			return i
		}
	}
	return -1
}
