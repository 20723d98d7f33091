package main

import (
	"bytes"
	"os"
	"strconv"
)

// mostProgram is the largest part of the memory limit, 1 in so many, that the program itself is taken to be.
const mostProgram = 4

// forHeap is what the runtime may take of a memory limit: not the pages of the program itself, of which it does not know.
func forHeap(limit int64) int64 { return limit - min(mapped(), limit/mostProgram) }

// mapped is how much of files is mapped and in memory, which is the program; 0 where the system does not tell. Linux, proc(5): the third
// number of statm, in pages.
func mapped() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 3 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[2]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
