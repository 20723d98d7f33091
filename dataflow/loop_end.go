package dataflow

import (
	"fmt"

	"millrace/arrangement"
	"millrace/repr"
)

// feed has what the recursive collections changed at an iteration enter their variables at the next. It is consolidated over
// all workers first, for what cancels out must not run on.
func (l *loop) feed(i int) error {
	for id := range l.nodes {
		v, ok := l.op.Body.Nodes[id].Op.(Variable)
		if !ok {
			continue
		}
		batch, err := l.feedback(l.op.Feedback[v.Index])
		if err != nil {
			return err
		}
		if batch.Len() == 0 {
			continue
		}
		if i+1 == l.limit {
			l.overflow(v.Index, batch)
			continue
		}
		x := &l.nodes[id]
		x.coming, x.comingAt = batch, i+1
		l.due.add(i + 1)
	}
	return nil
}

// feedback is the output of a node, consolidated.
func (l *loop) feedback(id NodeID) (arrangement.Batch, error) {
	b := arrangement.NewBuilder()
	batch := l.outputs[id]
	switch l.op.Body.Nodes[id].Op.(type) {
	case Threshold, Reduce, TopK, Window: // equal rows are on one worker already
	default:
		if x := l.w.flow.exchange; x != nil {
			got, err := x.route(l.w.index, batch, wholeRow, b)
			if err != nil {
				return arrangement.Batch{}, err
			}
			batch = got
		}
	}
	batch = sealed(batch, b)
	for k := range batch.Len() {
		if d := batch.Diff(k); d > mostCopies || d < -mostCopies {
			return batch, repr.NewError(repr.CodeStatementTooComplex, fmt.Sprintf("%s has more than %d copies of a row", l.query(0), int64(mostCopies)))
		}
	}
	return batch, nil
}

// mostCopies is how often an iteration may give one row: beyond it the counts of the next might not fit their words.
const mostCopies = 1 << 31

// overflow keeps what would enter a variable beyond the last iteration. While there is any, the loop has not ended.
func (l *loop) overflow(variable int, batch arrangement.Batch) {
	if l.op.KeepAtLimit {
		return
	}
	rows := arrangement.NewBuilder()
	for i := range batch.Len() {
		row := append(rows.Open(), byte(variable>>8), byte(variable))
		rows.Keep(append(row, batch.Row(i)...), batch.Diff(i))
	}
	l.over.Step(rows.Seal())
}

// report puts it into the err stream, or takes it out again, that the loop did not end. The first worker speaks for all.
func (l *loop) report() error {
	which := noVariable
	cur := l.over.Cur.Cursor()
	if cur.Seek(nil); cur.Valid() {
		which = int(cur.Row()[0])<<8 | int(cur.Row()[1])
	}
	which, err := l.least(which)
	if err != nil || which == l.failed || l.w.index != 0 {
		return err
	}
	if l.failed != noVariable {
		l.w.errs.Add(l.didNotEnd(l.failed), nil, -1)
	}
	if which != noVariable {
		l.w.errs.Add(l.didNotEnd(which), nil, 1)
	}
	l.failed = which
	return nil
}

func (l *loop) didNotEnd(variable int) *repr.Error {
	return repr.NewError(repr.CodeStatementTooComplex, fmt.Sprintf("%s did not end within %d iterations", l.query(variable), l.limit)).
		WithDetail("Its last iteration still changed its rows.").
		WithHint("Bound the recursion by a condition, or use UNION instead of UNION ALL where the data has cycles. " +
			"WITH MUTUALLY RECURSIVE (ERROR AT RECURSION LIMIT n) sets another limit.")
}

func (l *loop) query(variable int) string {
	return fmt.Sprintf("the recursive query %q", l.op.Names[variable])
}

// bounded ends a loop that holds too much.
func (l *loop) bounded(i int) error {
	rows, bytes := l.held()
	l.w.hold(l.id, rows, bytes)
	l.bytes = bytes
	if i%waitingEvery == 0 {
		for k := range l.nodes {
			for _, b := range l.nodes[k].waiting {
				l.bytes += int64(b.View().Bytes())
			}
		}
	}
	for _, r := range l.results {
		l.bytes += int64(r.View().Bytes())
	}
	if l.bytes*int64(len(l.w.flow.workers)) > l.mostBytes() {
		return l.tooLarge()
	}
	return nil
}

// waitingEvery is after how many iterations what waits is counted, which takes a look at every place where something may.
const waitingEvery = 64

func (l *loop) tooLarge() error {
	return repr.NewError(repr.CodeOutOfMemory, fmt.Sprintf("%s needs more than %d MiB", l.query(0), l.mostBytes()>>20)).
		WithHint("Bound the recursion by a condition, or use UNION instead of UNION ALL where the data has cycles.")
}

// held is the size of all that the loop keeps.
func (l *loop) held() (rows, bytes int64) {
	for i := range l.nodes {
		var state interface {
			Rows() int64
			Bytes() int64
		}
		switch x := &l.nodes[i]; {
		case x.arranged != nil:
			state = x.arranged
		case x.thresh != nil:
			state = x.thresh
		case x.redo != nil:
			state = x.redo
		default:
			continue
		}
		rows += state.Rows()
		bytes += state.Bytes()
	}
	return rows, bytes
}

// agenda are the iterations at which something waits, as a heap. One may stand in it more than once.
type agenda []int

// add notes an iteration.
func (a *agenda) add(i int) {
	h := append(*a, i)
	for at := len(h) - 1; at > 0 && h[(at-1)/2] > h[at]; at = (at - 1) / 2 {
		h[at], h[(at-1)/2] = h[(at-1)/2], h[at]
	}
	*a = h
}

// after gives the first iteration behind i and forgets those before it.
func (a *agenda) after(i int) int {
	for len(*a) > 0 && (*a)[0] <= i {
		a.pop()
	}
	if len(*a) == 0 {
		return never
	}
	return (*a)[0]
}

func (a *agenda) pop() {
	h := *a
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	for at := 0; ; {
		least := at
		for _, c := range [...]int{2*at + 1, 2*at + 2} {
			if c < last && h[c] < h[least] {
				least = c
			}
		}
		if least == at {
			break
		}
		h[at], h[least] = h[least], h[at]
		at = least
	}
	*a = h
}
