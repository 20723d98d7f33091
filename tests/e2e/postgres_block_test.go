package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"millrace/internal/sim"
	"millrace/tests/stack"
)

// TestPostgresOpenBlock kills the server while a transaction block is open that has made a source. The next start, which leaves the
// source out, drops its replication slot as soon as it can: it tells that it cannot while the line is cut, and does when it is mended. The
// source of a block that did commit keeps its own.
func TestPostgresOpenBlock(t *testing.T) {
	need(t)
	there := running(t, stack.Postgres)
	sql := func(db, text string) string {
		t.Helper()
		out, err := there.SQL(t.Context(), db, text)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		return out
	}
	sql("postgres", "CREATE DATABASE block_test")
	sql("block_test", "CREATE TABLE goods (id int PRIMARY KEY, name text); INSERT INTO goods VALUES (1, 'bread'); CREATE PUBLICATION p FOR ALL TABLES")
	line, err := sim.NewLine(there.PostgresAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(line.Close)
	host, port, err := net.SplitHostPort(line.Addr())
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, t.TempDir())
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 20*time.Second, "server ready", s.ready)
	create := func(name string) string {
		return fmt.Sprintf("CREATE CONNECTION pg_%s TO POSTGRES (HOST '%s', PORT %s, USER 'postgres', PASSWORD 'hidden', DATABASE 'block_test')"+
			"; CREATE SOURCE %s FROM POSTGRES CONNECTION pg_%s (PUBLICATION 'p') FOR TABLES (goods AS goods_%s)", name, host, port, name, name, name)
	}
	s.must(t, "BEGIN; "+create("kept")+"; COMMIT")
	s.wait(t, "SELECT name FROM goods_kept", "bread")

	db := s.connect(t.Context(), t)
	if _, err := db.Exec(t.Context(), "BEGIN; "+create("left")); err != nil {
		t.Fatal(err)
	}
	slots := func(want string) {
		t.Helper()
		eventually(t, 30*time.Second, want+" slots", func() error {
			if n := sql("block_test", "SELECT count(*) FROM pg_replication_slots WHERE database = 'block_test' AND NOT temporary"); n != want {
				return fmt.Errorf("there are %s", n)
			}
			return nil
		})
	}
	slots("2")
	s.kill(t)
	line.Cut()
	s.begin(t)
	eventually(t, 30*time.Second, "the server tells of the slot", func() error {
		log := s.log.String()
		if !strings.Contains(log, "pg_drop_replication_slot('millrace_") {
			return fmt.Errorf("the log is\n%s", log)
		}
		return nil
	})
	if _, _, err := s.psql(t, "SELECT * FROM goods_left"); err == nil {
		t.Error("the table of a block that did not commit is there")
	}
	slots("2")
	line.Mend()
	slots("1")
	sql("block_test", "INSERT INTO goods VALUES (2, 'milk')")
	s.wait(t, "SELECT name FROM goods_kept ORDER BY id", "bread\nmilk")
	if strings.Contains(s.log.String(), "hidden") {
		t.Error("the password is in the log")
	}
	s.kill(t)
	s.begin(t)
	eventually(t, 20*time.Second, "server ready again", s.ready)
	s.wait(t, "SELECT count(*) FROM goods_kept", "2")
	if n := strings.Count(s.log.String(), "dropped the replication slot"); n != 1 {
		t.Errorf("the slot was dropped %d times", n)
	}
}
