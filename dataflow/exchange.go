package dataflow

import (
	"errors"
	"hash/maphash"
	"slices"
	"sync"

	"millrace/arrangement"
	"millrace/internal/budget"
	"millrace/repr"
)

// wholeRow, as a number of key columns, says that rows are sent by all of their bytes.
const wholeRow = -1

// placement says which worker a key belongs to. It is one for all dataflows, so that each finds the rows of its shard in an
// arrangement that another fills.
var placement = maphash.MakeSeed()

// errPeerFailed ends a worker whose peer has failed.
var errPeerFailed = errors.New("another worker failed")

// exchange sends rows between the workers of a step: each puts down one batch for every other, all meet, and each
// takes up what is for it. All workers pass the same exchanges in the same order.
type exchange struct {
	boxes [][]*arrangement.Builder // from, to
	votes [2][]int                 // of a worker: in turn, so that one meeting is enough
	turns []func(struct{}) bool    // how a worker lets the others go on in a step that they take in turn; nil in one that they take together

	mu     sync.Mutex // guards all below
	cond   *sync.Cond
	here   int
	round  int
	failed bool
}

func newExchange(n int, memory *budget.Budget) *exchange {
	x := &exchange{}
	x.cond = sync.NewCond(&x.mu)
	for range n {
		row := make([]*arrangement.Builder, n)
		for i := range row {
			row[i] = arrangement.NewBuilderOn(memory)
		}
		x.boxes = append(x.boxes, row)
	}
	x.votes = [2][]int{make([]int, n), make([]int, n)}
	return x
}

func (x *exchange) reset() { x.here, x.failed = 0, false }

// fail lets the others go who wait for a worker that has failed.
func (x *exchange) fail() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.failed = true
	x.cond.Broadcast()
}

// meet waits until all workers are here; it says whether they are.
func (x *exchange) meet(me int) bool {
	if x.turns != nil {
		return x.turns[me](struct{}{}) && !x.failed
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.here++
	if x.here == len(x.boxes) {
		x.here = 0
		x.round++
		x.cond.Broadcast()
		return !x.failed
	}
	for round := x.round; round == x.round && !x.failed; {
		x.cond.Wait()
	}
	return !x.failed
}

// route sends the rows of a batch to the workers of their keys and gives what came for this one, gathered in buf.
func (x *exchange) route(me int, b arrangement.Batch, keys int, buf *arrangement.Builder) (arrangement.Batch, error) {
	mine := x.boxes[me]
	for _, box := range mine {
		box.Reset()
	}
	for i := range b.Len() {
		row := b.Row(i)
		key := row
		if keys != wholeRow {
			key = row[:repr.PrefixLen(row, keys)]
		}
		to := 0
		if len(key) > 0 {
			to = int(maphash.Bytes(placement, key) % uint64(len(mine)))
		}
		mine[to].Add(row, b.Diff(i))
	}
	if !x.meet(me) {
		return arrangement.Batch{}, errPeerFailed
	}
	buf.Reset()
	for _, from := range x.boxes {
		appendAll(buf, from[me].View())
	}
	if !x.meet(me) { // nobody may refill a box before all have been emptied
		return arrangement.Batch{}, errPeerFailed
	}
	return buf.View(), nil
}

// least is the least of the numbers that the workers give; turn counts the votes of a worker.
func (x *exchange) least(me, turn, n int) (int, error) {
	votes := x.votes[turn%2]
	votes[me] = n
	if !x.meet(me) {
		return 0, errPeerFailed
	}
	return slices.Min(votes), nil
}
