package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"millrace/internal/broker/brokertest"
	"millrace/tests/stack"
)

// TestSinkAltered: sinks into a real Kafka, PostgreSQL and OpenSearch go over from one view to another and back, are altered otherwise,
// and the server is killed right behind the statements; each target then holds the view that its sink names, and nothing twice.
func TestSinkAltered(t *testing.T) {
	need(t)
	real := running(t, stack.Kafka, stack.Postgres, stack.OpenSearch)
	query := func(text string) string {
		t.Helper()
		out, err := real.SQL(t.Context(), "postgres", text)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	query(`DROP TABLE IF EXISTS altered_out; DROP TABLE IF EXISTS millrace_progress`)
	deleteIndex(t, real.OpenSearchURL, "altered")
	deleteIndex(t, real.OpenSearchURL, "millrace-progress")
	topicName := fmt.Sprintf("altered-%d", time.Now().UnixNano())
	s := newServer(t, t.TempDir())
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 20*time.Second, "server ready", s.ready)
	host, port, _ := net.SplitHostPort(real.PostgresAddr)
	s.must(t, fmt.Sprintf(`CREATE CONNECTION pg TO POSTGRES (HOST '%s', PORT %s, USER 'postgres', DATABASE 'postgres')`, host, port))
	s.must(t, fmt.Sprintf(`CREATE CONNECTION os TO OPENSEARCH (URL '%s')`, real.OpenSearchURL))
	s.must(t, fmt.Sprintf(`CREATE CONNECTION kafka TO KAFKA (BROKER '%s', SECURITY PROTOCOL PLAINTEXT)`, real.KafkaAddr))
	s.must(t, `CREATE TABLE t (id int, d int)`)
	s.must(t, `CREATE MATERIALIZED VIEW v0 AS SELECT id, max(d) AS q FROM t GROUP BY id`)
	s.must(t, `CREATE MATERIALIZED VIEW v1 AS SELECT id, min(d) AS q FROM t WHERE id % 3 > 0 GROUP BY id`)
	s.must(t, `INSERT INTO t SELECT g, g FROM generate_series(1, 40) g`)
	s.must(t, fmt.Sprintf(`CREATE SINK k FROM v0 INTO KAFKA CONNECTION kafka (TOPIC '%s') FORMAT JSON ENVELOPE DEBEZIUM`, topicName))
	s.must(t, `CREATE SINK p FROM v0 INTO POSTGRES CONNECTION pg (TABLE 'altered_out') KEY (id)`)
	s.must(t, `CREATE SINK o FROM v0 INTO OPENSEARCH CONNECTION os (INDEX 'altered') KEY (id)`)
	topic := brokertest.FollowChanges(t, real.KafkaAddr, topicName)
	const columns = `SELECT id, q FROM %s ORDER BY 1`
	equal := func(view string) func() error {
		return func() error {
			if err := topic.Is(s.must(t, `SELECT to_jsonb(v) FROM `+view+` v`)); err != nil {
				return err
			}
			want := strings.TrimSpace(s.must(t, fmt.Sprintf(columns, view)))
			if got := query(fmt.Sprintf("COPY ("+columns+") TO STDOUT (DELIMITER '|')", "altered_out")); got != want {
				return fmt.Errorf("the table holds\n%s\nthe view\n%s", got, want)
			}
			docs := strings.TrimSpace(s.must(t, `SELECT id || ' {"id":' || id || ',"q":' || q || '}' FROM `+view+` ORDER BY id::text COLLATE "C"`))
			if got, err := search(real.OpenSearchURL, "altered"); err != nil || got != docs {
				return fmt.Errorf("the index holds %v\n%s\nthe view\n%s", err, got, docs)
			}
			return nil
		}
	}
	eventually(t, 30*time.Second, "the targets are the first view", equal("v0"))
	for round := range 4 {
		view := fmt.Sprintf("v%d", (round+1)%2)
		s.must(t, fmt.Sprintf(`INSERT INTO t SELECT g, %d FROM generate_series(%d, 50) g`, 10*round-5, 7*round))
		for _, sink := range []string{"k", "p", "o"} {
			s.must(t, fmt.Sprintf(`ALTER SINK %s SET FROM %s`, sink, view))
			if round == 2 {
				s.must(t, fmt.Sprintf(`ALTER SINK %s SET (COMMIT INTERVAL '300 ms')`, sink))
			}
		}
		if round > 0 {
			s.kill(t)
			s.begin(t)
			eventually(t, 60*time.Second, "server ready", s.ready)
		}
		s.must(t, fmt.Sprintf(`DELETE FROM t WHERE id %% 8 = %d`, round))
		eventually(t, 30*time.Second, fmt.Sprintf("the targets are the view of round %d", round), equal(view))
	}
	if got := s.must(t, `SELECT DISTINCT status FROM mz_internal.mz_sink_statuses`); strings.TrimSpace(got) != "running" {
		t.Errorf("the sinks are %s", got)
	}
}
