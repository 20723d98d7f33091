package repr

import (
	"strconv"
	"strings"
)

// Type is the SQL type of a column or an expression.
type Type struct {
	Kind Kind
	Elem Kind // of an array: the kind of its elements
	// Mod is -1 or 0 when there is none; varchar(n) is n+4, numeric(p,s) is (p<<16|s&0x7ff)+4, timestamp(p) and
	// time(p) are p+4, an interval is fields<<16|precision. Typmod is what PostgreSQL calls it.
	Mod int32
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

// Typmod is the modifier as PostgreSQL stores and sends it; -1 when there is none.
func (t Type) Typmod() int32 {
	switch {
	case !t.HasMod():
		return -1
	case t.Kind == KindTime || t.Kind == KindTimestamp || t.Kind == KindTimestampTZ:
		return t.Mod - 4
	default:
		return t.Mod
	}
}

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
		scale := int(mod&0x7ff^1024) - 1024
		return "numeric(" + strconv.Itoa(int(mod>>16)) + "," + strconv.Itoa(scale) + ")" + suffix
	case KindTime, KindTimestamp, KindTimestampTZ:
		name, zone, _ := strings.Cut(info.SQLName, " ")
		return name + "(" + strconv.Itoa(int(mod)) + ") " + zone + suffix
	case KindInterval:
		return info.SQLName + intervalMod(t.Mod) + suffix
	default:
		return info.SQLName + suffix
	}
}

// intervalFields are the restrictions of an interval to fields, by the bits of its modifier.
var intervalFields = map[int32]string{
	1 << 2: " year", 1 << 1: " month", 1<<2 | 1<<1: " year to month", 1 << 3: " day", 1 << 10: " hour",
	1 << 11: " minute", 1 << 12: " second", 1<<3 | 1<<10: " day to hour", 1<<3 | 1<<10 | 1<<11: " day to minute",
	1<<3 | 1<<10 | 1<<11 | 1<<12: " day to second", 1<<10 | 1<<11: " hour to minute",
	1<<10 | 1<<11 | 1<<12: " hour to second", 1<<11 | 1<<12: " minute to second",
}

// intervalMod is what stands behind the name of an interval type.
func intervalMod(mod int32) string {
	s := intervalFields[mod>>16&0x7fff]
	if p := mod & 0xffff; p != 0xffff {
		s += "(" + strconv.Itoa(int(p)) + ")"
	}
	return s
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
