//go:build linux

package main

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

const (
	blockBytes = 4096
	readers    = 16 // requests to the disk at a time
)

// pool keeps some blocks of a file in memory, those that were asked for of late.
type pool struct {
	file   *os.File
	frames []byte
	block  []int // of a frame; less than 0: none
	used   []bool
	dirty  []bool
	pinned []int       // the group that a frame was last asked for in
	where  map[int]int // block to frame
	hand   int
	group  int
	reads  int
	writes int
}

// newPool opens a file, past the cache of the system.
func newPool(path string, frames int) (*pool, error) {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_DIRECT, 0)
	if err != nil {
		return nil, err
	}
	p := &pool{file: f, frames: aligned(frames * blockBytes), where: make(map[int]int, frames),
		block: make([]int, frames), used: make([]bool, frames), dirty: make([]bool, frames), pinned: make([]int, frames)}
	for i := range p.block {
		p.block[i] = -1
	}
	return p, nil
}

// aligned is memory that the disk can write to without the system's cache.
func aligned(n int) []byte {
	b := make([]byte, n+blockBytes)
	at := int(-uintptr(unsafe.Pointer(&b[0])) % blockBytes)
	return b[at : at+n]
}

func (p *pool) frame(i int) []byte { return p.frames[i*blockBytes : (i+1)*blockBytes] }

// load is a block to be read into a frame, after the one that is there was written.
type load struct{ frame, block, old int }

// fetch brings blocks into memory and gives their frames.
func (p *pool) fetch(blocks []int) ([]int, error) {
	p.group++
	var loads []load
	out := make([]int, len(blocks))
	for i, b := range blocks {
		f, ok := p.where[b]
		if !ok {
			f = p.victim()
			l := load{frame: f, block: b, old: -1}
			if p.dirty[f] {
				l.old = p.block[f]
				p.writes++
			}
			delete(p.where, p.block[f])
			p.where[b], p.block[f], p.dirty[f] = f, b, false
			loads = append(loads, l)
		}
		out[i], p.used[f], p.pinned[f] = f, true, p.group
	}
	p.reads += len(loads)
	return out, p.run(loads)
}

// victim is a frame that was not asked for since the hand last passed it.
func (p *pool) victim() int {
	for {
		f := p.hand
		p.hand = (p.hand + 1) % len(p.block)
		if p.pinned[f] == p.group {
			continue
		}
		if !p.used[f] {
			return f
		}
		p.used[f] = false
	}
}

// run does loads, some side by side.
func (p *pool) run(loads []load) error {
	errs := make([]error, readers)
	var wg sync.WaitGroup
	for r := range min(readers, len(loads)) {
		wg.Go(func() {
			for i := r; i < len(loads) && errs[r] == nil; i += readers {
				l, b := loads[i], p.frame(loads[i].frame)
				if l.old >= 0 {
					_, errs[r] = p.file.WriteAt(b, int64(l.old)*blockBytes)
				}
				if errs[r] == nil {
					_, errs[r] = p.file.ReadAt(b, int64(l.block)*blockBytes)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
