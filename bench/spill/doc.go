//go:build linux

// Command spill measures what an arrangement would cost whose blocks lie on a disk: rows of 56 bytes in blocks of 4 KiB, of which
// a pool keeps a part in memory, are looked up (join) or counted up (count) by ticks of sorted random keys. The system's own cache
// is passed by, the blocks that a tick misses are read side by side, and its index of first keys stays in memory, so that the
// figures are the best that such a design can reach. Start reading at main.
package main
