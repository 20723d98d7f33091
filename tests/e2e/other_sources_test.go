package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// rows asks a server for rows as text, on a connection of their own.
func (s *server) rows(ctx context.Context, query string) ([]string, error) {
	c, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close(ctx) }() // it was only asked
	results, err := c.PgConn().Exec(ctx, query).ReadAll()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range results {
		for _, row := range r.Rows {
			var values []string
			for _, v := range row {
				values = append(values, string(v))
			}
			out = append(out, strings.Join(values, "|"))
		}
	}
	return out, nil
}

// hook sends a signed body to a webhook, and gives the status.
func (s *server) hook(ctx context.Context, key, body string) (int, error) {
	sum := hmac.New(sha256.New, []byte(key))
	sum.Write([]byte(body))
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.http+"/api/webhook/materialize/public/hook", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	q.Header.Set("X-Signature", hex.EncodeToString(sum.Sum(nil)))
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close() // it was read
	return res.StatusCode, err
}

// TestOtherSources kills a server that takes requests, follows a file and makes up auctions: what was answered is there, nothing comes
// twice, and the auctions go on where they were.
func TestOtherSources(t *testing.T) {
	t.Parallel()
	need(t)
	ctx, files := t.Context(), t.TempDir()
	s := newServer(t, t.TempDir(), "--file-sources", files)
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 30*time.Second, "server ready", s.ready)
	log, err := os.Create(filepath.Join(files, "app.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // what was written is read by the server
	if _, err := s.rows(ctx, `CREATE SECRET key AS 'Jefe';
		CREATE SOURCE hook FROM WEBHOOK BODY FORMAT JSON CHECK (WITH (HEADERS, BODY BYTES, SECRET key BYTES)
			constant_time_eq(decode(headers->>'x-signature', 'hex'), hmac(body, key, 'sha256')));
		CREATE SOURCE log FROM FILE 'app.log' WITH (tail = true) FORMAT TEXT;
		CREATE SOURCE house FROM LOAD GENERATOR AUCTION (TICK INTERVAL '100 us') FOR ALL TABLES;
		CREATE MATERIALIZED VIEW orphans AS SELECT count(*) FROM bids b WHERE NOT EXISTS (SELECT 1 FROM auctions a WHERE a.id = b.auction_id);
		CREATE MATERIALIZED VIEW gaps AS SELECT max(id) - count(*) AS n, max(id) AS last FROM bids`); err != nil {
		t.Fatal(err)
	}
	var answered []string
	lines := 0
	for round := range 3 {
		answered = append(answered, takeUntilKilled(t, s, round)...)
		for range 1_000 {
			lines++
			if _, err := fmt.Fprintf(log, "line %d\n", lines); err != nil {
				t.Fatal(err)
			}
		}
		s.begin(t)
		eventually(t, 60*time.Second, "server ready again", s.ready)
		got, err := s.rows(ctx, "SELECT body->>'id' FROM hook GROUP BY 1 HAVING count(*) = 2")
		if err != nil {
			t.Fatal(err)
		}
		there := map[string]bool{}
		for _, id := range got {
			there[id] = true
		}
		for _, id := range answered {
			if !there[id] {
				t.Errorf("round %d: request %s was answered, and is lost", round, id)
			}
		}
		eventually(t, 30*time.Second, "all lines, each once", s.gives(ctx, "SELECT count(*), count(DISTINCT text) FROM log", fmt.Sprintf("%d|%d", lines, lines)))
		eventually(t, 30*time.Second, "bids without gaps for auctions that are there",
			s.gives(ctx, "SELECT o.count, g.n, g.last > 1000 FROM orphans o, gaps g", "0|0|t"))
	}
	if len(answered) == 0 {
		t.Error("no request was answered")
	}
	if status, err := s.hook(ctx, "guessed", `{"id": "x"}`); err != nil || status != http.StatusForbidden {
		t.Errorf("a wrong signature: %d, %v", status, err)
	}
}

// gives says whether a query gives one row.
func (s *server) gives(ctx context.Context, query, want string) func() error {
	return func() error {
		got, err := s.rows(ctx, query)
		if err == nil && (len(got) != 1 || got[0] != want) {
			err = fmt.Errorf("%s: %q, want %q", query, got, want)
		}
		return err
	}
}

// takeUntilKilled sends requests of two rows from several senders, kills the server after some, and gives those that were answered.
func takeUntilKilled(t *testing.T, s *server, round int) []string {
	t.Helper()
	var mu sync.Mutex // guards what follows
	var answered []string
	enough := make(chan struct{})
	var sending sync.WaitGroup
	for sender := range 4 {
		sending.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", round, sender, i)
				status, err := s.hook(t.Context(), "Jefe", fmt.Sprintf("{\"id\": %q}\n{\"id\": %q}", id, id))
				if err != nil {
					return // it was killed
				}
				mu.Lock()
				if status == http.StatusOK {
					if answered = append(answered, id); len(answered) == 100 {
						close(enough)
					}
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(time.Minute):
		t.Error("the server answers too few requests")
	}
	s.kill(t)
	sending.Wait()
	return answered
}

// TestParquetBack: what a sink has written as Parquet is read back as the rows that it was, also those of files that came later, and through a kill.
func TestParquetBack(t *testing.T) {
	t.Parallel()
	need(t)
	ctx, lake := t.Context(), t.TempDir()
	s := newServer(t, t.TempDir(), "--file-sources", lake, "--file-sinks", lake)
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 30*time.Second, "server ready", s.ready)
	run := func(statements string) {
		t.Helper()
		if _, err := s.rows(ctx, statements); err != nil {
			t.Fatalf("%s: %v", statements, err)
		}
	}
	run(`CREATE TABLE t (id int NOT NULL, name text, price numeric(9,2), at timestamptz, day date, doc jsonb, raw bytea, ok bool, f float8);
		INSERT INTO t SELECT i, CASE WHEN i % 3 > 0 THEN 'näme ' || i END, i / 7.0, '2026-01-02 03:04:05.678901+00'::timestamptz + i * interval '1 day',
			'2026-01-01'::date - i, jsonb_build_object('i', i), decode(to_hex(i), 'escape'), i % 2 = 0, i / 3.0 FROM generate_series(1, 5000) i;
		CREATE MATERIALIZED VIEW v AS SELECT * FROM t;
		CREATE SINK out FROM v INTO FILE 'orders' (RUN INTERVAL '100 ms') FORMAT PARQUET ENVELOPE NONE (FORCE)`)
	eventually(t, 30*time.Second, "a file", func() error {
		_, err := s.rows(ctx, "CREATE SOURCE back FROM FILE 'orders/*.parquet' FORMAT PARQUET")
		return err
	})
	run("CREATE MATERIALIZED VIEW missing AS SELECT count(*) FROM (SELECT * FROM t EXCEPT ALL SELECT id, name, price, at, day, doc, raw, ok, f FROM back) x")
	eventually(t, 30*time.Second, "all rows", s.gives(ctx, "SELECT m.count, (SELECT count(*) FROM back) FROM missing m", "0|5000"))
	run("INSERT INTO t (id) VALUES (5001), (5002)")
	s.kill(t)
	s.begin(t)
	eventually(t, 60*time.Second, "server ready again", s.ready)
	run("INSERT INTO t (id) VALUES (5003)")
	eventually(t, 30*time.Second, "all rows, each once", s.gives(ctx, "SELECT m.count, (SELECT count(*) FROM back), (SELECT count(*) FROM back_errors) FROM missing m", "0|5003|0"))
}
