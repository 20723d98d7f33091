package arrangement

import (
	"slices"

	"github.com/tidwall/btree"

	"millrace/internal/check"
)

// Sizes of the structure, in rows. A block is rewritten whole when something is folded into it; the front is folded
// when it has grown to a foldRatio-th of the base, so that a rewrite serves many rows; to a growRatio-th when it only adds rows, for
// then it takes no more memory in front of the base than in it.
const (
	blockRows    = 192
	blockBytes   = 32 << 10
	foldRatio    = 8
	growRatio    = 2
	foldLeast    = 4096
	mostRuns     = 4             // beside those that are being merged
	limitRuns    = 24            // nothing is inserted before there are fewer
	pressingWork = 1 << 12       // rows of merging for each run too many
	smallMerge   = 1 << 13       // rows of a merge that does not wait for a larger one
	largeRun     = 1 << 15       // rows of a run that is folded with others rather than merged, if it only adds rows
	workPerRow   = foldRatio + 6 // rows of merging that each inserted row pays for: folding, and merging before it
	denseRatio   = 2             // rows of the base that are rewritten at once for a row
	nearRows     = 1 << 11       // rows that are merged before their keys are looked at again: they are still near
)

// Arrangement is the sum of the batches inserted. One goroutine writes; snapshots may be read by any.
type Arrangement struct {
	base     *btree.BTreeG[block]
	baseRows int
	runs     []Batch    // oldest first
	merges   []*merging // of runs one behind another, oldest first: what is newer is merged while something large is
	fold     *folding
	filling  *filling // nil: what is inserted can be read at once
	count    int64    // the sum of all diffs
	replaced int64    // rows that were written anew in another place, so that only snapshots have them where they were
	bytes    int64
	snapshot *Snapshot // of the present content; nil when it has changed since
}

// merging is the merge of two neighbouring runs in progress.
type merging struct {
	at int // of the older run
	*merger
	out    *output
	filter *filter // of the output
}

// New makes an empty arrangement.
func New() *Arrangement {
	return &Arrangement{base: btree.NewBTreeGOptions(lessBlock, btree.Options{NoLocks: true, Degree: 32})}
}

// Insert adds a sealed batch and does a share of the merging.
func (a *Arrangement) Insert(b Batch) {
	if b.Len() == 0 {
		return
	}
	if b.diffs == nil {
		a.count += int64(b.n)
	}
	for _, d := range b.diffs {
		a.count += d
	}
	a.snapshot = nil
	if a.filling != nil {
		a.load(b)
		return
	}
	if a.dense(&b) {
		a.fold = foldOf(b)
	} else {
		b.filter = filterOf(&b)
		a.runs = append(a.runs, b)
	}
	a.bytes += int64(b.Bytes())
	a.Work(workPerRow * b.Len())
	for more := len(a.runs) - 2*mostRuns; more > 0; more-- { // the more wait, the more is done
		a.Work(pressingWork)
	}
	for len(a.runs) > limitRuns {
		a.Work(1 << 16)
	}
}

// Rows is the number of rows, each as often as it counts.
func (a *Arrangement) Rows() int64 { return a.count }

// Bytes is the memory of the arrangement.
func (a *Arrangement) Bytes() int64 { return a.bytes }

// Work merges and folds up to about fuel rows, and says whether nothing is left to do. The newest runs come first, and runs
// are merged while one is being folded, so that small ones do not pile up behind what takes long.
func (a *Arrangement) Work(fuel int) (done bool) {
	for fuel > 0 {
		switch {
		case a.foldDue() > 0:
			a.beginFold(a.foldDue())
		case a.mergeAt() >= 0:
			a.beginMerge(a.mergeAt())
		case len(a.merges) > 0:
			fuel -= a.stepMerge(fuel)
		case a.fold != nil:
			fuel -= a.stepFold(fuel)
		default:
			return true
		}
	}
	return len(a.merges) == 0 && a.fold == nil && a.foldDue() == 0 && a.mergeAt() < 0
}

// mergeAt is the place of two neighbouring runs, behind those that are being merged, that should be one: of like size, or too
// many. Large ones that only add rows are not merged as long as they are few: they are folded together.
func (a *Arrangement) mergeAt() int {
	best, size, from := -1, 0, 0
	if n := len(a.merges); n > 0 {
		from = a.merges[n-1].at + 2
	}
	for i := from; i+1 < len(a.runs); i++ {
		x, y := a.runs[i].Len(), a.runs[i+1].Len()
		if from > 0 && x+y > smallMerge {
			continue
		}
		many := len(a.runs)-from > mostRuns
		if many || x <= 2*y && !(x >= largeRun && a.runs[i].diffs == nil && a.runs[i+1].diffs == nil) {
			if best < 0 || x+y < size {
				best, size = i, x+y
			}
		}
	}
	return best
}

func (a *Arrangement) beginMerge(i int) {
	x, y := &a.runs[i], &a.runs[i+1]
	out := mergedOutput(x, y, x.n+y.n, len(x.data)+len(y.data))
	a.merges = append(a.merges, &merging{at: i, merger: newMerger(x, y), out: out, filter: newFilter(x.n + y.n)})
}

// stepMerge merges up to fuel rows of the two newest runs that are being merged.
func (a *Arrangement) stepMerge(fuel int) (used int) {
	last := len(a.merges) - 1
	m := a.merges[last]
	for used < fuel && (m.i < m.x.n || m.j < m.y.n) {
		from := m.out.b.n
		used += m.step(m.out, m.y.n, min(fuel-used, nearRows))
		m.filter.add(&m.out.b, from, m.out.b.n)
	}
	if m.i < m.x.n || m.j < m.y.n {
		return used
	}
	merged := m.out.batch()
	merged.filter = m.filter
	runs := append([]Batch(nil), a.runs[:m.at]...)
	switch {
	case merged.Len() == 0:
	case a.dense(&merged):
		a.fold = foldOf(merged)
	default:
		runs = append(runs, merged)
	}
	a.runs = append(runs, a.runs[m.at+2:]...)
	a.replaced += int64(m.x.n + m.y.n)
	a.bytes += int64(merged.Bytes() - m.x.Bytes() - m.y.Bytes())
	a.merges[last] = nil
	a.merges, a.snapshot = a.merges[:last], nil
	return used + 1
}

// Snapshot is the content now. It costs nothing when nothing has changed since the last.
func (a *Arrangement) Snapshot() *Snapshot {
	if a.snapshot == nil {
		check.That(a.filling == nil, "a snapshot of an arrangement that is being filled")
		s := &Snapshot{base: a.base.Copy(), runs: a.runs, rows: a.count, bytes: a.bytes, updates: a.baseRows}
		if a.fold != nil {
			s.folding = slices.Clone(a.fold.parts)
			for i := range s.folding {
				s.updates += s.folding[i].run.n - s.folding[i].done
			}
		}
		for _, run := range a.runs {
			s.updates += run.Len()
		}
		a.runs = a.runs[:len(a.runs):len(a.runs)]
		a.snapshot = s
	}
	return a.snapshot
}
