package op

import "millrace/internal/check"

// An arena grows by whole chunks, so that no insertion pays for moving what is there.
const (
	chunkBits  = 18
	chunkBytes = 1 << chunkBits
	mostChunks = 1 << (32 - chunkBits)
)

// arena keeps runs of bytes, each at a place of four bytes. Who owns the runs knows their places and lengths, and says when
// one is dropped. When more than half is dropped the owner sweeps: it goes through its runs, a few at a time, and moves
// those that lie in the chunks of before; then these are given back.
type arena struct {
	chunks [][]byte
	old    []bool   // of a chunk: it is being swept
	free   []uint32 // numbers of chunks that were given back
	last   int      // the chunk that is being filled
	used   int      // bytes in chunks that are not old
	dead   int      // of these, bytes that were dropped
	size   int64    // the memory of all chunks
	swept  int      // while sweeping: how many runs the owner has gone through
	sweeps bool
}

// add copies b, and gives its place.
func (a *arena) add(b []byte) uint32 {
	if len(a.chunks) == 0 || len(a.chunks[a.last])+len(b) > chunkBytes {
		a.open(len(b))
	}
	c := a.chunks[a.last]
	at := len(c)
	was := cap(c)
	c = append(c, b...)
	a.chunks[a.last] = c
	a.size += int64(cap(c) - was)
	a.used += len(b)
	return uint32(a.last)<<chunkBits | uint32(at)
}

// open begins a chunk. The very first grows as it is filled, for there are many small arenas.
func (a *arena) open(n int) {
	size := max(chunkBytes, n)
	if len(a.chunks) == 0 {
		size = n
	}
	c := make([]byte, 0, size)
	a.size += int64(size)
	if k := len(a.free); k > 0 {
		a.last = int(a.free[k-1])
		a.free = a.free[:k-1]
		a.chunks[a.last] = c
		return
	}
	if len(a.chunks) == mostChunks {
		check.Never("an arena of %d chunks, %d bytes", mostChunks, a.size)
	}
	a.last = len(a.chunks)
	a.chunks, a.old = append(a.chunks, c), append(a.old, false)
}

// get is the run of n bytes at a place.
func (a *arena) get(at, n uint32) []byte {
	if n == 0 {
		return nil
	}
	lo := at & (chunkBytes - 1)
	return a.chunks[at>>chunkBits][lo : lo+n : lo+n]
}

// drop says that a run is not needed any more. It says whether the owner should sweep now.
func (a *arena) drop(at, n uint32) bool {
	if n > 0 && !a.old[at>>chunkBits] {
		a.dead += int(n)
	}
	if !a.sweeps && a.dead > 1<<20 && 2*a.dead > a.used {
		a.begin()
	}
	return a.sweeps
}

// begin makes all chunks old.
func (a *arena) begin() {
	for i, c := range a.chunks {
		a.old[i] = c != nil
	}
	a.sweeps, a.swept, a.used, a.dead = true, 0, 0, 0
	a.open(0)
}

// moved is the place of a run once the sweep has passed it.
func (a *arena) moved(at, n uint32) uint32 {
	if n == 0 || !a.old[at>>chunkBits] {
		return at
	}
	return a.add(a.get(at, n))
}

// end gives the old chunks back: the owner has gone through all its runs.
func (a *arena) end() {
	for i, old := range a.old {
		if old {
			a.size -= int64(cap(a.chunks[i]))
			a.chunks[i], a.old[i] = nil, false
			a.free = append(a.free, uint32(i))
		}
	}
	a.sweeps = false
}

// sweepStep is how many runs an owner goes through for each that it drops.
const sweepStep = 8
