package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"time"

	"millrace/internal/journal"
)

// rowBytes is how long the rows are that the journal is measured with.
const rowBytes = 56

// tickRows is how many rows a tick of them has.
const tickRows = 10_000

// load is a table that is filled in random order, and then as many updates of random rows, each of which takes a row back and
// gives another: ticks of updates for a journal.
type load struct {
	r        *rand.Rand
	order    []uint32
	versions []uint16
	texts    [][]byte
	batch    batch
	ids      []uint32
}

func newLoad(rows int) *load {
	l := &load{r: rand.New(rand.NewPCG(1, 1)), order: make([]uint32, rows), versions: make([]uint16, rows)}
	for i := range l.order {
		l.order[i] = uint32(i)
	}
	l.r.Shuffle(rows, func(i, j int) { l.order[i], l.order[j] = l.order[j], l.order[i] })
	words := []string{"shipped ", "pending ", "customer ", "order ", "north ", "south "}
	for range 256 {
		var text []byte
		for len(text) < rowBytes {
			text = append(text, words[l.r.IntN(len(words))]...)
		}
		l.texts = append(l.texts, text[:rowBytes-16])
	}
	return l
}

// batch is sorted rows of one length, and their counts.
type batch struct {
	data  []byte
	diffs []int64
}

// Len is the number of rows.
func (b *batch) Len() int { return len(b.diffs) }

// Row is row i.
func (b *batch) Row(i int) []byte { return b.data[i*rowBytes : (i+1)*rowBytes] }

// Bytes is what all rows take.
func (b *batch) Bytes() int { return len(b.data) }

// Diff is the count of row i.
func (b *batch) Diff(i int) int64 { return b.diffs[i] }

func (l *load) add(id uint32, diff int64) {
	v := l.versions[id]
	b := &l.batch
	b.data = binary.BigEndian.AppendUint64(b.data, uint64(id))
	b.data = binary.BigEndian.AppendUint64(b.data, uint64(v))
	b.data = append(b.data, l.texts[(id*2654435761+uint32(v)*40503)>>24]...)
	b.diffs = append(b.diffs, diff)
}

// each shows the ticks of the load; fill is over before the first tick of updates.
func (l *load) each(tick func(b *batch) error) error {
	for at := 0; at < len(l.order); at += tickRows {
		l.ids = append(l.ids[:0], l.order[at:min(at+tickRows, len(l.order))]...)
		if err := l.tick(tick, false); err != nil {
			return err
		}
	}
	for at := 0; at < len(l.order); at += tickRows / 2 {
		l.ids = l.ids[:0]
		for range tickRows / 2 {
			l.ids = append(l.ids, l.r.Uint32N(uint32(len(l.order))))
		}
		if err := l.tick(tick, true); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) tick(tick func(b *batch) error, update bool) error {
	slices.Sort(l.ids)
	l.batch.data, l.batch.diffs = l.batch.data[:0], l.batch.diffs[:0]
	for _, id := range slices.Compact(l.ids) {
		if update {
			l.add(id, -1)
			l.versions[id]++
		}
		l.add(id, 1)
	}
	return tick(&l.batch)
}

// logCost is what a load costs, in processor time.
type logCost struct {
	rows         int
	append, fold time.Duration
	disk, packed int64 // bytes at the end
}

// log prints what a row costs the journal.
func (o options) log(context.Context) error {
	c, err := costOfLog(o)
	if err != nil {
		return err
	}
	figure{"journal, ns of processor a row of 56 bytes", c.per(c.append + c.fold), 200, false}.print("append_ns=%.0f fold_ns=%.0f rows=%d",
		c.per(c.append), c.per(c.fold), c.rows)
	figure{"journal, disk to packed rows", float64(c.disk) / float64(c.packed), 1.5, false}.print("disk_mb=%.1f packed_mb=%.1f",
		float64(c.disk)/1e6, float64(c.packed)/1e6)
	return nil
}

// costOfLog measures a load of rows and as many updates: all of it is appended, then all is folded, segment by segment, as it is when
// one follows on the other. What it takes to make up the rows is not counted.
func costOfLog(o options) (c logCost, err error) {
	dir, err := os.MkdirTemp(o.dir, "millrace-durable-")
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	j, err := journal.Open(journal.Options{Dir: dir})
	if err != nil {
		return c, err
	}
	clock, now := &stopwatch{}, uint64(0)
	err = newLoad(o.logRows).each(func(b *batch) error {
		clock.lap()
		now++
		commit, err := j.Append(&journal.Record{Time: now, Changes: []journal.Change{{Collection: 1, Rows: b}}})
		if err != nil {
			return err
		}
		err = commit.Wait()
		c.append += clock.lap()
		c.rows += b.Len()
		return err
	})
	clock.lap()
	if err == nil {
		j.Hold(now)
		err = j.Settle(context.Background())
	}
	c.fold, c.disk, c.packed = clock.lap(), j.Stats().RunBytes, int64(o.logRows)*rowBytes
	return c, errors.Join(err, clock.err, j.Close())
}

// stopwatch measures the processor time of this process.
type stopwatch struct {
	last time.Duration
	err  error
}

// lap is what was used since the last one.
func (s *stopwatch) lap() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		s.err = fmt.Errorf("ask for the processor time: %w", err)
	}
	last := s.last
	s.last = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return s.last - last
}

func (c logCost) per(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(c.rows) }
