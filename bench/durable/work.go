package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/bench/server"
)

// work is done by servers that keep nothing and by servers that keep all, in turn.
type work struct {
	name string
	do   func(ctx context.Context, s *server.Server) error
}

// topic is where events come from.
type topic struct {
	broker, name string
	events       int
}

// works measures what journal on costs beside journal off.
func (o options) works(ctx context.Context) error {
	from := topic{broker: o.broker, name: fmt.Sprintf("millrace-durable-%d", os.Getpid()), events: o.events}
	if from.broker == "" {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, from.name))
		if err != nil {
			return fmt.Errorf("start a broker: %w", err)
		}
		defer cluster.Close()
		from.broker = cluster.ListenAddrs()[0]
	}
	if err := send(ctx, from.broker, from.name, o.events); err != nil {
		return err
	}
	for _, w := range []work{
		{"kafka bytes", func(ctx context.Context, s *server.Server) error { return ingest(ctx, s, from, "BYTES") }},
		{"kafka json", func(ctx context.Context, s *server.Server) error { return ingest(ctx, s, from, "JSON") }},
		{"insert of 1 row, 16 sessions", func(ctx context.Context, s *server.Server) error { return insert(ctx, s, 16, o.inserts/16, 1) }},
		{"insert of 100 rows, 4 sessions", func(ctx context.Context, s *server.Server) error { return insert(ctx, s, 4, o.inserts/16, 100) }},
	} {
		if err := o.compare(ctx, w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

// compare does a work in turn without and with a data directory. The figure is that of the medians.
func (o options) compare(ctx context.Context, w work) error {
	var used [2][]time.Duration
	for range o.times {
		for i, flags := range [][]string{{"--volatile"}, nil} {
			c, err := o.cost(ctx, w, flags)
			if err != nil {
				return err
			}
			used[i] = append(used[i], c)
		}
	}
	slices.Sort(used[0])
	slices.Sort(used[1])
	off, on := used[0][o.times/2], used[1][o.times/2]
	figure{w.name + ", kept to not kept, throughput per processor second", off.Seconds() / on.Seconds(), 0.75, true}.print(
		"volatile_cpu_s=%.2f kept_cpu_s=%.2f from=%.2f to=%.2f", off.Seconds(), on.Seconds(),
		used[0][0].Seconds()/used[1][o.times-1].Seconds(), used[0][o.times-1].Seconds()/used[1][0].Seconds())
	return nil
}

// cost is the processor time that a server takes for a work.
func (o options) cost(ctx context.Context, w work, flags []string) (used time.Duration, err error) {
	s, err := server.Start(ctx, o.binary, o.dir, flags...)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	before, err := server.Processor(s.PID())
	if err != nil {
		return 0, err
	}
	if err := w.do(ctx, s); err != nil {
		return 0, err
	}
	after, err := server.Processor(s.PID())
	return after - before, err
}

// send fills the topic.
func send(ctx context.Context, broker, topic string, events int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(topic), kgo.AllowAutoTopicCreation())
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
func ingest(ctx context.Context, s *server.Server, from topic, format string) error {
	for _, text := range []string{
		"CREATE SOURCE events FROM KAFKA BROKER '" + from.broker + "' TOPIC '" + from.name + "' FORMAT " + format,
		"CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM events",
	} {
		if _, err := s.DB.Exec(ctx, text); err != nil {
			return err
		}
	}
	for {
		var n int
		if err := s.DB.QueryRow(ctx, "SELECT n FROM n").Scan(&n); err != nil {
			return err
		}
		if n == from.events {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// insert runs statements of so many rows in sessions side by side.
func insert(ctx context.Context, s *server.Server, sessions, statements, rows int) error {
	if _, err := s.DB.Exec(ctx, "CREATE TABLE t (id bigint NOT NULL, name text NOT NULL)"); err != nil {
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
			c, err := pgx.Connect(ctx, s.URL())
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
