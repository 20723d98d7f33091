package op

import (
	"bytes"
	"slices"
	"sort"

	"millrace/arrangement"
	"millrace/repr"
)

// markEvery is how many rows apart the marks of a partition are. Smaller ones have none.
const markEvery = 256

// mark is what stands before a row of a partition, so that a walk can go on from there: the number of rows and groups of
// peers, where the last group begins, and the sums of all rows.
type mark struct {
	key        []byte
	head       []byte // of the row before
	rows       int64
	groups     int64
	groupStart int64
	sums       []windowSum // by function; set for aggregates that go on
}

func (m *mark) bytes() int64 { return int64(len(m.key) + len(m.head) + 96*len(m.sums) + 96) }

// mark notes what stands before a row that is about to be read.
func (k *windowWalk) mark(key []byte) {
	m := mark{key: bytes.Clone(key), head: bytes.Clone(k.head), rows: k.read(),
		groups: k.groupOff + int64(len(k.groups)), groupStart: k.groups[len(k.groups)-1], sums: make([]windowSum, len(k.sums))}
	for i := range k.sums {
		m.sums[i] = k.sums[i].clone()
	}
	k.fresh, k.marked = append(k.fresh, m), m.rows
}

// markAt is the last mark of a partition at or before a key; nil when there is none.
func (w *Window) markAt(part, key []byte) *mark {
	list := w.marks[string(part)]
	i := marksBelow(list, key)
	if i < len(list) && bytes.Equal(list[i].key, key) {
		return &list[i]
	}
	if i == 0 {
		return nil
	}
	return &list[i-1]
}

// marksBelow is how many marks are below a key.
func marksBelow(list []mark, key []byte) int {
	return sort.Search(len(list), func(i int) bool { return bytes.Compare(list[i].key, key) >= 0 })
}

// remark puts the marks that a walk has made in the place of those in the part of the partition that it went through, up to
// stop (nil: to the end). Those behind stop are right as they are, for the walk stopped where nothing had changed.
func (w *Window) remark(k *windowWalk, stop []byte) {
	list := w.marks[string(k.part)]
	if len(list) == 0 && len(k.fresh) == 0 {
		return
	}
	from, to, made := 0, len(list), len(k.fresh)
	if k.from != nil {
		from = marksBelow(list, k.from) + 1
	}
	if stop != nil {
		to, made = max(from, marksBelow(list, stop)), marksBelow(k.fresh, stop)
	}
	for i := range list[from:to] {
		w.held -= list[from+i].bytes()
	}
	for i := range k.fresh[:made] {
		w.held += k.fresh[i].bytes()
	}
	list = slices.Replace(list, from, to, k.fresh[:made]...)
	if len(list) == 0 {
		delete(w.marks, string(k.part))
		return
	}
	w.marks[string(k.part)] = list
}

// count is the number of rows of a partition before the step.
func (w *Window) count(snap *arrangement.Snapshot, part []byte) int64 {
	from, n := part, repr.Diff(0)
	if list := w.marks[string(part)]; len(list) > 0 {
		from, n = list[len(list)-1].key, list[len(list)-1].rows
	}
	cur := snap.Cursor()
	for cur.Seek(from); cur.Valid() && bytes.HasPrefix(cur.Row(), part); cur.Next() {
		n += max(cur.Diff(), 0)
	}
	return n
}
