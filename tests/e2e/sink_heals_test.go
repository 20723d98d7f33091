package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/internal/broker/brokertest"
)

// TestSinkHeals: on a real broker a sink stalls visibly while its view has an error, also after SIGKILL, and goes on by itself when
// that has gone; its topic then adds up to the view.
func TestSinkHeals(t *testing.T) {
	need(t)
	r := real(t)
	dropTopics(t.Context(), t, r, "heals-out")
	s := newServer(t, t.TempDir(), "--host-aliases", r.aliases())
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 20*time.Second, "server ready", s.ready)
	s.must(t, `CREATE TABLE t (id int, d int)`)
	s.must(t, `CREATE MATERIALIZED VIEW v AS SELECT id, 100 / d AS q FROM t`)
	s.must(t, `INSERT INTO t SELECT g, g FROM generate_series(1, 50) g`)
	s.must(t, `CREATE SINK s FROM v INTO KAFKA BROKER 'kafka:9092' TOPIC 'heals-out' FORMAT JSON`)
	topic := brokertest.FollowChanges(t, r.stack.KafkaAddr, "heals-out")
	equal := func() error { return topic.Is(s.must(t, `SELECT to_jsonb(v) FROM v`)) }
	status := func(want string) func() error {
		return func() error {
			if got := s.must(t, `SELECT status FROM mz_internal.mz_sink_statuses`); strings.TrimSpace(got) != want {
				return fmt.Errorf("it is %s", got)
			}
			return nil
		}
	}
	eventually(t, 30*time.Second, "the topic is the view", equal)
	for round := range 2 {
		s.must(t, `INSERT INTO t VALUES (0, 0)`)
		eventually(t, 30*time.Second, "the sink stalls", status("stalled"))
		s.must(t, fmt.Sprintf(`DELETE FROM t WHERE id %% 5 = %d AND d > 0`, round))
		s.must(t, fmt.Sprintf(`INSERT INTO t VALUES (%d, 3)`, 100+round))
		if round == 1 {
			s.kill(t)
			s.begin(t)
			eventually(t, 60*time.Second, "the sink stalls after a kill", func() error {
				if err := s.ready(); err == nil || !strings.Contains(err.Error(), "[-]sink s: stalled: the view has an error") {
					return fmt.Errorf("/readyz: %v", err)
				}
				return nil
			})
		}
		s.must(t, `DELETE FROM t WHERE d = 0`)
		eventually(t, 30*time.Second, "the topic is the view again", equal)
		eventually(t, 30*time.Second, "the sink runs", status("running"))
	}
}
