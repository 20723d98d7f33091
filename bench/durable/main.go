// Command durable measures what it costs that the server keeps its data: the same work on a server that keeps nothing and on
// one with a data directory, in seconds of the server's processor; the time of one INSERT beside that of one fsync; and the size
// of the data on the disk beside that of the rows.
//
//	go run ./bench/durable [-binary bin/millrace] [-dir FOLDER] [-events 500000] [-rows 1000000]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/repr"
)

type options struct {
	binary  string
	dir     string
	events  int
	rows    int
	inserts int
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/millrace", "the server")
	flag.StringVar(&o.dir, "dir", "", "where data directories are made; the folder for temporary files when empty")
	flag.IntVar(&o.events, "events", 500_000, "records to read from Kafka")
	flag.IntVar(&o.rows, "rows", 1_000_000, "rows of the table that is weighed")
	flag.IntVar(&o.inserts, "inserts", 32_000, "INSERT statements of one row, and a quarter as many of a hundred")
	flag.Parse()
	if err := measure(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// work is done once by a server that keeps nothing and once by one that keeps all.
type work struct {
	name string
	do   func(ctx context.Context, s *server) error
}

func measure(ctx context.Context, o options) error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "events"))
	if err != nil {
		return fmt.Errorf("start a broker: %w", err)
	}
	defer cluster.Close()
	broker := cluster.ListenAddrs()[0]
	if err := send(ctx, broker, o.events); err != nil {
		return err
	}
	for _, w := range []work{
		{"kafka bytes", func(ctx context.Context, s *server) error { return ingest(ctx, s, broker, "BYTES", o.events) }},
		{"kafka json", func(ctx context.Context, s *server) error { return ingest(ctx, s, broker, "JSON", o.events) }},
		{"insert of 1 row, 16 sessions", func(ctx context.Context, s *server) error { return insert(ctx, s, 16, o.inserts/16, 1) }},
		{"insert of 100 rows, 4 sessions", func(ctx context.Context, s *server) error { return insert(ctx, s, 4, o.inserts/16, 100) }},
	} {
		var used [2]time.Duration
		for i, flags := range [][]string{{"--volatile"}, nil} {
			if used[i], err = o.cost(ctx, w, flags); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
		fmt.Printf("MILLRACE durable %q volatile_cpu_s=%.2f kept_cpu_s=%.2f throughput_per_cpu=%.2f\n", w.name,
			used[0].Seconds(), used[1].Seconds(), used[0].Seconds()/used[1].Seconds())
	}
	if err := o.single(ctx); err != nil {
		return err
	}
	return o.weigh(ctx)
}

// cost is the processor time that a server takes for a work.
func (o options) cost(ctx context.Context, w work, flags []string) (used time.Duration, err error) {
	s, err := start(ctx, o, flags...)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	if err := w.do(ctx, s); err != nil {
		return 0, err
	}
	after, err := s.cpu()
	return after - before, err
}

// send fills the topic.
func send(ctx context.Context, broker string, events int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic("events"))
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	defer client.Close()
	var failed error
	var once sync.Once
	for i := range events {
		value := fmt.Appendf(nil, `{"id": %d, "user": %d, "what": "view", "amount": %d}`, i, i*7919%10007, i%1000)
		client.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
	}
	return errors.Join(client.Flush(ctx), failed)
}

// ingest reads the topic into a source and a view that counts it.
func ingest(ctx context.Context, s *server, broker, format string, events int) error {
	for _, text := range []string{
		"CREATE SOURCE events FROM KAFKA BROKER '" + broker + "' TOPIC 'events' FORMAT " + format,
		"CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM events",
	} {
		if _, err := s.db.Exec(ctx, text); err != nil {
			return err
		}
	}
	for {
		var n int
		if err := s.db.QueryRow(ctx, "SELECT n FROM n").Scan(&n); err != nil {
			return err
		}
		if n == events {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// insert runs statements of so many rows in sessions side by side.
func insert(ctx context.Context, s *server, sessions, statements, rows int) error {
	if _, err := s.db.Exec(ctx, "CREATE TABLE t (id bigint NOT NULL, name text NOT NULL)"); err != nil {
		return err
	}
	text := fmt.Sprintf("INSERT INTO t SELECT $1::bigint + i, 'a name of some length' FROM generate_series(1, %d) i", rows)
	if rows == 1 {
		text = "INSERT INTO t VALUES ($1, 'a name of some length')"
	}
	errs := make([]error, sessions)
	var wait sync.WaitGroup
	for i := range sessions {
		wait.Go(func() {
			c, err := pgx.Connect(ctx, s.url)
			for j := 0; j < statements && err == nil; j++ {
				_, err = c.Exec(ctx, text, int64(i*statements+j)*1000)
			}
			if err == nil {
				err = c.Close(ctx)
			}
			errs[i] = err
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// single compares one INSERT with one fsync of as many bytes in the same folder.
func (o options) single(ctx context.Context) (err error) {
	s, err := start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if _, err := s.db.Exec(ctx, "CREATE TABLE t (id bigint NOT NULL, name text NOT NULL)"); err != nil {
		return err
	}
	const times = 300
	var inserts, syncs []time.Duration
	f, err := os.Create(filepath.Join(s.dir, "raw"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(1 << 20); err != nil {
		return err
	}
	record := make([]byte, 100)
	for i := range times {
		began := time.Now()
		if _, err := s.db.Exec(ctx, "INSERT INTO t VALUES ($1, 'a name of some length')", i); err != nil {
			return err
		}
		inserts = append(inserts, time.Since(began))
		began = time.Now()
		if _, err := f.WriteAt(record, int64(i*len(record))); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		syncs = append(syncs, time.Since(began))
	}
	slices.Sort(inserts)
	slices.Sort(syncs)
	fmt.Printf("MILLRACE durable \"one insert\" median_ms=%.2f p90_ms=%.2f fsync_median_ms=%.2f fsync_p90_ms=%.2f\n",
		millis(inserts[times/2]), millis(inserts[times*9/10]), millis(syncs[times/2]), millis(syncs[times*9/10]))
	return nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// weigh compares the size of the data directory, once all is folded, with that of the rows as they are packed.
func (o options) weigh(ctx context.Context) (err error) {
	s, err := start(ctx, o, "--retain-history", "100ms", "--log-segment", "2MiB")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if _, err := s.db.Exec(ctx, "CREATE TABLE t (id bigint NOT NULL, v bigint NOT NULL, pad text NOT NULL)"); err != nil {
		return err
	}
	packed := 0
	for at := 0; at < o.rows; at += 10_000 {
		n, err := s.fill(ctx, at, min(10_000, o.rows-at))
		if err != nil {
			return err
		}
		packed += n
	}
	if _, err := s.db.Exec(ctx, "DELETE FROM t WHERE id % 10 = 0"); err != nil {
		return err
	}
	packed -= packed / 10
	size, err := s.settled(ctx)
	fmt.Printf("MILLRACE durable \"disk\" rows=%d packed_mb=%.1f disk_mb=%.1f ratio=%.2f\n", o.rows-o.rows/10,
		float64(packed)/1e6, float64(size)/1e6, float64(size)/float64(packed))
	return err
}

// fill inserts rows that compress badly, and says how long they are as packed.
func (s *server) fill(ctx context.Context, at, n int) (packed int, err error) {
	var row []byte
	digest := repr.Text(strings.Repeat("0", 32))
	for i := range n {
		id := int64(at + i)
		row = repr.Append(repr.Append(repr.Append(row[:0], repr.Int8(id)), repr.Int8(id*7919)), digest)
		packed += len(row)
	}
	_, err = s.db.Exec(ctx, "INSERT INTO t SELECT $1 + i, ($1 + i) * 7919, md5(($1::bigint + i)::text) FROM generate_series(0::bigint, $2) i",
		int64(at), int64(n-1))
	return packed, err
}

// settled is the size of the data directory once it no longer shrinks.
func (s *server) settled(ctx context.Context) (int64, error) {
	last := int64(-1)
	for range 60 {
		size, err := sizeOf(s.dir)
		if err != nil || size == last {
			return size, err
		}
		last = size
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return last, nil
}

func sizeOf(dir string) (int64, error) {
	total := int64(0)
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was folded meanwhile
		}
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
