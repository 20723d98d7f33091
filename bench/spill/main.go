//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"syscall"
	"time"

	"millrace/internal/check"
)

const (
	rowBytes  = 56
	perBlock  = blockBytes / rowBytes
	groupSize = 512 // blocks that are fetched at a time
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	dir := flag.String("dir", os.TempDir(), "folder of the file")
	mib := flag.Int("mib", 512, "size of the arrangement")
	tick := flag.Int("tick", 10_000, "rows of a tick")
	rows := flag.Int("rows", 400_000, "rows that are measured")
	flag.Parse()
	blocks := *mib << 20 / blockBytes
	path := *dir + "/spill.blocks"
	if err := write(path, blocks); err != nil {
		return err
	}
	defer func() { _ = os.Remove(path) }()
	for i := range 4 {
		m := measured{blocks: blocks, tick: *tick, rows: *rows, hot: i >= 2, count: i%2 == 1}
		if err := m.compare(path); err != nil {
			return err
		}
	}
	return nil
}

// compare measures a workload with memory for the whole, a half and a quarter of the blocks.
func (m measured) compare(path string) error {
	var whole time.Duration
	for _, part := range []int{1, 2, 4} {
		if err := m.run(path, m.blocks/part); err != nil {
			return err
		}
		if part == 1 {
			whole = m.wall
		}
		fmt.Printf("%s, %s keys, %dx memory: %d ns a row (%.1f times), %d ns of processor, %.2f reads and %.2f writes a row\n",
			name(m.count, "count", "join"), name(m.hot, "hot", "uniform"), part, m.wall.Nanoseconds()/int64(m.rows),
			float64(m.wall)/float64(whole), m.cpu.Nanoseconds()/int64(m.rows),
			float64(m.reads)/float64(m.rows), float64(m.writes)/float64(m.rows))
	}
	return nil
}

func name(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// key is that of a row by its number.
func key(row int) uint64 { return uint64(row) * 3 }

// write fills the file.
func write(path string, blocks int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	b := make([]byte, blockBytes)
	for i := 0; i < blocks && err == nil; i++ {
		for j := range perBlock {
			binary.BigEndian.PutUint64(b[j*rowBytes:], key(i*perBlock+j))
		}
		_, err = f.Write(b)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// measured is one workload with one size of memory.
type measured struct {
	blocks, tick, rows int
	hot, count         bool
	wall, cpu          time.Duration
	reads, writes      int
}

func (m *measured) run(path string, frames int) error {
	p, err := newPool(path, frames)
	if err != nil {
		return err
	}
	defer func() { _ = p.file.Close() }()
	r := rand.New(rand.NewSource(1))
	for b := 0; b < frames; b += groupSize { // the pool is full before it is measured
		var all []int
		for i := b; i < min(b+groupSize, frames); i++ {
			all = append(all, i)
		}
		if _, err := p.fetch(all); err != nil {
			return err
		}
	}
	if err := m.ticks(p, r, m.rows); err != nil { // and has what is asked for often
		return err
	}
	reads, writes, began, cpu := p.reads, p.writes, time.Now(), processor()
	if err := m.ticks(p, r, m.rows); err != nil {
		return err
	}
	m.wall, m.cpu, m.reads, m.writes = time.Since(began), processor()-cpu, p.reads-reads, p.writes-writes
	return nil
}

func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ticks looks up rows, a tick at a time.
func (m *measured) ticks(p *pool, r *rand.Rand, rows int) error {
	first := make([]uint64, m.blocks)
	for i := range first {
		first[i] = key(i * perBlock)
	}
	keys := make([]uint64, m.tick)
	for ; rows > 0; rows -= m.tick {
		for i := range keys {
			of := m.blocks * perBlock
			if m.hot && r.Intn(10) > 0 { // nine of ten in a tenth
				of /= 10
			}
			keys[i] = key(r.Intn(of))
		}
		slices.Sort(keys)
		if err := m.lookUp(p, first, keys); err != nil {
			return err
		}
	}
	return nil
}

// lookUp finds keys, and counts them up.
func (m *measured) lookUp(p *pool, first, keys []uint64) error {
	for len(keys) > 0 {
		var blocks, ends []int
		n := 0
		for n < len(keys) {
			b, found := slices.BinarySearch(first, keys[n])
			if !found {
				b--
			}
			if len(blocks) == groupSize {
				break
			}
			for n++; n < len(keys) && (b+1 == len(first) || keys[n] < first[b+1]); n++ {
			}
			blocks, ends = append(blocks, b), append(ends, n)
		}
		frames, err := p.fetch(blocks)
		if err != nil {
			return err
		}
		from := 0
		for i, f := range frames {
			m.inBlock(p.frame(f), keys[from:ends[i]])
			p.dirty[f] = p.dirty[f] || m.count
			from = ends[i]
		}
		keys = keys[n:]
	}
	return nil
}

// inBlock finds keys in their block.
func (m *measured) inBlock(b []byte, keys []uint64) {
	var k [8]byte
	for _, x := range keys {
		binary.BigEndian.PutUint64(k[:], x)
		lo, hi := 0, perBlock
		for lo < hi {
			mid := (lo + hi) / 2
			if bytes.Compare(b[mid*rowBytes:mid*rowBytes+8], k[:]) < 0 {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		row := b[lo*rowBytes : (lo+1)*rowBytes]
		if !bytes.Equal(row[:8], k[:]) {
			check.Never("key %d is missing", binary.BigEndian.Uint64(k[:]))
		}
		if m.count {
			binary.BigEndian.PutUint64(row[8:], binary.BigEndian.Uint64(row[8:])+1)
		}
	}
}
