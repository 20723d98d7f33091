package garbage

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/coord"
	"millrace/internal/broker/brokertest"
	demo "millrace/internal/demo/registry"
	"millrace/internal/registry"
	"millrace/tests/inside"
)

const partitions = 2

// amount is how many bad records there are, of all topics together, and as many good ones.
func amount(t *testing.T) int {
	if text := os.Getenv("GARBAGE_RECORDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return 1_000
	}
	return 5_000
}

// written is what was written to a topic.
type written struct {
	kind
	good, bad int64
	badBytes  int64
	values    map[string][]byte   // of bad records, by partition and offset; the large ones are nil
	sums      [partitions][]int64 // of the values of the first n good records, by n
}

// world is a broker, a registry and a server.
type world struct {
	t        *testing.T
	broker   string
	registry string
	cl       *kgo.Client
	server   *inside.Server
	topics   []*written
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	web := httptest.NewServer(demo.New())
	t.Cleanup(web.Close)
	reg, err := registry.New(registry.Options{URL: web.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reg.Close)
	id, err := reg.Register(t.Context(), "avro-value", avroSchema)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range kinds(id) {
		w.topics = append(w.topics, &written{kind: k, values: map[string][]byte{}, sums: [partitions][]int64{{0}, {0}}})
		names = append(names, k.topic)
	}
	fake := brokertest.New(t, kfake.SeedTopics(partitions, names...), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "33554432"}))
	w.broker, w.registry = fake.ListenAddrs()[0], web.URL
	w.cl = brokertest.Client(t, w.broker, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(32<<20),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if w.server, err = inside.Serve(coord.Options{TickInterval: 50 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.server.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) connect() *pgx.Conn {
	w.t.Helper()
	cfg, err := pgx.ParseConfig(w.server.URL + "?sslmode=disable")
	if err != nil {
		w.t.Fatal(err)
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// write writes good and bad records, mixed.
func (w *world) write(topic *written, n int, rng *rand.Rand) error {
	var group []*kgo.Record
	flush := func() error {
		for _, r := range w.cl.ProduceSync(w.t.Context(), group...) {
			if r.Err != nil {
				return r.Err
			}
		}
		group = group[:0]
		return nil
	}
	next := [partitions]int64{}
	for i := range 2 * n {
		p := rng.IntN(partitions)
		a := account{id: int64(i), value: rng.Int64N(20_000) - 10_000, name: fmt.Sprintf("name %d", rng.IntN(1000))}
		rec := &kgo.Record{Topic: topic.topic, Partition: int32(p), Key: topic.key(a), Value: topic.kind.good(a)}
		at := fmt.Sprintf("%d/%d", p, next[p])
		next[p]++
		switch {
		case i == n: // one is large, whatever it is
			rec.Value = bytes.Repeat([]byte{0xff}, largeBytes)
			topic.bad, topic.values[at] = topic.bad+1, nil
		case rng.IntN(2) == 0:
			rec.Value = topic.kind.bad[rng.IntN(len(topic.kind.bad))].make(rng, a, rec.Value)
			topic.bad, topic.values[at] = topic.bad+1, rec.Value
			topic.badBytes += int64(len(rec.Value))
		default:
			topic.good++
			sums := topic.sums[p]
			topic.sums[p] = append(sums, sums[len(sums)-1]+a.value)
		}
		if group = append(group, rec); len(group) == 2000 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// view shows, of each partition, how many good records there are and what they add up to.
func (k *kind) view() string {
	return "CREATE MATERIALIZED VIEW " + k.topic + "_sums AS SELECT partition, count(*) AS n, sum(v)::bigint AS v, sum(w)::bigint AS w FROM " + k.topic + " GROUP BY partition"
}

// watch follows a view until all is there, and holds what it shows at each time to what was written.
func (w *world) watch(conn *pgx.Conn, topic *written, done <-chan struct{}) (times int, err error) {
	ctx := w.t.Context()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, "DECLARE c CURSOR FOR SUBSCRIBE "+topic.topic+"_sums"); err != nil {
		return 0, err
	}
	before := [partitions]int64{}
	for {
		select {
		case <-done:
			return times, tx.Rollback(ctx)
		default:
		}
		rows, err := tx.Query(ctx, "FETCH ALL c WITH (timeout = '200ms')")
		if err != nil {
			return times, err
		}
		for rows.Next() {
			var at string
			var diff int64
			var s shown
			if err := rows.Scan(&at, &diff, &s.partition, &s.n, &s.v, &s.w); err != nil {
				return times, err
			}
			if diff < 0 {
				continue
			}
			times++
			topic.check(w.t, at, s)
			if before[s.partition] > s.n {
				w.t.Errorf("%s: at %s partition %d has %d rows, and had %d before", topic.topic, at, s.partition, s.n, before[s.partition])
			}
			before[s.partition] = s.n
		}
		if err := rows.Err(); err != nil {
			return times, err
		}
	}
}

// shown is what the view shows of a partition.
type shown struct {
	partition int32
	n, v, w   int64
}

// check holds what a view shows of a partition to what was written to it.
func (topic *written) check(t *testing.T, at string, s shown) {
	t.Helper()
	sums := topic.sums[s.partition]
	if s.v != -s.w || s.n >= int64(len(sums)) || sums[s.n] != s.v {
		t.Errorf("%s: at %s partition %d shows %d rows that add up to %d and %d", topic.topic, at, s.partition, s.n, s.v, s.w)
	}
}

// settled waits until a source has read everything, and compares its counts.
func (w *world) settled(conn *pgx.Conn, topic *written) {
	w.t.Helper()
	want := fmt.Sprintf("running: %d read, %d bad, %d told of, %d dead letters", topic.good+topic.bad, topic.bad, topic.bad, topic.bad)
	got := ""
	for began := time.Now(); got != want && time.Since(began) < patience(topic); time.Sleep(20 * time.Millisecond) {
		var status string
		var all, bad, told, letters int64
		err := conn.QueryRow(w.t.Context(), `SELECT status, messages_received, records_bad, errors_kept + errors_dropped, dead_letters
			FROM mz_internal.mz_source_statistics s JOIN mz_internal.mz_source_statuses USING (id) WHERE s.name = '`+topic.topic+`'`).
			Scan(&status, &all, &bad, &told, &letters)
		if err != nil {
			w.t.Fatal(err)
		}
		got = fmt.Sprintf("%s: %d read, %d bad, %d told of, %d dead letters", status, all, bad, told, letters)
		if all > topic.good+topic.bad || bad > topic.bad {
			break
		}
	}
	if got != want {
		w.t.Errorf("%s is %s\nwant %s", topic.topic, got, want)
	}
}

// patience is how long a source may take: a minute, and one more for each 20,000 bad records.
func patience(topic *written) time.Duration {
	return time.Minute + time.Duration(topic.bad/20_000)*time.Minute
}

// letters holds the dead letters to the bad records that were written.
func (w *world) letters(topic *written) {
	w.t.Helper()
	seen := map[string]bool{}
	for _, rec := range brokertest.Committed(w.t, w.broker, topic.topic+"-dead") {
		said := map[string]string{}
		for _, h := range rec.Headers {
			said[h.Key] = string(h.Value)
		}
		at := said["millrace.partition"] + "/" + said["millrace.offset"]
		value, known := topic.values[at]
		switch {
		case !known || said["millrace.topic"] != topic.topic || said["millrace.error_code"] == "" || said["millrace.error"] == "":
			w.t.Errorf("%s: a letter of the record at %s says %v", topic.topic, at, said)
		case seen[at]:
			w.t.Errorf("%s: there are two letters of the record at %s", topic.topic, at)
		case value != nil && !bytes.Equal(value, rec.Value), value == nil && len(rec.Value) != largeBytes:
			w.t.Errorf("%s: the letter of the record at %s is %.100q, want %.100q", topic.topic, at, rec.Value, value)
		}
		seen[at] = true
	}
	if len(seen) == int(topic.bad) {
		return
	}
	w.t.Errorf("%s: there are letters of %d records, want %d", topic.topic, len(seen), topic.bad)
	for at, value := range topic.values {
		if !seen[at] {
			w.t.Errorf("%s: there is none of the record at %s: %.100q", topic.topic, at, value)
			return
		}
	}
}

// kept holds the rows of errors that are kept to the bad records.
func (w *world) kept(conn *pgx.Conn, topic *written) (n int64) {
	w.t.Helper()
	rows, err := conn.Query(w.t.Context(), `SELECT topic, partition, "offset", error <> '' AND error_code <> '', value FROM `+topic.topic+"_errors")
	if err != nil {
		w.t.Fatal(err)
	}
	for rows.Next() {
		var name string
		var p int32
		var offset int64
		var says bool
		var value []byte
		if err := rows.Scan(&name, &p, &offset, &says, &value); err != nil {
			w.t.Fatal(err)
		}
		want, known := topic.values[fmt.Sprintf("%d/%d", p, offset)]
		if !known || name != topic.topic || !says || want != nil && !bytes.Equal(value, want) {
			w.t.Errorf("%s: a row of errors of %s %d/%d is %.100q, want %.100q", topic.topic, name, p, offset, value, want)
		}
		n++
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestGarbage writes good and bad records while views of them are watched.
func TestGarbage(t *testing.T) {
	w := newWorld(t)
	n := amount(t) / len(w.topics)
	conn := w.connect()
	must := func(sql string) {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, topic := range w.topics { // all is known before it is read, for what is read is held to it
		if err := w.write(topic, n, rand.New(rand.NewPCG(7, uint64(n)))); err != nil {
			t.Fatal(err)
		}
	}
	began, before := time.Now(), processorTime(t)
	for _, topic := range w.topics {
		must(topic.create(w.broker, w.registry, "DEAD LETTER TOPIC = '"+topic.topic+"-dead'"))
	}
	done := make(chan struct{})
	var watching sync.WaitGroup
	for _, topic := range w.topics {
		must(topic.view())
		watcher := w.connect()
		watching.Go(func() {
			if times, err := w.watch(watcher, topic, done); err != nil {
				t.Errorf("%s: %d times: %v", topic.topic, times, err)
			}
		})
	}
	for _, topic := range w.topics {
		w.settled(conn, topic)
	}
	took, spent := time.Since(began), processorTime(t)-before
	close(done)
	watching.Wait()
	var bad, good int64
	for _, topic := range w.topics {
		w.final(conn, topic)
		w.letters(topic)
		kept := w.kept(conn, topic)
		if topic.bad < 50_000 && kept != topic.bad {
			t.Errorf("%s: %d rows of errors are kept of %d", topic.topic, kept, topic.bad)
		}
		bad, good = bad+topic.bad, good+topic.good
		var rows, size int64
		if err := conn.QueryRow(t.Context(), "SELECT rows, bytes FROM mz_internal.mz_object_memory WHERE name = '"+topic.topic+"_errors'").Scan(&rows, &size); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d good, %d bad of %d bytes without the large one; errors: %d rows, %d bytes", topic.topic, topic.good, topic.bad, topic.badBytes, rows, size)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("%d bad and %d good records took %s, %s of processors with the broker in the process; %d MiB of the heap are in use, %d MiB are the system's",
		bad, good, took.Round(time.Millisecond), spent.Round(time.Millisecond), memory.HeapInuse>>20, memory.Sys>>20)
}

// final holds the view to all good records.
func (w *world) final(conn *pgx.Conn, topic *written) {
	w.t.Helper()
	rows, err := conn.Query(w.t.Context(), "SELECT partition, n, v, w FROM "+topic.topic+"_sums")
	if err != nil {
		w.t.Fatal(err)
	}
	var all int64
	for rows.Next() {
		var s shown
		if err := rows.Scan(&s.partition, &s.n, &s.v, &s.w); err != nil {
			w.t.Fatal(err)
		}
		topic.check(w.t, "the end", s)
		all += s.n
	}
	if err := rows.Err(); err != nil || all != topic.good {
		w.t.Errorf("%s: the view ends with %d rows, want %d: %v", topic.topic, all, topic.good, err)
	}
}

// TestFlippedBits flips bits anywhere, so that some records still say something: each of them is a row or an error, never both or
// neither, and the source goes on.
func TestFlippedBits(t *testing.T) {
	w := newWorld(t)
	n := max(amount(t)/10/len(w.topics), 200)
	conn := w.connect()
	rng := rand.New(rand.NewPCG(11, 11))
	for _, topic := range w.topics {
		for i := range n {
			a := account{id: int64(i), value: rng.Int64N(1000), name: "name"}
			value := topic.kind.good(a)
			for range 1 + rng.IntN(3) {
				value[rng.IntN(len(value))] ^= 1 << rng.IntN(8)
			}
			if err := w.cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic.topic, Key: topic.key(a), Value: value}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, topic := range w.topics {
		sql := topic.create(w.broker, w.registry, "RETAIN ERRORS = 1000000")
		sql = strings.Replace(sql, "INCLUDE PARTITION", "INCLUDE PARTITION, OFFSET AS place", 1)
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		var rows, errs, both, bad int64
		for began := time.Now(); time.Since(began) < time.Minute && rows+errs != int64(n); time.Sleep(20 * time.Millisecond) {
			err := conn.QueryRow(t.Context(), `SELECT (SELECT count(DISTINCT place) FROM `+topic.topic+`), (SELECT count(DISTINCT "offset") FROM `+topic.topic+`_errors),
				(SELECT count(*) FROM `+topic.topic+` JOIN `+topic.topic+`_errors e ON place = e."offset"),
				(SELECT records_bad FROM mz_internal.mz_source_statistics WHERE name = '`+topic.topic+`')`).Scan(&rows, &errs, &both, &bad)
			if err != nil {
				t.Fatal(err)
			}
		}
		if rows+errs != int64(n) || both != 0 || bad != errs {
			t.Errorf("%s: of %d records %d are rows and %d errors, %d of them both; %d are counted", topic.topic, n, rows, errs, both, bad)
		}
		t.Logf("%s: %d records, %d still say something", topic.topic, n, rows)
	}
}
