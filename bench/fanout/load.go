package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"millrace/bench/server"
)

// writers are the connections that send updates.
const writers = 8

// load sends updates at the rate, from several connections.
func load(ctx context.Context, s *server.Server, o options) error {
	errs := make([]error, writers)
	began := time.Now()
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() { errs[w] = write(ctx, s.URL(), o, w, began) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func write(ctx context.Context, url string, o options, w int, began time.Time) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for i := w; i < o.rate*o.seconds; i += writers {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(o.rate))))
		if _, err := conn.Exec(ctx, "INSERT INTO events VALUES ($1, $2)", time.Now().UnixMicro(), i%100); err != nil {
			return err
		}
	}
	return nil
}
