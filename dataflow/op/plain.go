package op

import (
	"slices"

	"millrace/repr"
)

// plainAgg is a linear aggregate that is told of every row that counts, and of its group only needs the words of its state.
type plainAgg struct {
	agg    int
	word   int // where its words begin in the state of a group
	words  int
	filter int // a column; -1: none
	first  int // the column of its first argument; -1: none
	skips  bool
	counts bool
	addInt func(state []int64, n int64, diff repr.Diff) // nil: by accumulate
}

// place gives each linear aggregate its words in the state of a group, and lists those that are told of every row. Aggregates
// over the same rows with the same kind of state share it, and a count of all rows is what the group counts for itself.
func (r *Reduce) place(own int) (words int) {
	for i := range r.Aggs {
		a, f := &r.Aggs[i], &r.forms[i]
		f.counts = a.Fn.Counts
		if j := r.sharer(i); j >= 0 {
			f.word = r.forms[j].word
			continue
		}
		listed := slices.Contains(r.plain, i)
		if listed && a.Fn.Counts && a.Filter < 0 && !(a.Fn.SkipNulls && len(a.Args) > 0) {
			f.word = 0
			continue
		}
		f.word = own + words
		words += a.Fn.Words
		if !listed {
			continue
		}
		p := plainAgg{agg: i, word: f.word, words: a.Fn.Words, filter: a.Filter, first: -1, counts: a.Fn.Counts, addInt: a.Fn.AddInt}
		if len(a.Args) > 0 {
			p.first, p.skips = a.Args[0], a.Fn.SkipNulls
		}
		r.plains = append(r.plains, p)
	}
	return words
}

// sharer is an earlier plain aggregate whose state is that of another one; -1 when there is none.
func (r *Reduce) sharer(i int) int {
	a := &r.Aggs[i]
	if a.Fn.State == "" || !slices.Contains(r.plain, i) {
		return -1
	}
	for _, j := range r.plain {
		if j == i {
			break
		}
		if b := &r.Aggs[j]; b.Fn.State == a.Fn.State && b.Filter == a.Filter && slices.Equal(b.Args, a.Args) {
			return j
		}
	}
	return -1
}

// updatePlain adds the row at hand to the plain aggregates of a group.
func (r *Reduce) updatePlain(g uint32, diff repr.Diff) {
	state := r.groups.stateOf(g)
	for i := range r.plains {
		p := &r.plains[i]
		if p.filter >= 0 && !repr.IsTrue(r.cols.packed[p.filter]) || p.skips && repr.IsNull(r.cols.packed[p.first]) {
			continue
		}
		switch {
		case p.counts:
			state[p.word] += diff
		case p.addInt != nil && p.first >= 0:
			n, ok := r.cols.int(p.first)
			if ok {
				p.addInt(state[p.word:p.word+p.words:p.word+p.words], n, diff)
			}
		default:
			r.accumulate(g, p.agg, r.argsOf(&r.Aggs[p.agg]), diff)
		}
	}
}
