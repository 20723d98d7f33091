package op

import "millrace/arrangement"

// Arranged is an indexed input of joins: the content before and after a step, and what the step changed.
type Arranged struct {
	arr   *arrangement.Arrangement
	Prev  *arrangement.Snapshot
	Cur   *arrangement.Snapshot
	Delta arrangement.Batch
}

// NewArranged makes an empty index.
func NewArranged() *Arranged {
	a := &Arranged{arr: arrangement.New()}
	a.Cur = a.arr.Snapshot()
	a.Prev = a.Cur
	return a
}

// Step adds a sealed batch of keyed rows.
func (a *Arranged) Step(delta arrangement.Batch) {
	a.Prev, a.Delta = a.Cur, delta
	a.arr.Insert(delta)
	a.Cur = a.arr.Snapshot()
}

// Rows and Bytes are the size of the index.
func (a *Arranged) Rows() int64 { return a.arr.Rows() }

// Bytes is the memory of the index.
func (a *Arranged) Bytes() int64 { return a.arr.Bytes() }
