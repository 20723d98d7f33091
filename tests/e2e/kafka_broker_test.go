package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/tests/stack"
)

// TestKafkaBroker reads a real broker through SASL and TLS with a client certificate: records of every compression, none of a transaction
// that was aborted or is open, fields that come later; and sees a topic that goes and records that are deleted before they are read.
func TestKafkaBroker(t *testing.T) {
	need(t)
	up := running(t, stack.Kafka)
	names := []string{"brk-packed", "brk-fields", "brk-short", "brk-gone"}
	dropTopics(t.Context(), t, &shared, "brk-former")
	dropTopics(t.Context(), t, &shared, names...)
	k := newTopics(t, up.KafkaAddr, names...)
	s := newServer(t, t.TempDir())
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 20*time.Second, "server ready", s.ready)
	secureConnection(t, s, up)
	packed(t, k, s)
	lateFields(t, k, s)
	overtaken(t, k, s)
}

// secureConnection makes the connection c, which no wrong password and no missing certificate can have.
func secureConnection(t *testing.T, s *server, up *stack.Stack) {
	t.Helper()
	p, err := up.KafkaPapers()
	if err != nil {
		t.Fatal(err)
	}
	s.must(t, "CREATE SECRET pass AS '"+stack.KafkaPassword+"'")
	s.must(t, "CREATE SECRET client_key AS '"+p.Key+"'")
	const form = "CREATE CONNECTION c TO KAFKA (BROKER '%s', SECURITY PROTOCOL SASL_SSL, SASL MECHANISMS 'SCRAM-SHA-512', SASL USERNAME '%s', SASL PASSWORD SECRET pass, SSL CERTIFICATE AUTHORITY '%s'%s)"
	papers := ", SSL CERTIFICATE '" + p.Certificate + "', SSL KEY SECRET client_key"
	for _, bad := range []string{
		fmt.Sprintf(form, up.KafkaSecureAddr, "bob", p.Authority, papers),
		fmt.Sprintf(form, up.KafkaSecureAddr, stack.KafkaUser, p.Authority, ""),
	} {
		if _, _, err := s.psql(t, bad); err == nil {
			t.Errorf("the broker lets in %.90s", bad)
		}
	}
	s.must(t, fmt.Sprintf(form, up.KafkaSecureAddr, stack.KafkaUser, p.Authority, papers))
	s.must(t, "VALIDATE CONNECTION c")
	formerLogin(t, s, up, p)
}

// formerLogin reads and writes in the dialect of 2021, where the statement says how to log in, and has the connection refuse to lead to
// where its source's topic is not.
func formerLogin(t *testing.T, s *server, up *stack.Stack, p stack.Papers) {
	t.Helper()
	at := func(topic, password string) string {
		return fmt.Sprintf(`KAFKA BROKER '%s' TOPIC '%s' WITH (security_protocol = 'sasl_ssl', sasl_mechanisms = 'SCRAM-SHA-512', sasl_username = '%s',
			sasl_password = %s, ssl_ca_pem = '%s', ssl_certificate_pem = '%s', ssl_key_pem = SECRET client_key)`,
			up.KafkaSecureAddr, topic, stack.KafkaUser, password, p.Authority, p.Certificate)
	}
	if _, _, err := s.psql(t, "CREATE SOURCE no FROM "+at("brk-short", "'wrong'")+" FORMAT TEXT"); err == nil {
		t.Error("the broker lets in a wrong password")
	}
	s.must(t, "CREATE TABLE said (text text)")
	s.must(t, "CREATE MATERIALIZED VIEW saying AS SELECT text FROM said")
	s.must(t, "CREATE SINK former_out FROM saying INTO "+at("brk-former", "'"+stack.KafkaPassword+"'")+" FORMAT JSON")
	s.must(t, "INSERT INTO said VALUES ('x')")
	eventually(t, 20*time.Second, "the topic is made", func() error {
		_, out, err := s.psql(t, "CREATE SOURCE former FROM "+at("brk-former", "SECRET pass")+" FORMAT JSON")
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	s.wait(t, "SELECT data->'after'->>'text' FROM former", "x")
	if got := s.must(t, "SHOW CREATE SINK former_out"); strings.Contains(got, stack.KafkaPassword) {
		t.Errorf("the password is shown: %s", got)
	}
	s.must(t, "DROP SOURCE former")
	s.must(t, "DROP SINK former_out")
}

// packed writes records by every codec, and within transactions of which one stays open.
func packed(t *testing.T, k *topics, s *server) {
	t.Helper()
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for i, codec := range codecs {
		cl, err := kgo.NewClient(kgo.SeedBrokers(shared.stack.KafkaAddr), kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic("brk-packed"))
		if err != nil {
			t.Fatal(err)
		}
		for n := range 200 { // one batch, which is large enough to be compressed
			cl.Produce(t.Context(), kgo.StringRecord(fmt.Sprintf("%d codec, record %03d", i, n)), nil)
		}
		if err := cl.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		cl.Close()
	}
	s.must(t, "CREATE SOURCE packed FROM KAFKA CONNECTION c (TOPIC 'brk-packed') FORMAT TEXT")
	s.wait(t, "SELECT left(text, 1), count(*), count(DISTINCT text) FROM packed GROUP BY 1 ORDER BY 1", "0|200|200\n1|200|200\n2|200|200\n3|200|200\n4|200|200")
	k.write(kgo.TryAbort, "brk-packed", "=aborted")
	k.write(kgo.TryCommit, "brk-packed", "=committed")
	open, err := kgo.NewClient(kgo.SeedBrokers(shared.stack.KafkaAddr), kgo.TransactionalID("brk-open"), kgo.DefaultProduceTopic("brk-packed"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := open.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := open.ProduceSync(t.Context(), kgo.StringRecord("open")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "SELECT text FROM packed WHERE text NOT LIKE '%codec%'", "committed")
	if err := open.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	k.write(kgo.TryCommit, "brk-packed", "=last")
	s.wait(t, "SELECT text FROM packed WHERE text NOT LIKE '%codec%' ORDER BY text", "committed\nlast")
}

// lateFields has later records bring fields, which become columns, also across a restart.
func lateFields(t *testing.T, k *topics, s *server) {
	t.Helper()
	k.write(kgo.TryCommit, "brk-fields", `={"id":1}`)
	s.must(t, "CREATE SOURCE fields FROM KAFKA CONNECTION c (TOPIC 'brk-fields') FORMAT JSON (INFER)")
	s.must(t, "CREATE MATERIALIZED VIEW before AS SELECT * FROM fields")
	k.write(kgo.TryCommit, "brk-fields", `={"id":2,"price":1.5}`)
	s.wait(t, "SELECT hint LIKE '%price; ALTER SOURCE%' FROM mz_internal.mz_source_statuses WHERE name = 'fields'", "t")
	s.wait(t, "SELECT * FROM before ORDER BY id", "1\n2")
	s.must(t, "ALTER SOURCE fields ADD MISSING COLUMNS")
	s.kill(t)
	s.begin(t)
	eventually(t, 20*time.Second, "server ready", s.ready)
	k.write(kgo.TryCommit, "brk-fields", `={"id":3,"price":"dear"}`, `={"id":4,"price":2}`)
	s.wait(t, "SELECT * FROM fields ORDER BY id", "1|\n2|1.5\n4|2")
	s.wait(t, "SELECT * FROM before ORDER BY id", "1\n2\n4")
	s.wait(t, "SELECT error FROM fields_errors", `field "price": invalid input syntax for type numeric: "dear"`)
}

// overtaken deletes a topic under a source, and records of another while nobody reads them.
func overtaken(t *testing.T, k *topics, s *server) {
	t.Helper()
	k.write(kgo.TryCommit, "brk-gone", "=a")
	k.write(kgo.TryCommit, "brk-short", "=a")
	s.must(t, "CREATE SOURCE gone FROM KAFKA CONNECTION c (TOPIC 'brk-gone') FORMAT TEXT")
	s.must(t, "CREATE SOURCE short FROM KAFKA CONNECTION c (TOPIC 'brk-short') FORMAT TEXT")
	s.must(t, "CREATE MATERIALIZED VIEW n AS SELECT count(*) FROM short")
	s.wait(t, "SELECT (SELECT count(*) FROM gone), (SELECT * FROM n)", "1|1")
	dropTopics(t.Context(), t, &shared, "brk-gone")
	const state = "SELECT status, left(error, 29) FROM mz_internal.mz_source_statuses WHERE name = '%s'"
	s.wait(t, fmt.Sprintf(state, "gone"), `stalled|topic "brk-gone" does not exi`)
	s.kill(t)
	k.write(kgo.TryCommit, "brk-short", "=b", "=c")
	if _, err := k.adm.DeleteRecords(context.Background(), kadm.Offsets{"brk-short": {0: {Topic: "brk-short", Partition: 0, At: 3}}}); err != nil {
		t.Fatal(err)
	}
	s.begin(t) // it will not be ready, as two sources cannot go on
	eventually(t, 20*time.Second, "server", func() error { _, _, err := s.psql(t, "SELECT 1"); return err })
	s.wait(t, fmt.Sprintf(state, "short"), "failed|offset 2 of partition 0 of to")
	s.wait(t, "SELECT * FROM n", "1") // what was read is there
}
