package coord

import (
	"bytes"
	"slices"
	"strings"

	"millrace/arrangement"
	"millrace/coord/catalog"
	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql"
	"millrace/sql/lower"
	"millrace/sql/opt"
	"millrace/sql/rel"
)

// lookup is how a query that is run once reads a collection of which it needs some rows only: those whose key
// begins with one of the prefixes. The plan keeps its conditions, so rows too many do no harm.
type lookup struct {
	index    *catalog.Item // nil: the collection itself, which stands in the order of its rows
	keys     int           // columns of the index
	cols     int           // of them, how many the prefixes hold
	prefixes [][]byte      // sorted, each once; none begins with another
}

// maxPrefixes is how many keys a query looks up before it rather reads all rows.
const maxPrefixes = 1000

// lookupsOf chooses for each collection of a query an index by which all uses of it can be looked up, if there is one:
// the one of which most columns are given; of those the collection's own order, then the oldest index.
func lookupsOf(snap *catalog.Snapshot, compiled *sql.Compiled) map[uint64]*lookup {
	out := map[uint64]*lookup{}
	for id, uses := range compiled.Lookups() {
		it := snap.Item(id)
		if it == nil || it.Kind == catalog.System || slices.ContainsFunc(uses, func(u opt.Lookup) bool { return len(u) == 0 }) {
			continue
		}
		best := lookupBy(nil, ownOrder(it.Layout()), uses)
		for _, index := range snap.IndexesOn(id) {
			if l := lookupBy(index, index.IndexCols, uses); l != nil && (best == nil || l.cols > best.cols) {
				best = l
			}
		}
		if best != nil {
			out[id] = best
		}
	}
	return out
}

// ownOrder are the leading columns whose equal values have equal bytes, by which rows are in order.
func ownOrder(desc repr.RowDesc) []int {
	var cols []int
	for i, c := range desc {
		if !c.Type.Kind.KeyIsValue() {
			break
		}
		cols = append(cols, i)
	}
	return cols
}

// lookupBy is a lookup by as many leading columns as all uses give values of; nil when they give none.
func lookupBy(index *catalog.Item, cols []int, uses []opt.Lookup) *lookup {
	l := &lookup{index: index, keys: len(cols)}
	for _, c := range cols {
		if slices.ContainsFunc(uses, func(u opt.Lookup) bool { return len(u[c]) == 0 }) {
			break
		}
		l.cols++
	}
	if l.cols == 0 {
		return nil
	}
	for _, u := range uses {
		list := [][]byte{nil}
		for _, c := range cols[:l.cols] {
			if list = extended(list, u[c]); len(list) > maxPrefixes {
				return nil
			}
		}
		l.prefixes = append(l.prefixes, list...)
	}
	slices.SortFunc(l.prefixes, bytes.Compare)
	l.prefixes = slices.CompactFunc(l.prefixes, bytes.Equal)
	return l
}

// extended is every prefix with every value behind it.
func extended(prefixes [][]byte, values []repr.Datum) [][]byte {
	out := make([][]byte, 0, len(prefixes)*len(values))
	for _, p := range prefixes {
		for _, v := range values {
			out = append(out, repr.AppendKey(slices.Clone(p), v))
		}
	}
	return out
}

// rows reads what is looked up from the collection, in its own order.
func (l *lookup) rows(snap *arrangement.Snapshot) arrangement.Batch {
	b := arrangement.NewBuilder()
	cur := snap.Cursor()
	for _, p := range l.prefixes {
		for cur.Seek(p); cur.Valid() && bytes.HasPrefix(cur.Row(), p); cur.Next() {
			b.Add(cur.Row(), cur.Diff())
		}
	}
	return b.Seal()
}

// asks says whether the lookup is for rows whose key begins as this one.
func (l *lookup) asks(key []byte) bool {
	i, found := slices.BinarySearchFunc(l.prefixes, key, bytes.Compare)
	return found || i > 0 && bytes.HasPrefix(key, l.prefixes[i-1])
}

// indexed is what an index holds at the newest time, and how the collection has changed since the time of a reading.
type indexed struct {
	index *lower.Index
	cols  []int // of the collection, by which it is arranged
	now   *dataflow.Content
	since []arrangement.Batch
}

// rows reads what is looked up by the index.
func (x *indexed) rows(l *lookup) arrangement.Batch {
	b := arrangement.NewBuilder()
	var row []byte
	for _, shard := range x.now.Shards() {
		cur := shard.Cursor()
		for _, p := range l.prefixes {
			for cur.Seek(p); cur.Valid() && bytes.HasPrefix(cur.Row(), p); cur.Next() {
				row = x.index.AppendRow(row[:0], cur.Row())
				b.Add(row, cur.Diff())
			}
		}
	}
	for _, later := range x.since {
		for i := range later.Len() {
			if l.asks(keyOf(later.Row(i), x.cols[:l.cols])) {
				b.Add(later.Row(i), -later.Diff(i))
			}
		}
	}
	return b.Seal()
}

// keyOf are the canonical forms of columns of a row.
func keyOf(row []byte, cols []int) []byte {
	var key []byte
	for _, c := range cols {
		d, _ := repr.Decode(repr.SkipN(row, c))
		key = repr.AppendKey(key, d)
	}
	return key
}

// describe says how the collection is read, for EXPLAIN.
func (l *lookup) describe(on *catalog.Item) string {
	if l == nil {
		return "Read " + on.FullName() + ": all rows"
	}
	by, cols := "its own order", ownOrder(on.Layout())
	if l.index != nil {
		by, cols = "index "+l.index.Name, l.index.IndexCols
	}
	names := make([]string, l.cols)
	for i := range names {
		names[i] = on.Layout()[cols[i]].Name
	}
	values := " values of ("
	if len(l.prefixes) == 1 {
		values = " value of ("
	}
	return "Read " + on.FullName() + " by " + by + ": " + itoa(int64(len(l.prefixes))) + values + strings.Join(names, ", ") + ")"
}

// newIndex makes an index. It is kept like a view that imports one arrangement and has no rows of its own, so that the
// arrangement is one of those that views share, and stays as long as the index does. A row with a NULL in its key is left out,
// for no look-up asks for it.
func (s *Session) newIndex(it *catalog.Item) (*view, *repr.Error) {
	on := s.c.Catalog().Item(it.On)
	if on == nil {
		return nil, repr.NewError(repr.CodeUndefinedTable, "the relation of the index \""+it.Name+"\" was dropped meanwhile")
	}
	x := lower.IndexOf(&rel.Get{ID: on.ID, Name: on.Name, Cols: on.Layout()}, it.IndexCols)
	v := s.c.newView(x.Graph(), []*lower.Arranged{x.Arranged}, []uint64{it.On}, it.ID, it.Name)
	v.index, v.indexCols = x, it.IndexCols
	return v, nil
}
