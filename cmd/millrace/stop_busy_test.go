package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/broker/brokertest"
	"millrace/internal/counts"
)

// TestStopBusy: a server that is told to stop while a sink is in a transaction, a client waits in a FETCH of a cursor, one idles with a
// cursor open, and others subscribe and write, ends within 5 s with exit code 0 and tells all of them 57P01; and what the sink has
// written in all its lives is the view.
func TestStopBusy(t *testing.T) {
	t.Parallel()
	fake := brokertest.New(t)
	broker, dir := fake.ListenAddrs()[0], t.TempDir()
	var produced atomic.Pointer[func()]
	fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if f := produced.Swap(nil); f != nil {
			(*f)()
		}
		return nil, nil, false
	})
	for n := range counts.Of(10, 50) {
		p := startProcess(t, dir)
		if n == 0 {
			p.must("CREATE TABLE t (n int)")
			p.must("CREATE MATERIALIZED VIEW v AS SELECT n % 7 AS k, count(*) AS n FROM t GROUP BY n % 7")
			p.must("CREATE SINK s FROM v INTO KAFKA BROKER '" + broker + "' TOPIC 'stops' FORMAT JSON")
		}
		told := p.busy()
		time.Sleep(100 * time.Millisecond)
		writing := make(chan struct{})
		tell := func() { close(writing) }
		produced.Store(&tell)
		select {
		case <-writing:
		case <-time.After(waitForEnd):
			t.Fatal("the sink writes nothing")
		}
		code, took := p.end(syscall.SIGTERM, waitForEnd)
		if code != 0 || took > 5*time.Second {
			t.Errorf("exit code %d after %v\n%s", code, took, p.logged())
		}
		told(t)
	}
	p := startProcess(t, dir)
	var rows string
	if err := p.connect().QueryRow(t.Context(), `SELECT string_agg(to_jsonb(v)::text, E'\n') FROM v`).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(rows, "\n") + 1; n != 7 {
		t.Fatalf("the view has %d rows:\n%s", n, rows)
	}
	topic := brokertest.FollowChanges(t, broker, "stops")
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := topic.Is(rows)
		if err == nil {
			return
		}
		if time.Since(began) > waitForEnd {
			t.Fatal(err)
		}
	}
}

// busy lets clients do what a stop has to end, each on a connection of its own; what it gives waits for them and looks at what they
// were told.
func (p *process) busy() (told func(t *testing.T)) {
	var clients sync.WaitGroup
	answers := make(chan error, 4)
	run := func(f func(ctx context.Context, c *pgx.Conn) error) {
		c := p.connect()
		clients.Go(func() {
			for {
				if err := f(context.Background(), c); err != nil {
					answers <- err
					return
				}
			}
		})
	}
	n := 0
	run(func(ctx context.Context, c *pgx.Conn) error {
		n++
		_, err := c.Exec(ctx, fmt.Sprintf("INSERT INTO t VALUES (%d)", n))
		return err
	})
	run(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.PgConn().CopyTo(ctx, io.Discard, "COPY (SUBSCRIBE v) TO STDOUT")
		return err
	})
	run(func(ctx context.Context, c *pgx.Conn) error { // it waits in a FETCH
		_, err := c.PgConn().Exec(ctx, "BEGIN; DECLARE waits CURSOR FOR SUBSCRIBE (SELECT count(*) FROM v WHERE n < 0); FETCH ALL waits").ReadAll()
		for err == nil {
			_, err = c.PgConn().Exec(ctx, "FETCH ALL waits").ReadAll()
		}
		return err
	})
	run(func(ctx context.Context, c *pgx.Conn) error { // it idles in a transaction block
		_, err := c.PgConn().Exec(ctx, "BEGIN; DECLARE idles CURSOR FOR SUBSCRIBE v; FETCH 1 idles").ReadAll()
		if err == nil {
			err = c.PgConn().WaitForNotification(ctx)
		}
		return err
	})
	return func(t *testing.T) {
		t.Helper()
		clients.Wait()
		close(answers)
		seen := 0
		for err := range answers {
			var pg *pgconn.PgError
			if errors.As(err, &pg) && pg.Code == "57P01" {
				seen++
			} else if !pgconn.SafeToRetry(err) { // between two statements the driver only says that the connection is closed
				t.Errorf("a client was told %v", err)
			}
		}
		if seen < 2 {
			t.Errorf("only %d of 4 clients were told 57P01", seen)
		}
	}
}
