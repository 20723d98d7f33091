package envelope

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// TestEntries holds the entries to a plain map over random histories: with hashes that many keys share, rows that begin with
// their keys and others, large rows, positions that move, and all removed in one walk. What was given is never overwritten.
func TestEntries(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 12))
		e, plain := newEntries(), map[string]entry{}
		if bits := seed % 4; bits > 0 {
			e.bits = 1<<(4*bits) - 1
		}
		given := map[string]string{} // rows as they are kept, and what they were
		for range 4000 {
			key := fmt.Appendf(nil, "key %d", r.IntN(300))
			switch n := r.IntN(200); {
			case n == 0:
				emptyEntries(t, e, plain)
			case n < 40:
				e.remove(key)
				delete(plain, string(key))
			default:
				x := entry{row: randomRow(r, key), pos: randomPosition(r), op: 'c'}
				plain[string(key)] = x
				row := e.put(key, x)
				given[string(x.row)] = string(row)
				x.row = append([]byte(nil), x.row...)
				if !bytes.Equal(row, x.row) {
					t.Fatalf("seed %d: the row is kept as %.40q", seed, row)
				}
			}
		}
		compareEntries(t, e, plain)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		for was, is := range given {
			if was != is {
				t.Fatalf("seed %d: a row that was given away has changed", seed)
			}
		}
	}
}

func randomPosition(r *rand.Rand) position {
	if r.IntN(5) == 0 {
		return position{}
	}
	return position{known: true, lsn: r.IntN(2) == 0, offset: r.Uint64() >> r.IntN(64), log: uint64(r.IntN(3) * 150), epoch: uint32(r.IntN(2)),
		row: r.Uint32() >> r.IntN(32) & ^uint32(1), millis: r.Int64N(1<<42) - 1<<20}
}

func randomRow(r *rand.Rand, key []byte) []byte {
	row := []byte{}
	if r.IntN(2) == 0 {
		row = append(row, key...)
	}
	n := r.IntN(200)
	switch r.IntN(100) {
	case 0:
		n = entriesChunk * (1 + r.IntN(3))
	case 1:
		n = entriesChunk / 4
	}
	for end := len(row) + n; len(row) < end; {
		row = binary.LittleEndian.AppendUint64(row, r.Uint64())
	}
	return row
}

// emptyEntries removes about half of the entries in a walk over them, and now and then all.
func emptyEntries(t *testing.T, e *entries, plain map[string]entry) {
	t.Helper()
	seen := map[string]bool{}
	for key, x := range e.all() {
		if seen[string(key)] {
			t.Fatalf("%q comes twice", key)
		}
		seen[string(key)] = true
		if x.pos.offset%2 == 0 {
			delete(plain, string(key))
			e.remove(key)
		}
	}
}

func compareEntries(t *testing.T, e *entries, plain map[string]entry) {
	t.Helper()
	if e.len() != len(plain) {
		t.Errorf("%d entries, want %d", e.len(), len(plain))
	}
	var size int64
	for _, c := range e.chunks {
		size += int64(cap(c.data))
	}
	if size != e.size {
		t.Errorf("%d bytes are counted, %d are there", e.size, size)
	}
	for key, want := range plain {
		got, ok := e.find([]byte(key))
		if !ok || !bytes.Equal(got.row, want.row) || got.pos != want.pos || got.op != want.op {
			t.Errorf("%q is %v, %+v", key, ok, got.pos)
		}
	}
}

// TestEntriesMany does the same with keys enough for segments to be split, then with fewer and fewer.
func TestEntriesMany(t *testing.T) {
	t.Parallel()
	const keys = 30_000
	r := rand.New(rand.NewPCG(2, 12))
	e, plain := newEntries(), map[string]entry{}
	for i := range 4 * keys {
		key := fmt.Appendf(nil, "%d", r.IntN(keys))
		if r.IntN(keys) < i/4 {
			e.remove(key)
			delete(plain, string(key))
			continue
		}
		x := entry{row: fmt.Appendf(nil, "%s is %d", key, i), pos: randomPosition(r), op: 'c'}
		plain[string(key)] = x
		e.put(key, x)
	}
	compareEntries(t, e, plain)
	seen := 0
	for key := range e.all() {
		seen++
		e.remove(key)
	}
	if seen != len(plain) || e.len() != 0 {
		t.Errorf("%d of %d were walked over, %d are left", seen, len(plain), e.len())
	}
}

// TestEntriesStaySmall changes rows over and over: what is no longer used does not pile up.
func TestEntriesStaySmall(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 13))
	e := newEntries()
	const keys, row = 5000, 60
	for i := range keys * 20 {
		key := fmt.Appendf(nil, "%08d", r.IntN(keys))
		e.put(key, entry{row: fmt.Appendf(nil, "%s%052d", key, i), pos: position{known: true, offset: uint64(i)}, op: 'u'})
	}
	if most := int64(keys * (row + 16 + slotBytes) * 2); e.bytes() > most {
		t.Errorf("%d rows of %d bytes take %d, more than %d", e.len(), row, e.bytes(), most)
	}
}

// BenchmarkDebeziumMemory says what the envelope takes for each row of a table of a million keys, as inserted and after each row
// has changed twice. Run it alone.
func BenchmarkDebeziumMemory(b *testing.B) {
	const keys = 1_000_000
	for b.Loop() {
		before := heapInUse()
		e := NewDebeziumJSON()
		apply := func(i, round int) {
			n := i * 7919 % keys
			value := fmt.Appendf(nil, `{"op":"%c","after":{"id":%d,"v":%d,"pad":"%s"},"source":{"lsn":%d,"ts_ms":%d}}`,
				"cuu"[round], n, round*keys+i, strings.Repeat("x", 20), 1_000_000+round*keys+i, 1_700_000_000_000+i)
			if _, err := e.Apply(context.Background(), nil, &Message{Key: fmt.Appendf(nil, `{"id":%d}`, n), Value: value}); err != nil {
				b.Fatal(err)
			}
		}
		for i := range keys {
			apply(i, 0)
		}
		b.ReportMetric(float64(heapInUse()-before)/keys, "heap-bytes/row")
		for i := range 2 * keys {
			apply(i%keys, 1+i/keys)
		}
		b.ReportMetric(float64(heapInUse()-before)/keys, "heap-bytes/row-changed")
		runtime.KeepAlive(e)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
