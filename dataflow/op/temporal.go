package op

import (
	"encoding/binary"
	"math"

	"millrace/arrangement"
	"millrace/repr"
)

// Never is the time of what does not happen.
const Never = math.MaxInt64

// timeBytes is the size of a packed bigint, as the times in front of rows are.
const timeBytes = 10

// flushRows is how many rows of state are taken out at once.
const flushRows = 16 << 10

// Temporal lets rows in and out as time goes by. Its state are the rows that will change its output: those still to
// come, by the time at which they do, and those that are there and will leave, by that time. Rows that are past, and rows
// that stay for ever, are not held.
type Temporal struct {
	coming  *agenda // from, until, row
	leaving *agenda // until, row
}

// NewTemporal makes the operator with nothing to come.
func NewTemporal() *Temporal { return &Temporal{coming: newAgenda(), leaving: newAgenda()} }

// Step moves to a time t, which never goes back, and takes a batch of rows with their two times in front.
func (x *Temporal) Step(t int64, in arrangement.Batch, out *arrangement.Builder) {
	for i := range in.Len() {
		row, diff := in.Row(i), in.Diff(i)
		switch from, until := timeAt(row), timeAt(row[timeBytes:]); {
		case until <= t:
		case from > t:
			x.coming.add(row, diff)
		default:
			x.enter(row[timeBytes:], until, diff, out)
		}
	}
	x.coming.flush()
	x.leaving.flush()
	x.coming.take(t, func(row []byte, diff repr.Diff) {
		if until := timeAt(row[timeBytes:]); until > t {
			x.enter(row[timeBytes:], until, diff, out)
		}
	})
	x.leaving.flush()
	x.leaving.take(t, func(row []byte, diff repr.Diff) { out.Add(row[timeBytes:], -diff) })
}

// enter emits a row, given behind the time at which it leaves.
func (x *Temporal) enter(row []byte, until int64, diff repr.Diff, out *arrangement.Builder) {
	out.Add(row[timeBytes:], diff)
	if until != Never {
		x.leaving.add(row, diff)
	}
}

// NextDue is the time at which the output changes next without input.
func (x *Temporal) NextDue() int64 { return min(x.coming.next, x.leaving.next) }

// DueWithin is the last time by which no more than limit rows come, and no more leave; it is not before NextDue.
func (x *Temporal) DueWithin(limit int) int64 {
	return max(min(x.coming.within(limit), x.leaving.within(limit)), x.NextDue())
}

// Rows is the size of the operator's state.
func (x *Temporal) Rows() int64 { return x.coming.arr.Rows() + x.leaving.arr.Rows() }

// Bytes is the memory of the operator's state.
func (x *Temporal) Bytes() int64 { return x.coming.arr.Bytes() + x.leaving.arr.Bytes() }

// timeAt is the packed time that a row begins with.
func timeAt(row []byte) int64 {
	return int64(binary.BigEndian.Uint64(row[timeBytes-8:]) ^ (1 << 63))
}

// agenda holds rows in the order of the time that they begin with.
type agenda struct {
	arr   *arrangement.Arrangement
	queue *arrangement.Builder
	next  int64 // the time of the first row
	seek  []byte
}

func newAgenda() *agenda {
	return &agenda{arr: arrangement.New(), queue: arrangement.NewBuilder(), next: Never}
}

// add queues a row for the flush.
func (a *agenda) add(row []byte, diff repr.Diff) { a.queue.Add(row, diff) }

// flush makes queued rows part of the state.
func (a *agenda) flush() {
	if a.queue.Len() == 0 {
		return
	}
	b := a.queue.Seal()
	a.queue.Reset()
	if b.Len() == 0 {
		return
	}
	a.arr.Insert(b)
	switch first := timeAt(b.Row(0)); {
	case first < a.next:
		a.next = first
	case first == a.next: // the batch may take away what comes next
		a.settle(first)
	}
}

// settle finds the first row from a time on.
func (a *agenda) settle(from int64) {
	a.next = Never
	if c := a.from(from); c.Valid() {
		a.next = timeAt(c.Row())
	}
}

// from is a cursor that stands on the first row at or behind a time.
func (a *agenda) from(t int64) *arrangement.Cursor {
	a.seek = repr.AppendFixed8(a.seek[:0], repr.KindInt8, t)
	c := a.arr.Snapshot().Cursor()
	c.Seek(a.seek)
	return c
}

// take removes the rows up to t and passes them on in order. What is removed goes out of the state in pieces, so that
// a burst needs no second copy of itself.
func (a *agenda) take(t int64, f func(row []byte, diff repr.Diff)) {
	if a.next > t {
		return
	}
	for c := a.from(a.next); c.Valid() && timeAt(c.Row()) <= t; c.Next() {
		f(c.Row(), c.Diff())
		a.queue.Add(c.Row(), -c.Diff())
		if a.queue.Len() >= flushRows {
			a.arr.Insert(a.queue.Seal())
			a.queue.Reset()
		}
	}
	a.arr.Insert(a.queue.Seal())
	a.queue.Reset()
	a.settle(t + 1)
}

// within is the last time by which no more than limit rows are due.
func (a *agenda) within(limit int) int64 {
	if a.next == Never {
		return Never
	}
	c := a.from(a.next)
	for range limit {
		if !c.Valid() {
			return Never
		}
		c.Next()
	}
	if !c.Valid() {
		return Never
	}
	return timeAt(c.Row()) - 1
}
