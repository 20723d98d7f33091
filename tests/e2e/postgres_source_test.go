package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/tests/stack"
)

// upstream is a database of the real PostgreSQL that a source reads, and the server that reads it.
type upstream struct {
	stack  *stack.Stack
	name   string
	server *server
	rng    *rand.Rand
}

const (
	accounts      = 50
	accountsTotal = accounts * 100
	bigRows       = 60_000
)

// upstreamTables are the tables that are read: by key with large values, without a key, of many types, partitioned, and large.
var upstreamTables = []string{
	`CREATE TABLE accounts (id int PRIMARY KEY, balance int, note text)`,
	fmt.Sprintf(`INSERT INTO accounts SELECT i, 100, (SELECT string_agg(md5(i || '-' || j), '') FROM generate_series(1, 150) j) FROM generate_series(1, %d) i`, accounts),
	`CREATE TABLE moves (from_id int, to_id int, amount int)`, `ALTER TABLE moves REPLICA IDENTITY FULL`,
	`CREATE TYPE mood AS ENUM ('sad', 'happy')`, `CREATE DOMAIN positive AS numeric(10,2) CHECK (value > 0)`,
	`CREATE TABLE kinds (k text, n int, m mood, p positive, a int[], t text[], j jsonb, b bytea, f float8, d date, ts timestamp, tz timestamptz, i interval, u uuid,
		v varchar(5), c char(4), big bigint, yes bool, r int4range, PRIMARY KEY (n, k))`,
	`CREATE TABLE parts (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)`,
	`CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')`,
	`CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')`,
	`INSERT INTO parts VALUES (1, '2024-05-05'), (2, '2025-05-05')`,
	fmt.Sprintf(`CREATE TABLE big AS SELECT i AS id, md5(i::text) AS text FROM generate_series(1, %d) i`, bigRows),
	`ALTER TABLE big ADD PRIMARY KEY (id)`,
	`CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root = true)`,
}

// kindsRows are rows with every value at its edges.
const kindsRows = `INSERT INTO kinds VALUES
	('plain', 1, 'happy', 1.10, '{1,NULL,3}', '{a,"b c",NULL,"q\"x"}', '{"a": [1, 2.50]}', '\x00ff', 1e300, '2024-02-29', '2024-02-29 12:00:00.5', '2024-02-29 12:00:00+02', '1 year -3 days 04:05:06.7', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'abc', 'x', 9223372036854775807, true, '[1,5)'),
	(E'tab\tline\nback\\slash', 2, 'sad', 99999999.99, '{}', '{}', 'null', '', 'NaN', 'infinity', '-infinity', '0044-03-15 10:00:00+00 BC', '-1 mons', '00000000-0000-0000-0000-000000000000', '', '', -9223372036854775808, false, 'empty'),
	('nulls', 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`

// sql runs statements in the database that is read, in one transaction.
func (u *upstream) sql(t *testing.T, text string) string {
	t.Helper()
	out, err := u.stack.SQL(t.Context(), u.name, text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return out
}

// same waits until queries give the same rows on both sides.
func (u *upstream) same(t *testing.T, queries ...string) {
	t.Helper()
	for _, q := range queries {
		u.server.wait(t, q, u.sql(t, q))
	}
}

// contents are queries of all that is in the tables.
var contents = []string{
	`SELECT id, balance, md5(note) FROM accounts ORDER BY 1`, `SELECT from_id, to_id, amount FROM moves ORDER BY 1, 2, 3`,
	`SELECT k, n, m, p, a, t, j, b, f, d, ts, i, u, v, c, big, yes, r FROM kinds ORDER BY n, k COLLATE "C"`,
	`SELECT * FROM parts ORDER BY 1`, `SELECT count(*), sum(id), min(text), max(text) FROM big`,
}

// transfer is a transaction that moves money: the total is the same after it, whatever else it does.
func (u *upstream) transfer() string {
	from, to, amount := 1+u.rng.IntN(accounts), 1+u.rng.IntN(accounts), u.rng.IntN(20)
	var b strings.Builder
	fmt.Fprintf(&b, "UPDATE accounts SET balance = balance - %d WHERE abs(id) = %d;", amount, from)
	switch u.rng.IntN(6) {
	case 0:
		fmt.Fprintf(&b, "UPDATE accounts SET id = -id WHERE abs(id) = %d;", to)
	case 1:
		fmt.Fprintf(&b, "UPDATE accounts SET note = repeat('x%d', 3000) WHERE abs(id) = %d;", amount, to)
	case 2:
		fmt.Fprintf(&b, "CREATE TEMP TABLE old ON COMMIT DROP AS SELECT * FROM accounts; TRUNCATE accounts; INSERT INTO accounts SELECT * FROM old;")
	case 3:
		fmt.Fprintf(&b, "DELETE FROM moves WHERE from_id = %d; UPDATE parts SET day = day + 200 WHERE id = 1 AND day < '2025-01-01';", to)
	}
	fmt.Fprintf(&b, "INSERT INTO moves VALUES (%d, %d, %d), (%d, %d, %d);", from, to, amount, from, to, amount)
	fmt.Fprintf(&b, "UPDATE accounts SET balance = balance + %d WHERE abs(id) = %d;", amount, to)
	return b.String()
}

// TestPostgresSource reads a real PostgreSQL under transfers, kills and cuts, and holds that every total ever shown is right, and that
// in the end all is here as it is there.
func TestPostgresSource(t *testing.T) {
	need(t)
	r := real(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	u := &upstream{stack: r.stack, name: "source_test", rng: rand.New(rand.NewPCG(seed, 1))}
	if _, err := r.stack.SQL(t.Context(), "postgres", "CREATE DATABASE source_test"); err != nil {
		t.Fatal(err)
	}
	u.sql(t, "ALTER DATABASE source_test SET logical_decoding_work_mem = '64kB'") // so that what is larger comes while it is open
	for _, text := range append(slices.Clone(upstreamTables), kindsRows) {
		u.sql(t, text)
	}
	u.server = newServer(t, t.TempDir())
	u.server.begin(t)
	t.Cleanup(func() { u.server.stop(t) })
	eventually(t, 20*time.Second, "server ready", u.server.ready)
	host, port, err := net.SplitHostPort(r.stack.PostgresAddr)
	if err != nil {
		t.Fatal(err)
	}
	u.refused(t, host, port)
	u.server.must(t, fmt.Sprintf("CREATE CONNECTION pg TO POSTGRES (HOST '%s', PORT %s, USER 'postgres', DATABASE 'source_test')", host, port))
	u.server.must(t, "CREATE SOURCE src FROM POSTGRES CONNECTION pg (PUBLICATION 'p') FOR TABLES (accounts, moves, kinds, parts)")
	u.server.must(t, "CREATE MATERIALIZED VIEW total AS SELECT sum(balance) AS total, count(*) AS n FROM accounts")
	u.same(t, contents[:4]...)
	u.server.must(t, "CREATE TABLE big FROM SOURCE src (REFERENCE public.big)")
	u.restart(t) // in the middle of its first content
	u.same(t, contents...)
	u.history(t)
	u.columns(t)
	u.lost(t)
	u.server.must(t, "DROP SOURCE src CASCADE")
	if left := u.sql(t, "SELECT count(*) FROM pg_replication_slots WHERE database = 'source_test'"); left != "0" {
		t.Errorf("after DROP SOURCE %s slots are left", left)
	}
}

// refused holds that what cannot be read is refused with what to do.
func (u *upstream) refused(t *testing.T, host, port string) {
	t.Helper()
	u.sql(t, "CREATE TABLE keyless (a int); CREATE PUBLICATION broken FOR TABLE keyless; CREATE ROLE poor LOGIN")
	address := fmt.Sprintf("'host=%s port=%s user=postgres dbname=source_test password=secret'", host, port)
	for statement, want := range map[string]string{
		"CREATE SOURCE x FROM POSTGRES CONNECTION " + address + " PUBLICATION 'none'":                                                "publication \"none\" does not exist",
		"CREATE SOURCE x FROM POSTGRES CONNECTION " + strings.Replace(address, "user=postgres", "user=poor", 1) + " PUBLICATION 'p'": "may not start replication",
		"CREATE SOURCE x FROM POSTGRES CONNECTION " + strings.Replace(address, "source_test", "nowhere", 1) + " PUBLICATION 'p'":     "database \"nowhere\" does not exist",
		"CREATE SOURCE x FROM POSTGRES CONNECTION " + address + " PUBLICATION 'p' FOR TABLES (nothing)":                              "there is no table \"nothing\" to read",
		"CREATE SOURCE x FROM POSTGRES CONNECTION " + address + " PUBLICATION 'broken' FOR ALL TABLES":                               "REPLICA IDENTITY FULL",
	} {
		if _, said, err := u.server.psql(t, statement); err == nil || !strings.Contains(said, want) {
			t.Errorf("%s\nsays %s, want %s", statement, said, want)
		}
	}
	u.sql(t, "DROP PUBLICATION broken; DROP TABLE keyless; DROP ROLE poor")
	u.server.must(t, "CREATE SOURCE old FROM POSTGRES CONNECTION "+address+" PUBLICATION 'p'")
	u.server.must(t, "CREATE VIEWS FROM SOURCE old (public.parts AS p)")
	u.server.wait(t, "SELECT count(*) FROM p", "2")
	if shown := u.server.must(t, "SHOW CREATE SOURCE old"); strings.Contains(shown, "secret") {
		t.Errorf("the password is shown: %s", shown)
	}
	u.server.must(t, "DROP VIEW p")
	u.server.must(t, "DROP SOURCE old")
}

func (u *upstream) restart(t *testing.T) {
	t.Helper()
	time.Sleep(time.Duration(u.rng.IntN(100)) * time.Millisecond)
	u.server.kill(t)
	u.server.begin(t)
	eventually(t, 20*time.Second, "server ready again", u.server.ready)
}

// history runs transfers, with kills of the server and cuts of its connection in between, while the total is watched.
func (u *upstream) history(t *testing.T) {
	t.Helper()
	for round := range 4 {
		ctx, stop := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() { u.watch(ctx, t) })
		for range 12 {
			u.sql(t, u.transfer())
		}
		if round%2 == 0 {
			u.sql(t, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = 'source_test' AND active_pid IS NOT NULL")
		}
		for range 6 {
			u.sql(t, u.transfer())
		}
		if round%2 == 1 {
			u.restart(t)
		}
		u.same(t, contents...)
		stop()
		watching.Wait()
	}
}

// watch holds every total that is shown to the right one.
func (u *upstream) watch(ctx context.Context, t *testing.T) {
	cmd := u.server.psqlCommand(ctx, "-q", "-c", "COPY (SUBSCRIBE total) TO STDOUT")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return
	}
	want := fmt.Sprintf("\t1\t%d\t%d", accountsTotal, accounts)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if !strings.HasSuffix(lines.Text(), want) {
			t.Errorf("a total that never was: %q", lines.Text())
		}
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // it was ended
}

// columns changes the tables that are read.
func (u *upstream) columns(t *testing.T) {
	t.Helper()
	u.sql(t, "ALTER TABLE accounts ADD COLUMN more text DEFAULT 'm', DROP COLUMN note; ALTER TABLE accounts RENAME COLUMN balance TO money; UPDATE accounts SET money = money WHERE abs(id) < 10")
	here := "SELECT id, balance, note FROM accounts ORDER BY 1"
	u.server.wait(t, here, u.sql(t, "SELECT id, money, NULL FROM accounts ORDER BY 1"))
	if hint := u.server.must(t, "SELECT hint FROM mz_internal.mz_source_statuses WHERE name = 'src'"); !strings.Contains(hint, "more") {
		t.Errorf("the new column is not told: %q", hint)
	}
}

// lost holds that a slot that is gone is told, and that reading anew brings views to what is there.
func (u *upstream) lost(t *testing.T) {
	t.Helper()
	u.server.kill(t)
	eventually(t, 20*time.Second, "the slot is free", func() error {
		_, err := u.stack.SQL(t.Context(), u.name, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = 'source_test'")
		return err
	})
	u.sql(t, "UPDATE accounts SET money = money + 1; DELETE FROM moves WHERE amount < 10; TRUNCATE parts")
	u.server.begin(t)
	eventually(t, 20*time.Second, "server answers again", func() error {
		_, _, err := u.server.psql(t, "SELECT 1")
		return err
	})
	status := "SELECT status FROM mz_internal.mz_source_statuses WHERE name = 'src'"
	u.server.wait(t, status, "failed")
	u.server.wait(t, "SELECT total, n FROM total", fmt.Sprintf("%d|%d", accountsTotal, accounts))
	u.server.must(t, "ALTER SOURCE src RESNAPSHOT")
	u.server.wait(t, "SELECT total, n FROM total", fmt.Sprintf("%d|%d", accountsTotal+accounts, accounts))
	u.server.wait(t, status, "running")
	u.sql(t, "INSERT INTO parts VALUES (9, '2025-03-03'); DELETE FROM big WHERE id % 2 = 0")
	u.same(t, contents[1:]...)
	u.sql(t, "DROP PUBLICATION p")
	u.server.wait(t, status, "failed")
	u.sql(t, "CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root = true); DELETE FROM big WHERE id % 3 = 0")
	u.server.must(t, "ALTER SOURCE src RESNAPSHOT")
	u.same(t, contents[1:]...)
	u.server.wait(t, status, "running")
}
