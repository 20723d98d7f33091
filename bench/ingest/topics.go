package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// partitions of a topic.
const partitions = 4

// groups is how many keys the views group by.
const groups = 1000

// totals add up what the view of a job holds: records, groups, and the sum of their sums.
const totals = "SELECT sum(n)::text || ' ' || count(*)::text || ' ' || sum(v)::text FROM totals"

// received counts the records that a source has handed over.
const received = "SELECT coalesce(max(messages_received), 0) FROM mz_internal.mz_source_statistics WHERE name = 's'"

// answer is what totals are to be.
type answer struct {
	records int
	groups  map[int]bool
	sum     int
}

func (a *answer) add(group, value int) {
	if a.groups == nil {
		a.groups = map[int]bool{}
	}
	a.records++
	a.groups[group] = true
	a.sum += value
}

func (a *answer) text() string { return fmt.Sprintf("%d %d %d", a.records, len(a.groups), a.sum) }

// fill makes a topic anew and writes what next gives, until that is nil. The bytes are those of keys and values.
func (b *bench) fill(ctx context.Context, topic string, next func() *kgo.Record) (records, size int, err error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.stack.KafkaAddr), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return 0, 0, fmt.Errorf("connect to the broker: %w", err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, partitions, 1, nil, topic); err != nil {
		return 0, 0, fmt.Errorf("create topic %s: %w", topic, err)
	}
	var failed error
	var once sync.Once
	for r := next(); r != nil; r = next() {
		records++
		size += len(r.Key) + len(r.Value)
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
	}
	return records, size, errors.Join(cl.Flush(ctx), failed)
}

// scatter spreads numbers, the same ones each time.
func scatter(i int) uint32 {
	x := uint64(i)*0x9E3779B97F4A7C15 + 1
	x ^= x >> 31
	x *= 0xBF58476D1CE4E5B9
	return uint32(x >> 32)
}

// prepareBytes writes lines of 100 bytes whose first three are the group.
func (b *bench) prepareBytes(ctx context.Context) (*job, error) {
	const topic, size = "bytes", 100
	var want answer
	i := 0
	n, bytes, err := b.fill(ctx, topic, func() *kgo.Record {
		if i == b.records {
			return nil
		}
		group := int(scatter(i) % groups)
		value := make([]byte, 0, size)
		value = fmt.Appendf(value, "%03d %010d", group, i)
		for len(value) < size {
			value = append(value, 'a'+byte(scatter(i+len(value))%26))
		}
		want.add(group, size)
		i++
		return &kgo.Record{Partition: int32(i % partitions), Value: value}
	})
	return &job{records: n, bytes: bytes, done: received, totals: totals, want: want.text(), undo: []string{"DROP SOURCE s CASCADE"}, before: b.connection(), run: []string{
		"CREATE SOURCE s FROM KAFKA CONNECTION k (TOPIC '" + topic + "') FORMAT BYTES",
		"CREATE MATERIALIZED VIEW totals AS SELECT substr(data, 1, 3) AS k, count(*) AS n, sum(length(data)) AS v FROM s GROUP BY 1",
	}, flink: &flinkJob{topic: topic, columns: "data STRING", format: "'format'='raw'",
		query: "SELECT SUBSTRING(data FROM 1 FOR 3) AS k, COUNT(*) AS n, SUM(CAST(CHAR_LENGTH(data) AS BIGINT)) AS v FROM t GROUP BY SUBSTRING(data FROM 1 FOR 3)"}}, err
}

// prepareJSON writes clicks of 300 bytes, of which six members become columns.
func (b *bench) prepareJSON(ctx context.Context) (*job, error) {
	const topic = "json"
	var want answer
	i := 0
	n, bytes, err := b.fill(ctx, topic, func() *kgo.Record {
		if i == b.records {
			return nil
		}
		group, amount := int(scatter(i)%groups), int(scatter(^i)%10000)
		value := fmt.Appendf(nil, `{"recordType":"click","sid":%d,"k":%d,"v":%d,"at":"2023-01-12T05:33:37.%03dZ","url":"https://news.example/world/2023/01/12/a-title-%08x",`+
			`"useragent":"Mozilla/5.0 (X11; Linux x86_64)","states":["TX","CA"],"subscriber":%t,"latitude":52.%04d,"country":"DE","tz":"Europe/Paris","ref":"%08x"}`,
			10_000_000+i, group, amount, i%1000, scatter(i+1), i%3 == 0, i%10000, scatter(i+2))
		want.add(group, amount)
		i++
		return &kgo.Record{Partition: int32(i % partitions), Value: value}
	})
	return &job{records: n, bytes: bytes, done: received, totals: totals, want: want.text(), undo: []string{"DROP SOURCE s CASCADE"}, before: b.connection(), run: []string{
		"CREATE SOURCE s (sid bigint, k int, v bigint, at timestamptz, url text, subscriber bool) FROM KAFKA CONNECTION k (TOPIC '" + topic + "') FORMAT JSON",
		"CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS n, sum(v) AS v FROM s GROUP BY k",
	}, flink: &flinkJob{topic: topic, columns: "sid BIGINT, k INT, v BIGINT, `at` TIMESTAMP_LTZ(3), url STRING, subscriber BOOLEAN",
		format: "'format'='json','json.timestamp-format.standard'='ISO-8601'",
		query:  "SELECT k, COUNT(*) AS n, SUM(v) AS v FROM t GROUP BY k"}}, err
}

// connection makes the connection to the broker.
func (b *bench) connection() []string {
	return []string{"CREATE CONNECTION k TO KAFKA (BROKER '" + b.stack.KafkaAddr + "')"}
}

// prepareSink fills a table whose rows are written as JSON by their key.
func (b *bench) prepareSink(context.Context) (*job, error) {
	statements := append(b.connection(),
		"CREATE TABLE orders (id bigint NOT NULL, k int NOT NULL, v bigint NOT NULL, name text NOT NULL, at timestamptz NOT NULL)",
		"CREATE MATERIALIZED VIEW latest AS SELECT id, max(k) AS k, max(v) AS v, max(name) AS name, max(at) AS at FROM orders GROUP BY id")
	const at = 10_000
	for from := 0; from < b.records; from += at {
		statements = append(statements, fmt.Sprintf("INSERT INTO orders SELECT i, i %% %d, i * 7, 'a name of usual length ' || i, '2024-05-01'::timestamptz + i * interval '1 second' FROM generate_series(%d, %d) i",
			groups, from, min(from+at, b.records)-1))
	}
	statements = append(statements, "SELECT count(*) FROM latest")
	return &job{records: b.records, before: statements,
		run:  []string{"CREATE SINK o FROM latest INTO KAFKA CONNECTION k (TOPIC 'latest-" + fresh() + "', TOPIC PARTITION COUNT 4) KEY (id) KEY FORMAT TEXT VALUE FORMAT JSON ENVELOPE UPSERT"},
		done: "SELECT coalesce(max(messages_committed), 0) FROM mz_internal.mz_sink_statuses"}, nil
}
