package lower

import (
	"fmt"
	"slices"

	"millrace/dataflow"
	"millrace/dataflow/op"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// span is a condition that bounds the pairs of a join: x, of one side, is greater than lo, less than hi, or lies between, of
// the other side.
type span struct {
	lo, hi       *joinKey
	within       op.Range
	conds        []expr.Scalar // the same as conditions over the columns of both sides
	pivotIsRight bool          // x is of the right side
}

// bound is a comparison between the sides of a join whose order that of packed keys is.
type bound struct {
	joinKey
	cond  expr.Scalar
	lower bool // the right side is a lower limit of the left side
	limit op.Limit
}

// comparisons are the operators that bound pairs: what the right side is to the left side.
var comparisons = map[string]bound{
	">":  {lower: true, limit: op.Open},
	">=": {lower: true, limit: op.Closed},
	"<":  {limit: op.Open},
	"<=": {limit: op.Closed},
}

// splitSpan takes out of the conditions what bounds the pairs: two comparisons with one value, from both sides, or else the
// first there is. Only what cannot fail is taken, for a bound is computed for rows that have no pair too.
func splitSpan(on []expr.Scalar, nl int) (*span, []expr.Scalar) {
	bounds := make([]*bound, len(on))
	first := -1
	for i, e := range on {
		if bounds[i] = boundOf(e, nl); bounds[i] != nil && first < 0 {
			first = i
		}
	}
	if first < 0 {
		return nil, on
	}
	for i, a := range bounds {
		for k := range i {
			if s := between(bounds[k], a); s != nil {
				return s, slices.Delete(slices.Delete(slices.Clone(on), i, i+1), k, k+1)
			}
		}
	}
	return bounds[first].span(false), slices.Delete(slices.Clone(on), first, first+1)
}

// boundOf reads a condition as a comparison between the sides.
func boundOf(e expr.Scalar, nl int) *bound {
	c, ok := e.(*expr.Call)
	if !ok || len(c.Args) != 2 || rel.CanFail(e) {
		return nil
	}
	b, ok := comparisons[c.Fn.Name]
	if !ok {
		return nil
	}
	as, ok := commonKind(c.Args[0].Type(), c.Args[1].Type())
	if !ok || slices.Contains(unranged, as) {
		return nil
	}
	b.joinKey, b.cond = joinKey{left: c.Args[0], right: c.Args[1], as: as}, e
	switch l, r := rel.ColumnsOf(b.left, rel.ColSet{}), rel.ColumnsOf(b.right, rel.ColSet{}); {
	case l.Empty() || r.Empty():
		return nil
	case l.Within(nl, everyColumn) && r.Within(0, nl):
		b.left, b.right, b.lower = b.right, b.left, !b.lower
	case !l.Within(0, nl) || !r.Within(nl, everyColumn):
		return nil
	}
	b.right = rel.ShiftColumns(b.right, nl, -nl)
	return &b
}

// everyColumn is more than any place of a column.
const everyColumn = 1 << 30

// unranged are kinds whose packed keys do not have the order that comparisons have, or may hold NULLs.
var unranged = []repr.Kind{repr.KindNull, repr.KindJSON, repr.KindJSONB, repr.KindArray, repr.KindRecord}

// span is the comparison alone. The sides are named from the left one, or from the right one when that is the pivot.
func (b *bound) span(pivotIsRight bool) *span {
	s := &span{pivotIsRight: pivotIsRight, conds: []expr.Scalar{b.cond}}
	if b.lower != pivotIsRight {
		s.lo, s.within.Lo = &b.joinKey, b.limit
	} else {
		s.hi, s.within.Hi = &b.joinKey, b.limit
	}
	return s
}

// between joins two comparisons of one value, one from below and one from above; nil when they are not.
func between(a, b *bound) *span {
	if a == nil || b == nil || a.lower == b.lower || a.as != b.as {
		return nil
	}
	left := rel.FingerprintScalar(a.left) == rel.FingerprintScalar(b.left)
	if !left && rel.FingerprintScalar(a.right) != rel.FingerprintScalar(b.right) {
		return nil
	}
	s, t := a.span(!left), b.span(!left)
	if s.lo == nil {
		s, t = t, s
	}
	s.hi, s.within.Hi, s.conds = t.hi, t.within.Hi, append(s.conds, t.conds...)
	return s
}

// bounds are the comparisons, lo first.
func (s *span) bounds() []joinKey {
	var out []joinKey
	if s != nil && s.lo != nil {
		out = append(out, *s.lo)
	}
	if s != nil && s.hi != nil {
		out = append(out, *s.hi)
	}
	return out
}

// of are the bounds of a side: of the pivot there is one.
func (s *span) of(right bool) []joinKey {
	if right == s.pivotIsRight {
		return s.bounds()[:1]
	}
	return s.bounds()
}

// before adds conditions over the input, tried before all others.
func (f linear) before(preds []expr.Scalar) linear {
	f.preds = append(slices.Clone(preds), f.preds...)
	return f
}

// rangeNode makes the arrangements of both sides, whose rows stand behind each key in the order of the bounds, and the join.
func (j *joining) rangeNode(g linear, nl int, need rel.ColSet) (dataflow.NodeID, int) {
	s := j.span
	needs := [2]rel.ColSet{need, need.Shift(-nl)}
	var nodes [2]dataflow.NodeID
	var sides [2]layout
	ranged := s.within
	for i, right := range []bool{false, true} {
		in, at := j.side(right), i
		sides[i] = placeBounds(j.keys, s.of(right), right, in.cols)
		sides[i].carry(in.cols, needs[i], len(j.keys))
		nodes[i] = j.b.arrange(in, sideKeys(j.keys, right), sides[i].values,
			keysLabel(j.keys, in.cols, right)+boundsLabel(s.of(right), in.cols, right))
		if s.pivotIsRight {
			at = 1 - i
		}
		ranged.Reads[at] = g.canFail() || slices.ContainsFunc(needs[i].List(), func(c int) bool {
			return c < len(in.cols) && sides[i].at[c] >= len(j.keys) && sides[i].at[c] < len(j.keys)+len(s.of(right))
		})
	}
	m := newMatched(g, sides, [2]repr.RowDesc{j.left.cols, j.right.cols}, len(j.keys))
	pairs := joinFunc(m.f, m.fields, j.b.env)
	if s.pivotIsRight {
		nodes[0], nodes[1] = nodes[1], nodes[0]
		pairs = turned(pairs)
	}
	o := dataflow.RangeJoin{Range: ranged, New: pairs}
	what := fmt.Sprintf("%v %t %s", ranged, s.pivotIsRight, m.f.key())
	return j.b.add(o, what, "join"+j.label+s.label(j), nodes[0], nodes[1]), len(g.out)
}

// turned is a function of pairs that is given them the other way round.
func turned(f func() dataflow.JoinFunc) func() dataflow.JoinFunc {
	return func() dataflow.JoinFunc {
		made := f()
		return func(dst, key, left, right []byte) ([]byte, bool, *repr.Error) { return made(dst, key, right, left) }
	}
}

// placeBounds lays out the bounds of one side, which stand first behind the keys.
func placeBounds(keys, bounds []joinKey, right bool, cols repr.RowDesc) layout {
	l := place(keys, right, cols, rel.ColSet{})
	for i, b := range bounds {
		if c := b.carried(right); c >= 0 && l.at[c] < 0 {
			l.at[c] = len(keys) + i
		}
	}
	l.values = append(l.values, sideKeys(bounds, right)...)
	return l
}

// carry lays out the needed columns that have no place yet, behind those that have.
func (l *layout) carry(cols repr.RowDesc, need rel.ColSet, keys int) {
	for c := range cols {
		if l.at[c] < 0 && need.Has(c) {
			l.at[c] = keys + len(l.values)
			l.values = append(l.values, field{expr: rel.ColumnOf(cols, c)})
		}
	}
}

func boundsLabel(bounds []joinKey, cols repr.RowDesc, right bool) string {
	s := ""
	for i, b := range bounds {
		e := b.left
		if right {
			e = b.right
		}
		s += []string{", in order of ", ", "}[min(i, 1)] + rel.FormatScalar(e, cols)
	}
	return s
}

// label is the condition as EXPLAIN shows it.
func (s *span) label(j *joining) string {
	text := " where "
	cols := append(slices.Clone(j.left.cols), j.right.cols...)
	for i, c := range s.conds {
		text += []string{"", " and "}[min(i, 1)] + rel.FormatScalar(c, cols)
	}
	return text
}
