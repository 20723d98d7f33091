package sources

import "sync"

// arenaChunk is the size of the pieces of memory that rows are kept in.
const arenaChunk = 64 << 10

// Arena keeps rows in chunks, so that a row is not an allocation of its own. The zero Arena is empty.
type Arena struct {
	chunk []byte
	full  [][]byte // chunks that were filled since it was emptied; only of an arena that is emptied
	spare [][]byte // chunks that are empty
	again bool     // it is emptied, and keeps its chunks for that
	apart bool     // what Open gave is not of the chunk
}

// Open is a buffer behind which a row of about room bytes can be appended; Close takes it back. A row that is not to be kept is just
// not given to Close.
func (a *Arena) Open(room int) []byte {
	if a.apart = room > arenaChunk/4; a.apart {
		return make([]byte, 0, room)
	}
	if cap(a.chunk)-len(a.chunk) < room {
		a.turn()
	}
	return a.chunk[len(a.chunk):]
}

// turn goes on to the next chunk.
func (a *Arena) turn() {
	if a.again && a.chunk != nil {
		a.full = append(a.full, a.chunk[:0])
	}
	if n := len(a.spare); n > 0 {
		a.chunk, a.spare = a.spare[n-1], a.spare[:n-1]
		return
	}
	a.chunk = make([]byte, 0, arenaChunk)
}

// Close keeps what was appended to the buffer of Open, and gives it as a row.
func (a *Arena) Close(row []byte) []byte {
	n := len(a.chunk)
	if !a.apart && n+len(row) <= cap(a.chunk) { // one that was longer than it was said to be lies elsewhere
		a.chunk = a.chunk[:n+len(row)]
	}
	return row[:len(row):len(row)]
}

// empty makes room for other rows in the place of those that there are.
func (a *Arena) empty() {
	a.spare, a.full = append(a.spare, a.full...), a.full[:0]
	a.chunk = a.chunk[:0]
}

// Pool has batches that are emptied and used again, so that reading on takes no new memory. The zero Pool is ready for use, by any
// goroutine.
type Pool struct{ free sync.Pool }

// Get is an empty batch.
func (p *Pool) Get() *Batch {
	if b, ok := p.free.Get().(*Batch); ok {
		return b
	}
	return &Batch{Rows: Arena{again: true}, home: p}
}

// Release says that nothing of the batch is needed any more. One that came from a Pool goes back to it, and others must not touch it
// from then on.
func (b *Batch) Release() {
	p := b.home
	if p == nil {
		return
	}
	b.Rows.empty()
	clear(b.Updates)
	clear(b.Errors)
	clear(b.State)
	*b = Batch{Rows: b.Rows, home: p, Updates: b.Updates[:0], Errors: b.Errors[:0], State: b.State[:0],
		Progress: b.Progress[:0], Orders: b.Orders[:0]}
	p.free.Put(b)
}
