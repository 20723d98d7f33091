package lower

import (
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// joinKey is one equality between the sides of a join that can be looked up.
type joinKey struct {
	left, right expr.Scalar // over the columns of its own side
	as          repr.Kind   // both are packed as this kind
	nulls       bool        // NULL equals NULL
}

// splitOn parts the conditions of a join into keys and the rest. A key that may fail on a row is only taken when
// there is no other: else it is tried on the pairs that the other keys leave.
func splitOn(on []expr.Scalar, nl int) (keys []joinKey, rest []expr.Scalar) {
	var failing []int
	candidates := make([]*joinKey, len(on))
	safe := false
	for i, e := range on {
		k, ok := keyOf(e, nl)
		if !ok {
			continue
		}
		candidates[i] = &k
		if rel.CanFail(k.left) || rel.CanFail(k.right) {
			failing = append(failing, i)
		} else {
			safe = true
		}
	}
	if safe {
		for _, i := range failing {
			candidates[i] = nil
		}
	}
	for i, e := range on {
		if candidates[i] != nil {
			keys = append(keys, *candidates[i])
		} else {
			rest = append(rest, e)
		}
	}
	return keys, rest
}

// keyOf reads a condition as an equality between the sides.
func keyOf(e expr.Scalar, nl int) (joinKey, bool) {
	eq, ok := rel.AsEquality(e)
	if !ok {
		return joinKey{}, false
	}
	a, b := eq.A, eq.B
	as, ok := commonKind(a.Type(), b.Type())
	if !ok {
		return joinKey{}, false
	}
	ca, cb := rel.ColumnsOf(a, rel.ColSet{}), rel.ColumnsOf(b, rel.ColSet{})
	if ca.Empty() || cb.Empty() {
		return joinKey{}, false
	}
	if ca.Within(nl, everyColumn) && cb.Within(0, nl) {
		a, b = b, a
	} else if !ca.Within(0, nl) || !cb.Within(nl, everyColumn) {
		return joinKey{}, false
	}
	return joinKey{left: a, right: rel.ShiftColumns(b, nl, -nl), as: as, nulls: eq.Nulls}, true
}

// commonKind is the kind under which equal values of both types have equal packed keys.
func commonKind(a, b repr.Type) (repr.Kind, bool) {
	if a.Kind == b.Kind {
		return a.Kind, a.Elem == b.Elem
	}
	for _, family := range keyFamilies {
		if contains(family, a.Kind) && contains(family, b.Kind) {
			return family[0], true
		}
	}
	return repr.KindNull, false
}

// keyFamilies are kinds whose values have one payload; the first packs them all.
var keyFamilies = [][]repr.Kind{
	{repr.KindInt8, repr.KindInt4, repr.KindInt2},
	{repr.KindFloat8, repr.KindFloat4},
	{repr.KindText, repr.KindVarchar, repr.KindName},
	{repr.KindOID, repr.KindRegClass, repr.KindRegType, repr.KindRegProc, repr.KindRegNamespace},
}

func contains(kinds []repr.Kind, k repr.Kind) bool {
	for _, c := range kinds {
		if c == k {
			return true
		}
	}
	return false
}

// sideKeys are the keys of one side as fields of an arrangement.
func sideKeys(keys []joinKey, right bool) []field {
	out := make([]field, len(keys))
	for i, k := range keys {
		e := k.left
		if right {
			e = k.right
		}
		out[i] = field{expr: e, canon: true, as: k.as, drop: !k.nulls}
	}
	return out
}

func keysLabel(keys []joinKey, cols repr.RowDesc, right bool) string {
	s := ""
	for i, k := range keys {
		e := k.left
		if right {
			e = k.right
		}
		s += []string{" by ", ", "}[min(i, 1)] + rel.FormatScalar(e, cols)
	}
	return s
}

// carried is the column of one side that a key holds as it prints; -1 when it holds none.
func (k joinKey) carried(right bool) int {
	e := k.left
	if right {
		e = k.right
	}
	c, ok := e.(*expr.Column)
	if !ok || !c.Typ.Kind.KeyIsValue() || c.Typ.Kind != k.as {
		return -1
	}
	return c.Index
}

// layout says where the columns of a side stand: in the key, or behind it in the value of its arrangement.
type layout struct {
	at     []int     // for each column: its place in key, then value; -1: not carried
	values []field   // the columns of the value
	kept   *Arranged // an arrangement that is kept for others, laid out so; nil: one is made of the values
}

// place lays out the needed columns of one side: first those that the key holds, then the rest in order.
func place(keys []joinKey, right bool, cols repr.RowDesc, need rel.ColSet) layout {
	l := layout{at: make([]int, len(cols))}
	for i := range l.at {
		l.at[i] = -1
	}
	for i, k := range keys {
		if c := k.carried(right); c >= 0 && l.at[c] < 0 {
			l.at[c] = i
		}
	}
	for i := range cols {
		if l.at[i] < 0 && need.Has(i) {
			l.at[i] = len(keys) + len(l.values)
			l.values = append(l.values, field{expr: rel.ColumnOf(cols, i)})
		}
	}
	return l
}
