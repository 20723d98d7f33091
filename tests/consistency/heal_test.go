package consistency

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A row that a view cannot compute makes the view, and what is built on it, fail for as long as the row is there;
// nothing else is touched, and what the view shows afterwards is as if the row had never been.
func TestViewsHeal(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	addr := start(t)
	conn := connect(ctx, t, addr)
	must := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	one := func(sql string) int64 {
		t.Helper()
		var n int64
		if err := conn.QueryRow(ctx, sql).Scan(&n); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return n
	}
	fails := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql); sqlstate(err) != "22012" {
			t.Errorf("%s: %v, want a division by zero", sql, err)
		}
	}
	for _, sql := range []string{
		`CREATE TABLE shares (id int8 NOT NULL, parts int8 NOT NULL)`,
		`CREATE MATERIALIZED VIEW each AS SELECT id, 1000 / parts AS share FROM shares`,
		`CREATE MATERIALIZED VIEW sums AS SELECT coalesce(sum(share), 0)::int8 AS sum FROM each`,
		`CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM shares`,
		`INSERT INTO shares VALUES (1, 10), (2, 4)`,
	} {
		must(sql)
	}
	for range 3 {
		told := make(chan error, 1)
		reader := connect(ctx, t, addr)
		go func() { told <- follow(ctx, reader, "SUBSCRIBE sums") }()
		must(`INSERT INTO shares VALUES (3, 0), (4, 0)`)
		fails(`SELECT * FROM each`)
		fails(`SELECT * FROM sums`)
		fails(`SELECT sum FROM sums WHERE sum > 0`)
		fails(`SUBSCRIBE sums`)
		fails(`SUBSCRIBE (SELECT share FROM each)`)
		if n := one(`SELECT n FROM counted`); n != 4 {
			t.Errorf("a view beside it counts %d", n)
		}
		select {
		case err := <-told:
			if sqlstate(err) != "22012" {
				t.Errorf("a subscription that ran ended with %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a subscription that ran was told nothing")
		}
		must(`UPDATE shares SET parts = 5 WHERE id = 3`)
		fails(`SELECT * FROM sums`)
		must(`DELETE FROM shares WHERE id = 4`)
		if n := one(`SELECT sum FROM sums`); n != 100+250+200 {
			t.Errorf("the healed view shows %d", n)
		}
		must(`DELETE FROM shares WHERE id = 3`)
		if n := one(`SELECT sum FROM sums`); n != 100+250 {
			t.Errorf("the view shows %d afterwards", n)
		}
		if n := one(`SELECT sum(1000 / parts)::int8 FROM shares`); n != 100+250 {
			t.Errorf("recomputed it is %d", n)
		}
	}
}

// follow reads a subscription until it ends.
func follow(ctx context.Context, conn *pgx.Conn, sql string) error {
	rows, err := conn.Query(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return rows.Err()
}

// sqlstate is the code of an error of the server; "" when it has none.
func sqlstate(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
