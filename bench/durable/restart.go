package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"millrace/bench/server"
)

// mostStart is how long a start may take before it is given up.
const mostStart = 10 * time.Minute

// restarts kills a server that has a table and a count over it, and measures how long the next one takes to be ready.
func (o options) restarts(ctx context.Context) (err error) {
	s, err := server.Start(ctx, o.binary, o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	for _, text := range []string{
		"CREATE TABLE t (id bigint NOT NULL, v bigint NOT NULL, pad text NOT NULL)",
		"CREATE MATERIALIZED VIEW n AS SELECT v % 1000 AS k, count(*) AS n FROM t GROUP BY v % 1000",
	} {
		if _, err := s.DB.Exec(ctx, text); err != nil {
			return err
		}
	}
	for at := 0; at < o.restart; at += 10_000 {
		if _, err := fill(ctx, s, at, min(10_000, o.restart-at)); err != nil {
			return err
		}
	}
	if err := s.Kill(); err != nil {
		return err
	}
	began := time.Now()
	if err := s.Run(); err != nil {
		return err
	}
	if err := ready(ctx, s); err != nil {
		return err
	}
	took := time.Since(began)
	if err := s.Connect(ctx); err != nil {
		return err
	}
	var n int
	if err := s.DB.QueryRow(ctx, "SELECT sum(n) FROM n").Scan(&n); err != nil {
		return err
	}
	if n != o.restart {
		return fmt.Errorf("%d rows are back, want %d", n, o.restart)
	}
	figure{"ready after kill -9, s", took.Seconds(), max(5, float64(o.restart)/1.5e6), false}.print("rows=%d rows_per_s=%.0f", n, float64(n)/took.Seconds())
	return nil
}

// ready waits until the server says that all is there.
func ready(ctx context.Context, s *server.Server) error {
	for began := time.Now(); time.Since(began) < mostStart; time.Sleep(5 * time.Millisecond) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Web+"/readyz", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			continue // it does not listen yet
		}
		if err := answer.Body.Close(); err != nil {
			return err
		}
		if answer.StatusCode == http.StatusOK {
			return nil
		}
	}
	return errors.New("the server does not get ready")
}
