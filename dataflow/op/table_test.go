package op

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"millrace/arrangement"
	"millrace/repr"
)

// A table agrees with a map through a history of insertions and drops, which grows it over many segments, empties it by
// and by so that its keys are swept together, and fills it again.
func TestTableHistory(t *testing.T) {
	t.Parallel()
	for _, hashes := range []uint32{0, 8, 1 << 12} {
		t.Run(fmt.Sprint(hashes), func(t *testing.T) {
			t.Parallel()
			h := tableHistory{table: newTable(1), want: map[string]uint32{}, hashes: hashes}
			rng := rand.New(rand.NewPCG(5, uint64(hashes)))
			keys := 60_000
			if hashes > 0 {
				keys = 2_000 // each probe is long
			}
			for round := range 4 {
				for range 2 * keys {
					h.insert(t, rng.IntN(keys))
				}
				h.check(t)
				for range (4 + round) * keys / 2 {
					h.drop(t, rng.IntN(keys))
				}
				h.check(t)
			}
			if hashes == 0 && h.table.keys.size > 4<<20 {
				t.Errorf("%d keys are kept in %d bytes", len(h.want), h.table.keys.size)
			}
		})
	}
}

type tableHistory struct {
	table  table
	want   map[string]uint32 // the entry of a key; its state is that number plus one
	hashes uint32            // so many hashes are different, all with the same trailing bits; 0: no limit
}

func historyKey(i int) []byte {
	return []byte(fmt.Sprint("key ", i, strings.Repeat("-", i%97)))
}

func (h *tableHistory) hash(key []byte) uint32 {
	if h.hashes == 0 {
		return h.table.hash(key)
	}
	return h.table.hash(key) % h.hashes << 20
}

func (h *tableHistory) insert(t *testing.T, n int) {
	t.Helper()
	key := historyKey(n)
	was, there := h.want[string(key)]
	i, fresh := h.table.find(key, h.hash(key))
	if fresh == there || there && i != was {
		t.Fatalf("%s is entry %d, fresh %v; it was %d, there %v", key, i, fresh, was, there)
	}
	if fresh {
		h.table.stateOf(i)[0] = int64(i) + 1
		h.want[string(key)] = i
	}
}

func (h *tableHistory) drop(t *testing.T, n int) {
	t.Helper()
	key := historyKey(n)
	if i, there := h.want[string(key)]; there {
		h.table.drop(i)
		delete(h.want, string(key))
	}
}

func (h *tableHistory) check(t *testing.T) {
	t.Helper()
	if h.table.live != len(h.want) {
		t.Fatalf("%d entries, not %d", h.table.live, len(h.want))
	}
	for key, i := range h.want {
		got, fresh := h.table.find([]byte(key), h.hash([]byte(key)))
		if fresh || got != i || h.table.stateOf(i)[0] != int64(i)+1 || !bytes.Equal(h.table.key(i), []byte(key)) {
			t.Fatalf("%s is entry %d, fresh %v, key %s, state %v, not %d", key, got, fresh, h.table.key(got), h.table.stateOf(got), i)
		}
	}
}

// Spans agree with a map through a history of replacements and drops, with runs as long as a chunk among them.
func TestSpansHistory(t *testing.T) {
	t.Parallel()
	const numbers = 9_000
	rng := rand.New(rand.NewPCG(7, 8))
	s, want := newSpans(), map[int][]byte{}
	for range 20 * numbers {
		i := rng.IntN(numbers)
		s.reach(i)
		switch rng.IntN(5) {
		case 0:
			s.drop(i)
			delete(want, i)
		default:
			n := rng.IntN(200)
			if rng.IntN(5_000) == 0 {
				n = chunkBytes - 100 + rng.IntN(200)
			}
			b := bytes.Repeat([]byte{byte(rng.Uint32())}, n)
			s.put(i, b)
			want[i] = b
		}
	}
	for i := range numbers {
		s.reach(i)
		if !bytes.Equal(s.get(i), want[i]) {
			t.Fatalf("%d has %d bytes, not %d", i, len(s.get(i)), len(want[i]))
		}
	}
	if s.bytes() > 16<<20 {
		t.Errorf("the spans take %d bytes", s.bytes())
	}
}

// BenchmarkGroups fills a reduction with five million groups, 10,000 rows a step, and says what the worst step takes, in
// time of the processor: on a busy machine others' time is not ours. Run it alone.
func BenchmarkGroups(b *testing.B) {
	const groups, step = 5_000_000, 10_000
	for b.Loop() {
		took := fillGroups(groups, step)
		slices.Sort(took)
		b.ReportMetric(1e3*took[len(took)-1].Seconds(), "worst-ms")
		b.ReportMetric(1e3*took[len(took)*99/100].Seconds(), "p99-ms")
		b.ReportMetric(1e3*took[len(took)/2].Seconds(), "median-ms")
	}
}

// fillGroups counts rows of many groups, and keeps the greatest of each.
func fillGroups(groups, step int) (took []time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := &Reduce{Keys: 1, Aggs: []Agg{{Fn: countRows(), Filter: -1}, {Fn: &repr.Aggregate{Extreme: 1}, Args: []int{0}, Filter: -1, Direct: true}}}
	r.Init()
	in, out, rng := arrangement.NewBuilder(), arrangement.NewBuilder(), rand.New(rand.NewPCG(1, 2))
	var row []byte
	for i := range groups {
		row = repr.AppendFixed8(repr.AppendFixed8(row[:0], repr.KindInt8, rng.Int64()), repr.KindInt8, int64(i))
		in.Add(row, 1)
		if in.Len() == step {
			start := threadTime()
			r.Step(in.View(), out, &Errors{})
			took = append(took, threadTime()-start)
			in.Reset()
			out.Reset()
		}
	}
	return took
}

func countRows() *repr.Aggregate {
	return &repr.Aggregate{
		Words:  1,
		Add:    func(state []int64, _ repr.Datum, diff repr.Diff) { state[0] += diff },
		Result: func(state []int64) (repr.Datum, *repr.Error) { return repr.Int8(state[0]), nil },
	}
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

// BenchmarkFind looks keys up in a table of a million, 64 at a time.
func BenchmarkFind(b *testing.B) {
	const keys = 1_000_000
	t, key := newTable(3), make([]byte, 9)
	for i := range uint64(keys) {
		binary.BigEndian.PutUint64(key[1:], i*0x9E3779B97F4A7C15)
		t.find(key, t.hash(key))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var batch [ahead][9]byte
	var hashes [ahead]uint32
	for b.Loop() {
		for k := range batch {
			binary.BigEndian.PutUint64(batch[k][1:], rng.Uint64N(keys)*0x9E3779B97F4A7C15)
			hashes[k] = t.hash(batch[k][:])
		}
		likely := t.warmUp(hashes[:])
		for k := range batch {
			i, _ := t.findLikely(batch[k][:], hashes[k], likely[k])
			t.stateOf(i)[0]++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*ahead), "ns/key")
}
