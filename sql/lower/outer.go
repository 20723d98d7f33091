package lower

import (
	"millrace/dataflow"
	"millrace/internal/check"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// outer builds left, right, full, semi and anti joins from inner joins. With L and R the sides:
//
//	semi  = L joined with what matches, each match once
//	anti  = L - semi
//	left  = inner + anti(L) with NULLs          right likewise from the other side, full both
//
// Where no row can have more than one match, semi is the inner join without the columns of the other side: nothing is kept for it
// but what the inner join keeps. Else, what matches: when all conditions are keys, the distinct keys of the other side; else the distinct rows of L, as
// they stand, of which the inner join has a pair.
func (j *joining) outer(kind rel.JoinKind, cols repr.RowDesc) stream {
	j.left.s = j.b.settled(j.left.s, j.left.cols, "join input")
	j.right.s = j.b.settled(j.right.s, j.right.cols, "join input")
	nl, nr := len(j.left.cols), len(j.right.cols)
	switch kind {
	case rel.JoinSemi:
		return plain(j.semi(false), nl)
	case rel.JoinAnti:
		return plain(j.anti(false), nl)
	case rel.JoinLeft, rel.JoinRight, rel.JoinFull:
	default:
		check.Never("outer join of kind %d", kind)
	}
	pairs := j.pairs()
	j.paired = &pairs
	parts := []dataflow.NodeID{pairs}
	if kind != rel.JoinRight {
		rows := stream{node: j.anti(false), f: identity(nl).compute(nulls(j.right.cols))}
		parts = append(parts, j.b.rows(rows, cols, "left rows without match"))
	}
	if kind != rel.JoinLeft {
		f := identity(nr).compute(nulls(j.left.cols))
		order := make([]int, 0, nl+nr)
		for i := range nl + nr {
			order = append(order, (nr+i)%(nl+nr))
		}
		rows := stream{node: j.anti(true), f: f.project(order)}
		parts = append(parts, j.b.rows(rows, cols, "right rows without match"))
	}
	return plain(j.b.add(dataflow.Union{}, "", "outer join", parts...), nl+nr)
}

func nulls(cols repr.RowDesc) []expr.Scalar {
	out := make([]expr.Scalar, len(cols))
	for i, c := range cols {
		out[i] = rel.Null(c.Type)
	}
	return out
}

// pairs is the inner join with all columns of both sides.
func (j *joining) pairs() dataflow.NodeID {
	nl := len(j.left.cols)
	node, _ := j.node(identity(nl+len(j.right.cols)).filter(j.rest), nl)
	return node
}

// anti are the rows of a side without a match on the other.
func (j *joining) anti(right bool) dataflow.NodeID {
	s := j.side(right)
	all := j.b.rows(s.s, s.cols, "join input")
	matched := j.b.add(dataflow.Negate{}, "", "negate", j.semi(right))
	return j.b.add(dataflow.Union{}, "", "rows without match", all, matched)
}

func (j *joining) side(right bool) side {
	if right {
		return j.right
	}
	return j.left
}

// semi are the rows of a side, all columns, that have a match on the other.
func (j *joining) semi(right bool) dataflow.NodeID {
	if right && j.once[0] || !right && j.once[1] {
		return j.semiOnce(right)
	}
	if len(j.rest) > 0 || j.span != nil {
		return j.semiByRow(right)
	}
	s, other := j.side(right), j.side(!right)
	keys := j.b.mapped(other.s, sideKeys(j.keys, !right), "keys")
	matches := side{s: plain(j.b.distinctRows(keys, len(j.keys)), len(j.keys))}
	on := make([]joinKey, len(j.keys))
	for i, k := range j.keys {
		mine := k.left
		if right {
			mine = k.right
		}
		key := &expr.Column{Index: i, Typ: repr.TypeOf(k.as)}
		on[i] = joinKey{left: mine, right: key, as: k.as, nulls: k.nulls}
		matches.cols = append(matches.cols, repr.Column{Name: "key", Type: key.Typ})
	}
	semi := &joining{b: j.b, left: s, right: matches, keys: on, label: " with matches"}
	return semi.leftRows()
}

// semiOnce are the rows of a side that the inner join pairs, each with one row of the other.
func (j *joining) semiOnce(right bool) dataflow.NodeID {
	nl, nr := len(j.left.cols), len(j.right.cols)
	s, first := j.side(right), 0
	if right {
		first = nl
	}
	cols := make([]int, len(s.cols))
	for i := range cols {
		cols[i] = first + i
	}
	f := identity(nl + nr)
	if j.paired == nil {
		node, _ := j.node(f.filter(j.rest).project(cols), nl)
		return node
	}
	return j.b.rows(stream{node: *j.paired, f: f.project(cols)}, s.cols, "matched rows")
}

// semiByRow finds the rows that the inner join pairs by the bytes of the whole row.
func (j *joining) semiByRow(right bool) dataflow.NodeID {
	s := j.side(right)
	nl := len(j.left.cols)
	cols := make([]int, len(s.cols))
	for i := range cols {
		cols[i] = i
		if right {
			cols[i] += nl
		}
	}
	g := identity(nl + len(j.right.cols)).filter(j.rest).project(cols)
	pairs, _ := j.node(g, nl)
	whole := []field{{whole: true}}
	matched := j.b.distinctRows(j.b.mapped(plain(pairs, len(cols)), whole, "matched rows"), 1)
	rows := plain(j.b.rows(s.s, s.cols, "join input"), len(s.cols))
	left := j.b.arrange(side{s: rows, cols: s.cols}, whole, s.s.f.fields(s.cols), " by row")
	key := []field{{expr: &expr.Column{Typ: repr.TypeOf(repr.KindBytea)}}}
	match := j.b.arrange(side{s: plain(matched, 1)}, key, nil, " by row")
	f := identity(1 + len(cols))
	for i := range cols {
		cols[i] = i + 1
	}
	fields := f.project(cols).fields(s.cols)
	f = f.project(cols)
	op := dataflow.Join{New: joinFunc(f, fields, j.b.env)}
	return j.b.add(op, f.key(), "join with matches", left, match)
}

// leftRows is the inner join with the columns of the left side alone.
func (j *joining) leftRows() dataflow.NodeID {
	nl := len(j.left.cols)
	f := identity(nl + len(j.right.cols))
	node, _ := j.node(f.project(f.out[:nl]), nl)
	return node
}

// distinctRows keeps each row of n columns once.
func (b *builder) distinctRows(node dataflow.NodeID, n int) dataflow.NodeID {
	if n > 0 {
		return b.add(dataflow.Threshold{Distinct: true}, "distinct", "distinct", node)
	}
	// A row without columns: whether there is any, as a group of no keys that is not there when empty.
	op := dataflow.Reduce{New: rowFunc(identity(0), nil, b.env)}
	return b.add(op, "exists", "exists", node)
}
