package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"millrace/tests/stack"
)

// again kills the server and starts it anew.
func (s *server) again(t *testing.T) {
	t.Helper()
	s.kill(t)
	s.begin(t)
	eventually(t, 30*time.Second, "server ready again", s.ready)
}

// TestDeadLettersOfFiles: of files that grow and come while the server is killed each bad line is in the topic once, with where it stood.
func TestDeadLettersOfFiles(t *testing.T) {
	need(t)
	up := running(t, stack.Kafka)
	dropTopics(t.Context(), t, &shared, "file-dead", "millrace-progress-file-dead")
	dir := t.TempDir()
	s := newServer(t, t.TempDir(), "--file-sources", dir)
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 20*time.Second, "server ready", s.ready)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	good, bad := 0, 0
	grow := func(name string, lines int) {
		out, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		for range lines {
			if rng.IntN(3) > 0 {
				good++
				_, err = fmt.Fprintf(out, "{\"n\": %d}\n", good)
			} else {
				bad++
				_, err = fmt.Fprintf(out, "bad %d of %s\n", bad, name)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	grow("a.json", 2000)
	s.must(t, fmt.Sprintf("CREATE CONNECTION k TO KAFKA (BROKER '%s')", up.KafkaAddr))
	s.must(t, "CREATE SOURCE lines (n int) FROM FILE '*.json' WITH (tail = true) FORMAT JSON WITH (DEAD LETTER TOPIC = 'file-dead', DEAD LETTER CONNECTION = k)")
	for round := range 8 {
		grow("a.json", 3000)
		grow(fmt.Sprintf("b%d.json", round), 500)
		time.Sleep(time.Duration(rng.IntN(900)) * time.Millisecond)
		s.again(t)
	}
	s.wait(t, "SELECT count(*), count(DISTINCT n) FROM lines", fmt.Sprintf("%d|%d", good, good))
	s.wait(t, "SELECT count(*) FROM lines_errors", fmt.Sprint(bad))
	s.must(t, "CREATE SOURCE dead FROM KAFKA CONNECTION k (TOPIC 'file-dead') FORMAT TEXT INCLUDE HEADER 'millrace.file' AS file, HEADER 'millrace.offset' AS at, HEADER 'millrace.line' AS line")
	s.wait(t, "SELECT count(*), count(DISTINCT text) FROM dead", fmt.Sprintf("%d|%d", bad, bad))
	met := s.must(t, `SELECT md5(string_agg(convert_from(value, 'UTF8') || topic || "offset", ' ' ORDER BY value)) FROM lines_errors`)
	s.wait(t, "SELECT md5(string_agg(text || file || at, ' ' ORDER BY text::bytea)), min(line::int) > 0 FROM dead", met+"|t")
}

// TestDeadLettersOfPostgres: rows that cannot be had are in the topic once each, those of the first content and those that come later,
// over kills, reading anew, and a table that is added.
func TestDeadLettersOfPostgres(t *testing.T) {
	need(t)
	up := running(t, stack.Kafka, stack.Postgres)
	dropTopics(t.Context(), t, &shared, "pg-dead", "millrace-progress-pg-dead")
	u := &upstream{stack: up, name: "dead_test"}
	u.begin(t, "CREATE TABLE a (id int PRIMARY KEY, m int[])", "CREATE TABLE b (id int, m int[])", "ALTER TABLE b REPLICA IDENTITY FULL",
		"INSERT INTO a SELECT i, CASE WHEN i % 3 = 0 THEN '{{1}}' ELSE '{1}' END::int[] FROM generate_series(1, 3000) i",
		"INSERT INTO b SELECT i, '{{2}}' FROM generate_series(1, 10) i", "CREATE PUBLICATION p FOR ALL TABLES")
	s := u.server
	s.must(t, fmt.Sprintf("CREATE CONNECTION k TO KAFKA (BROKER '%s')", up.KafkaAddr))
	s.must(t, "CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION 'p') FOR TABLES (a) WITH (DEAD LETTER TOPIC = 'pg-dead', DEAD LETTER CONNECTION = k)")
	s.again(t) // while the first content is read, about
	bad := 1000
	for round := range 5 {
		u.sql(t, fmt.Sprintf("INSERT INTO a SELECT i, '{{3}}' FROM generate_series(%d, %d) i", 10_000+100*round, 10_019+100*round))
		bad += 20
		if round == 1 {
			s.must(t, "CREATE TABLE b FROM SOURCE s (REFERENCE public.b)")
			bad += 10
		}
		if round%2 == 0 {
			time.Sleep(200 * time.Millisecond)
		}
		s.again(t)
	}
	s.wait(t, "SELECT count(*), count(key) FROM s_errors", fmt.Sprintf("%d|%d", bad, bad-10))
	s.must(t, "ALTER SOURCE s RESNAPSHOT")
	u.sql(t, "UPDATE a SET m = '{4}' WHERE id = 3; UPDATE a SET m = '{{4}}' WHERE id = 6")
	s.wait(t, "SELECT count(*), count(*) FILTER (WHERE convert_from(value, 'UTF8') = '{\"id\": \"6\", \"m\": \"{{4}}\"}') FROM s_errors", fmt.Sprintf("%d|1", bad-1))
	bad++ // the row that is bad in another way
	s.must(t, "CREATE SOURCE dead FROM KAFKA CONNECTION k (TOPIC 'pg-dead') KEY FORMAT TEXT VALUE FORMAT TEXT INCLUDE KEY AS id, "+
		"HEADER 'millrace.table' AS of, HEADER 'millrace.lsn' AS lsn, HEADER 'millrace.error_code' AS code")
	s.wait(t, "SELECT count(*), count(DISTINCT (of, text)), min(code), count(DISTINCT lsn) >= 7 FROM dead", fmt.Sprintf("%d|%d|0A000|t", bad, bad))
	s.wait(t, "SELECT text, id FROM dead WHERE id = '{\"id\": \"6\"}' ORDER BY 1", "{\"id\": \"6\", \"m\": \"{{1}}\"}|{\"id\": \"6\"}\n{\"id\": \"6\", \"m\": \"{{4}}\"}|{\"id\": \"6\"}")
	s.wait(t, "SELECT dead_letters >= 1000 FROM mz_internal.mz_source_statistics WHERE name = 's'", "t")
}
