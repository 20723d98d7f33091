package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"millrace/internal/disk"
)

// Options say where a pool keeps what does not fit in memory.
type Options struct {
	FS     disk.FS // default the machine's
	Dir    string  // a folder for files of pools alone
	Prefix string  // what the names of the files of this pool begin with
	Memory int64   // how much all lists together have in memory, about
	Spare  uint64  // how much space others on the disk are left
}

// ErrFull says that there is no space for a list.
var ErrFull = errors.New("the disk is full")

// Pool is what several lists share. One goroutine uses it and its lists; Held and Written may be asked by any.
type Pool struct {
	opts    Options
	lists   map[*List]struct{}
	number  int
	packed  []byte // room for a block
	held    atomic.Int64
	written atomic.Int64
}

// New makes a pool without lists.
func New(opts Options) *Pool {
	if opts.FS == nil {
		opts.FS = disk.System{}
	}
	return &Pool{opts: opts, lists: map[*List]struct{}{}}
}

// Clear takes out of a folder of pools, if it is there, what a crash has left.
func Clear(on disk.FS, dir string) error {
	names, err := on.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	for _, name := range names {
		if err := on.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("empty %s: %w", dir, err)
		}
	}
	return nil
}

// Held is the memory of all lists.
func (p *Pool) Held() int64 { return p.held.Load() }

// Written is the size of the files of all lists.
func (p *Pool) Written() int64 { return p.written.Load() }

// Open begins a list.
func (p *Pool) Open() *List {
	l := &List{p: p}
	p.lists[l] = struct{}{}
	return l
}

// Close drops all lists.
func (p *Pool) Close() {
	for l := range p.lists {
		l.Drop()
	}
}

// relieve writes the lists that hold most to their files until half of the room is free.
func (p *Pool) relieve() error {
	for p.held.Load() > p.opts.Memory/2 {
		var largest *List
		for l := range p.lists {
			if largest == nil || l.held > largest.held || l.held == largest.held && l.number < largest.number {
				largest = l
			}
		}
		if largest == nil || largest.held == 0 {
			return nil
		}
		if err := largest.write(); err != nil {
			return err
		}
	}
	return nil
}

// create makes a file for a list.
func (p *Pool) create() (disk.File, string, error) {
	if err := p.opts.FS.MkdirAll(p.opts.Dir); err != nil {
		return nil, "", err
	}
	for {
		p.number++
		name := filepath.Join(p.opts.Dir, p.opts.Prefix+"-"+strconv.Itoa(p.number))
		f, err := p.opts.FS.Create(name)
		if !errors.Is(err, fs.ErrExist) { // one that could not be removed
			return f, name, err
		}
	}
}

// Room says whether there is space for n bytes beside what is left to others.
func (p *Pool) Room(n int64) error {
	free, err := p.opts.FS.Free(filepath.Dir(p.opts.Dir)) // which is there
	if err != nil {
		return fmt.Errorf("see how much space there is: %w", err)
	}
	if free < p.opts.Spare+uint64(n) {
		return ErrFull
	}
	return nil
}
