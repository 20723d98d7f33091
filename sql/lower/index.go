package lower

import (
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// Index is an arrangement of a whole collection by columns, as joins on these columns would make it: they may share it. A
// column whose value the key holds as it prints is not held twice. A row with a NULL among the columns is not in it.
type Index struct {
	*Arranged
	at []int // of a column of the collection: its place in key, then value
}

// IndexOf describes the index of a collection by columns.
func IndexOf(collection *rel.Get, by []int) *Index {
	b := newBuilder(&expr.Env{}, Options{})
	s := side{s: b.base(collection), cols: collection.Cols}
	keys := make([]joinKey, len(by))
	for i, c := range by {
		keys[i] = joinKey{left: rel.ColumnOf(s.cols, c), as: s.cols[c].Type.Kind}
	}
	var all rel.ColSet
	for i := range s.cols {
		all = all.Add(i)
	}
	l := place(keys, false, s.cols, all)
	node := b.arrange(s, sideKeys(keys, false), l.values, keysLabel(keys, s.cols, false))
	x := &Index{Arranged: b.arranged[0], at: l.at}
	x.Unit, x.UnitSize = int(node), 1
	return x
}

// AppendRow appends the row of the collection that a row of the index stands for.
func (x *Index) AppendRow(dst, indexed []byte) []byte {
	var room [32][]byte
	pieces := room[:0]
	for rest := indexed; len(rest) > 0; {
		next := repr.Skip(rest)
		pieces = append(pieces, rest[:len(rest)-len(next)])
		rest = next
	}
	for _, i := range x.at {
		dst = append(dst, pieces[i]...)
	}
	return dst
}

// Graph is that of a dataflow which needs nothing but the index, and of which nothing comes.
func (x *Index) Graph() *Graph {
	g := &dataflow.Graph{}
	g.Output = g.Add(dataflow.Constant{}, "nothing")
	return g
}
