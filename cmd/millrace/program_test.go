package main

import (
	"runtime"
	"testing"
)

// TestForHeap: the program takes some of the limit, and never most of it.
func TestForHeap(t *testing.T) {
	if n := mapped(); runtime.GOOS == "linux" && n < 1<<20 {
		t.Errorf("the program takes %d bytes", n)
	}
	for _, limit := range []int64{1 << 20, 512 << 20, 64 << 30} {
		if n := forHeap(limit); n > limit || n < limit/4*3 || runtime.GOOS == "linux" && n == limit {
			t.Errorf("of %d bytes the runtime may take %d", limit, n)
		}
	}
}
