package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/internal/broker/brokertest"
)

// TestCopiedDirectory: a server on a copy of a data directory takes over the sinks. The original says that they are taken, also
// when it is started anew, and goes on with all else; the topic adds up to the view of the copy.
func TestCopiedDirectory(t *testing.T) {
	need(t)
	r := real(t)
	dir, copied := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	begin := func(s *server) {
		t.Helper()
		s.begin(t)
		eventually(t, 20*time.Second, "server reachable", func() error {
			_, said, err := s.psql(t, `SELECT 1`)
			if err != nil {
				err = fmt.Errorf("%w: %s", err, said)
			}
			return err
		})
	}
	first := newServer(t, dir, "--host-aliases", r.aliases())
	begin(first)
	t.Cleanup(func() { first.stop(t) })
	for _, statement := range []string{
		`CREATE TABLE t (who text NOT NULL, n int NOT NULL)`,
		`CREATE MATERIALIZED VIEW sums AS SELECT who, sum(n) AS n FROM t GROUP BY who`,
		`CREATE SINK sums_out FROM sums INTO KAFKA BROKER 'kafka:9092' TOPIC 'copied' FORMAT JSON`,
		`INSERT INTO t VALUES ('both', 1)`,
	} {
		first.must(t, statement)
	}
	topic := brokertest.FollowChanges(t, r.stack.KafkaAddr, "copied")
	agrees := func(s *server) {
		t.Helper()
		rows := s.must(t, `SELECT to_jsonb(s) FROM sums s`)
		eventually(t, 30*time.Second, "the topic adds up to the view", func() error { return topic.Is(rows) })
	}
	agrees(first)
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	second := newServer(t, copied, "--host-aliases", r.aliases())
	begin(second)
	t.Cleanup(func() { second.stop(t) })
	second.must(t, `INSERT INTO t VALUES ('second', 1)`)
	agrees(second)
	taken := func(s *server) {
		t.Helper()
		s.must(t, `INSERT INTO t VALUES ('first', 1)`)
		eventually(t, 30*time.Second, "the sink of the original has failed", func() error {
			got := s.must(t, `SELECT status, error FROM mz_internal.mz_sink_statuses WHERE name = 'sums_out'`)
			if !strings.HasPrefix(got, "failed|another server has taken over topic \"copied\"") {
				return fmt.Errorf("it is %q", got)
			}
			return nil
		})
	}
	taken(first)
	first.kill(t)
	begin(first)
	taken(first)
	if got := first.must(t, `SELECT n FROM sums WHERE who = 'first'`); got != "2" {
		t.Errorf("the view of the original is %q", got)
	}
	second.must(t, `INSERT INTO t VALUES ('second', 2)`)
	agrees(second)
}
