package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"millrace/tests/stack"
)

// openTables are the tables of TestPostgresOpen, in a database that sends what a transaction does from 64 kB on.
var openTables = []string{
	"ALTER DATABASE open_test SET logical_decoding_work_mem = '64kB'",
	"CREATE TABLE big (id int PRIMARY KEY, v text)",
	"CREATE TABLE notes (id int PRIMARY KEY, note text, n int)",
	"INSERT INTO notes SELECT i, (SELECT string_agg(md5(i || '-' || j), '') FROM generate_series(1, 150) j), 0 FROM generate_series(1, 300) i",
	"CREATE TABLE accounts (id int PRIMARY KEY, balance int)",
	fmt.Sprintf("INSERT INTO accounts SELECT i, 100 FROM generate_series(1, %d) i", accounts),
	"CREATE PUBLICATION p FOR ALL TABLES",
}

// openContents are queries of all that is in them.
var openContents = []string{
	"SELECT count(*), sum(id), min(v), max(v) FROM big", "SELECT id, md5(note), n FROM notes ORDER BY 1", "SELECT id, balance FROM accounts ORDER BY 1",
}

// opens are transactions of the other side that a test leaves open.
type opens struct {
	*upstream
	ctx context.Context
}

// begin opens a transaction and runs statements in it.
func (o *opens) begin(t *testing.T, statements ...string) *pgx.Conn {
	t.Helper()
	cl, err := pgx.Connect(o.ctx, "postgres://postgres@"+o.stack.PostgresAddr+"/"+o.name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cl.Close(context.Background()) }) // the test has closed it
	mustExec(o.ctx, t, cl, append([]string{"BEGIN"}, statements...)...)
	return cl
}

// fill is a statement that adds rows of half a kilobyte.
func fill(from, n int) string {
	return fmt.Sprintf("INSERT INTO big SELECT i, (SELECT string_agg(md5(random()::text || i || j), '') FROM generate_series(1, 16) j) FROM generate_series(%d, %d) i", from, from+n-1)
}

// spilled waits until some files lie in the folder of what does not fit in memory.
func (o *opens) spilled(t *testing.T, some bool) {
	t.Helper()
	dir := o.server.args[slices.Index(o.server.args, "--data-dir")+1]
	eventually(t, 30*time.Second, "the folder of what is spilled", func() error {
		names, err := os.ReadDir(filepath.Join(dir, "spill"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) || (len(names) > 0) != some {
			return fmt.Errorf("%d files, %w", len(names), err)
		}
		return nil
	})
}

// same waits until all is here as it is there.
func (o *opens) same(t *testing.T) {
	t.Helper()
	o.upstream.same(t, openContents...)
}

// TestPostgresOpen holds that transactions that come while they are open are seen whole when they have committed, and not before:
// side by side, with subtransactions that are aborted, changed tables, TRUNCATE and large values that do not change, through kills and
// cuts in the middle, while the source is altered and read anew; and that nothing of them is left when the source is dropped.
func TestPostgresOpen(t *testing.T) {
	need(t)
	t.Parallel()
	o := &opens{upstream: &upstream{stack: running(t, stack.Postgres), name: "open_test"}, ctx: t.Context()}
	o.upstream.begin(t, openTables...)
	o.server.stop(t)
	o.server.args = append(o.server.args, "--memory-limit", strconv.Itoa(256<<20))
	o.server.begin(t)
	eventually(t, 20*time.Second, "server ready", o.server.ready)
	o.server.must(t, "CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION 'p') FOR ALL TABLES")
	o.server.must(t, "CREATE MATERIALIZED VIEW total AS SELECT sum(balance) AS total, count(*) AS n FROM accounts")
	o.same(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		o.watch(ctx, t)
	}()
	o.sideBySide(t)
	o.shapes(t)
	stop()
	<-watched
	o.faults(t)
	if n := o.sql(t, "SELECT sum(stream_txns) > 0 AND sum(stream_bytes) > 20000000 FROM pg_stat_replication_slots WHERE slot_name LIKE 'millrace%'"); n != "t" {
		t.Errorf("nothing was sent while it was open: %s", n)
	}
	last := o.begin(t, fill(900_000, 20_000))
	o.spilled(t, true)
	o.server.wait(t, "SELECT open_transactions, spilled_bytes > 0 FROM mz_internal.mz_postgres_source_positions WHERE name = 's'", "1|t")
	o.server.must(t, "DROP SOURCE s CASCADE")
	o.spilled(t, false)
	mustExec(t.Context(), t, last, "ROLLBACK")
	if left := o.sql(t, "SELECT count(*) FROM pg_replication_slots WHERE database = 'open_test'"); left != "0" {
		t.Errorf("after DROP SOURCE %s slots are left", left)
	}
}

// move is a statement that moves money between all accounts.
const move = "UPDATE accounts SET balance = balance + CASE WHEN id % 2 = 0 THEN 1 ELSE -1 END"

// sideBySide runs transactions that end in another order than they began, and others that come whole between them.
func (o *opens) sideBySide(t *testing.T) {
	t.Helper()
	a := o.begin(t, move, fill(1, 20_000), "SAVEPOINT one", fill(50_000, 3000), "ROLLBACK TO one", fill(60_000, 3000))
	b := o.begin(t, fill(100_000, 3000), "SAVEPOINT one", "UPDATE notes SET n = n + 1", "SAVEPOINT two", fill(110_000, 3000), "RELEASE two")
	c := o.begin(t, fill(200_000, 5000))
	o.spilled(t, true)
	for i := range 5 {
		o.sql(t, fmt.Sprintf("INSERT INTO big VALUES (%d, 'small')", -i))
		o.same(t)
	}
	mustExec(o.ctx, t, b, "ROLLBACK TO one", fill(120_000, 3000), "COMMIT")
	o.same(t)
	mustExec(o.ctx, t, c, "ROLLBACK")
	mustExec(o.ctx, t, a, move, "COMMIT")
	o.same(t)
	o.spilled(t, false)
}

// shapes changes tables inside of transactions that are sent while they are open.
func (o *opens) shapes(t *testing.T) {
	t.Helper()
	a := o.begin(t, "UPDATE notes SET n = n + 1", "SAVEPOINT s", "ALTER TABLE notes DROP COLUMN n, ADD COLUMN m int", "UPDATE notes SET note = note || 'never'", "ROLLBACK TO s",
		"UPDATE notes SET n = n + 10 WHERE id > 10")
	o.sql(t, fill(300_000, 100)+"; "+move)
	mustExec(o.ctx, t, a, "COMMIT")
	o.same(t)
	b := o.begin(t, "CREATE TEMP TABLE old AS SELECT * FROM notes", "TRUNCATE notes", "INSERT INTO notes SELECT * FROM old", "UPDATE notes SET n = n - 1", fill(310_000, 3000),
		"DELETE FROM big WHERE id % 3 = 0", "UPDATE big SET id = -id WHERE id % 7 = 0")
	mustExec(o.ctx, t, b, "COMMIT")
	o.same(t)
	c := o.begin(t, "UPDATE notes SET n = n + 1", "ALTER TABLE notes ADD COLUMN more text DEFAULT 'x'", "ALTER TABLE notes RENAME COLUMN note TO remark",
		"UPDATE notes SET n = n + 1, remark = remark || 'y' WHERE id % 2 = 0", "ALTER TABLE notes DROP COLUMN more", "UPDATE notes SET n = n + 1", "ALTER TABLE notes RENAME COLUMN remark TO note", move)
	o.sql(t, fill(320_000, 3000))
	mustExec(o.ctx, t, c, "COMMIT")
	o.same(t)
}

// faults kills the server, cuts its connection, and has the source altered and read anew while transactions are open.
func (o *opens) faults(t *testing.T) {
	t.Helper()
	kill := func() {
		o.server.kill(t)
		o.server.begin(t)
		eventually(t, 20*time.Second, "server ready again", o.server.ready)
	}
	const resnapshot = 2
	for i, fault := range []func(){
		kill,
		func() {
			o.sql(t, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = 'open_test' AND active_pid IS NOT NULL")
		},
		func() { o.server.must(t, "ALTER SOURCE s RESNAPSHOT") },
		func() {
			host, _, _ := strings.Cut(o.stack.PostgresAddr, ":")
			o.server.must(t, "ALTER CONNECTION pg SET (HOST '"+host+"')")
		},
	} {
		from := 1_000_000 * (i + 1)
		a := o.begin(t, fill(from, 20_000), move)
		b := o.begin(t, fill(from+100_000, 3000))
		o.spilled(t, true)
		fault()
		o.sql(t, fmt.Sprintf("INSERT INTO big VALUES (%d, 'beside')", from+500_000))
		if i != resnapshot { // which waits there for what is open
			o.same(t)
		}
		mustExec(o.ctx, t, a, fill(from+200_000, 1000), "COMMIT")
		mustExec(o.ctx, t, b, "SAVEPOINT s", fill(from+300_000, 3000), "ROLLBACK TO s", "COMMIT")
		if i == 0 { // while the commit comes
			kill()
		}
		o.same(t)
		o.spilled(t, false)
		mustExec(o.ctx, t, o.begin(t, fmt.Sprintf("DELETE FROM big WHERE id > %d", from+1)), "COMMIT")
		o.same(t)
	}
}

// TestPostgresPositions holds that it can be seen how far the log of the other side was read, where it ends, what the slot keeps of it, and
// what is open, over the end of a transaction and a restart.
func TestPostgresPositions(t *testing.T) {
	need(t)
	t.Parallel()
	o := &opens{upstream: &upstream{stack: running(t, stack.Postgres), name: "positions_test"}, ctx: t.Context()}
	o.upstream.begin(t, "ALTER DATABASE positions_test SET logical_decoding_work_mem = '64kB'", "CREATE TABLE big (id int PRIMARY KEY, v text)",
		"CREATE PUBLICATION p FOR ALL TABLES")
	s := o.server
	s.must(t, "CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION 'p') FOR ALL TABLES")
	position := func(columns string) string {
		return "SELECT " + columns + " FROM mz_internal.mz_postgres_source_positions WHERE name = 's'"
	}
	reached := func(column, lsn string) {
		t.Helper()
		eventually(t, 30*time.Second, column, func() error {
			if at := s.must(t, position(column)); at == "" || o.sql(t, fmt.Sprintf("SELECT '%s'::pg_lsn >= '%s'::pg_lsn", at, lsn)) != "t" {
				return fmt.Errorf("%s is %s, not %s", column, at, lsn)
			}
			return nil
		})
	}
	everywhere := func() {
		t.Helper()
		o.sql(t, "INSERT INTO big SELECT coalesce(max(id), 0) + 1, 'x' FROM big")
		now := o.sql(t, "SELECT pg_current_wal_lsn()")
		for _, column := range []string{"lsn_current", "lsn_read", "lsn_durable", "lsn_confirmed"} {
			reached(column, now)
		}
		s.wait(t, position("lag_bytes = 0, retained_bytes >= 0, asked_at > now() - INTERVAL '1 minute', open_transactions, open_bytes, spilled_bytes"), "t|t|t|0|0|0")
	}
	everywhere()
	if slot := s.must(t, position("replication_slot")); o.sql(t, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '"+slot+"'") != "1" {
		t.Errorf("there is no slot %s", slot)
	}
	s.wait(t, "SELECT name, lag FROM mz_internal.mz_source_partitions", "s|0")
	s.wait(t, "SELECT count(*) FROM mz_internal.mz_source_statistics WHERE offset_committed > 0 AND offset_known >= offset_committed", "2")
	tx := o.begin(t, fill(1000, 2000))
	s.wait(t, position("open_transactions, open_bytes + spilled_bytes > 0"), "1|t")
	mustExec(o.ctx, t, tx, "ROLLBACK")
	s.wait(t, position("open_transactions, open_bytes, spilled_bytes"), "0|0|0")
	s.kill(t)
	o.sql(t, fill(10_000, 100))
	s.begin(t)
	eventually(t, 20*time.Second, "server ready again", s.ready)
	everywhere()
	metrics, err := http.Get("http://" + s.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(metrics.Body)
	if err = errors.Join(err, metrics.Body.Close()); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"millrace_source_log_lag_bytes{source=\"s\"} 0", "millrace_source_log_retained_bytes{source=\"s\"}", "millrace_source_open_bytes{place=\"disk\",source=\"s\"} 0"} {
		if !strings.Contains(string(text), line) {
			t.Errorf("the metrics have no line %s", line)
		}
	}
}
