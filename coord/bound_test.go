package coord

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"millrace/repr"
	"millrace/sources"
)

// numbered is a source of two partitions that numbers its rows: the row at an offset says the offset. It pushes while its gate is open.
type numbered struct {
	mu   sync.Mutex // guards from, gate
	from map[int32]int64
	gate chan struct{}
}

func (s *numbered) Schemas() (value, key string) { return "", "" }

func (s *numbered) Grows() bool { return true }

func (s *numbered) Describe(context.Context) (repr.RowDesc, [][]int, error) {
	return repr.RowDesc{{Name: "p", Type: repr.TypeOf(repr.KindInt8)}, {Name: "n", Type: repr.TypeOf(repr.KindInt8)}}, nil, nil
}

func (s *numbered) Run(ctx context.Context, from map[int32]int64, out sources.Events) error {
	out.Report(sources.State{Status: "running"})
	next := [2]int64{from[0], from[1]}
	rng := rand.New(rand.NewPCG(uint64(next[0]), uint64(next[1])))
	s.mu.Lock()
	s.from = from
	gate := s.gate
	s.mu.Unlock()
	b := &sources.Batch{Progress: []sources.Progress{{Partition: 0, Next: next[0], High: next[0]}, {Partition: 1, Next: next[1], High: next[1]}}}
	for ctx.Err() == nil {
		if err := out.Push(ctx, b); err != nil {
			return err
		}
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
		time.Sleep(time.Duration(rng.IntN(5)) * time.Millisecond)
		b = batchOf(rng, &next)
	}
	return ctx.Err()
}

// batchOf is some rows of either partition, or of both.
func batchOf(rng *rand.Rand, next *[2]int64) *sources.Batch {
	b := &sources.Batch{}
	for p := range next {
		k := int64(rng.IntN(20))
		for n := next[p]; n < next[p]+k; n++ {
			b.Updates = append(b.Updates, sources.Update{Row: repr.AppendRow(nil, []repr.Datum{repr.Int8(int64(p)), repr.Int8(n)}), Diff: 1})
		}
		next[p] += k
		b.Progress = append(b.Progress, sources.Progress{Partition: int32(p), Next: next[p], High: next[p]})
	}
	return b
}

// TestRowsAndOffsets: what a source is told to go on behind is exactly what is there, whenever the power went: the rows of a batch and
// its offsets are in one tick, and in one record of the log.
func TestRowsAndOffsets(t *testing.T) {
	lives := 40
	if testing.Short() {
		lives = 8
	}
	rng := rand.New(rand.NewPCG(5, 5))
	src := &numbered{}
	opts := Options{TickInterval: 20 * time.Millisecond}
	opts.Source = func(string) sources.Described { return src }
	lifeOf(t, opts, func(t *testing.T, m *machine) {
		src.shut()
		connect(t, m.c).must("CREATE SOURCE s FROM KAFKA BROKER 'b:9092' TOPIC 't' FORMAT JSON")
		most := int64(0)
		for life := range lives {
			src.open()
			time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
			m.disk.CrashAfter(rng.IntN(12))
			time.Sleep(time.Second)
			src.shut()
			m.crash()
			synctest.Wait()
			src.mu.Lock()
			from := src.from
			src.mu.Unlock()
			var want []string
			for p := range int32(2) {
				if most = max(most, from[p]); from[p] > 0 {
					want = append(want, fmt.Sprintf("%d|%d|%d|%d", p, from[p], from[p], from[p]-1))
				}
			}
			same(t, fmt.Sprintf("life %d", life), connect(t, m.c).must("SELECT p, count(*), count(DISTINCT n), max(n) FROM s GROUP BY p ORDER BY p"), want...)
		}
		if most < int64(20*lives) {
			t.Errorf("only %d rows were read", most)
		}
	})
}

func (s *numbered) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.gate)
}

// shut has the next Run wait.
func (s *numbered) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = make(chan struct{})
}
