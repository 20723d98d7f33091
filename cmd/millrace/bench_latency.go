package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"millrace/coord"
	"millrace/internal/clock"
	"millrace/repr"
)

// latencyBench sends rows to a table at a fixed rate while a subscription shows the count of rows by key. Each statement bears
// a row with a key of its own, so that the time from its sending until the subscription shows it can be told.
type latencyBench struct {
	coord   *coord.Coordinator
	rows    int64
	keys    int64
	rate    int
	seconds int
	writers int
	copies  bool // rows come by COPY, not by INSERT

	mu    sync.Mutex // guards both below
	sent  map[int64]time.Time
	waits []time.Duration
}

// firstMark is the key of the first statement; other keys are less.
const firstMark = math.MaxInt64 / 2

// runLatency prints the latency of count-by-key behind a loaded table, and the worst tick.
func runLatency(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("millrace bench latency", flag.ContinueOnError)
	b := &latencyBench{sent: map[int64]time.Time{}}
	fs.Int64Var(&b.rows, "rows", 5_000_000, "rows that are loaded first")
	fs.Int64Var(&b.keys, "keys", 1_000_000, "keys")
	fs.IntVar(&b.rate, "rate", 100_000, "rows that are sent in a second")
	fs.IntVar(&b.seconds, "seconds", 20, "how long they are sent")
	fs.IntVar(&b.writers, "writers", 4, "sessions that send them")
	send := fs.String("send", "insert", "insert: each statement is a text that is parsed; copy: its rows are at hand, as after COPY has read them")
	workers := fs.Int("workers", runtime.GOMAXPROCS(0), "workers of each dataflow")
	profile := fs.String("cpuprofile", "", "`file` to write a profile of the run to")
	if err := fs.Parse(args); err != nil {
		return errUsage
	}
	if b.copies = *send == "copy"; !b.copies && *send != "insert" {
		return fmt.Errorf("rows are sent by insert or by copy, not by %q", *send)
	}
	debug.SetGCPercent(gcPercent)
	b.coord = coord.New(coord.Options{Workers: *workers, RetainHistory: time.Second})
	defer b.coord.Close()
	if err := b.load(ctx); err != nil {
		return err
	}
	stop, err := startProfile(*profile)
	if err != nil {
		return err
	}
	return errors.Join(b.measure(ctx), stop())
}

// loadChunk is how many rows one statement of the load makes.
const loadChunk = 250_000

func (b *latencyBench) load(ctx context.Context) error {
	s, err := b.open()
	if err != nil {
		return err
	}
	defer s.Close()
	texts := []string{"CREATE TABLE kv (k bigint, v bigint)",
		"CREATE MATERIALIZED VIEW counts AS SELECT k, count(*) AS n FROM kv GROUP BY k"}
	for from := int64(0); from < b.rows; from += loadChunk {
		texts = append(texts, fmt.Sprintf("INSERT INTO kv SELECT g * 7919 %% %d, g FROM generate_series(%d::bigint, %d::bigint) AS g", b.keys, from,
			min(from+loadChunk, b.rows)-1))
	}
	for _, text := range texts {
		if _, err := b.start(ctx, s, text); err != nil {
			return fmt.Errorf("%w: %s", err, text)
		}
	}
	return nil
}

func (b *latencyBench) open() (*coord.Session, error) {
	s, err := b.coord.NewSession(coord.SessionOptions{User: coord.DefaultUser, Database: coord.DefaultDatabase,
		OnNotice: func(coord.Notice) {}, OnParam: func(string, string) {}})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// start runs a statement and gives its result.
func (b *latencyBench) start(ctx context.Context, s *coord.Session, text string) (*coord.Result, error) {
	stmts, err := s.Split(text)
	if err != nil {
		return nil, err
	}
	prepared, err := s.Prepare(ctx, stmts[0], nil)
	if err != nil {
		return nil, err
	}
	res, err := s.Execute(ctx, prepared, nil)
	if err != nil {
		return nil, err
	}
	return res, nil
}

// measure sends and watches.
func (b *latencyBench) measure(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready, watched := make(chan struct{}), make(chan error, 1)
	go func() { watched <- b.watch(ctx, ready) }()
	select {
	case <-ready:
	case err := <-watched:
		return err
	}
	b.coord.Counters().WorstTick.Store(0)
	b.coord.Counters().WorstMerge.Store(0)
	before, began := b.coord.Counters().Ticks.Load(), clock.System{}.Now()
	errs := make(chan error, b.writers)
	for w := range b.writers {
		go func() { errs <- b.send(ctx, w) }()
	}
	var err error
	for range b.writers {
		err = errors.Join(err, <-errs)
	}
	took := clock.System{}.Now().Sub(began)
	ticks := b.coord.Counters().Ticks.Load() - before
	stop()
	<-watched
	if err != nil {
		return err
	}
	b.report(took, ticks, longestPause(began))
	return nil
}

// perStatement is how many rows a statement has: there is one in a millisecond.
func (b *latencyBench) perStatement() int { return max(b.rate/1000, 1) }

// every is how often a writer sends.
func (b *latencyBench) every() time.Duration { return time.Duration(b.writers) * time.Millisecond }

// send sends a statement at each beat of its clock. One that comes late counts from when it should have been sent.
func (b *latencyBench) send(ctx context.Context, writer int) error {
	s, err := b.open()
	if err != nil {
		return err
	}
	defer s.Close()
	began := clock.System{}.Now().Add(time.Duration(writer) * time.Millisecond)
	chance := uint64(writer + 1)
	for i := range b.seconds * 1000 / b.writers {
		due := began.Add(time.Duration(i) * b.every())
		if wait := due.Sub(clock.System{}.Now()); wait > 0 {
			<-clock.System{}.After(wait)
		}
		mark := firstMark + int64(i)*int64(b.writers) + int64(writer)
		b.mu.Lock()
		b.sent[mark] = due
		b.mu.Unlock()
		rows := b.insertRows
		if b.copies {
			rows = b.copyRows
		}
		if err := rows(ctx, s, mark, &chance); err != nil {
			return err
		}
	}
	return nil
}

// key is a random one.
func (b *latencyBench) key(chance *uint64) int64 {
	*chance = *chance*6364136223846793005 + 1442695040888963407
	return int64(*chance>>20) % b.keys
}

// insertRows sends a statement by the text of an INSERT.
func (b *latencyBench) insertRows(ctx context.Context, s *coord.Session, mark int64, chance *uint64) error {
	text := append([]byte("INSERT INTO kv VALUES ("), strconv.AppendInt(nil, mark, 10)...)
	text = append(text, ", 0)"...)
	for i := range b.perStatement() - 1 {
		text = append(strconv.AppendInt(append(text, ", ("...), b.key(chance), 10), ", "...)
		text = append(strconv.AppendInt(text, int64(i), 10), ')')
	}
	_, err := b.start(ctx, s, string(text))
	return err
}

// copyRows sends a statement by COPY.
func (b *latencyBench) copyRows(ctx context.Context, s *coord.Session, mark int64, chance *uint64) error {
	res, err := b.start(ctx, s, "COPY kv FROM STDIN")
	if err != nil {
		return err
	}
	row := []repr.Datum{repr.Int8(mark), repr.Int8(0)}
	for i := range b.perStatement() {
		if err := res.CopyIn.Add(row); err != nil {
			return err
		}
		row[0], row[1] = repr.Int8(b.key(chance)), repr.Int8(int64(i))
	}
	if _, err := res.CopyIn.Finish(ctx); err != nil {
		return err
	}
	return nil
}

// watch reads the subscription until it is stopped.
func (b *latencyBench) watch(ctx context.Context, ready chan struct{}) error {
	s, err := b.open()
	if err != nil {
		return err
	}
	defer s.Close()
	res, err := b.start(ctx, s, "SUBSCRIBE counts WITH (SNAPSHOT = false)")
	if err != nil {
		return err
	}
	defer res.Rows.Close()
	close(ready)
	for {
		row, ok, err := res.Rows.Next(ctx)
		if err != nil {
			return err
		}
		if !ok {
			return nil
		}
		key, _ := repr.Decode(repr.SkipN(row, 2)) // behind the time and the count
		if key.Int() >= firstMark {
			b.seen(key.Int())
		}
	}
}

func (b *latencyBench) seen(mark int64) {
	now := clock.System{}.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waits = append(b.waits, now.Sub(b.sent[mark]))
}

// longestPause is the longest time since a moment for which the garbage collector held all goroutines.
func longestPause(since time.Time) time.Duration {
	var stats debug.GCStats
	debug.ReadGCStats(&stats)
	longest := time.Duration(0)
	for i, end := range stats.PauseEnd {
		if end.After(since) {
			longest = max(longest, stats.Pause[i])
		}
	}
	return longest
}

func (b *latencyBench) report(took time.Duration, ticks int64, pause time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(b.waits)
	at := func(part float64) float64 {
		if len(b.waits) == 0 {
			return math.NaN()
		}
		return 1e3 * b.waits[int(part*float64(len(b.waits)-1))].Seconds()
	}
	sent, worst := len(b.sent)*b.perStatement(), b.coord.Counters()
	fmt.Printf("MILLRACE latency rows=%d rate=%.0f statements=%d ticks=%d p50_ms=%.2f p90_ms=%.2f p99_ms=%.2f max_ms=%.2f "+
		"worst_tick_ms=%.2f worst_merge_ms=%.2f worst_gc_pause_ms=%.2f rss_mb=%d\n", b.rows, float64(sent)/took.Seconds(), len(b.waits), ticks,
		at(0.5), at(0.9), at(0.99), at(1), 1e-6*float64(worst.WorstTick.Load()), 1e-6*float64(worst.WorstMerge.Load()), 1e3*pause.Seconds(), residentMB())
}
