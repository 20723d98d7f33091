package twin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"millrace/coord"
	"millrace/tests/inside"
	"millrace/tests/stack"
)

// Postgres is a PostgreSQL that is started when the first test wants it.
type Postgres struct {
	BasePort int // of its stack: no two packages share one

	once  sync.Once
	err   error
	stack *stack.Stack
}

// Down stops the server if it runs; TestMain calls it when the tests are done.
func (p *Postgres) Down() error {
	if p.stack == nil {
		return nil
	}
	return p.stack.Down()
}

// up starts the server if no test has yet, and skips the test unless servers may be started.
func (p *Postgres) up(t *testing.T) {
	t.Helper()
	if os.Getenv("MILLRACE_E2E") == "" {
		t.Skip("starts a PostgreSQL: set MILLRACE_E2E=1, or run make e2e")
	}
	p.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		p.stack, p.err = stack.Up(ctx, stack.Config{BasePort: p.BasePort, Fresh: true}, stack.Postgres)
	})
	if p.err != nil {
		t.Fatalf("start PostgreSQL: %v", p.err)
	}
}

// URL is the address of the server's first database. It starts the server, or skips the test, as New does.
func (p *Postgres) URL(t *testing.T) string {
	t.Helper()
	p.up(t)
	return "postgres://postgres@" + p.stack.PostgresAddr + "/postgres?sslmode=disable"
}

// Twin is a millrace and a database of PostgreSQL with the same content.
type Twin struct {
	t            *testing.T
	ours, theirs *pgx.Conn
}

// New starts a millrace with so many workers beside an empty database of that name.
func New(t *testing.T, p *Postgres, database string, workers int) *Twin {
	t.Helper()
	p.up(t)
	srv, err := inside.Serve(coord.Options{TickInterval: 50 * time.Millisecond, Workers: workers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	server := "postgres://postgres@" + p.stack.PostgresAddr + "/"
	admin := connect(t, server+"postgres")
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+database); err != nil {
		t.Fatalf("create database: %v", err)
	}
	return &Twin{t: t, ours: connect(t, srv.URL), theirs: connect(t, server+database)}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url+"?sslmode=disable&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// Ours runs statements in the millrace alone, each by itself.
func (w *Twin) Ours(statements ...string) {
	w.t.Helper()
	w.each("millrace", w.ours, statements)
}

// Theirs runs statements in PostgreSQL alone, each by itself.
func (w *Twin) Theirs(statements ...string) {
	w.t.Helper()
	w.each("PostgreSQL", w.theirs, statements)
}

func (w *Twin) each(who string, conn *pgx.Conn, statements []string) {
	w.t.Helper()
	for _, s := range statements {
		if _, err := conn.Exec(w.t.Context(), s); err != nil {
			w.t.Fatalf("%s: %v\n%s", who, err, clip(s))
		}
	}
}

// Commit runs statements on both sides, as one transaction, and says how long each side took.
func (w *Twin) Commit(statements []string) (ours, theirs time.Duration) {
	w.t.Helper()
	var errs [2]error
	var took [2]time.Duration
	var wg sync.WaitGroup
	for i, conn := range []*pgx.Conn{w.ours, w.theirs} {
		wg.Go(func() {
			began := time.Now()
			errs[i] = transact(w.t.Context(), conn, statements)
			took[i] = time.Since(began)
		})
	}
	wg.Wait()
	if errs[0] != nil || errs[1] != nil {
		w.t.Fatalf("millrace: %v\nPostgreSQL: %v", errs[0], errs[1])
	}
	return took[0], took[1]
}

func transact(ctx context.Context, conn *pgx.Conn, statements []string) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s); err != nil {
			return errors.Join(fmt.Errorf("%w\n%s", err, clip(s)), tx.Rollback(ctx))
		}
	}
	return tx.Commit(ctx)
}

// Ask runs one query on each side at the same time.
func (w *Twin) Ask(ours, theirs string) (we, they Answer) {
	w.t.Helper()
	var wg sync.WaitGroup
	var errs [2]error
	wg.Go(func() { we, errs[0] = ask(w.t.Context(), w.ours, ours) })
	wg.Go(func() { they, errs[1] = ask(w.t.Context(), w.theirs, theirs) })
	wg.Wait()
	if errs[0] != nil || errs[1] != nil {
		w.t.Fatalf("millrace: %v\n%s\nPostgreSQL: %v\n%s", errs[0], clip(ours), errs[1], clip(theirs))
	}
	return we, they
}

// AskOurs runs a query in the millrace alone.
func (w *Twin) AskOurs(query string) Answer {
	w.t.Helper()
	a, err := ask(w.t.Context(), w.ours, query)
	if err != nil {
		w.t.Fatalf("millrace: %v\n%s", err, clip(query))
	}
	return a
}

func clip(s string) string {
	const most = 600
	if len(s) <= most {
		return s
	}
	return s[:most] + strings.Repeat(".", 3)
}
