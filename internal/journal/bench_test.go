package journal

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
)

// tick is n rows of 56 bytes: a key, a counter, and text that compresses as text does.
func tick(r *rand.Rand, n int) *rows {
	words := []string{"shipped ", "pending ", "customer ", "order ", "north ", "south "}
	b := &rows{}
	for range n {
		row := binary.BigEndian.AppendUint64(nil, r.Uint64N(1e6))
		row = binary.BigEndian.AppendUint64(row, r.Uint64N(1e4))
		for len(row) < 56 {
			row = append(row, words[r.IntN(len(words))]...)
		}
		b.list = append(b.list, row[:56])
		b.diffs = append(b.diffs, 1)
	}
	slices.SortFunc(b.list, slices.Compare[[]byte])
	return b
}

// cpu is the processor time that the process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU tells the processor time of an operation since began, of all goroutines and the kernel.
func reportCPU(b *testing.B, began time.Duration) {
	b.Helper()
	b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/op")
}

// BenchmarkAppend is a tick of 10,000 rows of 56 bytes, synced, on the disk of the machine; what is told is a row.
func BenchmarkAppend(b *testing.B) {
	for name, compress := range map[string]bool{"plain": false, "compressed": true} {
		b.Run(name, func(b *testing.B) {
			const perTick = 10_000
			j, err := Open(Options{Dir: b.TempDir(), Compress: compress})
			if err != nil {
				b.Fatal(err)
			}
			var ticks []*rows
			r := rand.New(rand.NewPCG(1, 1))
			for range 8 {
				ticks = append(ticks, tick(r, perTick))
			}
			b.ResetTimer()
			began := cpu(b)
			for i := range b.N/perTick + 1 {
				c, err := j.Append(&Record{Time: uint64(i + 1), Changes: []Change{{Collection: 1, Rows: ticks[i%8]}}})
				if err != nil {
					b.Fatal(err)
				}
				if err := c.Wait(); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			reportCPU(b, began)
			b.ReportMetric(float64(j.Stats().LogBytes)/float64(b.N), "stored-B/op")
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkFold folds a log of ticks into runs; what is told is a row.
func BenchmarkFold(b *testing.B) {
	const perTick = 10_000
	j, err := Open(Options{Dir: b.TempDir(), SegmentBytes: 8 << 20})
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	last := uint64(0)
	for i := range b.N/perTick + 1 {
		last = uint64(i + 1)
		if _, err := j.Append(&Record{Time: last, Changes: []Change{{Collection: 1, Rows: tick(r, perTick)}}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	began := cpu(b)
	j.Hold(last)
	for j.Stats().Segments > 1 {
		if err := j.Fold(); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	reportCPU(b, began)
	b.ReportMetric(float64(j.Stats().RunBytes)/float64(b.N), "stored-B/op")
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRead reads a folded collection; what is told is a row.
func BenchmarkRead(b *testing.B) {
	const perTick = 10_000
	j, err := Open(Options{Dir: b.TempDir(), SegmentBytes: 8 << 20})
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 100 {
		if _, err := j.Append(&Record{Time: uint64(i + 1), Changes: []Change{{Collection: 1, Rows: tick(r, perTick)}}}); err != nil {
			b.Fatal(err)
		}
	}
	j.Hold(100)
	for j.Stats().Segments > 1 {
		if err := j.Fold(); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	began := cpu(b)
	for n := 0; n < b.N; {
		if err := j.Read(1, func([]byte, int64) error { n++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	reportCPU(b, began)
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}
