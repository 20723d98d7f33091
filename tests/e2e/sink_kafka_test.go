package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/tests/stack"
)

// newest is the last value of each key of a topic, and how many records it has, as a reader of committed records sees them.
type newest struct {
	client *kgo.Client
	last   map[string]string
	n      int
}

func readNewest(t *testing.T, broker, topic string) *newest {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &newest{client: client, last: map[string]string{}}
}

// is says whether the topic holds the values that psql shows as key|value, and how many records.
func (k *newest) is(want string, n int) func() error {
	return func() error {
		for k.n < n {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			fetches := k.client.PollFetches(ctx)
			cancel()
			if fetches.Empty() {
				break
			}
			fetches.EachRecord(func(r *kgo.Record) {
				k.n++
				if k.last[string(r.Key)] = string(r.Value); r.Value == nil {
					delete(k.last, string(r.Key))
				}
			})
		}
		var missing []string
		lines := strings.Split(want, "\n")
		for _, line := range lines {
			key, value, _ := strings.Cut(line, "|")
			if k.last[key] != value {
				missing = append(missing, line)
			}
		}
		if len(missing) > 0 || want != "" && len(lines) != len(k.last) || k.n != n {
			return fmt.Errorf("%d records of %d keys, missing %q, %v", k.n, len(k.last), missing, k.last)
		}
		return nil
	}
}

// TestSinkEnvelopes: ENVELOPE UPSERT and NONE on a real broker, in today's dialect: keys and values as they are, deletions, a restart.
func TestSinkEnvelopes(t *testing.T) {
	need(t)
	real := running(t, stack.Kafka)
	stamp := time.Now().UnixNano()
	clicks, users := fmt.Sprintf("clicks-%d", stamp), fmt.Sprintf("users-%d", stamp)
	s := newServer(t, t.TempDir())
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 20*time.Second, "server ready", s.ready)
	host, port, _ := net.SplitHostPort(real.KafkaAddr)
	s.must(t, fmt.Sprintf(`CREATE CONNECTION kafka TO KAFKA (BROKER '%s:%s', SECURITY PROTOCOL PLAINTEXT)`, host, port))
	s.must(t, `CREATE TABLE raw (id int, who text, payload text)`)
	s.must(t, `CREATE MATERIALIZED VIEW latest AS SELECT who, max(payload) AS payload FROM raw GROUP BY who`)
	s.must(t, `CREATE MATERIALIZED VIEW every AS SELECT who, payload FROM raw`)
	s.must(t, `INSERT INTO raw VALUES (1, 'a', 'one'), (2, 'b', 'two')`)
	for statement, want := range map[string]string{
		`CREATE SINK x FROM every INTO KAFKA CONNECTION kafka (TOPIC 'x') KEY (who) FORMAT JSON ENVELOPE UPSERT`:                         "NOT ENFORCED",
		`CREATE SINK x FROM every INTO KAFKA CONNECTION kafka (TOPIC 'x') FORMAT JSON ENVELOPE NONE`:                                     "ENVELOPE NONE (FORCE)",
		`CREATE SINK x FROM every INTO KAFKA CONNECTION kafka (TOPIC 'x') FORMAT TEXT ENVELOPE NONE (FORCE)`:                             "TEXT of a sink is one column",
		`CREATE SINK x FROM latest INTO KAFKA CONNECTION kafka (TOPIC 'x', COMPRESSION TYPE best) KEY (who) FORMAT JSON ENVELOPE UPSERT`: "unknown compression",
		`CREATE SINK x FROM latest INTO KAFKA CONNECTION kafka (TOPIC 'x', PARTITION BY payload) KEY (who) FORMAT JSON ENVELOPE UPSERT`:  "PARTITION BY wants columns of the key",
		`CREATE SINK x FROM latest INTO KAFKA CONNECTION kafka (TOPIC 'x', PARTITION BY (nobody)) KEY (who) FORMAT JSON ENVELOPE UPSERT`: "column \"nobody\" of \"latest\" does not exist",
	} {
		if _, out, err := s.psql(t, statement); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s\nsays %v %s, want %q", statement, err, out, want)
		}
	}
	s.must(t, fmt.Sprintf(`CREATE SINK u FROM latest INTO KAFKA CONNECTION kafka (TOPIC '%s', TOPIC PARTITION COUNT 6, COMPRESSION TYPE zstd, PARTITION BY (who))
		KEY (who) KEY FORMAT TEXT VALUE FORMAT TEXT ENVELOPE UPSERT`, users))
	s.must(t, fmt.Sprintf(`CREATE SINK e FROM every INTO KAFKA CONNECTION kafka (TOPIC '%s', TOPIC CONFIG MAP['retention.ms' => '-1'])
		KEY (who) NOT ENFORCED KEY FORMAT TEXT VALUE FORMAT BYTES ENVELOPE NONE (FORCE) WITH (SNAPSHOT = false)`, clicks))
	if _, out, err := s.psql(t, fmt.Sprintf(`CREATE SINK twice FROM latest INTO KAFKA CONNECTION kafka (TOPIC '%s') KEY (who) FORMAT JSON ENVELOPE UPSERT`, users)); err == nil || !strings.Contains(out, `is written by sink "u" already`) {
		t.Errorf("a second sink into one topic: %v %s", err, out)
	}
	u, e := readNewest(t, real.KafkaAddr, users), readNewest(t, real.KafkaAddr, clicks)
	eventually(t, 30*time.Second, "the snapshot", u.is("a|one\nb|two", 2))
	s.must(t, `INSERT INTO raw VALUES (3, 'a', 'three'), (4, 'c', 'four')`)
	s.must(t, `DELETE FROM raw WHERE id = 2`)
	eventually(t, 30*time.Second, "changes by key", u.is("a|three\nc|four", 5))
	eventually(t, 30*time.Second, "rows that come", e.is("a|three\nc|four", 2))
	eventually(t, 30*time.Second, "what is left out is counted", func() error {
		if got := s.must(t, `SELECT name, type, status, retractions_dropped FROM mz_internal.mz_sink_statuses ORDER BY 1`); got != "e|kafka|running|1\nu|kafka|running|0" {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
	s.kill(t)
	s.begin(t)
	eventually(t, 30*time.Second, "server ready", s.ready)
	s.must(t, `INSERT INTO raw VALUES (5, 'd', 'five')`)
	eventually(t, 30*time.Second, "after a kill", u.is("a|three\nc|four\nd|five", 6))
	eventually(t, 30*time.Second, "after a kill, rows", e.is("a|three\nc|four\nd|five", 3))
	s.must(t, `DROP SINK u`)
}
