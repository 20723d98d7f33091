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

// topics writes to a real broker.
type topics struct {
	t   *testing.T
	cl  *kgo.Client
	adm *kadm.Client
}

func newTopics(t *testing.T, addr string, names ...string) *topics {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.TransactionalID("kafkasource-test"), kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	k := &topics{t: t, cl: cl, adm: kadm.NewClient(cl)}
	for _, name := range names {
		if _, err := k.adm.CreateTopic(t.Context(), 1, 1, nil, name); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// write writes records of key=value, or of a key alone, which deletes, in one transaction.
func (k *topics) write(end kgo.TransactionEndTry, topic string, records ...string) {
	k.t.Helper()
	if err := k.cl.BeginTransaction(); err != nil {
		k.t.Fatal(err)
	}
	for _, text := range records {
		key, value, ok := strings.Cut(text, "=")
		r := &kgo.Record{Topic: topic, Key: []byte(key), Headers: []kgo.RecordHeader{{Key: "by", Value: []byte("test")}}}
		if ok {
			r.Value = []byte(value)
		}
		if err := k.cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			k.t.Fatal(err)
		}
	}
	if err := k.cl.EndTransaction(context.Background(), end); err != nil {
		k.t.Fatal(err)
	}
}

// TestKafkaSource reads a real broker: formats, upserts, aborted transactions, what kill -9 leaves, new partitions, and a topic made anew.
func TestKafkaSource(t *testing.T) {
	need(t)
	addr := running(t, stack.Kafka).KafkaAddr
	dropTopics(t.Context(), t, &shared, "src-users", "src-lines")
	k := newTopics(t, addr, "src-users", "src-lines")
	k.write(kgo.TryCommit, "src-users", `1={"name":"ann","age":34}`, `2={"name":"sue"}`, `1={"name":"ann","age":35}`, `3=no JSON`)
	k.write(kgo.TryAbort, "src-users", `2={"name":"nobody"}`)
	k.write(kgo.TryCommit, "src-lines", "=id,what", "=1,x", `=2,"y, z"`)
	s := newServer(t, t.TempDir(), "--host-aliases", "kafka:9092="+addr)
	s.begin(t)
	t.Cleanup(func() { s.stop(t) })
	eventually(t, 20*time.Second, "server ready", s.ready)
	s.must(t, `CREATE CONNECTION c TO KAFKA (BROKER 'kafka:9092')`)
	s.must(t, `CREATE SOURCE users (name text NOT NULL, age int) FROM KAFKA CONNECTION c (TOPIC 'src-users') KEY FORMAT TEXT VALUE FORMAT JSON
		INCLUDE KEY AS id, PARTITION, HEADER 'by' AS by ENVELOPE UPSERT`)
	s.must(t, `CREATE SOURCE lines FROM KAFKA CONNECTION c (TOPIC 'src-lines') FORMAT CSV WITH HEADER`)
	s.must(t, `CREATE SOURCE found FROM KAFKA CONNECTION c (TOPIC 'src-users', START OFFSET (1)) FORMAT JSON (INFER)`)
	s.wait(t, `SELECT * FROM users ORDER BY id`, "1|ann|35|0|test\n2|sue||0|test")
	s.wait(t, `SELECT * FROM lines ORDER BY id`, "1|x\n2|y, z")
	s.wait(t, `SELECT name, age FROM found ORDER BY name`, "ann|35\nsue|")
	s.wait(t, `SELECT error, "offset" FROM users_errors`, `invalid input syntax for type json (Token "no" is invalid.)|3`)
	s.kill(t)
	k.write(kgo.TryCommit, "src-users", `3={"name":"bob","age":1}`, `2`)
	s.begin(t)
	eventually(t, 20*time.Second, "server ready", s.ready)
	s.wait(t, `SELECT * FROM users ORDER BY id`, "1|ann|35|0|test\n3|bob|1|0|test")
	s.wait(t, `SELECT count(*) FROM users_errors`, "0")
	if _, err := k.adm.CreatePartitions(t.Context(), 3, "src-users"); err != nil {
		t.Fatal(err)
	}
	round := 0
	eventually(t, 30*time.Second, "a record in a new partition", func() error {
		round++
		k.write(kgo.TryCommit, "src-users", fmt.Sprintf(`n%d={"name":"eve"}`, round))
		if s.must(t, `SELECT count(*) FROM users WHERE partition > 0`) == "0" {
			return fmt.Errorf("none in %d rounds", round)
		}
		return nil
	})
	dropTopics(t.Context(), t, &shared, "src-lines")
	if _, err := k.adm.CreateTopic(t.Context(), 1, 1, nil, "src-lines"); err != nil {
		t.Fatal(err)
	}
	s.wait(t, `SELECT status, error FROM mz_internal.mz_source_statuses WHERE name = 'lines'`, `failed|topic "src-lines" was deleted and made anew`)
}
