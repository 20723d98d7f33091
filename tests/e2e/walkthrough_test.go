package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// dialect is one way to write the pipeline "join Kafka with a database".
type dialect struct {
	name       string
	statements []string // up to the materialized view
	sink       string
	sinkTopic  string
	subscribe  string
	cursor     string
	drop       []string
}

const pageviewsView = `CREATE VIEW pageviews AS
  SELECT (pageview_data->'user_id')::INT as user_id, (pageview_data->'url')::STRING as url,
    (pageview_data->'channel')::STRING as channel, to_timestamp((pageview_data->'received_at')::INT) as ts
  FROM (SELECT convert_from(data, 'utf8')::jsonb AS pageview_data FROM raw_pageviews);`

const segmentView = `CREATE MATERIALIZED VIEW pageviews_by_user_segment AS
  SELECT users.is_vip, pageviews.channel, date_trunc('hour', pageviews.ts) as ts_hour, count(*) as pageview_count
  FROM users JOIN pageviews ON pageviews.user_id = users.id
  GROUP BY 1,2,3;`

var dialects = []dialect{
	{
		name: "2021",
		statements: []string{
			`CREATE SOURCE raw_pageviews FROM KAFKA BROKER 'kafka:9092' TOPIC 'pageviews' FORMAT BYTES;`,
			`CREATE SOURCE users FROM KAFKA BROKER 'kafka:9092' TOPIC 'mysql.shop.users'
  FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY 'http://schema-registry:8081' ENVELOPE DEBEZIUM;`,
			pageviewsView, segmentView,
		},
		sink: `CREATE SINK pageviews_by_user_segment_sink FROM pageviews_by_user_segment INTO KAFKA BROKER 'kafka' TOPIC 'pageviews-user-segment-sink'
  FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY 'http://schema-registry:8081';`,
		sinkTopic: "pageviews-user-segment-sink",
		subscribe: `COPY (TAIL pageviews_by_user_segment WITH (SNAPSHOT=false, PROGRESS)) TO STDOUT;`,
		cursor:    `DECLARE c CURSOR FOR TAIL pageviews_by_user_segment;`,
		drop: []string{
			`DROP SINK pageviews_by_user_segment_sink;`, `DROP VIEW pageviews_by_user_segment;`, `DROP VIEW pageviews;`,
			`DROP SOURCE users;`, `DROP SOURCE raw_pageviews;`,
		},
	},
	{
		name: "today",
		statements: []string{
			`CREATE CONNECTION kafka TO KAFKA (BROKER 'kafka:9092', SECURITY PROTOCOL PLAINTEXT);`,
			`CREATE CONNECTION csr TO CONFLUENT SCHEMA REGISTRY (URL 'http://schema-registry:8081');`,
			`CREATE SOURCE raw_pageviews FROM KAFKA CONNECTION kafka (TOPIC 'pageviews') FORMAT BYTES;`,
			`CREATE SOURCE users FROM KAFKA CONNECTION kafka (TOPIC 'mysql.shop.users')
  FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION csr ENVELOPE DEBEZIUM;`,
			pageviewsView, segmentView,
		},
		sink: `CREATE SINK pageviews_by_user_segment_sink FROM pageviews_by_user_segment
  INTO KAFKA CONNECTION kafka (TOPIC 'pageviews-user-segment-sink-today')
  FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION csr ENVELOPE DEBEZIUM;`,
		sinkTopic: "pageviews-user-segment-sink-today",
		subscribe: `COPY (SUBSCRIBE pageviews_by_user_segment WITH (SNAPSHOT=false, PROGRESS)) TO STDOUT;`,
		cursor:    `DECLARE c CURSOR FOR SUBSCRIBE pageviews_by_user_segment;`,
		drop: []string{
			`DROP SINK pageviews_by_user_segment_sink;`, `DROP MATERIALIZED VIEW pageviews_by_user_segment;`,
			`DROP VIEW pageviews;`, `DROP SOURCE users;`, `DROP SOURCE raw_pageviews;`,
			`DROP CONNECTION csr;`, `DROP CONNECTION kafka;`,
		},
	},
}

const (
	segmentQuery = `SELECT * FROM pageviews_by_user_segment;`
	plainRow     = `0|"social"|2021-04-26 18:00:00+00|1`
	vipRow       = `1|"social"|2021-04-26 18:00:00+00|1`
)

// tabs is a row as COPY prints it.
func tabs(row string) string { return strings.ReplaceAll(row, "|", "\t") }

// pipeline is one dialect on a server of its own. Both read the same topics.
type pipeline struct {
	dialect
	*server
	changes *stream
}

// TestWalkthrough is the main job, statement by statement through psql: a stream of page views from Kafka joined
// with a table that Debezium captures from MariaDB, read, subscribed to, and sent back to Kafka.
func TestWalkthrough(t *testing.T) {
	need(t)
	r := real(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	captureUsers(ctx, t, r)
	produce(ctx, t, r, "pageviews", `{"user_id": 1234, "url": "/products/56", "channel": "social", "received_at": 1619461059}`)

	var pipelines []*pipeline
	for _, d := range dialects {
		pipelines = append(pipelines, &pipeline{dialect: d, server: serve(t, "--host-aliases", r.aliases())})
	}
	each(t, pipelines, "create", (*pipeline).create)
	each(t, pipelines, "cursor", (*pipeline).readCursor)
	each(t, pipelines, "sink holds the snapshot", func(p *pipeline, t *testing.T) { p.waitSink(ctx, t, r, plainSink) })

	// The connector starts again: whatever it sends twice counts once.
	if err := r.stack.RestartConnector(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	mysql(ctx, t, r, `UPDATE shop.users SET is_vip = 1 WHERE id = 1234`)
	each(t, pipelines, "update", func(p *pipeline, t *testing.T) {
		p.expect(t, change{diff: "-1", row: tabs(plainRow)}, change{diff: "1", row: tabs(vipRow)})
		p.wait(t, segmentQuery, vipRow)
	})
	each(t, pipelines, "sink follows the update", func(p *pipeline, t *testing.T) { p.waitSink(ctx, t, r, vipSink) })

	mysql(ctx, t, r, `DELETE FROM shop.users WHERE id = 1234`)
	each(t, pipelines, "delete", func(p *pipeline, t *testing.T) {
		p.expect(t, change{diff: "-1", row: tabs(vipRow)})
		p.wait(t, segmentQuery, "")
	})
	each(t, pipelines, "sink follows the delete", func(p *pipeline, t *testing.T) { p.waitSink(ctx, t, r) })
	each(t, pipelines, "drop", func(p *pipeline, t *testing.T) {
		for _, statement := range p.drop {
			p.must(t, statement)
		}
		if _, said, err := p.psql(t, segmentQuery); err == nil || !strings.Contains(said, `relation "pageviews_by_user_segment" does not exist`) {
			t.Errorf("after the drop: %v, %s", err, said)
		}
	})
}

func each(t *testing.T, pipelines []*pipeline, step string, do func(*pipeline, *testing.T)) {
	t.Helper()
	for _, p := range pipelines {
		// Subscriptions outlive the step, so it is no subtest; the log says where a failure belongs.
		t.Logf("%s: %s", p.name, step)
		do(p, t)
	}
}

func (p *pipeline) create(t *testing.T) {
	for _, statement := range p.statements {
		p.must(t, statement)
	}
	p.wait(t, segmentQuery, plainRow)
	p.must(t, p.sink)
	p.changes = p.stream(t, p.subscribe)
	if first := p.changes.next(t); !first.progress {
		t.Fatalf("without a snapshot the first line is %+v, not progress", first)
	}
}

// readCursor is a subscription read through a cursor: the snapshot, then nothing for a second.
func (p *pipeline) readCursor(t *testing.T) {
	script := "BEGIN;\n" + p.cursor + "\nFETCH ALL c WITH (timeout='1s');\nCOMMIT;\n"
	out, said, err := p.psqlWith(t, strings.NewReader(script), "-t", "-q")
	fields := strings.SplitN(out, "|", 3)
	if err != nil || said != "" || len(fields) != 3 || fields[1] != "1" || fields[2] != plainRow {
		t.Errorf("a cursor gives %q, %s, %v", out, said, err)
	}
}

// expect reads the next changes of the subscription: they must be these, all at one time.
func (p *pipeline) expect(t *testing.T, want ...change) {
	t.Helper()
	got := p.changes.complete(t)
	at := got[0].time
	for i := range got {
		if got[i].time != at {
			t.Fatalf("the change is spread over times: %v", got)
		}
		got[i].time = ""
	}
	order := func(a, b change) int { return strings.Compare(a.diff, b.diff) }
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if !slices.Equal(got, want) {
		t.Fatalf("got changes %v, want %v", got, want)
	}
}

// sinkRow is a row as it stands in the sink's topic.
type sinkRow struct {
	VIP   int    `json:"is_vip"`
	Chan  string `json:"channel"`
	Hour  string `json:"ts_hour"`
	Count int64  `json:"pageview_count"`
}

var (
	plainSink = sinkRow{0, `"social"`, "2021-04-26T18:00:00+00:00", 1}
	vipSink   = sinkRow{1, `"social"`, "2021-04-26T18:00:00+00:00", 1}
)

// waitSink reads the whole topic with another client, committed records only, and folds the changes it holds.
// The schema that decodes them is the one the registry has under the id in each record.
func (p *pipeline) waitSink(ctx context.Context, t *testing.T, r *servers, want ...sinkRow) {
	t.Helper()
	eventually(t, 30*time.Second, "sink topic", func() error {
		out := python(ctx, t, r.stack, "testdata/read_topic.py", r.stack.KafkaAddr, r.stack.RegistryURL, p.sinkTopic)
		total := make(map[sinkRow]int)
		for line := range strings.Lines(out) {
			var record struct{ Before, After *sinkRow }
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				return fmt.Errorf("decode %q: %w", line, err)
			}
			if record.Before != nil {
				total[*record.Before]--
			}
			if record.After != nil {
				total[*record.After]++
			}
		}
		for _, row := range want {
			total[row]--
		}
		for row, n := range total {
			if n != 0 {
				return fmt.Errorf("the topic is off by %d for %+v:\n%s", n, row, out)
			}
		}
		if out == "" {
			return fmt.Errorf("the topic is empty")
		}
		return nil
	})
}

// captureUsers makes the table of users with one in it, and a connector that has it in its topic.
func captureUsers(ctx context.Context, t *testing.T, r *servers) {
	t.Helper()
	mysql(ctx, t, r, `CREATE DATABASE shop CHARACTER SET utf8mb4;
CREATE TABLE shop.users (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(255) NOT NULL,
  is_vip TINYINT(1) NOT NULL DEFAULT 0,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP);
INSERT INTO shop.users (id, email, is_vip) VALUES (1234, 'someone@example.com', 0);`)
	if err := r.stack.GrantDebezium(ctx); err != nil {
		t.Fatal(err)
	}
	settings := r.stack.MariaDBConnector("mysql", "shop", map[string]string{"time.precision.mode": "connect"})
	if err := r.stack.PutConnector(ctx, "shop", settings); err != nil {
		t.Fatal(err)
	}
	if err := r.stack.WaitConnector(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	waitTopic(ctx, t, r, "mysql.shop.users")
}

func mysql(ctx context.Context, t *testing.T, r *servers, statements string) {
	t.Helper()
	if _, err := r.stack.MySQL(ctx, statements); err != nil {
		t.Fatal(err)
	}
}

// waitTopic waits until a topic holds a record.
func waitTopic(ctx context.Context, t *testing.T, r *servers, topic string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.stack.KafkaAddr), kgo.ConsumeTopics(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for client.PollFetches(ctx).Empty() {
		if err := ctx.Err(); err != nil {
			t.Fatalf("topic %s stays empty: %v", topic, err)
		}
	}
}

// dropTopics deletes topics, where they are, and waits until they are gone.
func dropTopics(ctx context.Context, t *testing.T, r *servers, topics ...string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.stack.KafkaAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	eventually(t, 20*time.Second, "topics gone", func() error {
		answers, err := adm.DeleteTopics(ctx, topics...)
		if err != nil {
			return err
		}
		for _, a := range answers {
			if !errors.Is(a.Err, kerr.UnknownTopicOrPartition) {
				return fmt.Errorf("topic %s: %w", a.Topic, cmp.Or(a.Err, errGoing))
			}
		}
		return nil
	})
}

// errGoing says that a topic was there until just now.
var errGoing = errors.New("it is being deleted")

// produce sends records without keys, in order.
func produce[T string | []byte](ctx context.Context, t *testing.T, r *servers, topic string, values ...T) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.stack.KafkaAddr), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(20))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, value := range values {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatalf("produce to %s: %v", topic, err)
		}
	}
}
