package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/internal/s3"
	"millrace/tests/stack"
)

// storage starts the S3 server, and returns its address and a client of its bucket.
func storage(t *testing.T) (endpoint string, client *s3.Client) {
	t.Helper()
	endpoint = running(t, stack.Storage).StorageURL
	client, err := s3.New(s3.Options{Endpoint: endpoint, Bucket: "lake", AccessKey: "key", SecretKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return endpoint, client
}

// TestSinkS3: Parquet files in object storage, parted by a date, hold the rows of a view exactly once over kills, and DuckDB reads them.
func TestSinkS3(t *testing.T) {
	need(t)
	endpoint, client := storage(t)
	python, err := fetched(t).Python(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lake := t.TempDir()
	s := newServer(t, t.TempDir(), "--file-sinks", lake)
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 20*time.Second, "server ready", s.ready)
	s.must(t, fmt.Sprintf(`CREATE CONNECTION store TO AWS (ENDPOINT '%s', REGION 'us-east-1', ACCESS KEY ID 'key', SECRET ACCESS KEY 'hush-hush')`, endpoint))
	if _, said, err := s.psql(t, `CREATE CONNECTION nowhere TO AWS (ENDPOINT 'http://127.0.0.1:1', ACCESS KEY ID 'key', SECRET ACCESS KEY 'x')`); err == nil || !strings.Contains(said, "cannot reach object storage") {
		t.Errorf("a connection to nowhere: %v %s", err, said)
	}
	if got := s.must(t, `SHOW CREATE CONNECTION store`); strings.Contains(got, "hush-hush") {
		t.Errorf("the secret is shown: %s", got)
	}
	s.must(t, `CREATE TABLE o (id int NOT NULL, day date, total numeric(10, 2), name text, at timestamp, data jsonb, ok bool)`)
	s.must(t, `CREATE MATERIALIZED VIEW orders AS SELECT * FROM o`)
	s.must(t, `INSERT INTO o SELECT g, date '2020-04-01' + g % 3, g * 1.5, 'n' || g, timestamp '2020-04-01 10:00:00.5', '{"k": 1}', g % 2 = 0 FROM generate_series(1, 30) g`)
	s.must(t, `INSERT INTO o VALUES (31, NULL, NULL, NULL, NULL, NULL, NULL)`)
	refusedS3(t, s)
	s.must(t, `CREATE SINK rows FROM orders INTO S3 CONNECTION store (BUCKET 'lake', PREFIX 'rows', PARTITION BY (day), RUN INTERVAL '200 milliseconds')
		FORMAT PARQUET ENVELOPE NONE (FORCE)`)
	s.must(t, `CREATE SINK changes FROM orders INTO S3 CONNECTION store (BUCKET 'lake', PREFIX 'changes', RUN INTERVAL '200 milliseconds')`)
	s.must(t, `CREATE SINK beside FROM orders INTO FILE 'below/orders' (PARTITION BY (day), RUN INTERVAL '200 milliseconds')`)
	duck := func(prefix, query string) string {
		dir := filepath.Join(lake, prefix)
		if prefix != "below" {
			dir = t.TempDir()
			download(t, client, prefix, dir)
		}
		out, err := exec.CommandContext(t.Context(), python, "-c", "import duckdb, sys\nfor r in duckdb.sql(sys.argv[1]).fetchall(): print('|'.join(str(c) for c in r))",
			strings.ReplaceAll(query, "FILES", fmt.Sprintf("read_parquet('%s/**/*.parquet', hive_partitioning = true, union_by_name = true)", dir))).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	holds := func(what, prefix, query, want string) {
		t.Helper()
		eventually(t, 40*time.Second, what, func() error {
			if got := duck(prefix, query); got != want {
				return fmt.Errorf("DuckDB says\n%s\nwant\n%s", got, want)
			}
			return nil
		})
	}
	const sum = `SELECT count(*), count(DISTINCT id), sum(total) FROM FILES`
	holds("the first rows", "rows", sum, "31|31|697.50")
	if got, want := duck("rows", `SELECT id, day, total, name, "at", data, ok FROM FILES WHERE id IN (3, 31) ORDER BY id`),
		"3|2020-04-01|4.50|n3|2020-04-01 10:00:00.500000|{\"k\": 1}|False\n31|None|None|None|None|None|None"; got != want {
		t.Errorf("DuckDB says\n%s\nwant\n%s", got, want)
	}
	for round := range 4 {
		for i := range 10 {
			s.must(t, fmt.Sprintf(`INSERT INTO o VALUES (%d, '2020-05-0%d', 1, 'x', NULL, NULL, true)`, 100+10*round+i, round+1))
		}
		s.must(t, fmt.Sprintf(`DELETE FROM o WHERE id = %d`, 1+round))
		s.kill(t)
		s.begin(t)
		eventually(t, 30*time.Second, "server ready", s.ready)
	}
	holds("rows after kills", "rows", sum, "71|71|737.50")
	for _, prefix := range []string{"changes", "below"} {
		holds(prefix+" after kills", prefix, `SELECT sum(mz_diff), count(*), sum(total * mz_diff)::decimal(12, 2) FROM FILES`,
			strings.TrimSpace(s.must(t, `SELECT count(*), 75, sum(total) FROM orders`)))
	}
	if n := listed(t, client, "rows/_millrace/"); n != 71 {
		t.Errorf("the manifests list %d rows", n)
	}
	overToAnother(t, s, holds)
}

// overToAnother has the sinks that write changes go over to another view, with a kill behind the statements.
func overToAnother(t *testing.T, s *server, holds func(what, prefix, query, want string)) {
	t.Helper()
	s.must(t, `CREATE MATERIALIZED VIEW odd AS SELECT * FROM o WHERE id % 2 = 1 OR day IS NULL`)
	for _, sink := range []string{"changes", "beside"} {
		s.must(t, `ALTER SINK `+sink+` SET FROM odd`)
	}
	s.kill(t)
	s.begin(t)
	eventually(t, 30*time.Second, "server ready", s.ready)
	for _, prefix := range []string{"changes", "below"} {
		holds(prefix+" of the other view", prefix, `SELECT sum(mz_diff), sum(total * mz_diff)::decimal(12, 2), sum(id * mz_diff) FROM FILES`,
			strings.TrimSpace(s.must(t, `SELECT count(*), sum(total), sum(id) FROM odd`)))
	}
}

// refusedS3 tries statements that are refused.
func refusedS3(t *testing.T, s *server) {
	t.Helper()
	for statement, want := range map[string]string{
		`CREATE SINK x FROM orders INTO S3 CONNECTION store (PREFIX 'x')`:                       "BUCKET",
		`CREATE SINK x FROM orders INTO S3 CONNECTION store (BUCKET 'none')`:                    "NoSuchBucket",
		`CREATE SINK x FROM orders INTO S3 CONNECTION store (BUCKET 'lake') ENVELOPE NONE`:      "FORCE",
		`CREATE SINK x FROM orders INTO S3 CONNECTION store (BUCKET 'lake', PARTITION BY (at))`: "of type timestamp",
		`CREATE SINK x FROM orders INTO S3 CONNECTION store (BUCKET 'lake') FORMAT JSON`:        "PARQUET",
	} {
		if _, out, err := s.psql(t, statement); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s\nsays %v %s, want %q", statement, err, out, want)
		}
	}
}

// listed is how many rows the manifests in a folder list.
func listed(t *testing.T, client *s3.Client, folder string) (rows int) {
	t.Helper()
	names, err := client.List(t.Context(), folder, 1000)
	if err != nil || len(names) < 3 {
		t.Fatalf("there is no manifest: %v %v", names, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "state.json") {
			continue
		}
		text, err := client.Get(t.Context(), name)
		var m struct{ Files []struct{ Rows int } }
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range m.Files {
			rows += f.Rows
		}
	}
	return rows
}

// download copies the Parquet files under a prefix into a folder.
func download(t *testing.T, client *s3.Client, prefix, dir string) {
	t.Helper()
	names, err := client.List(t.Context(), prefix+"/", 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".parquet") {
			continue
		}
		text, err := client.Get(t.Context(), name)
		if err != nil {
			continue // it went meanwhile
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
