package arrangement

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"millrace/repr"
)

// fill inserts rows of a random key of 40 bits and a number, 10,000 at a time, and gives the longest insertion, in time of
// the processor: on a busy machine others' time is not ours; and what a row of the second half took at most.
func fill(a *Arrangement, rows int) (worst time.Duration, most float64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	rng, builder := rand.New(rand.NewPCG(1, 2)), NewBuilder()
	var row []byte
	for i := range rows {
		row = repr.AppendFixed8(repr.AppendFixed8(row[:0], repr.KindInt8, rng.Int64N(1<<40)), repr.KindInt8, int64(i))
		builder.Add(row, 1)
		if builder.Len() == 10_000 || i == rows-1 {
			batch := builder.Seal()
			builder.Reset()
			start := threadTime()
			a.Insert(batch)
			worst = max(worst, threadTime()-start)
			if i >= rows/2 {
				most = max(most, float64(a.Bytes())/float64(i+1))
			}
		}
	}
	return worst, most
}

// threadTime is the processor time of this thread.
func threadTime() time.Duration {
	var u syscall.Rusage
	const thread = 1
	if err := syscall.Getrusage(thread, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A row of two numbers takes 20 bytes packed; all that is around it must not take more than 12.
func TestBytesOfRow(t *testing.T) {
	t.Parallel()
	a := New()
	fill(a, 400_000)
	if got := float64(a.Bytes()) / float64(a.Rows()); got > 32 {
		t.Errorf("a row takes %.1f bytes", got)
	}
}

// BenchmarkMemory fills an arrangement with five million rows of two numbers and says what they take when nothing is left to merge: as
// the arrangement counts, on the heap, and of the memory of the process; and as it counts while they come, at most. Run it alone.
func BenchmarkMemory(b *testing.B) {
	const rows = 5_000_000
	for b.Loop() {
		before := heap()
		a := New()
		worst, most := fill(a, rows)
		for !a.Work(1 << 20) {
		}
		live := heap() - before
		b.ReportMetric(most, "most-bytes/row")
		b.ReportMetric(float64(a.Bytes())/rows, "bytes/row")
		b.ReportMetric(float64(live)/rows, "heap-bytes/row")
		b.ReportMetric(float64(resident(b))/float64(live), "rss/live")
		b.ReportMetric(1e3*worst.Seconds(), "worst-ms")
		runtime.KeepAlive(a)
	}
}

// heap are the bytes in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// resident is the memory of the process; the test is skipped where it cannot be told.
func resident(tb testing.TB) int64 {
	tb.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Skip("no /proc")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
