package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"millrace/tests/stack"
)

// oldLedger is the table of progress as earlier servers made it; a sink widens it, or leaves it alone when it is somebody else's.
const oldLedger = `CREATE TABLE millrace_progress (sink text PRIMARY KEY, place text NOT NULL, upto bigint NOT NULL, writer text NOT NULL)`

// TestSinkPostgres: a table of a real PostgreSQL holds the view at whole ticks, at every moment, though the server that writes it is
// killed again and again while it writes; nothing is lost and nothing is there twice.
func TestSinkPostgres(t *testing.T) {
	need(t)
	real := running(t, stack.Postgres)
	query := func(text string) string {
		t.Helper()
		out, err := real.SQL(t.Context(), "postgres", text)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	query(`DROP TABLE IF EXISTS accounts_out, taken; DROP TABLE IF EXISTS millrace_progress; ` + oldLedger + `; CREATE TABLE taken (id int PRIMARY KEY, total int8, note text); INSERT INTO taken VALUES (1, 2, 'x'); DROP TABLE IF EXISTS other; CREATE TABLE other (id text PRIMARY KEY)`)
	host, port, _ := net.SplitHostPort(real.PostgresAddr)
	s := newServer(t, t.TempDir())
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 20*time.Second, "server ready", s.ready)
	s.must(t, fmt.Sprintf(`CREATE CONNECTION pg TO POSTGRES (HOST '%s', PORT %s, USER 'postgres', DATABASE 'postgres')`, host, port))
	query(`DROP ROLE IF EXISTS sink_poor; CREATE ROLE sink_poor LOGIN`)
	s.must(t, fmt.Sprintf(`CREATE CONNECTION poor TO POSTGRES (HOST '%s', PORT %s, USER 'sink_poor', DATABASE 'postgres')`, host, port))
	s.must(t, `CREATE TABLE moves (id int, amount int8, note text)`)
	s.must(t, `CREATE MATERIALIZED VIEW accounts AS SELECT id, sum(amount)::int8 AS total, max(note) AS note FROM moves GROUP BY id`)
	s.must(t, `INSERT INTO moves SELECT g, 0, E'tab\t, line\n and \\ of ' || g FROM generate_series(1, 40) g`)
	s.must(t, `INSERT INTO moves VALUES (NULL, 0, NULL)`)
	for statement, want := range map[string]string{
		`CREATE SINK bad FROM accounts INTO POSTGRES CONNECTION pg (TABLE 'taken') KEY (id)`:                      "rows already",
		`CREATE SINK bad FROM accounts INTO POSTGRES CONNECTION pg (TABLE 'none') KEY (total)`:                    "cannot be proven to be unique",
		`CREATE SINK bad FROM accounts INTO POSTGRES CONNECTION pg (TABLE 'other') KEY (id)`:                      "does not fit the view",
		`CREATE SINK bad FROM accounts INTO POSTGRES CONNECTION pg (TABLE 'none')`:                                "needs a key",
		`CREATE SINK bad FROM accounts INTO POSTGRES CONNECTION pg (TABLE 'none') KEY (id) FORMAT JSON`:           "FORMAT of a sink into POSTGRES is not supported",
		`CREATE SINK bad FROM accounts INTO POSTGRES CONNECTION pg (TABLE 'nowhere.accounts') KEY (id)`:           "schema \"nowhere\" does not exist",
		`CREATE SINK bad FROM accounts INTO POSTGRES CONNECTION poor (TABLE 'none') KEY (id)`:                     "permission denied for schema public",
		`CREATE SINK bad FROM accounts INTO POSTGRES CONNECTION pg (TABL 'none') KEY (id)`:                        "the options are COMMIT INTERVAL, SCHEMA and TABLE",
		`CREATE CONNECTION pg2 TO POSTGRES (HOST '127.0.0.1', PORT 1, USER 'postgres')`:                           "cannot reach PostgreSQL",
		fmt.Sprintf(`CREATE CONNECTION pg2 TO POSTGRES (HOST '%s', PORT %s, USER 'nobody_here')`, host, port):     "nobody_here",
		`CREATE SINK bad FROM accounts INTO POSTGRES CONNECTION pg (TABLE 'none') KEY (id) WITH (partitions = 3)`: "PARTITIONS",
	} {
		if _, out, err := s.psql(t, statement); err == nil || !strings.Contains(out+err.Error(), want) {
			t.Errorf("%s\nsays %v %s, want %q", statement, err, out, want)
		}
	}
	s.must(t, `CREATE SINK s FROM accounts INTO POSTGRES CONNECTION pg (TABLE 'public.accounts_out') KEY (id)`)
	const both = `SELECT coalesce(id, -1) AS id, total, note FROM %s ORDER BY 1`
	equal := func() error {
		if got, err := real.SQL(t.Context(), "postgres", "SELECT FROM accounts_out"); err != nil {
			return fmt.Errorf("%w: %s", err, got)
		}
		if got, want := query(fmt.Sprintf("COPY ("+both+") TO STDOUT", "accounts_out")), strings.TrimSpace(s.must(t, fmt.Sprintf("COPY ("+both+") TO STDOUT", "accounts"))); got != want {
			return fmt.Errorf("the table holds\n%s\nthe view\n%s", got, want)
		}
		return nil
	}
	eventually(t, 20*time.Second, "the table is the view", equal)
	for round := range 4 {
		for i := range 25 {
			a, b := (i*7+round)%40+1, (i*11+3)%40+1
			s.must(t, fmt.Sprintf(`INSERT INTO moves VALUES (%d, 5, NULL), (%d, -5, NULL), (%d, 3, 'new'), (NULL, -3, 'null')`, a, b, 100+i))
			if i%5 == 4 {
				s.must(t, fmt.Sprintf(`BEGIN; DELETE FROM moves WHERE id = %d; INSERT INTO moves VALUES (NULL, 3, NULL); COMMIT`, 100+i-1))
			}
			if total := query(`SELECT coalesce(sum(total), 0) FROM accounts_out`); round == 0 && total != "0" {
				t.Fatalf("the table shows a part of a tick: the total is %s", total)
			}
		}
		s.kill(t)
		s.begin(t)
		eventually(t, 30*time.Second, "server ready", s.ready)
		if round == 0 {
			eventually(t, 20*time.Second, "the table is the view after a kill", equal)
		}
	}
	eventually(t, 20*time.Second, "the table is the view in the end", equal)
	refusesRows(t, s)
	s.must(t, `DELETE FROM moves`)
	eventually(t, 20*time.Second, "the table is empty", equal)
}

// refusesRows: of a table that another sink has written a new one says so, and what to do.
func refusesRows(t *testing.T, s *server) {
	t.Helper()
	if n := strings.TrimSpace(s.must(t, `SELECT messages_committed > 100 FROM mz_internal.mz_sink_statuses WHERE name = 's'`)); n != "t" {
		t.Errorf("behind four kills its counter has begun anew: %s", n)
	}
	_, out, err := s.psql(t, `CREATE SINK other FROM accounts INTO POSTGRES CONNECTION pg (TABLE 'public.accounts_out') KEY (id)`)
	if err == nil || !strings.Contains(out, "The sink millrace-sink-") || !strings.Contains(out, "TRUNCATE \"public\".\"accounts_out\"") {
		t.Errorf("of rows that another sink wrote it says %v %s", err, out)
	}
}

// TestSinkFollowsConnection: a sink whose user may not write any more says so and goes on when it may, or when its connection names
// another one; and one that has failed starts again with its connection, and brings its table to the view.
func TestSinkFollowsConnection(t *testing.T) {
	need(t)
	t.Parallel()
	u := &upstream{stack: running(t, stack.Postgres), name: "sink_follows_test"}
	u.begin(t, "CREATE ROLE sink_writer LOGIN; GRANT ALL ON SCHEMA public TO sink_writer", "CREATE TABLE copy (id int PRIMARY KEY, n int8)", "GRANT ALL ON copy TO sink_writer",
		oldLedger, "GRANT ALL ON millrace_progress TO sink_writer")
	host, port, _ := net.SplitHostPort(u.stack.PostgresAddr)
	u.server.must(t, fmt.Sprintf("CREATE CONNECTION writer TO POSTGRES (HOST '%s', PORT %s, USER 'sink_writer', DATABASE '%s')", host, port, u.name))
	u.server.must(t, "CREATE TABLE t (id int)")
	u.server.must(t, "CREATE MATERIALIZED VIEW v AS SELECT id, count(*) AS n FROM t GROUP BY id")
	u.server.must(t, "CREATE SINK s FROM v INTO POSTGRES CONNECTION writer (TABLE 'copy') KEY (id)")
	insert, step := func() { u.server.must(t, "INSERT INTO t SELECT g FROM generate_series(1, 3) g") }, 0
	holds := func(want string) {
		t.Helper()
		step++
		eventually(t, 30*time.Second, fmt.Sprintf("step %d: the table is the view", step), func() error {
			if got := u.sql(t, "SELECT sum(n) FROM copy"); got != want {
				return fmt.Errorf("the sum is %s, want %s", got, want)
			}
			return nil
		})
	}
	status := func(want string) {
		t.Helper()
		u.server.wait(t, "SELECT status, error ~ 'permission denied|does not exist' FROM mz_internal.mz_sink_statuses WHERE name = 's'", want)
	}
	insert()
	holds("3")
	u.sql(t, "REVOKE ALL ON copy FROM sink_writer")
	insert()
	status("stalled|t")
	u.sql(t, "GRANT ALL ON copy TO sink_writer")
	holds("6")
	u.sql(t, "REVOKE ALL ON copy FROM sink_writer")
	insert()
	status("stalled|t")
	u.server.must(t, "ALTER CONNECTION writer SET (USER 'postgres')")
	holds("9")
	status("running|")
	u.sql(t, "ALTER TABLE copy RENAME n TO m")
	insert()
	status("failed|t")
	u.sql(t, "ALTER TABLE copy RENAME m TO n; DELETE FROM copy WHERE id = 1")
	u.server.must(t, "ALTER CONNECTION writer SET (USER 'postgres')")
	holds("12")
	insert()
	holds("15")
	u.server.must(t, "DROP SINK s")
	u.sql(t, "DROP OWNED BY sink_writer; DROP ROLE sink_writer")
}
