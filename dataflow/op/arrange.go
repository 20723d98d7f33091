package op

import "millrace/arrangement"

// Index is an arrangement as joins see it in a step: the content before and after, and what the step changed.
type Index struct {
	Prev  *arrangement.Snapshot
	Cur   *arrangement.Snapshot
	Delta arrangement.Batch
}

// Settle makes an index one that the next step does not change.
func (x *Index) Settle() { x.Prev, x.Delta = x.Cur, arrangement.Batch{} }

// Arranged is an index and the arrangement behind it.
type Arranged struct {
	Index
	arr     *arrangement.Arrangement
	filling bool
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
	if a.filling {
		a.arr.Insert(delta)
		return
	}
	a.Prev, a.Delta = a.Cur, delta
	a.arr.Insert(delta)
	a.Cur = a.arr.Snapshot()
}

// BeginFill begins a first content that comes in many steps: nobody looks at the index until EndFill.
func (a *Arranged) BeginFill() {
	a.arr.BeginFill()
	a.filling = true
}

// EndFill ends the first content, which the next step does not change.
func (a *Arranged) EndFill() {
	a.arr.EndFill()
	a.filling = false
	a.Settle()
}

// Settle ends a step: merging may have moved what is content still.
func (a *Arranged) Settle() {
	a.Cur = a.arr.Snapshot()
	a.Index.Settle()
}

// Work merges in the background, up to about fuel rows, and says whether nothing is left to do.
func (a *Arranged) Work(fuel int) bool { return a.arr.Work(fuel) }

// Rows and Bytes are the size of the index.
func (a *Arranged) Rows() int64 { return a.arr.Rows() }

// Bytes is the memory of the index.
func (a *Arranged) Bytes() int64 { return a.arr.Bytes() }
