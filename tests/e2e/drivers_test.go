package e2e

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"millrace/tests/stack"
)

// python runs a script in the environment that holds the clients, and returns what it prints.
func python(ctx context.Context, t *testing.T, s *stack.Stack, script string, args ...string) string {
	t.Helper()
	interpreter, err := s.Python(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, interpreter, append([]string{script}, args...)...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// driverObjects is what the driver programs expect to find. Each of them adds rows of its own.
func driverObjects(t *testing.T, s *server) {
	t.Helper()
	s.must(t, `CREATE TABLE items (id bigint NOT NULL, name text, price numeric, made timestamptz, data bytea, ok bool)`)
	s.must(t, `INSERT INTO items VALUES (1, 'one', 1.50, '2021-04-26 18:17:39+00', '\x00ff', true), (2, 'two', NULL, NULL, NULL, false)`)
	s.must(t, `CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n, sum(price) AS total FROM items`)
	s.wait(t, `SELECT n FROM totals`, "2")
}

func TestPsycopg2(t *testing.T) { runPython(t, "testdata/use_psycopg2.py") }

func TestPsycopg3(t *testing.T) { runPython(t, "testdata/use_psycopg3.py") }

func runPython(t *testing.T, script string) {
	need(t)
	s := serve(t)
	driverObjects(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	t.Logf("%s", python(ctx, t, fetched(t), script, s.host, s.port))
}

func TestJDBC(t *testing.T) {
	need(t)
	s := serve(t)
	driverObjects(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	jars, err := fetched(t).JDBC(ctx)
	if err != nil {
		t.Fatal(err)
	}
	classes := t.TempDir()
	if out, err := exec.CommandContext(ctx, "javac", "-cp", jars, "-d", classes, "testdata/UseJDBC.java").CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	path := classes + string(filepath.ListSeparator) + jars
	out, err := exec.CommandContext(ctx, "java", "-cp", path, "UseJDBC", s.host, s.port).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("java: %v", err)
	}
}

func TestPgx(t *testing.T) {
	need(t)
	s := serve(t)
	driverObjects(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	t.Run("types", func(t *testing.T) { pgxTypes(ctx, t, conn) })
	t.Run("write and poll", func(t *testing.T) { pgxPoll(ctx, t, conn) })
	t.Run("batch", func(t *testing.T) { pgxBatch(ctx, t, conn) })
	t.Run("error", func(t *testing.T) { pgxError(ctx, t, conn) })
	t.Run("subscribe", func(t *testing.T) { pgxSubscribe(ctx, t, conn, s) })
}

// pgxTypes reads each type in binary, which pgx asks for where it can, through a prepared statement.
func pgxTypes(ctx context.Context, t *testing.T, conn *pgx.Conn) {
	const query = `SELECT id, name, price::float8, made, data, ok FROM items WHERE id = $1`
	for range 3 {
		var (
			id    int64
			name  string
			price float64
			made  time.Time
			data  []byte
			ok    bool
		)
		if err := conn.QueryRow(ctx, query, int64(1)).Scan(&id, &name, &price, &made, &data, &ok); err != nil {
			t.Fatal(err)
		}
		if id != 1 || name != "one" || price != 1.5 || made.Unix() != 1619461059 || string(data) != "\x00\xff" || !ok {
			t.Fatalf("got %d %q %v %v %x %v", id, name, price, made, data, ok)
		}
	}
	var missing *string
	if err := conn.QueryRow(ctx, `SELECT price::text FROM items WHERE id = 2`).Scan(&missing); err != nil || missing != nil {
		t.Fatalf("NULL comes as %v, %v", missing, err)
	}
}

// pgxPoll: a write that was acknowledged is in the view that is read next.
func pgxPoll(ctx context.Context, t *testing.T, conn *pgx.Conn) {
	for i := range 20 {
		tag, err := conn.Exec(ctx, `INSERT INTO items (id, name, price) VALUES ($1, $2, 1)`, int64(100+i), "polled")
		if err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("insert: %v, %v", tag, err)
		}
		var n int64
		if err := conn.QueryRow(ctx, `SELECT n FROM totals`).Scan(&n); err != nil || n != int64(3+i) {
			t.Fatalf("after %d inserts the view counts %d, %v", i+1, n, err)
		}
	}
	if _, err := conn.Exec(ctx, `DELETE FROM items WHERE name = 'polled'`); err != nil {
		t.Fatal(err)
	}
}

// pgxBatch sends several statements before it reads an answer.
func pgxBatch(ctx context.Context, t *testing.T, conn *pgx.Conn) {
	var b pgx.Batch
	for i := range 10 {
		b.Queue(`SELECT $1::int8 + 1`, int64(i))
	}
	results := conn.SendBatch(ctx, &b)
	for i := range 10 {
		var got int64
		if err := results.QueryRow().Scan(&got); err != nil || got != int64(i+1) {
			t.Errorf("answer %d is %d, %v", i, got, err)
		}
	}
	if err := results.Close(); err != nil {
		t.Fatal(err)
	}
}

func pgxError(ctx context.Context, t *testing.T, conn *pgx.Conn) {
	for query, want := range map[string]string{
		`SELECT nothing FROM items`: "42703", `SELECT * FROM nothing`: "42P01", `SELECT 1/0`: "22012",
		`SELECT 'x'::int8`: "22P02", `SELEC 1`: "42601",
	} {
		_, err := conn.Exec(ctx, query)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != want {
			t.Errorf("%s: got %v, want %s", query, err, want)
		}
	}
}

// pgxSubscribe reads a bare subscription row by row while another connection writes, then cancels it.
func pgxSubscribe(ctx context.Context, t *testing.T, conn *pgx.Conn, s *server) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := conn.Query(ctx, `SUBSCRIBE totals`, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	counts := make(map[string]int64) // of rows, by their n
	for step := 0; step < 3 && rows.Next(); {
		values := rows.RawValues()
		diff, err := strconv.ParseInt(string(values[1]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		total += diff
		counts[string(values[2])] += diff
		if total == 1 && counts[strconv.Itoa(2+step)] == 1 {
			step++
			s.must(t, `INSERT INTO items (id, name, price) VALUES (50, 'subscribed', 1)`)
		}
	}
	if err := rows.Err(); err != nil || counts["4"] != 1 {
		t.Fatalf("the subscription shows %v, %v", counts, err)
	}
	cancel()
	rows.Close()
	s.must(t, `DELETE FROM items WHERE name = 'subscribed'`)
}
